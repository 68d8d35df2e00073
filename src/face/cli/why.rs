//! `b2n why` and `b2n where`: chains from a source value to a destination value, either way round.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::lang::plan::{Plan, short};
use crate::lang::text::SourceText;
use crate::run::engine::{Chain, ChainField, FoldedInto, Part, SampledField, Step, Whereabouts};
use crate::run::workspace::{Entry, Workspace};

use super::account::{self, Live};
use super::failure::Failure;
use super::lines::{say, tell};
use super::project::{Project, Ready};
use super::terminal::{Terminal, moment, one_line};
use super::{Format, PaceArgs, WorkspaceArgs};

#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    /// A record of the destination, or one of its fields: `Lead/77`, `Lead/77.stage`.
    #[arg(value_name = "OBJECT/ID[.FIELD]")]
    reference: String,
    #[command(flatten)]
    place: PlaceArgs,
    /// Also read the record in the destination, and compare.
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    pace: PaceArgs,
}

#[derive(Debug, clap::Args)]
pub struct WhereArgs {
    /// A record of the source, or one of its fields: `deal/1042`, `deal/1042.TITLE`.
    #[arg(value_name = "OBJECT/KEY[.FIELD]")]
    reference: String,
    #[command(flatten)]
    place: PlaceArgs,
}

/// The spec and its workspace.
#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// The spec; by default the only one in this folder that has a workspace beside it.
    #[arg(value_name = "SPEC")]
    spec: Option<PathBuf>,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

impl PlaceArgs {
    /// `command` is what was asked, for the hint.
    fn spec(&self, command: &str) -> Result<PathBuf, Failure> {
        if let Some(spec) = &self.spec {
            return Ok(spec.clone());
        }
        let begun =
            |path: &PathBuf| path.with_extension("b2nw").exists() || self.workspace.workspace.is_some();
        let here = std::fs::read_dir(".").map_err(|error| Failure::file(Path::new("."), &error))?;
        let mut specs: Vec<PathBuf> =
            here.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name()))).collect();
        specs.retain(|path| path.extension().is_some_and(|ending| ending == "b2n") && begun(path));
        specs.sort();
        match &specs[..] {
            [spec] => Ok(spec.clone()),
            [] => Err(Failure::usage("no spec in this folder has a workspace beside it")
                .hint(format!("name the spec behind the record: `{command} customers/acme.b2n`"))),
            several => {
                let names: Vec<String> = several.iter().map(|path| format!("`{}`", path.display())).collect();
                Err(Failure::usage(format!(
                    "this folder has several specs with a workspace: {}",
                    names.join(", ")
                ))
                .hint("name one of them behind the record"))
            }
        }
    }
}

/// A record, or one of its fields, as people name it.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'r> {
    object: &'r str,
    id: &'r str,
    field: Option<&'r str>,
}

impl<'r> Reference<'r> {
    fn parse(text: &'r str, example: &str) -> Result<Reference<'r>, Failure> {
        let wrong = || {
            Failure::usage(format!("`{text}` names no record"))
                .hint(format!("write the object, a slash and its id: `{example}`"))
        };
        let (object, rest) = text.split_once('/').ok_or_else(wrong)?;
        // The keys of notes hold slashes and dots.
        let (id, field) = match rest.split_once('.') {
            Some((id, field)) if !rest.contains('#') => (id, Some(field)),
            _ => (rest, None),
        };
        if object.is_empty() || id.is_empty() || field.is_some_and(str::is_empty) {
            return Err(wrong());
        }
        Ok(Reference { object, id, field })
    }
}

/// What it takes to tell a chain.
struct Told<'a> {
    plan: &'a Plan,
    /// The spec, joined with its profiles.
    text: &'a SourceText,
    terminal: &'a Terminal,
}

struct Opened {
    ready: Ready,
    text: SourceText,
    workspace: Workspace,
}

fn open(place: &PlaceArgs, command: &str, terminal: &Terminal) -> Result<Opened, Failure> {
    let spec = place.spec(command)?;
    let project = Project::load(&spec)?;
    let text = project.text.clone();
    let ready = project.ready(terminal)?;
    let workspace = Workspace::open_existing(&place.workspace.path(&spec))?;
    Ok(Opened { ready, text, workspace })
}

