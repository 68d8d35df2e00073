//! `newX` and `editX` of accounts, contacts and leads (sheet §4.1, §5, §5.1).

use rust_decimal::Decimal;

use super::super::company::Company;
use super::super::json::Json;
use super::super::record::{Kind, Link, Person, ProductLine, Record};
use super::super::settings::{ClosingInput, OnBad};
use super::super::time;
use super::super::values::{
    Context, Refusal, address, check_open_leads, close, items, lead_title, links, one_of, owner, phone,
    reopen, set_customs, tags,
};

/// Creates a record; returns its id.
pub fn create(company: &mut Company, context: Context, kind: Kind, input: &Json) -> Result<i64, Refusal> {
    if !matches!(input, Json::Obj(_) | Json::Arr(_)) {
        return Err(Refusal::bad(format!("{} must be an object", kind.singular())));
    }
    let mut record = match kind {
        Kind::Leads => {
            check_open_leads(company, context.settings)?;
            company.new_lead(context.actor).ok_or_else(|| Refusal::bad("There is no pipeline"))?
        }
        _ => Record::new(kind, context.actor),
    };
    if kind == Kind::Accounts {
        record.account_type = company.account_types.first().map(|row| row.id);
    }
    let notes = apply(company, context, &mut record, input, true)?;
    if kind == Kind::Contacts
        && record.person == Person::default()
        && record.phone.is_empty()
        && record.email.is_empty()
    {
        return Err(Refusal::bad("A contact must have a name, a phone number or an e-mail address"));
    }
    if kind == Kind::Leads
        && !context.settings.dialect.lead_without_contact
        && record.contacts.is_empty()
        && record.accounts.is_empty()
    {
        return Err(Refusal::bad("A lead must have a contact or an account"));
    }
    let id = company.insert(record, context.now_ms);
    if context.settings.dialect.created_time_kept
        && let Some(created) = time::from_json(input.at("createdTime"))
    {
        company.backdate(kind, id, created);
    }
    append(company, context, kind, id, notes);
    Ok(id)
}

/// Edits a record whose rev was checked already.
pub fn edit(company: &mut Company, context: Context, before: &Record, input: &Json) -> Result<(), Refusal> {
    let closed = before.deal.as_ref().is_some_and(|deal| deal.status >= 10);
    if closed && !context.settings.dialect.closed_lead_edits && input.at("status").int() != Some(0) {
        return Err(Refusal::bad("A closed lead cannot be edited"));
    }
    let mut record = before.clone();
    let notes = apply(company, context, &mut record, input, false)?;
    let (kind, id) = (record.kind, record.id);
    let was_open = before.deal.as_ref().is_none_or(|deal| deal.status < 10);
    let is_open = record.deal.as_ref().is_none_or(|deal| deal.status < 10);
    if is_open && !was_open {
        check_open_leads(company, context.settings)?;
    }
    company.commit(record, context.now_ms);
    if is_open != was_open {
        company.bump_linked(kind, id);
    }
    append(company, context, kind, id, notes);
    Ok(())
}

fn append(company: &mut Company, context: Context, kind: Kind, id: i64, notes: Vec<String>) {
    for text in notes {
        company.add_note(kind, id, text, context.actor, context.now_ms);
    }
}

