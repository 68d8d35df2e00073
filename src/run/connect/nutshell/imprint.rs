//! What is remembered of a record (sheet §5): its own fields without what Nutshell makes up, and the links that are
//! written from its side. Then what hangs on it from other sides: timeline, tasks, people, leads.

use serde_json::{Map, Value as Json, json};

use super::capability::Kind;
use super::client::{MANUAL_VALUE, id_json, malformed};
use super::directory::{elements, id, text};
use super::encode::same_custom;
use super::pages::every_row;
use super::{Nutshell, stored};
use crate::lang::value::Instant;
use crate::run::connect::imprint::hash;
use crate::run::connect::{Child, Error, Imprint, Payload, Stored};

/// The most leads that `getAccount` embeds (sheet §9.7).
const EMBEDDED: usize = 100;

/// Made by Nutshell, or a second copy of another field (sheet §5, §9).
const GENERATED: &[&str] = &[
    "activitiesCount",
    "avatar",
    "avatarUrl",
    "channels",
    "clonedFrom",
    "closedTime",
    "completion",
    "contactedCount",
    "createdTime",
    "creator",
    "date",
    "deletedTime",
    "displayName",
    "entityType",
    "estimatedValue",
    "htmlUrl",
    "htmlUrlPath",
    "id",
    "isOverdue",
    "isTimed",
    "jobTitle",
    "lastContactedDate",
    "logDescription",
    "loggedBy",
    "mentions",
    "mergedInto",
    "mergedWith",
    "modifiedTime",
    "nextStepDueTime",
    "normalizedValue",
    "noteHtml",
    "notes",
    "number",
    "originId",
    "processes",
    "regions",
    "rev",
    "stub",
    "urgency",
];

/// Fields of one kind that are written from another side, or follow from others.
fn not_its_own(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Account => &["contacts", "leads"],
        Kind::Contact => &["leads"],
        Kind::Lead => &["name"],
        Kind::Activity => &["lead"],
        Kind::Note => &["note"],
        Kind::Product | Kind::Task => &[],
        Kind::Email => &["excerpt", "numViews", "shareable", "shared"],
    }
}

/// The fields of a stage, which one write decides together (sheet §5.1).
const STAGE: [&str; 4] = ["milestone", "outcome", "stageset", "status"];

pub(super) fn imprint(kind: Kind, body: &Json) -> Imprint {
    let mut found = Imprint { links: own_links(kind, body), ..Imprint::default() };
    for (name, value) in body.as_object().into_iter().flatten() {
        let hidden = GENERATED.contains(&name.as_str()) || not_its_own(kind).contains(&name.as_str());
        if name == "customFields" {
            for (name, value) in value.as_object().into_iter().flatten() {
                let value = slim(value);
                if !value.is_null() {
                    found.fields.insert(custom(name), hash(&value));
                }
            }
            continue;
        }
        if hidden && !(kind == Kind::Note && name == "note" && body.get("noteMarkup").is_none()) {
            continue;
        }
        let value = field(kind, name, value);
        if !value.is_null() {
            found.fields.insert(name.clone(), hash(&value));
        }
    }
    let time = |key: &str| {
        let instant = body.get(key)?.as_str().and_then(Instant::parse)?;
        Some(instant.at.as_millisecond())
    };
    // A note tells no time of change, but one that was never changed has its first revision (sheet §10).
    let fresh = text(body, "rev").as_deref() == Some("0");
    found.changed_ms = time("modifiedTime").or_else(|| time("date").filter(|_| fresh));
    found
}

/// What a custom field is called in an imprint.
pub(super) fn custom(name: &str) -> String {
    format!("customFields.{name}")
}

/// The custom field that a name in an imprint stands for.
pub(super) fn custom_name(name: &str) -> Option<&str> {
    name.strip_prefix("customFields.")
}

