//! A sample, field by field: what the source has, which rule speaks of it, what the destination holds, how they agree.
//!
//! Every record that stands in the destination is read again by its id, by the reader of the reconciliation, which
//! shares nothing with the encoder. Nothing is written to either side. In memory stands the sample.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::lang::plan::{self, OnExisting, Rule, walk};
use crate::lang::types::{Base, Fidelity};
use crate::lang::value::{Record, Value};
use crate::run::connect::{Element, Normal, Stored};
use crate::run::workspace::{Outcome, StagedRecord, Status};

use super::notes::parent_of;
use super::proof::{Difference, Verdict, compare};
use super::proving::{Proving, Says, is_link};
use super::sample::Slice;
use super::streams::{Stream, flatten_name};
use super::{Engine, Result};

/// Staged notes that are read at once.
const PAGE: u32 = 500;

/// Folded records whose values are shown.
const FOLDED: usize = 5;

/// How a field of the destination agrees with its source and its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Agreement {
    /// The destination has what the source has.
    Exact,
    /// It leads to the record that was made of the one to which the source leads.
    Linked,
    /// The destination has what the rule makes of the source's values.
    AsRuled,
    /// The same, but for what does not matter, such as case.
    Reformatted,
    /// All that was planned, and more.
    More,
    /// The source has a value, and the rule writes none.
    LeftEmpty,
    /// Written later, once another record is there.
    Waiting,
    /// Written, and never told by the destination's API.
    Untold,
    /// Not as planned.
    Differs(Difference),
}

impl Agreement {
    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Agreement::Exact => "exact",
            Agreement::Linked => "linked",
            Agreement::AsRuled => "changed as the rule says",
            Agreement::Reformatted => "reformatted",
            Agreement::More => "more there",
            Agreement::LeftEmpty => "left empty as the rule says",
            Agreement::Waiting => "written later",
            Agreement::Untold => "not told",
            Agreement::Differs(kind) => kind.word(),
        }
    }

    /// Whether nobody but the migration and the destination can have caused that it is not as planned.
    pub fn is_wrong(self) -> bool {
        matches!(self, Agreement::Differs(kind) if kind.keeps_open())
    }
}

/// A rule that writes a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLine {
    /// The line of the plan, from 1.
    pub line: u32,
    /// How much of the value it keeps.
    pub fidelity: Fidelity,
    /// Why something is lost.
    pub because: Option<String>,
}

/// A field of a record of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledField {
    /// The destination field.
    pub field: String,
    /// The source fields that its rules read, with their values as people read them. A folded one is named with its
    /// object and key.
    pub sources: Vec<(String, String)>,
    /// The rules that write it.
    pub rules: Vec<RuleLine>,
    /// What the plan wants there; links hold destination ids.
    pub planned: String,
    /// What the destination holds.
    pub found: String,
    /// How they agree.
    pub agreement: Agreement,
}

/// A record of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledRecord {
    /// The row of the books: a map, or the notes that go with it.
    pub map: String,
    /// Its key.
    pub key: String,
    /// Whether it was drawn; else it came along, since a drawn one links to it or it goes with one.
    pub drawn: bool,
    /// The destination object.
    pub object: String,
    /// Where it ended; `None` while it is pending.
    pub outcome: Option<Outcome>,
    /// Whether it stands in the destination now.
    pub there: bool,
    /// Its fields, those apart of which neither side has anything.
    pub fields: Vec<SampledField>,
}

/// What a sample came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleReport {
    /// What was drawn.
    pub slice: Slice,
    /// Its records in the order of loading, with the notes that go with them.
    pub records: Vec<SampledRecord>,
}

impl SampleReport {
    /// Fields that are not as planned, by the fault of the migration or the destination.
    pub fn wrong(&self) -> u64 {
        self.records.iter().flat_map(|record| &record.fields).filter(|f| f.agreement.is_wrong()).count()
            as u64
    }
}

/// A staged record that is to be looked at.
pub(super) struct Look {
    pub stream: usize,
    pub drawn: bool,
    pub record: StagedRecord,
}

