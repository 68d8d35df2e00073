//! What a plan does to a value, said in words that a customer reads. Knows expressions and arms, no layout.

use std::collections::{BTreeMap, BTreeSet};

use crate::lang::plan::{Aggregate, Arm, Comparison, Expr, Label, Plan, Rule, Target};
use crate::lang::schema::Object;
use crate::lang::value::{OutcomeKind, StageValue, Value};

/// Says expressions that read one source object.
pub(super) struct Words<'a> {
    pub plan: &'a Plan,
    /// The source object, where the snapshot has it.
    pub object: Option<&'a Object>,
    /// The names that the plan keeps of slots; used where the snapshot has no object.
    pub reads: &'a BTreeMap<u16, String>,
    /// Inside a flatten: the object of the map that takes it in.
    pub outer: Option<&'a Object>,
}

/// What an expression reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub slots: BTreeSet<u16>,
    pub outer: BTreeSet<u16>,
}

impl Words<'_> {
    /// A field as people know it: its title with the code behind, or the code alone.
    pub fn field(&self, slot: u16) -> String {
        name(self.object, slot)
            .or_else(|| self.reads.get(&slot).cloned())
            .unwrap_or_else(|| format!("field {slot}"))
    }

    /// A rule: its value and everything that may happen instead, one sentence each.
    pub fn rule(&self, rule: &Rule) -> Vec<String> {
        let mut said = vec![self.value(&rule.value)];
        if let Some(when) = &rule.when {
            said.push(format!("only when {}", self.value(when)));
        }
        if let Some(Label { value, when }) = &rule.label {
            let when = when.as_ref().map(|when| format!(", where {}", self.value(when))).unwrap_or_default();
            said.push(format!("labelled {}{when}", self.value(value)));
        }
        for arm in &rule.otherwise {
            said.push(format!("without a value: {}", self.arm(arm)));
        }
        if let Some(arm) = &rule.on_fail {
            said.push(format!("where that fails: {}", self.arm(arm)));
        }
        if let Some(arm) = &rule.on_unmigrated {
            said.push(format!("where the linked record did not arrive: {}", self.arm(arm)));
        }
        if rule.second_pass {
            said.push("written at the end, once every record exists".to_owned());
        }
        said
    }

    /// What an arm does.
    pub fn arm(&self, arm: &Arm) -> String {
        match arm {
            Arm::Value { value, flag: None } => self.value(value),
            Arm::Value { value, flag: Some(why) } => {
                format!("{}, listed for a person: {why}", self.value(value))
            }
            Arm::Flag(why) => format!("left empty, listed for a person: {why}"),
            Arm::Unset => "left empty".to_owned(),
            Arm::Skip(why) => format!("left out: {why}"),
            Arm::Wait => "filled in when the other record arrives".to_owned(),
            Arm::Quarantine => "the record is held back for a person".to_owned(),
            Arm::Stop => "the run ends".to_owned(),
        }
    }

    /// What an expression gives.
    pub fn value(&self, expr: &Expr) -> String {
        match expr {
            Expr::Slot(slot) => self.field(*slot),
            Expr::Element => "the value".to_owned(),
            Expr::Attribute(index) => self.attribute(*index),
            Expr::Const(value) => constant(value),
            Expr::Concat(parts) => {
                let parts: Vec<String> = parts
                    .iter()
                    .map(|part| match part {
                        Expr::Const(Value::Text(text)) => text.to_string(),
                        other => format!("[{}]", self.value(other)),
                    })
                    .collect();
                format!("“{}”", parts.concat())
            }
            Expr::Call { function, args } => self.call(function, args),
            Expr::Lookup { table, key } => {
                let name = self.plan.tables.get(usize::from(*table)).map_or("?", |table| &table.name);
                format!("{} by the table “{name}”", self.value(key))
            }
            Expr::Each { list, body } => format!("for each of {}: {}", self.value(list), self.value(body)),
            Expr::Ref { maps, link, object, field, .. } => {
                let targets: BTreeSet<String> = maps
                    .iter()
                    .filter_map(|map| self.plan.maps.get(usize::from(*map)))
                    .map(|map| format!("{} made of {}", map.target, map.source))
                    .collect();
                let targets = targets.into_iter().collect::<Vec<_>>().join(" or ");
                let of = match object {
                    Some(object) => format!("{} and {}", self.value(object), self.value(link)),
                    None => self.value(link),
                };
                match field {
                    None => format!("link to the {targets}, found by {of}"),
                    Some(fields) => {
                        let field = maps.first().zip(fields.first()).and_then(|(map, field)| {
                            let map = self.plan.maps.get(usize::from(*map))?;
                            Some(map.targets.get(usize::from(*field))?.name.as_str())
                        });
                        format!("“{}” of the {targets}, found by {of}", field.unwrap_or("?"))
                    }
                }
            }
            Expr::EachLine { list, columns, rules } => {
                let rules: Vec<String> = rules.iter().map(|rule| self.column(columns, rule)).collect();
                format!("a line for each of {}: {}", self.value(list), rules.join("; "))
            }
            Expr::Apply { function, args } => {
                let name =
                    self.plan.functions.get(usize::from(*function)).map_or("?", |function| &function.name);
                format!("{name} of {}", self.all(args))
            }
            Expr::Param(index) => format!("argument {}", index + 1),
            Expr::Outer(slot) => name(self.outer, *slot).unwrap_or_else(|| format!("field {slot}")),
            Expr::Aggregate { kind, of } => {
                let of = of.as_ref().map(|of| self.value(of));
                match (kind, of) {
                    (Aggregate::Count, None) => "how many there are".to_owned(),
                    (Aggregate::Count, Some(of)) => format!("how many have {of}"),
                    (Aggregate::Sum, of) => format!("the sum of {}", of.unwrap_or_default()),
                    (Aggregate::Min, of) => format!("the least {}", of.unwrap_or_default()),
                    (Aggregate::Max, of) => format!("the greatest {}", of.unwrap_or_default()),
                }
            }
            Expr::Lines(lines) => {
                let lines: Vec<String> =
                    lines.iter().map(|line| format!("{}: {}", line.label, self.value(&line.value))).collect();
                format!("a text with a line each for {}", lines.join("; "))
            }
            Expr::Title { of, .. } => format!("the title of {}", self.value(of)),
            Expr::Owner(user) => format!("the new user for {}", self.value(user)),
            Expr::Stage { category, stage, .. } => {
                let category =
                    category.as_ref().map(|c| format!("{} and ", self.value(c))).unwrap_or_default();
                format!("by the pipeline tables, from {category}{}", self.value(stage))
            }
            Expr::List(parts) => self.all(parts),
            Expr::Has(of) => format!("{} has a value", self.value(of)),
            Expr::Not(of) => match of.as_ref() {
                Expr::Has(of) => format!("{} has no value", self.value(of)),
                Expr::Slot(_) => format!("{} is no", self.value(of)),
                other => format!("not ({})", self.value(other)),
            },
            Expr::And(a, b) => format!("{} and {}", self.side(a), self.side(b)),
            Expr::Or(a, b) => format!("{} or {}", self.side(a), self.side(b)),
            Expr::Compare(how, a, b) => {
                let how = match how {
                    Comparison::Equal => "is",
                    Comparison::NotEqual => "is not",
                    Comparison::Less => "is less than",
                    Comparison::AtMost => "is at most",
                    Comparison::Greater => "is more than",
                    Comparison::AtLeast => "is at least",
                };
                format!("{} {how} {}", self.value(a), self.value(b))
            }
        }
    }

    /// A condition inside of another one: what could be misread stands in brackets.
    fn side(&self, expr: &Expr) -> String {
        match expr {
            Expr::And(..) | Expr::Or(..) => format!("({})", self.value(expr)),
            Expr::Slot(_) => format!("{} is yes", self.value(expr)),
            other => self.value(other),
        }
    }

    fn column(&self, columns: &[Target], rule: &Rule) -> String {
        let name = columns.get(usize::from(rule.target)).map_or("?", |column| &column.name);
        format!("{name} = {}", self.rule(rule).join(", "))
    }

    fn attribute(&self, index: u16) -> String {
        // Attributes belong to the list that is gone through; a name that all lists of the object agree on is shown.
        let names: BTreeSet<&str> = self
            .object
            .iter()
            .flat_map(|object| &object.fields)
            .filter_map(|field| field.attributes.get(usize::from(index)))
            .map(|attribute| attribute.name.as_str())
            .collect();
        match (names.first(), names.len()) {
            (Some(name), 1) => format!("its {name}"),
            _ => "what it says of itself".to_owned(),
        }
    }

    fn all(&self, exprs: &[Expr]) -> String {
        exprs.iter().map(|expr| self.value(expr)).collect::<Vec<_>>().join(", ")
    }

    fn call(&self, function: &str, args: &[Expr]) -> String {
        let first = || args.first().map(|arg| self.value(arg)).unwrap_or_default();
        let second = || args.get(1).map(|arg| self.value(arg)).unwrap_or_default();
        match (function, args.len()) {
            ("trim", 1) => format!("{} without blanks around it", first()),
            ("cut", 2) => format!("{}, its first {} characters", first(), second()),
            ("plain_text", 1) => format!("{} as plain text", first()),
            ("rich_text", 1) => format!("{} as formatted text", first()),
            ("phone", _) => format!("{} as an international telephone number", first()),
            ("email", 1) => format!("{} as a checked e-mail address", first()),
            ("url", 1) => format!("{} as a checked web address", first()),
            ("money", 2) => format!("{} in the currency {}", first(), second()),
            ("date", 1) => format!("the day of {}", first()),
            ("at", 2) => format!("{} at {}", first(), second()),
            ("year", 1) => format!("the year of {}", first()),
            ("person_name", _) => format!("the name made of {}", self.all(args)),
            ("first", 1) => format!("the first of {}", first()),
            ("last", 1) => format!("the last of {}", first()),
            ("count", 1) => format!("how many there are of {}", first()),
            ("join", 2) => format!("{}, joined with {}", second(), first()),
            ("replace", 3) => {
                format!("{} with {} in place of {}", first(), self.value(&args[2]), second())
            }
            ("length", 1) => format!("the length of {}", first()),
            ("contains", 2) => format!("{} contains {}", first(), second()),
            ("starts_with", 2) => format!("{} begins with {}", first(), second()),
            ("upper", 1) => format!("{} in capitals", first()),
            ("lower", 1) => format!("{} in small letters", first()),
            ("unique", 1) => format!("{}, each once", first()),
            ("text", 1) => format!("{} as text", first()),
            ("number", _) => format!("{} as a number", first()),
            _ => format!("{function}({})", self.all(args)),
        }
    }
}

