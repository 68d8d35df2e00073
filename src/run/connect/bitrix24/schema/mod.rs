//! What the portal says of itself: objects, directories, pipelines, currencies, users. One batch; one more for each
//! sixteen Smart Processes, and where there are many users or directory entries.

pub(super) mod build;
pub(super) mod own;
mod tables;

use serde_json::Value as Json;

use self::build::{Answers, Described, rows, text};
use super::client::{Client, denied, inconsistent, malformed, refused};
use super::extract::TASK_FIELDS;
use super::wire::{Answer, Batch, Command, number};
use crate::lang::schema::Schema;
use crate::run::connect::Error;

/// The objects that every portal has, with the methods that describe them.
const OBJECTS: [(&str, &str, &str); 4] = [
    ("company", "crm.company.fields", "crm.company.userfield.list"),
    ("contact", "crm.contact.fields", "crm.contact.userfield.list"),
    ("deal", "crm.deal.fields", "crm.deal.userfield.list"),
    ("lead", "crm.lead.fields", "crm.lead.userfield.list"),
];
/// The objects that a portal may lack, or keep from this webhook.
const OPTIONAL: [(&str, &str, Option<&str>); 4] = [
    ("activity", "crm.activity.fields", None),
    ("comment", "crm.timeline.comment.fields", None),
    ("product", "crm.product.fields", None),
    ("quote", "crm.quote.fields", Some("crm.quote.userfield.list")),
];
const TYPES: &str = "crm.type.list";
const ITEM_FIELDS: &str = "crm.item.fields";
const CATEGORIES: &str = "crm.category.list";
/// Smart Processes that one batch describes, with three commands each.
const PROCESSES: usize = 16;
/// Pages of users in the first batch: a page behind the last one is asked for in vain.
const FIRST_PAGES: usize = 4;
/// Pages of users in a further batch.
const PAGES: usize = 20;
/// Rows of a page (sheet §4).
const PAGE: usize = 50;

/// The objects that a portal may have, Smart Processes aside.
pub(super) fn objects() -> Vec<&'static str> {
    let own = OBJECTS.iter().map(|(object, ..)| *object).chain(OPTIONAL.iter().map(|(object, ..)| *object));
    own.chain(tables::TABLES.iter().map(|table| table.object)).collect()
}

