//! Both versions of a spec run over every staged record, for `b2n diff --workspace`.

use std::collections::HashMap;
use std::path::Path;

use crate::lang::diff::json::Counted;
use crate::lang::diff::{Diff, Exact, Pair, Side};
use crate::lang::eval::{Fold, Folded, Outcome, Program, Route, key_order};
use crate::lang::value::Record;
use crate::run::connect::{self, Decode};
use crate::run::workspace::{self, Workspace};

use super::failure::Failure;

/// Records read at once.
const PAGE: u32 = 1000;

/// Runs both programs over every staged record; reads only.
pub fn exactly(old: Side<'_>, new: Side<'_>, found: &Diff, path: &Path) -> Result<Counted, Failure> {
    let workspace = Workspace::open_existing(path)?;
    for side in [old, new] {
        let pinned = workspace.pinned(workspace::Side::Source)?;
        if let Some(pinned) = pinned.filter(|pinned| *pinned != side.plan.source.account) {
            return Err(Failure::usage(format!(
                "`{}` holds records of `{pinned}`, and `{}` is about `{}`",
                path.display(),
                side.text.name(),
                side.plan.source.account
            ))
            .hint("name the workspace of this customer, or leave --workspace out"));
        }
    }
    let compiled = |side: Side<'_>| {
        Program::compile(side.plan).map_err(|why| Failure::usage(format!("the plan cannot be run: {why}")))
    };
    let (was, is) = (compiled(old)?, compiled(new)?);
    let mut exact = Exact::new(old, new, found);
    for pair in &found.maps {
        let object = match pair {
            Pair { new: Some(map), .. } => &new.plan.maps[*map].source,
            Pair { old: Some(map), .. } => &old.plan.maps[*map].source,
            Pair { .. } => continue,
        };
        let was = Reader::new(old, object, pair.old, &was, &workspace)?;
        let is = Reader::new(new, object, pair.new, &is, &workspace)?;
        pages(&workspace, object, |key, json| {
            let made = |reader: &Option<Reader<'_>>| match reader {
                Some(reader) => reader.run(json, object, key),
                None => Ok(None),
            };
            let (a, b) = (made(&was)?, made(&is)?);
            exact.record(
                *pair,
                key,
                a.as_ref().map(|(record, outcome)| (record, outcome)),
                b.as_ref().map(|(record, outcome)| (record, outcome)),
            );
            Ok(())
        })?;
    }
    Ok(exact.finish())
}

/// Every staged record of an object, in the order of arrival.
fn pages(
    workspace: &Workspace,
    object: &str,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if workspace.manifest(object)?.is_none() {
        return Err(Failure::usage(format!(
            "`{}` holds no records of `{object}`",
            workspace.path().display()
        ))
        .hint("bring them in with `b2n extract`, or leave --workspace out"));
    }
    let mut after = -1;
    loop {
        let page = workspace.staged_page(object, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        for staged in &page {
            each(&staged.key, &staged.json)?;
        }
    }
}

/// Reads staged records and runs them through one map of one version.
struct Reader<'p> {
    decoder: Box<dyn Decode>,
    program: &'p Program,
    workspace: &'p Workspace,
    map: usize,
    split: Option<usize>,
    folded: Vec<Children>,
}

/// Records that a flatten folds into those of the map.
struct Children {
    flatten: usize,
    object: String,
    decoder: Box<dyn Decode>,
    /// Keys of the folded records by the key of the record that takes them in, in the order of their keys.
    keys: HashMap<String, Vec<String>>,
}

impl<'p> Reader<'p> {
    fn new(
        side: Side<'_>,
        object: &str,
        map: Option<usize>,
        program: &'p Program,
        workspace: &'p Workspace,
    ) -> Result<Option<Self>, Failure> {
        let Some(map) = map.filter(|map| side.plan.maps[*map].source == object) else { return Ok(None) };
        let decoder = |object: &str| {
            connect::decoder(&side.plan.source.connector, side.source, object).map_err(Failure::usage)
        };
        let mut folded = Vec::new();
        for (flatten, item) in side.plan.flattens.iter().enumerate() {
            if usize::from(item.into) != map {
                continue;
            }
            let mut children = Children {
                flatten,
                object: item.source.clone(),
                decoder: decoder(&item.source)?,
                keys: HashMap::new(),
            };
            pages(workspace, &item.source, |key, json| {
                let record = decode(children.decoder.as_ref(), json, &item.source, key)?;
                if let Fold::Into { key: parent, .. } = program.fold(flatten, &record) {
                    children.keys.entry(parent.to_string()).or_default().push(key.to_owned());
                }
                Ok(())
            })?;
            for keys in children.keys.values_mut() {
                keys.sort_by(|a, b| key_order(a, b));
            }
            folded.push(children);
        }
        let split = side.plan.maps[map].split.map(usize::from);
        Ok(Some(Reader { decoder: decoder(object)?, program, workspace, map, split, folded }))
    }

    /// What the map makes of a record; nothing where the split sends it elsewhere.
    fn run(&self, json: &[u8], object: &str, key: &str) -> Result<Option<(Record, Outcome)>, Failure> {
        let record = decode(self.decoder.as_ref(), json, object, key)?;
        if let Some(split) = self.split {
            let here = match self.program.route(split, &record) {
                Route::Maps(maps) => maps.iter().any(|map| usize::from(*map) == self.map),
                _ => false,
            };
            if !here {
                return Ok(None);
            }
        }
        let mut records: Vec<(usize, Vec<Record>)> = Vec::new();
        for children in &self.folded {
            let Some(keys) = children.keys.get(key) else { continue };
            let mut found = Vec::with_capacity(keys.len());
            for child in keys {
                if let Some(staged) = self.workspace.staged_record(&children.object, child)? {
                    found.push(decode(children.decoder.as_ref(), &staged.json, &children.object, child)?);
                }
            }
            records.push((children.flatten, found));
        }
        let folded: Vec<Folded<'_>> =
            records.iter().map(|(flatten, records)| Folded { flatten: *flatten, records }).collect();
        let outcome = self.program.run_with(self.map, &record, &folded);
        Ok(Some((record, outcome)))
    }
}

fn decode(decoder: &dyn Decode, json: &[u8], object: &str, key: &str) -> Result<Record, Failure> {
    decoder.decode(json).map_err(|why| {
        Failure::usage(format!("`{object}` {key} cannot be read: {why}"))
            .hint("extract the records again with this version")
    })
}
