//! `b2n transform`: NDJSON in, NDJSON out, in the order of the input, on every core.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use serde_json::json;

use crate::lang::eval::{Fold, Folded, Hit, Outcome, Program, Provenance, Route, key_order};
use crate::lang::plan::{Expr, Plan};
use crate::lang::value::Record;
use crate::run::connect::{self, Decode};

use super::SpecArgs;
use super::failure::{Failure, Kind};
use super::project::{Project, Ready};
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// The map to run.
    #[arg(long, value_name = "NAME")]
    map: String,
    /// Records to fold in, as NDJSON: those of an object that a `flatten` of the spec folds into this map.
    #[arg(long, value_name = "OBJECT=FILE")]
    with: Vec<String>,
    /// Tell in `from` what each field and note comes from: the rule, its arm, rows of tables and pipelines, with their
    /// lines of the spec; of lines made by `each`, the column too.
    #[arg(long)]
    provenance: bool,
}

/// The longest line that is read, in bytes: a record is never that long.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// How much is read before a batch goes to a worker, in bytes.
const BATCH: usize = 128 * 1024;

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let terminal = Terminal::detect(super::findings::Shape::Human, super::Colour::Auto);
    let ready = Project::load(&args.spec.spec)?.ready(&terminal)?;
    let job = Arc::new(Job::new(ready, args)?);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut to_workers, mut from_workers, mut handles) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..workers {
        let (send, receive) = mpsc::sync_channel::<Batch>(2);
        let (send_done, receive_done) = mpsc::sync_channel::<Done>(2);
        let job = Arc::clone(&job);
        handles.push(std::thread::spawn(move || {
            for batch in receive {
                if send_done.send(job.batch(&batch)).is_err() {
                    return;
                }
            }
        }));
        to_workers.push(send);
        from_workers.push(receive_done);
    }
    let reader = std::thread::spawn(move || read(&to_workers));
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let broken = |error: std::io::Error| Failure::outside(format!("standard output: {error}"));
    let mut held_back = 0u64;
    let mut arrived = HashSet::new();
    // Batches go round the workers, and are taken from them in the same order.
    for done in (0..).map_while(|turn: usize| from_workers[turn % workers].recv().ok()) {
        held_back += done.held_back;
        arrived.extend(done.arrived);
        out.write_all(&done.out).map_err(broken)?;
    }
    drop(from_workers);
    if handles.into_iter().any(|worker| worker.join().is_err()) {
        return Err(Failure::outside("a worker ended before its records".to_owned())
            .hint("this is a fault of b2n: report it with the record that it happens with"));
    }
    match reader.join() {
        Ok(read) => read?,
        Err(_) => return Err(Failure::outside("standard input could not be read".to_owned())),
    }
    let mut rest = Vec::new();
    held_back += job.left_behind(&arrived, &mut rest);
    out.write_all(&rest).map_err(broken)?;
    out.flush().map_err(broken)?;
    Ok(ExitCode::from(u8::from(held_back > 0)))
}

/// What becomes of these lines in one map, a line each.
pub(super) fn lines(ready: Ready, map: &str, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let args = Args {
        spec: SpecArgs { spec: PathBuf::new() },
        map: map.to_owned(),
        with: Vec::new(),
        provenance: false,
    };
    Ok(Job::new(ready, &args)?.batch(&Batch { first: 1, lines: input }).out)
}

/// Some lines of the input.
struct Batch {
    /// The number of the first one, from 1.
    first: u64,
    lines: Vec<u8>,
}

/// What became of them.
#[derive(Default)]
struct Done {
    out: Vec<u8>,
    held_back: u64,
    /// Keys of records that take in others.
    arrived: Vec<String>,
    /// What the record at hand was made by; kept for its room.
    hits: Vec<Hit>,
}

