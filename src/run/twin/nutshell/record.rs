//! What the twin keeps of an account, a contact, a lead and a note. Plain data: no rules, no indexes.

use rust_decimal::Decimal;

use super::phone::Phone;

/// The three core types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Accounts,
    Contacts,
    Leads,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Accounts, Kind::Contacts, Kind::Leads];

    /// The `entityType`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Accounts => "Accounts",
            Kind::Contacts => "Contacts",
            Kind::Leads => "Leads",
        }
    }

    /// The REST resource.
    pub fn rest(self) -> &'static str {
        match self {
            Kind::Accounts => "accounts",
            Kind::Contacts => "contacts",
            Kind::Leads => "leads",
        }
    }

    /// The parameter that carries one record in RPC.
    pub fn singular(self) -> &'static str {
        match self {
            Kind::Accounts => "account",
            Kind::Contacts => "contact",
            Kind::Leads => "lead",
        }
    }

    /// Reads an `entityType`, whose case matters (sheet §5).
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Reads a REST resource name.
    pub fn parse_rest(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.rest() == name)
    }
}

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    User(i64),
    /// An API key without impersonation.
    Origin(i64),
}

/// Who a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    User(i64),
    Team(i64),
}

/// One end of a link; the other record holds the same with this record's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub id: i64,
    /// Between a contact and an account this is the job title.
    pub relationship: Option<String>,
}

/// One of several values with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<T> {
    pub label: Option<String>,
    pub value: T,
}

/// The keys of an address.
pub const ADDRESS_KEYS: [&str; 9] =
    ["address_1", "address_2", "address_3", "city", "state", "postalCode", "country", "timezone", "name"];

/// An address: the filled keys, by their place in [`ADDRESS_KEYS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address(pub Vec<(u8, String)>);

impl Address {
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = ADDRESS_KEYS.iter().position(|name| *name == key)?;
        self.0.iter().find(|(index, _)| usize::from(*index) == at).map(|(_, text)| text.as_str())
    }
}

/// A custom field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Custom {
    Text(String),
    Money { currency: String, amount: Decimal },
    Date(i64),
    Many(Vec<String>),
}

impl Custom {
    /// The text that filters compare and REST shows.
    pub fn text(&self) -> String {
        match self {
            Custom::Text(text) => text.clone(),
            Custom::Money { amount, .. } => amount.to_string(),
            Custom::Date(seconds) => seconds.to_string(),
            Custom::Many(choices) => choices.join(", "),
        }
    }
}

/// A product on a lead.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductLine {
    pub product: i64,
    pub quantity: Decimal,
    pub price: Decimal,
    pub relationship: Option<String>,
}

/// What only a lead has.
#[derive(Clone, Debug, PartialEq)]
pub struct Deal {
    /// The visible number, which is not the id.
    pub number: i64,
    /// 0 open, 1 pending, 10 won, 11 lost, 12 cancelled.
    pub status: i64,
    pub stageset: i64,
    pub milestone: i64,
    pub outcome: Option<i64>,
    pub market: i64,
    pub confidence: Option<i64>,
    pub due: Option<i64>,
    pub closed: Option<i64>,
    pub priority: i64,
    /// The value that was set by hand; otherwise it is the sum of the products.
    pub manual: Option<Decimal>,
    pub products: Vec<ProductLine>,
    pub competitors: Vec<i64>,
    pub sources: Vec<i64>,
}

/// The parts of a contact's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub salutation: Option<String>,
    pub given: Option<String>,
    pub family: Option<String>,
}

