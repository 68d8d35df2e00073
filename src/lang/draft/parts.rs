//! Values that are made of several fields: a person's name, an address, the lines of a record.

use super::page::{Clause, Rule};
use super::rules::{Pair, currency};
use super::score::{self, likeness};
use super::spell::name_of;
use super::words::Words;
use super::{Making, MapName};
use crate::lang::schema::{Attribute, Field, Object};
use crate::lang::types::Base;

/// Ways to a destination field from several source fields.
pub fn ways(making: &Making<'_>, pair: Pair<'_>, to: &Field, ways: &mut Vec<Rule>) {
    match &to.ty.base {
        Base::PersonName => ways.extend(person(pair.from, to)),
        Base::Address => ways.extend(address(pair.from, to)),
        Base::Ref(object) => {
            ways.extend(either(making, pair, to, std::slice::from_ref(object)));
            ways.extend(own_person(making, pair, to, object));
        }
        Base::AnyRef(objects) => ways.extend(either(making, pair, to, objects)),
        _ => {}
    }
}

fn text_field(object: &Object, fits: impl Fn(&Words, &str) -> bool) -> Option<&Field> {
    object.fields.iter().find(|field| {
        matches!(field.ty.base, Base::Text { .. })
            && !field.ty.many
            && !field.custom
            && fits(&Words::new(&field.name), &field.name)
    })
}

/// The fields for a person's given and family name.
pub fn named(object: &Object) -> Option<(&Field, &Field)> {
    let family = text_field(object, |words, _| words.mean("family"))?;
    let given = text_field(object, |words, name| {
        name != family.name
            && !words.mean("second")
            && !words.mean("middle")
            && (words.only("given") || name.eq_ignore_ascii_case("name"))
    })?;
    Some((given, family))
}

/// Whether somebody filled a field in, as far as is known.
fn used(field: &Field) -> bool {
    field.stats.as_ref().is_none_or(|stats| stats.filled > 0)
}

fn person(object: &Object, to: &Field) -> Option<Rule> {
    let (given, family) = named(object)?;
    let middle = text_field(object, |words, _| words.mean("second") || words.mean("middle"));
    let middle =
        middle.filter(|field| used(field) && Words::new(&field.name).only_or("name", &["second", "middle"]));
    let mut reads = vec![given.name.clone(), family.name.clone()];
    let value = match middle {
        Some(middle) => {
            reads.push(middle.name.clone());
            format!("person_name(join(\" \", [{}, {}]), {})", given.name, middle.name, family.name)
        }
        None => format!("person_name({}, {})", given.name, family.name),
    };
    let score = 0.85 + 0.15 * score::share(object, given).max(score::share(object, family));
    // Nobody is left behind for want of a name: an address or a number names them, too.
    let mut otherwise = String::new();
    for meaning in ["email", "phone"] {
        let field = object.fields.iter().find(|field| {
            matches!(field.ty.base, Base::Text { .. }) && used(field) && Words::new(&field.name).only(meaning)
        });
        if let (Some(field), true) = (field, to.required) {
            reads.push(field.name.clone());
            let name = &field.name;
            let said = if field.ty.many { format!("first({name})") } else { name.clone() };
            otherwise.push_str(&format!("{said}  else "));
        }
    }
    otherwise.push_str(if to.required { "quarantine" } else { "unset" });
    Some(Rule {
        target: name_of(&to.name),
        value,
        score: score.min(0.97),
        reads,
        otherwise: Clause { says: Some(otherwise), on: true },
        ..Rule::default()
    })
}

/// One address for each group of fields that begins with a street.
fn address(object: &Object, to: &Field) -> Option<Rule> {
    let streets: Vec<&Field> = object
        .fields
        .iter()
        .filter(|field| {
            let upper = field.name.to_ascii_uppercase();
            matches!(field.ty.base, Base::Text { .. })
                && !field.ty.many
                && !field.custom
                && (upper == "ADDRESS" || upper.ends_with("_ADDRESS"))
        })
        .collect();
    let (mut values, mut reads, mut score) = (Vec::new(), Vec::new(), 0.0_f64);
    for street in streets {
        let Some((value, fields, whole)) = one_address(object, street) else { continue };
        if !fields.iter().any(|field| used(field)) {
            continue;
        }
        values.push(value);
        reads.extend(fields.iter().map(|field| field.name.clone()));
        // Without a city it is one line of text, which a person has to read.
        score = score.max(if whole { 0.75 } else { 0.4 });
        if !to.ty.many {
            break;
        }
    }
    let value = match values.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Some(Rule {
        target: name_of(&to.name),
        value,
        score,
        reads,
        why: "a country's code says what its name does".to_owned(),
        otherwise: Clause::maybe(if to.required { "quarantine" } else { "unset" }),
        ..Rule::default()
    })
}

