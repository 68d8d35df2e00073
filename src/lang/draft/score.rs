//! Scores: how likely it is that a source field is what a destination field wants.
//!
//! `score = 0.60 · name + 0.25 · type + 0.15 · data`, where
//! - `name` is the likeness of names and titles, whichever pair is nearest; a type that tells by itself what it holds
//!   (an e-mail address, a stage) counts as a name that is 0.7 alike;
//! - `type` is 1 where the value fits as it is, less the further it has to be converted;
//! - `data` is the share of records that have it; for enumerations the mean with the likeness of their values.
//!
//! Names that have less than 0.25 in common halve the score: a type alone is no evidence.

use super::words::Words;
use super::{MapName, rules::Pair};
use crate::lang::schema::{Domain, Field, Object, Schema};
use crate::lang::types::{Base, Type};

/// What a score is made of, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Names and titles.
    pub name: f64,
    /// Types.
    pub fit: f64,
    /// Statistics and values.
    pub data: f64,
}

impl Evidence {
    /// The score, from 0 to 1.
    pub fn score(self) -> f64 {
        let sum = 0.60 * self.name + 0.25 * self.fit + 0.15 * self.data;
        if self.name < 0.25 { sum / 2.0 } else { sum }
    }
}

/// How alike a source field and a destination field are by names and titles, and by what else tells what they are for:
/// both name their record, or both lead to records that a map brings together.
fn naming(maps: &[MapName], pair: Pair<'_>, field: &Field, target: &Field) -> f64 {
    let mut one = likeness((&field.name, field.title.as_deref()), (&target.name, target.title.as_deref()));
    if tells(&field.ty.base) && field.ty.base == target.ty.base {
        one = one.max(0.7);
    }
    let leads = |to: &str| {
        maps.iter().any(|map| match &field.ty.base {
            Base::Link(from) => map.from == *from && map.to == to,
            Base::AnyLink => map.to == to,
            _ => false,
        })
    };
    let together = match &target.ty.base {
        Base::Ref(to) => leads(to),
        Base::AnyRef(all) => all.iter().any(|to| leads(to)),
        _ => false,
    };
    if together {
        one = one.max(0.8);
    }
    if is_label(pair.from, field) && labels(pair.to, target) {
        one = one.max(0.9);
    }
    one
}

/// Whether a source field is what its records are called by.
pub fn is_label(object: &Object, field: &Field) -> bool {
    let called = |field: &Field| {
        matches!(field.ty.base, Base::Text { .. })
            && !field.ty.many
            && !field.custom
            && Words::new(&field.name).only("name")
    };
    let people = object.fields.iter().any(|field| Words::new(&field.name).mean("family"));
    // With a family name beside it, a `NAME` is a given name, and a `TITLE` is still a label.
    called(field) && !(people && field.name.eq_ignore_ascii_case("name"))
}

/// Whether a destination field is what its records are called by: it is required and short, or its name says so.
fn labels(object: &Object, field: &Field) -> bool {
    let text = |field: &Field| matches!(field.ty.base, Base::Text { .. }) && field.required;
    let short = |field: &Field| matches!(field.ty.base, Base::Text { max: Some(max) } if max <= 255);
    let named = |field: &Field| Words::new(&field.name).only("name");
    text(field) && (named(field) || short(field) && !object.fields.iter().any(|f| text(f) && named(f)))
}

/// The likeness of two things with a name each and maybe a title.
pub fn likeness(a: (&str, Option<&str>), b: (&str, Option<&str>)) -> f64 {
    let names = |(name, title): (&str, Option<&str>)| {
        let mut all = vec![Words::new(name)];
        all.extend(title.map(Words::new));
        all
    };
    let (ours, theirs) = (names(a), names(b));
    ours.iter().flat_map(|one| theirs.iter().map(|other| one.alike(other))).fold(0.0, f64::max)
}

fn tells(base: &Base) -> bool {
    matches!(
        base,
        Base::Phone | Base::Email | Base::Url | Base::Address | Base::PersonName | Base::Stage | Base::Record
    )
}

