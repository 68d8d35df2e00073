//! What is wrong is said at its place, hides nothing else, and never breaks anything.

use proptest::prelude::*;

use super::super::tokens::{Kind, tokens};
use super::{fixed, meaning, sample, source, told};
use crate::lang::finding::registry;
use crate::lang::syntax::parse;

const HEAD: &str = "edition 2026\n";

fn told_after_edition(text: &str) -> Vec<String> {
    told(&format!("{HEAD}{text}"))
}

#[test]
fn every_bad_row_has_its_finding_and_hides_no_other() {
    let text = "\
map company -> Account {
 name <- TITLE else
 phone <- PHONE.each(phone(\"US\") else \"x\"
 url WEB
 kye ID
 drop A, B
 custom \"A\" text UF_X
 key ID
}
pipeline sales : deal category 0 -> \"Sales\"
 \"NEW\" stage \"Q\"
 \"A\" => \"Q\"
 \"B\", => won \"x\"
 _ unseen quarantine
}
owners {
 match by mail
 \"a\" -> \"b\"
 dismissed => \"x\" flag
}
table t : enum(S) -> Lead.x {
 \"A\" => \"b\" merged because
 \"A\\q\" => 2027-13-45
 \"x{y}\" => 1500.00 USD
}
source bitrix24
";
    let expected = [
        "E0101 3:20 expected a value",
        "E0105 4:21 a bracket is not closed",
        "E0101 5:6 expected `<-` after the destination field",
        "E0101 6:6 expected `<-` after the destination field",
        "E0101 7:11 expected `empty`, `derived from …` or `declined \"why\"`",
        "E0101 8:18 expected `<-` after the type",
        "E0101 11:44 expected `{` at the end of the line",
        "E0101 12:8 expected `=>` after the stage codes",
        "E0101 13:9 expected `stage`, `won`, `lost`, `cancelled` or an arm such as `quarantine`",
        "E0101 14:7 expected a code in quotes",
        "E0101 15:11 expected `=>` after the stage codes",
        "E0101 18:11 expected `email`",
        "E0101 19:6 expected `=>` after the user",
        "E0101 20:23 expected a text in quotes",
        "E0101 23:27 expected a text in quotes",
        "E0109 24:4 `\\q` means nothing in a text",
        "E0109 24:11 no such day is in the calendar",
        "E0109 25:4 a name or reason cannot hold a value in braces",
        "E0101 27:16 expected a text in quotes",
    ];
    assert_eq!(told_after_edition(text), expected);
}

