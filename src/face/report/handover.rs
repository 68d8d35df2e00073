//! What somebody needs who finishes a migration by hand: the inventory of automation and the gap report.

use jiff::civil::Date;
use serde::Serialize;

use super::{Paper, number, told};
use crate::lang::doc::Document;
use crate::run::connect::survey::{Automation, Unlisted, Workflow};
use crate::run::engine::discovery::{Gaps, SchemaMap};

/// A box to tick.
const BOX: &str = "☐";

/// The inventory of what works by itself in an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inventory {
    /// Its version.
    pub format: &'static str,
    /// The account.
    pub account: String,
    /// The day it was made, in UTC.
    pub taken: Date,
    /// What was found.
    #[serde(flatten)]
    pub automation: Automation,
}

/// The inventory as a checklist.
pub fn inventory(inventory: &Inventory) -> Document {
    let mut paper = Paper::new(format!("Inventory of automation of {}", inventory.account));
    let automation = &inventory.automation;
    let workflows = automation.workflows.as_deref();
    paper.facts(vec![
        ("account", inventory.account.clone()),
        ("made on", inventory.taken.to_string()),
        ("workflows", workflows.map_or_else(|| "not told".to_owned(), |all| number(all.len() as u64))),
        ("running now", automation.running.as_ref().map_or_else(|| "not told".to_owned(), told)),
    ]);
    paper.heading(2, "Workflows to rebuild");
    let row = |workflow: &Workflow| {
        vec![
            BOX.to_owned(),
            workflow.object.clone(),
            workflow.name.clone(),
            workflow.starts.to_owned(),
            workflow.modified.clone().unwrap_or_default(),
            workflow.user.clone().unwrap_or_default(),
            workflow.id.clone(),
        ]
    };
    let otherwise = if workflows.is_some() { "There are none." } else { "They cannot be listed: see below." };
    let rows = workflows.unwrap_or_default().iter().map(row).collect();
    paper.table(&["done", "object", "workflow", "starts", "changed on", "by user", "id"], rows, otherwise);
    for (title, codes) in [
        ("Robots that applications registered", &automation.robots),
        ("Triggers that applications registered", &automation.triggers),
    ] {
        if !codes.is_empty() {
            paper.heading(2, title);
            let rows = codes.iter().map(|code| vec![BOX.to_owned(), code.clone()]).collect();
            paper.table(&["done", "code"], rows, "");
        }
    }
    paper.heading(2, "What cannot be listed, and where a person finds it");
    let row =
        |line: &Unlisted| vec![BOX.to_owned(), line.what.to_owned(), line.why.clone(), line.place.to_owned()];
    paper.table(&["done", "what", "why", "where"], automation.unlisted.iter().map(row).collect(), "Nothing.");
    paper.0
}

fn known(number: Option<u64>) -> String {
    number.map_or_else(|| "unknown".to_owned(), super::number)
}

/// The gap report.
pub fn gaps(gaps: &Gaps) -> Document {
    let mut paper = Paper::new(format!("What does not move from {} to {}", gaps.source, gaps.target));
    let title = |title: &Option<String>| title.clone().unwrap_or_default();
    let lost = gaps.fields.iter().filter(|field| field.gap).count() as u64;
    paper.facts(vec![
        ("plan", gaps.plan.clone()),
        ("fields without a place", number(lost)),
        ("fields left behind on purpose", number(gaps.fields.len() as u64 - lost)),
        ("objects that nothing reads", number(gaps.objects.len() as u64)),
        ("fields with files", number(gaps.uploads.len() as u64)),
    ]);
    paper.heading(2, "Fields that do not move");
    let rows = gaps.fields.iter().map(|field| {
        let what = if field.gap { "gap" } else { "left" };
        vec![
            format!("{}.{}", field.object, field.field),
            what.to_owned(),
            title(&field.title),
            known(field.filled),
            field.reason.clone(),
            field.at.clone(),
        ]
    });
    let head = ["field", "kind", "title", "records with a value", "why", "line"];
    paper.table(&head, rows.collect(), "Every field is read.");
    paper.heading(2, "Objects that do not move");
    let rows = gaps.objects.iter().map(|object| {
        vec![object.object.clone(), title(&object.title), known(object.records), object.why.clone()]
    });
    paper.table(&["object", "title", "records", "why"], rows.collect(), "Every object is read.");
    paper.heading(2, "Out of reach of any spec");
    let rows = gaps
        .out_of_reach
        .iter()
        .map(|line| vec![BOX.to_owned(), line.name.to_owned(), line.why.to_owned(), line.next.to_owned()]);
    paper.table(&["done", "what", "why", "what to do"], rows.collect(), "Nothing.");
    paper.heading(2, "Fields of the destination that no call writes");
    let rows = gaps.unwritten.iter();
    let rows = rows
        .map(|line| vec![line.map.clone(), line.object.clone(), line.field.to_owned(), line.why.to_owned()]);
    paper.table(&["map", "object", "field", "why, and what to do instead"], rows.collect(), "None.");
    paper.heading(2, "Files to upload by hand");
    paper.say("The destination's API takes no files. Sizes stand in the ledger of files, where it has them.");
    let rows = gaps.uploads.iter().map(|line| {
        vec![BOX.to_owned(), line.object.clone(), line.field.clone(), known(line.records), known(line.files)]
    });
    paper.table(&["done", "object", "field", "records", "files"], rows.collect(), "No field holds files.");
    paper.heading(2, "To be made by hand before records arrive");
    let rows = gaps.by_hand.iter();
    let rows = rows.map(|line| vec![BOX.to_owned(), line.kind.clone(), line.of.clone(), line.name.clone()]);
    paper.table(&["done", "what", "of", "name"], rows.collect(), "Nothing.");
    if !gaps.open.is_empty() {
        paper.heading(2, "Still to be decided in the spec");
        paper.table(&["what"], gaps.open.iter().map(|line| vec![line.clone()]).collect(), "");
    }
    for map in &gaps.schema_maps {
        schema_map(&mut paper, map);
    }
    paper.0
}

/// The schema of an object, for whoever rebuilds it.
fn schema_map(paper: &mut Paper, map: &SchemaMap) {
    let verdict = &map.verdict;
    let name = verdict
        .title
        .as_ref()
        .map_or_else(|| verdict.object.clone(), |t| format!("{} ({t})", verdict.object));
    paper.heading(2, format!("Schema map of {name}"));
    paper.say(if verdict.simple {
        "It is simple: a `flatten` in the spec folds it into the record that it belongs to.".to_owned()
    } else {
        format!("It is complex: {}.", verdict.reasons.join("; "))
    });
    let rows = map.fields.iter().filter(|field| field.custom || field.filled != Some(0)).map(|field| {
        vec![
            field.name.clone(),
            field.title.clone().unwrap_or_default(),
            field.ty.clone(),
            if field.custom { "yes" } else { "no" }.to_owned(),
            known(field.filled),
            field.choices.join(", "),
        ]
    });
    paper.table(
        &["field", "title", "type", "custom", "filled", "choices"],
        rows.collect(),
        "It has no fields.",
    );
    let rows = map.relations.iter().map(|relation| vec![relation.field.clone(), relation.to.clone()]);
    paper.table(&["link", "leads to"], rows.collect(), "It links to nothing.");
    let rows = map.pipelines.iter().map(|line| vec![line.name.clone(), line.stages.join(" → ")]);
    paper.table(&["pipeline", "stages"], rows.collect(), "It has no pipelines.");
}
