//! `crm.<entity>.list`, `.get` and `.fields`: strings, masks, silent filter drop (sheet 1.4, 7, 10).

use serde_json::{Map, Value};

use super::filter::{Condition, Node, Scene, split_key};
use super::list::{Order, PAGE, Page, Query};
use super::methods::{Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::{Entity, Portal, Record};
use super::records::{Field, MULTIFIELDS, UNRETURNED, blank_classic};
use super::settings::{NoTotal, Settings};

/// The spellings under which classic methods look a parameter up (sheet 1.2).
pub(super) const FILTER: [&str; 4] = ["filter", "FILTER", "Filter", "arFilter"];
pub(super) const ORDER: [&str; 4] = ["order", "ORDER", "Order", "arOrder"];
const SELECT: [&str; 4] = ["select", "SELECT", "Select", "arSelect"];

/// A parameter that must be an array when it is there.
pub(super) fn array_arg<'a>(args: &'a Php, keys: &[&str], name: &str) -> Result<Option<&'a Php>, Failure> {
    match args.get_any(keys) {
        Some(v) if !v.is_array() => Err(Failure::classic(format!("Parameter '{name}' must be array."))),
        found => Ok(found),
    }
}

/// The `id` parameter of a classic method.
pub(super) fn id_arg(args: &Php) -> Result<i64, Failure> {
    let id = args.get_any(&["id", "ID"]).map_or(0, Php::int);
    if id > 0 { Ok(id) } else { Err(Failure::classic("ID is not defined or invalid.")) }
}

/// Fields of activities that come only when they are named (sheet 10.15).
const ONLY_NAMED: [&str; 4] = ["COMMUNICATIONS", "FILES", "WEBDAV_ELEMENTS", "BINDINGS"];

/// A kind of record that this portal does not have.
pub(super) fn check_has(portal: &Portal, entity: Entity) -> Result<(), Failure> {
    if portal.has(entity) { Ok(()) } else { Err(super::method_not_found()) }
}

/// Which keys of a record are served.
#[derive(Debug, Default)]
struct Selection {
    system: bool,
    custom: bool,
    named: Vec<String>,
}

impl Selection {
    /// Reads `select`: `*`, `UF_*` and names; nothing known gives both masks.
    fn read(portal: &Portal, entity: Entity, select: Option<&Php>) -> Self {
        let mut out = Selection::default();
        for name in select.map(Php::texts).unwrap_or_default() {
            match name.as_str() {
                // Products drop it (sheet 10.8).
                "*" if entity == Entity::Product => {}
                "*" => out.system = true,
                "PROPERTY_*" if entity == Entity::Product => out.custom = true,
                "UF_*" => out.custom = true,
                name if portal.field(entity, name).is_some()
                    || name.starts_with("PARENT_ID_")
                    || name.starts_with("UF_") =>
                {
                    // Naming a multifield adds the id by itself.
                    if MULTIFIELDS.contains(&name) {
                        out.named.push("ID".into());
                    }
                    out.named.push(name.to_owned());
                }
                _ => {}
            }
        }
        if !out.system && !out.custom && out.named.is_empty() {
            (out.system, out.custom) = (true, entity != Entity::Product);
        }
        out
    }

    /// What `get` serves: everything.
    fn whole() -> Self {
        let named = MULTIFIELDS.into_iter().chain(["COMMUNICATIONS", "FILES"]).map(String::from).collect();
        Selection { system: true, custom: true, named }
    }

    /// The described fields that are served, looked up once per call.
    fn columns<'a>(&self, portal: &'a Portal, entity: Entity) -> Vec<Field<'a>> {
        let described = portal.fields.get(&entity).into_iter().flatten();
        described.map(|(code, d)| Field::new(code, d)).filter(|f| self.covers(*f)).collect()
    }

    fn covers(&self, field: Field<'_>) -> bool {
        // No list gives the bindings, whatever is named.
        if UNRETURNED.contains(&field.code) || field.code == "BINDINGS" {
            return false;
        }
        let masked = !field.is_multifield()
            && !ONLY_NAMED.contains(&field.code)
            && if field.custom { self.custom } else { self.system };
        masked || self.named.iter().any(|n| n == field.code)
    }
}

