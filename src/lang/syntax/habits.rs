//! What signs and words of other languages mean in this one, and the edit that writes it. Knows the grammar's rules by
//! their names only; whether an edit mends the line is for the reader to try.

use std::ops::Range;

use super::tokens::is_word;

/// A habit that was recognised.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Habit {
    /// What to do, for people.
    pub(super) help: String,
    /// Replacements by their bytes in the line; empty where only a person can tell.
    pub(super) edits: Vec<(Range<usize>, String)>,
}

/// Words that mean one of the language's, by the rules in whose lines they do; `*` is any.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("*", &["default", "orelse"], "else"),
    ("rule_line", &["otherwise", "??", "||"], "else"),
    ("custom_line", &["otherwise", "??", "||"], "else"),
    ("where_line", &["otherwise"], "else"),
    ("*", &["&&"], "and"),
    ("*", &["||"], "or"),
    ("*", &["<>"], "!="),
    ("*", &["onfail", "onerror", "fail", "fails"], "on fail"),
    ("*", &["unmigrated", "onunmigrated"], "on unmigrated"),
    ("*", &["labeled", "label"], "labelled"),
    ("*", &["summarized", "summary"], "summarised"),
    ("owner_row", &["_", "else", "*", "others", "everyone", "any"], "otherwise"),
    ("stage_row", &["lose", "loss", "loose", "failed"], "lost"),
    ("stage_row", &["win", "success"], "won"),
    ("stage_row", &["canceled", "cancel"], "cancelled"),
    ("order_row", &["<", "->", "=>", "then"], "before"),
    ("map_head", &["to", "into", "as"], "->"),
    ("flatten_head", &["to", "->", "in"], "into"),
    ("flatten_head", &["by", "through", "on"], "via"),
    ("pick_line", &["last", "newest"], "latest"),
    ("pick_line", &["first", "oldest"], "earliest"),
    ("split_head", &["on"], "by"),
    ("match_line", &[",", "and", "|"], "or"),
    ("drop_line", &["because"], "declined"),
    ("codes", &["|", "or", "and", "/"], ","),
];

/// First words of lines that mean one of the language's.
const FIRST: &[(&[&str], &str)] = &[
    (&["ignore", "omit", "remove", "exclude"], "drop"),
    (&["filter", "only"], "where"),
    (&["comment"], "note"),
];

/// The words that begin lines or clauses: written in capitals they are meant all the same.
const LOWER: &[&str] = &[
    "and",
    "because",
    "before",
    "by",
    "custom",
    "declined",
    "derived",
    "drop",
    "dropped",
    "each",
    "else",
    "empty",
    "exact",
    "existing",
    "flag",
    "from",
    "gap",
    "has",
    "into",
    "key",
    "labelled",
    "lost",
    "map",
    "match",
    "merged",
    "narrowed",
    "not",
    "note",
    "on",
    "or",
    "orphan",
    "otherwise",
    "pick",
    "quarantine",
    "reformatted",
    "skip",
    "stage",
    "stop",
    "summarised",
    "todo",
    "unseen",
    "unset",
    "via",
    "wait",
    "when",
    "where",
    "won",
];

const FIDELITIES: &[&str] = &["exact", "reformatted", "narrowed", "merged", "summarised", "dropped"];

/// What the sign or word at a byte of a line is in other languages.
///
/// `wants` says whether the grammar would take a rule there.
pub(super) fn habit(rule: &str, line: &str, at: usize, wants: impl Fn(&str) -> bool) -> Option<Habit> {
    let (before, rest) = (line.get(..at)?, line.get(at..)?);
    let look = Look { rule, line, at, before, rest };
    look.beginning(&wants)
        .or_else(|| look.ending(&wants))
        .or_else(|| look.literal())
        .or_else(|| look.clause())
        .or_else(|| look.sign(&wants))
        .or_else(|| look.word(&wants))
}

struct Look<'t> {
    rule: &'t str,
    line: &'t str,
    /// The place of what was not expected.
    at: usize,
    before: &'t str,
    rest: &'t str,
}

impl<'t> Look<'t> {
    fn is_rule(&self) -> bool {
        matches!(self.rule, "rule_line" | "custom_line" | "note_line")
    }

