//! A document as Markdown, with tables as code hosts draw them.

use super::{Block, Document};

/// Writes a document.
pub fn render(document: &Document) -> String {
    let mut out = format!("# {}\n", escaped(&document.title));
    for block in &document.blocks {
        out.push('\n');
        match block {
            Block::Heading(level, text) => {
                out.push_str(&format!("{} {}\n", "#".repeat(usize::from(*level)), escaped(text)));
            }
            Block::Paragraph(text) => out.push_str(&format!("{}\n", escaped(text))),
            Block::Facts(facts) => {
                for (name, text) in facts {
                    out.push_str(&format!("- **{}**: {}\n", escaped(name), escaped(text)));
                }
            }
            Block::Table { head, rows } => {
                line(&mut out, head.iter().map(|cell| escaped(cell)));
                line(&mut out, head.iter().map(|_| "---".to_owned()));
                for row in rows {
                    line(&mut out, row.iter().map(|cell| escaped(cell)));
                }
            }
            Block::Signatures(roles) => {
                line(&mut out, ["For", "Name", "Date", "Signature"].map(str::to_owned).into_iter());
                line(&mut out, ["---"; 4].map(str::to_owned).into_iter());
                for role in roles {
                    let blank = "&nbsp;".repeat(24);
                    line(&mut out, [escaped(role), blank.clone(), blank.clone(), blank].into_iter());
                }
            }
        }
    }
    out
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    out.push('|');
    for cell in cells {
        out.push(' ');
        out.push_str(&cell);
        out.push_str(" |");
    }
    out.push('\n');
}

/// A text in which nothing is markup: line feeds become breaks, so that a cell stays one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br>"),
            '\r' => {}
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '$' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
