//! Custom fields: `crm.<entity>.userfield.*` and `userfieldconfig.*` (sheet 16.6).

use serde_json::{Map, Value, json};

use super::super::classic::id_arg;
use super::super::list::PAGE;
use super::super::methods::{Answer, Call, Failure, Outcome, Table};
use super::super::php::Php;
use super::super::portal::{Entity, Portal, Record};
use super::super::records::int_of;
use super::{largest, may, may_configure, needed_fields, required, required_array, sent_flag, sent_text};

pub(super) const METHODS: Table = &[
    ("userfieldconfig.list", config_list),
    ("userfieldconfig.get", config_get),
    ("userfieldconfig.add", config_add),
    ("userfieldconfig.delete", config_delete),
    ("crm.userfield.types", types),
];

/// The types that every portal has (sheet 10.22).
const TYPES: [&str; 16] = [
    "string",
    "integer",
    "double",
    "boolean",
    "enumeration",
    "datetime",
    "date",
    "money",
    "url",
    "address",
    "file",
    "employee",
    "crm_status",
    "iblock_section",
    "iblock_element",
    "crm",
];

const LABELS: [&str; 5] =
    ["EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL", "ERROR_MESSAGE", "HELP_MESSAGE"];

/// The longest name of a field, its prefix included.
const MAX_NAME: usize = 50;

fn core(text: impl Into<String>) -> Failure {
    Failure::thrown("ERROR_CORE", text)
}

/// A label: a text, or a map of languages whose English one counts, else its first.
fn label(fields: &Php, name: &str) -> Option<String> {
    let value = fields.get(name)?;
    let text = |v: &Php| v.text().map(std::borrow::Cow::into_owned).filter(|t| !t.is_empty());
    match value {
        Php::Arr(items) => value.get("en").and_then(text).or_else(|| items.iter().find_map(|(_, v)| text(v))),
        one => text(one),
    }
}

/// `X` and `UF_X` as `UF_CRM_X`.
fn name_of(sent: &str) -> Result<String, Failure> {
    let upper = sent.to_uppercase();
    let own = upper.strip_prefix("UF_CRM_").or(upper.strip_prefix("UF_")).unwrap_or(&upper);
    let name = format!("UF_CRM_{own}");
    if name.len() > MAX_NAME {
        return Err(core("The field name is too long."));
    }
    let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    if own.is_empty() || !own.bytes().all(fits) {
        return Err(core("The field name contains invalid characters."));
    }
    Ok(name)
}

fn fresh_field(portal: &mut Portal) -> i64 {
    portal.fresh("field", |portal| largest(portal.userfields.values().flatten(), "ID"))
}

fn fresh_option(portal: &mut Portal) -> i64 {
    portal.fresh("option", |portal| {
        let fields = portal.userfields.values().flatten();
        let options = fields.filter_map(|f| f.get("LIST")?.as_array()).flatten();
        options.filter_map(|o| o.get("ID").and_then(int_of)).max().unwrap_or(0)
    })
}

/// The options of a list: held ones stay unless they are named, those without a value are skipped.
fn options(portal: &mut Portal, held: &[Value], sent: &Php) -> Result<Vec<Value>, Failure> {
    let mut out = held.to_vec();
    for (_, one) in sent.entries() {
        let part =
            |key: &str| one.get_any(&[key, &key.to_lowercase()]).and_then(Php::text).map(|t| t.into_owned());
        let id = part("ID").and_then(|id| id.parse::<i64>().ok());
        let at = out.iter().position(|o| id.is_some() && o.get("ID").and_then(int_of) == id);
        let value = part("VALUE").filter(|v| !v.is_empty());
        match (at, part("DEL").as_deref() == Some("Y"), value) {
            (Some(at), true, _) => drop(out.remove(at)),
            (Some(at), false, value) => {
                for (key, sent) in [("VALUE", value), ("SORT", part("SORT")), ("DEF", part("DEF"))] {
                    if let Some(sent) = sent {
                        out[at][key] = json!(sent);
                    }
                }
            }
            (None, false, Some(value)) => {
                let fresh = fresh_option(portal);
                let xml = part("XML_ID").filter(|x| !x.is_empty());
                let xml = xml
                    .unwrap_or_else(|| format!("{:032x}", u128::from(super::super::hash(0, fresh, &value))));
                if out.iter().any(|o| o.get("XML_ID").and_then(Value::as_str) == Some(xml.as_str())) {
                    return Err(core(format!("The XML_ID '{xml}' is not unique.")));
                }
                let sort = part("SORT").unwrap_or_else(|| ((out.len() + 1) * 10).to_string());
                out.push(json!({
                    "ID": fresh.to_string(), "SORT": sort, "VALUE": value,
                    "DEF": super::yes(part("DEF").as_deref() == Some("Y")), "XML_ID": xml,
                }));
            }
            _ => {}
        }
    }
    Ok(out)
}

