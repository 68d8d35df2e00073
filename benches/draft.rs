//! How good drafts are: precision and recall against the examples' real specs, and what scores are worth.
//!
//! A drafted rule is right when the real spec writes the same destination field from the same source field; a row when
//! it gives the same; a drop when the real spec drops the field, too. Nothing in the draft knows the examples. Fields
//! and rows are compared for the objects that the real spec takes along; which those are is a line of its own.
//!
//! `cargo bench --bench draft -- FOLDER` writes the drafts and what differs there, too.

#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use b2n::lang::check::profile::{self, Part};
use b2n::lang::draft::{Draft, Input, draft};
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax::{self, ast};
use b2n::lang::text::{SourceText, Span};
use b2n::lang::types::Base;

/// What is compared, in the order of the print.
const KINDS: [&str; 6] = ["objects", "rules", "fields kept", "drops", "table rows", "stage rows"];

/// Statements of one kind, each with the score where it is proposed.
type Said = BTreeMap<&'static str, BTreeMap<String, Option<f64>>>;

/// How many were said, how many of those were right, and how many there are.
#[derive(Clone, Copy, Default)]
struct Tally {
    said: usize,
    right: usize,
    real: usize,
}

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    let mut overall: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut scored: Vec<(&str, f64, bool)> = Vec::new();
    for name in ["acme", "podyom", "rebstock"] {
        let example = Example::read(name);
        let began = Instant::now();
        let drafted = example.draft(false);
        let took = began.elapsed().as_secs_f64() * 1000.0;
        let refined = example.draft(true);
        println!(
            "{name}: {} proposed, {} dropped, {} to decide; {} rounds, {took:.0} ms; over the profile {} and {} in {} lines",
            drafted.proposed,
            drafted.dropped,
            drafted.todo,
            drafted.rounds,
            refined.proposed,
            refined.todo,
            refined.text.lines().count(),
        );
        if let Some(folder) = &folder {
            for (draft, kind) in [(&drafted, "whole"), (&refined, "refined")] {
                std::fs::write(folder.join(format!("{name}.{kind}.b2n")), &draft.text)
                    .expect("the folder is there");
            }
        }
        let mine = whole(SourceText::new("draft", drafted.text.as_str()));
        let real = whole(text(&example.folder.join(format!("{name}.b2n"))));
        let (mine, real) = (example.said(&mine.0, &mine.1), example.said(&real.0, &real.1));
        if let Some(folder) = &folder {
            let mut differences = String::new();
            for kind in KINDS {
                for key in mine[kind].keys().filter(|key| !real[kind].contains_key(*key)) {
                    differences.push_str(&format!("{kind}: only the draft says {key}\n"));
                }
                for key in real[kind].keys().filter(|key| !mine[kind].contains_key(*key)) {
                    differences.push_str(&format!("{kind}: only the spec says {key}\n"));
                }
            }
            std::fs::write(folder.join(format!("{name}.differences.txt")), differences)
                .expect("the folder is there");
        }
        let along: BTreeSet<&str> =
            real["objects"].keys().filter_map(|key| key.split(" -> ").next()).collect();
        for kind in KINDS {
            let counts = |key: &&String| {
                kind == "objects" || along.contains(key.split(" · ").next().unwrap_or_default())
            };
            let said: Vec<_> = mine[kind].iter().filter(|(key, _)| counts(key)).collect();
            let right = said.iter().filter(|(key, _)| real[kind].contains_key(*key)).count();
            let tally = Tally { said: said.len(), right, real: real[kind].len() };
            print(kind, tally);
            let all = overall.entry(kind).or_default();
            *all =
                Tally { said: all.said + tally.said, right: all.right + right, real: all.real + tally.real };
            let proposed = said.iter().filter_map(|(key, score)| score.map(|score| (*key, score)));
            if kind != "fields kept" {
                scored.extend(proposed.map(|(key, score)| (kind, score, real[kind].contains_key(key))));
            }
        }
    }
    println!("all three");
    for kind in KINDS {
        print(kind, overall[kind]);
    }
    reliability(&scored);
}

fn print(kind: &str, Tally { said, right, real }: Tally) {
    let share = |of: usize| if of == 0 { f64::NAN } else { 100.0 * right as f64 / of as f64 };
    println!(
        "  {kind:<11}  precision {:>3.0} % of {said:<4}  recall {:>3.0} % of {real}",
        share(said),
        share(real)
    );
}

