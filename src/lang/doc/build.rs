//! From a plan and its schemas to a document.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{HEAD, Reader};
use super::tables::{owners, pipelines, tables, title, titles};
use super::words::{self, Words};
use super::{Block, Document};
use crate::lang::plan::{
    Certificate, Flatten, Map, OnDelete, OnExisting, Plan, Rule, Split, SplitHow, SplitTo,
};
use crate::lang::schema::Schema;
use crate::lang::text::SourceText;
use crate::lang::types::Fidelity;

/// What a document is made of.
pub struct Input<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What it was checked with.
    pub certificate: &'a Certificate,
    /// The source's schema with its statistics.
    pub source: &'a Schema,
    /// The destination's.
    pub target: &'a Schema,
    /// The spec, for the comments above its lines; `None` leaves them out.
    pub text: Option<&'a SourceText>,
    /// What somebody has agreed to although the check finds fault with it.
    pub agreed: &'a [Agreed],
}

/// Something that the check finds fault with and that somebody has agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What the check says.
    pub what: String,
    /// The code of that.
    pub code: String,
    /// The file's own name and the line that it is about.
    pub place: String,
    /// Why it may stay.
    pub because: String,
    /// Who says so.
    pub by: String,
    /// The last day on which that counts.
    pub until: String,
}

/// Makes the document.
pub fn build(input: &Input<'_>) -> Document {
    let name = |schema: &Schema| match schema.account_name.as_str() {
        "" => schema.account.clone(),
        name => name.to_owned(),
    };
    let title = format!("Mapping document: {} to {}", name(input.source), name(input.target));
    let mut document = Document { title, blocks: Vec::new() };
    facts(input, &mut document);
    overview(input, &mut document);
    for (index, map) in input.plan.maps.iter().enumerate() {
        self::map(input, index, map, &mut document);
    }
    for flatten in &input.plan.flattens {
        self::flatten(input, flatten, &mut document);
    }
    splits(input, &mut document);
    tables(input, &mut document);
    pipelines(input, &mut document);
    owners(input, &mut document);
    provisioned(input, &mut document);
    left_behind(input, &mut document);
    open(input, &mut document);
    agreed(input, &mut document);
    document.heading(2, "Agreed");
    document.paragraph(
        "What stands above is what the migration does. It was read and agreed to under the certificate on the first page.",
    );
    document.blocks.push(Block::Signatures(vec!["the customer", "the migration"]));
    document
}

pub(super) fn count(number: Option<u64>) -> String {
    number.map_or_else(|| "not counted".to_owned(), |number| number.to_string())
}

fn facts(input: &Input<'_>, document: &mut Document) {
    let Input { plan, certificate, source, target, .. } = input;
    let side = |schema: &Schema| {
        let day = schema.taken.map_or_else(|| "an unknown day".to_owned(), |day| day.to_string());
        format!("{} ({}), as it was on {day}", schema.account, schema.connector)
    };
    let mut facts = vec![("from".to_owned(), side(source)), ("into".to_owned(), side(target))];
    if let Some(zone) = &plan.zone {
        facts.push(("time zone of days".to_owned(), zone.clone()));
    }
    facts.push(("certificate".to_owned(), certificate.certificate.clone()));
    facts.push(("plan".to_owned(), certificate.plan.clone()));
    facts.push(("spec".to_owned(), certificate.spec.clone()));
    for profile in &certificate.profiles {
        facts.push(("profile".to_owned(), profile.clone()));
    }
    facts.push(("source schema".to_owned(), certificate.source.clone()));
    facts.push(("destination schema".to_owned(), certificate.target.clone()));
    if !plan.open.is_empty() {
        facts.push(("still to be decided".to_owned(), plan.open.len().to_string()));
    }
    document.blocks.push(Block::Facts(facts));
    document.heading(2, "How to read this");
    document.paragraph(
        "The certificate stands for everything below: when any of it changes, so does the certificate. Counts are those of the day on which the source was looked at.",
    );
    let kept = [
        (Fidelity::Exact, "the value arrives as it is"),
        (Fidelity::Reformatted, "nothing is lost, but it looks different"),
        (Fidelity::Narrowed, "part of the value is lost"),
        (Fidelity::Merged, "different values become one"),
        (Fidelity::Summarised, "many values become a summary"),
        (Fidelity::Dropped, "the value does not arrive"),
    ];
    let rows = kept.map(|(kept, means)| vec![kept.word().to_owned(), means.to_owned()]).to_vec();
    document.table(&["kept", "means"], rows);
}

