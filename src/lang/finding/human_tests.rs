use proptest::prelude::*;

use super::*;
use crate::lang::finding::{Edit, Fix, registry};
use crate::lang::text::Span;

const PLAIN: Style = Style { width: 90, colour: false, unicode: true };

/// A span of the first place where `part` stands.
fn span(text: &str, part: &str) -> Span {
    let start = text.find(part).unwrap();
    Span::new(start, start + part.len())
}

fn file(text: &str) -> SourceText {
    SourceText::new("acme.b2n", text)
}

#[test]
fn the_picture_of_the_language_page() {
    let text = format!("{}pipeline sales : deal category 0 `Продажи` -> \"Sales\" {{\n", "\n".repeat(33));
    let finding = Finding::new(
        registry::PIPELINE_MISSES_STAGE,
        "pipeline `sales` misses 1 of 8 stages of deal category 0",
    )
    .at(span(&text, "sales"), "\"UC_7F3K\" `На паузе` is not listed; 412 of 48 210 deals are in it")
    .note("schema/bitrix24.yaml, taken 2026-11-19")
    .help("add a row; stages of \"Sales\" that no row uses yet: \"On hold\"\n\"UC_7F3K\" `На паузе`  => stage \"On hold\"");
    insta::assert_snapshot!(render(&[finding], &file(&text), PLAIN), @r##"
    error[B2N-E0301]: pipeline `sales` misses 1 of 8 stages of deal category 0
        ╭─[acme.b2n:34:10]
     34 │ pipeline sales : deal category 0 `Продажи` -> "Sales" {
        ·          ──┬──
        ·            ╰── "UC_7F3K" `На паузе` is not listed; 412 of 48 210 deals are in it
        ╰────
      note: schema/bitrix24.yaml, taken 2026-11-19
      help: add a row; stages of "Sales" that no row uses yet: "On hold"
            "UC_7F3K" `На паузе`  => stage "On hold"

    1 error in acme.b2n
    "##);
}

#[test]
fn counts_other_places_fixes_and_findings_of_the_whole_file() {
    let text = "edition 1\r\ntable a {\r\n\t\"x\" => \"1\"\r\n\t\"x\" => \"2\"\r\n}\r\n";
    let second = text.rfind("\"x\"").unwrap();
    let fix = Fix {
        title: "remove the second row".into(),
        edits: Vec::<Edit>::new(),
        applicability: Applicability::Likely,
    };
    let findings = [
        Finding::new(registry::DUPLICATE_ROW, "\"x\" has two rows")
            .at(Span::new(second, second + 3), "again")
            .and_at(span(text, "\"x\""), "first here")
            .and_at(Span::new(second + 7, second + 10), "with another value")
            .count(Count::Between { at_least: 3, at_most: 40 })
            .fix(fix),
        Finding::new(registry::SNAPSHOT_OLD, "the snapshot is 40 days old").count(Count::Unknown),
        Finding::new(registry::MISSING_ITEM, "the spec has no `owners`")
            .help("add an item `owners`")
            .count(Count::Exact { records: 48_210 }),
        Finding::new(registry::UNCLOSED, "the file ends inside a brace")
            .at(Span::new(text.len(), text.len()), "`}` is expected here"),
    ];
    insta::assert_snapshot!(render(&findings, &file(text), PLAIN), @r##"
    error[B2N-E0304]: "x" has two rows (between 3 and 40 records)
       ╭─[acme.b2n:4:2]
     4 │     "x" => "2"
       ·     ─┬─    ─┬─
       ·      │      ╰── with another value
       ·      ╰── again
       ╰────
       ╭─[acme.b2n:3:2]
     3 │     "x" => "1"
       ·     ─┬─
       ·      ╰── first here
       ╰────
      fix: remove the second row (likely: read it before it is applied)

    warning[B2N-W301]: the snapshot is 40 days old (how many records: unknown)

    error[B2N-E0111]: the spec has no `owners` (48 210 records)
      help: add an item `owners`

    error[B2N-E0105]: the file ends inside a brace
       ╭─[acme.b2n:6:1]
     6 │
       · ▲
       · ╰── `}` is expected here
       ╰────

    3 errors, 1 warning in acme.b2n
    "##);
}

#[test]
fn long_lines_are_cut_around_the_place_in_ascii_and_wide_characters() {
    let text = format!("{}名前 here{}", "ab ".repeat(100), " cd".repeat(100));
    let finding =
        Finding::new(registry::UNEXPECTED_TOKEN, "a message that is rather longer than the terminal is wide")
            .at(span(&text, "here"), "this")
            .and_at(Span::new(0, 2), "far away");
    let style = Style { width: 60, colour: false, unicode: false };
    insta::assert_snapshot!(render(&[finding], &file(&text), style), @r##"
    error[B2N-E0101]: a message that is rather longer than the
      terminal is wide
       ,-[acme.b2n:1:304]
     1 | ...ab ab ab 名前 here cd cd cd cd cd cd cd cd c...
       :                  ^^|^
       :                    `-- this
       `----
       ,-[acme.b2n:1:1]
     1 | ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab...
       : ^|
       :  `-- far away
       `----

    1 error in acme.b2n
    "##);
}

#[test]
fn colours_mark_the_severity() {
    let text = "a b";
    let finding = Finding::new(registry::UNUSED_ITEM, "m").at(Span::new(0, 1), "l").note("n");
    let style = Style { colour: true, ..PLAIN };
    let drawn = render(&[finding], &file(text), style);
    assert!(drawn.starts_with("\u{1b}[33;1mwarning[B2N-W103]\u{1b}[0m: m\n"), "{drawn}");
    assert!(drawn.contains("  \u{1b}[36mnote:\u{1b}[0m n\n"), "{drawn}");
}

#[test]
fn nothing_printed_can_steer_the_terminal() {
    let text = "a \u{1b}[31m \u{202e}b\u{7} c";
    let finding = Finding::new(registry::UNEXPECTED_TOKEN, "\u{1b}]0;x\u{7}\nnext")
        .at(span(text, "c"), "\u{1b}[2J")
        .note("\u{202e}n\u{1b}")
        .help("h\n\u{1b}[0m");
    let drawn = render(&[finding], &SourceText::new("a\u{1b}.b2n", text), PLAIN);
    assert!(!drawn.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{drawn:?}");
}

#[test]
fn numbers_are_grouped() {
    let told: Vec<String> = [0, 999, 1000, 48_210, 1_234_567].into_iter().map(grouped).collect();
    assert_eq!(told, ["0", "999", "1 000", "48 210", "1 234 567"]);
}

proptest! {
    #[test]
    fn any_span_in_any_text_is_drawn(
        text in "([a-z\t ]|\r\n|\n|[цשاé]|名|\u{301}|\u{1b}|👩‍👩‍👧){0,120}",
        spans in proptest::collection::vec((0u32..400, 0u32..400), 0..5),
        width in 0usize..200,
        (colour, unicode) in any::<(bool, bool)>(),
    ) {
        let mut finding = Finding::new(registry::UNEXPECTED_TOKEN, "message");
        for (at, (start, end)) in spans.iter().enumerate() {
            // Built by hand: spans may be upside down or outside.
            let span = Span { start: *start, end: *end };
            finding = if at == 0 { finding.at(span, "label") } else { finding.and_at(span, "other") };
        }
        let drawn = render(&[finding], &file(&text), Style { width, colour, unicode });
        prop_assert!(drawn.contains("B2N-E0101"));
        prop_assert!(drawn.ends_with("1 error in acme.b2n\n"));
        prop_assert!(!drawn.contains("Failed to read"), "{drawn}");
        prop_assert_eq!(drawn.matches("label").count(), usize::from(!spans.is_empty()), "{}", drawn);
        if !colour {
            prop_assert_eq!(drawn.find('\u{1b}'), None);
        }
    }

    #[test]
    fn a_cut_line_fits_and_shows_the_place(
        before in "[a-zц名 ]{0,300}",
        word in "[A-Z]{1,8}",
        after in "[a-zц名 ]{0,300}",
        width in 40usize..120,
    ) {
        let text = format!("{before}{word}{after}");
        let finding = Finding::new(registry::UNEXPECTED_TOKEN, "m").at(Span::new(before.len(), before.len() + word.len()), "");
        let drawn = render(&[finding], &file(&text), Style { width, colour: false, unicode: true });
        let shown = drawn.lines().find(|line| line.starts_with(" 1 │")).unwrap_or("");
        prop_assert!(shown.contains(&word), "{drawn}");
        prop_assert!(shown.chars().map(super::width).sum::<usize>() <= width, "{drawn}");
    }
}
