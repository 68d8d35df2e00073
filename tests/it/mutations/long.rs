//! Inputs that are long in one way: what is said of them grows with them, not with their square.
//!
//! Judged by the size of what comes out, which is the same on every machine; the time is printed beside it.
//! `B2N_PIECES` makes them longer.

use std::time::Instant;

use super::drive::{Size, spec};
use super::{schemas, setting};

const HEAD: &str =
    "edition 2026\nsource bitrix24 \"schema/source.yaml\"\ntarget nutshell \"schema/target.yaml\"\n";
const REST: &str = "  drop B, LIST declined \"-\"\n}\n";

/// A text that is long in one way; `n` pieces.
type Long = (&'static str, fn(usize) -> String);

fn map(lines: &str) -> String {
    format!("{HEAD}map word -> Thing {{\n  key ID\n{lines}{REST}")
}

/// A rule whose value is this, within the bound of a line.
fn value(text: &str) -> String {
    map(&format!("  name <- {text}  else \"x\"\n"))
}

const LONG: &[Long] = &[
    ("brackets", |n| value(&format!("{}A{}", "(".repeat(n), ")".repeat(n)))),
    ("lists in lists", |n| value(&format!("{}A{}", "[".repeat(n), "]".repeat(n)))),
    ("calls in calls", |n| value(&format!("{}A{}", "trim(".repeat(n), ")".repeat(n)))),
    ("interpolations in interpolations", |n| value(&format!("{}A{}", "\"{".repeat(n), "}\"".repeat(n)))),
    ("open braces", |n| map(&"{".repeat(n))),
    ("open texts", |n| map(&"  text <- \"{\n".repeat(n))),
    ("open blocks", |n| format!("{HEAD}{}", "map word -> Thing {\n".repeat(n))),
    ("backslashes", |n| value(&format!("\"{}\"", "\\\\".repeat(n)))),
    ("bad escapes", |n| value(&format!("\"{}\"", "\\q".repeat(n)))),
    ("combining characters", |n| value(&format!("\"e{}\"", "\u{301}".repeat(n)))),
    ("right-to-left marks", |n| value(&format!("\"{}\"", "\u{202e}א".repeat(n)))),
    ("nul", |n| map(&"\0".repeat(n))),
    ("byte order marks", |n| format!("{}{}", "\u{feff}".repeat(n), value("A"))),
    ("digits", |n| value(&format!("\"{{{}}}\"", "9".repeat(n)))),
    ("a long line", |n| value(&format!("\"{}\"", "word ".repeat(n)))),
    ("a list", |n| value(&format!("join(\"-\", [{}])", "A, ".repeat(n)))),
    ("alternatives", |n| value(&format!("A{}", "  else A".repeat(n)))),
    ("interpolated fields", |n| value(&format!("\"{}\"", "{A}".repeat(n)))),
    ("rules", |n| map(&(0..n).map(|i| format!("  custom \"C {i}\" text <- A\n")).collect::<String>())),
    ("rules of one field", |n| map(&"  text <- A\n".repeat(n))),
    ("unknown fields", |n| {
        map(&(0..n).map(|i| format!("  custom \"C {i}\" text <- TITEL_{i}\n")).collect::<String>())
    }),
    ("unknown targets", |n| map(&(0..n).map(|i| format!("  feld_{i} <- A\n")).collect::<String>())),
    ("drops", |n| map(&"  drop A declined \"-\"\n".repeat(n))),
    ("notes", |n| map(&(0..n).map(|i| format!("  note \"N {i}\" <- A\n")).collect::<String>())),
    ("functions", |n| {
        let calls = (1..n).map(|i| format!("fn f{i}(x: text?) -> text? = f{}(x)\n", i - 1));
        format!("{HEAD}fn f0(x: text?) -> text? = x\n{}{}", calls.collect::<String>(), &map("")[HEAD.len()..])
    }),
    ("functions in a circle", |n| {
        let calls = (0..n).map(|i| format!("fn f{i}(x: text?) -> text? = f{}(x)\n", (i + 1) % n));
        format!("{HEAD}{}{}", calls.collect::<String>(), &map("")[HEAD.len()..])
    }),
    ("tables", |n| {
        let tables = (0..n)
            .map(|i| format!("table t{i} : text -> text {{\n  \"a\" => \"x\"\n  _ unseen => \"y\"\n}}\n"));
        format!("{HEAD}{}{}", tables.collect::<String>(), &map("")[HEAD.len()..])
    }),
    ("rows", |n| {
        let rows: String = (0..n).map(|i| format!("  \"r{i}\" => \"x{i}\"\n")).collect();
        format!(
            "{HEAD}table t : text -> text {{\n{rows}  _ unseen => \"y\"\n}}\n{}",
            &value("t[A]")[HEAD.len()..]
        )
    }),
    ("rows twice", |n| {
        let rows = "  \"A\" => \"One\"\n".repeat(n);
        format!("{HEAD}table t : enum(KIND) -> Thing.kind {{\n{rows}  _ unseen => unset\n}}\n")
    }),
    ("rows of nothing", |n| {
        let rows: String = (0..n).map(|i| format!("  \"Z{i}\" => \"Two\"\n")).collect();
        format!("{HEAD}table t : enum(KIND) -> Thing.kind {{\n{rows}  _ unseen => unset\n}}\n")
    }),
    ("maps", |n| {
        let maps =
            (0..n).map(|i| format!("map product -> Product as m{i} {{\n  key ID\n  name <- NAME\n}}\n"));
        format!("{HEAD}{}", maps.collect::<String>())
    }),
    ("maps of one name", |n| {
        format!("{HEAD}{}", "map product -> Product {\n  key ID\n  name <- NAME\n}\n".repeat(n))
    }),
    ("split rows", |n| {
        let rows: String = (0..n).map(|i| format!("  when ID == {i} => skip \"{i}\"\n")).collect();
        format!("{HEAD}split word {{\n{rows}  otherwise => word\n}}\n{}", &value("A")[HEAD.len()..])
    }),
    ("orders", |n| format!("{}order {{\n{}}}\n", value("A"), "  word before word\n".repeat(n))),
    ("acceptances", |n| {
        let line = "accept B2N-W103 on word until 2027-01-31 because \"-\" by \"-\"\n";
        format!("{}{}", value("A"), line.repeat(n))
    }),
    ("fixtures", |n| {
        let fixtures = (0..n).map(|i| format!("fixture f{i} = word {{ ID: {i}, ..default }}\n"));
        format!("{}{}", value("A"), fixtures.collect::<String>())
    }),
    ("uses", |n| format!("{HEAD}{}{}", "use \"nowhere.b2n\"\n".repeat(n), &value("A")[HEAD.len()..])),
    ("comments", |n| format!("{}{}", "# c\n".repeat(n), value("A"))),
    ("blank lines", |n| format!("{}{}", "\n".repeat(n), value("A"))),
    ("stray lines", |n| format!("{}{}", value("A"), "nowhere\n".repeat(n))),
];

/// How many times longer the longer one is.
const TIMES: usize = 8;

#[test]
fn what_is_said_of_long_inputs_grows_with_them() {
    let (source, target) = schemas();
    let pieces = usize::try_from(setting("B2N_PIECES", 40)).unwrap_or(40);
    let mut slowest = (0.0, "");
    for (name, long) in LONG {
        let run = |n: usize| {
            let text = long(n);
            let start = Instant::now();
            let size = spec(&text, &source, &target, 1);
            (size, text.len(), start.elapsed().as_secs_f64())
        };
        let ((small, short, first), (large, longer, second)) = (run(pieces), run(pieces * TIMES));
        // Twice what is proportional, and what the head costs whatever follows it.
        let grown = |what: &str, of: fn(&Size) -> usize, free: usize| {
            let allowed = of(&small) * TIMES * 2 + free;
            assert!(
                of(&large) <= allowed,
                "{name}: {what} grew from {} to {}, the text from {short} to {longer} bytes",
                of(&small),
                of(&large)
            );
        };
        grown("findings", |size| size.findings, 10);
        grown("what is told", |size| size.told, 20_000);
        grown("the layout", |size| size.formatted, 2_000);
        grown("the plan", |size| size.plan, 10_000);
        grown("the document", |size| size.document, 20_000);
        let ratio = second / first.max(0.000_1) * short as f64 / longer as f64;
        if ratio > 2.0 {
            println!("{name}: {short} bytes took {first:.3} s, {longer} bytes {second:.3} s");
        }
        if ratio > slowest.0 {
            slowest = (ratio, name);
        }
    }
    println!(
        "{} long inputs, {TIMES} times longer; time per byte grew most in `{}`: {:.1} times",
        LONG.len(),
        slowest.1,
        slowest.0
    );
}

/// 10,000 of a kind: refused or read, in the small stack of a test's thread.
#[test]
fn very_long_inputs_are_refused_or_read() {
    let (source, target) = schemas();
    let deep =
        ["brackets", "lists in lists", "calls in calls", "interpolations in interpolations", "open braces"];
    for (_, long) in LONG.iter().filter(|(name, _)| deep.contains(name)) {
        let size = spec(&long(10_000), &source, &target, 1);
        assert!(size.findings > 0 && !size.checked);
    }
}
