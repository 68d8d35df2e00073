//! What the portal's further lists hold: stage histories, telephone calls, tasks, requisites, addresses, the catalogue.
//!
//! Most of these methods describe no fields, or by types of their own, so that the fields are those of the API's
//! documentation (sheet §10.8, §10.11, §10.17, §10.18, §10.26). A probe tells whether the portal has the list and the
//! webhook may read it: a call that matches no record, or the description where there is one.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::build::{Build, Described};
use super::own::Own;
use crate::lang::schema::Attribute;
use crate::lang::types::{Base, Type};
use crate::run::connect::bitrix24::extract::{history_of, own_of_tasks};
use crate::run::connect::bitrix24::wire::Command;

/// One list.
pub(super) struct Table {
    pub(super) object: &'static str,
    title: &'static str,
    /// A call that shows whether it may be read.
    pub(super) probe: (&'static str, &'static [(&'static str, &'static str)]),
    /// Names, types and titles; none where the probe describes them.
    fields: &'static [(&'static str, &'static str, &'static str)],
}

/// No record has an id below 1.
const NONE: &[(&str, &str)] = &[("filter[<ID]", "1"), ("start", "-1")];

const DEAL_HISTORY: &[(&str, &str, &str)] = &[
    ("ID", "integer", "ID"),
    ("TYPE_ID", "own", "Kind of change"),
    ("OWNER_ID", "crm_deal", "Deal"),
    ("CREATED_TIME", "datetime", "Time"),
    ("CATEGORY_ID", "own", "Pipeline"),
    ("STAGE_ID", "own", "Stage"),
    ("STAGE_SEMANTIC_ID", "own", "Stage group"),
];

const LEAD_HISTORY: &[(&str, &str, &str)] = &[
    ("ID", "integer", "ID"),
    ("TYPE_ID", "own", "Kind of change"),
    ("OWNER_ID", "crm_lead", "Lead"),
    ("CREATED_TIME", "datetime", "Time"),
    ("STATUS_ID", "own", "Stage"),
    ("STATUS_SEMANTIC_ID", "own", "Stage group"),
];

const CALL: &[(&str, &str, &str)] = &[
    ("ID", "integer", "ID"),
    ("CALL_ID", "string", "Call"),
    ("EXTERNAL_CALL_ID", "string", "Call at the provider"),
    ("CALL_CATEGORY", "string", "Category"),
    ("PORTAL_USER_ID", "user", "User"),
    ("PORTAL_NUMBER", "string", "The portal's number"),
    ("PHONE_NUMBER", "string", "Phone number"),
    ("CALL_TYPE", "own", "Direction"),
    ("CALL_DURATION", "integer", "Duration, s"),
    ("CALL_START_DATE", "datetime", "Start"),
    ("CALL_LOG", "string", "Log"),
    ("CALL_RECORD_URL", "string", "Recording"),
    ("CALL_VOTE", "integer", "Vote"),
    ("COST", "double", "Cost"),
    ("COST_CURRENCY", "string", "Currency of the cost"),
    ("CALL_FAILED_CODE", "own", "Result"),
    ("CALL_FAILED_REASON", "string", "Reason"),
    ("CRM_ENTITY_TYPE", "own", "Kind of record"),
    ("CRM_ENTITY_ID", "integer", "Record"),
    ("CRM_ACTIVITY_ID", "own", "Activity"),
    ("REST_APP_ID", "integer", "App"),
    ("REST_APP_NAME", "string", "App's name"),
    ("TRANSCRIPT_ID", "integer", "Transcript"),
    ("TRANSCRIPT_PENDING", "boolean", "Transcript is being made"),
    ("SESSION_ID", "string", "Session"),
    ("REDIAL_ATTEMPT", "integer", "Redials"),
    ("COMMENT", "string", "Comment"),
    ("RECORD_DURATION", "integer", "Duration of the recording, s"),
];

