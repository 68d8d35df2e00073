//! Snapshots: a schema as YAML that reads well in a diff, and back.
//!
//! Sorted and stable: the same schema is always the same text, and any order of keys reads as the same schema.

use std::collections::BTreeMap;

use super::reader::{Reader, TYPE_HELP};
use super::yaml::{Key, Kind, Node, Writer, parse, scalar};
use super::{
    Answer, Attribute, Choice, Domain, Field, Object, Outcome, Pipeline, Probed, Schema, Stage, Stats, User,
    Write,
};
use crate::lang::finding::Finding;
use crate::lang::text::SourceText;
use crate::lang::types::{Base, Type};
use crate::lang::value::OutcomeKind;

/// The format that this version reads and writes.
pub const FORMAT: &str = "b2n-snapshot/1";

/// Whether a field's statistics may hold a histogram: enumerated values only, never free text or links.
pub(super) fn may_count_values(ty: &Type) -> bool {
    matches!(ty.base, Base::Enum(_) | Base::Bool | Base::Stage | Base::User)
}

/// Writes a schema as a snapshot.
pub fn write(schema: &Schema) -> String {
    let mut out = Writer::default();
    out.comment(&format!(
        "made by `b2n snapshot {}`; take it again instead of editing it",
        scalar(&schema.connector)
    ));
    out.raw(0, "format", FORMAT);
    out.text(0, "connector", &schema.connector);
    out.text(0, "account", &schema.account);
    out.text(0, "account_name", &schema.account_name);
    if let Some(day) = schema.taken {
        out.raw(0, "taken", &day.to_string());
    }
    out.text(0, "salt", &schema.salt);
    if !schema.objects.is_empty() {
        out.open(0, "objects");
        for object in sorted(&schema.objects, |object| &object.name) {
            write_object(&mut out, object);
        }
    }
    if !schema.domains.is_empty() {
        out.open(0, "domains");
        for (name, domain) in &schema.domains {
            write_domain(&mut out, name, domain);
        }
    }
    if !schema.pipelines.is_empty() {
        out.open(0, "pipelines");
        for pipeline in &schema.pipelines {
            write_pipeline(&mut out, pipeline);
        }
    }
    if !schema.users.is_empty() {
        out.open(0, "users");
        for user in sorted(&schema.users, |user| &user.id) {
            let hash =
                user.email_hash.iter().map(|hash| format!("email: {}, ", scalar(hash))).collect::<String>();
            out.raw(1, &user.id, &format!("{{ {hash}active: {} }}", user.active));
        }
    }
    write_probed(&mut out, &schema.probed);
    out.finish()
}

fn write_probed(out: &mut Writer, probed: &Probed) {
    if *probed == Probed::default() {
        return;
    }
    out.open(0, "probed");
    if let Some(day) = probed.day {
        out.raw(1, "day", &day.to_string());
    }
    if !probed.answers.is_empty() {
        out.open(1, "answers");
        for (question, answer) in &probed.answers {
            match answer {
                Answer::Flag(flag) => out.raw(2, question, &flag.to_string()),
                Answer::Count(count) => out.raw(2, question, &count.to_string()),
                Answer::Word(word) => out.text(2, question, word),
            }
        }
    }
}

fn sorted<T>(all: &[T], name: impl Fn(&T) -> &String) -> Vec<&T> {
    let mut all: Vec<&T> = all.iter().collect();
    all.sort_by(|a, b| name(a).cmp(name(b)));
    all
}

fn flow_list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| scalar(text)).collect::<Vec<_>>().join(", "))
}

fn write_object(out: &mut Writer, object: &Object) {
    out.open(1, &object.name);
    if let Some(title) = &object.title {
        out.text(2, "title", title);
    }
    if let Some(records) = object.records {
        out.raw(2, "records", &records.to_string());
    }
    out.raw(2, "creatable", &object.creatable.to_string());
    if let Some(hint) = &object.hint {
        out.text(2, "hint", hint);
    }
    if !object.custom_types.is_empty() {
        out.raw(2, "custom_types", &flow_list(&object.custom_types));
    }
    if !object.matchable.is_empty() {
        out.raw(2, "matchable", &flow_list(&object.matchable));
    }
    if !object.fields.is_empty() {
        out.open(2, "fields");
        for field in sorted(&object.fields, |field| &field.name) {
            write_field(out, field);
        }
    }
}

