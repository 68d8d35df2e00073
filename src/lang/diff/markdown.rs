//! A diff for a pull request: a table per subject, details that fold away, ids only unless values are wanted.

use std::fmt::Write as _;

use super::json::Counted;
use super::{Action, At, Change, Diff, Loss, Seen, Subject};
use crate::lang::finding::Count;

/// The most rows of a table that stand open; the rest folds away.
const OPEN_ROWS: usize = 20;

/// The diff as Markdown; `old` and `new` name both versions.
pub fn render(diff: &Diff, old: &str, new: &str, counted: Option<&Counted>, show_values: bool) -> String {
    let mut out = format!("### What {} changes\n\n", code(new));
    if !diff.means() {
        let _ = writeln!(out, "Nothing: every record comes out as it did by {}.", code(old));
    } else {
        let _ = writeln!(out, "{}.", summary(diff));
    }
    out.push('\n');
    for loss in [Loss::Gained, Loss::Mixed] {
        for change in diff.changes.iter().filter(|change| change.loss == loss && change.means()) {
            let _ = writeln!(out, "- **{}**: {}", loss_word(loss), text(&change.what));
        }
    }
    if diff.changes.iter().any(|change| matches!(change.loss, Loss::Gained | Loss::Mixed) && change.means()) {
        out.push('\n');
    }
    for (title, subjects) in SECTIONS {
        let rows: Vec<(usize, &Change)> = diff
            .changes
            .iter()
            .enumerate()
            .filter(|(_, change)| change.means() && subjects.contains(&change.subject))
            .collect();
        section(&mut out, title, &rows, counted, show_values);
    }
    let renamed: Vec<&Change> = diff.changes.iter().filter(|change| !change.means()).collect();
    if !renamed.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>Renamed, with no effect on records: {}</summary>\n",
            renamed.len()
        );
        renamed.iter().for_each(|change| {
            let _ = writeln!(out, "- {}", text(&change.what));
        });
        out.push_str("\n</details>\n\n");
    }
    if let Some((_, moved)) = counted
        && !moved.is_empty()
    {
        out.push_str("#### Records that come out otherwise, counted one by one\n\n");
        out.push_str("| map | field | records | for example |\n| --- | --- | ---: | --- |\n");
        for one in moved {
            let field = if one.field.is_empty() { "the record".to_owned() } else { code(&one.field) };
            let _ = writeln!(
                out,
                "| {} | {field} | {} | {} |",
                code(&one.map),
                grouped(one.seen.records),
                example(&one.seen, show_values)
            );
        }
        out.push('\n');
    }
    let _ = writeln!(out, "<sub>{} → {}</sub>", code(old), code(new));
    out
}

const SECTIONS: &[(&str, &[Subject])] = &[
    ("Records", &[Subject::Map, Subject::Filter, Subject::Split, Subject::Flatten]),
    ("Fields", &[Subject::Rule, Subject::Note, Subject::Drop]),
    ("Values", &[Subject::Table, Subject::Pipeline, Subject::Owner, Subject::Function]),
    ("Destination", &[Subject::CustomField, Subject::Requirement, Subject::Order]),
    ("Agreements", &[Subject::Budget, Subject::Acceptance, Subject::Open, Subject::Setting]),
    ("Snapshots", &[Subject::Schema]),
];

/// `3 changes: 1 loses, 1 heals`
pub fn summary(diff: &Diff) -> String {
    let changes: Vec<&Change> = diff.changes.iter().filter(|change| change.means()).collect();
    let number = |loss: Loss| changes.iter().filter(|change| change.loss == loss).count();
    let mut parts = Vec::new();
    for (loss, words) in [(Loss::Gained, "loss gained"), (Loss::Healed, "loss healed"), (Loss::Mixed, "both")]
    {
        if number(loss) > 0 {
            parts.push(format!("{words} in {}", number(loss)));
        }
    }
    let provisioned = changes
        .iter()
        .filter(|change| change.subject == Subject::CustomField && change.action == Action::Added)
        .count();
    if provisioned > 0 {
        parts
            .push(format!("{provisioned} custom field{} to create", if provisioned == 1 { "" } else { "s" }));
    }
    let plural = if changes.len() == 1 { "" } else { "s" };
    if parts.is_empty() {
        format!("{} change{plural}, none of which loses or heals anything", changes.len())
    } else {
        format!("{} change{plural}: {}", changes.len(), parts.join(", "))
    }
}

