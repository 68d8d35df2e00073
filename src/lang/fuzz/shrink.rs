//! Making a case that breaks small: the fewest filled fields, the shortest values, the same trouble.

use super::{Case, Fuzzer, Violation};
use crate::lang::schema::{Object, Schema};
use crate::lang::value::{Record, Value};

/// Rounds of shrinking; each tries every field.
const ROUNDS: usize = 6;

/// Shrinks a case while it shows the same trouble. Gives the trouble of the smallest one.
pub(super) fn shrink(
    fuzzer: &Fuzzer<'_>,
    source: &Schema,
    mut case: Case,
    mut violation: Violation,
) -> (Case, Violation) {
    let mut keeps = |smaller: &Case| match fuzzer.violations(smaller).into_iter().find(|v| v.like(&violation))
    {
        Some(same) if stays(fuzzer, smaller) => {
            violation = same;
            true
        }
        _ => false,
    };
    for _ in 0..ROUNDS {
        let before = case.clone();
        for at in 0..case.folded.len() {
            for child in (0..case.folded[at].1.len()).rev() {
                let mut smaller = case.clone();
                smaller.folded[at].1.remove(child);
                if keeps(&smaller) {
                    case = smaller;
                }
            }
        }
        let object = source.object(&fuzzer.plan.maps[case.map].source);
        fields(object, case.record.clone(), &mut |record| {
            let smaller = Case { record: record.clone(), ..case.clone() };
            let smaller_breaks = keeps(&smaller);
            if smaller_breaks {
                case = smaller;
            }
            smaller_breaks
        });
        for at in 0..case.folded.len() {
            let (flatten, children) = case.folded[at].clone();
            let object = source.object(&fuzzer.plan.flattens[flatten].source);
            for (index, child) in children.into_iter().enumerate() {
                fields(object, child, &mut |record| {
                    let mut smaller = case.clone();
                    smaller.folded[at].1[index] = record.clone();
                    let smaller_breaks = keeps(&smaller);
                    if smaller_breaks {
                        case = smaller;
                    }
                    smaller_breaks
                });
            }
        }
        if case == before {
            break;
        }
    }
    case.folded.retain(|(_, children)| !children.is_empty());
    (case, violation)
}

/// A smaller record must still be one that the map would get.
fn stays(fuzzer: &Fuzzer<'_>, case: &Case) -> bool {
    fuzzer.goes_to(case.map, &case.record)
}

/// Empties and shortens the fields of a record, one after the other, as long as it breaks.
fn fields(object: Option<&Object>, mut record: Record, breaks: &mut dyn FnMut(&Record) -> bool) {
    for slot in 0..record.len() {
        let optional = object.and_then(|object| object.fields.get(slot)).is_some_and(|f| f.ty.optional);
        let mut smaller = if optional { vec![Value::Absent] } else { Vec::new() };
        smaller.extend(simpler(&record[slot]));
        let mut tried = 0;
        while let Some(value) = smaller.get(tried).cloned() {
            tried += 1;
            if value == record[slot] {
                continue;
            }
            let before = std::mem::replace(&mut record[slot], value);
            if breaks(&record) {
                if record[slot].is_absent() {
                    break;
                }
                smaller = simpler(&record[slot]);
                tried = 0;
            } else {
                record[slot] = before;
            }
        }
    }
}

/// Simpler values of the same kind, the simplest first. Each step makes a value smaller, so that steps end.
fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::Text(text) => {
            let length = text.chars().count();
            let first = |count: usize| Value::text(text.chars().take(count).collect::<String>());
            let mut shorter: Vec<Value> = Vec::new();
            if length > 1 {
                shorter.extend([first(1), first(length / 2), first(length - 1)]);
            }
            // Plain letters say more than odd ones, where the length alone is what matters.
            if text.chars().any(|c| c != 'a') {
                shorter.insert(0, Value::text("a".repeat(length)));
            }
            shorter
        }
        Value::List(values) if values.len() > 1 => {
            let without = |at: usize| {
                let mut fewer = values.clone();
                fewer.remove(at);
                Value::List(fewer)
            };
            let mut fewer =
                vec![Value::List(values[..1].to_vec()), Value::List(values[values.len() / 2..].to_vec())];
            fewer.extend((0..values.len()).map(without));
            fewer
        }
        _ => Vec::new(),
    }
}
