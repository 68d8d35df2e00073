//! Fields, blanks and derived values of records.
//!
//! Owns how a field is described, what stands behind a code, and how a blank is spelled. Knows no parameters and
//! no paging.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::hash;
use super::portal::{Entity, Link, Portal, Record};
use super::tables::Table;

/// The multifield codes: arrays of objects that no select mask covers (sheet 7).
pub(super) const MULTIFIELDS: [&str; 5] = ["PHONE", "EMAIL", "WEB", "IM", "LINK"];

/// Described by `*.fields`, returned by nothing classic (sheet 7).
pub(super) const UNRETURNED: [&str; 2] = ["CONTACT_IDS", "COMPANY_IDS"];

/// A field's description, as far as the server acts on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) code: &'a str,
    pub(super) kind: &'a str,
    pub(super) multiple: bool,
    pub(super) custom: bool,
}

impl<'a> Field<'a> {
    /// Reads a description of `*.fields`.
    pub(super) fn new(code: &'a str, description: &'a Record) -> Self {
        let flag = |key| description.get(key).and_then(Value::as_bool).unwrap_or(false);
        Field {
            code,
            kind: description.get("type").and_then(Value::as_str).unwrap_or("string"),
            multiple: flag("isMultiple"),
            custom: flag("isDynamic") || code.starts_with("UF_"),
        }
    }

    /// A field that a record carries though nothing describes it.
    pub(super) fn undescribed(code: &'a str) -> Self {
        let kind = if code.starts_with("PARENT_ID_") { "crm_entity" } else { "string" };
        Field { code, kind, multiple: false, custom: code.starts_with("UF_") }
    }

    /// Whether the field links to another CRM record.
    pub(super) fn is_link(self) -> bool {
        let links = ["crm_company", "crm_contact", "crm_lead", "crm_deal", "crm_quote", "crm_entity"];
        links.contains(&self.kind)
    }

    /// Whether values are whole numbers in universal answers.
    pub(super) fn is_integer(self) -> bool {
        self.is_link()
            || matches!(self.kind, "integer" | "int" | "user" | "employee" | "crm_category" | "enumeration")
            || matches!(self.kind, "location" | "iblock_element" | "iblock_section")
    }

    /// Whether values compare as numbers.
    pub(super) fn is_number(self) -> bool {
        self.is_integer() || self.kind == "double"
    }

    /// Whether this is one of the multifields.
    pub(super) fn is_multifield(self) -> bool {
        MULTIFIELDS.contains(&self.code)
    }
}

impl Entity {
    /// `entityTypeId`.
    pub fn type_id(self) -> i64 {
        match self {
            Entity::Lead => 1,
            Entity::Deal => 2,
            Entity::Contact => 3,
            Entity::Company => 4,
            Entity::Quote => 7,
            Entity::Process(id) => i64::from(id),
            // No CRM types: nothing asks for them by number.
            Entity::Product | Entity::Activity | Entity::Comment => 0,
        }
    }

    /// The word in classic method names.
    pub fn word(self) -> &'static str {
        match self {
            Entity::Lead => "lead",
            Entity::Deal => "deal",
            Entity::Contact => "contact",
            Entity::Company => "company",
            Entity::Quote => "quote",
            Entity::Product => "product",
            Entity::Activity => "activity",
            Entity::Comment => "comment",
            Entity::Process(_) => "process",
        }
    }

    /// The short code of owners of product rows and of bindings (sheet 6).
    pub fn short_code(self) -> String {
        match self {
            Entity::Lead => "L".into(),
            Entity::Deal => "D".into(),
            Entity::Contact => "C".into(),
            Entity::Company => "CO".into(),
            Entity::Quote => "Q".into(),
            Entity::Process(31) => "SI".into(),
            Entity::Process(id) => format!("T{id:x}"),
            Entity::Product | Entity::Activity | Entity::Comment => String::new(),
        }
    }

    /// The word in `ENTITY_TYPE` of comments (sheet 10.16).
    pub fn timeline_word(self) -> String {
        match self {
            Entity::Process(31) => "smart_invoice".into(),
            Entity::Process(id) => format!("dynamic_{id}"),
            other => other.word().into(),
        }
    }

    /// The entity of an `entityTypeId`.
    pub fn of_type_id(id: i64) -> Option<Self> {
        match id {
            7 => Some(Entity::Quote),
            // Smart invoices are items as those of processes are (sheet 10.14).
            31 | 128.. => u32::try_from(id).ok().map(Entity::Process),
            _ => Entity::ALL.into_iter().find(|e| e.type_id() == id),
        }
    }

    /// Whether records have phones and e-mails.
    pub(super) fn has_multifields(self) -> bool {
        matches!(self, Entity::Lead | Entity::Contact | Entity::Company)
    }
}

