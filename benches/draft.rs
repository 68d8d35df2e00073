//! How good drafts are: precision and recall against the examples' real specs, and what scores are worth.
//!
//! A drafted rule is right when the real spec writes the same destination field from the same source field; a row when
//! it gives the same; a drop when the real spec drops the field, too. Nothing in the draft knows the examples.

#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use b2n::lang::check::profile::{self, Part};
use b2n::lang::draft::{Input, draft};
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax::{self, ast};
use b2n::lang::text::{SourceText, Span};

/// What a spec says, each with the score where it is proposed.
#[derive(Default)]
struct Said {
    rules: BTreeMap<String, Option<f64>>,
    rows: BTreeMap<String, Option<f64>>,
    stages: BTreeMap<String, Option<f64>>,
    drops: BTreeMap<String, Option<f64>>,
}

fn main() {
    let mut bins = [(0_u32, 0_u32); 10];
    for name in ["acme", "podyom", "rebstock"] {
        let folder = Path::new("examples").join(name);
        let source = schema(&folder.join("schema/bitrix24.yaml"));
        let target = schema(&folder.join("schema/nutshell.yaml"));
        let real = text(&folder.join(format!("{name}.b2n")));
        let (spec, joined) = whole(real);
        let owner = spec.items.iter().find_map(|item| match item {
            ast::Item::Owners(owners) => owners.rows.last().map(|row| row.to.value.clone()),
            _ => None,
        });
        let began = Instant::now();
        let drafted = draft(&Input {
            source: &source,
            target: &target,
            source_name: "schema/bitrix24.yaml",
            target_name: "schema/nutshell.yaml",
            owner: &owner.expect("examples name a last owner"),
            zone: Some("Europe/Berlin"),
            country: "US",
            min: 0.4,
            profile: None,
            today: source.taken.unwrap_or_default(),
        });
        let took = began.elapsed();
        println!(
            "{name}: {} proposed, {} dropped, {} to decide; {} rounds, {:.0} ms",
            drafted.proposed,
            drafted.dropped,
            drafted.todo,
            drafted.rounds,
            took.as_secs_f64() * 1000.0
        );
        let (mine, my_text) = whole(SourceText::new("draft", drafted.text.as_str()));
        let (ours, theirs) = (said(&mine, &my_text, &source), said(&spec, &joined, &source));
        compare("rules", &ours.rules, &theirs.rules, Some(&mut bins));
        compare("table rows", &ours.rows, &theirs.rows, None);
        compare("stage rows", &ours.stages, &theirs.stages, None);
        compare("drops", &ours.drops, &theirs.drops, None);
    }
    println!("\nscore       rules  right");
    for (bin, (all, right)) in bins.iter().enumerate().filter(|(_, (all, _))| *all > 0) {
        let share = 100.0 * f64::from(*right) / f64::from(*all);
        println!("{:.1} to {:.1}  {all:>5}  {share:>4.0}%", bin as f64 / 10.0, (bin + 1) as f64 / 10.0);
    }
}

fn compare(
    what: &str,
    ours: &BTreeMap<String, Option<f64>>,
    theirs: &BTreeMap<String, Option<f64>>,
    bins: Option<&mut [(u32, u32); 10]>,
) {
    let right = ours.keys().filter(|key| theirs.contains_key(*key)).count();
    let share = |of: usize| if of == 0 { f64::NAN } else { 100.0 * right as f64 / of as f64 };
    println!(
        "  {what:<11} precision {:>3.0}% of {:<4} recall {:>3.0}% of {}",
        share(ours.len()),
        ours.len(),
        share(theirs.len()),
        theirs.len()
    );
    if let Some(bins) = bins {
        for (key, score) in ours.iter().filter_map(|(key, score)| score.map(|score| (key, score))) {
            let bin = &mut bins[((score * 10.0) as usize).min(9)];
            bin.0 += 1;
            bin.1 += u32::from(theirs.contains_key(key));
        }
    }
}

