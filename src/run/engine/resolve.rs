//! Turns links of the source into ids of the destination, and decides what happens where the other record did not
//! arrive.

use compact_str::CompactString;

use crate::lang::plan::{Arm, Expr, OnDelete, Rule, Target};
use crate::lang::types::Base;
use crate::lang::value::{Item, RefValue, Value};
use crate::run::workspace::{Flag, Lack, Status};

use super::prepare::Evaluated;
use super::{Engine, Error, Result};

/// How many records a link to a field may lead through: such a field may be a link to a field itself.
const DEPTH: u32 = 8;

/// The links of one record, as they are resolved.
pub(super) struct Links<'r> {
    map: usize,
    key: &'r str,
    /// What a person should hear about.
    pub flags: Vec<Flag>,
    /// Destination fields that are written later.
    pub waiting: Vec<u16>,
    /// Links whose other record did not arrive, whatever became of them here.
    pub lacks: Vec<Lack>,
}

impl<'r> Links<'r> {
    pub(super) fn new(map: usize, key: &'r str) -> Links<'r> {
        Links { map, key, flags: Vec::new(), waiting: Vec::new(), lacks: Vec::new() }
    }

    /// A destination field is written later.
    pub(super) fn wait(&mut self, field: usize) {
        let field = u16::try_from(field).unwrap_or(u16::MAX);
        if !self.waiting.contains(&field) {
            self.waiting.push(field);
        }
    }
}

/// What a link leads to.
enum Found {
    /// It is no link.
    NoLink,
    /// The other record did not arrive.
    Missing,
    /// What the other record has there hangs on a record of this map, which this run leaves to a later one.
    Later(usize),
    /// Its id, or what it has in the field that was asked for.
    There(Value),
}

/// How a link that did not arrive is dealt with.
enum Missing {
    Unset,
    /// The element or line that it stands in is left out.
    NoLine,
    /// The record is left out, for this reason; of a list, the element.
    LeftOut(String),
    Quarantine(String),
    /// It has not failed to arrive: this run leaves its map's records to a later one.
    Later(usize),
}

/// Why a record is not written.
pub(super) enum Held {
    /// Its spec leaves it out.
    LeftOut(String),
    /// A person has to look at it.
    Quarantined(String),
    /// A later run decides, since this one leaves records of this map out that it links to.
    Later(usize),
}

impl Held {
    /// Why; `None` where nothing is decided yet.
    pub(super) fn reason(self) -> Option<String> {
        match self {
            Held::LeftOut(reason) | Held::Quarantined(reason) => Some(reason),
            Held::Later(_) => None,
        }
    }
}

/// What decides on a link.
struct Place<'p> {
    /// Of the rule.
    id: String,
    rule: Option<&'p Rule>,
    field: usize,
}

