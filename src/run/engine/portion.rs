//! Which part of a source a workspace holds, as somebody asked for it.
//!
//! Kept in the workspace before the first record is staged, so that nothing takes a part for the whole afterwards.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::lang::schema::Schema;
use crate::lang::types::Base;
use crate::run::connect::Outline;
use crate::run::workspace::Workspace;

use super::sample::Hash;
use super::{Error, Result};

/// The note that keeps it.
const NOTE: &str = "portion";
/// The note that keeps the objects that it was drawn from.
const OBJECTS: &str = "portion objects";

/// A share of records, drawn by a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Per cent of the records of each object; above 0, at most 100.
    pub percent: Decimal,
    /// The same seed draws the same records.
    pub seed: u64,
}

/// A part of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// Categories by object and code; where there are any, only their records are drawn.
    pub categories: Vec<(String, String)>,
    /// Whether comments are taken.
    pub comments: bool,
    /// Whether product rows are taken.
    pub rows: bool,
    /// Only records that were made, changed or worked with since are drawn: Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Only so many are drawn.
    pub share: Option<Share>,
}

/// What of an object is in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// What was drawn, and what that needs.
    Part,
    /// All of it, without product rows.
    Rowless,
    /// Nothing, as it was asked for.
    LeftOut,
}

impl Default for Portion {
    fn default() -> Self {
        Portion { categories: Vec::new(), comments: true, rows: true, since_ms: None, share: None }
    }
}

impl Portion {
    /// Whether it is all that there is.
    pub fn is_whole(&self) -> bool {
        *self == Portion::default()
    }

    /// Whether records are drawn, rather than all taken.
    pub(super) fn draws(&self) -> bool {
        !self.categories.is_empty() || self.since_ms.is_some() || self.share.is_some()
    }

    /// Whether records of an object are drawn by themselves at all.
    pub(super) fn draws_from(&self, object: &str) -> bool {
        self.categories.is_empty() || self.categories.iter().any(|(of, _)| of == object)
    }

    /// Whether a record is drawn. One that does not say when it was made or changed is.
    pub(super) fn takes(&self, object: &str, outline: &Outline) -> bool {
        let of_category = self.categories.is_empty()
            || outline.category.as_ref().is_some_and(|code| {
                self.categories.iter().any(|(of, category)| of == object && category == code)
            });
        let recent =
            self.since_ms.is_none_or(|since| outline.touched_ms.is_none_or(|touched| touched >= since));
        let drawn = self.share.is_none_or(|share| {
            let hash = Hash::new(share.seed).with(object.as_bytes()).with(outline.id.as_bytes()).end();
            // Hundredths of a per mille are fine enough for a trial.
            let most = (share.percent * Decimal::from(10_000)).round().to_u64().unwrap_or(u64::MAX);
            hash % 1_000_000 < most
        });
        of_category && recent && drawn
    }

    /// What it holds of an object.
    pub fn extent(&self, object: &str) -> Extent {
        if !self.comments && object == super::draw::COMMENT {
            Extent::LeftOut
        } else if self.draws() {
            Extent::Part
        } else if !self.rows
            && (matches!(object, "deal" | "lead" | "quote") || object.starts_with("process "))
        {
            Extent::Rowless
        } else {
            Extent::Whole
        }
    }

