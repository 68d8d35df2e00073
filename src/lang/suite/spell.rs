//! Values in the words of the spec: what a test says can be set against what came out, and copied over.

use std::collections::HashMap;

use super::Input;
use crate::lang::plan::{Expr, Plan};
use crate::lang::schema::email_hash;
use crate::lang::syntax::ast::Item as AstItem;
use crate::lang::types::Base;
use crate::lang::value::{Instant, OutcomeKind, Value};

/// Stands for any value where a line in braces ends with `..`. INVARIANT: no value is an empty list.
pub(super) fn anything() -> Value {
    Value::List(Vec::new())
}

/// The longest value that a message shows, in characters.
const LONGEST: usize = 120;

/// Writes values of one plan's destination records.
pub(super) struct Speller<'a> {
    plan: &'a Plan,
    /// Destination users that `owners` names: id to e-mail address.
    users: HashMap<String, String>,
}

/// What is known of the place that a value stands in.
#[derive(Clone, Copy, Default)]
struct Shape<'s> {
    base: Option<&'s Base>,
    /// Names of the columns of a line.
    columns: &'s [(String, Option<Base>)],
}

impl<'a> Speller<'a> {
    pub(super) fn new(input: Input<'a>, plan: &'a Plan) -> Self {
        let named = input.spec.items.iter().filter_map(|item| match item {
            AstItem::Owners(owners) => Some(owners.rows.iter().map(|row| row.to.value.as_str())),
            _ => None,
        });
        let mut users = HashMap::new();
        for email in named.flatten() {
            let hash = email_hash(&input.target.salt, email);
            let found = input.target.users.iter().find(|user| user.email_hash.as_deref() == Some(&*hash));
            users.extend(found.map(|user| (user.id.clone(), email.to_owned())));
        }
        Speller { plan, users }
    }

    /// A value of a field with these columns, no longer than a line.
    pub(super) fn value(
        &self,
        value: &Value,
        base: Option<&Base>,
        columns: &[(String, Option<Base>)],
    ) -> String {
        let text = self.whole(value, base, columns);
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
            None => text,
        }
    }

    /// The same, however long.
    pub(super) fn whole(
        &self,
        value: &Value,
        base: Option<&Base>,
        columns: &[(String, Option<Base>)],
    ) -> String {
        self.spell(value, Shape { base, columns })
    }

    fn spell(&self, value: &Value, shape: Shape<'_>) -> String {
        match value {
            Value::Absent => "absent".to_owned(),
            Value::Text(text) => match (shape.base, self.users.get(text.as_str())) {
                (Some(Base::User | Base::AnyRef(_)), Some(email)) => format!("user {}", quoted(email)),
                _ => quoted(text),
            },
            Value::Int(number) if *number < 0 => quoted(&number.to_string()),
            Value::Decimal(number) if number.is_sign_negative() => quoted(&number.to_string()),
            Value::Int(_) | Value::Decimal(_) | Value::Date(_) => value.display().to_string(),
            Value::Bool(yes) => yes.to_string(),
            Value::Instant(instant) => quoted(&exact(instant)),
            Value::Money(money) => {
                let text = format!("{} {}", money.amount, money.currency.as_str());
                if money.amount.is_sign_negative() { quoted(&text) } else { text }
            }
            Value::Name(name) => quoted(&name.to_string()),
            Value::Address(address) => {
                let parts = [
                    ("line1", &address.line1),
                    ("line2", &address.line2),
                    ("city", &address.city),
                    ("region", &address.region),
                    ("postal_code", &address.postal_code),
                    ("country", &address.country),
                ];
                let parts = parts.iter().filter(|(_, part)| !part.is_empty());
                braced(parts.map(|(name, part)| format!("{name}: {}", quoted(part))).collect())
            }
            Value::Stage(stage) => match (&stage.outcome, &stage.stage) {
                (Some((kind, name)), _) => {
                    let word = match kind {
                        OutcomeKind::Won => "won",
                        OutcomeKind::Lost => "lost",
                        OutcomeKind::Cancelled => "cancelled",
                    };
                    format!("{word} {}", quoted(name))
                }
                (None, stage) => format!("stage {}", quoted(stage.as_deref().unwrap_or_default())),
            },
            Value::Ref(link) => {
                let map = self.plan.maps.get(usize::from(link.map));
                let map = map.map_or("?", |map| map.name.as_str());
                let of = link.field.as_ref().and_then(|fields| fields.first()).and_then(|field| {
                    let targets = &self.plan.maps.get(usize::from(link.map))?.targets;
                    Some(format!(".{}", targets.get(usize::from(*field))?.name))
                });
                format!("ref {map}({}){}", quoted(&link.key), of.unwrap_or_default())
            }
            Value::Item(item) if item.value.is_absent() => {
                let column = |(index, value): (usize, &Value)| {
                    let known = shape.columns.get(index);
                    let base = known.and_then(|(_, base)| base.as_ref());
                    let name = known.map_or("?", |(name, _)| name.as_str());
                    format!("{name}: {}", self.spell(value, Shape { base, columns: &[] }))
                };
                let is_any = |value: &Value| *value == anything();
                let named = item.attrs.iter().enumerate();
                let named = named.filter(|(_, value)| !value.is_absent() && !is_any(value)).map(column);
                let rest = item.attrs.iter().any(is_any).then(|| "..".to_owned());
                braced(named.chain(rest).collect())
            }
            Value::Item(item) => {
                let value = format!("value: {}", self.spell(&item.value, shape));
                let label = item.attrs.first().filter(|label| !label.is_absent());
                let label = label.map(|label| format!("label: {}", self.spell(label, Shape::default())));
                braced(std::iter::once(value).chain(label).collect())
            }
            Value::List(values) => {
                let values: Vec<String> = values.iter().map(|value| self.spell(value, shape)).collect();
                format!("[{}]", values.join(", "))
            }
        }
    }
}

/// An instant with all its digits.
fn exact(instant: &Instant) -> String {
    let printed = instant.to_string();
    if Instant::parse(&printed).is_some_and(|read| read.at == instant.at) {
        return printed;
    }
    instant.at.to_string()
}

fn braced(parts: Vec<String>) -> String {
    if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
}

/// A text as a spec writes it.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '{' => out.push_str("{{"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Columns of the lines of a target, by the rule that writes them.
pub(super) fn columns_of(plan: &Plan, map: usize, target: usize) -> Vec<(String, Option<Base>)> {
    for id in super::compare::rules_of(plan, map, target) {
        if let Some(Expr::EachLine { columns, .. }) = id.find(plan, map).map(|rule| &rule.value) {
            return columns.iter().map(|c| (c.name.clone(), Some(c.ty.base.clone()))).collect();
        }
    }
    Vec::new()
}