/// The description of a custom field in `*.fields`.
fn describe(field: &Record) -> Record {
    let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut out = Record::new();
    let mut set = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    set("type", json!(text("USER_TYPE_ID")));
    set("isRequired", json!(text("MANDATORY") == "Y"));
    set("isReadOnly", json!(false));
    set("isImmutable", json!(false));
    set("isMultiple", json!(text("MULTIPLE") == "Y"));
    set("isDynamic", json!(true));
    set("title", json!(text("FIELD_NAME")));
    for (key, from) in [
        ("listLabel", "LIST_COLUMN_LABEL"),
        ("formLabel", "EDIT_FORM_LABEL"),
        ("filterLabel", "LIST_FILTER_LABEL"),
    ] {
        set(key, json!(text(from)));
    }
    let settings = field.get("SETTINGS").cloned().unwrap_or_else(|| json!([]));
    if let Some(directory) = settings.get("ENTITY_TYPE").filter(|_| text("USER_TYPE_ID") == "crm_status") {
        set("statusType", directory.clone());
    }
    if text("USER_TYPE_ID") == "enumeration" {
        let all = field.get("LIST").and_then(Value::as_array).cloned().unwrap_or_default();
        set("items", all.iter().map(|o| json!({ "ID": o["ID"], "VALUE": o["VALUE"] })).collect());
    }
    set("settings", settings);
    out
}

/// Puts a custom field into the portal, in the list of fields and in the description of its entity.
fn keep(portal: &mut Portal, entity: Entity, field: Record) {
    let name = field.get("FIELD_NAME").and_then(Value::as_str).unwrap_or_default().to_owned();
    portal.fields.entry(entity).or_default().insert(name.clone(), describe(&field));
    let all = portal.userfields.entry(entity).or_default();
    match all.iter_mut().find(|f| f.get("FIELD_NAME").and_then(Value::as_str) == Some(name.as_str())) {
        Some(slot) => *slot = field,
        None => all.push(field),
    }
}

/// Takes a custom field away, and what records hold under it.
fn remove(portal: &mut Portal, entity: Entity, id: i64) -> bool {
    let Some(all) = portal.userfields.get_mut(&entity) else { return false };
    let Some(at) = all.iter().position(|f| f.get("ID").and_then(int_of) == Some(id)) else { return false };
    let field = all.remove(at);
    let name = field.get("FIELD_NAME").and_then(Value::as_str).unwrap_or_default();
    if let Some(described) = portal.fields.get_mut(&entity) {
        described.remove(name);
    }
    for row in portal.records.get_mut(&entity).into_iter().flat_map(|t| t.values_mut()) {
        row.shift_remove(name);
    }
    true
}

/// What a field is made from, whichever method names it.
struct Wanted<'a> {
    name: String,
    kind: String,
    fields: &'a Php,
    list: Option<&'a Php>,
    /// How the method spells its keys.
    key: fn(&str) -> String,
}

