//! Diffs over functions, splits, folded objects, notes, budgets, exceptions, open decisions.

use super::tests::{SPEC, version};
use super::*;

const MORE: &str = r#"
fn called(given: text?, family: text?) -> text? = join(" ", [given, family])

split deal by CATEGORY_ID {
  "0" `Продажи`  => deal
  "1"            => listed "service is looked at by hand"
  _ unseen       => quarantine
}

flatten process 1032 `Equipment` into company via PARENT_ID_4 {
  pick latest by CREATED_TIME
  where has TITLE
  custom "Serial no"  text  <- UF_CRM_5_SERIAL
  custom "Pieces"     text  <- text(count())  summarised because "one number is kept"
  note "Equipment {TITLE}"  <- UF_CRM_5_SERIAL  for each at most 20  summarised because "no custom objects"
  gap UF_CRM_5_PRICE "prices have no place in Nutshell"
  orphan => skip "equipment without a company"
}

budget {
  quarantine  <= 0.5%
}

accept B2N-L204 on company."Volume" until 2027-01-31 because "agreed in MIG-31" by "ops@acme.example"
"#;

fn whole() -> String {
    let spec = SPEC.replace("person_name(NAME, LAST_NAME)", "called(NAME, LAST_NAME)").replace(
        "  dueTime      <-",
        "  note \"Full title\"  <- TITLE  when TITLE.length() > 100\n  dueTime      <-",
    );
    format!("{spec}{MORE}")
}

fn changes(from: &str, to: &str) -> Vec<Change> {
    let text = whole();
    assert!(text.contains(from), "`{from}` does not stand in the spec");
    let (old, new) = (version(&text), version(&text.replacen(from, to, 1)));
    let found = diff(old.side(), new.side()).changes;
    let back = diff(new.side(), old.side()).changes;
    let losses = |changes: &[Change], reverse: bool| {
        let mut all: Vec<Loss> =
            changes.iter().map(|c| if reverse { c.loss.reversed() } else { c.loss }).collect();
        all.sort();
        all
    };
    assert_eq!(losses(&found, false), losses(&back, true), "{from}");
    let line =
        text[..text.find(from).unwrap_or(0)].lines().count() as u32 + u32::from(!from.starts_with('\n'));
    let near = found.iter().any(|change| change.new.as_ref().is_none_or(|at| at.line.abs_diff(line) <= 1));
    assert!(near, "line {line} is not named: {found:#?}");
    found
}

fn told(from: &str, to: &str) -> Vec<String> {
    changes(from, to).into_iter().map(|change| change.what).collect()
}

#[test]
fn a_plan_with_everything_does_not_differ_from_itself() {
    let (a, b) = (version(&whole()), version(&whole()));
    assert_eq!(diff(a.side(), b.side()).changes, vec![]);
}

#[test]
fn functions_are_told_once_and_their_names_are_none() {
    assert_eq!(
        told("= join(\" \", [given, family])", "= join(\", \", [given, family])"),
        ["function `called` gives `\", \".join([$0, $1])` instead of `\" \".join([$0, $1])`"]
    );
    let found = {
        let (old, new) = (version(&whole()), version(&whole().replace("called(", "full_name(")));
        diff(old.side(), new.side())
    };
    assert!(!found.means(), "{:#?}", found.changes);
    assert_eq!(found.changes[0].what, "function `called` is now called `full_name`");
}

#[test]
fn splits_are_told_by_row() {
    let all =
        changes("\"1\"            => listed \"service is looked at by hand\"", "\"1\"            => deal");
    assert_eq!(
        all[0].what,
        "split `deal`: CATEGORY_ID \"1\" goes to `deal` instead of `listed \"service is looked at by hand\"`"
    );
    assert_eq!((all[0].loss, all[0].count), (Loss::Healed, Count::Exact { records: 8_210 }));
}

#[test]
fn folded_objects_are_told_by_line() {
    assert_eq!(
        told("pick latest by CREATED_TIME", "pick earliest by CREATED_TIME"),
        [
            "`process 1032` folded into `company`: what a bare field reads: `earliest by CREATED_TIME` instead of `latest by CREATED_TIME`"
        ]
    );
    assert_eq!(
        told("at most 20", "at most 5"),
        [
            "`flatten process 1032 into company.note \"Equipment {TITLE}\"` is `one for each, at most 5` instead of `one for each, at most 20`"
        ]
    );
    assert_eq!(
        told("orphan => skip \"equipment without a company\"", "orphan => quarantine"),
        [
            "`process 1032` folded into `company`: orphan: `quarantine` instead of `skip \"equipment without a company\"`"
        ]
    );
    assert!(
        told("where has TITLE\n", "where has UF_CRM_5_SERIAL\n")[0]
            .contains("takes `has UF_CRM_5_SERIAL` instead of `has TITLE`")
    );
    assert!(told("\"prices have", "\"the prices have")[0].contains("(for the gap report)"));
}

#[test]
fn notes_limits_and_exceptions_are_told() {
    assert_eq!(
        told("length() > 100", "length() > 80"),
        ["`deal.note \"Full title\"` when `TITLE.length() > 80` instead of `TITLE.length() > 100`"]
    );
    assert_eq!(told("<= 0.5%", "<= 1%"), ["budget `quarantine` <= 1%, and was 0.5%"]);
    assert_eq!(
        told("until 2027-01-31", "until 2027-03-31"),
        [
            "`B2N-L204 on company.\"Volume\"` is accepted until 2027-03-31 because \"agreed in MIG-31\" by \"ops@acme.example\", and was until 2027-01-31 because \"agreed in MIG-31\" by \"ops@acme.example\""
        ]
    );
}
