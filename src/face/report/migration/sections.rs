//! Everything below the first screen, in the order in which people ask.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::lang::doc::html::escaped;
use crate::run::engine::dossier::{Dossier, FieldLine, SharedLine, SumLine, Time};

use super::super::{duration, number};
use super::below::{left, lists, sample};
use super::markup::{Cell, Part, amount, bar, pair, say, table};

/// Rows of a table that has its file beside it.
const ROWS: usize = 40;

/// What the sections are called.
const SECTIONS: [(&str, &str); 13] = [
    ("outcomes", "Records by outcome"),
    ("sums", "Sums and value per stage"),
    ("links", "Links"),
    ("fields", "Filled fields, the largest change first"),
    ("pipelines", "Pipelines as they were, and as they are"),
    ("owners", "Owners"),
    ("times", "Times"),
    ("files", "Files"),
    ("faults", "Faults met, and how each was settled"),
    ("time", "Time taken"),
    ("sample", "Records side by side"),
    ("left", "What did not move, and why"),
    ("lists", "Lists"),
];

/// The sections with their contents before them, and the sign-off behind.
pub fn sections(dossier: &Dossier) -> String {
    let mut out = "<nav aria-label=\"Contents\"><ul>\n".to_owned();
    for (id, title) in SECTIONS {
        let _ = writeln!(out, "<li><a href=\"#{id}\">{}</a></li>", escaped(title));
    }
    out.push_str("<li><a href=\"#sign\">Sign-off</a></li>\n</ul></nav>\n");
    for (id, title) in SECTIONS {
        let body = match id {
            "outcomes" => outcomes(dossier),
            "sums" => sums(dossier),
            "links" => links(dossier),
            "fields" => fields(dossier),
            "pipelines" => pipelines(dossier),
            "owners" => owners(dossier),
            "times" => times(dossier),
            "files" => files(dossier),
            "faults" => faults(dossier),
            "time" => time(dossier),
            "sample" => sample(dossier),
            "left" => left(dossier),
            _ => lists(dossier),
        };
        let _ = writeln!(
            out,
            "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n{body}</section>",
            escaped(title)
        );
    }
    out.push_str(SIGN);
    out
}

const SIGN: &str = "<section aria-labelledby=\"sign\">\n<h2 id=\"sign\">Sign-off</h2>\n\
    <p>What stands above was looked at, and the migration is accepted as it is described here.</p>\n\
    <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Signatures\"><table class=\"sign\">\n\
    <caption>Signatures</caption><thead><tr><th scope=\"col\">For</th><th scope=\"col\">Name</th><th scope=\"col\">Date</th>\
    <th scope=\"col\">Signature</th></tr></thead>\n<tbody>\
    <tr><th scope=\"row\">the customer</th><td></td><td></td><td></td></tr>\n\
    <tr><th scope=\"row\">who migrated</th><td></td><td></td><td></td></tr>\n</tbody></table></div>\n</section>\n</main>\n";

/// The classes of the parts of a bar, by the words of the ends.
const PARTS: [(&str, &str); 9] = [
    ("created", "created"),
    ("adopted", "adopted"),
    ("folded", "folded"),
    ("sent to maps", "routed"),
    ("listed", "listed"),
    ("left out", "left"),
    ("quarantined", "held"),
    ("failed", "failed"),
    ("pending", "pending"),
];

/// Where the whole of a list stands.
pub(super) fn whole(dossier: &Dossier, file: &str) -> String {
    match dossier.lists.iter().find(|list| list.file == file) {
        Some(list) => format!(
            "<p>{}: {} rows in <a href=\"{file}\">{file}</a></p>\n",
            escaped(&list.title),
            number(list.rows)
        ),
        None => String::new(),
    }
}

