//! Reading a YAML tree key by key, with a placed finding for whatever does not fit.
//!
//! Knows which kinds of values there are, not what a schema is.

use std::collections::BTreeMap;

use super::yaml::{Key, Kind, Node, invalid, locate};
use crate::lang::finding::Finding;
use crate::lang::text::SourceText;
use crate::lang::types::Type;

/// The most findings of one file that are told at once.
const MAX_FINDINGS: usize = 20;

/// What helps where a type is wrong.
pub(super) const TYPE_HELP: &str =
    "write a type as specs do, such as `text(100)`, `\"[phone]\"`, `enum(SOURCE)?`";

/// Collects findings while a tree is read.
pub(super) struct Reader<'a> {
    text: &'a SourceText,
    findings: Vec<Finding>,
    left_out: usize,
}

/// The entries of a map whose keys are names: fields, codes, ids.
type Entries<'n> = &'n [(Key, Node)];

/// A map whose keys belong to the format.
pub(super) struct Known<'n> {
    id: u32,
    entries: Entries<'n>,
}

impl<'n> Known<'n> {
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a SourceText) -> Self {
        Reader { text, findings: Vec::new(), left_out: 0 }
    }

    pub fn finish<T>(mut self, value: T) -> Result<T, Vec<Finding>> {
        self.findings.sort_by_key(|finding| finding.label.as_ref().map(|label| label.span));
        if self.left_out > 0
            && let Some(last) = self.findings.last_mut()
        {
            last.notes.push(format!("{} more of this file are not shown", self.left_out));
        }
        if self.findings.is_empty() { Ok(value) } else { Err(self.findings) }
    }

    /// Reports, placing by a second reading; bounded, since each costs one.
    pub fn report(&mut self, id: u32, message: impl Into<String>, label: &str, help: impl Into<String>) {
        if self.findings.len() >= MAX_FINDINGS {
            self.left_out += 1;
            return;
        }
        self.findings.push(invalid(message).at(locate(self.text, id), label).help(help));
    }

    pub fn expected(&mut self, node: &Node, what: &str) {
        let found = match &node.kind {
            Kind::Map(_) => "a map",
            Kind::List(_) => "a list",
            Kind::Text(_) => "a text",
            Kind::Count(_) | Kind::OtherNumber => "a number",
            Kind::Bool(_) => "a bool",
            Kind::Null => "nothing",
        };
        let help = if what == "a text" && !matches!(node.kind, Kind::Map(_) | Kind::List(_) | Kind::Null) {
            "put it in double quotes"
        } else {
            "mend it, or take the snapshot again"
        };
        self.report(node.id, format!("{what} is expected here, but this is {found}"), "here", help);
    }

    pub fn entries<'n>(&mut self, node: Option<&'n Node>) -> Entries<'n> {
        match node.map(|node| (&node.kind, node)) {
            Some((Kind::Map(entries), _)) => entries,
            None | Some((Kind::Null, _)) => &[],
            Some((_, node)) => {
                self.expected(node, "a map");
                &[]
            }
        }
    }

    pub fn list<'n>(&mut self, node: Option<&'n Node>) -> &'n [Node] {
        match node.map(|node| (&node.kind, node)) {
            Some((Kind::List(nodes), _)) => nodes,
            None | Some((Kind::Null, _)) => &[],
            Some((_, node)) => {
                self.expected(node, "a list");
                &[]
            }
        }
    }

    /// A map of the format: unknown keys are reported.
    pub fn known<'n>(&mut self, node: &'n Node, keys: &[&str]) -> Known<'n> {
        let entries = self.entries(Some(node));
        for (key, _) in entries {
            if keys.contains(&key.text.as_str()) {
                continue;
            }
            let nearest = keys
                .iter()
                .map(|known| (strsim::osa_distance(&key.text.to_lowercase(), known), *known))
                .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
                .min();
            let help = match nearest {
                Some((_, known)) => format!("the nearest key that this version knows is `{known}`"),
                None => format!("keys that belong here: {}", keys.join(", ")),
            };
            self.report(key.id, format!("there is no key `{}` here", key.text), "unknown key", help);
        }
        Known { id: node.id, entries }
    }

    pub fn text(&mut self, node: Option<&Node>) -> Option<String> {
        match &node?.kind {
            Kind::Text(text) => Some(text.clone()),
            _ => {
                self.expected(node?, "a text");
                None
            }
        }
    }

    pub fn required_text(&mut self, map: &Known<'_>, key: &str) -> String {
        if map.get(key).is_none() {
            let help = format!("add `{key}`, or take the snapshot again");
            self.report(map.id, format!("key `{key}` is missing"), "in this map", help);
        }
        self.text(map.get(key)).unwrap_or_default()
    }

    pub fn count(&mut self, node: Option<&Node>) -> Option<u64> {
        match &node?.kind {
            Kind::Count(count) => Some(*count),
            _ => {
                self.expected(node?, "a whole number from 0");
                None
            }
        }
    }

    pub fn flag(&mut self, node: Option<&Node>) -> bool {
        match node.map(|node| (&node.kind, node)) {
            None => false,
            Some((Kind::Bool(flag), _)) => *flag,
            Some((_, node)) => {
                self.expected(node, "`true` or `false`");
                false
            }
        }
    }

    pub fn texts(&mut self, node: Option<&Node>) -> Vec<String> {
        self.list(node).iter().filter_map(|node| self.text(Some(node))).collect()
    }

    pub fn counts(&mut self, node: Option<&Node>) -> BTreeMap<String, u64> {
        self.entries(node)
            .iter()
            .filter_map(|(key, node)| Some((key.text.clone(), self.count(Some(node))?)))
            .collect()
    }

    pub fn ty(&mut self, node: &Node) -> Option<Type> {
        let text = self.text(Some(node))?;
        text.parse().map_err(|error| self.report(node.id, format!("{error}"), "bad type", TYPE_HELP)).ok()
    }

    /// The single entry of an element such as `- CALL: Звонок`.
    pub fn pair<'n>(&mut self, node: &'n Node) -> Option<&'n (Key, Node)> {
        match &node.kind {
            Kind::Map(entries) if entries.len() == 1 => entries.first(),
            _ => {
                self.expected(node, "one `code: value`");
                None
            }
        }
    }

    /// Whether the file says that it has this format.
    pub fn format(&mut self, root: &Node, format: &str) -> bool {
        let kind = format.split('/').next().unwrap_or(format);
        let entries = match &root.kind {
            Kind::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "format") else {
            self.report(
                root.id,
                format!("the file does not say `format: {format}`"),
                "begins here",
                "check the path: this may be another file",
            );
            return false;
        };
        let Kind::Text(found) = &node.kind else {
            self.expected(node, &format!("`{format}`"));
            return false;
        };
        if found == format {
            return true;
        }
        let version = found.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
        match version.and_then(|version| version.parse::<u64>().ok()) {
            Some(version) => self.report(
                node.id,
                format!(
                    "the file has format `{found}`, made by a b2n that writes version {version} of it; this one reads `{format}`"
                ),
                "another format",
                "take it again with this version, or use the b2n that made it",
            ),
            None => self.report(
                node.id,
                format!("`{found}` is not a format that this version reads; it reads `{format}`"),
                "another format",
                "check the path: this may be another file",
            ),
        }
        false
    }
}
