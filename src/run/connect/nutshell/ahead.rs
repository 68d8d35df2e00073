//! What has to be so in an account before records arrive: whether fields that are there fit, which pipelines are out
//! of reach, and what Nutshell does by itself. The source of each fact is the section of the reference sheet.
//!
//! | question | who can tell |
//! | --- | --- |
//! | does a custom field that is there fit? | the definitions: type, choices, several (§6) |
//! | may the plan use a pipeline? | REST `stagesets`: `canAccess`, `status` (§2) |
//! | are more custom fields, more open leads allowed? | no API: the plan's name is not shown, and of the numbers only 100 open leads on Foundation is published (§7) |
//! | what happens when records arrive? | no API: automations, rules, webhooks and notifications are kept in the settings (§9.14) |

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::capability::{CUSTOM_TYPES, Kind, custom_base};
use super::client::Client;
use super::directory::{self, Directory, FieldRow};
use super::known::Known;
use crate::lang::plan::CustomField;
use crate::lang::types::Base;
use crate::run::connect::{ByHand, Coming, Error, HandWork, Presence, Provision, Unusable};

/// How many open leads the plan Foundation holds (sheet §7).
const FOUNDATION_LEADS: u64 = 100;

/// The names of what a person confirms, in the order in which it is told.
pub(super) const ITEMS: [&str; 9] = [
    "automations",
    "assignment-rules",
    "webhooks",
    "notifications",
    "calendar-sync",
    "mail-sync",
    "emails",
    "open-leads",
    "custom-fields",
];

/// What is wrong and what to do, in one sentence.
pub(super) fn sentence(lack: &ByHand) -> String {
    format!("{}: {}", lack.what, lack.next)
}

/// Whether something is there, by an account's directory.
pub(super) fn presence(directory: &Directory, what: &Provision) -> Presence {
    let there = |there: bool| if there { Presence::There } else { Presence::Missing };
    match what {
        Provision::Field(field) => {
            let Some(kind) = Kind::parse(&field.object) else {
                return Presence::Differs(vec![ByHand {
                    what: format!("`{}` has no custom fields", field.object),
                    next: super::unknown_object(&field.object),
                }]);
            };
            let lacks = match directory.field(kind, &field.label) {
                Some(row) => lacks(row, field),
                None => match type_word(kind, field) {
                    Ok(_) => return Presence::Missing,
                    Err(lack) => vec![lack],
                },
            };
            if lacks.is_empty() { Presence::There } else { Presence::Differs(lacks) }
        }
        Provision::Choice { domain, name } => match (domain.split_once('.'), kind_of(domain)) {
            (Some(("Lead", "sources")), _) => there(directory.sources.iter().any(|row| row.name == *name)),
            (Some((_, "tags")), Some(kind)) => {
                there(directory.tags.get(&kind).is_some_and(|tags| tags.contains(name)))
            }
            _ => Presence::Differs(vec![ByHand {
                what: format!("`{domain}` has no `{name}`"),
                next: "add it in the settings: the API adds no choices here".to_owned(),
            }]),
        },
    }
}

fn kind_of(domain: &str) -> Option<Kind> {
    Kind::parse(domain.split('.').next()?)
}

/// The API's word for the type of a field that is to be made.
pub(super) fn type_word(kind: Kind, field: &CustomField) -> Result<&'static str, ByHand> {
    let word = CUSTOM_TYPES.iter().find(|(word, _)| *word == field.kind).map(|(_, api)| *api);
    word.filter(|_| kind.custom_types().contains(&field.kind.as_str())).ok_or_else(|| ByHand {
        what: format!("`{}` of `{}` cannot be of type `{}`", field.label, field.object, field.kind),
        next: "name another type in the spec".to_owned(),
    })
}

