//! What becomes of fields that no destination field took: notes, tags and custom fields.

use std::collections::{BTreeMap, BTreeSet};

use super::Making;
use super::accounts;
use super::page::{Clause, Decision, Group, Rule};
use super::rules::{Pair, currency, is_prose};
use super::score;
use super::spell::{label, name_of, titled};
use super::values;
use super::words::Words;
use crate::lang::schema::{Field, Schema, Write};
use crate::lang::syntax::quote;
use crate::lang::types::Base;

/// Adds rules for what is left of an object, where a field is one of `mine`; `read` is what other maps read of it.
pub fn extras(
    making: &mut Making<'_>,
    pair: Pair<'_>,
    read: &BTreeSet<String>,
    mine: &dyn Fn(&Field) -> bool,
    rules: &mut Vec<Decision>,
) {
    let (min, source) = (making.input.min, making.input.source);
    let add = |rules: &mut Vec<Decision>, ways: Vec<Rule>| {
        let ways: Vec<Rule> = ways.into_iter().filter(|way| way.score >= min).collect();
        if !ways.is_empty() {
            rules.push(Decision { ways, at: 0 });
        }
    };
    fallbacks(making, pair, rules);
    for way in whole(making, pair, rules) {
        add(rules, vec![way]);
    }
    let mut taken: BTreeSet<String> =
        rules.iter().filter_map(Decision::rule).flat_map(|rule| rule.reads.iter().cloned()).collect();
    taken.extend(read.iter().cloned());
    let tags = tags(making, pair, &|field| mine(field) && !taken.contains(&field.name));
    let written = |target: &str| rules.iter().filter_map(Decision::rule).any(|rule| rule.target == target);
    if let Some(tags) = tags.filter(|tags| !written(&tags.target)) {
        taken.extend(tags.reads.iter().cloned());
        add(rules, vec![tags]);
    }
    for group in groups(source, pair, &|field| mine(field) && !taken.contains(&field.name)) {
        taken.extend(group.iter().map(|field| field.name.clone()));
        let joined = joined(making, pair, &group);
        add(rules, joined.into_iter().collect());
    }
    // A currency goes with its amount, and alone only where there is none.
    let of_amounts = currency(pair.from).map(|field| field.name.as_str());
    let mut left: Vec<&Field> = pair.from.fields.iter().filter(|field| mine(field)).collect();
    left.sort_by_key(|field| Some(field.name.as_str()) == of_amounts);
    for field in left {
        if taken.contains(&field.name) {
            continue;
        }
        let empty = field.stats.as_ref().is_some_and(|stats| stats.filled == 0);
        if empty || accounts::account(source, pair.from, field).ways.len() > 1 {
            continue;
        }
        let mut ways: Vec<Rule> = Vec::new();
        if !field.custom && is_prose(field) {
            ways.extend(prose(field));
        }
        ways.extend(custom(making, pair, field));
        taken.extend(ways.iter().flat_map(|way| way.reads.iter().cloned()));
        add(rules, ways);
    }
}

/// Further ways of rules that the checker may refuse: a custom field of the field's own.
fn fallbacks(making: &mut Making<'_>, pair: Pair<'_>, rules: &mut [Decision]) {
    for decision in rules {
        let Some(name) = decision.rule().and_then(|rule| rule.reads.first()) else { continue };
        let Some(field) = pair.from.field(name).filter(|field| field.custom) else { continue };
        let required = decision.rule().is_some_and(|rule| {
            pair.to.fields.iter().any(|to| to.required && name_of(&to.name) == rule.target)
        });
        if !required {
            let more = custom(making, pair, field);
            decision.ways.extend(more.into_iter().filter(|way| way.score >= making.input.min));
        }
    }
}