const TASK: &[(&str, &str, &str)] = &[
    ("ID", "integer", "ID"),
    ("PARENT_ID", "integer", "Parent task"),
    ("TITLE", "string", "Title"),
    ("DESCRIPTION", "string", "Description"),
    ("MARK", "string", "Mark"),
    ("PRIORITY", "own", "Priority"),
    ("STATUS", "own", "Status"),
    ("GROUP_ID", "integer", "Group"),
    ("CREATED_BY", "user", "Created by"),
    ("CREATED_DATE", "datetime", "Created at"),
    ("RESPONSIBLE_ID", "user", "Responsible"),
    ("ACCOMPLICES", "users", "Participants"),
    ("AUDITORS", "users", "Observers"),
    ("CHANGED_BY", "user", "Modified by"),
    ("CHANGED_DATE", "datetime", "Modified at"),
    ("CLOSED_BY", "user", "Closed by"),
    ("CLOSED_DATE", "datetime", "Closed at"),
    ("DATE_START", "datetime", "Started at"),
    ("DEADLINE", "datetime", "Deadline"),
    ("START_DATE_PLAN", "datetime", "Planned start"),
    ("END_DATE_PLAN", "datetime", "Planned end"),
    ("XML_ID", "string", "External code"),
    ("COMMENTS_COUNT", "integer", "Comments"),
    ("TIME_ESTIMATE", "integer", "Estimated time, s"),
    ("TIME_SPENT_IN_LOGS", "integer", "Time spent, s"),
    ("REPLICATE", "boolean", "Repeats"),
    ("UF_CRM_TASK", "own", "CRM records"),
    ("UF_TASK_WEBDAV_FILES", "files", "Files"),
    ("CHECKLIST", "own", "Check list"),
];

const ADDRESS: &[(&str, &str, &str)] = &[
    ("ID", "integer", "Key"),
    ("TYPE_ID", "own", "Kind"),
    ("ENTITY_TYPE_ID", "integer", "Kind of owner"),
    ("ENTITY_ID", "integer", "Owner"),
    ("ADDRESS_1", "string", "Street, house"),
    ("ADDRESS_2", "string", "Suite"),
    ("CITY", "string", "City"),
    ("POSTAL_CODE", "string", "Postal code"),
    ("REGION", "string", "Region"),
    ("PROVINCE", "string", "Province"),
    ("COUNTRY", "string", "Country"),
    ("COUNTRY_CODE", "string", "Country code"),
    ("LOC_ADDR_ID", "integer", "Location"),
    ("ANCHOR_TYPE_ID", "integer", "Kind of record"),
    ("ANCHOR_ID", "own", "Record"),
];

const SECTION: &[(&str, &str, &str)] = &[
    ("ID", "integer", "ID"),
    ("CATALOG_ID", "integer", "Catalogue"),
    ("SECTION_ID", "integer", "Parent section"),
    ("NAME", "string", "Name"),
    ("XML_ID", "string", "External code"),
    ("CODE", "string", "Symbolic code"),
];

const PRICE: &[(&str, &str, &str)] = &[
    ("ID", "integer", "ID"),
    ("PRODUCT_ID", "own", "Product"),
    ("CATALOG_GROUP_ID", "integer", "Price type"),
    ("PRICE", "double", "Price"),
    ("CURRENCY", "own", "Currency"),
];

/// All of them, in order of name.
pub(super) const TABLES: [Table; 10] = [
    Table {
        object: "call",
        title: "Telephone calls",
        probe: ("voximplant.statistic.get", &[("FILTER[<ID]", "1"), ("SORT", "ID"), ("ORDER", "ASC")]),
        fields: CALL,
    },
    Table {
        object: "company_address",
        title: "Addresses of companies",
        probe: (
            "crm.address.list",
            &[("filter[ANCHOR_TYPE_ID]", "4"), ("filter[ANCHOR_ID]", "0"), ("start", "-1")],
        ),
        fields: ADDRESS,
    },
    Table {
        object: "company_requisite",
        title: "Requisites of companies",
        probe: ("crm.requisite.fields", &[]),
        fields: &[],
    },
    Table {
        object: "contact_address",
        title: "Addresses of contacts",
        probe: (
            "crm.address.list",
            &[("filter[ANCHOR_TYPE_ID]", "3"), ("filter[ANCHOR_ID]", "0"), ("start", "-1")],
        ),
        fields: ADDRESS,
    },
    Table {
        object: "contact_requisite",
        title: "Requisites of contacts",
        probe: ("crm.requisite.fields", &[]),
        fields: &[],
    },
    Table {
        object: "deal_history",
        title: "Stages that deals were in",
        probe: ("crm.stagehistory.list", &[("entityTypeId", "2"), ("filter[<ID]", "1"), ("start", "-1")]),
        fields: DEAL_HISTORY,
    },
    Table {
        object: "lead_history",
        title: "Stages that leads were in",
        probe: ("crm.stagehistory.list", &[("entityTypeId", "1"), ("filter[<ID]", "1"), ("start", "-1")]),
        fields: LEAD_HISTORY,
    },
    Table {
        object: "product_price",
        title: "Prices of products",
        probe: ("catalog.price.list", &[("filter[<id]", "1"), ("start", "-1")]),
        fields: PRICE,
    },
    Table {
        object: "product_section",
        title: "Sections of the catalogue",
        probe: ("crm.productsection.list", NONE),
        fields: SECTION,
    },
    Table {
        object: "task",
        title: "Tasks",
        probe: ("tasks.task.list", &[("filter[<ID]", "1"), ("select[]", "ID"), ("start", "-1")]),
        fields: TASK,
    },
];

