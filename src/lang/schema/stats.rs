//! Statistics of records: one pass, one add per record, no copies of values that were seen before.

use std::collections::{BTreeMap, HashMap};

use compact_str::CompactString;

use super::snapshot::may_count_values;
use super::{Object, Pipeline, Stats};
use crate::lang::types::Base;
use crate::lang::value::{Record, Value};

/// The most distinct values of a field that are counted apart; a field with more keeps no histogram.
pub const MAX_DISTINCT: usize = 1000;

/// Gathers the statistics of an object's records.
#[derive(Debug)]
pub struct Collector {
    records: u64,
    fields: Vec<FieldCounts>,
}

#[derive(Debug, Default)]
struct FieldCounts {
    filled: u64,
    /// Text only, in characters.
    longest: Option<usize>,
    /// Enumerated fields only.
    values: Option<Histogram>,
}

#[derive(Debug, Default)]
struct Histogram {
    texts: HashMap<CompactString, u64>,
    /// Records that are no, and that are yes.
    bools: [u64; 2],
}

impl Collector {
    /// Begins with no records of an object.
    pub fn new(object: &Object) -> Self {
        let fields = object
            .fields
            .iter()
            .map(|field| FieldCounts {
                filled: 0,
                longest: matches!(field.ty.base, Base::Text { .. }).then_some(0),
                values: may_count_values(&field.ty).then(Histogram::default),
            })
            .collect();
        Collector { records: 0, fields }
    }

    /// Counts a record; slots that the object does not have are left out.
    pub fn add(&mut self, record: &Record) {
        self.records += 1;
        for (field, value) in self.fields.iter_mut().zip(record) {
            field.add(value);
        }
    }

    /// The number of records, and the statistics of each field by slot.
    pub fn finish(self) -> (u64, Vec<Stats>) {
        (self.records, self.fields.into_iter().map(FieldCounts::finish).collect())
    }

    /// Writes what was gathered into the object that this began with.
    pub fn store(self, object: &mut Object) {
        let (records, stats) = self.finish();
        object.records = Some(records);
        for (field, stats) in object.fields.iter_mut().zip(stats) {
            field.stats = Some(stats);
        }
    }
}

impl FieldCounts {
    fn add(&mut self, value: &Value) {
        if value.is_absent() {
            return;
        }
        self.filled += 1;
        if let Some(longest) = &mut self.longest {
            measure(longest, value);
        }
        if let Some(values) = &mut self.values {
            values.add(value);
            if values.texts.len() > MAX_DISTINCT {
                self.values = None;
            }
        }
    }

    fn finish(self) -> Stats {
        let mut values = BTreeMap::new();
        if let Some(histogram) = self.values {
            values.extend(histogram.texts.into_iter().map(|(text, count)| (text.to_string(), count)));
            for (word, count) in ["false", "true"].into_iter().zip(histogram.bools) {
                if count > 0 {
                    values.insert(word.to_owned(), count);
                }
            }
        }
        let longest = self.longest.filter(|longest| *longest > 0);
        Stats { filled: self.filled, values, longest: longest.map(|n| u32::try_from(n).unwrap_or(u32::MAX)) }
    }
}

fn measure(longest: &mut usize, value: &Value) {
    match value {
        // A text never has more characters than bytes: most need no counting.
        Value::Text(text) if text.len() > *longest => *longest = (*longest).max(text.chars().count()),
        Value::Item(item) => measure(longest, &item.value),
        Value::List(values) => values.iter().for_each(|value| measure(longest, value)),
        _ => {}
    }
}

impl Histogram {
    /// Counts a value; each element of a list counts.
    fn add(&mut self, value: &Value) {
        match value {
            Value::Text(text) => match self.texts.get_mut(text) {
                Some(count) => *count += 1,
                None => {
                    self.texts.insert(text.clone(), 1);
                }
            },
            Value::Bool(flag) => self.bools[usize::from(*flag)] += 1,
            Value::Item(item) => self.add(&item.value),
            Value::List(values) => values.iter().for_each(|value| self.add(value)),
            _ => {}
        }
    }
}

/// Counts the records of an object per pipeline and stage.
#[derive(Debug)]
pub struct StageCounts {
    category: Option<usize>,
    stage: usize,
    counts: HashMap<CompactString, HashMap<CompactString, u64>>,
}

impl StageCounts {
    /// Begins with no records; `category` is the slot that names the pipeline, `None` for objects with one.
    pub fn new(category: Option<usize>, stage: usize) -> Self {
        StageCounts { category, stage, counts: HashMap::new() }
    }

    /// Counts a record; one without a stage is left out.
    pub fn add(&mut self, record: &Record) {
        let text = |slot: usize| match record.get(slot) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        let Some(stage) = text(self.stage) else { return };
        let category = self.category.and_then(text).map_or("", CompactString::as_str);
        match self.counts.get_mut(category) {
            Some(stages) => match stages.get_mut(stage) {
                Some(count) => *count += 1,
                None => {
                    stages.insert(stage.clone(), 1);
                }
            },
            None => {
                self.counts.insert(category.into(), HashMap::from([(stage.clone(), 1)]));
            }
        }
    }

