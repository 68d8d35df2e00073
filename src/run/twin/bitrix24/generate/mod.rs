//! Portals to serve: a believable default one, ones made from a schema's shape, and ones that repeat records as they
//! were received.
//!
//! Owns what data a twin holds; knows nothing of requests, paging or limits. Everything is a function of its
//! arguments: the same seed gives the same portal on every machine.

mod acme;
mod acme_more;
mod activity;
mod automation;
mod describe;
mod hang;
mod more;
mod plan;
mod raw;
mod records;
mod restore;
mod rng;
mod shape;
mod standard;
mod tables;
mod text;
mod time;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{Entity, Portal, Table};
pub use acme::{Counts, acme_shape};
pub use raw::{BadRecord, BadRecordKind};
pub use shape::{
    Choice, CurrencyShape, DepartmentShape, EntityShape, FieldShape, ProcessShape, Semantics, Shape,
    StatusShape, UserShape,
};

/// The standard fields of a Smart Process with everything switched on, as its `fields` describe them.
pub(super) fn process_fields(kind: u32) -> std::collections::BTreeMap<String, super::portal::Record> {
    let entity = Entity::Process(kind);
    let fields = EntityShape::standard(entity, 0).fields;
    fields.iter().map(|field| (field.code.clone(), describe::field_row(entity, field))).collect()
}

impl Portal {
    /// The believable default portal `acme.bitrix24.com`; a scale of 1 is 500 companies, 1,500 contacts, 1,000 deals
    /// and 100 leads.
    pub fn acme(scale: f64, seed: u64) -> Portal {
        Portal::acme_with(Counts::scaled(scale), seed)
    }

    /// The default portal with these many records.
    pub fn acme_with(counts: Counts, seed: u64) -> Portal {
        let mut portal = Portal::generate(&acme_shape(counts), seed);
        acme::dress(&mut portal);
        portal.furnish(seed);
        automation::fill(&mut portal, seed);
        portal
    }

    /// Adds what a portal keeps beside its records: histories of stages, calls, tasks, requisites, addresses, prices.
    pub fn furnish(&mut self, seed: u64) {
        tables::fill(self, seed);
    }

    /// Adds the stages that items of a Smart Process were in.
    pub fn furnish_process(&mut self, kind: u32, seed: u64) {
        tables::fill_process(self, kind, seed);
    }

    /// Puts rows of a table back as a connector keeps them: with the check list in its task, the bank details in their
    /// requisite, a key in an address. Rows without an id of their own are left out.
    pub fn restore(&mut self, table: Table, rows: impl IntoIterator<Item = Value>) {
        restore::load(self, table, rows.into_iter());
    }

    /// A portal with records made from a shape's counts, fill rates and weights.
    pub fn generate(shape: &Shape, seed: u64) -> Portal {
        let mut portal = describe::bare(shape);
        records::fill(&mut portal, shape, seed);
        portal
    }

    /// A portal that serves exactly these records, each as `crm.<entity>.get` or `.list` gave it; the shape's counts
    /// do not matter.
    ///
    /// A contact's `COMPANY_IDS` and a deal's `CONTACT_IDS` (ids, or rows of `*.items.get`) become link rows and are
    /// taken out of the record; without them the primary link is the only one. Fails on a record without an id of
    /// its own.
    pub fn from_records(
        shape: &Shape,
        records: impl IntoIterator<Item = (Entity, Value)>,
    ) -> Result<Portal, BadRecord> {
        raw::load(shape, records.into_iter())
    }
}
