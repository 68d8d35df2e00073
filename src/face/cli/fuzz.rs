//! `b2n check --fuzz N`: looks for a record that the destination would refuse.

use std::process::ExitCode;

use serde_json::json;

use crate::lang::fuzz::{Broken, Fuzzer, judge};
use crate::lang::plan::Plan;
use crate::lang::schema::{Object, Schema};
use crate::lang::value::Record;
use crate::run::engine::Progress;

use super::Format;
use super::failure::Failure;
use super::progress::Shown;
use super::terminal::{Terminal, count};

#[derive(Debug, clap::Args)]
pub struct FuzzArgs {
    /// Run this many generated records through the plan, and look for one that the destination would refuse.
    #[arg(long, value_name = "N")]
    pub fuzz: Option<u64>,
    /// With --fuzz: the same seed makes the same records.
    #[arg(long, value_name = "S", default_value_t = 1, requires = "fuzz")]
    pub seed: u64,
}

/// So many different troubles are shown; more of them say no more.
const MOST: usize = 10;

/// Runs the cases and prints what breaks. Exit code 1 when something does.
pub fn run(
    plan: &Plan,
    (source, target): (&Schema, &Schema),
    cases: u64,
    seed: u64,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let fuzzer = Fuzzer::new(plan, source, target, seed)
        .map_err(|why| Failure::usage(format!("the plan cannot be run: {why}")))?;
    let progress = Shown::new(*terminal);
    progress.begin("generated records", Some(cases));
    let mut found: Vec<Broken> = Vec::new();
    let mut ran = 0;
    for number in 0..cases {
        for broken in fuzzer.case(number) {
            let known =
                |other: &Broken| other.case.map == broken.case.map && other.violation.like(&broken.violation);
            if !found.iter().any(known) {
                found.push(broken);
            }
        }
        ran = number + 1;
        if ran % 256 == 0 {
            progress.at(ran);
        }
        if found.len() >= MOST {
            break;
        }
    }
    progress.at(ran);
    progress.end();
    match terminal.format {
        Format::Human => {
            for broken in &found {
                print!("{}", human(broken, plan, source, terminal));
            }
            let trouble = match found.len() {
                0 => format!("{} nothing that the destination would refuse", terminal.green("found")),
                1 => "found 1 trouble".to_owned(),
                n => format!("found {n} troubles"),
            };
            println!("{trouble} in {} generated records, seed {seed}", count(ran));
        }
        Format::Json => {
            let found: Vec<_> = found.iter().map(|broken| as_json(broken, plan, source)).collect();
            println!("{}", json!({"format": "b2n-fuzz/1", "seed": seed, "cases": ran, "found": found}));
        }
    }
    Ok(ExitCode::from(u8::from(!found.is_empty())))
}

fn human(broken: &Broken, plan: &Plan, source: &Schema, terminal: &Terminal) -> String {
    let map = &plan.maps[broken.case.map];
    let violation = &broken.violation;
    let (file, line) = plan.place(violation.line);
    let place = if violation.line == 0 { String::new() } else { format!(" ({file}:{line})") };
    let mut text = format!(
        "{}: `{}.{}` {}{place}\n  record  {}\n",
        terminal.red("broken"),
        map.name,
        violation.target,
        violation.kind.words(),
        shown(&map.source, &broken.case.record, source)
    );
    for (flatten, records) in &broken.case.folded {
        for record in records {
            let object = &plan.flattens[*flatten].source;
            text.push_str(&format!("  with    {}\n", shown(object, record, source)));
        }
    }
    text.push_str(&format!("  value   {}\n  takes   {}\n", violation.value, violation.takes));
    text
}

/// A record as fixtures write it: the fields that are filled.
fn shown(object: &str, record: &Record, source: &Schema) -> String {
    let fields: Vec<String> =
        filled(source.object(object), record).map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{object} {{ {} }}", fields.join(", "))
}

fn filled<'r>(object: Option<&'r Object>, record: &'r Record) -> impl Iterator<Item = (&'r str, String)> {
    let fields = object.map(|object| object.fields.as_slice()).unwrap_or_default();
    fields
        .iter()
        .zip(record)
        .filter(|(_, value)| !value.is_absent())
        .map(|(field, value)| (field.name.as_str(), judge::shown(value)))
}

fn as_json(broken: &Broken, plan: &Plan, source: &Schema) -> serde_json::Value {
    let map = &plan.maps[broken.case.map];
    let violation = &broken.violation;
    let (file, line) = plan.place(violation.line);
    let record = |object: &str, record: &Record| -> serde_json::Value {
        let fields: serde_json::Map<String, serde_json::Value> = filled(source.object(object), record)
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        json!({"object": object, "fields": fields})
    };
    let folded: Vec<_> = broken
        .case
        .folded
        .iter()
        .flat_map(|(flatten, records)| {
            records.iter().map(|child| record(&plan.flattens[*flatten].source, child))
        })
        .collect();
    json!({
        "case": broken.number, "map": map.name, "field": violation.target, "what": violation.kind.words(),
        "file": file, "line": line, "value": violation.value, "takes": violation.takes,
        "record": record(&map.source, &broken.case.record), "with": folded,
    })
}
