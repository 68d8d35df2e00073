//! Counts records by filters, without reading them: the count of a page that nobody looks at (sheet §4.1, §7).
//!
//! Only fields of the schema are asked for: a classic list drops a filter that it does not know and counts everything.

use std::collections::BTreeMap;

use super::ask::ask;
use super::reading::{Reading, reading};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::Client;
use crate::run::connect::bitrix24::decode::MULTIFIELDS;
use crate::run::connect::bitrix24::schema::own::ROWS;
use crate::run::connect::bitrix24::survey::refusal;
use crate::run::connect::bitrix24::wire::Command;
use crate::run::connect::survey::{Condition, Counted, Question};

/// How long one method may be asked for counts, in milliseconds: a quarter of what it may work in ten minutes, so that
/// an extraction beside it is not held up.
const PATIENCE_MS: i64 = 120_000;
/// Questions of one method that are sent before the time is looked at.
const CHUNK: usize = 50;

/// The answers, in the order of the questions.
pub(in crate::run::connect::bitrix24) async fn answer(
    client: &Client,
    questions: &[Question],
) -> Result<Vec<Counted>, Error> {
    let mut out = vec![Counted::Unknown("it was not asked for".to_owned()); questions.len()];
    let mut methods: BTreeMap<&'static str, Vec<Command>> = BTreeMap::new();
    for (at, question) in questions.iter().enumerate() {
        match command(at, question) {
            Ok(command) => methods.entry(command.method).or_default().push(command),
            Err(why) => out[at] = Counted::Unknown(why),
        }
    }
    for (method, commands) in methods {
        let begun = client.clock.now_ms();
        for chunk in commands.chunks(CHUNK) {
            let late = client.clock.now_ms() - begun > PATIENCE_MS;
            let replies = if late { None } else { Some(ask(client, method, chunk).await?) };
            for command in chunk {
                let Some(at) = command.name.strip_prefix('q').and_then(|at| at.parse::<usize>().ok()) else {
                    continue;
                };
                out[at] = match replies.as_ref().map(|replies| replies.get(&command.name)) {
                    None => Counted::Unknown(format!(
                        "counts by `{method}` take the portal too long: extract, then read the workspace"
                    )),
                    Some(None) => Counted::Unknown(format!("`{method}` gave no answer")),
                    Some(Some(reply)) => match (&reply.result, reply.total) {
                        (Err(problem), _) => Counted::Unknown(refusal(method, problem)),
                        (Ok(_), Some(total)) => Counted::Known(total),
                        (Ok(_), None) => Counted::Unknown(format!("`{method}` counts nothing")),
                    },
                };
            }
        }
    }
    Ok(out)
}

/// The list that counts what is asked for.
fn command(at: usize, question: &Question) -> Result<Command, String> {
    if question.object == "comment" {
        return Err(
            "comments are listed for one record at a time: extract, then read the workspace".to_owned()
        );
    }
    if super::addresses::owner(&question.object).is_some() {
        return Err(
            "addresses are listed for some owners at a time: extract, then read the workspace".to_owned()
        );
    }
    let m = reading(&question.object).map_err(|error| error.to_string())?;
    if question.condition != Condition::Any
        && !tells(&question.object, &question.condition)
        && !filters(&question.object)
    {
        return Err("no filters of this list are documented: extract, then read the workspace".to_owned());
    }
    let mut command = Command::new(format!("q{at}"), m.list, &[("select[]", m.id()), ("start", "0")]);
    command.parameters.extend(m.basis());
    let filter = match &question.condition {
        Condition::Any => None,
        Condition::Filled(field) => Some(filled(&m, field)?),
        Condition::SinceYear(field, year) => {
            Some((format!(">={}", name(&m, field)), format!("{year:04}-01-01T00:00:00+00:00")))
        }
        Condition::Is(field, code) => Some((format!("={}", name(&m, field)), code.clone())),
    };
    command.parameters.extend(filter.map(|(key, value)| (format!("{}[{key}]", m.listing.filter), value)));
    Ok(command)
}