fn name(object: Option<&Object>, slot: u16) -> Option<String> {
    let field = object?.fields.get(usize::from(slot))?;
    Some(match &field.title {
        Some(title) if *title != field.name => format!("{title} ({})", field.name),
        _ => field.name.clone(),
    })
}

/// A constant as people write it.
pub(super) fn constant(value: &Value) -> String {
    match value {
        Value::Absent => "nothing".to_owned(),
        Value::Text(text) => format!("“{text}”"),
        Value::Stage(to) => stage(to),
        other => other.to_text().into_owned(),
    }
}

/// A destination stage or outcome.
pub(super) fn stage(to: &StageValue) -> String {
    let outcome = to.outcome.as_ref().map(|(kind, name)| {
        let kind = match kind {
            OutcomeKind::Won => "won",
            OutcomeKind::Lost => "lost",
            OutcomeKind::Cancelled => "cancelled",
        };
        format!("{kind}: {name}")
    });
    let stage = to.stage.as_ref().map(|stage| format!("stage {stage}"));
    let place: Vec<String> = stage.into_iter().chain(outcome).collect();
    format!("{}: {}", to.pipeline, place.join(", "))
}

impl Reads {
    /// Adds what a rule reads, its conditions and arms included.
    pub fn rule(&mut self, rule: &Rule) {
        self.expr(&rule.value);
        rule.when.iter().for_each(|when| self.expr(when));
        if let Some(Label { value, when }) = &rule.label {
            self.expr(value);
            when.iter().for_each(|when| self.expr(when));
        }
        rule.otherwise.iter().chain(&rule.on_fail).chain(&rule.on_unmigrated).for_each(|arm| self.arm(arm));
    }