/// The schema, without account and day.
pub(super) async fn read(client: &Client, salt: &str) -> Result<Schema, Error> {
    let mut commands = Vec::new();
    for (object, fields, userfields) in OBJECTS {
        commands.push(Command::new(format!("{object}_fields"), fields, &[]));
        commands.push(Command::new(format!("{object}_custom"), userfields, &[("filter[LANG]", "en")]));
    }
    for (object, fields, userfields) in OPTIONAL {
        commands.push(Command::new(format!("{object}_fields"), fields, &[]));
        commands.extend(
            userfields.map(|m| Command::new(format!("{object}_custom"), m, &[("filter[LANG]", "en")])),
        );
    }
    commands.extend(tables::probes());
    commands.push(Command::new("task_own", TASK_FIELDS, &[]));
    commands.push(Command::new("types", TYPES, &[("order[id]", "ASC"), ("start", "0")]));
    commands.push(Command::new("statuses", "crm.status.list", &[("order[SORT]", "ASC")]));
    commands.push(Command::new("categories", CATEGORIES, &[("entityTypeId", "2")]));
    commands.push(Command::new("currencies", "crm.currency.list", &[]));
    commands.push(Command::new("mode", "crm.settings.mode.get", &[]));
    commands.extend(user_pages(0, FIRST_PAGES));
    let answer = client.batch(&commands).await?;
    let batch = parse(&answer)?;
    let take = |name: &str, method: &'static str| result(client, &batch, name, method);
    let mut answers = Answers::default();
    // 2 is the mode without leads (sheet §10.5).
    let without_leads = batch.results.get("mode").and_then(number) == Some(2);
    for (object, fields, userfields) in OBJECTS {
        let described = take(&format!("{object}_fields"), fields).and_then(|fields| {
            let userfields = take(&format!("{object}_custom"), userfields)?;
            Ok(Described { name: object.to_owned(), fields, userfields, ..Described::default() })
        });
        match described {
            Ok(described) => answers.objects.push(described),
            Err(Error::Refused { .. }) if object == "lead" && without_leads => {}
            Err(error) => return Err(error),
        }
    }
    for (object, fields, userfields) in OPTIONAL {
        let command = format!("{object}_fields");
        if is_unknown(&batch, &command) {
            continue;
        }
        let mut described = Described { name: object.to_owned(), ..Described::default() };
        match take(&command, fields) {
            Ok(answer) => {
                described.fields = answer;
                if let Some(method) = userfields {
                    described.userfields = take(&format!("{object}_custom"), method)?;
                }
            }
            Err(error) => described.hint = Some(kept_back(error)?),
        }
        answers.objects.push(described);
    }
    // Whoever may not read tasks is told so below, by their list; a portal need not describe what people added.
    let own_of_tasks = match take("task_own", TASK_FIELDS) {
        Err(_) if is_unknown(&batch, "task_own") || has_code(&batch, "task_own", "insufficient_scope") => {
            Ok(Json::Null)
        }
        described => described,
    };
    for table in tables::TABLES {
        if is_unknown(&batch, table.object) || table.object == "lead_history" && without_leads {
            continue;
        }
        let own = if table.object == "task" { own_of_tasks.clone() } else { Ok(Json::Null) };
        answers.objects.push(match take(table.object, table.probe.0).and_then(|answer| Ok((answer, own?))) {
            Ok((answer, own)) => table.described(answer, &own),
            Err(error) => Described {
                name: table.object.to_owned(),
                hint: Some(kept_back(error)?),
                ..Described::default()
            },
        });
    }
    answers.statuses = rows(&take("statuses", "crm.status.list")?).into_iter().cloned().collect();
    let total = batch.total("statuses").and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    if answers.statuses.len() == PAGE && total > PAGE {
        let rest = more_statuses(client, total).await?;
        answers.statuses.extend(rest);
        dedupe_statuses(&mut answers.statuses);
        if answers.statuses.len() < total {
            let why = format!("{} rows came of the {total} that it counts", answers.statuses.len());
            return Err(inconsistent("crm.status.list", why));
        }
    }
    answers.categories = inner_rows(&take("categories", CATEGORIES)?, "categories");
    answers.currencies = rows(&take("currencies", "crm.currency.list")?).into_iter().cloned().collect();
    let mut users = Users::default();
    if !users.take(client, &batch, FIRST_PAGES)? {
        users.rest(client).await?;
    }
    answers.users = users.rows;
    if !is_unknown(&batch, "types") {
        let mut types = inner_rows(&take("types", TYPES)?, "types");
        let total = batch.total("types").and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        while types.len() < total {
            let start = serde_json::json!({"order": {"id": "ASC"}, "start": types.len()});
            let more = inner_rows(&client.call(TYPES, start).await?.tree(), "types");
            if more.is_empty() {
                let why = format!("{} Smart Processes came of the {total} that it counts", types.len());
                return Err(inconsistent(TYPES, why));
            }
            types.extend(more);
        }
        processes(client, &types, &mut answers).await?;
    }
    Ok(answers.schema(salt))
}