/// An account, a contact or a lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub kind: Kind,
    pub id: i64,
    /// Counts changes; printed as a string.
    pub rev: u64,
    /// Unix seconds, as all times here.
    pub created: i64,
    pub modified: i64,
    pub deleted: Option<i64>,
    pub creator: Actor,
    pub owner: Option<Owner>,
    /// An account's name; contacts have [`Record::person`], leads their description.
    pub name: String,
    pub person: Person,
    /// A lead's title.
    pub description: Option<String>,
    pub phone: Vec<Item<Phone>>,
    pub email: Vec<Item<String>>,
    pub url: Vec<Item<String>>,
    pub address: Vec<Item<Address>>,
    /// Ids of tags; one may stand here twice (sheet §9).
    pub tags: Vec<i64>,
    /// By field id; sorted.
    pub custom: Vec<(i64, Custom)>,
    /// The first account of a lead is its primary one.
    pub accounts: Vec<Link>,
    pub contacts: Vec<Link>,
    pub leads: Vec<Link>,
    pub notes: Vec<i64>,
    pub industry: Option<i64>,
    pub account_type: Option<i64>,
    pub territory: Option<i64>,
    pub legacy_id: Option<String>,
    /// The account that this one belongs to.
    pub parent: Option<i64>,
    pub deal: Option<Box<Deal>>,
}

impl Record {
    /// An empty record that stands nowhere yet.
    pub fn new(kind: Kind, creator: Actor) -> Record {
        Record {
            kind,
            id: 0,
            rev: 0,
            created: 0,
            modified: 0,
            deleted: None,
            creator,
            owner: None,
            name: String::new(),
            person: Person::default(),
            description: None,
            phone: Vec::new(),
            email: Vec::new(),
            url: Vec::new(),
            address: Vec::new(),
            tags: Vec::new(),
            custom: Vec::new(),
            accounts: Vec::new(),
            contacts: Vec::new(),
            leads: Vec::new(),
            notes: Vec::new(),
            industry: None,
            account_type: None,
            territory: None,
            legacy_id: None,
            parent: None,
            deal: None,
        }
    }

    /// The name that people see.
    pub fn display(&self) -> String {
        match self.kind {
            Kind::Accounts => self.name.clone(),
            Kind::Leads => {
                self.deal.as_ref().map_or_else(String::new, |deal| format!("Lead-{}", deal.number))
            }
            Kind::Contacts => {
                let parts: Vec<&str> = [&self.person.given, &self.person.family]
                    .into_iter()
                    .filter_map(|part| part.as_deref())
                    .collect();
                if parts.is_empty() {
                    let email = self.email.first().map(|item| item.value.clone());
                    return email
                        .or_else(|| self.phone.first().map(|item| item.value.number.clone()))
                        .unwrap_or_default();
                }
                parts.join(" ")
            }
        }
    }

    /// The links to one core type.
    pub fn links(&self, to: Kind) -> &Vec<Link> {
        match to {
            Kind::Accounts => &self.accounts,
            Kind::Contacts => &self.contacts,
            Kind::Leads => &self.leads,
        }
    }

    pub fn links_mut(&mut self, to: Kind) -> &mut Vec<Link> {
        match to {
            Kind::Accounts => &mut self.accounts,
            Kind::Contacts => &mut self.contacts,
            Kind::Leads => &mut self.leads,
        }
    }

    /// Sets or clears a custom field.
    pub fn set_custom(&mut self, field: i64, value: Option<Custom>) {
        let at = self.custom.binary_search_by_key(&field, |(id, _)| *id);
        match (at, value) {
            (Ok(at), Some(value)) => self.custom[at].1 = value,
            (Ok(at), None) => {
                self.custom.remove(at);
            }
            (Err(at), Some(value)) => self.custom.insert(at, (field, value)),
            (Err(_), None) => {}
        }
    }

    /// Splits a full name as the server does: the last word is the family name.
    pub fn split_name(text: &str) -> Person {
        let text = text.trim();
        let part = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        match text.rsplit_once(char::is_whitespace) {
            Some((given, family)) => Person { salutation: None, given: part(given), family: part(family) },
            None => Person { salutation: None, given: part(text), family: None },
        }
    }
}

/// A note on a core record.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    pub id: i64,
    pub rev: u64,
    pub parent: (Kind, i64),
    pub text: String,
    pub author: Actor,
    pub created: i64,
    pub deleted: Option<i64>,
    /// From when on timelines and lists show it, Unix milliseconds.
    pub seen_ms: i64,
}