/// Reads the input in batches of whole lines; each worker has its turn.
fn read(workers: &[mpsc::SyncSender<Batch>]) -> Result<(), Failure> {
    let mut input = std::io::stdin().lock();
    let mut number = 0u64;
    for turn in 0.. {
        let mut batch = Batch { first: number + 1, lines: Vec::with_capacity(BATCH + BATCH / 8) };
        let mut ended = false;
        while batch.lines.len() < BATCH && !ended {
            let read = (&mut input).take(MAX_LINE).read_until(b'\n', &mut batch.lines);
            let read = read.map_err(|error| Failure::outside(format!("standard input: {error}")))?;
            ended = read == 0;
            number += u64::from(!ended);
            if read as u64 == MAX_LINE {
                return Err(Failure::new(Kind::Findings, format!("line {number} is longer than 16 MiB"))
                    .hint("feed one JSON record per line"));
            }
        }
        // A worker that is gone has its reason elsewhere.
        if !batch.lines.is_empty() && workers[turn % workers.len()].send(batch).is_err() {
            return Ok(());
        }
        if ended {
            break;
        }
    }
    Ok(())
}

/// What every worker needs.
struct Job {
    plan: Plan,
    program: Program,
    at: usize,
    decoder: Box<dyn Decode>,
    /// Names of maps, by index.
    maps: Vec<String>,
    /// Names of the columns of each target that holds lines.
    columns: Vec<Vec<String>>,
    /// Where fields come from, if that is asked for.
    provenance: Option<Provenance>,
    /// Per flatten of this map: its records, by the key of the one that takes them in.
    children: Vec<Children>,
    /// What the files of `--with` had that is folded into nothing.
    aside: Vec<serde_json::Value>,
}

struct Children {
    flatten: usize,
    of: BTreeMap<String, Vec<Record>>,
}

impl Job {
    fn new(ready: Ready, args: &Args) -> Result<Job, Failure> {
        let Ready { plan, source, .. } = ready;
        let maps: Vec<String> = plan.maps.iter().map(|map| map.name.clone()).collect();
        let Some(at) = maps.iter().position(|map| *map == args.map) else {
            return Err(Failure::usage(format!("there is no map `{}`", args.map))
                .hint(format!("the spec has: {}", maps.join(", "))));
        };
        let program = Program::compile(&plan)
            .map_err(|why| Failure::usage(format!("the plan cannot be run: {why}")))?;
        let decoder =
            |object: &str| connect::decoder(&plan.source.connector, &source, object).map_err(Failure::usage);
        let columns = columns(&plan, at);
        let mut job = Job {
            decoder: decoder(&plan.maps[at].source)?,
            children: Vec::new(),
            aside: Vec::new(),
            program,
            at,
            maps,
            columns,
            provenance: args.provenance.then(|| Provenance::new(&plan, at)),
            plan: Plan::default(),
        };
        for with in &args.with {
            let Some((object, file)) = with.split_once('=') else {
                return Err(Failure::usage(format!("`--with {with}` names no file"))
                    .hint("write `--with \"OBJECT=FILE\"`, such as `--with \"process 1032=items.ndjson\"`"));
            };
            let folded = |(_, flatten): &(usize, &crate::lang::plan::Flatten)| {
                usize::from(flatten.into) == at && flatten.source == object
            };
            let Some((flatten, _)) = plan.flattens.iter().enumerate().find(folded) else {
                return Err(Failure::usage(format!("nothing of `{object}` is folded into `{}`", args.map))
                    .hint("name an object that a `flatten` of the spec folds into this map"));
            };
            job.fold_in(&plan, flatten, decoder(object)?.as_ref(), &PathBuf::from(file))?;
        }
        job.plan = plan;
        Ok(job)
    }