fn overview(input: &Input<'_>, document: &mut Document) {
    let plan = input.plan;
    let phase = |map: usize| {
        let found = plan.phases.iter().position(|phase| phase.iter().any(|other| usize::from(*other) == map));
        found.map_or_else(String::new, |phase| (phase + 1).to_string())
    };
    document.heading(2, "What goes where");
    let mut rows: Vec<Vec<String>> = plan
        .maps
        .iter()
        .enumerate()
        .map(|(index, map)| {
            vec![
                map.source.clone(),
                map.target.clone(),
                count(map.records),
                losses(&map.rules),
                map.dropped.len().to_string(),
                phase(index),
            ]
        })
        .collect();
    for flatten in &plan.flattens {
        let into = plan.maps.get(usize::from(flatten.into));
        rows.push(vec![
            flatten.source.clone(),
            format!("folded into {}", into.map_or("?", |map| &map.target)),
            count(flatten.records),
            losses(&flatten.rules),
            flatten.dropped.len().to_string(),
            phase(usize::from(flatten.into)),
        ]);
    }
    document.table(&["from", "into", "records", "rules", "fields not migrated", "phase"], rows);
}

/// `12 (2 narrowed, 1 merged)`
fn losses(rules: &[Rule]) -> String {
    let mut lost: BTreeMap<Fidelity, usize> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.fidelity.needs_reason()) {
        *lost.entry(rule.fidelity).or_default() += 1;
    }
    let lost: Vec<String> = lost.iter().map(|(kept, count)| format!("{count} {}", kept.word())).collect();
    if lost.is_empty() { rules.len().to_string() } else { format!("{} ({})", rules.len(), lost.join(", ")) }
}

fn map(input: &Input<'_>, index: usize, map: &Map, document: &mut Document) {
    let mut reader = Reader::map(input.plan, map, input.source, input.text);
    if let Some(split) = map.split.and_then(|split| input.plan.splits.get(usize::from(split))) {
        reader.also.extend(split_slots(split).into_iter().map(|slot| (slot, "tells where the record goes")));
    }
    let words = reader.words();
    let named = if map.name == map.source { String::new() } else { format!(" ({})", map.name) };
    let title = input.source.object(&map.source).and_then(|object| object.title.clone());
    let title =
        title.filter(|title| *title != map.source).map(|title| format!(" “{title}”")).unwrap_or_default();
    document.heading(2, format!("{}. {}{title} to {}{named}", index + 1, map.source, map.target));
    let mut facts = vec![("records".to_owned(), count(map.records))];
    facts.push(("key".to_owned(), words.field(map.key)));
    if let Some(filter) = &map.filter {
        facts.push((
            "which take part".to_owned(),
            format!("those for which {}", words.value(&filter.condition)),
        ));
        facts.push(("the others".to_owned(), words.arm(&filter.otherwise)));
    }
    if map.split.is_some() {
        facts.push(("which of them".to_owned(), "those that “Who goes where” sends here".to_owned()));
    }
    if !map.match_existing.is_empty() {
        facts.push((
            "records that are there already".to_owned(),
            format!("found by {}", map.match_existing.join(", then by ")),
        ));
        let what = match map.on_existing {
            OnExisting::Fill => "only their empty fields are filled",
            OnExisting::Overwrite => "their fields are overwritten",
            OnExisting::Keep => "they stay as they are",
        };
        facts.push(("what happens to them".to_owned(), what.to_owned()));
    }
    let deleted = match map.on_delete {
        OnDelete::List => "listed",
        OnDelete::Delete => "deleted in the destination too",
    };
    facts.push(("records deleted at the source later".to_owned(), deleted.to_owned()));
    document.blocks.push(Block::Facts(facts));
    document.table(&HEAD, reader.rows());
    also_written(&reader, document);
}

fn also_written(reader: &Reader<'_>, document: &mut Document) {
    let constants = reader.constants();
    if !constants.is_empty() {
        document.heading(3, "Also written");
        document.table(&["field", "value", "why, remarks"], constants);
    }
    if !reader.notes.is_empty() {
        let words = reader.words();
        document.heading(3, "Notes");
        let rows = reader
            .notes
            .iter()
            .map(|note| {
                let many = match (note.for_each, note.at_most) {
                    (false, _) => "one".to_owned(),
                    (true, None) => "one for each record".to_owned(),
                    (true, Some(most)) => format!("one for each record, at most {most}, then a count"),
                };
                vec![
                    words.value(&note.title),
                    words.rule(&note.rule).join("\n"),
                    many,
                    reader.remarks(&note.rule),
                ]
            })
            .collect();
        document.table(&["title", "text", "how many", "why, remarks"], rows);
    }
}

