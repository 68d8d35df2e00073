//! What the twin keeps beside accounts, contacts and leads: products, activities, tasks, e-mails. Plain data and the
//! changes that keep revs and neighbours in step; no rules of the API.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::company::Company;
use super::record::{Actor, Kind, Owner};

/// What every one of them has.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub id: i64,
    /// Counts changes; printed as a string.
    pub rev: u64,
    pub author: Actor,
    /// Unix seconds, as all times here but `seen_ms`.
    pub created: i64,
    pub modified: i64,
    pub deleted: Option<i64>,
    /// From when on finds and lists show it; reads by id see it at once.
    pub seen_ms: i64,
}

impl Head {
    /// Of something that was there from the start.
    pub fn seeded(id: i64) -> Head {
        Head { id, rev: 0, author: Actor::User(1), created: 0, modified: 0, deleted: None, seen_ms: 0 }
    }

    /// Whether finds and lists show it.
    pub fn is_listed(&self, now_ms: i64) -> bool {
        self.deleted.is_none() && self.seen_ms <= now_ms
    }
}

/// A product of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub head: Head,
    pub name: String,
    pub sku: Option<String>,
    /// "0" product, "1" service.
    pub kind: String,
    /// The billing period of a service.
    pub unit: String,
    pub description: Option<String>,
    /// Amounts by market.
    pub prices: BTreeMap<i64, Decimal>,
}

/// Who takes part in an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    User(i64),
    Record(Kind, i64),
}

/// A call, a meeting and the like.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    pub head: Head,
    pub name: String,
    pub description: Option<String>,
    /// The activity type's id.
    pub kind: i64,
    pub start: i64,
    pub end: i64,
    pub all_day: bool,
    pub flagged: bool,
    pub location: Option<String>,
    /// 0 scheduled, 1 logged, 2 cancelled.
    pub status: i64,
    pub leads: Vec<i64>,
    pub participants: Vec<Party>,
    pub log_note: Option<String>,
}

impl Activity {
    /// One that says nothing yet, for a create to fill in.
    pub fn blank() -> Activity {
        Activity {
            head: Head::seeded(0),
            name: String::new(),
            description: None,
            kind: 0,
            start: 0,
            end: 0,
            all_day: false,
            flagged: false,
            location: None,
            status: 0,
            leads: Vec::new(),
            participants: Vec::new(),
            log_note: None,
        }
    }

    /// The records that it is about.
    pub fn about(&self) -> Vec<(Kind, i64)> {
        let leads = self.leads.iter().map(|id| (Kind::Leads, *id));
        let others = self.participants.iter().filter_map(|party| match party {
            Party::User(_) => None,
            Party::Record(kind, id) => Some((*kind, *id)),
        });
        leads.chain(others).collect()
    }
}

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub head: Head,
    pub title: String,
    pub description: Option<String>,
    pub due: Option<i64>,
    pub assignee: Option<Owner>,
    pub entity: Option<(Kind, i64)>,
    pub completed: Option<i64>,
}

/// An e-mail of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Email {
    pub head: Head,
    /// The id of the event that tells of its arrival.
    pub event: i64,
    pub subject: String,
    pub message_id: Option<String>,
    pub in_reply_to: Option<String>,
    pub references: Vec<String>,
    pub body: String,
    pub html: Option<String>,
    /// As the message writes them: `Ann <ann@x.example>`.
    pub from: Vec<String>,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub sent: i64,
    /// The contacts and accounts that its addresses belong to.
    pub about: Vec<(Kind, i64)>,
}

impl Email {
    /// The text that people see: without one, what the HTML says.
    pub fn shown(&self) -> String {
        let Some(html) = self.html.as_ref().filter(|_| self.body.is_empty()) else {
            return self.body.clone();
        };
        let (mut text, mut inside) = (String::new(), false);
        for c in html.chars() {
            match c {
                '<' => inside = true,
                '>' if inside => {
                    inside = false;
                    text.push('\n');
                }
                _ if inside => {}
                c => text.push(c),
            }
        }
        let text =
            text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The first of it, as the live sample cuts it.
    pub fn excerpt(&self) -> String {
        let text = self.shown();
        match text.char_indices().nth(253) {
            Some((at, _)) => format!("{}...", &text[..at]),
            None => text,
        }
    }
}

/// All of them, by id.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    pub products: BTreeMap<i64, Product>,
    pub activities: BTreeMap<i64, Activity>,
    pub tasks: BTreeMap<i64, Task>,
    pub emails: BTreeMap<i64, Email>,
}

impl Company {
    /// The head of something new.
    pub fn new_head(&mut self, of: &'static str, author: Actor, now_ms: i64) -> Head {
        let created = now_ms.div_euclid(1000);
        let seen_ms = now_ms.saturating_add(self.index.lag_ms);
        let mut id = self.next_id(of);
        // Products of the start state have ids of their own.
        while of == "Products" && self.agenda.products.contains_key(&id) {
            id = self.next_id(of);
        }
        Head { id, rev: 0, author, created, modified: created, deleted: None, seen_ms }
    }

    /// A product that is not deleted.
    pub fn product(&self, id: i64) -> Option<&Product> {
        self.agenda.products.get(&id).filter(|product| product.head.deleted.is_none())
    }

    /// Changes an e-mail past every API.
    pub fn rewrite_email(&mut self, id: i64, change: impl FnOnce(&mut Email), now_ms: i64) {
        if let Some(email) = self.agenda.emails.get_mut(&id) {
            change(email);
            advance(&mut email.head, now_ms);
        }
    }

    /// Makes a second e-mail of the same text, as a request that is delivered twice does.
    pub fn copy_email(&mut self, id: i64, author: Actor, now_ms: i64) -> Option<i64> {
        let email = self.agenda.emails.get(&id)?.clone();
        let (head, event) = (self.new_head("Emails", author, now_ms), self.next_id("events"));
        let copy = head.id;
        self.agenda.emails.insert(copy, Email { head, event, ..email });
        Some(copy)
    }

    /// Puts an activity in, new or changed, and moves the revs of what it is or was about.
    pub fn put_activity(&mut self, mut activity: Activity, now_ms: i64) {
        let before = self.agenda.activities.get(&activity.head.id);
        let mut touched = activity.about();
        if let Some(before) = before {
            touched.extend(before.about());
            advance(&mut activity.head, now_ms);
        }
        touched.sort_unstable();
        touched.dedup();
        self.agenda.activities.insert(activity.head.id, activity);
        for (kind, id) in touched {
            self.bump(kind, id);
        }
    }

    /// Puts a task in, new or changed.
    pub fn put_task(&mut self, mut task: Task, now_ms: i64) {
        if self.agenda.tasks.contains_key(&task.head.id) {
            advance(&mut task.head, now_ms);
        }
        self.agenda.tasks.insert(task.head.id, task);
    }

    /// Puts a product in, new or changed.
    pub fn put_product(&mut self, mut product: Product, now_ms: i64) {
        if self.agenda.products.contains_key(&product.head.id) {
            advance(&mut product.head, now_ms);
        }
        self.agenda.products.insert(product.head.id, product);
    }
}

fn advance(head: &mut Head, now_ms: i64) {
    head.rev += 1;
    head.modified = now_ms.div_euclid(1000);
}
