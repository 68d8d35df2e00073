//! What habits of other languages are answered with.

use super::*;

fn mended(rule: &str, line: &str, at: &str, wanted: &[&str]) -> (String, String) {
    let place = line.find(at).expect("the place");
    let habit = habit(rule, line, place, |rule| wanted.contains(&rule)).expect("a habit");
    let mut out = line.to_owned();
    for (range, text) in habit.edits.iter().rev() {
        out.replace_range(range.clone(), text);
    }
    (out, habit.help)
}

#[test]
fn habits_of_other_languages_are_mended() {
    for (rule, line, at, wanted, expected) in [
        ("rule_line", "name := TITLE", ":=", &["left_arrow"][..], "name <- TITLE"),
        ("rule_line", "Account.name <- TITLE", ".", &["left_arrow"], "name <- TITLE"),
        ("rule_line", "user(A) -> owner", "(", &["left_arrow"], "owner <- user(A)"),
        ("rule_line", "KEY ID", "ID", &["left_arrow"], "key ID"),
        ("rule_line", "x <- A ELSE \"b\"", "ELSE", &["EOI"], "x <- A else \"b\""),
        ("rule_line", "x <- A ?? \"b\"", "??", &["EOI"], "x <- A else \"b\""),
        ("rule_line", "x <- A narrowed \"b\"", "\"b\"", &["EOI"], "x <- A narrowed because \"b\""),
        ("rule_line", "x <- A on error unset", "on", &["EOI"], "x <- A on fail unset"),
        ("rule_line", "x <- A when B = 1", "= 1", &["EOI"], "x <- A when B == 1"),
        ("rule_line", "x <- t [A]", "[", &["EOI"], "x <- t[A]"),
        ("rule_line", "x <- A.at(18:00)", ":00", &["close_paren"], "x <- A.at(\"18:00\")"),
        ("rule_line", "x <- 0,5", ",5", &["EOI"], "x <- 0.5"),
        ("rule_line", "x <- refs a[B]", "[", &["open_paren"], "x <- refs a(B)"),
        ("rule_line", "x <- A,", ",", &["EOI"], "x <- A"),
        ("where_line", "where has(A)", "(", &["field_ref"], "where has A"),
        ("where_line", "where exists A", "A", &["EOI"], "where has A"),
        ("where_line", "where !A", "!", &["value"], "where not A"),
        ("table_row", "* => unset", "*", &[], "_ unseen => unset"),
        ("table_row", "default => unset", "default", &[], "_ unseen => unset"),
        ("table_row", "IT => \"x\"", "IT", &[], "\"IT\" => \"x\""),
        ("table_row", "\"A\" \"B\" => \"x\"", "\"B\"", &["gives"], "\"A\", \"B\" => \"x\""),
        ("table_row", "\"A\" | \"B\" => \"x\"", "|", &["gives"], "\"A\", \"B\" => \"x\""),
        ("table_unseen", "_ => unset", "=>", &["kw_unseen"], "_ unseen => unset"),
        ("owner_row", "_ => \"a\"", "_", &[], "otherwise => \"a\""),
        ("stage_row", "\"A\" => \"B\"", "\"B\"", &["stage_word"], "\"A\" => stage \"B\""),
        ("order_row", "b after a", "after", &["kw_before"], "a before b"),
        ("zone_line", "zone Europe/Moscow", "Europe", &["text"], "zone \"Europe/Moscow\""),
        ("drop_line", "drop A B empty", "B", &["drop_reason"], "drop A, B empty"),
    ] {
        let wanted: Vec<&str> = wanted.to_vec();
        assert_eq!(mended(rule, line, at, &wanted).0, expected, "{line}");
    }
}

#[test]
fn any_place_of_any_line_is_looked_at_without_a_panic() {
    let lines = ["ж = «т», x", "name <- “я” ?? 1", "a[ü] (é", "- 31.12.2026", "f\"ü\" % x", "on ü"];
    for line in lines {
        for (at, _) in line.char_indices().chain([(line.len(), ' ')]) {
            for rule in ["rule_line", "where_line", "table_row", "key_line", "zone_line", "drop_line"] {
                for answer in [true, false] {
                    if let Some(habit) = habit(rule, line, at, |_| answer) {
                        assert!(
                            habit.edits.iter().all(|(range, _)| line.get(range.clone()).is_some()),
                            "{line}"
                        );
                    }
                }
            }
        }
    }
}
