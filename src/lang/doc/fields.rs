//! The table of an object's fields: every field of the source, and what becomes of it.

use std::collections::BTreeMap;

use super::words::{Reads, Words};
use crate::lang::plan::{Dropped, Filter, Flatten, Map, Note, Plan, Rule};
use crate::lang::schema::{Object, Schema};
use crate::lang::text::SourceText;

/// The head of the table.
pub(super) const HEAD: [&str; 7] = ["field", "type", "filled in", "goes to", "kept", "how", "why, remarks"];

/// What reads the records of one source object in one place of the plan.
pub(super) struct Reader<'a> {
    pub plan: &'a Plan,
    pub object: Option<&'a Object>,
    pub records: Option<u64>,
    pub target: &'a str,
    pub key: u16,
    pub reads: &'a BTreeMap<u16, String>,
    pub filter: Option<&'a Filter>,
    pub rules: &'a [Rule],
    pub notes: &'a [Note],
    pub dropped: &'a [Dropped],
    /// Where the rules' targets are named.
    pub into: &'a Map,
    pub outer: Option<&'a Object>,
    /// Slots that are read to tell which record this is about: a split's, a link's, a pick's.
    pub also: Vec<(u16, &'static str)>,
    /// The spec, for the comments above rules.
    pub text: Option<&'a SourceText>,
}

impl<'a> Reader<'a> {
    /// What a map reads.
    pub fn map(plan: &'a Plan, map: &'a Map, source: &'a Schema, text: Option<&'a SourceText>) -> Self {
        Reader {
            plan,
            object: source.object(&map.source),
            records: map.records,
            target: &map.target,
            key: map.key,
            reads: &map.reads,
            filter: map.filter.as_ref(),
            rules: &map.rules,
            notes: &map.notes,
            dropped: &map.dropped,
            into: map,
            outer: None,
            also: Vec::new(),
            text,
        }
    }

    /// What a flatten reads of the object that it folds in; `None` where the plan has no map for it.
    pub fn flatten(
        plan: &'a Plan,
        flatten: &'a Flatten,
        source: &'a Schema,
        text: Option<&'a SourceText>,
    ) -> Option<Self> {
        let into = plan.maps.get(usize::from(flatten.into))?;
        let mut also = vec![(flatten.via, "tells which record takes it in")];
        also.extend(flatten.pick.map(|pick| (pick.by, "tells which of several is read")));
        Some(Reader {
            plan,
            object: source.object(&flatten.source),
            records: flatten.records,
            target: &into.target,
            key: flatten.key,
            reads: &flatten.reads,
            filter: flatten.filter.as_ref(),
            rules: &flatten.rules,
            notes: &flatten.notes,
            dropped: &flatten.dropped,
            into,
            outer: source.object(&into.source),
            also,
            text,
        })
    }

