//! `crm.item.list`, `.get` and `.fields` for leads, deals, contacts and companies: typed values, strict filters
//! (sheet 1.4, 7, 8, 10.13).

use serde_json::{Map, Number, Value, json};

use super::classic::{counts, order, unordered};
use super::filter::{Condition, Node, Op, Scene, split_key};
use super::list::{PAGE, Query};
use super::methods::{Answer, Call, Failure, Outcome};
use super::names::{Names, universal_name};
use super::php::Php;
use super::portal::{Entity, Portal, Record};
use super::records::{Field, MULTIFIELDS, blank_universal, int_of, is_blank};

/// Groups nest no deeper than this.
const MAX_GROUPS: usize = 16;

/// Fields that universal items have and classic descriptions lack: name, type, multiple, the entities.
const EXTRA: [(&str, &str, bool, &[Entity]); 3] = [
    ("observers", "user", true, &Entity::ALL),
    ("webformId", "integer", false, &Entity::ALL),
    ("contactIds", "crm_contact", true, &[Entity::Lead, Entity::Deal, Entity::Quote]),
];

/// Legacy fields that are switched off: always null, described nowhere (seen in the documented answers).
const LEGACY_DEAL: [&str; 17] = [
    "dateCreateShort",
    "dateModifyShort",
    "productId",
    "begindateShort",
    "closedateShort",
    "eventDate",
    "eventDateShort",
    "eventId",
    "eventDescription",
    "searchContent",
    "orderStage",
    "isWork",
    "isWon",
    "isLose",
    "receivedAmount",
    "lostAmount",
    "hasProducts",
];
const LEGACY_LEAD: [&str; 7] =
    ["dateCreateShort", "dateModifyShort", "isConvert", "productId", "shortName", "login", "searchContent"];

/// The parameters that every universal method shares.
pub(super) struct Target {
    pub(super) entity: Entity,
    original: bool,
    names: Names,
}

pub(super) fn target(call: &Call<'_>) -> Result<Target, Failure> {
    let Some(kind) = call.args.get("entityTypeId").filter(|v| **v != Php::Null) else {
        return Err(Failure::missing("entityTypeId"));
    };
    let kind = kind.int();
    if kind == 5 {
        return Err(Failure::thrown("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported"));
    }
    let entity = Entity::of_type_id(kind)
        .filter(|entity| call.portal.has(*entity))
        .ok_or_else(|| Failure::thrown("NOT_FOUND", "Smart process not found"))?;
    let original = call.args.get("useOriginalUfNames").is_some_and(Php::flag);
    let codes = call.portal.fields.get(&entity).into_iter().flatten().map(|(code, _)| code.as_str());
    Ok(Target { entity, original, names: Names::new(entity, codes, original) })
}

impl Target {
    fn name(&self, code: &str) -> String {
        self.names
            .universal(code)
            .map_or_else(|| universal_name(self.entity, code, self.original), str::to_owned)
    }

    /// The classic code behind a name that filters and orders may use.
    pub(super) fn code(&self, name: &str) -> Option<String> {
        if name == "id" {
            return Some("ID".into());
        }
        self.names.classic(name).map(str::to_owned)
    }
}

/// One stored value with its universal type; blanks come as `None`.
fn typed(field: Field<'_>, value: &Value, host: &str) -> Option<Value> {
    if is_blank(field, value) {
        // A stored blank text is served as it stands; other blanks have one universal spelling each.
        let text = !field.multiple
            && matches!(field.kind, "string" | "text" | "crm_status" | "url" | "money" | "address");
        return (text && !matches!(value, Value::Bool(_) | Value::Array(_))).then(|| value.clone());
    }
    if let (true, Value::Array(items)) = (field.multiple, value) {
        return Some(
            items
                .iter()
                .map(|v| typed(Field { multiple: false, ..field }, v, host).unwrap_or(Value::Null))
                .collect(),
        );
    }
    Some(match field.kind {
        _ if field.is_integer() || field.code == "ID" => {
            int_of(value).map_or_else(|| value.clone(), Value::from)
        }
        "double" => number(value),
        "boolean" => {
            let yes = matches!(value, Value::Bool(true))
                || matches!(value.as_str(), Some("1" | "Y"))
                || int_of(value) == Some(1);
            json!(if yes { "Y" } else { "N" })
        }
        "file" => file(value, host),
        _ => value.clone(),
    })
}

