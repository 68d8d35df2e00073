//! A code's page for the terminal: Markdown, lightly rendered.

use super::Code;

/// The page of a code: headings underlined, code blocks indented, at most one empty line in a row.
pub fn explain(code: Code) -> String {
    page(code.page())
}

fn page(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len() + 64);
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let mark = line.trim_start();
        if let Some(open) = fence {
            if mark.starts_with(open) && mark.trim_end().chars().all(|c| open.contains(c)) {
                fence = None;
            } else if line.is_empty() {
                out.push('\n');
            } else {
                out.push_str("    ");
                out.push_str(line);
                out.push('\n');
            }
            continue;
        }
        if let Some(open) = ["```", "~~~"].into_iter().find(|open| mark.starts_with(open)) {
            fence = Some(open);
            continue;
        }
        let level = line.bytes().take_while(|b| *b == b'#').count();
        match line.get(level..).and_then(|rest| rest.strip_prefix(' ')).filter(|_| (1..=6).contains(&level)) {
            Some(title) => {
                let title = title.trim();
                let rule = if level == 1 { "=" } else { "-" };
                out.push_str(&format!("{title}\n{}\n", rule.repeat(title.chars().count())));
            }
            None if line.trim().is_empty() => {
                if !out.is_empty() && !out.ends_with("\n\n") {
                    out.push('\n');
                }
            }
            None => {
                out.push_str(line.trim_end());
                out.push('\n');
            }
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::finding::registry;

    #[test]
    fn a_page_reads_well_without_its_marks() {
        let markdown = "# B2N-E0000: x\n\n\nA `name`.\n\n## Bad\n\n```b2n\nmap a {\n\n    # comment\n}\n```\n\n#no heading\n";
        insta::assert_snapshot!(page(markdown), @r##"
        B2N-E0000: x
        ============

        A `name`.

        Bad
        ---

            map a {

                # comment
            }

        #no heading
        "##);
    }

    #[test]
    fn every_code_is_explained() {
        for code in registry::ALL {
            let text = explain(*code);
            assert!(text.starts_with(&format!("{code}: {}\n===", code.title())), "{text}");
            assert!(!text.contains("```"), "{code}: a fence is left");
        }
    }
}
