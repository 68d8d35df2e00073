//! From the portal's descriptions of itself to a [`Schema`]. Pure; knows the answers, not the requests.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::super::decode::{MULTIFIELDS, entity_type, stage_code};
use super::own;
use crate::lang::schema::{
    Attribute, Choice, Domain, Field, Object, Pipeline, Schema, Stage, User, Write, email_hash,
};
use crate::lang::types::{Base, Type};
use crate::lang::value::OutcomeKind;

/// What the portal says of one object.
#[derive(Clone, Debug, Default)]
pub(in crate::run::connect::bitrix24) struct Described {
    /// `company`, `process 1032`.
    pub(in crate::run::connect::bitrix24) name: String,
    /// What people call it, where the portal says so.
    pub(in crate::run::connect::bitrix24) title: Option<String>,
    /// The answer of `crm.<object>.fields`, or of `crm.item.fields` for a process.
    pub(in crate::run::connect::bitrix24) fields: Json,
    /// The answer of `crm.<object>.userfield.list`.
    pub(in crate::run::connect::bitrix24) userfields: Json,
    /// Its records have product rows, whatever its name.
    pub(in crate::run::connect::bitrix24) products: bool,
    /// Why there are no fields.
    pub(in crate::run::connect::bitrix24) hint: Option<String>,
}

/// What the portal says of itself.
#[derive(Clone, Debug, Default)]
pub(in crate::run::connect::bitrix24) struct Answers {
    pub(in crate::run::connect::bitrix24) objects: Vec<Described>,
    /// Rows of `crm.status.list`.
    pub(in crate::run::connect::bitrix24) statuses: Vec<Json>,
    /// Rows of `crm.category.list` for deals.
    pub(in crate::run::connect::bitrix24) categories: Vec<Json>,
    /// Rows of `crm.category.list` for each process, by object.
    pub(in crate::run::connect::bitrix24) process_categories: BTreeMap<String, Vec<Json>>,
    /// Rows of `crm.currency.list`.
    pub(in crate::run::connect::bitrix24) currencies: Vec<Json>,
    /// Rows of `user.get`.
    pub(in crate::run::connect::bitrix24) users: Vec<Json>,
}

/// The kinds that an element of a multifield may have (sheet §6).
fn multifield_kinds(name: &str) -> &'static [&'static str] {
    match name {
        "PHONE" => &["WORK", "MOBILE", "FAX", "HOME", "PAGER", "MAILING", "OTHER"],
        "EMAIL" => &["WORK", "HOME", "MAILING", "OTHER"],
        "WEB" => &["WORK", "HOME", "VK", "LIVEJOURNAL", "TWITTER", "OTHER"],
        "IM" => &[
            "TELEGRAM", "VK", "SKYPE", "VIBER", "BITRIX24", "OPENLINE", "IMOL", "ICQ", "MSN", "JABBER",
            "OTHER",
        ],
        _ => &[],
    }
}

/// A scalar as text; `None` for blanks and everything else.
pub(in crate::run::connect::bitrix24) fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn key<'j>(row: &'j Json, name: &str) -> &'j Json {
    row.get(name).unwrap_or(&Json::Null)
}

pub(super) fn is_yes(json: &Json) -> bool {
    match json {
        Json::Bool(b) => *b,
        Json::String(text) => matches!(text.as_str(), "Y" | "1" | "true"),
        Json::Number(number) => number.as_i64() == Some(1),
        _ => false,
    }
}

/// The rows of a list; PHP writes a list with gaps as an object with numeric keys.
pub(in crate::run::connect::bitrix24) fn rows(json: &Json) -> Vec<&Json> {
    match json {
        Json::Array(rows) => rows.iter().collect(),
        Json::Object(map) => {
            let mut rows: Vec<(u64, &Json)> =
                map.iter().map(|(key, row)| (key.parse().unwrap_or(u64::MAX), row)).collect();
            rows.sort_by_key(|(key, _)| *key);
            rows.into_iter().map(|(_, row)| row).collect()
        }
        _ => Vec::new(),
    }
}

