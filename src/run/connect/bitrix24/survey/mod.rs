//! What a portal tells of itself: plan, rights, what lies beside the objects; and what is known of every portal. The
//! source of each fact is the section of the reference sheet.

mod automation;

use serde_json::Value as Json;

pub(super) use self::automation::automation;
use super::client::{Client, malformed};
use super::schema::build::{rows, text};
use super::wire::{Batch, Command, Problem};
use crate::run::connect::Error;
use crate::run::connect::survey::{About, Beside, Caution, Counted, Facts, OutOfReach, Roles, Volume};

/// What the fields of an object mean (sheet §10).
pub(in crate::run::connect) fn roles(object: &str) -> Roles {
    let plain = Roles { created: Some("DATE_CREATE"), owner: Some("ASSIGNED_BY_ID"), ..Roles::default() };
    let people =
        Roles { phones: Some("PHONE"), emails: Some("EMAIL"), volume: Some(Volume::People), ..plain };
    match object {
        "company" => Roles { name: &["TITLE"], currency: Some("CURRENCY_ID"), ..people },
        "contact" => Roles { name: &["NAME", "LAST_NAME"], ..people },
        "lead" => Roles { currency: Some("CURRENCY_ID"), volume: None, ..plain },
        "deal" => Roles {
            currency: Some("CURRENCY_ID"),
            open: Some(("STAGE_SEMANTIC_ID", "P")),
            volume: Some(Volume::Deals),
            ..plain
        },
        "quote" => Roles { currency: Some("CURRENCY_ID"), ..plain },
        "product" => Roles { owner: None, currency: Some("CURRENCY_ID"), ..plain },
        "activity" => Roles {
            created: Some("CREATED"),
            owner: Some("RESPONSIBLE_ID"),
            kind: Some("TYPE_ID"),
            volume: Some(Volume::Activities),
            ..Roles::default()
        },
        "call" => Roles {
            created: Some("CALL_START_DATE"),
            owner: Some("PORTAL_USER_ID"),
            kind: Some("CALL_TYPE"),
            ..Roles::default()
        },
        "task" => Roles { created: Some("CREATED_DATE"), owner: Some("RESPONSIBLE_ID"), ..Roles::default() },
        "deal_history" | "lead_history" => Roles { created: Some("CREATED_TIME"), ..Roles::default() },
        "company_requisite" | "contact_requisite" => {
            Roles { created: Some("DATE_CREATE"), ..Roles::default() }
        }
        _ if super::extract::history_of(object).is_some() => {
            Roles { created: Some("CREATED_TIME"), ..Roles::default() }
        }
        "comment" => Roles { created: Some("CREATED"), owner: Some("AUTHOR_ID"), ..Roles::default() },
        _ if object.starts_with("process ") => Roles { created: Some("CREATED_TIME"), own: true, ..plain },
        _ => Roles::default(),
    }
}

/// How a stream beside the objects is counted.
struct Stream {
    name: &'static str,
    /// The object that a schema has instead, once records of it are extracted.
    object: &'static str,
    method: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    fate: &'static str,
}

const BESIDE: [Stream; 9] = [
    Stream {
        name: "tasks",
        object: "task",
        method: "tasks.task.list",
        parameters: &[("select[]", "ID"), ("start", "0")],
        fate: "tasks that hang on a record come with its activities; others stay",
    },
    Stream {
        name: "call statistics",
        object: "call",
        method: "voximplant.statistic.get",
        parameters: &[("start", "0")],
        fate: "they give calls their duration, result and recording",
    },
    Stream {
        name: "requisites",
        object: "company_requisite",
        method: "crm.requisite.list",
        parameters: &[("select[]", "ID"), ("start", "0")],
        fate: "addresses hang on them; the rest has no place in the destination",
    },
    Stream {
        name: "stage history of deals",
        object: "deal_history",
        method: "crm.stagehistory.list",
        parameters: &[("entityTypeId", "2"), ("select[]", "ID"), ("start", "0")],
        fate: "the destination keeps its own history from the day of the migration",
    },
    Stream {
        name: "smart invoices",
        object: "invoice",
        method: "crm.item.list",
        parameters: &[("entityTypeId", "31"), ("select[]", "id"), ("start", "0")],
        fate: "a gap: the destination's API creates no invoices",
    },
    Stream {
        name: "recurring deals",
        object: "",
        method: "crm.deal.recurring.list",
        parameters: &[("start", "0")],
        fate: "a gap: the destination repeats nothing by itself",
    },
    Stream {
        name: "departments",
        object: "department",
        method: "department.get",
        parameters: &[],
        fate: "teams are made by hand",
    },
    Stream {
        name: "open lines",
        object: "",
        method: "imopenlines.config.list.get",
        parameters: &[],
        fate: "a gap: chats stay in the portal",
    },
    Stream {
        name: "catalogues",
        object: "",
        method: "catalog.catalog.list",
        parameters: &[],
        fate: "products come; stores, price types and bundles do not",
    },
];

