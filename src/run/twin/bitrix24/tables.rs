//! Further lists: stage histories, telephone calls, tasks with check lists, requisites, bank details, addresses, the
//! catalogue's sections and prices (sheet 10.8, 10.11, 10.17, 10.18, 10.26).
//!
//! Rows are stored as they are served, except that tasks keep the upper-case names by which they are asked for. A
//! portal that keeps no table of a kind does not know its method.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::classic::{FILTER, ORDER, array_arg};
use super::filter::{Op, split_key};
use super::list::PAGE;
use super::methods::{self, Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::{Portal, Record};
use super::records::int_of;

/// The kinds of rows that a portal may keep beside its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Stages that deals were in.
    DealHistory,
    /// Stages that leads were in.
    LeadHistory,
    /// Stages that items of the Smart Process with this `entityTypeId` were in.
    ProcessHistory(u32),
    /// Telephone calls.
    Call,
    /// Tasks.
    Task,
    /// Items of check lists.
    CheckItem,
    /// Requisites of companies and contacts.
    Requisite,
    /// Bank details of requisites.
    BankDetail,
    /// Addresses; the keys mean nothing.
    Address,
    /// Sections of the catalogue.
    Section,
    /// Prices of products.
    Price,
}

impl Table {
    /// What a dump calls it.
    pub(super) fn name(self) -> String {
        match self {
            Table::ProcessHistory(kind) => format!("process_{kind}_history"),
            other => other.word().to_owned(),
        }
    }

    /// The sequence that its ids come from.
    pub(super) fn word(self) -> &'static str {
        match self {
            Table::ProcessHistory(_) => "process_history",
            Table::DealHistory => "deal_history",
            Table::LeadHistory => "lead_history",
            Table::Call => "call",
            Table::Task => "task",
            Table::CheckItem => "check_item",
            Table::Requisite => "requisite",
            Table::BankDetail => "bank_detail",
            Table::Address => "address",
            Table::Section => "section",
            Table::Price => "price",
        }
    }
}

/// Their methods, in lower case.
pub(super) const METHODS: methods::Table = &[
    ("crm.stagehistory.list", stage_history),
    ("voximplant.statistic.get", calls),
    ("tasks.task.list", tasks),
    ("tasks.task.getfields", task_fields),
    ("task.checklistitem.getlist", check_list),
    ("crm.requisite.list", requisites),
    ("crm.requisite.fields", requisite_fields),
    ("crm.requisite.bankdetail.list", bank_details),
    ("crm.address.list", addresses),
    ("crm.productsection.list", sections),
    ("catalog.price.list", prices),
];

fn table(portal: &Portal, kind: Table) -> Result<&BTreeMap<i64, Record>, Failure> {
    portal.tables.get(&kind).ok_or_else(super::method_not_found)
}

fn scalar(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => u8::from(*flag).to_string(),
        _ => String::new(),
    }
}

/// Numbers as numbers, moments as moments whatever their offsets, everything else as text.
fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return a.cmp(&b);
    }
    match (a.parse::<jiff::Timestamp>(), b.parse::<jiff::Timestamp>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.to_lowercase().cmp(&b.to_lowercase()),
    }
}

/// Whether a row satisfies a condition; a list of values asks for any of them.
fn passes(row: &Record, key: &str, wanted: &Php) -> bool {
    let (op, code) = split_key(key);
    let held: Vec<String> = match row.get(code) {
        Some(Value::Array(items)) => items.iter().map(|v| scalar(Some(v))).collect(),
        other => vec![scalar(other)],
    };
    let wanted = wanted.texts();
    let first = wanted.first().map_or("", String::as_str);
    let any = |f: &dyn Fn(std::cmp::Ordering) -> bool| held.iter().any(|h| f(compare(h, first)));
    let equal = || held.iter().any(|h| wanted.iter().any(|w| compare(h, w).is_eq()));
    match op {
        Op::Gt => any(&|o| o.is_gt()),
        Op::Ge => any(&|o| o.is_ge()),
        Op::Lt => any(&|o| o.is_lt()),
        Op::Le => any(&|o| o.is_le()),
        Op::Ne | Op::NotIn => !equal(),
        Op::Contains => held.iter().any(|h| h.to_lowercase().contains(&first.to_lowercase())),
        Op::NotContains => !held.iter().any(|h| h.to_lowercase().contains(&first.to_lowercase())),
        _ => equal(),
    }
}

