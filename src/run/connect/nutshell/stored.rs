//! Records as the RPC API returns them: what an edit needs of them, and their lists in a form that can be sent again.

use serde_json::{Map, Value as Json, json};

use super::capability::Kind;
use super::client::id_json;
use super::directory::{elements, id, text};
use super::{footer, mail};
use crate::run::connect::Stored;

/// A full record; `None` when it has no id or is only a stub. The marker is the text of `marker_field`, or stands at
/// the end of a text where records have no custom fields.
pub(super) fn stored(kind: Kind, body: Json, marker_field: Option<&str>) -> Option<Stored> {
    if body.get("stub").and_then(Json::as_bool) == Some(true) {
        return None;
    }
    let rev = match kind {
        // Nothing is ever sent that would need it.
        Kind::Email => text(&body, "rev").unwrap_or_default(),
        _ => text(&body, "rev")?,
    };
    listed(kind, body, rev, marker_field)
}

/// A record of a list that tells no revision.
pub(super) fn listed(kind: Kind, mut body: Json, rev: String, marker_field: Option<&str>) -> Option<Stored> {
    let id = id(&body)?;
    let marker = marker_field.and_then(|field| match kind.marked_text() {
        None => text(body.get("customFields")?, field),
        Some(_) if kind == Kind::Email => email_marker(&body, footer::label(field)),
        Some(_) => footer::read(text_of(kind, &body), footer::label(field)).map(str::to_owned),
    });
    if let Some(record) = body.as_object_mut() {
        // Addresses of avatars hold tokens (sheet §9.19), and records are kept as before-images.
        record.shift_remove("avatarUrl");
        record.shift_remove("avatar");
    }
    Some(Stored { id, rev, marker: marker.filter(|text| !text.is_empty()), body })
}

/// The text that can hold a marker, of either API: with its markup where there is one.
pub(super) fn text_of(kind: Kind, body: &Json) -> &str {
    let keys: &[&str] = match kind {
        Kind::Note => &["noteMarkup", "note", "bodyMarkup", "body"],
        _ => &["description"],
    };
    keys.iter().find_map(|key| body.get(*key)?.as_str()).unwrap_or_default()
}

/// The marker of an e-mail: of its `Message-ID`, which neither API is known to show, or at the end of its text.
fn email_marker(body: &Json, label: &str) -> Option<String> {
    let headers = body.get("headers").unwrap_or(&Json::Null);
    let id = |of: &Json| {
        let entry = of.as_object()?.iter().find(|(key, _)| {
            let key: String = key.chars().filter(char::is_ascii_alphabetic).collect();
            key.eq_ignore_ascii_case("messageid")
        });
        mail::marker(entry?.1.as_str()?)
    };
    let line = |key: &str| {
        let text = body.get(key)?.as_str()?;
        let whole = footer::read(text, label).map(str::to_owned);
        whole.or_else(|| footer::read(&mail::lines_of(text), label).map(str::to_owned))
    };
    id(body).or_else(|| id(headers)).or_else(|| EMAIL_TEXTS.iter().find_map(|key| line(key)))
}

/// Where the text of an e-mail may stand: no record of RPC was seen (sheet §5).
const EMAIL_TEXTS: [&str; 5] = ["body", "bodyHtml", "bodyText", "html", "excerpt"];

/// Whether a record is in the trash.
pub(super) fn deleted(body: &Json) -> bool {
    body.get("deletedTime").is_some_and(|time| !time.is_null())
}

/// Whether a field holds nothing: absent, `null`, an empty text, list or map.
pub(super) fn is_empty(body: &Json, key: &str) -> bool {
    match body.get(key) {
        None | Some(Json::Null) => true,
        Some(Json::String(text)) => text.trim().is_empty(),
        Some(Json::Array(list)) => list.is_empty(),
        Some(Json::Object(map)) => map.values().all(Json::is_null),
        Some(_) => false,
    }
}

/// A multi-value field (sheet §5) as pairs of a label, if it has one, and its value: the primary one first, without
/// its second copy, and the others in the order of the record.
pub(super) fn items<'j>(body: &'j Json, key: &str) -> Vec<(Option<&'j str>, &'j Json)> {
    match body.get(key) {
        Some(Json::Array(list)) => list.iter().map(|value| (None, value)).collect(),
        Some(Json::Object(map)) => {
            let labelled = map.iter().filter(|(label, _)| *label != "--primary");
            let mut found: Vec<_> = labelled
                .map(|(label, value)| (Some(label.as_str()).filter(|l| is_label(l)), value))
                .collect();
            if let Some(primary) = map.get("--primary") {
                let same = identity(key, primary);
                match found.iter().position(|(_, value)| identity(key, value) == same) {
                    Some(at) => found[..=at].rotate_right(1),
                    // A primary value that stands nowhere else counts.
                    None => found.insert(0, (None, primary)),
                }
            }
            found
        }
        Some(single @ Json::String(_)) => vec![(None, single)],
        _ => Vec::new(),
    }
}

