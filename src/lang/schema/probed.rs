//! What experiments have found out about a system that its documentation leaves open.
//!
//! Plain answers by question, as the connector names both. Knows no vendor and no question: what an answer means is the
//! connector's affair. No spec is checked against answers, so they are no part of [`super::Schema::hash`].

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;

use super::Schema;

/// The answers of a system, and when they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The day of the last experiments, in UTC.
    pub day: Option<Date>,
    /// Answers by question.
    pub answers: BTreeMap<String, Answer>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Whether it is so.
    Flag(bool),
    /// How many, in the unit that the question's name ends with.
    Count(u64),
    /// One of several words.
    Word(String),
}

impl Answer {
    /// A word.
    pub fn word(word: impl Into<String>) -> Answer {
        Answer::Word(word.into())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Flag(true) => f.write_str("yes"),
            Answer::Flag(false) => f.write_str("no"),
            Answer::Count(count) => write!(f, "{count}"),
            Answer::Word(word) => f.write_str(word),
        }
    }
}

impl Probed {
    /// Whether nothing was ever asked.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Whether a question was answered with yes or no, and how.
    pub fn flag(&self, question: &str) -> Option<bool> {
        match self.answers.get(question)? {
            Answer::Flag(flag) => Some(*flag),
            Answer::Count(_) | Answer::Word(_) => None,
        }
    }

    /// The word that answers a question.
    pub fn word(&self, question: &str) -> Option<&str> {
        match self.answers.get(question)? {
            Answer::Word(word) => Some(word),
            Answer::Flag(_) | Answer::Count(_) => None,
        }
    }

    /// Takes over newer answers; what was asked earlier and not this time keeps its answer.
    pub fn update(&mut self, newer: Probed) {
        self.day = newer.day.or(self.day);
        self.answers.extend(newer.answers);
    }
}

impl Schema {
    /// Takes over what experiments found out about the same account, where this schema says nothing: looking at a
    /// system answers none of them.
    pub fn keep_answers_of(&mut self, older: &Schema) {
        let same = (&self.connector, &self.account) == (&older.connector, &older.account);
        if same && self.probed.is_empty() {
            self.probed = older.probed.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_outlive_a_new_look_at_the_same_account_alone() {
        let answers = [("value".to_owned(), Answer::Flag(false))].into();
        let probed = Probed { day: Some(jiff::civil::date(2026, 11, 20)), answers };
        let old = Schema { account: "1".into(), probed: probed.clone(), ..Schema::default() };
        let mut same = Schema { account: "1".into(), ..Schema::default() };
        same.keep_answers_of(&old);
        assert_eq!(same.probed, probed);
        let mut other = Schema { account: "2".into(), ..Schema::default() };
        other.keep_answers_of(&old);
        assert!(other.probed.is_empty());
        let newer = Probed { day: None, answers: [("value".to_owned(), Answer::Flag(true))].into() };
        let mut asked = Schema { account: "1".into(), probed: newer.clone(), ..Schema::default() };
        asked.keep_answers_of(&old);
        assert_eq!(asked.probed, newer);
    }

    #[test]
    fn newer_answers_replace_older_ones_and_leave_the_others() {
        let answers = [("a".to_owned(), Answer::Flag(true)), ("b".to_owned(), Answer::Count(3))].into();
        let mut all = Probed { day: Some(jiff::civil::date(2026, 1, 1)), answers };
        let day = Some(jiff::civil::date(2026, 2, 2));
        all.update(Probed { day, answers: [("a".to_owned(), Answer::word("often"))].into() });
        assert_eq!((all.day, all.word("a"), all.flag("a")), (day, Some("often"), None));
        assert_eq!(all.answers["b"].to_string(), "3");
    }
}
