//! `b2n cutover`, and the alarm of a source that was changed after its freeze.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::run::workspace::{Later, Workspace};

use super::account::{self, Live};
use super::delta::Delta;
use super::failure::Failure;
use super::project::{Project, Ready};
use super::terminal::{Terminal, count, moment};
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs, portion};

/// Records that people are shown; programs get all.
const SHOWN: u32 = 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// From when on nobody may change the source any more: a time with its zone, such as `2026-11-21T18:00:00+01:00`, or
    /// `now` by the source's clock.
    #[arg(long, value_name = "TIME")]
    frozen_at: String,
    /// Go on with the changed plan whose hash begins so, without asking.
    #[arg(long, value_name = "HASH")]
    yes_change: Option<String>,
    /// Take so many records of an object for deleted, where more than a tenth of them vanished from the source.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    yes_vanished: u64,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let spec = &args.spec.spec;
    let named = frozen_at(&args.frozen_at)?;
    let ready = Project::load(spec)?.ready(terminal)?;
    let live = Live::from_environment(&ready, args.pace.pace())?;
    let workspace = Workspace::open_existing(&args.workspace.path(spec))?;
    if workspace.writes()? == 0 {
        return Err(Failure::usage("nothing was written yet, so that there is nothing to cut over")
            .hint(format!("`b2n migrate {}` carries the move out first", spec.display())));
    }
    portion::refuse(
        &workspace,
        "and a cutover ends a migration of the whole",
        "extract all of it into another workspace, with `b2n extract SPEC --workspace FILE`, and migrate from there",
    )?;
    let clock = account::block_on(&live, &ready, &workspace, terminal, async |engine| {
        engine.source_clock_ms().await
    })?;
    let frozen = named.unwrap_or(clock);
    if frozen > clock {
        return Err(Failure::usage(format!(
            "the freeze is at {}, and the source's clock says {}",
            moment(frozen),
            moment(clock)
        ))
        .hint("run it again after the freeze; `b2n delta` brings what changes until then"));
    }
    let before = workspace.frozen_ms()?;
    workspace.freeze(frozen)?;
    if let (Some(before), Format::Human) = (before.filter(|before| *before != frozen), terminal.format) {
        println!("the freeze moves from {} to {}", moment(before), moment(frozen));
    }
    let vanished = args.yes_vanished;
    let delta = Delta { spec, ready: &ready, live: &live, workspace: &workspace, vanished, terminal };
    let mut carried = delta.stage()?;
    if carried.changes.is_some() {
        carried.run = Some(delta.apply(&carried, args.yes_change.as_deref())?);
    }
    account::block_on(&live, &ready, &workspace, terminal, async |engine| engine.find_later())?;
    delta.show(&carried, false)?;
    let later = workspace.later_count()?;
    match terminal.format {
        Format::Json => println!("{}", delta.printed(&carried)?),
        Format::Human if later == 0 => {
            let records: u64 = carried.staged.iter().map(|one| one.records).sum();
            println!(
                "{} at {}: none of {} source records was changed after it",
                terminal.green("frozen"),
                moment(frozen),
                count(records)
            );
        }
        Format::Human => print!("{}", alarm(&workspace, spec, terminal)?),
    }
    Ok(ExitCode::from(u8::from(later > 0 || carried.is_open())))
}

/// Where the source is frozen, asks it for records that say that they were changed after the freeze; gives how many are
/// known.
pub fn ask(ready: &Ready, live: &Live, workspace: &Workspace, terminal: &Terminal) -> Result<u64, Failure> {
    if workspace.frozen_ms()?.is_none() {
        return Ok(0);
    }
    account::block_on(live, ready, workspace, terminal, async |engine| engine.ask_for_later().await)?;
    Ok(workspace.later_count()?)
}

/// The moment that is named; `None` for now.
fn frozen_at(text: &str) -> Result<Option<i64>, Failure> {
    if text == "now" {
        return Ok(None);
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(Some(at.as_millisecond())),
        Err(_) => Err(Failure::usage(format!("`{text}` is not a time with a zone"))
            .hint("write it as `2026-11-21T18:00:00+01:00` or `2026-11-21T17:00:00Z`, or `now`")),
    }
}

/// What was changed in the source after its freeze, for people; empty where nothing was, or nothing is frozen.
pub fn alarm(workspace: &Workspace, spec: &Path, terminal: &Terminal) -> Result<String, Failure> {
    let Some(frozen) = workspace.frozen_ms()? else { return Ok(String::new()) };
    let all = workspace.later_count()?;
    if all == 0 {
        return Ok(String::new());
    }
    let word = if all == 1 { "record was" } else { "records were" };
    let mut out = terminal.red(&format!(
        "{} source {word} changed after the freeze at {}:",
        count(all),
        moment(frozen)
    ));
    out.push('\n');
    for one in workspace.later(SHOWN)? {
        out.push_str(&format!("  {}\n", line(&one)));
    }
    if all > u64::from(SHOWN) {
        out.push_str(&format!("  and {} more: `--format json` lists all\n", count(all - u64::from(SHOWN))));
    }
    out.push_str(&format!(
        "have the owners stop, then `b2n cutover {} --frozen-at now` takes the changes over and freezes anew\n",
        spec.display()
    ));
    Ok(out)
}

fn line(one: &Later) -> String {
    let owner = one.owner.as_ref().map_or_else(|| "of nobody".to_owned(), |owner| format!("of user {owner}"));
    let at = one
        .changed_ms
        .map_or_else(|| "at a time that nothing tells".to_owned(), |ms| format!("at {}", moment(ms)));
    format!("{}/{} {}, {owner}, {at}", one.object, one.key, one.how)
}

/// The freeze and what came after it, for programs; `null` where nothing is frozen.
pub fn printed(workspace: &Workspace) -> Result<Value, Failure> {
    let Some(frozen) = workspace.frozen_ms()? else { return Ok(Value::Null) };
    let later = workspace.later(u32::MAX)?.into_iter().map(|one| {
        json!({
            "object": one.object, "key": one.key, "how": one.how, "owner": one.owner,
            "changed_ms": one.changed_ms,
        })
    });
    Ok(json!({"frozen_ms": frozen, "later": later.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_is_a_time_with_a_zone_or_now() {
        assert_eq!(frozen_at("now").expect("a time"), None);
        assert_eq!(
            frozen_at("2026-11-21T13:00:00+01:00").expect("a time"),
            frozen_at("2026-11-21T12:00:00Z").expect("a time")
        );
        for bad in ["", "18:00", "2026-11-21", "2026-11-21T18:00:00", "tomorrow"] {
            assert!(frozen_at(bad).is_err(), "`{bad}` is a time");
        }
    }

    #[test]
    fn what_is_not_known_of_a_later_change_is_said() {
        let later = Later {
            object: "deal".to_owned(),
            key: "7".to_owned(),
            how: "gone".to_owned(),
            owner: None,
            changed_ms: None,
        };
        assert_eq!(line(&later), "deal/7 gone, of nobody, at a time that nothing tells");
        let later = Later { owner: Some("3".to_owned()), changed_ms: Some(1_795_262_400_000), ..later };
        assert_eq!(line(&later), "deal/7 gone, of user 3, at 2026-11-21T12:00:00Z");
    }
}
