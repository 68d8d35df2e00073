//! Objects without a counterpart: a note for each record on the record that it hangs on, and what can be counted.

use std::collections::BTreeSet;

use super::page::{Account, Block, Clause, Decision, Group, Rule};
use super::rules::{self, currency};
use super::spell::{label, noun, titled};
use super::{Making, accounts};
use crate::lang::schema::{Field, Object, Schema};
use crate::lang::syntax::quote;
use crate::lang::types::Base;

/// Most notes of one kind on a record.
const MOST: u8 = 20;

/// Folds an object into a map, along a link.
pub fn fold(making: &mut Making<'_>, from: &str, into: &str, via: &str) {
    let Some(object) = making.input.source.object(from) else { return };
    let to = making.maps.iter().find(|map| map.name == into).map(|map| map.to.clone()).unwrap_or_default();
    let source = making.input.source;
    let told: Vec<&Field> = object.fields.iter().filter(|field| tells(making, object, field, via)).collect();
    let mut rules = Vec::new();
    rules.extend(numbers(making, object, &to, &told));
    rules.extend(note(object, &told, 0.7));
    making.page.blocks.push(Block {
        object: from.to_owned(),
        to,
        head: format!("flatten {from} into {into} via {via}"),
        last: vec!["orphan => quarantine".to_owned()],
        reads: std::iter::once(via.to_owned()).chain(rules::key(object).map(str::to_owned)).collect(),
        rules,
        accounts: object.fields.iter().map(|field| folded(source, object, into, field)).collect(),
        ..Block::default()
    });
}

/// The lines for a field of a folded object: links stay behind where the record that takes it in has its own.
fn folded(source: &Schema, object: &Object, into: &str, field: &Field) -> Account {
    let mut account = accounts::account(source, object, field);
    if field.ty.base == Base::User && account.ways.len() == 1 {
        let why = quote("the owner of what it hangs on answers for it");
        account.ways.insert(0, format!("drop {} declined {why}", field.name));
    }
    let own = source.object(into).and_then(|into| into.field(&field.name));
    if matches!(field.ty.base, Base::Link(_)) && own.is_some_and(|own| own.ty == field.ty) {
        let why = quote(&format!("the `{into}` has links of its own"));
        account.ways.insert(account.ways.len() - 1, format!("drop {} declined {why}", field.name));
    }
    account
}

/// A note for each record, which tells what people filled in.
pub fn note(object: &Object, told: &[&Field], score: f64) -> Option<Decision> {
    if told.is_empty() {
        return None;
    }
    let noun = noun(object);
    let named = object.fields.iter().find(|field| super::score::is_label(object, field));
    let named = named.filter(|field| field.stats.as_ref().is_none_or(|stats| stats.filled > 0));
    let title = quote(&noun);
    // What a record is called is its note's title.
    let title = match named {
        Some(named) => format!("{} {{{}}}\"", title.strip_suffix('"').unwrap_or(&title), named.name),
        None => title,
    };
    let names: Vec<&str> = told.iter().map(|field| field.name.as_str()).collect();
    let reads = told.iter().map(|field| field.name.clone()).chain(named.map(|field| field.name.clone()));
    let way = Rule {
        target: format!("note {title}"),
        value: format!("lines({})", names.join(", ")),
        each: Some(format!("for each at most {MOST}")),
        group: Group::Notes,
        score,
        reads: reads.collect(),
        loss: Some(2),
        why: "the destination has no such records".to_owned(),
        otherwise: Clause::default(),
        ..Rule::default()
    };
    Some(Decision { ways: vec![way], at: 0 })
}

/// How many there are, and what their amounts add up to.
fn numbers(making: &mut Making<'_>, object: &Object, to: &str, told: &[&Field]) -> Vec<Decision> {
    let Some(to) = making.input.target.object(to) else { return Vec::new() };
    let can = |ty: &str| to.custom_types.iter().any(|known| known == ty);
    let mut rules = Vec::new();
    let noun = noun(object);
    let made = &mut making.custom;
    let mut add = |label: String, ty: &str, value: String, reads: Vec<String>, score: f64| {
        let taken = to.fields.iter().any(|field| field.name.eq_ignore_ascii_case(&label));
        let key = (to.name.clone(), label.to_lowercase());
        if can(ty) && !taken && made.insert(key, (ty.to_owned(), object.name.clone())).is_none() {
            rules.push(Decision {
                ways: vec![Rule {
                    target: format!("custom {} {ty}", quote(&label)),
                    value,
                    group: Group::Custom,
                    score,
                    reads,
                    otherwise: Clause::maybe("unset"),
                    fail: Clause::maybe("flag \"amounts in several currencies\""),
                    why: "the note on each has its own".to_owned(),
                    loss: None,
                    ..Rule::default()
                }],
                at: 0,
            });
        }
    };
    if object.fields.iter().any(|field| field.custom) {
        add(format!("{noun}: count"), "text", "count()".to_owned(), Vec::new(), 0.4);
    }
    for field in told.iter().filter(|field| field.custom && field.ty.base == Base::Money && !field.ty.many) {
        let name = titled(&field.name, field.title.as_deref(), true);
        let reads = vec![field.name.clone()];
        add(format!("{noun}: {}", label(field)), "currency", format!("sum({name})"), reads, 0.45);
    }
    rules
}

/// Whether a note should tell a field: what people filled in, not what the system keeps of itself.
pub fn tells(making: &Making<'_>, object: &Object, field: &Field, via: &str) -> bool {
    let readable = matches!(
        field.ty.base,
        Base::Text { .. }
            | Base::Integer
            | Base::Decimal
            | Base::Money
            | Base::Bool
            | Base::Date
            | Base::DateTime
            | Base::Phone
            | Base::Email
            | Base::Url
            | Base::Enum(_)
            | Base::Stage
            | Base::Record
    );
    let taken: BTreeSet<&str> = std::iter::once(via).chain(rules::key(object)).collect();
    let of_amounts = currency(object).is_some_and(|currency| currency.name == field.name);
    let first = Some(field).filter(|_| of_amounts);
    // A currency alone says nothing.
    let amounts = object.fields.iter().any(|other| {
        matches!(other.ty.base, Base::Decimal) && other.stats.as_ref().is_none_or(|stats| stats.filled > 0)
    });
    readable
        && !taken.contains(field.name.as_str())
        && field.stats.as_ref().is_none_or(|stats| stats.filled > 0)
        && (first.is_none() || amounts)
        && !super::score::is_label(object, field)
        && accounts::account(making.input.source, object, field).ways.len() == 1
}