fn outcomes(dossier: &Dossier) -> String {
    let used = |word: &str| {
        dossier.rows.iter().flat_map(|row| &row.ends).any(|end| end.end == word && end.records > 0)
    };
    let mut out = "<ul class=\"key\">\n".to_owned();
    for (word, class) in PARTS.iter().filter(|(word, _)| used(word)) {
        let _ = writeln!(
            out,
            "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"10\" height=\"10\"/></svg>{word}</li>"
        );
    }
    out.push_str("</ul>\n");
    let most = dossier.rows.iter().map(|row| row.source).max().unwrap_or(0) as f64;
    let rows: Vec<Vec<Cell>> = dossier
        .rows
        .iter()
        .map(|row| {
            let parts: Vec<Part> = PARTS
                .iter()
                .map(|(word, class)| {
                    let ends = row.ends.iter().filter(|end| end.end == *word);
                    (*class, ends.map(|end| end.records).sum::<u64>() as f64)
                })
                .collect();
            let told: Vec<String> = row
                .ends
                .iter()
                .filter(|end| end.records > 0)
                .map(|end| format!("{} {}", number(end.records), end.end))
                .collect();
            vec![
                Cell::text(format!("{} → {}", row.map, row.target)),
                Cell::count(row.source),
                Cell::Markup(bar(&parts, most)),
                Cell::text(told.join(", ")),
            ]
        })
        .collect();
    out.push_str(&table(
        "Records of each row of the books, and where they ended",
        &["row", "records", "share of the largest row", "ended as"],
        &rows,
    ));
    let reasons: Vec<Vec<Cell>> = dossier
        .rows
        .iter()
        .flat_map(|row| {
            row.ends.iter().flat_map(move |end| end.reasons.iter().map(move |why| (row, end, why)))
        })
        .map(|(row, end, why)| {
            let text = if why.why.is_empty() { "no reason is noted".to_owned() } else { why.why.clone() };
            vec![Cell::text(&row.map), Cell::text(&end.end), Cell::count(why.records), Cell::text(text)]
        })
        .collect();
    if !reasons.is_empty() {
        out.push_str(&table(
            "Why records did not arrive: the most frequent reasons",
            &["row", "ended as", "records", "why"],
            &reasons,
        ));
    }
    out
}

fn sums(dossier: &Dossier) -> String {
    if dossier.sums.is_empty() {
        return say("No row that was compared has amounts.");
    }
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&SumLine>> = BTreeMap::new();
    for sum in &dossier.sums {
        groups.entry((&sum.map, &sum.field, &sum.currency)).or_default().push(sum);
    }
    let mut out = "<ul class=\"key\"><li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"was\" width=\"10\" \
                   height=\"10\"/></svg>in the source, of all records that the rules write</li>\
                   <li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"is\" width=\"10\" height=\"10\"/></svg>in \
                   the destination</li></ul>\n"
        .to_owned();
    for ((map, field, currency), sums) in groups {
        let value = |text: &str| text.parse::<f64>().unwrap_or(0.0).abs();
        let most = sums.iter().flat_map(|sum| [value(&sum.source), value(&sum.there)]).fold(0.0, f64::max);
        let rows: Vec<Vec<Cell>> = sums
            .iter()
            .map(|sum| {
                let stage = if sum.stage.is_empty() { "all".to_owned() } else { sum.stage.clone() };
                vec![
                    Cell::text(stage),
                    Cell::Markup(pair(value(&sum.source), value(&sum.there), most)),
                    Cell::Number(amount(&sum.source)),
                    Cell::count(sum.source_records),
                    Cell::Number(amount(&sum.arrived)),
                    Cell::Number(amount(&sum.explained)),
                    Cell::Number(amount(&sum.there)),
                    Cell::count(sum.there_records),
                    Cell::Markup(badge(sum.closes)),
                ]
            })
            .collect();
        let head = [
            "stage",
            "both sides",
            "source",
            "records",
            "of it arrived",
            "listed differences",
            "there",
            "records",
            "arrived + differences = there",
        ];
        out.push_str(&table(&format!("{map}.{field} in {currency}"), &head, &rows));
    }
    out + &whole(dossier, "sums.csv")
}

fn badge(closes: bool) -> String {
    let (class, word) = if closes { ("ok", "closes") } else { ("bad", "open") };
    format!("<span class=\"badge {class}\">{word}</span>")
}

