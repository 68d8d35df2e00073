//! `b2n diff`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::lang::diff::outline::outline;
use crate::lang::diff::{self, Action, Change, Diff, Loss, Side, markdown};
use crate::lang::finding::Finding;
use crate::lang::schema::drift::differences;
use crate::lang::text::SourceText;

use super::exactly::exactly;
use super::failure::Failure;
use super::findings::Shape;
use super::git::{self, Checkout};
use super::project::Project;
use super::report;
use super::terminal::{Terminal, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The spec as it was: a file, or REV:PATH as git writes it.
    #[arg(value_name = "OLD")]
    old: String,
    /// The spec as it is: a file, or REV:PATH.
    #[arg(value_name = "NEW")]
    new: String,
    /// Count exactly: run both over all records staged in this workspace.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
    /// Show what witnesses hold, not their ids alone. Keep such output out of pull requests.
    #[arg(long, requires = "workspace")]
    show_values: bool,
    /// What makes the exit code 1: any change in meaning, a loss gained, or nothing. A spec that does not check always
    /// does.
    #[arg(long, value_enum, default_value = "change", value_name = "WHAT")]
    fail_on: FailOn,
}

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Any change in meaning.
    Change,
    /// Less arrives than before.
    Loss,
    /// Nothing.
    Never,
}

/// One version of a spec.
struct Version {
    /// As it was named.
    name: String,
    project: Project,
}

impl Version {
    fn load(argument: &str) -> Result<Version, Failure> {
        let (mut project, checkout) = match git::revision(argument) {
            Some((revision, path)) => {
                let checkout = git::checkout(revision, path)?;
                (Project::load(&checkout.spec)?, Some(checkout))
            }
            None => (Project::load(Path::new(argument))?, None),
        };
        if let Some(checkout) = &checkout {
            rename(&mut project, checkout);
        }
        Ok(Version { name: argument.to_owned(), project })
    }

    fn side(&self) -> Option<Side<'_>> {
        let Project { plan, source, target, text, spec, .. } = &self.project;
        Some(Side { plan: plan.as_ref()?, source: source.as_ref()?, target: target.as_ref()?, spec, text })
    }
}

