//! What values become: tables, pipelines and owners.

use std::collections::BTreeMap;

use super::Document;
use super::build::{Input, count};
use super::words::{self, Words, visit, visit_rule};
use crate::lang::plan::{Arm, Expr, OwnerHow, Rule, StageTo};
use crate::lang::schema::Schema;
use crate::lang::types::Base;

pub(super) fn titles<'a>(schema: &'a Schema, base: Option<&Base>) -> BTreeMap<&'a str, &'a str> {
    let Some(Base::Enum(domain)) = base else { return BTreeMap::new() };
    let choices = schema.domains.get(domain).map(|domain| domain.choices.as_slice()).unwrap_or_default();
    choices.iter().filter_map(|choice| Some((choice.code.as_str(), choice.title.as_deref()?))).collect()
}

pub(super) fn title(titles: &BTreeMap<&str, &str>, code: &str) -> String {
    titles.get(code).copied().unwrap_or_default().to_owned()
}

/// The enumeration that each table is asked with, as far as fields are asked directly.
fn domains<'a>(input: &Input<'a>) -> BTreeMap<u16, &'a Base> {
    let mut found = BTreeMap::new();
    let mut look = |object: &str, rules: &mut dyn Iterator<Item = &Rule>| {
        let Some(object) = input.source.object(object) else { return };
        for rule in rules {
            visit_rule(rule, &mut |expr| {
                let Expr::Lookup { table, key } = expr else { return };
                visit(key, &mut |expr| match expr {
                    Expr::Slot(slot) => {
                        if let Some(field) = object.fields.get(usize::from(*slot)) {
                            found.entry(*table).or_insert(&field.ty.base);
                        }
                    }
                    // An attribute of the list that the rule goes through.
                    Expr::Attribute(index) => {
                        let attributes = object
                            .fields
                            .iter()
                            .filter_map(|field| field.attributes.get(usize::from(*index)));
                        let mut enums =
                            attributes.filter(|attribute| matches!(attribute.ty.base, Base::Enum(_)));
                        let mut reads = words::Reads::default();
                        reads.rule(rule);
                        let own = reads.slots.iter().find_map(|slot| {
                            object.fields.get(usize::from(*slot))?.attributes.get(usize::from(*index))
                        });
                        if let Some(attribute) = own.or_else(|| enums.next()) {
                            found.entry(*table).or_insert(&attribute.ty.base);
                        }
                    }
                    _ => {}
                });
            });
        }
    };
    for map in &input.plan.maps {
        look(&map.source, &mut map.rules.iter().chain(map.notes.iter().map(|note| &note.rule)));
    }
    for flatten in &input.plan.flattens {
        look(&flatten.source, &mut flatten.rules.iter().chain(flatten.notes.iter().map(|note| &note.rule)));
    }
    found
}

pub(super) fn tables(input: &Input<'_>, document: &mut Document) {
    if input.plan.tables.is_empty() {
        return;
    }
    let none = BTreeMap::new();
    let words = Words { plan: input.plan, object: None, reads: &none, outer: None };
    let domains = domains(input);
    document.heading(2, "Tables of values");
    for (index, table) in input.plan.tables.iter().enumerate() {
        let base = u16::try_from(index).ok().and_then(|index| domains.get(&index).copied());
        let titles = titles(input.source, base);
        document.heading(3, table.name.clone());
        let becomes = |arm: &Arm| words.arm(arm);
        let mut shared: BTreeMap<String, usize> = BTreeMap::new();
        table.rows.values().for_each(|row| *shared.entry(becomes(&row.arm)).or_default() += 1);
        let mut rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|(code, row)| {
                let to = becomes(&row.arm);
                let merged = shared.get(&to).is_some_and(|count| *count > 1);
                vec![code.clone(), title(&titles, code), to, if merged { "merged" } else { "" }.to_owned()]
            })
            .collect();
        rows.push(vec!["values born later".to_owned(), String::new(), becomes(&table.unseen), String::new()]);
        document.table(&["code", "title", "becomes", ""], rows);
    }
}

pub(super) fn pipelines(input: &Input<'_>, document: &mut Document) {
    if input.plan.pipelines.is_empty() {
        return;
    }
    let none = BTreeMap::new();
    let words = Words { plan: input.plan, object: None, reads: &none, outer: None };
    document.heading(2, "Pipelines");
    for pipeline in &input.plan.pipelines {
        let known = input
            .source
            .pipelines
            .iter()
            .find(|other| other.object == pipeline.object && other.code == pipeline.category);
        let name = known.map_or(pipeline.category.as_str(), |known| &known.name);
        document.heading(3, format!("{}: {} “{name}”", pipeline.name, pipeline.object));
        let to = |to: &StageTo| match to {
            StageTo::Stage(to) => words::stage(to),
            StageTo::Arm(arm) => words.arm(arm),
        };
        // In the order of the source; rows for stages that it no longer has come last.
        let order = |code: &str| {
            known
                .and_then(|known| known.stages.iter().position(|stage| stage.code == code))
                .unwrap_or(usize::MAX)
        };
        let mut codes: Vec<&String> = pipeline.rows.keys().collect();
        codes.sort_by_key(|code| (order(code), (*code).clone()));
        let mut rows: Vec<Vec<String>> = codes
            .into_iter()
            .map(|code| {
                let stage = known.and_then(|known| known.stages.iter().find(|stage| stage.code == *code));
                let records = known.map(|known| known.records.get(code).copied().unwrap_or(0));
                vec![
                    code.clone(),
                    stage.map(|stage| stage.name.clone()).unwrap_or_default(),
                    count(records),
                    to(&pipeline.rows[code].to),
                ]
            })
            .collect();
        rows.push(vec![
            "stages born later".to_owned(),
            String::new(),
            String::new(),
            words.arm(&pipeline.unseen),
        ]);
        document.table(&["code", "stage", "records", "becomes"], rows);
    }
}

pub(super) fn owners(input: &Input<'_>, document: &mut Document) {
    let owners = &input.plan.owners;
    document.heading(2, "Owners");
    let how = |how: OwnerHow| match how {
        OwnerHow::Email => "both systems know the same e-mail address",
        OwnerHow::Named => "named in the spec",
        OwnerHow::Dismissed => "has left",
        OwnerHow::Otherwise => "nobody else fits",
    };
    let mut rows: Vec<Vec<String>> = owners
        .users
        .iter()
        .map(|(id, owner)| {
            let active = input.source.users.iter().find(|user| user.id == *id).map(|user| user.active);
            let works = match active {
                Some(true) => "yes",
                Some(false) => "no",
                None => "",
            };
            let flag = owner.flag.clone().unwrap_or_default();
            vec![id.clone(), works.to_owned(), owner.user.clone(), how(owner.how).to_owned(), flag]
        })
        .collect();
    let flag = owners.otherwise.flag.clone().unwrap_or_default();
    rows.push(vec![
        "everybody else".to_owned(),
        String::new(),
        owners.otherwise.user.clone(),
        String::new(),
        flag,
    ]);
    document.table(&["user there", "active", "user here", "why", "listed for a person"], rows);
}
