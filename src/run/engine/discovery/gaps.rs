//! Everything that a plan will not move, and what is left to do by hand.
//!
//! From the plan and the schema that it was checked with; a workspace adds the number of files.

use serde::Serialize;

use super::{SchemaMap, roles, schema_map};
use crate::lang::plan::{Map, Plan};
use crate::lang::schema::{Object, Schema};
use crate::lang::types::Base;
use crate::run::connect::{self, survey};
use crate::run::engine::{FileField, objects};

/// The version of the report that programs read.
pub const GAPS: &str = "b2n-gaps/1";

/// A source field that no rule reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftField {
    /// Its object.
    pub object: String,
    /// Its name.
    pub field: String,
    /// What people call it.
    pub title: Option<String>,
    /// Why, in the words of the spec.
    pub reason: String,
    /// The spec calls it a gap: the customer wanted it, and there is no place for it.
    pub gap: bool,
    /// Records in which it has a value, by the snapshot's statistics.
    pub filled: Option<u64>,
    /// The line of the spec, as people look it up.
    pub at: String,
}

/// A source object that nothing of the plan reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftObject {
    /// Its name.
    pub object: String,
    /// What people call it.
    pub title: Option<String>,
    /// Its records, by the snapshot's statistics.
    pub records: Option<u64>,
    /// Why.
    pub why: String,
}

/// A field of the destination that no call writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unwritten {
    /// The map.
    pub map: String,
    /// The destination object.
    pub object: String,
    /// The field.
    pub field: &'static str,
    /// Why, and what to do instead.
    pub why: &'static str,
}

/// Files that a person uploads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// The source object.
    pub object: String,
    /// Its field.
    pub field: String,
    /// Records that have some, by the snapshot's statistics or, with a workspace, by what is staged.
    pub records: Option<u64>,
    /// Files; known with a workspace.
    pub files: Option<u64>,
}

/// What the destination must have and only a person makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByHand {
    /// What kind of thing.
    pub kind: String,
    /// Of what.
    pub of: String,
    /// Its name.
    pub name: String,
}

/// The gap report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gaps {
    /// Its version.
    pub format: &'static str,
    /// The source account.
    pub source: String,
    /// The destination account.
    pub target: String,
    /// The plan's hash.
    pub plan: String,
    /// Fields that no rule reads.
    pub fields: Vec<LeftField>,
    /// Objects that nothing reads.
    pub objects: Vec<LeftObject>,
    /// Fields of the destination that no call writes.
    pub unwritten: Vec<Unwritten>,
    /// Files to upload by hand.
    pub uploads: Vec<Upload>,
    /// What the destination must have before records arrive and only a person makes.
    pub by_hand: Vec<ByHand>,
    /// What no spec can move.
    pub out_of_reach: Vec<survey::OutOfReach>,
    /// Objects of the customer's own that the plan does not read, with their whole schema.
    pub schema_maps: Vec<SchemaMap>,
    /// What of the spec somebody still has to decide.
    pub open: Vec<String>,
}

/// Everything that a plan leaves. `ledger` is that of a workspace.
pub fn gaps(plan: &Plan, schema: &Schema, ledger: Option<&[FileField]>) -> Gaps {
    let read = objects(plan);
    let mut left = Vec::new();
    let dropped = plan.maps.iter().map(|map| (&map.source, &map.dropped));
    let folded = plan.flattens.iter().map(|flatten| (&flatten.source, &flatten.dropped));
    for (object, dropped) in dropped.chain(folded) {
        for one in dropped {
            let field = schema.object(object).and_then(|object| object.field(&one.field));
            left.push(LeftField {
                object: object.clone(),
                field: one.field.clone(),
                title: field.and_then(|field| field.title.clone()),
                reason: one.reason.clone(),
                gap: one.gap,
                filled: field.and_then(|field| field.stats.as_ref()).map(|stats| stats.filled),
                at: plan.place_text(one.line),
            });
        }
    }
    // Gaps first, then by what is lost.
    left.sort_by(|a, b| {
        (!a.gap, &a.object, std::cmp::Reverse(a.filled), &a.field, &a.at).cmp(&(
            !b.gap,
            &b.object,
            std::cmp::Reverse(b.filled),
            &b.field,
            &b.at,
        ))
    });
    left.dedup_by(|a, b| (&a.object, &a.field, &a.reason) == (&b.object, &b.field, &b.reason));
    let unread: Vec<&Object> =
        schema.objects.iter().filter(|object| !read.iter().any(|name| *name == object.name)).collect();
    let object = |object: &&Object| LeftObject {
        object: object.name.clone(),
        title: object.title.clone(),
        records: object.records,
        why: object.hint.clone().unwrap_or_else(|| "nothing in the spec reads it".to_owned()),
    };
    let unwritten = |map: &Map| {
        let name = map.name.clone();
        let target = map.target.clone();
        connect::barred(&plan.target.connector, &map.target).into_iter().map(move |barred| Unwritten {
            map: name.clone(),
            object: target.clone(),
            field: barred.field,
            why: barred.why,
        })
    };
    let own = |object: &&&Object| roles(&schema.connector, &object.name).own && !object.fields.is_empty();
    Gaps {
        format: GAPS,
        source: plan.source.account.clone(),
        target: plan.target.account.clone(),
        plan: plan.hash(),
        fields: left,
        objects: unread.iter().map(object).collect(),
        unwritten: plan.maps.iter().flat_map(unwritten).collect(),
        uploads: uploads(schema, ledger),
        by_hand: by_hand(plan),
        out_of_reach: survey::out_of_reach(&plan.source.connector).to_vec(),
        schema_maps: unread.iter().filter(own).map(|object| schema_map(schema, object)).collect(),
        open: plan
            .open
            .iter()
            .map(|open| format!("{}: {} ({})", plan.place_text(open.line), open.what, open.kind))
            .collect(),
    }
}

fn uploads(schema: &Schema, ledger: Option<&[FileField]>) -> Vec<Upload> {
    let mut found = Vec::new();
    for object in &schema.objects {
        for field in object.fields.iter().filter(|field| field.ty.base == Base::File) {
            let line = ledger.and_then(|ledger| {
                ledger.iter().find(|line| line.object == object.name && line.field == field.name)
            });
            let upload = Upload {
                object: object.name.clone(),
                field: field.name.clone(),
                records: line
                    .map(|line| line.records)
                    .or_else(|| field.stats.as_ref().map(|stats| stats.filled))
                    .or(object.records.filter(|records| *records == 0)),
                files: line.map(|line| line.files),
            };
            if upload.records != Some(0) {
                found.push(upload);
            }
        }
    }
    found
}

fn by_hand(plan: &Plan) -> Vec<ByHand> {
    let needed = plan.requires.iter().filter(|needed| needed.kind != "open choice");
    let mut found: Vec<ByHand> = needed
        .map(|needed| ByHand { kind: needed.kind.clone(), of: needed.of.clone(), name: needed.name.clone() })
        .collect();
    found.sort_by(|a, b| (&a.kind, &a.of, &a.name).cmp(&(&b.kind, &b.of, &b.name)));
    found.dedup();
    found
}