/// Files of a commit are named as the commit has them, not as they were written out.
fn rename(project: &mut Project, checkout: &Checkout) {
    let named = |text: &SourceText| -> SourceText {
        if text.parts().is_empty() {
            return SourceText::new(checkout.name(text.name()), text.text());
        }
        let file = |part: &crate::lang::text::Part| {
            SourceText::new(checkout.name(part.file.name()), part.file.text())
        };
        SourceText::join(text.parts().iter().map(file).collect())
    };
    project.text = named(&project.text);
    for (text, _) in &mut project.findings {
        *text = named(text);
    }
    for file in project.plan.iter_mut().flat_map(|plan| &mut plan.files) {
        file.name = checkout.name(&file.name);
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let old = Version::load(&args.old)?;
    let new = Version::load(&args.new)?;
    let (Some(was), Some(is)) = (old.side(), new.side()) else {
        unchecked(&old, &new, terminal);
        return Ok(ExitCode::from(1));
    };
    let found = diff::diff(was, is);
    let counted = match &args.workspace {
        Some(path) => Some(exactly(was, is, &found, path)?),
        None => None,
    };
    let counted = counted.as_ref();
    match terminal.findings {
        Shape::Markdown => {
            print!("{}", markdown::render(&found, &old.name, &new.name, counted, args.show_values));
        }
        Shape::Json => {
            let mut json = diff::json::render(&found, counted, args.show_values);
            json["old"] = side_json(&old, was);
            json["new"] = side_json(&new, is);
            println!("{json}");
        }
        _ => human(&found, (&old.name, &new.name), counted, args.show_values, terminal),
    }
    let failed = match args.fail_on {
        FailOn::Change => found.means(),
        FailOn::Loss => found.of_loss(Loss::Gained).next().is_some(),
        FailOn::Never => false,
    };
    Ok(ExitCode::from(u8::from(failed)))
}

fn side_json(version: &Version, side: Side<'_>) -> serde_json::Value {
    json!({
        "spec": version.name, "plan": side.plan.hash(),
        "source": side.plan.source, "target": side.plan.target,
    })
}

const SECTIONS: &[(&str, &[diff::Subject])] = {
    use diff::Subject as S;
    &[
        ("records", &[S::Map, S::Filter, S::Split, S::Flatten]),
        ("fields", &[S::Rule, S::Note, S::Drop]),
        ("values", &[S::Table, S::Pipeline, S::Owner, S::Function]),
        ("destination", &[S::CustomField, S::Requirement, S::Order]),
        ("agreements", &[S::Budget, S::Acceptance, S::Open, S::Setting]),
        ("snapshots", &[S::Schema]),
    ]
};

fn human(
    found: &Diff,
    (old, new): (&str, &str),
    counted: Option<&diff::json::Counted>,
    show_values: bool,
    terminal: &Terminal,
) {
    if found.means() {
        println!("{} {old} -> {new}: {}", terminal.bold("diff"), markdown::summary(found));
    } else {
        println!(
            "{} {old} -> {new}: every record comes out as before",
            terminal.green("no change in meaning")
        );
    }
    for (title, subjects) in SECTIONS {
        let rows = found.changes.iter().enumerate();
        let rows: Vec<(usize, &Change)> =
            rows.filter(|(_, change)| change.means() && subjects.contains(&change.subject)).collect();
        if rows.is_empty() {
            continue;
        }
        println!("\n{}", terminal.bold(title));
        for (at, change) in rows {
            show(change, counted.and_then(|(seen, _)| seen.get(at)), show_values, terminal);
        }
    }
    let renamed: Vec<&Change> = found.changes.iter().filter(|change| !change.means()).collect();
    if !renamed.is_empty() {
        println!("\n{}", terminal.bold("renamed, with no effect on records"));
        for change in renamed {
            print!("{}", wrapped(&change.what, "  ", "    ", terminal.width));
        }
    }
    let Some((_, moved)) = counted else { return };
    println!("\n{}", terminal.bold("records that come out otherwise, counted one by one"));
    if moved.is_empty() {
        println!("  none");
        return;
    }
    let rows: Vec<Vec<String>> = moved
        .iter()
        .map(|moved| {
            let field = if moved.field.is_empty() { "the record" } else { &moved.field };
            vec![
                moved.map.clone(),
                count(moved.seen.records),
                field.to_owned(),
                example(&moved.seen, show_values),
            ]
        })
        .collect();
    print!("{}", terminal.table(&["map", "records", "field", "for example"], &rows));
}

fn show(change: &Change, seen: Option<&diff::Seen>, show_values: bool, terminal: &Terminal) {
    let sign = match change.action {
        Action::Added => terminal.green("+"),
        Action::Removed => terminal.red("-"),
        Action::Changed | Action::Renamed => terminal.cyan("~"),
    };
    let body = wrapped(&change.what, "", "    ", terminal.width.saturating_sub(4));
    print!("  {sign} {body}");
    let mut facts: Vec<String> = Vec::new();
    let records = markdown::records(change);
    if !records.is_empty() {
        facts.push(format!("records: {records}"));
    }
    if let Some(seen) = seen.filter(|_| !change.touches.is_empty()) {
        facts.push(format!("exactly {}", count(seen.records)));
        if seen.witness.is_some() {
            facts.push(format!("for example {}", example(seen, show_values)));
        }
    }
    match change.loss {
        Loss::Same => {}
        loss @ Loss::Healed => facts.push(terminal.green(markdown::loss_word(loss))),
        loss => facts.push(terminal.red(markdown::loss_word(loss))),
    }
    let line = markdown::line(change);
    if !line.is_empty() {
        facts.push(line);
    }
    if !facts.is_empty() {
        println!("    {}", facts.join("; "));
    }
}

fn example(seen: &diff::Seen, show_values: bool) -> String {
    match &seen.witness {
        None => String::new(),
        Some(witness) if show_values => {
            format!("{} {}: {} -> {}", witness.object, witness.key, witness.old, witness.new)
        }
        Some(witness) => format!("{} {}", witness.object, witness.key),
    }
}

/// Words in lines of at most `width` columns, each ended.
pub fn wrapped(text: &str, first: &str, rest: &str, width: usize) -> String {
    let mut out = first.to_owned();
    let mut column = first.chars().count();
    let mut fresh = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !fresh && column + 1 + length > width {
            out.push('\n');
            out.push_str(rest);
            column = rest.chars().count();
        } else if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        fresh = false;
    }
    out.push('\n');
    out
}

