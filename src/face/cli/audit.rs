//! `b2n audit`

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::run::engine;
use crate::run::workspace::{AuditLine, Side, Workspace};

use super::failure::Failure;
use super::findings::Shape;
use super::fresh::Fresh;
use super::project::Project;
use super::terminal::{Terminal, count, moment};
use super::{SpecArgs, WorkspaceArgs, csv};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Write it into this file, which only its owner can read.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave out what the destination said, and why people decided.
    #[arg(long)]
    no_reasons: bool,
}

/// Where the log goes, a line at a time.
enum Out {
    Screen(BufWriter<std::io::Stdout>),
    File(Fresh),
}

impl Out {
    fn put(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            Out::Screen(out) => match out.write_all(text.as_bytes()) {
                // Whoever read it has gone, as with `| head`.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
                other => other.map_err(|error| Failure::outside(format!("standard output: {error}"))),
            },
            Out::File(file) => file.write(text),
        }
    }

    fn end(self) -> Result<(), Failure> {
        match self {
            Out::Screen(mut out) => match out.flush() {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                other => other.map_err(|error| Failure::outside(format!("standard output: {error}"))),
            },
            Out::File(file) => file.finish(),
        }
    }
}

const HEAD: [&str; 13] =
    ["at", "ended", "what", "object", "id", "map", "key", "step", "state", "payload", "who", "reason", "seq"];

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let workspace = Workspace::open_existing(&args.workspace.path(&args.spec.spec))?;
    let objects = engine::destinations(&ready.plan);
    let mut out = match &args.output {
        Some(path) => Out::File(Fresh::create(path)?),
        None => Out::Screen(BufWriter::new(std::io::stdout())),
    };
    let shape = terminal.findings;
    match shape {
        Shape::Csv => out.put(&csv::line(&HEAD))?,
        Shape::Json => {
            let (source, target) = (workspace.pinned(Side::Source)?, workspace.pinned(Side::Target)?);
            let head = json!({
                "format": "b2n-audit/1", "workspace": workspace.path().display().to_string(), "source": source,
                "target": target,
            });
            // The lines follow one by one, however many there are.
            let head = head.to_string();
            out.put(&format!("{},\"lines\":[", head.trim_end_matches('}')))?;
        }
        _ => {}
    }
    let mut first = true;
    let lines = workspace.audit(|mut line| -> Result<(), Failure> {
        if args.no_reasons {
            line.reason = None;
        }
        let text = match shape {
            Shape::Csv => in_csv(&line, &objects),
            Shape::Json => {
                let comma = if std::mem::take(&mut first) { "" } else { "," };
                format!("{comma}\n{}", in_json(&line, &objects))
            }
            _ => for_people(&line, &objects),
        };
        out.put(&text)
    })?;
    if shape == Shape::Json {
        out.put("\n]}\n")?;
    }
    out.end()?;
    if let Some(path) = &args.output {
        workspace.exported(path, jiff::Timestamp::now().as_millisecond())?;
        eprintln!("{} lines are in {}", count(lines), path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn object<'o>(line: &AuditLine, objects: &'o BTreeMap<String, String>) -> &'o str {
    objects.get(&line.map).map_or("", String::as_str)
}

fn in_csv(line: &AuditLine, objects: &BTreeMap<String, String>) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    csv::line(&[
        &moment(line.at_ms),
        &line.ended_ms.map(moment).unwrap_or_default(),
        line.what,
        object(line, objects),
        &text(&line.target),
        &line.map,
        &line.key,
        &line.step.to_string(),
        line.state,
        &text(&line.payload),
        &text(&line.who),
        &text(&line.reason),
        &line.seq.to_string(),
    ])
}

fn in_json(line: &AuditLine, objects: &BTreeMap<String, String>) -> serde_json::Value {
    json!({
        "at_ms": line.at_ms, "ended_ms": line.ended_ms, "what": line.what, "object": object(line, objects),
        "id": line.target, "map": line.map, "key": line.key, "step": line.step, "state": line.state,
        "payload": line.payload, "who": line.who, "reason": line.reason, "seq": line.seq,
    })
}

fn for_people(line: &AuditLine, objects: &BTreeMap<String, String>) -> String {
    let target = line.target.as_ref().map(|id| format!(" -> {} {id}", object(line, objects)));
    let who = line.who.as_ref().map(|who| format!(" by {who}"));
    // One line each, whatever a server said.
    let reason =
        line.reason.as_ref().map(|why| format!(": {}", why.split_whitespace().collect::<Vec<_>>().join(" ")));
    // An approval is of the plan.
    let of = if line.map.is_empty() {
        format!("plan {}", line.payload.as_deref().unwrap_or_default().chars().take(16).collect::<String>())
    } else {
        format!("{} {}", line.map, line.key)
    };
    format!(
        "{} {} {of}{}, {}{}{}\n",
        moment(line.at_ms),
        line.what,
        target.unwrap_or_default(),
        line.state,
        who.unwrap_or_default(),
        reason.unwrap_or_default()
    )
}
