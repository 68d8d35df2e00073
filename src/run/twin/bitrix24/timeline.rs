//! What hangs on records: bindings of activities and comments of timelines (sheet 10.15, 10.16).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::classic::{FILTER, ORDER, array_arg, check_has, fields};
use super::list::PAGE;
use super::methods::{Answer, Call, Failure, Outcome};
use super::php::Php;
use super::portal::{Entity, Portal};
use super::records::int_of;

/// `crm.activity.binding.list`: everything at once.
pub(super) fn bindings(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Activity)?;
    let Some(id) = call.args.get("activityId").filter(|v| **v != Php::Null) else {
        return Err(Failure::missing("activityId"));
    };
    let id = id.int();
    if !call.portal.records.get(&Entity::Activity).is_some_and(|t| t.contains_key(&id)) {
        return Err(Failure::thrown("NOT_FOUND", "Not found."));
    }
    let all = call.portal.bindings.get(&id).into_iter().flatten();
    let rows = all.map(|(kind, id)| json!({ "entityTypeId": kind, "entityId": id })).collect();
    Ok(Answer::whole(rows, None))
}

/// `crm.timeline.comment.fields`.
pub(super) fn comment_fields(call: &mut Call<'_>) -> Outcome {
    fields(call, Entity::Comment)
}

fn by_owner(portal: &Portal) -> BTreeMap<(String, i64), Vec<i64>> {
    let mut out: BTreeMap<(String, i64), Vec<i64>> = BTreeMap::new();
    for (id, row) in portal.records.get(&Entity::Comment).into_iter().flatten() {
        let kind = row.get("ENTITY_TYPE").and_then(Value::as_str).unwrap_or_default();
        let owner = row.get("ENTITY_ID").and_then(int_of).unwrap_or(0);
        out.entry((kind.to_owned(), owner)).or_default().push(*id);
    }
    out
}

/// `crm.timeline.comment.list`: of one record only; ordered by `ID`, `CREATED` or `AUTHOR_ID`.
pub(super) fn comments(call: &mut Call<'_>) -> Outcome {
    check_has(call.portal, Entity::Comment)?;
    let filter = array_arg(call.args, &FILTER, "filter")?;
    let part = |name: &str| filter.and_then(|f| f.get_any(&[name, &format!("={name}")]));
    let (Some(kind), Some(owner)) =
        (part("ENTITY_TYPE").and_then(Php::text), part("ENTITY_ID").map(Php::int))
    else {
        return Err(Failure::classic("The parameter filter must hold ENTITY_ID and ENTITY_TYPE."));
    };
    let portal = &*call.portal;
    let index = call.reverse.get_or_insert_default().comments.get_or_insert_with(|| by_owner(portal));
    let mut ids: Vec<i64> = index.get(&(kind.into_owned(), owner)).cloned().unwrap_or_default();
    let table = portal.records.get(&Entity::Comment);
    let row = |id: &i64| table.and_then(|t| t.get(id));
    let order = array_arg(call.args, &ORDER, "order")?.map(Php::entries).unwrap_or_default();
    if let Some((code, direction)) = order.first() {
        ids.sort_by_key(|id| {
            let value = row(id).and_then(|r| r.get(code.as_str())).cloned().unwrap_or_default();
            (value.as_str().map(str::len), value.as_str().map(str::to_owned), *id)
        });
        if direction.text().is_some_and(|d| d.eq_ignore_ascii_case("DESC")) {
            ids.reverse();
        }
    }
    let start = call.args.get("start").map_or(0, Php::int).max(0);
    let offset = usize::try_from(start).unwrap_or(0) / PAGE * PAGE;
    let select: Vec<String> = call.args.get_any(&["select", "SELECT"]).map(Php::texts).unwrap_or_default();
    let page: Vec<Value> = ids
        .iter()
        .skip(offset)
        .take(PAGE)
        .filter_map(row)
        .map(|record| {
            let kept = record.iter().filter(|(k, _)| {
                select.is_empty() || select.iter().any(|s| s == "*" || s == *k) || k.as_str() == "ID"
            });
            Value::Object(kept.map(|(k, v)| (k.clone(), v.clone())).collect::<Map<_, _>>())
        })
        .collect();
    let end = offset.saturating_add(page.len());
    Ok(Answer {
        rows: page.len(),
        total: Some(ids.len() as i64),
        next: (!page.is_empty() && end < ids.len()).then_some(end as i64),
        result: Value::Array(page),
        counted: 0,
    })
}