/// What a conversion may shorten or refuse, kept as it was: texts that are cut, numbers as they were typed.
fn whole(making: &mut Making<'_>, pair: Pair<'_>, rules: &[Decision]) -> Vec<Rule> {
    let mut all = Vec::new();
    for rule in rules.iter().filter_map(Decision::rule) {
        let Some(field) = rule.reads.first().and_then(|name| pair.from.field(name)) else { continue };
        let longest = field.stats.as_ref().and_then(|stats| stats.longest);
        if rule.value.starts_with("each ") {
            // The lines as they are, with the columns that the destination lacks.
            all.push(Rule {
                target: format!("note {}", quote(&label(field))),
                value: format!("lines({})", field.name),
                when: Some(format!("has {}", field.name)),
                group: Group::Notes,
                reads: vec![field.name.clone()],
                score: 0.75,
                loss: Some(2),
                why: "what the destination's lines have no column for".to_owned(),
                ..Rule::default()
            });
        }
        let cut = rule.value.rsplit_once(".cut(").and_then(|(_, max)| max.trim_end_matches(')').parse().ok());
        if let Some(max) =
            cut.filter(|max: &u32| !field.ty.many && longest.is_none_or(|longest| longest > *max))
        {
            let name = titled(&field.name, field.title.as_deref(), field.custom);
            all.push(Rule {
                target: format!("note {}", quote(&format!("Full {}", label(field).to_lowercase()))),
                value: name.clone(),
                when: Some(format!("{name}.length() > {max}")),
                group: Group::Notes,
                reads: vec![field.name.clone()],
                score: 0.75,
                otherwise: Clause::maybe("unset"),
                why: "long texts do not fit".to_owned(),
                ..Rule::default()
            });
        }
        if rule.value.contains("phone(") && matches!(field.ty.base, Base::Text { .. }) && can(pair, "text") {
            let name = titled(&field.name, field.title.as_deref(), field.custom);
            let target = own(making, pair, &format!("{} as typed", label(field)), "text");
            all.push(Rule {
                target,
                value: if field.ty.many { format!("join(\"; \", {name})") } else { name },
                group: Group::Custom,
                reads: vec![field.name.clone()],
                score: 0.75,
                otherwise: Clause::maybe("unset"),
                ..Rule::default()
            });
        }
    }
    all
}

/// A text that people wrote, as a note.
fn prose(field: &Field) -> Option<Rule> {
    if field.ty.many || !matches!(field.ty.base, Base::Text { .. }) {
        return None;
    }
    let name = titled(&field.name, field.title.as_deref(), field.custom);
    Some(Rule {
        target: format!("note {}", quote(&label(field))),
        value: format!("{name}.rich_text()"),
        group: Group::Notes,
        reads: vec![field.name.clone()],
        score: 0.75,
        otherwise: Clause::maybe("unset"),
        why: "colours and sizes are not kept".to_owned(),
        ..Rule::default()
    })
}

/// A tag for the first yes-or-no field that some records have and others have not.
fn tags(making: &Making<'_>, pair: Pair<'_>, mine: &dyn Fn(&Field) -> bool) -> Option<Rule> {
    let target = making.input.target;
    let open = |to: &&Field| match &to.ty.base {
        Base::Enum(domain) => {
            to.ty.many
                && to.write == Write::Yes
                && Words::new(&to.name).mean("tag")
                && target.domains.get(domain).is_some_and(|domain| domain.open)
        }
        _ => false,
    };
    let tags = pair.to.fields.iter().find(open)?;
    let field = pair.from.fields.iter().find(|field| {
        field.ty.base == Base::Bool
            && !field.ty.many
            && (field.custom || Words::new(&field.name).mean("repeat"))
            && mine(field)
            && !accounts::never(field)
    })?;
    let name = titled(&field.name, field.title.as_deref(), field.custom);
    Some(Rule {
        target: name_of(&tags.name),
        value: quote(&label(field)),
        when: Some(if field.ty.optional { format!("{name} == true") } else { name }),
        reads: vec![field.name.clone()],
        score: 0.5,
        otherwise: Clause::maybe("unset"),
        ..Rule::default()
    })
}