#[test]
fn what_is_not_closed_is_told_at_its_opening_and_the_next_item_goes_on() {
    let text = "\
owners {
 match by email
map a -> B {
 x <- A
 y <- \"lone {x
 z <- `t
 w <- (a
 v <- [a, b
 key ID
zone \"UTC\"
}
";
    let expected = [
        "E0105 2:8 a block is not closed",
        "E0105 4:12 a block is not closed",
        "E0105 6:13 `{` inside a text is not closed on its line",
        "E0105 7:7 a title is not closed",
        "E0105 8:7 a bracket is not closed",
        "E0105 9:7 a bracket is not closed",
        "E0101 12:1 `}` closes nothing",
    ];
    assert_eq!(told_after_edition(text), expected);
    let (spec, _) = parse(&source(&format!("{HEAD}{text}")));
    assert_eq!(spec.items.len(), 4, "edition, owners, map, zone: {spec:#?}");
}

#[test]
fn the_edition_stands_first_and_is_known() {
    assert_eq!(told(""), ["E0106 1:1 the spec does not say its edition"]);
    assert_eq!(told("# only\n\n# comments"), ["E0106 1:1 the spec does not say its edition"]);
    assert_eq!(told("# above\nedition 2026"), [""; 0]);
    assert_eq!(told("edition 2027"), ["E0106 1:1 this version does not know edition 2027"]);
    assert_eq!(told("edition 99999999999"), ["E0109 1:9 the number is too large"]);
    assert_eq!(told("zone \"X\"\nedition 2026"), ["E0106 2:1 the edition does not stand first"]);
    assert_eq!(told("edition 2026\nedition 2026"), ["E0107 2:1 `edition` stands twice"]);
    assert_eq!(fixed("zone \"X\"\n"), "edition 2026\nzone \"X\"\n");
}

#[test]
fn certain_fixes_mend_what_they_are_offered_for() {
    for (bad, good) in [
        ("map company Account {\n}", "map company -> Account {\n}"),
        ("map company => Account {\n}", "map company -> Account {\n}"),
        ("map a -> B {\n x A\n}", "map a -> B {\n x <- A\n}"),
        ("map a -> B {\n x = A\n}", "map a -> B {\n x <- A\n}"),
        ("map a -> B\n x <- A\n}", "map a -> B {\n x <- A\n}"),
        ("owners {\n dismissed \"x\"\n}", "owners {\n dismissed => \"x\"\n}"),
        (
            "map a -> B {\n x <- A on fail unset else \"b\" when C\n}",
            "map a -> B {\n x <- A when C else \"b\" on fail unset\n}",
        ),
    ] {
        let bad = format!("{HEAD}{bad}");
        assert_eq!(fixed(&bad), format!("{HEAD}{good}"));
        assert!(!told(&bad).is_empty());
        assert_eq!(told(&fixed(&bad)), [""; 0]);
    }
}

#[test]
fn what_stands_twice_is_told() {
    let text = "\
source a \"a\"
source b \"b\"
owners { match by email }
owners { match by email }
table t : text -> text {
 _ unseen => stop
 _ unseen => stop
}
table t : text -> text {
}
map a -> B {
 key ID
 key ID
 on delete list
 on delete delete
 x <- A when B when C
}
map a -> C {
}
";
    let expected = [
        "E0107 3:1 `source` stands twice",
        "E0107 5:1 `owners` stands twice",
        "E0107 8:2 the row `_ unseen` stands twice",
        "E0107 10:7 two items are called table `t`",
        "E0107 14:2 `key` stands twice",
        "E0107 16:2 `on delete` stands twice",
        "E0107 17:16 a clause stands twice in one rule",
        "E0107 19:5 two items are called map `a`",
    ];
    assert_eq!(told_after_edition(text), expected);
}

#[test]
fn misspelt_words_are_guessed() {
    let help = |text: &str| {
        let (_, findings) = parse(&source(&format!("{HEAD}{text}")));
        findings.first().and_then(|f| f.help.clone()).unwrap_or_default()
    };
    assert_eq!(help("traget x \"y\""), "was `target` meant?");
    assert_eq!(help("map a -> B {\n drpo A empty\n}"), "was `drop` meant?");
    assert!(help("name <- TITLE").starts_with("a rule stands inside of `map"), "{}", help("name <- TITLE"));
}

#[test]
fn lines_that_belong_to_nothing_are_told_once() {
    assert_eq!(
        told_after_edition("foo\nbar\nbaz\nzone \"UTC\"\nqux"),
        ["E0101 2:1 expected an item", "E0101 6:1 expected an item"]
    );
    assert_eq!(
        told_after_edition("order {\n} {\n a\n}\n}"),
        ["E0101 3:3 a block opens that belongs to nothing", "E0101 6:1 `}` closes nothing"]
    );
    assert_eq!(told_after_edition("zone \"UTC\" {\n}"), ["E0101 2:12 expected the end of the line"]);
}

#[test]
fn bad_lines_of_every_block_have_a_finding_each() {
    let text = "\
use standard
fn f(a text) -> text = a
fn g(a: text) -> text a
split lead {
  when A = 1 => x
  \"1\" -> y
  otherwise => 
  good => z
  _ unseen => quarantine
}
flatten process 1032 to company via P {
  pick last by X
  orphan skip \"x\"
  gap A
  note \"t\" <- A for each 3
  proposed x <- A
  y <- each rows {
    z A
    w <- B
  } else
  v <- each rows
  u <- A
}
fixture a = deal { ID: \"7\" TITLE: \"x\" }
fixture b = deal {
  ID: \"7\",
  TITLE \"x\"
}
fixture c = deal { ID: \"7\",
test \"t\" {
  given deal { A: 1
  expect Lead { }
  expect nothing
  when x
}
test every row
golden deal \"a\" -> Lead \"b\"
budget {
  quarantine < 1%
  merged <= many
}
accept L204 on a until tomorrow because \"x\" by \"y\"
refine mapp a -> B {
  x A
}
zone \"UTC\"
";
    let expected = [
        "E0101 2:5 expected a text in quotes",
        "E0101 3:8 expected `:`",
        "E0101 4:23 expected `=` after the type",
        "E0101 6:10 expected `=>` after what the row is for",
        "E0101 7:7 expected `=>` after what the row is for",
        "E0101 8:15 expected the name of a map",
        "E0101 9:3 expected a code in quotes",
        "E0101 12:22 expected `into`",
        "E0101 13:8 expected `earliest` or `latest`",
        "E0101 14:10 expected `=>` after `orphan`",
        "E0101 15:8 expected a text in quotes",
        "E0101 16:26 expected a clause such as `else`, `at`, an operator or the end of the line",
        "E0101 17:12 expected `<-` after the destination field",
        "E0101 19:7 expected `<-` after the destination field",
        "E0101 21:9 expected a value",
        "E0101 22:17 expected `{`",
        "E0101 25:28 expected `}` or `,`",
        "E0101 28:9 expected `:`",
        "E0105 30:18 a bracket is not closed",
        "E0105 32:14 a bracket is not closed",
        "E0101 34:17 expected `{`",
        "E0101 35:3 expected `given` or `expect`",
        "E0101 37:15 expected a name",
        "E0101 38:17 expected `=>` between the records and what comes out of them",
        "E0101 40:14 expected `<=` after what is limited",
        "E0101 41:13 expected a limit such as `0.5%` or `2 tables`",
        "E0101 43:24 expected a value",
        "E0101 44:1 expected an item",
        "E0101 45:5 expected `<-` after the destination field",
    ];
    assert_eq!(told_after_edition(text), expected);
}

#[test]
fn nesting_and_chains_are_bounded() {
    let map = |value: &str| format!("{HEAD}map a -> B {{\n x <- {value}\n key\n}}\n");
    for value in [
        format!("{}A{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}A{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{}A{}", "f(".repeat(10_000), ")".repeat(10_000)),
        format!("{}A{}", "\"{".repeat(10_000), "}\"".repeat(10_000)),
        format!("\"{{{}A{}}}\"", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}A", "not ".repeat(10_000)),
        format!("\"{{{}A}}\"", "not ".repeat(10_000)),
        format!("A{}", " or A".repeat(10_000)),
        format!("A{}", ".f()".repeat(10_000)),
    ] {
        let told = told(&map(&value));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("E0104 3:2 ") && told[1].starts_with("E0101 4:"), "{told:?}");
    }
    // As deep as is allowed, in the small stack of a test's thread.
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("t[", "]"), ("not (", ")")] {
        let told = told(&map(&format!("{}A{}", open.repeat(32), close.repeat(32))));
        assert_eq!(told.len(), 1, "{told:?}");
    }
    let blocks = told(&format!("{HEAD}{}", "map a -> B {\n x {\n".repeat(10_000)));
    assert!(blocks.iter().any(|line| line.starts_with("E0105")), "{:?}", blocks.first());
    let blocks = told(&format!("{HEAD}{}", "{".repeat(100_000)));
    assert!(blocks.iter().any(|line| line.starts_with("E0104")), "{:?}", blocks.first());
}

#[test]
fn odd_characters_are_no_trouble() {
    assert_eq!(told("edition 2026\r\nzone \"UTC\"\r\nmap a -> B {\r\n key ID\r\n}\r\n"), [""; 0]);
    assert_eq!(told("edition 2026\n\""), ["E0105 2:1 a text is not closed on its line"]);
    assert_eq!(told("edition 2026\n`\n"), ["E0105 2:1 a title is not closed"]);
    let nul = told("edition 2026\nmap a -> B {\n key \0 ID\n x\0<- A\n}");
    assert_eq!(nul.len(), 2, "{nul:?}");
    let nbsp = told("edition 2026\nmap a -> B {\n key\u{a0}ID\n}");
    assert_eq!(nbsp, ["E0101 3:5 a character that cannot be seen stands here"]);
    assert_eq!(
        told("edition 2026\nmap компания -> Счёт { # ком\n имя <- ПОЛЕ `Имя «x»` else \"Фирма {ИД}\"\n}"),
        [""; 0]
    );
}

#[test]
fn findings_are_not_without_end() {
    let text = format!("{HEAD}map a -> B {{\n{}}}\n", "x\n".repeat(5000));
    let told = told(&text);
    assert_eq!(told.len(), 1001);
    assert_eq!(told[1000], "E0101  4000 more findings are not shown");
}

#[test]
fn overlong_lines_are_refused_at_once() {
    let text = format!("{HEAD}map a -> B {{\n x <- [{}]\n key\n}}\n", "A, ".repeat(100_000));
    assert_eq!(
        told(&text),
        ["E0101 3:2 a line is longer than 262144 bytes", "E0101 4:5 expected a source field"]
    );
}

/// Every token of the sample is deleted once.
#[test]
fn a_deleted_token_is_reported_or_changes_the_plan() {
    let Some(core) = sample() else { return };
    assert_eq!(told(&core), [""; 0], "{core}");
    let before = meaning(&core);
    let (all, _) = tokens(&core);
    let (mut deletions, mut reported, mut exact) = (0, 0, 0);
    for token in all.iter().filter(|t| !matches!(t.kind, Kind::Newline | Kind::Comment)) {
        let mut text = core.clone();
        text.replace_range(token.span.range(), "");
        let line = source(&core).position(token.span.start).line;
        let text = source(&text);
        let (_, findings) = parse(&text);
        deletions += 1;
        if findings.is_empty() {
            assert_ne!(meaning(text.text()), before, "{:?} on line {line}", &core[token.span.range()]);
            continue;
        }
        reported += 1;
        let lines: Vec<u32> = findings
            .iter()
            .filter_map(|f| f.label.as_ref())
            .map(|l| text.position(l.span.start).line)
            .collect();
        if lines.contains(&line) {
            exact += 1;
        } else {
            println!("{:?} of line {line}: told on {lines:?}", &core[token.span.range()]);
        }
    }
    println!("{deletions} deletions, {reported} reported, {exact} of them on the exact line");
    assert!(deletions >= 270, "{deletions}");
    // The others change the plan; that these are few keeps the language redundant.
    assert!(exact * 100 >= reported * 93, "{exact} of {reported}");
}

proptest! {
    #[test]
    fn nothing_panics_and_spans_fit(
        text in "([a-z]{1,3}|map a -> B|table|pipeline|order|owners|key ID|drop|where|[{}()\\[\\]\"`.,:|#?=<>*_-]|<-|=>|->|else|on fail|[ \n]|\u{e9}|\r\n|2026|0\\.5%){0,60}"
    ) {
        let text = source(&text);
        let (_, findings) = parse(&text);
        for finding in findings {
            if let Some(label) = finding.label {
                prop_assert!(label.span.end as usize <= text.text().len());
                prop_assert!(text.text().get(label.span.range()).is_some());
            }
            for edit in finding.fix.into_iter().flat_map(|fix| fix.edits) {
                prop_assert!(text.text().get(edit.span.range()).is_some());
            }
            prop_assert!(finding.help.is_some() || finding.code == registry::UNEXPECTED_TOKEN);
        }
    }
}

/// Nothing that is long in one way makes it recurse, hang or panic; what it says is a spec or findings.
#[test]
fn long_inputs_of_every_kind_are_read() {
    let size = 200 * 1024;
    let many = |piece: &str| piece.repeat(size / piece.len());
    let map = |line: String| format!("{HEAD}map a -> B {{\n{line}\n}}\n");
    for (name, text) in [
        ("one word", many("x")),
        ("quotes", many("\"")),
        ("open quotes and braces", many("\"{")),
        ("brackets", many("(")),
        ("closing brackets", many(")")),
        ("open blocks", many("{")),
        ("closed blocks", many("{}")),
        ("closing", many("}")),
        ("backticks", many("`")),
        ("one text", map(format!("x <- \"{}\"", many("abc ")))),
        ("one text of braces", map(format!("x <- \"{}\"", many("{{")))),
        ("interpolations", map(format!("x <- \"{}\"", many("{A}")))),
        ("one list", map(format!("x <- [{}]", many("A, ")))),
        ("one list, broken at its end", map(format!("x <- [{}; ]", many("A, ")))),
        ("clauses", map(format!("x <- A {}", many("else A ")))),
        ("drops", map(format!("drop {}A empty", many("A, ")))),
        ("or", map(format!("x <- A{}", many(" or A")))),
        ("numbers", many("1.5-")),
        ("short rules", map(many("x<-A\n"))),
        ("bad rules", map(many("x A\n"))),
        (
            "rules",
            map(many("  name <- TITLE.trim().cut(100)  else \"Company {ID}\"  on fail flag \"why\"\n")),
        ),
        (
            "3,000 lines",
            map("  name <- TITLE.trim().cut(100)  else \"Company {ID}\"  on fail flag \"why\"\n".repeat(3000)),
        ),
        ("blank lines in a bracket", map(format!("x <- [{}]", many("\n")))),
        ("open brackets", map(many("x <- f(A\n"))),
        ("stray lines", many("x\n")),
        ("items", many("map a -> B {\n key ID\n}\n")),
        ("heads", many("map a -> B\n")),
        ("editions", many("edition 2026\n")),
        ("codes", format!("{HEAD}table t : text -> text {{\n {} \"a\" => \"b\"\n}}\n", many("\"a\", "))),
        ("nul", many("\0")),
    ] {
        let text = source(&text);
        let (spec, findings) = parse(&text);
        assert!(!spec.items.is_empty() || !findings.is_empty(), "{name}: neither read nor refused");
        let formatted = crate::lang::syntax::format(&text);
        assert!(formatted.is_ok() || !findings.is_empty(), "{name}: refused without a finding");
    }
}
