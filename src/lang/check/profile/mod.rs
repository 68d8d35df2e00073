//! Profiles: one effective spec out of a spec and the profiles that it uses, and who overrides what.
//!
//! Works on trees alone; what of a profile does not apply to a customer's systems is [`prune`]'s to say. Must not read
//! files: they arrive parsed, in the order of the joined text.

mod body;
mod lock;
mod merge;
mod prune;
mod rows;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::names::nearest;
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::syntax::ast::{Item, Mode, Spec, SplitTo};
use crate::lang::text::{SourceText, Span};

pub use lock::{Lock, Pinned, shipped, shipped_like};
pub use prune::Inactive;
pub(super) use prune::prune;

/// A file of a spec: the spec itself, or a profile.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its tree, with spans of the joined text.
    pub spec: Spec,
    /// For each `use` that could be read, the index of its file; all of them are above that of the file itself or
    /// were read before.
    pub uses: Vec<usize>,
}

/// A spec with what it takes over.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The effective spec: what profiles hold, then what the spec adds; overriding items stand in the place of those
    /// that they override.
    pub spec: Spec,
    /// Every named item with where it comes from, in the order of the effective spec.
    pub layers: Vec<Layer>,
    /// Lines of profiles that count no more since the spec took their source over.
    pub inactive: Vec<Inactive>,
    /// What is wrong, by place.
    pub findings: Vec<Finding>,
}

/// Where an item comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// As specs write it: `map company`.
    pub item: String,
    /// Where it comes from.
    pub how: How,
    /// Where it stands; for a refined item, where it is refined last.
    pub at: Span,
    /// The item that it overrides.
    pub base: Option<Span>,
    /// The lines of a refined item.
    pub lines: Vec<LayerLine>,
}

/// Where an item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The spec itself.
    Own,
    /// A profile, as it is.
    Profile,
    /// The spec, instead of a profile's.
    Replaced,
    /// A profile, with changes.
    Refined,
    /// A profile; a `split` of the spec took its source over and leads nowhere near it.
    TakenOver,
}

impl How {
    /// The word that people and programs read.
    pub fn word(self) -> &'static str {
        match self {
            How::Own => "own",
            How::Profile => "profile",
            How::Replaced => "replaced",
            How::Refined => "refined",
            How::TakenOver => "taken over",
        }
    }
}

/// A line of a refined item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerLine {
    /// The line's first words.
    pub what: String,
    /// What became of it.
    pub how: LineHow,
    /// Where it stands.
    pub at: Span,
    /// The line that it replaces.
    pub base: Option<Span>,
}

/// What became of a line of a refined item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineHow {
    /// It is the profile's.
    Profile,
    /// The spec adds it.
    Added,
    /// The spec's stands instead of the profile's.
    Replaced,
    /// It is the profile's, and counts no more.
    Removed,
}

impl LineHow {
    /// The word that people and programs read.
    pub fn word(self) -> &'static str {
        match self {
            LineHow::Profile => "profile",
            LineHow::Added => "added",
            LineHow::Replaced => "replaced",
            LineHow::Removed => "removed",
        }
    }
}

