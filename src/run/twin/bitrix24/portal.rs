//! A portal's data, as plain as it can be: what the server serves and the generator makes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::tables::Table;

/// The record types that the twin keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// `entityTypeId` 1.
    Lead,
    /// `entityTypeId` 2.
    Deal,
    /// `entityTypeId` 3.
    Contact,
    /// `entityTypeId` 4.
    Company,
    /// `entityTypeId` 7.
    Quote,
    /// Products of the catalogue; no CRM type.
    Product,
    /// Meetings, calls, tasks, e-mails; no CRM type.
    Activity,
    /// Comments of timelines; no CRM type.
    Comment,
    /// Items of the Smart Process with this `entityTypeId`.
    Process(u32),
}

impl Entity {
    /// The four that every portal has, by `entityTypeId`.
    pub const ALL: [Entity; 4] = [Entity::Lead, Entity::Deal, Entity::Contact, Entity::Company];
    /// Those that a portal has where its `fields` describe them.
    pub const MORE: [Entity; 4] = [Entity::Quote, Entity::Product, Entity::Activity, Entity::Comment];
}

/// A deal pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    /// 0 is the default pipeline.
    pub id: i64,
    /// Its title.
    pub name: String,
    /// Its place.
    pub sort: i64,
}

/// One row of a many-to-many link table, in the order of `SORT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The other record's id.
    pub id: i64,
    /// `SORT`.
    pub sort: i64,
    /// `IS_PRIMARY`.
    pub primary: bool,
}

/// A record in classic form: upper-case keys, scalars as strings, multifields as arrays of objects.
///
/// Sparse: a key that is missing here is *blank*, and the server chooses the spelling of the blank (`null`, `""`,
/// `[]`, `false`, `"0"`, or no key at all) from the field's type and the record's id, so that every spelling occurs
/// and the same record always answers alike. A key that is present is served as it stands, blanks included.
pub type Record = Map<String, Value>;

/// Everything that a portal holds.
#[derive(Clone, Debug, Default)]
pub struct Portal {
    /// Rows of `user.get`, by id.
    pub users: BTreeMap<i64, Record>,
    /// Rows of `department.get`.
    pub departments: Vec<Record>,
    /// Deal pipelines; the default one has id 0.
    pub categories: Vec<Category>,
    /// Rows of `crm.status.list`, in the order of (`ENTITY_ID`, `SORT`).
    pub statuses: Vec<Record>,
    /// Rows of `crm.currency.list`.
    pub currencies: Vec<Record>,
    /// The answer of `crm.<entity>.fields`: code to description, custom fields included.
    pub fields: BTreeMap<Entity, BTreeMap<String, Record>>,
    /// Rows of `crm.<entity>.userfield.list`, labels included.
    pub userfields: BTreeMap<Entity, Vec<Record>>,
    /// Records by id.
    pub records: BTreeMap<Entity, BTreeMap<i64, Record>>,
    /// Contact id to its companies.
    pub contact_companies: BTreeMap<i64, Vec<Link>>,
    /// Deal id to its contacts.
    pub deal_contacts: BTreeMap<i64, Vec<Link>>,
    /// Quote id to its contacts.
    pub quote_contacts: BTreeMap<i64, Vec<Link>>,
    /// Lead id to its contacts, where more was written than the lead's own `CONTACT_ID`.
    pub lead_contacts: BTreeMap<i64, Vec<Link>>,
    /// Item of a Smart Process to its contacts, by `entityTypeId` and id; else its own `CONTACT_ID`.
    pub process_contacts: BTreeMap<(u32, i64), Vec<Link>>,
    /// Product rows of deals, leads and quotes, as `crm.deal.productrows.get` answers them.
    pub rows: BTreeMap<(Entity, i64), Vec<Record>>,
    /// Activity id to what it hangs on: `entityTypeId` and id.
    pub bindings: BTreeMap<i64, Vec<(i64, i64)>>,
    /// What a portal keeps beside its records, by id; a kind that is not there is one that it does not know.
    pub tables: BTreeMap<Table, BTreeMap<i64, Record>>,
    /// Custom fields of tasks, as `tasks.task.getFields` describes them.
    pub task_fields: BTreeMap<String, Record>,
    /// Rows of `crm.type.list`: the Smart Processes.
    pub types: Vec<Record>,
    /// Rows of `bizproc.workflow.template.list`.
    pub workflows: Vec<Record>,
    /// Rows of `bizproc.workflow.instances`.
    pub running: Vec<Record>,
    /// Rows of `crm.deal.recurring.list`.
    pub recurring: Vec<Record>,
    /// Rows of `imopenlines.config.list.get`.
    pub open_lines: Vec<Record>,
    /// Pipelines of Smart Processes, by `entityTypeId`.
    pub process_categories: BTreeMap<u32, Vec<Category>>,
    /// The largest id that each table gave out or lost: none is given twice.
    pub last_ids: BTreeMap<Entity, i64>,
    /// The largest id of each sequence that records share (phones, rows, options), once one was given out.
    pub counters: BTreeMap<&'static str, i64>,
}
