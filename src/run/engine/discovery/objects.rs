//! Objects that the customer made: whether they fold into the record they belong to, and their whole schema for whoever
//! rebuilds them.

use serde::Serialize;

use super::{ObjectCount, roles};
use crate::lang::schema::{Object, Schema};
use crate::lang::types::Base;
use crate::run::connect::survey::Counted;

/// More custom fields than this do not fold into another record's form.
const FIELDS: u64 = 20;
/// More lists than this make more than a few lines of a note.
const LISTS: u64 = 3;

/// Whether an object is simple, with the numbers that say so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Its name in specs.
    pub object: String,
    /// What people call it.
    pub title: Option<String>,
    /// It folds into the record it belongs to; otherwise the hand-over has a schema map of it.
    pub simple: bool,
    /// What makes it complex; empty where nothing does.
    pub reasons: Vec<String>,
    /// How many records there are.
    pub records: Counted,
    /// Custom fields.
    pub custom_fields: u64,
    /// Lists among them.
    pub lists: u64,
    /// Files among them.
    pub files: u64,
    /// Objects that its records belong to.
    pub parents: Vec<String>,
    /// Objects whose records belong to it.
    pub children: Vec<String>,
    /// Its pipelines.
    pub pipelines: u64,
    /// The stages in them.
    pub stages: u64,
}

/// The objects that fields of an object link to, each once.
fn links(object: &Object) -> Vec<String> {
    let to = |field: &crate::lang::schema::Field| match &field.ty.base {
        Base::Link(name) => Some(name.clone()),
        _ => None,
    };
    let mut found: Vec<String> = object.fields.iter().filter_map(to).collect();
    found.sort();
    found.dedup();
    found
}

/// Judges an object.
pub fn verdict(schema: &Schema, object: &Object, count: Option<&ObjectCount>) -> Verdict {
    let custom: Vec<_> = object.fields.iter().filter(|field| field.custom).collect();
    let number = |test: &dyn Fn(&&crate::lang::schema::Field) -> bool| {
        custom.iter().filter(|field| test(field)).count() as u64
    };
    let (lists, files) = (number(&|f| f.ty.many), number(&|f| f.ty.base == Base::File));
    let open = number(&|f| matches!(f.ty.base, Base::AnyLink | Base::Opaque(_)));
    let own = |name: &String| roles(&schema.connector, name).own;
    let parents = links(object);
    let children: Vec<String> = schema
        .objects
        .iter()
        .filter(|other| other.name != object.name && own(&other.name) && links(other).contains(&object.name))
        .map(|other| other.name.clone())
        .collect();
    let of: Vec<_> = schema.pipelines.iter().filter(|pipeline| pipeline.object == object.name).collect();
    let stages = of.iter().map(|pipeline| pipeline.stages.len() as u64).sum();
    let custom_fields = custom.len() as u64;
    let mut reasons = Vec::new();
    let mut because = |holds: bool, why: String| {
        if holds {
            reasons.push(why);
        }
    };
    because(custom_fields > FIELDS, format!("{custom_fields} custom fields, more than {FIELDS}"));
    because(lists > LISTS, format!("{lists} custom fields with several values, more than {LISTS}"));
    because(files > 0, format!("{files} custom fields with files, which the destination does not take"));
    because(
        open > 0,
        format!("{open} custom fields that link to several kinds of records or are an application's own"),
    );
    let inner = parents.contains(&object.name);
    let parents: Vec<String> = parents.into_iter().filter(|name| *name != object.name).collect();
    because(inner, "its records link to each other".to_owned());
    because(
        parents.is_empty(),
        "it belongs to no other object, so that there is nothing to fold it into".to_owned(),
    );
    because(parents.iter().any(own), "it belongs to another object that the customer made".to_owned());
    because(!children.is_empty(), format!("records of {} belong to it", children.join(", ")));
    because(of.len() > 1, format!("{} pipelines of its own with {stages} stages", of.len()));
    Verdict {
        object: object.name.clone(),
        title: object.title.clone(),
        simple: reasons.is_empty(),
        reasons,
        records: count.map_or_else(
            || {
                object
                    .records
                    .map_or_else(|| Counted::Unknown("nobody has counted it".to_owned()), Counted::Known)
            },
            |count| count.records.clone(),
        ),
        custom_fields,
        lists,
        files,
        parents,
        children,
        pipelines: of.len() as u64,
        stages,
    }
}

/// One way in which an object hangs together with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Relation {
    /// The field that holds the link.
    pub field: String,
    /// Where it leads.
    pub to: String,
}

/// A field for whoever rebuilds an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapField {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: Option<String>,
    /// Its type, as specs write it.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether the customer made it.
    pub custom: bool,
    /// Records in which it has a value, where that was counted.
    pub filled: Option<u64>,
    /// Its choices.
    pub choices: Vec<String>,
}

/// A pipeline for whoever rebuilds an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapPipeline {
    /// Its name.
    pub name: String,
    /// Its stages, in order.
    pub stages: Vec<String>,
}

/// The whole schema of an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchemaMap {
    /// Whether it would fold.
    pub verdict: Verdict,
    /// Its fields, those that the customer made first.
    pub fields: Vec<MapField>,
    /// What it links to.
    pub relations: Vec<Relation>,
    /// Its pipelines.
    pub pipelines: Vec<MapPipeline>,
}

/// The schema map of an object.
pub fn schema_map(schema: &Schema, object: &Object) -> SchemaMap {
    let choices = |base: &Base| match base {
        Base::Enum(domain) => schema
            .domains
            .get(domain)
            .map(|domain| {
                domain.choices.iter().map(|c| c.title.clone().unwrap_or_else(|| c.code.clone())).collect()
            })
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    let field = |field: &crate::lang::schema::Field| MapField {
        name: field.name.clone(),
        title: field.title.clone(),
        ty: field.ty.to_string(),
        custom: field.custom,
        filled: field.stats.as_ref().map(|stats| stats.filled),
        choices: if field.custom { choices(&field.ty.base) } else { Vec::new() },
    };
    let mut fields: Vec<MapField> = object.fields.iter().map(field).collect();
    fields.sort_by_key(|field| !field.custom);
    let relation = |field: &crate::lang::schema::Field| match &field.ty.base {
        Base::Link(to) => Some(Relation { field: field.name.clone(), to: to.clone() }),
        Base::AnyLink => Some(Relation { field: field.name.clone(), to: "several objects".to_owned() }),
        _ => None,
    };
    let pipeline = |pipeline: &crate::lang::schema::Pipeline| MapPipeline {
        name: pipeline.name.clone(),
        stages: pipeline.stages.iter().map(|stage| stage.name.clone()).collect(),
    };
    SchemaMap {
        verdict: verdict(schema, object, None),
        fields,
        relations: object.fields.iter().filter_map(relation).collect(),
        pipelines: schema.pipelines.iter().filter(|p| p.object == object.name).map(pipeline).collect(),
    }
}