/// What tells items apart: their kind and their name.
type Key = (&'static str, String);

/// An item on its way into the effective spec.
#[derive(Clone, Debug)]
struct Slot {
    key: Option<Key>,
    /// `None` where it counts no more and only its layer stays, for people.
    item: Option<Item>,
    layer: Option<Layer>,
    /// The file that wrote it last.
    part: usize,
}

/// Whether a place lies in a profile.
pub(crate) fn of_profile(text: &SourceText, span: Span) -> bool {
    text.parts().get(1).is_some_and(|part| span.start >= part.start)
}

/// Says of a finding in a profile how the spec settles it: a profile's text is not the customer's to change.
pub(super) fn advise(spec: &Spec, text: &SourceText, finding: &mut Finding) {
    let Some(label) = finding.label.as_ref().filter(|label| of_profile(text, label.span)) else { return };
    let at = label.span;
    let item =
        spec.items.iter().filter_map(facts).find(|(_, _, span)| span.start <= at.start && at.end <= span.end);
    let word = match &item {
        Some((key, ..)) if matches!(key.0, "owners" | "fn" | "split") => "replace",
        _ => "refine",
    };
    finding.notes.push(match item {
        Some((key, ..)) => {
            format!("it stands in a profile: `{word} {} …` in the spec changes it", shown(&key))
        }
        None => "it stands in a profile: `refine` its item in the spec".to_owned(),
    });
    // An edit would change the profile.
    finding.fix = None;
}

/// The first words of a place, for people.
fn words(text: &SourceText, span: Span) -> String {
    let line = text.slice(span).lines().next().unwrap_or_default();
    let line = line.split('#').next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = words.join(" ");
    match words.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}

/// Makes one effective spec out of the spec (the first part) and its profiles.
///
/// Never fails: where an override is wrong, the nearer file wins and a finding tells.
pub fn resolve(mut parts: Vec<Part>, text: &SourceText) -> Resolved {
    if let [only] = parts.as_mut_slice() {
        return alone(std::mem::take(&mut only.spec), text);
    }
    let mut resolver = Resolver { parts: &parts, text, out: Resolved::default(), made: BTreeMap::new() };
    let slots = resolver.part(0, &mut Vec::new());
    let mut out = resolver.out;
    for slot in slots {
        out.spec.items.extend(slot.item.map(|mut item| {
            settle(&mut item);
            item
        }));
        out.layers.extend(slot.layer);
    }
    out.findings.sort_by_key(|finding| finding.label.as_ref().map(|label| label.span));
    out
}

/// A spec without profiles, as it stands; words about profiles are wrong in it, unless a profile could not be read.
fn alone(mut spec: Spec, text: &SourceText) -> Resolved {
    let unread = spec.items.iter().any(|item| matches!(item, Item::Use(_)));
    let findings = if unread { Vec::new() } else { stray(&spec, text) };
    let mut layers = Vec::new();
    spec.items.retain_mut(|item| {
        let Some((key, mode, span)) = facts(item) else { return !matches!(item, Item::Use(_)) };
        if matches!(mode, Mode::Refine(_)) {
            return false;
        }
        settle(item);
        layers.push(Layer { item: shown(&key), how: How::Own, at: span, base: None, lines: Vec::new() });
        true
    });
    Resolved { spec, layers, inactive: Vec::new(), findings }
}

/// Words about profiles in a spec that was not resolved, or has none.
pub(super) fn stray(spec: &Spec, text: &SourceText) -> Vec<Finding> {
    let words = spec.items.iter().filter_map(facts).filter(|(_, mode, _)| *mode != Mode::Own);
    words.filter_map(|(key, mode, _)| without_counterpart(text, &key, mode, &[])).collect()
}

/// Takes the word away from an item that was put in its place.
fn settle(item: &mut Item) {
    match item {
        Item::Owners(item) => item.mode = Mode::Own,
        Item::Function(item) => item.mode = Mode::Own,
        Item::Table(item) => item.mode = Mode::Own,
        Item::Pipeline(item) => item.mode = Mode::Own,
        Item::Map(item) => item.mode = Mode::Own,
        Item::Flatten(item) => item.mode = Mode::Own,
        _ => {}
    }
}

struct Resolver<'p> {
    parts: &'p [Part],
    text: &'p SourceText,
    out: Resolved,
    /// Profiles that were resolved already.
    made: BTreeMap<usize, Vec<Slot>>,
}

/// An item's kind and name, whether a word says how it stands to a profile's, and its place.
fn facts(item: &Item) -> Option<(Key, Mode, Span)> {
    let fact = |kind, name: &str, mode, span| Some(((kind, name.to_owned()), mode, span));
    match item {
        Item::Owners(item) => fact("owners", "", item.mode, item.span),
        Item::Function(item) => fact("fn", &item.name.value, item.mode, item.span),
        Item::Table(item) => fact("table", &item.name.value, item.mode, item.span),
        Item::Pipeline(item) => fact("pipeline", &item.name.value, item.mode, item.span),
        Item::Map(item) => fact("map", &item.name().value, item.mode, item.span),
        Item::Split(item) => fact("split", &item.source.name.value, Mode::Own, item.span),
        Item::Flatten(item) => fact("flatten", &item.source.name.value, item.mode, item.span),
        _ => None,
    }
}

fn shown(key: &Key) -> String {
    if key.1.is_empty() { key.0.to_owned() } else { format!("{} {}", key.0, key.1) }
}

/// What a profile may not hold, with the reason.
fn foreign(item: &Item) -> Option<(&'static str, Span, &'static str)> {
    Some(match item {
        Item::Source(item) => ("source", item.span, "the customer's spec names the systems"),
        Item::Target(item) => ("target", item.span, "the customer's spec names the systems"),
        Item::Zone(name) => ("zone", name.span, "the zone is the customer's"),
        Item::Fixture(item) => ("fixture", item.span, "test records stand in the spec that is tested"),
        Item::Test(item) => ("test", item.name.span, "tests stand in the spec that is tested"),
        Item::TestEveryRow(item) => ("test every row", item.span, "tests stand in the spec that is tested"),
        Item::Golden(item) => ("golden", item.span, "tests stand in the spec that is tested"),
        Item::Budget(item) => ("budget", item.span, "limits are agreed with each customer"),
        Item::Accept(item) => ("accept", item.span, "an exception is agreed with each customer"),
        _ => return None,
    })
}