/// Makes a custom field; its row.
fn make(call: &mut Call<'_>, entity: Entity, wanted: Wanted<'_>) -> Result<Record, Failure> {
    let Wanted { name, kind, fields, list, key } = wanted;
    if !TYPES.contains(&kind.as_str()) {
        return Err(core("Incorrect custom type specified."));
    }
    if call.portal.fields.get(&entity).is_some_and(|f| f.contains_key(&name)) {
        return Err(core(format!("The field {name} already exists.")));
    }
    let flag = |code: &str, otherwise: &'static str| sent_flag(fields, &key(code)).unwrap_or(otherwise);
    let text = |code: &str| sent_text(fields, &key(code));
    let common = label(fields, "LABEL");
    let id = fresh_field(call.portal);
    let mut row = Record::new();
    let mut set = |code: &str, value: Value| drop(row.insert(code.to_owned(), value));
    set("ID", json!(id.to_string()));
    set("ENTITY_ID", json!(entity_code(call.portal, entity)));
    set("FIELD_NAME", json!(name));
    set("USER_TYPE_ID", json!(kind));
    set("XML_ID", text("XML_ID").map_or(Value::Null, Value::String));
    set("SORT", json!(text("SORT").unwrap_or_else(|| "100".into())));
    // Booleans cannot be multiple.
    set("MULTIPLE", json!(if kind == "boolean" { "N" } else { flag("MULTIPLE", "N") }));
    set("MANDATORY", json!(flag("MANDATORY", "N")));
    set("SHOW_FILTER", json!(text("SHOW_FILTER").unwrap_or_else(|| "N".into())));
    set("SHOW_IN_LIST", json!(flag("SHOW_IN_LIST", "Y")));
    set("EDIT_IN_LIST", json!(flag("EDIT_IN_LIST", "Y")));
    set("IS_SEARCHABLE", json!(flag("IS_SEARCHABLE", "N")));
    let settings = fields.get(&key("SETTINGS")).filter(|s| s.is_array());
    set("SETTINGS", settings.map_or_else(|| json!([]), Php::to_json));
    for code in LABELS {
        // A label that is not given is the common one; messages have none.
        let common = common.clone().filter(|_| code.ends_with("_LABEL"));
        set(code, label(fields, &key(code)).or(common).map_or(Value::Null, Value::String));
    }
    if kind == "enumeration" {
        let list = list.cloned().unwrap_or_else(Php::empty);
        set("LIST", Value::Array(options(call.portal, &[], &list)?));
    }
    keep(call.portal, entity, row.clone());
    *call.reverse = None;
    Ok(row)
}

/// What custom fields call an entity.
fn entity_code(portal: &Portal, entity: Entity) -> String {
    match entity {
        Entity::Process(kind) => format!("CRM_{}", process_id(portal, kind).unwrap_or(0)),
        other => format!("CRM_{}", other.word().to_uppercase()),
    }
}

/// The `id` of the Smart Process with this `entityTypeId`.
fn process_id(portal: &Portal, kind: u32) -> Option<i64> {
    let is = |t: &&Record| t.get("entityTypeId").and_then(int_of) == Some(i64::from(kind));
    portal.types.iter().find(is)?.get("id").and_then(int_of)
}

/// `crm.<entity>.userfield.add`.
pub(super) fn add(call: &mut Call<'_>, entity: Entity) -> Outcome {
    super::super::classic::check_has(call.portal, entity)?;
    let fields = needed_fields(call.args)?;
    may_configure(call)?;
    let missing = |name: &str| Failure::classic(format!("The '{name}' field is not found."));
    let kind = sent_text(fields, "USER_TYPE_ID").ok_or_else(|| missing("USER_TYPE_ID"))?;
    let name = sent_text(fields, "FIELD_NAME").ok_or_else(|| missing("FIELD_NAME"))?;
    let name = name_of(&name)?;
    let list = fields.get("LIST").filter(|l| l.is_array());
    let row = make(call, entity, Wanted { name, kind, fields, list, key: str::to_owned })?;
    Ok(Answer::of(row.get("ID").and_then(int_of).unwrap_or(0)))
}

/// The custom field that a call names by id.
fn named(call: &Call<'_>, entity: Entity) -> Result<Record, Failure> {
    let id = id_arg(call.args)?;
    let mut all = call.portal.userfields.get(&entity).into_iter().flatten();
    all.find(|f| f.get("ID").and_then(int_of) == Some(id)).cloned().ok_or_else(|| no_field(id))
}

fn no_field(id: i64) -> Failure {
    Failure::thrown("ERROR_NOT_FOUND", format!("The entity with ID '{id}' is not found"))
}

/// `crm.<entity>.userfield.update`: type and name are fixed.
pub(super) fn update(call: &mut Call<'_>, entity: Entity) -> Outcome {
    let mut row = named(call, entity)?;
    let fields = needed_fields(call.args)?;
    may_configure(call)?;
    for code in ["XML_ID", "SORT", "SHOW_FILTER"] {
        if let Some(text) = sent_text(fields, code) {
            row.insert(code.into(), json!(text));
        }
    }
    for code in ["MANDATORY", "SHOW_IN_LIST", "EDIT_IN_LIST", "IS_SEARCHABLE"] {
        if let Some(flag) = sent_flag(fields, code) {
            row.insert(code.into(), json!(flag));
        }
    }
    let common = label(fields, "LABEL");
    for code in LABELS {
        if let Some(text) = label(fields, code).or(common.clone().filter(|_| code.ends_with("_LABEL"))) {
            row.insert(code.into(), json!(text));
        }
    }
    if let Some(settings) = fields.get("SETTINGS").filter(|s| s.is_array()) {
        row.insert("SETTINGS".into(), settings.to_json());
    }
    if let (Some(sent), Some(held)) = (fields.get("LIST"), row.get("LIST").and_then(Value::as_array).cloned())
    {
        row.insert("LIST".into(), Value::Array(options(call.portal, &held, sent)?));
    }
    keep(call.portal, entity, row);
    Ok(Answer::of(true))
}

