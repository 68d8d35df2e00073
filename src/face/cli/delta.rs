//! `b2n delta`

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::lang::plan::short;
use crate::run::engine::{Changes, ObjectChanges, RunReport, Selection};
use crate::run::workspace::{CONFLICT, Workspace};

use super::account::{self, Live};
use super::failure::Failure;
use super::migrate::{self, Beside, Named};
use super::project::{Project, Ready};
use super::terminal::{Terminal, count, moment};
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs, change, cutover};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Stage what changed in the source and print what it means for what was written; write nothing to the destination.
    #[arg(long)]
    dry_run: bool,
    /// Go on with the changed plan whose hash begins so, without asking.
    #[arg(long, value_name = "HASH")]
    yes_change: Option<String>,
    /// Take so many records of an object for deleted, where more than a tenth of them vanished from the source.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    yes_vanished: u64,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let spec = &args.spec.spec;
    let ready = Project::load(spec)?.ready(terminal)?;
    let live = Live::from_environment(&ready, args.pace.pace())?;
    let workspace = Workspace::open_existing(&args.workspace.path(spec))?;
    let vanished = args.yes_vanished;
    let delta = Delta { spec, ready: &ready, live: &live, workspace: &workspace, vanished, terminal };
    let mut carried = delta.stage()?;
    if !args.dry_run && carried.changes.is_some() {
        carried.run = Some(delta.apply(&carried, args.yes_change.as_deref())?);
    }
    delta.show(&carried, args.dry_run)?;
    let frozen = workspace.frozen_ms()?.is_some() && workspace.later_count()? > 0;
    if terminal.format == Format::Json {
        println!("{}", delta.printed(&carried)?);
    } else {
        print!("{}", cutover::alarm(&workspace, spec, terminal)?);
    }
    Ok(ExitCode::from(u8::from(frozen || carried.is_open())))
}

/// A delta of a spec and its workspace.
pub struct Delta<'d> {
    pub spec: &'d Path,
    pub ready: &'d Ready,
    pub live: &'d Live,
    pub workspace: &'d Workspace,
    /// Records of an object that may have vanished.
    pub vanished: u64,
    pub terminal: &'d Terminal,
}

/// What a delta came to.
pub struct Carried {
    pub staged: Vec<ObjectChanges>,
    /// What it means for what was written; `None` where nothing changed, or nothing was written yet.
    pub changes: Option<Changes>,
    pub run: Option<RunReport>,
}

impl Carried {
    /// Whether the run leaves something for a person.
    pub fn is_open(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.closes() || run.held_back() > 0)
    }
}

