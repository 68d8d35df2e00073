//! Who owns what: every source user gets a destination user, or the last row does.

use std::collections::HashMap;

use super::{Checker, counts};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{Owner, OwnerHow, Owners};
use crate::lang::schema::email_hash;
use crate::lang::syntax::ast::{self, OwnerRow, OwnerWho};
use crate::lang::text::Span;

impl<'a> Checker<'a> {
    /// Resolves `owners`: named rows first, then equal e-mail addresses, then the row for those who left, then the
    /// last one.
    pub(super) fn owners(&mut self, item: Option<&'a ast::Owners>) -> Owners {
        let mut owners = Owners::default();
        let Some(item) = item else { return owners };
        let mut named: HashMap<String, Owner> = HashMap::new();
        let mut dismissed: Option<Owner> = None;
        let mut otherwise: Option<Owner> = None;
        let mut first: HashMap<String, Span> = HashMap::new();
        for row in &item.rows {
            let who = shown(&row.who.value).to_lowercase();
            if let Some(earlier) = first.get(&who) {
                self.add(
                    Finding::new(codes::DUPLICATE_ROW, format!("{} has two rows", shown(&row.who.value)))
                        .at(row.who.span, "the second one")
                        .and_at(*earlier, "the first one")
                        .help("keep one of them"),
                );
                continue;
            }
            first.insert(who, row.who.span);
            let source = match &row.who.value {
                OwnerWho::Email(email) => self.source_user(email, row),
                OwnerWho::Dismissed | OwnerWho::Otherwise => None,
            };
            let Some(user) = self.target_user(&row.to.value, row.to.span) else { continue };
            let how = match &row.who.value {
                OwnerWho::Email(_) => OwnerHow::Named,
                OwnerWho::Dismissed => OwnerHow::Dismissed,
                OwnerWho::Otherwise => OwnerHow::Otherwise,
            };
            let owner = Owner { user, flag: row.flag.as_ref().map(|flag| flag.value.clone()), how };
            match (&row.who.value, source) {
                (OwnerWho::Email(_), Some(id)) => {
                    named.insert(id, owner);
                }
                (OwnerWho::Email(_), None) => {}
                (OwnerWho::Dismissed, _) => dismissed = Some(owner),
                (OwnerWho::Otherwise, _) => otherwise = Some(owner),
            }
        }
        if !first.contains_key(&shown(&OwnerWho::Otherwise)) {
            self.no_otherwise(item);
        }
        let Some(otherwise) = otherwise else { return owners };
        let by_email = self.by_email(item);
        for user in &self.source.users {
            let same = user.email_hash.as_deref().and_then(|hash| by_email.get(hash));
            let owner = if let Some(owner) = named.remove(&user.id) {
                owner
            } else if let Some(id) = same {
                Owner { user: (*id).to_owned(), flag: None, how: OwnerHow::Email }
            } else if let (false, Some(owner)) = (user.active, &dismissed) {
                owner.clone()
            } else {
                otherwise.clone()
            };
            owners.users.insert(user.id.clone(), owner);
        }
        owners.otherwise = otherwise;
        let used: std::collections::BTreeSet<String> =
            owners.users.values().chain([&owners.otherwise]).map(|owner| owner.user.clone()).collect();
        for user in used {
            self.require("user", "", &user);
        }
        owners
    }

    fn no_otherwise(&mut self, item: &ast::Owners) {
        // A row that could not be read may be this one.
        if self.unread(item.span).has_odd_row(&["owners", "replace", "dismissed", "match"]) {
            return;
        }
        let unmatched = {
            let by_email = self.by_email(item);
            let matched =
                |hash: &Option<String>| hash.as_deref().is_some_and(|hash| by_email.contains_key(hash));
            self.source.users.iter().filter(|user| !matched(&user.email_hash)).count()
        };
        let mut finding = Finding::new(codes::OWNERS_NOT_TOTAL, "`owners` has no row for everybody else")
            .at(
                item.span,
                format!(
                    "{} {} no equal in the destination",
                    counts::many(unmatched, "user"),
                    have(unmatched)
                ),
            )
            .note(self.source_note())
            .help(
                "add a last row: `otherwise => \"ADDRESS OF A DESTINATION USER\"  flag \"owner not found\"`",
            );
        if let Some(at) = self.before_brace(item.span) {
            finding = finding.fix(Fix {
                title: "add a row for everybody else".to_owned(),
                edits: vec![Edit {
                    span: Span { start: at, end: at },
                    text: "  otherwise  => \"\"  flag \"owner not found\"\n".to_owned(),
                }],
                applicability: Applicability::Placeholder,
            });
        }
        self.add(finding);
    }