/// `crm.<entity>.userfield.delete`.
pub(super) fn delete(call: &mut Call<'_>, entity: Entity) -> Outcome {
    named(call, entity)?;
    may_configure(call)?;
    remove(call.portal, entity, id_arg(call.args)?);
    Ok(Answer::of(true))
}

/// `crm.<entity>.userfield.get`: labels as language maps.
pub(super) fn get(call: &mut Call<'_>, entity: Entity) -> Outcome {
    let mut row = named(call, entity)?;
    for code in LABELS {
        let text = row.get(code).cloned().unwrap_or(Value::Null);
        row.insert(code.into(), json!({ "en": text, "de": text }));
    }
    Ok(Answer { rows: 1, ..Answer::of(Value::Object(row)) })
}

/// The module of a universal call, and the scope that is asked for beside its own.
fn module<'a>(call: &Call<'a>) -> Result<&'a Php, Failure> {
    if !call.settings.scopes.iter().any(|s| s == "crm") {
        let text = "The request requires higher privileges than provided by the webhook token";
        return Err(Failure::new(call.settings.dialects.scope_status, "insufficient_scope", text));
    }
    required(call.args, "moduleId")
}

/// Whether a universal call may change fields.
fn config(call: &Call<'_>) -> Result<(), Failure> {
    module(call)?;
    may(call, true)
}

/// The fields that a universal call may read: those of the CRM, by id.
fn configurable<'p>(call: &'p Call<'_>) -> Result<Vec<&'p Record>, Failure> {
    let is_crm = module(call)?.text().is_some_and(|module| module == "crm");
    if !call.settings.admin {
        return Err(Failure::thrown("ACCESS_DENIED", "Access denied."));
    }
    let mut rows: Vec<&Record> = call.portal.userfields.values().flatten().filter(|_| is_crm).collect();
    rows.sort_by_key(|row| row.get("ID").and_then(int_of));
    Ok(rows)
}

/// `userfieldconfig.list`: without options, and with labels only where `select` names their language (sheet 10.22).
/// That labels come as texts then is assumed: no answer of it is printed.
fn config_list(call: &mut Call<'_>) -> Outcome {
    let select = call.args.get("select").map(Php::entries).unwrap_or_default();
    let language = select.iter().any(|(key, _)| key == "language");
    let named: Vec<String> = select
        .iter()
        .filter(|(key, _)| key != "language")
        .filter_map(|(_, v)| v.text())
        .map(Into::into)
        .collect();
    let all = named.is_empty() || named.iter().any(|name| name == "*");
    let wanted = call.args.get("filter").map(Php::entries).unwrap_or_default();
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let mut rows = Vec::new();
    for row in configurable(call)? {
        let Value::Object(mut shown) = configured(row) else { continue };
        let is = |(key, value): &(String, Php)| {
            let held = text(shown.get(key.trim_start_matches('=')));
            if value.is_array() {
                value.texts().contains(&held)
            } else {
                value.text().is_some_and(|v| v == held)
            }
        };
        if !wanted.iter().all(is) {
            continue;
        }
        shown.remove("enum");
        for label in LABELS {
            let texts = shown.remove(&camel(label));
            if let Some(one) = texts.as_ref().and_then(|texts| texts.get("en")).filter(|_| language) {
                shown.insert(camel(label), one.clone());
            }
        }
        shown.remove("languageId");
        shown.retain(|key, _| all || key == "id" || named.iter().any(|name| name == key));
        rows.push(shown);
    }
    for (key, way) in call.args.get("order").map(Php::entries).unwrap_or_default().iter().rev() {
        rows.sort_by(|a, b| {
            let number = |row: &Record| row.get(key).and_then(int_of);
            let order = number(a).cmp(&number(b)).then_with(|| text(a.get(key)).cmp(&text(b.get(key))));
            let descending = way.text().is_some_and(|way| way.eq_ignore_ascii_case("DESC"));
            if descending { order.reverse() } else { order }
        });
    }
    // An offset that need be no multiple of a page (sheet 4.1).
    let start = usize::try_from(call.args.get("start").map_or(0, Php::int).max(0)).unwrap_or(0);
    let total = rows.len();
    let page: Vec<Value> = rows.into_iter().skip(start).take(PAGE).map(Value::Object).collect();
    let end = start.saturating_add(page.len());
    Ok(Answer {
        rows: page.len(),
        total: Some(total as i64),
        next: (!page.is_empty() && end < total).then_some(end as i64),
        ..Answer::of(json!({ "fields": page }))
    })
}

