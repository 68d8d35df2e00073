//! Which part of the source is extracted, as it is asked for on the command line, and how it is told.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::lang::schema::Schema;
use crate::run::engine::{self, Extent, Portion, Share};
use crate::run::workspace::Workspace;

use super::failure::Failure;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct PortionArgs {
    /// Only deals and items of Smart Processes of this category, with what hangs on them and what they link to: its title
    /// or id, with the object before it where several have one such (`deal/3`). May be given several times.
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<String>,
    /// Only records that were created, changed, or had an activity or comment on this day or later, with all that hangs
    /// on them and what they link to: a day in UTC (`2026-01-31`), or a time with its zone.
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Only a share of the records, such as `5%`, with what hangs on them and what they link to: for trials.
    #[arg(long, value_name = "N%")]
    share: Option<String>,
    /// What the share is drawn by: the same seed, the same records.
    #[arg(long, value_name = "SEED", requires = "share", default_value_t = 1)]
    seed: u64,
    /// Leave comments out.
    #[arg(long)]
    no_comments: bool,
    /// Leave product rows out: of deals, leads, quotes.
    #[arg(long)]
    no_rows: bool,
}

impl PortionArgs {
    /// What is asked for, by the source's schema.
    pub fn portion(&self, schema: &Schema) -> Result<Portion, Failure> {
        let mut categories = Vec::new();
        for name in &self.category {
            categories.push(engine::category(schema, name).map_err(Failure::usage)?);
        }
        categories.sort_unstable();
        categories.dedup();
        Ok(Portion {
            categories,
            comments: !self.no_comments,
            rows: !self.no_rows,
            since_ms: self.since.as_deref().map(since).transpose()?,
            share: self
                .share
                .as_deref()
                .map(|text| Ok::<_, Failure>(Share { percent: percent(text)?, seed: self.seed }))
                .transpose()?,
        })
    }
}

/// A day in UTC or a moment, in Unix milliseconds.
fn since(text: &str) -> Result<i64, Failure> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
    let start = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    start.map(|start| start.timestamp().as_millisecond()).ok_or_else(|| {
        Failure::usage(format!("`{text}` is neither a day nor a time with a zone"))
            .hint("write it as `2026-01-31` or `2026-01-31T18:00:00+01:00`")
    })
}

/// A share in per cent.
fn percent(text: &str) -> Result<Decimal, Failure> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let percent = number.trim().parse::<Decimal>().ok();
    percent.filter(|percent| *percent > Decimal::ZERO && *percent <= Decimal::ONE_HUNDRED).ok_or_else(|| {
        Failure::usage(format!("`{text}` is not a share above 0% and at most 100%"))
            .hint("write it as `5%` or `0.5%`")
    })
}

/// What a person must know of a workspace that holds a part only; empty where it holds all.
pub fn told(workspace: &Workspace, terminal: &Terminal) -> Result<String, Failure> {
    let Some(portion) = Portion::of(workspace)? else { return Ok(String::new()) };
    let what = format!("the workspace holds a part of the source only: {portion}");
    Ok(format!("{}; what is not in it was not looked at\n", terminal.red(&what)))
}

/// What a workspace holds of an object whose records are all there, by what it holds of the source: for people.
pub fn extent(portion: Option<&Portion>, object: &str) -> &'static str {
    match portion.map(|portion| portion.extent(object)) {
        None | Some(Extent::Whole) => "whole",
        Some(Extent::Part) => "a part of it, all there",
        Some(Extent::Rowless) => "whole but for its product rows",
        Some(Extent::LeftOut) => "left out, as it was asked for",
    }
}

/// The same in a word for programs: `open`, `whole`, `part`.
pub fn state(portion: Option<&Portion>, object: &str, done: bool) -> &'static str {
    match portion.map(|portion| portion.extent(object)) {
        _ if !done => "open",
        None | Some(Extent::Whole) => "whole",
        Some(_) => "part",
    }
}

/// The same for programs; null where it holds all.
pub fn printed(workspace: &Workspace) -> Result<Value, Failure> {
    let Some(portion) = Portion::of(workspace)? else { return Ok(Value::Null) };
    let categories: Vec<String> =
        portion.categories.iter().map(|(object, code)| format!("{object}/{code}")).collect();
    Ok(json!({
        "categories": categories, "since_ms": portion.since_ms,
        "share": portion.share.map(|share| json!({"percent": share.percent.normalize().to_string(), "seed": share.seed})),
        "comments": portion.comments, "rows": portion.rows,
    }))
}

/// Refuses what a part cannot be used for.
pub fn refuse(workspace: &Workspace, why: &str, next: &str) -> Result<(), Failure> {
    match Portion::of(workspace)? {
        Some(portion) => {
            Err(Failure::usage(format!("the workspace holds a part of the source only ({portion}), {why}"))
                .hint(next.to_owned()))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_times_and_shares_are_read() {
        for (text, ms) in [
            ("2026-01-01", Some(1_767_225_600_000)),
            ("2026-01-01T01:00:00+01:00", Some(1_767_225_600_000)),
            ("9999-12-30", Some(253_402_128_000_000)),
            ("9999-12-31", None),
            ("2026-01-01T00:00:00", None),
            ("yesterday", None),
            ("2026-13-01", None),
        ] {
            assert_eq!(since(text).ok(), ms, "{text}");
        }
        for (text, percent_is) in [
            ("5%", Some("5")),
            ("0.5", Some("0.5")),
            ("100%", Some("100")),
            ("0%", None),
            ("101%", None),
            ("x", None),
        ] {
            assert_eq!(
                percent(text).ok().map(|p| p.normalize().to_string()).as_deref(),
                percent_is,
                "{text}"
            );
        }
    }
}
