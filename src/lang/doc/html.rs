//! A document as one HTML page that needs nothing else: no script, no font, no picture; made to be printed.

use super::{Block, Document};

/// How the page looks, on a screen and on paper.
const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#1a1a1a;max-width:1180px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.7rem}h2{margin-top:2.2rem;border-bottom:1px solid #999;padding-bottom:.2rem}h3{margin-top:1.6rem}\
table{border-collapse:collapse;width:100%;margin:.8rem 0;font-size:.87rem}\
th,td{border:1px solid #bbb;padding:.3rem .45rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
th{background:#eee}dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}dt{font-weight:600}\
dd{margin:0;overflow-wrap:anywhere}.sign td{height:2.6rem;min-width:9rem}\
@media print{@page{size:A4 landscape;margin:14mm}body{margin:0;max-width:none;font-size:10pt}\
thead{display:table-header-group}tr{break-inside:avoid}h2,h3{break-after:avoid}}";

/// Writes a document.
pub fn render(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n"
    );
    for block in &document.blocks {
        match block {
            Block::Heading(level, text) => out.push_str(&format!("<h{level}>{}</h{level}>\n", escaped(text))),
            Block::Paragraph(text) => out.push_str(&format!("<p>{}</p>\n", escaped(text))),
            Block::Facts(facts) => {
                out.push_str("<dl>\n");
                for (name, text) in facts {
                    out.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(text)));
                }
                out.push_str("</dl>\n");
            }
            Block::Table { head, rows } => {
                out.push_str("<table>\n<thead><tr>");
                head.iter().for_each(|cell| out.push_str(&format!("<th>{}</th>", escaped(cell))));
                out.push_str("</tr></thead>\n<tbody>\n");
                for row in rows {
                    out.push_str("<tr>");
                    row.iter().for_each(|cell| out.push_str(&format!("<td>{}</td>", escaped(cell))));
                    out.push_str("</tr>\n");
                }
                out.push_str("</tbody>\n</table>\n");
            }
            Block::Signatures(roles) => {
                out.push_str(
                    "<table class=\"sign\">\n<thead><tr><th>For</th><th>Name</th><th>Date</th><th>Signature</th></tr></thead>\n<tbody>\n",
                );
                for role in roles {
                    out.push_str(&format!(
                        "<tr><td>{}</td><td></td><td></td><td></td></tr>\n",
                        escaped(role)
                    ));
                }
                out.push_str("</tbody>\n</table>\n");
            }
        }
    }
    out.push_str("</body>\n</html>\n");
    out
}

/// A text in which nothing is markup; a line feed becomes a break.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br>"),
            '\r' => {}
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
