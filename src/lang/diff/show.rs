//! Parts of a plan written as specs write them, with names instead of numbers: what messages show and, since equal
//! parts of two plans are written alike, what is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::Names;
use crate::lang::plan::{Aggregate, Arm, Comparison, Expr, Label, Rule, StageTo, walk};
use crate::lang::schema::Object;
use crate::lang::value::{StageValue, Value};

/// What slots and attributes mean where an expression stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The source object of the record.
    pub object: Option<&'a Object>,
    /// Names of its slots, where the schema does not tell.
    pub reads: Option<&'a BTreeMap<u16, String>>,
    /// The object of the record that takes this one in.
    pub outer: Option<&'a Object>,
    /// The field whose elements are looked at, by slot.
    pub list: Option<u16>,
}

impl<'a> Scope<'a> {
    pub fn of(object: Option<&'a Object>, reads: Option<&'a BTreeMap<u16, String>>) -> Self {
        Scope { object, reads, outer: None, list: None }
    }

    /// The name of a slot.
    pub fn slot(&self, slot: u16) -> String {
        let field = self.object.and_then(|object| object.fields.get(usize::from(slot)));
        match (field, self.reads.and_then(|reads| reads.get(&slot))) {
            (Some(field), _) => field.name.clone(),
            (None, Some(name)) => name.clone(),
            (None, None) => format!("#{slot}"),
        }
    }

    fn attribute(&self, index: u16) -> String {
        let list = self.list.and_then(|slot| self.object?.fields.get(usize::from(slot)));
        let attribute = list.and_then(|field| field.attributes.get(usize::from(index)));
        attribute.map_or_else(|| format!("@{index}"), |attribute| attribute.name.clone())
    }

    /// The same, among the elements of a list.
    fn inside(self, list: &Expr) -> Self {
        Scope { list: slot_of(list).or(self.list), ..self }
    }
}

/// The field that an expression takes its elements from.
pub(super) fn slot_of(expr: &Expr) -> Option<u16> {
    let mut found = None;
    walk::deep(expr, &mut |inner| {
        if let (None, Expr::Slot(slot)) = (found, inner) {
            found = Some(*slot);
        }
    });
    found
}

/// Text in quotes.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