impl Answers {
    /// The schema. `salt` goes into the users' hashes; account and day are the caller's to fill.
    pub(in crate::run::connect::bitrix24) fn schema(&self, salt: &str) -> Schema {
        let mut build = Build { answers: self, domains: BTreeMap::new() };
        let mut objects: Vec<Object> = self.objects.iter().map(|described| build.object(described)).collect();
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        let mut users: Vec<User> = self.users.iter().filter_map(|row| user(row, salt)).collect();
        users.sort_by(|a, b| a.id.cmp(&b.id));
        users.dedup_by(|a, b| a.id == b.id);
        let pipelines = self.pipelines(&objects);
        Schema {
            connector: "bitrix24".to_owned(),
            salt: salt.to_owned(),
            objects,
            domains: build.domains,
            pipelines,
            users,
            ..Schema::default()
        }
    }

    /// Rows of one directory in the portal's order.
    fn directory(&self, entity: &str) -> Vec<&Json> {
        let mut found: Vec<(i64, &Json)> = self
            .statuses
            .iter()
            .filter(|row| key(row, "ENTITY_ID").as_str() == Some(entity))
            .map(|row| (number(key(row, "SORT")), row))
            .collect();
        found.sort_by_key(|(sort, _)| *sort);
        found.into_iter().map(|(_, row)| row).collect()
    }

    fn pipelines(&self, objects: &[Object]) -> Vec<Pipeline> {
        let mut out = Vec::new();
        for row in in_order(&self.categories) {
            let (Some(code), name) = (text(key(row, "id")), text(key(row, "name"))) else { continue };
            let entity = if code == "0" { "DEAL_STAGE".to_owned() } else { format!("DEAL_STAGE_{code}") };
            out.push(Pipeline {
                object: "deal".to_owned(),
                name: name.unwrap_or_else(|| format!("Pipeline {code}")),
                stages: self.directory(&entity).into_iter().filter_map(stage).collect(),
                code,
                ..Pipeline::default()
            });
        }
        if objects.iter().any(|o| o.name == "lead") {
            out.push(Pipeline {
                object: "lead".to_owned(),
                name: "Leads".to_owned(),
                stages: self.directory("STATUS").into_iter().filter_map(stage).collect(),
                ..Pipeline::default()
            });
        }
        for object in objects.iter().filter(|o| o.slot("STAGE_ID").is_some()) {
            let Some(kind) = object.name.strip_prefix("process ") else { continue };
            let one = object.slot("CATEGORY_ID").is_none();
            for row in self.process_categories.get(&object.name).map(|c| in_order(c)).unwrap_or_default() {
                let Some(category) = text(key(row, "id")) else { continue };
                let directory = format!("DYNAMIC_{kind}_STAGE_{category}");
                out.push(Pipeline {
                    object: object.name.clone(),
                    name: text(key(row, "name")).unwrap_or_else(|| format!("Pipeline {category}")),
                    stages: self.directory(&directory).into_iter().filter_map(stage).collect(),
                    code: if one { String::new() } else { category },
                    ..Pipeline::default()
                });
            }
        }
        out
    }
}

fn in_order(categories: &[Json]) -> Vec<&Json> {
    let mut rows: Vec<&Json> = categories.iter().collect();
    rows.sort_by_key(|row| (number(key(row, "sort")), number(key(row, "id"))));
    rows
}

fn number(json: &Json) -> i64 {
    text(json).and_then(|t| t.parse().ok()).unwrap_or(0)
}

fn stage(row: &Json) -> Option<Stage> {
    let code = text(key(row, "STATUS_ID"))?;
    // `EXTRA` is missing in some directories; `SEMANTICS` is there for all (sheet §10.10).
    let extra = key(key(row, "EXTRA"), "SEMANTICS");
    let ends = match (key(row, "SEMANTICS").as_str(), extra.as_str()) {
        (Some("S"), _) | (_, Some("success")) => Some(OutcomeKind::Won),
        (Some("F"), _) | (_, Some("failure" | "apology")) => Some(OutcomeKind::Lost),
        _ => None,
    };
    Some(Stage {
        name: text(key(row, "NAME")).unwrap_or_else(|| code.clone()),
        code: stage_code(&code).to_owned(),
        ends,
    })
}

fn user(row: &Json, salt: &str) -> Option<User> {
    Some(User {
        id: text(key(row, "ID"))?,
        email_hash: text(key(row, "EMAIL")).map(|email| email_hash(salt, &email)),
        active: is_yes(key(row, "ACTIVE")),
    })
}

/// What grows while the objects are gone through.
pub(super) struct Build<'a> {
    pub(super) answers: &'a Answers,
    domains: BTreeMap<String, Domain>,
}

