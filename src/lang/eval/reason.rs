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
pub fn failed(target: Option<&str>, why: &str) -> String {
    format!("`{}`: {why}", target.unwrap_or("where"))
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