impl Resolver<'_> {
    fn part(&mut self, index: usize, above: &mut Vec<usize>) -> Vec<Slot> {
        if let Some(made) = self.made.get(&index) {
            return made.clone();
        }
        let Some(part) = self.parts.get(index) else { return Vec::new() };
        above.push(index);
        let mut slots = self.used(index, above);
        above.pop();
        let unread =
            part.spec.items.iter().filter(|item| matches!(item, Item::Use(_))).count() > part.uses.len();
        let base: HashMap<Key, usize> =
            slots.iter().enumerate().filter_map(|(at, slot)| Some((slot.key.clone()?, at))).collect();
        let mut seen = HashSet::new();
        for item in &part.spec.items {
            if let Item::Use(_) = item {
                continue;
            }
            if index > 0
                && let Some((word, span, why)) = foreign(item)
            {
                self.out.findings.push(
                    Finding::new(codes::LINE_NOT_HERE, format!("`{word}` has no meaning in a profile"))
                        .at(span, "not in a profile")
                        .help(format!("move it into the spec that uses the profile: {why}")),
                );
                continue;
            }
            if index > 0 && matches!(item, Item::Edition(_)) {
                continue;
            }
            self.item(index, item, &mut slots, &base, &mut seen, unread);
        }
        self.taken_over(index, &mut slots);
        self.made.insert(index, slots.clone());
        slots
    }

    /// What the profiles of a file bring, and which of them contradict each other.
    fn used(&mut self, index: usize, above: &mut Vec<usize>) -> Vec<Slot> {
        let part = &self.parts[index];
        let uses: Vec<Span> = part
            .spec
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Use(item) => Some(item.span),
                _ => None,
            })
            .collect();
        let mut slots: Vec<Slot> = Vec::new();
        let mut known: HashMap<Key, usize> = HashMap::new();
        for (nth, used) in part.uses.iter().enumerate() {
            // Circles are reported where files are read.
            if above.contains(used) {
                continue;
            }
            for slot in self.part(*used, above) {
                let same = slot.key.as_ref().and_then(|key| known.get(key)).map(|at: &usize| &slots[*at]);
                match same {
                    None => {
                        known.extend(slot.key.clone().map(|key| (key, slots.len())));
                        slots.push(slot);
                    }
                    Some(other) if other.item == slot.item => {}
                    Some(other) => {
                        let Some(key) = &slot.key else { continue };
                        if overrides(part, key) {
                            continue;
                        }
                        let at = uses.get(nth).copied().unwrap_or_default();
                        let name = shown(key);
                        self.out.findings.push(
                            Finding::new(codes::OVERRIDE, format!("two profiles have `{name}`"))
                                .at(at, format!("brings another `{name}`"))
                                .and_at(other.layer.as_ref().map_or(at, |layer| layer.at), "the first one")
                                .help(format!("say which counts: write `replace {name} …` in this file")),
                        );
                    }
                }
            }
        }
        slots
    }

    fn item(
        &mut self,
        part: usize,
        item: &Item,
        slots: &mut Vec<Slot>,
        base: &HashMap<Key, usize>,
        seen: &mut HashSet<Key>,
        unread: bool,
    ) {
        let Some((key, mode, span)) = facts(item) else {
            // Orders add up; the rest is the spec's own.
            slots.push(Slot { key: None, item: Some(item.clone()), layer: None, part });
            return;
        };
        let own = if part == 0 { How::Own } else { How::Profile };
        // What stands twice in a file is told by the parser.
        let twice = !seen.insert(key.clone());
        let at = base.get(&key).copied().filter(|_| !twice);
        let layer = |how, base, lines| Some(Layer { item: shown(&key), how, at: span, base, lines });
        let Some(at) = at else {
            if mode != Mode::Own && !unread && !twice {
                self.out.findings.extend(without_counterpart(self.text, &key, mode, slots));
            }
            if !matches!(mode, Mode::Refine(_)) {
                let layer = layer(own, None, Vec::new());
                slots.push(Slot { key: Some(key), item: Some(item.clone()), layer, part });
            }
            return;
        };
        let Some(base) = &slots[at].item else { return };
        let base_span = facts(base).map(|(_, _, span)| span);
        match mode {
            Mode::Refine(word) => {
                let merged = merge::refine(base, item, word, self.text, &mut self.out.findings);
                let Some((item, lines)) = merged else { return };
                let layer = layer(How::Refined, base_span, lines);
                slots[at] = Slot { key: Some(key.clone()), item: Some(item), layer, part };
            }
            Mode::Replace(_) | Mode::Own => {
                if mode == Mode::Own && key.0 != "split" && !self.takes_over(part, base) {
                    self.without_word(&key, span, base_span);
                }
                let layer = layer(How::Replaced, base_span, Vec::new());
                slots[at] = Slot { key: Some(key.clone()), item: Some(item.clone()), layer, part };
            }
        }
    }

    /// Whether a file splits the source of a map that it took over.
    fn takes_over(&self, part: usize, item: &Item) -> bool {
        let Item::Map(map) = item else { return false };
        self.parts[part].spec.items.iter().any(
            |item| matches!(item, Item::Split(split) if split.source.name.value == map.source.name.value),
        )
    }

    /// A `split` takes its source over: maps of a profile that it does not name count no more.
    fn taken_over(&mut self, part: usize, slots: &mut [Slot]) {
        let mut gone: BTreeMap<String, String> = BTreeMap::new();
        for item in &self.parts[part].spec.items {
            let Item::Split(split) = item else { continue };
            let named: BTreeSet<&str> = split
                .rows
                .iter()
                .filter_map(|row| match &row.to {
                    SplitTo::Maps(maps) => Some(maps.iter().map(|map| map.value.as_str())),
                    _ => None,
                })
                .flatten()
                .collect();
            let source = &split.source.name.value;
            for slot in slots.iter_mut().filter(|slot| slot.part != part) {
                let Some(Item::Map(map)) = &slot.item else { continue };
                if map.source.name.value == *source && !named.contains(map.name().value.as_str()) {
                    gone.insert(map.name().value.clone(), format!("`split {source}` does not lead to it"));
                    if let Some(layer) = &mut slot.layer {
                        layer.how = How::TakenOver;
                    }
                }
            }
        }
        if gone.is_empty() {
            return;
        }
        for slot in slots.iter_mut() {
            if slot.layer.as_ref().is_some_and(|layer| layer.how == How::TakenOver) {
                // The item itself leaves, its layer stays for people.
                slot.key = None;
                slot.item = None;
            }
            if let Some(item) = &mut slot.item {
                prune::without_maps(item, &gone, self.text, &mut self.out.inactive);
            }
        }
    }

    fn without_word(&mut self, key: &Key, span: Span, base: Option<Span>) {
        let name = shown(key);
        let refinable = !matches!(key.0, "owners" | "fn");
        let help = if refinable {
            format!(
                "write `replace {name} …` to put it in place of the profile's, or `refine {name} …` to change single lines"
            )
        } else {
            format!("write `replace {name} …` to put it in place of the profile's, or choose another name")
        };
        let first = Span { start: span.start, end: span.start + u32::try_from(key.0.len()).unwrap_or(0) };
        let mut finding = Finding::new(codes::OVERRIDE, format!("a profile has `{name}` too"))
            .at(first, "which of them counts?")
            .help(help)
            .fix(Fix {
                title: "write `replace`".to_owned(),
                edits: vec![Edit {
                    span: Span { start: span.start, end: span.start },
                    text: "replace ".to_owned(),
                }],
                applicability: Applicability::Likely,
            });
        if let Some(base) = base {
            let first = Span { start: base.start, end: base.start + u32::try_from(name.len()).unwrap_or(0) };
            finding = finding.and_at(first, "the profile's");
        }
        self.out.findings.push(finding);
    }
}

