//! `b2n transform`

use std::io::{BufRead, BufWriter, Read, Write};
use std::process::ExitCode;

use serde_json::json;

use crate::lang::eval::{Outcome, Program};
use crate::lang::plan::Plan;
use crate::run::connect;

use super::SpecArgs;
use super::failure::{Failure, Kind};
use super::project::Project;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// The map to run.
    #[arg(long, value_name = "NAME")]
    map: String,
}

/// The longest line that is read, in bytes: a record is never that long.
const MAX_LINE: u64 = 16 * 1024 * 1024;

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let terminal = Terminal::detect(super::findings::Shape::Human, super::Colour::Auto);
    let ready = Project::load(&args.spec.spec)?.ready(&terminal)?;
    let Some(at) = ready.plan.maps.iter().position(|map| map.name == args.map) else {
        let names: Vec<&str> = ready.plan.maps.iter().map(|map| map.name.as_str()).collect();
        return Err(Failure::usage(format!("there is no map `{}`", args.map))
            .hint(format!("the spec has: {}", names.join(", "))));
    };
    let program = Program::compile(&ready.plan)
        .map_err(|why| Failure::usage(format!("the plan cannot be run: {why}")))?;
    let map = &ready.plan.maps[at];
    let decoder =
        connect::decoder(&ready.plan.source.connector, &ready.source, &map.source).map_err(Failure::usage)?;
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let broken = |error: std::io::Error| Failure::outside(format!("standard output: {error}"));
    let mut held_back = 0u64;
    let name = |index: u16| ready.plan.maps[index as usize].name.clone();
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        let read = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|error| Failure::outside(format!("standard input: {error}")))?;
        if read == 0 {
            break;
        }
        number += 1;
        if read as u64 == MAX_LINE {
            return Err(Failure::new(Kind::Findings, format!("line {number} is longer than 16 MiB"))
                .hint("feed one JSON record per line"));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let result = match decoder.decode(&line) {
            Ok(record) => outcome(&program.run(at, &record), &ready.plan, at, &name, &mut held_back),
            Err(why) => {
                held_back += 1;
                json!({"outcome": "unreadable", "line": number, "reason": why})
            }
        };
        serde_json::to_writer(&mut out, &result).map_err(|error| broken(error.into()))?;
        out.write_all(b"\n").map_err(broken)?;
    }
    out.flush().map_err(broken)?;
    Ok(ExitCode::from(u8::from(held_back > 0)))
}

fn outcome(
    outcome: &Outcome,
    plan: &Plan,
    at: usize,
    name: &dyn Fn(u16) -> String,
    held_back: &mut u64,
) -> serde_json::Value {
    let map = &plan.maps[at];
    match outcome {
        Outcome::Record(output) => {
            let fields: serde_json::Map<String, serde_json::Value> = map
                .targets
                .iter()
                .zip(&output.values)
                .filter(|(_, value)| !value.is_absent())
                .map(|(target, value)| (target.name.clone(), value.to_json(name)))
                .collect();
            let flags: Vec<_> = output
                .flags
                .iter()
                .map(|flag| json!({"field": flag.rule.target(plan, at), "why": &*flag.why}))
                .collect();
            let mut record = json!({"outcome": "record", "object": map.target, "fields": fields});
            if !flags.is_empty() {
                record["flags"] = flags.into();
            }
            record
        }
        Outcome::LeftOut { reason, line } => {
            json!({"outcome": "left out", "reason": &**reason, "line": line})
        }
        Outcome::Quarantined { reason, line, .. } => {
            *held_back += 1;
            json!({"outcome": "quarantined", "reason": &**reason, "line": line})
        }
        Outcome::Stopped { reason, line, .. } => {
            *held_back += 1;
            json!({"outcome": "stopped", "reason": &**reason, "line": line})
        }
    }
}
