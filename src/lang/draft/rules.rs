//! Rules: for each destination field, the source fields that it may come from, and how they are converted.

use std::collections::BTreeMap;

use super::Making;
use super::page::{Clause, Decision, Rule};
use super::parts;
use super::score::{self, Evidence};
use super::spell::{self, fresh, name_of, noun, titled};
use super::values;
use super::words::Words;
use crate::lang::schema::{Field, Object, Write};
use crate::lang::syntax::quote;
use crate::lang::types::Base;

/// A source object on its way to a destination object.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// What is read.
    pub from: &'a Object,
    /// What is written.
    pub to: &'a Object,
}

/// Rules for every destination field that something fits, and the score of each source field that they read first.
pub fn rules(
    making: &mut Making<'_>,
    pair: Pair<'_>,
    allowed: &dyn Fn(&Field, &Field) -> bool,
) -> Vec<Decision> {
    let mut open: Vec<(usize, Vec<Rule>)> = Vec::new();
    for (slot, to) in pair.to.fields.iter().enumerate() {
        if to.write != Write::Yes {
            continue;
        }
        let mut ways = Vec::new();
        parts::ways(making, pair, to, &mut ways);
        for field in pair.from.fields.iter().filter(|field| allowed(to, field)) {
            let one = way(making, pair, field, to);
            // An object may have categories, and one pipeline all the same.
            let alone = one.clone().filter(|one| field.ty.base == Base::Stage && one.reads.len() > 1);
            ways.extend(alone.map(|one| Rule {
                value: format!("pipeline by {}", field.name),
                reads: vec![field.name.clone()],
                score: one.score - 0.01,
                ..one
            }));
            ways.extend(one);
        }
        // What is required is written by the likeliest, however unlikely; else only by what is likely enough.
        let min = if to.required { 0.0 } else { making.input.min };
        ways.retain(|way| way.score >= min);
        ways.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.value.cmp(&b.value)));
        ways.truncate(6);
        if to.required {
            ways.extend(last_resort(making, pair, to));
        }
        if !ways.is_empty() {
            open.push((slot, ways));
        }
    }
    // The surest rule takes its field first; what is taken is another rule's only where it is required.
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut order: Vec<usize> = (0..open.len()).collect();
    order.sort_by(|a, b| open[*b].1[0].score.total_cmp(&open[*a].1[0].score).then(a.cmp(b)));
    for index in order {
        let (slot, ways) = &mut open[index];
        let required = pair.to.fields[*slot].required;
        // A list of links to all kinds of records has something for several.
        let shared = |field: &str| pair.from.field(field).is_some_and(|f| f.ty.base == Base::AnyLink);
        let free =
            |way: &Rule| way.reads.first().is_none_or(|field| shared(field) || !taken.contains_key(field));
        if required {
            let (mut first, rest): (Vec<Rule>, Vec<Rule>) = std::mem::take(ways).into_iter().partition(free);
            // A constant is worse than a field that is read twice.
            let constants = first.iter().position(|way| way.reads.is_empty()).unwrap_or(first.len());
            let last = first.split_off(constants);
            first.extend(rest);
            first.extend(last);
            *ways = first;
        } else {
            ways.retain(free);
        }
        if let Some(field) = ways.first().and_then(|way| way.reads.first()) {
            taken.insert(field.clone(), *slot);
        }
    }
    open.retain(|(_, ways)| !ways.is_empty());
    // What a reader looks for first: what every record has.
    open.sort_by_key(|(slot, _)| (!pair.to.fields[*slot].required, *slot));
    open.into_iter().map(|(_, ways)| Decision { ways, at: 0 }).collect()
}

/// How a field may come into a destination field.
fn way(making: &mut Making<'_>, pair: Pair<'_>, field: &Field, to: &Field) -> Option<Rule> {
    let schemas = (making.input.source, making.input.target);
    let evidence = score::evidence(schemas, &making.maps, pair, field, to)?;
    let score = adjusted(evidence, field, to);
    // What is required is written by the likeliest that there is.
    if score < if to.required { LEAST } else { making.input.min } {
        return None;
    }
    let mut rule = value(making, pair, field, to)?;
    rule.target = name_of(&to.name);
    rule.score = score;
    if to.required && rule.otherwise.says.is_none() {
        rule.otherwise = required_else(pair, to);
        if let Some(made) = since(pair.from).filter(|_| to.ty.base == Base::DateTime && field.ty.optional) {
            // Nothing is older than its record.
            rule.otherwise = Clause { says: Some(made.name.clone()), on: true };
            rule.reads.push(made.name.clone());
        }
    } else if rule.otherwise.says.is_none() {
        rule.otherwise = Clause::maybe("unset");
    }
    if to.required {
        rule.fail = Clause::maybe("quarantine");
        rule.unmigrated = Clause::maybe("quarantine");
    }
    Some(rule)
}