/// Texts that say one thing in several fields: three or more with one first word, such as `UTM_…`.
fn groups<'a>(source: &Schema, pair: Pair<'a>, mine: &dyn Fn(&Field) -> bool) -> Vec<Vec<&'a Field>> {
    let mut all: BTreeMap<&str, Vec<&Field>> = BTreeMap::new();
    for field in pair.from.fields.iter().filter(|field| mine(field)) {
        let text = matches!(field.ty.base, Base::Text { .. }) && !field.ty.many && !field.custom;
        if let Some((prefix, _)) = field.name.split_once('_').filter(|_| text)
            && accounts::account(source, pair.from, field).ways.len() == 1
            && !is_prose(field)
        {
            all.entry(prefix).or_default().push(field);
        }
    }
    all.into_values().filter(|group| group.len() >= 3).collect()
}

fn joined(making: &mut Making<'_>, pair: Pair<'_>, group: &[&Field]) -> Option<Rule> {
    if !can(pair, "text") {
        return None;
    }
    let names: Vec<&str> = group.iter().map(|field| field.name.as_str()).collect();
    // What their titles have in common, else what their names have.
    let shortest = group.iter().map(|field| label(field)).min_by_key(|label| label.chars().count())?;
    let common = group.iter().all(|field| label(field).starts_with(&shortest));
    let prefix = names.first()?.split('_').next()?;
    let title = if common { shortest } else { prefix.to_owned() };
    let share = group.iter().map(|field| score::share(pair.from, field)).fold(0.0, f64::max);
    let target = own(making, pair, &title, "text");
    Some(Rule {
        target,
        value: format!("join(\" / \", [{}])", names.join(", ")),
        group: Group::Custom,
        reads: names.iter().map(|name| (*name).to_owned()).collect(),
        score: 0.65 + 0.2 * share,
        otherwise: Clause::maybe("unset"),
        ..Rule::default()
    })
}

fn can(pair: Pair<'_>, ty: &str) -> bool {
    pair.to.custom_types.iter().any(|known| known == ty)
}

/// `custom "Label" TYPE`, under a label that the source has not written yet. Several sources share a custom field of
/// one type.
fn own(making: &mut Making<'_>, pair: Pair<'_>, title: &str, ty: &str) -> String {
    let mut label = title.to_owned();
    let mut n = 2;
    loop {
        let known = pair.to.fields.iter().any(|field| field.name.eq_ignore_ascii_case(&label));
        let key = (pair.to.name.clone(), label.to_lowercase());
        let free = making.custom.get(&key).is_none_or(|(of, source)| of == ty && *source != pair.from.name);
        if !known && free {
            making.custom.insert(key, (ty.to_owned(), pair.from.name.clone()));
            return format!("custom {} {ty}", quote(&label));
        }
        label = format!("{title} {n}");
        n += 1;
    }
}

