//! What a record holds, and what a plan wants in it, in a form that can be compared (sheet §5, §6).
//!
//! Written apart from the encoder on purpose, and uses nothing of it: neither its tables nor its readers of bodies. A
//! mistake in one of the two shows as a difference instead of hiding in both.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::lang::plan;
use crate::lang::types::Base;
use crate::lang::value::{Address, OutcomeKind, StageValue, Value};
use crate::run::connect::{Element, Normal, Normalise, Stored};

/// What is compared how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    /// A text in which `@[` is escaped.
    Unmentioned,
    Person,
    /// The name within a record.
    Named,
    User,
    Number,
    YesNo,
    Money,
    Time,
    Stage,
    Phones,
    Emails,
    Sites,
    Addresses,
    /// Names, of texts or of records.
    Names,
    Links,
    AnyLinks,
    Lines,
    Prices,
    ProductType,
    ActivityStatus,
    CustomMoney,
    CustomDate,
    CustomChoices,
    /// The API tells who it was only now and then.
    Untold,
}

/// Where a field stands in a body: each key in turn until one is there.
struct Field {
    name: String,
    form: Form,
    keys: Vec<&'static str>,
    custom: bool,
}

/// Both sides of the fields that one map writes.
pub(super) struct Normaliser {
    fields: Vec<Field>,
}

impl Normaliser {
    pub(super) fn new(map: &plan::Map) -> Normaliser {
        let object = map.target.as_str();
        let field = |target: &plan::Target| {
            let (form, keys) = if target.custom {
                (custom_form(&target.ty.base), vec![])
            } else {
                place(object, &target.name, &target.ty.base)
            };
            Field { name: target.name.clone(), form, keys, custom: target.custom }
        };
        Normaliser { fields: map.targets.iter().map(field).collect() }
    }
}

fn custom_form(base: &Base) -> Form {
    match base {
        Base::Money => Form::CustomMoney,
        Base::Date => Form::CustomDate,
        Base::Enum(_) => Form::CustomChoices,
        Base::Integer | Base::Decimal => Form::Number,
        _ => Form::Text,
    }
}

/// The form of a field and the keys of a body that hold it, of RPC first, then of REST.
fn place(object: &str, name: &str, base: &Base) -> (Form, Vec<&'static str>) {
    match (object, name) {
        (_, "author") => (Form::Untold, vec![]),
        ("Note", "body") => (Form::Unmentioned, vec!["noteMarkup", "note", "bodyMarkup", "body"]),
        ("Note", "parent") => (Form::AnyLinks, vec!["lead", "contact", "account", "links"]),
        ("Task", "entity") => (Form::AnyLinks, vec!["entity"]),
        ("Task", "assignee") => (Form::User, vec!["assignee"]),
        ("Task", "title") => (Form::Text, vec!["title"]),
        ("Activity", "type") => (Form::Named, vec!["activityType"]),
        ("Activity", "status") => (Form::ActivityStatus, vec!["status"]),
        ("Activity", "logNote") => (Form::Unmentioned, vec!["logNote"]),
        ("Activity", "leads") => (Form::Links, vec!["leads"]),
        ("Activity", "participants") => (Form::AnyLinks, vec!["participants"]),
        ("Activity", "isAllDay") => (Form::YesNo, vec!["isAllDay"]),
        ("Activity", "isFlagged") => (Form::YesNo, vec!["isFlagged"]),
        ("Activity", "location") => (Form::Text, vec!["location"]),
        ("Product", "type") => (Form::ProductType, vec!["type"]),
        ("Product", "unit") => (Form::Text, vec!["unit"]),
        ("Product", "sku") => (Form::Text, vec!["sku"]),
        ("Product", "prices") => (Form::Prices, vec!["prices"]),
        ("Lead", "products") => (Form::Lines, vec!["products"]),
        ("Lead", "stage") => (Form::Stage, vec!["stageset"]),
        ("Lead", "owner") => (Form::User, vec!["assignee", "owner"]),
        ("Lead", "accounts") => (Form::Links, vec!["accounts", "primaryAccount"]),
        ("Lead", "contacts") => (Form::Links, vec!["contacts"]),
        ("Lead", "sources") => (Form::Names, vec!["sources"]),
        ("Lead", "market") => (Form::Named, vec!["market"]),
        ("Lead", "value") => (Form::Money, vec!["value"]),
        ("Lead", "confidence") => (Form::Number, vec!["confidence"]),
        ("Lead", "priority") => (Form::Number, vec!["priority"]),
        ("Contact", "name") => (Form::Person, vec!["name"]),
        ("Contact", "accounts") => (Form::Links, vec!["accounts"]),
        (_, "startTime") => (Form::Time, vec!["startTime"]),
        (_, "endTime") => (Form::Time, vec!["endTime"]),
        (_, "dueTime") => (Form::Time, vec!["dueTime"]),
        (_, "owner") => (Form::User, vec!["owner"]),
        (_, "industry") => (Form::Named, vec!["industry"]),
        (_, "accountType") => (Form::Named, vec!["accountType"]),
        (_, "territory") => (Form::Named, vec!["territory"]),
        (_, "tags") => (Form::Names, vec!["tags"]),
        (_, "phone") => (Form::Phones, vec!["phone"]),
        (_, "email") => (Form::Emails, vec!["email"]),
        (_, "url") => (Form::Sites, vec!["url"]),
        (_, "address") => (Form::Addresses, vec!["address"]),
        (_, "name") => (Form::Text, vec!["name"]),
        (_, "description") => (Form::Text, vec!["description"]),
        // A field that this table does not know is never taken for compared.
        _ => {
            debug_assert!(matches!(base, Base::Opaque(_)), "{object}.{name} has no form");
            (Form::Untold, vec![])
        }
    }
}