    /// How this place's expressions are said.
    pub fn words(&self) -> Words<'a> {
        Words { plan: self.plan, object: self.object, reads: self.reads, outer: self.outer }
    }

    /// A row per field and destination; a field that nothing names says so.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let words = self.words();
        let mut of: BTreeMap<u16, Vec<[String; 4]>> = BTreeMap::new();
        for rule in self.rules {
            let mut reads = Reads::default();
            reads.rule(rule);
            let row = [
                self.destination(rule),
                rule.fidelity.word().to_owned(),
                words.rule(rule).join("\n"),
                self.remarks(rule),
            ];
            reads.slots.into_iter().for_each(|slot| of.entry(slot).or_default().push(row.clone()));
        }
        for note in self.notes {
            let mut reads = Reads::default();
            reads.rule(&note.rule);
            reads.expr(&note.title);
            let row = [
                format!("note “{}”", note.name),
                note.rule.fidelity.word().to_owned(),
                words.rule(&note.rule).join("\n"),
                self.remarks(&note.rule),
            ];
            reads.slots.into_iter().for_each(|slot| of.entry(slot).or_default().push(row.clone()));
        }
        if let Some(filter) = self.filter {
            let mut reads = Reads::default();
            reads.expr(&filter.condition);
            let row =
                || [String::new(), String::new(), "tells which records take part".to_owned(), String::new()];
            reads.slots.into_iter().for_each(|slot| of.entry(slot).or_default().push(row()));
        }
        for (slot, why) in &self.also {
            let row = [String::new(), String::new(), (*why).to_owned(), String::new()];
            of.entry(*slot).or_default().push(row);
        }
        let key = [
            "the source key".to_owned(),
            "exact".to_owned(),
            "ties the new record to this one".to_owned(),
            String::new(),
        ];
        of.entry(self.key).or_default().insert(0, key);
        let mut rows = Vec::new();
        match self.object {
            Some(object) => {
                for (slot, field) in object.fields.iter().enumerate() {
                    let mut shown = field.name.clone();
                    if let Some(title) = field.title.as_ref().filter(|title| **title != field.name) {
                        shown = format!("{title}\n{}", field.name);
                    }
                    let filled = self.filled(field.stats.as_ref().map(|stats| stats.filled));
                    let uses = u16::try_from(slot).ok().and_then(|slot| of.remove(&slot)).unwrap_or_default();
                    self.field_rows(
                        &mut rows,
                        &field.name,
                        [shown, field.ty.clone().present().to_string(), filled],
                        uses,
                    );
                }
            }
            // Without the schema the plan still knows the names.
            None => {
                for (slot, name) in self.reads {
                    let uses = of.remove(slot).unwrap_or_default();
                    self.field_rows(&mut rows, name, [name.clone(), String::new(), String::new()], uses);
                }
            }
        }
        rows
    }

    fn field_rows(
        &self,
        rows: &mut Vec<Vec<String>>,
        name: &str,
        head: [String; 3],
        mut uses: Vec<[String; 4]>,
    ) {
        for dropped in self.dropped.iter().filter(|dropped| dropped.field == name) {
            let [none, kept] = ["not migrated", "dropped"].map(str::to_owned);
            let how = if dropped.gap { "listed in the gap report" } else { "" }.to_owned();
            uses.push([none, kept, how, joined(&dropped.reason, self.comment(dropped.line))]);
        }
        if uses.is_empty() {
            let [none, kept, how, why] =
                ["not migrated", "dropped", "", "nothing reads it"].map(str::to_owned);
            uses.push([none, kept, how, why]);
        }
        for (at, rest) in uses.into_iter().enumerate() {
            // What stands above is not said again.
            let head = if at == 0 { head.clone() } else { ["″".to_owned(), String::new(), String::new()] };
            rows.push(head.into_iter().chain(rest).collect());
        }
    }

    fn filled(&self, filled: Option<u64>) -> String {
        match (filled, self.records) {
            (Some(filled), Some(records)) => format!("{filled} of {records}"),
            (Some(filled), None) => filled.to_string(),
            (None, _) => "not counted".to_owned(),
        }
    }

    /// The destination field of a rule.
    pub fn destination(&self, rule: &Rule) -> String {
        match self.into.targets.get(usize::from(rule.target)) {
            Some(target) if target.custom => format!("{}.“{}” (custom)", self.target, target.name),
            Some(target) => format!("{}.{}", self.target, target.name),
            None => self.target.to_owned(),
        }
    }

    /// Why something is lost, and what the spec's author wrote above the rule.
    pub fn remarks(&self, rule: &Rule) -> String {
        joined(rule.because.as_deref().unwrap_or_default(), self.comment(rule.line))
    }

    /// The comment lines right above a line of the spec.
    fn comment(&self, line: u32) -> String {
        let Some(text) = self.text else { return String::new() };
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        let above: Vec<&str> = text.text().lines().take(line.saturating_sub(1)).collect();
        let mut comment: Vec<&str> = above
            .iter()
            .rev()
            .map(|line| line.trim())
            .take_while(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').trim())
            .collect();
        comment.reverse();
        comment.join(" ")
    }

    /// Rules that read no field: constants and the like.
    pub fn constants(&self) -> Vec<Vec<String>> {
        let words = self.words();
        self.rules
            .iter()
            .filter(|rule| {
                let mut reads = Reads::default();
                reads.rule(rule);
                reads.slots.is_empty()
            })
            .map(|rule| vec![self.destination(rule), words.rule(rule).join("\n"), self.remarks(rule)])
            .collect()
    }
}

fn joined(reason: &str, comment: String) -> String {
    match (reason.is_empty(), comment.is_empty()) {
        (true, _) => comment,
        (false, true) => reason.to_owned(),
        (false, false) => format!("{reason}\n{comment}"),
    }
}