fn field(kind: Kind, name: &str, value: &Json) -> Json {
    match (kind, name) {
        // An activity that is late is scheduled, whatever time it is (sheet §5).
        (Kind::Activity, "status") if value.as_i64() == Some(-1) => json!(0),
        // Neither order nor copies of these mean anything.
        (_, "tags" | "sources" | "competitors" | "participants" | "leads" | "contacts" | "accounts") => {
            let mut list: Vec<Json> = elements(value).iter().map(slim).collect();
            list.sort_by_key(Json::to_string);
            list.dedup();
            if list.is_empty() { Json::Null } else { Json::Array(list) }
        }
        _ => slim(value),
    }
}

/// A value without what is empty; a record within it by its id, since its other fields are not this one's.
fn slim(value: &Json) -> Json {
    match value {
        Json::Object(map) if map.get("id").is_some_and(|id| !id.is_null()) => {
            let mut kept = Map::new();
            for key in ["entityType", "relationship", "quantity", "price"] {
                let value = slim(map.get(key).unwrap_or(&Json::Null));
                if !value.is_null() {
                    kept.insert(key.to_owned(), value);
                }
            }
            kept.insert("id".to_owned(), id(value).map_or(Json::Null, |id| id_json(&id)));
            Json::Object(kept)
        }
        Json::Object(map) => {
            let kept = map.iter().filter(|(key, _)| *key != "displayName");
            let kept = kept.map(|(key, value)| (key.clone(), slim(value)));
            let kept: Map<String, Json> = kept.filter(|(_, value)| !value.is_null()).collect();
            if kept.is_empty() { Json::Null } else { Json::Object(kept) }
        }
        Json::Array(list) => {
            let kept: Vec<Json> = list.iter().map(slim).filter(|value| !value.is_null()).collect();
            if kept.is_empty() { Json::Null } else { Json::Array(kept) }
        }
        Json::String(text) if text.trim().is_empty() => Json::Null,
        plain => plain.clone(),
    }
}

/// The records that a record links to from its own side.
fn own_links(kind: Kind, body: &Json) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut add = |value: &Json, of: Option<Kind>| {
        let entity = value.get("entityType").and_then(Json::as_str);
        let kind = of.or_else(|| Kind::ALL.into_iter().find(|kind| Some(kind.entity()) == entity));
        if let (Some(kind), Some(id)) = (kind, id(value)) {
            let link = (kind.object().to_owned(), id);
            if !links.contains(&link) {
                links.push(link);
            }
        }
    };
    let keys: &[(&str, Option<Kind>)] = match kind {
        // An e-mail is attached by addresses, from nobody's side.
        Kind::Account | Kind::Product | Kind::Email => &[],
        Kind::Contact => &[("accounts", Some(Kind::Account))],
        Kind::Lead => &[
            ("primaryAccount", Some(Kind::Account)),
            ("accounts", Some(Kind::Account)),
            ("contacts", Some(Kind::Contact)),
            ("products", Some(Kind::Product)),
        ],
        Kind::Activity => &[("leads", Some(Kind::Lead)), ("participants", None)],
        Kind::Task => &[("entity", None)],
        Kind::Note => {
            &[("account", Some(Kind::Account)), ("contact", Some(Kind::Contact)), ("lead", Some(Kind::Lead))]
        }
    };
    for (key, of) in keys {
        match body.get(*key) {
            Some(one @ Json::Object(map)) if map.contains_key("id") => add(one, *of),
            Some(list) => elements(list).iter().for_each(|value| add(value, *of)),
            None => {}
        }
    }
    links
}

