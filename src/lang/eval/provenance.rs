//! Which parts of a plan a record's fields come from, as JSON. Everything that is printed is made once per map, so that
//! a record costs little more than copying.

use serde_json::json;

use super::RuleId;
use super::machine::number;
use super::watch::{Hit, Taken};
use crate::lang::plan::{Expr, Note, Plan, Rule};

/// The parts of a plan that may have to do with the records of one map, ready to print.
#[derive(Debug)]
pub struct Provenance {
    /// Per field, and per note after them: `"value":[`.
    fields: Vec<String>,
    /// Rules and notes of the map, then those of each flatten.
    items: Vec<Item>,
    /// `"at":"acme.b2n:12"`, by the line of the plan.
    places: Vec<String>,
    /// Rows of each table, `unseen` at the end.
    tables: Vec<Vec<String>>,
    /// Rows of each pipeline, likewise.
    pipelines: Vec<Vec<String>>,
}

/// A map or a flatten.
#[derive(Debug, Default)]
struct Item {
    rules: Vec<Part>,
    notes: Vec<Part>,
}

/// A rule or a note.
#[derive(Debug)]
struct Part {
    /// Which field it gives a value to.
    field: u16,
    /// Per rule of its `each` block: `"column":"price",`.
    columns: Vec<String>,
}