    /// What a workspace holds, as it was asked for; `None` where it holds all, or nothing yet.
    ///
    /// # Errors
    /// Those of the workspace, and a note that this version cannot read.
    pub fn of(workspace: &Workspace) -> Result<Option<Portion>> {
        let Some(text) = workspace.note(NOTE)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| {
            Error::Selection(
                "the workspace holds a part of the source that this version cannot tell: extract into a new workspace"
                    .to_owned(),
            )
        })
    }

    /// Takes down that this is what the workspace holds, of these objects. Objects that a plan came to read later were
    /// not there to be drawn from.
    pub(super) fn keep(&self, workspace: &Workspace, objects: &[&str]) -> Result<()> {
        if let Some(before) = workspace.note(OBJECTS)? {
            let before: Vec<String> = serde_json::from_str(&before).unwrap_or_default();
            if let Some(new) = objects.iter().find(|object| !before.iter().any(|known| known == *object)) {
                return Err(Error::Selection(format!(
                    "the spec reads `{new}` now, which it did not when the part of the source was drawn ({self}): take another \
                     workspace with `--workspace FILE`"
                )));
            }
        } else {
            workspace.set_note(OBJECTS, &serde_json::to_string(objects).unwrap_or_default())?;
        }
        Ok(workspace.set_note(NOTE, &serde_json::to_string(self).unwrap_or_default())?)
    }

    /// The options of `b2n extract` that ask for it, each with a space before.
    pub fn options(&self) -> String {
        let mut out = String::new();
        for (object, code) in &self.categories {
            out.push_str(&format!(" --category '{object}/{code}'"));
        }
        if let Some(ms) = self.since_ms {
            out.push_str(&format!(" --since {}", moment(ms)));
        }
        if let Some(share) = self.share {
            out.push_str(&format!(" --share {}% --seed {}", share.percent.normalize(), share.seed));
        }
        if !self.comments {
            out.push_str(" --no-comments");
        }
        if !self.rows {
            out.push_str(" --no-rows");
        }
        out
    }
}

fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| at.to_string()).unwrap_or_else(|_| ms.to_string())
}

/// For people: `category deal/3, since 2026-01-01T00:00:00Z, 5% (seed 1), no comments`.
impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.categories.is_empty() {
            let named = self.categories.iter().map(|(object, code)| format!("{object}/{code}"));
            let word = if self.categories.len() == 1 { "category" } else { "categories" };
            parts.push(format!("{word} {}", named.collect::<Vec<_>>().join(", ")));
        }
        parts.extend(self.since_ms.map(|ms| format!("since {}", moment(ms))));
        parts.extend(self.share.map(|share| format!("{}% (seed {})", share.percent.normalize(), share.seed)));
        if !self.comments {
            parts.push("no comments".to_owned());
        }
        if !self.rows {
            parts.push("no product rows".to_owned());
        }
        f.write_str(if parts.is_empty() { "all of it".to_owned() } else { parts.join(", ") }.as_str())
    }
}

