//! `b2n plan`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::face::report::html;
use crate::face::report::plan::{Input, document};
use crate::lang::doc::Document;
use crate::lang::plan::Plan;
use crate::run::connect::Limits;
use crate::run::engine::{Floor, Phase, RunReport, Volume, floor, most};

use super::arrives;
use super::failure::Failure;
use super::fresh::Fresh;
use super::lines::{say, tell};
use super::project::Project;
use super::terminal::{Terminal, count, duration};
use super::{Format, PaceArgs, SpecArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Write the plan as a page that opens offline.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let limits = crate::run::connect::limits(args.pace.pace());
    let volume = volume(&ready.plan);
    let (floor, most) = (floor(&ready.plan, &volume, &limits), most(&ready.plan, &volume, &limits));
    if let Some(path) = &args.html {
        let mut file = Fresh::create(path)?;
        file.write(&html::document(&page(&ready.plan, &floor, &most, &limits)))?;
        file.finish()?;
        eprintln!("wrote {}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    match terminal.format {
        Format::Human => {
            show(&ready.plan, &floor, &limits, terminal);
            show_forecast(&floor, &most, &args.spec.spec, terminal);
        }
        Format::Json => println!(
            "{}",
            json!({
                "format": "b2n-plan/1", "hash": ready.plan.hash(), "floor": floor_json(&floor),
                "forecast": floor_json(&most), "fields": arrives::as_json(&ready.plan), "plan": ready.plan,
            })
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// The plan as a page.
fn page(plan: &Plan, floor: &Floor, most: &Floor, limits: &Limits) -> Document {
    let arrives = arrives::lines(plan).into_iter().map(|line| {
        vec![
            format!("{} → {}", line.map, line.object),
            line.field,
            line.arrives.word().to_owned(),
            line.why.join("; "),
            line.by.unwrap_or_default(),
        ]
    });
    document(&Input {
        plan,
        floor,
        most,
        limits,
        arrives: arrives.collect(),
        made: grouped(plan, |kind| kind == "open choice"),
        by_hand: grouped(plan, |kind| kind != "open choice"),
    })
}

/// Records per object, as the snapshot's statistics have them.
pub fn volume(plan: &Plan) -> Volume {
    let known = |object: &str| {
        let map = plan.maps.iter().find(|map| map.source == object).map(|map| map.records);
        let flatten = || plan.flattens.iter().find(|f| f.source == object).map(|f| f.records);
        map.or_else(flatten).flatten()
    };
    Volume::of(plan, known)
}

fn show(plan: &Plan, floor: &Floor, limits: &Limits, terminal: &Terminal) {
    say!(
        terminal,
        "{} {} ({}) -> {} ({})",
        terminal.bold("plan"),
        plan.source.connector,
        plan.source.account,
        plan.target.connector,
        plan.target.account
    );
    say!(terminal, "  hash {}", plan.hash());
    println!();
    say!(terminal, "{}", terminal.bold("records, by the snapshot's statistics"));
    let rows: Vec<Vec<String>> = plan
        .maps
        .iter()
        .map(|map| {
            let custom = map.targets.iter().filter(|target| target.custom).count();
            vec![
                format!("{} -> {}", map.name, map.target),
                match map.records {
                    None => "unknown".to_owned(),
                    Some(records) if map.split.is_some() => format!("at most {}", count(records)),
                    Some(records) => count(records),
                },
                map.rules.len().to_string(),
                custom.to_string(),
                map.dropped.len().to_string(),
            ]
        })
        .collect();
    tell!(
        terminal,
        "{}",
        terminal.table(&["map", "records", "rules", "custom fields", "fields dropped"], &rows)
    );
    println!();
    show_beside(plan, terminal);
    arrives::show(plan, terminal);
    say!(terminal, "{}", terminal.bold("custom fields to create where they are missing"));
    if plan.provision.is_empty() {
        say!(terminal, "  none but the marker's");
    }
    for field in &plan.provision {
        let choices =
            if field.choices.is_empty() { String::new() } else { format!(": {}", field.choices.join(", ")) };
        let kind = if field.many { format!("[{}]", field.kind) } else { field.kind.clone() };
        say!(terminal, "  {} `{}` {kind}{choices}", field.object, field.label);
    }
    println!();
    let open = grouped(plan, |kind| kind == "open choice");
    if !open.is_empty() {
        say!(terminal, "{}", terminal.bold("values to create where they are missing"));
        for (what, names) in open {
            say!(terminal, "  {what}: {names}");
        }
        println!();
    }
    say!(
        terminal,
        "{}",
        terminal.bold("must be there before any record moves, and only a person can make it")
    );
    for (what, names) in grouped(plan, |kind| kind != "open choice") {
        say!(terminal, "  {what}: {names}");
    }
    println!();
    say!(terminal, "{}", terminal.bold("phases"));
    for (index, phase) in plan.phases.iter().enumerate() {
        let names: Vec<&str> = phase.iter().map(|map| plan.maps[*map as usize].name.as_str()).collect();
        let calls = floor.phases.get(index).map_or(0, Phase::calls);
        say!(terminal, "  {}. {}: {} calls", index + 1, names.join(", "), count(calls));
    }
    println!();
    show_floor(floor, limits, terminal);
}

/// What is not a map's own: splits, what is folded, notes, second passes, limits of a run. Nothing without any.
fn show_beside(plan: &Plan, terminal: &Terminal) {
    let records = |records: Option<u64>| records.map_or_else(|| "unknown".to_owned(), count);
    let mut lines = Vec::new();
    for (index, split) in plan.splits.iter().enumerate() {
        let maps = plan.maps.iter().filter(|map| map.split.map(usize::from) == Some(index));
        let (names, all): (Vec<&str>, Vec<Option<u64>>) =
            maps.map(|map| (map.name.as_str(), map.records)).unzip();
        let all = records(all.first().copied().flatten());
        lines.push(format!("split {}: {all} records between {}", split.source, names.join(", ")));
    }
    for flatten in &plan.flattens {
        let into = &plan.maps[usize::from(flatten.into)];
        let all = records(flatten.records);
        lines.push(format!("{} into {} -> {}: {all} records folded", flatten.source, into.name, into.target));
    }
    for (index, map) in plan.maps.iter().enumerate() {
        let folded = plan.flattens.iter().filter(|flatten| usize::from(flatten.into) == index);
        let of_folded: usize = folded.clone().map(|flatten| flatten.notes.len()).sum();
        let notes = map.notes.len() + of_folded;
        if notes > 0 {
            lines.push(format!(
                "notes of {}: {notes} kinds, a record each where they say something",
                map.name
            ));
        }
        let rules = map.rules.iter().chain(folded.flat_map(|flatten| &flatten.rules));
        let later = rules.filter(|rule| rule.second_pass).count();
        if later > 0 {
            lines.push(format!(
                "second pass of {}: {later} {}, at most {} reads and as many edits each",
                map.name,
                if later == 1 { "field" } else { "fields" },
                records(map.records)
            ));
        }
    }
    for limit in &plan.budget {
        let at_most = if limit.share {
            format!("{}%", (limit.at_most * rust_decimal::Decimal::ONE_HUNDRED).normalize())
        } else {
            limit.at_most.normalize().to_string()
        };
        lines.push(format!("budget: {} at most {at_most}", limit.what));
    }
    if lines.is_empty() {
        return;
    }
    say!(
        terminal,
        "{}",
        terminal
            .bold("beside the maps; the floor counts none of it, since only the rules tell how much it is")
    );
    for line in lines {
        say!(terminal, "  {line}");
    }
    println!();
}

/// Requirements by what they are and where they belong, names in one line.
pub fn grouped(plan: &Plan, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for requirement in plan.requires.iter().filter(|requirement| wanted(&requirement.kind)) {
        let kind = requirement.kind.strip_prefix("open ").unwrap_or(&requirement.kind);
        let what = if requirement.of.is_empty() {
            format!("{kind}s")
        } else {
            format!("{kind}s of {}", requirement.of)
        };
        groups.entry(what).or_default().push(&requirement.name);
    }
    groups.into_iter().map(|(what, names)| (what, names.join(", "))).collect()
}

/// The floor with every term.
pub fn show_floor(floor: &Floor, limits: &Limits, terminal: &Terminal) {
    say!(terminal, "{} {}", terminal.bold("floor of time"), duration(floor.total_s()));
    say!(
        terminal,
        "  extraction {}: {} requests; bucket {} ({} at once, then {} a second), operating budget {} ({} s of work per method in 10 min), server {} ({} s a page)",
        duration(floor.extraction_s()),
        count(floor.requests),
        duration(floor.rate_s),
        limits.burst,
        limits.drain_per_s,
        duration(floor.operating_s),
        limits.operating_s,
        duration(floor.server_s),
        limits.page_s
    );
    say!(
        terminal,
        "    a snapshot's statistics cost that once more, and nothing with `b2n snapshot bitrix24 --from WORKSPACE`"
    );
    say!(
        terminal,
        "  loading {}: at {} calls a second, or {} in flight with {} s each",
        duration(floor.loading_s()),
        limits.rate_per_s,
        limits.in_flight,
        limits.latency_s
    );
    tell!(terminal, "{}", places(floor));
}

/// A line per phase, and one for the end.
fn places(floor: &Floor) -> String {
    let line = |name: String, phase: &Phase| {
        let reads = if phase.reads > 0 { format!(", {} reads", count(phase.reads)) } else { String::new() };
        format!(
            "    {name} {}: {} calls ({} writes{reads}, {} pages of lists)\n",
            duration(phase.seconds),
            count(phase.calls()),
            count(phase.writes),
            count(phase.lists)
        )
    };
    let phases = floor.phases.iter().enumerate();
    let mut text: String = phases.map(|(index, phase)| line(format!("phase {}", index + 1), phase)).collect();
    text.push_str(&line("end".to_owned(), &floor.end));
    text
}

/// What a run may come to, in the floor's terms.
fn show_forecast(floor: &Floor, most: &Floor, spec: &std::path::Path, terminal: &Terminal) {
    say!(
        terminal,
        "{} {} to {}: at most every record reaches every map that it can, every note says something, every second pass \
         writes, and every record is read by itself when it is compared",
        terminal.bold("forecast"),
        duration(floor.total_s()),
        duration(most.total_s())
    );
    tell!(terminal, "{}", places(most));
    say!(
        terminal,
        "  beside it: searches where the destination holds records already, and what goes wrong; `b2n rehearse {}` runs all of it",
        spec.display()
    );
}

/// How a run stands to its floor, in a line; empty where it sent nothing.
pub fn ratio_line(run: &RunReport, limits: &Limits) -> String {
    let Some(spent) = &run.spent else { return String::new() };
    let Some(ratio) = spent.ratio(limits) else { return String::new() };
    let floor = spent.floor(limits);
    let (mut writes, mut reads, mut lists) = (0, 0, 0);
    for phase in floor.phases.iter().chain([&floor.end]) {
        writes += phase.writes;
        reads += phase.reads;
        lists += phase.lists;
    }
    format!(
        "loading took {}, {ratio:.2} of its floor of {} ({} writes, {} reads, {} pages of lists, at {} calls a second or {} in \
         flight with {} s each)\n",
        duration(spent.loading_ms as f64 / 1000.0),
        duration(floor.loading_s()),
        count(writes),
        count(reads),
        count(lists),
        limits.rate_per_s,
        limits.in_flight,
        limits.latency_s
    )
}

/// How a run stands to its floor, for programs.
pub fn ratio_json(run: &RunReport, limits: &Limits) -> serde_json::Value {
    let Some(spent) = &run.spent else { return serde_json::Value::Null };
    let floor = spent.floor(limits);
    json!({
        "loading_s": spent.loading_ms as f64 / 1000.0, "floor_s": floor.loading_s(), "ratio": spent.ratio(limits),
        "phases": floor.phases.iter().map(phase_json).collect::<Vec<_>>(), "end": phase_json(&floor.end),
    })
}

fn phase_json(phase: &Phase) -> serde_json::Value {
    json!({
        "calls": phase.calls(), "writes": phase.writes, "reads": phase.reads, "lists": phase.lists,
        "seconds": phase.seconds,
    })
}

/// The floor for programs.
pub fn floor_json(floor: &Floor) -> serde_json::Value {
    json!({
        "total_s": floor.total_s(), "scan_s": floor.extraction_s(), "extraction_s": floor.extraction_s(), "requests": floor.requests, "rate_s": floor.rate_s,
        "operating_s": floor.operating_s, "server_s": floor.server_s, "loading_s": floor.loading_s(),
        "phases": floor.phases.iter().map(phase_json).collect::<Vec<_>>(), "end": phase_json(&floor.end),
    })
}
