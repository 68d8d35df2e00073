//! `b2n.lock`: the hashes to which the profiles of a folder's specs are pinned. Reads and writes texts, no files.

use std::collections::BTreeMap;

use super::super::names::nearest;
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::text::{SourceText, Span};

/// The first line of the file.
const HEAD: &str = "# Profiles as `b2n check --update-lock` pinned them. Commit this file.";

/// Profiles that the program brings along, by name.
const SHIPPED: &[(&str, &str)] = &[("standard", include_str!("../../../../specs/standard.b2n"))];

/// The text of a profile that the program brings along.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The name of a shipped profile that was probably meant.
pub fn shipped_like(name: &str) -> Option<&'static str> {
    nearest(name, SHIPPED.iter().map(|(known, _)| *known))
}

/// A profile of a spec, for the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// As `use` names it.
    pub name: String,
    /// BLAKE3 of its text with line feeds only, 64 hex digits.
    pub hash: String,
    /// The first `use` of it.
    pub span: Span,
}

impl Pinned {
    /// Pins a text.
    pub fn new(name: impl Into<String>, text: &SourceText, span: Span) -> Self {
        let hash = blake3::hash(text.normalised().as_bytes()).to_hex().to_string();
        Pinned { name: name.into(), hash, span }
    }
}

/// What the file says: hash by profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    hashes: BTreeMap<String, String>,
}

impl Lock {
    /// Reads the file; a line that is not understood is a finding in it.
    pub fn read(text: &SourceText) -> (Lock, Vec<Finding>) {
        let mut lock = Lock::default();
        let mut findings = Vec::new();
        let mut start = 0;
        for line in text.text().split_inclusive('\n') {
            let span = Span::new(start, start + line.trim_end().len());
            start += line.len();
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = line.strip_prefix("profile \"").and_then(|rest| rest.split_once("\" blake3 "));
            match entry.filter(|(_, hash)| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())) {
                Some((name, hash)) => {
                    lock.hashes.insert(name.to_owned(), hash.to_ascii_lowercase());
                }
                None => findings.push(
                    Finding::new(codes::PROFILE_CHANGED, format!("`{}` cannot be read here", text.name()))
                        .at(span, "not `profile \"NAME\" blake3 HASH`")
                        .help("write the file again with `b2n check --update-lock SPEC`"),
                ),
            }
        }
        (lock, findings)
    }

    /// Compares the profiles of a spec with what is pinned.
    pub fn check(&self, profiles: &[Pinned], spec: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        for profile in profiles {
            let name = &profile.name;
            match self.hashes.get(name) {
                Some(hash) if *hash == profile.hash => {}
                Some(hash) => {
                    let mut finding = Finding::new(
                        codes::PROFILE_CHANGED,
                        format!("profile \"{name}\" is not the one that is pinned"),
                    )
                    .at(profile.span, "has changed")
                    .note(format!(
                        "pinned {}, found {}",
                        &hash[..12],
                        &profile.hash[..12]
                    ));
                    if shipped(name).is_some() {
                        finding =
                            finding.note("it belongs to the program: another version of b2n brings another");
                    }
                    findings.push(
                        finding.help(format!(
                            "read what changed, then pin it: `b2n check --update-lock {spec}`"
                        )),
                    );
                }
                None => findings.push(
                    Finding::new(codes::PROFILE_NOT_PINNED, format!("profile \"{name}\" is not pinned"))
                        .at(profile.span, "may mean something else tomorrow")
                        .help(format!("pin it in `b2n.lock`: `b2n check --update-lock {spec}`")),
                ),
            }
        }
        findings
    }

    /// Pins the profiles of a spec; those of other specs stay as they are.
    pub fn pin(&mut self, profiles: &[Pinned]) {
        for profile in profiles {
            self.hashes.insert(profile.name.clone(), profile.hash.clone());
        }
    }

    /// The file.
    pub fn write(&self) -> String {
        let rows = self.hashes.iter().map(|(name, hash)| format!("profile \"{name}\" blake3 {hash}\n"));
        format!("{HEAD}\n{}", rows.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Lock, Vec<Finding>) {
        Lock::read(&SourceText::new("b2n.lock", text))
    }

    #[test]
    fn a_changed_profile_is_told_and_an_unknown_one_warned_of() {
        let text = SourceText::new("p", "edition 2026\n");
        let windows = SourceText::new("p", "edition 2026\r\n");
        let pinned = Pinned::new("standard", &text, Span::new(1, 2));
        assert_eq!(pinned.hash, Pinned::new("standard", &windows, Span::new(1, 2)).hash);
        let mut lock = Lock::default();
        let codes = |lock: &Lock, pinned: &Pinned| -> Vec<&str> {
            lock.check(std::slice::from_ref(pinned), "a.b2n").iter().map(|f| f.code.as_str()).collect()
        };
        assert_eq!(codes(&lock, &pinned), ["B2N-W302"]);
        lock.pin(std::slice::from_ref(&pinned));
        assert!(codes(&lock, &pinned).is_empty());
        let other = Pinned::new("standard", &SourceText::new("p", "edition 2027\n"), Span::new(1, 2));
        assert_eq!(codes(&lock, &other), ["B2N-E0218"]);
    }

    #[test]
    fn bad_lines_are_told() {
        let (lock, findings) = read("# comment\nprofile \"a\" blake3 12\nnonsense\n");
        assert_eq!(lock, Lock::default());
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].label.as_ref().map(|label| label.span), Some(Span::new(10, 31)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(names in proptest::collection::vec("[a-z/.]{1,12}", 0..5)) {
            let mut lock = Lock::default();
            let pinned: Vec<Pinned> = names
                .iter()
                .map(|name| Pinned::new(name.as_str(), &SourceText::new("x", name.as_str()), Span::default()))
                .collect();
            lock.pin(&pinned);
            let (back, findings) = read(&lock.write());
            prop_assert!(findings.is_empty());
            prop_assert_eq!(back, lock);
        }
    }
}