    /// Adds what an arm reads.
    pub fn arm(&mut self, arm: &Arm) {
        if let Arm::Value { value, .. } = arm {
            self.expr(value);
        }
    }

    /// Adds what an expression reads.
    pub fn expr(&mut self, expr: &Expr) {
        visit(expr, &mut |expr| match expr {
            Expr::Slot(slot) => {
                self.slots.insert(*slot);
            }
            Expr::Outer(slot) => {
                self.outer.insert(*slot);
            }
            _ => {}
        });
    }
}

/// Calls back for an expression and everything in it.
pub(super) fn visit(expr: &Expr, see: &mut impl FnMut(&Expr)) {
    see(expr);
    match expr {
        Expr::Slot(_)
        | Expr::Element
        | Expr::Attribute(_)
        | Expr::Const(_)
        | Expr::Param(_)
        | Expr::Outer(_) => {}
        Expr::Concat(parts) | Expr::List(parts) => parts.iter().for_each(|part| visit(part, see)),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => args.iter().for_each(|arg| visit(arg, see)),
        Expr::Lookup { key, .. } => visit(key, see),
        Expr::Each { list, body } => {
            visit(list, see);
            visit(body, see);
        }
        Expr::Ref { link, object, .. } => {
            visit(link, see);
            object.iter().for_each(|object| visit(object, see));
        }
        Expr::EachLine { list, rules, .. } => {
            visit(list, see);
            rules.iter().for_each(|rule| visit_rule(rule, see));
        }
        Expr::Aggregate { of, .. } => of.iter().for_each(|of| visit(of, see)),
        Expr::Lines(lines) => lines.iter().for_each(|line| visit(&line.value, see)),
        Expr::Title { of, .. } | Expr::Owner(of) | Expr::Has(of) | Expr::Not(of) => visit(of, see),
        Expr::Stage { category, stage, .. } => {
            category.iter().for_each(|category| visit(category, see));
            visit(stage, see);
        }
        Expr::And(a, b) | Expr::Or(a, b) | Expr::Compare(_, a, b) => {
            visit(a, see);
            visit(b, see);
        }
    }
}

/// The same for every expression of a rule.
pub(super) fn visit_rule(rule: &Rule, see: &mut impl FnMut(&Expr)) {
    visit(&rule.value, see);
    rule.when.iter().for_each(|when| visit(when, see));
    if let Some(Label { value, when }) = &rule.label {
        visit(value, see);
        when.iter().for_each(|when| visit(when, see));
    }
    for arm in rule.otherwise.iter().chain(&rule.on_fail).chain(&rule.on_unmigrated) {
        if let Arm::Value { value, .. } = arm {
            visit(value, see);
        }
    }
}