impl Portal {
    /// The number of records, without counting.
    pub fn count(&self, entity: Entity) -> usize {
        self.records.get(&entity).map_or(0, std::collections::BTreeMap::len)
    }

    /// Takes a record and its links away.
    pub fn remove_record(&mut self, entity: Entity, id: i64) -> Option<Record> {
        let gone = self.records.get_mut(&entity)?.remove(&id)?;
        let last = self.last_ids.entry(entity).or_default();
        *last = (*last).max(id);
        match entity {
            Entity::Contact => {
                self.contact_companies.remove(&id);
                let tables = self.deal_contacts.values_mut().chain(self.quote_contacts.values_mut());
                let tables = tables.chain(self.lead_contacts.values_mut());
                let tables = tables.chain(self.process_contacts.values_mut());
                tables.for_each(|links| links.retain(|l| l.id != id));
            }
            Entity::Company => {
                self.contact_companies.values_mut().for_each(|links| links.retain(|l| l.id != id))
            }
            Entity::Deal => {
                self.deal_contacts.remove(&id);
            }
            Entity::Quote => {
                self.quote_contacts.remove(&id);
            }
            Entity::Activity => {
                self.bindings.remove(&id);
            }
            Entity::Lead => {
                self.lead_contacts.remove(&id);
            }
            Entity::Process(kind) => {
                self.process_contacts.remove(&(kind, id));
            }
            Entity::Product | Entity::Comment => {}
        }
        self.rows.remove(&(entity, id));
        Some(gone)
    }

    /// Takes a record away as the API does: activities and comments of a lead, deal or contact go with it, unless
    /// they hang on another record too (sheet 16.2).
    pub fn remove_whole(&mut self, entity: Entity, id: i64) -> Option<Record> {
        let gone = self.remove_record(entity, id)?;
        let history = match entity {
            Entity::Deal => Some(Table::DealHistory),
            Entity::Lead => Some(Table::LeadHistory),
            Entity::Process(kind) => Some(Table::ProcessHistory(kind)),
            _ => None,
        };
        if let Some(rows) = history.and_then(|kind| self.tables.get_mut(&kind)) {
            rows.retain(|_, row| row.get("OWNER_ID").and_then(int_of) != Some(id));
        }
        if !matches!(entity, Entity::Lead | Entity::Deal | Entity::Contact) {
            return Some(gone);
        }
        let word = entity.timeline_word();
        let on_it = |row: &Record| {
            row.get("ENTITY_TYPE").and_then(Value::as_str) == Some(word.as_str())
                && row.get("ENTITY_ID").and_then(int_of) == Some(id)
        };
        let comments = self.records.get(&Entity::Comment).into_iter().flatten();
        let comments: Vec<i64> = comments.filter(|(_, row)| on_it(row)).map(|(id, _)| *id).collect();
        for comment in comments {
            self.remove_record(Entity::Comment, comment);
        }
        let bound = (entity.type_id(), id);
        let mut orphans = Vec::new();
        for (activity, bindings) in &mut self.bindings {
            if bindings.contains(&bound) {
                bindings.retain(|b| *b != bound);
                if bindings.is_empty() {
                    orphans.push(*activity);
                }
            }
        }
        for activity in orphans {
            self.remove_record(Entity::Activity, activity);
        }
        Some(gone)
    }

    /// The id of the next record of a table.
    pub fn next_id(&self, entity: Entity) -> i64 {
        let held = self.records.get(&entity).and_then(|t| t.last_key_value()).map_or(0, |(id, _)| *id);
        held.max(self.last_ids.get(&entity).copied().unwrap_or(0)).saturating_add(1)
    }

    /// The next id of a sequence that records share; `largest` finds where it stands before the first one is given.
    pub(super) fn fresh(&mut self, what: &'static str, largest: fn(&Portal) -> i64) -> i64 {
        let last = self.counters.get(what).copied().unwrap_or_else(|| largest(self));
        let next = last.saturating_add(1);
        self.counters.insert(what, next);
        next
    }