fn write_field(out: &mut Writer, field: &Field) {
    out.open(3, &field.name);
    out.text(4, "type", &field.ty.to_string());
    if let Some(title) = &field.title {
        out.text(4, "title", title);
    }
    if field.required {
        out.raw(4, "required", "true");
    }
    if let Write::No { hint } = &field.write {
        out.text(4, "read_only", hint);
    }
    if field.custom {
        out.raw(4, "custom", "true");
    }
    if !field.attributes.is_empty() {
        out.open(4, "attributes");
        for attribute in &field.attributes {
            out.item();
            out.text(6, &attribute.name, &attribute.ty.to_string());
        }
    }
    if let Some(stats) = &field.stats {
        // A histogram of anything else could carry personal data into a repository.
        if may_count_values(&field.ty) && !stats.values.is_empty() {
            out.open(4, "stats");
            out.raw(5, "filled", &stats.filled.to_string());
            if let Some(longest) = stats.longest {
                out.raw(5, "longest", &longest.to_string());
            }
            write_counts(out, 5, "values", &stats.values);
        } else {
            let longest = stats.longest.map(|longest| format!(", longest: {longest}")).unwrap_or_default();
            out.raw(4, "stats", &format!("{{ filled: {}{longest} }}", stats.filled));
        }
    }
}

fn write_counts(out: &mut Writer, depth: usize, key: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    out.open(depth, key);
    for (value, count) in counts {
        out.raw(depth + 1, value, &count.to_string());
    }
}

fn write_domain(out: &mut Writer, name: &str, domain: &Domain) {
    if domain.title.is_none() && !domain.open && domain.choices.is_empty() {
        out.raw(1, name, "{}");
        return;
    }
    out.open(1, name);
    if let Some(title) = &domain.title {
        out.text(2, "title", title);
    }
    if domain.open {
        out.raw(2, "open", "true");
    }
    if !domain.choices.is_empty() {
        out.open(2, "choices");
        for choice in &domain.choices {
            out.item();
            match &choice.title {
                Some(title) => out.text(4, &choice.code, title),
                None => out.element(4, &choice.code),
            }
        }
    }
}

fn write_pipeline(out: &mut Writer, pipeline: &Pipeline) {
    out.item();
    out.text(2, "object", &pipeline.object);
    out.text(2, "code", &pipeline.code);
    out.text(2, "name", &pipeline.name);
    if !pipeline.stages.is_empty() {
        out.open(2, "stages");
        for stage in &pipeline.stages {
            out.item();
            match stage.ends {
                None => out.text(4, &stage.code, &stage.name),
                Some(kind) => {
                    let row = format!("{{ name: {}, ends: {} }}", scalar(&stage.name), outcome_word(kind));
                    out.raw(4, &stage.code, &row);
                }
            }
        }
    }
    write_counts(out, 2, "records", &pipeline.records);
    if !pipeline.outcomes.is_empty() {
        out.open(2, "outcomes");
        for outcome in &pipeline.outcomes {
            out.item();
            let row = format!("{{ name: {}, kind: {} }}", scalar(&outcome.name), outcome_word(outcome.kind));
            out.raw(4, &outcome.code, &row);
        }
    }
}

pub(super) fn outcome_word(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Won => "won",
        OutcomeKind::Lost => "lost",
        OutcomeKind::Cancelled => "cancelled",
    }
}

/// Reads a snapshot.
///
/// # Errors
/// What is wrong with it, each with its place: another format, broken YAML, doubled or unknown keys, bad types.
pub fn read(text: &SourceText) -> Result<Schema, Vec<Finding>> {
    let root = parse(text)?;
    let mut reader = Reader::new(text);
    let schema = reader.schema(&root);
    reader.finish(schema)
}

