//! What a reconciliation found, in numbers: fields, links, sums, filled and empty, differences by kind.
//!
//! | number | from the source's side | from the destination's side |
//! | --- | --- | --- |
//! | records | every staged record, by its key, against the books and back | every record with a marker, against the books and back |
//! | fields | the rules, run anew over the staged record | what is read back, by a reader that shares nothing with the encoder |
//! | sums | amounts of all records that the rules write, by currency and stage | amounts of all records that are listed |
//! | links | links of all records that the rules write | links of all records that are listed |
//!
//! Bounded by the number of fields, currencies and stages; lists of records stand in the workspace while it is open.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::run::connect::Normal;

use super::side_by_side::SampledRecord;

/// Why a field is not as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// The destination holds nothing, or not all elements.
    Missing,
    /// It holds the beginning only.
    Cut,
    /// It holds something else.
    Altered,
    /// Somebody changed it since it was written.
    Changed,
    /// An adopted record keeps what it had.
    Kept,
    /// The destination works it out from other fields of the record.
    WorkedOut,
    /// A link whose record arrived only after this one was written, and that the spec does not wait for.
    Late,
}

impl Difference {
    /// Every kind, those that keep the books open first.
    pub const ALL: [Difference; 7] = [
        Difference::Missing,
        Difference::Cut,
        Difference::Altered,
        Difference::Changed,
        Difference::Kept,
        Difference::WorkedOut,
        Difference::Late,
    ];

    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Difference::Missing => "missing",
            Difference::Cut => "cut",
            Difference::Altered => "altered",
            Difference::Changed => "changed since",
            Difference::Kept => "kept",
            Difference::WorkedOut => "worked out there",
            Difference::Late => "arrived later",
        }
    }

    /// Whether it keeps the books open: nobody but the migration and the destination can have caused it.
    pub fn keeps_open(self) -> bool {
        matches!(self, Difference::Missing | Difference::Cut | Difference::Altered)
    }
}

/// How a field of a record compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To the letter.
    Same,
    /// It means the same.
    Reformatted,
    /// All of it is there, and more.
    More,
    /// It is not what was planned.
    Differs(Difference),
}

/// Compares a field. `joined` where a record had values of its own, behind which ours were put.
pub(super) fn compare(planned: &Normal, found: &Normal, joined: bool) -> Verdict {
    let mut left: Vec<&_> = found.elements.iter().collect();
    let (mut missing, mut relabelled, mut reformatted) = (0usize, false, false);
    for wanted in &planned.elements {
        let labelled = |label: &Option<String>| match (&wanted.label, label) {
            (None, _) => true,
            (Some(wanted), Some(found)) => same_label(wanted, found),
            (Some(_), None) => false,
        };
        let alike = |at: &usize| {
            let there = &left[*at].loose;
            *there == wanted.loose || (found.only_begun && begins(&wanted.loose, there))
        };
        let exact = (0..left.len()).filter(alike).find(|at| labelled(&left[*at].label));
        match exact.or_else(|| (0..left.len()).find(alike)) {
            None => missing += 1,
            Some(at) => {
                let there = left.remove(at);
                relabelled |= !labelled(&there.label);
                reformatted |= there.exact != wanted.exact && !found.only_begun;
            }
        }
    }
    if missing > 0 {
        let cut = match (planned.elements.as_slice(), found.elements.as_slice()) {
            ([wanted], [there]) => !there.loose.is_empty() && wanted.loose.starts_with(&there.loose),
            _ => false,
        };
        return Verdict::Differs(match (cut, left.is_empty()) {
            (true, _) => Difference::Cut,
            (false, true) => Difference::Missing,
            (false, false) => Difference::Altered,
        });
    }
    let moved = !joined
        && planned.first_is_primary
        && found.first_is_primary
        && planned.elements.first().map(|first| &first.loose)
            != found.elements.first().map(|first| &first.loose);
    if relabelled || moved || (planned.counted && !joined && !left.is_empty()) {
        return Verdict::Differs(Difference::Altered);
    }
    match (left.is_empty(), reformatted) {
        (false, _) => Verdict::More,
        (true, true) => Verdict::Reformatted,
        (true, false) => Verdict::Same,
    }
}

/// Whether a text begins with these words.
fn begins(text: &str, words: &str) -> bool {
    text.strip_prefix(words).is_some_and(|rest| rest.starts_with(' '))
}