impl Engine<'_> {
    /// Reads the sample of the last run back, field by field; `None` where that run drew none.
    ///
    /// # Errors
    /// A destination that does not answer.
    pub async fn side_by_side(&self) -> Result<Option<SampleReport>> {
        let Some(slice) = self.scope.borrow().slice.clone() else { return Ok(None) };
        let mut records = Vec::new();
        for stream in self.in_order() {
            let looks = self.looks(stream, &slice)?;
            if looks.is_empty() {
                continue;
            }
            let proving = self.proving(stream)?;
            let name = &self.streams[stream].name;
            self.outside.progress.begin(&format!("read back {name}"), Some(looks.len() as u64));
            let proving = &proving;
            let reads = stream::iter(looks).map(async |look| self.look(look, proving).await);
            let mut reads = std::pin::pin!(reads.buffered(self.settings.in_flight.max(1)));
            while let Some(record) = reads.try_next().await? {
                records.push(record);
                self.outside.progress.at(records.len() as u64);
            }
            self.outside.progress.end();
        }
        Ok(Some(SampleReport { slice, records }))
    }

    /// Streams in the order of loading, notes behind the map that they go with.
    fn in_order(&self) -> Vec<usize> {
        let phases = self.plan.phases.iter();
        phases.flat_map(|phase| self.maps_of(phase).into_iter().chain(self.notes_of_phase(phase))).collect()
    }

    /// The records of a sample that are of a stream.
    fn looks(&self, stream: usize, slice: &Slice) -> Result<Vec<Look>> {
        let plan = &self.streams[stream];
        let mut looks = Vec::new();
        if plan.notes.is_none() {
            let of_map = (stream, String::new())..(stream + 1, String::new());
            for ((_, key), drawn) in slice.records.range(of_map) {
                if let Some(record) = self.workspace.staged_record(&plan.object, key)? {
                    looks.push(Look { stream, drawn: *drawn, record });
                }
            }
            return Ok(looks);
        }
        let mut after = 0;
        loop {
            let page = self.workspace.staged_page(&plan.object, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(looks) };
            after = last.seq;
            let ours = page.into_iter().filter(|note| {
                parent_of(note).is_some_and(|parent| slice.records.contains_key(&(plan.map, parent)))
            });
            looks.extend(ours.map(|record| Look { stream, drawn: false, record }));
        }
    }

    /// Reads a record in the destination, and compares it field by field.
    pub(super) async fn look(&self, look: Look, proving: &Proving) -> Result<SampledRecord> {
        let Look { stream, drawn, record } = look;
        let plan = &self.streams[stream];
        let outcome = self.workspace.outcome(&plan.name, &record.key)?;
        let arrived = outcome.clone().filter(|o| matches!(o.status, Status::Created | Status::Adopted));
        let stored = match arrived.as_ref().and_then(|outcome| outcome.target.as_ref()) {
            Some(id) => self.target.read(&plan.target, id).await?,
            None => None,
        };
        let fields = match (&stored, &arrived) {
            (Some(stored), Some(outcome)) => self.fields(stream, &record, proving, stored, outcome)?,
            _ => Vec::new(),
        };
        Ok(SampledRecord {
            map: plan.name.clone(),
            key: record.key,
            drawn,
            object: plan.target.clone(),
            outcome,
            there: stored.is_some(),
            fields,
        })
    }

    pub(super) fn fields(
        &self,
        stream: usize,
        record: &StagedRecord,
        proving: &Proving,
        stored: &Stored,
        outcome: &Outcome,
    ) -> Result<Vec<SampledField>> {
        let plan = &self.streams[stream];
        let map = plan.notes.as_ref().unwrap_or(&self.plan.maps[plan.map]);
        let Says::In(planned) = self.says(stream, proving, record)? else { return Ok(Vec::new()) };
        let joined = outcome.status == Status::Adopted;
        let keeps = joined && self.plan.maps[plan.map].on_existing == OnExisting::Keep;
        let source = self.source_of(plan, record)?;
        let mut fields = Vec::new();
        for (at, target) in map.targets.iter().enumerate() {
            let Spoken { rules, sources, plain } = self.spoken_of(plan, at, record, &source);
            let wanted = &planned.fields[at];
            let found = proving.normalise.found(at, stored);
            let there = found.as_ref().is_some_and(|found| !found.is_empty());
            if wanted.is_empty() && sources.is_empty() && !there {
                continue;
            }
            let agreement = if planned.is_waiting(at) {
                Agreement::Waiting
            } else {
                match &found {
                    None if wanted.is_empty() => Agreement::LeftEmpty,
                    None => Agreement::Untold,
                    Some(found) if wanted.is_empty() && found.is_empty() => Agreement::LeftEmpty,
                    // What a rule does not write is not compared either: the destination's own value, or a person's.
                    Some(_) if wanted.is_empty() => Agreement::More,
                    Some(found) => match compare(wanted, found, joined) {
                        Verdict::Reformatted => Agreement::Reformatted,
                        Verdict::More => Agreement::More,
                        Verdict::Same if is_link(&target.ty.base) => Agreement::Linked,
                        Verdict::Same if same(wanted, &target.ty.base, &plain) => Agreement::Exact,
                        Verdict::Same => Agreement::AsRuled,
                        Verdict::Differs(_) if keeps => Agreement::Differs(Difference::Kept),
                        Verdict::Differs(kind) => Agreement::Differs(self.cause(
                            stream,
                            &record.key,
                            proving,
                            &planned,
                            (at, kind),
                            stored,
                            outcome,
                            found,
                        )?),
                    },
                }
            };
            fields.push(SampledField {
                field: target.name.clone(),
                sources,
                rules,
                planned: wanted.shown(),
                found: found.as_ref().map(Normal::shown).unwrap_or_default(),
                agreement,
            });
        }
        Ok(fields)
    }

    /// The source record of a stream's record: of a note, that of the record that it goes with.
    pub(super) fn source_of(&self, plan: &Stream, record: &StagedRecord) -> Result<Source> {
        let key = if plan.notes.is_some() { parent_of(record) } else { Some(record.key.clone()) };
        let Some(key) = key else { return Ok(Source::default()) };
        let staged = self.workspace.staged_record(&self.plan.maps[plan.map].source, &key)?;
        let own = staged.and_then(|staged| self.decoders[plan.map].decode(&staged.json).ok());
        let mut folded = Vec::new();
        for (index, flatten) in self.plan.flattens.iter().enumerate() {
            if usize::from(flatten.into) != plan.map {
                continue;
            }
            let decoder = &self.decoders[self.plan.maps.len() + index];
            let children = self.workspace.folded_into(&flatten_name(self.plan, flatten), &key)?;
            let children = children.into_iter();
            folded.extend(
                children.filter_map(|child| {
                    decoder.decode(&child.json).ok().map(|slots| (index, child.key, slots))
                }),
            );
        }
        Ok(Source { own: own.unwrap_or_default(), folded })
    }

    /// The rules that write a field of a record, and the values that they read.
    pub(super) fn spoken_of(
        &self,
        plan: &Stream,
        field: usize,
        record: &StagedRecord,
        source: &Source,
    ) -> Spoken {
        let mut spoken = Spoken::default();
        let map = &self.plan.maps[plan.map];
        let mut say = |flatten: Option<usize>, only: Option<&str>, rule: &Rule| {
            let (slots, outer) = read_by(rule);
            let mut any = flatten.is_none();
            let own = if flatten.is_none() { &slots } else { &outer };
            for slot in own {
                spoken.reads(map.reads.get(slot).cloned(), source.own.get(usize::from(*slot)));
            }
            if let Some(index) = flatten {
                let reads = &self.plan.flattens[index].reads;
                let is = |of: &usize, key: &String| *of == index && only.is_none_or(|only| only == key);
                let children = source.folded.iter().filter(|(of, key, _)| is(of, key)).take(FOLDED);
                for (_, key, values) in children {
                    any = true;
                    for slot in &slots {
                        let object = &self.plan.flattens[index].source;
                        let name = reads.get(slot).map(|name| format!("{object}/{key}.{name}"));
                        spoken.reads(name, values.get(usize::from(*slot)));
                    }
                }
            }
            if any {
                let because = rule.because.clone();
                spoken.rules.push(RuleLine { line: rule.line, fidelity: rule.fidelity, because });
            }
        };
        if plan.notes.is_some() {
            // Its parent is the engine's, its text a note's of the map or of a flatten.
            if field == 1 {
                let (from, named) = record.key.split_once('#').unwrap_or_default();
                let (object, key) = from.split_once('/').unwrap_or_default();
                let named = named.strip_prefix(map.name.as_str()).unwrap_or_default();
                let is = |before: &str, name: &str| named == format!(".{before}{name}");
                let own = map.notes.iter().filter(|note| object == map.source && is("", &note.name));
                own.for_each(|note| say(None, None, &note.rule));
                let into = |flatten: &plan::Flatten| usize::from(flatten.into) == plan.map;
                for (index, flatten) in self.plan.flattens.iter().enumerate().filter(|(_, one)| into(one)) {
                    let before = format!("{}.", flatten.source);
                    for note in &flatten.notes {
                        // One for each folded record is that record's; others, and what is left over, are of them all.
                        if note.for_each && object == flatten.source && is("", &note.name) {
                            say(Some(index), Some(key), &note.rule);
                        } else if object == map.source && is(&before, &note.name) {
                            say(Some(index), None, &note.rule);
                        }
                    }
                }
            }
        } else {
            let of_field = |rule: &&Rule| usize::from(rule.target) == field;
            map.rules.iter().filter(of_field).for_each(|rule| say(None, None, rule));
            for (index, flatten) in self.plan.flattens.iter().enumerate() {
                if usize::from(flatten.into) == plan.map {
                    flatten.rules.iter().filter(of_field).for_each(|rule| say(Some(index), None, rule));
                }
            }
        }
        spoken
    }
}

