//! `newEmail`: an RFC 822 text is taken apart as far as its addresses, date, subject and body go (sheet §5).

use super::super::agenda::Email;
use super::super::company::Company;
use super::super::index;
use super::super::json::Json;
use super::super::record::Kind;
use super::super::values::{Context, Refusal};

/// Creates an e-mail from its text; returns its id.
pub fn create(company: &mut Company, context: Context, input: &Json) -> Result<i64, Refusal> {
    let text = input.filled().ok_or_else(|| Refusal::bad("An e-mail must be a text"))?;
    let (headers, body) = split(&text);
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (from, to) = (addresses(&header("From")), addresses(&header("To")));
    if from.is_empty() {
        return Err(Refusal::bad("An e-mail must have a sender"));
    }
    let sent = jiff::fmt::rfc2822::parse(&header("Date")).ok().map(|at| at.timestamp().as_second());
    let sent = sent.filter(|_| context.settings.dialect.email_date).unwrap_or_else(|| context.now());
    let mut about = Vec::new();
    let matched = context.settings.dialect.email_matched;
    for address in from.iter().chain(&to).filter(|_| matched) {
        for kind in [Kind::Contacts, Kind::Accounts] {
            let found = company.index.exact(kind, index::EMAIL, address);
            about.extend(found.into_iter().map(|id| (kind, id)));
        }
    }
    about.sort_unstable();
    about.dedup();
    let head = company.new_head("Emails", context.actor, context.now_ms);
    let id = head.id;
    let email = Email { head, subject: header("Subject"), body, from, to, sent, about };
    company.agenda.emails.insert(id, email);
    Ok(id)
}

/// Headers, unfolded, and the body.
fn split(text: &str) -> (Vec<(String, String)>, String) {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        match headers.last_mut() {
            Some((_, value)) if line.starts_with([' ', '\t']) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    headers.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
        }
    }
    (headers, body.to_owned())
}

fn addresses(list: &str) -> Vec<String> {
    let address = |part: &str| {
        let inner = part.rsplit_once('<').map_or(part, |(_, rest)| rest.trim_end_matches([' ', '>']));
        Some(inner.trim().trim_end_matches('>').to_lowercase()).filter(|address| address.contains('@'))
    };
    list.split(',').filter_map(address).collect()
}
