//! Links between contacts and companies, deals, leads and quotes: set, added, deleted (sheet 16.4).

use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Link, Portal};
use super::may_write;

/// How a set of links is written.
#[derive(Clone, Copy)]
struct Way {
    /// Whose links they are, as the method names it.
    owner: Entity,
    /// The key of the other record.
    key: &'static str,
    /// Whether the table is read from the other side: companies keep no links of their own.
    reverse: bool,
}

const CONTACT: Way = Way { owner: Entity::Contact, key: "COMPANY_ID", reverse: false };
const COMPANY: Way = Way { owner: Entity::Company, key: "CONTACT_ID", reverse: true };
const DEAL: Way = Way { owner: Entity::Deal, key: "CONTACT_ID", reverse: false };
const LEAD: Way = Way { owner: Entity::Lead, key: "CONTACT_ID", reverse: false };
const QUOTE: Way = Way { owner: Entity::Quote, key: "CONTACT_ID", reverse: false };

pub(super) const METHODS: Table = &[
    ("crm.contact.company.items.set", |c| set(c, CONTACT)),
    ("crm.contact.company.items.delete", |c| clear(c, CONTACT)),
    ("crm.contact.company.add", |c| add(c, CONTACT)),
    ("crm.contact.company.delete", |c| remove(c, CONTACT)),
    ("crm.company.contact.items.set", |c| set(c, COMPANY)),
    ("crm.company.contact.items.delete", |c| clear(c, COMPANY)),
    ("crm.company.contact.add", |c| add(c, COMPANY)),
    ("crm.company.contact.delete", |c| remove(c, COMPANY)),
    ("crm.deal.contact.items.set", |c| set(c, DEAL)),
    ("crm.deal.contact.items.delete", |c| clear(c, DEAL)),
    ("crm.deal.contact.add", |c| add(c, DEAL)),
    ("crm.deal.contact.delete", |c| remove(c, DEAL)),
    ("crm.lead.contact.items.set", |c| set(c, LEAD)),
    ("crm.lead.contact.items.delete", |c| clear(c, LEAD)),
    ("crm.lead.contact.add", |c| add(c, LEAD)),
    ("crm.lead.contact.delete", |c| remove(c, LEAD)),
    ("crm.quote.contact.items.set", |c| set(c, QUOTE)),
    ("crm.quote.contact.items.delete", |c| clear(c, QUOTE)),
    ("crm.quote.contact.add", |c| add(c, QUOTE)),
    ("crm.quote.contact.delete", |c| remove(c, QUOTE)),
];

/// The record whose links are written.
fn owner(call: &Call<'_>, way: Way) -> Result<i64, Failure> {
    let id = call.args.get_any(&["id", "ID"]).map_or(0, Php::int);
    if id <= 0 {
        return Err(Failure::classic("The parameter ownerEntityID is invalid or not defined."));
    }
    if !call.settings.may_write {
        return Err(Failure::thrown("ACCESS_DENIED", "Access denied!"));
    }
    may_write(call)?;
    if call.portal.records.get(&way.owner).is_some_and(|t| t.contains_key(&id)) {
        Ok(id)
    } else {
        Err(Failure::classic("Not found"))
    }
}

/// The links of a record, in the order of their sort.
fn held(portal: &Portal, way: Way, id: i64) -> Vec<Link> {
    if !way.reverse {
        return portal.links_of(way.owner, id);
    }
    let contacts = portal.records.get(&Entity::Contact).into_iter().flatten().map(|(contact, _)| *contact);
    let mut out: Vec<Link> = contacts
        .filter_map(|contact| {
            let link = portal.companies_of(contact).into_iter().find(|l| l.id == id)?;
            Some(Link { id: contact, ..link })
        })
        .collect();
    out.sort_by_key(|l| l.sort);
    out
}

/// Whether the other record of a link is there.
fn exists(portal: &Portal, way: Way, other: i64) -> bool {
    let entity = if way.key == "COMPANY_ID" { Entity::Company } else { Entity::Contact };
    portal.records.get(&entity).is_some_and(|t| t.contains_key(&other))
}

/// Puts the links of a record in the place of its old ones.
fn keep(call: &mut Call<'_>, way: Way, id: i64, links: Vec<Link>) {
    *call.reverse = None;
    if !way.reverse {
        call.portal.set_links(way.owner, id, links);
        return;
    }
    for old in held(call.portal, way, id) {
        let mut of_contact = call.portal.companies_of(old.id);
        of_contact.retain(|l| l.id != id);
        call.portal.set_links(Entity::Contact, old.id, of_contact);
    }
    for link in links {
        let mut of_contact = call.portal.companies_of(link.id);
        // A contact that had a main company keeps it.
        let primary = of_contact.is_empty();
        of_contact.push(Link { id, sort: link.sort, primary });
        call.portal.set_links(Entity::Contact, link.id, of_contact);
    }
}

