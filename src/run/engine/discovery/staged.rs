//! Exact counts from a workspace: one pass over what is staged, no request.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::doubles::Finder;
use super::{CodeCount, Doubles, ObjectCount, Year, codes, fields, refused, there, years};
use crate::lang::schema::stats::{Collector, StageCounts};
use crate::lang::schema::{Object, Schema, Stats};
use crate::lang::types::Base;
use crate::lang::value::{Record, Value};
use crate::run::connect::survey::{Counted, Roles};
use crate::run::connect::{self, roles};
use crate::run::engine::{Progress, Result};
use crate::run::workspace::Workspace;

/// Staged records that are read at once.
const PAGE: u32 = 500;

/// Goes through an object's staged records; gives those that could not be read.
fn each(
    workspace: &Workspace,
    schema: &Schema,
    object: &str,
    progress: &dyn Progress,
    mut see: impl FnMut(&str, &Record),
) -> Result<u64> {
    let Ok(decoder) = connect::decoder(&schema.connector, schema, object) else { return Ok(0) };
    progress.begin(&format!("read {object}"), Some(workspace.staged(object)?));
    let (mut after, mut done, mut unread) = (0, 0, 0);
    loop {
        let page = workspace.staged_page(object, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for record in &page {
            match decoder.decode(&record.json) {
                Ok(decoded) => see(&record.key, &decoded),
                Err(_) => unread += 1,
            }
        }
        done += page.len() as u64;
        progress.at(done);
    }
    progress.end();
    Ok(unread)
}

/// Why an object of a workspace cannot be counted; `None` where it can.
fn unfinished(workspace: &Workspace, object: &str) -> Result<Option<String>> {
    Ok(match workspace.manifest(object)? {
        None => Some("it is not staged: a spec that reads it stages it with `b2n extract`".to_owned()),
        Some(manifest) if !manifest.done => {
            Some("its extraction is not through: run `b2n extract` again, it goes on".to_owned())
        }
        Some(_) => None,
    })
}

/// Statistics of a snapshot from what is staged; names objects that have none, each with the reason.
///
/// # Errors
/// Those of the workspace.
pub fn statistics(
    workspace: &Workspace,
    schema: &mut Schema,
    progress: &dyn Progress,
) -> Result<Vec<(String, String)>> {
    let mut without = Vec::new();
    for at in 0..schema.objects.len() {
        let object = schema.objects[at].clone();
        if object.fields.is_empty() {
            continue;
        }
        if let Some(why) = unfinished(workspace, &object.name)? {
            without.push((object.name, why));
            continue;
        }
        let mut collector = Collector::new(&object);
        let mut stages = stage_counts(&object);
        let unread = each(workspace, schema, &object.name, progress, |_, record| {
            collector.add(record);
            if let Some(stages) = &mut stages {
                stages.add(record);
            }
        })?;
        if unread > 0 {
            let why = format!("{unread} of its staged records cannot be read; they are in no count");
            without.push((object.name.clone(), why));
        }
        collector.store(&mut schema.objects[at]);
        if let Some(stages) = stages {
            stages.store(&object.name, &mut schema.pipelines);
        }
    }
    Ok(without)
}

/// Counts per pipeline and stage, for objects that run through pipelines.
pub fn stage_counts(object: &Object) -> Option<StageCounts> {
    let stage = object.fields.iter().position(|field| field.ty.base == Base::Stage)?;
    let category = object.fields.iter().position(
        |field| matches!(&field.ty.base, Base::Enum(domain) if *domain == format!("{}.CATEGORY_ID", object.name)),
    );
    Some(StageCounts::new(category, stage))
}

/// Every object of a schema, counted record by record, and the doubles among them.
///
/// # Errors
/// Those of the workspace.
pub fn staged(
    workspace: &Workspace,
    schema: &Schema,
    target: &str,
    unmatched: &[String],
    today: Date,
    progress: &dyn Progress,
) -> Result<(Vec<ObjectCount>, Vec<Doubles>)> {
    let (mut out, mut doubles) = (Vec::new(), Vec::new());
    for object in &schema.objects {
        if object.fields.is_empty() {
            out.push(refused(object));
            continue;
        }
        if let Some(why) = unfinished(workspace, &object.name)? {
            let unknown = Counted::Unknown(why);
            let fields = fields(target, object, |_| unknown.clone());
            out.push(ObjectCount { records: unknown, fields, refused: None, ..refused(object) });
            continue;
        }
        let roles = there(object, roles(&schema.connector, &object.name));
        let mut collector = Collector::new(object);
        let mut by_year: BTreeMap<Option<i16>, u64> = BTreeMap::new();
        let created = roles.created.and_then(|field| object.slot(field));
        let mut finder = Finder::new(object, roles);
        let unread = each(workspace, schema, &object.name, progress, |key, record| {
            collector.add(record);
            if let Some(slot) = created {
                *by_year.entry(record.get(slot).and_then(year)).or_default() += 1;
            }
            finder.add(key, record);
        })?;
        let (records, stats) = collector.finish();
        doubles.extend(finder.finish());
        out.push(counted(
            schema,
            target,
            object,
            roles,
            (records + unread, &stats),
            &by_year,
            unmatched,
            today,
        ));
    }
    Ok((out, doubles))
}

#[allow(clippy::too_many_arguments)]
fn counted(
    schema: &Schema,
    target: &str,
    object: &Object,
    roles: Roles,
    (records, stats): (u64, &[Stats]),
    by_year: &BTreeMap<Option<i16>, u64>,
    unmatched: &[String],
    today: Date,
) -> ObjectCount {
    let values = |field: &str| object.slot(field).and_then(|slot| stats.get(slot)).map(|stats| &stats.values);
    let by_code = |field: Option<&str>| -> Vec<CodeCount> {
        let Some((field, values)) = field.and_then(|field| Some((field, values(field)?))) else {
            return Vec::new();
        };
        let one = |choice: &&crate::lang::schema::Choice| CodeCount {
            code: choice.code.clone(),
            title: choice.title.clone(),
            records: Counted::Known(values.get(&choice.code).copied().unwrap_or(0)),
        };
        codes(schema, object, field).iter().map(one).collect()
    };
    let is = |field: &str, code: &str| {
        Counted::Known(values(field).and_then(|values| values.get(code)).copied().unwrap_or(0))
    };
    let owned = roles.owner.map(|owner| {
        unmatched.iter().map(|user| (user.clone(), is(owner, user))).collect::<BTreeMap<_, _>>()
    });
    ObjectCount {
        records: Counted::Known(records),
        years: if roles.created.is_some() { year_lines(by_year, records, today) } else { Vec::new() },
        fields: fields(target, object, |slot| {
            Counted::Known(stats.get(slot).map_or(0, |stats| stats.filled))
        }),
        kinds: by_code(roles.kind),
        currencies: by_code(roles.currency),
        open: roles.open.map(|(field, code)| is(field, code)),
        owned: owned.unwrap_or_default(),
        refused: None,
        ..refused(object)
    }
}

/// The year of a time, in UTC, as the source counts it by.
fn year(value: &Value) -> Option<i16> {
    match value {
        Value::Instant(instant) => Some(instant.at.to_zoned(jiff::tz::TimeZone::UTC).year()),
        Value::Date(date) => Some(date.year()),
        _ => None,
    }
}

fn year_lines(by_year: &BTreeMap<Option<i16>, u64>, records: u64, today: Date) -> Vec<Year> {
    let of = |test: &dyn Fn(i16) -> bool| -> u64 {
        by_year.iter().filter(|(year, _)| year.is_some_and(test)).map(|(_, count)| count).sum()
    };
    let line = |year: String, count: u64| Year { year, records: Counted::Known(count) };
    let (first, last) = (*years(today).start(), *years(today).end());
    let within = of(&|year| year >= first);
    let mut out = vec![line(format!("before {first} or without a date"), records.saturating_sub(within))];
    out.extend(years(today).map(|year| line(year.to_string(), of(&|other| other == year))));
    out.push(line(format!("after {last}"), of(&|year| year > last)));
    out
}