/// A custom field for a field that nothing takes.
fn custom(making: &mut Making<'_>, pair: Pair<'_>, field: &Field) -> Vec<Rule> {
    let can = |ty: &str| can(pair, ty);
    let name = titled(&field.name, field.title.as_deref(), field.custom);
    let mut rule = Rule { value: name.clone(), reads: vec![field.name.clone()], ..Rule::default() };
    rule.otherwise = Clause::maybe("unset");
    rule.fail = Clause::maybe("flag \"could not be converted\"");
    rule.unmigrated = Clause::maybe("flag \"left out: what it links to did not arrive\"");
    rule.group = Group::Custom;
    let share = score::share(pair.from, field);
    // A place of its own is right whenever the field is still wanted, which its use tells; the customer's own fields
    // were wanted once.
    rule.score = if field.custom { 0.75 + 0.2 * share } else { 0.65 + 0.2 * share };
    let mut second = None;
    let mut ty = match &field.ty.base {
        Base::Text { .. } if is_prose(field) && can("long_text") => "long_text".to_owned(),
        Base::Text { .. } | Base::Phone | Base::Email | Base::Url => "text".to_owned(),
        Base::Money if can("currency") => {
            rule.why = "the destination may show every amount in its own currency".to_owned();
            "currency".to_owned()
        }
        Base::Date if can("date") => "date".to_owned(),
        Base::DateTime if can("date") && !field.ty.many => {
            rule.value = format!("{name}.date()");
            rule.why = "a custom field holds days, not times".to_owned();
            "date".to_owned()
        }
        Base::Decimal
            if !field.custom
                && !field.ty.many
                && can("currency")
                && Words::new(&field.name).mean("revenue") =>
        {
            let currency = currency(pair.from);
            if let Some(currency) = currency {
                rule.value = format!("money({name}, {})", currency.name);
                rule.reads.push(currency.name.clone());
            }
            rule.why = "the destination may show every amount in its own currency".to_owned();
            rule.fail = Clause::maybe("flag \"an amount without a currency\"");
            "currency".to_owned()
        }
        Base::Integer | Base::Decimal if can("number") => "number".to_owned(),
        Base::Integer | Base::Decimal | Base::Bool | Base::Date | Base::DateTime | Base::Money => {
            // Yes or no, and what systems count, say little without the system.
            if !field.custom && !matches!(field.ty.base, Base::Date | Base::DateTime) {
                return Vec::new();
            }
            rule.value = format!("{name}.text()");
            "text".to_owned()
        }
        Base::Enum(domain) => {
            let about =
                field.title.as_deref().filter(|title| !title.trim().is_empty()).unwrap_or(&field.name);
            let Some((index, table, titles)) = own_table(making, domain, about) else { return Vec::new() };
            rule.table = index;
            rule.value = format!("{table}[{name}]");
            rule.why = "several values have one title".to_owned();
            if can("enum") && !titles.is_empty() {
                rule.group = Group::Lists;
                let titles: Vec<String> = titles.iter().map(|title| quote(title)).collect();
                let ty = format!("enum({})", titles.join(", "));
                if field.ty.many { format!("[{ty}]") } else { ty }
            } else {
                "text".to_owned()
            }
        }
        Base::Link(to) if !field.ty.many => {
            rule.value = format!("\"{{{}}}\"", field.name);
            rule.why = "the key of the old system, for looking it up there".to_owned();
            let map = making.maps.iter().find(|map| map.from == *to);
            if let (Some(map), true) = (map, field.custom) {
                second = Some(Rule {
                    value: format!("ref {}({name}).name", map.name),
                    second_pass: map.from == pair.from.name,
                    why: "a link becomes a text".to_owned(),
                    ..rule.clone()
                });
            }
            rule.score *= 0.6;
            "text".to_owned()
        }
        _ => return Vec::new(),
    };
    if field.ty.many && ty == "text" && matches!(field.ty.base, Base::Enum(_)) {
        rule.value = format!("join(\", \", {})", rule.value);
    }
    if field.ty.many && !matches!(field.ty.base, Base::Enum(_)) {
        if !matches!(field.ty.base, Base::Text { .. } | Base::Phone | Base::Email | Base::Url) {
            return Vec::new();
        }
        rule.value = format!("join(\"; \", {name})");
        ty = if can("long_text") { "long_text" } else { "text" }.to_owned();
    }
    let word = ty.trim_start_matches('[').split('(').next().unwrap_or_default();
    if !can(word) {
        return Vec::new();
    }
    rule.target = own(making, pair, &label(field), &ty);
    let mut ways: Vec<Rule> = Vec::new();
    if let Some(second) = second {
        ways.push(Rule { target: rule.target.clone(), ..second });
    }
    ways.push(rule);
    ways
}

/// A table of an enumeration's titles, made once.
fn own_table(
    making: &mut Making<'_>,
    domain: &str,
    about: &str,
) -> Option<(Option<usize>, String, Vec<String>)> {
    // One list is translated once: what its values become elsewhere is a text here.
    let known = making.lookups.iter().find(|((from, ..), _)| from == domain);
    if let Some((_, (index, name))) = known {
        return Some((*index, name.clone(), Vec::new()));
    }
    if let Some(known) = making.titles.get(domain) {
        return Some(known.clone());
    }
    let mut taken = making.taken.clone();
    let name = super::spell::fresh(about, &mut taken);
    let (page, titles) = values::titles(making.input.source, &name, domain, &|_| true)?;
    making.taken = taken;
    making.page.tables.push(page);
    let made = (Some(making.page.tables.len() - 1), name, titles);
    making.titles.insert(domain.to_owned(), made.clone());
    Some(made)
}