/// Labels are keys there, so equal ones are told apart by a number: `work`, `work 2`.
fn same_label(wanted: &str, found: &str) -> bool {
    let blind = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let (wanted, found) = (blind(wanted), blind(found));
    let numbered = || {
        let (head, number) = found.rsplit_once(' ')?;
        (head == wanted && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
    };
    wanted == found || numbered().is_some()
}

/// What was found of one field of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldProof {
    /// The destination field.
    pub field: String,
    /// Records that the rules write and that have a value, wherever they ended.
    pub planned: u64,
    /// Compared records for which the plan has a value.
    pub expected: u64,
    /// Compared records in which the destination has one.
    pub found: u64,
    /// Equal to the letter.
    pub same: u64,
    /// Equal but for what does not matter, such as case.
    pub reformatted: u64,
    /// All that was planned, and more.
    pub more: u64,
    /// Written later, once another record is there.
    pub waiting: u64,
    /// Never told by the destination's API.
    pub untold: u64,
    /// By kind.
    pub differing: BTreeMap<Difference, u64>,
    /// For links.
    pub links: Option<LinkProof>,
}

impl FieldProof {
    /// Records whose field keeps the books open.
    pub fn open(&self) -> u64 {
        self.differing.iter().filter(|(kind, _)| kind.keeps_open()).map(|(_, records)| records).sum()
    }

    /// By how many records the destination has a value more often (less often, below zero) than the plan.
    pub fn null_change(&self) -> i64 {
        i64::try_from(self.found).unwrap_or(i64::MAX) - i64::try_from(self.expected).unwrap_or(i64::MAX)
    }
}

/// The links of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkProof {
    /// In the source, of records that the rules write.
    pub planned: u64,
    /// Those of records that arrived, and whose other end arrived too.
    pub resolved: u64,
    /// Those of them that the destination has.
    pub found: u64,
}

/// The sum of amounts of one field in one currency and stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Of all records that the rules write.
    pub planned: Decimal,
    /// Records with an amount among them.
    pub planned_records: u64,
    /// Of those of them that arrived.
    pub arrived: Decimal,
    /// What differences that are listed explain: what they hold, less what was planned.
    pub explained: Decimal,
    /// What the destination lists.
    pub found: Decimal,
    /// Records with an amount there.
    pub found_records: u64,
}

impl Sum {
    /// Whether what arrived, listed differences included, is what is there.
    pub fn closes(&self) -> bool {
        self.arrived.checked_add(self.explained) == Some(self.found)
    }
}

/// What a sum is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SumKey {
    /// The destination field.
    pub field: String,
    /// ISO 4217.
    pub currency: String,
    /// Pipeline and stage, or how it ended; empty for objects without stages.
    pub stage: String,
}

/// A value that records share: a stage, a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedValue {
    /// The destination field.
    pub field: String,
    /// The value to the letter; empty where there is none.
    pub value: String,
}

/// How many compared records have a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// As the rules say.
    pub planned: u64,
    /// As the destination says.
    pub found: u64,
}

/// What was found of a map beside its equation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Staged records of which the books say nothing.
    pub unaccounted: u64,
    /// Ends in the books without a staged record.
    pub unsourced: u64,
    /// Records whose end in the books is not what the rules say now.
    pub disagreeing: u64,
    /// Records of the object that the source counts now, where it was asked.
    pub source_now: Option<u64>,
    /// Records of the object that are staged, whichever map they go to.
    pub staged: u64,
    /// Records that were compared field by field.
    pub compared: u64,
    /// Records that stand there and were not compared, since they ended as failed or held back.
    pub not_compared: u64,
    /// Records that were read again since their list differed, and agreed then.
    pub settled: u64,
    /// In the order of the map's targets.
    pub fields: Vec<FieldProof>,
    /// Amounts.
    pub sums: BTreeMap<SumKey, Sum>,
    /// Stages and users of compared records.
    pub shared: BTreeMap<SharedValue, Shared>,
    /// A few of the compared records field by field, in order of key: the same ones whenever they are compared.
    pub sample: Vec<SampledRecord>,
}

impl Proof {
    /// Fields of records that keep the books open.
    pub fn open_fields(&self) -> u64 {
        self.fields.iter().map(FieldProof::open).sum()
    }

    /// Sums that do not close.
    pub fn open_sums(&self) -> u64 {
        self.sums.values().filter(|sum| !sum.closes()).count() as u64
    }

    /// Whether both sides agree. Staged records without an end are the equation's to tell.
    pub fn closes(&self) -> bool {
        self.unsourced == 0 && self.disagreeing == 0 && self.open_fields() == 0 && self.open_sums() == 0
    }