/// Below this not even a required field is written.
const LEAST: f64 = 0.2;

/// The time at which a record was made, where every record has it.
pub fn since(object: &Object) -> Option<&Field> {
    object.fields.iter().find(|field| {
        let words = Words::new(&field.name);
        field.ty.base == Base::DateTime
            && !field.ty.optional
            && !field.ty.many
            && ["created", "create", "added"].iter().any(|word| words.says(word))
    })
}

/// A score with what single fields tell: an empty one is no source, a list into one value is a poor one.
fn adjusted(evidence: Evidence, field: &Field, to: &Field) -> f64 {
    let empty = field.stats.as_ref().is_some_and(|stats| stats.filled == 0);
    let score = evidence.score();
    match (empty, field.custom && !to.custom) {
        (true, _) => score * 0.3,
        // The system's own fields are for the system's own fields.
        (_, true) => score * 0.85,
        _ => score,
    }
}

pub fn required_else(pair: Pair<'_>, to: &Field) -> Clause {
    match (&to.ty.base, key(pair.from)) {
        (Base::Text { max }, Some(key)) if max.is_none_or(|max| max >= 60) => {
            let noun: String = noun(pair.from).chars().filter(|c| *c != '{').take(20).collect();
            let text = quote(&noun);
            Clause::maybe(format!("{} {{{key}}}\"", text.strip_suffix('"').unwrap_or(&text)))
        }
        _ => Clause::maybe("quarantine"),
    }
}

/// What identifies a record.
pub fn key(object: &Object) -> Option<&str> {
    let named = |field: &&Field| field.name.eq_ignore_ascii_case("id");
    let whole =
        |field: &&Field| matches!(field.ty.base, Base::Integer) && !field.ty.optional && !field.ty.many;
    let found = object.fields.iter().find(named).or_else(|| object.fields.iter().find(whole));
    found.map(|field| field.name.as_str())
}

