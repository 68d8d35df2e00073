//! The local review page: records beside what the plan makes of them, and what people say of them.
//!
//! Owns what the page is told, the page, its server, and the file that carries people's words elsewhere. Must not know
//! how records were drawn, nor how a command is given. Everything that a record says travels as JSON and becomes text
//! nodes in the page; no markup is made of it.

pub mod books;
pub mod page;
pub mod server;
pub mod words;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::lang::plan::Plan;
use crate::lang::text::SourceText;
use crate::run::engine::{Part, ReviewRecord, Reviewed, Step};

/// Records that travel at once.
pub const CHUNK: usize = 200;

/// Characters of a value that are shown.
const LONGEST: usize = 4_000;

/// What the page is told, ready to be sent.
pub struct Sheet {
    /// The plan's hash.
    pub plan: String,
    head: Value,
    records: Vec<Shown>,
    index: HashMap<(String, String), usize>,
}

/// A record of the page.
struct Shown {
    name: (String, String),
    digest: String,
    json: Value,
}

/// What a page is about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The spec, joined with its profiles.
    pub text: &'a SourceText,
    /// The spec's name, as commands are given it.
    pub spec: &'a str,
    /// What the records were drawn with.
    pub seed: u64,
    /// What was written before.
    pub books: books::Books,
}

impl Sheet {
    /// Lays out what was drawn.
    pub fn new(about: &About<'_>, reviewed: &Reviewed) -> Sheet {
        let mut rules = Rules { about, known: HashMap::new(), listed: Vec::new() };
        let names: HashMap<&str, usize> =
            reviewed.maps.iter().enumerate().map(|(at, map)| (map.name.as_str(), at)).collect();
        let mut records = Vec::with_capacity(reviewed.records.len());
        for record in &reviewed.records {
            let map = names.get(record.map.as_str()).copied().unwrap_or_default();
            let digest = digest(record);
            let json = rules.record(map, record, &digest);
            records.push(Shown { name: (record.map.clone(), record.key.clone()), digest, json });
        }
        let index = records.iter().enumerate().map(|(at, one)| (one.name.clone(), at)).collect();
        let maps: Vec<Value> = reviewed
            .maps
            .iter()
            .map(|map| {
                let dropped = map.dropped.iter().map(|(field, reason, line)| {
                    json!({"field": field, "reason": reason, "at": rules.place(*line)})
                });
                json!({
                    "name": map.name, "source": map.source, "object": map.object, "records": map.records,
                    "parts": map.parts, "dropped": dropped.collect::<Vec<_>>(),
                })
            })
            .collect();
        let plan = about.plan.hash();
        let head = json!({
            "format": "b2n-review-sheet/1", "plan": plan, "spec": about.spec, "seed": about.seed,
            "source": {"system": about.plan.source.connector, "account": about.plan.source.account},
            "target": {"system": about.plan.target.connector, "account": about.plan.target.account},
            "maps": maps, "rules": rules.listed, "records": records.len(), "chunk": CHUNK, "books": about.books.json(),
        });
        Sheet { plan, head, records, index }
    }

    /// What stands above the records.
    pub fn head(&self) -> &Value {
        &self.head
    }

    /// How many records are shown.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Records from a place on, as many as travel at once.
    pub fn chunk(&self, from: usize) -> Value {
        let records = self.records.iter().skip(from).take(CHUNK).map(|one| &one.json);
        json!({"from": from, "records": records.collect::<Vec<_>>()})
    }

    /// The hash of what is shown of a record; `None` where it is not shown.
    pub fn digest(&self, map: &str, key: &str) -> Option<&str> {
        let at = self.index.get(&(map.to_owned(), key.to_owned()))?;
        self.records.get(*at).map(|one| one.digest.as_str())
    }

    /// The records that are shown, by map and key, with the hash of what is shown of each.
    pub fn digests(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.records.iter().map(|one| (one.name.0.as_str(), one.name.1.as_str(), one.digest.as_str()))
    }
}

