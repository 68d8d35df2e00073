//! What came out of a record, as a line of JSON.

use b2n::lang::eval::{Fold, Outcome, Output, Route, RuleId};
use b2n::lang::plan::{Arm, Expr, Plan, Rule, Target};
use b2n::lang::value::{RefValue, Value};
use serde_json::{Map, Value as Json, json};

/// A word for how a record ended, the reason and the line.
pub struct Ended<'o> {
    word: &'static str,
    reason: &'o str,
    line: u32,
}

impl Ended<'_> {
    /// A reason is the spec's own where a record is left out or listed; else its wording is the implementation's.
    pub fn add_to(&self, row: &mut Map<String, Json>) {
        row.insert("outcome".into(), json!(self.word));
        if matches!(self.word, "left out" | "listed") {
            row.insert("reason".into(), json!(self.reason));
        }
        row.insert("line".into(), json!(self.line));
    }
}

/// How a record ended in a map, if it was not written.
pub fn of_outcome(outcome: &Outcome) -> Option<(Ended<'_>, Option<RuleId>)> {
    let (word, rule, reason, line) = match outcome {
        Outcome::Record(_) => return None,
        Outcome::LeftOut { reason, line } => ("left out", None, reason, line),
        Outcome::Quarantined { rule, reason, line } => ("quarantined", *rule, reason, line),
        Outcome::Stopped { rule, reason, line } => ("stopped", *rule, reason, line),
    };
    Some((Ended { word, reason, line: *line }, rule))
}

/// How a record ended at its split, if that sends it to no map.
pub fn of_route<'r>(route: &'r Route<'_>) -> Option<Ended<'r>> {
    let (word, reason, line) = match route {
        Route::Maps(_) => return None,
        Route::Listed { reason, line } => ("listed", reason, line),
        Route::LeftOut { reason, line } => ("left out", reason, line),
        Route::Quarantined { reason, line } => ("quarantined", reason, line),
        Route::Stopped { reason, line } => ("stopped", reason, line),
    };
    Some(Ended { word, reason, line: *line })
}

/// How a record ended that is not folded in.
pub fn of_fold(fold: &Fold) -> Option<Ended<'_>> {
    let (word, reason, line) = match fold {
        Fold::Into { .. } => return None,
        Fold::LeftOut { reason, line } => ("left out", reason, line),
        Fold::Quarantined { reason, line } => ("quarantined", reason, line),
        Fold::Stopped { reason, line } => ("stopped", reason, line),
    };
    Some(Ended { word, reason, line: *line })
}

/// A written record. `arrived` tells whether a map wrote the record of a key.
pub fn written(
    plan: &Plan,
    map: usize,
    output: &Output,
    arrived: &dyn Fn(u16, &str) -> bool,
    row: &mut Map<String, Json>,
) {
    let item = &plan.maps[map];
    row.insert("outcome".into(), json!("record"));
    row.insert("object".into(), json!(item.target));
    let mut fields = Map::new();
    let mut unmigrated = Vec::new();
    for (index, (target, value)) in item.targets.iter().zip(&output.values).enumerate() {
        let rules = rules_of(plan, map, index);
        let columns = rules.iter().find_map(|rule| lines_of(&rule.value)).unwrap_or_default();
        if !value.is_absent() {
            fields.insert(target.name.clone(), shown(plan, value, columns.0));
        }
        let rule = rules.iter().find(|rule| rule.on_unmigrated.is_some()).or(rules.first()).copied();
        lost(&target.name, value, rule, columns, arrived, &mut unmigrated);
    }
    row.insert("fields".into(), Json::Object(fields));
    let notes: Vec<Json> = output
        .notes
        .iter()
        .map(|note| match &note.child {
            Some(child) => json!({"title": note.title, "body": note.body, "of": child.as_str()}),
            None => json!({"title": note.title, "body": note.body}),
        })
        .collect();
    let flags: Vec<Json> = output
        .flags
        .iter()
        .map(|flag| json!({"field": flag.rule.target(plan, map), "why": &*flag.why}))
        .collect();
    let owners: Vec<Json> =
        output.owners.iter().map(|how| serde_json::to_value(how).unwrap_or_default()).collect();
    for (key, list) in [("notes", notes), ("flags", flags), ("owners", owners), ("unmigrated", unmigrated)] {
        if !list.is_empty() {
            row.insert(key.into(), Json::Array(list));
        }
    }
}