/// Describes the Smart Processes (sheet §10.12): an object each.
async fn processes(client: &Client, types: &[Json], answers: &mut Answers) -> Result<(), Error> {
    for chunk in types.chunks(PROCESSES) {
        let mut commands = Vec::new();
        let mut known = Vec::new();
        for row in chunk {
            let id = row.get("entityTypeId").and_then(text);
            let id = id.ok_or_else(|| malformed(TYPES, "a Smart Process without `entityTypeId`"))?;
            let parameters = [("entityTypeId", id.as_str()), ("useOriginalUfNames", "Y")];
            commands.push(Command::new(format!("f{id}"), ITEM_FIELDS, &parameters));
            commands.push(Command::new(format!("c{id}"), CATEGORIES, &parameters[..1]));
            let flag = |name: &str| build::is_yes(build::key(row, name));
            if flag("isStagesEnabled") {
                let history = [("entityTypeId", id.as_str()), ("filter[<ID]", "1"), ("start", "-1")];
                commands.push(Command::new(format!("h{id}"), tables::HISTORY, &history));
            }
            let title = row.get("title").and_then(text);
            known.push((id, title, flag("isLinkWithProductsEnabled"), flag("isStagesEnabled")));
        }
        let answer = client.batch(&commands).await?;
        let batch = parse(&answer)?;
        for (id, title, products, staged) in known {
            if staged {
                answers.objects.extend(history(client, &batch, &id, title.as_deref())?);
            }
            let mut described =
                Described { name: format!("process {id}"), title, products, ..Described::default() };
            match result(client, &batch, &format!("f{id}"), ITEM_FIELDS) {
                Ok(fields) => described.fields = fields,
                Err(error) => described.hint = Some(kept_back(error)?),
            }
            // A process without pipelines may refuse to list them.
            if batch.problem(&format!("c{id}")).is_none() {
                let found = result(client, &batch, &format!("c{id}"), CATEGORIES)?;
                answers.process_categories.insert(described.name.clone(), inner_rows(&found, "categories"));
            }
            answers.objects.push(described);
        }
    }
    Ok(())
}

/// The history of a Smart Process's stages, named where it is kept back. A portal need not keep one: then it says that
/// it does not support the type, or knows no such method (sheet §10.11).
fn history(
    client: &Client,
    batch: &Batch<'_>,
    id: &str,
    title: Option<&str>,
) -> Result<Option<Described>, Error> {
    let command = format!("h{id}");
    if is_unknown(batch, &command) || has_code(batch, &command, "ENTITY_TYPE_NOT_SUPPORTED") {
        return Ok(None);
    }
    let mut described = tables::process_history(id, title);
    if let Err(error) = result(client, batch, &command, tables::HISTORY) {
        described = Described { name: described.name, hint: Some(kept_back(error)?), ..Described::default() };
    }
    Ok(Some(described))
}

/// The rows of `{"categories": […]}`, or of a bare list.
fn inner_rows(answer: &Json, name: &str) -> Vec<Json> {
    rows(answer.get(name).unwrap_or(answer)).into_iter().cloned().collect()
}

/// Whether the portal has no such method.
fn is_unknown(batch: &Batch<'_>, command: &str) -> bool {
    has_code(batch, command, "ERROR_METHOD_NOT_FOUND")
}

/// Whether a command was refused with this code.
fn has_code(batch: &Batch<'_>, command: &str, code: &str) -> bool {
    batch.problem(command).is_some_and(|problem| problem.code.eq_ignore_ascii_case(code))
}

/// Why an object is not described, for the snapshot; what concerns more than this object stays an error.
fn kept_back(error: Error) -> Result<String, Error> {
    match error {
        Error::Refused { .. } | Error::Denied { .. } => {
            Ok(format!("{error}; once it is allowed, take the snapshot again"))
        }
        other => Err(other),
    }
}

/// E-mail addresses of the users, by id.
pub(super) async fn user_emails(client: &Client) -> Result<Vec<(String, String)>, Error> {
    let mut users = Users::default();
    users.rest(client).await?;
    let field = |row: &Json, name: &str| row.get(name).and_then(text);
    Ok(users.rows.iter().filter_map(|row| Some((field(row, "ID")?, field(row, "EMAIL")?))).collect())
}

fn parse(answer: &Answer) -> Result<Batch<'_>, Error> {
    Batch::parse(answer.result()).ok_or_else(|| malformed("batch", "it is not the answer of a batch"))
}

