//! The ledger of files: which staged records have some, and what becomes of them.
//!
//! As far as files are known: fields that the source's schema calls files, by their ids. Sizes and contents are not
//! read, and the destination takes no files, so nothing here was moved.

use std::collections::BTreeMap;

use crate::lang::plan::Plan;
use crate::lang::schema::Schema;
use crate::lang::types::Base;
use crate::lang::value::Value;
use crate::run::connect;
use crate::run::workspace::Workspace;

use super::{Error, Result, objects};

/// Staged records that are read at once.
const PAGE: u32 = 500;

/// The files in one field of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileField {
    /// The source object.
    pub object: String,
    /// Its field.
    pub field: String,
    /// Staged records with at least one file there.
    pub records: u64,
    /// Files.
    pub files: u64,
    /// Maps and flattens that read the field: the ids of its files arrive with what they write.
    pub read_by: Vec<String>,
    /// Why the spec leaves it behind, where it does.
    pub dropped: Vec<String>,
}

impl FileField {
    /// What becomes of the files.
    pub fn fate(&self) -> String {
        let mut parts = Vec::new();
        if !self.read_by.is_empty() {
            parts.push(format!("their ids arrive with {}", self.read_by.join(", ")));
        }
        parts.extend(self.dropped.iter().map(|reason| format!("left behind: {reason}")));
        if parts.is_empty() { "left behind".to_owned() } else { parts.join("; ") }
    }
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLine<'f> {
    /// The source object.
    pub object: &'f str,
    /// The record's key.
    pub key: &'f str,
    /// Its field.
    pub field: &'f str,
    /// The file's id in the source.
    pub file: &'f str,
}

/// Goes through all staged records of a plan; `each` is told every file.
///
/// # Errors
/// Those of the workspace, and of `each`. Records that cannot be read are held back elsewhere and have no files here.
pub fn files<E: From<Error>>(
    plan: &Plan,
    workspace: &Workspace,
    schema: &Schema,
    mut each: impl FnMut(FileLine<'_>) -> std::result::Result<(), E>,
) -> std::result::Result<Vec<FileField>, E> {
    let mut ledger = Vec::new();
    for object in objects(plan) {
        let Some(found) = schema.object(object) else { continue };
        let slots: Vec<(usize, &str)> = found
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.ty.base == Base::File)
            .map(|(slot, field)| (slot, field.name.as_str()))
            .collect();
        if slots.is_empty() {
            continue;
        }
        let decode = connect::decoder(&plan.source.connector, schema, object).map_err(Error::Plan)?;
        let mut counts: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = workspace.staged_page(object, after, PAGE).map_err(Error::from)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for record in &page {
                let Ok(values) = decode.decode(&record.json) else { continue };
                for (slot, field) in &slots {
                    let ids = ids(values.get(*slot).unwrap_or(&Value::Absent));
                    if ids.is_empty() {
                        continue;
                    }
                    let (records, all) = counts.entry(*slot).or_default();
                    *records += 1;
                    *all += ids.len() as u64;
                    for file in &ids {
                        each(FileLine { object, key: &record.key, field, file })?;
                    }
                }
            }
        }
        for (slot, field) in slots {
            let (records, files) = counts.get(&slot).copied().unwrap_or_default();
            let (read_by, dropped) = fate(plan, object, field);
            let (object, field) = (object.to_owned(), field.to_owned());
            ledger.push(FileField { object, field, records, files, read_by, dropped });
        }
    }
    Ok(ledger)
}

/// The ids of the files in a field.
fn ids(value: &Value) -> Vec<String> {
    match value {
        Value::Absent => Vec::new(),
        Value::List(values) => values.iter().flat_map(ids).collect(),
        one => vec![one.to_text().into_owned()],
    }
}

/// Who reads a field, and why others leave it behind.
fn fate(plan: &Plan, object: &str, field: &str) -> (Vec<String>, Vec<String>) {
    let maps = plan.maps.iter().filter(|map| map.source == object);
    let maps = maps.map(|map| (&map.name, &map.reads, &map.dropped));
    let flattens = plan.flattens.iter().filter(|flatten| flatten.source == object);
    let flattens = flattens.map(|flatten| (&flatten.source, &flatten.reads, &flatten.dropped));
    let (mut read_by, mut reasons) = (Vec::new(), Vec::new());
    for (name, reads, dropped) in maps.chain(flattens) {
        if reads.values().any(|read| read == field) {
            read_by.push(name.clone());
        }
        for dropped in dropped.iter().filter(|dropped| dropped.field == field) {
            if !reasons.contains(&dropped.reason) {
                reasons.push(dropped.reason.clone());
            }
        }
    }
    (read_by, reasons)
}

/// So that a ledger without anything to tell needs no error of its own.
pub fn count_files(plan: &Plan, workspace: &Workspace, schema: &Schema) -> Result<Vec<FileField>> {
    files(plan, workspace, schema, |_| Ok::<(), Error>(()))
}