fn said(spec: &ast::Spec, text: &SourceText, source: &Schema) -> Said {
    let mut said = Said::default();
    for item in &spec.items {
        match item {
            ast::Item::Map(map) => lines(&map.source.name.value, &map.body, text, source, &mut said),
            ast::Item::Flatten(flatten) => {
                lines(&flatten.source.name.value, &flatten.body, text, source, &mut said);
            }
            ast::Item::Table(table) => {
                let head = text.slice(table.span).lines().next().unwrap_or_default();
                let types = head.split_once(':').map_or("", |(_, types)| types).trim_end_matches(['{', ' ']);
                for row in &table.rows {
                    let gives = gives(text, row.span);
                    for code in row.codes.iter().filter_map(|coded| coded.code.as_ref()) {
                        said.rows.insert(format!("{types} {} {gives}", code.value), None);
                    }
                }
            }
            ast::Item::Pipeline(pipeline) => {
                let head = text.slice(pipeline.span).lines().next().unwrap_or_default();
                let category = head
                    .split_once("category ")
                    .map_or("", |(_, rest)| rest.split_whitespace().next().unwrap_or_default());
                for row in &pipeline.rows {
                    let gives = gives(text, row.span);
                    for code in row.codes.iter().filter_map(|coded| coded.code.as_ref()) {
                        let key = format!("{} {category} {} {gives}", pipeline.object.name.value, code.value);
                        said.stages.insert(key, None);
                    }
                }
            }
            _ => {}
        }
    }
    said
}

/// What a row gives, without its reason.
fn gives(text: &SourceText, span: Span) -> String {
    let row = text.slice(span);
    let gives = row.split_once("=>").map_or("", |(_, gives)| gives);
    let gives = gives.split(" merged because").next().unwrap_or_default();
    gives.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lines(object: &str, body: &[ast::MapLine], text: &SourceText, source: &Schema, said: &mut Said) {
    let fields: BTreeSet<&str> = source
        .object(object)
        .map(|object| object.fields.iter().map(|field| field.name.as_str()).collect())
        .unwrap_or_default();
    let named = |part: &str| -> Vec<String> {
        let words = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| fields.contains(word)).map(str::to_owned).collect()
    };
    for line in body {
        match line {
            ast::MapLine::Rule(rule) => {
                let written = text.slice(rule.span);
                let Some((to, value)) = written.split_once("<-") else { continue };
                let to = match &rule.target {
                    // Labels are a matter of taste; that it is a field of its own is not.
                    ast::RuleTarget::Custom { .. } => "custom",
                    _ => to.split_whitespace().last().unwrap_or_default(),
                };
                let score = rule.proposed.as_ref().and_then(|score| score.value.to_string().parse().ok());
                for field in named(value) {
                    said.rules.insert(format!("{object}.{field} {to}"), score);
                }
            }
            ast::MapLine::Note(note) => {
                let score = note.proposed.as_ref().and_then(|score| score.value.to_string().parse().ok());
                let written = text.slice(note.span);
                for field in named(written.split_once("<-").map_or("", |(_, value)| value)) {
                    said.rules.insert(format!("{object}.{field} note"), score);
                }
            }
            ast::MapLine::Drop(drop) => {
                for pattern in drop.fields.iter().filter(|pattern| !pattern.glob) {
                    for field in named(text.slice(pattern.field.span)) {
                        said.drops.insert(format!("{object}.{field}"), None);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A spec with its profile.
fn whole(own: SourceText) -> (ast::Spec, SourceText) {
    let (alone, _) = syntax::parse(&own);
    let used = alone.items.iter().any(|item| matches!(item, ast::Item::Use(_)));
    let standard = profile::shipped("standard").filter(|_| used);
    let (joined, parts) = match standard {
        None => (own, vec![Part { spec: alone, uses: Vec::new() }]),
        Some(standard) => {
            let joined = SourceText::join(vec![own, SourceText::new("standard", standard)]);
            let parts = vec![
                Part { spec: syntax::parse_part(&joined, 0).0, uses: vec![1] },
                Part { spec: syntax::parse_part(&joined, 1).0, uses: Vec::new() },
            ];
            (joined, parts)
        }
    };
    (profile::resolve(parts, &joined).spec, joined)
}

fn text(path: &Path) -> SourceText {
    let bytes = std::fs::read(path).expect("run it from the project's folder");
    SourceText::from_bytes(path.display().to_string(), &bytes).expect("examples are UTF-8")
}

fn schema(path: &Path) -> Schema {
    snapshot::read(&text(path)).expect("examples' snapshots can be read")
}
