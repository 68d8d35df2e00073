//! Links between given records: which lead nowhere, and what the rules say of those.

use super::{End, World};
use crate::lang::eval::{Flag, RuleId};
use crate::lang::plan::{Arm, Rule};
use crate::lang::suite::compare::rules_of;
use crate::lang::suite::coverage::{Exercised, block_of};
use crate::lang::value::{Item, RefValue, Value};

/// What became of a record whose links were looked at.
enum Settled {
    AsItWas,
    Changed,
    Gone(End, String, u32),
}

/// What a rule makes of a link that leads nowhere.
enum Lost {
    /// No value; in a list, no element.
    Unset,
    /// No line.
    NoLine,
    /// The record is left out, for this reason; of a list, the element, of an `each` block, the line.
    LeftOut(String, u32),
    Gone(End, String, u32),
}

/// Who decides on a link.
#[derive(Clone, Copy)]
struct Place<'p> {
    produced: usize,
    rule: RuleId,
    inner: Option<u16>,
    decides: &'p Rule,
}

impl World<'_> {
    /// Takes `on unmigrated` until nothing changes: a record that is held back may leave others without theirs.
    pub(super) fn links(&mut self, exercised: &mut Exercised) {
        let mut changed = true;
        while changed {
            changed = false;
            let mut index = 0;
            while index < self.produced.len() {
                match self.unmigrated(index, exercised) {
                    Settled::AsItWas => index += 1,
                    Settled::Changed => changed = true,
                    Settled::Gone(end, reason, line) => {
                        let gone = self.produced.remove(index);
                        self.end(gone.from, Some(gone.map), end, &reason, line);
                        changed = true;
                    }
                }
            }
        }
        self.read_linked();
    }

    /// Whether a link leads to a given record that was written nowhere.
    fn is_lost(&self, link: &RefValue) -> bool {
        let maps = || {
            let all = std::iter::once(&link.map).chain(&link.others).map(|map| usize::from(*map));
            all.filter(|map| *map < self.plan.maps.len())
        };
        maps().any(|map| self.is_given(map, &link.key)) && !maps().any(|map| self.arrived(map, &link.key))
    }

    fn unmigrated(&mut self, index: usize, exercised: &mut Exercised) -> Settled {
        let plan = self.plan;
        let map = self.produced[index].map;
        for target in 0..self.produced[index].output.values.len() {
            let value = &self.produced[index].output.values[target];
            if !links_of(value).into_iter().any(|link| self.is_lost(link)) {
                continue;
            }
            let found = rules_of(plan, map, target);
            let rules = || found.iter().filter_map(|id| Some((*id, id.find(plan, map)?)));
            // Where several rules write a field, the one that speaks of links decides on them.
            let deciding = rules().find(|(_, rule)| rule.on_unmigrated.is_some()).or_else(|| rules().next());
            let Some((rule, decides)) = deciding else { continue };
            let place = Place { produced: index, rule, inner: None, decides };
            let value = std::mem::take(&mut self.produced[index].output.values[target]);
            match self.settled(place, value, exercised) {
                Ok(value) => self.produced[index].output.values[target] = value,
                Err((end, reason, line)) => return Settled::Gone(end, reason, line),
            }
            return Settled::Changed;
        }
        Settled::AsItWas
    }

    /// A value without the links in it that lead nowhere.
    fn settled(
        &mut self,
        place: Place<'_>,
        value: Value,
        exercised: &mut Exercised,
    ) -> Result<Value, (End, String, u32)> {
        let values = match value {
            Value::List(values) => values,
            one => {
                return match self.element(place, &one, exercised) {
                    Ok(kept) => Ok(kept.unwrap_or_default()),
                    Err(Lost::Gone(end, reason, line)) => Err((end, reason, line)),
                    Err(Lost::LeftOut(reason, line)) => Err((End::Skipped, reason, line)),
                    Err(Lost::Unset | Lost::NoLine) => Ok(Value::Absent),
                };
            }
        };
        let mut kept = Vec::with_capacity(values.len());
        for value in &values {
            match self.element(place, value, exercised) {
                Ok(element) => kept.extend(element),
                Err(Lost::Gone(end, reason, line)) => return Err((end, reason, line)),
                Err(Lost::Unset | Lost::NoLine | Lost::LeftOut(..)) => {}
            }
        }
        Ok(Value::list(kept))
    }

    fn element(
        &mut self,
        place: Place<'_>,
        value: &Value,
        exercised: &mut Exercised,
    ) -> Result<Option<Value>, Lost> {
        match value {
            Value::Ref(link) if self.is_lost(link) => Err(self.lost(place, link, exercised)),
            Value::Item(item) if item.value.is_absent() => {
                self.line(place, item, exercised).map(|line| Some(Value::Item(Box::new(line))))
            }
            Value::Item(item) => match self.element(place, &item.value, exercised)? {
                Some(value) => Ok(Some(Value::Item(Box::new(Item { value, attrs: item.attrs.clone() })))),
                None => Ok(None),
            },
            other => Ok(Some(other.clone())),
        }
    }

    /// A line of an `each` block, whose own rules decide.
    fn line(&mut self, place: Place<'_>, line: &Item, exercised: &mut Exercised) -> Result<Item, Lost> {
        let mut attrs = line.attrs.clone();
        let block = block_of(place.decides);
        for (column, value) in attrs.iter_mut().enumerate() {
            let Value::Ref(link) = &*value else { continue };
            if !self.is_lost(link) {
                continue;
            }
            let inner = block.iter().position(|(_, rule)| usize::from(rule.target) == column);
            let decides = inner.map_or(place.decides, |inner| block[inner].1);
            let place = Place { inner: inner.map(|inner| inner as u16), decides, ..place };
            let link = link.clone();
            match self.lost(place, &link, exercised) {
                Lost::Unset => *value = Value::Absent,
                Lost::LeftOut(..) => return Err(Lost::NoLine),
                other => return Err(other),
            }
        }
        Ok(Item { value: Value::Absent, attrs })
    }

    /// What a rule says of a link that leads nowhere.
    fn lost(&mut self, place: Place<'_>, link: &RefValue, exercised: &mut Exercised) -> Lost {
        let plan = self.plan;
        let map = self.produced[place.produced].map;
        let (rule, decides) = (place.rule, place.decides);
        self.produced[place.produced].lost.push((rule, place.inner));
        if decides.on_unmigrated.is_some() {
            exercised.unmigrated(map, rule, place.inner);
        }
        let name = rule.target(plan, map).unwrap_or_default();
        let other = plan.maps.get(usize::from(link.map)).map_or("record", |map| map.name.as_str());
        let reason = format!("`{name}`: {other} {} did not arrive", link.key);
        let line = self.lines().of_unmigrated(decides.line);
        match &decides.on_unmigrated {
            Some(Arm::Quarantine) | None => Lost::Gone(End::Quarantined, reason, line),
            Some(Arm::Stop) => Lost::Gone(End::Stopped, reason, line),
            Some(Arm::Skip(why)) => Lost::LeftOut(why.clone(), line),
            Some(Arm::Flag(why)) | Some(Arm::Value { flag: Some(why), .. }) => {
                let flag = Flag { rule, why: why.as_str().into() };
                let flags = &mut self.produced[place.produced].output.flags;
                if !flags.contains(&flag) {
                    flags.push(flag);
                }
                Lost::Unset
            }
            Some(Arm::Unset | Arm::Wait | Arm::Value { .. }) => Lost::Unset,
        }
    }

    /// What links read from given records, once these are settled.
    fn read_linked(&mut self) {
        let mut found = Vec::new();
        for (index, produced) in self.produced.iter().enumerate() {
            for (target, value) in produced.output.values.iter().enumerate() {
                if links_of(value).iter().any(|link| link.field.is_some()) {
                    found.push((index, target, self.read(value)));
                }
            }
        }
        for (index, target, value) in found {
            self.produced[index].output.values[target] = value;
        }
    }

    fn read(&self, value: &Value) -> Value {
        match value {
            Value::Ref(link) => self.field_of(link).unwrap_or_else(|| value.clone()),
            Value::List(values) => {
                let read = values.iter().map(|value| self.read(value));
                Value::list(read.filter(|value| !value.is_absent()).collect())
            }
            Value::Item(item) => {
                let attrs = item.attrs.iter().map(|value| self.read(value)).collect();
                Value::Item(Box::new(Item { value: self.read(&item.value), attrs }))
            }
            other => other.clone(),
        }
    }

    fn field_of(&self, link: &RefValue) -> Option<Value> {
        let maps = std::iter::once(&link.map).chain(&link.others);
        maps.zip(link.field.as_ref()?).find_map(|(map, field)| {
            let slot = self.plan.maps.get(usize::from(*map))?.key;
            let mut all = self.produced.iter();
            let other =
                all.find(|p| p.map == usize::from(*map) && self.key(p.from, slot) == link.key.as_str())?;
            other.output.values.get(usize::from(*field)).cloned()
        })
    }
}

fn links_of(value: &Value) -> Vec<&RefValue> {
    match value {
        Value::Ref(link) => vec![link],
        Value::Item(item) => {
            let inner = item.attrs.iter().flat_map(links_of);
            links_of(&item.value).into_iter().chain(inner).collect()
        }
        Value::List(values) => values.iter().flat_map(links_of).collect(),
        _ => Vec::new(),
    }
}