/// How often what has a score was right: a score that is worth something says about that.
fn reliability(scored: &[(&str, f64, bool)]) {
    let kinds = ["rules", "table rows", "stage rows"];
    println!("\n{:<22}{}", "", kinds.map(|kind| format!("{kind:>20}")).concat());
    let heads = format!("{:>14} {:>5}", "said", "right").repeat(3);
    println!("{:<8}{:>6} {:>6}{heads}", "score", "said", "right");
    let mut off = 0.0;
    for bin in 0..10 {
        let inside = |score: f64| ((score * 10.0 + 1e-9) as usize).min(9) == bin;
        let all: Vec<&(&str, f64, bool)> = scored.iter().filter(|(_, score, _)| inside(*score)).collect();
        if all.is_empty() {
            continue;
        }
        let mean = all.iter().map(|(_, score, _)| score).sum::<f64>() / all.len() as f64;
        let right = |of: &[&(&str, f64, bool)]| {
            of.iter().filter(|(.., right)| *right).count() as f64 / of.len().max(1) as f64
        };
        off += (mean - right(&all)).abs() * all.len() as f64;
        print!("{mean:<8.2}{:>6} {:>6.2}", all.len(), right(&all));
        for kind in kinds {
            let of: Vec<_> = all.iter().copied().filter(|(is, ..)| *is == kind).collect();
            match of.len() {
                0 => print!("{:>20}", "-"),
                n => print!("{n:>14} {:>5.2}", right(&of)),
            }
        }
        println!();
    }
    println!("mean distance of scores from what was right: {:.3}", off / scored.len().max(1) as f64);
}

struct Example {
    folder: PathBuf,
    source: Schema,
    target: Schema,
    owner: String,
}

impl Example {
    fn read(name: &str) -> Example {
        let folder = Path::new("examples").join(name);
        let (spec, _) = syntax::parse(&text(&folder.join(format!("{name}.b2n"))));
        let owner = spec.items.iter().find_map(|item| match item {
            ast::Item::Owners(owners) => owners.rows.last().map(|row| row.to.value.clone()),
            _ => None,
        });
        Example {
            source: schema(&folder.join("schema/bitrix24.yaml")),
            target: schema(&folder.join("schema/nutshell.yaml")),
            owner: owner.expect("examples name a last owner"),
            folder,
        }
    }

    fn draft(&self, refined: bool) -> Draft {
        draft(&Input {
            source: &self.source,
            target: &self.target,
            source_name: "schema/bitrix24.yaml",
            target_name: "schema/nutshell.yaml",
            owner: &self.owner,
            zone: Some("Europe/Berlin"),
            country: "US",
            min: 0.4,
            profile: profile::shipped("standard").filter(|_| refined).map(|text| ("standard", text)),
            today: self.source.taken.unwrap_or_default(),
        })
    }

    fn said(&self, spec: &ast::Spec, text: &SourceText) -> Said {
        let mut said: Said = KINDS.iter().map(|kind| (*kind, BTreeMap::new())).collect();
        for item in &spec.items {
            match item {
                ast::Item::Map(map) => {
                    let object = &map.source.name.value;
                    if self.has(object) {
                        said.entry("objects")
                            .or_default()
                            .insert(format!("{object} -> {}", map.target.value), None);
                        self.lines(object, &map.body, text, &mut said);
                    }
                }
                ast::Item::Flatten(flatten) => {
                    let object = &flatten.source.name.value;
                    if self.has(object) {
                        let key = format!("{object} -> into {}", flatten.into.value);
                        said.entry("objects").or_default().insert(key, None);
                        self.lines(object, &flatten.body, text, &mut said);
                    }
                }
                ast::Item::Table(table) => self.table(table, text, &mut said),
                ast::Item::Pipeline(pipeline) => {
                    let object = &pipeline.object.name.value;
                    let head = text.slice(pipeline.span).lines().next().unwrap_or_default();
                    let category = head
                        .split_once("category ")
                        .map_or("", |(_, rest)| rest.split_whitespace().next().unwrap_or_default());
                    for row in &pipeline.rows {
                        let score = score(row.proposed.as_ref().map(|score| score.value));
                        for code in row.codes.iter().filter_map(|coded| coded.code.as_ref()) {
                            let key = format!(
                                "{object} · {category} {} {} {}",
                                code.value,
                                pipeline.to.value,
                                gives(text, row.span)
                            );
                            said.entry("stage rows").or_default().insert(key, score);
                        }
                    }
                }
                _ => {}
            }
        }
        // What is dropped in one map and read in another is kept.
        let kept = said["fields kept"].clone();
        said.entry("drops").or_default().retain(|key, _| !kept.contains_key(key));
        said
    }

    fn has(&self, object: &str) -> bool {
        self.source.object(object).is_some_and(|object| object.records != Some(0))
    }

