//! Claims in numbers that reasons make, such as `0 of 1 200 are longer`, against the snapshot's statistics.

use super::{Checker, counts};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::Expr;
use crate::lang::schema::{Field, Object};
use crate::lang::syntax::ast::Name;
use crate::lang::text::Span;
use crate::lang::types::Base;
use crate::lang::value::Value;

/// `K of N`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub these: u64,
    pub of: u64,
}

/// What a claim is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    /// How many values are longer than this, in characters.
    Longer(u32),
    /// How many records have a value.
    Filled,
    /// Something that the statistics do not count.
    Other,
}

/// The claims of a text, in its order.
pub(super) fn claims(text: &str) -> Vec<Claim> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices(" of ") {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        if let (Some(these), Some(of)) = (number_before(before), number_after(after)) {
            found.push(Claim { these, of });
        }
    }
    found
}

/// Whether a sign may stand between groups of three digits.
fn groups(sign: char) -> bool {
    matches!(sign, ' ' | '\u{a0}' | '\u{202f}' | ',' | '\'')
}

fn number_after(text: &str) -> Option<u64> {
    let mut digits = String::new();
    let mut rest = text;
    loop {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        // The first group has one to three digits where groups follow, others three.
        if length == 0 || !digits.is_empty() && length != 3 {
            break;
        }
        digits.push_str(&rest[..length]);
        rest = &rest[length..];
        let mut signs = rest.chars();
        let next = signs.next();
        if !next.is_some_and(groups) || digits.len() > 3 && length != 3 {
            break;
        }
        rest = signs.as_str();
    }
    digits.parse().ok()
}

fn number_before(text: &str) -> Option<u64> {
    let mut digits = String::new();
    let mut rest = text;
    loop {
        let length = rest.bytes().rev().take_while(u8::is_ascii_digit).count();
        if length == 0 || length > 3 && !digits.is_empty() {
            break;
        }
        digits.insert_str(0, &rest[rest.len() - length..]);
        rest = &rest[..rest.len() - length];
        let mut signs = rest.chars();
        if length != 3 || !signs.next_back().is_some_and(groups) {
            break;
        }
        rest = signs.as_str();
    }
    digits.parse().ok()
}

/// The bound in `more than 100 characters`, `longer than 100`.
fn bound(text: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    let after =
        ["more than ", "longer than ", "over "].iter().find_map(|words| Some(lower.split_once(words)?.1))?;
    u32::try_from(number_after(after)?).ok()
}

/// The field and the bound of a value that is a field, cut.
pub(super) fn cut(expr: &Expr) -> Option<(u16, u32)> {
    let Expr::Call { function, args } = expr else { return None };
    let ("cut", [subject, Expr::Const(bound)]) = (function.as_str(), args.as_slice()) else { return None };
    let slot = match subject {
        Expr::Slot(slot) => *slot,
        // Blanks at the ends make nothing longer.
        Expr::Call { function, args } if function == "trim" => match args.as_slice() {
            [Expr::Slot(slot)] => *slot,
            _ => return None,
        },
        _ => return None,
    };
    let bound = match bound {
        Value::Int(bound) => u32::try_from(*bound).ok()?,
        _ => return None,
    };
    Some((slot, bound))
}

/// Whether the statistics show that no value of a field is longer.
pub(super) fn none_longer(field: &Field, bound: u32) -> Option<bool> {
    let stats = field.stats.as_ref()?;
    match (&field.ty.base, stats.longest) {
        (Base::Text { .. }, Some(longest)) => Some(longest <= bound),
        (Base::Text { .. }, None) if stats.filled == 0 => Some(true),
        _ => None,
    }
}

impl<'a> Checker<'a> {
    /// Compares a reason's claims with the statistics.
    pub(super) fn check_claims(
        &mut self,
        because: &Name,
        object: Option<&'a Object>,
        field: Option<&'a Field>,
        about: About,
    ) {
        let Some(object) = object else { return };
        let all = claims(&because.value);
        if all.is_empty() {
            return;
        }
        let stats = field.and_then(|field| field.stats.as_ref());
        let filled = stats.map(|stats| stats.filled);
        let about = match (bound(&because.value), about) {
            (Some(bound), About::Longer(_) | About::Other) => About::Longer(bound),
            (_, about) => about,
        };
        for claim in all {
            let shown = format!("{} of {}", counts::grouped(claim.these), counts::grouped(claim.of));
            let noun = counts::plural(&object.name);
            let known: Vec<u64> = object.records.into_iter().chain(filled).collect();
            let name = field.map_or("", |field| field.name.as_str());
            let wrong = if !known.is_empty() && !known.contains(&claim.of) {
                let mut fact = match object.records {
                    Some(records) => format!("there are {} {noun}", counts::grouped(records)),
                    None => String::new(),
                };
                if let Some(filled) = filled {
                    let sep = if fact.is_empty() { "" } else { ", and " };
                    fact.push_str(&format!(
                        "{sep}`{name}` has a value in {} of them",
                        counts::grouped(filled)
                    ));
                }
                Some(fact)
            } else if claim.these > claim.of {
                Some("that is more than all of them".to_owned())
            } else {
                match (about, field) {
                    (About::Longer(bound), Some(field)) => self.longer(field, bound, claim.these),
                    (About::Filled, Some(_)) => filled
                        .filter(|filled| *filled != claim.these)
                        .map(|filled| format!("`{name}` has a value in {} {noun}", counts::grouped(filled))),
                    _ => None,
                }
            };
            if let Some(fact) = wrong {
                let finding = self.contradicted(because.span, &shown, &fact);
                self.add(finding);
            }
        }
    }

    fn longer(&self, field: &Field, bound: u32, these: u64) -> Option<String> {
        let none = none_longer(field, bound)?;
        let longest = field.stats.as_ref()?.longest.unwrap_or(0);
        ((these == 0) != none).then(|| {
            format!("the longest value of `{}` has {longest} characters, and {bound} fit", field.name)
        })
    }

    fn contradicted(&self, span: Span, shown: &str, fact: &str) -> Finding {
        Finding::new(codes::CLAIM_CONTRADICTED, format!("the statistics do not say `{shown}`"))
            .at(span, fact.to_owned())
            .note(self.source_note())
            .help("write what the statistics say, or a reason without numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_out_of_reasons() {
        let claim = |these, of| Claim { these, of };
        for (text, wanted) in [
            ("0 of 1 200 have more than 100 characters", vec![claim(0, 1200)]),
            ("1,204 of 48,210 are cut", vec![claim(1204, 48210)]),
            ("3 of 15000; 7 of 9", vec![claim(3, 15000), claim(7, 9)]),
            ("in 2025 3 of 10", vec![claim(3, 10)]),
            ("12 400 of 48\u{a0}210", vec![claim(12400, 48210)]),
            ("one of 10", vec![]),
            ("some of them", vec![]),
            ("3 of the 10", vec![]),
            ("0 of 99999999999999999999999", vec![]),
        ] {
            assert_eq!(claims(text), wanted, "{text}");
        }
        assert_eq!(bound("0 of 3 are longer than 1 000 characters"), Some(1000));
        assert_eq!(bound("0 of 3 have MORE THAN 100"), Some(100));
        assert_eq!(bound("the rest stands in a note"), None);
    }
}
