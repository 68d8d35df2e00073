//! Every code there is. A code is never reused and never changes its meaning.
//!
//! Each code has a page under `book/src/errors/`, which is also what `b2n explain` prints.

use serde::Serialize;

use super::Severity;

/// A stable finding code such as `B2N-E0301`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static Entry);

/// What the registry knows of a code.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The code as it is printed.
    pub code: &'static str,
    /// What it means, in one line.
    pub title: &'static str,
    /// The page in Markdown, with a bad and a good example.
    pub page: &'static str,
}

impl Code {
    /// The code as it is printed.
    pub fn as_str(self) -> &'static str {
        self.0.code
    }

    /// What it means, in one line.
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// Its page in Markdown.
    pub fn page(self) -> &'static str {
        self.0.page
    }

    /// `…-W…` are warnings, all others errors. Fidelity findings (`L…`) are errors too, but for those whose
    /// entry is raised as a warning on purpose where they are made.
    pub fn severity(self) -> Severity {
        if self.0.code.starts_with("B2N-W") { Severity::Warning } else { Severity::Error }
    }

    /// Looks a code up as people write it: any case, with or without `B2N-`.
    pub fn parse(text: &str) -> Option<Code> {
        let upper = text.trim().to_ascii_uppercase();
        let short = upper.strip_prefix("B2N-").unwrap_or(&upper);
        ALL.iter().copied().find(|code| code.as_str().strip_prefix("B2N-") == Some(short))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.code)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Code = {
                static ENTRY: Entry = Entry {
                    code: concat!("B2N-", $code),
                    title: $title,
                    page: include_str!(concat!("../../../book/src/errors/B2N-", $code, ".md")),
                };
                Code(&ENTRY)
            };
        )*
        /// Every code, in the order of the registry.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    // E01xx: syntax.
    UNEXPECTED_TOKEN = "E0101", "something else was expected here";
    NOT_UTF8 = "E0102", "the file is not UTF-8";
    FILE_TOO_LARGE = "E0103", "the file is larger than a spec may be";
    NESTED_TOO_DEEP = "E0104", "an expression is nested too deep";
    UNCLOSED = "E0105", "a bracket, brace or quote is not closed";
    EDITION = "E0106", "the edition is missing, not first, or unknown";
    DUPLICATE_ITEM = "E0107", "an item or clause stands twice";
    CLAUSE_ORDER = "E0108", "trailing clauses stand in another order than the language's";
    BAD_LITERAL = "E0109", "a literal cannot be read";
    MISSING_ITEM = "E0111", "an item that every spec needs is missing";
    LINE_NOT_HERE = "E0112", "a line has no meaning in this kind of block";

    // E02xx: names.
    UNKNOWN_FIELD = "E0201", "no field of this name or title";
    UNKNOWN_OBJECT = "E0202", "no object of this name";
    UNKNOWN_TABLE = "E0203", "no table of this name";
    UNKNOWN_FUNCTION = "E0204", "no function of this name";
    UNKNOWN_MAP = "E0205", "no map of this name";
    UNKNOWN_VALUE = "E0206", "no such value in the enumeration";
    UNKNOWN_STAGE = "E0207", "no such stage, outcome or pipeline";
    UNKNOWN_USER = "E0208", "no such user";
    TITLE_MISMATCH = "E0209", "the title in backticks is not the title of this code";
    AMBIGUOUS_TITLE = "E0210", "several things bear this title";
    SNAPSHOT_MISSING = "E0211", "a schema snapshot cannot be read";
    SNAPSHOT_INVALID = "E0212", "a schema snapshot is not one that this version understands";
    UNKNOWN_ZONE = "E0213", "no time zone of this name";
    UNKNOWN_TYPE = "E0214", "no type of this name";

    UNKNOWN_FIXTURE = "E0215", "no fixture of this name";
    PROFILE_UNREADABLE = "E0216", "a profile cannot be read";
    OVERRIDE = "E0217", "an item and a profile's item of the same name do not agree who overrides whom";
    PROFILE_CHANGED = "E0218", "a profile is not the one that is pinned";

    // E03xx: exhaustiveness.
    PIPELINE_MISSES_STAGE = "E0301", "a pipeline does not list every stage of its category";
    TABLE_MISSES_VALUE = "E0302", "a table does not list every known value";
    NO_UNSEEN_ROW = "E0303", "a table or pipeline says nothing of values born later";
    DUPLICATE_ROW = "E0304", "a value has two rows";
    OWNERS_NOT_TOTAL = "E0305", "the owners do not cover every user";
    PIPELINE_MISSING = "E0306", "a category of a mapped object has no pipeline";

    SPLIT_NOT_TOTAL = "E0307", "a split does not cover every record or every value";
    SHARED_SOURCE = "E0308", "maps share a source object, and no split says which record goes where";

    // E04xx: coverage.
    SOURCE_FIELD_UNUSED = "E0401", "a source field is neither read nor dropped";
    REQUIRED_NOT_WRITTEN = "E0402", "a required destination field is not written on every path";
    DROP_NOT_EMPTY = "E0403", "a field is dropped as empty, but has values";
    DROPPED_AND_READ = "E0404", "a field is both dropped and read";
    TODO_OPEN = "E0405", "a `todo` is open";
    KEY_MISSING = "E0406", "a map has no key, or one that does not identify its record";
    WRITTEN_TWICE = "E0407", "a destination field is written by two rules";
    GLOB_NEEDS_EMPTY = "E0409", "a `*` drops fields without a claim that they are empty";
    ORPHAN_MISSING = "E0410", "a flatten says nothing of records that have nowhere to go";
    DERIVED_FROM_LOST = "E0412", "a field is dropped as derived from one that does not arrive";

    // E05xx: types, absence, failure.
    TYPE_MISMATCH = "E0501", "the value does not fit where it goes";
    ABSENCE_UNHANDLED = "E0502", "a value may be absent and nothing says what happens then";
    FAILURE_UNHANDLED = "E0503", "a conversion may fail and nothing says what happens then";
    WRONG_ARGUMENTS = "E0504", "a function gets other arguments than it takes";
    NOT_A_CONDITION = "E0505", "a condition is not a yes or no";
    ZONE_NEEDED = "E0506", "a date becomes an instant and no zone says where";
    ARM_NOT_ALLOWED = "E0507", "this arm has no meaning here";
    HOLE = "E0510", "a `???` waits to be filled in";
    RECURSION = "E0511", "a function calls itself";

    // E06xx: capability.
    NOT_WRITABLE = "E0601", "the destination's API cannot write this field";
    NOT_CREATABLE = "E0602", "the destination's API cannot create this object";
    VALUE_NEEDS_MARKET = "E0603", "an amount is written without the market that carries its currency";
    CUSTOM_FIELD_TYPE = "E0604", "a custom field of this type cannot be made";
    CUSTOM_FIELD_EXISTS = "E0605", "a custom field of this name exists with another type";
    MARKER_RESERVED = "E0606", "the marker field belongs to the engine";
    NOT_MATCHABLE = "E0607", "existing records cannot be found by this field";
    AMOUNT_AND_LINES = "E0608", "an amount stands beside product lines, and nothing says which wins";
    NOTES_NOT_TAKEN = "E0609", "the destination takes no notes on these records";

    // E07xx: references and order.
    ORDER_CYCLE = "E0701", "the order has a cycle";
    REF_WRONG_OBJECT = "E0702", "a reference leads to a map of another object";
    ORDER_CONTRADICTION = "E0703", "an order contradicts what a reference needs";
    SECOND_PASS = "E0704", "this cannot be written in a second pass";

    // E08xx: tests, budgets, acceptances.
    FIXTURE_VALUE = "E0801", "a value of a test record does not fit its field";
    FIXTURE_INCOMPLETE = "E0802", "a test record lacks a field that the system always fills";
    TEST_FAILS = "E0803", "a test fails";
    BUDGET_EXCEEDED = "E0804", "a budget is exceeded";
    ACCEPTANCE_EXPIRED = "E0805", "an acceptance has expired";
    ACCEPTANCE_UNMATCHED = "E0806", "an acceptance matches no finding that can be accepted";
    GOLDEN_UNREADABLE = "E0807", "a golden file is missing, cannot be read, or lies outside the project";
    BUDGET_UNKNOWN = "E0808", "a budget limits something that is not measured";

    // L2xx: fidelity.
    LOSS_WITHOUT_REASON = "L201", "a rule loses something and gives no reason";
    LOSS_UNDERSTATED = "L202", "a rule loses more than it says";
    MERGE_WITHOUT_REASON = "L203", "values are merged without a reason";
    CURRENCY_LOST = "L204", "an amount loses its currency";
    CLAIM_CONTRADICTED = "L205", "a claim is not what the statistics say";

    // W…: worth a look.
    DEAD_ROW = "W101", "a row can never apply";
    NEEDLESS_HANDLING = "W102", "something is handled that cannot happen";
    UNUSED_ITEM = "W103", "an item is used nowhere";
    OBJECT_NOT_MAPPED = "W104", "a source object with records is not mapped";
    PROPOSED = "W105", "something was proposed and is not read yet";
    ARM_SHADOWED = "W106", "an arm can never be reached";
    STAGE_ORDER = "W107", "a pipeline turns the order of stages around";
    STAGE_KIND = "W108", "an ended stage leads to one that goes on, or the other way round";
    UNMIGRATED_UNHANDLED = "W109", "a link may point to a record that did not arrive";
    LOSS_OVERSTATED = "W201", "a rule is marked with a loss that it does not have";
    SNAPSHOT_OLD = "W301", "the snapshot is older than thirty days";
    PROFILE_NOT_PINNED = "W302", "a profile is not pinned";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_pages_tell_a_bad_and_a_good_example() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ALL {
            assert!(seen.insert(code.as_str()), "{code} stands twice");
            assert!(
                code.page().starts_with(&format!("# {code}: {}\n", code.title())),
                "{code}: the page's first line"
            );
            assert!(code.page().contains("\n## Bad\n"), "{code}: no bad example");
            assert!(code.page().contains("\n## Good\n"), "{code}: no good example");
        }
    }

    #[test]
    fn codes_are_found_as_people_write_them() {
        assert_eq!(Code::parse("e0301"), Some(PIPELINE_MISSES_STAGE));
        assert_eq!(Code::parse("B2N-E0301"), Some(PIPELINE_MISSES_STAGE));
        assert_eq!(Code::parse("E9999"), None);
    }
}
