//! Words: people, companies, addresses, phones, e-mail, comments, in the mix that an old portal has.
//!
//! Owns the pools and the kinds of mess. Knows nothing of fields and records. Phone numbers and addresses are
//! invented; domains end in `.example`.

use super::rng::Rng;

/// Where a person or company is from: it decides the script of the names and the form of the phone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Culture {
    Russian,
    English,
    German,
    Chinese,
    Hebrew,
    Arabic,
}

impl Culture {
    /// Half Russian, the others as the portal's markets have it.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        match rng.below(100) {
            0..50 => Culture::Russian,
            50..75 => Culture::English,
            75..86 => Culture::German,
            86..92 => Culture::Chinese,
            92..96 => Culture::Hebrew,
            _ => Culture::Arabic,
        }
    }

    /// City and country.
    pub(super) fn place(self, rng: &mut Rng) -> (&'static str, &'static str, &'static str) {
        match self {
            Culture::Russian => (rng.pick(&["Москва", "Санкт-Петербург", "Казань", "Пермь"]), "Россия", "RU"),
            Culture::English => (rng.pick(&["San Francisco", "Austin", "Boston", "Ann Arbor"]), "USA", "US"),
            Culture::German => (rng.pick(&["Köln", "München", "Görlitz"]), "Deutschland", "DE"),
            Culture::Chinese => (rng.pick(&["北京", "上海", "深圳"]), "中国", "CN"),
            Culture::Hebrew => (rng.pick(&["תל אביב", "חיפה"]), "ישראל", "IL"),
            Culture::Arabic => (rng.pick(&["دبي", "أبو ظبي"]), "الإمارات", "AE"),
        }
    }
}

/// A person's names in one script, with a Latin form for addresses.
pub(super) struct Person {
    pub(super) culture: Culture,
    pub(super) given: String,
    pub(super) middle: &'static str,
    pub(super) family: &'static str,
    /// Lower-case ASCII, for e-mail addresses.
    pub(super) handle: String,
}

const RU_MEN: &[(&str, &str)] = &[
    ("Иван", "ivan"),
    ("Пётр", "petr"),
    ("Сергей", "sergey"),
    ("Алексей", "alexey"),
    ("Дмитрий", "dmitry"),
    ("Юрий", "yury"),
    ("Вадим", "vadim"),
];
const RU_WOMEN: &[(&str, &str)] = &[
    ("Анна", "anna"),
    ("Ольга", "olga"),
    ("Светлана", "svetlana"),
    ("Елена", "elena"),
    ("Мария", "maria"),
    ("Наталья", "natalia"),
];
const RU_FAMILIES: &[(&str, &str, &str)] = &[
    ("Иванов", "Иванова", "ivanov"),
    ("Смирнов", "Смирнова", "smirnov"),
    ("Кузнецов", "Кузнецова", "kuznetsov"),
    ("Соловьёв", "Соловьёва", "soloviev"),
    ("Щукин", "Щукина", "shchukin"),
    ("Орлов", "Орлова", "orlov"),
    ("Белозерский", "Белозерская", "belozersky"),
    ("Ли", "Ли", "lee"),
];
const LATIN: &[(&str, &str)] = &[
    ("John", "Smith"),
    ("Mary", "O'Neill"),
    ("Robert", "van der Berg"),
    ("Grace", "Murphy-Jones"),
    ("William", "Clark"),
    ("Zoë", "Hall"),
    ("James", "Young Jr."),
    ("Emily", "Baker"),
];
const GERMAN: &[(&str, &str)] = &[
    ("Jürgen", "Müller"),
    ("Käthe", "Groß"),
    ("Klaus", "Weber"),
    ("Sören", "Schröder"),
    ("Ute", "von Stein"),
];
const CHINESE: &[(&str, &str)] =
    &[("伟", "王"), ("芳", "李"), ("秀英", "张"), ("建国", "欧阳"), ("静", "刘")];
const HEBREW: &[(&str, &str)] = &[("דוד", "כהן"), ("שרה", "לוי"), ("יעקב", "מזרחי")];
const ARABIC: &[(&str, &str)] = &[("محمد", "الأحمد"), ("فاطمة", "حسن"), ("عمر", "الخطيب")];