/// Why a field that is there cannot take the values; empty where it can.
pub(super) fn lacks(row: &FieldRow, wanted: &CustomField) -> Vec<ByHand> {
    let text = |base: &Base| matches!(base, Base::Text { .. });
    let api = CUSTOM_TYPES.iter().find(|(word, _)| *word == wanted.kind).map_or("", |(_, api)| *api);
    let (is, should) =
        (custom_base(&row.word, &wanted.object, &row.name), custom_base(api, &wanted.object, &row.name));
    let CustomField { object, label, .. } = wanted;
    // Some accounts name no types.
    if !row.word.is_empty() && is != should && !(text(&is) && text(&should)) {
        return vec![ByHand {
            what: format!("`{label}` of `{object}` exists with the type `{}`, not `{api}`", row.word),
            next: "rename one of them, the API can change neither".to_owned(),
        }];
    }
    if !matches!(is, Base::Enum(_)) {
        return Vec::new();
    }
    let missing = wanted.choices.iter().filter(|choice| !row.choices.contains(choice));
    let mut lacks: Vec<ByHand> = missing
        .map(|choice| ByHand {
            what: format!("`{label}` of `{object}` has no choice `{choice}`"),
            next: "add it in the settings, the API cannot".to_owned(),
        })
        .collect();
    if wanted.many && !row.many {
        lacks.push(ByHand {
            what: format!("`{label}` of `{object}` takes one choice only"),
            next: "change it in the settings".to_owned(),
        });
    }
    lacks
}

/// Pipelines that no lead can be put into. Of several of one name, one that can be used is enough.
pub(super) async fn unusable_pipelines(client: &Client) -> Result<Vec<Unusable>, Error> {
    Ok(unusable(&directory::stageset_rows(client).await?))
}

fn unusable(rows: &[Json]) -> Vec<Unusable> {
    let mut found: Vec<Unusable> = Vec::new();
    let mut usable: Vec<String> = Vec::new();
    for row in rows {
        let Some(name) = directory::text(row, "name") else { continue };
        // 1 active, 2 draft, 3 retired; `canAccess` is what the plan allows (sheet §2).
        let (why, next) = match (directory::flag(row, "canAccess"), directory::number(row, "status")) {
            (Some(false), _) => (
                "the account's plan does not allow it",
                "take a larger plan, or name a pipeline that it allows in the spec",
            ),
            (_, Some(2)) => ("it is a draft", "make it active in the settings"),
            (_, Some(3)) => ("it is retired", "make it active in the settings"),
            _ => {
                usable.push(name);
                continue;
            }
        };
        let lack =
            ByHand { what: format!("the pipeline `{name}` cannot be used: {why}"), next: next.to_owned() };
        found.push(Unusable { name, lack });
    }
    found.retain(|one| !usable.contains(&one.name));
    found
}

/// What the settings call the rows of an enumeration.
pub(super) fn called(domain: &str) -> Option<&'static str> {
    Some(match domain {
        "Account.industry" => "industry",
        "Account.accountType" => "account type",
        "Account.territory" | "Contact.territory" => "territory",
        "Activity.type" => "activity type",
        "Lead.market" => "market",
        "Lead.sources" => "source",
        "Account.tags" | "Contact.tags" | "Lead.tags" => "tag",
        _ => return None,
    })
}

/// What of a probe's answers keeps these objects from being written.
pub(super) fn obstacles(known: &Known, objects: &BTreeSet<&str>) -> Vec<ByHand> {
    let since = known.since();
    let mut found = Vec::new();
    if known.rest() == Some(false) {
        found.push(ByHand {
            what: format!(
                "the account has no REST API{since}: custom fields can be neither made nor searched without"
            ),
            next: "take a plan that includes it, then probe again".to_owned(),
        });
    }
    if known.product_description() == Some(false) && objects.contains(Kind::Product.object()) {
        found.push(ByHand {
            what: format!(
                "products keep no description{since}, so no marker can stand in them, and a product whose answer is \
                 lost could be doubled"
            ),
            next: "leave the map to `Product` out and make the catalogue by hand, or probe again".to_owned(),
        });
    }
    if known.lead_value() == Some(false)
        && known.manual_value() == Some(false)
        && objects.contains(Kind::Lead.object())
    {
        found.push(ByHand {
            what: format!("neither API keeps the amount of a lead{since}"),
            next: "keep amounts in a custom field or in product lines, or probe again".to_owned(),
        });
    }
    found
}

