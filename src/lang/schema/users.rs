//! `users.yaml`: the e-mail addresses of users, beside the snapshot and never in a repository.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::yaml::{Writer, parse};
use crate::lang::finding::Finding;
use crate::lang::text::SourceText;

/// The format that this version reads and writes.
pub const FORMAT: &str = "b2n-users/1";

/// Writes e-mail addresses by user id.
pub fn write_users(emails: &BTreeMap<String, String>) -> String {
    let mut out = Writer::default();
    out.comment("e-mail addresses of users, by id; personal data: keep this file out of repositories");
    out.raw(0, "format", FORMAT);
    if !emails.is_empty() {
        out.open(0, "users");
        for (id, email) in emails {
            out.text(1, id, email);
        }
    }
    out.finish()
}

/// Reads e-mail addresses by user id.
///
/// # Errors
/// What is wrong with the file, each with its place.
pub fn read_users(text: &SourceText) -> Result<BTreeMap<String, String>, Vec<Finding>> {
    let root = parse(text)?;
    let mut reader = Reader::new(text);
    let mut emails = BTreeMap::new();
    if reader.format(&root, FORMAT) {
        let map = reader.known(&root, &["format", "users"]);
        for (key, node) in reader.entries(map.get("users")) {
            if let Some(email) = reader.text(Some(node)) {
                emails.insert(key.text.clone(), email);
            }
        }
    }
    reader.finish(emails)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(emails in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..8)) {
            let text = SourceText::new("users.yaml", write_users(&emails));
            prop_assert_eq!(read_users(&text), Ok(emails));
        }
    }

    #[test]
    fn another_file_is_refused() {
        let text = SourceText::new("users.yaml", "format: b2n-snapshot/1\n");
        let findings = read_users(&text).unwrap_err();
        assert_eq!(
            findings[0].message,
            "`b2n-snapshot/1` is not a format that this version reads; it reads `b2n-users/1`"
        );
    }
}
