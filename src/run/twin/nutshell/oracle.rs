//! What tests ask the twin past its API: doubles, links, counts, the whole state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Twin;
use super::record::Kind;
use super::rpc::render::Render;

impl Twin {
    /// The live records by a custom field's value, so that a value with two ids is a double.
    pub fn markers(&self, entity: &str, field_name: &str) -> BTreeMap<String, Vec<i64>> {
        let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let Some(kind) = Kind::parse(entity) else {
            return found;
        };
        let state = self.lock();
        for record in state.company.all(kind).filter(|record| record.deleted.is_none()) {
            if let Some(value) = state.company.custom(record, field_name) {
                found.entry(value.text()).or_default().push(record.id);
            }
        }
        found
    }

    /// Every link between live records: `(entity, id, relation, other id)`, each from both of its ends.
    ///
    /// Relations are `accounts`, `contacts`, `leads`, and `primaryAccount` of a lead.
    pub fn links(&self) -> BTreeSet<(String, i64, String, i64)> {
        let state = self.lock();
        let mut links = BTreeSet::new();
        for kind in Kind::ALL {
            for record in state.company.all(kind).filter(|record| record.deleted.is_none()) {
                for to in Kind::ALL {
                    let live =
                        record.links(to).iter().filter(|link| state.company.live(to, link.id).is_some());
                    for (at, link) in live.enumerate() {
                        links.insert((kind.name().to_owned(), record.id, to.rest().to_owned(), link.id));
                        if at == 0 && kind == Kind::Leads && to == Kind::Accounts {
                            links.insert((
                                kind.name().to_owned(),
                                record.id,
                                "primaryAccount".to_owned(),
                                link.id,
                            ));
                        }
                    }
                }
            }
        }
        links
    }

    /// How many records of a type are not deleted.
    pub fn live_count(&self, entity: &str) -> usize {
        let Some(kind) = Kind::parse(entity) else {
            return 0;
        };
        self.lock().company.all(kind).filter(|record| record.deleted.is_none()).count()
    }

    /// The whole state in a stable order: records as full RPC entities, deleted ones included. The order of phones,
    /// addresses and the like is part of the state.
    pub fn dump(&self) -> Value {
        let state = self.lock();
        let company = &state.company;
        let render = Render { company, settings: &state.settings };
        let mut dump = Map::new();
        for kind in Kind::ALL {
            let records = company.all(kind).map(|record| render.full(record)).collect();
            dump.insert(kind.rest().to_owned(), records);
        }
        dump.insert("notes".to_owned(), company.notes().map(|note| render.note(note)).collect());
        let tags = company.tags.iter().map(|tag| {
            json!({"id": tag.id, "entityType": tag.kind.name(), "name": tag.name, "deletedTime": tag.deleted})
        });
        dump.insert("tags".to_owned(), tags.collect());
        let sources = company.sources.iter().map(|source| {
            json!({"id": source.id, "name": source.name, "channel": source.channel, "deletedTime": source.deleted})
        });
        dump.insert("sources".to_owned(), sources.collect());
        let fields = company.fields.iter().map(|field| {
            json!({
                "id": field.id, "entityType": field.kind.name(), "name": field.name, "type": field.field_type.name(),
                "choices": field.choices, "isMultiple": field.multiple,
            })
        });
        dump.insert("customFields".to_owned(), fields.collect());
        Value::Object(dump)
    }
}
