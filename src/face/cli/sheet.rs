//! A document on a terminal, in Markdown, as HTML, or into a file.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::face::report::html;
use crate::lang::doc::{Block, Document, markdown};

use super::failure::Failure;
use super::findings::Shape;
use super::fresh::Fresh;
use super::lines::{columns, tell};
use super::terminal::Terminal;

/// The format of a report: what was asked for, else what the ending of the file says.
pub fn shape(asked: Shape, output: Option<&Path>) -> Shape {
    let ending = output.and_then(Path::extension).and_then(|ending| ending.to_str()).unwrap_or_default();
    match (asked, ending.to_ascii_lowercase().as_str()) {
        (Shape::Human, "html" | "htm") => Shape::Html,
        (Shape::Human, "md" | "markdown") => Shape::Markdown,
        (Shape::Human, "json") => Shape::Json,
        (asked, _) => asked,
    }
}

/// Writes a report in a format, to a file or to standard output.
pub fn write(
    shape: Shape,
    output: Option<&Path>,
    data: &impl Serialize,
    document: impl Fn(Shape) -> Document,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let text = match shape {
        Shape::Json => {
            let json = serde_json::to_string(data);
            json.map_err(|why| Failure::outside(format!("the report cannot be written as JSON: {why}")))?
                + "\n"
        }
        Shape::Markdown => markdown::render(&document(shape)),
        Shape::Html => html::document(&document(shape)),
        _ => human(&document(shape), terminal),
    };
    match output {
        Some(path) => {
            let mut out = Fresh::create(path)?;
            out.write(&text)?;
            out.finish()?;
            eprintln!("wrote {}", path.display());
        }
        None => tell!(terminal, "{text}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// For a terminal.
fn human(document: &Document, terminal: &Terminal) -> String {
    let mut out = format!("{}\n", terminal.bold(&document.title));
    for block in &document.blocks {
        match block {
            Block::Heading(2, text) => out.push_str(&format!("\n{}\n", terminal.bold(text))),
            Block::Heading(_, text) => out.push_str(&format!("\n  {}\n", terminal.cyan(text))),
            Block::Paragraph(text) => out.push_str(&filled(text, terminal.width)),
            Block::Facts(facts) => {
                let wide = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 2;
                for (name, text) in facts {
                    let lines = filled(text, terminal.width.saturating_sub(wide));
                    for (at, line) in lines.lines().enumerate() {
                        let name = if at == 0 { name.as_str() } else { "" };
                        out.push_str(&format!("  {name:<wide$}{}\n", line.trim_start()));
                    }
                }
            }
            Block::Table { head, rows } => {
                let table = terminal.grid(head, rows);
                let most = terminal.fold.unwrap_or(terminal.width.max(100));
                let fits = table.lines().all(|line| columns(line) <= most);
                if fits { out.push_str(&table) } else { out.push_str(&cards(head, rows, terminal)) }
            }
            Block::Signatures(_) => {}
        }
    }
    out
}

/// A table that is too wide, row by row.
fn cards(head: &[&str], rows: &[Vec<String>], terminal: &Terminal) -> String {
    let mut out = String::new();
    for row in rows {
        // A box to tick stands before the name.
        let boxed = usize::from(head.first() == Some(&"done"));
        let name = row.iter().take(boxed + 1).cloned().collect::<Vec<_>>().join(" ");
        out.push_str(&format!("  {}\n", terminal.bold(&name)));
        for (head, cell) in head.iter().zip(row).skip(boxed + 1).filter(|(_, cell)| !cell.is_empty()) {
            let lines = filled(&format!("{head}: {cell}"), terminal.width.saturating_sub(2));
            lines.lines().for_each(|line| out.push_str(&format!("  {line}\n")));
        }
    }
    out
}

/// A paragraph in lines that fit.
fn filled(text: &str, width: usize) -> String {
    let (mut out, mut line) = (String::new(), String::from(" "));
    for word in text.split_whitespace() {
        if columns(&line) + 1 + columns(word) > width && line.len() > 1 {
            out.push_str(&line);
            out.push('\n');
            line = " ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    out + &line + "\n"
}
