//! What the terminal can show: colours, width, Unicode.

use std::io::{BufRead, IsTerminal, Write};

use rust_decimal::Decimal;

use super::failure::Failure;
use super::findings::Shape;
use super::{Colour, Format, lines};

/// What output should look like.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// How what is not a finding is printed.
    pub format: Format,
    /// How findings are printed.
    pub findings: Shape,
    pub colour: bool,
    /// In columns.
    pub width: usize,
    /// Columns that no line of prose and no table passes: where people read on a terminal.
    pub fold: Option<usize>,
    pub unicode: bool,
    /// Whether somebody watches, so that questions can be asked.
    pub attended: bool,
    /// Whether progress is drawn in place: somebody watches, on a terminal that can.
    pub drawn: bool,
}

impl Terminal {
    /// Looks at the process's environment.
    pub fn detect(findings: Shape, colour: Colour) -> Self {
        let shown = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || dumb;
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => shown && !plain,
        };
        let width = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
            .or_else(|| comfy_table::Table::new().width().map(usize::from))
            .unwrap_or(100);
        let reads = findings == Shape::Human && std::io::stdout().is_terminal();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Terminal {
            format: findings.format(),
            findings,
            colour,
            width: width.clamp(40, 200),
            fold: reads.then_some(width.clamp(20, 200)),
            unicode,
            attended: shown && std::io::stdin().is_terminal(),
            drawn: shown && !dumb && std::io::stdin().is_terminal(),
        }
    }

    /// The style of findings.
    pub fn style(&self) -> crate::lang::finding::human::Style {
        crate::lang::finding::human::Style { width: self.width, colour: self.colour, unicode: self.unicode }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub fn red(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    pub fn cyan(&self, text: &str) -> String {
        self.paint("36", text)
    }

    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A text for people, in lines that fit.
    pub fn laid(&self, text: String) -> String {
        match self.fold {
            Some(width) => lines::fold(&text, width),
            None => text,
        }
    }

    /// A table without frames whose number columns (all but the first) stand to the right. On a terminal it fits: titles
    /// are broken, then the widest texts are shortened; where that does not do, a paragraph per row.
    pub fn table(&self, head: &[&str], rows: &[Vec<String>]) -> String {
        let whole = self.grid(head, rows);
        let Some(width) = self.fold else { return whole };
        let wide = |table: &str| table.lines().map(lines::columns).max().unwrap_or(0);
        if wide(&whole) <= width {
            return whole;
        }
        let titles: Vec<String> = head.iter().map(|title| title.replace(' ', "\n")).collect();
        let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
        let mut short = rows.to_vec();
        loop {
            let table = self.grid(&titles, &short);
            let over = wide(&table).saturating_sub(width);
            if over == 0 {
                return table;
            }
            let texts = (0..head.len()).filter_map(|index| {
                let cells = short.iter().filter_map(|row| row.get(index));
                let widest = cells.clone().map(|cell| lines::columns(cell)).max()?;
                let numbers = cells.clone().all(|cell| is_number(cell));
                (!numbers && widest > NAME).then_some((widest, index))
            });
            let Some((widest, index)) = texts.max() else { break };
            for cell in short.iter_mut().filter_map(|row| row.get_mut(index)) {
                *cell = clip(cell, widest.saturating_sub(over).max(NAME));
            }
        }
        self.rows_apart(head, rows, width)
    }

    /// The same, as wide as it is.
    pub fn grid(&self, head: &[&str], rows: &[Vec<String>]) -> String {
        use comfy_table::{CellAlignment, Table, presets};
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(head);
        for row in rows {
            table.add_row(row.clone());
        }
        for index in 1..head.len() {
            let numbers = rows.iter().all(|row| row.get(index).is_none_or(|cell| is_number(cell)));
            if let Some(column) = table.column_mut(index).filter(|_| numbers) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let titles = head.iter().map(|title| title.lines().count()).max().unwrap_or(0);
        let line = |(index, line): (usize, String)| match line.trim_end() {
            // Painted when it is laid out: colours would count as columns.
            line if index < titles => format!("  {}\n", self.bold(line)),
            line => format!("  {line}\n"),
        };
        table.lines().enumerate().map(line).collect()
    }

    /// The rows of a table below each other.
    fn rows_apart(&self, head: &[&str], rows: &[Vec<String>], width: usize) -> String {
        // A number stays with its title.
        let pair = |(title, cell): (&&str, &String)| match format!("{title} {cell}") {
            pair if is_number(cell) && lines::columns(&pair) + 8 <= width => pair.replace(' ', HELD),
            pair => pair,
        };
        let row = |row: &Vec<String>| {
            let cells: Vec<String> = head.iter().zip(row).skip(1).map(pair).collect();
            let name = self.bold(row.first().map_or("", String::as_str));
            lines::fold(&format!("  {name}\n    {}\n", cells.join(", ")), width).replace(HELD, " ")
        };
        rows.iter().map(row).collect()
    }
}

/// Columns that a text keeps where a table is too wide.
const NAME: usize = 12;
/// A blank that no line is broken at.
const HELD: &str = "\u{a0}";

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || " .,%-".contains(c))
}