/// Draws a person.
pub(super) fn person(rng: &mut Rng, mess: f64) -> Person {
    let culture = Culture::draw(rng);
    let (given, middle, family, handle) = match culture {
        Culture::Russian => {
            let woman = rng.chance(0.5);
            let pool = if woman { RU_WOMEN } else { RU_MEN };
            let (given, latin) = pool[rng.index(pool.len())];
            let (he, she, family) = RU_FAMILIES[rng.index(RU_FAMILIES.len())];
            let middle = if woman {
                rng.pick(&["Ивановна", "Сергеевна", "Петровна"])
            } else {
                rng.pick(&["Иванович", "Сергеевич", "Петрович"])
            };
            (given, middle, if woman { she } else { he }, format!("{latin}.{family}"))
        }
        Culture::English => latin(LATIN, rng.pick(&["J.", "Lee", "Ann"]), rng),
        Culture::German => latin(GERMAN, "", rng),
        Culture::Chinese => foreign(CHINESE, rng),
        Culture::Hebrew => foreign(HEBREW, rng),
        Culture::Arabic => foreign(ARABIC, rng),
    };
    let given = if rng.chance(0.02 * mess) {
        format!("{given} {}", rng.pick(&["🙂", "⭐️", "👩🏽‍💼", "🔥"]))
    } else if rng.chance(0.02 * mess) {
        format!("  {}", given.to_uppercase())
    } else {
        given.to_owned()
    };
    Person { culture, given, middle, family, handle }
}

