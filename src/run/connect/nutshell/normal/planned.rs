//! What a plan wants, as elements that can be compared. The forms that both sides share stand here too.

use std::str::FromStr;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::lang::value::{Address, OutcomeKind, StageValue, Value};
use crate::run::connect::Element;

pub(super) fn each(value: &Value) -> &[Value] {
    match value {
        Value::Absent => &[],
        Value::List(values) => values,
        one => std::slice::from_ref(one),
    }
}

pub(super) fn label_of(value: &Value) -> Option<String> {
    let Value::Item(item) = value else { return None };
    let label = item.attrs.first()?.to_text().trim().to_owned();
    // A number is no label there.
    (!label.is_empty() && label != "--primary" && !label.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(label)
}

pub(super) fn plain(value: &Value) -> Element {
    Element::text(&value.bare().to_text())
}

pub(super) fn number_of(value: &Value) -> Option<Decimal> {
    match value.bare() {
        Value::Int(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        other => Decimal::from_str(other.to_text().trim()).ok(),
    }
}

pub(super) fn planned_number(value: &Value) -> Element {
    number_of(value).map_or_else(|| plain(value), |number| Element::word(number.normalize().to_string()))
}

pub(super) fn planned_money(value: &Value) -> Element {
    match value.bare() {
        Value::Money(money) => Element::money(money.currency.as_str(), money.amount),
        _ => plain(value),
    }
}

pub(super) fn planned_line(value: &Value) -> Element {
    let Value::Item(line) = value else { return plain(value) };
    let attr = |at: usize| line.attrs.get(at).filter(|value| !value.bare().is_absent());
    let product = attr(0).map(|value| value.bare().to_text().into_owned()).unwrap_or_default();
    let quantity = attr(1).and_then(number_of).unwrap_or(Decimal::ONE);
    let price = attr(2).and_then(|value| match value.bare() {
        Value::Money(money) => Some(money.amount),
        _ => None,
    });
    line_element(&product, quantity, price)
}

/// The price is the label: a line that is sent without one gets its product's.
pub(super) fn line_element(product: &str, quantity: Decimal, price: Option<Decimal>) -> Element {
    let price = price.map(|price| price.normalize().to_string());
    Element::word(format!("{} of {product}", quantity.normalize())).labelled(price.as_deref())
}

pub(super) fn planned_stage(stage: &StageValue) -> Element {
    let kind = |kind: OutcomeKind| match kind {
        OutcomeKind::Won => "won",
        OutcomeKind::Lost => "lost",
        OutcomeKind::Cancelled => "cancelled",
    };
    let end = match (&stage.outcome, &stage.stage) {
        (Some((how, outcome)), _) => format!("{} {outcome}", kind(*how)),
        (None, Some(stage)) => stage.clone(),
        (None, None) => String::new(),
    };
    Element::word(format!("{} / {end}", stage.pipeline))
}

pub(super) fn planned_address(address: &Address) -> Element {
    let parts = [
        &address.line1,
        &address.line2,
        &address.city,
        &address.region,
        &address.postal_code,
        &address.country,
    ];
    address_element(parts.iter().map(|part| part.as_str()))
}

/// The parts of an address in no order: where each of them stands is the encoder's affair.
pub(super) fn address_element<'a>(parts: impl Iterator<Item = &'a str>) -> Element {
    let mut parts: Vec<String> = parts.map(|part| part.trim().to_owned()).filter(|p| !p.is_empty()).collect();
    parts.sort_by_key(|part| part.to_lowercase());
    let exact = parts.join(", ");
    Element { loose: exact.to_lowercase(), exact, ..Element::default() }
}

/// The digits of a number and of its extension.
pub(super) fn phone_element(main: &str, extension: &str) -> Element {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (number, extension) = (digits(main), digits(extension));
    let plus = if main.trim().starts_with('+') { "+" } else { "" };
    let exact = if number.is_empty() {
        main.trim().to_owned()
    } else if extension.is_empty() {
        format!("{plus}{number}")
    } else {
        format!("{plus}{number} x{extension}")
    };
    Element { loose: exact.trim_start_matches('+').to_lowercase(), exact, ..Element::default() }
}

pub(super) fn planned_phone(value: &Value) -> Element {
    let text = value.bare().to_text();
    let (main, extension) = text.split_once(";ext=").unwrap_or((&text, ""));
    phone_element(main, extension)
}

/// A site, whose scheme, `www.`, case of host and last slash do not matter.
pub(super) fn site_element(text: &str) -> Element {
    let exact = text.trim().to_owned();
    let rest = exact.split_once("://").map_or(exact.as_str(), |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    let (host, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let host = host.to_lowercase();
    let loose = format!("{}{path}", host.strip_prefix("www.").unwrap_or(&host));
    Element { exact, loose, ..Element::default() }
}

pub(super) fn date_element(date: Date) -> Element {
    Element::word(date.to_string())
}

/// What a text says, HTML or not: tags end lines.
pub(super) fn words_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let tag = &rest[at + 1..];
        let begins = tag.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
        out.push_str(&rest[..at]);
        match tag.find('>').filter(|_| begins) {
            Some(end) => {
                out.push('\n');
                rest = &tag[end + 1..];
            }
            None => {
                out.push('<');
                rest = tag;
            }
        }
    }
    out.push_str(rest);
    let entities = [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#039;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(out, |text, (entity, c)| text.replace(entity, c))
}

/// Equal values stand once: the first with its label.
pub(super) fn without_repeats(elements: impl IntoIterator<Item = Element>) -> Vec<Element> {
    let mut kept: Vec<Element> = Vec::new();
    for element in elements {
        if !kept.iter().any(|known| known.loose == element.loose) {
            kept.push(element);
        }
    }
    kept
}