/// How directly a type fits another, 0 where nothing leads there.
pub fn fit(from: &Type, to: &Type) -> f64 {
    let lists = if from.many && !to.many { 0.8 } else { 1.0 };
    let one = match (&from.base, &to.base) {
        (Base::File | Base::Opaque(_), _) => 0.0,
        (Base::User, Base::User) | (Base::Stage, Base::Stage) => 1.0,
        (Base::Enum(_), Base::Enum(_)) => 0.9,
        // One link of several that the destination takes.
        (Base::Link(_) | Base::AnyLink, Base::Ref(_) | Base::AnyRef(_)) if to.many && !from.many => 0.8,
        (Base::Link(_) | Base::AnyLink, Base::Ref(_) | Base::AnyRef(_)) => 1.0,
        (Base::Text { .. }, Base::Text { max: None }) => 1.0,
        (Base::Text { .. }, Base::Text { .. }) => 0.9,
        (Base::Text { .. }, Base::Phone | Base::Email | Base::Url | Base::PersonName) => 0.8,
        (Base::Phone | Base::Email | Base::Url, Base::Text { max: None }) => 0.8,
        (Base::Text { .. }, Base::Decimal) => 0.4,
        (Base::Integer, Base::Decimal) => 1.0,
        (Base::Decimal | Base::Integer, Base::Money) => 0.8,
        (Base::Decimal, Base::Integer) => 0.6,
        (Base::DateTime, Base::Date) | (Base::Date, Base::DateTime) => 0.8,
        (
            Base::Integer | Base::Decimal | Base::Date | Base::DateTime | Base::Money | Base::Bool,
            Base::Text { .. },
        ) => 0.4,
        (Base::Record, Base::Record) if from.many => 0.9,
        (a, b) if a == b => 1.0,
        _ => 0.0,
    };
    one * lists
}

/// The share of records that have a field; 0.5 where nobody counted.
pub fn share(object: &Object, field: &Field) -> f64 {
    match (object.records, &field.stats) {
        (Some(records), Some(stats)) if records > 0 => (stats.filled as f64 / records as f64).min(1.0),
        _ => 0.5,
    }
}

/// The mean likeness of an enumeration's values to the best of another's.
pub fn overlap(from: &Domain, to: &Domain) -> f64 {
    if from.choices.is_empty() || to.choices.is_empty() {
        return 0.0;
    }
    let best = |choice: &crate::lang::schema::Choice| {
        to.choices
            .iter()
            .map(|other| {
                likeness((&choice.code, choice.title.as_deref()), (&other.code, other.title.as_deref()))
            })
            .fold(0.0, f64::max)
    };
    from.choices.iter().map(best).sum::<f64>() / from.choices.len() as f64
}

/// All that speaks for a pair of fields; `None` where no type leads from one to the other.
pub fn evidence(
    (source, target): (&Schema, &Schema),
    maps: &[MapName],
    pair: Pair<'_>,
    field: &Field,
    to: &Field,
) -> Option<Evidence> {
    let fit = fit(&field.ty, &to.ty);
    if fit == 0.0 {
        return None;
    }
    let mut data = share(pair.from, field);
    if let (Base::Enum(a), Base::Enum(b)) = (&field.ty.base, &to.ty.base)
        && let (Some(a), Some(b)) = (source.domains.get(a), target.domains.get(b))
    {
        data = (data + overlap(a, b)) / 2.0;
    }
    Some(Evidence { name: naming(maps, pair, field, to), fit, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_stays_between_nothing_and_certainty_and_names_weigh_most() {
        let full = Evidence { name: 1.0, fit: 1.0, data: 1.0 };
        assert!((full.score() - 1.0).abs() < 1e-9);
        assert_eq!(Evidence::default().score(), 0.0);
        let by_name = Evidence { name: 1.0, fit: 0.4, data: 0.0 };
        let by_type = Evidence { name: 0.0, fit: 1.0, data: 1.0 };
        assert!(by_name.score() > by_type.score());
    }

    #[test]
    fn files_go_nowhere_and_equal_types_fit() {
        let to = Type::text();
        assert_eq!(fit(&Type::one(Base::File), &to), 0.0);
        assert_eq!(fit(&Type::one(Base::Date), &Type::one(Base::Date)), 1.0);
        assert_eq!(fit(&Type::one(Base::Bool), &Type::one(Base::Money)), 0.0);
    }
}
