//! Workflows, repeated deals and channels of the default portal: settings, made from the seed, without a person's data.

use serde_json::{Value, json};

use super::rng::{Rng, salt};
use crate::run::twin::bitrix24::{Entity, Portal, portal::Record};

const NAMES: [&str; 8] = [
    "Согласование скидки",
    "Договор на подпись",
    "Напоминание о продлении",
    "Передача в сервис",
    "Проверка контрагента",
    "Счёт и закрывающие",
    "Welcome series",
    "Возврат оборудования",
];
const DOCUMENTS: [(&str, &str); 5] = [
    ("DEAL", "CCrmDocumentDeal"),
    ("LEAD", "CCrmDocumentLead"),
    ("CONTACT", "CCrmDocumentContact"),
    ("COMPANY", "CCrmDocumentCompany"),
    ("DYNAMIC_1032", "Bitrix\\Crm\\Integration\\BizProc\\Document\\Dynamic"),
];

/// Fills what works by itself; as many templates as a portal of this size has.
pub(super) fn fill(portal: &mut Portal, seed: u64) {
    let mut rng = Rng::at(seed, &[salt("automation")]);
    let deals: Vec<i64> =
        portal.records.get(&Entity::Deal).map(|deals| deals.keys().copied().collect()).unwrap_or_default();
    let users: Vec<i64> = portal.users.keys().copied().collect();
    let templates = 6 + deals.len() / 20;
    let row = |value: Value| -> Record { value.as_object().cloned().unwrap_or_default() };
    for n in 0..templates {
        let (document, entity) = DOCUMENTS[rng.below(DOCUMENTS.len() as u64) as usize];
        let name = NAMES[n % NAMES.len()];
        let again = if n < NAMES.len() { String::new() } else { format!(" {}", n / NAMES.len() + 1) };
        let user = users.get(rng.below(users.len().max(1) as u64) as usize).copied().unwrap_or(1);
        portal.workflows.push(row(json!({
            "ID": (501 + 2 * n as i64).to_string(),
            "MODULE_ID": "crm",
            "ENTITY": entity,
            "DOCUMENT_TYPE": document,
            "AUTO_EXECUTE": rng.below(4).to_string(),
            "NAME": format!("{name}{again}"),
            "TEMPLATE": [],
            "PARAMETERS": [],
            "VARIABLES": [],
            "CONSTANTS": [],
            "MODIFIED": format!("2025-{:02}-{:02}T10:00:00+03:00", 1 + rng.below(12), 1 + rng.below(28)),
            "USER_ID": user.to_string(),
            "SYSTEM_CODE": Value::Null,
        })));
    }
    for (n, deal) in deals.iter().take(deals.len() / 25).enumerate() {
        portal.running.push(row(json!({
            "ID": format!("5d8b7e{n:08x}"), "MODIFIED": "2025-09-01T10:00:00+03:00", "OWNED_UNTIL": Value::Null,
            "DOCUMENT_ID": format!("DEAL_{deal}"),
        })));
    }
    for (n, deal) in deals.iter().rev().take(2).enumerate() {
        portal.recurring.push(row(json!({
            "ID": (n + 1).to_string(), "DEAL_ID": deal.to_string(), "ACTIVE": "Y", "IS_LIMIT": "N",
        })));
    }
    portal.open_lines.push(row(json!({ "ID": "1", "ACTIVE": "Y", "LINE_NAME": "Сайт", "CRM": "Y" })));
}
