//! The lists of a report: every row goes to its file as it is read, the first ones stay for the page.

use crate::run::engine::Error;
use crate::run::workspace;

use super::model::List;

/// Rows of a list that the report itself holds.
const FIRST: usize = 100;

/// Where lists are written to.
pub trait Lists {
    /// Why a list could not be written, or not be read.
    type Error: From<Error> + From<workspace::Error>;

    /// Begins a file with its columns.
    ///
    /// # Errors
    /// A file that cannot be made.
    fn begin(&mut self, file: &str, head: &[&str]) -> Result<(), Self::Error>;

    /// Adds a row to the file that was begun last.
    ///
    /// # Errors
    /// A file that cannot be written.
    fn row(&mut self, cells: &[&str]) -> Result<(), Self::Error>;

    /// Ends it.
    ///
    /// # Errors
    /// A file that cannot be written.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Lists as they are made.
pub(super) struct Writing<'l, L: Lists> {
    out: &'l mut L,
    pub lists: Vec<List>,
    /// The one that is made, and whether its file was begun.
    now: Option<(List, bool)>,
}

impl<'l, L: Lists> Writing<'l, L> {
    pub fn new(out: &'l mut L) -> Self {
        Writing { out, lists: Vec::new(), now: None }
    }

    /// Begins a list; its file is made with its first row.
    pub fn begin(&mut self, file: &str, title: &str, head: &[&str]) {
        let head = head.iter().map(|cell| (*cell).to_owned()).collect();
        self.now =
            Some((List { file: file.to_owned(), title: title.to_owned(), head, ..List::default() }, false));
    }

    /// Makes the file of the list even where it has no row.
    pub fn always(&mut self) -> Result<(), L::Error> {
        let Some((list, begun)) = &mut self.now else { return Ok(()) };
        if !std::mem::replace(begun, true) {
            let head: Vec<&str> = list.head.iter().map(String::as_str).collect();
            self.out.begin(&list.file, &head)?;
        }
        Ok(())
    }

    pub fn row(&mut self, cells: &[&str]) -> Result<(), L::Error> {
        self.always()?;
        let Some((list, _)) = &mut self.now else { return Ok(()) };
        list.rows += 1;
        if list.first.len() < FIRST {
            list.first.push(cells.iter().map(|cell| (*cell).to_owned()).collect());
        }
        self.out.row(cells)
    }

    /// Ends the list; gives its rows, and the file where there is one.
    pub fn end(&mut self) -> Result<(u64, Option<String>), L::Error> {
        let Some((list, begun)) = self.now.take() else { return Ok((0, None)) };
        if !begun {
            return Ok((0, None));
        }
        self.out.end()?;
        let told = (list.rows, Some(list.file.clone()));
        self.lists.push(list);
        Ok(told)
    }
}

/// A part of a file's name: letters and digits of any row of the books, and what is neither as `-`.
pub(super) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.truncate(40);
    let out = out.trim_end_matches('-');
    if out.is_empty() { "row".to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_books_make_names_of_files() {
        for (text, file) in [
            ("deal", "deal"),
            ("notes of deal", "notes-of-deal"),
            ("process 1032", "process-1032"),
            ("../../etc/passwd", "etc-passwd"),
            ("сделка", "row"),
            ("left out", "left-out"),
        ] {
            assert_eq!(slug(text), file);
        }
        assert!(slug(&"x".repeat(99)).len() <= 40);
    }
}