/// How a list pages and orders.
struct Listed<'a> {
    rows: Vec<&'a Record>,
    conditions: Vec<(String, Php)>,
    order: Vec<(String, bool)>,
    start: i64,
    /// `start` is an offset, not rounded to a page (sheet 4.1).
    exact: bool,
}

impl<'a> Listed<'a> {
    fn new(rows: impl Iterator<Item = &'a Record>, call: &Call<'_>) -> Result<Self, Failure> {
        let filter = array_arg(call.args, &FILTER, "filter")?.map(Php::entries).unwrap_or_default();
        let order = array_arg(call.args, &ORDER, "order")?.map(Php::entries).unwrap_or_default();
        let descending = |way: &Php| way.text().is_some_and(|way| way.eq_ignore_ascii_case("DESC"));
        Ok(Listed {
            rows: rows.collect(),
            conditions: filter.to_vec(),
            order: order.iter().map(|(code, way)| (code.clone(), descending(way))).collect(),
            start: call.args.get_any(&["start", "START"]).map_or(0, Php::int),
            exact: false,
        })
    }

    /// Classic lists drop conditions on fields that no row has, without a word.
    fn known_to(mut self, has: impl Fn(&str) -> bool) -> Self {
        self.conditions.retain(|(key, _)| has(split_key(key).1));
        self
    }

    fn answer(mut self, key: Option<&str>, show: impl Fn(&Record) -> Value) -> Answer {
        self.rows.retain(|row| self.conditions.iter().all(|(key, wanted)| passes(row, key, wanted)));
        for (code, descending) in self.order.iter().rev() {
            self.rows.sort_by(|a, b| {
                let order = compare(&scalar(a.get(code.as_str())), &scalar(b.get(code.as_str())));
                if *descending { order.reverse() } else { order }
            });
        }
        let start = usize::try_from(self.start.max(0)).unwrap_or(0);
        let offset = if self.exact { start } else { start / PAGE * PAGE };
        let page: Vec<Value> = self.rows.iter().skip(offset).take(PAGE).map(|row| show(row)).collect();
        let (end, counted) = (offset.saturating_add(page.len()), self.start >= 0);
        Answer {
            rows: page.len(),
            total: Some(if counted { self.rows.len() as i64 } else { 0 }),
            next: (counted && !page.is_empty() && end < self.rows.len()).then_some(end as i64),
            counted: if counted { self.rows.len() } else { 0 },
            result: match key {
                Some(key) => json!({ key: page }),
                None => Value::Array(page),
            },
        }
    }
}

fn whole(row: &Record) -> Value {
    Value::Object(row.clone())
}