/// The parts of a schema, each from its node.
impl Reader<'_> {
    fn schema(&mut self, root: &Node) -> Schema {
        // Of another format nothing else can be said.
        if !self.format(root, FORMAT) {
            return Schema::default();
        }
        let map = self.known(
            root,
            &[
                "format",
                "connector",
                "account",
                "account_name",
                "taken",
                "salt",
                "objects",
                "domains",
                "pipelines",
                "users",
                "probed",
            ],
        );
        let taken = map.get("taken").and_then(|node| self.day(node));
        let mut schema = Schema {
            connector: self.required_text(&map, "connector"),
            account: self.required_text(&map, "account"),
            account_name: self.text(map.get("account_name")).unwrap_or_default(),
            taken,
            salt: self.text(map.get("salt")).unwrap_or_default(),
            objects: self
                .entries(map.get("objects"))
                .iter()
                .map(|(key, node)| self.object(key, node))
                .collect(),
            domains: self
                .entries(map.get("domains"))
                .iter()
                .map(|(key, node)| (key.text.clone(), self.domain(node)))
                .collect(),
            pipelines: self.list(map.get("pipelines")).iter().map(|node| self.pipeline(node)).collect(),
            users: self.entries(map.get("users")).iter().map(|(key, node)| self.user(key, node)).collect(),
            probed: map.get("probed").map(|node| self.probed(node)).unwrap_or_default(),
        };
        schema.objects.sort_by(|a, b| a.name.cmp(&b.name));
        schema.users.sort_by(|a, b| a.id.cmp(&b.id));
        schema
    }

    fn day(&mut self, node: &Node) -> Option<jiff::civil::Date> {
        let text = self.text(Some(node))?;
        let day = text.parse().ok();
        if day.is_none() {
            self.report(node.id, format!("`{text}` is not a day"), "bad day", "write it as `2027-01-31`");
        }
        day
    }

    fn probed(&mut self, node: &Node) -> Probed {
        let map = self.known(node, &["day", "answers"]);
        let day = map.get("day").and_then(|node| self.day(node));
        let mut answers = BTreeMap::new();
        for (key, node) in self.entries(map.get("answers")) {
            let answer = match &node.kind {
                Kind::Bool(flag) => Answer::Flag(*flag),
                Kind::Count(count) => Answer::Count(*count),
                Kind::Text(word) => Answer::Word(word.clone()),
                _ => {
                    self.expected(node, "`true`, `false`, a whole number or a word");
                    continue;
                }
            };
            answers.insert(key.text.clone(), answer);
        }
        Probed { day, answers }
    }

    fn object(&mut self, key: &Key, node: &Node) -> Object {
        let keys = ["title", "records", "creatable", "hint", "custom_types", "matchable", "fields"];
        let map = self.known(node, &keys);
        let mut fields: Vec<Field> =
            self.entries(map.get("fields")).iter().filter_map(|(key, node)| self.field(key, node)).collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        Object {
            name: key.text.clone(),
            title: self.text(map.get("title")),
            records: self.count(map.get("records")),
            creatable: self.flag(map.get("creatable")),
            hint: self.text(map.get("hint")),
            custom_types: self.texts(map.get("custom_types")),
            matchable: self.texts(map.get("matchable")),
            fields,
        }
    }

    fn field(&mut self, key: &Key, node: &Node) -> Option<Field> {
        let map =
            self.known(node, &["type", "title", "required", "read_only", "custom", "attributes", "stats"]);
        let Some(ty) = map.get("type") else {
            self.report(key.id, format!("field `{}` has no `type`", key.text), "this field", TYPE_HELP);
            return None;
        };
        let ty = self.ty(ty)?;
        let attributes = self
            .list(map.get("attributes"))
            .iter()
            .filter_map(|node| {
                let (key, node) = self.pair(node)?;
                Some(Attribute { name: key.text.clone(), ty: self.ty(node)? })
            })
            .collect();
        let stats = map.get("stats").map(|node| self.stats(node, &ty));
        Some(Field {
            name: key.text.clone(),
            title: self.text(map.get("title")),
            required: self.flag(map.get("required")),
            write: self.text(map.get("read_only")).map_or(Write::Yes, |hint| Write::No { hint }),
            custom: self.flag(map.get("custom")),
            attributes,
            stats,
            ty,
        })
    }

    fn stats(&mut self, node: &Node, ty: &Type) -> Stats {
        let map = self.known(node, &["filled", "longest", "values"]);
        if let Some(values) = map.get("values")
            && !may_count_values(ty)
        {
            self.report(
                values.id,
                format!(
                    "a field of type `{ty}` has no `values`: only enumerated fields are counted by value"
                ),
                "here",
                "remove `values`; it may hold personal data",
            );
        }
        let longest = map.get("longest").and_then(|node| {
            let longest = self.count(Some(node))?;
            let fits = u32::try_from(longest).ok();
            if fits.is_none() {
                self.report(
                    node.id,
                    format!("{longest} is no length of a text"),
                    "here",
                    "take the snapshot again",
                );
            }
            fits
        });
        Stats {
            filled: self.count(map.get("filled")).unwrap_or_default(),
            values: self.counts(map.get("values")),
            longest,
        }
    }

    fn domain(&mut self, node: &Node) -> Domain {
        let map = self.known(node, &["title", "open", "choices"]);
        let choices = self
            .list(map.get("choices"))
            .iter()
            .filter_map(|node| match &node.kind {
                Kind::Map(_) => {
                    let (key, title) = self.pair(node)?;
                    Some(Choice { code: key.text.clone(), title: Some(self.text(Some(title))?) })
                }
                _ => Some(Choice { code: self.text(Some(node))?, title: None }),
            })
            .collect();
        Domain { title: self.text(map.get("title")), choices, open: self.flag(map.get("open")) }
    }

    fn pipeline(&mut self, node: &Node) -> Pipeline {
        let map = self.known(node, &["object", "code", "name", "stages", "records", "outcomes"]);
        let stages = self
            .list(map.get("stages"))
            .iter()
            .filter_map(|node| {
                let (key, node) = self.pair(node)?;
                let code = key.text.clone();
                if !matches!(node.kind, Kind::Map(_)) {
                    return Some(Stage { code, name: self.text(Some(node))?, ends: None });
                }
                let map = self.known(node, &["name", "ends"]);
                let ends = map.get("ends").and_then(|node| self.outcome_kind(node));
                Some(Stage { code, name: self.required_text(&map, "name"), ends })
            })
            .collect();
        let outcomes = self
            .list(map.get("outcomes"))
            .iter()
            .filter_map(|node| {
                let (key, node) = self.pair(node)?;
                let map = self.known(node, &["name", "kind"]);
                let name = self.required_text(&map, "name");
                let Some(kind) = map.get("kind") else {
                    self.required_text(&map, "kind");
                    return None;
                };
                Some(Outcome { code: key.text.clone(), name, kind: self.outcome_kind(kind)? })
            })
            .collect();
        Pipeline {
            object: self.required_text(&map, "object"),
            code: self.required_text(&map, "code"),
            name: self.required_text(&map, "name"),
            stages,
            records: self.counts(map.get("records")),
            outcomes,
        }
    }

    fn outcome_kind(&mut self, node: &Node) -> Option<OutcomeKind> {
        let text = self.text(Some(node))?;
        let kind = [OutcomeKind::Won, OutcomeKind::Lost, OutcomeKind::Cancelled]
            .into_iter()
            .find(|kind| outcome_word(*kind) == text);
        if kind.is_none() {
            self.report(
                node.id,
                format!("`{text}` is no way to end"),
                "here",
                "write `won`, `lost` or `cancelled`",
            );
        }
        kind
    }

    fn user(&mut self, key: &Key, node: &Node) -> User {
        let map = self.known(node, &["email", "active"]);
        if map.get("active").is_none() {
            self.report(
                key.id,
                format!("user `{}` does not say `active`", key.text),
                "this user",
                "add `active: true`",
            );
        }
        User {
            id: key.text.clone(),
            email_hash: self.text(map.get("email")),
            active: self.flag(map.get("active")),
        }
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
pub(super) mod tests;
