//! What was probably meant by a name that nothing bears: letters of another script, words of other languages, and the
//! edit that writes the name.

use super::Checker;
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::text::Span;

/// Names of other languages for functions of this one.
const FUNCTIONS: &[(&str, &str)] = &[
    ("capitalize", "capitalise"),
    ("concat", "join"),
    ("float", "number"),
    ("html", "plain_text"),
    ("int", "number"),
    ("left", "cut"),
    ("len", "length"),
    ("lowercase", "lower"),
    ("lstrip", "trim"),
    ("size", "length"),
    ("slice", "cut"),
    ("str", "text"),
    ("strip", "trim"),
    ("substr", "cut"),
    ("substring", "cut"),
    ("toLowerCase", "lower"),
    ("toString", "text"),
    ("toUpperCase", "upper"),
    ("truncate", "cut"),
    ("uniq", "unique"),
    ("uppercase", "upper"),
];

/// The function that a name of another language stands for.
pub(super) fn function(name: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, own)| *own)
}

/// What a word says that is no field, where it is one of another language or an arm without its reason.
pub(super) fn word(name: &str) -> Option<String> {
    Some(match name.to_ascii_lowercase().as_str() {
        "null" | "none" | "nil" | "undefined" | "empty" => {
            "`unset` leaves a field without a value; whether there is one asks `has FIELD`".to_owned()
        }
        word @ ("skip" | "flag") => format!("say why: `{word} \"…\"`"),
        "yes" | "no" => "a yes or no is written `true` or `false`".to_owned(),
        _ => return None,
    })
}

/// The Latin letter that a letter of another script looks like.
fn latin(letter: char) -> char {
    const PAIRS: [(&str, &str); 2] =
        [("АВЕЅІЈКМНОРСТУХаеѕіјорсух", "ABESIJKMHOPCTYXaesijopcyx"), ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo")];
    PAIRS
        .iter()
        .find_map(|(other, own)| other.chars().zip(own.chars()).find(|(theirs, _)| *theirs == letter))
        .map_or(letter, |(_, own)| own)
}

/// A name with every letter that looks like a Latin one replaced by it.
pub(super) fn skeleton(name: &str) -> String {
    name.chars().map(latin).collect()
}

/// Says which letter of a name only looks like that of the other.
fn lookalike(wanted: &str, meant: &str) -> Option<String> {
    if wanted == meant || skeleton(wanted) != skeleton(meant) {
        return None;
    }
    let (letter, own) = wanted.chars().zip(meant.chars()).find(|(a, b)| a != b)?;
    let script = |c: char| match u32::from(c) {
        0x0370..=0x03FF => "Greek",
        0x0400..=0x04FF => "Cyrillic",
        _ => "Latin",
    };
    Some(format!(
        "the `{letter}` here is the {} letter U+{:04X}; the name has the {} `{own}`",
        script(letter),
        u32::from(letter),
        script(own)
    ))
}

/// Offers the name that was probably meant. `written` is how it stands in a spec.
pub(super) fn offer(finding: Finding, wanted: &str, meant: &str, span: Span, written: String) -> Finding {
    let finding = match lookalike(wanted, meant) {
        Some(note) => finding.note(note),
        None => finding,
    };
    finding.fix(instead(span, written))
}

/// The edit that writes a text in place of another.
pub(super) fn instead(span: Span, text: String) -> Fix {
    Fix {
        title: format!("write `{}`", text.replace('`', "")),
        edits: vec![Edit { span, text }],
        applicability: Applicability::Likely,
    }
}

impl Checker<'_> {
    /// A name as it has to stand at a place: in quotes where it stands in quotes there.
    pub(super) fn as_quoted(&self, span: Span, name: &str) -> String {
        if self.quote(span).starts_with('"') { crate::lang::syntax::quote(name) } else { name.to_owned() }
    }

    /// Where no record is at hand.
    pub(super) fn no_record(&mut self, span: Span) {
        let text = self.quote(span);
        let word = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        self.add(
            Finding::new(codes::ARM_NOT_ALLOWED, "there is no record here whose fields could be read")
                .at(span, "not a constant")
                .help("write a constant: a text in quotes, a number, a date")
                .fix_where(word.then(|| instead(span, format!("\"{text}\"")))),
        );
    }

    /// Whether something is found wrong with the spec besides open decisions, so that a name that was not used may have
    /// been meant where something is wrong.
    pub(super) fn in_doubt(&self) -> bool {
        !self.input.broken.is_empty() || self.findings.iter().any(Finding::forbids_plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_other_scripts_are_told() {
        assert_eq!(skeleton("ТITLE"), "TITLE");
        assert_eq!(
            lookalike("ТITLE", "TITLE").as_deref(),
            Some("the `Т` here is the Cyrillic letter U+0422; the name has the Latin `T`")
        );
        assert_eq!(lookalike("TITEL", "TITLE"), None);
        assert_eq!(lookalike("TITLE", "TITLE"), None);
        // The tables are pairs of equal length.
        assert_eq!((latin('х'), latin('ο'), latin('ж')), ('x', 'o', 'ж'));
    }

    #[test]
    fn names_of_other_languages_lead_to_functions_that_exist() {
        for (_, own) in FUNCTIONS {
            assert!(crate::lang::functions::find(own).is_some(), "there is no `{own}`");
        }
    }
}
