//! CSV that a spreadsheet opens without running any of it: RFC 4180 in UTF-8, for its owner's eyes.
//!
//! A cell that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets do not show.

use std::path::Path;

use super::failure::Failure;
use super::fresh::Fresh;

/// A file under way. It takes its name when it is whole.
pub struct Csv {
    out: Fresh,
}

impl Csv {
    /// Begins a file with its head.
    pub fn create(path: &Path, head: &[&str]) -> Result<Csv, Failure> {
        Csv::marked(path, head, false)
    }

    /// The same, with a byte order mark before it where one is wanted: some spreadsheets tell UTF-8 by it.
    pub fn marked(path: &Path, head: &[&str], mark: bool) -> Result<Csv, Failure> {
        let mut csv = Csv { out: Fresh::create(path)? };
        if mark {
            csv.out.write("\u{feff}")?;
        }
        csv.row(head)?;
        Ok(csv)
    }

    /// Ends it; it has no name yet.
    pub fn close(&mut self) -> Result<(), Failure> {
        self.out.close()
    }

    /// Writes a row.
    pub fn row(&mut self, cells: &[&str]) -> Result<(), Failure> {
        self.out.write(&line(cells))
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<(), Failure> {
        self.out.finish()
    }
}

/// A row as it is written, with its end.
pub fn line(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| safe(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell as it is written.
fn safe(cell: &str) -> String {
    let formula = cell
        .trim_start_matches(is_unseen)
        .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        || cell.starts_with(['\t', '\r', '\n']);
    let cell = if formula && !is_plain_number(cell) { format!("'{cell}") } else { cell.to_owned() };
    // A quoted cell may hold anything but a lone quote.
    if cell.contains([',', '"', '\n', '\r', ';', '\t']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

/// What nobody sees before a sign, and programs may skip: blanks, controls, marks of byte order, width and direction.
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{feff}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// `-12.50`: an amount below zero is no formula.
fn is_plain_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_text() {
        for (cell, written) in [
            ("Acme", "Acme"),
            ("-12.50", "-12.50"),
            ("=1+1", "'=1+1"),
            ("+16502530000", "'+16502530000"),
            ("-1+1", "'-1+1"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1+1", "'  =1+1"),
            ("\t=1", "\"'\t=1\""),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{feff}=1", "'\u{feff}=1"),
            ("\u{202e}\u{200b} @a", "'\u{202e}\u{200b} @a"),
            ("\u{202e}gnp", "\u{202e}gnp"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("a;=1", "\"a;=1\""),
            ("Müller, Söhne", "\"Müller, Söhne\""),
            ("", ""),
        ] {
            assert_eq!(safe(cell), written, "{cell:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cell_begins_as_a_formula_and_every_quote_is_closed(cell in "[=+\\-@\t\r\n\",; a1ж]{0,8}") {
            let written = safe(&cell);
            let (inner, quoted) = match written.strip_prefix('"') {
                Some(rest) => (rest.strip_suffix('"').expect("a closing quote").replace("\"\"", "\""), true),
                None => (written.clone(), false),
            };
            prop_assert!(quoted || !written.contains([',', '"', '\n', '\r']));
            let first = inner.trim_start().chars().next();
            prop_assert!(!matches!(first, Some('=' | '+' | '@')), "{:?}", written);
            prop_assert!(first != Some('-') || is_plain_number(&inner), "{:?}", written);
            prop_assert_eq!(inner.strip_prefix('\'').unwrap_or(&inner), cell.as_str());
        }
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("books.csv");
        drop(Csv::create(&path, &["map"]).expect("begins"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 0, "half a file was left");
        let mut csv = Csv::create(&path, &["map", "key"]).expect("begins");
        csv.row(&["deal", "=1"]).expect("writes");
        assert!(!path.exists());
        csv.finish().expect("finishes");
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "map,key\r\ndeal,'=1\r\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o077, 0);
        }
    }
}