/// One record as a classic answer shows it.
fn row(
    portal: &Portal,
    entity: Entity,
    id: i64,
    record: &Record,
    (selection, columns): (&Selection, &[Field<'_>]),
    seed: u64,
) -> Value {
    let mut out = Map::new();
    for &field in columns {
        let value = match portal.value(entity, id, record, field.code) {
            // A multifield without values has no key at all.
            Some(v) if field.is_multifield() && v.as_array().is_none_or(Vec::is_empty) => None,
            Some(v) => Some(v.into_owned()),
            None => blank_classic(field, id, seed),
        };
        if let Some(value) = value {
            out.insert(field.code.to_owned(), value);
        }
    }
    let described = portal.fields.get(&entity);
    for (code, value) in record {
        // Observers and web forms are universal only.
        let known = described.is_some_and(|d| d.contains_key(code))
            || ["OBSERVERS", "WEBFORM_ID"].contains(&code.as_str());
        if !known && selection.covers(Field::undescribed(code)) {
            out.insert(code.clone(), value.clone());
        }
    }
    Value::Object(out)
}

/// A classic filter: conditions on fields that the entity does not have are silently dropped (sheet 7).
fn filter(portal: &Portal, entity: Entity, args: Option<&Php>) -> Node {
    let mut nodes = Vec::new();
    for (key, value) in args.map(Php::entries).unwrap_or_default() {
        let (op, code) = split_key(key);
        let known = code == "ID" || portal.field(entity, code).is_some();
        if entity == Entity::Activity && code == "BINDINGS" {
            let of = |one: &Php, name: &str| one.get(name).map_or(0, Php::int);
            let pair = |(_, one): &(String, Php)| (of(one, "OWNER_TYPE_ID"), of(one, "OWNER_ID"));
            nodes.push(Node::BoundTo(value.entries().iter().map(pair).collect()));
            continue;
        }
        // A null value confuses the server: the condition is lost.
        if known && *value != Php::Null {
            nodes.push(Node::Is(Condition::new(op, code, value)));
        }
    }
    Node::All(nodes)
}

/// Reads an order; `resolve` turns a name into a classic code. Nothing usable gives `None`.
pub(super) fn order(args: Option<&Php>, resolve: impl Fn(&str) -> Option<String>) -> Option<Order> {
    let mut codes = Vec::new();
    for (name, direction) in args.map(Php::entries).unwrap_or_default() {
        let descending = direction.text().is_some_and(|d| d.eq_ignore_ascii_case("DESC"));
        if let Some(code) = resolve(name) {
            codes.push((code, descending));
        }
    }
    match codes.first() {
        None => None,
        Some((code, descending)) if code == "ID" => Some(Order::Id(*descending)),
        Some(_) => Some(Order::Codes(codes)),
    }
}

/// The order of a list that names none: up or down, as the request's own text falls, so that pages overlap and
/// `>ID` windows lose rows, yet the same request always gets the same answer (sheet 4.1, 4.2).
pub(super) fn unordered(settings: &Settings, args: &Php) -> Order {
    let text = args.to_json().to_string();
    Order::Id(settings.dialects.unstable_order && !super::hash(settings.seed, 0, &text).is_multiple_of(2))
}

/// `total` and `next` of a page that begins at `offset`.
pub(super) fn counts(
    page: &Page<'_>,
    offset: usize,
    settings: &Settings,
    classic: bool,
) -> (Option<i64>, Option<i64>) {
    match page.total {
        Some(total) => {
            let end = offset.saturating_add(page.rows.len());
            let more = !page.rows.is_empty() && end < total;
            (Some(total as i64), more.then_some(end as i64))
        }
        None => {
            let zero = match settings.dialects.no_total {
                NoTotal::ByMethod => classic,
                NoTotal::Zero => true,
                NoTotal::Absent => false,
            };
            (zero.then_some(0), None)
        }
    }
}

/// `crm.<entity>.list`.
pub(super) fn list(call: &mut Call<'_>, entity: Entity) -> Outcome {
    check_has(call.portal, entity)?;
    let args = call.args;
    let by = array_arg(args, &ORDER, "order")?;
    let wanted = array_arg(args, &FILTER, "filter")?;
    let selection = Selection::read(call.portal, entity, args.get_any(&SELECT));
    let resolve = |name: &str| {
        call.portal.field(entity, name).filter(|f| !f.is_multifield()).map(|f| f.code.to_owned())
    };
    let start = args.get("start").map_or(0, Php::int);
    // Classic lists turn `start` into a page number (sheet 4.1).
    let offset = usize::try_from(start.max(0)).unwrap_or(0) / PAGE * PAGE;
    let mut query = Query {
        filter: filter(call.portal, entity, wanted),
        order: order(by, resolve).unwrap_or_else(|| unordered(call.settings, args)),
        offset,
        count: start >= 0,
    };
    let scene = Scene { portal: call.portal, entity, offset: call.offset() };
    let mut page = query.run(&scene);
    if let (true, true, Some(total @ 1..)) =
        (call.settings.dialects.repeat_last_page, page.rows.is_empty(), page.total)
    {
        query.offset = (total - 1) / PAGE * PAGE;
        page = query.run(&scene);
    }
    let (total, next) = counts(&page, query.offset, call.settings, true);
    let columns = selection.columns(call.portal, entity);
    let rows: Vec<Value> = page
        .rows
        .iter()
        .map(|(id, record)| row(call.portal, entity, *id, record, (&selection, &columns), call.settings.seed))
        .collect();
    let counted = if query.count { call.portal.count(entity) } else { 0 };
    Ok(Answer { rows: rows.len(), result: Value::Array(rows), total, next, counted })
}

/// `crm.<entity>.get`.
pub(super) fn get(call: &mut Call<'_>, entity: Entity) -> Outcome {
    check_has(call.portal, entity)?;
    let id = id_arg(call.args)?;
    let table = call.portal.records.get(&entity);
    let record = table.and_then(|t| t.get(&id)).ok_or_else(|| Failure::classic("Not found"))?;
    let selection = Selection::whole();
    let columns = selection.columns(call.portal, entity);
    let result = row(call.portal, entity, id, record, (&selection, &columns), call.settings.seed);
    Ok(Answer { result, rows: 1, ..Answer::default() })
}

/// `crm.<entity>.fields`.
pub(super) fn fields(call: &mut Call<'_>, entity: Entity) -> Outcome {
    check_has(call.portal, entity)?;
    let described = call.portal.fields.get(&entity).into_iter().flatten();
    let all: Map<String, Value> =
        described.map(|(code, d)| (code.clone(), Value::Object(d.clone()))).collect();
    Ok(Answer::of(if all.is_empty() { Value::Array(Vec::new()) } else { Value::Object(all) }))
}