/// `userfieldconfig.get`: with options, labels by language.
fn config_get(call: &mut Call<'_>) -> Outcome {
    let id = required(call.args, "id")?.int();
    let rows = configurable(call)?;
    let row = rows.into_iter().find(|row| row.get("ID").and_then(int_of) == Some(id));
    let row = row.ok_or_else(|| no_field(id))?;
    Ok(Answer { rows: 1, ..Answer::of(json!({ "field": configured(row) })) })
}

/// `crm.userfield.types`.
fn types(_: &mut Call<'_>) -> Outcome {
    Ok(Answer::of(json!(TYPES.map(|kind| json!({ "ID": kind, "title": kind })))))
}

/// `CREATE_IT` as `createIt`.
fn camel(code: &str) -> String {
    let mut out = String::new();
    for (at, part) in code.to_lowercase().split('_').enumerate() {
        let mut chars = part.chars();
        match chars.next() {
            Some(first) if at > 0 => {
                out.extend(first.to_uppercase());
                out.push_str(chars.as_str());
            }
            _ => out.push_str(part),
        }
    }
    out
}

/// The entity behind `CRM_DEAL` or `CRM_7`.
fn entity_of(portal: &Portal, code: &str) -> Option<Entity> {
    let fits = |e: &Entity| super::has_records(*e) || matches!(e, Entity::Process(_));
    portal.entities().into_iter().filter(fits).find(|e| entity_code(portal, *e) == code)
}

/// A row of `userfieldconfig.*`: camelCase, labels by language, options under `enum`.
fn configured(row: &Record) -> Value {
    let mut out = Map::new();
    for (code, value) in row {
        let value = match code.as_str() {
            code if LABELS.contains(&code) => json!({ "en": value, "de": value }),
            "LIST" => {
                let all = value.as_array().cloned().unwrap_or_default();
                let option = |o: &Value| {
                    json!({
                        "id": o["ID"], "userFieldId": row.get("ID"), "value": o["VALUE"], "def": o["DEF"],
                        "sort": o["SORT"], "xmlId": o["XML_ID"],
                    })
                };
                out.insert("enum".into(), all.iter().map(option).collect());
                continue;
            }
            _ => value.clone(),
        };
        out.insert(camel(code), value);
    }
    out.insert("languageId".into(), json!({ "en": "en", "de": "de" }));
    Value::Object(out)
}

/// `userfieldconfig.add`.
fn config_add(call: &mut Call<'_>) -> Outcome {
    config(call)?;
    let field = required_array(call.args, "field")?;
    let part = |name: &str| sent_text(field, name).ok_or_else(|| Failure::missing(name));
    let (code, name, kind) = (part("entityId")?, part("fieldName")?, part("userTypeId")?);
    let entity = entity_of(call.portal, &code);
    let entity = entity.ok_or_else(|| Failure::thrown("NOT_FOUND", "Entity is not found"))?;
    let name = match entity {
        Entity::Process(_) => {
            let prefix = format!("UF_{code}_");
            if !name.to_uppercase().starts_with(&prefix) {
                return Err(core(format!("The field name must begin with {prefix}")));
            }
            name.to_uppercase()
        }
        _ => name_of(&name)?,
    };
    let list = field.get("enum").filter(|l| l.is_array());
    let row = make(call, entity, Wanted { name, kind, fields: field, list, key: camel })?;
    Ok(Answer::of(json!({ "field": configured(&row) })))
}

/// `userfieldconfig.delete`.
fn config_delete(call: &mut Call<'_>) -> Outcome {
    config(call)?;
    let id = required(call.args, "id")?.int();
    let entities: Vec<Entity> = call.portal.userfields.keys().copied().collect();
    if entities.into_iter().any(|entity| remove(call.portal, entity, id)) {
        Ok(Answer::of(Value::Null))
    } else {
        Err(no_field(id))
    }
}
