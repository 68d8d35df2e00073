//! `GET /emails/{id}` and the events of their arrival, which alone list them (sheet §1, §3.2; both as the live samples
//! have them). Events of other records are not kept.

use serde_json::{Value, json};

use super::super::agenda::Email;
use super::super::company::Company;
use super::super::record::Actor;
use super::super::values::{Context, Refusal};
use super::reference::one;
use super::{Answer, Call, Fail, id_of, list, number_of, ok};

/// `GET /emails/{id}`.
pub fn one_of(company: &Company, context: Context, rest: &[&str]) -> Result<Answer, Fail> {
    let [id] = rest else { return Err(Fail::NotFound) };
    let email = id_of(id, "emails").and_then(|id| company.agenda.emails.get(&id));
    Ok(one(context, "emails", 200, row(context, email.ok_or(Fail::NotFound)?)))
}

fn row(context: Context, email: &Email) -> Value {
    let host = &context.settings.host;
    json!({
        "id": format!("{}-emails", email.head.id), "type": "emails",
        "href": format!("https://{host}/rest/emails/{}-emails", email.head.id),
        "sentTime": email.sent, "createdTime": email.head.created, "deletedTime": email.head.deleted,
        "subject": email.subject, "excerpt": email.excerpt(), "failedToSend": false, "shareable": false,
        "shared": true, "numViews": null, "isAutomatedReply": false, "isEmailAutomation": false,
        "htmlUrl": format!("https://{host}/email/{}", email.head.id), "htmlUrlPath": format!("/email/{}", email.head.id),
        "links": {
            "comments": [], "from": email.from, "to": email.to, "cc": email.cc, "files": [], "emailQueued": null,
            "edition": null,
        },
    })
}

/// `GET /events`, the newest first, in pages by `limit`, `max_id` and `since_id`, which are not on the page themselves.
pub fn events(company: &Company, context: Context, call: &Call) -> Result<Answer, Refusal> {
    let sent =
        |key: &str| call.query.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    let number = |key: &str| {
        let read = |text: &str| number_of(text).ok_or_else(|| Refusal::bad(format!("Invalid {key}")));
        sent(key).map(read).transpose()
    };
    let limit = number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20);
    let (since, below) = (number("since_id")?.unwrap_or(i64::MIN), number("max_id")?.unwrap_or(i64::MAX));
    let wanted = sent("filters[payload][]").is_none_or(|kind| kind == "emails");
    let mut emails: Vec<&Email> = company.agenda.emails.values().collect();
    emails.retain(|email| {
        wanted && email.head.is_listed(context.now_ms) && email.event > since && email.event < below
    });
    emails.sort_by_key(|email| std::cmp::Reverse(email.event));
    emails.truncate(limit);
    let event = |email: &&Email| {
        let (actor, kind) = match email.head.author {
            Actor::User(id) => (id, "users"),
            Actor::Origin(id) => (id, "origins"),
        };
        json!({
            "id": format!("{}-events", email.event), "type": "events", "createdTime": email.head.created,
            "actorType": kind, "payloadType": "emails", "action": "create", "changes": [], "count": null,
            "links": {
                "comments": [], "actor": format!("{actor}-{kind}"), "payloads": [format!("{}-emails", email.head.id)],
            },
        })
    };
    let mut meta = list::meta(context.settings, None);
    if let (Some(first), Some(last)) = (emails.first(), emails.last()) {
        let host = format!("https://{}/rest/events?limit={limit}", context.settings.host);
        let next = format!("{host}&since_id={}-events&since_time={}", first.event, first.head.created);
        let previous = format!("{host}&max_id={}-events&max_time={}", last.event, last.head.created);
        meta.insert("next".to_owned(), json!(next));
        meta.insert("previous".to_owned(), json!(previous));
        meta.insert("last".to_owned(), json!(format!("{}-events", last.event)));
    }
    let rows: Vec<Value> = emails.iter().map(event).collect();
    let shown: Vec<Value> = emails.iter().map(|email| row(context, email)).collect();
    Ok(ok(json!({
        "meta": meta, "links": {}, "events": rows, "actors": [], "payloads": shown, "activityTypes": [], "contacts": [],
        "users": [], "notes": [], "emailAddresses": [], "activities": [],
    })))
}
