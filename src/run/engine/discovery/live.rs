//! Counts by filters: two rounds of questions, no record read.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{CodeCount, ObjectCount, Year, codes, fields, refused, there, years};
use crate::lang::schema::{Object, Schema};
use crate::lang::types::Base;
use crate::run::connect::survey::{Condition, Counted, Question, Roles};
use crate::run::connect::{Source, roles};
use crate::run::engine::{Progress, Result};

/// Users without a partner whose records are counted: more would take many requests.
const OWNERS: usize = 50;

/// The answers that are still to be taken apart, in order.
struct Answers(std::vec::IntoIter<Counted>);

impl Answers {
    fn next(&mut self) -> Counted {
        // INVARIANT: questions and answers are gone through in the same order.
        self.0.next().unwrap_or_else(|| Counted::Unknown("it was not asked for".to_owned()))
    }
}

/// Every object of a schema, counted by the source. `unmatched` are users whose records are wanted.
///
/// # Errors
/// Nobody answers, or the credentials have gone.
pub async fn live(
    source: &dyn Source,
    schema: &Schema,
    target: &str,
    unmatched: &[String],
    today: Date,
    progress: &dyn Progress,
) -> Result<Vec<ObjectCount>> {
    let readable: Vec<&Object> = schema.objects.iter().filter(|object| !object.fields.is_empty()).collect();
    let of = |object: &Object| there(object, roles(&schema.connector, &object.name));
    progress.begin("count records", None);
    let mut questions = Vec::new();
    for object in &readable {
        let ask = |condition| Question { object: object.name.clone(), condition };
        questions.push(ask(Condition::Any));
        if let Some(created) = of(object).created {
            let since = years(today).chain([today.year() + 1]);
            questions.extend(since.map(|year| ask(Condition::SinceYear(created.to_owned(), year))));
        }
    }
    let mut answers = Answers(source.ask(&questions).await?.into_iter());
    let mut out: BTreeMap<&str, ObjectCount> = BTreeMap::new();
    for object in &readable {
        let records = answers.next();
        let thresholds = years(today).chain([today.year() + 1]);
        let since: Vec<Counted> = match of(object).created {
            Some(_) => thresholds.map(|_| answers.next()).collect(),
            None => Vec::new(),
        };
        let years = by_year(&records, &since, today);
        let empty = ObjectCount { title: object.title.clone(), records, years, ..refused(object) };
        out.insert(object.name.as_str(), ObjectCount { refused: None, ..empty });
    }
    progress.end();
    progress.begin("count fill rates", None);
    let some =
        |object: &Object| out.get(object.name.as_str()).is_some_and(|o| o.records.known().unwrap_or(0) > 0);
    let filled: Vec<&&Object> = readable.iter().filter(|object| some(object)).collect();
    let questions: Vec<Question> = filled
        .iter()
        .flat_map(|object| second(schema, object, of(object), unmatched))
        .map(|(object, condition)| Question { object, condition })
        .collect();
    let mut answers = Answers(source.ask(&questions).await?.into_iter());
    for object in filled {
        let Some(count) = out.get_mut(object.name.as_str()) else { continue };
        let taken = Taken { schema, target, object, unmatched };
        taken.fill(of(object), count, &mut answers);
    }
    progress.end();
    let counted = |object: &Object| match out.remove(object.name.as_str()) {
        Some(mut count) => {
            if count.fields.is_empty() {
                // Nothing is filled where nothing is; what was not counted says why.
                count.fields = fields(target, object, |_| count.records.clone());
            }
            count
        }
        None => refused(object),
    };
    Ok(schema.objects.iter().map(counted).collect())
}

/// The records of each year, from how many there are since the first day of it.
fn by_year(records: &Counted, since: &[Counted], today: Date) -> Vec<Year> {
    // Without a count of all there is nothing to divide.
    if since.is_empty() || records.known().is_none() {
        return Vec::new();
    }
    let line = |year: String, from: &Counted, to: &Counted| {
        let records = match (from, to) {
            (Counted::Known(from), Counted::Known(to)) => Counted::Known(from.saturating_sub(*to)),
            (Counted::Unknown(why), _) | (_, Counted::Unknown(why)) => Counted::Unknown(why.clone()),
        };
        Year { year, records }
    };
    let first = *years(today).start();
    let mut out = vec![line(format!("before {first} or without a date"), records, &since[0])];
    for (at, year) in years(today).enumerate() {
        out.push(line(year.to_string(), &since[at], &since[at + 1]));
    }
    let last = since.last().cloned().unwrap_or(Counted::Known(0));
    out.push(line(format!("after {}", today.year()), &last, &Counted::Known(0)));
    out
}