    /// Rows between values that both systems have. Where the spec makes the values itself their words are a matter of
    /// taste: that each has its own is not.
    fn table(&self, table: &ast::Table, text: &SourceText, said: &mut Said) {
        let head = text.slice(table.span).lines().next().unwrap_or_default();
        let Some(from) = head.split_once("enum(").and_then(|(_, rest)| rest.split_once(')')) else { return };
        let Some(domain) = self.source.domains.get(from.0) else { return };
        let field = match &table.to {
            ast::TableTarget::Field { object, field } => {
                self.target.object(&object.value).and_then(|object| object.field(&field.value))
            }
            ast::TableTarget::Type(_) => None,
        };
        let values = field.and_then(|field| match &field.ty.base {
            Base::Enum(domain) => self.target.domains.get(domain),
            _ => None,
        });
        let to = match &table.to {
            ast::TableTarget::Field { object, field } if values.is_some() => {
                format!("{}.{}", object.value, field.value)
            }
            _ => "its own".to_owned(),
        };
        // Tables belong to no object; those of an object's own field do.
        let about = from.0.split_once('.').map(|(object, _)| object).filter(|object| self.has(object));
        let users: Vec<&str> = match about {
            Some(object) => vec![object],
            None => {
                let reads = |object: &&b2n::lang::schema::Object| {
                    object.fields.iter().any(|field| {
                        field.ty.base == Base::Enum(from.0.to_owned())
                            || field.attributes.iter().any(|one| one.ty.base == Base::Enum(from.0.to_owned()))
                    })
                };
                self.source.objects.iter().filter(reads).map(|object| object.name.as_str()).collect()
            }
        };
        for row in &table.rows {
            let score = score(row.proposed.as_ref().map(|score| score.value));
            let written = gives(text, row.span);
            let plain = written.trim_matches('"');
            let known =
                values.is_none_or(|to| to.open || to.choices.iter().any(|choice| choice.code == plain));
            if !known {
                continue;
            }
            let gives = match values {
                Some(_) => written.clone(),
                None if row.codes.len() > 1 => "with others".to_owned(),
                None => "alone".to_owned(),
            };
            for code in row.codes.iter().filter_map(|coded| coded.code.as_ref()) {
                if domain.choices.iter().any(|choice| choice.code == code.value) {
                    // One object is enough for a table to count.
                    let user = users.first().copied().unwrap_or_default();
                    let key = format!("{user} · {} {to} {} {gives}", from.0, code.value);
                    said.entry("table rows").or_default().insert(key, score);
                }
            }
        }
    }

    fn lines(&self, object: &str, body: &[ast::MapLine], text: &SourceText, said: &mut Said) {
        let fields: BTreeSet<&str> = self
            .source
            .object(object)
            .map(|object| object.fields.iter().map(|field| field.name.as_str()).collect())
            .unwrap_or_default();
        let keys: Vec<&str> = body
            .iter()
            .filter_map(|line| match line {
                ast::MapLine::Key(key) => Some(text.slice(key.span).trim_start_matches("key").trim()),
                _ => None,
            })
            .collect();
        let named = |part: &str| -> BTreeSet<String> {
            let words = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            words.filter(|word| fields.contains(word) && !keys.contains(word)).map(str::to_owned).collect()
        };
        for line in body {
            let (to, written, proposed) = match line {
                ast::MapLine::Rule(rule) => {
                    // Labels are a matter of taste; that it is a field of its own is not.
                    let to = match &rule.target {
                        ast::RuleTarget::Custom { .. } => "custom".to_owned(),
                        ast::RuleTarget::Field(name) => name.value.clone(),
                    };
                    (to, text.slice(rule.span), rule.proposed.as_ref())
                }
                ast::MapLine::Note(note) => {
                    // A note's title tells fields, too: `Estimate {QUOTE_NUMBER}`.
                    let score = score(note.proposed.as_ref().map(|score| score.value));
                    for field in named(text.slice(note.title.span)) {
                        said.entry("rules").or_default().insert(format!("{object} · {field} note"), score);
                        said.entry("fields kept").or_default().insert(format!("{object} · {field}"), score);
                    }
                    ("note".to_owned(), text.slice(note.span), note.proposed.as_ref())
                }
                ast::MapLine::Drop(drop) => {
                    for pattern in &drop.fields {
                        let name = text.slice(pattern.field.span);
                        let dropped: Vec<String> = match name.split_once('*').filter(|_| pattern.glob) {
                            Some((start, _)) => fields
                                .iter()
                                .filter(|field| field.starts_with(start))
                                .map(|f| (*f).to_owned())
                                .collect(),
                            None => named(name).into_iter().collect(),
                        };
                        for field in dropped {
                            said.entry("drops").or_default().insert(format!("{object} · {field}"), None);
                        }
                    }
                    continue;
                }
                _ => continue,
            };
            let score = score(proposed.map(|score| score.value));
            for field in named(written.split_once("<-").map_or("", |(_, value)| value)) {
                said.entry("rules").or_default().insert(format!("{object} · {field} {to}"), score);
                said.entry("fields kept").or_default().insert(format!("{object} · {field}"), score);
            }
        }
    }
}

fn score(proposed: Option<impl ToString>) -> Option<f64> {
    proposed.and_then(|score| score.to_string().parse().ok())
}

/// What a row gives, without its reason.
fn gives(text: &SourceText, span: Span) -> String {
    let row = text.slice(span);
    let gives = row.split_once("=>").map_or("", |(_, gives)| gives);
    let gives = gives.split(" merged because").next().unwrap_or_default();
    gives.split_whitespace().collect::<Vec<_>>().join(" ")
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