/// Tells where a destination record came from.
pub fn why(args: &WhyArgs, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let reference = Reference::parse(&args.reference, "Lead/77.stage")?;
    let Opened { ready, text, workspace } =
        open(&args.place, &format!("b2n why {}", one_line(&args.reference)), terminal)?;
    let live = match args.live {
        true => Live::of_target(&ready, args.pace.pace())?,
        false => Live::of_nobody(&ready)?,
    };
    let Reference { object, id, field } = reference;
    let (chain, held) = account::block_on(&live, &ready, &workspace, terminal, async |engine| {
        let Some(chain) = engine.why(object, id)? else { return Ok((None, None)) };
        let held = if args.live { Some(engine.held_now(&chain).await?) } else { None };
        Ok((Some(chain), held))
    })?;
    let told = Told { plan: &ready.plan, text: &text, terminal };
    let Some(mut chain) = chain else {
        let why = format!("this migration wrote no {object} {id}");
        let known = crate::run::engine::objects(&ready.plan);
        let next = match known.iter().find(|name| name.eq_ignore_ascii_case(object)) {
            Some(name) => {
                format!(
                    "`{name}` is of the source: `b2n where {name}/{}` tells what became of it",
                    one_line(id)
                )
            }
            None => "`b2n where OBJECT/KEY` tells what became of a record of the source".to_owned(),
        };
        return told.nothing(&why, &next);
    };
    if let Some(field) = field {
        keep(&mut chain, object, field)?;
    }
    match terminal.format {
        Format::Json => println!("{}", told.json(&chain, held.as_ref().map(Option::as_deref))),
        Format::Human => tell!(terminal, "{}", told.text(&chain, held.as_ref().map(Option::as_deref))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Leaves one field of a chain.
fn keep(chain: &mut Chain, object: &str, field: &str) -> Result<(), Failure> {
    let names: Vec<String> = chain.fields.iter().map(|one| format!("`{}`", one.field)).collect();
    chain.fields.retain(|one| one.field == field);
    if chain.fields.is_empty() && chain.decided.is_none() {
        return Err(Failure::usage(format!("map `{}` writes no field `{field}` of {object}", chain.map))
            .hint(format!("it writes {}", names.join(", "))));
    }
    Ok(())
}

/// Tells what became of a source record.
pub fn whereabouts(args: &WhereArgs, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let reference = Reference::parse(&args.reference, "deal/1042.TITLE")?;
    let Opened { ready, text, workspace } =
        open(&args.place, &format!("b2n where {}", one_line(&args.reference)), terminal)?;
    let live = Live::of_nobody(&ready)?;
    let Reference { object, id, field } = reference;
    let found = account::block_on(&live, &ready, &workspace, terminal, async |engine| {
        engine.whereabouts(object, id)
    })?;
    let told = Told { plan: &ready.plan, text: &text, terminal };
    let Some(mut found) = found else {
        let known: Vec<&str> = crate::run::engine::objects(&ready.plan);
        let hint = if known.contains(&object) {
            "`b2n extract` stages what the source has; a record that was made since is not there yet"
                .to_owned()
        } else {
            format!(
                "this spec reads {}",
                known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )
        };
        return told.nothing(&format!("no `{object}` {id} is staged"), &hint);
    };
    if let Some(field) = field {
        if let Some(schema) = ready.source.object(object)
            && schema.field(field).is_none()
        {
            return Err(Failure::usage(format!("`{object}` has no field `{field}`"))
                .hint("the snapshot of the source names its fields; names are case-sensitive"));
        }
        only_of(&mut found, object, id, field);
    }
    match terminal.format {
        Format::Json => println!("{}", told.whereabouts_json((object, id, field), &found)),
        Format::Human => tell!(terminal, "{}", told.whereabouts((object, id, field), &found)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Leaves what a source field has to do with.
fn only_of(found: &mut Whereabouts, object: &str, key: &str, field: &str) {
    let folded = format!("{object}/{key}.{field}");
    let reads = |one: &ChainField| one.sources.iter().any(|(name, _)| name == field || *name == folded);
    for chain in found.chains.iter_mut().chain(&mut found.notes) {
        chain.fields.retain(reads);
        chain.dropped.retain(|(name, ..)| name == field);
    }
    found.notes.retain(|note| !note.fields.is_empty());
    for folded in &mut found.folded {
        folded.dropped.retain(|(name, ..)| name == field);
    }
}

impl Told<'_> {
    fn nothing(&self, why: &str, hint: &str) -> Result<ExitCode, Failure> {
        match self.terminal.format {
            Format::Json => println!("{}", json!({"format": "b2n-why/1", "found": false, "why": why})),
            Format::Human => say!(self.terminal, "{why}\n{hint}"),
        }
        Ok(ExitCode::from(1))
    }

    /// `acme.b2n:12`
    fn place(&self, line: u32) -> String {
        let (file, line) = self.plan.place(line);
        format!("{file}:{line}")
    }

    /// A line of the spec, as it stands there.
    fn line(&self, line: u32) -> &str {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        self.text.text().lines().nth(index).unwrap_or_default().trim()
    }

    fn text(&self, chain: &Chain, held: Option<Option<&[SampledField]>>) -> String {
        let mut text = self.head(chain);
        if held == Some(None) {
            text.push_str("  it is not in the destination any more\n");
        }
        for field in &chain.fields {
            let now = held.flatten().and_then(|held| held.iter().find(|now| now.field == field.field));
            self.field(&mut text, field, now);
        }
        self.tail(&mut text, chain);
        text
    }

    fn head(&self, chain: &Chain) -> String {
        let (object, key) = &chain.source;
        let end = match &chain.outcome {
            Some(outcome) => {
                let stands = outcome.target.as_ref().map(|id| format!("{} {}, ", chain.object, one_line(id)));
                let reason = outcome.reason.as_ref().map(|why| format!(": {}", one_line(why)));
                format!(
                    "{}{}{}",
                    stands.unwrap_or_default(),
                    outcome.status.word(),
                    reason.unwrap_or_default()
                )
            }
            None => "pending".to_owned(),
        };
        let head = format!("{} {} -> {end}", one_line(object), one_line(key));
        let mut text = format!("{} (map `{}`)\n", self.terminal.bold(&head), one_line(&chain.map));
        if let Some((line, reason)) = &chain.decided {
            let _ = writeln!(text, "  decided at {}: {}", self.place(*line), one_line(reason));
            let _ = writeln!(text, "    {}", one_line(self.line(*line)));
        }
        text
    }

    fn field(&self, text: &mut String, field: &ChainField, now: Option<&SampledField>) {
        let value = field.value.as_deref().map_or_else(|| "nothing".to_owned(), one_line);
        let _ = writeln!(
            text,
            "  {} = {value}  ({})",
            self.terminal.bold(&one_line(&field.field)),
            field.standing.words()
        );
        for (name, value) in &field.sources {
            let _ = writeln!(text, "    from {} = {}", one_line(name), one_line(value));
        }
        for (line, fidelity, because) in &field.rules {
            let because = because.as_ref().map(|why| format!(", because {}", one_line(why)));
            let kept = format!("{}{}", fidelity.word(), because.unwrap_or_default());
            let _ = writeln!(text, "    rule {} ({kept})  {}", self.place(*line), one_line(self.line(*line)));
        }
        for step in field.steps.iter().filter(|step| step.part != Part::Rule) {
            let _ = writeln!(
                text,
                "    {} {}  {}",
                words(step),
                self.place(step.line),
                one_line(self.line(step.line))
            );
        }
        if field.rules.is_empty() {
            text.push_str("    written by b2n itself\n");
        }
        if let Some(now) = now {
            let _ = writeln!(
                text,
                "    the destination holds {}: {}",
                one_line(&now.found),
                now.agreement.word()
            );
        }
    }

    fn tail(&self, text: &mut String, chain: &Chain) {
        for flag in &chain.flags {
            let _ = writeln!(text, "  flagged: {}: {}", one_line(&flag.rule), one_line(&flag.why));
        }
        if let Some(plan) = &chain.plan {
            let other = if *plan == self.plan.hash() { "" } else { ", which is another than this spec's" };
            let _ = writeln!(text, "  written with plan {}{other}", short(plan));
        }
        for entry in &chain.writes {
            let _ = writeln!(text, "  {}", write_line(entry));
        }
    }

    fn whereabouts(&self, (object, key, field): (&str, &str, Option<&str>), found: &Whereabouts) -> String {
        let mut text = String::new();
        if let Some((split, outcome)) = &found.split {
            let reason =
                outcome.reason.as_ref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
            let _ = writeln!(text, "{object} {key} -> {}{reason} ({split})", outcome.status.word());
        }
        for chain in found.chains.iter().chain(&found.notes) {
            text.push_str(&self.head(chain));
            for one in &chain.fields {
                self.field(&mut text, one, None);
            }
            self.left(&mut text, field, &chain.dropped, chain.fields.is_empty());
            self.tail(&mut text, chain);
        }
        for FoldedInto { flatten, into, outcome, dropped } in &found.folded {
            let end = outcome.as_ref().map_or("pending", |outcome| outcome.status.word());
            let reason = outcome.as_ref().and_then(|outcome| outcome.reason.as_ref());
            let reason = reason.map(|why| format!(": {}", one_line(why))).unwrap_or_default();
            let into = match into {
                Some((map, key)) => format!("goes into {map} {key}"),
                None => "goes into no record".to_owned(),
            };
            let _ = writeln!(text, "{object} {key} {into}, {end}{reason} ({flatten})");
            self.left(&mut text, field, dropped, false);
        }
        if text.is_empty() {
            let _ = writeln!(text, "{object} {key} is staged, and not placed yet: `b2n migrate` does that");
        }
        text
    }

    /// Why a source field is left behind, or all that are.
    fn left(&self, text: &mut String, field: Option<&str>, dropped: &[(String, String, u32)], unread: bool) {
        for (name, reason, line) in dropped {
            let _ = writeln!(
                text,
                "  {} is left behind at {}: {}",
                one_line(name),
                self.place(*line),
                one_line(reason)
            );
        }
        if let Some(field) = field.filter(|_| unread && dropped.is_empty()) {
            let _ =
                writeln!(text, "  no rule of this map gives anything for {} of this record", one_line(field));
        }
    }

    fn json(&self, chain: &Chain, held: Option<Option<&[SampledField]>>) -> Value {
        json!({
            "format": "b2n-why/1", "found": true, "there": held.map(|held| held.is_some()),
            "chain": self.chain_json(chain, held.flatten()),
        })
    }

    fn chain_json(&self, chain: &Chain, held: Option<&[SampledField]>) -> Value {
        let at = |line: u32| {
            let (file, number) = self.plan.place(line);
            json!({"file": file, "line": number, "text": self.line(line)})
        };
        let field = |field: &ChainField| {
            let rules = field.rules.iter().map(|(line, fidelity, because)| {
                json!({"at": at(*line), "fidelity": fidelity.word(), "because": because})
            });
            let steps = field.steps.iter().map(|step| {
                let (kind, of, code) = match &step.part {
                    Part::Rule => ("rule", None, None),
                    Part::Else(_) => ("else", None, None),
                    Part::OnFail => ("on fail", None, None),
                    Part::Row(table, code) => ("row", Some(table), code.as_ref()),
                    Part::Stage(pipeline, code) => ("stage", Some(pipeline), code.as_ref()),
                    Part::Split => ("split", None, None),
                };
                json!({"part": kind, "of": of, "code": code, "at": at(step.line)})
            });
            let sources = field.sources.iter().map(|(name, value)| json!({"field": name, "value": value}));
            let now = held.and_then(|held| held.iter().find(|now| now.field == field.field));
            json!({
                "field": field.field, "value": field.value, "standing": field.standing.words(),
                "source": sources.collect::<Vec<_>>(), "rules": rules.collect::<Vec<_>>(),
                "steps": steps.collect::<Vec<_>>(),
                "held": now.map(|now| json!({"value": now.found, "agreement": now.agreement.word()})),
            })
        };
        let write = |entry: &Entry| {
            json!({
                "seq": entry.seq, "operation": entry.intent.operation.word(), "step": entry.intent.step,
                "payload": entry.intent.payload, "state": entry.state.word(), "sent_ms": entry.sent_ms,
                "ended_ms": entry.ended_ms, "note": entry.note,
            })
        };
        let outcome = chain.outcome.as_ref();
        json!({
            "map": chain.map, "source": {"object": chain.source.0, "key": chain.source.1}, "key": chain.key,
            "object": chain.object, "id": outcome.and_then(|outcome| outcome.target.as_ref()),
            "status": outcome.map_or("pending", |outcome| outcome.status.word()),
            "reason": outcome.and_then(|outcome| outcome.reason.as_ref()),
            "decided": chain.decided.as_ref().map(|(line, reason)| json!({"at": at(*line), "reason": reason})),
            "plan": chain.plan, "fields": chain.fields.iter().map(field).collect::<Vec<_>>(),
            "flags": chain.flags.iter().map(|flag| json!({"rule": flag.rule, "why": flag.why})).collect::<Vec<_>>(),
            "dropped": self.dropped_json(&chain.dropped),
            "writes": chain.writes.iter().map(write).collect::<Vec<_>>(),
        })
    }

    fn dropped_json(&self, dropped: &[(String, String, u32)]) -> Vec<Value> {
        let one = |(field, reason, line): &(String, String, u32)| {
            let (file, line) = self.plan.place(*line);
            json!({"field": field, "reason": reason, "file": file, "line": line})
        };
        dropped.iter().map(one).collect()
    }

    fn whereabouts_json(
        &self,
        (object, key, field): (&str, &str, Option<&str>),
        found: &Whereabouts,
    ) -> Value {
        let chains =
            |chains: &[Chain]| chains.iter().map(|chain| self.chain_json(chain, None)).collect::<Vec<_>>();
        let folded = |one: &FoldedInto| {
            json!({
                "flatten": one.flatten, "into": one.into.as_ref().map(|(map, key)| json!({"map": map, "key": key})),
                "status": one.outcome.as_ref().map_or("pending", |outcome| outcome.status.word()),
                "reason": one.outcome.as_ref().and_then(|outcome| outcome.reason.as_ref()),
                "dropped": self.dropped_json(&one.dropped),
            })
        };
        json!({
            "format": "b2n-where/1", "found": true, "object": object, "key": key, "field": field,
            "chains": chains(&found.chains), "notes": chains(&found.notes),
            "split": found.split.as_ref().map(|(split, outcome)| {
                json!({"split": split, "status": outcome.status.word(), "reason": outcome.reason})
            }),
            "folded": found.folded.iter().map(folded).collect::<Vec<_>>(),
        })
    }
}

fn words(step: &Step) -> String {
    match &step.part {
        Part::Rule => "rule".to_owned(),
        Part::Else(number) => format!("its `else` {number},"),
        Part::OnFail => "its `on fail`,".to_owned(),
        Part::Split => "its row of the split,".to_owned(),
        Part::Row(table, Some(code)) => format!("row `{}` of table `{table}`,", one_line(code)),
        Part::Row(table, None) => format!("`unseen` of table `{table}`,"),
        Part::Stage(pipeline, Some(code)) => format!("stage `{}` of pipeline `{pipeline}`,", one_line(code)),
        Part::Stage(pipeline, None) => format!("`unseen` of pipeline `{pipeline}`,"),
    }
}

/// A line of the journal.
fn write_line(entry: &Entry) -> String {
    let mut line = format!(
        "{}, request {} of the journal, {}: {}",
        entry.intent.operation.word(),
        entry.seq,
        moment(entry.sent_ms),
        entry.state.word()
    );
    if let Some(note) = &entry.note {
        let _ = write!(line, " ({})", one_line(note));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_named_with_or_without_a_field() {
        let parse = |text| Reference::parse(text, "Lead/77.stage");
        let of = |object, id, field| Reference { object, id, field };
        assert_eq!(parse("Lead/77").expect("a record"), of("Lead", "77", None));
        assert_eq!(parse("Lead/77.stage").expect("a field"), of("Lead", "77", Some("stage")));
        assert_eq!(
            parse("Lead/77.Phones as typed (v. 2)").expect("a field").field,
            Some("Phones as typed (v. 2)")
        );
        assert_eq!(parse("process 1032/5.TITLE").expect("a field"), of("process 1032", "5", Some("TITLE")));
        for bad in ["", "Lead", "Lead/", "/77", "Lead/77."] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