/// What a record is made of.
#[derive(Default)]
pub(super) struct Source {
    own: Record,
    /// By flatten, with their keys.
    folded: Vec<(usize, String, Record)>,
}

/// The slots that a rule reads: of the record at hand, and of the one that takes others in.
fn read_by(rule: &Rule) -> (Vec<u16>, Vec<u16>) {
    use crate::lang::plan::Expr;
    let (mut slots, mut outer) = (Vec::new(), Vec::new());
    walk::of_rule(rule, &mut |expr| {
        walk::deep(expr, &mut |expr| {
            let (list, slot) = match expr {
                Expr::Slot(slot) => (&mut slots, *slot),
                Expr::Outer(slot) => (&mut outer, *slot),
                _ => return,
            };
            if !list.contains(&slot) {
                list.push(slot);
            }
        });
    });
    (slots, outer)
}

/// What speaks of a field.
#[derive(Default)]
pub(super) struct Spoken {
    pub rules: Vec<RuleLine>,
    /// Names of source fields, with their values as people read them.
    pub sources: Vec<(String, String)>,
    /// By source field: the elements of its value, in the form that both sides of a comparison have.
    plain: Vec<Vec<String>>,
}

impl Spoken {
    /// Whether a value that rules give is one that the source has, to the letter.
    pub(super) fn is_same(&self, value: &Value, base: &Base) -> bool {
        let mut elements = Vec::new();
        plain(value, &mut elements);
        same_elements(&elements.iter().map(String::as_str).collect::<Vec<_>>(), base, &self.plain)
    }