impl Provenance {
    /// Makes what is printed for the records of one map. A map that does not exist has no fields.
    pub fn new(plan: &Plan, map: usize) -> Provenance {
        let targets = plan.maps.get(map).map(|map| map.targets.as_slice()).unwrap_or_default();
        let mut names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        let mut item = |flatten: Option<u16>, rules: &[Rule], notes: &[Note]| {
            let mut part = |note: bool, (rule, found): (u16, &Rule)| {
                let name = RuleId { flatten, note, rule }.target(plan, map).unwrap_or_default();
                let known = names.iter().position(|known| *known == name);
                let field = number(known.unwrap_or(names.len()));
                if known.is_none() {
                    names.push(name);
                }
                Part { field, columns: columns(found) }
            };
            Item {
                rules: (0..).zip(rules).map(|rule| part(false, rule)).collect(),
                notes: (0..).zip(notes.iter().map(|note| &note.rule)).map(|rule| part(true, rule)).collect(),
            }
        };
        let of_map = plan.maps.get(map).map(|map| item(None, &map.rules, &map.notes));
        let mut items = vec![of_map.unwrap_or_default()];
        for (index, flatten) in (0..).zip(&plan.flattens) {
            // Those of other maps write into fields that this one does not have, and are never taken.
            let into = usize::from(flatten.into) == map;
            items.push(if into {
                item(Some(index), &flatten.rules, &flatten.notes)
            } else {
                Item::default()
            });
        }
        let place = |line: u32| {
            let (file, line) = plan.place(line);
            format!(r#""at":{}"#, json!(format!("{file}:{line}")))
        };
        Provenance {
            fields: names.iter().map(|name| format!("{}:[", json!(name))).collect(),
            items,
            places: (0..=last_line(plan)).map(place).collect(),
            tables: plan.tables.iter().map(|table| rows("row", &table.name, table.rows.keys())).collect(),
            pipelines: plan
                .pipelines
                .iter()
                .map(|line| rows("stage", &line.name, line.rows.keys()))
                .collect(),
        }
    }

    /// Adds what a record's fields come from, as an object with a list per field. Each part of the plan is told once
    /// per field, in the order in which it was first taken; `hits` are sorted by field for that.
    pub fn write(&self, hits: &mut [Hit], out: &mut Vec<u8>) {
        hits.sort_by_key(|hit| self.part(hit).map(|part| part.field));
        out.push(b'{');
        let (mut field, mut kept, mut first) = (None, 0, 0);
        for at in 0..hits.len() {
            let hit = hits[at];
            // What a `where` takes serves no field.
            let Some(part) = self.part(&hit) else { continue };
            if field == Some(part.field) {
                if hits[first..kept].contains(&hit) {
                    continue;
                }
                out.push(b',');
            } else {
                if field.is_some() {
                    out.extend_from_slice(b"],");
                }
                out.extend_from_slice(self.fields[usize::from(part.field)].as_bytes());
                (field, first) = (Some(part.field), kept);
            }
            // Those told so far move up, so that the lookup above is short for long lists too.
            hits[kept] = hit;
            kept += 1;
            self.told(part, &hit, out);
        }
        out.extend_from_slice(if field.is_some() { b"]}" } else { b"}" });
    }

    fn told(&self, part: &Part, hit: &Hit, out: &mut Vec<u8>) {
        let mut copy = |text: &str| out.extend_from_slice(text.as_bytes());
        copy("{");
        copy(hit.inner.and_then(|inner| part.columns.get(usize::from(inner))).map_or("", String::as_str));
        match hit.taken {
            Taken::Value => copy(r#""part":"rule","#),
            Taken::Else(0) => copy(r#""part":"else 1","#),
            Taken::Else(number) => copy(&format!(r#""part":"else {}","#, u32::from(number) + 1)),
            Taken::OnFail => copy(r#""part":"on fail","#),
            Taken::Row(of, at) => copy(text(&self.tables, of, at)),
            Taken::StageRow(of, at) => copy(text(&self.pipelines, of, at)),
        }
        copy(self.places.get(hit.line as usize).map_or(r#""at":null"#, String::as_str));
        copy("}");
    }

    fn part(&self, hit: &Hit) -> Option<&Part> {
        let RuleId { flatten, note, rule } = hit.rule?;
        let item = self.items.get(flatten.map_or(0, |flatten| usize::from(flatten) + 1))?;
        if note { &item.notes } else { &item.rules }.get(usize::from(rule))
    }
}

/// A row of a table or a pipeline; `unseen` is the last one.
fn text(rows: &[Vec<String>], of: u16, row: Option<u32>) -> &str {
    let Some(rows) = rows.get(usize::from(of)) else { return "" };
    let found = match row {
        Some(row) => rows.get(row as usize),
        None => rows.last(),
    };
    found.map_or("", String::as_str)
}

/// What is printed of each row of a table or a pipeline, and of `unseen`.
fn rows<'p>(part: &str, of: &str, codes: impl Iterator<Item = &'p String>) -> Vec<String> {
    let row =
        |code: Option<&String>| format!(r#""part":"{part}","of":{},"code":{},"#, json!(of), json!(code));
    codes.map(Some).chain([None]).map(row).collect()
}

/// What is printed of each rule of a rule's `each` block.
fn columns(rule: &Rule) -> Vec<String> {
    let Expr::EachLine { columns, rules, .. } = &rule.value else { return Vec::new() };
    let name = |rule: &Rule| columns.get(usize::from(rule.target)).map(|column| &column.name);
    rules.iter().map(|rule| format!(r#""column":{},"#, json!(name(rule)))).collect()
}

/// The last line of a plan that a rule or a row stands on.
fn last_line(plan: &Plan) -> u32 {
    let of_maps = plan.maps.iter().map(|map| (&map.rules, &map.notes));
    let items = of_maps.chain(plan.flattens.iter().map(|flatten| (&flatten.rules, &flatten.notes)));
    let rules = items.flat_map(|(rules, notes)| rules.iter().chain(notes.iter().map(|note| &note.rule)));
    let of_rules = rules.flat_map(|rule| {
        let block = match &rule.value {
            Expr::EachLine { rules, .. } => rules.as_slice(),
            _ => &[],
        };
        block.iter().map(|rule| rule.line).chain([rule.line])
    });
    let rows = |lines: &mut dyn Iterator<Item = u32>, unseen: u32| lines.max().unwrap_or(0).max(unseen);
    let tables = plan.tables.iter().map(|t| rows(&mut t.rows.values().map(|row| row.line), t.unseen_line));
    let stages = plan.pipelines.iter().map(|p| rows(&mut p.rows.values().map(|row| row.line), p.unseen_line));
    of_rules.chain(tables).chain(stages).max().unwrap_or(0)
}
