//! What is different between two schemas of one system, each difference once, and single differences applied.
//!
//! Owns what counts as one difference: an added object brings its fields, enumerations and pipelines along; an added
//! or retyped field brings its enumeration. Statistics are not differences ([`refreshed`] takes them over). Knows no
//! spec.
//!
//! INVARIANT: every difference applied to the older schema gives the newer one, but for statistics; in any order as
//! long as reorderings come last.

mod apply;
mod compare;
#[cfg(test)]
mod tests;
mod words;

use serde::Serialize;

use super::{Pipeline, Schema};
use crate::lang::types::Type;

pub use compare::differences;

/// Where a difference stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case", tag = "place")]
pub enum Place {
    /// The system itself: connector, account.
    System,
    /// A record type.
    Object {
        /// Its name.
        object: String,
    },
    /// A field.
    Field {
        /// The object's name.
        object: String,
        /// The field's name.
        field: String,
    },
    /// An enumeration as a whole.
    Domain {
        /// Its name.
        domain: String,
    },
    /// A value of an enumeration.
    Choice {
        /// The enumeration's name.
        domain: String,
        /// The value's code.
        code: String,
    },
    /// A pipeline.
    Pipeline {
        /// The object whose records run through it.
        object: String,
        /// Its code.
        pipeline: String,
    },
    /// A stage.
    Stage {
        /// The object whose records run through it.
        object: String,
        /// The pipeline's code.
        pipeline: String,
        /// The stage's code.
        code: String,
    },
    /// A reason that closes a record.
    Outcome {
        /// The object whose records run through the pipeline.
        object: String,
        /// The pipeline's code.
        pipeline: String,
        /// The outcome's code.
        code: String,
    },
    /// A user.
    User {
        /// The id.
        user: String,
    },
    /// What an experiment found out. A schema without any answer says nothing of them.
    Answer {
        /// The question.
        question: String,
    },
}

/// What happened there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another title or name.
    Renamed {
        /// The older one; empty where there was none.
        old: String,
        /// The newer one; empty where there is none.
        new: String,
    },
    /// Its type is another.
    Retyped {
        /// The older type.
        #[serde(serialize_with = "shown")]
        old: Type,
        /// The newer type.
        #[serde(serialize_with = "shown")]
        new: Type,
    },
    /// One of its properties is another.
    Changed {
        /// Which property.
        property: Property,
        /// What it was, in words.
        old: String,
        /// What it is, in words.
        new: String,
    },
    /// What it holds stands in another order.
    Reordered,
}

fn shown<S: serde::Serializer>(ty: &Type, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ty)
}

/// A property that may change by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// Connector, account or its name.
    Account,
    /// Whether the API creates such records, and the hint that goes with it.
    Creatable,
    /// The custom-field types that can be made on an object.
    CustomTypes,
    /// The fields by which records can be found.
    Matchable,
    /// Whether a field must be written.
    Required,
    /// Whether the API takes a field.
    Writable,
    /// Whether the customer made a field.
    Custom,
    /// What the elements of a list carry.
    Attributes,
    /// Whether missing values of an enumeration can be created.
    Open,
    /// How a stage or outcome ends a record.
    Ends,
    /// Whether a user still works there.
    Active,
    /// A user's address, known by its hash.
    Email,
    /// What the answer is.
    Answer,
}

/// One difference between two schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What.
    #[serde(flatten)]
    pub kind: Kind,
    /// Its title in the newer schema, or in the older one where it is gone.
    pub title: Option<String>,
    /// Records that hold what was added, removed or changed, by the statistics of the schema that has it.
    pub records: Option<u64>,
}

/// The older schema with the statistics, record counts and day of the newer one.
pub fn refreshed(old: &Schema, new: &Schema) -> Schema {
    let mut schema = old.clone();
    schema.taken = new.taken;
    if !new.probed.is_empty() {
        schema.probed.day = new.probed.day;
    }
    for object in &mut schema.objects {
        let Some(newer) = new.object(&object.name) else { continue };
        object.records = newer.records;
        for field in &mut object.fields {
            if let Some(other) = newer.field(&field.name) {
                field.stats = other.stats.clone();
            }
        }
    }
    for pipeline in &mut schema.pipelines {
        if let Some(other) = find(&new.pipelines, &pipeline.object, &pipeline.code) {
            pipeline.records = other.records.clone();
        }
    }
    schema
}

fn find<'a>(pipelines: &'a [Pipeline], object: &str, code: &str) -> Option<&'a Pipeline> {
    pipelines.iter().find(|pipeline| pipeline.object == object && pipeline.code == code)
}