impl Build<'_> {
    fn object(&mut self, described: &Described) -> Object {
        let empty = Map::new();
        let fields =
            described.fields.get("fields").unwrap_or(&described.fields).as_object().unwrap_or(&empty);
        let userfields: BTreeMap<String, &Json> = rows(&described.userfields)
            .into_iter()
            .filter_map(|row| Some((text(key(row, "FIELD_NAME"))?, row)))
            .collect();
        let object = described.name.as_str();
        let (title, hint) = (described.title.clone(), described.hint.clone());
        let mut out = Object { name: object.to_owned(), title, hint, ..Object::default() };
        if hint_only(described) {
            return out;
        }
        for (key, about) in fields {
            let name = own::canonical(object, key, about);
            // Described, but returned by no list; a spec must not count on what never comes (sheet §7).
            let never = matches!(name.as_ref(), "COMPANY_IDS" | "CONTACT_IDS")
                && link_list(object) != Some(name.as_ref());
            if never || own::is_double(object, &name) {
                continue;
            }
            out.fields.push(self.field(object, &name, about, userfields.get(name.as_ref()).copied()));
        }
        // A portal may leave the link lists out of its description, since its own lists never return them. A process
        // without clients has no contacts.
        let links = link_list(object)
            .filter(|_| !object.starts_with("process ") || out.fields.iter().any(|f| f.name == "CONTACT_ID"));
        let rows = described.products.then_some(own::ROWS);
        for list in links.into_iter().chain(own::added(object)).chain(rows) {
            if out.fields.iter().all(|field| field.name != list) {
                out.fields.push(self.field(object, list, &Json::Null, None));
            }
        }
        out.fields.sort_by(|a, b| a.name.cmp(&b.name));
        out.fields.dedup_by(|a, b| a.name == b.name);
        out
    }

    fn field(&mut self, object: &str, name: &str, about: &Json, userfield: Option<&Json>) -> Field {
        let custom = is_yes(key(about, "isDynamic")) || name.starts_with("UF_");
        let mut many = is_yes(key(about, "isMultiple"));
        let mut attributes = Vec::new();
        let base = if let Some(own) = self.own(object, name, about) {
            (many, attributes) = (own.many, own.attributes);
            own.base
        } else if link_list(object) == Some(name) {
            many = true;
            attributes.push(Attribute { name: "IS_PRIMARY".to_owned(), ty: Type::one(Base::Bool) });
            attributes.push(Attribute { name: "SORT".to_owned(), ty: Type::one(Base::Integer) });
            Base::Link(if object == "contact" { "company" } else { "contact" }.to_owned())
        } else if MULTIFIELDS.contains(&name) && key(about, "type").as_str() == Some("crm_multifield") {
            many = true;
            attributes.push(Attribute { name: "VALUE_TYPE".to_owned(), ty: self.kinds(name) });
            Base::Text { max: None }
        } else {
            self.base(object, name, about, userfield)
        };
        let system_flag = base == Base::Bool && !custom;
        let always = system_flag
            || matches!(
                (object, name),
                (_, "ID" | "DATE_CREATE" | "DATE_MODIFY")
                    | ("company" | "quote", "TITLE")
                    | ("deal", "CATEGORY_ID" | "STAGE_ID")
                    | ("lead", "STATUS_ID")
                    | ("product", "NAME")
                    | ("activity", "TYPE_ID" | "CREATED")
                    | ("comment", "CREATED" | "ENTITY_ID" | "ENTITY_TYPE")
            )
            || object.starts_with("process ")
                && matches!(name, "CATEGORY_ID" | "STAGE_ID" | "CREATED_TIME" | "UPDATED_TIME");
        Field {
            name: name.to_owned(),
            title: title(name, about, userfield),
            ty: Type { base, many, optional: !always },
            required: false,
            write: Write::Yes,
            custom,
            attributes,
            stats: None,
        }
    }

    fn kinds(&mut self, name: &str) -> Type {
        let kinds = multifield_kinds(name);
        if kinds.is_empty() {
            return Type::text().or_absent();
        }
        let domain = format!("{name}_TYPE");
        let choices = kinds.iter().map(|code| Choice { code: (*code).to_owned(), title: None }).collect();
        self.domains.entry(domain.clone()).or_insert(Domain { choices, ..Domain::default() });
        Type::one(Base::Enum(domain))
    }

    fn base(&mut self, object: &str, name: &str, about: &Json, userfield: Option<&Json>) -> Base {
        let settings = [key(about, "settings"), userfield.map_or(&Json::Null, |row| key(row, "SETTINGS"))];
        let setting = |name: &str| settings.iter().find_map(|s| text(key(s, name)));
        let code = text(key(about, "type"))
            .or_else(|| userfield.and_then(|row| text(key(row, "USER_TYPE_ID"))))
            .unwrap_or_default();
        match (object, name) {
            ("deal", "STAGE_ID") | ("lead", "STATUS_ID") => return Base::Stage,
            (process, "STAGE_ID") if process.starts_with("process ") => return Base::Stage,
            ("deal", "STAGE_SEMANTIC_ID") | ("lead", "STATUS_SEMANTIC_ID") => {
                return self.fixed("SEMANTIC", &["P", "S", "F"]);
            }
            _ => {}
        }
        match code.as_str() {
            "integer" | "int" => Base::Integer,
            "double" => Base::Decimal,
            "char" | "boolean" => Base::Bool,
            "string" | "text" | "url" => Base::Text { max: None },
            "date" => Base::Date,
            "datetime" => Base::DateTime,
            "money" => Base::Money,
            "address" => Base::Address,
            "file" | "product_file" | "diskfile" | "attached_diskfile" => Base::File,
            "user" | "employee" => Base::User,
            "product_property" | "productproperty" => Base::Text { max: None },
            "crm_status" => {
                let directories: Vec<String> = match key(about, "statusType") {
                    Json::Array(codes) => codes.iter().filter_map(text).collect(),
                    code => text(code).or_else(|| setting("ENTITY_TYPE")).into_iter().collect(),
                };
                match directories.as_slice() {
                    [] => Base::Opaque(code),
                    [one] => self.directories(one.clone(), &directories),
                    _ => self.directories(format!("{object}.{name}"), &directories),
                }
            }
            "enumeration" => self.enumeration(format!("{object}.{name}"), about, userfield),
            "crm_category" => self.categories(object, format!("{object}.{name}")),
            "crm_currency" => self.currencies(),
            "crm" => {
                let allowed: Vec<String> = settings
                    .iter()
                    .find_map(|s| s.as_object())
                    .map(|s| s.iter().filter(|(_, on)| is_yes(on)).map(|(k, _)| k.clone()).collect())
                    .unwrap_or_default();
                match allowed.as_slice() {
                    [one] => crm_type(one).map_or(Base::AnyLink, Base::Link),
                    _ => Base::AnyLink,
                }
            }
            "crm_entity" => {
                let id = setting("parentEntityTypeId")
                    .or_else(|| name.strip_prefix("PARENT_ID_").map(str::to_owned));
                Base::Link(id.map_or_else(|| "process".to_owned(), |id| entity_type(&id)))
            }
            _ => match code.strip_prefix("crm_") {
                Some(object @ ("company" | "contact" | "lead" | "deal" | "quote")) => {
                    Base::Link(object.to_owned())
                }
                _ => Base::Opaque(code),
            },
        }
    }

    pub(super) fn fixed(&mut self, name: &str, codes: &[&str]) -> Base {
        let choices = codes.iter().map(|code| Choice { code: (*code).to_owned(), title: None }).collect();
        self.domains.entry(name.to_owned()).or_insert(Domain { choices, ..Domain::default() });
        Base::Enum(name.to_owned())
    }

    pub(super) fn directories(&mut self, name: String, entities: &[String]) -> Base {
        let rows = entities.iter().flat_map(|entity| self.answers.directory(entity));
        let choices = rows.filter_map(|row| {
            Some(Choice { code: text(key(row, "STATUS_ID"))?, title: text(key(row, "NAME")) })
        });
        let domain = Domain { choices: distinct(choices), ..Domain::default() };
        self.domains.entry(name.clone()).or_insert(domain);
        Base::Enum(name)
    }

    fn enumeration(&mut self, name: String, about: &Json, userfield: Option<&Json>) -> Base {
        let mut items = rows(key(about, "items"));
        if items.is_empty() {
            items = userfield.map(|row| rows(key(row, "LIST"))).unwrap_or_default();
            items.sort_by_key(|row| number(key(row, "SORT")));
        }
        let choices = items
            .into_iter()
            .filter_map(|row| Some(Choice { code: text(key(row, "ID"))?, title: text(key(row, "VALUE")) }));
        let domain = Domain { title: title("", about, userfield), choices: distinct(choices), open: false };
        self.domains.insert(name.clone(), domain);
        Base::Enum(name)
    }

    pub(super) fn categories(&mut self, object: &str, name: String) -> Base {
        let rows = if object == "deal" {
            Some(&self.answers.categories)
        } else {
            self.answers.process_categories.get(object)
        };
        let choices =
            rows.map(|rows| in_order(rows)).unwrap_or_default().into_iter().filter_map(|row| {
                Some(Choice { code: text(key(row, "id"))?, title: text(key(row, "name")) })
            });
        self.domains.insert(name.clone(), Domain { choices: distinct(choices), ..Domain::default() });
        Base::Enum(name)
    }

    /// An enumeration whose values the API's documentation lists.
    pub(super) fn titled(&mut self, name: &str, choices: &[(&str, &str)]) -> Base {
        let choices = choices
            .iter()
            .map(|(code, title)| Choice { code: (*code).to_owned(), title: Some((*title).to_owned()) });
        self.domains
            .entry(name.to_owned())
            .or_insert_with(|| Domain { choices: choices.collect(), ..Domain::default() });
        Base::Enum(name.to_owned())
    }

    /// The objects that activities and comments hang on, by the names that links give them.
    pub(super) fn entity_types(&mut self) -> Base {
        let base = self.titled("ENTITY_TYPE", own::ENTITY_TYPES);
        let processes = self.answers.objects.iter().filter(|o| o.name.starts_with("process "));
        let processes: Vec<Choice> =
            processes.map(|o| Choice { code: o.name.clone(), title: o.title.clone() }).collect();
        if let Some(domain) = self.domains.get_mut("ENTITY_TYPE") {
            domain.choices = distinct(std::mem::take(&mut domain.choices).into_iter().chain(processes))
                .into_iter()
                .collect();
        }
        base
    }

    pub(super) fn currencies(&mut self) -> Base {
        let choices = self.answers.currencies.iter().filter_map(|row| {
            Some(Choice { code: text(key(row, "CURRENCY"))?, title: text(key(row, "FULL_NAME")) })
        });
        let domain = Domain { choices: distinct(choices), ..Domain::default() };
        self.domains.entry("CURRENCY".to_owned()).or_insert(domain);
        Base::Enum("CURRENCY".to_owned())
    }
}

