//! What works by itself in a portal: workflow templates, robots, triggers (sheet §10.25).
//!
//! REST lists workflow templates, and of robots and triggers only those that the calling application registered, which
//! a webhook is not. Bodies of templates are not read: constants in them may hold anybody's address.

use serde_json::Value as Json;

use super::refusal;
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, malformed};
use crate::run::connect::bitrix24::schema::build::{rows, text};
use crate::run::connect::bitrix24::wire::{Batch, Command};
use crate::run::connect::survey::{Automation, Counted, Unlisted, Workflow};

const TEMPLATES: &str = "bizproc.workflow.template.list";
const INSTANCES: &str = "bizproc.workflow.instances";
const ROBOTS: &str = "bizproc.robot.list";
const TRIGGERS: &str = "crm.automation.trigger.list";
/// Rows of a page (sheet §4).
const PAGE: usize = 50;
const SELECT: [&str; 8] =
    ["ID", "NAME", "MODULE_ID", "ENTITY", "DOCUMENT_TYPE", "AUTO_EXECUTE", "MODIFIED", "USER_ID"];

/// Everything that works by itself, as far as it can be listed.
pub(in crate::run::connect::bitrix24) async fn automation(client: &Client) -> Result<Automation, Error> {
    let commands = [
        templates("t0", 0),
        Command::new("running", INSTANCES, &[("select[]", "ID")]),
        Command::new("robots", ROBOTS, &[]),
        Command::new("triggers", TRIGGERS, &[]),
    ];
    let answer = client.batch(&commands).await?;
    let batch = parse(answer.result())?;
    let mut out = Automation::default();
    let mut unlisted = |name: &str, method: &str, what: &'static str, place: &'static str| -> bool {
        let Some(problem) = batch.problem(name) else { return false };
        out.unlisted.push(Unlisted { what, why: refusal(method, &problem), place });
        true
    };
    let no_templates = unlisted(
        "t0",
        TEMPLATES,
        "workflow templates",
        "in the portal under CRM, settings, automation, workflow designer",
    );
    let no_robots = unlisted(
        "robots",
        ROBOTS,
        "robots that applications registered",
        "in the portal under CRM, the object's board, automation rules",
    );
    let no_triggers = unlisted(
        "triggers",
        TRIGGERS,
        "triggers that applications registered",
        "in the portal under CRM, the object's board, automation rules",
    );
    out.unlisted.push(Unlisted {
        what: "robots and triggers that people built in the portal",
        why: "no REST method lists them, whatever the rights".to_owned(),
        place: "in the portal under CRM, the object's board, automation rules: one list per pipeline and stage",
    });
    let result = |name: &str| -> Json {
        batch.results.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    };
    out.running = Some(match batch.problem("running") {
        Some(problem) => Counted::Unknown(refusal(INSTANCES, &problem)),
        None => Counted::Known(batch.total("running").unwrap_or(rows(&result("running")).len() as u64)),
    });
    if !no_robots {
        out.robots = rows(&result("robots")).into_iter().filter_map(text).collect();
    }
    if !no_triggers {
        let codes = |row: &Json| row.get("CODE").and_then(text);
        out.triggers = rows(&result("triggers")).into_iter().filter_map(codes).collect();
    }
    if !no_templates {
        let total = batch.total("t0").unwrap_or(0) as usize;
        let mut found: Vec<Json> = rows(&result("t0")).into_iter().cloned().collect();
        let mut start = PAGE;
        while start < total {
            let pages: Vec<Command> = (start..total)
                .step_by(PAGE)
                .take(PAGE)
                .map(|start| templates(&format!("t{start}"), start))
                .collect();
            let answer = client.batch(&pages).await?;
            let batch = parse(answer.result())?;
            for page in &pages {
                if let Some(problem) = batch.problem(&page.name) {
                    return Err(malformed(
                        TEMPLATES,
                        format!("a page after the first is refused: {problem}"),
                    ));
                }
                let page = batch.results.get(&page.name).map(|raw| raw.get()).unwrap_or("[]");
                let page: Json =
                    serde_json::from_str(page).map_err(|e| malformed(TEMPLATES, e.to_string()))?;
                found.extend(rows(&page).into_iter().cloned());
            }
            start += PAGE * pages.len();
        }
        if found.len() < total {
            let why = format!("{} workflow templates came of the {total} that it counts", found.len());
            return Err(malformed(TEMPLATES, why));
        }
        let mut workflows: Vec<Workflow> = found.iter().map(workflow).collect();
        workflows.sort_by(|a, b| (&a.object, &a.name, &a.id).cmp(&(&b.object, &b.name, &b.id)));
        workflows.dedup_by(|a, b| a.id == b.id);
        out.workflows = Some(workflows);
    }
    Ok(out)
}

fn parse(result: &serde_json::value::RawValue) -> Result<Batch<'_>, Error> {
    Batch::parse(result).ok_or_else(|| malformed("batch", "it is not the answer of a batch"))
}

fn templates(name: &str, start: usize) -> Command {
    let start = start.to_string();
    let mut command = Command::new(name, TEMPLATES, &[("ORDER[ID]", "ASC"), ("start", &start)]);
    command.parameters.extend(SELECT.iter().map(|field| ("SELECT[]".to_owned(), (*field).to_owned())));
    command
}

fn workflow(row: &Json) -> Workflow {
    let part = |name: &str| row.get(name).and_then(text);
    let document = part("DOCUMENT_TYPE").unwrap_or_default();
    let object = match document.as_str() {
        "DEAL" => "deal".to_owned(),
        "LEAD" => "lead".to_owned(),
        "CONTACT" => "contact".to_owned(),
        "COMPANY" => "company".to_owned(),
        "QUOTE" => "quote".to_owned(),
        "SMART_INVOICE" => "smart invoice".to_owned(),
        other => match other.strip_prefix("DYNAMIC_") {
            Some(kind) => format!("process {kind}"),
            None if part("MODULE_ID").as_deref() == Some("crm") => other.to_lowercase(),
            None => {
                format!("outside the CRM ({})", part("MODULE_ID").unwrap_or_else(|| "unnamed".to_owned()))
            }
        },
    };
    Workflow {
        id: part("ID").unwrap_or_default(),
        name: part("NAME").unwrap_or_else(|| "without a name".to_owned()),
        object,
        starts: match part("AUTO_EXECUTE").as_deref() {
            Some("1") => "when a record is made",
            Some("2") => "when a record is changed",
            Some("3") => "when a record is made or changed",
            Some("0") => "by hand",
            _ => "not told",
        },
        modified: part("MODIFIED").map(|at| at.chars().take(10).collect()),
        user: part("USER_ID"),
    }
}