/// Whether a filter may tell in how many records a field has a value.
fn askable(field: &crate::lang::schema::Field) -> bool {
    field.ty.optional && field.ty.base != Base::Bool
}

/// The second round for an object; [`take`] takes its answers apart in the same order.
fn second(schema: &Schema, object: &Object, roles: Roles, unmatched: &[String]) -> Vec<(String, Condition)> {
    let ask = |condition| (object.name.clone(), condition);
    let mut out: Vec<(String, Condition)> = object
        .fields
        .iter()
        .filter(|field| askable(field))
        .map(|field| ask(Condition::Filled(field.name.clone())))
        .collect();
    for field in [roles.kind, roles.currency].into_iter().flatten() {
        let is = |code: &str| ask(Condition::Is(field.to_owned(), code.to_owned()));
        out.extend(codes(schema, object, field).iter().map(|choice| is(&choice.code)));
    }
    out.extend(roles.open.map(|(field, code)| ask(Condition::Is(field.to_owned(), code.to_owned()))));
    if let Some(owner) = roles.owner {
        let is = |user: &String| ask(Condition::Is(owner.to_owned(), user.clone()));
        out.extend(unmatched.iter().take(OWNERS).map(is));
    }
    out
}

/// What the answers of an object's second round are about.
struct Taken<'a> {
    schema: &'a Schema,
    target: &'a str,
    object: &'a Object,
    unmatched: &'a [String],
}

impl Taken<'_> {
    fn fill(&self, roles: Roles, count: &mut ObjectCount, answers: &mut Answers) {
        let Taken { schema, target, object, unmatched } = *self;
        let mut filled: Vec<Counted> = Vec::new();
        for field in &object.fields {
            filled.push(match (&field.ty.base, field.ty.optional) {
                _ if askable(field) => answers.next(),
                (_, false) => count.records.clone(),
                _ => Counted::Unknown(
                    "yes and no cannot be told from nothing: extract, then read the workspace".to_owned(),
                ),
            });
        }
        count.fields = fields(target, object, |slot| filled[slot].clone());
        let mut by_code = |field: Option<&str>| -> Vec<CodeCount> {
            let choices = field.map(|field| codes(schema, object, field)).unwrap_or_default();
            let one = |choice: &&crate::lang::schema::Choice| CodeCount {
                code: choice.code.clone(),
                title: choice.title.clone(),
                records: answers.next(),
            };
            choices.iter().map(one).collect()
        };
        count.kinds = by_code(roles.kind);
        count.currencies = by_code(roles.currency);
        count.open = roles.open.map(|_| answers.next());
        if roles.owner.is_some() {
            let first = unmatched.iter().take(OWNERS);
            count.owned = first.map(|user| (user.clone(), answers.next())).collect();
            let why =
                "only the first fifty users without a partner are counted: extract, then read the workspace";
            let rest = unmatched.iter().skip(OWNERS);
            count.owned.extend(rest.map(|user| (user.clone(), Counted::Unknown(why.to_owned()))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_always_add_up_to_all_records() {
        let today: Date = "2026-11-22".parse().expect("a day");
        let since: Vec<Counted> = [90, 80, 80, 70, 60, 50, 40, 30, 20, 10, 3].map(Counted::Known).to_vec();
        let found = by_year(&Counted::Known(100), &since, today);
        let sum: u64 = found.iter().filter_map(|year| year.records.known()).sum();
        assert_eq!((found.len(), sum), (12, 100));
        assert_eq!(
            (found[0].year.as_str(), &found[0].records),
            ("before 2017 or without a date", &Counted::Known(10))
        );
        assert_eq!((found[10].year.as_str(), &found[10].records), ("2026", &Counted::Known(7)));
        assert_eq!((found[11].year.as_str(), &found[11].records), ("after 2026", &Counted::Known(3)));
    }
}
