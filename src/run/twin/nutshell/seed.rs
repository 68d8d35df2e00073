//! Start states: the default company, one with history, and one built from a description in JSON.

use serde_json::{Value, json};

use super::agenda::{Head, Product};
use super::company::{
    Company, Field, FieldType, Market, Milestone, Named, Outcome, Source, Stageset, Tag, User,
};
use super::phone::Phone;
use super::record::{Actor, Item, Kind, Link, Owner, Record};

impl Company {
    /// The default start state: "Acme Inc" with users, two pipelines and settings, and no records.
    pub fn acme() -> Company {
        let seed = json!({
            "users": [
                {"name": "Ann Admin", "email": "admin@acme.example", "admin": true},
                {"name": "Svetlana Petrova", "email": "svetlana@acme.example"},
                {"name": "Olga Operations", "email": "ops@acme.example"},
                {"name": "Ivan Sidorov", "email": "ivan@acme.example"},
                {"name": "Maria Ivanova", "email": "maria@acme.example"},
                {"name": "John Smith", "email": "john@acme.example"},
                {"name": "Gone Away", "email": "gone@acme.example", "enabled": false},
            ],
            "teams": ["Sales team", "Service team"],
            "stagesets": [
                {"name": "Sales", "default": true, "stages": ["Qualify", "Proposal", "Negotiation", "Contract", "On hold"]},
                {"name": "Service", "stages": ["New request", "Repair", "Done check"]},
            ],
            "outcomes": [
                {"name": "Signed", "type": 10}, {"name": "Completed", "type": 10},
                {"name": "No budget", "type": 11}, {"name": "Competitor", "type": 11}, {"name": "No decision", "type": 11},
                {"name": "Duplicate", "type": 12},
            ],
            "markets": [
                {"name": "United States", "currency": "USD", "default": true},
                {"name": "Europe", "currency": "EUR"}, {"name": "Russia", "currency": "RUB"},
            ],
            "industries": [
                "Technology", "Telecommunications", "Manufacturing", "Banking", "Consulting", "Finance", "Government",
                "Transportation", "Entertainment", "Non-profit", "Other",
            ],
            "account_types": ["Customer", "Prospect", "Partner", "Vendor", "Other"],
            "activity_types": ["Phone Call", "Meeting", "Email", "Open line"],
            "territories": ["Everywhere"],
            "competitors": ["Globex"],
            "sources": ["Phone", "Website", "Email campaign", "Partner", "Referral", "Trade show", "Advertising", "Other"],
            "tags": {"Accounts": ["Key account", "Imported"], "Contacts": ["Imported", "VIP"], "Leads": ["Imported", "Urgent"]},
        });
        Company::from_json(&seed).unwrap_or_default()
    }