// ── What the plan wants ─────────────────────────────────────────────────────────────────────────────────────────

fn each(value: &Value) -> &[Value] {
    match value {
        Value::Absent => &[],
        Value::List(values) => values,
        one => std::slice::from_ref(one),
    }
}

fn label_of(value: &Value) -> Option<String> {
    let Value::Item(item) = value else { return None };
    let label = item.attrs.first()?.to_text().trim().to_owned();
    // A number is no label there.
    (!label.is_empty() && label != "--primary" && !label.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(label)
}

fn plain(value: &Value) -> Element {
    Element::text(&value.bare().to_text())
}

fn number_of(value: &Value) -> Option<Decimal> {
    match value.bare() {
        Value::Int(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        other => Decimal::from_str(other.to_text().trim()).ok(),
    }
}

fn planned_number(value: &Value) -> Element {
    number_of(value).map_or_else(|| plain(value), |number| Element::word(number.normalize().to_string()))
}

fn planned_money(value: &Value) -> Element {
    match value.bare() {
        Value::Money(money) => Element::money(money.currency.as_str(), money.amount),
        _ => plain(value),
    }
}

fn planned_line(value: &Value) -> Element {
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
fn line_element(product: &str, quantity: Decimal, price: Option<Decimal>) -> Element {
    let price = price.map(|price| price.normalize().to_string());
    Element::word(format!("{} of {product}", quantity.normalize())).labelled(price.as_deref())
}

fn planned_stage(stage: &StageValue) -> Element {
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

fn planned_address(address: &Address) -> Element {
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
fn address_element<'a>(parts: impl Iterator<Item = &'a str>) -> Element {
    let mut parts: Vec<String> = parts.map(|part| part.trim().to_owned()).filter(|p| !p.is_empty()).collect();
    parts.sort_by_key(|part| part.to_lowercase());
    let exact = parts.join(", ");
    Element { loose: exact.to_lowercase(), exact, ..Element::default() }
}

/// The digits of a number and of its extension.
fn phone_element(main: &str, extension: &str) -> Element {
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

fn planned_phone(value: &Value) -> Element {
    let text = value.bare().to_text();
    let (main, extension) = text.split_once(";ext=").unwrap_or((&text, ""));
    phone_element(main, extension)
}

/// A site, whose scheme, `www.`, case of host and last slash do not matter.
fn site_element(text: &str) -> Element {
    let exact = text.trim().to_owned();
    let rest = exact.split_once("://").map_or(exact.as_str(), |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    let (host, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let host = host.to_lowercase();
    let loose = format!("{}{path}", host.strip_prefix("www.").unwrap_or(&host));
    Element { exact, loose, ..Element::default() }
}

fn date_element(date: Date) -> Element {
    Element::word(date.to_string())
}

/// Equal values stand once: the first with its label.
fn without_repeats(elements: impl IntoIterator<Item = Element>) -> Vec<Element> {
    let mut kept: Vec<Element> = Vec::new();
    for element in elements {
        if !kept.iter().any(|known| known.loose == element.loose) {
            kept.push(element);
        }
    }
    kept
}

// ── What the record holds ───────────────────────────────────────────────────────────────────────────────────────

fn rows(json: &Json) -> Vec<&Json> {
    match json {
        Json::Array(rows) => rows.iter().collect(),
        Json::Object(map) if map.contains_key("id") => vec![json],
        Json::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

/// A scalar as text.
fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        _ => None,
    }
}

fn part(json: &Json, key: &str) -> Option<String> {
    scalar(json.get(key)?).filter(|text| !text.trim().is_empty())
}

/// An id without REST's `-accounts` behind it.
fn bare_id(json: &Json) -> Option<String> {
    let id = scalar(json.get("id").unwrap_or(json))?;
    let head = id.split('-').next().unwrap_or_default();
    let number = !head.is_empty() && head.bytes().all(|byte| byte.is_ascii_digit());
    Some(if number { head.to_owned() } else { id })
}

fn amount(json: &Json) -> Option<Decimal> {
    let text = scalar(json)?;
    Decimal::from_str(text.trim()).or_else(|_| Decimal::from_scientific(text.trim())).ok()
}

fn found_money(json: &Json) -> Option<Element> {
    let currency = part(json, "currency").or_else(|| part(json, "currency_shortname"))?;
    Some(Element::money(&currency, amount(json.get("amount")?)?))
}

/// Seconds since 1970 of any of the forms in which times come: seconds, or RFC 3339 with or without a colon in the
/// offset.
fn seconds(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64(),
        Json::Object(map) => seconds(map.get("timestamp").or_else(|| map.get("value"))?),
        Json::String(text) => {
            let text = text.trim();
            if let Ok(number) = text.parse() {
                return Some(number);
            }
            let (local, offset) = match text.strip_suffix(['Z', 'z']) {
                Some(local) => (local, 0),
                None => {
                    let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
                    let digits: String = text[at + 1..].chars().filter(char::is_ascii_digit).collect();
                    let number: i64 = digits.get(..4)?.parse().ok()?;
                    let offset = (number / 100 * 60 + number % 100) * 60;
                    (&text[..at], if text[at..].starts_with('-') { -offset } else { offset })
                }
            };
            let local: jiff::civil::DateTime = local.parse().ok()?;
            Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second() - offset)
        }
        _ => None,
    }
}

fn moment(seconds: i64) -> Element {
    let at = jiff::Timestamp::from_second(seconds);
    Element::word(at.map_or_else(|_| seconds.to_string(), |at| at.to_string()))
}

/// A list with labels (sheet §5): each element with its label, the primary one first where the record says which.
fn labelled_rows(json: &Json, read: impl Fn(&Json) -> Option<Element>) -> (Vec<Element>, bool) {
    match json {
        Json::Array(list) => (list.iter().filter_map(&read).collect(), false),
        Json::Object(map) => {
            let mut found: Vec<Element> = map
                .iter()
                .filter(|(label, _)| *label != "--primary")
                .filter_map(|(label, value)| {
                    let numbered = label.bytes().all(|byte| byte.is_ascii_digit());
                    Some(read(value)?.labelled(Some(label.as_str()).filter(|_| !numbered)))
                })
                .collect();
            let Some(primary) = map.get("--primary").and_then(&read) else { return (found, false) };
            match found.iter().position(|element| element.loose == primary.loose) {
                Some(at) => found[..=at].rotate_right(1),
                None => found.insert(0, primary),
            }
            (found, true)
        }
        Json::String(_) => (read(json).into_iter().collect(), false),
        _ => (Vec::new(), false),
    }
}

fn found_phone(json: &Json) -> Option<Element> {
    if let Json::String(text) = json {
        return Some(phone_element(text, ""));
    }
    let extension = part(json, "extension").unwrap_or_default();
    let main = part(json, "E164").or_else(|| part(json, "number"))?;
    Some(phone_element(&main, &extension))
}

fn found_address(json: &Json) -> Option<Element> {
    let Json::Object(map) = json else {
        return scalar(json).map(|line| address_element([line.as_str()].into_iter()));
    };
    let written = |key: &str| {
        key.starts_with("address_") || ["city", "state", "postalCode", "country", "name"].contains(&key)
    };
    let texts = map.iter().filter(|(key, _)| written(key)).filter_map(|(_, value)| value.as_str());
    let element = address_element(texts);
    (!element.exact.is_empty()).then_some(element)
}

/// A linked record: its object where several are possible, its id, and the text on the link.
fn found_link(json: &Json, with_object: bool) -> Option<Element> {
    let id = bare_id(json)?;
    let object = match json.get("entityType").and_then(Json::as_str) {
        Some("Accounts") => "Account/",
        Some("Contacts") => "Contact/",
        Some("Leads") => "Lead/",
        Some("Products") => "Product/",
        _ => "",
    };
    let object = if with_object { object } else { "" };
    Some(Element::word(format!("{object}{id}")).labelled(part(json, "relationship").as_deref()))
}

/// A link of REST: `17-contacts`.
fn rest_link(json: &Json) -> Option<Element> {
    let text = json.as_str()?;
    let (id, resource) = text.split_once('-')?;
    let object = match resource {
        "accounts" => "Account",
        "contacts" => "Contact",
        "leads" => "Lead",
        _ => return None,
    };
    Some(Element::word(format!("{object}/{id}")))
}

fn found_stage(body: &Json) -> Option<Element> {
    let name = |key: &str| part(body.get(key)?, "name");
    let pipeline = name("stageset")?;
    let status = body.get("status").and_then(scalar).and_then(|text| text.parse::<i64>().ok());
    let end = match (status.unwrap_or_default(), body.get("outcome").filter(|outcome| outcome.is_object())) {
        (10..=12, outcome) => {
            let word = match status {
                Some(10) => "won",
                Some(11) => "lost",
                _ => "cancelled",
            };
            let why =
                outcome.and_then(|outcome| part(outcome, "description").or_else(|| part(outcome, "name")));
            format!("{word} {}", why.unwrap_or_default())
        }
        _ => name("milestone").unwrap_or_default(),
    };
    Some(Element::word(format!("{pipeline} / {end}")))
}

/// A text without the line that carries the marker.
fn unmarked(text: &str, marker: Option<&str>) -> String {
    let Some(marker) = marker else { return text.to_owned() };
    let end = format!(" {marker}]");
    let carries = |line: &str| line.trim().starts_with('[') && line.trim().ends_with(&end);
    let lines: Vec<&str> = text.lines().collect();
    match lines.iter().rposition(|line| carries(line)) {
        Some(at) => {
            let kept: Vec<&str> = lines[..at].iter().chain(&lines[at + 1..]).copied().collect();
            kept.join("\n")
        }
        None => text.to_owned(),
    }
}

/// Several choices come as a list, or as one text with commas, in which a choice of its own may have one too.
fn found_choices(json: &Json) -> Vec<Element> {
    match json {
        Json::Array(list) => list.iter().filter_map(scalar).map(|text| Element::text(&text)).collect(),
        other => {
            let Some(text) = scalar(other) else { return Vec::new() };
            text.split(", ").map(Element::text).collect()
        }
    }
}

impl Normalise for Normaliser {
    fn planned(&self, target: usize, value: &Value) -> Normal {
        let Some(field) = self.fields.get(target) else { return Normal::nothing() };
        let values = each(value).iter().filter(|value| match value {
            // A line has no value of its own.
            Value::Item(_) if field.form == Form::Lines => true,
            other => !other.bare().is_absent(),
        });
        let labelled = |read: fn(&Value) -> Element| {
            let label = |value: &Value| read(value).labelled(label_of(value).as_deref());
            Normal { first_is_primary: true, ..Normal::list(without_repeats(each(value).iter().map(label))) }
        };
        match field.form {
            Form::Text | Form::Unmentioned | Form::Named | Form::User | Form::Untold => {
                Normal::list(values.map(plain).collect())
            }
            Form::YesNo | Form::ProductType => Normal::list(values.map(plain).collect()),
            Form::Person => Normal::list(
                values
                    .map(|value| match value.bare() {
                        Value::Name(name) => Element::text(&format!("{} {}", name.given, name.family)),
                        other => plain(other),
                    })
                    .collect(),
            ),
            Form::Number | Form::ActivityStatus => Normal::list(values.map(planned_number).collect()),
            Form::Money | Form::CustomMoney => Normal::list(values.map(planned_money).collect()),
            Form::Prices => Normal::list(values.map(planned_money).collect()),
            Form::Time => Normal::list(
                values
                    .map(|value| match value.bare() {
                        Value::Instant(instant) => moment(instant.at.as_second()),
                        other => plain(other),
                    })
                    .collect(),
            ),
            Form::CustomDate => Normal::list(
                values
                    .map(|value| match value.bare() {
                        Value::Date(date) => date_element(*date),
                        other => plain(other),
                    })
                    .collect(),
            ),
            Form::Stage => Normal::list(
                values
                    .map(|value| match value.bare() {
                        Value::Stage(stage) => planned_stage(stage),
                        other => plain(other),
                    })
                    .collect(),
            ),
            Form::Phones => labelled(planned_phone),
            Form::Emails => labelled(plain),
            Form::Sites => labelled(|value| site_element(&value.bare().to_text())),
            Form::Addresses => labelled(|value| match value.bare() {
                Value::Address(address) => planned_address(address),
                other => address_element([&*other.to_text()].into_iter()),
            }),
            Form::Names => Normal::list(without_repeats(values.map(plain))),
            Form::CustomChoices => {
                // A choice with a comma comes back in pieces.
                let pieces = values.flat_map(|value| {
                    let text = value.bare().to_text();
                    text.split(", ").map(Element::text).collect::<Vec<_>>()
                });
                Normal::list(without_repeats(pieces))
            }
            Form::Links | Form::AnyLinks => {
                let link = |value: &Value| {
                    Element::word(value.bare().to_text()).labelled(label_of(value).as_deref())
                };
                Normal::list(without_repeats(values.map(link)))
            }
            Form::Lines => Normal { counted: true, ..Normal::list(values.map(planned_line).collect()) },
        }
    }

    fn found(&self, target: usize, stored: &Stored) -> Option<Normal> {
        let field = self.fields.get(target)?;
        if field.form == Form::Untold {
            return None;
        }
        let body = &stored.body;
        let present = |json: &&Json| !json.is_null();
        let value = if field.custom {
            body.get("customFields").and_then(|fields| fields.get(&field.name)).filter(present)
        } else {
            field.keys.iter().find_map(|key| body.get(*key).filter(present))
        };
        let Some(value) = value else { return Some(Normal::nothing()) };
        let one = |element: Option<Element>| Normal::list(element.into_iter().collect());
        let labelled = |read: fn(&Json) -> Option<Element>| {
            let (elements, first_is_primary) = labelled_rows(value, read);
            Normal { first_is_primary, ..Normal::list(without_repeats(elements)) }
        };
        let word = |json: &Json| scalar(json).map(|text| Element::text(&text));
        Some(match field.form {
            Form::Untold => return None,
            Form::Text => {
                let marker = stored.marker.as_deref().filter(|_| field.name == "description");
                one(scalar(value).map(|text| Element::text(&unmarked(&text, marker))))
            }
            Form::Unmentioned => {
                let text = scalar(value).or_else(|| part(value, "note"));
                let text = text.map(|text| unmarked(&text, stored.marker.as_deref()).replace("\\@[", "@["));
                one(text.map(|text| Element::text(&text)))
            }
            Form::Person => one(match value {
                Json::Object(_) => {
                    let parts = ["givenName", "familyName"].iter().filter_map(|key| part(value, key));
                    let name = parts.collect::<Vec<_>>().join(" ");
                    let shown = part(value, "displayName").filter(|_| name.is_empty());
                    Some(Element::text(&shown.unwrap_or(name)))
                }
                other => word(other),
            }),
            Form::Named => one(part(value, "name").map(|name| Element::text(&name))),
            Form::User => one(bare_id(value).map(|id| {
                let team = value.get("entityType").and_then(Json::as_str) == Some("Teams");
                Element::text(&if team { format!("team {id}") } else { id })
            })),
            Form::Number => one(amount(value)
                .map(|number| Element::word(number.normalize().to_string()))
                .or_else(|| word(value))),
            Form::ActivityStatus => one(amount(value).map(|number| {
                // What is late is scheduled still.
                Element::word(number.max(Decimal::ZERO).normalize().to_string())
            })),
            Form::YesNo => one(match value {
                Json::Number(number) => {
                    Some(Element::text(if number.as_i64() == Some(0) { "no" } else { "yes" }))
                }
                other => word(other),
            }),
            Form::Money | Form::CustomMoney => one(found_money(value)),
            Form::Time => one(seconds(value).map(moment)),
            Form::CustomDate => one(seconds(value)
                .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
                .map(|at| date_element(at.to_zoned(TimeZone::UTC).date()))
                .or_else(|| word(value))),
            Form::Stage => one(found_stage(body)),
            Form::Phones => labelled(found_phone),
            Form::Emails => labelled(|json| scalar(json).map(|text| Element::text(&text))),
            Form::Sites => labelled(|json| scalar(json).map(|text| site_element(&text))),
            Form::Addresses => labelled(found_address),
            Form::Names => {
                let name = |row: &Json| scalar(row).or_else(|| part(row, "name"));
                let names = rows(value).into_iter().filter_map(name).map(|name| Element::text(&name));
                Normal::list(without_repeats(names))
            }
            Form::CustomChoices => Normal::list(without_repeats(found_choices(value))),
            Form::Links => {
                let all = field.keys.iter().filter_map(|key| body.get(*key)).flat_map(rows);
                Normal::list(without_repeats(all.filter_map(|row| found_link(row, false))))
            }
            Form::AnyLinks => {
                let all = field.keys.iter().filter_map(|key| body.get(*key)).flat_map(|json| {
                    match json.get("parent") {
                        Some(parent) => vec![rest_link(parent)],
                        None => rows(json).into_iter().map(|row| found_link(row, true)).collect(),
                    }
                });
                Normal::list(without_repeats(all.flatten()))
            }
            Form::Lines => {
                let line = |row: &Json| {
                    let quantity = row.get("quantity").and_then(amount).unwrap_or(Decimal::ONE);
                    let price = row.get("price").and_then(|price| amount(price.get("amount")?));
                    Some(line_element(&bare_id(row)?, quantity, price))
                };
                let lines = rows(value).into_iter().filter_map(line).collect();
                Normal { counted: true, ..Normal::list(lines) }
            }
            Form::Prices => {
                let price = |row: &Json| found_money(row.get("price").unwrap_or(row));
                Normal::list(rows(value).into_iter().filter_map(price).collect())
            }
            Form::ProductType => one(scalar(value).map(|code| match code.as_str() {
                "0" => Element::text("product"),
                "1" => Element::text("service"),
                other => Element::text(other),
            })),
        })
    }

    fn imprinted(&self, target: usize) -> Vec<String> {
        let Some(field) = self.fields.get(target) else { return Vec::new() };
        if field.custom {
            return vec![format!("customFields.{}", field.name)];
        }
        let keys: &[&str] = match field.form {
            Form::Stage => &["stageset", "milestone", "outcome", "status"],
            _ => &field.keys,
        };
        keys.iter().map(|key| (*key).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests;