/// The value itself, with the clauses that it may need.
fn value(making: &mut Making<'_>, pair: Pair<'_>, field: &Field, to: &Field) -> Option<Rule> {
    let name = titled(&field.name, field.title.as_deref(), field.custom);
    let mut rule = Rule { reads: vec![field.name.clone()], value: name.clone(), ..Rule::default() };
    let call = |function: &str| match (field.ty.many, function.contains('(')) {
        (true, _) => format!("{name}.each({function})"),
        (false, true) => format!("{name}.{function}"),
        (false, false) => format!("{name}.{function}()"),
    };
    match (&field.ty.base, &to.ty.base) {
        (Base::File | Base::Opaque(_), _) => return None,
        (Base::Text { .. }, Base::Text { max: Some(max) }) => {
            rule.value = call(&format!("cut({max})"));
            rule.why = format!("the destination takes {max} characters");
        }
        (Base::Text { .. }, Base::Text { max: None }) if undated(pair, field, to).is_some() => {
            let made = undated(pair, field, to)?;
            rule.value = format!("\"{{{}.date()}}: {{{}.rich_text()}}\"", made.name, field.name);
            rule.reads.push(made.name.clone());
            rule.why = "the destination keeps no date with it: it moves into the text".to_owned();
        }
        (Base::Text { .. }, Base::Text { max: None }) if is_prose(field) && !field.ty.many => {
            rule.value = call("plain_text");
            rule.why = "formatting is not kept".to_owned();
        }
        (Base::Text { .. }, Base::Phone) => {
            rule.value = call(&format!("phone({})", quote(making.input.country)));
            rule.fail = Clause::maybe("flag \"not a phone number\"");
        }
        (Base::Text { .. }, Base::Email) => {
            rule.value = call("email");
            rule.fail = Clause::maybe("flag \"not an e-mail address\"");
        }
        (Base::Text { .. }, Base::Url) => {
            rule.value = call("url");
            rule.fail = Clause::maybe("flag \"not a web address\"");
        }
        (Base::Text { .. }, Base::Decimal) => {
            rule.value = call("number");
            rule.fail = Clause::maybe("flag \"not a number\"");
        }
        (Base::User, Base::User) => rule.value = format!("user({name})"),
        (Base::Stage, Base::Stage) => rule = stage(pair.from, field)?,
        (Base::DateTime, Base::Date) => {
            rule.value = call("date");
            rule.why = "the time of day is not kept".to_owned();
        }
        (Base::Date, Base::DateTime) => {
            making.input.zone?;
            rule.value = call("at(\"18:00\")");
        }
        (Base::Decimal | Base::Integer, Base::Money) => {
            let currency = currency(pair.from)?;
            rule.value = format!("money({name}, {})", currency.name);
            rule.reads.push(currency.name.clone());
            // An amount that was reckoned from lines is not written beside them.
            let manual =
                |field: &&Field| field.ty.base == Base::Bool && Words::new(&field.name).mean("manual");
            if let Some(manual) = pair.from.fields.iter().find(manual) {
                rule.when = Some(manual.name.clone());
                rule.reads.push(manual.name.clone());
            }
            rule.fail = Clause::maybe("flag \"an amount without a currency\"");
        }
        (Base::Decimal, Base::Integer) => {
            rule.value = call("round");
            rule.why = "fractions are not kept".to_owned();
        }
        (
            Base::Integer | Base::Decimal | Base::Date | Base::DateTime | Base::Money | Base::Bool,
            Base::Text { .. },
        ) => {
            rule.value = call("text");
        }
        (Base::Enum(from), Base::Enum(_)) => {
            let (index, table) = enum_table(making, pair.to, from, to)?;
            rule.table = index;
            // The lookup of a list goes element by element.
            rule.value = format!("{table}[{name}]");
            rule.why = "the destination has no value of its own for each".to_owned();
        }
        (Base::Link(_) | Base::AnyLink, Base::Ref(_) | Base::AnyRef(_)) => {
            rule.value = reference(making, field, to)?;
            let users = matches!(&to.ty.base, Base::AnyRef(all) if all.iter().any(|one| one == "user"));
            let people = |field: &&Field| {
                field.ty.base == Base::User && !field.ty.many && Words::new(&field.name).mean("owner")
            };
            if let Some(owner) =
                pair.from.fields.iter().find(people).filter(|_| users && field.ty.many && to.ty.many)
            {
                // Whoever answers for it takes part in it.
                rule.value = format!("[{}, user({})]", rule.value, owner.name);
                rule.reads.push(owner.name.clone());
            }
            rule.unmigrated = Clause::maybe("flag \"left out: what it links to did not arrive\"");
        }
        (Base::Record, Base::Record) if field.ty.many => {
            rule.value = parts::lines(making, pair.from, field, to)?;
        }
        (a, b) if a == b && !matches!(a, Base::Record | Base::Enum(_)) => {}
        (Base::Text { .. }, Base::PersonName) => {}
        (Base::Integer, Base::Decimal) => {}
        (Base::Phone | Base::Email | Base::Url, Base::Text { max: None }) => {}
        _ => return None,
    }
    if field.ty.many && !to.ty.many {
        if matches!(rule.value.as_bytes().last(), Some(b'}')) {
            return None;
        }
        rule.value = match &field.ty.base {
            Base::Text { .. } if matches!(to.ty.base, Base::Text { max: None }) => {
                format!("join(\"; \", {name})")
            }
            _ => format!("first({})", rule.value),
        };
        rule.why = "the first of several is kept".to_owned();
    }
    if let Some((table, labels)) = labels(making, field, to) {
        rule.label_table = table;
        rule.labelled = Some(labels);
    }
    Some(rule)
}

/// A label for each element, where the source tells its kind and the destination takes elements with labels.
fn labels(making: &mut Making<'_>, field: &Field, to: &Field) -> Option<(Option<usize>, String)> {
    if !field.ty.many || !to.ty.many || !matches!(to.ty.base, Base::Phone | Base::Email) {
        return None;
    }
    let kind = field.attributes.iter().find(|attribute| matches!(attribute.ty.base, Base::Enum(_)))?;
    let Base::Enum(domain) = &kind.ty.base else { return None };
    let (table, name) = match making.labels.get(domain) {
        Some(known) => known.clone(),
        None => {
            let name = fresh(&format!("{domain} label"), &mut making.taken);
            let (table, _) = values::titles(making.input.source, &name, domain, &|_| true)?;
            making.page.tables.push(table);
            let made = (Some(making.page.tables.len() - 1), name);
            making.labels.insert(domain.clone(), made.clone());
            made
        }
    };
    Some((table, format!("{name}[{}]", kind.name)))
}