    /// The default company with a few records that people made before, two of them doubles.
    pub fn acme_with_history() -> Company {
        let mut company = Company::acme();
        let admin = Actor::User(company.users.first().map_or(1, |user| user.id));
        // 2025-08-13, as old as the live samples.
        let then_ms = 1_755_113_219_000;
        let mut accounts = Vec::new();
        for (name, site, phone) in [
            ("Globex Corporation", "https://globex.example", "734-234-9990"),
            ("Initech", "https://initech.example", "+7 495 123-45-67"),
            ("initech", "http://www.initech.example/", ""),
            ("Umbrella LLC", "", ""),
        ] {
            let mut record = Record::new(Kind::Accounts, admin);
            record.name = name.to_owned();
            record.account_type = company.account_types.first().map(|row| row.id);
            if !site.is_empty() {
                record.url.push(Item { label: None, value: site.to_owned() });
            }
            if !phone.is_empty() {
                record.phone.push(Item { label: Some("work".to_owned()), value: Phone::parse(phone) });
            }
            accounts.push(company.insert(record, then_ms));
        }
        let mut contacts = Vec::new();
        for (name, email, account) in [
            ("Hank Scorpio", "hank@globex.example", Some(0)),
            ("Bill Lumbergh", "bill@initech.example", Some(1)),
            ("William Lumbergh", "bill@initech.example", None),
            ("Alice Abernathy", "alice@umbrella.example", Some(3)),
        ] {
            let mut record = Record::new(Kind::Contacts, admin);
            record.person = Record::split_name(name);
            record.email.push(Item { label: None, value: email.to_owned() });
            if let Some(id) = account.and_then(|at: usize| accounts.get(at)) {
                record.accounts.push(Link { id: *id, relationship: Some("Manager".to_owned()) });
            }
            contacts.push(company.insert(record, then_ms));
        }
        if let (Some(account), Some(contact)) = (accounts.first(), contacts.first())
            && let Some(mut record) = company.new_lead(admin)
        {
            record.description = Some("Volcano lair".to_owned());
            record.owner = Some(Owner::User(company.users.first().map_or(1, |user| user.id)));
            record.accounts.push(Link { id: *account, relationship: None });
            record.contacts.push(Link { id: *contact, relationship: None });
            let lead = company.insert(record, then_ms);
            company.add_note(Kind::Leads, lead, "Wants a moat".to_owned(), admin, then_ms);
        }
        company
    }

