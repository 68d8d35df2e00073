//! What several tests of this folder need: the reference data, and a schema made of it.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::schema::build::{Answers, Described};
use crate::lang::schema::Schema;

/// A file of the reference data, if it is there.
pub(super) fn reference(path: &str) -> Option<Json> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tried = ["../shared/reference/bitrix24", "../../shared/reference/bitrix24"];
    for base in tried {
        if let Ok(bytes) = std::fs::read(root.join(base).join(path)) {
            return Some(serde_json::from_slice(&bytes).expect("the reference data is JSON"));
        }
    }
    println!("skipped: the reference data `{path}` is not there");
    None
}

/// The schema of the documented `*.fields` answers.
pub(super) fn documented_schema() -> Option<Schema> {
    let mut answers = Answers::default();
    for object in ["company", "contact", "deal", "lead"] {
        let result = |path: String| reference(&path).map(|mut json| json["result"].take());
        answers.objects.push(Described {
            name: object.to_owned(),
            fields: result(format!("fields/crm.{object}.fields.json"))?,
            userfields: result(format!("samples/crm.{object}.userfield.list.json"))?,
            ..Described::default()
        });
    }
    for (object, file) in [
        ("quote", "crm.quote.fields"),
        ("product", "crm.product.fields"),
        ("activity", "crm.activity.fields"),
        ("comment", "crm.timeline.comment.fields"),
        ("process 1268", "crm.item.fields.spa-1268.original-uf-names"),
    ] {
        let fields = reference(&format!("fields/{file}.json")).map(|mut json| json["result"].take())?;
        answers.objects.push(Described { name: object.to_owned(), fields, ..Described::default() });
    }
    let rows = |path: &str, at: &str| reference(path).and_then(|json| json.pointer(at)?.as_array().cloned());
    answers.statuses = rows("samples/crm.status.list.json", "/result")?;
    answers.statuses.extend(rows("samples/crm.status.list.lead.json", "/result")?);
    answers.categories = rows("samples/crm.category.list.json", "/result/categories")?;
    answers.currencies = rows("samples/crm.currency.list.json", "/result")?;
    Some(answers.schema("salt"))
}
