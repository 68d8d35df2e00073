//! Values that are made of several fields: a person's name, an address, the lines of a record.

use super::Making;
use super::page::{Clause, Rule};
use super::rules::{Pair, currency};
use super::score::{self, likeness};
use super::spell::name_of;
use super::words::Words;
use crate::lang::schema::{Attribute, Field, Object};
use crate::lang::types::Base;

/// Ways to a destination field from several source fields.
pub fn ways(_making: &Making<'_>, pair: Pair<'_>, to: &Field, ways: &mut Vec<Rule>) {
    match &to.ty.base {
        Base::PersonName => ways.extend(person(pair.from, to)),
        Base::Address => ways.extend(address(pair.from, to)),
        _ => {}
    }
}

fn text_field<'a>(object: &'a Object, fits: impl Fn(&Words, &str) -> bool) -> Option<&'a Field> {
    object.fields.iter().find(|field| {
        matches!(field.ty.base, Base::Text { .. })
            && !field.ty.many
            && !field.custom
            && fits(&Words::new(&field.name), &field.name)
    })
}

fn person(object: &Object, to: &Field) -> Option<Rule> {
    let family = text_field(object, |words, _| words.mean("family"))?;
    let given = text_field(object, |words, name| {
        name != family.name
            && !words.mean("second")
            && !words.mean("middle")
            && (words.mean("given") || name.eq_ignore_ascii_case("name"))
    })?;
    let reads = vec![given.name.clone(), family.name.clone()];
    let score = 0.85 + 0.15 * score::share(object, given).max(score::share(object, family));
    Some(Rule {
        target: name_of(&to.name),
        value: format!("person_name({}, {})", given.name, family.name),
        score: score.min(0.97),
        reads,
        otherwise: Clause::maybe(if to.required { "quarantine" } else { "unset" }),
        ..Rule::default()
    })
}

fn address(object: &Object, to: &Field) -> Option<Rule> {
    // The plain name is the street; the others begin with it.
    let street = text_field(object, |words, name| {
        words.mean("address") && !name.contains('_') || name.eq_ignore_ascii_case("address")
    })?;
    let part = |meaning: &[&str]| {
        text_field(object, |words, name| {
            name != street.name
                && name.starts_with(&street.name)
                && meaning.iter().any(|meaning| words.mean(meaning))
        })
    };
    let second = object.field(&format!("{}_2", street.name));
    let parts =
        [Some(street), second, part(&["city"]), part(&["region"]), part(&["postcode"]), part(&["country"])];
    let args: Vec<&str> = parts.iter().map(|part| part.map_or("\"\"", |field| field.name.as_str())).collect();
    // Without a city it is one line of text, which a person has to read.
    let score = if parts[2].is_some() { 0.9 } else { 0.4 };
    Some(Rule {
        target: name_of(&to.name),
        value: format!("address({})", args.join(", ")),
        score,
        reads: parts.iter().flatten().map(|field| field.name.clone()).collect(),
        otherwise: Clause::maybe(if to.required { "quarantine" } else { "unset" }),
        ..Rule::default()
    })
}

/// `each rows { … }`: columns by names and types; every other attribute is dropped.
pub fn lines(making: &Making<'_>, object: &Object, field: &Field, to: &Field) -> Option<String> {
    let mut written = String::new();
    let mut used: Vec<&str> = Vec::new();
    for column in &to.attributes {
        let mut best: Option<(f64, &Attribute)> = None;
        for attribute in field.attributes.iter().filter(|one| !used.contains(&one.name.as_str())) {
            let fit = score::fit(&attribute.ty, &column.ty);
            let name = likeness((&attribute.name, None), (&column.name, None));
            let sum = 0.7 * name + 0.3 * fit;
            if fit > 0.0 && name >= 0.4 && best.is_none_or(|(before, _)| sum > before) {
                best = Some((sum, attribute));
            }
        }
        let value =
            best.and_then(|(_, from)| column_value(making, object, from, column).map(|value| (from, value)));
        match value {
            Some((from, value)) => {
                used.push(&from.name);
                written.push_str(&format!("    {} <- {value}\n", name_of(&column.name)));
            }
            None if column.required() => return None,
            None => {}
        }
    }
    if used.is_empty() {
        return None;
    }
    for attribute in field.attributes.iter().filter(|one| !used.contains(&one.name.as_str())) {
        written.push_str(&format!(
            "    todo {} \"a column of type `{}` that the destination's lines do not have\"\n",
            attribute.name, attribute.ty
        ));
    }
    Some(format!("each {} {{\n{written}  }}", field.name))
}

fn column_value(making: &Making<'_>, object: &Object, from: &Attribute, to: &Attribute) -> Option<String> {
    let name = &from.name;
    let absent = if from.ty.optional && to.required() { "  else skip \"a line without it\"" } else { "" };
    match (&from.ty.base, &to.ty.base) {
        (Base::Link(source), Base::Ref(target)) => {
            let map = making.maps.iter().find(|map| map.from == *source && map.to == *target)?;
            Some(format!(
                "ref {}({name}){absent}  on unmigrated skip \"what it links to did not arrive\"",
                map.name
            ))
        }
        (Base::Decimal | Base::Integer, Base::Money) => {
            let currency = currency(object)?;
            Some(format!(
                "money({name}, {}.{})  on fail skip \"a line without a currency\"",
                object.name, currency.name
            ))
        }
        (Base::Integer, Base::Decimal) => Some(format!("{name}{absent}")),
        (Base::Text { .. }, Base::Text { max: None }) => Some(format!("{name}{absent}")),
        (a, b)
            if a == b
                && matches!(a, Base::Decimal | Base::Integer | Base::Bool | Base::Date | Base::DateTime) =>
        {
            Some(format!("{name}{absent}"))
        }
        _ => None,
    }
}