/// Why a method does not answer, with what is missing and the next step.
pub(super) fn refusal(method: &str, problem: &Problem) -> String {
    match problem.code.to_ascii_uppercase().as_str() {
        "INSUFFICIENT_SCOPE" => {
            let scope = scope_of(method);
            format!("the webhook lacks the scope `{scope}`: add it to the webhook and run this again")
        }
        "ERROR_METHOD_NOT_FOUND" => format!("this portal has no method `{method}`"),
        "ACCESS_DENIED" if problem.text.contains("pplication context") => {
            format!("`{method}` answers applications of the portal only, and a webhook is none")
        }
        "ACCESS_DENIED" => {
            format!(
                "`{method}` is refused ({problem}): its plan or the rights of the webhook's user do not allow it"
            )
        }
        _ => format!("`{method}` is refused: {problem}"),
    }
}

/// The scope that a method needs (sheet §1.3).
fn scope_of(method: &str) -> &'static str {
    match method.split('.').next().unwrap_or_default() {
        "tasks" | "task" => "task",
        "voximplant" => "telephony",
        "imopenlines" => "imopenlines",
        "catalog" => "catalog",
        "department" => "department",
        "bizproc" => "bizproc",
        "disk" => "disk",
        "user" => "user",
        _ => "crm",
    }
}

/// What the portal allows and keeps back: one request.
pub(super) async fn about(client: &Client) -> Result<About, Error> {
    let mut commands = vec![
        Command::new("profile", "profile", &[]),
        Command::new("scope", "scope", &[]),
        Command::new("app", "app.info", &[]),
        Command::new("base", "crm.currency.base.get", &[]),
    ];
    commands.extend(
        BESIDE
            .iter()
            .enumerate()
            .map(|(n, stream)| Command::new(format!("b{n}"), stream.method, stream.parameters)),
    );
    let answer = client.batch(&commands).await?;
    let batch =
        Batch::parse(answer.result()).ok_or_else(|| malformed("batch", "it is not the answer of a batch"))?;
    let tree = |name: &str| -> Json {
        batch.results.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    };
    let plan = tree("app").get("LICENSE").and_then(text);
    let (plan_note, bucket) = match &plan {
        Some(code) => licence(code),
        None => (
            "the portal does not tell a webhook its plan (a person finds it in the portal under subscription): the \
             smaller limits are reckoned with"
                .to_owned(),
            None,
        ),
    };
    let beside = BESIDE.iter().enumerate().map(|(n, stream)| {
        let name = format!("b{n}");
        let records = match (batch.problem(&name), batch.total(&name)) {
            (Some(problem), _) => Counted::Unknown(refusal(stream.method, &problem)),
            (None, Some(total)) => Counted::Known(total),
            (None, None) => {
                let answer = tree(&name);
                let inner = answer.get("catalogs").or_else(|| answer.get("tasks")).unwrap_or(&answer);
                Counted::Known(rows(inner).len() as u64)
            }
        };
        Beside { name: stream.name, object: stream.object, records, fate: stream.fate }
    });
    Ok(About {
        plan,
        plan_note,
        administrator: match tree("profile").get("ADMIN") {
            Some(Json::Bool(admin)) => Some(*admin),
            other => other.and_then(text).map(|admin| matches!(admin.as_str(), "Y" | "1" | "true")),
        },
        scopes: rows(&tree("scope")).into_iter().filter_map(text).collect(),
        bucket,
        base_currency: text(&tree("base")),
        beside: beside.collect(),
    })
}

/// What a licence means (sheet §10.24, §3.1).
fn licence(code: &str) -> (String, Option<(f64, f64)>) {
    let plan = code.split_once('_').map_or(code, |(_, plan)| plan);
    if plan.starts_with("ent") {
        return ("an Enterprise plan".to_owned(), Some((250.0, 5.0)));
    }
    let note = match plan {
        "project" => {
            "the free plan by its old name; that it answers at all means a trial or a Market subscription"
        }
        "selfhosted" => "on the customer's own server, whose limits its administrator sets",
        _ => "a commercial plan below Enterprise",
    };
    (note.to_owned(), Some((50.0, 2.0)))
}

/// Above these, a service by hand takes weeks longer.
const MANY_PEOPLE: u64 = 15_000;
const MANY_DEALS: u64 = 3_000;
const MANY_ACTIVITIES: u64 = 200_000;

