//! RPC shapes: full entities and stubs (sheet §5; live and documented samples).

use serde_json::{Map, Value, json};

use super::super::company::{Company, Named, User};
use super::super::json;
use super::super::record::{Actor, Kind, Link, Note, Owner, Record};
use super::super::settings::Settings;
use super::super::time;
use super::super::values::{address_out, custom_out, items_out};

/// When the account was founded: the times of users and settings.
pub const FOUNDED: i64 = 1_754_971_251;

/// What rendering needs to know.
#[derive(Clone, Copy)]
pub struct Render<'a> {
    pub company: &'a Company,
    pub settings: &'a Settings,
}

pub fn stub(entity: &str, id: i64, rev: &str, name: &str) -> Value {
    json!({"stub": true, "id": id, "rev": rev, "entityType": entity, "name": name})
}

pub fn user(user: &User) -> Value {
    let mut value = stub("Users", user.id, "0", &user.name);
    value["modifiedTime"] = time::rpc(FOUNDED);
    value["createdTime"] = time::rpc(FOUNDED);
    value["emails"] = json!([user.email]);
    value["isEnabled"] = json!(user.enabled);
    value["isAdministrator"] = json!(user.admin);
    value
}

/// A stub of a row that is kept in the settings.
pub fn named(entity: &str, row: &Named) -> Value {
    stub(entity, row.id, "0", &row.name)
}

/// A team's stub, which also has times.
pub fn team(row: &Named) -> Value {
    let mut value = named("Teams", row);
    value["modifiedTime"] = time::rpc(FOUNDED);
    value["createdTime"] = time::rpc(FOUNDED);
    value
}