    fn fold_in(
        &mut self,
        plan: &Plan,
        flatten: usize,
        decoder: &dyn Decode,
        file: &Path,
    ) -> Result<(), Failure> {
        let item = &plan.flattens[flatten];
        let bytes = std::fs::read(file).map_err(|error| Failure::file(file, &error))?;
        let mut children = Children { flatten, of: BTreeMap::new() };
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let number = number + 1;
            let record = decoder.decode(line).map_err(|why| {
                Failure::new(Kind::Findings, format!("{}: line {number}: {why}", file.display()))
            })?;
            match self.program.fold(flatten, &record) {
                Fold::Into { key, .. } => children.of.entry(key.to_string()).or_default().push(record),
                other => self.aside.push(aside(plan, &item.source, &key(&record, item.key), &other)),
            }
        }
        for records in children.of.values_mut() {
            records.sort_by(|a, b| key_order(&key(a, item.key), &key(b, item.key)));
        }
        self.children.push(children);
        Ok(())
    }

    fn batch(&self, batch: &Batch) -> Done {
        let mut done = Done::default();
        done.out.reserve(batch.lines.len());
        let lines = batch.lines.strip_suffix(b"\n").unwrap_or(&batch.lines);
        for (number, line) in (batch.first..).zip(lines.split(|byte| *byte == b'\n')) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match self.decoder.decode(line) {
                Ok(record) => self.record(&record, &mut done),
                Err(why) => {
                    done.held_back += 1;
                    let shown = json!({"outcome": "unreadable", "line": number, "reason": why});
                    write(&mut done.out, &shown);
                }
            }
            done.out.push(b'\n');
        }
        done
    }

    fn record(&self, record: &Record, done: &mut Done) {
        let map = &self.plan.maps[self.at];
        if let Some(split) = map.split
            && let Some((shown, held)) = self.elsewhere(usize::from(split), record)
        {
            done.held_back += u64::from(held);
            return write(&mut done.out, &shown);
        }
        let key = if self.children.is_empty() { String::new() } else { key(record, map.key) };
        let folded: Vec<Folded<'_>> = self
            .children
            .iter()
            .filter_map(|children| {
                let records = children.of.get(&key)?;
                Some(Folded { flatten: children.flatten, records })
            })
            .collect();
        let outcome = match &self.provenance {
            None => self.program.run_with(self.at, record, &folded),
            Some(_) => {
                done.hits.clear();
                self.program.run_watched(self.at, record, &folded, &mut done.hits)
            }
        };
        let (word, reason, line) = match &outcome {
            Outcome::Record(_) => {
                if !folded.is_empty() {
                    done.arrived.push(key);
                }
                write(&mut done.out, &Shown { job: self, outcome: &outcome });
                if let Some(provenance) = &self.provenance {
                    // One more member of the object that is there.
                    done.out.pop();
                    done.out.extend_from_slice(br#","from":"#);
                    provenance.write(&mut done.hits, &mut done.out);
                    done.out.push(b'}');
                }
                return;
            }
            Outcome::LeftOut { reason, line } => ("left out", reason, line),
            Outcome::Quarantined { reason, line, .. } => ("quarantined", reason, line),
            Outcome::Stopped { reason, line, .. } => ("stopped", reason, line),
        };
        done.held_back += u64::from(word != "left out");
        write(&mut done.out, &told(&self.plan, word, reason, *line));
    }

    /// Where a split sends a record instead of to this map, and whether that holds it back.
    fn elsewhere(&self, split: usize, record: &Record) -> Option<(serde_json::Value, bool)> {
        let (word, reason, line) = match self.program.route(split, record) {
            Route::Maps(maps) if maps.iter().any(|map| usize::from(*map) == self.at) => return None,
            Route::Maps(maps) => {
                let names: Vec<&str> = maps.iter().map(|map| self.maps[usize::from(*map)].as_str()).collect();
                return Some((json!({"outcome": "elsewhere", "maps": names}), false));
            }
            Route::Listed { reason, line } => ("listed", reason, line),
            Route::LeftOut { reason, line } => ("left out", reason, line),
            Route::Quarantined { reason, line } => ("quarantined", reason, line),
            Route::Stopped { reason, line } => ("stopped", reason, line),
        };
        let held = matches!(word, "quarantined" | "stopped");
        Some((told(&self.plan, word, &reason, line), held))
    }

    /// Prints the records of `--with` that are folded into nothing. Gives how many of them are held back.
    fn left_behind(&self, arrived: &HashSet<String>, out: &mut Vec<u8>) -> u64 {
        let mut shown = self.aside.clone();
        for Children { flatten, of } in &self.children {
            let item = &self.plan.flattens[*flatten];
            let orphan = self.program.orphan(*flatten);
            for records in of.iter().filter(|(parent, _)| !arrived.contains(*parent)).map(|(_, r)| r) {
                shown.extend(
                    records.iter().map(|r| aside(&self.plan, &item.source, &key(r, item.key), &orphan)),
                );
            }
        }
        for line in &shown {
            write(out, line);
            out.push(b'\n');
        }
        let held = |line: &&serde_json::Value| line["outcome"] != "left out";
        shown.iter().filter(held).count() as u64
    }
}

