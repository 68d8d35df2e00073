//! Values on their way in and out: multi-value fields, custom fields, tags, references (sheet §5, §6).

use serde_json::{Map, Value, json};

use super::company::{Company, Field, FieldType};
use super::json::{self, Json};
use super::phone::Phone;
use super::record::{ADDRESS_KEYS, Actor, Address, Custom, Item, Kind, Link, Owner, Record};
use super::settings::{ChoicesInput, DateInput, ManyChoices, MoneyInput, OnBad, Settings};
use super::time;

/// A request that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// An HTTP status, or a code of JSON-RPC.
    pub code: i64,
    pub title: String,
    pub detail: Option<String>,
}

impl Refusal {
    pub fn new(code: i64, title: impl Into<String>) -> Refusal {
        Refusal { code, title: title.into(), detail: None }
    }

    pub fn bad(title: impl Into<String>) -> Refusal {
        Refusal::new(400, title)
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Refusal {
        self.detail = Some(detail.into());
        self
    }
}

/// Who calls, when, and under which settings.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub now_ms: i64,
    /// What changes are logged under.
    pub actor: Actor,
    /// The authenticated user.
    pub user: i64,
}

impl Context<'_> {
    pub fn now(&self) -> i64 {
        self.now_ms.div_euclid(1000)
    }
}

/// Reads a multi-value field: one value, a list, or an object by label; numbers are no labels.
pub fn items<T: PartialEq>(input: &Json, read: impl Fn(&Json) -> Option<T>) -> Vec<Item<T>> {
    let single = matches!(input, Json::Str(_) | Json::Num(_))
        || ADDRESS_KEYS.iter().any(|key| input.get(key).is_some());
    if single {
        return read(input).map(|value| Item { label: None, value }).into_iter().collect();
    }
    let mut found = Vec::new();
    let mut primary = None;
    match input {
        Json::Arr(list) => {
            found.extend(list.iter().filter_map(&read).map(|value| Item { label: None, value }))
        }
        Json::Obj(entries) => {
            for (label, value) in entries {
                let Some(value) = read(value) else { continue };
                let label = label.trim();
                if label == "--primary" {
                    primary = Some(value);
                    continue;
                }
                let numbered = label.is_empty() || label.bytes().all(|byte| byte.is_ascii_digit());
                found.push(Item { label: (!numbered).then(|| label.to_owned()), value });
            }
        }
        _ => {}
    }
    if let Some(value) = primary {
        match found.iter().position(|item| item.value == value) {
            Some(at) => found[..=at].rotate_right(1),
            None => found.insert(0, Item { label: None, value }),
        }
    }
    found
}

/// Prints a multi-value field: by label or running number, with the first under `--primary`, and `[]` when empty.
pub fn items_out<T>(items: &[Item<T>], with_primary: bool, show: impl Fn(&T) -> Value) -> Value {
    let Some(first) = items.first() else {
        return json!([]);
    };
    let mut map = Map::new();
    let mut running = 0;
    for item in items {
        let label = item.label.clone().unwrap_or_else(|| {
            running += 1;
            (running - 1).to_string()
        });
        map.insert(label, show(&item.value));
    }
    if with_primary {
        map.insert("--primary".to_owned(), show(&first.value));
    }
    Value::Object(map)
}

pub fn phone(input: &Json) -> Option<Phone> {
    let text = match input {
        Json::Obj(_) => input.at("E164").filled().or_else(|| input.at("number").filled()),
        _ => input.filled(),
    };
    text.map(|text| Phone::parse(&text))
}

pub fn address(input: &Json) -> Option<Address> {
    if let Some(text) = input.filled() {
        return Some(Address(vec![(0, text)]));
    }
    let entry = |(at, key): (usize, &&str)| {
        let text = input.at(key).filled()?;
        let text = if *key == "country" && text.len() == 2 { text.to_uppercase() } else { text };
        Some((at as u8, text))
    };
    let parts: Vec<(u8, String)> = ADDRESS_KEYS.iter().enumerate().filter_map(entry).collect();
    (!parts.is_empty()).then_some(Address(parts))
}

pub fn address_out(address: &Address) -> Value {
    let mut map = Map::new();
    for key in &ADDRESS_KEYS[..8] {
        map.insert((*key).to_owned(), json!(address.get(key)));
    }
    if let Some(name) = address.get("name") {
        map.insert("name".to_owned(), json!(name));
    }
    // The server geocodes; the twin knows no map.
    map.insert("location".to_owned(), Value::Null);
    map.insert("locationAccuracy".to_owned(), Value::Null);
    Value::Object(map)
}