fn links(dossier: &Dossier) -> String {
    if dossier.links.is_empty() {
        return say("No row that was compared has links.");
    }
    let row = |link: &crate::run::engine::dossier::LinkLine| {
        vec![
            Cell::text(format!("{}.{}", link.map, link.field)),
            Cell::Markup(bar(&[("is", link.there as f64)], link.source as f64)),
            Cell::count(link.source),
            Cell::count(link.both_ends),
            Cell::count(link.there),
            Cell::Number(link.percent.as_ref().map_or_else(|| "-".to_owned(), |p| format!("{p} %"))),
            Cell::Markup(badge(link.closes)),
        ]
    };
    let rows: Vec<_> = dossier.links.iter().map(row).collect();
    let head = [
        "field",
        "share there",
        "in the source",
        "both ends arrived",
        "there",
        "of the source",
        "there = both ends",
    ];
    table("Links of records that the rules write", &head, &rows)
        + &whole(dossier, "links.csv")
        + &whole(dossier, "links-lacking.csv")
}

fn field_rows(lines: &[&FieldLine]) -> Vec<Vec<Cell>> {
    let row = |field: &&FieldLine| {
        let share = |part: u64| {
            if field.records == 0 {
                return "-".to_owned();
            }
            format!("{:.1} %", 100.0 * part as f64 / field.records as f64)
        };
        let differing: Vec<String> =
            field.differing.iter().map(|d| format!("{} {}", number(d.records), d.kind)).collect();
        let other = [
            (field.reformatted, "written otherwise"),
            (field.waiting, "written later"),
            (field.untold, "never told"),
        ];
        let other = other.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", number(*n)));
        vec![
            Cell::text(format!("{}.{}", field.map, field.field)),
            Cell::text(&field.fidelity),
            Cell::count(field.records),
            Cell::count(field.planned),
            Cell::Number(share(field.planned)),
            Cell::count(field.there),
            Cell::Number(share(field.there)),
            Cell::Number(format!("{:+}", field.change)),
            Cell::text(differing.into_iter().chain(other).collect::<Vec<_>>().join(", ")),
        ]
    };
    lines.iter().map(row).collect()
}

const FIELD_HEAD: [&str; 9] =
    ["field", "fidelity", "compared", "planned", "share", "there", "share", "change", "not to the letter"];

fn fields(dossier: &Dossier) -> String {
    if dossier.fields.is_empty() {
        return say("Nothing was compared field by field yet: `b2n reconcile` does it.");
    }
    let told = |field: &&FieldLine| field.change != 0 || !field.differing.is_empty();
    let shown: Vec<&FieldLine> = dossier.fields.iter().filter(told).take(ROWS).collect();
    let rest = dossier.fields.len() - dossier.fields.iter().filter(told).count();
    let mut out = String::new();
    if !shown.is_empty() {
        out.push_str(&table(
            "Records with a value, by the rules and in the destination",
            &FIELD_HEAD,
            &field_rows(&shown),
        ));
    }
    out.push_str(&say(&format!(
        "{rest} fields are filled in as many records as planned, each as it was planned."
    )));
    out + &whole(dossier, "fields.csv") + &whole(dossier, "differences.csv")
}

fn pipelines(dossier: &Dossier) -> String {
    let pipelines = &dossier.pipelines;
    if pipelines.was.is_empty() && pipelines.is.is_empty() {
        return say("No row has stages.");
    }
    let most = pipelines.was.iter().map(|line| line.records).max().unwrap_or(0) as f64;
    let rows: Vec<_> = pipelines
        .was
        .iter()
        .map(|line| {
            vec![
                Cell::text(format!("{} / {}", line.pipeline, line.stage)),
                Cell::Markup(bar(&[("was", line.records as f64)], most)),
                Cell::count(line.records),
            ]
        })
        .collect();
    let was = table("As they were: all staged records", &["pipeline and stage", "records", "number"], &rows);
    let most = pipelines.is.iter().map(|line| line.there.max(line.planned)).max().unwrap_or(0) as f64;
    let rows: Vec<_> = pipelines
        .is
        .iter()
        .map(|line| {
            vec![
                Cell::text(if line.value.is_empty() { "none" } else { &line.value }),
                Cell::Markup(bar(&[("is", line.there as f64)], most)),
                Cell::count(line.there),
                Cell::count(line.planned),
            ]
        })
        .collect();
    let is = table("As they are: all compared records", &["stage", "records", "there", "planned"], &rows);
    format!("<div class=\"two\">\n<div>{was}</div>\n<div>{is}</div>\n</div>\n")
}