/// What becomes of a record that does not arrive, with the place in the spec or a profile that says so.
fn told(plan: &Plan, word: &str, reason: &str, line: u32) -> serde_json::Value {
    let (file, line) = plan.place(line);
    json!({"outcome": word, "reason": reason, "file": file, "line": line})
}

fn aside(plan: &Plan, object: &str, key: &str, fold: &Fold) -> serde_json::Value {
    let (word, reason, line) = match fold {
        // Asked for records that are folded into nothing.
        Fold::Into { .. } => return json!({"outcome": "folded", "object": object, "key": key}),
        Fold::LeftOut { reason, line } => ("left out", reason, line),
        Fold::Quarantined { reason, line } => ("quarantined", reason, line),
        Fold::Stopped { reason, line } => ("stopped", reason, line),
    };
    let mut shown = told(plan, word, reason, *line);
    shown["object"] = json!(object);
    shown["key"] = json!(key);
    shown
}

/// A record's key as text.
fn key(record: &Record, slot: u16) -> String {
    record.get(usize::from(slot)).map(|value| value.to_text().into_owned()).unwrap_or_default()
}

/// Names of the columns of each target of a map, where lines are written into it.
fn columns(plan: &Plan, map: usize) -> Vec<Vec<String>> {
    let item = &plan.maps[map];
    let names = |target: usize| {
        let rule = item.rules.iter().find(|rule| usize::from(rule.target) == target);
        match rule.map(|rule| &rule.value) {
            Some(Expr::EachLine { columns, .. }) => {
                columns.iter().map(|column| column.name.clone()).collect()
            }
            _ => Vec::new(),
        }
    };
    (0..item.targets.len()).map(names).collect()
}

fn write(out: &mut Vec<u8>, shown: &impl serde::Serialize) {
    // Writing into memory cannot fail, and every value is JSON.
    serde_json::to_writer(out, shown).unwrap_or_default();
}

/// A destination record as a line.
struct Shown<'a> {
    job: &'a Job,
    outcome: &'a Outcome,
}

impl serde::Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let Outcome::Record(output) = self.outcome else { return to.serialize_none() };
        let map = &self.job.plan.maps[self.job.at];
        let mut line = to.serialize_map(None)?;
        line.serialize_entry("outcome", "record")?;
        line.serialize_entry("object", &map.target)?;
        line.serialize_entry("fields", &Fields { job: self.job, values: &output.values })?;
        if !output.notes.is_empty() {
            let note = |note: &crate::lang::eval::NoteOut| {
                let mut shown = json!({"title": note.title, "body": note.body});
                if let Some(child) = &note.child {
                    shown["of"] = json!(child.as_str());
                }
                shown
            };
            line.serialize_entry("notes", &output.notes.iter().map(note).collect::<Vec<_>>())?;
        }
        if !output.flags.is_empty() {
            let flag = |flag: &crate::lang::eval::Flag| {
                let field = flag.rule.target(&self.job.plan, self.job.at);
                json!({"field": field, "why": &*flag.why})
            };
            line.serialize_entry("flags", &output.flags.iter().map(flag).collect::<Vec<_>>())?;
        }
        line.end()
    }
}

/// The fields of a record that have a value.
struct Fields<'a> {
    job: &'a Job,
    values: &'a [crate::lang::value::Value],
}

impl serde::Serialize for Fields<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let targets = &self.job.plan.maps[self.job.at].targets;
        let present = targets.iter().zip(self.values).zip(&self.job.columns);
        to.collect_map(
            present
                .filter(|((_, value), _)| !value.is_absent())
                .map(|((target, value), columns)| (&target.name, value.as_json(&self.job.maps, columns))),
        )
    }
}

#[cfg(test)]
mod tests;