/// Whether a key of a multi-value field is a label: numbers and `--primary` are not (sheet §5).
pub(super) fn is_label(key: &str) -> bool {
    !key.is_empty() && key != "--primary" && !key.bytes().all(|byte| byte.is_ascii_digit())
}

/// A value of a multi-value field as it is sent again: phones and addresses come back as objects.
pub(super) fn resent(key: &str, value: &Json) -> Option<Json> {
    match (key, value) {
        ("phone", Json::Object(_)) => {
            let number = ["E164", "numberFormatted", "number"]
                .iter()
                .find_map(|part| text(value, part).filter(|t| !t.is_empty()))?;
            let extension = text(value, "extension").filter(|text| !text.is_empty());
            Some(match extension {
                Some(extension)
                    if !number.contains(&extension) || value.get("E164").is_some_and(Json::is_string) =>
                {
                    json!(phone_text(&number, &extension))
                }
                _ => json!(number),
            })
        }
        ("address", Json::Object(address)) => {
            let kept = ADDRESS.iter().filter_map(|part| {
                let text = address.get(*part)?;
                (!text.is_null()).then(|| ((*part).to_owned(), text.clone()))
            });
            let kept: Map<String, Json> = kept.collect();
            (!kept.is_empty()).then_some(Json::Object(kept))
        }
        (_, Json::String(text)) => (!text.trim().is_empty()).then(|| value.clone()),
        _ => None,
    }
}

/// A number with its extension, as people write it.
pub(super) fn phone_text(number: &str, extension: &str) -> String {
    format!("{number} x{extension}")
}

/// The parts of an address that can be written (sheet §5).
pub(super) const ADDRESS: [&str; 9] =
    ["address_1", "address_2", "address_3", "city", "state", "postalCode", "country", "timezone", "name"];

/// What a value of a multi-value field is recognised by: spelling that does not matter is taken off.
pub(super) fn identity(key: &str, value: &Json) -> String {
    match (key, value) {
        ("address", Json::Object(address)) => {
            let parts = ADDRESS.iter().filter_map(|part| address.get(*part)?.as_str());
            parts.collect::<Vec<_>>().join("\n").to_lowercase()
        }
        ("phone", value) => {
            let text =
                resent("phone", value).and_then(|json| json.as_str().map(str::to_owned)).unwrap_or_default();
            text.chars().filter(|c| c.is_ascii_digit() || *c == 'x').collect()
        }
        ("url", value) => web_address(value.as_str().unwrap_or_default()),
        (_, value) => value.as_str().unwrap_or_default().trim().to_lowercase(),
    }
}

/// A web address without what does not tell two sites apart: scheme, `www.`, case of the host, a slash at the end.
pub(super) fn web_address(text: &str) -> String {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.to_lowercase();
    format!("{}{}", host.strip_prefix("www.").unwrap_or(&host), path.trim_end_matches('/'))
}

/// Linked records as they are sent again, each with its id and, where it has one, its label.
pub(super) fn links(body: &Json, key: &str, entity: &str) -> Vec<Json> {
    let mut found = Vec::new();
    for link in elements(body.get(key).unwrap_or(&Json::Null)) {
        if let Some(id) = id(&link) {
            found.push(link_json(&id, entity, text(&link, "relationship").as_deref()));
        }
    }
    found
}

/// A link as it is sent (sheet §4.1: edits of leads need the `entityType`).
pub(super) fn link_json(id: &str, entity: &str, relationship: Option<&str>) -> Json {
    let mut link = json!({"id": id_json(id), "entityType": entity});
    if let (Some(relationship), Some(map)) =
        (relationship.filter(|text| !text.is_empty()), link.as_object_mut())
    {
        map.insert("relationship".to_owned(), json!(relationship));
    }
    link
}

