//! The HTML kit of all reports: one page that needs nothing else, read in light and dark and printed.
//!
//! Everything that is not markup of this file's own goes through [`escaped`]. No script, no font, no picture, no
//! address is loaded; the page says so to the browser, too.

use crate::lang::doc::html::escaped;
use crate::lang::doc::{Block, Document};

/// How a page looks, on a screen by day and by night, and on paper.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1d21;--paper:#fff;--line:#c9ccd3;--head:#eef0f3;--soft:#5b616b}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ec;--paper:#16181c;--line:#3b4049;--head:#23272e;--soft:#a2a9b5}}\
*{box-sizing:border-box}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1120px;margin:2rem auto;\
padding:0 1rem}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.4rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}\
h3{font-size:1rem;margin-top:1.6rem}nav ul{columns:3;padding-left:1.1rem}a{color:inherit}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.8rem 0;font-size:.87rem}\
th,td{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
@media (min-width:60rem){thead th{overflow-wrap:normal}}\
th{background:var(--head)}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:var(--soft)}\
dd{margin:0;overflow-wrap:anywhere}\
.skip{position:absolute;left:-99rem}.skip:focus{position:static}\
a:focus-visible,summary:focus-visible,.wide:focus-visible{outline:3px solid #1a73e8;outline-offset:2px}\
@media(max-width:700px){nav ul{columns:1}}\
@media print{:root{--ink:#000;--paper:#fff;--line:#999;--head:#eee;--soft:#333}@page{size:A4 landscape;margin:14mm}\
body{margin:0;max-width:none;font-size:10pt}nav{display:none}.wide{overflow:visible}\
thead{display:table-header-group}tr{break-inside:avoid}h2,h3{break-after:avoid}}";

/// A whole page around a body that is HTML already.
pub fn page(title: &str, body: &str) -> String {
    let head = format!("<h1>{}</h1>\n", escaped(title));
    styled(title, "", &format!("<main id=\"main\">\n{head}{body}</main>\n"))
}

/// A whole page with more style of its own; the body has its heading and `main`.
pub fn styled(title: &str, style: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri \
         'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}{style}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n\
         {body}</body>\n</html>\n"
    )
}

/// A table; cells that are numbers stand to the right.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = "<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>".to_owned();
    for cell in head {
        out.push_str(&format!("<th scope=\"col\">{}</th>", escaped(cell)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let class = if is_number(cell) { " class=\"n\"" } else { "" };
            out.push_str(&format!("<td{class} dir=\"auto\">{}</td>", escaped(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

/// A sentence of b2n's own: what stands in backticks is code.
pub fn prose(text: &str) -> String {
    let text = escaped(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text;
    }
    let part = |(index, part): (usize, &&str)| match index % 2 {
        0 => (*part).to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(part).collect()
}

/// A document as a page, with its headings of the second level listed first.
pub fn document(document: &Document) -> String {
    let mut body = String::new();
    let mut list = String::new();
    let mut sections = 0;
    for block in &document.blocks {
        match block {
            Block::Heading(2, text) => {
                sections += 1;
                let text = escaped(text);
                list.push_str(&format!("<li><a href=\"#s{sections}\">{text}</a></li>\n"));
                body.push_str(&format!("<h2 id=\"s{sections}\">{text}</h2>\n"));
            }
            Block::Heading(level, text) => {
                let level = (*level).clamp(3, 6);
                body.push_str(&format!("<h{level}>{}</h{level}>\n", escaped(text)));
            }
            Block::Paragraph(text) => body.push_str(&format!("<p>{}</p>\n", prose(text))),
            Block::Facts(facts) => {
                body.push_str("<dl>\n");
                for (name, text) in facts {
                    body.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), prose(text)));
                }
                body.push_str("</dl>\n");
            }
            Block::Table { head, rows } => body.push_str(&table(head, rows)),
            Block::Signatures(roles) => {
                let rows: Vec<Vec<String>> = roles
                    .iter()
                    .map(|role| vec![(*role).to_owned(), String::new(), String::new(), String::new()])
                    .collect();
                body.push_str(&table(&["For", "Name", "Date", "Signature"], &rows));
            }
        }
    }
    let list = if sections > 2 { format!("<nav><ul>\n{list}</ul></nav>\n") } else { String::new() };
    page(&document.title, &format!("{list}{body}"))
}

fn is_number(cell: &str) -> bool {
    cell.chars().any(|c| c.is_ascii_digit())
        && cell.chars().all(|c| c.is_ascii_digit() || " .,%-".contains(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The page with its own markup taken away: what is left was put in.
    fn strange(page: &str) -> Vec<&str> {
        let known = [
            "!DOCTYPE html",
            "html lang=\"en\"",
            "/html",
            "head",
            "/head",
            "body",
            "/body",
            "meta charset=\"utf-8\"",
            "meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"",
            "meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri \
             'none'; form-action 'none'\"",
            "a class=\"skip\" href=\"#main\"",
            "main id=\"main\"",
            "/main",
            "title",
            "/title",
            "style",
            "/style",
            "h1",
            "/h1",
            "/h2",
            "h3",
            "/h3",
            "p",
            "/p",
            "dl",
            "/dl",
            "dt",
            "/dt",
            "dd",
            "/dd",
            "nav",
            "/nav",
            "ul",
            "/ul",
            "li",
            "/li",
            "/a",
            "div class=\"wide\" tabindex=\"0\"",
            "/div",
            "table",
            "/table",
            "thead",
            "/thead",
            "tbody",
            "/tbody",
            "tr",
            "/tr",
            "th scope=\"col\"",
            "/th",
            "td dir=\"auto\"",
            "td class=\"n\" dir=\"auto\"",
            "/td",
            "br",
        ];
        let tags = page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest));
        tags.filter(|tag| {
            !known.contains(tag) && !tag.starts_with("h2 id=\"s") && !tag.starts_with("a href=\"#s")
        })
        .collect()
    }

    fn whole(text: &str) -> String {
        document(&Document {
            title: text.to_owned(),
            blocks: vec![
                Block::Heading(2, text.to_owned()),
                Block::Heading(2, text.to_owned()),
                Block::Heading(2, text.to_owned()),
                Block::Heading(3, text.to_owned()),
                Block::Paragraph(text.to_owned()),
                Block::Facts(vec![(text.to_owned(), text.to_owned())]),
                Block::Table { head: vec!["a"], rows: vec![vec![text.to_owned()]] },
            ],
        })
    }

    #[test]
    fn markup_in_data_stays_text() {
        let page = whole("<script>alert(1)</script>\"><img src=x onerror='a'> &amp; </title>");
        assert_eq!(strange(&page), Vec::<&str>::new());
        assert!(page.contains("&lt;script&gt;") && page.contains("&amp;amp;") && !page.contains("<script"));
    }

    #[test]
    fn a_page_loads_nothing() {
        let page = whole("x");
        for address in ["http:", "https:", "//", "url(", "@import", " src="] {
            assert!(!page.replace("http-equiv", "").contains(address), "{address}");
        }
        assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let html = table(
            &["a"],
            &[vec!["1 204".into()], vec!["97.5 %".into()], vec!["2026-11".into()], vec!["x1".into()]],
        );
        assert_eq!(html.matches("<td class=\"n\" dir=\"auto\">").count(), 3);
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in "\\PC{0,40}|[<>\"'&/a-z =]{0,40}") {
            let page = whole(&text);
            // What stands in backticks is code, and nothing else is made of it.
            let mut code = strange(&page).into_iter();
            while let Some(tag) = code.next() {
                prop_assert_eq!((tag, code.next()), ("code", Some("/code")));
            }
        }

        #[test]
        fn what_stands_in_backticks_is_code_and_no_more(text in "[`<>a ]{0,12}") {
            let ticks = text.matches('`').count();
            let page = prose(&text);
            let pairs = if ticks % 2 == 0 { ticks / 2 } else { 0 };
            prop_assert_eq!(page.matches("<code>").count(), pairs);
            prop_assert_eq!(page.matches('<').count(), 2 * pairs);
        }
    }
}
