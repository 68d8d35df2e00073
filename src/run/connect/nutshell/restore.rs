//! What gives an adopted record its former values back. Only accounts, contacts and products are ever adopted; the
//! forms are those that an edit sends (sheet §4.1, §5, §6).

use serde_json::{Map, Value as Json, json};

use super::capability::Kind;
use super::client::id_json;
use super::directory::{elements, id, text};
use super::encode::error;
use super::imprint::custom_name;
use super::{footer, stored};
use crate::run::connect::{FieldError, Payload, Stored};

pub(super) fn restore(
    kind: Kind,
    fields: &[(String, &Json)],
    unlink: &[(String, String)],
    now: &Stored,
    label: &str,
) -> Result<Payload, FieldError> {
    let mut sent = Map::new();
    let mut customs = Map::new();
    for (name, before) in fields {
        if let Some(custom) = custom_name(name) {
            let value = stored::customs(before).get(custom).cloned().unwrap_or(Json::Null);
            customs.insert(custom.to_owned(), value);
            continue;
        }
        let value = before.get(name.as_str()).unwrap_or(&Json::Null);
        let id_of = || id(value).map_or(Json::Null, |id| id_json(&id));
        let (key, json) = match name.as_str() {
            "phone" | "email" | "url" | "address" => (name.as_str(), contact_items(before, name)),
            "tags" => ("tags", tags(value)),
            "name" => ("name", called(value)),
            "description" | "sku" | "unit" | "type" => (name.as_str(), value.clone()),
            "industry" => ("industryId", id_of()),
            "accountType" => ("accountTypeId", id_of()),
            "territory" => ("territoryId", id_of()),
            "owner" => ("owner", linked(value)),
            "accounts" if kind == Kind::Contact => {
                ("accounts", Json::Array(stored::links(before, "accounts", Kind::Account.entity())))
            }
            "prices" => ("prices", elements(value).iter().filter_map(price).collect()),
            other => return Err(error(other, "the API has no way to write it back")),
        };
        sent.insert(key.to_owned(), json);
    }
    let drops = |link: &Json| {
        id(link).is_some_and(|id| {
            unlink.iter().any(|(object, other)| object == Kind::Account.object() && *other == id)
        })
    };
    if kind == Kind::Contact && !sent.contains_key("accounts") {
        let mut links = stored::links(&now.body, "accounts", Kind::Account.entity());
        let there = links.len();
        links.retain(|link| !drops(link));
        if links.len() < there {
            sent.insert("accounts".to_owned(), Json::Array(links));
        }
    }
    if let Some(key) = kind.marked_text()
        && now.marker.is_some()
        && !sent.contains_key(key)
    {
        sent.insert(key.to_owned(), json!(footer::strip(stored::text_of(kind, &now.body), label)));
    }
    if !customs.is_empty() {
        // All of them, since it is open whether unsent ones survive.
        let mut whole = stored::customs(&now.body);
        whole.append(&mut customs);
        sent.insert("customFields".to_owned(), Json::Object(whole));
    }
    Ok(Payload { fields: sent })
}

/// Phones, addresses and the like with their labels, the primary one first.
fn contact_items(before: &Json, key: &str) -> Json {
    let items: Vec<_> = stored::items(before, key)
        .into_iter()
        .filter_map(|(label, value)| Some((label, stored::resent(key, value)?)))
        .collect();
    if items.iter().all(|(label, _)| label.is_none()) {
        return Json::Array(items.into_iter().map(|(_, value)| value).collect());
    }
    let mut running = 0;
    let key_of = |label: Option<&str>| match label {
        Some(label) => label.to_owned(),
        None => {
            running += 1;
            (running - 1).to_string()
        }
    };
    let keys: Vec<String> = items.iter().map(|(label, _)| *label).map(key_of).collect();
    Json::Object(keys.into_iter().zip(items.into_iter().map(|(_, value)| value)).collect())
}

fn tags(value: &Json) -> Json {
    let name = |tag: &Json| tag.as_str().map(str::to_owned).or_else(|| text(tag, "name"));
    elements(value).iter().filter_map(name).map(Json::String).collect()
}

/// A text, or the parts of a person's name without the whole that is made of them.
fn called(value: &Json) -> Json {
    match value {
        Json::Object(parts) => {
            let parts = parts.iter().filter(|(part, _)| *part != "displayName");
            Json::Object(parts.map(|(part, value)| (part.clone(), value.clone())).collect())
        }
        text => text.clone(),
    }
}

fn linked(value: &Json) -> Json {
    match (id(value), value.get("entityType")) {
        (Some(id), Some(entity)) => json!({"entityType": entity, "id": id_json(&id)}),
        _ => Json::Null,
    }
}

/// A price as it is sent: its currency is read as `currency` and sent as `currency_shortname`.
fn price(value: &Json) -> Option<Json> {
    let market = id(value.get("market")?)?;
    let price = value.get("price")?;
    Some(json!({
        "market": {"id": id_json(&market)},
        "price": {"currency_shortname": price.get("currency"), "amount": price.get("amount")},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(body: Json, marker: Option<&str>) -> Stored {
        Stored { id: "7".to_owned(), rev: "3".to_owned(), marker: marker.map(str::to_owned), body }
    }

    #[test]
    fn only_what_is_asked_for_is_written_back_and_other_custom_fields_go_along() {
        let before =
            json!({"name": "Acme", "phone": {"work": "1", "--primary": "1"}, "customFields": {"Size": "9"}});
        let body = json!({"name": "New", "customFields": {"Size": "10", "Bitrix24 key": "k", "Theirs": "t"}});
        let names = ["customFields.Bitrix24 key", "customFields.Size", "phone", "industry"];
        let fields: Vec<_> = names.iter().map(|name| ((*name).to_owned(), &before)).collect();
        let payload = restore(Kind::Account, &fields, &[], &now(body, None), "Bitrix24").expect("a payload");
        assert_eq!(
            Json::Object(payload.fields),
            json!({
                "phone": {"work": "1"}, "industryId": null,
                "customFields": {"Size": "9", "Bitrix24 key": null, "Theirs": "t"},
            })
        );
        let lead = restore(Kind::Lead, &[("status".to_owned(), &before)], &[], &now(json!({}), None), "x");
        assert_eq!(lead.expect_err("is told").field, "status");
    }

    #[test]
    fn a_marker_in_a_text_goes_even_where_a_person_changed_the_text() {
        let body = json!({"description": "Pump\n\nsold out\n\n[Bitrix24 acme/product/7]"});
        let payload = restore(Kind::Product, &[], &[], &now(body, Some("acme/product/7")), "Bitrix24");
        assert_eq!(
            Json::Object(payload.expect("a payload").fields),
            json!({"description": "Pump\n\nsold out"})
        );
    }

    #[test]
    fn a_link_that_was_added_goes_and_a_persons_link_stays() {
        let body =
            json!({"accounts": [{"id": 3, "entityType": "Accounts"}, {"id": 5, "entityType": "Accounts"}]});
        let unlink = [("Account".to_owned(), "3".to_owned())];
        let payload = restore(Kind::Contact, &[], &unlink, &now(body, None), "x").expect("a payload");
        assert_eq!(Json::Object(payload.fields), json!({"accounts": [{"id": 5, "entityType": "Accounts"}]}));
    }
}