/// `*.items.set`: replaces everything.
fn set(call: &mut Call<'_>, way: Way) -> Outcome {
    let id = owner(call, way)?;
    let items = call.args.get_any(&["items", "ITEMS"]).filter(|i| i.is_array());
    let items = items.ok_or_else(|| Failure::classic("The parameter items must be array."))?;
    let before = held(call.portal, way, id);
    let links_by_place = matches!(way.owner, Entity::Deal | Entity::Quote | Entity::Lead);
    let mut largest = before.iter().map(|l| l.sort).max().unwrap_or(0);
    let mut links: Vec<Link> = Vec::new();
    let mut primary = None;
    for (_, item) in items.entries() {
        let other = item.get(way.key).map_or(0, Php::int);
        if !exists(call.portal, way, other) || links.iter().any(|l| l.id == other) {
            continue;
        }
        let sent = item.get("SORT").map(Php::int).filter(|s| *s > 0);
        let old = before.iter().find(|l| l.id == other).map(|l| l.sort);
        let sort = sent.unwrap_or_else(|| match old {
            _ if links_by_place => (links.len() as i64 + 1) * 10,
            Some(old) => old,
            None => {
                largest += 10;
                largest
            }
        });
        if item.get("IS_PRIMARY").is_some_and(Php::flag) && primary.is_none() {
            primary = Some(other);
        }
        links.push(Link { id: other, sort, primary: false });
    }
    let primary = primary.or(links.first().map(|l| l.id));
    links.iter_mut().for_each(|l| l.primary = Some(l.id) == primary);
    keep(call, way, id, links);
    Ok(Answer::of(true))
}

/// `*.items.delete`: removes all of one record's.
fn clear(call: &mut Call<'_>, way: Way) -> Outcome {
    let id = owner(call, way)?;
    keep(call, way, id, Vec::new());
    Ok(Answer::of(true))
}

/// The other record that `fields` names.
fn other(call: &Call<'_>, way: Way) -> Result<(i64, Php), Failure> {
    let fields = call.args.get_any(&["fields", "FIELDS"]).filter(|f| f.is_array());
    let invalid = || Failure::classic("The parameter 'fields' is not valid.");
    let fields = fields.ok_or_else(invalid)?;
    let other = fields.get(way.key).map_or(0, Php::int);
    if other > 0 { Ok((other, fields.clone())) } else { Err(invalid()) }
}

/// `*.add`: one link; `false` when it is there already.
fn add(call: &mut Call<'_>, way: Way) -> Outcome {
    let id = owner(call, way)?;
    let (other, fields) = other(call, way)?;
    if !exists(call.portal, way, other) {
        return Err(Failure::classic("Not found"));
    }
    let mut links = held(call.portal, way, id);
    if links.iter().any(|l| l.id == other) {
        return Ok(Answer::of(false));
    }
    let sort = fields.get("SORT").map(Php::int).filter(|s| *s > 0);
    let sort = sort.unwrap_or_else(|| links.iter().map(|l| l.sort).max().unwrap_or(0) + 10);
    let primary = links.is_empty() || fields.get("IS_PRIMARY").is_some_and(Php::flag);
    if way.reverse {
        // The company's side adds a row to the contact's own links.
        let mut of_contact = call.portal.companies_of(other);
        let primary = of_contact.is_empty() || fields.get("IS_PRIMARY").is_some_and(Php::flag);
        of_contact.iter_mut().for_each(|l| l.primary &= !primary);
        of_contact.push(Link { id, sort, primary });
        call.portal.set_links(Entity::Contact, other, of_contact);
        *call.reverse = None;
        return Ok(Answer::of(true));
    }
    links.iter_mut().for_each(|l| l.primary &= !primary);
    links.push(Link { id: other, sort, primary });
    keep(call, way, id, links);
    Ok(Answer::of(true))
}

/// `*.delete`: one link; `false` when there is none.
fn remove(call: &mut Call<'_>, way: Way) -> Outcome {
    let id = owner(call, way)?;
    let (other, _) = other(call, way)?;
    let (side, gone) = if way.reverse { (other, id) } else { (id, other) };
    let table = if way.reverse { Entity::Contact } else { way.owner };
    let mut links = call.portal.links_of(table, side);
    let Some(at) = links.iter().position(|l| l.id == gone) else { return Ok(Answer::of(false)) };
    let was_primary = links.remove(at).primary;
    if let (true, Some(first)) = (was_primary, links.first_mut()) {
        first.primary = true;
    }
    call.portal.set_links(table, side, links);
    *call.reverse = None;
    Ok(Answer::of(true))
}