impl Delta<'_> {
    /// Stages what changed in the source, and tells what that means.
    pub fn stage(&self) -> Result<Carried, Failure> {
        let (staged, changes) =
            account::block_on(self.live, self.ready, self.workspace, self.terminal, async |engine| {
                let staged = engine.stage_changes_with(self.vanished).await?;
                Ok((staged, engine.changes()?))
            })?;
        if self.terminal.format == Format::Human {
            print!("{}", staged_text(&staged));
        }
        Ok(Carried { staged, changes, run: None })
    }

    /// Applies what is staged.
    pub fn apply(&self, carried: &Carried, yes_change: Option<&str>) -> Result<RunReport, Failure> {
        let of_the_plan = carried.changes.as_ref().is_some_and(Changes::is_of_the_plan);
        // A changed plan is told by whoever asks about it.
        if let (Format::Human, Some(changes), false) = (self.terminal.format, &carried.changes, of_the_plan) {
            print!("{}", change::text(changes, self.terminal));
        }
        let named = Named {
            spec: self.spec,
            live: self.live,
            yes_into: None,
            yes_change,
            lift: &[],
            selection: &Selection::default(),
            shown: None,
        };
        Ok(migrate::drive(self.ready, self.workspace, &named, self.terminal)?.0)
    }

    /// Prints what it came to, for people.
    pub fn show(&self, carried: &Carried, dry_run: bool) -> Result<(), Failure> {
        if self.terminal.format != Format::Human {
            return Ok(());
        }
        let spec = self.spec.display();
        match (&carried.changes, &carried.run) {
            (_, Some(run)) => {
                migrate::show_with(
                    run,
                    self.workspace,
                    &self.live.limits,
                    &Beside::default(),
                    self.terminal,
                )?;
                print!("{}", self.conflicts_text()?);
                print!("{}", migrate::afterwards(run, self.spec));
            }
            (Some(changes), None) => {
                print!("{}", change::text(changes, self.terminal));
                if dry_run {
                    let agree = if changes.is_of_the_plan() {
                        format!(" --yes-change {}", short(&changes.to))
                    } else {
                        String::new()
                    };
                    println!("nothing was written; `b2n delta {spec}{agree}` applies this");
                }
            }
            (None, None) if self.workspace.writes()? == 0 => {
                println!("nothing was written yet: `b2n migrate {spec}` loads what is staged now");
            }
            (None, None) => println!("nothing changed since the last run; nothing was written"),
        }
        Ok(())
    }

    /// Fields that a person changed in the destination and that were kept, by map and rule, with the records.
    fn conflicts(&self) -> Result<Vec<(String, String, u64)>, Failure> {
        let mut all = Vec::new();
        for map in &self.ready.plan.maps {
            for (flag, records) in self.workspace.flags(&map.name)? {
                if flag.why.starts_with(CONFLICT) {
                    all.push((map.name.clone(), flag.rule, records));
                }
            }
        }
        Ok(all)
    }

    fn conflicts_text(&self) -> Result<String, Failure> {
        let lines = self.conflicts()?.into_iter().map(|(map, rule, records)| {
            let word = if records == 1 { "record" } else { "records" };
            format!(
                "kept, since a person changed it in the destination: {} {word} of `{map}` (`{rule}`)\n",
                count(records)
            )
        });
        Ok(lines.collect())
    }

    /// All of it, for programs.
    pub fn printed(&self, carried: &Carried) -> Result<Value, Failure> {
        let staged = carried.staged.iter().map(|one| {
            json!({
                "object": one.object, "since_ms": one.since_ms, "records": one.records, "new": one.told.added,
                "changed": one.told.changed, "gone": one.told.gone,
            })
        });
        let conflicts = self.conflicts()?.into_iter();
        let conflicts =
            conflicts.map(|(map, rule, records)| json!({"map": map, "rule": rule, "records": records}));
        let run = match &carried.run {
            Some(run) => migrate::run_json(run, self.workspace, &self.live.limits, &Beside::default())?,
            None => Value::Null,
        };
        Ok(json!({
            "format": "b2n-delta/1", "staged": staged.collect::<Vec<_>>(),
            "changes": change::printed(&self.ready.plan.hash(), carried.changes.as_ref()), "run": run,
            "conflicts": conflicts.collect::<Vec<_>>(), "freeze": cutover::printed(self.workspace)?,
        }))
    }
}

/// What changed in the source, a line for each object that did.
fn staged_text(staged: &[ObjectChanges]) -> String {
    let mut out = String::new();
    for one in staged.iter().filter(|one| !one.told.is_nothing()) {
        let parts = [(one.told.changed, "changed"), (one.told.added, "new"), (one.told.gone, "gone")];
        let parts = parts.iter().filter(|(records, _)| *records > 0);
        let parts: Vec<String> = parts.map(|(records, word)| format!("{} {word}", count(*records))).collect();
        let since = one.since_ms.map(|ms| format!(" since {}", moment(ms))).unwrap_or_default();
        out.push_str(&format!(
            "source {}: {}{since}, {} there now\n",
            one.object,
            parts.join(", "),
            count(one.records)
        ));
    }
    if out.is_empty() {
        let objects = staged.len();
        let records: u64 = staged.iter().map(|one| one.records).sum();
        out = format!("the source is as it is staged: {} records of {objects} objects\n", count(records));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace::Restaged;

    #[test]
    fn what_changed_in_the_source_is_told_by_object() {
        let of = |object: &str, told| ObjectChanges {
            object: object.to_owned(),
            since_ms: Some(1_795_262_400_000),
            told,
            records: 1_200,
        };
        let told = Restaged { added: 1, changed: 2, same: 9, gone: 0 };
        let staged = [of("deal", told), of("company", Restaged::default())];
        let all = super::super::terminal::count(1_200);
        assert_eq!(
            staged_text(&staged),
            format!("source deal: 2 changed, 1 new since 2026-11-21T12:00:00Z, {all} there now\n")
        );
        let same = format!("the source is as it is staged: {all} records of 1 objects\n");
        assert_eq!(staged_text(&staged[1..]), same);
    }
}