fn owners(dossier: &Dossier) -> String {
    if dossier.owners.is_empty() {
        return say("No row that was compared has owners.");
    }
    let mut lines: Vec<&SharedLine> = dossier.owners.iter().collect();
    lines.sort_by_key(|line| (line.planned == line.there, std::cmp::Reverse(line.there)));
    let most = lines.iter().map(|line| line.there.max(line.planned)).max().unwrap_or(0) as f64;
    let row = |line: &&SharedLine| {
        vec![
            Cell::text(format!("{}.{}", line.map, line.field)),
            Cell::text(if line.value.is_empty() { "nobody" } else { &line.value }),
            Cell::Markup(pair(line.planned as f64, line.there as f64, most)),
            Cell::count(line.planned),
            Cell::count(line.there),
            Cell::Markup(badge(line.planned == line.there)),
        ]
    };
    let rows: Vec<_> = lines.iter().take(ROWS).map(row).collect();
    let head = ["field", "user there", "planned and there", "planned", "there", "planned = there"];
    table("Compared records per user", &head, &rows) + &whole(dossier, "owners.csv")
}

fn times(dossier: &Dossier) -> String {
    let mut out = String::new();
    let kept: Vec<&FieldLine> = dossier.times.kept.iter().collect();
    if kept.is_empty() {
        out.push_str(&say("No row that was compared has fields with days or moments."));
    } else {
        out.push_str(&table("Days and moments", &FIELD_HEAD, &field_rows(&kept)));
    }
    if !dossier.times.unwritten.is_empty() {
        let rows: Vec<_> = dossier
            .times
            .unwritten
            .iter()
            .map(|line| vec![Cell::text(format!("{}.{}", line.map, line.field)), Cell::text(&line.why)])
            .collect();
        let head = ["field", "why, and what to do instead"];
        out.push_str(&table("Fields of the destination that no call writes", &head, &rows));
    }
    out
}

fn files(dossier: &Dossier) -> String {
    if dossier.files.is_empty() {
        return say("No staged record has files.");
    }
    let row = |line: &crate::run::engine::dossier::FileLine| {
        let name = format!("{}.{}", line.object, line.field);
        vec![Cell::text(name), Cell::count(line.records), Cell::count(line.files), Cell::text(&line.fate)]
    };
    let rows: Vec<_> = dossier.files.iter().map(row).collect();
    let head = ["field", "records", "files", "what becomes of them"];
    table("Files of staged records; the destination's API takes none", &head, &rows)
        + &whole(dossier, "files.csv")
}

fn faults(dossier: &Dossier) -> String {
    let note = say(
        "From the journal: what had to be found out, sent again or taken away, a row of the list each. From the clients: \
         reads that were answered with a request for patience, or not at all, as counts; what a process met just before it \
         died is not among them.",
    );
    if dossier.faults.is_empty() {
        return note + &say("None.");
    }
    let row = |fault: &crate::run::engine::dossier::FaultLine| {
        let badge = match fault.settled {
            true => "<span class=\"badge ok\">settled</span>",
            false => "<span class=\"badge bad\">not settled</span>",
        };
        vec![
            Cell::text(&fault.what),
            Cell::count(fault.times),
            Cell::text(&fault.how),
            Cell::Markup(badge.to_owned()),
        ]
    };
    let rows: Vec<_> = dossier.faults.iter().map(row).collect();
    note + &table("Faults met", &["what went wrong", "times", "how it was settled", "state"], &rows)
        + &whole(dossier, "faults.csv")
}