/// The calls that tell which of them there are, named by object.
pub(super) fn probes() -> impl Iterator<Item = Command> {
    TABLES.iter().map(|table| Command::new(table.object, table.probe.0, table.probe.1))
}

impl Table {
    /// What is known of it, now that it may be read.
    pub(super) fn described(&self, answer: Json, of_tasks: &Json) -> Described {
        let fields = if self.fields.is_empty() {
            answer
        } else {
            let own = if self.object == "task" { own_of_tasks(of_tasks).collect() } else { Vec::new() };
            let own = own.into_iter().map(|(name, about)| {
                let mut about = about.clone();
                about["isDynamic"] = Json::Bool(true);
                (name.clone(), about)
            });
            let field = |(name, kind, title): &(&str, &str, &str)| {
                let kind = match *kind {
                    "users" => json!({"type": "user", "isMultiple": true, "title": title}),
                    "files" => json!({"type": "file", "isMultiple": true, "title": title}),
                    kind => json!({"type": kind, "title": title}),
                };
                ((*name).to_owned(), kind)
            };
            Json::Object(self.fields.iter().map(field).chain(own).collect::<Map<_, _>>())
        };
        Described {
            name: self.object.to_owned(),
            title: Some(self.title.to_owned()),
            fields,
            ..Described::default()
        }
    }
}

/// Lists stages that records were in.
pub(super) const HISTORY: &str = "crm.stagehistory.list";

/// The stages that the items of a Smart Process were in.
pub(super) fn process_history(kind: &str, title: Option<&str>) -> Described {
    let of = [("OWNER_ID", "own", "Item"), ("STAGE_ID", "own", "Stage")];
    let plain = DEAL_HISTORY.iter().filter(|(name, ..)| of.iter().all(|(own, ..)| own != name)).chain(&of);
    let field = |(name, kind, title): &(&str, &str, &str)| {
        ((*name).to_owned(), json!({"type": kind, "title": title}))
    };
    Described {
        name: format!("process_{kind}_history"),
        title: title.map(|title| format!("Stages that items of {title} were in")),
        fields: Json::Object(plain.map(field).collect::<Map<_, _>>()),
        ..Described::default()
    }
}

const HISTORY_TYPES: &[(&str, &str)] = &[
    ("1", "Created"),
    ("2", "Moved to a stage of work"),
    ("3", "Moved to a final stage"),
    ("5", "Moved to another pipeline"),
];
const CALL_TYPES: &[(&str, &str)] =
    &[("1", "Outgoing"), ("2", "Incoming"), ("3", "Redirected"), ("4", "Callback"), ("5", "Informational")];
const CALL_RESULTS: &[(&str, &str)] = &[
    ("200", "Successful call"),
    ("304", "Missed call"),
    ("402", "Insufficient funds"),
    ("403", "Forbidden"),
    ("404", "Wrong number"),
    ("423", "Blocked"),
    ("480", "Unavailable"),
    ("484", "Direction unavailable"),
    ("486", "Busy"),
    ("503", "Direction unavailable at the provider"),
    ("603", "Declined"),
    ("603-S", "Cancelled"),
    ("OTHER", "Undefined"),
];
const TASK_STATUSES: &[(&str, &str)] = &[
    ("1", "New"),
    ("2", "Pending"),
    ("3", "In progress"),
    ("4", "Awaiting review"),
    ("5", "Completed"),
    ("6", "Deferred"),
    ("7", "Declined"),
];
const TASK_PRIORITIES: &[(&str, &str)] = &[("0", "Low"), ("1", "Normal"), ("2", "High")];
const ADDRESS_TYPES: &[(&str, &str)] = &[
    ("1", "Physical address"),
    ("4", "Registered address"),
    ("6", "Legal address"),
    ("8", "Mailing address"),
    ("9", "Beneficiary's address"),
    ("11", "Shipping address"),
];

