//! YAML as snapshots use it: a plain tree with places, and a writer that quotes what needs it.
//!
//! The one file that sees the YAML crate. Knows nothing of schemas. Aliases, tags and block scalars are refused, and
//! nesting is bounded before the parser sees the text, so that no file can make it grow or recurse without end.

use std::collections::HashMap;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::lang::finding::{Finding, registry};
use crate::lang::text::{MAX_BYTES, SourceText, Span};

/// The deepest nesting that is read; a snapshot needs seven levels.
const MAX_DEPTH: usize = 32;

/// A node of the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// Its number in the order of the text, by which [`locate`] finds its place.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Keys with values, in the order of the text, every key once.
    Map(Vec<(Key, Node)>),
    /// A list.
    List(Vec<Node>),
    /// Text.
    Text(String),
    /// A whole number that is not negative.
    Count(u64),
    /// Yes or no.
    Bool(bool),
    /// Nothing.
    Null,
    /// A number that no snapshot holds: negative or with a fraction.
    OtherNumber,
}

/// A key of a map.
#[derive(Debug)]
pub(super) struct Key {
    /// Its number, as for nodes.
    pub id: u32,
    /// What it says, always as text.
    pub text: String,
}

/// Reads a text into a tree.
///
/// # Errors
/// Broken YAML, what this module refuses, and every key that stands twice.
pub(super) fn parse(text: &SourceText) -> Result<Node, Vec<Finding>> {
    if text.text().len() > MAX_BYTES {
        return Err(vec![
            invalid(format!("the file has {} bytes; at most {MAX_BYTES} are read", text.text().len()))
                .help("split off what does not belong to it, or take the snapshot again"),
        ]);
    }
    if let Err((at, refused)) = scan(text.text()) {
        return Err(vec![invalid(refused.message()).at(char_at(text, at), "here").help(refused.help())]);
    }
    let mut build = Build::new(text, None);
    let root = build.run(text).map_err(|error| vec![broken(text, &error)])?;
    if build.duplicates.is_empty() {
        return Ok(root);
    }
    Err(build
        .duplicates
        .iter()
        .map(|duplicate| {
            let first = locate(text, duplicate.first);
            invalid(format!(
                "key `{}` stands twice: on lines {} and {}",
                duplicate.key,
                text.position(first.start).line,
                text.position(locate(text, duplicate.second).start).line,
            ))
            .at(locate(text, duplicate.second), "the second one")
            .and_at(first, "the first one")
            .help("remove one of them")
        })
        .collect())
}

/// Finds the place of a node or key, by reading the text again up to it.
pub(super) fn locate(text: &SourceText, id: u32) -> Span {
    match Build::new(text, Some(id)).run(text) {
        Err(error) => place(text, &error),
        Ok(_) => Span::default(),
    }
}

/// A finding that a snapshot cannot be used.
pub(super) fn invalid(message: impl Into<String>) -> Finding {
    Finding::new(registry::SNAPSHOT_INVALID, message)
}

fn broken(text: &SourceText, error: &serde_yaml::Error) -> Finding {
    let span = place(text, error);
    let position = text.position(span.start);
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or(&said);
    invalid(format!("broken YAML on line {}, column {}: {said}", position.line, position.column))
        .at(span, said)
        .help("mend this line, or take the snapshot again")
}

fn place(text: &SourceText, error: &serde_yaml::Error) -> Span {
    let Some(location) = error.location() else { return Span::default() };
    let mut at = location.index().min(text.text().len());
    while !text.text().is_char_boundary(at) {
        at -= 1;
    }
    token_at(text, at)
}

/// The span of the word or quoted text that begins at a byte.
fn token_at(text: &SourceText, at: usize) -> Span {
    let rest = text.text().get(at..).unwrap_or("");
    let length = match rest.chars().next() {
        Some('{' | '[') => 1,
        Some('"') => rest[1..].find(['"', '\n']).map_or(rest.len(), |end| end + 2),
        _ => rest.find([':', '\n', '\r', ',', '}', ']', '#']).unwrap_or(rest.len()),
    };
    let word = rest.get(..length).unwrap_or("").trim_end();
    if word.is_empty() { char_at(text, at) } else { Span::new(at, at + word.len()) }
}

fn char_at(text: &SourceText, at: usize) -> Span {
    let length = text.text().get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Span::new(at, at + length)
}

/// What is refused before the parser runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    TooDeep,
    Alias,
    Tag,
    BlockText,
    LongText,
    LineSeparator,
}

impl Refused {
    fn message(self) -> String {
        match self {
            Refused::TooDeep => format!("nested deeper than {MAX_DEPTH} levels"),
            Refused::Alias => "anchors and aliases are not read".to_owned(),
            Refused::Tag => "YAML tags are not read".to_owned(),
            Refused::BlockText => "texts in block form are not read".to_owned(),
            Refused::LongText => "a text that does not end on its line is not read".to_owned(),
            Refused::LineSeparator => "a bare Unicode line separator is not read".to_owned(),
        }
    }

