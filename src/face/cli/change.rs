//! What a changed spec means for what was written: shown, and agreed to before anything is done.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::lang::plan::short;
use crate::run::engine::{Changes, MapChange, Selection};
use crate::run::workspace::Workspace;

use super::Format;
use super::account::{self, Live};
use super::failure::Failure;
use super::project::Ready;
use super::terminal::{Terminal, asked, count};

/// The least of it that names a plan.
const LEAST: usize = 8;

/// Prints what would change, without asking either account.
pub fn dry_run(
    ready: &Ready,
    live: &Live,
    workspace: &Workspace,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let changes = account::block_on(live, ready, workspace, terminal, async |engine| engine.changes())?;
    match (terminal.format, changes) {
        (Format::Json, changes) => println!("{}", printed(&ready.plan.hash(), changes.as_ref())),
        (Format::Human, Some(changes)) => {
            print!("{}", text(&changes, terminal));
            if changes.is_of_the_plan() {
                println!("`b2n migrate` with `--yes-change {}` applies this", short(&changes.to));
            }
        }
        (Format::Human, None) if workspace.writes()? == 0 => {
            println!("nothing was written yet: `b2n plan` and `b2n rehearse` tell what a first run does");
        }
        (Format::Human, None) => {
            println!(
                "the plan is the one that records were written with, and no staged record changed since"
            );
        }
    }
    Ok(())
}

/// The selection with the plan that is agreed to, where records were written with another one.
pub fn agreed(
    ready: &Ready,
    live: &Live,
    workspace: &Workspace,
    (selection, yes_change): (&Selection, Option<&str>),
    terminal: &Terminal,
) -> Result<Selection, Failure> {
    let hash = ready.plan.hash();
    let same = workspace.plan()?.is_none_or(|plan| plan == hash);
    if same || workspace.writes()? == 0 {
        return Ok(selection.clone());
    }
    if selection.records.is_some() || selection.sample.is_some() {
        return Err(Failure::usage("the spec changed since records were written; nothing was written")
            .hint("run `b2n migrate` first, which shows what changes and applies it to everything"));
    }
    let changes = account::block_on(live, ready, workspace, terminal, async |engine| {
        // What the new plan reads has to be there to be counted.
        engine.extract().await?;
        engine.changes()
    })?;
    if terminal.format == Format::Human
        && let Some(changes) = &changes
    {
        print!("{}", text(changes, terminal));
    }
    agree(&hash, yes_change, terminal)?;
    Ok(Selection { change: Some(hash), ..selection.clone() })
}

/// A person's word that this is the plan to go on with.
fn agree(hash: &str, yes_change: Option<&str>, terminal: &Terminal) -> Result<(), Failure> {
    let hint = format!("add `--yes-change {}` when these are the changes to make", short(hash));
    match yes_change {
        Some(named) if named.len() >= LEAST && hash.starts_with(named) => return Ok(()),
        Some(named) => {
            return Err(Failure::usage(format!(
                "--yes-change names `{named}`, but this plan is {}; nothing was written",
                short(hash)
            ))
            .hint(hint));
        }
        None => {}
    }
    if !terminal.attended {
        return Err(Failure::usage("the changed plan wants to be confirmed; nothing was written").hint(hint));
    }
    if asked("records will be changed as said above; type `yes` to go on: ")? == "yes" {
        Ok(())
    } else {
        Err(Failure::usage("that is not `yes`; nothing was written").hint(hint))
    }
}

