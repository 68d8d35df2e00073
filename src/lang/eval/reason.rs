//! The wording of reasons, apart from what decides on them, so that both interpreters word them alike.

/// A record that does not fit a `where` without a reason of its own.
pub const NOT_IN_WHERE: &str = "does not fit `where`";

/// A `where` that holds back what does not fit.
pub const HELD_BY_WHERE: &str = "held back by `where`";

/// A rule whose last arm is reached.
pub fn no_value(target: &str) -> String {
    format!("`{target}` has no value")
}

/// A conversion that failed, in a rule or in `where`.
pub fn failed(target: &str, why: &str) -> String {
    format!("`{target}`: {why}")
}

/// A code that no row of a table names.
pub fn not_in_table(code: &str, table: &str) -> String {
    format!("`{code}` is not in table `{table}`")
}

/// A code whose row is an arm.
pub fn held_by_table(code: &str, table: &str) -> String {
    format!("`{code}` is held back by table `{table}`")
}

/// A stage that no row of a pipeline names.
pub fn not_in_pipeline(stage: &str, pipeline: &str) -> String {
    format!("stage `{stage}` is not in pipeline `{pipeline}`")
}

/// A stage whose row is an arm.
pub fn held_by_pipeline(stage: &str, pipeline: &str) -> String {
    format!("stage `{stage}` is held back by pipeline `{pipeline}`")
}

/// A category without a pipeline in the spec.
pub fn no_pipeline(category: &str, object: &str) -> String {
    format!("no pipeline of the spec is for category `{category}` of `{object}`")
}

/// A value where a link was expected; reached by no checked plan.
pub const NOT_A_LINK: &str = "not a link";

/// What tells a note where fields go by their names.
pub fn note(name: &str) -> String {
    format!("note \"{name}\"")
}

/// A record that a row of a split holds back or leaves out.
pub fn held_by_split(object: &str) -> String {
    format!("held back by the split of `{object}`")
}

/// A value that no row of a split names, and that its last row holds back.
pub fn not_in_split(code: &str, object: &str) -> String {
    if code.is_empty() {
        format!("the field that the split of `{object}` looks at is absent")
    } else {
        format!("`{code}` is not in the split of `{object}`")
    }
}

/// A record that no row of a split fits; reached by no checked plan.
pub fn no_row_of_split(object: &str) -> String {
    format!("no row of the split of `{object}` fits")
}

/// A record that is to be folded in and has nowhere to go.
pub const ORPHAN: &str = "leads to no record that takes part";

/// The title of the last note, after as many as there may be.
pub fn more_title(count: usize) -> String {
    format!("and {count} more")
}

/// What that note says.
pub fn more_body(count: usize, at_most: u32, source: &str) -> String {
    let (records, have) = if count == 1 { ("record", "has") } else { ("records", "have") };
    let each = match at_most {
        0 => "none is written".to_owned(),
        1 => "1 note is written".to_owned(),
        n => format!("{n} notes are written"),
    };
    format!("{count} more {records} of `{source}` {have} no note here: {each} at most")
}

/// Amounts that cannot be added up.
pub const SEVERAL_CURRENCIES: &str = "amounts of several currencies";

/// A sum that no number holds.
pub const SUM_TOO_GREAT: &str = "the sum is too great";

/// Values that are no numbers; reached by no checked plan.
pub const NOT_NUMBERS: &str = "not numbers or amounts";

/// Values that cannot be compared; reached by no checked plan.
pub const NO_ORDER: &str = "values that have no order between them";

/// Whether a failure says that a value is of another type than the rule takes, rather than that the value is bad.
/// No checked plan has such a failure.
pub fn is_by_type(why: &str) -> bool {
    why.starts_with("expected a ")
        || [NOT_A_LINK, NOT_NUMBERS, NO_ORDER, "no value", "no number", "not an amount"].contains(&why)
}