    /// Active destination users by the hash of their address, where the spec matches by it.
    fn by_email(&self, item: &ast::Owners) -> HashMap<&'a str, &'a str> {
        if item.match_by_email.is_none() || self.source.salt != self.target.salt {
            return HashMap::new();
        }
        let users = self.target.users.iter().filter(|user| user.active);
        users.filter_map(|user| Some((user.email_hash.as_deref()?, user.id.as_str()))).collect()
    }

    fn source_user(&mut self, email: &str, row: &OwnerRow) -> Option<String> {
        let hash = email_hash(&self.source.salt, email);
        let found = self.source.users.iter().find(|user| user.email_hash.as_deref() == Some(hash.as_str()));
        if found.is_none() {
            self.add(
                Finding::new(codes::UNKNOWN_USER, format!("the source has no user \"{email}\""))
                    .at(row.who.span, "no such user")
                    .note(self.source_note())
                    .help(format!(
                        "compare the spelling with the source's {}, or leave the row out",
                        counts::many(self.source.users.len(), "user")
                    )),
            );
        }
        found.map(|user| user.id.clone())
    }

    /// What can be said of `owners` once all maps are known.
    pub(super) fn owners_end(&mut self, item: Option<&'a ast::Owners>) {
        match (item, self.users_read) {
            (None, Some(span)) => self.add(
                Finding::new(codes::MISSING_ITEM, "a map reads users, and the spec has no `owners`")
                    .at(span, "which destination user is this?")
                    .help(
                        "add `owners { match by email  otherwise => \"ADDRESS OF A DESTINATION USER\" }`, each on a \
                         line of its own",
                    ),
            ),
            // A rule that is wrong may be the one that reads users.
            (Some(_), None) if self.in_doubt() && self.input.text.text().contains("owner ") => {}
            (Some(item), None) => self.add(
                Finding::new(codes::UNUSED_ITEM, "`owners` is used nowhere")
                    .at(item.span, "no rule calls `user(…)`")
                    .help("write a rule such as `owner <- user(FIELD)`, or remove it"),
            ),
            _ => {}
        }
        if let Some(item) = item
            && let Some(span) = item.match_by_email
            && self.source.salt != self.target.salt
        {
            self.add(
                Finding::new(
                    codes::SNAPSHOT_INVALID,
                    "the snapshots hash e-mail addresses with different salts",
                )
                .at(span, "addresses cannot be compared")
                .help("take both snapshots again in one project folder"),
            );
        }
    }

    /// Where a line can be put before an item's closing brace.
    pub(super) fn before_brace(&self, item: Span) -> Option<u32> {
        let text = self.quote(item);
        let body = text.strip_suffix('}')?;
        let blank = body.len() - body.trim_end_matches([' ', '\t']).len();
        if !body.trim_end_matches([' ', '\t']).ends_with('\n') {
            return None;
        }
        item.end.checked_sub(1 + u32::try_from(blank).ok()?)
    }
}

fn shown(who: &OwnerWho) -> String {
    match who {
        OwnerWho::Email(email) => format!("\"{email}\""),
        OwnerWho::Dismissed => "`dismissed`".to_owned(),
        OwnerWho::Otherwise => "`otherwise`".to_owned(),
    }
}

fn have(number: usize) -> &'static str {
    if number == 1 { "has" } else { "have" }
}