/// The fields that `select` names; all without one, or with a star.
fn selected(row: &Record, select: &[String]) -> Value {
    let all = select.is_empty() || select.iter().any(|name| name == "*");
    let own = select.iter().any(|name| name == "UF_*");
    let keep = |name: &str| {
        name == "ID"
            || select.iter().any(|wanted| wanted == name)
            || if name.starts_with("UF_") { own || select.is_empty() } else { all }
    };
    Value::Object(row.iter().filter(|(name, _)| keep(name)).map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn select(call: &Call<'_>) -> Vec<String> {
    call.args.get_any(&["select", "SELECT"]).map(Php::texts).unwrap_or_default()
}

/// `crm.stagehistory.list`: leads, deals, Smart Processes; quotes have none.
fn stage_history(call: &mut Call<'_>) -> Outcome {
    let Some(kind) = call.args.get("entityTypeId").filter(|v| **v != Php::Null) else {
        return Err(Failure::missing("entityTypeId"));
    };
    let kind = match kind.int() {
        1 => Table::LeadHistory,
        2 => Table::DealHistory,
        // A Smart Process without stages keeps none; one with stages does where the portal has a table for it, as for
        // those that `crm.type.add` makes.
        kind if u32::try_from(kind)
            .is_ok_and(|k| call.portal.tables.contains_key(&Table::ProcessHistory(k))) =>
        {
            Table::ProcessHistory(u32::try_from(kind).unwrap_or(0))
        }
        _ => return Err(Failure::thrown("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")),
    };
    let rows = table(call.portal, kind)?;
    let mut listed = Listed::new(rows.values(), call)?;
    if let Some(first) = rows.values().next() {
        for (key, _) in &listed.conditions {
            let code = split_key(key).1;
            if !first.contains_key(code) {
                let why = format!("Invalid filter: field '{code}' is not allowed in filter");
                return Err(Failure::thrown("INVALID_ARG_VALUE", why));
            }
        }
    }
    listed.exact = true;
    Ok(listed.answer(Some("items"), whole))
}

/// `voximplant.statistic.get`: `SORT` and `ORDER` are texts.
fn calls(call: &mut Call<'_>) -> Outcome {
    let rows = table(call.portal, Table::Call)?;
    let filter = array_arg(call.args, &FILTER, "filter")?.map(Php::entries).unwrap_or_default();
    let text = |name: &str| call.args.get_any(&[name]).and_then(Php::text).map(|t| t.to_uppercase());
    let sort = text("SORT").filter(|sort| !sort.is_empty()).unwrap_or_else(|| "ID".to_owned());
    let listed = Listed {
        rows: rows.values().collect(),
        conditions: filter.to_vec(),
        order: vec![(sort, text("ORDER").is_some_and(|way| way == "DESC"))],
        start: call.args.get_any(&["start", "START"]).map_or(0, Php::int).max(0),
        exact: true,
    };
    Ok(listed.answer(None, whole))
}

/// `UF_CRM_TASK` as `ufCrmTask`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::new();
    for part in name.split('_') {
        let lower = part.to_lowercase();
        match lower.chars().next() {
            Some(first) if !out.is_empty() => {
                out.extend(first.to_uppercase());
                out.push_str(&lower[first.len_utf8()..]);
            }
            _ => out.push_str(&lower),
        }
    }
    out
}

/// What tasks may be sorted by even where no row has it (sheet 10.17).
const TASK_SORTS: [&str; 12] = [
    "TITLE",
    "STATUS",
    "PRIORITY",
    "DEADLINE",
    "CREATED_DATE",
    "CHANGED_DATE",
    "CLOSED_DATE",
    "DATE_START",
    "ACTIVITY_DATE",
    "RESPONSIBLE_ID",
    "CREATED_BY",
    "GROUP_ID",
];

/// `tasks.task.list`: upper-case names in requests, camelCase in answers.
fn tasks(call: &mut Call<'_>) -> Outcome {
    let rows = table(call.portal, Table::Task)?;
    let select = select(call);
    let mut listed = Listed::new(rows.values(), call)?;
    if listed.order.is_empty() {
        listed.order = vec![("ID".to_owned(), true)];
    }
    // A task has no column that nobody filled: whatever one row has is known.
    let known = |code: &str| code == "ID" || rows.values().any(|row| row.contains_key(code));
    if listed.order.iter().any(|(code, _)| !known(code) && !TASK_SORTS.contains(&code.as_str())) {
        return Err(Failure::thrown("0", "Invalid sorting key (internal error)"));
    }
    let listed = listed.known_to(known);
    Ok(listed.answer(Some("tasks"), |row| {
        // Links, files and mail come only when they are named (sheet 10.17).
        let kept = row.iter().filter(|(name, _)| {
            *name == "ID"
                || select.iter().any(|wanted| wanted == *name)
                || select.is_empty() && !name.starts_with("UF_")
        });
        Value::Object(kept.map(|(name, value)| (camel(name), value.clone())).collect::<Map<_, _>>())
    }))
}

/// `tasks.task.getFields`: some of the standard fields, and those that people added.
fn task_fields(call: &mut Call<'_>) -> Outcome {
    table(call.portal, Table::Task)?;
    let standard = [
        ("ID", "integer", "ID"),
        ("TITLE", "string", "Title"),
        ("UF_CRM_TASK", "crm", "CRM Entities"),
        ("UF_TASK_WEBDAV_FILES", "disk_file", "Upload Files"),
        ("UF_MAIL_MESSAGE", "mail_message", "Mail"),
    ];
    let standard =
        standard.map(|(name, kind, title)| (name.to_owned(), json!({"title": title, "type": kind})));
    let own =
        call.portal.task_fields.iter().map(|(name, about)| (name.clone(), Value::Object(about.clone())));
    Ok(Answer::of(json!({ "fields": standard.into_iter().chain(own).collect::<Map<_, _>>() })))
}

/// `task.checklistitem.getlist`: the first parameter by its place is the task (sheet 1.2).
fn check_list(call: &mut Call<'_>) -> Outcome {
    let items = table(call.portal, Table::CheckItem)?;
    let task = call.args.entries().first().map_or(0, |(_, value)| value.int());
    if !call.portal.tables.get(&Table::Task).is_some_and(|tasks| tasks.contains_key(&task)) {
        return Err(Failure::thrown(
            "ERROR_CORE",
            "TASKS_ERROR_EXCEPTION_#8; Action failed; 8/TE/ACTION_FAILED_TO_BE_PROCESSED<br>",
        ));
    }
    let of = |row: &&Record| row.get("TASK_ID").and_then(int_of) == Some(task);
    Ok(Answer::whole(items.values().filter(of).map(whole).collect(), None))
}

fn requisites(call: &mut Call<'_>) -> Outcome {
    let rows = table(call.portal, Table::Requisite)?;
    let select = select(call);
    let listed =
        Listed::new(rows.values(), call)?.known_to(|code| REQUISITE.iter().any(|(name, _)| *name == code));
    Ok(listed.answer(None, |row| selected(row, &select)))
}

/// The standard fields of requisites.
const REQUISITE: [(&str, &str); 75] = [
    ("ID", "integer"),
    ("ENTITY_TYPE_ID", "integer"),
    ("ENTITY_ID", "integer"),
    ("PRESET_ID", "integer"),
    ("DATE_CREATE", "datetime"),
    ("DATE_MODIFY", "datetime"),
    ("CREATED_BY_ID", "user"),
    ("MODIFY_BY_ID", "user"),
    ("NAME", "string"),
    ("CODE", "string"),
    ("XML_ID", "string"),
    ("ORIGINATOR_ID", "string"),
    ("ACTIVE", "char"),
    ("ADDRESS_ONLY", "char"),
    ("SORT", "integer"),
    ("RQ_NAME", "string"),
    ("RQ_FIRST_NAME", "string"),
    ("RQ_LAST_NAME", "string"),
    ("RQ_SECOND_NAME", "string"),
    ("RQ_COMPANY_ID", "string"),
    ("RQ_COMPANY_NAME", "string"),
    ("RQ_COMPANY_FULL_NAME", "string"),
    ("RQ_COMPANY_REG_DATE", "string"),
    ("RQ_DIRECTOR", "string"),
    ("RQ_ACCOUNTANT", "string"),
    ("RQ_CEO_NAME", "string"),
    ("RQ_CEO_WORK_POS", "string"),
    ("RQ_CONTACT", "string"),
    ("RQ_EMAIL", "string"),
    ("RQ_PHONE", "string"),
    ("RQ_FAX", "string"),
    ("RQ_IDENT_TYPE", "crm_status"),
    ("RQ_IDENT_DOC", "string"),
    ("RQ_IDENT_DOC_SER", "string"),
    ("RQ_IDENT_DOC_NUM", "string"),
    ("RQ_IDENT_DOC_PERS_NUM", "string"),
    ("RQ_IDENT_DOC_DATE", "string"),
    ("RQ_IDENT_DOC_ISSUED_BY", "string"),
    ("RQ_IDENT_DOC_DEP_CODE", "string"),
    ("RQ_INN", "string"),
    ("RQ_KPP", "string"),
    ("RQ_USRLE", "string"),
    ("RQ_IFNS", "string"),
    ("RQ_OGRN", "string"),
    ("RQ_OGRNIP", "string"),
    ("RQ_OKPO", "string"),
    ("RQ_OKTMO", "string"),
    ("RQ_OKVED", "string"),
    ("RQ_EDRPOU", "string"),
    ("RQ_DRFO", "string"),
    ("RQ_KBE", "string"),
    ("RQ_IIN", "string"),
    ("RQ_BIN", "string"),
    ("RQ_ST_CERT_SER", "string"),
    ("RQ_ST_CERT_NUM", "string"),
    ("RQ_ST_CERT_DATE", "string"),
    ("RQ_VAT_PAYER", "char"),
    ("RQ_VAT_ID", "string"),
    ("RQ_VAT_CERT_SER", "string"),
    ("RQ_VAT_CERT_NUM", "string"),
    ("RQ_VAT_CERT_DATE", "string"),
    ("RQ_RESIDENCE_COUNTRY", "string"),
    ("RQ_BASE_DOC", "string"),
    ("RQ_REGON", "string"),
    ("RQ_KRS", "string"),
    ("RQ_PESEL", "string"),
    ("RQ_LEGAL_FORM", "string"),
    ("RQ_SIRET", "string"),
    ("RQ_SIREN", "string"),
    ("RQ_CAPITAL", "string"),
    ("RQ_RCS", "string"),
    ("RQ_CNPJ", "string"),
    ("RQ_STATE_REG", "string"),
    ("RQ_MNPL_REG", "string"),
    ("RQ_CPF", "string"),
];

fn requisite_fields(call: &mut Call<'_>) -> Outcome {
    table(call.portal, Table::Requisite)?;
    let field = |(name, kind): &(&str, &str)| {
        let mut about = json!({
            "type": kind, "isRequired": *name == "NAME", "isReadOnly": *name == "ID", "isImmutable": false,
            "isMultiple": false, "isDynamic": false, "title": name,
        });
        if *kind == "crm_status" {
            about["statusType"] = json!(["RQ_IDENT_TYPE_CO"]);
        }
        ((*name).to_owned(), about)
    };
    Ok(Answer::of(Value::Object(REQUISITE.iter().map(field).collect::<Map<_, _>>())))
}

fn bank_details(call: &mut Call<'_>) -> Outcome {
    let rows = table(call.portal, Table::BankDetail)?;
    let select = select(call);
    let listed = Listed::new(rows.values(), call)?;
    Ok(listed.answer(None, |row| selected(row, &select)))
}

/// `crm.address.list`: right only with `start=-1`; else `total` sticks at a page and nothing follows (sheet 10.18).
fn addresses(call: &mut Call<'_>) -> Outcome {
    let rows = table(call.portal, Table::Address)?;
    let listed = Listed::new(rows.values(), call)?;
    let paged = listed.start >= 0;
    let mut answer = listed.answer(None, whole);
    if paged {
        answer.total = answer.total.map(|total| total.min(PAGE as i64));
        answer.next = None;
    }
    Ok(answer)
}

fn sections(call: &mut Call<'_>) -> Outcome {
    let rows = table(call.portal, Table::Section)?;
    Ok(Listed::new(rows.values(), call)?.answer(None, whole))
}

/// `catalog.price.list`: exact offsets, camelCase.
fn prices(call: &mut Call<'_>) -> Outcome {
    let rows = table(call.portal, Table::Price)?;
    let mut listed = Listed::new(rows.values(), call)?;
    listed.exact = true;
    Ok(listed.answer(Some("prices"), whole))
}