    /// A rule reads this field.
    fn reads(&mut self, name: Option<String>, value: Option<&Value>) {
        let (Some(name), Some(value)) = (name, value) else { return };
        if !value.is_absent() && self.sources.iter().all(|(there, _)| *there != name) {
            self.sources.push((name, told(value)));
            let mut elements = Vec::new();
            plain(value, &mut elements);
            self.plain.push(elements);
        }
    }
}

/// A value as people read it; a line without a value of its own by its columns.
pub(super) fn told(value: &Value) -> String {
    match value {
        Value::List(values) => values.iter().map(told).collect::<Vec<_>>().join(", "),
        Value::Item(item) if item.value.is_absent() => {
            let columns = item.attrs.iter().filter(|column| !column.is_absent());
            columns.map(told).collect::<Vec<_>>().join(" · ")
        }
        other => other.display().to_string(),
    }
}

fn plain(value: &Value, into: &mut Vec<String>) {
    into.push(match value {
        Value::Absent => return,
        Value::List(values) => return values.iter().for_each(|value| plain(value, into)),
        Value::Item(item) => return plain(&item.value, into),
        Value::Decimal(number) => number.normalize().to_string(),
        Value::Money(money) => Element::money(money.currency.as_str(), money.amount).exact,
        Value::Instant(instant) => instant.at.to_string(),
        other => Element::text(&other.to_text()).exact,
    });
}