/// What Nutshell may do by itself when these records arrive, and what its plan may not allow.
pub(super) fn hand_work(coming: &Coming, fields_there: Option<usize>) -> Vec<HandWork> {
    let mut work = Vec::new();
    let mut add = |applies: bool, item: &'static str, what: &str, next: &str| {
        if applies {
            work.push(HandWork { item, what: what.to_owned(), next: next.to_owned(), extent: 0 });
        }
    };
    let leads = coming.any_of(&["Lead"]);
    add(
        leads,
        "automations",
        "automations of a pipeline may act on leads that arrive, change stage or are closed: tasks, e-mails, moves",
        "switch them off in the settings until the migration is through",
    );
    add(
        leads,
        "assignment-rules",
        "assignment rules may give leads that arrive to other owners than the spec names",
        "switch them off in the settings until the migration is through",
    );
    // The objects that webhooks are kept for (sheet §3.2).
    add(
        coming.any_of(&["Account", "Contact", "Lead", "Activity", "Product"]),
        "webhooks",
        "webhooks may tell other systems of every record that arrives, which may then act on it",
        "switch them off in the settings, or see that their receivers ignore what the migration makes",
    );
    add(
        coming.any_of(&["Lead", "Note", "Task", "Activity"]),
        "notifications",
        "users may be notified of records that arrive and are theirs",
        "switch notifications off in the settings, or tell the users",
    );
    add(
        coming.any_of(&["Activity", "Task"]),
        "calendar-sync",
        "a calendar that is synchronised may take over activities that arrive and invite their participants; nothing documents whether it does",
        "disconnect users' calendars until the migration is through",
    );
    add(
        coming.any_of(&["Account", "Contact"]),
        "mail-sync",
        "a mailbox that is synchronised attaches messages to people whose addresses arrive; what it attaches looks like a person's work, so that a rollback keeps those records",
        "disconnect users' mailboxes until the migration is through",
    );
    add(
        coming.any_of(&["Email"]),
        "emails",
        "e-mails that are written stay for good, since no API deletes them; whom they are shown to, and under which date, \
         nothing documents",
        "migrate a few with `--ids` first, look at them in the account, then go on",
    );
    if let Some(records) = coming.records.get("Lead") {
        let many = records.map_or_else(|| "an unknown number of".to_owned(), |records| records.to_string());
        work.push(HandWork {
            item: "open-leads",
            what: format!(
                "the plan Foundation holds at most {FOUNDATION_LEADS} open leads, {many} leads come, and no API tells the plan"
            ),
            next: "look up the plan, and how many leads are open and will be".to_owned(),
            extent: records.unwrap_or(u64::MAX),
        });
    }
    let fields: u64 = coming.fields.values().sum();
    if fields > 0 {
        let each: Vec<String> = coming.fields.iter().map(|(object, n)| format!("{n} of {object}")).collect();
        work.push(HandWork {
            item: "custom-fields",
            what: format!(
                "{fields} custom {} to be made ({}) beside {} that are there, and only the plan Enterprise is published to \
                 have no limit",
                if fields == 1 { "field is" } else { "fields are" },
                each.join(", "),
                fields_there.map_or_else(|| "an unknown number".to_owned(), |there| there.to_string())
            ),
            next: "look up how many the plan allows; fields that are made stay, since no API deletes them".to_owned(),
            extent: fields,
        });
    }
    work
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn wanted(kind: &str, choices: &[&str], many: bool) -> CustomField {
        CustomField {
            object: "Lead".to_owned(),
            label: "Segment".to_owned(),
            kind: kind.to_owned(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            many,
        }
    }

    fn row(word: &str, choices: &[&str], many: bool) -> FieldRow {
        FieldRow {
            name: "Segment".to_owned(),
            word: word.to_owned(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            many,
        }
    }

    /// The rule anew, from the sheet's words: types agree (both kinds of text are one), and of choices all are there.
    fn fits(row: &FieldRow, wanted: &CustomField) -> bool {
        let class = |word: &str| match word {
            "text" | "long_text" | "Text" | "LongText" => "text".to_owned(),
            "enum" | "Decision" => "enum".to_owned(),
            other => other.to_lowercase(),
        };
        let same = row.word.is_empty() || class(&row.word) == class(&wanted.kind);
        let choices = wanted.choices.iter().all(|choice| row.choices.contains(choice));
        same && (class(&row.word) != "enum" || choices && (row.many || !wanted.many))
    }

    #[test]
    fn every_type_meets_every_type() {
        for (kind, _) in CUSTOM_TYPES {
            for (_, word) in CUSTOM_TYPES.iter().chain(&[("", "")]) {
                for (there, asked) in [(&["A", "B"][..], &["A"][..]), (&["A"], &["A", "B"]), (&["A"], &[])] {
                    for (is_many, wants_many) in [(true, true), (true, false), (false, true), (false, false)]
                    {
                        let (row, wanted) = (row(word, there, is_many), wanted(kind, asked, wants_many));
                        let lacks = lacks(&row, &wanted);
                        assert_eq!(lacks.is_empty(), fits(&row, &wanted), "{row:?} {wanted:?} {lacks:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_choice_that_is_missing_is_told() {
        let found = lacks(&row("Decision", &["B"], false), &wanted("enum", &["A", "B", "C"], true));
        let found: Vec<String> = found.iter().map(sentence).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("`A`") && found[1].contains("`C`") && found[2].contains("one choice only"));
    }

    #[test]
    fn what_is_missing_and_what_cannot_be_made_differ() {
        let mut directory = Directory::default();
        let field = |kind: &str| Provision::Field(wanted(kind, &[], false));
        assert_eq!(presence(&directory, &field("text")), Presence::Missing);
        assert!(matches!(presence(&directory, &field("number")), Presence::Differs(_)));
        directory.fields.insert(Kind::Lead, vec![row("Text", &[], false)]);
        assert_eq!(presence(&directory, &field("long_text")), Presence::There);
        assert!(matches!(presence(&directory, &field("date")), Presence::Differs(_)));
        let choice =
            |domain: &str| Provision::Choice { domain: domain.to_owned(), name: "Migrated".to_owned() };
        assert_eq!(presence(&directory, &choice("Contact.tags")), Presence::Missing);
        directory.tags.insert(Kind::Lead, vec!["Migrated".to_owned()]);
        assert_eq!(presence(&directory, &choice("Contact.tags")), Presence::Missing, "tags are per object");
        assert_eq!(presence(&directory, &choice("Lead.tags")), Presence::There);
        assert!(matches!(presence(&directory, &choice("Lead.market")), Presence::Differs(_)));
    }

    #[test]
    fn pipelines_out_of_reach_are_told_with_their_reason() {
        let rows = [
            json!({"name": "Sales", "status": 1, "canAccess": true}),
            json!({"name": "Partners", "status": 1, "canAccess": false}),
            json!({"name": "Old", "status": "3", "canAccess": true}),
            json!({"name": "Next", "status": 2}),
            json!({"name": "Plain"}),
            // The retired one of the same name does no harm.
            json!({"name": "Sales", "status": 3}),
        ];
        let found: Vec<(String, String)> =
            unusable(&rows).into_iter().map(|one| (one.name, one.lack.what)).collect();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Partners", "Old", "Next"]);
        assert!(
            found[0].1.contains("plan") && found[1].1.contains("retired") && found[2].1.contains("draft")
        );
    }

    #[test]
    fn hand_work_follows_what_comes() {
        let items = |objects: &[&str], fields: u64| -> Vec<&'static str> {
            let records = objects.iter().map(|object| ((*object).to_owned(), Some(7))).collect();
            let fields = BTreeMap::from([("Lead".to_owned(), fields)]);
            hand_work(&Coming { records, fields }, Some(4)).into_iter().map(|work| work.item).collect()
        };
        assert!(items(&[], 0).is_empty());
        let coming = Coming {
            records: BTreeMap::from([("Lead".to_owned(), Some(70))]),
            fields: BTreeMap::from([("Lead".to_owned(), 2), ("Account".to_owned(), 1)]),
        };
        let work = hand_work(&coming, Some(4));
        let of = |item: &str| {
            work.iter().find(|work| work.item == item).map(|work| work.what.clone()).expect("it")
        };
        assert!(of("open-leads").contains("at most 100 open leads, 70 leads come"), "{}", of("open-leads"));
        let fields = of("custom-fields");
        assert!(
            fields.starts_with("3 custom fields are to be made (1 of Account, 2 of Lead) beside 4"),
            "{fields}"
        );
        assert_eq!(items(&["Product"], 0), ["webhooks"]);
        assert_eq!(items(&["Note"], 0), ["notifications"]);
        assert_eq!(items(&["Contact"], 2), ["webhooks", "mail-sync", "custom-fields"]);
        assert_eq!(items(&Kind::ALL.map(Kind::object), 1), ITEMS);
    }
}
