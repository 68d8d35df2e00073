//! What a portal keeps beside its records, put back as a connector once received it.

use serde_json::Value;

use crate::run::twin::bitrix24::portal::{Portal, Record};
use crate::run::twin::bitrix24::records::int_of;
use crate::run::twin::bitrix24::tables::Table;

/// Adds the rows; tables that come with them are there from then on, empty or not.
pub(super) fn load(portal: &mut Portal, table: Table, rows: impl Iterator<Item = Value>) {
    let inner = match table {
        Table::Task => Some((Table::CheckItem, "CHECKLIST")),
        Table::Requisite => Some((Table::BankDetail, "BANK_DETAILS")),
        _ => None,
    };
    portal.tables.entry(table).or_default();
    if let Some((inner, _)) = inner {
        portal.tables.entry(inner).or_default();
    }
    for row in rows {
        let Value::Object(mut row) = row else { continue };
        if let Some((inner, field)) = inner
            && let Some(Value::Array(items)) = row.shift_remove(field)
        {
            for item in items {
                let Value::Object(item) = item else { continue };
                put(portal, inner, item);
            }
        }
        match table {
            Table::Task => put(portal, table, row.into_iter().map(|(k, v)| (upper(&k), v)).collect()),
            Table::Address => {
                row.shift_remove("ID");
                let rows = portal.tables.entry(table).or_default();
                let next = rows.last_key_value().map_or(1, |(last, _)| last + 1);
                rows.insert(next, row);
            }
            _ => put(portal, table, row),
        }
    }
}

fn put(portal: &mut Portal, table: Table, row: Record) {
    let id = row.get("ID").or_else(|| row.get("id")).and_then(int_of).filter(|id| *id > 0);
    if let Some(id) = id {
        portal.tables.entry(table).or_default().insert(id, row);
    }
}

/// `ufCrmTask` as `UF_CRM_TASK`.
fn upper(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}
