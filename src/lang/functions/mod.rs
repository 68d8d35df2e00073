//! The built-in functions: one file each, with its signature, doc, examples that run, and evaluation.
//!
//! Pure: nothing here sees a plan, a record or a clock. `each`, `ref`, `user` and `pipeline by` are not functions
//! but forms of the language.

mod address;
mod at;
mod capitalise;
mod contains;
mod count;
mod cut;
mod date;
mod digits;
mod email;
mod first;
mod join;
mod last;
mod length;
mod lower;
mod money;
mod number;
mod person_name;
mod phone;
mod plain_text;
mod replace;
mod rich_text;
mod round;
mod split;
mod starts_with;
mod support;
mod text;
mod trim;
mod unique;
mod upper;
mod url;
mod year;

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use crate::lang::types::{Fidelity, Type};
use crate::lang::value::Value;

/// A built-in function.
#[derive(Debug)]
pub struct Function {
    /// Its name in specs.
    pub name: &'static str,
    /// How it is called: `cut(text, max: integer) -> text`.
    pub signature: &'static str,
    /// What it does, in Markdown; the first line is one sentence.
    pub doc: &'static str,
    /// Examples; a test runs them all, and the book prints them.
    pub examples: &'static [Example],
    /// What absent arguments do.
    pub absence: Absence,
    /// The type of a call, or why there can be none.
    pub infer: fn(&[Arg<'_>]) -> Result<Inferred, WrongArguments>,
    /// The value of a call. Arguments fit the types that `infer` accepted.
    pub eval: fn(&[Value], &Context) -> Result<Value, Failure>,
}

/// A call and what it gives, both as specs write them: `cut("abcdef", 3)` gives `"abc"`; `fails` and `absent` are
/// written as these words.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The call.
    pub call: &'static str,
    /// What it gives.
    pub gives: &'static str,
}

/// What absent arguments do to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// A call with an absent argument is absent; neither `infer` nor `eval` sees absence.
    Propagates,
    /// The function decides.
    Handled,
}

/// An argument as the checker knows it.
#[derive(Clone, Debug)]
pub struct Arg<'a> {
    /// Its type.
    pub ty: Type,
    /// Its value, where the spec has it as a literal.
    pub constant: Option<&'a Value>,
}

/// The type of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// The type of the result, absence of arguments apart where it propagates.
    pub ty: Type,
    /// Whether a call may fail.
    pub fails: bool,
    /// How much of the first argument is left.
    pub fidelity: Fidelity,
}

/// Why a call has no type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongArguments {
    /// Which argument; `None` when there are too many or too few.
    pub argument: Option<usize>,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A conversion that failed on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was wrong, without the value itself: `not a phone number`.
    pub why: String,
}

/// What a call may depend on besides its arguments.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The spec's zone.
    pub zone: Option<TimeZone>,
}

/// All functions, by name.
static ALL: [&Function; 30] = [
    &address::FUNCTION,
    &at::FUNCTION,
    &capitalise::FUNCTION,
    &contains::FUNCTION,
    &count::FUNCTION,
    &cut::FUNCTION,
    &date::FUNCTION,
    &digits::FUNCTION,
    &email::FUNCTION,
    &first::FUNCTION,
    &join::FUNCTION,
    &last::FUNCTION,
    &length::FUNCTION,
    &lower::FUNCTION,
    &money::FUNCTION,
    &number::FUNCTION,
    &person_name::FUNCTION,
    &phone::FUNCTION,
    &plain_text::FUNCTION,
    &replace::FUNCTION,
    &rich_text::FUNCTION,
    &round::FUNCTION,
    &split::FUNCTION,
    &starts_with::FUNCTION,
    &text::FUNCTION,
    &trim::FUNCTION,
    &unique::FUNCTION,
    &upper::FUNCTION,
    &url::FUNCTION,
    &year::FUNCTION,
];

/// All functions, sorted by name.
pub fn all() -> &'static [&'static Function] {
    &ALL
}

/// The function of this name.
pub fn find(name: &str) -> Option<&'static Function> {
    // INVARIANT: `ALL` is sorted by name; a test holds it.
    ALL.binary_search_by(|function| function.name.cmp(name)).ok().map(|index| ALL[index])
}