impl Engine<'_> {
    /// Rules that write a destination field of a map, with their ids: the map's own, then those of flattens.
    pub(super) fn rules_of(&self, map: usize, field: usize) -> impl Iterator<Item = (&str, &Rule)> {
        let plan = &self.plan.maps[map];
        let own = plan.rules.iter().map(move |rule| (plan.name.as_str(), rule));
        let flattens = self.plan.flattens.iter().filter(move |flatten| usize::from(flatten.into) == map);
        let folded = flattens.flat_map(|f| f.rules.iter().map(move |rule| (f.source.as_str(), rule)));
        own.chain(folded).filter(move |(_, rule)| usize::from(rule.target) == field)
    }

    /// Where several rules write a field, the one that speaks of links decides on them.
    fn rule_of_links(&self, map: usize, field: usize) -> Option<(&str, &Rule)> {
        let rules = || self.rules_of(map, field);
        rules().find(|(_, rule)| rule.on_unmigrated.is_some()).or_else(|| rules().next())
    }

    /// The id that flags and reasons about links of a field carry.
    pub(super) fn id_of_links(&self, map: usize, field: usize) -> String {
        let plan = &self.plan.maps[map];
        let item = self.rule_of_links(map, field).map_or(plan.name.as_str(), |(item, _)| item);
        format!("{item}.{}", plan.targets[field].name)
    }

    /// Turns the links of one destination field into destination ids. Gives the reason when the record is not written.
    pub(super) fn resolve(
        &self,
        links: &mut Links<'_>,
        field: usize,
        value: &mut Value,
    ) -> Result<Option<Held>> {
        let target = &self.plan.maps[links.map].targets[field];
        let rule = self.rule_of_links(links.map, field);
        let place = Place { id: self.id_of_links(links.map, field), rule: rule.map(|(_, rule)| rule), field };
        match value {
            Value::List(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for mut item in std::mem::take(items) {
                    match self.element(links, &place, target, &mut item)? {
                        None => kept.push(item),
                        Some(Missing::Unset | Missing::NoLine | Missing::LeftOut(_)) => {}
                        Some(Missing::Quarantine(reason)) => return Ok(Some(Held::Quarantined(reason))),
                        Some(Missing::Later(map)) => return Ok(Some(Held::Later(map))),
                    }
                }
                *value = Value::list(kept);
            }
            single => match self.element(links, &place, target, single)? {
                None => {}
                Some(Missing::Unset | Missing::NoLine) => *single = Value::Absent,
                Some(Missing::LeftOut(reason)) => return Ok(Some(Held::LeftOut(reason))),
                Some(Missing::Quarantine(reason)) => return Ok(Some(Held::Quarantined(reason))),
                Some(Missing::Later(map)) => return Ok(Some(Held::Later(map))),
            },
        }
        Ok(None)
    }

    /// Resolves one element of a field; says what happens where its link did not arrive.
    fn element(
        &self,
        links: &mut Links<'_>,
        place: &Place<'_>,
        target: &Target,
        value: &mut Value,
    ) -> Result<Option<Missing>> {
        if let Value::Item(item) = value
            && item.value.is_absent()
        {
            return self.line(links, place, item);
        }
        match self.find(value, target, DEPTH)? {
            Found::NoLink => Ok(None),
            Found::There(found) => {
                put(value, found);
                Ok(None)
            }
            Found::Missing => self.missing(links, place, value).map(Some),
            Found::Later(map) => Ok(Some(Missing::Later(map))),
        }
    }

    /// Resolves the links in a line of an `each` block, by that block's own rules.
    fn line(&self, links: &mut Links<'_>, place: &Place<'_>, line: &mut Item) -> Result<Option<Missing>> {
        let block = self.rules_of(links.map, place.field).find_map(|(_, rule)| {
            lines_of(&rule.value).or_else(|| rule.otherwise.iter().find_map(lines_of_arm))
        });
        let Some((columns, rules)) = block else { return Ok(None) };
        for (at, value) in line.attrs.iter_mut().enumerate() {
            let Some(column) = columns.get(at) else { break };
            let found = match self.find(value, column, DEPTH)? {
                Found::NoLink => continue,
                Found::There(found) => found,
                Found::Later(map) => return Ok(Some(Missing::Later(map))),
                Found::Missing => {
                    let inner = Place {
                        id: format!("{}.{}", place.id, column.name),
                        rule: rules.iter().find(|rule| usize::from(rule.target) == at),
                        field: place.field,
                    };
                    match self.missing(links, &inner, value)? {
                        Missing::Unset => Value::Absent,
                        Missing::LeftOut(_) => return Ok(Some(Missing::NoLine)),
                        other => return Ok(Some(other)),
                    }
                }
            };
            put(value, found);
        }
        Ok(None)
    }

    /// What a link leads to, as a destination field takes it.
    fn find(&self, value: &Value, target: &Target, depth: u32) -> Result<Found> {
        let Some(link) = link_of(value) else { return Ok(Found::NoLink) };
        for (at, map) in std::iter::once(link.map).chain(link.others.iter().copied()).enumerate() {
            let map = usize::from(map);
            let plan = &self.plan.maps[map];
            let Some(outcome) = self.workspace.outcome(&plan.name, &link.key)? else { continue };
            // What is about to be taken away is not there.
            if outcome.status == Status::LeftOut && plan.on_delete == OnDelete::Delete {
                continue;
            }
            let Some(id) = outcome.target else { continue };
            return match link.field.as_ref().and_then(|fields| fields.get(at)) {
                Some(field) => self.field_of(map, &link.key, usize::from(*field), target, depth),
                // A link that may lead to several objects names the one.
                None if matches!(target.ty.base, Base::AnyRef(_)) => {
                    Ok(Found::There(Value::text(format!("{}/{id}", plan.target))))
                }
                None => Ok(Found::There(Value::Text(CompactString::from(id)))),
            };
        }
        Ok(Found::Missing)
    }

    /// What a record that arrived has in a field, by that field's own rule.
    fn field_of(&self, map: usize, key: &str, field: usize, target: &Target, depth: u32) -> Result<Found> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(Found::There(Value::Absent)) };
        let Some(record) = self.workspace.staged_record(&self.plan.maps[map].source, key)? else {
            return Ok(Found::Missing);
        };
        let Evaluated::Record(mut output) = self.evaluated(map, &record)? else { return Ok(Found::Missing) };
        let Some(value) = output.values.get_mut(field).map(std::mem::take) else { return Ok(Found::Missing) };
        let own = &self.plan.maps[map].targets[field];
        let items = match value {
            Value::List(items) => items,
            Value::Absent => return Ok(Found::There(Value::Absent)),
            one => vec![one],
        };
        let mut found = Vec::with_capacity(items.len());
        for mut item in items {
            match self.find(&item, own, depth)? {
                Found::NoLink => {}
                Found::There(there) => put(&mut item, there),
                Found::Later(map) => return Ok(Found::Later(map)),
                Found::Missing => {
                    let later = link_of(&item).map(|link| self.left_to_a_later_run(link)).transpose()?;
                    if let Some(map) = later.flatten() {
                        return Ok(Found::Later(map));
                    }
                    continue;
                }
            }
            found.push(match (&target.ty.base, &item) {
                (Base::Text { .. }, Value::Text(_)) => item,
                (Base::Text { .. }, other) => Value::text_or_absent(other.to_text().as_ref()),
                _ => item,
            });
        }
        Ok(Found::There(match found.len() {
            1 if !target.ty.many => found.remove(0),
            _ => Value::list(found),
        }))
    }

    fn missing(&self, links: &mut Links<'_>, place: &Place<'_>, value: &Value) -> Result<Missing> {
        let waits = place.rule.is_some_and(|rule| matches!(rule.on_unmigrated, Some(Arm::Wait)));
        if let Some(link) = link_of(value) {
            if !waits && let Some(map) = self.left_to_a_later_run(link)? {
                return Ok(Missing::Later(map));
            }
            self.note_lack(links, place.field, link)?;
        }
        let link = link_of(value)
            .map(|link| format!("{} {}", self.plan.maps[usize::from(link.map)].name, link.key))
            .unwrap_or_default();
        let Some(rule) = place.rule else { return Ok(Missing::Unset) };
        Ok(match &rule.on_unmigrated {
            Some(Arm::Flag(why)) | Some(Arm::Value { flag: Some(why), .. }) => {
                links.flags.push(Flag { rule: place.id.clone(), why: why.clone() });
                Missing::Unset
            }
            Some(Arm::Wait) => {
                links.wait(place.field);
                Missing::Unset
            }
            Some(Arm::Skip(why)) => Missing::LeftOut(why.clone()),
            Some(Arm::Unset | Arm::Value { .. }) => Missing::Unset,
            Some(Arm::Stop) => {
                return Err(Error::Stopped {
                    map: self.plan.maps[links.map].name.clone(),
                    key: links.key.to_owned(),
                    place: self.plan.place_text(rule.line),
                    reason: format!("{link} did not arrive"),
                });
            }
            Some(Arm::Quarantine) | None => {
                Missing::Quarantine(format!("{}: {link} did not arrive", place.id))
            }
        })
    }
}

