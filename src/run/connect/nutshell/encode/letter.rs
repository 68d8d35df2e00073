//! From the fields of an e-mail to the one text that `newEmail` takes (sheet §4).

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::super::client::AUTHOR;
use super::super::directory::{self, Directory};
use super::super::fields::DIRECTIONS;
use super::super::mail::{self, Letter};
use super::super::{footer, stored};
use super::error;
use crate::run::connect::FieldError;

/// The key of a payload that is sent.
pub(in crate::run::connect::nutshell) const MESSAGE: &str = "emailString";
/// The key of a payload that tells where the e-mail must be found; it is not sent.
pub(in crate::run::connect::nutshell) const TRACE: &str = "trace";

/// Who wrote to whom.
struct Parties {
    from: Vec<String>,
    to: Vec<String>,
    cc: Vec<String>,
}

pub(super) fn payload(
    mut fields: Map<String, Json>,
    directory: &Directory,
    label: &str,
    marker: &str,
) -> Result<Map<String, Json>, FieldError> {
    let parties = parties(&fields, directory)?;
    let text = |key: &str| fields.get(key).and_then(Json::as_str).filter(|text| !text.trim().is_empty());
    let at: Timestamp =
        text("date").and_then(|text| text.parse().ok()).ok_or_else(|| error("date", "is no instant"))?;
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let html = text("html").map(|html| mail::with_paragraph(html, &footer::sign("", label, marker)));
    // A text beside it carries the line too: which of the two is shown nobody knows.
    let body = text("body").map(|body| footer::sign(body, label, marker));
    let body = body.or_else(|| html.is_none().then(|| footer::sign("", label, marker)));
    let before = fields.get("references").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let letter = Letter {
        date,
        from: parties.from,
        to: parties.to,
        cc: parties.cc,
        subject: text("subject").unwrap_or_default(),
        body,
        html,
        former: text("messageId"),
        answers: text("inReplyTo"),
        before: before.iter().filter_map(Json::as_str).collect(),
    };
    let mut sent = Map::new();
    sent.insert(MESSAGE.to_owned(), json!(letter.text(marker)));
    let addresses: Vec<&String> = letter.from.iter().chain(&letter.to).chain(&letter.cc).collect();
    sent.insert(TRACE.to_owned(), json!({"subject": letter.subject, "addresses": addresses}));
    if let Some(author) = fields.shift_remove(AUTHOR) {
        sent.insert(AUTHOR.to_owned(), author);
    }
    Ok(sent)
}

/// What is written out goes before what follows from the direction: of an incoming one the first of those on the other
/// side wrote it, and the mailbox's user got it; of an outgoing one it is the other way round.
fn parties(fields: &Map<String, Json>, directory: &Directory) -> Result<Parties, FieldError> {
    let list = |key: &str| {
        let texts = fields.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        texts.iter().filter_map(Json::as_str).map(|text| address(key, text)).collect::<Result<Vec<_>, _>>()
    };
    let user = match fields.get("mailbox") {
        None => None,
        Some(user) => {
            let id = directory::id(user).unwrap_or_default();
            let row = directory.users.iter().find(|row| row.id == id);
            let email = row.and_then(|row| row.email.as_deref());
            let email = email.ok_or_else(|| error("mailbox", format!("user {id} has no e-mail address")))?;
            Some(address("mailbox", email)?)
        }
    };
    let from = match fields.get("from").and_then(Json::as_str) {
        Some(text) => Some(address("from", text)?),
        None => None,
    };
    let (mut to, mut cc, others) = (list("to")?, list("cc")?, list("participants")?);
    let mut others = others.into_iter();
    let [incoming, outgoing] = DIRECTIONS;
    let from = match fields.get("direction").and_then(Json::as_str) {
        Some(way) if way == outgoing => {
            to.extend(others);
            from.or(user)
        }
        Some(way) if way == incoming => {
            let from = from.or_else(|| others.next());
            to.extend(user);
            cc.extend(others);
            from
        }
        Some(other) => {
            return Err(error("direction", format!("`{other}` is none of {}", DIRECTIONS.join(", "))));
        }
        None => {
            to.extend(user);
            to.extend(others);
            from
        }
    };
    let from = from.ok_or_else(|| {
        error(
            "from",
            "nobody is known to have written it: give `from`, or `direction` with `mailbox` and `participants`",
        )
    })?;
    let mut known = vec![stored::identity("email", &json!(from))];
    for list in [&mut to, &mut cc] {
        list.retain(|address| {
            let identity = stored::identity("email", &json!(address));
            let new = !known.contains(&identity);
            known.extend(new.then_some(identity));
            new
        });
    }
    Ok(Parties { from: vec![from], to, cc })
}