/// The time at which a text was written, where the destination has no place for it beside the text.
fn undated<'a>(pair: Pair<'a>, field: &Field, to: &Field) -> Option<&'a Field> {
    let dated =
        |field: &Field| matches!(field.ty.base, Base::Date | Base::DateTime) && field.write == Write::Yes;
    let alone = to.required && is_prose(field) && !field.ty.many && pair.to.custom_types.is_empty();
    since(pair.from).filter(|_| alone && !pair.to.fields.iter().any(dated))
}

/// Text that people format: long, or called so.
pub fn is_prose(field: &Field) -> bool {
    let words: Vec<Words> =
        std::iter::once(field.name.as_str()).chain(field.title.as_deref()).map(Words::new).collect();
    let called = words.iter().any(|words| words.mean("note") || words.mean("description"));
    called && field.stats.as_ref().and_then(|stats| stats.longest).is_none_or(|longest| longest > 60)
}

/// The rule for the stage: by the category, where records have one.
fn stage(from: &Object, field: &Field) -> Option<Rule> {
    let category = from.fields.iter().find(|other| {
        other.name.to_ascii_uppercase().contains("CATEGORY") && !matches!(other.ty.base, Base::Text { .. })
    });
    // The first stage is the current one: `previous` ones are called so.
    let lower = field.name.to_lowercase();
    if lower.contains("prev") || lower.contains("semantic") {
        return None;
    }
    let (value, reads) = match category {
        Some(category) => (
            format!("pipeline by {}, {}", category.name, field.name),
            vec![field.name.clone(), category.name.clone()],
        ),
        None => (format!("pipeline by {}", field.name), vec![field.name.clone()]),
    };
    Some(Rule { value, reads, ..Rule::default() })
}

/// The field that says which currency a record's amounts are in.
pub fn currency(object: &Object) -> Option<&Field> {
    object.fields.iter().find(|field| match &field.ty.base {
        Base::Enum(domain) => Words::new(domain).mean("currency") || Words::new(&field.name).mean("currency"),
        _ => false,
    })
}

fn enum_table(
    making: &mut Making<'_>,
    object: &Object,
    from: &str,
    to: &Field,
) -> Option<(Option<usize>, String)> {
    let known = (from.to_owned(), object.name.clone(), to.name.clone());
    if let Some((index, name)) = making.lookups.get(&known) {
        return Some((*index, name.clone()));
    }
    let mut taken = making.taken.clone();
    let name = spell::table(&object.name, &to.name, &mut taken);
    let table = values::table(
        making.input.source,
        making.input.target,
        &name,
        from,
        (&object.name, &to.name),
        &[],
        &|_| true,
    )?;
    making.taken = taken;
    making.page.tables.push(table);
    let index = Some(making.page.tables.len() - 1);
    making.lookups.insert(known, (index, name.clone()));
    Some((index, name))
}

/// A reference to the maps that the link may lead to and that lead to what the destination takes.
fn reference(making: &Making<'_>, field: &Field, to: &Field) -> Option<String> {
    let takes: Vec<&str> = match &to.ty.base {
        Base::Ref(object) => vec![object],
        Base::AnyRef(objects) => objects.iter().map(String::as_str).collect(),
        _ => return None,
    };
    let maps: Vec<&str> = making
        .maps
        .iter()
        .filter(|map| takes.contains(&map.to.as_str()))
        .filter(|map| match &field.ty.base {
            Base::Link(object) => *object == map.from,
            _ => true,
        })
        .map(|map| map.name.as_str())
        .collect();
    if maps.is_empty() {
        return None;
    }
    let word = if field.ty.many { "refs" } else { "ref" };
    Some(format!("{word} {}({})", maps.join("|"), field.name))
}

/// What can be written where no field fits: the key in a text, the first value of an enumeration.
fn last_resort(making: &Making<'_>, pair: Pair<'_>, to: &Field) -> Option<Rule> {
    let value = match &to.ty.base {
        Base::Text { .. } | Base::PersonName => {
            required_else(pair, to).says.filter(|says| says.starts_with('"'))?
        }
        Base::Enum(domain) => quote(&making.input.target.domains.get(domain)?.choices.first()?.code),
        _ => return None,
    };
    let reads = match &to.ty.base {
        Base::Text { .. } | Base::PersonName => key(pair.from).map(str::to_owned).into_iter().collect(),
        _ => Vec::new(),
    };
    Some(Rule { target: name_of(&to.name), value, reads, ..Rule::default() })
}
