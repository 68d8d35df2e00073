//! What tests ask the twin past its API: doubles, links, counts, the whole state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Twin;
use super::agenda::Party;
use super::company::Company;
use super::record::Kind;
use super::rpc::render::Render;

impl Twin {
    /// The live records by a custom field's value, so that a value with two ids is a double. Products, activities,
    /// notes and tasks have no custom fields: there it is the last line of the text, `[Label value]` for a field
    /// `Label key`.
    pub fn markers(&self, entity: &str, field_name: &str) -> BTreeMap<String, Vec<i64>> {
        let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let state = self.lock();
        let Some(kind) = Kind::parse(entity) else {
            let label = field_name.trim_end_matches(" key");
            for (id, text) in texts(&state.company, entity) {
                let last =
                    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
                let inside = last.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
                if let Some(value) =
                    inside.and_then(|line| line.strip_prefix(label)).and_then(|line| line.strip_prefix(' '))
                {
                    found.entry(value.to_owned()).or_default().push(id);
                }
            }
            return found;
        };
        for record in state.company.all(kind).filter(|record| record.deleted.is_none()) {
            if let Some(value) = state.company.custom(record, field_name) {
                found.entry(value.text()).or_default().push(record.id);
            }
        }
        found
    }

    /// Every link between live records: `(entity, id, relation, other id)`, each from both of its ends.
    ///
    /// Relations are `accounts`, `contacts`, `leads`, and `primaryAccount` of a lead; `products` of a lead; of
    /// activities, notes, tasks and e-mails, from their end only, the same and `users`.
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
        let company = &state.company;
        let mut add = |entity: &str, id: i64, relation: &str, other: i64| {
            links.insert((entity.to_owned(), id, relation.to_owned(), other));
        };
        for lead in company.all(Kind::Leads).filter(|lead| lead.deleted.is_none()) {
            for line in lead.deal.iter().flat_map(|deal| &deal.products) {
                add("Leads", lead.id, "products", line.product);
            }
        }
        for note in company.notes().filter(|note| note.deleted.is_none()) {
            add("Notes", note.id, note.parent.0.rest(), note.parent.1);
        }
        for activity in company.agenda.activities.values().filter(|a| a.head.deleted.is_none()) {
            for (kind, id) in activity.about() {
                add("Activities", activity.head.id, kind.rest(), id);
            }
            for party in &activity.participants {
                if let Party::User(user) = party {
                    add("Activities", activity.head.id, "users", *user);
                }
            }
        }
        for email in company.agenda.emails.values() {
            for (kind, id) in &email.about {
                add("Emails", email.head.id, kind.rest(), *id);
            }
        }
        for task in company.agenda.tasks.values().filter(|task| task.head.deleted.is_none()) {
            if let Some((kind, id)) = task.entity {
                add("Tasks", task.head.id, kind.rest(), id);
            }
        }
        links
    }

    /// How many records of a type are not deleted.
    pub fn live_count(&self, entity: &str) -> usize {
        let Some(kind) = Kind::parse(entity) else {
            return texts(&self.lock().company, entity).len();
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
        let agenda = &company.agenda;
        let rows = agenda.products.values().map(|product| render.product(product, false));
        dump.insert("products".to_owned(), rows.collect());
        // At the beginning of time nothing is overdue.
        let rows = agenda.activities.values().map(|activity| render.activity(activity, false, i64::MIN));
        dump.insert("activities".to_owned(), rows.collect());
        dump.insert("tasks".to_owned(), agenda.tasks.values().map(|task| render.task(task)).collect());
        dump.insert("emails".to_owned(), agenda.emails.values().map(|email| render.email(email)).collect());
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

/// The live products, activities, notes, tasks or e-mails, each with the text that can hold a marker.
fn texts(company: &Company, entity: &str) -> Vec<(i64, String)> {
    let agenda = &company.agenda;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match entity {
        "Products" => {
            let live = agenda.products.values().filter(|product| product.head.deleted.is_none());
            live.map(|product| (product.head.id, text(&product.description))).collect()
        }
        "Activities" => {
            let live = agenda.activities.values().filter(|activity| activity.head.deleted.is_none());
            live.map(|activity| (activity.head.id, text(&activity.description))).collect()
        }
        "Tasks" => {
            let live = agenda.tasks.values().filter(|task| task.head.deleted.is_none());
            live.map(|task| (task.head.id, text(&task.description))).collect()
        }
        "Notes" => {
            let live = company.notes().filter(|note| note.deleted.is_none());
            live.map(|note| (note.id, note.text.clone())).collect()
        }
        "Emails" => agenda.emails.values().map(|email| (email.head.id, email.shown())).collect(),
        _ => Vec::new(),
    }
}