fn one_address<'a>(object: &'a Object, street: &'a Field) -> Option<(String, Vec<&'a Field>, bool)> {
    let parts = |meaning: &str, code: bool| {
        text_field(object, |words, name| {
            let rest = name.strip_prefix(&street.name).and_then(|rest| rest.strip_prefix('_'));
            rest.is_some_and(|rest| Words::new(rest).mean(meaning) && (Words::new(rest).mean("sku") == code))
                && !words.mean("location")
        })
    };
    let second =
        object.field(&format!("{}_2", street.name)).filter(|f| matches!(f.ty.base, Base::Text { .. }));
    let regions: Vec<&Field> = ["REGION", "PROVINCE", "STATE"]
        .iter()
        .filter_map(|part| object.field(&format!("{}_{part}", street.name)))
        .filter(|field| matches!(field.ty.base, Base::Text { .. }) && !field.ty.many)
        .collect();
    let city = parts("city", false);
    let countries: Vec<&Field> =
        [parts("country", true), parts("country", false)].into_iter().flatten().collect();
    let name = |field: Option<&Field>| field.map_or("\"\"".to_owned(), |field| field.name.clone());
    let several = |fields: &[&Field], one: &str| {
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        match names.as_slice() {
            [] => "\"\"".to_owned(),
            [only] => (*only).to_owned(),
            _ => format!("{one}[{}])", names.join(", ")),
        }
    };
    let postcode = parts("postcode", false).or_else(|| parts("postcode", true));
    let args = [
        street.name.clone(),
        name(second),
        name(city),
        several(&regions, "join(\", \", "),
        name(postcode),
        several(&countries, "first("),
    ];
    let fields: Vec<&Field> = [Some(street), second, city, postcode]
        .into_iter()
        .flatten()
        .chain(regions.iter().copied())
        .chain(countries.iter().copied())
        .collect();
    Some((format!("address({})", args.join(", ")), fields, city.is_some()))
}

/// A link that is told by two fields: to which object, and to which of its records.
fn either(making: &Making<'_>, pair: Pair<'_>, to: &Field, takes: &[String]) -> Option<Rule> {
    if to.ty.many {
        return None;
    }
    for kind in pair.from.fields.iter().filter(|field| !field.ty.many) {
        let Base::Enum(domain) = &kind.ty.base else { continue };
        let Some(domain) = making.input.source.domains.get(domain) else { continue };
        let stem = kind.name.trim_end_matches("_ID").trim_end_matches("_TYPE");
        let Some(key) = pair.from.fields.iter().find(|field| {
            matches!(field.ty.base, Base::Integer | Base::Text { .. })
                && !field.ty.many
                && field.name != kind.name
                && field.name.strip_suffix("_ID").is_some_and(|name| name == stem)
        }) else {
            continue;
        };
        // What becomes several records is best known by the last of its maps.
        let mut maps: Vec<&MapName> = Vec::new();
        for map in making.maps.iter().rev().filter(|map| takes.contains(&map.to)) {
            let known = domain.choices.iter().any(|choice| choice.code.eq_ignore_ascii_case(&map.from));
            if known && !maps.iter().any(|other| other.from == map.from) {
                maps.push(map);
            }
        }
        maps.reverse();
        if maps.is_empty() {
            continue;
        }
        let names: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
        let otherwise = if to.required { "quarantine" } else { "unset" };
        return Some(Rule {
            target: name_of(&to.name),
            value: format!("ref {}({}, {})", names.join("|"), kind.name, key.name),
            score: 0.9,
            reads: vec![key.name.clone(), kind.name.clone()],
            otherwise: Clause::maybe(otherwise),
            unmigrated: Clause::maybe(if to.required {
                "quarantine"
            } else {
                "flag \"left out: what it links to did not arrive\""
            }),
            ..Rule::default()
        });
    }
    None
}

/// The person that a record carries inside it, beside the one that it links to.
fn own_person(making: &Making<'_>, pair: Pair<'_>, to: &Field, object: &str) -> Option<Rule> {
    let inner = making.maps.iter().find(|map| map.from == pair.from.name && map.to == object)?;
    if pair.to.name == object {
        return None;
    }
    let key = super::rules::key(pair.from)?;
    let own = format!("ref {}({key})", inner.name);
    let link = pair.from.fields.iter().find_map(|field| match &field.ty.base {
        Base::Link(to) if !field.ty.many => {
            let map = making.maps.iter().rfind(|map| map.from == *to && map.to == object)?;
            Some((field, map))
        }
        _ => None,
    });
    let mut rule = Rule {
        target: name_of(&to.name),
        score: 0.85,
        unmigrated: Clause::maybe("flag \"left out: what it links to did not arrive\""),
        ..Rule::default()
    };
    match link {
        Some((field, map)) => {
            rule.value = format!("ref {}({})", map.name, field.name);
            rule.reads = vec![field.name.clone()];
            rule.otherwise = Clause { says: Some(own), on: true };
        }
        None => {
            rule.value = own;
            rule.reads = vec![key.to_owned()];
        }
    }
    Some(rule)
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
    let left = field.attributes.iter().filter(|one| !used.contains(&one.name.as_str()));
    let left: Vec<&str> = left.map(|attribute| attribute.name.as_str()).collect();
    for names in left.chunks(6) {
        written.push_str(&format!(
            "    drop {} declined \"the destination's lines have no such column\"\n",
            names.join(", ")
        ));
    }
    Some(format!("each {} {{\n{written}  }}", field.name))
}

fn column_value(making: &Making<'_>, object: &Object, from: &Attribute, to: &Attribute) -> Option<String> {
    let name = &from.name;
    let absent = if from.ty.optional && to.required() { "  else skip \"a line without it\"" } else { "" };
    match (&from.ty.base, &to.ty.base) {
        (Base::Link(source), Base::Ref(target)) => {
            let map = making.maps.iter().rfind(|map| map.from == *source && map.to == *target)?;
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