    /// What keeps it open, in words; empty when nothing does.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |number: u64, what: &str| {
            if number > 0 {
                words.push(format!("{number} {what}"));
            }
        };
        say(self.unsourced, "in the books that the source does not have");
        say(self.disagreeing, "that the rules end otherwise than the books");
        for field in &self.fields {
            for (kind, records) in field.differing.iter().filter(|(kind, _)| kind.keeps_open()) {
                say(*records, &format!("with `{}` {}", field.field, kind.word()));
            }
        }
        for (key, sum) in self.sums.iter().filter(|(_, sum)| !sum.closes()) {
            let stage = if key.stage.is_empty() { String::new() } else { format!(" in {}", key.stage) };
            words.push(format!(
                "`{}`{stage}: {} {} arrived, {} there",
                key.field, sum.arrived, key.currency, sum.found
            ));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::connect::Element;

    fn texts(texts: &[&str]) -> Normal {
        Normal::list(texts.iter().map(|text| Element::text(text)).collect())
    }

    #[test]
    fn each_kind_of_difference_is_told() {
        use Difference::{Altered, Cut, Missing};
        let differs = Verdict::Differs;
        for (planned, found, verdict) in [
            (texts(&["Acme"]), texts(&["Acme"]), Verdict::Same),
            (texts(&["Acme"]), texts(&["ACME "]), Verdict::Reformatted),
            (texts(&["Acme"]), texts(&[]), differs(Missing)),
            (texts(&["Acme Pumps"]), texts(&["Acme"]), differs(Cut)),
            (texts(&["Acme"]), texts(&["Bolt"]), differs(Altered)),
            (texts(&["a", "b"]), texts(&["b", "a"]), Verdict::Same),
            (texts(&["a", "b"]), texts(&["b"]), differs(Missing)),
            (texts(&["a"]), texts(&["b", "a"]), Verdict::More),
        ] {
            assert_eq!(compare(&planned, &found, false), verdict, "{planned:?} {found:?}");
        }
    }

    #[test]
    fn labels_the_primary_one_and_lines_count() {
        let one = |label: Option<&str>| Normal::one(Element::text("1").labelled(label));
        assert_eq!(compare(&one(Some("Work")), &one(Some("work 2")), false), Verdict::Same);
        assert_eq!(compare(&one(None), &one(Some("home")), false), Verdict::Same);
        for label in [None, Some("home"), Some("workshop 2")] {
            assert_eq!(
                compare(&one(Some("work")), &one(label), false),
                Verdict::Differs(Difference::Altered),
                "{label:?}"
            );
        }
        let first = |texts_of: &[&str]| Normal { first_is_primary: true, ..texts(texts_of) };
        assert_eq!(
            compare(&first(&["a", "b"]), &first(&["b", "a"]), false),
            Verdict::Differs(Difference::Altered)
        );
        assert_eq!(
            compare(&first(&["a"]), &first(&["b", "a"]), true),
            Verdict::More,
            "joined behind its own"
        );
        let lines = |texts_of: &[&str]| Normal { counted: true, ..texts(texts_of) };
        assert_eq!(
            compare(&lines(&["2 of 7"]), &lines(&["2 of 7", "2 of 7"]), false),
            Verdict::Differs(Difference::Altered)
        );
        assert_eq!(
            compare(&lines(&["x", "x"]), &lines(&["x"]), false),
            Verdict::Differs(Difference::Missing)
        );
    }

    proptest! {
        #[test]
        fn a_list_agrees_with_itself_and_with_no_shorter_one(list in prop::collection::vec("[a-c]{1,3}", 1..6), at in 0usize..6) {
            let whole = Normal { counted: true, ..Normal::list(list.iter().map(|text| Element::text(text)).collect()) };
            prop_assert_eq!(compare(&whole, &whole, false), Verdict::Same);
            let mut shorter = whole.clone();
            shorter.elements.remove(at % list.len());
            let verdict = compare(&whole, &shorter, false);
            prop_assert!(matches!(verdict, Verdict::Differs(kind) if kind.keeps_open()), "{:?}", verdict);
            let more = compare(&shorter, &whole, false);
            prop_assert!(shorter.elements.is_empty() || more == Verdict::Differs(Difference::Altered), "{:?}", more);
        }
    }

    #[test]
    fn a_sum_closes_when_listed_differences_explain_it() {
        let number = |number: i64| Decimal::from(number);
        let mut sum = Sum { arrived: number(100), found: number(90), ..Sum::default() };
        assert!(!sum.closes());
        sum.explained = number(-10);
        assert!(sum.closes());
    }
}
