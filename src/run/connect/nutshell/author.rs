//! Who wrote something, where the key may not write in his name: a line of the text says it.
//!
//! Nothing tells beforehand whether a key may impersonate (sheet §3). The first answer that shows an author does: where it
//! is another than the one that was asked for, the record gets the line by an edit, and those after it are sent with it.

use serde_json::{Map, Value as Json, json};

use super::capability::Kind;
use super::{Nutshell, directory, footer};
use crate::run::connect::{Payload, Stored};

/// How often the line is tried to be put under a text that was written already.
const TRIES: u32 = 3;

/// The text with the author's name in a line of its own, above the marker.
fn with_author(text: &str, label: &str, name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() || c == ']' { ' ' } else { c }).collect();
    let line = format!("[author {}]", name.trim());
    let Some(marker) = footer::read(text, label).map(str::to_owned) else { return text.to_owned() };
    let rest = footer::strip(text, label);
    if rest.lines().next_back() == Some(line.as_str()) {
        return text.to_owned();
    }
    let text = if rest.is_empty() { line } else { format!("{rest}\n\n{line}") };
    footer::sign(&text, label, &marker)
}

/// The line with the author's name at the end of a text that bears no marker.
pub(super) fn line_of(text: &str) -> Option<&str> {
    let line = text.trim_end().lines().next_back()?;
    (line.starts_with("[author ") && line.ends_with(']')).then_some(line)
}

/// Who an answer says has written the record: a user's id, or somebody who is none; `None` where it does not say.
fn written_by(kind: Kind, body: &Json) -> Option<Option<String>> {
    let shown = |key: &str| body.get(key).filter(|value| !value.is_null());
    let of = |who: &Json| {
        let user = who.get("entityType").and_then(Json::as_str) == Some("Users");
        directory::id(who).filter(|_| user)
    };
    match kind {
        Kind::Note => shown("user").map(of).or_else(|| shown("originId").map(|_| None)),
        Kind::Activity => shown("loggedBy").or_else(|| shown("creator")).map(of),
        Kind::Task => shown("creator").map(of),
        _ => None,
    }
}

impl Nutshell {
    /// The name of a user for people.
    fn name_of(&self, user: &str) -> Option<String> {
        let directory = self.directory.borrow();
        let row = directory.as_ref()?.users.iter().find(|row| row.id == user)?;
        row.name.clone().or_else(|| row.email.clone())
    }

    fn footer_label(&self) -> String {
        footer::label(self.marker_field.borrow().as_deref().unwrap_or_default()).to_owned()
    }

    /// Puts the author's name into the text, where the key is known not to write in his name.
    pub(super) fn name_author(&self, kind: Kind, user: &str, fields: &mut Map<String, Json>) {
        if self.impersonates.get() != Some(false) {
            return;
        }
        if let (Some(key), Some(name)) =
            (kind.marked_text().filter(|_| kind != Kind::Email), self.name_of(user))
            && let Some(text) = fields.get(key).and_then(Json::as_str)
        {
            let text = with_author(text, &self.footer_label(), &name);
            fields.insert(key.to_owned(), json!(text));
        }
    }

    /// Looks who an answer says has written the record, and mends the record where it is somebody else.
    pub(super) async fn see_author(&self, kind: Kind, user: &str, named: bool, stored: Stored) -> Stored {
        let Some(author) = written_by(kind, &stored.body) else { return stored };
        let is_his = author.as_deref() == Some(user);
        if self.impersonates.get().is_none() {
            self.impersonates.set(Some(is_his));
        }
        if is_his || named {
            return stored;
        }
        let (Some(key), Some(name)) = (kind.marked_text(), self.name_of(user)) else { return stored };
        let mut stored = stored;
        for _ in 0..TRIES {
            let text = super::stored::text_of(kind, &stored.body);
            let wanted = with_author(text, &self.footer_label(), &name);
            if wanted == text {
                break;
            }
            let payload = Payload { fields: Map::from_iter([(key.to_owned(), json!(wanted))]) };
            match self.send_edit(kind, &stored.id, &stored.rev, &payload).await {
                Ok(edited) => return edited,
                Err(_) => match self.get(kind, &stored.id).await {
                    Ok(Some(now)) => stored = now,
                    _ => break,
                },
            }
        }
        stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stands_above_the_marker_and_once() {
        let text = "Call me\n\n[Bitrix24 a/comment/7]";
        let named = with_author(text, "Bitrix24", "Svetlana\nOrlova]");
        assert_eq!(named, "Call me\n\n[author Svetlana Orlova]\n\n[Bitrix24 a/comment/7]");
        assert_eq!(with_author(&named, "Bitrix24", "Svetlana Orlova"), named);
        assert_eq!(with_author("[Bitrix24 a/b/1]", "Bitrix24", "Ann"), "[author Ann]\n\n[Bitrix24 a/b/1]");
        assert_eq!(with_author("no marker", "Bitrix24", "Ann"), "no marker");
    }

    #[test]
    fn answers_tell_who_wrote_it_or_nothing() {
        let user = json!({"entityType": "Users", "id": 5});
        let origin = json!({"entityType": "Origins", "id": 5});
        assert_eq!(written_by(Kind::Note, &json!({"user": user})), Some(Some("5".to_owned())));
        assert_eq!(written_by(Kind::Note, &json!({"user": null, "originId": 3})), Some(None));
        assert_eq!(written_by(Kind::Activity, &json!({"loggedBy": null})), None);
        assert_eq!(written_by(Kind::Task, &json!({"creator": origin})), Some(None));
        assert_eq!(
            written_by(Kind::Lead, &json!({"creator": origin})),
            None,
            "leads have no author of their own"
        );
    }
}