    fn help(self) -> &'static str {
        match self {
            Refused::TooDeep => "take the snapshot again",
            Refused::Alias => "write the value out; a text that begins with `&` or `*` needs double quotes",
            Refused::Tag => "remove the tag; a text that begins with `!` needs double quotes",
            Refused::BlockText | Refused::LongText => {
                "write the text on one line in double quotes, with `\\n` between its lines"
            }
            Refused::LineSeparator => "write it in double quotes as `\\u2028`, `\\u2029` or `\\x85`",
        }
    }
}

/// Looks over the text once: follows quotes, comments and brackets well enough to bound the nesting and to see anchors.
///
/// [`Build`] bounds the number of nodes by the text's length as well, should an alias slip through here.
fn scan(text: &str) -> Result<(), (usize, Refused)> {
    if let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
        return Err((at, Refused::LineSeparator));
    }
    let bytes = text.as_bytes();
    let blank = |at: usize| matches!(bytes.get(at), None | Some(b' ' | b'\t' | b'\n' | b'\r'));
    let mut indents: Vec<usize> = Vec::new();
    let (mut flow, mut line, mut at) = (0usize, 0usize, 0usize);
    let mut fresh = true;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' | b'\r' => {
                at += 1;
                line = at;
                fresh = true;
                continue;
            }
            b' ' | b'\t' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += bytes[at..].iter().take_while(|b| !matches!(b, b'\n' | b'\r')).count();
                continue;
            }
            _ => {}
        }
        let column = at - line;
        if flow == 0 {
            if fresh {
                indents.retain(|indent| *indent < column);
            }
            if indents.last().is_none_or(|last| *last < column) {
                indents.push(column);
            }
        }
        fresh = false;
        if indents.len() + flow > MAX_DEPTH {
            return Err((at, Refused::TooDeep));
        }
        match byte {
            b'"' | b'\'' => {
                let opened = at;
                at += 1;
                loop {
                    match bytes.get(at) {
                        None | Some(b'\n' | b'\r') => return Err((opened, Refused::LongText)),
                        Some(b'\\') if byte == b'"' => at += 2,
                        Some(other) => {
                            at += 1;
                            if *other == byte {
                                break;
                            }
                        }
                    }
                }
            }
            b'[' | b'{' => {
                flow += 1;
                at += 1;
            }
            b']' | b'}' => {
                flow = flow.saturating_sub(1);
                at += 1;
            }
            b',' => at += 1,
            b':' | b'?' if flow > 0 || blank(at + 1) => at += 1,
            b'-' if blank(at + 1) => at += 1,
            b'-' | b'.' if column == 0 && bytes[at..].starts_with(&[byte; 3]) && blank(at + 3) => at += 3,
            b'&' | b'*' => return Err((at, Refused::Alias)),
            b'!' => return Err((at, Refused::Tag)),
            b'|' | b'>' if flow == 0 => return Err((at, Refused::BlockText)),
            _ => {
                while let Some(&byte) = bytes.get(at) {
                    let ends = match byte {
                        b'\n' | b'\r' => true,
                        b':' => blank(at + 1),
                        b'#' => matches!(bytes.get(at.wrapping_sub(1)), Some(b' ' | b'\t')),
                        b',' | b'[' | b']' | b'{' | b'}' => flow > 0,
                        _ => false,
                    };
                    if ends {
                        break;
                    }
                    at += 1;
                }
                // Inside brackets a bare text that goes on below could hide anything behind a quote that is none.
                if flow > 0 && matches!(bytes.get(at), Some(b'\n' | b'\r')) {
                    let next = bytes[at..].iter().find(|b| !b.is_ascii_whitespace());
                    if next.is_some_and(|next| !b",]}:#".contains(next)) {
                        return Err((at, Refused::LongText));
                    }
                }
            }
        }
    }
    Ok(())
}

/// One pass over the parser's events.
struct Build {
    next: u32,
    most: u32,
    stop_at: Option<u32>,
    duplicates: Vec<Duplicate>,
}

struct Duplicate {
    key: String,
    first: u32,
    second: u32,
}

/// How many doubled keys are told at once: each takes two more passes to place.
const MAX_DUPLICATES: usize = 10;

impl Build {
    fn new(text: &SourceText, stop_at: Option<u32>) -> Self {
        let most = u32::try_from(text.text().len().saturating_mul(2)).unwrap_or(u32::MAX).saturating_add(16);
        Build { next: 0, most, stop_at, duplicates: Vec::new() }
    }

    fn run(&mut self, text: &SourceText) -> Result<Node, serde_yaml::Error> {
        NodeSeed(self).deserialize(serde_yaml::Deserializer::from_str(text.text()))
    }

