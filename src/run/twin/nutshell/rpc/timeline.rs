//! Notes, and the timeline of a record: notes, activities and e-mails mixed (sheet §4, §5).

use serde_json::{Value, json};

use super::super::company::Company;
use super::super::json::Json;
use super::super::record::Kind;
use super::super::values::{Context, Refusal};
use super::find::{FULL_CAP, Tail};
use super::render::Render;
use super::{Call, agenda, not_found};

/// `newNote`, `getNote`, `editNote`, `deleteNote`.
pub fn note(company: &mut Company, context: Context, call: &Call) -> Result<Value, Refusal> {
    let show = |company: &Company, id: i64| {
        let render = Render { company, settings: context.settings };
        company.note(id).map(|note| render.note(note)).ok_or_else(|| not_found("Notes", id))
    };
    let text = |input: &Json| input.filled().or_else(|| input.at("note").filled());
    if call.method == "newNote" {
        let (kind, id) = agenda::entity(company, call.at("entity", 0))?;
        let text = text(call.at("note", 1)).ok_or_else(|| Refusal::bad("A note must have a text"))?;
        let note = company.add_note(kind, id, text, context.actor, context.now_ms);
        return show(company, note.ok_or_else(|| not_found(kind.name(), id))?);
    }
    let id = call.at("noteId", 0).int().ok_or_else(|| Refusal::bad("noteId must be a number"))?;
    let known = company.note(id).ok_or_else(|| not_found("Notes", id))?;
    let current = known.rev.to_string();
    let sent = call.at("rev", 1).text();
    match call.method {
        "getNote" if known.deleted.is_some() && !context.settings.dialect.deleted_readable => {
            return Err(not_found("Notes", id));
        }
        "getNote" if sent.as_ref() == Some(&current) => return Ok(json!({"_notModified": true})),
        "getNote" => return show(company, id),
        "editNote" | "deleteNote" => {}
        _ => return Err(Refusal::new(-32601, "Method not found")),
    }
    if known.deleted.is_some() {
        return Err(not_found("Notes", id));
    }
    if !sent.is_some_and(|rev| rev == current || rev == "REV_IGNORE") {
        return Err(Refusal::new(409, "rev key is out-of-date"));
    }
    let now = context.now();
    let theirs = known.author != context.actor || now - known.created > 86_400;
    if call.method == "deleteNote" {
        if theirs && context.settings.dialect.note_deletion_limited {
            return Err(Refusal::new(403, "This note can no longer be deleted"));
        }
        company.edit_note(id, |note| note.deleted = Some(now));
        company.log_deletion("notes", id, context.actor, now);
        return Ok(json!(true));
    }
    // The author alone, and within a day (sheet §4).
    if theirs {
        return Err(Refusal::new(403, "This note can no longer be edited"));
    }
    let text = text(call.at("note", 2)).ok_or_else(|| Refusal::bad("A note must have a text"))?;
    company.edit_note(id, |note| note.text = text);
    show(company, id)
}

/// `findTimeline`.
pub fn timeline(company: &Company, context: Context, call: &Call) -> Result<Value, Refusal> {
    let query = call.at("query", 0);
    let mut tail = Tail::read(call, 1, "time")?;
    tail.limit = tail.limit.min(FULL_CAP);
    let kind = query.at("entityType").str().and_then(Kind::parse);
    let kind = kind.ok_or_else(|| Refusal::bad("entityType must be Accounts, Contacts or Leads"))?;
    let id = query.at("id").int().ok_or_else(|| Refusal::bad("The entity must be given by id"))?;
    let record = company.record(kind, id).ok_or_else(|| not_found(kind.name(), id))?;
    let render = Render { company, settings: context.settings };
    let mut rows: Vec<(i64, u8, i64, Value)> = Vec::new();
    for note in record.notes.iter().filter_map(|id| company.note(*id)) {
        if note.deleted.is_none() && note.seen_ms <= context.now_ms {
            rows.push((note.created, 0, note.id, render.note(note)));
        }
    }
    for activity in company.agenda.activities.values() {
        if activity.head.is_listed(context.now_ms) && activity.about().contains(&(kind, id)) {
            let shown = render.activity(activity, false, context.now());
            rows.push((activity.start, 1, activity.head.id, shown));
        }
    }
    for email in company.agenda.emails.values() {
        if email.head.is_listed(context.now_ms) && email.about.contains(&(kind, id)) {
            rows.push((email.sent, 2, email.head.id, render.email(email)));
        }
    }
    rows.sort_by_key(|(time, of, id, _)| (*time, *of, *id));
    if tail.descending {
        rows.reverse();
    }
    Ok(tail.page(rows).into_iter().map(|(.., row)| row).collect())
}
