//! Words for activities, comments and products.

use super::rng::Rng;

/// The subject of an activity of this type.
pub(super) fn subject(kind: Option<&str>, id: i64, rng: &mut Rng) -> String {
    match kind {
        Some("1") => rng.pick(&["Встреча в офисе", "Demo", "Приёмка", "Besprechung"]).to_owned(),
        Some("2") => {
            let name = rng.pick(&["Иван", "Ольга", "John", "+7 912 345-67-89"]);
            let way = rng.pick(&["Входящий звонок от", "Исходящий звонок:"]);
            format!("{way} {name}")
        }
        Some("3") => format!("{} #{id}", rng.pick(&["Подготовить счёт", "Check the contract", "Отгрузить"])),
        Some("4") => format!("{}{}", rng.pick(&["", "Re: ", "Fwd: "]), super::text::words(rng)),
        Some("6") => rng.pick(&["Дело", "Заполнение CRM-формы «Заявка»", "Чат открытой линии"]).to_owned(),
        _ => super::text::words(rng),
    }
}

/// What an activity says: e-mails are HTML, others BBCode or plain.
pub(super) fn text(kind: Option<&str>, rng: &mut Rng) -> String {
    let number = 1 + rng.below(900);
    match kind {
        Some("4") => format!(
            "<html><body><p>Добрый день!</p><div>Счёт&nbsp;№ {number} во вложении.<br>--<br>С уважением</div>\
             <blockquote>&gt; {}</blockquote></body></html>",
            super::text::words(rng)
        ),
        Some("2") => format!("Разговор {number} с"),
        _ => super::text::comment(rng),
    }
}

/// `DESCRIPTION_TYPE`: 3 HTML, 2 BBCode, 1 plain.
pub(super) fn content_type(kind: Option<&str>) -> &'static str {
    match kind {
        Some("4") => "3",
        Some("2") => "1",
        _ => "2",
    }
}

/// `PROVIDER_ID` (sheet 10.15).
pub(super) fn provider(kind: Option<&str>) -> &'static str {
    match kind {
        Some("1") => "CRM_MEETING",
        Some("2") => "VOXIMPLANT_CALL",
        Some("3") => "CRM_TASKS_TASK",
        Some("4") => "CRM_EMAIL",
        Some("6") => "CRM_TODO",
        _ => "REST_APP",
    }
}

/// A comment of a timeline: BBCode with mentions and files, at times as it was pasted.
pub(super) fn comment(rng: &mut Rng) -> String {
    match rng.below(6) {
        0 => format!("[USER=6]Светлана Орлова[/USER], {}", super::text::words(rng)),
        1 => format!("{}\n[DISK FILE ID=n{}]", super::text::words(rng), 100 + rng.below(900)),
        2 => format!("  {}&nbsp;&amp; Ко  ", super::text::words(rng)),
        _ => super::text::comment(rng),
    }
}

/// What a product or piece of equipment is called; at times one name stands twice.
pub(super) fn item(rng: &mut Rng, mess: f64) -> String {
    let what = rng.pick(&["Насос", "Компрессор", "Шланг", "Pump", "Фильтр", "Motor", "Монтаж", "阀门"]);
    if rng.chance(0.1 * mess) {
        return what.to_owned();
    }
    format!("{what} {}-{}", rng.pick(&["ЦНС", "X", "K", "ВК"]), 10 + rng.below(900))
}

/// The detailed text of a product.
pub(super) fn product_text(rng: &mut Rng) -> String {
    let power = 1 + rng.below(90);
    match rng.below(3) {
        0 => format!("<p>Мощность&nbsp;{power} кВт</p><ul><li>чугун</li><li>IP55</li></ul>"),
        1 => format!("Power {power} kW, cast iron"),
        _ => format!("Мощность {power} кВт<br>Гарантия 2 года"),
    }
}

/// A code of a product.
pub(super) fn sku(rng: &mut Rng) -> String {
    format!("{}-{:05}", rng.pick(&["PMP", "CMP", "HS", "Ф"]), rng.below(100_000))
}