/// A decimal as the server's JSON prints it: whole numbers without a fraction.
fn number(value: &Value) -> Value {
    let Some(text) = value.as_str() else {
        return value.clone();
    };
    let Ok(decimal) = text.trim().parse::<rust_decimal::Decimal>() else {
        return value.clone();
    };
    let text = decimal.normalize().to_string();
    serde_json::from_str::<Number>(&text).map_or_else(|_| value.clone(), Value::Number)
}

/// A classic file object as the universal one: signed absolute link instead of a session's link (sheet 10.23).
fn file(value: &Value, host: &str) -> Value {
    let Some(id) = value.get("id") else {
        return value.clone();
    };
    json!({
        "id": id,
        "url": format!("https://{host}/bitrix/services/main/ajax.php?action=crm.controller.item.getFile&fileId={id}"),
        "urlMachine": super::files::machine_link(host, id),
    })
}

/// What of an item is served.
enum Selection {
    /// Everything; with `fm` only for `["*"]` and `crm.item.get`.
    All {
        multifields: bool,
    },
    Named(Vec<String>),
}

impl Selection {
    fn read(select: Option<&Php>) -> Self {
        match select.map(Php::texts) {
            None => Selection::All { multifields: false },
            Some(names) if names.is_empty() => Selection::All { multifields: false },
            Some(names) if names.iter().any(|n| n == "*") => Selection::All { multifields: true },
            Some(names) => Selection::Named(names),
        }
    }

    /// The described fields that are served, with their names, looked up once per call.
    fn columns<'a>(&self, portal: &'a Portal, target: &Target) -> Vec<(Field<'a>, String)> {
        let described = portal.fields.get(&target.entity).into_iter().flatten();
        let fields = described.map(|(code, d)| Field::new(code, d)).filter(|f| {
            // The contacts of a company are a classic field that no universal item carries.
            !(f.is_multifield() || target.entity == Entity::Company && f.code == "CONTACT_ID")
        });
        fields.map(|f| (f, target.name(f.code))).filter(|(_, name)| self.covers(name)).collect()
    }

    fn covers(&self, name: &str) -> bool {
        match self {
            Selection::All { .. } => true,
            Selection::Named(names) => names.iter().any(|n| n == name),
        }
    }
}