    /// Builds a start state from a description.
    ///
    /// Keys: `users [{id, name, email, enabled, admin}]`, `stagesets [{id, name, default, status,
    /// stages}]`, `outcomes [{id, name, type}]`, `markets [{id, name, currency, default}]`, `tags` and `custom_fields` by
    /// `entityType`, and lists of names (or of `{id, name}`) under `teams`, `industries`, `account_types`,
    /// `activity_types`, `territories`, `competitors`, `sources`, `products`. What is missing stays empty, an id that
    /// is missing is given. Fails with the place of what cannot be read.
    pub fn from_json(seed: &Value) -> Result<Company, String> {
        let mut company = Company::default();
        if !seed.is_object() {
            return Err("the description of a company must be an object".to_owned());
        }
        for (row, id) in rows(seed, "users")? {
            let email = text(row, "email").ok_or_else(|| format!("user {id} has no `email`"))?;
            let flag = |key: &str, default| row.get(key).and_then(Value::as_bool).unwrap_or(default);
            let (enabled, admin) = (flag("enabled", true), flag("admin", false));
            let name = text(row, "name").unwrap_or_else(|| email.clone());
            company.users.push(User { id, name, email, enabled, admin });
        }
        company.teams = named(seed, "teams")?;
        company.industries = named(seed, "industries")?;
        company.account_types = named(seed, "account_types")?;
        company.activity_types = named(seed, "activity_types")?;
        company.territories = named(seed, "territories")?;
        company.competitors = named(seed, "competitors")?;
        let mut stage_id = 101;
        for (at, (row, id)) in rows(seed, "stagesets")?.into_iter().enumerate() {
            let name = name(row).ok_or_else(|| format!("stageset {id} has no `name`"))?;
            let default = row.get("default").is_some_and(|flag| flag == &json!(true) || flag == &json!(1));
            let status = row.get("status").and_then(Value::as_i64).unwrap_or(1);
            company.stagesets.push(Stageset { id, name, default, position: at as i64 + 1, status });
            for (at, (stage, given)) in rows(row, "stages")?.into_iter().enumerate() {
                let name =
                    self::name(stage).ok_or_else(|| format!("a stage of stageset {id} has no `name`"))?;
                let own = if stage.get("id").is_some() { given } else { stage_id };
                stage_id = stage_id.max(own) + 1;
                company.milestones.push(Milestone { id: own, name, position: at as i64 + 1, stageset: id });
            }
        }
        for (row, id) in rows(seed, "outcomes")? {
            let description = name(row).ok_or_else(|| format!("outcome {id} has no `name`"))?;
            let status = row.get("type").and_then(Value::as_i64).filter(|status| (10..=12).contains(status));
            let status = status.ok_or_else(|| format!("outcome {id} has no `type` of 10, 11 or 12"))?;
            company.outcomes.push(Outcome { id, description, status });
        }
        for (row, id) in rows(seed, "markets")? {
            let name = name(row).ok_or_else(|| format!("market {id} has no `name`"))?;
            let currency = text(row, "currency").ok_or_else(|| format!("market {id} has no `currency`"))?;
            let default = row.get("default").and_then(Value::as_bool).unwrap_or(false);
            company.markets.push(Market { id, name, currency, default });
        }
        for Named { id, name } in named(seed, "sources")? {
            company.sources.push(Source { id, name, channel: 0, deleted: None });
        }
        for (row, id) in rows(seed, "products")? {
            let name = name(row).ok_or_else(|| format!("product {id} has no `name`"))?;
            let kind = text(row, "type").unwrap_or_else(|| "0".to_owned());
            let unit = text(row, "unit").unwrap_or_default();
            let product = Product {
                head: Head::seeded(id),
                name,
                sku: text(row, "sku"),
                kind,
                unit,
                description: text(row, "description"),
                prices: Default::default(),
            };
            company.agenda.products.insert(id, product);
        }
        for kind in Kind::ALL {
            let empty = Value::Null;
            for (row, _) in rows(seed.get("tags").unwrap_or(&empty), kind.name())? {
                let name = name(row).ok_or_else(|| format!("a tag of {} has no `name`", kind.name()))?;
                let id = row.get("id").and_then(Value::as_i64).unwrap_or(company.tags.len() as i64 + 1);
                company.tags.push(Tag { id, kind, name, color: 1, deleted: None });
            }
            for (row, _) in rows(seed.get("custom_fields").unwrap_or(&empty), kind.name())? {
                let name =
                    name(row).ok_or_else(|| format!("a custom field of {} has no `name`", kind.name()))?;
                let id = row.get("id").and_then(Value::as_i64).unwrap_or(company.fields.len() as i64 + 1);
                let spelling = text(row, "type").unwrap_or_else(|| "Text".to_owned());
                let field_type = FieldType::parse(&spelling)
                    .ok_or_else(|| format!("custom field `{name}` has the unknown type `{spelling}`"))?;
                let choices = row.get("choices").and_then(Value::as_array).cloned().unwrap_or_default();
                let choices =
                    choices.iter().filter_map(|choice| choice.as_str().map(str::to_owned)).collect();
                let multiple = row.get("multiple").and_then(Value::as_bool).unwrap_or(false);
                company.fields.push(Field { id, kind, name, field_type, choices, multiple });
            }
        }
        Ok(company)
    }
}

/// The rows of a list with their ids: the given one, or one more than the largest before.
fn rows<'a>(seed: &'a Value, key: &str) -> Result<Vec<(&'a Value, i64)>, String> {
    let Some(list) = seed.get(key) else {
        return Ok(Vec::new());
    };
    let list = list.as_array().ok_or_else(|| format!("`{key}` must be a list"))?;
    let mut last = 0;
    let mut rows = Vec::new();
    for row in list {
        let id = row.get("id").and_then(Value::as_i64).unwrap_or(last + 1);
        last = last.max(id);
        rows.push((row, id));
    }
    Ok(rows)
}

fn named(seed: &Value, key: &str) -> Result<Vec<Named>, String> {
    let row = |(row, id)| {
        name(row).map(|name| Named { id, name }).ok_or_else(|| format!("a row of `{key}` has no name"))
    };
    rows(seed, key)?.into_iter().map(row).collect()
}

fn name(row: &Value) -> Option<String> {
    row.as_str().map(str::to_owned).or_else(|| text(row, "name"))
}

fn text(row: &Value, key: &str) -> Option<String> {
    row.get(key).and_then(Value::as_str).map(str::to_owned)
}