/// Writes the sent keys into a record; what is read-only or unknown is ignored. Returns the notes to add.
fn apply(
    company: &mut Company,
    context: Context,
    record: &mut Record,
    input: &Json,
    new: bool,
) -> Result<Vec<String>, Refusal> {
    let kind = record.kind;
    let dialect = &context.settings.dialect;
    if let Some(text) = input.get("description") {
        record.description =
            if kind == Kind::Leads { lead_title(dialect.long_description, text)? } else { text.filled() };
    }
    match kind {
        Kind::Leads => lead(company, context, record, input, new)?,
        _ => {
            if let Some(sent) = input.get("phone") {
                record.phone = items(sent, phone);
            }
            if let Some(sent) = input.get("email") {
                record.email = items(sent, Json::filled);
            }
            if let Some(sent) = input.get("url") {
                record.url = items(sent, Json::filled);
            }
            if let Some(sent) = input.get("address") {
                record.address = items(sent, address);
            }
            if let Some(sent) = input.get("owner") {
                record.owner = owner(company, sent)?;
            }
            if let Some(sent) = input.get("territoryId") {
                record.territory = one_of(company.territories.iter().map(|row| row.id), "Territory", sent)?;
            }
            if let Some(sent) = input.get("legacyId").filter(|_| dialect.legacy_id_kept) {
                record.legacy_id = sent.filled();
            }
        }
    }
    match kind {
        Kind::Accounts => {
            if let Some(sent) = input.get("name") {
                record.name = sent.filled().unwrap_or_default();
            }
            if let Some(sent) = input.get("parentAccount").filter(|_| dialect.parent_account) {
                let parent = sent.at("id").int().filter(|id| company.live(Kind::Accounts, *id).is_some());
                if parent.is_none() && !sent.is_null() {
                    return Err(Refusal::bad("parentAccount does not exist"));
                }
                record.parent = parent;
            }
            if let Some(sent) = input.get("industryId") {
                record.industry = one_of(company.industries.iter().map(|row| row.id), "Industry", sent)?;
            }
            if let Some(sent) = input.get("accountTypeId") {
                record.account_type =
                    one_of(company.account_types.iter().map(|row| row.id), "Account type", sent)?;
            }
        }
        Kind::Contacts => {
            if let Some(sent) = input.get("name") {
                record.person = name(dialect.contact_name_object, sent)?;
            }
        }
        Kind::Leads => {}
    }
    for to in Kind::ALL.into_iter().filter(|to| *to != kind) {
        if let Some(sent) = input.get(to.rest()) {
            *record.links_mut(to) = links(company, to, sent)?;
        }
    }
    if kind == Kind::Leads
        && let Some(sent) = input.get("primaryAccount").filter(|sent| !sent.is_null())
    {
        let list = Json::Arr(vec![sent.clone()]);
        let first = links(company, Kind::Accounts, &list)?.remove(0);
        let known =
            record.accounts.iter().position(|link| link.id == first.id).map(|at| record.accounts.remove(at));
        let relationship = first.relationship.or_else(|| known.and_then(|link| link.relationship));
        record.accounts.insert(0, Link { id: first.id, relationship });
    }
    if let Some(sent) = input.get("customFields") {
        if !dialect.unsent_custom_fields_survive {
            record.custom.clear();
        }
        set_customs(company, context.settings, record, sent)?;
    }
    // Last, since a tag may be created here: nothing may be refused after that.
    if let Some(sent) = input.get("tags") {
        record.tags = tags(company, context.settings, kind, sent)?;
    }
    let sent = input.at("note");
    let notes = match sent {
        Json::Arr(list) => list.iter().filter_map(Json::filled).collect(),
        Json::Obj(_) => sent.at("note").filled().into_iter().collect(),
        _ => sent.filled().into_iter().collect(),
    };
    Ok(notes)
}

fn name(objects: bool, input: &Json) -> Result<Person, Refusal> {
    match input {
        Json::Obj(_) if objects => Ok(Person {
            salutation: input.at("salutation").filled(),
            given: input.at("givenName").filled(),
            family: input.at("familyName").filled(),
        }),
        Json::Obj(_) => Err(Refusal::bad("The name of a contact must be a string")),
        _ => Ok(input.filled().map(|text| Record::split_name(&text)).unwrap_or_default()),
    }
}

fn lead(
    company: &Company,
    context: Context,
    record: &mut Record,
    input: &Json,
    new: bool,
) -> Result<(), Refusal> {
    if let Some(sent) = input.get("assignee") {
        record.owner = owner(company, sent)?;
    }
    let Some(mut deal) = record.deal.take() else {
        return Ok(());
    };
    let stageset =
        one_of(company.stagesets.iter().map(|known| known.id), "Stageset", input.at("stagesetId"))?
            .filter(|_| !new || context.settings.dialect.rpc_stageset);
    let stage =
        one_of(company.milestones.iter().map(|known| known.id), "Milestone", input.at("milestoneId"))?;
    let stage = stage.and_then(|id| company.milestones.iter().find(|known| known.id == id));
    if let Some(stageset) = stageset.filter(|id| *id != deal.stageset) {
        deal.stageset = stageset;
        let first = company.first_stage(stageset);
        deal.milestone =
            first.ok_or_else(|| Refusal::bad(format!("Stageset {stageset} has no milestones")))?.id;
    }
    if let Some(stage) = stage {
        if new && stageset.is_none() {
            deal.stageset = stage.stageset;
        }
        if stage.stageset != deal.stageset {
            return Err(Refusal::bad(format!(
                "Milestone {} does not belong to stageset {}",
                stage.id, deal.stageset
            )));
        }
        deal.milestone = stage.id;
    }
    if let Some(sent) = input.get("market").or_else(|| input.get("marketId")) {
        let market = one_of(company.markets.iter().map(|market| market.id), "Market", sent)?;
        deal.market = market.or_else(|| company.default_market().map(|market| market.id)).unwrap_or(0);
    }
    if let Some(sent) = input.get("confidence") {
        deal.confidence = match sent.int() {
            Some(percent) if (0..=100).contains(&percent) && context.settings.rounds_confidence => {
                Some(percent - percent % 10)
            }
            Some(percent) if (0..=100).contains(&percent) => Some(percent),
            None if sent.is_null() => None,
            _ => return Err(Refusal::bad("Confidence must be between 0 and 100")),
        };
    }
    if let Some(sent) = input.get("dueTime") {
        deal.due = match time::from_json(sent) {
            None if !sent.is_null() => return Err(Refusal::bad("dueTime is not a date")),
            due => due,
        };
    }
    if let Some(sent) = input.get("priority") {
        deal.priority = sent.int().unwrap_or(0);
    }
    if let Some(sent) = input.get("sources") {
        let known =
            || company.sources.iter().filter(|source| source.deleted.is_none()).map(|source| source.id);
        let read = |sent: &&Json| one_of(known(), "Source", sent).transpose();
        deal.sources = sent.list().iter().filter_map(read).collect::<Result<_, _>>()?;
    }
    if let Some(sent) = input.get("competitors") {
        let read = |sent: &&Json| {
            one_of(company.competitors.iter().map(|row| row.id), "Competitor", sent).transpose()
        };
        deal.competitors = sent.list().iter().filter_map(read).collect::<Result<_, _>>()?;
    }
    if let Some(sent) = input.get("products") {
        deal.products =
            sent.list().into_iter().map(|sent| product(company, sent)).collect::<Result<_, _>>()?;
    }
    if let Some(sent) =
        input.get("value").filter(|_| context.settings.dialect.rpc_lead_value && deal.products.is_empty())
    {
        deal.manual = match sent {
            Json::Null => None,
            Json::Obj(_) => sent.at("amount").decimal(),
            _ => sent.decimal(),
        };
    }
    if let Some(pending) = input.get("isPending").filter(|_| deal.status < 10) {
        deal.status = i64::from(pending.flag());
    }
    record.deal = Some(deal);
    status(company, context, record, input, new)
}