    /// The links of a contact to companies, or of any other record to contacts.
    pub(super) fn links_of(&self, entity: Entity, id: i64) -> Vec<Link> {
        match entity {
            Entity::Contact => self.companies_of(id),
            Entity::Deal => self.contacts_of(id),
            Entity::Quote => self.quote_contacts_of(id),
            Entity::Lead => self.links(&self.lead_contacts, entity, id, "CONTACT_ID"),
            Entity::Process(kind) => match self.process_contacts.get(&(kind, id)) {
                Some(links) => links.clone(),
                None => self.links(&BTreeMap::new(), entity, id, "CONTACT_ID"),
            },
            _ => Vec::new(),
        }
    }

    /// Puts links in the place of a record's old ones.
    pub(super) fn set_links(&mut self, entity: Entity, id: i64, links: Vec<Link>) {
        match entity {
            Entity::Contact => drop(self.contact_companies.insert(id, links)),
            Entity::Deal => drop(self.deal_contacts.insert(id, links)),
            Entity::Quote => drop(self.quote_contacts.insert(id, links)),
            Entity::Lead => drop(self.lead_contacts.insert(id, links)),
            Entity::Process(kind) => drop(self.process_contacts.insert((kind, id), links)),
            _ => return,
        }
        // The table says it all now; a bare link of the record itself would say it twice.
        let bare = if entity == Entity::Contact { "COMPANY_ID" } else { "CONTACT_ID" };
        if let Some(row) = self.records.get_mut(&entity).and_then(|t| t.get_mut(&id)) {
            row.shift_remove(bare);
        }
    }

    /// The description of a field.
    pub(super) fn field<'a>(&'a self, entity: Entity, code: &'a str) -> Option<Field<'a>> {
        let (code, description) = self.fields.get(&entity)?.get_key_value(code)?;
        Some(Field::new(code, description))
    }

    /// The links of a contact to companies; a bare `COMPANY_ID` counts as one link.
    pub(super) fn companies_of(&self, contact: i64) -> Vec<Link> {
        self.links(&self.contact_companies, Entity::Contact, contact, "COMPANY_ID")
    }

    /// The links of a deal to contacts; a bare `CONTACT_ID` counts as one link.
    pub(super) fn contacts_of(&self, deal: i64) -> Vec<Link> {
        self.links(&self.deal_contacts, Entity::Deal, deal, "CONTACT_ID")
    }

    /// The links of a quote to contacts; a bare `CONTACT_ID` counts as one link.
    pub(super) fn quote_contacts_of(&self, quote: i64) -> Vec<Link> {
        self.links(&self.quote_contacts, Entity::Quote, quote, "CONTACT_ID")
    }

    /// Whether the portal has this kind of record at all.
    pub(super) fn has(&self, entity: Entity) -> bool {
        Entity::ALL.contains(&entity) || self.fields.contains_key(&entity)
    }

    /// Every kind of record that the portal has, processes last.
    pub fn entities(&self) -> Vec<Entity> {
        let processes = self.fields.keys().filter(|e| matches!(e, Entity::Process(_))).copied();
        let more = Entity::MORE.into_iter().filter(|e| self.has(*e));
        Entity::ALL.into_iter().chain(more).chain(processes).collect()
    }

    fn links(
        &self,
        table: &std::collections::BTreeMap<i64, Vec<Link>>,
        entity: Entity,
        id: i64,
        code: &str,
    ) -> Vec<Link> {
        if let Some(links) = table.get(&id) {
            return links.clone();
        }
        let stored = self.records.get(&entity).and_then(|t| t.get(&id)).and_then(|r| r.get(code));
        let id = stored.and_then(int_of).unwrap_or(0);
        if id > 0 { vec![Link { id, sort: 10, primary: true }] } else { Vec::new() }
    }

    /// What a record holds under a code, stored or derived; `None` is blank.
    pub(super) fn value<'a>(
        &self,
        entity: Entity,
        id: i64,
        row: &'a Record,
        code: &str,
    ) -> Option<Cow<'a, Value>> {
        if let Some(stored) = row.get(code) {
            return Some(Cow::Borrowed(stored));
        }
        let text = |s: String| Some(Cow::Owned(Value::String(s)));
        match (entity, code) {
            (_, "ID") => text(id.to_string()),
            (Entity::Deal, "CATEGORY_ID") => text("0".into()),
            (Entity::Contact, "COMPANY_ID") => {
                primary(&self.companies_of(id)).and_then(|l| text(l.id.to_string()))
            }
            (Entity::Deal | Entity::Lead | Entity::Quote | Entity::Process(_), "CONTACT_ID") => {
                primary(&self.links_of(entity, id)).and_then(|l| text(l.id.to_string()))
            }
            (Entity::Deal | Entity::Lead | Entity::Quote | Entity::Process(_), "CONTACT_IDS") => {
                Some(Cow::Owned(ids(&self.links_of(entity, id))))
            }
            (Entity::Contact, "COMPANY_IDS") => Some(Cow::Owned(ids(&self.companies_of(id)))),
            (_, "HAS_PHONE" | "HAS_EMAIL") if entity.has_multifields() => {
                let filled = row.get(&code[4..]).and_then(Value::as_array).is_some_and(|a| !a.is_empty());
                text(if filled { "Y" } else { "N" }.into())
            }
            _ => None,
        }
    }
}