/// Whether a file says itself which item of this name counts.
fn overrides(part: &Part, key: &Key) -> bool {
    part.spec.items.iter().any(|item| match facts(item) {
        Some((own, mode, _)) => own == *key && (matches!(mode, Mode::Replace(_)) || key.0 == "split"),
        None => false,
    })
}

/// A word about a profile's item that there is none of.
fn without_counterpart(text: &SourceText, key: &Key, mode: Mode, slots: &[Slot]) -> Option<Finding> {
    let (word, span) = match mode {
        Mode::Replace(span) => ("replace", span),
        Mode::Refine(span) => ("refine", span),
        Mode::Own => return None,
    };
    let name = shown(key);
    let same_kind = slots.iter().filter_map(|slot| slot.key.as_ref()).filter(|other| other.0 == key.0);
    let help = match nearest(&key.1, same_kind.map(|other| other.1.as_str())) {
        Some(meant) => format!("did this mean `{word} {} {meant}`? Or leave `{word}` out", key.0),
        None if slots.is_empty() => {
            format!("leave `{word}` out, or name the profile with a line `use \"standard\"`")
        }
        None => format!("leave `{word}` out; `b2n check --explain-profile` lists what profiles hold"),
    };
    let end = span.end + u32::from(text.slice(Span { start: span.end, end: span.end + 1 }) == " ");
    Some(
        Finding::new(codes::OVERRIDE, format!("no profile has `{name}`"))
            .at(span, format!("nothing to {word}"))
            .help(help)
            .fix(Fix {
                title: format!("leave `{word}` out"),
                edits: vec![Edit { span: Span { start: span.start, end }, text: String::new() }],
                applicability: Applicability::Likely,
            }),
    )
}