impl Build<'_> {
    /// The directories of stages whose names begin so.
    fn stages(&self, prefix: &str) -> Vec<String> {
        let rows = self.answers.statuses.iter().filter_map(|row| row.get("ENTITY_ID")?.as_str());
        let found: BTreeSet<&str> = rows.filter(|entity| entity.starts_with(prefix)).collect();
        found.into_iter().map(str::to_owned).collect()
    }

    /// The type of a field of these lists that no description tells.
    pub(super) fn of_table(&mut self, object: &str, name: &str) -> Option<Own> {
        let one = |base| Some(Own { base, many: false, attributes: Vec::new() });
        if let Some(kind) = history_of(object) {
            let process = format!("process {kind}");
            return match name {
                "TYPE_ID" => one(self.titled("HISTORY_TYPE", HISTORY_TYPES)),
                "STAGE_SEMANTIC_ID" => one(self.fixed("SEMANTIC", &["P", "S", "F"])),
                "OWNER_ID" => one(Base::Link(process)),
                "CATEGORY_ID" => one(self.categories(&process, format!("{process}.CATEGORY_ID"))),
                "STAGE_ID" => {
                    let directories = self.stages(&format!("DYNAMIC_{kind}_STAGE_"));
                    one(self.directories(format!("{object}.STAGE_ID"), &directories))
                }
                _ => None,
            };
        }
        match (object, name) {
            ("deal_history" | "lead_history", "TYPE_ID") => one(self.titled("HISTORY_TYPE", HISTORY_TYPES)),
            ("deal_history", "STAGE_SEMANTIC_ID") | ("lead_history", "STATUS_SEMANTIC_ID") => {
                one(self.fixed("SEMANTIC", &["P", "S", "F"]))
            }
            ("deal_history", "CATEGORY_ID") => one(self.categories("deal", "deal.CATEGORY_ID".to_owned())),
            ("deal_history", "STAGE_ID") => {
                // With the pipeline's prefix: a record goes through stages of several.
                let entities = self.stages("DEAL_STAGE");
                one(self.directories("deal_history.STAGE_ID".to_owned(), &entities))
            }
            ("lead_history", "STATUS_ID") => {
                one(self.directories("lead_history.STATUS_ID".to_owned(), &["STATUS".to_owned()]))
            }
            ("call", "CALL_TYPE") => one(self.titled("CALL_TYPE", CALL_TYPES)),
            ("call", "CALL_FAILED_CODE") => one(self.titled("CALL_RESULT", CALL_RESULTS)),
            ("call", "CRM_ENTITY_TYPE") => one(self.entity_types()),
            ("call", "CRM_ACTIVITY_ID") => one(Base::Link("activity".to_owned())),
            ("task", "STATUS") => one(self.titled("TASK_STATUS", TASK_STATUSES)),
            ("task", "PRIORITY") => one(self.titled("TASK_PRIORITY", TASK_PRIORITIES)),
            ("task", "UF_CRM_TASK") => Some(Own { base: Base::AnyLink, many: true, attributes: Vec::new() }),
            ("task", "CHECKLIST") => record(&[
                ("TITLE", text()),
                ("IS_COMPLETE", Base::Bool),
                ("SORT_INDEX", Base::Integer),
                ("PARENT_ID", Base::Integer),
            ]),
            ("company_requisite", "ENTITY_ID") => one(Base::Link("company".to_owned())),
            ("contact_requisite", "ENTITY_ID") => one(Base::Link("contact".to_owned())),
            ("company_requisite" | "contact_requisite", "BANK_DETAILS") => record(&[
                ("NAME", text()),
                ("RQ_BANK_NAME", text()),
                ("RQ_BANK_ADDR", text()),
                ("RQ_BIK", text()),
                ("RQ_ACC_NAME", text()),
                ("RQ_ACC_NUM", text()),
                ("RQ_ACC_CURRENCY", text()),
                ("RQ_COR_ACC_NUM", text()),
                ("RQ_IBAN", text()),
                ("RQ_SWIFT", text()),
                ("COMMENTS", text()),
            ]),
            ("company_address" | "contact_address", "TYPE_ID") => {
                one(self.titled("ADDRESS_TYPE", ADDRESS_TYPES))
            }
            ("company_address", "ANCHOR_ID") => one(Base::Link("company".to_owned())),
            ("contact_address", "ANCHOR_ID") => one(Base::Link("contact".to_owned())),
            ("product_price", "PRODUCT_ID") => one(Base::Link("product".to_owned())),
            ("product_price", "CURRENCY") => one(self.currencies()),
            _ => None,
        }
    }
}

fn text() -> Base {
    Base::Text { max: None }
}

/// A list of records with these columns.
fn record(columns: &[(&str, Base)]) -> Option<Own> {
    let attribute =
        |(name, base): &(&str, Base)| Attribute { name: (*name).to_owned(), ty: Type::maybe(base.clone()) };
    Some(Own { base: Base::Record, many: true, attributes: columns.iter().map(attribute).collect() })
}
