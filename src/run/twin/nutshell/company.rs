//! A company's data and the ways to change it that keep links, revs and indexes in step.
//!
//! Knows nothing of requests, formats or permissions.

use std::collections::{BTreeMap, BTreeSet};

use super::agenda::Agenda;
use super::index::Index;
use super::record::{Actor, Custom, Deal, Kind, Link, Note, Record};
pub use super::tables::*;

/// Everything that one Nutshell account holds.
#[derive(Clone, Debug)]
pub struct Company {
    pub users: Vec<User>,
    pub teams: Vec<Named>,
    pub stagesets: Vec<Stageset>,
    pub milestones: Vec<Milestone>,
    pub outcomes: Vec<Outcome>,
    pub markets: Vec<Market>,
    pub industries: Vec<Named>,
    pub account_types: Vec<Named>,
    pub activity_types: Vec<Named>,
    pub territories: Vec<Named>,
    pub competitors: Vec<Named>,
    pub origins: Vec<Named>,
    pub sources: Vec<Source>,
    pub tags: Vec<Tag>,
    pub fields: Vec<Field>,
    pub deletions: Vec<Deletion>,
    /// Boxed: the nodes of a tree that grows at its end stay half empty.
    records: [BTreeMap<i64, Box<Record>>; 3],
    notes: BTreeMap<i64, Note>,
    pub(super) agenda: Agenda,
    pub(super) index: Index,
    counters: BTreeMap<&'static str, i64>,
    /// How far two ids stand apart.
    pub id_step: i64,
    /// Whether a change of links moves the other record's rev.
    pub neighbour_bumps: bool,
    /// How many leads are open or pending.
    open_leads: usize,
}

impl Default for Company {
    fn default() -> Company {
        Company {
            users: Vec::new(),
            teams: Vec::new(),
            stagesets: Vec::new(),
            milestones: Vec::new(),
            outcomes: Vec::new(),
            markets: Vec::new(),
            industries: Vec::new(),
            account_types: Vec::new(),
            activity_types: Vec::new(),
            territories: Vec::new(),
            competitors: Vec::new(),
            origins: Vec::new(),
            sources: Vec::new(),
            tags: Vec::new(),
            fields: Vec::new(),
            deletions: Vec::new(),
            records: Default::default(),
            notes: BTreeMap::new(),
            agenda: Agenda::default(),
            index: Index::default(),
            counters: BTreeMap::new(),
            id_step: 4,
            neighbour_bumps: true,
            open_leads: 0,
        }
    }
}

fn is_open(record: &Record) -> bool {
    record.deleted.is_none() && record.deal.as_ref().is_some_and(|deal| deal.status < 10)
}

impl Company {
    /// The next id of a type: the first is 3, the others follow by the step (sheet §10).
    pub fn next_id(&mut self, of: &'static str) -> i64 {
        let step = self.id_step.max(1);
        let next = self.counters.entry(of).or_insert(3);
        let id = *next;
        *next += step;
        id
    }

    /// The next visible lead number: 1000, 1001, …
    pub fn next_number(&mut self) -> i64 {
        let next = self.counters.entry("number").or_insert(1000);
        *next += 1;
        *next - 1
    }

    pub fn record(&self, kind: Kind, id: i64) -> Option<&Record> {
        self.records[kind as usize].get(&id).map(|record| &**record)
    }

    /// A record that is not deleted.
    pub fn live(&self, kind: Kind, id: i64) -> Option<&Record> {
        self.record(kind, id).filter(|record| record.deleted.is_none())
    }