/// The categories that a name stands for: `deal/3`, or a code or title that one object alone has.
///
/// # Errors
/// A name that no category has, or that categories of several objects have; both list what can be named.
pub fn category(schema: &Schema, name: &str) -> std::result::Result<(String, String), String> {
    let mut all = Vec::new();
    for object in &schema.objects {
        let field = object.fields.iter().find(|field| field.name == "CATEGORY_ID");
        let Some(Base::Enum(domain)) = field.map(|field| &field.ty.base) else { continue };
        // Histories tell of categories too, and are not in one.
        if object.name != "deal" && !object.name.starts_with("process ") {
            continue;
        }
        let choices = schema.domains.get(domain).into_iter().flat_map(|domain| &domain.choices);
        all.extend(choices.map(|choice| (object.name.as_str(), choice)));
    }
    let (of, wanted) = match name.rsplit_once('/') {
        Some((object, code)) if all.iter().any(|(of, _)| *of == object) => (Some(object), code),
        _ => (None, name),
    };
    let mine = |(object, _): &&(&str, _)| of.is_none_or(|of| of == *object);
    let by = |test: &dyn Fn(&crate::lang::schema::Choice) -> bool| -> Vec<(String, String)> {
        let found = all.iter().filter(mine).filter(|(_, choice)| test(choice));
        found.map(|(object, choice)| ((*object).to_owned(), choice.code.clone())).collect()
    };
    let mut found = by(&|choice| choice.code == wanted);
    if found.is_empty() {
        found = by(&|choice| choice.title.as_deref().is_some_and(|title| title.eq_ignore_ascii_case(wanted)));
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => {
            let known = all.iter().map(|(object, choice)| {
                let title = choice.title.as_deref().unwrap_or(&choice.code);
                format!("`{object}/{}` ({title})", choice.code)
            });
            let known: Vec<String> = known.collect();
            Err(match known.len() {
                0 => "the snapshot of the source has no categories".to_owned(),
                _ => format!("there is no category `{name}`: name one of {}", known.join(", ")),
            })
        }
        _ => {
            let found: Vec<String> =
                found.iter().map(|(object, code)| format!("`{object}/{code}`")).collect();
            Err(format!("`{name}` is a category of several objects: name one of {}", found.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(id: u64, category: &str, touched_ms: Option<i64>) -> Outline {
        Outline { id: id.to_string(), category: Some(category.to_owned()), touched_ms }
    }

    #[test]
    fn a_record_is_drawn_by_all_that_is_asked() {
        let portion = Portion {
            categories: vec![("deal".to_owned(), "3".to_owned())],
            since_ms: Some(1_000),
            ..Portion::default()
        };
        assert!(portion.takes("deal", &outline(1, "3", Some(1_000))));
        assert!(portion.takes("deal", &outline(1, "3", None)), "no time is no reason to be left out");
        assert!(!portion.takes("deal", &outline(1, "3", Some(999))));
        assert!(!portion.takes("deal", &outline(1, "4", Some(2_000))));
        assert!(!portion.takes("process 1032", &outline(1, "3", Some(2_000))));
        assert!(portion.draws_from("deal") && !portion.draws_from("company"));
    }

    #[test]
    fn a_share_is_what_it_says_and_the_seeds_own() {
        let share = |percent: &str, seed| Portion {
            share: Some(Share { percent: percent.parse().expect("a number"), seed }),
            ..Portion::default()
        };
        let drawn = |portion: &Portion| -> Vec<u64> {
            (1..=20_000).filter(|id| portion.takes("deal", &outline(*id, "0", None))).collect()
        };
        let one = drawn(&share("2.5", 1));
        assert!((400..600).contains(&one.len()), "{}", one.len());
        assert_eq!(one, drawn(&share("2.5", 1)));
        assert_ne!(one, drawn(&share("2.5", 2)));
        assert_eq!(drawn(&share("100", 1)).len(), 20_000);
        // More per cent draw the same records and others.
        let more = drawn(&share("10", 1));
        assert!(one.iter().all(|id| more.contains(id)));
    }

    #[test]
    fn no_object_of_a_part_is_called_whole() {
        let drawn = Portion { since_ms: Some(1), comments: false, ..Portion::default() };
        assert_eq!(drawn.extent("deal"), Extent::Part);
        assert_eq!(drawn.extent("comment"), Extent::LeftOut);
        let rowless = Portion { rows: false, ..Portion::default() };
        assert_eq!(rowless.extent("deal"), Extent::Rowless);
        assert_eq!(rowless.extent("company"), Extent::Whole);
        assert_eq!(Portion::default().extent("comment"), Extent::Whole);
    }

    #[test]
    fn what_was_asked_can_be_asked_again() {
        let portion = Portion {
            categories: vec![("process 1032".to_owned(), "7".to_owned())],
            comments: false,
            rows: false,
            since_ms: Some(1_767_225_600_000),
            share: Some(Share { percent: Decimal::new(50, 1), seed: 9 }),
        };
        assert_eq!(
            portion.options(),
            " --category 'process 1032/7' --since 2026-01-01T00:00:00Z --share 5% --seed 9 --no-comments --no-rows"
        );
        let workspace = Workspace::in_memory().expect("opens");
        assert_eq!(Portion::of(&workspace).expect("reads"), None);
        portion.keep(&workspace, &["deal", "task"]).expect("keeps");
        portion.keep(&workspace, &["task"]).expect("a spec that reads less");
        assert_eq!(Portion::of(&workspace).expect("reads"), Some(portion.clone()));
        let refused = portion.keep(&workspace, &["lead", "task"]).expect_err("a spec that reads more");
        assert!(refused.to_string().contains("`lead`"), "{refused}");
    }
}