/// Custom fields as they are sent again: all of them, since it is open whether unsent ones survive (sheet §4.1).
pub(super) fn customs(body: &Json) -> Map<String, Json> {
    match body.get("customFields") {
        Some(Json::Object(map)) => {
            let filled = map.iter().filter(|(_, value)| !value.is_null());
            filled.map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        _ => Map::new(),
    }
}

/// What a record is called: a text, or the parts of a person's name.
pub(super) fn name(body: &Json) -> Option<String> {
    match body.get("name")? {
        Json::String(text) => Some(text.clone()),
        parts @ Json::Object(_) => {
            text(parts, "displayName").filter(|text| !text.trim().is_empty()).or_else(|| {
                let parts: Vec<String> =
                    ["givenName", "familyName"].iter().filter_map(|part| text(parts, part)).collect();
                (!parts.is_empty()).then(|| parts.join(" "))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::sample;
    use super::*;

    #[test]
    fn the_documented_account_is_read() {
        let Some(body) = sample("rpc.account.documented.json") else { return };
        let account = stored(Kind::Account, body, Some("Bitrix24 key")).expect("a record");
        assert_eq!((account.id.as_str(), account.rev.as_str(), &account.marker), ("42", "1", &None));
        assert!(account.body.get("avatarUrl").is_none() && account.body.get("avatar").is_none());
        let phones = items(&account.body, "phone");
        assert_eq!(phones.len(), 1, "the second copy of the primary one is no value");
        assert_eq!(phones[0].0, Some("home"));
        assert_eq!(resent("phone", phones[0].1), Some(json!("995-505-7619")));
        let urls: Vec<_> = items(&account.body, "url");
        assert_eq!(urls[0], (None, &json!("http://example.com")));
        assert_eq!(urls[1].0, Some("mail"));
        assert!(deleted(&account.body));
    }

    #[test]
    fn the_live_lead_is_read() {
        let Some(body) = sample("rpc.findLeads.full.json") else { return };
        let lead = stored(Kind::Lead, body["result"][0].clone(), Some("Bitrix24 key")).expect("a record");
        assert_eq!((lead.id.as_str(), lead.rev.as_str()), ("15739", "85"));
        assert_eq!(
            links(&lead.body, "contacts", "Contacts"),
            [json!({"id": 93059, "entityType": "Contacts", "relationship": "Senior Manager"})]
        );
        assert!(is_empty(&lead.body, "sources") && !is_empty(&lead.body, "tags"));
        assert!(customs(&lead.body).is_empty());
        let Some(body) = sample("rpc.findLeads.stub.json") else { return };
        assert!(stored(Kind::Lead, body["result"][0].clone(), None).is_none(), "a stub is no record");
    }

    #[test]
    fn markers_and_empty_maps() {
        let with = |fields: Json| {
            stored(Kind::Lead, json!({"id": "7", "rev": 3, "customFields": fields}), Some("Bitrix24 key"))
        };
        let found = with(json!({"Bitrix24 key": "acme/deal/7", "Other": null})).expect("a record");
        assert_eq!(found.marker.as_deref(), Some("acme/deal/7"));
        assert_eq!(found.rev, "3");
        assert_eq!(customs(&found.body), Map::from_iter([("Bitrix24 key".to_owned(), json!("acme/deal/7"))]));
        assert_eq!(with(json!([])).expect("a record").marker, None);
        assert!(
            stored(Kind::Lead, json!({"id": 7}), None).is_none()
                && stored(Kind::Lead, json!([]), None).is_none()
        );
    }

    #[test]
    fn values_are_recognised_in_every_spelling() {
        let phone = json!({"E164": "+16502530000", "number": "650-253-0000", "extension": "12"});
        assert_eq!(resent("phone", &phone), Some(json!("+16502530000 x12")));
        assert_eq!(identity("phone", &phone), identity("phone", &json!("+1 650 253-0000 x12")));
        assert_eq!(web_address("HTTPS://www.Acme.example/"), web_address("http://acme.example"));
        assert_ne!(web_address("acme.example/A"), web_address("acme.example/a"));
        let found = json!({"email": {"--primary": "a@x.example", "work": "b@x.example"}});
        assert_eq!(items(&found, "email").len(), 2, "a primary one that stands nowhere else counts");
        let found = json!({"email": {"work": "a@x.example", "0": "b@x.example", "home": "c@x.example", "--primary": "C@x.example"}});
        let labels: Vec<_> = items(&found, "email").into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, [Some("home"), Some("work"), None], "the primary one stands first");
        assert_eq!(
            name(&json!({"name": {"givenName": "Ada", "familyName": "Byron"}})).as_deref(),
            Some("Ada Byron")
        );
    }
}
