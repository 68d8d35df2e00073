//! What people's words come to, and the file that carries them to another workspace.
//!
//! The file is JSON, versioned, and bound to a plan by its hash. What it says is another person's input: every name,
//! text and number is bounded before anything of it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::workspace::{Comment, LONGEST_COMMENT, LONGEST_NAME, Mark, Said};

use super::Sheet;

/// The format that is written and read.
pub const FORMAT: &str = "b2n-review/1";

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 64 * 1024 * 1024;

/// The last moment that a clock may say, Unix milliseconds: the year 2100.
const LAST_MS: i64 = 4_102_444_800_000;

/// How a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticked {
    /// Somebody ticked what is shown now, and nobody reopened it since.
    Yes,
    /// Somebody did, and what is shown has changed since.
    Stale,
    /// Nobody did, or somebody reopened it.
    No,
}

/// How a record stands by the marks on it, where this is what is shown of it.
pub fn ticked(marks: &[&Mark], digest: &str) -> Ticked {
    let reopened = marks.iter().filter(|mark| !mark.ticked).map(|mark| mark.at_ms).max();
    let standing = marks.iter().filter(|mark| mark.ticked && Some(mark.at_ms) > reopened);
    let (mut any, mut same) = (false, false);
    for mark in standing {
        (any, same) = (true, same || mark.digest == digest);
    }
    match (any, same) {
        (_, true) => Ticked::Yes,
        (true, false) => Ticked::Stale,
        (false, false) => Ticked::No,
    }
}

/// How a review stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Records that are shown and ticked, by map and key.
    pub ticked: Vec<(String, String)>,
    /// Those whose values changed since they were ticked.
    pub stale: Vec<(String, String)>,
    /// Those that nobody ticked, or somebody reopened.
    pub unticked: Vec<(String, String)>,
    /// Comments that are open, of whatever record.
    pub open: Vec<Comment>,
    /// Comments that are settled.
    pub settled: usize,
    /// Who ticked how many of what is shown.
    pub people: BTreeMap<String, usize>,
}

impl Standing {
    /// How the records of a sheet stand.
    pub fn of(sheet: &Sheet, said: &Said) -> Standing {
        let mut marks: BTreeMap<(&str, &str), Vec<&Mark>> = BTreeMap::new();
        for mark in &said.marks {
            marks.entry((&mark.map, &mark.key)).or_default().push(mark);
        }
        let mut standing = Standing::default();
        for (map, key, digest) in sheet.digests() {
            let of = marks.get(&(map, key)).map_or(&[][..], Vec::as_slice);
            let name = (map.to_owned(), key.to_owned());
            match ticked(of, digest) {
                Ticked::Yes => {
                    for mark in of.iter().filter(|mark| mark.ticked && mark.digest == digest) {
                        *standing.people.entry(mark.person.clone()).or_default() += 1;
                    }
                    standing.ticked.push(name);
                }
                Ticked::Stale => standing.stale.push(name),
                Ticked::No => standing.unticked.push(name),
            }
        }
        let (open, settled): (Vec<&Comment>, Vec<&Comment>) = said.comments.iter().partition(|c| c.open);
        standing.open = open.into_iter().cloned().collect();
        standing.settled = settled.len();
        standing
    }