    /// The next number; an error, which the parser places, where the pass should stop.
    fn number<E: serde::de::Error>(&mut self) -> Result<u32, E> {
        let id = self.next;
        if self.stop_at == Some(id) {
            return Err(E::custom("the place that was looked for"));
        }
        if id >= self.most {
            return Err(E::custom("more values than the text can hold"));
        }
        self.next += 1;
        Ok(id)
    }
}

struct NodeSeed<'a>(&'a mut Build);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl NodeSeed<'_> {
    fn leaf<E: serde::de::Error>(self, kind: Kind) -> Result<Node, E> {
        Ok(Node { id: self.0.number()?, kind })
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map, a list, a text, a number or a bool")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        self.leaf(Kind::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        self.leaf(Kind::Count(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        self.leaf(u64::try_from(value).map_or(Kind::OtherNumber, Kind::Count))
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<Node, E> {
        self.leaf(Kind::OtherNumber)
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<Node, E> {
        self.leaf(Kind::OtherNumber)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Node, E> {
        self.leaf(Kind::OtherNumber)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        self.leaf(Kind::Text(value.to_owned()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        self.leaf(Kind::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Node, E> {
        self.leaf(Kind::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let id = self.0.number()?;
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element_seed(NodeSeed(self.0))? {
            nodes.push(node);
        }
        Ok(Node { id, kind: Kind::List(nodes) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let build = self.0;
        let id = build.number()?;
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut nodes = Vec::new();
        while let Some(key) = map.next_key_seed(KeySeed(build))? {
            let node = map.next_value_seed(NodeSeed(build))?;
            match seen.get(&key.text) {
                Some(first) => {
                    if build.duplicates.len() < MAX_DUPLICATES {
                        build.duplicates.push(Duplicate { key: key.text, first: *first, second: key.id });
                    }
                }
                None => {
                    seen.insert(key.text.clone(), key.id);
                    nodes.push((key, node));
                }
            }
        }
        Ok(Node { id, kind: Kind::Map(nodes) })
    }
}

/// Keys are read as they are written: `007` and `null` are texts here.
struct KeySeed<'a>(&'a mut Build);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Key, E> {
        Ok(Key { id: self.0.number()?, text: value.to_owned() })
    }
}

/// Writes block YAML, two spaces a level.
#[derive(Default)]
pub(super) struct Writer {
    out: String,
    dash: bool,
}

impl Writer {
    /// Writes a comment line.
    pub fn comment(&mut self, text: &str) {
        self.out.push_str("# ");
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// The next line begins an element of a list.
    pub fn item(&mut self) {
        self.dash = true;
    }

    /// Writes a key whose value follows on deeper lines.
    pub fn open(&mut self, depth: usize, key: &str) {
        self.key(depth, key);
        self.out.push('\n');
    }

    /// Writes a key with a value that is already YAML.
    pub fn raw(&mut self, depth: usize, key: &str, value: &str) {
        self.key(depth, key);
        self.out.push(' ');
        self.out.push_str(value);
        self.out.push('\n');
    }

    /// Writes a key with a text.
    pub fn text(&mut self, depth: usize, key: &str, value: &str) {
        self.raw(depth, key, &scalar(value));
    }

    /// Writes a text as an element of a list.
    pub fn element(&mut self, depth: usize, value: &str) {
        self.pad(depth);
        self.out.push_str(&scalar(value));
        self.out.push('\n');
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.out
    }

    fn pad(&mut self, depth: usize) {
        if std::mem::take(&mut self.dash) {
            self.out.push_str(&"  ".repeat(depth.saturating_sub(1)));
            self.out.push_str("- ");
        } else {
            self.out.push_str(&"  ".repeat(depth));
        }
    }

    fn key(&mut self, depth: usize, key: &str) {
        self.pad(depth);
        let key = scalar(key);
        // YAML allows a key without a mark 1,024 characters only.
        if key.len() > 1000 {
            self.out.push_str("? ");
            self.out.push_str(&key);
            self.out.push('\n');
            self.out.push_str(&"  ".repeat(depth));
        } else {
            self.out.push_str(&key);
        }
        self.out.push(':');
    }
}

/// A text as YAML: bare where no reader could take it for anything else, else in double quotes.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let bare = text.chars().next().is_some_and(char::is_alphabetic)
        && !text.ends_with(' ')
        && text.chars().all(|c| c.is_alphanumeric() || " _-./()@+".contains(c))
        && !WORDS.contains(&text.to_lowercase().as_str());
    // A type keeps its mark: `text?`.
    let optional = text.strip_suffix('?').is_some_and(|rest| !rest.is_empty() && !rest.ends_with('?'));
    if bare || (optional && scalar(&text[..text.len() - 1]).len() == text.len() - 1) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if unprintable(c) => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that YAML forbids or that would hide in a diff.
fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