fn distinct(choices: impl Iterator<Item = Choice>) -> Vec<Choice> {
    let mut seen = std::collections::BTreeSet::new();
    choices.filter(|choice| seen.insert(choice.code.clone())).collect()
}

/// The link list that the connector adds to the records of an object.
pub(in crate::run::connect::bitrix24) fn link_list(object: &str) -> Option<&'static str> {
    match object {
        "contact" => Some("COMPANY_IDS"),
        "deal" | "quote" => Some("CONTACT_IDS"),
        _ if object.starts_with("process ") => Some("CONTACT_IDS"),
        _ => None,
    }
}

/// Whether the portal has the object, but does not describe it to this webhook.
fn hint_only(described: &Described) -> bool {
    described.hint.is_some() && described.fields.is_null()
}

/// `COMPANY` and `DYNAMIC_128`, as the settings of a binding field name types.
fn crm_type(name: &str) -> Option<String> {
    match name {
        "LEAD" | "DEAL" | "CONTACT" | "COMPANY" | "QUOTE" => Some(name.to_lowercase()),
        "SMART_INVOICE" => Some("invoice".to_owned()),
        _ => name.strip_prefix("DYNAMIC_").map(entity_type),
    }
}

/// The label that people see. For a custom field `title` is its own code (sheet §6), so the labels come first.
fn title(name: &str, about: &Json, userfield: Option<&Json>) -> Option<String> {
    let own =
        ["formLabel", "listLabel", "filterLabel", "title"].iter().find_map(|k| label(key(about, k), name));
    own.or_else(|| {
        let labels = ["EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL"];
        labels.iter().find_map(|k| label(key(userfield?, k), name))
    })
}

/// A label is text or a map of languages: the English one, else the first by language code, whatever the order.
fn label(json: &Json, name: &str) -> Option<String> {
    let found = match json {
        Json::Object(languages) => {
            let others = || {
                let told = languages.iter().filter_map(|(language, label)| Some((language, text(label)?)));
                told.min().map(|(_, label)| label)
            };
            languages.get("en").and_then(text).or_else(others)
        }
        other => text(other),
    };
    found.filter(|label| label != name)
}