fn time(dossier: &Dossier) -> String {
    let time = &dossier.time;
    let ratio = time.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let floor = format!("floor of the plan for these records, at {}", pace(time));
    let rows = [
        ("loading took, in runs that came to their end", duration(time.loading_s)),
        ("floor of what these runs sent, each at its own pace", duration(time.sent_floor_s)),
        ("loading as a multiple of it", ratio),
        (floor.as_str(), duration(time.floor_s)),
        ("forecast of the plan at most, at the same pace", duration(time.forecast_s)),
        ("writes that were sent", number(time.writes)),
    ];
    let rows: Vec<_> =
        rows.into_iter().map(|(name, value)| vec![Cell::text(name), Cell::Number(value)]).collect();
    let mut out = table("Time against floor and forecast", &["what", "value"], &rows);
    out.push_str(&throughput(dossier));
    let row = |run: &crate::run::engine::dossier::Run| {
        vec![
            Cell::text(&run.began),
            Cell::text(run.ended.as_deref().unwrap_or("died, or was stopped")),
            Cell::Number(run.rate_per_s.map_or_else(|| "-".to_owned(), |rate| rate.to_string())),
            Cell::Number(run.in_flight.map_or_else(|| "-".to_owned(), |most| most.to_string())),
            Cell::Number(run.loading_s.map_or_else(|| "-".to_owned(), duration)),
            Cell::count(run.writes),
            Cell::count(run.reads),
            Cell::count(run.lists),
        ]
    };
    let rows: Vec<_> = time.runs.iter().map(row).collect();
    if !rows.is_empty() {
        let head = [
            "began",
            "ended",
            "allowed a second",
            "in flight",
            "loading",
            "writes",
            "reads",
            "pages of lists",
        ];
        out.push_str(&table("Runs that wrote", &head, &rows));
    }
    out
}

/// The pace that floor and forecast are told for.
pub(super) fn pace(time: &Time) -> String {
    format!("{} requests a second and {} in flight", time.rate_per_s, time.in_flight)
}

/// Writes over time, with the allowed rate as a line where it was one.
fn throughput(dossier: &Dossier) -> String {
    let time = &dossier.time;
    let (Some(first), Some(last)) = (time.steps.first(), time.steps.last()) else {
        return say("Nothing was written yet.");
    };
    let allowed = time.rate_per_s * time.step_s as f64;
    let most = time.steps.iter().map(|step| step.writes).max().unwrap_or(0) as f64;
    let top = most.max(1.0) * 1.15;
    let wide = 1000.0 / time.steps.len() as f64;
    let mut svg = format!(
        "<figure><svg class=\"time\" viewBox=\"0 0 1000 200\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"Writes in each step of {} s, from {} to {}: at most {} in a step; the table below has each\">",
        time.step_s,
        escaped(&first.from),
        escaped(&last.from),
        number(most as u64)
    );
    for (at, step) in time.steps.iter().enumerate() {
        let high = 200.0 * step.writes as f64 / top;
        let _ = write!(
            svg,
            "<rect class=\"is\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{high:.1}\"/>",
            at as f64 * wide,
            200.0 - high,
            wide * 0.88
        );
    }
    let mut limit =
        format!("the allowed rate is {} writes in a step, above this picture", number(allowed as u64));
    let allowed_rates = || time.runs.iter().filter_map(|run| run.rate_per_s);
    if allowed_rates().any(|rate| rate != time.rate_per_s) {
        limit =
            "runs were allowed different rates: the table says how much of its own each step used".to_owned();
    } else if allowed <= top {
        let y = 200.0 - 200.0 * allowed / top;
        let _ = write!(svg, "<path class=\"limit\" d=\"M0 {y:.1}H1000\"/>");
        limit = format!("the broken line is the allowed rate, {} in a step", number(allowed as u64));
    }
    let _ = writeln!(
        svg,
        "</svg><div class=\"ends\"><span>{}</span><span>{}</span></div><figcaption>Writes in steps of {}; the highest has \
         {}, {limit}. Pauses of more than a minute are left out.</figcaption></figure>",
        escaped(&first.from),
        escaped(&last.from),
        duration(time.step_s as f64),
        number(most as u64)
    );
    let row = |step: &crate::run::engine::dossier::Step| {
        vec![Cell::text(&step.from), Cell::count(step.writes), Cell::Number(format!("{} %", step.percent))]
    };
    let rows: Vec<_> = time.steps.iter().map(row).collect();
    let head = ["from", "writes", "of the allowed rate"];
    let table = table("Throughput and use of the limit", &head, &rows);
    format!("{svg}<details><summary>The same as a table</summary>\n{table}</details>\n")
}