impl Names {
    pub fn expr(&self, expr: &Expr, scope: Scope<'_>) -> String {
        let one = |inner: &Expr| self.expr(inner, scope);
        let name = |names: &[String], index: u16| {
            names.get(usize::from(index)).cloned().unwrap_or_else(|| format!("#{index}"))
        };
        match expr {
            Expr::Slot(slot) => scope.slot(*slot),
            Expr::Element => "it".to_owned(),
            Expr::Attribute(index) => scope.attribute(*index),
            Expr::Const(value) => constant(value),
            Expr::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Expr::Const(Value::Text(plain)) => {
                            let plain = quoted(plain).replace('{', "{{");
                            text.push_str(&plain[1..plain.len() - 1]);
                        }
                        other => {
                            let _ = write!(text, "{{{}}}", one(other));
                        }
                    }
                }
                format!("\"{text}\"")
            }
            Expr::Call { function, args } => match args.split_first() {
                None => format!("{function}()"),
                Some((first, rest)) => {
                    format!("{}.{function}({})", self.tight(first, scope), self.list(rest, scope))
                }
            },
            Expr::Apply { function, args } => {
                format!("{}({})", name(&self.functions, *function), self.list(args, scope))
            }
            Expr::Param(index) => format!("${index}"),
            Expr::Lookup { table, key } => format!("{}[{}]", name(&self.tables, *table), one(key)),
            Expr::Each { list, body } => {
                let inner = self.expr(body, scope.inside(list));
                format!("{}.each({})", self.tight(list, scope), inner.strip_prefix("it.").unwrap_or(&inner))
            }
            Expr::Ref { maps, link, any: _, object, field } => {
                let to: Vec<String> = maps.iter().map(|map| name(&self.maps, *map)).collect();
                let mut text = format!("ref {}(", to.join("|"));
                if let Some(object) = object {
                    let _ = write!(text, "{}, ", one(object));
                }
                let _ = write!(text, "{})", one(link));
                if let (Some(targets), Some(map)) = (field, maps.first()) {
                    let of = targets.first().and_then(|target| self.target(*map, *target));
                    let _ = write!(text, ".{}", of.unwrap_or_else(|| format!("#{targets:?}")));
                }
                text
            }
            Expr::EachLine { list, columns, rules } => {
                let within = scope.inside(list);
                let lines: Vec<String> = rules
                    .iter()
                    .map(|rule| {
                        let column = columns.get(usize::from(rule.target));
                        let column = column.map_or("?", |column| column.name.as_str());
                        format!("{column} <- {}", self.rule(rule, within))
                    })
                    .collect();
                format!("each {} {{ {} }}", one(list), lines.join("; "))
            }
            Expr::Outer(slot) => {
                let outer = Scope::of(scope.outer, None);
                let object = scope.outer.map_or("outer", |object| object.name.as_str());
                format!("{object}.{}", outer.slot(*slot))
            }
            Expr::Aggregate { kind, of } => {
                let word = match kind {
                    Aggregate::Count => "count",
                    Aggregate::Sum => "sum",
                    Aggregate::Min => "min",
                    Aggregate::Max => "max",
                };
                format!("{word}({})", of.as_ref().map(|of| one(of)).unwrap_or_default())
            }
            Expr::Lines(lines) => {
                let lines: Vec<String> = lines
                    .iter()
                    .map(|line| {
                        let columns: Vec<&str> = line.columns.iter().map(|(name, _)| name.as_str()).collect();
                        let columns = if columns.is_empty() {
                            String::new()
                        } else {
                            format!(" ({})", columns.join(", "))
                        };
                        let value = one(&line.value);
                        if line.label == value {
                            format!("{value}{columns}")
                        } else {
                            format!("{} {value}{columns}", quoted(&line.label))
                        }
                    })
                    .collect();
                format!("lines({})", lines.join(", "))
            }
            Expr::Title { of, .. } => format!("title({})", one(of)),
            Expr::Owner(of) => format!("user({})", one(of)),
            Expr::Stage { category, stage, object: _ } => match category {
                Some(category) => format!("pipeline by {}, {}", one(category), one(stage)),
                None => format!("pipeline by {}", one(stage)),
            },
            Expr::List(parts) => format!("[{}]", self.list(parts, scope)),
            Expr::Has(of) => format!("has {}", self.tight(of, scope)),
            Expr::Not(of) => format!("not {}", self.tight(of, scope)),
            Expr::And(a, b) => format!("{} and {}", self.joined(a, expr, scope), self.joined(b, b, scope)),
            Expr::Or(a, b) => format!("{} or {}", self.joined(a, expr, scope), self.joined(b, b, scope)),
            Expr::Compare(how, a, b) => {
                let sign = match how {
                    Comparison::Equal => "==",
                    Comparison::NotEqual => "!=",
                    Comparison::Less => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Greater => ">",
                    Comparison::AtLeast => ">=",
                };
                format!("{} {sign} {}", self.tight(a, scope), self.tight(b, scope))
            }
        }
    }

    fn list(&self, exprs: &[Expr], scope: Scope<'_>) -> String {
        exprs.iter().map(|expr| self.expr(expr, scope)).collect::<Vec<_>>().join(", ")
    }

    /// A side of `and` or `or`: in brackets where it is another such chain than `chain`, whose left side goes on.
    fn joined(&self, expr: &Expr, chain: &Expr, scope: Scope<'_>) -> String {
        let text = self.expr(expr, scope);
        let goes_on = !std::ptr::eq(expr, chain)
            && matches!((expr, chain), (Expr::And(..), Expr::And(..)) | (Expr::Or(..), Expr::Or(..)));
        match expr {
            Expr::And(..) | Expr::Or(..) if !goes_on => format!("({text})"),
            _ => text,
        }
    }

    /// In brackets where another sign could bind tighter.
    fn tight(&self, expr: &Expr, scope: Scope<'_>) -> String {
        let text = self.expr(expr, scope);
        match expr {
            Expr::And(..) | Expr::Or(..) | Expr::Compare(..) | Expr::Not(_) | Expr::Has(_) => {
                format!("({text})")
            }
            _ => text,
        }
    }

    pub fn arm(&self, arm: &Arm, scope: Scope<'_>) -> String {
        match arm {
            Arm::Value { value, flag: None } => self.expr(value, scope),
            Arm::Value { value, flag: Some(why) } => {
                format!("{}  flag {}", self.expr(value, scope), quoted(why))
            }
            Arm::Flag(why) => format!("flag {}", quoted(why)),
            Arm::Unset => "unset".to_owned(),
            Arm::Skip(why) => format!("skip {}", quoted(why)),
            Arm::Wait => "wait".to_owned(),
            Arm::Quarantine => "quarantine".to_owned(),
            Arm::Stop => "stop".to_owned(),
        }
    }

    /// The label's value and condition.
    pub fn label(&self, label: &Label, value: &Expr, scope: Scope<'_>) -> String {
        let scope = scope.inside(value);
        let mut text = self.expr(&label.value, scope);
        if let Some(when) = &label.when {
            let _ = write!(text, " when {}", self.expr(when, scope));
        }
        text
    }

    pub fn otherwise(&self, arms: &[Arm], scope: Scope<'_>) -> String {
        arms.iter().map(|arm| format!("else {}", self.arm(arm, scope))).collect::<Vec<_>>().join(" ")
    }

    /// A whole rule without its destination field.
    pub fn rule(&self, rule: &Rule, scope: Scope<'_>) -> String {
        let mut text = self.expr(&rule.value, scope);
        if let Some(when) = &rule.when {
            let _ = write!(text, " when {}", self.expr(when, scope));
        }
        if let Some(label) = &rule.label {
            let _ = write!(text, " labelled {}", self.label(label, &rule.value, scope));
        }
        if !rule.otherwise.is_empty() {
            let _ = write!(text, " {}", self.otherwise(&rule.otherwise, scope));
        }
        for (word, arm) in [("on fail", &rule.on_fail), ("on unmigrated", &rule.on_unmigrated)] {
            if let Some(arm) = arm {
                let _ = write!(text, " {word} {}", self.arm(arm, scope.inside(&rule.value)));
            }
        }
        if let Some(because) = &rule.because {
            let _ = write!(text, " {} because {}", rule.fidelity.word(), quoted(because));
        }
        if rule.second_pass {
            text.push_str(" in a second pass");
        }
        text
    }

    pub fn stage_to(&self, to: &StageTo, scope: Scope<'_>) -> String {
        match to {
            StageTo::Stage(stage) => stage_words(stage),
            StageTo::Arm(arm) => self.arm(arm, scope),
        }
    }
}

/// `stage "On hold"`, `won "Signed"`
pub(super) fn stage_words(stage: &StageValue) -> String {
    match (&stage.stage, &stage.outcome) {
        (Some(name), _) => format!("stage {}", quoted(name)),
        (None, Some((kind, name))) => format!("{kind} {}", quoted(name)),
        (None, None) => format!("pipeline {}", quoted(&stage.pipeline)),
    }
}

fn constant(value: &Value) -> String {
    match value {
        Value::Absent => "nothing".to_owned(),
        Value::Text(text) => quoted(text),
        Value::Bool(yes) => yes.to_string(),
        Value::List(values) => {
            format!("[{}]", values.iter().map(constant).collect::<Vec<_>>().join(", "))
        }
        Value::Stage(stage) => stage_words(stage),
        other => other.display().to_string(),
    }
}
