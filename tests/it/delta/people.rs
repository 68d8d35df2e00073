//! People at work in the portal: each kind of change moves the times that the API's documentation says it moves, and no
//! others.

use std::collections::BTreeMap;

use b2n::run::connect::outside::Random;
use b2n::run::rehearsal::SplitMix;
use b2n::run::twin::bitrix24::{Entity, Link, Portal, Record};
use serde_json::{Value as Json, json};

/// What people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Retitle,
    Phone,
    Amount,
    Stage,
    Owner,
    LinkCompany,
    UnlinkCompany,
    LinkContact,
    UnlinkContact,
    MoveActivity,
    BindActivity,
    EditActivity,
    Delete,
    MergeCompanies,
    MergeContacts,
    AddRow,
    ChangeRow,
    RemoveRow,
    Comment,
    EditComment,
    DeleteComment,
    Copy,
    Import,
    Product,
    Process,
    Quote,
    /// A change in the very second in which the record was changed before it was extracted.
    SameSecond,
    /// An activity is planned with a record: its own time of change stays.
    Touch,
}

pub const DEEDS: [Deed; 28] = [
    Deed::Retitle,
    Deed::Phone,
    Deed::Amount,
    Deed::Stage,
    Deed::Owner,
    Deed::LinkCompany,
    Deed::UnlinkCompany,
    Deed::LinkContact,
    Deed::UnlinkContact,
    Deed::MoveActivity,
    Deed::BindActivity,
    Deed::EditActivity,
    Deed::Delete,
    Deed::MergeCompanies,
    Deed::MergeContacts,
    Deed::AddRow,
    Deed::ChangeRow,
    Deed::RemoveRow,
    Deed::Comment,
    Deed::EditComment,
    Deed::DeleteComment,
    Deed::Copy,
    Deed::Import,
    Deed::Product,
    Deed::Process,
    Deed::Quote,
    Deed::SameSecond,
    Deed::Touch,
];

/// A time as the portal prints it.
pub fn printed(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).expect("a time");
    at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(3))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The records that the same second is about: call it before they are extracted.
pub fn just_changed(portal: &mut Portal, now_ms: i64) {
    for entity in [Entity::Company, Entity::Deal, Entity::Contact] {
        let Some(records) = portal.records.get_mut(&entity) else { continue };
        for record in records.values_mut().rev().take(2) {
            record.insert("DATE_MODIFY".into(), json!(printed(now_ms)));
        }
    }
}

pub struct People<'p> {
    pub portal: &'p mut Portal,
    pub dice: &'p SplitMix,
    pub now_ms: i64,
    /// Only what the destination lets go again.
    pub tame: bool,
}

