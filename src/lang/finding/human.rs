//! Findings for people at a terminal. The one file that sees miette, which draws the lines under the source.

use std::fmt::Write as _;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};

use super::snippet::{Window, clean, width, windows};
use super::{Applicability, Count, Finding, Label, Severity};
use crate::lang::text::SourceText;

/// How findings are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; messages are wrapped and long lines cut to it, never below 40.
    pub width: usize,
    /// ANSI colours.
    pub colour: bool,
    /// Lines drawn in Unicode, else in ASCII. Source text and names stay as they are.
    pub unicode: bool,
}

/// The most places of one finding that are drawn.
const MAX_PLACES: usize = 8;

/// Draws findings of a file, with a line at the end that sums them up.
pub fn render(findings: &[Finding], file: &SourceText, style: Style) -> String {
    let style = Style { width: style.width.max(40), ..style };
    let mut out = String::new();
    for finding in findings {
        render_one(&mut out, finding, file, style);
        out.push('\n');
    }
    out.push_str(&summary(findings, file.name()));
    out.push('\n');
    out
}

/// Draws one finding.
pub fn render_finding(finding: &Finding, file: &SourceText, style: Style) -> String {
    let mut out = String::new();
    render_one(&mut out, finding, file, Style { width: style.width.max(40), ..style });
    out
}

/// Sums findings up: `3 errors, 1 warning in acme.b2n`.
pub fn summary(findings: &[Finding], file: &str) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let parts: Vec<String> = [(errors, "error"), (findings.len() - errors, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}{}", grouped(count as u64), if count == 1 { "" } else { "s" }))
        .collect();
    let told = if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") };
    format!("{told} in {}", one_line(file))
}

/// Says how many records a finding touches, in brackets; `None` where it is not about records.
pub fn count_text(count: Count) -> Option<String> {
    Some(match count {
        Count::None => return None,
        Count::Exact { records: 1 } => "(1 record)".to_owned(),
        Count::Exact { records } => format!("({} records)", grouped(records)),
        Count::Between { at_least, at_most } => {
            format!("(between {} and {} records)", grouped(at_least), grouped(at_most))
        }
        Count::Unknown => "(how many records: unknown)".to_owned(),
    })
}

/// A number with a blank between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

fn render_one(out: &mut String, finding: &Finding, file: &SourceText, style: Style) {
    let (word, colour) = match finding.severity {
        Severity::Error => ("error", "31;1"),
        Severity::Warning => ("warning", "33;1"),
    };
    let count = count_text(finding.count).map(|count| format!(" {count}")).unwrap_or_default();
    let head = format!("{word}[{}]", finding.code);
    let message = format!("{head}: {}{count}", one_line(&finding.message));
    let wrapped = wrap(&message, style.width, "  ");
    match wrapped.strip_prefix(&head) {
        Some(rest) => out.push_str(&(paint(&head, colour, style) + rest)),
        None => out.push_str(&wrapped),
    }
    out.push('\n');
    let labels: Vec<&Label> = finding.label.iter().chain(&finding.others).take(MAX_PLACES).collect();
    let ellipsis = if style.unicode { "…" } else { "..." };
    // The gutter, and an ellipsis on both sides.
    let budget = style.width.saturating_sub(16);
    // Labels of one file stand together, files in the order of their first label.
    let mut places: Vec<(&SourceText, Vec<Label>)> = Vec::new();
    for label in &labels {
        let (file, span) = file.local(label.span);
        let label = Label { span, text: label.text.clone() };
        match places.iter_mut().find(|(other, _)| other.name() == file.name()) {
            Some((_, labels)) => labels.push(label),
            None => places.push((file, vec![label])),
        }
    }
    for (file, labels) in &places {
        let labels: Vec<&Label> = labels.iter().collect();
        for window in windows(file, &labels, budget, ellipsis) {
            draw(out, file.name(), window, style);
        }
    }
    let hidden = usize::from(finding.label.is_some()) + finding.others.len() - labels.len();
    if hidden > 0 {
        paragraph(out, "note", &format!("{hidden} more places are not shown"), style);
    }
    for note in &finding.notes {
        paragraph(out, "note", note, style);
    }
    if let Some(help) = &finding.help {
        paragraph(out, "help", help, style);
    }
    if let Some(fix) = &finding.fix {
        let read = match fix.applicability {
            Applicability::Safe => "",
            Applicability::Likely => " (likely: read it before it is applied)",
            Applicability::Placeholder => " (has blanks to fill in)",
        };
        paragraph(out, "fix", &format!("{}{read}", fix.title), style);
    }
}

/// The first line is prose and wrapped; further ones may be rows to paste and stay whole.
fn paragraph(out: &mut String, word: &str, text: &str, style: Style) {
    const INDENT: &str = "        ";
    let text = clean(text);
    let mut lines = text.lines();
    let first = format!("  {word}: {}", lines.next().unwrap_or(""));
    let wrapped = wrap(&first, style.width, INDENT);
    let rest = wrapped.strip_prefix(&format!("  {word}:")).unwrap_or("").to_owned();
    let _ = writeln!(out, "  {}{}", paint(&format!("{word}:"), "36", style), rest.trim_end());
    for line in lines {
        let _ = writeln!(out, "{}", format!("{INDENT}{line}").trim_end());
    }
}

fn paint(text: &str, colour: &str, style: Style) -> String {
    if style.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Breaks a line at blanks so that it fits; a word that is too long stays whole, so that it can be copied.
fn wrap(text: &str, columns: usize, indent: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut used = 0;
    for (at, word) in text.split(' ').enumerate() {
        let needed: usize = word.chars().map(width).sum();
        if at > 0 {
            if used + 1 + needed > columns && used > indent.len() {
                out.push('\n');
                out.push_str(indent);
                used = indent.len();
            } else {
                out.push(' ');
                used += 1;
            }
        }
        out.push_str(word);
        used += needed;
    }
    out
}

fn draw(out: &mut String, name: &str, window: Window, style: Style) {
    let theme = match (style.unicode, style.colour) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, true) => GraphicalTheme::ascii(),
        (false, false) => GraphicalTheme::none(),
    };
    let corner = theme.characters.ltop;
    let snippet = Snippet { name: one_line(name), window };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_context_lines(0)
        .with_links(false)
        .without_syntax_highlighting();
    let mut drawn = String::new();
    // A frame that cannot be drawn leaves the place, which is what matters most.
    if handler.render_report(&mut drawn, &snippet).is_err() {
        let _ = writeln!(out, "  at {}:{}:{}", snippet.name, snippet.window.line, snippet.window.column);
        return;
    }
    // Its own header is left out: code and message stand above already.
    for line in drawn.lines().skip_while(|line| !line.trim_start().starts_with(corner)) {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// A window as miette wants it: a source of one line.
#[derive(Debug)]
struct Snippet {
    name: String,
    window: Window,
}

impl std::fmt::Display for Snippet {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Snippet {}

impl Diagnostic for Snippet {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.window.labels.iter().enumerate().map(|(at, (place, text))| {
            let text = (!text.is_empty()).then(|| text.clone());
            let span = (place.start, place.len());
            if at == 0 {
                LabeledSpan::new_primary_with_span(text, span)
            } else {
                LabeledSpan::new_with_span(text, span)
            }
        })))
    }
}

impl SourceCode for Snippet {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let Window { line, column, text, .. } = &self.window;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            text.as_bytes(),
            (0, text.len()).into(),
            line.saturating_sub(1) as usize,
            column.saturating_sub(1) as usize,
            1,
        )))
    }
}

#[cfg(test)]
#[path = "human_tests.rs"]
mod tests;