    /// All records of a type by id, deleted ones included.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records[kind as usize].values().map(|record| &**record)
    }

    pub fn note(&self, id: i64) -> Option<&Note> {
        self.notes.get(&id)
    }

    /// All notes by id, deleted ones included.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.notes.values()
    }

    pub fn open_leads(&self) -> usize {
        self.open_leads
    }

    pub fn field(&self, kind: Kind, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.kind == kind && field.name == name)
    }

    pub fn field_by_id(&self, id: i64) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }

    /// A tag that is not deleted.
    pub fn tag(&self, kind: Kind, name: &str) -> Option<&Tag> {
        self.tags.iter().find(|tag| tag.kind == kind && tag.name == name && tag.deleted.is_none())
    }

    pub fn user(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub fn user_by_email(&self, email: &str) -> Option<&User> {
        self.users.iter().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    pub fn market(&self, id: i64) -> Option<&Market> {
        self.markets.iter().find(|market| market.id == id)
    }

    pub fn default_market(&self) -> Option<&Market> {
        self.markets.iter().find(|market| market.default).or_else(|| self.markets.first())
    }

    /// The first stage of a pipeline.
    pub fn first_stage(&self, stageset: i64) -> Option<&Milestone> {
        self.milestones.iter().filter(|stage| stage.stageset == stageset).min_by_key(|stage| stage.position)
    }

    pub fn default_stageset(&self) -> Option<&Stageset> {
        self.stagesets.iter().find(|set| set.default).or_else(|| self.stagesets.first())
    }

    /// Makes a tag.
    pub fn add_tag(&mut self, kind: Kind, name: String, color: i64) -> i64 {
        let id = self.tags.iter().map(|tag| tag.id).max().unwrap_or(0) + 1;
        self.tags.push(Tag { id, kind, name, color, deleted: None });
        id
    }

    /// Gets a source that is not deleted, or makes it; also tells whether it is new.
    pub fn get_or_add_source(&mut self, name: &str, channel: i64) -> (i64, bool) {
        if let Some(source) =
            self.sources.iter().find(|source| source.name == name && source.deleted.is_none())
        {
            return (source.id, false);
        }
        let id = self.sources.iter().map(|source| source.id).max().unwrap_or(0) + 1;
        self.sources.push(Source { id, name: name.to_owned(), channel, deleted: None });
        (id, true)
    }

    /// Defines a custom field.
    pub fn add_field(
        &mut self,
        kind: Kind,
        name: &str,
        field_type: FieldType,
        choices: Vec<String>,
        multiple: bool,
    ) -> i64 {
        let id = self.fields.iter().map(|field| field.id).max().unwrap_or(0) + 1;
        self.fields.push(Field { id, kind, name: name.to_owned(), field_type, choices, multiple });
        id
    }

    /// The origin that stands for a key, made when it is missing.
    pub fn origin(&mut self, name: &str) -> i64 {
        if let Some(origin) = self.origins.iter().find(|origin| origin.name == name) {
            return origin.id;
        }
        let id = self.origins.iter().map(|origin| origin.id).max().unwrap_or(0) + 1;
        self.origins.push(Named { id, name: name.to_owned() });
        id
    }

    /// An open lead at the first stage of the default pipeline, in no list yet; none without a pipeline.
    pub fn new_lead(&self, creator: Actor) -> Option<Record> {
        let stageset = self.default_stageset()?.id;
        let milestone = self.first_stage(stageset)?.id;
        let mut record = Record::new(Kind::Leads, creator);
        record.deal = Some(Box::new(Deal {
            number: 0,
            status: 0,
            stageset,
            milestone,
            outcome: None,
            market: self.default_market().map_or(0, |market| market.id),
            confidence: None,
            due: None,
            closed: None,
            priority: 0,
            manual: None,
            products: Vec::new(),
            competitors: Vec::new(),
            sources: Vec::new(),
        }));
        Some(record)
    }

    /// Puts a new record in, with its id, links and times; returns the id.
    pub fn insert(&mut self, mut record: Record, now_ms: i64) -> i64 {
        let kind = record.kind;
        record.id = self.next_id(kind.name());
        record.rev = 0;
        record.created = now_ms.div_euclid(1000);
        record.modified = record.created;
        let id = record.id;
        if record.deal.as_ref().is_some_and(|deal| deal.number == 0) {
            let number = self.next_number();
            if let Some(deal) = &mut record.deal {
                deal.number = number;
            }
        }
        tidy(&mut record);
        self.mirror(None, &record);
        self.index.change(None, &record, now_ms);
        self.open_leads += usize::from(is_open(&record));
        self.records[kind as usize].insert(id, Box::new(record));
        id
    }

    /// Moves the time of a record's creation.
    pub fn backdate(&mut self, kind: Kind, id: i64, created: i64) {
        if let Some(record) = self.records[kind as usize].get_mut(&id) {
            record.created = created;
        }
    }

    /// Replaces a record by a changed copy of it: moves its rev, its neighbours' links and the indexes.
    pub fn commit(&mut self, mut record: Record, now_ms: i64) {
        let Some(before) = self.records[record.kind as usize].remove(&record.id) else {
            return;
        };
        record.rev = before.rev + 1;
        record.modified = now_ms.div_euclid(1000);
        tidy(&mut record);
        self.mirror(Some(&before), &record);
        self.index.change(Some(&before), &record, now_ms);
        self.open_leads += usize::from(is_open(&record));
        self.open_leads -= usize::from(is_open(&before));
        self.records[record.kind as usize].insert(record.id, Box::new(record));
    }

    /// Edits a record as a person would in the web application; false when there is none.
    pub fn edit(&mut self, kind: Kind, id: i64, now_ms: i64, change: impl FnOnce(&mut Record)) -> bool {
        let Some(mut record) = self.record(kind, id).cloned() else {
            return false;
        };
        change(&mut record);
        (record.kind, record.id) = (kind, id);
        self.commit(record, now_ms);
        true
    }

    /// Moves a record to the trash; false when it is not there or there already.
    pub fn delete(&mut self, kind: Kind, id: i64, actor: Actor, now_ms: i64) -> bool {
        if self.live(kind, id).is_none() {
            return false;
        }
        let now = now_ms.div_euclid(1000);
        self.edit(kind, id, now_ms, |record| record.deleted = Some(now));
        self.bump_linked(kind, id);
        self.log_deletion(kind.rest(), id, actor, now);
        true
    }

    /// Takes a record out of the trash; `drops_links` loses tags and company links on the way (sheet §8).
    pub fn undelete(&mut self, kind: Kind, id: i64, drops_links: bool, now_ms: i64) -> bool {
        if self.record(kind, id).is_none_or(|record| record.deleted.is_none()) {
            return false;
        }
        self.edit(kind, id, now_ms, |record| {
            record.deleted = None;
            if drops_links {
                record.tags.clear();
                match kind {
                    Kind::Accounts => {
                        record.contacts.clear();
                        record.leads.clear();
                    }
                    Kind::Contacts | Kind::Leads => record.accounts.clear(),
                }
            }
        });
        self.bump_linked(kind, id);
        true
    }

    pub(super) fn log_deletion(&mut self, resource: &str, record: i64, actor: Actor, time: i64) {
        let id = self.next_id("events");
        let actor = match actor {
            Actor::User(id) => (true, id),
            Actor::Origin(id) => (false, id),
        };
        self.deletions.push(Deletion { id, time, resource: resource.to_owned(), record, actor });
    }

    /// Adds a note and moves its parent's rev; none when there is no such parent.
    pub fn add_note(
        &mut self,
        kind: Kind,
        parent: i64,
        text: String,
        author: Actor,
        now_ms: i64,
    ) -> Option<i64> {
        self.live(kind, parent)?;
        let id = self.next_id("Notes");
        let created = now_ms.div_euclid(1000);
        let seen_ms = now_ms.saturating_add(self.index.lag_ms);
        let note = Note { id, rev: 0, parent: (kind, parent), text, author, created, deleted: None, seen_ms };
        self.notes.insert(id, note);
        self.records[kind as usize].get_mut(&parent)?.notes.push(id);
        self.bump(kind, parent);
        Some(id)
    }

    /// Changes a note and moves its parent's rev.
    pub fn edit_note(&mut self, id: i64, change: impl FnOnce(&mut Note)) {
        let Some(note) = self.notes.get_mut(&id) else {
            return;
        };
        change(note);
        note.rev += 1;
        let (kind, parent) = note.parent;
        self.bump(kind, parent);
    }

    pub(super) fn bump(&mut self, kind: Kind, id: i64) {
        if self.neighbour_bumps
            && let Some(record) = self.records[kind as usize].get_mut(&id)
        {
            record.rev += 1;
        }
    }

    /// Moves the revs of everything that a record is linked to.
    pub fn bump_linked(&mut self, kind: Kind, id: i64) {
        let Some(record) = self.record(kind, id) else {
            return;
        };
        let mut others = Vec::new();
        for to in Kind::ALL {
            others.extend(record.links(to).iter().map(|link| (to, link.id)));
        }
        for (to, id) in others {
            self.bump(to, id);
        }
    }

    /// Carries a change of links over to the other ends.
    fn mirror(&mut self, before: Option<&Record>, after: &Record) {
        static NONE: Vec<Link> = Vec::new();
        for to in Kind::ALL {
            let old = before.map_or(&NONE, |record| record.links(to));
            let new = after.links(to);
            if old == new {
                continue;
            }
            self.index.touch(to);
            for link in old.iter().filter(|link| !new.iter().any(|kept| kept.id == link.id)) {
                if let Some(other) = self.records[to as usize].get_mut(&link.id) {
                    other.links_mut(after.kind).retain(|back| back.id != after.id);
                }
                self.bump(to, link.id);
            }
            for link in new.iter().filter(|link| !old.contains(link)) {
                if let Some(other) = self.records[to as usize].get_mut(&link.id) {
                    let back = Link { id: after.id, relationship: link.relationship.clone() };
                    let links = other.links_mut(after.kind);
                    match links.iter_mut().find(|known| known.id == after.id) {
                        Some(known) => *known = back,
                        None => links.push(back),
                    }
                }
                self.bump(to, link.id);
            }
        }
    }

    /// Makes searchable what has waited long enough.
    pub fn settle(&mut self, now_ms: i64) {
        let records = &self.records;
        self.index.settle(now_ms, |kind, id| {
            records[kind as usize].get(&id).is_some_and(|record| record.deleted.is_none())
        });
    }

    /// A lead's value: what was set by hand, or the sum of its products.
    pub fn lead_value(&self, record: &Record) -> rust_decimal::Decimal {
        let Some(deal) = &record.deal else {
            return rust_decimal::Decimal::ZERO;
        };
        deal.manual.unwrap_or_else(|| {
            deal.products.iter().fold(rust_decimal::Decimal::ZERO, |sum, line| {
                let price = line.price.checked_mul(line.quantity).unwrap_or_default();
                sum.checked_add(price).unwrap_or(sum)
            })
        })
    }

    /// The currency of a lead, which its market decides.
    pub fn lead_currency(&self, record: &Record) -> &str {
        let market = record.deal.as_ref().and_then(|deal| self.market(deal.market));
        market.or_else(|| self.default_market()).map_or("USD", |market| market.currency.as_str())
    }

    /// A custom field's value by name.
    pub fn custom<'a>(&self, record: &'a Record, name: &str) -> Option<&'a Custom> {
        let field = self.field(record.kind, name)?;
        record.custom.iter().find(|(id, _)| *id == field.id).map(|(_, value)| value)
    }
}

/// Keeps the first of several links to one record and no link to a record of the same type, in as little memory as
/// it takes: accounts of many records are held whole.
fn tidy(record: &mut Record) {
    let kind = record.kind;
    for to in Kind::ALL {
        let links = record.links_mut(to);
        if to == kind {
            links.clear();
        }
        let mut seen = BTreeSet::new();
        links.retain(|link| seen.insert(link.id));
        links.shrink_to_fit();
    }
    record.phone.shrink_to_fit();
    record.email.shrink_to_fit();
    record.url.shrink_to_fit();
    record.address.shrink_to_fit();
    record.custom.shrink_to_fit();
    record.tags.shrink_to_fit();
}