fn live_products(company: &Company) -> impl Iterator<Item = i64> {
    company
        .agenda
        .products
        .values()
        .filter(|product| product.head.deleted.is_none())
        .map(|product| product.head.id)
}

fn product(company: &Company, input: &Json) -> Result<ProductLine, Refusal> {
    let id = one_of(live_products(company), "Product", input)?;
    let product = id.ok_or_else(|| Refusal::bad("A product must be given by id"))?;
    let price = input.at("price");
    // The documented input key is `currency_shortname`; the market decides all the same.
    let price = price.at("amount").decimal().or_else(|| price.decimal()).unwrap_or_default();
    let quantity = input.at("quantity").decimal().unwrap_or(Decimal::ONE);
    Ok(ProductLine { product, quantity, price, relationship: input.at("relationship").filled() })
}

/// Closes or reopens a lead: only an outcome closes (sheet §5.1).
fn status(
    company: &Company,
    context: Context,
    record: &mut Record,
    input: &Json,
    new: bool,
) -> Result<(), Refusal> {
    let sent = input.at("status");
    if !sent.is_null() {
        match sent.int() {
            Some(0) => {
                let closed = record.deal.as_ref().is_some_and(|deal| deal.status >= 10);
                if closed {
                    reopen(record);
                }
            }
            Some(status) if context.settings.dialect.bare_closing_status == OnBad::Keep && !new => {
                let first = company.outcomes.iter().find(|outcome| outcome.status == status);
                let first = first.ok_or_else(|| Refusal::bad(format!("Invalid status {status}")))?;
                close(company, record, first.id, context.now())?;
            }
            _ => {
                return Err(Refusal::bad("Lead status can only be set to 0 (for reopening)"));
            }
        }
    }
    let outcome = input.at("outcome");
    if !outcome.is_null()
        && let Some(given) = outcome.get("entityType")
        && given.str() != Some("Lead_Outcomes")
    {
        return Err(Refusal::bad("entityType must be Lead_Outcomes"));
    }
    let by_id = input.at("outcomeId");
    let refused = match context.settings.dialect.closing {
        ClosingInput::Any => None,
        ClosingInput::Object => Some("outcomeId").filter(|_| !by_id.is_null()),
        ClosingInput::Id => Some("outcome").filter(|_| !outcome.is_null()),
    };
    if let Some(key) = refused {
        return Err(Refusal::bad(format!("Invalid value for {key}")));
    }
    let id = outcome.at("id").int().or_else(|| by_id.int());
    if !outcome.is_null() && id.is_none() {
        return Err(Refusal::bad("An outcome must be given by id"));
    }
    // Only an edit closes: a lead is created open.
    match id.filter(|_| !new) {
        Some(id) => {
            let given = time::from_json(input.at("closedTime"));
            let given = given.filter(|_| context.settings.dialect.closed_time_kept);
            close(company, record, id, given.unwrap_or_else(|| context.now()))
        }
        None => Ok(()),
    }
}