    /// Writes the counts into the object's pipelines; returns the records that are in none of them.
    pub fn store(self, object: &str, pipelines: &mut [Pipeline]) -> u64 {
        let mut lost: u64 = 0;
        for (category, stages) in self.counts {
            match pipelines.iter_mut().find(|p| p.object == object && p.code == category.as_str()) {
                Some(pipeline) => {
                    pipeline.records = stages.into_iter().map(|(stage, n)| (stage.to_string(), n)).collect();
                }
                None => lost += stages.values().sum::<u64>(),
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lang::schema::{Field, Write};
    use crate::lang::types::Type;
    use crate::lang::value::Item;

    fn object(types: &[Type]) -> Object {
        let field = |(n, ty): (usize, &Type)| Field {
            name: format!("F{n}"),
            title: None,
            ty: ty.clone(),
            required: false,
            write: Write::Yes,
            custom: false,
            attributes: Vec::new(),
            stats: None,
        };
        Object {
            name: "thing".to_owned(),
            fields: types.iter().enumerate().map(field).collect(),
            ..Object::default()
        }
    }

    #[test]
    fn each_kind_of_field_keeps_what_it_may() {
        let many = Type { base: Base::Text { max: None }, many: true, optional: true };
        let item =
            |text| Value::Item(Box::new(Item { value: Value::text(text), attrs: vec![Value::text("WORK")] }));
        let kinds = [
            Type::text(),
            Type::one(Base::Enum("SOURCE".into())),
            Type::one(Base::Bool),
            many,
            Type::one(Base::Integer),
        ];
        let object = object(&kinds);
        let mut collector = Collector::new(&object);
        collector.add(&vec![
            Value::text("Привет"),
            Value::text("CALL"),
            Value::Bool(true),
            Value::Absent,
            Value::Int(1),
        ]);
        collector.add(&vec![
            Value::text("ab"),
            Value::List(vec![Value::text("CALL"), Value::text("WEB")]),
            Value::Bool(false),
            Value::List(vec![item("+1"), item("+1333")]),
            Value::Absent,
        ]);
        let (records, stats) = collector.finish();
        let counts = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(records, 2);
        assert_eq!(stats[0], Stats { filled: 2, values: counts(&[]), longest: Some(6) });
        assert_eq!(stats[1], Stats { filled: 2, values: counts(&[("CALL", 2), ("WEB", 1)]), longest: None });
        assert_eq!(
            stats[2],
            Stats { filled: 2, values: counts(&[("false", 1), ("true", 1)]), longest: None }
        );
        assert_eq!(stats[3], Stats { filled: 1, values: counts(&[]), longest: Some(5) });
        assert_eq!(stats[4], Stats { filled: 1, values: counts(&[]), longest: None });
    }

    #[test]
    fn a_field_with_too_many_values_keeps_no_histogram() {
        let mut collector = Collector::new(&object(&[Type::one(Base::User)]));
        for n in 0..=MAX_DISTINCT {
            collector.add(&vec![Value::text(n.to_string())]);
        }
        collector.add(&vec![Value::text("1")]);
        let (_, stats) = collector.finish();
        assert_eq!(stats[0], Stats { filled: MAX_DISTINCT as u64 + 2, ..Stats::default() });
    }

    #[test]
    fn stages_are_counted_per_pipeline() {
        let pipeline =
            |code: &str| Pipeline { object: "deal".into(), code: code.into(), ..Pipeline::default() };
        let mut pipelines = [pipeline("0"), pipeline("4")];
        let mut counts = StageCounts::new(Some(0), 1);
        for (category, stage) in [("0", "NEW"), ("4", "NEW"), ("0", "NEW"), ("0", "WON"), ("9", "NEW")] {
            counts.add(&vec![Value::text(category), Value::text(stage)]);
        }
        counts.add(&vec![Value::text("0"), Value::Absent]);
        assert_eq!(counts.store("deal", &mut pipelines), 1);
        assert_eq!(pipelines[0].records, BTreeMap::from([("NEW".into(), 2), ("WON".into(), 1)]));
        assert_eq!(pipelines[1].records, BTreeMap::from([("NEW".into(), 1)]));
    }

    proptest! {
        #[test]
        fn counts_equal_a_plain_count(texts in proptest::collection::vec(proptest::option::of("[a-cя]{0,3}"), 0..60)) {
            let object = object(&[Type::text(), Type::maybe(Base::Stage)]);
            let mut collector = Collector::new(&object);
            for text in &texts {
                let value = text.as_ref().map_or(Value::Absent, Value::text);
                collector.add(&vec![value.clone(), value]);
            }
            let (records, stats) = collector.finish();
            let present: Vec<&String> = texts.iter().flatten().collect();
            let mut plain: BTreeMap<String, u64> = BTreeMap::new();
            for text in &present {
                *plain.entry((*text).clone()).or_default() += 1;
            }
            prop_assert_eq!(records, texts.len() as u64);
            prop_assert_eq!(stats[0].filled, present.len() as u64);
            let longest = present.iter().map(|text| text.chars().count()).max().filter(|n| *n > 0);
            prop_assert_eq!(stats[0].longest, longest.map(|n| n as u32));
            prop_assert_eq!(&stats[1].values, &plain);
        }
    }
}
