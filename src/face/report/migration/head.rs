//! The first screen: what it came to, an equation for each row of the books, and a card for everything below.

use std::fmt::Write;

use crate::lang::doc::html::escaped;
use crate::run::engine::dossier::{Dossier, Outcome, Row};

use super::super::{duration, number};
use super::markup::{anchor, data};
use super::sections::pace;

/// Everything above the sections.
pub fn head(dossier: &Dossier, title: &str) -> String {
    let mut out = format!("<header>\n<h1>{}</h1>\n", escaped(title));
    out.push_str(&facts(dossier));
    out.push_str("</header>\n");
    let _ = write!(out, "<main id=\"main\">\n{}", verdict(dossier));
    out.push_str("<h2 id=\"equations\">Where every record ended</h2>\n<ul class=\"eq\">\n");
    for row in &dossier.rows {
        out.push_str(&equation(row));
    }
    out.push_str("</ul>\n<h2 id=\"short\">In short</h2>\n<ul class=\"cards\">\n");
    for card in cards(dossier) {
        let class = if card.bad { "bad" } else { "ok" };
        let word = if card.bad { "look here" } else { "agrees" };
        let badge = match card.judged {
            true => format!(" <span class=\"badge {class}\">{word}</span>"),
            false => String::new(),
        };
        let _ = writeln!(
            out,
            "<li><h3><a href=\"#{}\">{}</a>{badge}</h3><p class=\"big\">{}</p><p>{}</p></li>",
            card.section,
            escaped(card.title),
            escaped(&card.big),
            escaped(&card.small)
        );
    }
    out.push_str("</ul>\n");
    out
}

fn facts(dossier: &Dossier) -> String {
    let about = &dossier.about;
    let short = |hash: &str| hash.chars().take(16).collect::<String>();
    let mut facts = vec![
        ("spec", about.spec.clone()),
        ("plan", short(&about.plan)),
        ("books of", about.books_of.clone().unwrap_or_else(|| "nothing was done yet".to_owned())),
        ("both sides compared", about.compared.clone().unwrap_or_else(|| "never".to_owned())),
    ];
    if let Some(written) = &about.written_with {
        facts.push(("written with plan", short(written)));
    }
    if let (Some(by), Some(at)) = (&about.approved_by, &about.approved) {
        facts.push(("approved by", format!("{by}, {at}")));
    }
    if let Some(with) = &about.approved_with {
        facts.push(("approved with", with.clone()));
    }
    if dossier.hashed {
        facts.push(("values", "shown as salted hashes".to_owned()));
    }
    let mut out = "<dl class=\"facts\">\n".to_owned();
    for (name, text) in facts {
        let _ = writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), data(&text));
    }
    out + "</dl>\n"
}

fn verdict(dossier: &Dossier) -> String {
    let verdict = &dossier.verdict;
    let (class, word) = match verdict.outcome {
        Outcome::Whole => ("ok", "Closed"),
        Outcome::HeldBack => ("warn", "Closed, with records held back"),
        Outcome::Partial => ("warn", "Not finished"),
        Outcome::Unproven => ("warn", "Not proven"),
        Outcome::Nothing => ("warn", "Nothing written"),
        Outcome::Open => ("bad", "Open"),
    };
    let mut out = format!(
        "<div class=\"verdict {class}\" role=\"status\"><p><strong>{word}.</strong> {}</p>\n",
        escaped(&verdict.text)
    );
    if !verdict.notes.is_empty() {
        out.push_str("<ul>\n");
        for note in &verdict.notes {
            let _ = writeln!(out, "<li>{}</li>", escaped(note));
        }
        out.push_str("</ul>\n");
    }
    out + "</div>\n"
}

/// Ends that every equation names, whether there are such records or not.
const ALWAYS: [&str; 5] = ["created", "adopted", "left out", "quarantined", "failed"];

fn equation(row: &Row) -> String {
    let mut out = format!(
        "<li><span class=\"row\">{} → {}</span><span class=\"sum\"><span class=\"t\">{} {}</span> =",
        data(&row.map),
        data(&row.target),
        number(row.source),
        if row.beside { "notes" } else { "records" }
    );
    let mut first = true;
    for end in row.ends.iter().filter(|end| end.records > 0 || ALWAYS.contains(&end.end.as_str())) {
        let plus = if std::mem::take(&mut first) { "" } else { " +" };
        let text = format!("{} {}", number(end.records), escaped(&end.end));
        let _ = match &end.list {
            Some(file) => write!(out, "{plus} <a class=\"t\" href=\"#{}\">{text}</a>", anchor(file)),
            None => write!(out, "{plus} <span class=\"t zero\">{text}</span>"),
        };
    }
    let (class, word) = state(row);
    let _ = writeln!(out, "</span> <span class=\"badge {class}\">{word}</span></li>");
    out
}

/// How a row stands, in a word.
fn state(row: &Row) -> (&'static str, &'static str) {
    let compared = row.compared.as_ref();
    if !row.adds_up || compared.is_some_and(|compared| compared.fresh && !compared.agrees) {
        ("bad", "open")
    } else if row.closes {
        ("ok", "closes")
    } else if compared.is_some() {
        ("warn", "changed since it was compared")
    } else {
        ("warn", "never compared")
    }
}