/// One record as a universal answer shows it.
fn row(
    call: &Call<'_>,
    target: &Target,
    (id, record): (i64, &Record),
    (selection, columns): (&Selection, &[(Field<'_>, String)]),
) -> Value {
    let (portal, entity, seed) = (&*call.portal, target.entity, call.settings.seed);
    let host = call.settings.host.as_str();
    let mut out = Map::new();
    let mut put = |field: Field<'_>, name: &str| {
        let value = portal
            .value(entity, id, record, field.code)
            .and_then(|v| typed(field, &v, host))
            .unwrap_or_else(|| blank_universal(field, id, seed));
        out.insert(name.to_owned(), value);
    };
    for (field, name) in columns {
        put(*field, name);
    }
    let described = portal.fields.get(&entity);
    for code in record.keys().filter(|k| described.is_none_or(|d| !d.contains_key(*k))) {
        let field = Field::undescribed(code);
        let name = target.name(code);
        if !field.is_multifield() && selection.covers(&name) {
            put(field, &name);
        }
    }
    if let Selection::All { multifields } = selection {
        out.insert("entityTypeId".into(), json!(entity.type_id()));
        let legacy: &[&str] = match entity {
            Entity::Deal => &LEGACY_DEAL,
            Entity::Lead => &LEGACY_LEAD,
            _ => &[],
        };
        out.extend(legacy.iter().map(|name| ((*name).to_owned(), Value::Null)));
        if entity.has_multifields() {
            flat_multifields(record, &mut out);
            if *multifields {
                out.insert("fm".into(), multifield_rows(record));
            }
        }
    }
    for (name, _, multiple, entities) in EXTRA {
        if entities.contains(&entity) && selection.covers(name) && !out.contains_key(name) {
            out.insert(name.into(), if multiple { json!([]) } else { Value::Null });
        }
    }
    Value::Object(out)
}

/// All multifields of a record in one array (sheet 6).
fn multifield_rows(record: &Record) -> Value {
    let mut rows: Vec<(i64, Value)> = Vec::new();
    for code in MULTIFIELDS {
        for value in record.get(code).and_then(Value::as_array).into_iter().flatten() {
            let id = value.get("ID").and_then(int_of).unwrap_or(0);
            let part = |key: &str| value.get(key).cloned().unwrap_or(Value::Null);
            rows.push((
                id,
                json!({ "id": id, "valueType": part("VALUE_TYPE"), "value": part("VALUE"), "typeId": code }),
            ));
        }
    }
    rows.sort_by_key(|(id, _)| *id);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The flat read-only copies: `phone`, `phoneWork`, `email` …
fn flat_multifields(record: &Record, out: &mut Map<String, Value>) {
    let first = |code: &str, kind: Option<&str>| {
        let all = record.get(code).and_then(Value::as_array).into_iter().flatten();
        let mut of_kind =
            all.filter(|v| kind.is_none_or(|k| v.get("VALUE_TYPE").and_then(Value::as_str) == Some(k)));
        of_kind.next().and_then(|v| v.get("VALUE")).and_then(Value::as_str).unwrap_or("").to_owned()
    };
    for (name, code, kind) in [
        ("phone", "PHONE", None),
        ("phoneWork", "PHONE", Some("WORK")),
        ("phoneMobile", "PHONE", Some("MOBILE")),
        ("phoneMailing", "PHONE", Some("MAILING")),
        ("email", "EMAIL", None),
        ("emailWork", "EMAIL", Some("WORK")),
        ("emailHome", "EMAIL", Some("HOME")),
        ("emailMailing", "EMAIL", Some("MAILING")),
        ("imol", "IM", Some("OPENLINE")),
    ] {
        out.insert(name.into(), Value::String(first(code, kind)));
    }
}

fn refused(text: String) -> Failure {
    Failure::thrown("INVALID_ARG_VALUE", text)
}

/// Whether a text names a day or a moment; an empty one asks for what has none.
fn is_moment(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || text.parse::<jiff::Timestamp>().is_ok()
        || text.parse::<jiff::civil::DateTime>().is_ok()
        || text.parse::<jiff::civil::Date>().is_ok()
}

/// A strict filter: an unknown field or a value of the wrong shape is refused.
fn filter(portal: &Portal, target: &Target, args: &Php, depth: usize) -> Result<Node, Failure> {
    let mut nodes = Vec::new();
    let mut any = false;
    for (key, value) in args.entries() {
        if key == "logic" {
            any = value.text().is_some_and(|t| t.eq_ignore_ascii_case("OR"));
            continue;
        }
        if key.bytes().all(|b| b.is_ascii_digit()) && value.is_array() {
            if depth >= MAX_GROUPS {
                return Err(refused(format!("Invalid filter: field '{key}' has invalid value")));
            }
            nodes.push(filter(portal, target, value, depth + 1)?);
            continue;
        }
        let (op, name) = split_key(key);
        let code = target.code(name).filter(|c| !MULTIFIELDS.contains(&c.as_str()));
        let Some(code) = code else {
            return Err(refused(format!("Invalid filter: field '{name}' is not allowed in filter")));
        };
        let field = portal.field(target.entity, &code).unwrap_or_else(|| Field::undescribed(&code));
        let list = matches!(op, Op::Eq | Op::Ne | Op::In | Op::NotIn);
        let number = |t: &str| t.is_empty() || t.trim().parse::<rust_decimal::Decimal>().is_ok();
        let flat = !value.entries().iter().any(|(_, v)| v.is_array());
        let numeric = !(field.is_number() || code == "ID") || value.texts().iter().all(|t| number(t));
        let dated = !matches!(field.kind, "date" | "datetime") || value.texts().iter().all(|t| is_moment(t));
        if !flat || (value.is_array() && !list) || !numeric || !dated {
            return Err(refused(format!("Invalid filter: field '{name}' has invalid value")));
        }
        nodes.push(Node::Is(Condition::new(op, &code, value)));
    }
    Ok(if any { Node::Any(nodes) } else { Node::All(nodes) })
}

/// The classic code behind a name that an order may use: public clients send `ID` there, in capitals, and are served.
fn ordered(target: &Target, name: &str) -> Option<String> {
    if name == "ID" { Some(name.to_owned()) } else { target.code(name) }
}

/// Refuses orders on unknown fields and odd directions.
fn check_order(target: &Target, args: &Php) -> Result<(), Failure> {
    for (name, direction) in args.entries() {
        if ordered(target, name).is_none() {
            return Err(refused(format!("Invalid order: field '{name}' is not allowed in order")));
        }
        let direction = direction.text().unwrap_or_default();
        if !direction.eq_ignore_ascii_case("ASC") && !direction.eq_ignore_ascii_case("DESC") {
            return Err(refused(format!(
                "Invalid order: allowed sort directions are ASC, DESC. But got '{direction}' for field '{name}'"
            )));
        }
    }
    Ok(())
}

/// `crm.item.list`: `start` is an exact offset here (sheet 4.1).
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let target = target(call)?;
    let args = call.args;
    let wanted = match args.get("filter") {
        Some(f) if f.is_array() => filter(call.portal, &target, f, 0)?,
        _ => Node::All(Vec::new()),
    };
    let by = args.get("order").filter(|o| o.is_array());
    if let Some(by) = by {
        check_order(&target, by)?;
    }
    let start = args.get("start").map_or(0, Php::int);
    let offset = usize::try_from(start.max(0)).unwrap_or(0);
    let query = Query {
        filter: wanted,
        order: order(by, |name| ordered(&target, name)).unwrap_or_else(|| unordered(call.settings, args)),
        offset,
        count: start >= 0,
    };
    let scene = Scene { portal: call.portal, entity: target.entity, offset: call.offset() };
    let page = query.run(&scene);
    let (total, next) = counts(&page, offset, call.settings, false);
    let select = args.get("select");
    let selection = Selection::read(select);
    let columns = selection.columns(call.portal, &target);
    let camel = select.map(Php::texts).unwrap_or_default().iter().any(|n| n.starts_with("ufCrm"));
    let empty = call.settings.dialects.empty_items_on_camel_names && target.original && camel;
    let show = |(id, record): &(i64, &Record)| {
        if empty { json!([]) } else { row(call, &target, (*id, record), (&selection, &columns)) }
    };
    let items: Vec<Value> = page.rows.iter().map(show).collect();
    debug_assert!(items.len() <= PAGE);
    let counted = if query.count { call.portal.count(target.entity) } else { 0 };
    Ok(Answer { rows: items.len(), result: json!({ "items": items }), total, next, counted })
}

/// `crm.item.get`.
pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    let target = target(call)?;
    let Some(id) = call.args.get("id").filter(|v| **v != Php::Null) else {
        return Err(Failure::missing("id"));
    };
    let item = whole(call, &target, id.int())?;
    Ok(Answer { rows: 1, ..Answer::of(json!({ "item": item })) })
}

/// One whole item, as `crm.item.get`, `.add` and `.update` answer it.
pub(super) fn whole(call: &Call<'_>, target: &Target, id: i64) -> Result<Value, Failure> {
    let record = call.portal.records.get(&target.entity).and_then(|t| t.get(&id));
    let record = record.ok_or_else(|| Failure::thrown("NOT_FOUND", "Element not found"))?;
    let selection = Selection::All { multifields: true };
    let columns = selection.columns(call.portal, target);
    Ok(row(call, target, (id, record), (&selection, &columns)))
}

/// The universal type of a classic one.
fn universal_kind<'a>(field: Field<'a>) -> &'a str {
    match (field.kind, field.code) {
        ("char", _) => "boolean",
        ("string", "COMMENTS" | "SOURCE_DESCRIPTION" | "STATUS_DESCRIPTION") => "text",
        (kind, _) => kind,
    }
}