impl Engine<'_> {
    /// Notes that a link's other record did not arrive: under each map that may bring it, and where none has it, under
    /// the first.
    fn note_lack(&self, links: &mut Links<'_>, field: usize, link: &RefValue) -> Result<()> {
        let field = u16::try_from(field).unwrap_or(u16::MAX);
        let before = links.lacks.len();
        for map in std::iter::once(link.map).chain(link.others.iter().copied()).map(usize::from) {
            if self.takes_part(map, &link.key)? {
                let map = self.plan.maps[map].name.clone();
                links.lacks.push(Lack { field, map, key: link.key.to_string() });
            }
        }
        if links.lacks.len() == before {
            let map = self.plan.maps[usize::from(link.map)].name.clone();
            links.lacks.push(Lack { field, map, key: link.key.to_string() });
        }
        Ok(())
    }
}

/// Columns and rules of an `each` block.
fn lines_of(value: &Expr) -> Option<(&[Target], &[Rule])> {
    match value {
        Expr::EachLine { columns, rules, .. } => Some((columns, rules)),
        _ => None,
    }
}

fn lines_of_arm(arm: &Arm) -> Option<(&[Target], &[Rule])> {
    match arm {
        Arm::Value { value, .. } => lines_of(value),
        _ => None,
    }
}

fn link_of(value: &Value) -> Option<&RefValue> {
    match value {
        Value::Ref(link) => Some(link),
        Value::Item(item) => link_of(&item.value),
        _ => None,
    }
}

/// Puts what was found in the place of a link; its label stays.
fn put(value: &mut Value, found: Value) {
    match value {
        Value::Item(item) if !found.is_absent() => {
            **item = Item { value: found, attrs: std::mem::take(&mut item.attrs) };
        }
        other => *other = found,
    }
}