pub(super) fn touches(kind: Kind, payload: &Payload, before: &Json) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |new: &[&str]| names.extend(new.iter().map(|name| (*name).to_owned()));
    for (key, value) in &payload.fields {
        match (kind, key.as_str()) {
            (_, "author") => {}
            (_, "stagesetId" | "milestoneId" | "outcome" | "status") if kind == Kind::Lead => add(&STAGE),
            (_, "industryId") => add(&["industry"]),
            (_, "accountTypeId") => add(&["accountType"]),
            (_, "activityTypeId") => add(&["activityType"]),
            (_, "territoryId") => add(&["territory"]),
            (Kind::Lead, "market" | "products" | "value" | MANUAL_VALUE) => {
                add(&["market", "products", "value"])
            }
            (Kind::Lead, "owner" | "assignee") => add(&["assignee", "owner"]),
            (_, "accounts" | "primaryAccount") => add(&["accounts", "primaryAccount"]),
            (Kind::Note, "note") => add(&["note", "noteMarkup"]),
            (Kind::Note, "entity") => add(&["account", "contact", "lead"]),
            (_, "customFields") => {
                // All of them are sent: what only repeats the record changes nothing.
                let there = |name: &str| before.get("customFields").and_then(|fields| fields.get(name));
                for (name, value) in value.as_object().into_iter().flatten() {
                    if !there(name).is_some_and(|there| same_custom(there, value)) {
                        add(&[custom(name).as_str()]);
                    }
                }
            }
            (_, key) => add(&[key]),
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The fields that a payload writes and that may hold what it writes: of custom fields and plain texts their values tell,
/// of all others nothing does, since they come back in another form.
pub(super) fn may_show(kind: Kind, payload: &Payload, now: &Json) -> Vec<String> {
    let mut names = touches(kind, payload, &Json::Null);
    let differing = touches(kind, payload, now);
    let sent = |name: &str| payload.fields.get("customFields").and_then(|fields| fields.get(name));
    names.retain(|name| match custom_name(name) {
        Some(field) => {
            let there = now.get("customFields").and_then(|fields| fields.get(field)).unwrap_or(&Json::Null);
            let emptied = sent(field).is_none_or(|sent| slim(sent).is_null()) && slim(there).is_null();
            emptied || !differing.contains(name)
        }
        None => match (payload.fields.get(name), now.get(name)) {
            (Some(Json::String(sent)), Some(Json::String(there)))
                if name == "description" || name == "name" =>
            {
                same_text(sent, there)
            }
            _ => true,
        },
    });
    names
}

/// Whether a text may have come back as another: blanks do not count, and a long one may be cut.
fn same_text(sent: &str, there: &str) -> bool {
    let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (sent, there) = (plain(sent), plain(there));
    !there.is_empty() && sent.starts_with(&there) || sent == there
}

/// Whether so much time has passed since that the API edits no note of then (sheet §4).
pub(super) fn is_of_another_day(made_ms: i64, now_ms: i64) -> bool {
    const DAY_MS: i64 = 86_400_000;
    now_ms.saturating_sub(made_ms) > DAY_MS
}

/// Whether a note is one that the API would not let this user edit: of another author, or older than a day (sheet §4).
pub(super) fn is_hard_to_edit(note: &Json, own_user: Option<&str>, now_ms: i64) -> bool {
    let made = note.get("date").and_then(Json::as_str).and_then(Instant::parse);
    let old = made.is_some_and(|made| is_of_another_day(made.at.as_millisecond(), now_ms));
    let author = note.get("user").and_then(id);
    old || own_user.is_some_and(|own| author.as_deref() != Some(own))
}

impl Nutshell {
    /// What hangs on a record: the rows of its timeline, its tasks, and records that link to it.
    pub(super) async fn hanging_on(&self, kind: Kind, stored: &Stored) -> Result<Vec<Child>, Error> {
        if !kind.is_core() {
            return Ok(Vec::new());
        }
        let mut found = self.timeline(kind, &stored.id).await?;
        let tasks = format!("{}-{}", stored.id, kind.rest());
        for id in self.every_rest_id(Kind::Task, &[("filter[relatedEntity]", tasks.as_str())]).await? {
            found.push(child(Kind::Task, id));
        }
        if kind == Kind::Account {
            found.extend(linked(&stored.body, "contacts", Kind::Contact));
        }
        if kind != Kind::Lead {
            let leads: Vec<Child> = linked(&stored.body, "leads", Kind::Lead).collect();
            // Only the first are embedded.
            if leads.len() < EMBEDDED {
                found.extend(leads);
            } else {
                found.extend(self.leads_of(kind, &stored.id).await?);
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    pub(super) async fn timeline(&self, kind: Kind, id_of: &str) -> Result<Vec<Child>, Error> {
        let query = json!({"entityType": kind.entity(), "id": id_json(id_of)});
        let more = [("query", query), ("orderBy", "time".into()), ("orderDirection", "ASC".into())];
        let rows = every_row(&self.client, "findTimeline", &more).await?;
        let entry = |row: &Json| {
            let entity = text(row, "entityType")?;
            let known = Kind::ALL.into_iter().find(|kind| kind.entity() == entity);
            let object = known.map_or(entity, |kind| kind.object().to_owned());
            Some(Child { object, id: id(row)? })
        };
        let live = rows.iter().filter(|row| !stored::deleted(row));
        live.map(|row| entry(row).ok_or_else(|| malformed("findTimeline", "a row without type or id")))
            .collect()
    }

    async fn leads_of(&self, kind: Kind, id_of: &str) -> Result<Vec<Child>, Error> {
        let key = if kind == Kind::Account { "accountId" } else { "contactId" };
        let query = json!({key: id_json(id_of), "filter": 2});
        let more = [
            ("query", query),
            ("orderBy", "id".into()),
            ("orderDirection", "ASC".into()),
            ("stubResponses", true.into()),
        ];
        let rows = every_row(&self.client, "findLeads", &more).await?;
        let live = rows.iter().filter(|row| !stored::deleted(row));
        live.map(|row| {
            Ok(child(Kind::Lead, id(row).ok_or_else(|| malformed("findLeads", "a lead without an id"))?))
        })
        .collect()
    }
}

fn child(kind: Kind, id: String) -> Child {
    Child { object: kind.object().to_owned(), id }
}

fn linked<'b>(body: &'b Json, key: &str, kind: Kind) -> impl Iterator<Item = Child> + use<'b> {
    let rows = elements(body.get(key).unwrap_or(&Json::Null));
    rows.into_iter().filter_map(move |row| Some(child(kind, id(&row)?)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::sample;
    use super::*;

    fn names(kind: Kind, body: &Json) -> Vec<String> {
        imprint(kind, body).fields.into_keys().collect()
    }

    #[test]
    fn the_live_lead_leaves_out_what_is_made_up() {
        let Some(body) = sample("rpc.findLeads.full.json") else { return };
        let lead = &body["result"][0];
        let found = imprint(Kind::Lead, lead);
        for name in ["rev", "modifiedTime", "completion", "name", "notes", "closedTime"] {
            assert!(!found.fields.contains_key(name), "{name}");
        }
        assert!(found.fields.contains_key("status") && found.fields.contains_key("contacts"), "{found:?}");
        assert!(found.links.contains(&("Contact".to_owned(), "93059".to_owned())), "{:?}", found.links);
        let mut touched = lead.clone();
        touched["rev"] = json!("999");
        touched["modifiedTime"] = json!("2030-01-01T00:00:00+0000");
        assert_eq!(imprint(Kind::Lead, &touched).fields, found.fields);
        touched["description"] = json!("another title");
        assert_eq!(imprint(Kind::Lead, &touched).differing(&found), ["description"]);
    }

    #[test]
    fn empty_values_and_neighbours_do_not_count() {
        let body = json!({
            "id": 7, "rev": "3", "name": "Acme", "phone": [], "url": {"--primary": null}, "description": " ",
            "owner": {"id": 1, "entityType": "Users", "modifiedTime": "x", "name": "Ann"}, "tags": ["b", "a", "a"],
            "contacts": [{"id": 9}], "customFields": {"Bitrix24 key": "k", "Other": null},
        });
        assert_eq!(names(Kind::Account, &body), ["customFields.Bitrix24 key", "name", "owner", "tags"]);
        let mut same = body.clone();
        same["owner"]["name"] = json!("Ann Admin");
        same["contacts"] = json!([]);
        same["tags"] = json!(["a", "b"]);
        assert_eq!(imprint(Kind::Account, &same), imprint(Kind::Account, &body));
        same["owner"]["id"] = json!(2);
        assert_eq!(imprint(Kind::Account, &same).differing(&imprint(Kind::Account, &body)), ["owner"]);
    }

    #[test]
    fn links_are_those_of_its_own_side() {
        let stub = |entity: &str, id: u32| json!({"stub": true, "entityType": entity, "id": id});
        let lead = json!({
            "id": 1, "primaryAccount": stub("Accounts", 3), "accounts": [stub("Accounts", 4)],
            "contacts": [stub("Contacts", 5)], "products": [stub("Products", 6)],
        });
        let of = |kind: Kind, body: &Json| {
            let links = imprint(kind, body).links.into_iter();
            links.map(|(object, id)| format!("{object} {id}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(of(Kind::Lead, &lead), "Account 3, Account 4, Contact 5, Product 6");
        assert_eq!(of(Kind::Note, &json!({"id": 1, "lead": stub("Leads", 9)})), "Lead 9");
        assert_eq!(of(Kind::Task, &json!({"id": 1, "entity": stub("Contacts", 9)})), "Contact 9");
        let activity = json!({"id": 1, "leads": [stub("Leads", 2)], "participants": [stub("Users", 1), stub("Accounts", 8)]});
        assert_eq!(of(Kind::Activity, &activity), "Lead 2, Account 8");
        assert_eq!(of(Kind::Account, &json!({"id": 1, "contacts": [stub("Contacts", 5)]})), "");
    }

    #[test]
    fn what_a_record_holds_tells_whether_a_payload_wrote_it() {
        let fields = json!({
            "description": "New  title of it", "dueTime": "2026-11-30T00:00:00+00:00",
            "customFields": {"Sum": {"currency": "USD", "amount": "5"}, "Kept": "x", "Gone": null},
        });
        let payload = Payload { fields: fields.as_object().cloned().unwrap_or_default() };
        let all = ["customFields.Gone", "customFields.Kept", "customFields.Sum", "description", "dueTime"];
        let ours = json!({
            "description": "New title", "dueTime": "2026-11-30T00:00:00+0000",
            "customFields": {"Kept": "x", "Sum": {"currency": "USD", "amount": 5}},
        });
        assert_eq!(may_show(Kind::Lead, &payload, &ours), all);
        let theirs = json!({
            "description": "Their title", "dueTime": "2026-12-01T00:00:00+0000",
            "customFields": {"Kept": "y", "Sum": {"currency": "USD", "amount": 6}, "Gone": "typed"},
        });
        // Nobody can tell of a time that comes back in another form.
        assert_eq!(may_show(Kind::Lead, &payload, &theirs), ["dueTime"]);
        assert_eq!(
            may_show(Kind::Lead, &payload, &json!({"description": ""})),
            ["customFields.Gone", "dueTime"]
        );
    }

    #[test]
    fn a_payload_tells_the_fields_that_it_changes() {
        let fields = json!({
            "milestoneId": 3, "industryId": 4, "primaryAccount": {"id": 1}, "author": {"id": 1},
            "customFields": {"Bitrix24 key": "k", "Kept": "x", "Sum": {"currency": "USD", "amount": "5"}},
        });
        let payload = Payload { fields: fields.as_object().cloned().unwrap_or_default() };
        let before = json!({"customFields": {"Kept": "x", "Sum": {"currency": "USD", "amount": 5}}});
        assert_eq!(
            touches(Kind::Lead, &payload, &before),
            [
                "accounts",
                "customFields.Bitrix24 key",
                "industry",
                "milestone",
                "outcome",
                "primaryAccount",
                "stageset",
                "status"
            ]
        );
    }
}