/// Whether an object's list is documented to filter by any of its fields (sheet §7).
fn filters(object: &str) -> bool {
    const OBJECTS: [&str; 7] = ["company", "contact", "deal", "lead", "quote", "product", "activity"];
    OBJECTS.contains(&object) || object.starts_with("process ")
}

/// Whether a list beside the records is documented to filter so (sheet §10.11, §10.17, §10.26): by the time when a record
/// was made; calls by any of their fields.
fn tells(object: &str, condition: &Condition) -> bool {
    match condition {
        Condition::SinceYear(..) if super::history_of(object).is_some() => true,
        Condition::SinceYear(..) => matches!(
            object,
            "task" | "call" | "deal_history" | "lead_history" | "company_requisite" | "contact_requisite"
        ),
        Condition::Is(..) => object == "call",
        _ => false,
    }
}

/// The filter for records in which a field has a value.
fn filled(m: &Reading, field: &str) -> Result<(String, String), String> {
    match field {
        // The year 9999 stands for none there (sheet §10.15), and properties are not documented as filters.
        _ if m.object == "activity" && field == "DEADLINE" || field.starts_with("PROPERTY_") => {
            Err("no filter tells whether it has a value: extract, then read the workspace".to_owned())
        }
        "PHONE" | "EMAIL" => Ok((format!("=HAS_{field}"), "Y".to_owned())),
        // `HAS_IMOL` is about open lines only; the others are put in by the connector.
        "COMMUNICATIONS" | "BINDINGS" | "FILES" | "COMPANY_IDS" | "CONTACT_IDS" | ROWS => {
            Err("no filter asks whether it has a value: extract, then read the workspace".to_owned())
        }
        _ if MULTIFIELDS.contains(&field) => {
            Err("no filter asks whether it has a value: extract, then read the workspace".to_owned())
        }
        _ => Ok((format!("!{}", name(m, field)), String::new())),
    }
}

/// How a list calls a field of the schema.
fn name(m: &Reading, field: &str) -> String {
    match field {
        "DETAIL_TEXT" if m.object == "product" => "DESCRIPTION".to_owned(),
        "DETAIL_TEXT_TYPE" if m.object == "product" => "DESCRIPTION_TYPE".to_owned(),
        _ if m.universal && !field.starts_with("UF_") => camel(field),
        _ => field.to_owned(),
    }
}

/// `PARENT_ID_4` as `parentId4` (sheet §8).
fn camel(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    for (n, word) in field.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next().filter(|_| n > 0) {
            Some(first) => {
                out.push(first.to_ascii_uppercase());
                out.push_str(&letters.as_str().to_lowercase());
            }
            None => out.push_str(&word.to_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_asked_in_camel_case() {
        for (field, named) in [
            ("CREATED_TIME", "createdTime"),
            ("PARENT_ID_1248", "parentId1248"),
            ("ASSIGNED_BY_ID", "assignedById"),
            ("MYCOMPANY_ID", "mycompanyId"),
        ] {
            assert_eq!(camel(field), named);
        }
    }

    #[test]
    fn what_no_filter_tells_is_said() {
        let of = |object: &str, condition| command(0, &Question { object: object.to_owned(), condition });
        assert!(of("comment", Condition::Any).is_err_and(|why| why.contains("one record at a time")));
        assert!(of("contact", Condition::Filled("WEB".to_owned())).is_err());
        assert!(of("nonsense", Condition::Any).is_err());
        let year = |object: &str, field: &str| of(object, Condition::SinceYear(field.to_owned(), 2024));
        let calls = year("call", "CALL_START_DATE").unwrap();
        assert!(calls.text().contains("FILTER%5B%3E%3DCALL_START_DATE"), "{}", calls.text());
        assert!(year("task", "CREATED_DATE").is_ok() && year("product_price", "ID").is_err());
        let phone = of("contact", Condition::Filled("PHONE".to_owned())).unwrap();
        assert!(phone.text().contains("HAS_PHONE"), "{}", phone.text());
        let process = of("process 7", Condition::Filled("UF_CRM_5_X".to_owned())).unwrap();
        assert!(process.text().contains("entityTypeId=7") && process.text().contains("UF_CRM_5_X"));
    }
}
