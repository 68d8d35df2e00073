//! The marker of records without custom fields: the last line of a text, such as
//! `[Bitrix24 acme.bitrix24.com/comment/17]`.
//!
//! People may write below it, so the last line of this form counts, wherever it stands.

/// The word before the marker: the marker field's name without its last word, `Bitrix24` for `Bitrix24 key`.
pub(super) fn label(marker_field: &str) -> &str {
    marker_field.strip_suffix(" key").unwrap_or(marker_field)
}

fn marker<'t>(line: &'t str, label: &str) -> Option<&'t str> {
    let inside = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    inside.strip_prefix(label)?.strip_prefix(' ').filter(|marker| !marker.is_empty())
}

/// The marker in a text.
pub(super) fn read<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    text.lines().rev().find_map(|line| marker(line, label))
}

/// The text without its marker, and without blanks at its end.
pub(super) fn strip(text: &str, label: &str) -> String {
    let text = text.trim_end();
    let lines: Vec<&str> = text.split('\n').collect();
    match lines.iter().rposition(|line| marker(line, label).is_some()) {
        None => text.to_owned(),
        Some(at) => {
            let kept: Vec<&str> = lines[..at].iter().chain(&lines[at + 1..]).copied().collect();
            kept.join("\n").trim_end().to_owned()
        }
    }
}

/// The text with this marker at its end, and no other one.
pub(super) fn sign(text: &str, label: &str, marker: &str) -> String {
    let text = strip(text, label);
    if text.is_empty() { format!("[{label} {marker}]") } else { format!("{text}\n\n[{label} {marker}]") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LABEL: &str = "Bitrix24";

    #[test]
    fn the_last_line_is_the_marker() {
        assert_eq!(label("Bitrix24 key"), LABEL);
        let text = sign("Call me\n", LABEL, "acme.bitrix24.com/comment/17");
        assert_eq!(text, "Call me\n\n[Bitrix24 acme.bitrix24.com/comment/17]");
        assert_eq!(read(&text, LABEL), Some("acme.bitrix24.com/comment/17"));
        assert_eq!(sign("", LABEL, "a/b/1"), "[Bitrix24 a/b/1]");
        let signed = sign(&format!("{text}\nand thanks"), LABEL, "a/b/2");
        assert_eq!(signed, "Call me\n\nand thanks\n\n[Bitrix24 a/b/2]", "one marker, the last");
        assert_eq!(read("see [Bitrix24 a/b/1] there", LABEL), None, "only a whole line");
        assert_eq!(
            read("[Bitrix24 ]\n[Other a/b/1]\r\n[Bitrix24 a/process 1032/1#x]\r\n", LABEL),
            Some("a/process 1032/1#x")
        );
    }

    proptest! {
        #[test]
        fn what_is_signed_is_read_back(text in "(\\[Bitrix24 x\\]|[a-z@\\[\\]]|\n|\r\n| |ж){0,12}", marker in "[a-z/.#0-9 ]{0,10}[a-z]") {
            let signed = sign(&text, LABEL, &marker);
            prop_assert_eq!(read(&signed, LABEL), Some(marker.as_str()));
            prop_assert_eq!(sign(&signed, LABEL, &marker), signed);
        }
    }
}