fn address(field: &str, text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    if mail::is_address(text) {
        return Ok(text.to_owned());
    }
    let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    Err(error(field, format!("`{shown}` is no address that the header of an e-mail can hold")))
}

#[cfg(test)]
mod tests {
    use super::super::super::directory::UserRow;
    use super::*;

    const MARKER: &str = "acme.bitrix24.com/activity/17";

    fn sent(fields: Json) -> Result<Map<String, Json>, FieldError> {
        let user = |id: &str, email: Option<&str>| UserRow {
            id: id.to_owned(),
            email: email.map(str::to_owned),
            name: None,
            active: true,
        };
        let users = vec![user("1", Some("ann@acme.example")), user("2", None)];
        let directory = Directory { users, ..Directory::default() };
        let mut whole = json!({"date": "2024-03-05T07:00:00+00:00"});
        for (key, value) in fields.as_object().cloned().unwrap_or_default() {
            whole[key] = value;
        }
        payload(whole.as_object().cloned().unwrap_or_default(), &directory, "Bitrix24", MARKER)
    }

    fn header(sent: &Map<String, Json>, name: &str) -> String {
        let text = sent[MESSAGE].as_str().expect("a text").replace("\r\n ", " ");
        let found = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_default().to_owned()
    }

    #[test]
    fn who_wrote_to_whom_follows_from_the_direction() {
        let mailbox = json!({"entityType": "Users", "id": 1});
        let others = json!(["hank@globex.example", "bill@initech.example"]);
        for (fields, from, to, cc) in [
            (
                json!({"direction": "outgoing", "mailbox": mailbox, "participants": others}),
                "ann@acme.example",
                "hank@globex.example, bill@initech.example",
                "",
            ),
            (
                json!({"direction": "incoming", "mailbox": mailbox, "participants": others}),
                "hank@globex.example",
                "ann@acme.example",
                "bill@initech.example",
            ),
            (
                json!({"from": "x@y.example", "to": ["Z@y.example", "z@y.example"], "cc": ["x@y.example"]}),
                "x@y.example",
                "Z@y.example",
                "",
            ),
            (json!({"direction": "outgoing", "mailbox": mailbox}), "ann@acme.example", "", ""),
        ] {
            let sent = sent(fields.clone()).expect("a message");
            let found = ["From", "To", "Cc"].map(|name| header(&sent, name));
            assert_eq!(found, [from, to, cc], "{fields}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_told_by_its_field() {
        for (fields, field) in [
            (json!({}), "from"),
            (json!({"direction": "incoming", "mailbox": {"id": 1}}), "from"),
            (json!({"direction": "outgoing", "mailbox": {"id": 2}}), "mailbox"),
            (json!({"direction": "sideways", "from": "a@b.example"}), "direction"),
            (json!({"from": "a@b.example\r\nBcc: x@y.example"}), "from"),
            (json!({"from": "a@b.example", "to": ["<x>"]}), "to"),
            (json!({"from": "a@b.example", "date": "yesterday"}), "date"),
        ] {
            assert_eq!(sent(fields.clone()).expect_err("is told").field, field, "{fields}");
        }
    }

    #[test]
    fn the_marker_stands_in_the_id_and_in_every_text() {
        let sent = sent(json!({
            "from": "a@b.example", "body": "Dear Hank", "author": {"entityType": "Users", "id": 1}, "subject": "Lair",
        }));
        let sent = sent.expect("a message");
        assert_eq!(mail::marker(&header(&sent, "Message-ID")).as_deref(), Some(MARKER));
        assert!(
            sent[MESSAGE]
                .as_str()
                .is_some_and(|text| text.ends_with(&format!("\r\n[Bitrix24 {MARKER}]\r\n")))
        );
        assert_eq!(header(&sent, "Date"), "Tue, 05 Mar 2024 07:00:00 +0000");
        assert_eq!(sent[TRACE], json!({"subject": "Lair", "addresses": ["a@b.example"]}));
        assert_eq!(sent[AUTHOR]["id"], 1);
    }
}
