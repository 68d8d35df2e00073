//! `newEmail`: a whole message (RFC 5322), attached to those whose addresses it names (sheet §4, §5).

use super::super::agenda::Email;
use super::super::company::Company;
use super::super::index;
use super::super::json::Json;
use super::super::mime::{Message, address, mailboxes};
use super::super::record::Kind;
use super::super::settings::EmailMatch;
use super::super::values::{Context, Refusal};

/// Creates an e-mail from its text; returns its id.
pub fn create(company: &mut Company, context: Context, input: &Json) -> Result<i64, Refusal> {
    let text = input.filled().ok_or_else(|| Refusal::bad("An e-mail must be a text"))?;
    let message = Message::read(&text);
    let of = |name: &str| mailboxes(message.header(name));
    let (from, to, cc) = (of("from"), of("to"), of("cc"));
    if from.is_empty() {
        return Err(Refusal::bad("An e-mail must have a sender"));
    }
    let dialect = &context.settings.dialect;
    let sent = jiff::fmt::rfc2822::parse(message.header("date")).ok().map(|at| at.timestamp().as_second());
    let sent = sent.filter(|_| dialect.email_date).unwrap_or_else(|| context.now());
    let kinds: &[Kind] = match dialect.email_match {
        EmailMatch::Everybody => &[Kind::Contacts, Kind::Accounts],
        EmailMatch::People => &[Kind::Contacts],
        EmailMatch::Nobody => &[],
    };
    let mut about = Vec::new();
    for mailbox in from.iter().chain(&to).chain(&cc) {
        for kind in kinds {
            let found = company.index.exact(*kind, index::EMAIL, &address(mailbox));
            about.extend(found.into_iter().map(|id| (*kind, id)));
        }
    }
    about.sort_unstable();
    about.dedup();
    let head = company.new_head("Emails", context.actor, context.now_ms);
    let id = head.id;
    let event = company.next_id("events");
    let of = |name: &str| Some(message.header(name).to_owned()).filter(|value| !value.is_empty());
    let email = Email {
        head,
        event,
        subject: message.header("subject").to_owned(),
        message_id: of("message-id"),
        in_reply_to: of("in-reply-to"),
        references: message.header("references").split_whitespace().map(str::to_owned).collect(),
        body: message.text.clone().unwrap_or_default(),
        html: message.html.clone(),
        from,
        to,
        cc,
        sent,
        about,
    };
    company.agenda.emails.insert(id, email);
    Ok(id)
}