/// The primary link: the one marked so, else the first.
fn primary(links: &[Link]) -> Option<&Link> {
    links.iter().find(|l| l.primary).or_else(|| links.first())
}

/// The ids of links, in their order.
fn ids(links: &[Link]) -> Value {
    links.iter().map(|l| Value::from(l.id)).collect()
}

/// The integer in a stored scalar.
pub(super) fn int_of(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// Whether a stored value is one of the spellings of a blank (sheet 1.4).
pub(super) fn is_blank(field: Field<'_>, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(s) => s.is_empty() || (s == "0" && field.is_link()),
        Value::Number(n) => n.as_i64() == Some(0) && field.is_link(),
        Value::Bool(b) => !b && field.kind != "boolean",
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

/// How a classic answer spells a blank; `None` leaves the key out.
pub(super) fn blank_classic(field: Field<'_>, id: i64, seed: u64) -> Option<Value> {
    let pick = hash(seed, id, field.code) as usize;
    let choose = |choices: &[Value]| choices.get(pick % choices.len().max(1)).cloned();
    if field.is_multifield() || UNRETURNED.contains(&field.code) {
        return None;
    }
    if field.multiple {
        // A multiple system link (`CONTACT_ID` of a company) is described, but no answer carries it.
        return if field.custom { choose(&[json!([]), json!(""), json!(false)]) } else { None };
    }
    match field.kind {
        "char" => Some(json!("N")),
        "file" if field.custom => None,
        "file" => {
            if pick.is_multiple_of(2) {
                None
            } else {
                Some(Value::Null)
            }
        }
        "date" | "datetime" => choose(&[json!(""), json!(""), json!(""), Value::Null]),
        "location" => Some(Value::Null),
        _ if field.is_link() => choose(&[Value::Null, json!("0"), json!("")]),
        _ => choose(&[Value::Null, json!("")]),
    }
}

/// How a universal answer spells a blank.
pub(super) fn blank_universal(field: Field<'_>, id: i64, seed: u64) -> Value {
    let even = hash(seed, id, field.code).is_multiple_of(2);
    if field.multiple {
        return json!([]);
    }
    match field.kind {
        "char" => json!("N"),
        _ if field.is_link() => {
            if even {
                json!(0)
            } else {
                Value::Null
            }
        }
        "string" | "text" | "crm_status" | "url" | "address" | "money" => {
            if even {
                json!("")
            } else {
                Value::Null
            }
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: &'static str, multiple: bool, custom: bool) -> Field<'static> {
        Field { code: if custom { "UF_CRM_1" } else { "X" }, kind, multiple, custom }
    }

    fn spellings(f: Field<'_>) -> std::collections::BTreeSet<String> {
        (0..200).map(|id| blank_classic(f, id, 1).map_or("absent".into(), |v| v.to_string())).collect()
    }

    #[test]
    fn sheet_1_4_every_spelling_of_a_blank_occurs() {
        let set = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect();
        assert_eq!(spellings(field("string", false, false)), set(&["null", "\"\""]));
        assert_eq!(spellings(field("crm_company", false, false)), set(&["null", "\"\"", "\"0\""]));
        assert_eq!(spellings(field("enumeration", true, true)), set(&["[]", "\"\"", "false"]));
        assert_eq!(spellings(field("date", false, false)), set(&["null", "\"\""]));
        assert_eq!(spellings(field("file", false, true)), set(&["absent"]));
        assert_eq!(spellings(field("char", false, false)), set(&["\"N\""]));
    }

    #[test]
    fn every_spelling_is_read_back_as_blank() {
        for kind in
            ["string", "crm_company", "date", "datetime", "double", "enumeration", "money", "crm_status"]
        {
            for (multiple, custom) in [(false, false), (false, true), (true, true)] {
                let f = field(kind, multiple, custom);
                for id in 0..50 {
                    assert!(blank_classic(f, id, 3).is_none_or(|v| is_blank(f, &v)), "{kind} {id}");
                    assert!(is_blank(f, &blank_universal(f, id, 3)), "{kind} {id}");
                }
            }
        }
    }
}
