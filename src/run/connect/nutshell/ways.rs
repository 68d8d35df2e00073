//! Which call of which API writes each field, and what is known to come out otherwise than it was sent: what a plan
//! says before anything is written. The source of each fact is the section of the reference sheet.

use super::capability::Kind;
use super::fields::GENERATED;
use crate::run::connect::{Barred, Way};

/// How a field of an object is written; `None` where this version writes no such records.
pub(in crate::run::connect) fn way(object: &str, field: &str, custom: bool) -> Option<Way> {
    let kind = Kind::parse(object)?;
    let by = match (kind, field) {
        _ if custom => {
            return Some(Way {
                by: format!(
                    "{}; the field is made by REST `POST /{}/customfield`",
                    kind.written_by(),
                    kind.rest()
                ),
                then: None,
            });
        }
        (_, "author") => {
            "the login of the call: a key that may impersonate takes any user's address".to_owned()
        }
        (_, "tags") => format!("{}; a missing tag is made by RPC `newTag`", kind.written_by()),
        (Kind::Lead, "sources") => {
            format!("{}; a missing source is made by RPC `newSource`", kind.written_by())
        }
        (Kind::Lead, "stage") => "RPC `newLead`, closed by `editLead`".to_owned(),
        _ => kind.written_by().to_owned(),
    };
    Some(Way { by, then: then(kind, field) })
}

/// What becomes of a value that is sent as it is, where the sheet says so or leaves it open.
fn then(kind: Kind, field: &str) -> Option<&'static str> {
    Some(match (kind, field) {
        (_, "phone") => "read as a number of the account's country, and shown in its form",
        (_, "address") => {
            "a country that is no two letters moves into the lines; the server looks the place up by itself"
        }
        (_, "author") => {
            "a key that may not impersonate logs everything under its own name: then a line of the text names the author"
        }
        (_, "owner" | "assignee") => return None,
        (Kind::Contact, "name") => "kept in parts: given and family name",
        (Kind::Lead, "value") => {
            "in the currency of the lead's market; of a lead with products the API may work it out from them"
        }
        (Kind::Lead, "stage") => "a lead that is closed is closed at the moment of the write",
        (Kind::Product, "description") => "RPC is not known to show it: the marker at its end is looked for",
        (Kind::Product, "prices") => "one per market, which is found by its currency",
        (Kind::Activity | Kind::Task | Kind::Note, "description" | "body") => "the marker stands at its end",
        (Kind::Email, "date") => {
            "sent as the `Date` of the message; that it sets the time there is likely, not documented"
        }
        (Kind::Email, "body" | "html") => "the marker stands at its end",
        (Kind::Email, "participants" | "from" | "to" | "cc" | "mailbox") => {
            "the e-mail is attached to whoever has such an address by then"
        }
        (Kind::Email, "messageId") => "kept among the references of the message, whose own id is the marker",
        _ => return None,
    })
}

/// Fields that people know from the web application and that no call writes.
pub(in crate::run::connect) fn barred(object: &str) -> Vec<Barred> {
    let rows = Kind::parse(object).map(Kind::read_only).unwrap_or_default();
    let row = |(field, why): &(&'static str, &'static str)| Barred { field, why };
    rows.iter().filter(|(_, why)| *why != GENERATED && !told_elsewhere(why)).map(row).collect()
}

/// Whether a field only repeats what another one is written by.
fn told_elsewhere(why: &str) -> bool {
    let other = [
        "written ",
        "generated",
        "follows from ",
        "one of ",
        "one per ",
        "the first of ",
        "notes are records",
    ];
    other.iter().any(|begin| why.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_can_be_written_says_by_which_call() {
        for kind in Kind::ALL {
            for field in kind.writable() {
                let way = way(kind.object(), field.name, false).expect("a way");
                assert!(
                    way.by.contains("RPC `new") || field.name == "author",
                    "{} {}",
                    kind.object(),
                    field.name
                );
            }
            for barred in barred(kind.object()) {
                assert!(kind.writable().iter().all(|field| field.name != barred.field), "{}", barred.field);
            }
        }
        assert!(way("Quote", "total", false).is_none());
        let parents = barred("Account").into_iter().find(|barred| barred.field == "parentAccount");
        assert!(parents.is_some_and(|barred| barred.why.contains("the API cannot write it")));
        assert!(way("Lead", "Budget", true).expect("a way").by.contains("POST /leads/customfield"));
    }
}