impl People<'_> {
    fn pick(&self, among: usize) -> usize {
        (self.dice.next_u64() % among.max(1) as u64) as usize
    }

    fn any(&self, entity: Entity) -> Option<i64> {
        let ids: Vec<i64> = self.portal.records.get(&entity)?.keys().copied().collect();
        ids.get(self.pick(ids.len())).copied()
    }

    fn edit(&mut self, entity: Entity, id: i64, stamp: Option<&str>, edit: impl FnOnce(&mut Record)) {
        let now = printed(self.now_ms);
        let record = self.portal.records.get_mut(&entity).and_then(|all| all.get_mut(&id)).expect("a record");
        edit(record);
        if let Some(stamp) = stamp {
            record.insert(stamp.into(), json!(now));
        }
    }

    fn word(&self) -> String {
        format!("w{}", self.dice.next_u64() % 100_000)
    }

    /// Does it where there is something to do it to; says what was done.
    pub fn does(&mut self, deed: Deed) -> Option<String> {
        let word = self.word();
        let changed = Some("DATE_MODIFY");
        Some(match deed {
            Deed::Retitle => {
                let entity = [Entity::Company, Entity::Deal, Entity::Lead][self.pick(3)];
                let id = self.any(entity)?;
                self.edit(entity, id, changed, |record| {
                    record.insert("TITLE".into(), json!(word));
                });
                format!("{entity:?} {id} is called {word}")
            }
            Deed::Phone => {
                let id = self.any(Entity::Contact)?;
                let number = 100_000 + self.pick(900_000);
                self.edit(Entity::Contact, id, changed, |record| {
                    record.insert(
                        "PHONE".into(),
                        json!([{"ID": "900001", "VALUE_TYPE": "WORK", "VALUE": format!("+49 30 {number}"), "TYPE_ID": "PHONE"}]),
                    );
                });
                format!("contact {id} has another phone")
            }
            Deed::Amount => {
                let id = self.any(Entity::Deal)?;
                let amount = self.pick(90_000);
                self.edit(Entity::Deal, id, changed, |record| {
                    record.insert("OPPORTUNITY".into(), json!(format!("{amount}.50")));
                });
                format!("deal {id} is worth {amount}.50")
            }
            Deed::Stage => {
                let id = self.any(Entity::Deal)?;
                // Closed ones are opened again by it, too.
                let category = self.portal.records[&Entity::Deal][&id].get("CATEGORY_ID").cloned();
                let category = category.and_then(|id| id.as_str().map(str::to_owned)).unwrap_or_default();
                let of = if ["", "0"].contains(&category.as_str()) {
                    "DEAL_STAGE".to_owned()
                } else {
                    format!("DEAL_STAGE_{category}")
                };
                let stages: Vec<Json> = self
                    .portal
                    .statuses
                    .iter()
                    .filter(|row| row.get("ENTITY_ID").and_then(Json::as_str) == Some(&of))
                    .map(|row| row["STATUS_ID"].clone())
                    .collect();
                let stage = stages.get(self.pick(stages.len()))?.clone();
                let now = printed(self.now_ms);
                self.edit(Entity::Deal, id, changed, |record| {
                    record.insert("STAGE_ID".into(), stage.clone());
                    record.insert("MOVED_TIME".into(), json!(now));
                });
                format!("deal {id} goes to {stage}")
            }
            Deed::Owner => {
                let entity = [Entity::Company, Entity::Contact, Entity::Deal][self.pick(3)];
                let id = self.any(entity)?;
                let users: Vec<i64> = self.portal.users.keys().copied().collect();
                let user = users[self.pick(users.len())].to_string();
                self.edit(entity, id, changed, |record| {
                    record.insert("ASSIGNED_BY_ID".into(), json!(user));
                });
                format!("{entity:?} {id} belongs to user {user}")
            }
            Deed::LinkCompany => {
                let (id, to) = (self.any(Entity::Contact)?, self.any(Entity::Company)?);
                link(&mut self.portal.contact_companies, id, to);
                format!("contact {id} works for {to}")
            }
            Deed::UnlinkCompany => {
                let id = self.any(Entity::Contact)?;
                self.portal.contact_companies.get_mut(&id)?.pop()?;
                format!("contact {id} works for one less")
            }
            Deed::LinkContact => {
                let (id, to) = (self.any(Entity::Deal)?, self.any(Entity::Contact)?);
                link(&mut self.portal.deal_contacts, id, to);
                format!("deal {id} has contact {to}")
            }
            Deed::UnlinkContact => {
                let id = self.any(Entity::Deal)?;
                self.portal.deal_contacts.get_mut(&id)?.pop()?;
                format!("deal {id} has one contact less")
            }
            Deed::MoveActivity => {
                let (id, to) = (self.activity()?, self.any(Entity::Deal)?);
                self.edit(Entity::Activity, id, None, |record| {
                    record.insert("OWNER_TYPE_ID".into(), json!("2"));
                    record.insert("OWNER_ID".into(), json!(to.to_string()));
                });
                self.portal.bindings.insert(id, vec![(2, to)]);
                format!("activity {id} hangs on deal {to}")
            }
            Deed::BindActivity => {
                let (id, to) = (self.activity()?, self.any(Entity::Contact)?);
                let bindings = self.portal.bindings.entry(id).or_default();
                if bindings.contains(&(3, to)) {
                    return None;
                }
                bindings.push((3, to));
                format!("activity {id} hangs on contact {to}, too")
            }
            Deed::EditActivity => {
                let id = self.activity()?;
                self.edit(Entity::Activity, id, Some("LAST_UPDATED"), |record| {
                    record.insert("SUBJECT".into(), json!(word));
                });
                format!("activity {id} is about {word}")
            }
            Deed::Delete => {
                let entity = [Entity::Company, Entity::Contact, Entity::Deal, Entity::Activity][self.pick(4)];
                let id = if entity == Entity::Activity { self.activity()? } else { self.any(entity)? };
                self.portal.remove_record(entity, id)?;
                self.forget(entity, id);
                format!("{entity:?} {id} is deleted")
            }
            Deed::MergeCompanies => {
                let (keep, gone) = (self.any(Entity::Company)?, self.any(Entity::Company)?);
                // The destination cannot move notes.
                if keep == gone || self.tame && self.is_talked_about(Entity::Company, gone) {
                    return None;
                }
                self.merge(Entity::Company, "COMPANY_ID", keep, gone);
                for links in self.portal.contact_companies.values_mut() {
                    rename(links, gone, keep);
                }
                self.portal.remove_record(Entity::Company, gone);
                self.edit(Entity::Company, keep, changed, |_| {});
                format!("company {gone} is merged into {keep}")
            }
            Deed::MergeContacts => {
                let (keep, gone) = (self.any(Entity::Contact)?, self.any(Entity::Contact)?);
                // The destination cannot move notes.
                if keep == gone || self.tame && self.is_talked_about(Entity::Contact, gone) {
                    return None;
                }
                self.merge(Entity::Contact, "CONTACT_ID", keep, gone);
                let theirs = self.portal.contact_companies.get(&gone).cloned().unwrap_or_default();
                theirs.iter().for_each(|one| link(&mut self.portal.contact_companies, keep, one.id));
                let tables = [&mut self.portal.deal_contacts, &mut self.portal.quote_contacts];
                tables.into_iter().flat_map(BTreeMap::values_mut).for_each(|links| rename(links, gone, keep));
                self.portal.remove_record(Entity::Contact, gone);
                self.edit(Entity::Contact, keep, changed, |_| {});
                format!("contact {gone} is merged into {keep}")
            }
            Deed::AddRow | Deed::ChangeRow | Deed::RemoveRow => {
                let owners: Vec<i64> = self
                    .portal
                    .rows
                    .iter()
                    .filter(|((entity, _), rows)| *entity == Entity::Deal && !rows.is_empty())
                    .map(|((_, id), _)| *id)
                    .collect();
                let id = *owners.get(self.pick(owners.len()))?;
                let next =
                    self.portal.rows.values().flatten().filter_map(|row| row["ID"].as_str()?.parse().ok());
                let next: i64 = next.max().unwrap_or(0) + 1;
                let number = self.pick(90) + 2;
                let rows = self.portal.rows.get_mut(&(Entity::Deal, id))?;
                match deed {
                    Deed::AddRow => {
                        let mut row = rows.last()?.clone();
                        row.insert("ID".into(), json!(next.to_string()));
                        row.insert("SORT".into(), json!(1_000 + next));
                        rows.push(row);
                    }
                    Deed::ChangeRow => {
                        rows.first_mut()?.insert("QUANTITY".into(), json!(number));
                    }
                    _ => {
                        rows.pop();
                    }
                }
                format!("deal {id}: {deed:?}")
            }
            Deed::Comment => {
                let template = self.portal.records.get(&Entity::Comment)?.values().next()?.clone();
                let entity = [Entity::Company, Entity::Contact, Entity::Deal][self.pick(3)];
                let owner = self.any(entity)?;
                let mut record = template;
                record.insert("ENTITY_TYPE".into(), json!(entity.timeline_word()));
                record.insert("ENTITY_ID".into(), json!(owner.to_string()));
                record.insert("COMMENT".into(), json!(word));
                record.insert("CREATED".into(), json!(printed(self.now_ms)));
                let id = self.add(Entity::Comment, record);
                format!("comment {id} on {entity:?} {owner}")
            }
            Deed::EditComment => {
                let id = self.any(Entity::Comment)?;
                self.edit(Entity::Comment, id, None, |record| {
                    record.insert("COMMENT".into(), json!(word));
                });
                format!("comment {id} says {word}")
            }
            Deed::DeleteComment => {
                let id = self.any(Entity::Comment)?;
                self.portal.remove_record(Entity::Comment, id);
                format!("comment {id} is deleted")
            }
            Deed::Copy | Deed::Import => {
                let entity = [Entity::Company, Entity::Contact, Entity::Deal, Entity::Lead][self.pick(4)];
                let mut record = self.portal.records[&entity][&self.any(entity)?].clone();
                let at = if deed == Deed::Copy { self.now_ms } else { self.now_ms - 900 * 86_400_000 };
                record.insert("DATE_CREATE".into(), json!(printed(at)));
                record.insert("DATE_MODIFY".into(), json!(printed(at)));
                if entity != Entity::Contact {
                    record.insert("TITLE".into(), json!(word));
                }
                let id = self.add(entity, record);
                format!("{entity:?} {id} is new, of {}", printed(at))
            }
            Deed::Product => {
                let id = self.any(Entity::Product)?;
                self.edit(Entity::Product, id, Some("TIMESTAMP_X"), |record| {
                    record.insert("NAME".into(), json!(word));
                });
                format!("product {id} is called {word}")
            }
            Deed::Process => {
                let entities = self.portal.entities();
                let entity = entities.into_iter().find(|entity| matches!(entity, Entity::Process(_)))?;
                let id = self.any(entity)?;
                self.edit(entity, id, Some("UPDATED_TIME"), |record| {
                    record.insert("TITLE".into(), json!(word));
                });
                format!("{entity:?} {id} is called {word}")
            }
            Deed::Quote => {
                let id = self.any(Entity::Quote)?;
                self.edit(Entity::Quote, id, changed, |record| {
                    record.insert("TITLE".into(), json!(word));
                });
                format!("estimate {id} is called {word}")
            }
            Deed::SameSecond => {
                let entity = [Entity::Company, Entity::Deal][self.pick(2)];
                let (id, _) = self.portal.records.get(&entity)?.last_key_value()?;
                let id = *id;
                // Its time is that of `just_changed`.
                self.edit(entity, id, None, |record| {
                    record.insert("TITLE".into(), json!(word));
                });
                format!("{entity:?} {id} is called {word}, in the second of its last change")
            }
            Deed::Touch => {
                let entity = [Entity::Company, Entity::Contact, Entity::Deal, Entity::Lead][self.pick(4)];
                let id = self.any(entity)?;
                self.edit(entity, id, Some("LAST_ACTIVITY_TIME"), |_| {});
                format!("{entity:?} {id} was called")
            }
        })
    }

    fn is_talked_about(&self, entity: Entity, id: i64) -> bool {
        let comments = self.portal.records.get(&Entity::Comment).into_iter().flat_map(BTreeMap::values);
        let of = |record: &Record, field: &str| record.get(field).and_then(Json::as_str).map(str::to_owned);
        comments.into_iter().any(|record| {
            of(record, "ENTITY_TYPE") == Some(entity.timeline_word())
                && of(record, "ENTITY_ID") == Some(id.to_string())
        })
    }

    fn activity(&self) -> Option<i64> {
        let all = self.portal.records.get(&Entity::Activity)?;
        let kinds: &[&str] = if self.tame { &["1", "2"] } else { &["0", "1", "2", "3", "4", "5", "6"] };
        let fits = |record: &Record| record["TYPE_ID"].as_str().is_some_and(|kind| kinds.contains(&kind));
        let ids: Vec<i64> = all.iter().filter(|(_, record)| fits(record)).map(|(id, _)| *id).collect();
        ids.get(self.pick(ids.len())).copied()
    }

    fn add(&mut self, entity: Entity, record: Record) -> i64 {
        let all = self.portal.records.entry(entity).or_default();
        let id = all.last_key_value().map_or(1, |(id, _)| id + 3);
        let mut record = record;
        record.insert("ID".into(), json!(id.to_string()));
        if entity == Entity::Comment
            || self.portal.records[&entity].values().all(|one| !one.contains_key("ID"))
        {
            record.remove("ID");
        }
        if entity == Entity::Comment {
            record.insert("ID".into(), json!(id.to_string()));
        }
        self.portal.records.entry(entity).or_default().insert(id, record);
        id
    }

    /// What hung on a record is given to another one; no time moves by it.
    fn merge(&mut self, entity: Entity, field: &str, keep: i64, gone: i64) {
        let kind = entity.type_id();
        for bindings in self.portal.bindings.values_mut() {
            bindings.iter_mut().filter(|one| **one == (kind, gone)).for_each(|one| one.1 = keep);
            let mut seen = Vec::new();
            bindings.retain(|one| {
                let new = !seen.contains(one);
                seen.push(*one);
                new
            });
        }
        for (of, records) in &mut self.portal.records {
            for record in records.values_mut() {
                let is = |record: &Record, field: &str, value: &str| {
                    record.get(field).and_then(Json::as_str) == Some(value)
                };
                if *of != entity && is(record, field, &gone.to_string()) {
                    record.insert(field.into(), json!(keep.to_string()));
                }
                let owned = *of == Entity::Comment && is(record, "ENTITY_TYPE", &entity.timeline_word());
                if owned && is(record, "ENTITY_ID", &gone.to_string()) {
                    record.insert("ENTITY_ID".into(), json!(keep.to_string()));
                }
                let owned = *of == Entity::Activity && is(record, "OWNER_TYPE_ID", &kind.to_string());
                if owned && is(record, "OWNER_ID", &gone.to_string()) {
                    record.insert("OWNER_ID".into(), json!(keep.to_string()));
                }
            }
        }
    }

    /// A deleted record takes its comments with it, and nobody names it any more.
    fn forget(&mut self, entity: Entity, id: i64) {
        let word = entity.timeline_word();
        if let Some(comments) = self.portal.records.get_mut(&Entity::Comment) {
            comments.retain(|_, record| {
                let of = record.get("ENTITY_TYPE").and_then(Json::as_str) == Some(&word);
                !(of && record.get("ENTITY_ID").and_then(Json::as_str) == Some(&id.to_string()))
            });
        }
        let field = match entity {
            Entity::Company => "COMPANY_ID",
            Entity::Contact => "CONTACT_ID",
            _ => return,
        };
        for records in self.portal.records.values_mut() {
            for record in records.values_mut() {
                if record.get(field).and_then(Json::as_str) == Some(&id.to_string()) {
                    record.remove(field);
                }
            }
        }
    }
}

fn link(table: &mut BTreeMap<i64, Vec<Link>>, id: i64, to: i64) {
    let links = table.entry(id).or_default();
    if links.iter().all(|link| link.id != to) {
        let sort = links.last().map_or(0, |link| link.sort) + 10;
        links.push(Link { id: to, sort, primary: links.is_empty() });
    }
}

fn rename(links: &mut Vec<Link>, gone: i64, keep: i64) {
    if links.iter().any(|link| link.id == keep) {
        links.retain(|link| link.id != gone);
    } else {
        links.iter_mut().filter(|link| link.id == gone).for_each(|link| link.id = keep);
    }
}