/// What changes, for people.
pub fn text(changes: &Changes, terminal: &Terminal) -> String {
    let mut lines = if changes.is_of_the_plan() {
        vec![format!("the plan changes from {} to {}", short(&changes.from), short(&changes.to))]
    } else {
        vec![format!("the plan stays {}; staged records changed", short(&changes.to))]
    };
    if changes.is_nothing() {
        lines.push("nothing that was written changes".to_owned());
    }
    for map in &changes.maps {
        lines.push(line(map, terminal));
        let fields = map.fields.iter().map(|(field, records)| format!("`{field}` {}", count(*records)));
        let fields: Vec<String> = fields.collect();
        if !fields.is_empty() {
            lines.push(format!("  fields: {}", fields.join(", ")));
        }
        for (word, reasons) in lists(map) {
            for (why, records) in reasons {
                lines.push(format!("  {word}: {} ({why})", count(*records)));
            }
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn line(map: &MapChange, terminal: &Terminal) -> String {
    let mut parts = vec![format!("{} stay", count(map.stays))];
    for (records, word) in [(map.edited, "edited"), (map.created, "created")] {
        if records > 0 {
            parts.push(format!("{} {word}", count(records)));
        }
    }
    format!("{} -> {}: {}", terminal.bold(&map.map), map.target, parts.join(", "))
}

type Reasons = BTreeMap<String, u64>;

fn lists(map: &MapChange) -> [(&'static str, &Reasons); 5] {
    [
        ("no longer mapped, kept", &map.left_out),
        ("no longer mapped, taken away", &map.taken_away),
        ("held back, kept", &map.held_back),
        ("deleted and made anew", &map.made_anew),
        ("not editable", &map.fixed),
    ]
}

/// What changes, for programs.
pub fn printed(plan: &str, changes: Option<&Changes>) -> Value {
    let map = |map: &MapChange| {
        json!({
            "map": map.map, "object": map.target, "stays": map.stays, "edited": map.edited, "fields": map.fields,
            "created": map.created, "left_out": map.left_out, "taken_away": map.taken_away,
            "held_back": map.held_back, "made_anew": map.made_anew, "not_editable": map.fixed,
        })
    };
    json!({
        "format": "b2n-changes/1", "plan": plan, "from": changes.map(|changes| changes.from.as_str()),
        "maps": changes.map(|changes| changes.maps.iter().map(map).collect::<Vec<_>>()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::findings::Shape;
    use super::*;

    fn terminal() -> Terminal {
        Terminal {
            format: Format::Human,
            findings: Shape::Human,
            colour: false,
            width: 100,
            unicode: false,
            attended: false,
            drawn: false,
            fold: None,
        }
    }

    #[test]
    fn every_end_of_a_change_is_told_with_its_reason() {
        let why = |why: &str, records| BTreeMap::from([(why.to_owned(), records)]);
        let map = MapChange {
            map: "deal".to_owned(),
            target: "Lead".to_owned(),
            stays: 2,
            edited: 3,
            created: 4,
            fields: why("stage", 3),
            left_out: why("a template", 5),
            taken_away: why("a test", 6),
            held_back: why("no table", 7),
            made_anew: why("too old", 8),
            fixed: why("final", 9),
        };
        let changes = Changes { from: "a".repeat(64), to: "b".repeat(64), maps: vec![map] };
        let text = text(&changes, &terminal());
        for part in [
            "from aaaaaaaaaaaa to bbbbbbbbbbbb",
            "deal -> Lead: 2 stay, 3 edited, 4 created",
            "fields: `stage` 3",
            "no longer mapped, kept: 5 (a template)",
            "no longer mapped, taken away: 6 (a test)",
            "held back, kept: 7 (no table)",
            "deleted and made anew: 8 (too old)",
            "not editable: 9 (final)",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert_eq!(printed("b", Some(&changes))["maps"][0]["not_editable"]["final"], 9);
        assert_eq!(printed("b", Some(&changes))["maps"][0]["made_anew"]["too old"], 8);
        assert_eq!(printed("b", None)["maps"], json!([]));
    }

    #[test]
    fn only_the_plan_that_is_named_is_agreed_to() {
        let hash = format!("{}{}", "0123456789ab", "c".repeat(52));
        for named in ["0123456789ab", "01234567", hash.as_str()] {
            assert!(agree(&hash, Some(named), &terminal()).is_ok(), "{named}");
        }
        for named in [None, Some("0123"), Some("ffffffffffff"), Some("")] {
            assert!(agree(&hash, named, &terminal()).is_err(), "{named:?}");
        }
    }
}