/// A text on one line: what a terminal would obey is a blank, and so is what turns the rest of the line round.
pub fn one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect()
}

/// One line of at most so many columns: a Chinese character and an emoji take two.
pub fn clip(text: &str, most: usize) -> String {
    use unicode_width::UnicodeWidthStr;
    let line = one_line(text);
    if line.width() <= most {
        return line;
    }
    let mut short = String::new();
    for c in line.chars() {
        // What follows may widen a character: an emoji is wider than the sign that it is made of.
        short.push(c);
        if short.width() >= most {
            short.pop();
            break;
        }
    }
    short.push('…');
    short
}

/// A count with thin groups of three: `48 210`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Asks a person, and gives what was typed without the blanks around it.
pub fn asked(question: &str) -> Result<String, Failure> {
    eprint!("{question}");
    // A question that cannot be shown is answered with nothing, which is never a yes.
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::outside(format!("standard input: {error}")))?;
    Ok(answer.trim().to_owned())
}

/// An amount with its thousands apart, as [`count`] does it.
pub fn amount(number: Decimal) -> String {
    let text = number.normalize().to_string();
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    }
}

/// A duration in the two largest units: `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0 if seconds > 0.0 => format!("{:.0} ms", seconds * 1000.0),
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// A moment in UTC, to the second: `2026-11-21T12:00:00Z`.
pub fn moment(ms: i64) -> String {
    let rounded = jiff::Timestamp::from_second(ms.div_euclid(1000));
    rounded.map_or_else(|_| ms.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn plain(width: usize) -> Terminal {
        let (format, findings) = (Format::Human, Shape::Human);
        Terminal {
            format,
            findings,
            colour: false,
            width,
            unicode: true,
            attended: false,
            drawn: false,
            fold: None,
        }
    }

    #[test]
    fn columns_stand_below_each_other_in_every_writing() {
        let names =
            ["Acme", "Насосы и Ко", "株式会社 测试", "שלום עולם", "مرحبا", "👩 👍🏽", "e\u{301}te\u{301}"];
        let rows: Vec<Vec<String>> =
            names.iter().map(|name| vec![(*name).to_owned(), "|here".to_owned()]).collect();
        let table = plain(100).table(&["name", "mark"], &rows);
        let starts: Vec<usize> =
            table.lines().filter_map(|line| Some(line.split_once('|')?.0.width())).collect();
        assert_eq!(starts.len(), names.len(), "{table}");
        assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?}\n{table}");
    }

    #[test]
    fn a_table_fits_a_terminal() {
        let rows: Vec<Vec<String>> = (0..3)
            .map(|n| vec![format!("deal {n} -> Lead with a long name"), "48 210".to_owned(), "7".to_owned()])
            .collect();
        let head = ["map", "records of it", "rules"];
        let whole = plain(100).table(&head, &rows);
        for width in 20..120 {
            let table = Terminal { fold: Some(width), ..plain(100) }.table(&head, &rows);
            assert!(table.lines().all(|line| lines::columns(line) <= width), "{width}\n{table}");
            assert_eq!(table.matches("48 210").count(), 3, "{width}\n{table}");
            assert_eq!(table == whole, width >= lines::columns(whole.lines().nth(1).unwrap()), "{width}");
            let painted = Terminal { fold: Some(width), colour: true, ..plain(100) }.table(&head, &rows);
            let bare = painted.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
            assert_eq!(bare, table, "{width}");
        }
    }

    #[test]
    fn a_value_stays_on_its_line_and_within_its_columns() {
        assert_eq!(clip("a\tb", 10), "a b");
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("株式会社", 8), "株式会社");
        assert_eq!(clip("株式会社", 7), "株式会…");
        assert_eq!(clip("株式会社", 6), "株式…");
        assert_eq!(one_line("report\u{202e}gnp.exe\u{1b}[2J\u{2028}x"), "report gnp.exe [2J x");
    }

    proptest! {
        #[test]
        fn whatever_is_clipped_is_one_line_of_its_width(text in "\\PC{0,30}|[\u{0}-\u{2fff}]{0,30}", most in 2usize..20) {
            let line = clip(&text, most);
            prop_assert!(line.width() <= most, "{:?} is {} wide", line, line.width());
            let turns = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!line.chars().any(turns));
        }
    }

    #[test]
    fn counts_and_durations_read_well() {
        assert_eq!(
            [count(0), count(999), count(48_210), count(1_000_000)],
            ["0", "999", "48 210", "1 000 000"]
        );
        let shown = |text: &str| amount(text.parse().expect("a number"));
        assert_eq!(
            [shown("10639349.24"), shown("-1000.50"), shown("0"), shown("0.05")],
            ["10 639 349.24", "-1 000.5", "0", "0.05"]
        );
        assert_eq!([duration(0.02), duration(5.0), duration(65.0)], ["20 ms", "5 s", "1 min 05 s"]);
        assert_eq!([duration(7_500.0), duration(90_000.0)], ["2 h 05 min", "1 d 01 h"]);
        assert_eq!([moment(1_795_262_400_999), moment(-1)], ["2026-11-21T12:00:00Z", "1969-12-31T23:59:59Z"]);
    }
}
