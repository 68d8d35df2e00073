//! RPC shapes of products, activities, tasks and e-mails (sheet §5; the stub of an activity is the live sample's).

use serde_json::{Value, json};

use super::super::agenda::{Activity, Email, Head, Party, Product, Task};
use super::super::json;
use super::super::record::Kind;
use super::super::time;
use super::render::{Render, named, stub, user};

fn head(value: &mut Value, head: &Head) {
    value["modifiedTime"] = time::rpc(head.modified);
    value["createdTime"] = time::rpc(head.created);
    if let Some(deleted) = head.deleted {
        value["deletedTime"] = time::rpc(deleted);
    }
}

fn full(value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        map.shift_remove("stub");
    }
}

impl Render<'_> {
    /// A product; as a stub without its prices.
    pub fn product(&self, product: &Product, as_stub: bool) -> Value {
        let mut value = stub("Products", product.head.id, &product.head.rev.to_string(), &product.name);
        head(&mut value, &product.head);
        value["type"] = json!(product.kind);
        value["sku"] = json!(product.sku);
        value["unit"] = json!(product.unit);
        if as_stub {
            return value;
        }
        full(&mut value);
        if self.settings.dialect.product_description {
            value["description"] = json!(product.description);
        }
        let price = |(market, amount): (&i64, &rust_decimal::Decimal)| {
            let market = self.company.market(*market)?;
            Some(json!({
                "entityType": "Product_Prices", "market": stub("Markets", market.id, "0", &market.name),
                "price": {"currency": market.currency, "amount": json::number(*amount)},
            }))
        };
        value["prices"] = product.prices.iter().filter_map(price).collect();
        value
    }

    /// An activity; as a stub without its text and participants. `now` decides what is overdue.
    pub fn activity(&self, activity: &Activity, as_stub: bool, now: i64) -> Value {
        let mut value = stub("Activities", activity.head.id, &activity.head.rev.to_string(), &activity.name);
        head(&mut value, &activity.head);
        value["startTime"] = time::rpc(activity.start);
        value["endTime"] = time::rpc(activity.end);
        value["isAllDay"] = json!(activity.all_day);
        value["isTimed"] = json!(!activity.all_day);
        value["isFlagged"] = json!(activity.flagged);
        let kind = self.company.activity_types.iter().find(|row| row.id == activity.kind);
        value["activityType"] = kind.map_or(Value::Null, |row| named("Activity_Types", row));
        let overdue = activity.status == 0 && activity.end < now;
        value["status"] = json!(if overdue { -1 } else { activity.status });
        let note = |text: &String| json!({"entityType": "Notes", "note": text});
        value["logNote"] = activity.log_note.as_ref().map_or(Value::Null, note);
        if as_stub {
            return value;
        }
        full(&mut value);
        value["description"] = json!(activity.description);
        value["location"] = json!(activity.location);
        value["logDescription"] = json!(activity.log_note);
        value["htmlUrl"] = json!(self.host(&format!("/activity/{}", activity.head.id)));
        let lead = |id: &i64| self.company.live(Kind::Leads, *id).map(|record| self.stub(record));
        let leads: Vec<Value> = activity.leads.iter().filter_map(lead).collect();
        value["lead"] = leads.first().cloned().unwrap_or(Value::Null);
        value["leads"] = json!(leads);
        let participant = |party: &Party| {
            let mut shown = match party {
                Party::User(id) => user(self.company.user(*id)?),
                Party::Record(kind, id) => self.stub(self.company.live(*kind, *id)?),
            };
            shown["status"] = json!(0);
            Some(shown)
        };
        value["participants"] = activity.participants.iter().filter_map(participant).collect();
        value["loggedBy"] = if activity.status == 1 { self.actor(activity.head.author) } else { Value::Null };
        value["followup"] = Value::Null;
        value["followupTo"] = Value::Null;
        value
    }

    /// A task.
    pub fn task(&self, task: &Task) -> Value {
        let mut value = json!({
            "id": task.head.id, "entityType": "Tasks", "rev": task.head.rev.to_string(), "title": task.title,
            "description": task.description, "dueTime": time::rpc_or_null(task.due),
            "assignee": self.owner(task.assignee), "completedTime": time::rpc_or_null(task.completed),
        });
        head(&mut value, &task.head);
        let about = task.entity.and_then(|(kind, id)| self.company.live(kind, id));
        value["entity"] = about.map_or(Value::Null, |record| self.stub(record));
        value["creator"] = self.actor(task.head.author);
        value
    }

    /// An e-mail. No record of RPC is known, so that the keys are those that its text suggests.
    pub fn email(&self, email: &Email) -> Value {
        let dialect = &self.settings.dialect;
        let mut value = json!({
            "id": email.head.id, "entityType": "Emails", "rev": email.head.rev.to_string(),
            "subject": email.subject, "body": email.shown(), "excerpt": email.excerpt(), "from": email.from,
            "to": email.to, "cc": email.cc, "sentTime": time::rpc(email.sent),
        });
        if dialect.email_message_id {
            value["messageId"] = json!(email.message_id);
            value["inReplyTo"] = json!(email.in_reply_to);
            value["references"] = json!(email.references);
        }
        if dialect.email_html {
            value["bodyHtml"] = json!(email.html);
        }
        head(&mut value, &email.head);
        value
    }
}
