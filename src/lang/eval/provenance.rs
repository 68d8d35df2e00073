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
#[derive(Debug)]
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
        let mut last = 0;
        let mut item = |flatten: Option<u16>, rules: &[Rule], notes: &[Note]| {
            let mut parts = |note: bool, rules: &mut dyn Iterator<Item = &Rule>| -> Vec<Part> {
                let part = |(rule, found): (u16, &Rule)| {
                    last = last.max(found.line);
                    let name = RuleId { flatten, note, rule }.target(plan, map).unwrap_or_default();
                    let field = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                        names.push(name);
                        names.len() - 1
                    });
                    let Expr::EachLine { columns, rules, .. } = &found.value else {
                        return Part { field: number(field), columns: Vec::new() };
                    };
                    last = rules.iter().fold(last, |last, rule| last.max(rule.line));
                    let column = |rule: &Rule| {
                        let column = columns.get(usize::from(rule.target)).map(|column| &column.name);
                        format!(r#""column":{},"#, json!(column))
                    };
                    Part { field: number(field), columns: rules.iter().map(column).collect() }
                };
                (0..).zip(rules).map(part).collect()
            };
            let rules = parts(false, &mut rules.iter());
            Item { rules, notes: parts(true, &mut notes.iter().map(|note| &note.rule)) }
        };
        let mut items = Vec::with_capacity(1 + plan.flattens.len());
        items.extend(plan.maps.get(map).map(|map| item(None, &map.rules, &map.notes)));
        for (index, flatten) in (0..).zip(&plan.flattens) {
            // Those of other maps write into fields that this one does not have, and are never taken.
            let (rules, notes) = match usize::from(flatten.into) == map {
                true => (flatten.rules.as_slice(), flatten.notes.as_slice()),
                false => (&[][..], &[][..]),
            };
            items.push(item(Some(index), rules, notes));
        }
        let row = |part: &str, of: &str, code: Option<&String>| {
            format!(r#""part":"{part}","of":{},"code":{},"#, json!(of), json!(code))
        };
        let mut tables = Vec::with_capacity(plan.tables.len());
        for table in plan.tables.iter() {
            last = table.rows.values().fold(last.max(table.unseen_line), |last, row| last.max(row.line));
            let codes = table.rows.keys().map(Some).chain([None]);
            tables.push(codes.map(|code| row("row", &table.name, code)).collect());
        }
        let mut pipelines = Vec::with_capacity(plan.pipelines.len());
        for line in &plan.pipelines {
            last = line.rows.values().fold(last.max(line.unseen_line), |last, row| last.max(row.line));
            let codes = line.rows.keys().map(Some).chain([None]);
            pipelines.push(codes.map(|code| row("stage", &line.name, code)).collect());
        }
        let place = |line: u32| {
            let (file, line) = plan.place(line);
            format!(r#""at":{}"#, json!(format!("{file}:{line}")))
        };
        Provenance {
            fields: names.iter().map(|name| format!("{}:[", json!(name))).collect(),
            items,
            places: (0..=last).map(place).collect(),
            tables,
            pipelines,
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