fn rules_of(plan: &Plan, map: usize, target: usize) -> Vec<&Rule> {
    let folded = plan.flattens.iter().filter(|flatten| usize::from(flatten.into) == map);
    let own = plan.maps[map].rules.iter();
    own.chain(folded.flat_map(|flatten| &flatten.rules))
        .filter(|rule| usize::from(rule.target) == target)
        .collect()
}

fn lines_of(value: &Expr) -> Option<(&[Target], &[Rule])> {
    match value {
        Expr::EachLine { columns, rules, .. } => Some((columns, rules)),
        _ => None,
    }
}

/// A value as JSON. A link names every map that may hold its record, and the field that is read of it.
fn shown(plan: &Plan, value: &Value, columns: &[Target]) -> Json {
    match value {
        Value::Ref(link) => {
            let name = |map: &u16| plan.maps[usize::from(*map)].name.clone();
            let maps: Vec<String> = std::iter::once(&link.map).chain(&link.others).map(name).collect();
            let mut json = json!({"map": maps.join("|"), "key": link.key.as_str()});
            if let Some(field) = link.field.as_ref().and_then(|fields| fields.first()) {
                let target = &plan.maps[usize::from(link.map)].targets[usize::from(*field)];
                json["field"] = json!(target.name);
            }
            json
        }
        Value::List(values) => values.iter().map(|value| shown(plan, value, columns)).collect(),
        Value::Item(item) if item.value.is_absent() => {
            let there = columns.iter().zip(&item.attrs).filter(|(_, value)| !value.is_absent());
            there.map(|(column, value)| (column.name.clone(), shown(plan, value, &[]))).collect()
        }
        Value::Item(item) => match item.attrs.first().filter(|label| !label.is_absent()) {
            Some(label) => json!({"value": shown(plan, &item.value, &[]), "label": shown(plan, label, &[])}),
            None => shown(plan, &item.value, &[]),
        },
        plain => plain.to_json(&|_| String::new()),
    }
}

/// Links whose record did not arrive, with what the spec says of that.
fn lost(
    field: &str,
    value: &Value,
    rule: Option<&Rule>,
    columns: (&[Target], &[Rule]),
    arrived: &dyn Fn(u16, &str) -> bool,
    found: &mut Vec<Json>,
) {
    match value {
        Value::Ref(link) if !there(link, arrived) => {
            let then = rule.and_then(|rule| rule.on_unmigrated.as_ref()).map(arm).unwrap_or_default();
            found.push(json!({"field": field, "key": link.key.as_str(), "then": then}));
        }
        Value::List(values) => {
            values.iter().for_each(|value| lost(field, value, rule, columns, arrived, found));
        }
        Value::Item(item) if item.value.is_absent() => {
            for (index, value) in item.attrs.iter().enumerate() {
                let Some(column) = columns.0.get(index) else { break };
                let rule = columns.1.iter().find(|rule| usize::from(rule.target) == index);
                let name = format!("{field}.{}", column.name);
                lost(&name, value, rule, (&[], &[]), arrived, found);
            }
        }
        Value::Item(item) => lost(field, &item.value, rule, columns, arrived, found),
        _ => {}
    }
}

fn there(link: &RefValue, arrived: &dyn Fn(u16, &str) -> bool) -> bool {
    std::iter::once(&link.map).chain(&link.others).any(|map| arrived(*map, &link.key))
}

fn arm(arm: &Arm) -> String {
    match arm {
        Arm::Value { flag: None, .. } => "a value".to_owned(),
        Arm::Value { flag: Some(why), .. } => format!("a value flag \"{why}\""),
        Arm::Flag(why) => format!("flag \"{why}\""),
        Arm::Unset => "unset".to_owned(),
        Arm::Skip(why) => format!("skip \"{why}\""),
        Arm::Wait => "wait".to_owned(),
        Arm::Quarantine => "quarantine".to_owned(),
        Arm::Stop => "stop".to_owned(),
    }
}