/// Reads the tags of one entity type; an unknown one is refused, left out or created.
pub fn tags(
    company: &mut Company,
    settings: &Settings,
    kind: Kind,
    input: &Json,
) -> Result<Vec<i64>, Refusal> {
    let mut ids = Vec::new();
    for tag in input.list() {
        let name = tag.filled().or_else(|| tag.at("name").filled());
        let Some(name) = name else {
            return Err(Refusal::bad("A tag must be a name"));
        };
        if let Some(tag) = company.tag(kind, &name) {
            ids.push(tag.id);
            continue;
        }
        match settings.dialect.unknown_tag {
            OnBad::Reject => return Err(Refusal::bad(format!("Tag {name} does not exist"))),
            OnBad::Drop => {}
            OnBad::Keep => ids.push(company.add_tag(kind, name, 1)),
        }
    }
    Ok(ids)
}

/// Reads links to one core type; each target must be there.
pub fn links(company: &Company, to: Kind, input: &Json) -> Result<Vec<Link>, Refusal> {
    let input = input.list();
    let mut links = Vec::with_capacity(input.len());
    for element in input {
        if let Some(given) = element.get("entityType").filter(|given| !given.is_null())
            && given.str() != Some(to.name())
        {
            return Err(Refusal::bad(format!("entityType must be {}", to.name())));
        }
        let id = element.int().or_else(|| element.at("id").int());
        let id = id.ok_or_else(|| Refusal::bad(format!("{} must be given by id", to.name())))?;
        if company.live(to, id).is_none() {
            return Err(Refusal::bad(format!("{} {id} does not exist", to.name())));
        }
        links.push(Link { id, relationship: element.at("relationship").filled() });
    }
    Ok(links)
}

/// Reads an owner or assignee: a user or a team.
pub fn owner(company: &Company, input: &Json) -> Result<Option<Owner>, Refusal> {
    if input.is_null() {
        return Ok(None);
    }
    let id =
        input.at("id").int().ok_or_else(|| Refusal::bad("An owner must be given by entityType and id"))?;
    let owner = match input.at("entityType").str() {
        Some("Users") => company.user(id).map(|user| Owner::User(user.id)),
        Some("Teams") => company.teams.iter().find(|team| team.id == id).map(|team| Owner::Team(team.id)),
        _ => {
            return Err(Refusal::bad("entityType of an owner must be Users or Teams"));
        }
    };
    owner.map(Some).ok_or_else(|| Refusal::bad(format!("Owner {id} does not exist")))
}

/// Reads an id that must be in a list.
pub fn one_of(ids: impl IntoIterator<Item = i64>, what: &str, input: &Json) -> Result<Option<i64>, Refusal> {
    if input.is_null() {
        return Ok(None);
    }
    let id = input.int().or_else(|| input.at("id").int());
    let id = id.ok_or_else(|| Refusal::bad(format!("{what} must be given by id")))?;
    if ids.into_iter().any(|known| known == id) {
        Ok(Some(id))
    } else {
        Err(Refusal::bad(format!("{what} {id} does not exist")))
    }
}

/// Writes custom fields by name into a record; nothing is written when one of them is refused.
pub fn set_customs(
    company: &Company,
    settings: &Settings,
    record: &mut Record,
    input: &Json,
) -> Result<(), Refusal> {
    let mut values = Vec::new();
    for (name, value) in input.entries() {
        let Some(field) = company.field(record.kind, name) else {
            if settings.dialect.unknown_custom_field == OnBad::Reject {
                return Err(Refusal::bad(format!("Field {name} is not a custom field")));
            }
            continue;
        };
        if let Some(value) = custom(settings, field, value, company.lead_currency(record))? {
            values.push((field.id, value));
        }
    }
    for (field, value) in values {
        record.set_custom(field, value);
    }
    Ok(())
}

fn form_of_dates(settings: &Settings, kind: Kind) -> DateInput {
    match kind {
        Kind::Leads => settings.dialect.custom_date_leads,
        _ => settings.dialect.custom_date,
    }
}

/// Reads one custom field's value: none keeps the old one, an inner none clears it.
fn custom(
    settings: &Settings,
    field: &Field,
    input: &Json,
    currency: &str,
) -> Result<Option<Option<Custom>>, Refusal> {
    let wrong = || Refusal::bad(format!("Invalid value for field {}", field.name));
    if input.is_null() || input.str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(Some(None));
    }
    let (object, array) = (matches!(input, Json::Obj(_)), matches!(input, Json::Arr(_)));
    let taken = match field.field_type {
        FieldType::Currency => match settings.dialect.custom_money {
            MoneyInput::Any => true,
            MoneyInput::Object => object,
            MoneyInput::Plain => !object,
        },
        FieldType::Date => match form_of_dates(settings, field.kind) {
            DateInput::Any => true,
            DateInput::Timestamp => object,
            DateInput::Text => input.str().is_some(),
        },
        FieldType::Decision if field.multiple => match settings.dialect.custom_choices {
            ChoicesInput::Any => true,
            ChoicesInput::Joined => !array,
            ChoicesInput::Array => array,
        },
        _ => true,
    };
    if !taken {
        return Err(wrong());
    }
    let value = match field.field_type {
        FieldType::Currency => {
            let (currency, amount) = match input {
                Json::Obj(_) => {
                    (input.at("currency").filled().unwrap_or_else(|| currency.to_owned()), input.at("amount"))
                }
                _ => (currency.to_owned(), input),
            };
            Custom::Money { currency, amount: amount.decimal().ok_or_else(wrong)? }
        }
        FieldType::Date => {
            let seconds = time::from_json(input).ok_or_else(wrong)?;
            let lost = if settings.dialect.date_keeps_time { 0 } else { seconds.rem_euclid(86_400) };
            Custom::Date(seconds - lost)
        }
        FieldType::Decision => return choices(settings, field, input),
        FieldType::Number => Custom::Text(input.decimal().ok_or_else(wrong)?.normalize().to_string()),
        _ => Custom::Text(input.text().ok_or_else(wrong)?),
    };
    Ok(Some(Some(value)))
}