/// Whether every element that is planned is a value of the source, to the letter, and no other element of the source
/// fields that those are in is left behind. Of stages and people another system has its own, whatever they are called.
fn same(planned: &Normal, base: &Base, plain: &[Vec<String>]) -> bool {
    let planned: Vec<&str> = planned.elements.iter().map(|element| element.exact.as_str()).collect();
    same_elements(&planned, base, plain)
}

fn same_elements(planned: &[&str], base: &Base, plain: &[Vec<String>]) -> bool {
    if matches!(base, Base::Stage | Base::User) {
        return false;
    }
    let is_planned = |text: &String| planned.contains(&text.as_str());
    let whole = |text: &str| {
        plain.iter().any(|field| field.iter().any(|one| one == text) && field.iter().all(is_planned))
    };
    // An amount and its currency are often two fields.
    let pair = |text: &str| {
        let alone = |part: &str| plain.iter().any(|field| matches!(field.as_slice(), [one] if one == part));
        *base == Base::Money
            && text.split_once(' ').is_some_and(|(amount, code)| alone(amount) && alone(code))
    };
    planned.iter().all(|text| whole(text) || pair(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_of(values: &[Value]) -> Vec<Vec<String>> {
        let mut spoken = Spoken::default();
        for (at, value) in values.iter().enumerate() {
            spoken.reads(Some(at.to_string()), Some(value));
        }
        spoken.plain
    }

    #[test]
    fn what_the_source_has_is_told_from_what_a_rule_made_of_it() {
        use rust_decimal::Decimal;
        let text = Base::Text { max: None };
        let of = |texts: &[&str]| plain_of(&texts.iter().map(Value::text).collect::<Vec<_>>());
        let one = |text: &str| Normal::one(Element::text(text));
        assert!(same(&one("Acme"), &text, &of(&["Acme"])));
        assert!(same(&one("Acme"), &text, &of(&[" Acme "])), "blanks at the ends");
        assert!(!same(&one("Acme"), &text, &of(&["ACME"])), "case is a change");
        assert!(!same(&one("Acme"), &text, &of(&["Acme Pumps"])), "cut");
        assert!(!same(&one("Acme"), &text, &of(&[])), "a constant");
        assert!(!same(&one("Won"), &Base::Stage, &of(&["Won"])), "a stage of another system");
        assert!(!same(&one("7"), &Base::User, &of(&["7"])), "a person of another system");
        let money = Normal::one(Element::money("USD", Decimal::new(11000, 2)));
        let amount = Value::Decimal(Decimal::new(1100, 1));
        assert!(same(&money, &Base::Money, &plain_of(&[amount.clone(), Value::text("USD")])));
        assert!(!same(&money, &Base::Money, &plain_of(&[amount, Value::text("EUR")])), "another currency");
        let kind = |value: &str| {
            let value = Value::text(value);
            Value::Item(Box::new(crate::lang::value::Item { value, attrs: vec![Value::text("WORK")] }))
        };
        let both = plain_of(&[Value::List(vec![kind("a@x.example"), kind("b@x.example")])]);
        let two = Normal::list(vec![Element::text("a@x.example"), Element::text("b@x.example")]);
        assert!(same(&two, &Base::Email, &both));
        let one = Normal::one(Element::text("a@x.example"));
        assert!(!same(&one, &Base::Email, &both), "one of two is left behind");
        assert!(same(&one, &Base::Email, &of(&["a@x.example", "Ann"])), "another field is read beside");
    }
}