fn section(
    out: &mut String,
    title: &str,
    rows: &[(usize, &Change)],
    counted: Option<&Counted>,
    show_values: bool,
) {
    if rows.is_empty() {
        return;
    }
    let folded = rows.len() > OPEN_ROWS || title == "Snapshots";
    if folded {
        let _ = writeln!(out, "<details><summary>{title}: {}</summary>\n", rows.len());
    } else {
        let _ = writeln!(out, "#### {title}\n");
    }
    let exact = counted.is_some();
    out.push_str(if exact {
        "| change | records | exactly | for example | effect | line |\n| --- | ---: | ---: | --- | --- | --- |\n"
    } else {
        "| change | records | effect | line |\n| --- | ---: | --- | --- |\n"
    });
    for (at, change) in rows {
        let _ = write!(out, "| {} | {} |", text(&change.what), records(change));
        if let Some((seen, _)) = counted {
            let seen = seen.get(*at).filter(|_| !change.touches.is_empty());
            let number = seen.map(|seen| grouped(seen.records)).unwrap_or_default();
            let _ = write!(
                out,
                " {number} | {} |",
                seen.map(|seen| example(seen, show_values)).unwrap_or_default()
            );
        }
        let _ = writeln!(out, " {} | {} |", loss_word(change.loss), line(change));
    }
    out.push_str(if folded { "\n</details>\n\n" } else { "\n" });
}

fn example(seen: &Seen, show_values: bool) -> String {
    match &seen.witness {
        None => String::new(),
        Some(witness) if show_values => format!(
            "{} {}: {} → {}",
            text(&witness.object),
            code(&witness.key),
            code(&witness.old),
            code(&witness.new)
        ),
        Some(witness) => format!("{} {}", text(&witness.object), code(&witness.key)),
    }
}

/// How many records a change touches, in words: `412 of 3 000`, `10 to 40 of 3 000`, `unknown`.
pub fn records(change: &Change) -> String {
    let of = change.of.map(|of| format!(" of {}", grouped(of))).unwrap_or_default();
    match change.count {
        Count::None => String::new(),
        Count::Exact { records: 0 } => "none".to_owned(),
        Count::Exact { records } => format!("{}{of}", grouped(records)),
        Count::Between { at_least: 0, at_most } => format!("up to {}{of}", grouped(at_most)),
        Count::Between { at_least, at_most } => format!("{} to {}{of}", grouped(at_least), grouped(at_most)),
        Count::Unknown => "unknown".to_owned(),
    }
}

/// The effect of a change in words; nothing where as much arrives as before.
pub fn loss_word(loss: Loss) -> &'static str {
    match loss {
        Loss::Same => "",
        Loss::Gained => "loss gained",
        Loss::Healed => "loss healed",
        Loss::Mixed => "loss gained and healed",
    }
}

/// Where to look: the new line, or the old one of what is gone.
pub fn line(change: &Change) -> String {
    let shown = |at: &At| format!("{}:{}", at.file, at.line);
    match (&change.old, &change.new) {
        (_, Some(new)) => shown(new),
        (Some(old), None) => format!("was {}", shown(old)),
        (None, None) => String::new(),
    }
}

/// `48210` as `48 210`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Words with code in backticks, safe inside a table cell: no cell ends early and no markup begins.
pub fn text(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for (index, part) in words.split('`').enumerate() {
        if index % 2 == 1 && words.matches('`').count() > index {
            out.push_str(&code(part));
            continue;
        }
        if index % 2 == 1 {
            out.push_str("\\`");
        }
        for c in part.chars() {
            match c {
                '|' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => {
                    out.push('\\');
                    out.push(c);
                }
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '@' => out.push_str("&#64;"),
                c if c.is_control() => out.push(' '),
                other => out.push(other),
            }
        }
    }
    out
}

/// Code, safe inside a table cell.
pub fn code(text: &str) -> String {
    let flat = text.replace(['\n', '\r'], " ").replace('|', "\\|");
    // A run of backticks inside needs a longer one outside.
    let longest = flat.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let pad = if longest > 0 || flat.is_empty() { " " } else { "" };
    format!("{ticks}{pad}{flat}{pad}{ticks}")
}