fn choices(settings: &Settings, field: &Field, input: &Json) -> Result<Option<Option<Custom>>, Refusal> {
    let wrong = || Refusal::bad(format!("Invalid value for field {}", field.name));
    let sent: Vec<String> = match input {
        Json::Arr(list) => {
            list.iter().map(|choice| choice.text().ok_or_else(wrong)).collect::<Result<_, _>>()?
        }
        _ => {
            let text = input.text().ok_or_else(wrong)?;
            // A choice may itself hold a comma: the whole text is tried first.
            if field.multiple && !field.choices.contains(&text) {
                text.split(", ").map(str::to_owned).collect()
            } else {
                vec![text]
            }
        }
    };
    if !field.multiple && sent.len() > 1 {
        return Err(wrong());
    }
    let mut kept = Vec::with_capacity(sent.len());
    for choice in sent {
        if field.choices.contains(&choice) {
            kept.push(choice);
            continue;
        }
        match settings.dialect.unknown_choice {
            OnBad::Reject => {
                return Err(Refusal::bad(format!("{choice} is not a valid choice for field {}", field.name)));
            }
            OnBad::Drop => {}
            OnBad::Keep => kept.push(choice),
        }
    }
    Ok(match (field.multiple, kept.len()) {
        (_, 0) => matches!(input, Json::Arr(list) if list.is_empty()).then_some(None),
        (false, _) => kept.pop().map(|choice| Some(Custom::Text(choice))),
        (true, _) => Some(Some(Custom::Many(kept))),
    })
}

/// A custom field's value as RPC reads it.
pub fn custom_out(settings: &Settings, field: &Field, value: &Custom) -> Value {
    match value {
        Custom::Text(text) if field.field_type == FieldType::Number => {
            rust_decimal::Decimal::from_str_exact(text).map_or_else(|_| json!(text), json::number)
        }
        Custom::Text(text) => json!(text),
        Custom::Money { currency, amount } => {
            json!({"currency": currency, "amount": json::number(*amount)})
        }
        Custom::Date(seconds) => json!({"timestamp": seconds}),
        Custom::Many(choices) => match settings.dialect.many_choices {
            ManyChoices::Joined => json!(choices.join(", ")),
            ManyChoices::Array => json!(choices),
        },
    }
}

/// The title of a lead, under a rule for its length.
pub fn lead_title(long: OnBad, input: &Json) -> Result<Option<String>, Refusal> {
    let Some(title) = input.filled() else {
        return Ok(None);
    };
    if title.chars().count() <= 100 {
        return Ok(Some(title));
    }
    match long {
        OnBad::Reject => Err(Refusal::bad("Lead description must not be longer than 100 characters")),
        OnBad::Drop => Ok(Some(title.chars().take(100).collect())),
        OnBad::Keep => Ok(Some(title)),
    }
}

/// Closes a lead with an outcome, now.
pub fn close(company: &Company, record: &mut Record, outcome: i64, now: i64) -> Result<(), Refusal> {
    let found = company.outcomes.iter().find(|known| known.id == outcome);
    let found = found.ok_or_else(|| Refusal::bad(format!("Outcome {outcome} does not exist")))?;
    if let Some(deal) = &mut record.deal {
        (deal.status, deal.outcome, deal.closed) = (found.status, Some(found.id), Some(now));
    }
    Ok(())
}

/// Opens a lead again.
pub fn reopen(record: &mut Record) {
    if let Some(deal) = &mut record.deal {
        (deal.status, deal.outcome, deal.closed) = (0, None, None);
    }
}

/// Refuses one more open lead when the plan has a limit.
pub fn check_open_leads(company: &Company, settings: &Settings) -> Result<(), Refusal> {
    match settings.limits.open_leads {
        Some(limit) if company.open_leads() >= limit => {
            Err(Refusal::new(settings.dialect.limit_code, format!("This plan allows {limit} open leads")))
        }
        _ => Ok(()),
    }
}
