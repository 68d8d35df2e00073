//! The pieces of the page: cells, tables, bars. Everything that is data goes through [`escaped`], and stands in an
//! element of its own direction, so that no text turns another one around.

use std::fmt::Write;

use crate::face::report::html::prose;
use crate::lang::doc::html::escaped;

/// A cell of a table.
pub enum Cell {
    /// Data: text of whatever script and direction.
    Text(String),
    /// A number.
    Number(String),
    /// Markup of this page's own making.
    Markup(String),
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    pub fn count(number: u64) -> Cell {
        Cell::Number(super::super::number(number))
    }
}

/// A table with its caption; the first cell of each row names it.
pub fn table(caption: &str, head: &[&str], rows: &[Vec<Cell>]) -> String {
    let caption = escaped(caption);
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table>\n\
         <caption>{caption}</caption>\n<thead><tr>"
    );
    for (at, cell) in head.iter().enumerate() {
        let number = rows.first().and_then(|row| row.get(at)).is_some_and(|c| matches!(c, Cell::Number(_)));
        let class = if number { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escaped(cell));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let (class, dir, text) = match cell {
                Cell::Text(text) => ("", " dir=\"auto\"", escaped(text)),
                Cell::Number(text) => (" class=\"n\"", "", escaped(text)),
                Cell::Markup(text) => ("", "", text.clone()),
            };
            let (open, close) = if at == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
            let _ = write!(out, "<{open}{class}{dir}>{text}</{close}>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

/// A paragraph of data or of our own words.
pub fn say(text: &str) -> String {
    format!("<p>{}</p>\n", prose(text))
}

/// Data within a sentence.
pub fn data(text: &str) -> String {
    format!("<bdi>{}</bdi>", escaped(text))
}

/// A part of a bar: its class and how much of the whole it is.
pub type Part = (&'static str, f64);

/// A bar of parts of one whole, beside the numbers that it shows: who cannot see it reads those.
pub fn bar(parts: &[Part], whole: f64) -> String {
    let mut out =
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
                   <rect class=\"none\" width=\"1000\" height=\"10\"/>"
            .to_owned();
    let mut at: f64 = 0.0;
    for (class, part) in parts.iter().filter(|(_, part)| *part > 0.0 && whole > 0.0) {
        // What is there can be seen, however little it is.
        let wide = (1000.0 * part / whole).clamp(4.0, 1000.0);
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{:.1}\" width=\"{wide:.1}\" height=\"10\"/>",
            at.min(996.0)
        );
        at += wide;
    }
    out.push_str("</svg>");
    out
}

/// Two bars under each other on one scale: what was, and what is.
pub fn pair(was: f64, is: f64, whole: f64) -> String {
    format!("{}{}", bar(&[("was", was)], whole), bar(&[("is", is)], whole))
}

/// An anchor's name for a file.
pub fn anchor(file: &str) -> String {
    let safe = file.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    format!("l-{}", safe.collect::<String>())
}

/// An amount with its thousands apart.
pub fn amount(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), super::super::number);
    match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    }
}