type Names = (&'static str, &'static str, &'static str, String);

fn latin(pool: &[(&'static str, &'static str)], middle: &'static str, rng: &mut Rng) -> Names {
    let (given, family) = pool[rng.index(pool.len())];
    let ascii: String =
        format!("{given}.{family}").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let handle = ascii.trim_end_matches('.').to_lowercase();
    (given, middle, family, handle)
}

fn foreign(pool: &[(&'static str, &'static str)], rng: &mut Rng) -> Names {
    let (given, family) = pool[rng.index(pool.len())];
    (given, "", family, format!("user{}", 100 + rng.below(900)))
}

/// A company's title; a few titles belong to many companies.
pub(super) fn company(rng: &mut Rng, mess: f64) -> String {
    if rng.chance(0.03 * mess) {
        return rng.pick(&["ИП Иванов", "Smith & Sons", "ООО «Ромашка»", "test"]).to_owned();
    }
    let number = 1 + rng.below(9999);
    let title = match Culture::draw(rng) {
        Culture::Russian => {
            let form = rng.pick(&["ООО", "АО", "ИП", "ПАО"]);
            let first = rng.pick(&["Строй", "Тех", "Пром", "Агро", "Северо", "Метал", "Нефте", "Транс"]);
            let second = rng.pick(&["сервис", "маш", "торг", "снаб", "групп", "инвест", "проект"]);
            format!("{form} «{first}{second}-{number}»")
        }
        Culture::English => {
            let first = rng.pick(&["Blue River", "Summit", "Harbor", "Red Oak", "Prairie", "Ironwood"]);
            let second = rng.pick(&["Pumps", "Logistics", "Foods & Co", "Analytics", "Clinics"]);
            format!("{first} {second} {number} {}", rng.pick(&["Inc.", "LLC", "Ltd", "Corp"]))
        }
        Culture::German => {
            let first = rng.pick(&["Müller", "Groß", "Rheinland", "Süd"]);
            format!("{first} {} {number} GmbH", rng.pick(&["Maschinenbau", "Handel", "Systeme"]))
        }
        Culture::Chinese => {
            let first = rng.pick(&["北京", "上海", "深圳"]);
            format!("{first}{}{number}有限公司", rng.pick(&["科技", "贸易", "机械"]))
        }
        Culture::Hebrew => format!("{} {number} בע\"מ", rng.pick(&["שלום תעשיות", "גליל תוכנה"])),
        Culture::Arabic => format!("شركة {} {number}", rng.pick(&["النور للتجارة", "الخليج للصناعة"])),
    };
    if rng.chance(0.02 * mess) {
        format!("{} {title}", rng.pick(&["☕", "🏭", "🚚", "❗️❗️"]))
    } else if rng.chance(0.02 * mess) {
        long(&title, rng)
    } else {
        title
    }
}

/// A deal's title, at times far over 100 characters.
pub(super) fn deal(rng: &mut Rng, mess: f64) -> String {
    let what = rng.pick(&[
        "Поставка насосов",
        "Ремонт компрессора",
        "Pumps",
        "Annual service contract",
        "Обучение персонала",
        "Wartungsvertrag",
        "设备采购",
        "Доставка <срочно> & монтаж",
        "תחזוקה שנתית",
    ]);
    let title = match rng.below(4) {
        0 => format!("{what} №{}", 1 + rng.below(99_999)),
        1 => format!("{what} / {}", 2017 + rng.below(10)),
        2 => format!("{what} ({} шт.)", 1 + rng.below(400)),
        _ => what.to_owned(),
    };
    if rng.chance(0.02 * mess) {
        format!("🔥 {title}")
    } else if rng.chance(0.03 * mess) {
        long(&title, rng)
    } else {
        title
    }
}

/// More than 100 and less than 255 characters, the most that the portal keeps.
fn long(title: &str, rng: &mut Rng) -> String {
    let mut out = title.to_owned();
    let least = 101 + rng.index(90);
    while out.chars().count() < least {
        out.push_str(rng.pick(&[
            ", включая доставку",
            " и пусконаладочные работы",
            " with extended warranty",
            " – 2-я очередь",
        ]));
    }
    out.chars().take(254).collect()
}

/// One phone number as people type it; no two spellings of the same number are promised to look alike.
pub(super) fn phone(rng: &mut Rng, culture: Culture, mess: f64) -> String {
    if rng.chance(0.06 * mess) {
        // Garbage.
        let word = rng.pick(&["нет", "-", "см. комментарий", "12", "звонить после 18", "+7", "000-000"]);
        return word.to_owned();
    }
    let (a, b, c, d) = (rng.below(1000), rng.below(1000), rng.below(100), rng.below(100));
    let plain = match culture {
        Culture::Russian => match rng.below(5) {
            0 => format!("8 (912) {a:03}-{c:02}-{d:02}"),
            1 => format!("+7 495 {a:03} {c:02} {d:02}"),
            2 => format!("+7912{a:03}{c:02}{d:02}"),
            3 => format!("8912{a:03}{c:02}{d:02}"),
            _ => format!("7 (916) {a:03} {c:02}{d:02}"),
        },
        Culture::English => match rng.below(4) {
            0 => format!("+1 415 {} {c:02}{d:02}", 200 + a % 800),
            1 => format!("(415) {}-{c:02}{d:02}", 200 + a % 800),
            2 => format!("+1415{}{c:02}{d:02}", 200 + a % 800),
            _ => format!("415.{}.{c:02}{d:02}", 200 + a % 800),
        },
        Culture::German => format!("+49 (0)221 {a:03}{b:03}"),
        Culture::Chinese => format!("+86 138 {a:03}{} {b:03}{}", c % 10, d % 10),
        Culture::Hebrew => format!("+972-52-{a:03}-{c:02}{d:02}"),
        Culture::Arabic => format!("00971 50 {a:03} {c:02}{d:02}"),
    };
    if rng.chance(0.05 * mess) {
        format!("{plain}{}{}", rng.pick(&[" доб. ", " ext. ", " x", ",", " #"]), 100 + rng.below(900))
    } else if rng.chance(0.02 * mess) {
        format!("{plain}, {}", rng.pick(&["8 800 555 35 35", "+1 415 200 0000"]))
    } else {
        plain
    }
}

/// The same number in another spelling.
pub(super) fn respell(phone: &str, rng: &mut Rng) -> String {
    if rng.chance(0.5) {
        return phone.to_owned();
    }
    phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
}

/// One e-mail address as people type it.
pub(super) fn email(rng: &mut Rng, handle: &str, mess: f64) -> String {
    let host =
        rng.pick(&["mail.example", "romashka.example", "summit.example", "gmbh.example", "corp.example"]);
    let number = rng.below(100_000);
    if rng.chance(0.05 * mess) {
        return match rng.below(6) {
            0 => "нет".to_owned(),
            1 => format!("{handle}@@{host}"),
            2 => format!("{handle}@mail,example"),
            3 => format!("{handle}@{host}; info@{host}"),
            4 => format!("{handle}.{host}"),
            _ => "почта@".to_owned(),
        };
    }
    if rng.chance(0.03 * mess) {
        // An address that many share.
        return format!("info@{host}");
    }
    let plain = format!("{handle}{number}@{host}");
    if rng.chance(0.08 * mess) {
        match rng.below(2) {
            0 => plain.to_uppercase(),
            _ => plain.replacen('.', ".O", 1).replace(".example", ".Example"),
        }
    } else if rng.chance(0.03 * mess) {
        format!(" {plain} ")
    } else {
        plain
    }
}

/// One web address as people type it.
pub(super) fn web(rng: &mut Rng, mess: f64) -> String {
    let number = rng.below(10_000);
    if rng.chance(0.05 * mess) {
        return rng.pick(&["нет сайта", "www", "http://", "instagram: @acme"]).to_owned();
    }
    match rng.below(4) {
        0 => format!("https://site{number}.example/"),
        1 => format!("www.site{number}.example"),
        2 => format!("site{number}.example"),
        _ => format!("http://site{number}.example/о-нас?utm_source=crm&x=1"),
    }
}

/// A comment: BBCode, HTML as old portals wrote it, or plain text; one to a few lines.
pub(super) fn comment(rng: &mut Rng) -> String {
    let word = rng.pick(&[
        "Перезвонить в среду",
        "Ждут счёт",
        "Asked for a discount",
        "Gute Kontakte",
        "客户很满意",
    ]);
    let number = 1 + rng.below(500);
    match rng.below(8) {
        0 => format!("[B]{word}[/B]\n[I]скидка {number} %[/I]"),
        1 => format!("{word}\n[LIST]\n[*]насос\n[*]шланг, {number} м\n[/LIST]"),
        2 => format!("[URL=https://acme.example/doc/{number}]договор[/URL] [USER=1]Вадим[/USER], {word}"),
        3 => format!("<b>{word}</b><br>\n<div>сумма&nbsp;&mdash; {number} &lt; 1000</div>"),
        4 => format!(
            "<p>{word}</p><ul><li>№ {number}</li><li><a href=\"https://acme.example/\">сайт</a></li></ul>"
        ),
        5 => format!("[QUOTE]{word}[/QUOTE]\n[COLOR=#ff0000]важно[/COLOR] [b]не закрыто"),
        6 => format!("{word} 😀 {number}"),
        _ => format!("{word}, {number}"),
    }
}

/// A job title.
pub(super) fn post(rng: &mut Rng) -> &'static str {
    rng.pick(&[
        "Директор",
        "Главный бухгалтер",
        "Менеджер по закупкам",
        "CEO",
        "Head of Procurement",
        "Geschäftsführer",
        "采购经理",
        "ЛПР",
    ])
}

/// A street with a number.
pub(super) fn street(rng: &mut Rng, culture: Culture) -> String {
    let number = 1 + rng.below(200);
    match culture {
        Culture::Russian => format!("{}, д. {number}", rng.pick(&["ул. Ленина", "Невский пр.", "ул. Щорса"])),
        Culture::German => format!("{} {number}", rng.pick(&["Hauptstraße", "Ringweg"])),
        Culture::Chinese => format!("长安街{number}号"),
        _ => format!("{number} {}", rng.pick(&["Main Street", "Harbor Road", "2nd Ave"])),
    }
}

/// A few words for a field that nothing is known of.
pub(super) fn words(rng: &mut Rng) -> String {
    let first = rng.pick(&["насос", "серия", "Model", "заказ", "Type", "型号"]);
    format!("{first} {}-{}", rng.pick(&["A", "B", "К", "Ф", "X"]), 1 + rng.below(9999))
}
