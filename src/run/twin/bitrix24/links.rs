//! Link tables: contact to companies and back, deal to contacts (sheet 10.3, 10.4).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::methods::{Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::{Entity, Link, Portal};

fn row(key: &str, link: &Link) -> Value {
    let primary = if link.primary { "Y" } else { "N" };
    json!({ key: link.id, "SORT": link.sort, "ROLE_ID": 0, "IS_PRIMARY": primary })
}

fn sorted(mut links: Vec<Link>, key: &str) -> Answer {
    links.sort_by_key(|l| l.sort);
    Answer::whole(links.iter().map(|l| row(key, l)).collect(), None)
}

fn owner(args: &Php) -> i64 {
    args.get_any(&["id", "ID"]).map_or(0, Php::int)
}

/// A bad owner: this handler returns its error instead of throwing it, so the status is 200 (sheet 2, 10.3).
fn bad_owner() -> Failure {
    Failure::new(200, "", "The parameter ownerEntityID is invalid or not defined.")
}

/// `crm.contact.company.items.get`.
pub(super) fn contact_companies(call: &mut Call<'_>) -> Outcome {
    let id = owner(call.args);
    if id <= 0 {
        return Err(bad_owner());
    }
    Ok(sorted(call.portal.companies_of(id), "COMPANY_ID"))
}

/// `crm.company.contact.items.get`.
pub(super) fn company_contacts(call: &mut Call<'_>) -> Outcome {
    let id = owner(call.args);
    if id <= 0 {
        return Err(bad_owner());
    }
    let portal = &*call.portal;
    let reverse = call.reverse.get_or_insert_default().contacts.get_or_insert_with(|| build_reverse(portal));
    let links = reverse.get(&id).into_iter().flatten();
    Ok(sorted(links.map(|(contact, l)| Link { id: *contact, ..l.clone() }).collect(), "CONTACT_ID"))
}

/// `crm.deal.contact.items.get`.
pub(super) fn deal_contacts(call: &mut Call<'_>) -> Outcome {
    let id = owner(call.args);
    if id <= 0 {
        return Err(Failure::classic("The parameter id is invalid or not defined."));
    }
    if !call.portal.records.get(&Entity::Deal).is_some_and(|t| t.contains_key(&id)) {
        return Err(Failure::classic("Not found."));
    }
    Ok(sorted(call.portal.contacts_of(id), "CONTACT_ID"))
}

/// `crm.lead.contact.items.get`.
pub(super) fn lead_contacts(call: &mut Call<'_>) -> Outcome {
    let id = owner(call.args);
    if id <= 0 {
        return Err(Failure::classic("The parameter id is invalid or not defined."));
    }
    if !call.portal.records.get(&Entity::Lead).is_some_and(|t| t.contains_key(&id)) {
        return Err(Failure::classic("Not found."));
    }
    Ok(sorted(call.portal.links_of(Entity::Lead, id), "CONTACT_ID"))
}

/// `crm.quote.contact.items.get`.
pub(super) fn quote_contacts(call: &mut Call<'_>) -> Outcome {
    let id = owner(call.args);
    if id <= 0 {
        return Err(Failure::classic("The parameter id is invalid or not defined."));
    }
    if !call.portal.records.get(&Entity::Quote).is_some_and(|t| t.contains_key(&id)) {
        return Err(Failure::classic("Not found."));
    }
    Ok(sorted(call.portal.quote_contacts_of(id), "CONTACT_ID"))
}

fn build_reverse(portal: &Portal) -> BTreeMap<i64, Vec<(i64, Link)>> {
    let mut out = BTreeMap::<i64, Vec<(i64, Link)>>::new();
    let contacts = portal.records.get(&Entity::Contact).into_iter().flatten().map(|(id, _)| *id);
    for contact in contacts {
        for link in portal.companies_of(contact) {
            out.entry(link.id).or_default().push((contact, link));
        }
    }
    out
}