fn flatten(input: &Input<'_>, flatten: &Flatten, document: &mut Document) {
    let Some(reader) = Reader::flatten(input.plan, flatten, input.source, input.text) else { return };
    let words = reader.words();
    let title = input.source.object(&flatten.source).and_then(|object| object.title.clone());
    let title =
        title.filter(|title| *title != flatten.source).map(|title| format!(" “{title}”")).unwrap_or_default();
    document.heading(2, format!("{}{title}, folded into {}", flatten.source, reader.target));
    let mut facts = vec![
        ("records".to_owned(), count(flatten.records)),
        ("taken in by".to_owned(), format!("the {} that {} names", reader.target, words.field(flatten.via))),
        ("without one".to_owned(), words.arm(&flatten.orphan)),
    ];
    let pick = match flatten.pick {
        Some(pick) => {
            format!(
                "the one with the {} {}",
                if pick.latest { "greatest" } else { "least" },
                words.field(pick.by)
            )
        }
        None => "the first by its key".to_owned(),
    };
    facts.push(("of several, fields are read from".to_owned(), pick));
    if let Some(filter) = &flatten.filter {
        facts.push((
            "which take part".to_owned(),
            format!("those for which {}", words.value(&filter.condition)),
        ));
        facts.push(("the others".to_owned(), words.arm(&filter.otherwise)));
    }
    document.blocks.push(Block::Facts(facts));
    document.table(&HEAD, reader.rows());
    also_written(&reader, document);
}

fn split_slots(split: &Split) -> BTreeSet<u16> {
    let mut reads = words::Reads::default();
    match &split.how {
        SplitHow::When(rows) => rows.iter().flat_map(|row| &row.when).for_each(|when| reads.expr(when)),
        SplitHow::Value { slot, .. } => {
            reads.slots.insert(*slot);
        }
    }
    reads.slots
}

fn splits(input: &Input<'_>, document: &mut Document) {
    if input.plan.splits.is_empty() {
        return;
    }
    document.heading(2, "Who goes where");
    let none = BTreeMap::new();
    for split in &input.plan.splits {
        let object = input.source.object(&split.source);
        let words = Words { plan: input.plan, object, reads: &none, outer: None };
        let to = |to: &SplitTo| match to {
            SplitTo::Maps(maps) => {
                let maps = maps.iter().filter_map(|map| input.plan.maps.get(usize::from(*map)));
                maps.map(|map| format!("{} ({})", map.target, map.name)).collect::<Vec<_>>().join(", ")
            }
            SplitTo::Listed(why) => format!("listed for a person: {why}"),
            SplitTo::Arm(arm) => words.arm(arm),
        };
        document.heading(3, split.source.clone());
        match &split.how {
            SplitHow::When(rows) => {
                let rows = rows
                    .iter()
                    .map(|row| {
                        let when = row
                            .when
                            .as_ref()
                            .map_or_else(|| "all others".to_owned(), |when| words.value(when));
                        vec![when, to(&row.to)]
                    })
                    .collect();
                document.paragraph("The first row that fits decides.");
                document.table(&["records for which", "go to"], rows);
            }
            SplitHow::Value { slot, rows, unseen } => {
                let domain = object
                    .and_then(|object| object.fields.get(usize::from(*slot)))
                    .map(|field| &field.ty.base);
                let titles = titles(input.source, domain);
                let mut shown: Vec<Vec<String>> = rows
                    .iter()
                    .map(|(code, row)| vec![code.clone(), title(&titles, code), to(&row.to)])
                    .collect();
                shown.push(vec!["any other".to_owned(), String::new(), to(&unseen.to)]);
                document.paragraph(format!("By {}.", words.field(*slot)));
                document.table(&["code", "title", "goes to"], shown);
            }
        }
    }
}

