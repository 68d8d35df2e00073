//! Applying fixes to a text.

use super::{Applicability, Edit, Finding, Fix};
use crate::lang::text::SourceText;

/// A text after its fixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The new text.
    pub text: String,
    /// Findings whose fix is in it.
    pub applied: usize,
    /// Findings whose fix was left out because it does not fit the text or overlaps an earlier one; checking the new text
    /// offers it again.
    pub left: usize,
}

/// Applies fixes in the order of the findings; a fix is applied whole or not at all.
///
/// `most` is the least sure kind that is applied; what has blanks for a person is never applied.
/// The same fix of two findings is applied once. Line feeds in a fix become what the file ends its lines with.
pub fn apply(file: &SourceText, findings: &[Finding], most: Applicability) -> Fixed {
    let text = file.text();
    let mut taken: Vec<&Edit> = Vec::new();
    let mut fixes: Vec<&[Edit]> = Vec::new();
    let (mut applied, mut left) = (0, 0);
    for Fix { edits, .. } in findings.iter().filter_map(|f| f.fix.as_ref()).filter(|fix| applies(fix, most)) {
        if fixes.contains(&edits.as_slice()) {
            applied += 1;
            continue;
        }
        let fits = edits.iter().enumerate().all(|(at, edit)| {
            edit.span.start <= edit.span.end
                && text.get(edit.span.range()).is_some()
                && taken.iter().copied().chain(&edits[..at]).all(|other| !overlap(edit, other))
        });
        if fits {
            taken.extend(edits);
            fixes.push(edits);
            applied += 1;
        } else {
            left += 1;
        }
    }
    // Stable: insertions at one place keep the order of their findings, and stand before what begins there.
    taken.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let windows = text.contains("\r\n");
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in taken {
        out.push_str(text.get(at..edit.span.start as usize).unwrap_or(""));
        if windows {
            out.push_str(&edit.text.replace("\r\n", "\n").replace('\n', "\r\n"));
        } else {
            out.push_str(&edit.text);
        }
        at = edit.span.end as usize;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    Fixed { text: out, applied, left }
}

/// Whether a fix is among those that a program may apply, up to `most`.
pub fn applies(fix: &Fix, most: Applicability) -> bool {
    fix.applicability <= most && fix.applicability != Applicability::Placeholder
}

/// Insertions at the edge of a replacement, or at one place, do not overlap.
fn overlap(a: &Edit, b: &Edit) -> bool {
    let (a, b) = (a.span, b.span);
    if a.start == a.end && b.start == b.end { false } else { a.start < b.end && b.start < a.end }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use Applicability::{Likely, Placeholder, Safe};

    use super::*;
    use crate::lang::finding::registry;
    use crate::lang::text::Span;

    fn finding(applicability: Applicability, edits: &[(usize, usize, &str)]) -> Finding {
        let edits = edits
            .iter()
            .map(|(start, end, text)| Edit { span: Span::new(*start, *end), text: (*text).to_owned() })
            .collect();
        Finding::new(registry::CLAUSE_ORDER, "m").fix(Fix { title: "t".into(), edits, applicability })
    }

    fn applied(text: &str, findings: &[Finding], most: Applicability) -> (String, usize, usize) {
        let fixed = apply(&SourceText::new("a", text), findings, most);
        (fixed.text, fixed.applied, fixed.left)
    }

    #[test]
    fn fixes_are_whole_or_not_at_all() {
        let first = finding(Safe, &[(0, 1, "A"), (4, 5, "E")]);
        let second = finding(Safe, &[(2, 3, "C"), (4, 6, "X")]);
        assert_eq!(applied("abcdef", &[first, second], Likely), ("AbcdEf".into(), 1, 1));
    }

    #[test]
    fn uncertain_fixes_wait_and_doubled_ones_count_once() {
        let findings =
            [finding(Likely, &[(0, 1, "")]), finding(Safe, &[(1, 1, "x")]), finding(Safe, &[(1, 1, "x")])];
        assert_eq!(applied("ab", &findings, Safe), ("axb".into(), 2, 0));
        assert_eq!(applied("ab", &findings, Likely), ("xb".into(), 3, 0));
    }

    #[test]
    fn what_has_blanks_is_never_applied() {
        for most in [Safe, Likely, Placeholder] {
            assert_eq!(applied("ab", &[finding(Placeholder, &[(0, 1, "")])], most), ("ab".into(), 0, 0));
        }
    }

    #[test]
    fn insertions_at_one_place_keep_their_order_and_line_ends() {
        let findings =
            [finding(Safe, &[(3, 3, "1\n")]), finding(Safe, &[(3, 3, "2\n")]), finding(Safe, &[(3, 4, "B")])];
        assert_eq!(applied("a\r\nb\r\n", &findings, Likely), ("a\r\n1\r\n2\r\nB\r\n".into(), 3, 0));
    }

    #[test]
    fn edits_that_do_not_fit_are_left() {
        let findings = [finding(Safe, &[(1, 2, "x")]), finding(Safe, &[(0, 99, "x")])];
        assert_eq!(applied("ц", &findings, Likely), ("ц".into(), 0, 2));
    }

    proptest! {
        #[test]
        fn text_outside_the_edits_stays(
            text in "[a-zц\n]{0,30}",
            edits in proptest::collection::vec((0usize..34, 0usize..4, "[A-Z]{0,3}"), 0..6),
        ) {
            let findings: Vec<Finding> =
                edits.iter().map(|(start, len, new)| finding(Safe, &[(*start, start + len, new)])).collect();
            let (fixed, count, left) = applied(&text, &findings, Likely);
            prop_assert_eq!(count + left, edits.len());
            // Lower case is the old text, upper case the new: what stays is a subsequence, and all of it outside the edits.
            let kept: String = fixed.chars().filter(|c| !c.is_ascii_uppercase()).collect();
            let touched = |at: usize| edits.iter().any(|(start, len, _)| (*start..start + len).contains(&at));
            let outside: String = text.char_indices().filter(|(at, _)| !touched(*at)).map(|(_, c)| c).collect();
            let subsequence = |small: &str, large: &str| {
                let mut rest = large.chars();
                small.chars().all(|c| rest.any(|d| c == d))
            };
            prop_assert!(subsequence(&kept, &text), "{kept:?} of {text:?}");
            if left == 0 {
                prop_assert_eq!(kept, outside);
            } else {
                prop_assert!(subsequence(&outside, &kept), "{outside:?} of {kept:?}");
            }
        }
    }
}