/// The same for a terminal.
pub fn equation_text(row: &Row) -> String {
    let ends = row.ends.iter().filter(|end| end.records > 0 || ALWAYS.contains(&end.end.as_str()));
    let ends: Vec<String> = ends.map(|end| format!("{} {}", number(end.records), end.end)).collect();
    format!("{}: {} = {}, {}", row.map, number(row.source), ends.join(" + "), state(row).1)
}

/// A section in two lines.
pub struct Card {
    pub section: &'static str,
    pub title: &'static str,
    pub big: String,
    pub small: String,
    /// Whether it can be right or wrong.
    pub judged: bool,
    pub bad: bool,
}

impl Card {
    /// On one line.
    pub fn plain(&self) -> String {
        if self.small.is_empty() { self.big.clone() } else { format!("{}; {}", self.big, self.small) }
    }
}

/// A card for each section.
pub fn cards(dossier: &Dossier) -> Vec<Card> {
    let card = |section, title, big: String, small: String, judged: Option<bool>| Card {
        section,
        title,
        big,
        small,
        judged: judged.is_some(),
        bad: judged == Some(false),
    };
    let total = |numbers: &mut dyn Iterator<Item = u64>| numbers.sum::<u64>();
    let open = dossier.sums.iter().filter(|sum| !sum.closes).count();
    let sums = dossier.sums.len();
    let (planned, ends, there) = dossier
        .links
        .iter()
        .fold((0, 0, 0), |(a, b, c), link| (a + link.source, b + link.both_ends, c + link.there));
    let rate = if planned > 0 {
        format!("{:.1} %", (1000.0 * there as f64 / planned as f64).floor() / 10.0)
    } else {
        "none".to_owned()
    };
    let less = dossier.fields.iter().filter(|field| field.change < 0).count();
    let largest = dossier.fields.iter().filter(|field| field.change != 0).take(2);
    let largest: Vec<String> =
        largest.map(|field| format!("{}.{} {:+}", field.map, field.field, field.change)).collect();
    let wrong = total(
        &mut dossier.fields.iter().flat_map(|field| &field.differing).filter(|d| d.open).map(|d| d.records),
    );
    let off = dossier.owners.iter().filter(|owner| owner.planned != owner.there).count();
    let files = total(&mut dossier.files.iter().map(|line| line.files));
    let faults = total(&mut dossier.faults.iter().map(|fault| fault.times));
    let unsettled = total(&mut dossier.faults.iter().filter(|f| !f.settled).map(|f| f.times));
    let time = &dossier.time;
    let forecast =
        format!("forecast {} to {} at {}", duration(time.floor_s), duration(time.forecast_s), pace(time));
    let kept = dossier.times.kept.iter();
    let untrue = kept.filter(|field| field.differing.iter().any(|differing| differing.open)).count();
    vec![
        card(
            "sums",
            "Sums per currency and stage",
            if sums == 0 { "no amounts".to_owned() } else { format!("{} of {sums} close", sums - open) },
            String::new(),
            (sums > 0).then_some(open == 0),
        ),
        card(
            "links",
            "Links",
            rate,
            format!(
                "{} there, {} with both ends, {} in the source",
                number(there),
                number(ends),
                number(planned)
            ),
            (planned > 0).then_some(ends == there),
        ),
        card(
            "fields",
            "Filled fields",
            if less == 0 { "none is emptier".to_owned() } else { format!("{less} are emptier than planned") },
            largest.join(", "),
            (!dossier.fields.is_empty()).then_some(wrong == 0),
        ),
        card(
            "owners",
            "Owners",
            if dossier.owners.is_empty() {
                "none".to_owned()
            } else {
                format!("{off} of {} differ", dossier.owners.len())
            },
            String::new(),
            (!dossier.owners.is_empty()).then_some(off == 0),
        ),
        card(
            "times",
            "Times",
            format!("{} fields kept", dossier.times.kept.len()),
            format!("{} fields no call writes", dossier.times.unwritten.len()),
            (!dossier.times.kept.is_empty()).then_some(untrue == 0),
        ),
        card(
            "files",
            "Files",
            format!("{} to look after", number(files)),
            "the destination's API takes none".to_owned(),
            None,
        ),
        card(
            "faults",
            "Faults met",
            number(faults),
            if unsettled == 0 {
                "all settled".to_owned()
            } else {
                format!("{} not settled", number(unsettled))
            },
            Some(unsettled == 0),
        ),
        card(
            "time",
            "Time of loading",
            duration(time.loading_s),
            match time.ratio {
                Some(ratio) if ratio < 1.0 => format!(
                    "{ratio:.2} times the floor of what was sent, which reckons with answers in {} s; {forecast}",
                    time.latency_s
                ),
                Some(ratio) => format!("{ratio:.2} times the floor of what was sent; {forecast}"),
                None => forecast,
            },
            None,
        ),
    ]
}