    /// How many records are shown.
    pub fn shown(&self) -> usize {
        self.ticked.len() + self.stale.len() + self.unticked.len()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    plan: String,
    spec: String,
    exported_ms: i64,
    marks: Vec<MarkLine>,
    comments: Vec<CommentLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkLine {
    map: String,
    key: String,
    by: String,
    at_ms: i64,
    ticked: bool,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommentLine {
    id: String,
    map: String,
    key: String,
    field: String,
    by: String,
    text: String,
    made_ms: i64,
    open: bool,
    turned_by: String,
    turned_ms: i64,
}

/// The words of a workspace as a file.
pub fn export(plan: &str, spec: &str, said: &Said, now_ms: i64) -> String {
    let marks = said.marks.iter().cloned().map(|mark| MarkLine {
        map: mark.map,
        key: mark.key,
        by: mark.person,
        at_ms: mark.at_ms,
        ticked: mark.ticked,
        digest: mark.digest,
    });
    let comments = said.comments.iter().cloned().map(|comment| CommentLine {
        id: comment.id,
        map: comment.map,
        key: comment.key,
        field: comment.field,
        by: comment.person,
        text: comment.text,
        made_ms: comment.made_ms,
        open: comment.open,
        turned_by: comment.turned_by,
        turned_ms: comment.turned_ms,
    });
    let file = File {
        format: FORMAT.to_owned(),
        plan: plan.to_owned(),
        spec: spec.to_owned(),
        exported_ms: now_ms,
        marks: marks.collect(),
        comments: comments.collect(),
    };
    // INVARIANT: texts, numbers and booleans always serialise.
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
    text.push('\n');
    text
}

/// Why a file cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFile {
    /// It is no such file.
    #[error("it is no review of this version: {0}")]
    NotOne(String),
    /// It is of another plan.
    #[error("it is a review of plan {found}, and this spec's plan is {here}")]
    OtherPlan {
        /// The first digits of its plan.
        found: String,
        /// The first digits of this one.
        here: String,
    },
    /// Something in it is out of bounds.
    #[error("{0}")]
    OutOfBounds(String),
}

/// Reads a file of words on a plan.
///
/// # Errors
/// A file that is none, is of another plan, or says what nobody can say here.
pub fn import(plan: &str, text: &str) -> Result<Said, BadFile> {
    let file: File = serde_json::from_str(text).map_err(|why| BadFile::NotOne(why.to_string()))?;
    if file.format != FORMAT {
        return Err(BadFile::NotOne(format!("its format is `{}`, not `{FORMAT}`", brief(&file.format))));
    }
    if file.plan != plan {
        let short = |hash: &str| hash.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        return Err(BadFile::OtherPlan { found: short(&file.plan), here: short(plan) });
    }
    let mut said = Said::default();
    for line in file.marks {
        name(&line.map, &line.key)?;
        when(&[line.at_ms])?;
        let person = person(&line.by).map_err(BadFile::OutOfBounds)?;
        if line.digest.len() > 64 {
            return Err(BadFile::OutOfBounds("a `digest` in it is too long".to_owned()));
        }
        let MarkLine { map, key, at_ms, ticked, digest, .. } = line;
        said.marks.push(Mark { map, key, person, at_ms, ticked, digest });
    }
    for line in file.comments {
        name(&line.map, &line.key)?;
        when(&[line.made_ms, line.turned_ms])?;
        id(&line.id).map_err(BadFile::OutOfBounds)?;
        let text = comment(&line.text).map_err(BadFile::OutOfBounds)?;
        let by = person(&line.by).map_err(BadFile::OutOfBounds)?;
        let turned_by = person(&line.turned_by).map_err(BadFile::OutOfBounds)?;
        let CommentLine { id, map, key, field, made_ms, open, turned_ms, .. } = line;
        said.comments.push(Comment {
            id,
            map,
            key,
            field,
            person: by,
            text,
            made_ms,
            open,
            turned_by,
            turned_ms,
        });
    }
    Ok(said)
}

fn brief(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn name(map: &str, key: &str) -> Result<(), BadFile> {
    match map.is_empty() || key.is_empty() || map.len() > 1_000 || key.len() > 1_000 {
        true => Err(BadFile::OutOfBounds("a record in it has no name, or too long a one".to_owned())),
        false => Ok(()),
    }
}

fn when(times: &[i64]) -> Result<(), BadFile> {
    match times.iter().all(|ms| (0..=LAST_MS).contains(ms)) {
        true => Ok(()),
        false => Err(BadFile::OutOfBounds("a time in it is out of range".to_owned())),
    }
}

/// A comment's own name.
///
/// # Errors
/// One that is none; says why.
pub fn id(text: &str) -> Result<(), String> {
    let fine = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fine { Ok(()) } else { Err("the name of a comment is 1 to 64 letters, digits and `-`".to_owned()) }
}

/// A person's name as it is kept.
///
/// # Errors
/// One that nobody can be called; says why.
pub fn person(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("nobody is named who says it".to_owned())
    } else if text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control) {
        Err(format!("a name is one line of at most {LONGEST_NAME} characters"))
    } else {
        Ok(text.to_owned())
    }
}

/// A comment's text as it is kept.
///
/// # Errors
/// One that says nothing, or too much; says why.
pub fn comment(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("the comment says nothing".to_owned())
    } else if text.chars().count() > LONGEST_COMMENT {
        Err(format!("a comment has at most {LONGEST_COMMENT} characters"))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(person: &str, at_ms: i64, ticked: bool, digest: &str) -> Mark {
        let (map, key) = ("deal".to_owned(), "7".to_owned());
        Mark { map, key, person: person.to_owned(), at_ms, ticked, digest: digest.to_owned() }
    }

    #[test]
    fn a_tick_holds_until_somebody_reopens_or_what_is_shown_changes() {
        let of = |marks: &[Mark]| ticked(&marks.iter().collect::<Vec<_>>(), "now");
        assert_eq!(of(&[]), Ticked::No);
        assert_eq!(of(&[mark("a", 5, true, "now")]), Ticked::Yes);
        assert_eq!(of(&[mark("a", 5, true, "then")]), Ticked::Stale);
        assert_eq!(of(&[mark("a", 5, true, "now"), mark("b", 6, false, "now")]), Ticked::No);
        assert_eq!(of(&[mark("a", 7, true, "now"), mark("b", 6, false, "now")]), Ticked::Yes);
        assert_eq!(of(&[mark("a", 5, true, "then"), mark("b", 6, true, "now")]), Ticked::Yes);
        assert_eq!(
            of(&[mark("a", 6, true, "now"), mark("b", 6, false, "now")]),
            Ticked::No,
            "in doubt, look"
        );
    }

    fn said() -> impl Strategy<Value = Said> {
        let names = "[a-zA-Z ж<>&\"'=@\u{202e}]{0,8}x";
        let mark = ("[a-z ]{1,5}", "[0-9]{1,3}", names, 0i64..LAST_MS, any::<bool>(), "[0-9a-f]{0,32}")
            .prop_map(|(map, key, person, at_ms, ticked, digest)| Mark {
                map,
                key,
                person: person.trim().to_owned(),
                at_ms,
                ticked,
                digest,
            });
        let comment = ("[a-z0-9-]{1,9}", "\\PC{0,30}y", names, 0i64..LAST_MS, any::<bool>()).prop_map(
            |(id, text, person, made_ms, open)| Comment {
                id,
                map: "deal".to_owned(),
                key: "7".to_owned(),
                field: String::new(),
                person: person.trim().to_owned(),
                text: text.trim().to_owned(),
                made_ms,
                open,
                turned_by: person.trim().to_owned(),
                turned_ms: made_ms,
            },
        );
        (proptest::collection::vec(mark, 0..6), proptest::collection::vec(comment, 0..6))
            .prop_map(|(marks, comments)| Said { marks, comments })
    }

    proptest! {
        #[test]
        fn what_is_exported_is_imported(said in said()) {
            let text = export("h4sh", "acme.b2n", &said, 5);
            prop_assert_eq!(import("h4sh", &text), Ok(said));
        }

        #[test]
        fn no_file_makes_the_import_fail_but_with_words(text in "\\PC{0,60}|\\{\"format\":\"b2n-review/1\".{0,40}") {
            if let Err(why) = import("h4sh", &text) {
                prop_assert!(!why.to_string().is_empty());
            }
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_and_says_why() {
        let fine =
            export("h4sh", "acme.b2n", &Said { marks: vec![mark("a", 5, true, "d")], ..Said::default() }, 5);
        assert!(import("h4sh", &fine).is_ok());
        let other = import("0ther", &fine).expect_err("is of another plan");
        assert_eq!(other, BadFile::OtherPlan { found: "h4sh".to_owned(), here: "0ther".to_owned() });
        let long = "x".repeat(LONGEST_NAME + 1);
        for (from, to, why) in [
            ("b2n-review/1", "b2n-review/9x", "format"),
            ("\"at_ms\": 5", "\"at_ms\": -1", "time"),
            ("\"at_ms\": 5", "\"at_ms\": 9223372036854775807", "time"),
            ("\"by\": \"a\"", "\"by\": \" \"", "nobody"),
            ("\"by\": \"a\"", "\"by\": \"a\\u0007\"", "one line"),
            ("\"by\": \"a\"", &format!("\"by\": \"{long}\""), "at most"),
            ("\"map\": \"deal\"", "\"map\": \"\"", "no name"),
            ("\"ticked\": true", "\"ticked\": 1", "no review"),
            ("\"ticked\": true", "\"ticked\": true, \"more\": 1", "no review"),
        ] {
            assert!(fine.contains(from), "{from}");
            let told = import("h4sh", &fine.replacen(from, to, 1)).expect_err(to).to_string();
            assert!(told.contains(why), "{told}");
        }
        assert!(id("a-1").is_ok() && id("").is_err() && id("a b").is_err() && id(&"a".repeat(65)).is_err());
        assert!(comment(" ").is_err() && comment(&"ж".repeat(LONGEST_COMMENT + 1)).is_err());
    }
}
