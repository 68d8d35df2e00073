//! What a record holds, and what a plan wants in it, in a form that can be compared (sheet §5, §6).
//!
//! Written apart from the encoder on purpose, and uses nothing of it: neither its tables nor its readers of bodies. A
//! mistake in one of the two shows as a difference instead of hiding in both.

mod found;
mod planned;

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use self::found::*;
use self::planned::*;
use crate::lang::plan;
use crate::lang::types::Base;
use crate::lang::value::Value;
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
    /// When an e-mail was sent.
    SentTime,
    /// The words of an e-mail.
    Letter,
    /// Those of an e-mail, by address.
    Mailboxes,
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
        ("Lead", "accounts") => (Form::Links, vec!["primaryAccount", "accounts"]),
        ("Lead", "contacts") => (Form::Links, vec!["contacts"]),
        ("Lead", "sources") => (Form::Names, vec!["sources"]),
        ("Lead", "market") => (Form::Named, vec!["market"]),
        ("Lead", "value") => (Form::Money, vec!["value"]),
        ("Lead", "confidence") => (Form::Number, vec!["confidence"]),
        ("Lead", "priority") => (Form::Number, vec!["priority"]),
        ("Contact", "name") => (Form::Person, vec!["name"]),
        ("Contact", "accounts") => (Form::Links, vec!["accounts"]),
        ("Email", "date") => (Form::SentTime, vec!["sentTime"]),
        ("Email", "subject") => (Form::Text, vec!["subject"]),
        ("Email", "body") => (Form::Letter, vec!["body", "bodyText"]),
        ("Email", "html") => (Form::Letter, vec!["bodyHtml"]),
        // In which header somebody stands follows from several fields.
        ("Email", "participants" | "from" | "to" | "cc") => (Form::Mailboxes, vec!["from", "to", "cc"]),
        // Told by the headers, of which neither API is known to show more than these.
        ("Email", "direction" | "mailbox" | "messageId" | "inReplyTo" | "references") => {
            (Form::Untold, vec![])
        }
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
            Form::Letter => {
                Normal::list(values.map(|value| Element::text(&words_of(&value.bare().to_text()))).collect())
            }
            Form::Mailboxes => {
                let address = |value: &Value| Element::word(value.bare().to_text().trim().to_lowercase());
                Normal::list(without_repeats(values.map(address)))
            }
            Form::Time | Form::SentTime => Normal::list(
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
                // Only people take part.
                let values = values.filter(|value| !value.bare().to_text().ends_with("-teams"));
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
        // Of an e-mail it is not known which of these the API shows.
        let shown = !matches!(field.form, Form::SentTime | Form::Letter | Form::Mailboxes);
        let Some(value) = value else { return shown.then(Normal::nothing) };
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
                Element::text(&if team { format!("{id}-teams") } else { id })
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
            Form::Time | Form::SentTime => one(seconds(value).map(moment)),
            Form::Letter => one(scalar(value).map(|text| {
                let words = words_of(&text);
                Element::text(&unmarked(&words, stored.marker.as_deref()))
            })),
            Form::Mailboxes => {
                let all = field.keys.iter().filter_map(|key| body.get(*key)).flat_map(rows);
                Normal::list(without_repeats(all.filter_map(found_mailbox)))
            }
            Form::CustomDate => one(seconds(value)
                .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
                .map(|at| date_element(at.to_zoned(TimeZone::UTC).date()))
                .or_else(|| word(value))),
            Form::Stage => {
                let (element, only_begun) = found_stage(body)?;
                Normal { only_begun, ..Normal::one(element) }
            }
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

    fn worked_out(&self, target: usize, stored: &Stored) -> bool {
        if self.fields.get(target).is_some_and(|field| field.form == Form::SentTime) {
            // Whether the date of a message counts is not documented: then it is the moment of the write.
            let at = |key: &str| stored.body.get(key).and_then(seconds);
            return at("sentTime")
                .zip(at("createdTime"))
                .is_some_and(|(sent, made)| sent.abs_diff(made) < 600);
        }
        // The amount of a lead with products may be theirs (sheet §5).
        let value = self.fields.get(target).is_some_and(|field| !field.custom && field.form == Form::Money);
        value && stored.body.get("products").is_some_and(|products| !rows(products).is_empty())
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