/// What can be said where a version does not check: its findings, the items that came and went, the snapshots.
fn unchecked(old: &Version, new: &Version, terminal: &Terminal) {
    let items = outline(&old.project.spec, &new.project.spec);
    let mut schemas: Vec<String> = Vec::new();
    for (side, a, b) in [
        ("source", &old.project.source, &new.project.source),
        ("target", &old.project.target, &new.project.target),
    ] {
        if let (Some(a), Some(b)) = (a, b) {
            schemas
                .extend(differences(a, b).iter().map(|difference| format!("{side} snapshot: {difference}")));
        }
    }
    let broken: Vec<&Version> = [old, new].into_iter().filter(|version| version.side().is_none()).collect();
    let words = |action: &Action| if *action == Action::Added { "added" } else { "removed" };
    match terminal.findings {
        Shape::Json => {
            let findings: Vec<_> = broken
                .iter()
                .map(|v| json!({"spec": v.name, "files": super::findings::json(&v.project.findings)}))
                .collect();
            let items: Vec<_> =
                items.iter().map(|(action, item)| json!({"action": action, "item": item})).collect();
            println!(
                "{}",
                json!({
                    "format": diff::json::FORMAT, "checks": false, "old": old.name, "new": new.name,
                    "findings": findings, "items": items, "schemas": schemas,
                })
            );
        }
        Shape::Markdown => {
            for version in &broken {
                println!("### {} does not check\n", markdown::code(&version.name));
                for (text, findings) in &version.project.findings {
                    for finding in findings {
                        println!(
                            "- **{}** {}{}",
                            finding.code,
                            markdown::text(&finding.message),
                            line(finding, text)
                        );
                    }
                }
                println!();
            }
            println!("Compared as far as that goes:\n");
            for (action, item) in &items {
                println!("- {} {}", markdown::code(item), words(action));
            }
            for schema in &schemas {
                println!("- {}", markdown::text(schema));
            }
        }
        _ => {
            for version in &broken {
                println!("{} {}", terminal.red("does not check:"), version.name);
                print!("{}", report::findings(&version.project.findings, terminal));
            }
            println!("{}", terminal.bold("compared as far as that goes"));
            if items.is_empty() && schemas.is_empty() {
                println!("  the same items, the same snapshots");
            }
            for (action, item) in &items {
                println!("  {item} {}", words(action));
            }
            for schema in &schemas {
                print!("{}", wrapped(schema, "  ", "    ", terminal.width));
            }
            println!("next: settle the findings with `b2n check`, then compare again");
        }
    }
}

fn line(finding: &Finding, text: &SourceText) -> String {
    let Some(label) = &finding.label else { return String::new() };
    let (file, local) = text.local(label.span);
    format!(" ({}:{})", markdown::text(file.name()), file.position(local.start).line)
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_keep_the_width() {
        assert_eq!(wrapped("one two three", "", "  ", 8), "one two\n  three\n");
        assert_eq!(wrapped("unbreakable", "- ", "  ", 5), "- unbreakable\n");
    }
}