impl Render<'_> {
    pub fn host(&self, path: &str) -> String {
        format!("https://{}{path}", self.settings.host)
    }

    /// The page of a record in the web application.
    pub fn html_path(&self, record: &Record) -> String {
        let slug: Vec<String> = super::super::index::words(&record.display()).collect();
        let slug = slug.join("-");
        let dash = if slug.is_empty() { "" } else { "-" };
        match record.kind {
            Kind::Accounts => format!("/company/{}{dash}{slug}", record.id),
            Kind::Contacts => format!("/person/{}{dash}{slug}", record.id),
            // The address carries the number, not the id (sheet §9).
            Kind::Leads => format!("/lead/{}", record.deal.as_ref().map_or(0, |deal| deal.number)),
        }
    }

    pub fn avatar(&self, record: &Record) -> String {
        let path = format!(
            "/avatar/{}/{}/{}/none/{}",
            record.kind.rest(),
            record.id,
            self.settings.instance_id,
            record.created
        );
        self.host(&path)
    }

    pub fn actor(&self, actor: Actor) -> Value {
        match actor {
            Actor::User(id) => self.company.user(id).map_or(Value::Null, user),
            Actor::Origin(id) => {
                let origin = self.company.origins.iter().find(|origin| origin.id == id);
                origin.map_or(Value::Null, |origin| named("Origins", origin))
            }
        }
    }

    pub fn owner(&self, owner: Option<Owner>) -> Value {
        match owner {
            None => Value::Null,
            Some(Owner::User(id)) => self.company.user(id).map_or(Value::Null, user),
            Some(Owner::Team(id)) => {
                self.company.teams.iter().find(|row| row.id == id).map_or(Value::Null, team)
            }
        }
    }

    /// The title of a contact as the server computes it: "Sales, Questar".
    pub fn job_title(&self, contact: &Record) -> Option<String> {
        contact.accounts.iter().find_map(|link| {
            let title = link.relationship.as_ref()?;
            let account = self.company.live(Kind::Accounts, link.id)?;
            Some(format!("{title}, {}", account.name))
        })
    }

    /// A record's stub: no custom fields, notes or links (sheet §4).
    pub fn stub(&self, record: &Record) -> Value {
        let mut value = stub(record.kind.name(), record.id, &record.rev.to_string(), &record.display());
        value["modifiedTime"] = time::rpc(record.modified);
        value["createdTime"] = time::rpc(record.created);
        match record.kind {
            Kind::Accounts => value["regions"] = json!([]),
            Kind::Contacts => {
                if let Some(title) = self.job_title(record) {
                    value["jobTitle"] = json!(title);
                }
            }
            Kind::Leads => {
                let first = |to| {
                    let name = |link: &Link| self.company.live(to, link.id).map(Record::display);
                    record.links(to).iter().find_map(name)
                };
                value["description"] = json!(record.description);
                value["value"] = self.lead_value(record);
                value["primaryAccountName"] = json!(first(Kind::Accounts));
                value["primaryContactName"] = json!(first(Kind::Contacts));
                value["lastContactedDate"] = Value::Null;
                value["nextStepDueTime"] = Value::Null;
                if let Some(deal) = &record.deal {
                    value["status"] = json!(deal.status);
                    value["completion"] = json!(self.completion(record));
                    value["isOverdue"] = json!(false);
                    value["dueTime"] = time::rpc_or_null(deal.due);
                    if let Some(closed) = deal.closed {
                        value["closedTime"] = time::rpc(closed);
                    }
                }
            }
        }
        if let Some(deleted) = record.deleted {
            value["deletedTime"] = time::rpc(deleted);
        }
        value
    }

    /// The stubs of linked records that are not deleted, with their relationship.
    fn linked(&self, links: &[Link], to: Kind) -> Vec<Value> {
        let show = |link: &Link| {
            let mut value = self.stub(self.company.live(to, link.id)?);
            if to != Kind::Leads {
                value["relationship"] = json!(link.relationship);
                value["description"] = json!(link.relationship);
            }
            Some(value)
        };
        links.iter().filter_map(show).collect()
    }

    fn lead_value(&self, record: &Record) -> Value {
        let amount = json::number(self.company.lead_value(record));
        json!({"currency": self.company.lead_currency(record), "amount": amount})
    }

    fn completion(&self, record: &Record) -> i64 {
        let Some(deal) = &record.deal else { return 0 };
        if deal.status >= 10 {
            return 100;
        }
        let stages = self.company.milestones.iter().filter(|stage| stage.stageset == deal.stageset);
        let (count, position) = stages.fold((0, 0), |(count, position), stage| {
            (count + 1, if stage.id == deal.milestone { stage.position } else { position })
        });
        if count == 0 { 0 } else { (position - 1).max(0) * 100 / count }
    }

    fn row(entity: &str, rows: &[Named], id: Option<i64>) -> Value {
        let Some(row) = rows.iter().find(|row| Some(row.id) == id) else {
            return Value::Null;
        };
        json!({"id": row.id, "rev": "0", "entityType": entity, "name": row.name})
    }

    /// A full record.
    pub fn full(&self, record: &Record) -> Value {
        let mut map = Map::new();
        let mut set = |key: &str, value: Value| {
            map.insert(key.to_owned(), value);
        };
        let tags = record.tags.iter().filter_map(|id| self.company.tags.iter().find(|tag| tag.id == *id));
        set("id", json!(record.id));
        set("entityType", json!(record.kind.name()));
        set("rev", json!(record.rev.to_string()));
        set("createdTime", time::rpc(record.created));
        set("modifiedTime", time::rpc(record.modified));
        set("htmlUrl", json!(self.host(&self.html_path(record))));
        set("htmlUrlPath", json!(self.html_path(record)));
        set("avatarUrl", json!(self.avatar(record)));
        set("description", json!(record.description));
        set("creator", self.actor(record.creator));
        set("tags", tags.filter(|tag| tag.deleted.is_none()).map(|tag| json!(tag.name)).collect());
        set("lastContactedDate", Value::Null);
        let notes = record.notes.iter().filter_map(|id| self.company.note(*id));
        set("notes", notes.filter(|note| note.deleted.is_none()).map(|note| self.note(note)).collect());
        if let Some(deleted) = record.deleted {
            set("deletedTime", time::rpc(deleted));
        }
        if !record.custom.is_empty() {
            let mut customs = Map::new();
            for (id, value) in &record.custom {
                if let Some(field) = self.company.field_by_id(*id) {
                    customs.insert(field.name.clone(), custom_out(self.settings, field, value));
                }
            }
            set("customFields", Value::Object(customs));
        }
        if record.kind != Kind::Leads {
            let everywhere = self.settings.dialect.primary_everywhere;
            set("owner", self.owner(record.owner));
            set("legacyId", json!(record.legacy_id));
            set("territory", Self::row("Territories", &self.company.territories, record.territory));
            set("phone", items_out(&record.phone, true, |phone| phone.to_rpc()));
            set("email", items_out(&record.email, everywhere, |text| json!(text)));
            set("url", items_out(&record.url, everywhere, |text| json!(text)));
            set("address", items_out(&record.address, true, address_out));
            // `getAccount` embeds at most 100 leads (sheet §9).
            set("leads", json!(self.linked(&record.leads[..record.leads.len().min(100)], Kind::Leads)));
        }
        match record.kind {
            Kind::Accounts => {
                let kind = self.company.account_types.iter().find(|row| Some(row.id) == record.account_type);
                set("name", json!(record.name));
                set("avatar", json!({"url": "/image/230/default/default/account-avatar-1.png"}));
                set("industry", Self::row("Industries", &self.company.industries, record.industry));
                set("accountType", kind.map_or(Value::Null, |row| json!({"id": row.id, "name": row.name})));
                set("contacts", json!(self.linked(&record.contacts, Kind::Contacts)));
                set("mergedInto", json!([]));
                if let Some(parent) = record.parent {
                    set("parentAccount", json!({"id": parent, "entityType": "Accounts"}));
                }
            }
            Kind::Contacts => {
                let person = &record.person;
                set(
                    "name",
                    json!({
                        "givenName": person.given, "familyName": person.family, "salutation": person.salutation,
                        "displayName": record.display(),
                    }),
                );
                set("accounts", json!(self.linked(&record.accounts, Kind::Accounts)));
                set("contactedCount", json!(0));
            }
            Kind::Leads => self.lead(record, &mut set),
        }
        Value::Object(map)
    }

    fn lead(&self, record: &Record, set: &mut impl FnMut(&str, Value)) {
        let Some(deal) = &record.deal else { return };
        let company = self.company;
        let market = company.market(deal.market);
        let stage = company.milestones.iter().find(|stage| stage.id == deal.milestone);
        let stageset = company.stagesets.iter().find(|known| known.id == deal.stageset);
        let mut accounts = self.linked(&record.accounts, Kind::Accounts);
        let primary = accounts.first().cloned().unwrap_or(Value::Null);
        if !self.settings.dialect.primary_account_listed && !accounts.is_empty() {
            accounts.remove(0);
        }
        let value = self.lead_value(record);
        set("name", json!(record.display()));
        set("primaryAccount", primary);
        set("accounts", json!(accounts));
        set("contacts", json!(self.linked(&record.contacts, Kind::Contacts)));
        set("milestone", stage.map_or(Value::Null, |stage| stub("Milestones", stage.id, "0", &stage.name)));
        set("stageset", stageset.map_or(Value::Null, |known| {
            json!({"stub": true, "id": known.id, "entityType": "Stagesets", "modifiedTime": time::rpc(FOUNDED), "name": known.name})
        }));
        set("activitiesCount", json!({"0": 0, "1": 0, "2": 0, "-1": 0}));
        set("status", json!(deal.status));
        set("confidence", json!(deal.confidence));
        set("completion", json!(self.completion(record)));
        set("urgency", json!("0"));
        set("isOverdue", json!(false));
        set(
            "market",
            market.map_or(Value::Null, |market| {
                let mut value = stub("Markets", market.id, "0", &market.name);
                value["modifiedTime"] = time::rpc(FOUNDED);
                value
            }),
        );
        set("assignee", self.owner(record.owner));
        let sources =
            deal.sources.iter().filter_map(|id| company.sources.iter().find(|source| source.id == *id));
        set("sources", sources.map(|source| stub("Sources", source.id, "0", &source.name)).collect());
        set("channels", json!([]));
        let rivals =
            deal.competitors.iter().filter_map(|id| company.competitors.iter().find(|row| row.id == *id));
        set("competitors", rivals.map(|row| named("Competitors", row)).collect());
        let line = |line: &super::super::record::ProductLine| {
            let product = company.agenda.products.get(&line.product)?;
            let mut value = stub("Products", product.head.id, &product.head.rev.to_string(), &product.name);
            value["modifiedTime"] = time::rpc(FOUNDED);
            value["createdTime"] = time::rpc(FOUNDED);
            value["relationship"] = json!(line.relationship);
            value["price"] =
                json!({"currency": company.lead_currency(record), "amount": json::number(line.price)});
            value["quantity"] = json::number(line.quantity);
            Some(value)
        };
        set("products", deal.products.iter().filter_map(line).collect());
        if self.settings.dialect.outcome_shown
            && let Some(outcome) =
                deal.outcome.and_then(|id| company.outcomes.iter().find(|known| known.id == id))
        {
            set("outcome", self::outcome(outcome));
        }
        set("mergedWith", Value::Null);
        set("mergedInto", json!([]));
        set("clonedFrom", Value::Null);
        set("priority", json!(deal.priority));
        set("dueTime", time::rpc_or_null(deal.due));
        set("nextStepDueTime", Value::Null);
        if deal.closed.is_some() {
            set("closedTime", time::rpc_or_null(deal.closed));
        }
        set("normalizedValue", value.clone());
        set("estimatedValue", value.clone());
        set("value", value);
        let process = stageset.map(|known| {
            let mut value = stub("Processes", record.id, "0", &known.name);
            value["type"] = json!("0");
            value["startedTime"] = time::rpc(record.created);
            value["closedTime"] = time::rpc_or_null(deal.closed);
            value["currentMilestoneId"] = json!(deal.milestone.to_string());
            value["processTemplateId"] = json!(known.id.to_string());
            value
        });
        set("processes", json!(process.into_iter().collect::<Vec<_>>()));
    }

    /// A note with its parent's stub.
    pub fn note(&self, note: &Note) -> Value {
        let author = match note.author {
            Actor::User(_) => self.actor(note.author),
            Actor::Origin(_) => Value::Null,
        };
        let origin = match note.author {
            Actor::Origin(id) => json!(id),
            Actor::User(_) => Value::Null,
        };
        let text = self.mentions(&note.text);
        let mut value = json!({
            "entityType": "Notes", "id": note.id, "rev": note.rev.to_string(), "user": author, "originId": origin,
            "note": text, "noteMarkup": note.text, "noteHtml": escape(&text), "date": time::rpc(note.created),
            "mentions": [],
        });
        if let Some(parent) = self.company.record(note.parent.0, note.parent.1) {
            value[parent.kind.singular()] = self.stub(parent);
        }
        if let Some(deleted) = note.deleted {
            value["deletedTime"] = time::rpc(deleted);
        }
        value
    }

    /// Renders `@[Users:1]` and `@[Contacts:12]` as names; a backslash keeps the text as it is.
    pub fn mentions(&self, markup: &str) -> String {
        let mut out = String::new();
        let mut rest = markup;
        while let Some(at) = rest.find("@[") {
            let (before, after) = rest.split_at(at);
            let end = after.find(']');
            let name = end.filter(|_| !before.ends_with('\\')).and_then(|end| {
                let (entity, id) = after[2..end].split_once(':')?;
                let id: i64 = id.parse().ok()?;
                match entity {
                    "Users" => self.company.user(id).map(|user| user.name.clone()),
                    _ => self.company.live(Kind::parse(entity)?, id).map(Record::display),
                }
            });
            match (name, end) {
                (Some(name), Some(end)) => {
                    out.push_str(before);
                    out.push_str(&name);
                    rest = &after[end + 1..];
                }
                _ => {
                    out.push_str(before.strip_suffix('\\').unwrap_or(before));
                    out.push_str("@[");
                    rest = &after[2..];
                }
            }
        }
        out.push_str(rest);
        out
    }
}

/// An outcome as `findLead_Outcomes` and `outcome` of a lead show it (sheet §5.1).
pub fn outcome(outcome: &super::super::company::Outcome) -> Value {
    json!({
        "id": outcome.id, "entityType": "Lead_Outcomes", "rev": "0", "description": outcome.description,
        "type": outcome.status,
    })
}

/// Escapes a text as PHP's `htmlspecialchars` with quotes does.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#039;")
}