    /// Says what to do, without an edit.
    fn say(&self, help: impl Into<String>) -> Option<Habit> {
        Some(Habit { help: help.into(), edits: Vec::new() })
    }

    /// Puts a text in the place of so many bytes from here on.
    fn put(&self, length: usize, text: impl Into<String>, help: impl Into<String>) -> Option<Habit> {
        self.edit(self.at..self.at + length, text, help)
    }

    fn edit(&self, range: Range<usize>, text: impl Into<String>, help: impl Into<String>) -> Option<Habit> {
        Some(Habit { help: help.into(), edits: vec![(range, text.into())] })
    }

    /// The word or sign that was not expected.
    fn found(&self) -> &'t str {
        let word = self.rest.find(|c: char| !is_word(c)).unwrap_or(self.rest.len());
        if word > 0 {
            return &self.rest[..word];
        }
        let signs = ["??", "||", "&&", "<>", "->", "=>", "<="];
        signs.iter().find(|sign| self.rest.starts_with(**sign)).map_or_else(
            || &self.rest[..self.rest.chars().next().map_or(0, char::len_utf8)],
            |sign| &self.rest[..sign.len()],
        )
    }

    /// The word before, and where it begins.
    fn last_word(&self) -> (usize, &'t str) {
        let trimmed = self.before.trim_end();
        let start = trimmed
            .rfind(|c| !is_word(c))
            .map_or(0, |at| at + trimmed[at..].chars().next().map_or(1, char::len_utf8));
        (start, &trimmed[start..])
    }

    /// The first word of the line.
    fn first_word(&self) -> &'t str {
        let end = self.line.find(|c: char| !is_word(c)).unwrap_or(self.line.len());
        &self.line[..end]
    }

    /// Lines that begin in another way, and rules without their arrow.
    fn beginning(&self, wants: &impl Fn(&str) -> bool) -> Option<Habit> {
        let comment = ["//", "--"].into_iter().find(|sign| self.line.starts_with(sign));
        if let (Some(sign), true) = (comment, self.at == 0) {
            return self.put(sign.len(), "#", "a comment begins with `#`");
        }
        if ["<<<<<<<", ">>>>>>>", "=======", "|||||||"].iter().any(|sign| self.line.starts_with(sign)) {
            return self.say("a merge left its mark here: settle it, and remove the line");
        }
        if self.is_rule() && self.at == 0 && self.line.starts_with("- ") {
            return self.edit(0..2, "", "lines begin without a dash: `field <- VALUE`");
        }
        if !(wants("left_arrow") && self.is_rule()) {
            return None;
        }
        let first = self.first_word();
        let small = first.to_lowercase();
        if first != small && LOWER.contains(&small.as_str()) && !self.rest.starts_with("<") {
            return self.edit(
                0..first.len(),
                small.as_str(),
                format!("words of the language are written small: `{small}`"),
            );
        }
        if let Some((_, meant)) = FIRST.iter().find(|(words, _)| words.contains(&first)) {
            return self.edit(0..first.len(), *meant, format!("the word is `{meant}`"));
        }
        const ARROWS: [&str; 8] = [":=", "←", "< -", "&lt;-", "<--", "<=", "<−", "<–"];
        if let Some(arrow) = ARROWS.iter().find(|arrow| self.rest.starts_with(**arrow)) {
            return self.put(arrow.len(), "<-", "a rule is `field <- VALUE`");
        }
        if let Some((value, field)) = self.line.rsplit_once("->") {
            let field = field.trim();
            if !field.is_empty() && field.chars().all(is_word) && value.contains(['(', '.']) {
                return self.edit(
                    0..self.line.len(),
                    format!("{field} <- {}", value.trim()),
                    "the destination field stands left of its value: `field <- VALUE`",
                );
            }
        }
        if self.rest.starts_with('.') && self.before.chars().all(is_word) {
            return self.edit(
                0..self.at + 1,
                "",
                "the object of a destination field stands in the map's head: write the field alone",
            );
        }
        None
    }

    /// What stands at the line's end, or is missing there.
    fn ending(&self, wants: &impl Fn(&str) -> bool) -> Option<Habit> {
        if matches!(self.rest.trim_end(), "," | ";") {
            let help = if self.rest.starts_with(',') {
                "a line ends without a comma"
            } else {
                "a line ends by itself, without `;`"
            };
            let start = self.before.trim_end().len();
            return self.edit(start..self.line.len(), "", help);
        }
        if self.rest.is_empty() && wants("text") {
            return match self.last_word().1 {
                word @ ("flag" | "skip" | "listed" | "because" | "declined") => {
                    self.say(format!("say why, in quotes: `{word} \"…\"`"))
                }
                _ => None,
            };
        }
        if self.rest.is_empty()
            && self.is_rule()
            && matches!(self.last_word().1, "else" | "fail" | "unmigrated")
        {
            return self.say("what happens stands on the same line; a line may end before `else` and `on …`, not behind them");
        }
        if self.rest.is_empty() && self.is_rule() && self.before.trim_end().ends_with("<-") {
            return self
                .say("the value begins on the same line; a line may end before a clause such as `else`");
        }
        None
    }

    /// Dates, numbers, amounts and times as they are written elsewhere.
    fn literal(&self) -> Option<Habit> {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let next = self.rest.chars().nth(1);
        let ends_in_digit = digit(self.before.chars().next_back());
        match self.rest.chars().next()? {
            '/' if ends_in_digit && digit(next) => self.say("a date is written `2027-01-31`"),
            '.' if ends_in_digit && digit(next) => self.say("a date is written `2027-01-31`"),
            '0'..='9' if self.before.ends_with('.') && digit(self.before.chars().rev().nth(1)) => {
                self.say("a date is written `2027-01-31`, a number with one point")
            }
            ',' if ends_in_digit && digit(next) => self.put(1, ".", "the decimal mark is a point"),
            '%' if digit(self.before.trim_end().chars().next_back()) => self.edit(
                self.before.trim_end().len()..self.at + 1,
                "%",
                "a percentage is written without a blank: `50%`",
            ),
            ':' if ends_in_digit && self.before.contains('(') => {
                let (start, _) = self.last_word();
                let end = self.rest[1..]
                    .find(|c: char| !c.is_ascii_digit() && c != ':')
                    .map_or(self.line.len(), |n| self.at + 1 + n);
                self.edit(
                    start..end,
                    format!("\"{}\"", &self.line[start..end]),
                    "a time stands in quotes: `\"18:00\"`",
                )
            }
            '$' | '€' | '£' | '₽' if digit(next) => self.say("an amount is written `1500.00 USD`"),
            '$' if next.is_some_and(is_word) => self.put(
                1,
                "",
                "a field stands without `$`; inside a text it stands in braces: `\"{TITLE}\"`",
            ),
            '0'..='9' if matches!(self.last_word().1.as_bytes(), [b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z']) => {
                self.say("the currency stands behind the amount: `1500.00 USD`")
            }
            '[' if self.before.ends_with([' ', '\t']) && !self.last_word().1.is_empty() => {
                let end = self.before.trim_end().len();
                self.edit(end..self.at, "", "`[` stands directly behind the table's name")
            }
            '"' if self.before.ends_with('f') && self.last_word().1 == "f" => self.edit(
                self.at - 1..self.at,
                "",
                "values stand in braces in every text, without an `f` before it",
            ),
            _ => None,
        }
    }

    /// Clauses and their reasons.
    fn clause(&self) -> Option<Habit> {
        let (start, last) = self.last_word();
        let word = self.found();
        if last == "because" && !self.rest.starts_with('"') && !self.rest.is_empty() {
            let why = self.rest.trim_end();
            return if why.contains(['"', '{', '\\']) {
                self.say("a reason stands in quotes")
            } else {
                self.put(why.len(), format!("\"{why}\""), "a reason stands in quotes")
            };
        }
        if FIDELITIES.contains(&last) && self.rest.starts_with('"') {
            return self.put(
                0,
                "because ",
                format!("a reason begins with `because`: `{last} because \"…\"`"),
            );
        }
        if word == "because" && self.is_rule() {
            return self.say("a reason belongs to a fidelity word: `narrowed because \"…\"`, also `reformatted`, `merged`, `summarised`, `dropped`");
        }
        if matches!(word, "lossy" | "lost" | "loses" | "truncated" | "shortened" | "loss") && self.is_rule() {
            return self.say(
                "the fidelity words are `reformatted`, `narrowed`, `merged`, `summarised` and `dropped`",
            );
        }
        if word == "on" && self.is_rule() {
            let after = self.rest[2..].trim_start();
            let event = &after[..after.find(|c| !is_word(c)).unwrap_or(after.len())];
            let length = self.rest.len() - after.len() + event.len();
            return match event {
                "error" | "failure" | "invalid" | "exception" | "failed" => {
                    self.put(length, "on fail", "a conversion that fails is answered by `on fail`")
                }
                "fail" | "unmigrated" => None,
                _ => self.say("an absent value is answered by `else`, a failure by `on fail`, a link to a record that did not arrive by `on unmigrated`"),
            };
        }
        if last == "in" && self.rest.starts_with(['(', '[']) {
            return self.say("compare with each: `X == \"A\" or X == \"B\"`");
        }
        if last == "exists" && self.rest.starts_with(is_word) {
            return self.edit(start..self.at, "has ", "whether there is a value asks `has FIELD`");
        }
        if last == "has" && self.rest.starts_with('(') {
            let close = self.rest.find(')')?;
            let inside = self.rest[1..close].trim();
            return self.edit(
                self.before.trim_end().len()..self.at + close + 1,
                format!(" {inside}"),
                "`has FIELD` is written without parentheses",
            );
        }
        if last == "pipeline" && self.is_rule() {
            let by = self.rest.find(" by ").map(|n| n + 1);
            let help = "the pipeline is found by the record: `pipeline by CATEGORY, STAGE`";
            return match by {
                Some(by) => self.put(by, "", help),
                None => self.say(help),
            };
        }
        if last.eq_ignore_ascii_case("case") {
            return self.say("choices are a `table`, or `VALUE when CONDITION else VALUE`");
        }
        None
    }

    /// Signs.
    fn sign(&self, wants: &impl Fn(&str) -> bool) -> Option<Habit> {
        let rest = self.rest;
        let head = self.before.trim_end();
        if rest.starts_with("=>") && head.contains('(') && self.is_rule() {
            return self.say("`each` hands the element over by itself: `LIST.each(phone(\"US\"))`");
        }
        if rest.starts_with('=') && !rest.starts_with("=>") && !rest.starts_with("==") {
            let condition =
                matches!(self.rule, "where_line" | "split_row") || self.is_rule() && head.contains("<-");
            return if condition { self.put(1, "==", "equality is `==`") } else { None };
        }
        if rest.starts_with('!')
            && !rest.starts_with("!=")
            && rest[1..].starts_with(|c: char| is_word(c) || c == '(')
        {
            return self.put(1, "not ", "the opposite of a condition is `not …`");
        }
        if let Some(close @ (')' | ']')) = rest.chars().next() {
            let open = if close == ')' { '(' } else { '[' };
            let count = |sign: char| self.line.matches(sign).count();
            if count(close) > count(open) {
                return self.put(1, "", format!("this `{close}` closes nothing"));
            }
        }
        if rest.starts_with('?') && !rest.starts_with("??") {
            return self.say("a choice is written `VALUE when CONDITION else VALUE`");
        }
        if rest.starts_with('[') && wants("open_paren") {
            let close = rest.rfind(']')?;
            return Some(Habit {
                help: "what is linked stands in parentheses: `ref company(COMPANY_ID)`".to_owned(),
                edits: vec![
                    (self.at..self.at + 1, "(".to_owned()),
                    (self.at + close..self.at + close + 1, ")".to_owned()),
                ],
            });
        }
        match (self.rule, rest.chars().next()?) {
            ("key_line", ':') => self.put(1, "", "the line is `key FIELD`"),
            ("key_line", '(') => {
                let close = rest.find(')')?;
                self.put(close + 1, format!(" {}", rest[1..close].trim()), "the line is `key FIELD`")
            }
            ("edition_line", '"') => {
                let year: String = rest.chars().filter(char::is_ascii_digit).collect();
                self.put(rest.trim_end().len(), year, "the edition is a number: `edition 2026`")
            }
            ("table_row" | "stage_row" | "split_row", '"') if wants("gives") => {
                let start = head.len();
                self.edit(start..self.at, ", ", "codes are listed with commas between them")
            }
            ("stage_row", '"') => self.put(
                0,
                "stage ",
                "say what it is: `stage \"…\"`, `won \"…\"`, `lost \"…\"` or `cancelled \"…\"`",
            ),
            ("table_row", '*') => {
                self.put(1, "_ unseen", "values that are born later take the row `_ unseen`")
            }
            _ => None,
        }
    }

    /// Words.
    fn word(&self, wants: &impl Fn(&str) -> bool) -> Option<Habit> {
        let word = self.found();
        let small = word.to_lowercase();
        if word != small && LOWER.contains(&small.as_str()) {
            return self.put(
                word.len(),
                small.as_str(),
                format!("words of the language are written small: `{small}`"),
            );
        }
        let row = matches!(self.rule, "table_row" | "stage_row" | "split_row") && self.at == 0;
        if row && matches!(word, "default" | "otherwise" | "else" | "other" | "others") {
            return self.put(
                word.len(),
                "_ unseen",
                "values that are born later take the row `_ unseen`; known ones have a row each",
            );
        }
        let rules = [self.rule, "*"];
        let codes = matches!(self.rule, "table_row" | "stage_row") && wants("gives");
        let table = WORDS.iter().filter(|(rule, ..)| rules.contains(rule) || codes && *rule == "codes");
        for (_, words, meant) in table {
            if words.contains(&word) && !word.starts_with(is_word) && meant.starts_with(is_word) {
                // A word needs blanks where a sign does not.
                let behind = &self.rest[word.len()..];
                let blanks = behind.len() - behind.trim_start_matches(' ').len();
                let start = self.before.trim_end().len();
                return self.edit(
                    start..self.at + word.len() + blanks,
                    format!(" {meant} "),
                    format!("write `{meant}`"),
                );
            }
            if words.contains(&word) {
                let sign = *meant == ",";
                let start = if sign { self.before.trim_end().len() } else { self.at };
                return self.edit(start..self.at + word.len(), *meant, format!("write `{meant}`"));
            }
        }
        match (self.rule, word) {
            ("table_unseen" | "stage_unseen", "=>") if wants("kw_unseen") => self.put(
                0,
                "unseen ",
                "the row is `_ unseen => quarantine`: it takes values that are born later",
            ),
            ("table_row" | "stage_row" | "split_row", _)
                if self.at == 0 && word.chars().all(is_word) && word != "_" && word != "when" =>
            {
                self.put(word.len(), format!("\"{word}\""), "codes stand in quotes")
            }
            ("owner_row" | "zone_line" | "use_line" | "system_line", _)
                if wants("text") && self.rest.starts_with(is_word) =>
            {
                let length = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
                let own = &self.rest[..length];
                if own.contains(['"', '{', '\\']) {
                    None
                } else {
                    self.put(length, format!("\"{own}\""), "it stands in quotes")
                }
            }
            ("drop_line", _)
                if self.rest.starts_with(is_word)
                    && self.before.ends_with(' ')
                    && !matches!(word, "empty" | "derived" | "declined") =>
            {
                self.edit(
                    self.before.trim_end().len()..self.at,
                    ", ",
                    "fields are listed with commas between them",
                )
            }
            ("order_row", "after") => {
                let (left, right) = (self.before.trim(), self.rest[word.len()..].trim());
                self.edit(
                    0..self.line.len(),
                    format!("{right} before {left}"),
                    "the other way round: `A before B`",
                )
            }
            (_, "in") => self.say("compare with each: `X == \"A\" or X == \"B\"`"),
            (_, "like" | "contains" | "matches") => {
                self.say("write `X.contains(\"…\")` or `X.starts_with(\"…\")`")
            }
            (_, "between") => self.say("write `X >= A and X <= B`"),
            _ if self.is_rule() && self.rest.starts_with(is_word) && self.rest.contains("<-") => {
                self.say("each rule stands on a line of its own")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