/// `crm.item.fields`.
pub(super) fn fields(call: &mut Call<'_>) -> Outcome {
    let target = target(call)?;
    let mut out = Map::new();
    for (code, description) in call.portal.fields.get(&target.entity).into_iter().flatten() {
        let field = Field::new(code, description);
        if field.is_multifield() {
            continue;
        }
        let name = target.name(code);
        let mut d = description.clone();
        d.insert("type".into(), json!(universal_kind(field)));
        if let (true, Some(label)) = (field.custom, description.get("formLabel")) {
            d.insert("title".into(), label.clone());
        }
        d.insert("upperName".into(), json!(upper_name(field, &name)));
        out.insert(name, Value::Object(d));
    }
    for (name, kind, multiple, entities) in EXTRA {
        if entities.contains(&target.entity) && !out.contains_key(name) {
            let upper = upper_snake(name);
            out.insert(
                name.into(),
                json!({
                    "type": kind, "isRequired": false, "isReadOnly": false, "isImmutable": false,
                    "isMultiple": multiple, "isDynamic": false, "title": upper, "upperName": upper,
                }),
            );
        }
    }
    Ok(Answer::of(json!({ "fields": out })))
}

/// `upperName`: the original of a custom field, else the universal name in upper snake case.
fn upper_name(field: Field<'_>, name: &str) -> String {
    if field.custom || upper_snake(name).replace('_', "") == field.code.replace('_', "") {
        field.code.to_owned()
    } else {
        upper_snake(name)
    }
}

fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_1_4_numbers_lose_no_digit() {
        assert_eq!(number(&json!("19000.00")).to_string(), "19000");
        assert_eq!(number(&json!("999.90")).to_string(), "999.9");
        assert_eq!(number(&json!("0.00")).to_string(), "0");
        assert_eq!(number(&json!("junk")), json!("junk"));
    }
}