fn result(client: &Client, batch: &Batch<'_>, name: &str, method: &'static str) -> Result<Json, Error> {
    if let Some(problem) = batch.problem(name) {
        return Err(match client.judge(method, 400, &problem) {
            super::client::Trouble::Fatal(error) => error,
            _ => refused(method, &format!("{problem}: try again later")),
        });
    }
    let raw = batch.results.get(name).ok_or_else(|| malformed(method, "the batch has no answer for it"))?;
    serde_json::from_str(raw.get()).map_err(|e| malformed(method, e.to_string()))
}

/// Directories over one page, where the portal pages them (sheet §4.3).
async fn more_statuses(client: &Client, total: usize) -> Result<Vec<Json>, Error> {
    let starts: Vec<usize> = (PAGE..total.min(PAGE * 50)).step_by(PAGE).collect();
    let command = |start: &usize| {
        let start = start.to_string();
        Command::new(format!("s{start}"), "crm.status.list", &[("order[SORT]", "ASC"), ("start", &start)])
    };
    let answer = client.batch(&starts.iter().map(command).collect::<Vec<_>>()).await?;
    let batch = parse(&answer)?;
    let mut out = Vec::new();
    for start in starts {
        out.extend(
            rows(&result(client, &batch, &format!("s{start}"), "crm.status.list")?).into_iter().cloned(),
        );
    }
    Ok(out)
}

fn dedupe_statuses(statuses: &mut Vec<Json>) {
    let mut seen = std::collections::BTreeSet::new();
    statuses.retain(|row| {
        let part = |name: &str| row.get(name).and_then(text).unwrap_or_default();
        seen.insert((part("ENTITY_ID"), part("STATUS_ID")))
    });
}

/// Pages of users that follow each other.
fn user_pages(last: u64, pages: usize) -> Vec<Command> {
    let page = |n: usize| {
        let after = match n.checked_sub(1) {
            None => last.to_string(),
            Some(before) => format!("$result[u{before}][{}][ID]", PAGE - 1),
        };
        let parameters = [("sort", "ID"), ("order", "ASC"), ("FILTER[>ID]", after.as_str()), ("start", "-1")];
        Command::new(format!("u{n}"), "user.get", &parameters)
    };
    (0..pages).map(page).collect()
}

/// Users as they come.
#[derive(Default)]
struct Users {
    rows: Vec<Json>,
    last: u64,
}

impl Users {
    /// Takes the pages of a batch; whether the last one was among them.
    fn take(&mut self, client: &Client, batch: &Batch<'_>, pages: usize) -> Result<bool, Error> {
        for n in 0..pages {
            let page = result(client, batch, &format!("u{n}"), "user.get")?;
            let page = rows(&page);
            for row in &page {
                let id = row.get("ID").and_then(text).and_then(|id| id.parse().ok());
                let id: u64 = id.ok_or_else(|| malformed("user.get", "a user without an id"))?;
                if id <= self.last {
                    let why = format!("id {id} follows id {} where ids must rise", self.last);
                    return Err(inconsistent("user", why));
                }
                self.last = id;
                self.rows.push((*row).clone());
            }
            if page.len() < PAGE {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn rest(&mut self, client: &Client) -> Result<(), Error> {
        loop {
            let answer = client.batch(&user_pages(self.last, PAGES)).await?;
            if self.take(client, &parse(&answer)?, PAGES)? {
                return Ok(());
            }
        }
    }
}

/// Whether the webhook acts as an administrator, who alone sees everything (sheet §1.1).
pub(super) async fn check_administrator(client: &Client) -> Result<(), Error> {
    let profile = client.call("profile", serde_json::json!({})).await?.tree();
    let admin = match profile.get("ADMIN") {
        Some(Json::Bool(admin)) => *admin,
        Some(other) => matches!(text(other).as_deref(), Some("Y" | "1" | "true")),
        None => return Err(malformed("profile", "there is no `ADMIN`")),
    };
    if admin {
        return Ok(());
    }
    Err(denied(
        "the webhook acts as a user who is no administrator, so that records would be missing without a word: \
         make the webhook as an administrator",
    ))
}