fn provisioned(input: &Input<'_>, document: &mut Document) {
    let plan = input.plan;
    document.heading(2, "What is made in the destination");
    if plan.provision.is_empty() {
        document.paragraph("No custom fields but the one that holds each record's source key.");
    }
    let fields = plan
        .provision
        .iter()
        .map(|field| {
            let kind = if field.many { format!("{}, several", field.kind) } else { field.kind.clone() };
            let there =
                input.target.object(&field.object).is_some_and(|object| object.field(&field.label).is_some());
            let there = if there { "is there" } else { "is made" };
            vec![field.object.clone(), field.label.clone(), kind, field.choices.join(", "), there.to_owned()]
        })
        .collect();
    document.table(&["object", "custom field", "type", "choices", ""], fields);
    let (open, by_hand): (Vec<_>, Vec<_>) = plan.requires.iter().partition(|need| need.kind == "open choice");
    let choices = open.iter().map(|need| vec![need.of.clone(), need.name.clone()]).collect();
    document.table(&["list", "value that must be there, made where it is missing"], choices);
    document.heading(2, "What a person makes first");
    if by_hand.is_empty() {
        document.paragraph("Nothing.");
    } else {
        document.paragraph("The destination's API cannot make these. The migration looks for them before it writes anything.");
    }
    let rows = by_hand
        .iter()
        .map(|need| {
            let there = if is_there(input.target, &need.kind, &need.of, &need.name) {
                "yes"
            } else {
                "no: to be made"
            };
            vec![need.kind.clone(), need.name.clone(), need.of.clone(), there.to_owned()]
        })
        .collect();
    document.table(&["what", "name", "of", "there on that day"], rows);
}

fn is_there(target: &Schema, kind: &str, of: &str, name: &str) -> bool {
    let mut pipelines = target.pipelines.iter();
    match kind {
        "pipeline" => pipelines.any(|pipeline| pipeline.name == name),
        "stage" => pipelines
            .any(|pipeline| pipeline.name == of && pipeline.stages.iter().any(|stage| stage.name == name)),
        "outcome" => pipelines.any(|pipeline| pipeline.outcomes.iter().any(|outcome| outcome.name == name)),
        "user" => target.users.iter().any(|user| user.id == name && user.active),
        _ => target
            .domains
            .get(of)
            .is_some_and(|domain| domain.choices.iter().any(|choice| choice.code == name)),
    }
}

fn left_behind(input: &Input<'_>, document: &mut Document) {
    let plan = input.plan;
    let read: BTreeSet<&str> = plan
        .maps
        .iter()
        .map(|map| map.source.as_str())
        .chain(plan.flattens.iter().map(|flatten| flatten.source.as_str()))
        .chain(plan.splits.iter().map(|split| split.source.as_str()))
        .collect();
    let rows: Vec<Vec<String>> = input
        .source
        .objects
        .iter()
        .filter(|object| !read.contains(object.name.as_str()))
        .map(|object| {
            vec![object.name.clone(), object.title.clone().unwrap_or_default(), count(object.records)]
        })
        .collect();
    document.heading(2, "What stays behind");
    if rows.is_empty() {
        document.paragraph(
            "Every object of the source is read. Fields that are not migrated stand in the tables above.",
        );
    } else {
        document.paragraph("These objects of the source are not migrated. Fields that are not migrated stand in the tables above.");
    }
    document.table(&["object", "title", "records"], rows);
}

fn open(input: &Input<'_>, document: &mut Document) {
    let plan = input.plan;
    if !plan.budget.is_empty() {
        document.heading(2, "Limits that the run keeps");
        let rows = plan
            .budget
            .iter()
            .map(|limit| {
                let most = if limit.share {
                    format!(
                        "{} % of the records",
                        (limit.at_most * rust_decimal::Decimal::ONE_HUNDRED).normalize()
                    )
                } else {
                    limit.at_most.normalize().to_string()
                };
                vec![limit.what.clone(), most]
            })
            .collect();
        document.table(&["what", "at most"], rows);
    }
    if !plan.open.is_empty() {
        document.heading(2, "Still to be decided");
        document.paragraph("Until these are settled, nothing is written into a real account.");
        let rows = plan
            .open
            .iter()
            .map(|open| {
                let (file, line) = plan.place(open.line);
                // The file's own name: where it stands on a disk is nobody's business here.
                let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
                vec![open.what.clone(), open.kind.clone(), format!("{file}, line {line}")]
            })
            .collect();
        document.table(&["what", "state", "where"], rows);
    }
}

fn agreed(input: &Input<'_>, document: &mut Document) {
    if input.agreed.is_empty() {
        return;
    }
    document.heading(2, "Exceptions that were agreed to");
    document.paragraph(
        "The check finds fault with these. Somebody has agreed to each, until a day; after it the spec does not check any more.",
    );
    let row = |agreed: &Agreed| {
        let Agreed { what, code, place, because, by, until } = agreed;
        vec![format!("{what} ({code}; {place})"), because.clone(), by.clone(), until.clone()]
    };
    document
        .table(&["what", "why it may stay", "agreed by", "until"], input.agreed.iter().map(row).collect());
}