/// The hash of what a person sees of a record. Lines are not in it: a comment above them changes nothing.
fn digest(record: &ReviewRecord) -> String {
    let fields: Vec<Value> = record
        .fields
        .iter()
        .map(|field| {
            let kept: Vec<&str> = field.rules.iter().map(|rule| rule.fidelity.word()).collect();
            json!([field.field, field.sources, field.value, field.kind.word(), kept])
        })
        .collect();
    let decided = record.decided.as_ref().map(|(_, reason)| reason);
    let all = json!([
        record.map,
        record.key,
        record.object,
        record.fate.words(),
        decided,
        fields,
        record.values,
        record.flags
    ]);
    let mut hash = blake3::hash(all.to_string().as_bytes()).to_hex().to_string();
    hash.truncate(32);
    hash
}

/// A value as the page gets it: whole, or its beginning and how much there is behind it.
fn shown(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => {
            let more = text[end..].chars().count();
            format!("{}… ({more} more characters)", &text[..end])
        }
    }
}

/// The lines of rules, each told once.
struct Rules<'a> {
    about: &'a About<'a>,
    known: HashMap<(u32, &'static str, Option<String>), usize>,
    listed: Vec<Value>,
}

impl Rules<'_> {
    fn place(&self, line: u32) -> Value {
        let (file, at) = self.about.plan.place(line);
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = self.about.text.text().lines().nth(index).unwrap_or_default().trim();
        json!({"file": file, "line": at, "text": text})
    }

    fn rule(&mut self, line: u32, fidelity: &'static str, because: Option<&String>) -> usize {
        let key = (line, fidelity, because.cloned());
        if let Some(at) = self.known.get(&key) {
            return *at;
        }
        let at = self.place(line);
        self.listed.push(json!({"at": at, "fidelity": fidelity, "because": because}));
        self.known.insert(key, self.listed.len() - 1);
        self.listed.len() - 1
    }

    fn record(&mut self, map: usize, record: &ReviewRecord, digest: &str) -> Value {
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let rules: Vec<usize> = field
                .rules
                .iter()
                .map(|rule| self.rule(rule.line, rule.fidelity.word(), rule.because.as_ref()))
                .collect();
            let steps: Vec<Value> = field.steps.iter().map(|step| self.step(step)).collect();
            fields.push(json!({
                "field": field.field, "source": pairs(&field.sources), "rules": rules, "steps": steps,
                "value": field.value.as_deref().map(shown), "kind": field.kind.word(),
            }));
        }
        let steps: Vec<Value> = record.steps.iter().map(|step| self.step(step)).collect();
        let decided = record.decided.as_ref().map(
            |(line, reason)| json!({"at": (*line > 0).then(|| self.place(*line)), "reason": shown(reason)}),
        );
        let flags: Vec<Value> =
            record.flags.iter().map(|(rule, why)| json!({"rule": rule, "why": shown(why)})).collect();
        json!({
            "map": map, "key": record.key, "title": shown(&record.title), "fate": record.fate.words(),
            "decided": decided, "steps": steps, "fields": fields, "values": pairs(&record.values), "flags": flags,
            "digest": digest,
        })
    }

    fn step(&self, step: &Step) -> Value {
        json!({"part": words(&step.part), "at": self.place(step.line)})
    }
}

fn pairs(values: &[(String, String)]) -> Vec<Value> {
    values.iter().map(|(name, value)| json!([name, shown(value)])).collect()
}

/// A part of the plan, in words.
fn words(part: &Part) -> String {
    match part {
        Part::Rule => "the rule".to_owned(),
        Part::Else(number) => format!("else {number}"),
        Part::OnFail => "on fail".to_owned(),
        Part::Split => "row of the split".to_owned(),
        Part::Row(table, Some(code)) => format!("table {table}: {code}"),
        Part::Row(table, None) => format!("table {table}: unseen"),
        Part::Stage(pipeline, Some(code)) => format!("pipeline {pipeline}: {code}"),
        Part::Stage(pipeline, None) => format!("pipeline {pipeline}: unseen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_where_a_character_ends() {
        let long = "ж".repeat(LONGEST + 3);
        let cut = shown(&long);
        assert!(cut.starts_with('ж') && cut.ends_with("… (3 more characters)"), "{cut}");
        assert_eq!(shown("short"), "short");
    }
}