/// Every warning about the portal.
pub(in crate::run::connect) fn cautions(facts: &Facts<'_>) -> Vec<Caution> {
    let plan = facts.about.and_then(|about| about.plan.as_deref());
    let free = plan.map(|code| code.ends_with("_project"));
    let (burst, drain) = facts.about.and_then(|about| about.bucket).unwrap_or((50.0, 2.0));
    let shown = |n: Option<u64>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let beyond = |n: Option<u64>, most: u64| n.map(|n| n > most);
    let volume = [
        beyond(facts.people, MANY_PEOPLE),
        beyond(facts.deals, MANY_DEALS),
        beyond(facts.activities, MANY_ACTIVITIES),
        Some(facts.own_objects > 0),
    ];
    let large = if volume.contains(&Some(true)) {
        Some(true)
    } else if volume.contains(&None) {
        None
    } else {
        Some(false)
    };
    vec![
        Caution {
            name: "free-plan",
            holds: free,
            what: "a free portal has no REST API, and is deleted after 50 days in which nobody used it; that its plan \
                   stops at 100 tasks is folklore that no documentation confirms"
                .to_owned(),
            next: "see that the plan or its trial lasts until the migration is signed off".to_owned(),
        },
        Caution {
            name: "request-limits",
            holds: Some(true),
            what: format!(
                "the portal takes {burst} requests at once and {drain} a second from one address, and of each method \
                 about 480 seconds of work in ten minutes; whatever else asks from the same address shares them"
            ),
            next: "stop other integrations on the machine that migrates, or give them another address".to_owned(),
        },
        Caution {
            name: "csv-incomplete",
            holds: Some(true),
            what: "the portal's CSV export is incomplete: no comments, links, product rows, files or history".to_owned(),
            next: "use it as a cross-check of counts only, never as the data".to_owned(),
        },
        Caution {
            name: "volume",
            holds: large,
            what: format!(
                "people and companies: {}, deals: {}, activities: {}, Smart Processes: {}; the timeline stretches above \
                 {MANY_PEOPLE}, {MANY_DEALS}, {MANY_ACTIVITIES} and 0",
                shown(facts.people),
                shown(facts.deals),
                shown(facts.activities),
                facts.own_objects
            ),
            next: "agree on the dates with the forecast below, and rehearse before they are promised".to_owned(),
        },
    ]
}

/// What no migration out of a portal moves.
pub(in crate::run::connect) const OUT_OF_REACH: &[OutOfReach] = &[
    OutOfReach {
        name: "smart invoices",
        why: "the destination's API creates no invoices",
        next: "export them as documents and keep them with the books",
    },
    OutOfReach {
        name: "recurring deals and meetings",
        why: "the destination's API has no recurrence: single records come, the rule that repeats them does not",
        next: "make the rule anew, in the calendar for meetings",
    },
    OutOfReach {
        name: "open lines",
        why: "chats with clients live outside the CRM, and their REST shows channels only",
        next: "export what must be kept in the portal under open lines, and connect the channels anew",
    },
    OutOfReach {
        name: "files",
        why: "the destination's API takes no files",
        next: "upload by hand what is needed; the ledger of files names every record that has one",
    },
    OutOfReach {
        name: "sequences",
        why: "no API exports them",
        next: "write them down in the portal and make them anew",
    },
    OutOfReach {
        name: "system entries of timelines",
        why: "REST reads comments and activities, not the history that the portal writes itself",
        next: "export a record's history by hand where somebody must be able to prove it",
    },
    OutOfReach {
        name: "workflows, robots and triggers",
        why: "rules of one system do not run in another",
        next: "rebuild them from `b2n inventory`",
    },
    OutOfReach {
        name: "documents and templates of documents",
        why: "they are the portal's own files",
        next: "export them in the portal",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_scope_or_the_method() {
        let problem = |code: &str| Problem { code: code.to_owned(), text: "x".to_owned() };
        let told = refusal("voximplant.statistic.get", &problem("insufficient_scope"));
        assert!(told.contains("`telephony`") && told.contains("add it to the webhook"), "{told}");
        assert!(refusal("crm.x", &problem("ERROR_METHOD_NOT_FOUND")).contains("no method `crm.x`"));
        assert!(refusal("crm.x", &problem("ACCESS_DENIED")).contains("rights"));
        let text = "Access denied! Application context required".to_owned();
        let told = refusal("bizproc.robot.list", &Problem { code: "ACCESS_DENIED".to_owned(), text });
        assert!(told.contains("applications of the portal only"), "{told}");
    }

    #[test]
    fn licences_decide_the_bucket() {
        assert_eq!(licence("de_ent250").1, Some((250.0, 5.0)));
        assert_eq!(licence("de_std").1, Some((50.0, 2.0)));
        assert!(licence("ru_project").0.contains("free"));
    }

    #[test]
    fn an_unknown_volume_is_not_called_small() {
        let volume = |facts: &Facts<'_>| {
            cautions(facts).into_iter().find(|c| c.name == "volume").expect("it is there").holds
        };
        let small = Facts { people: Some(1), deals: Some(1), activities: Some(1), ..Facts::default() };
        assert_eq!(volume(&small), Some(false));
        assert_eq!(volume(&Facts { activities: None, ..small }), None);
        assert_eq!(volume(&Facts { activities: None, deals: Some(3_001), ..small }), Some(true));
        assert_eq!(volume(&Facts { own_objects: 1, ..small }), Some(true));
    }
}
