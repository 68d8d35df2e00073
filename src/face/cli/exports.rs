//! CSV exports of the source, held against what was extracted.
//!
//! An export is made by a person in the portal, and it is only a cross-check: it leaves out what its maker may not see
//! and what stood outside the chosen filter. So a record that only the workspace has says nothing, and one that only
//! the export has is told and counts.
//!
//! Cells are read as bytes: a portal exports in UTF-8 or in a code page, and ids are ASCII in each.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::lang::plan::Plan;
use crate::run::engine;
use crate::run::workspace::Workspace;

use super::failure::Failure;
use super::terminal::{Terminal, count};

/// Ids that are named at most.
const NAMED: usize = 10;

/// What an export came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Export {
    pub file: PathBuf,
    /// The source object.
    pub object: String,
    /// Rows under the head.
    pub rows: u64,
    /// Ids that are not the same.
    pub records: u64,
    /// Records of the object in the workspace.
    pub staged: u64,
    /// Records of the export that were not extracted.
    pub not_staged: u64,
    /// The first of them.
    pub named: Vec<String>,
}

impl Export {
    /// Records that were extracted and are not in the export.
    pub fn only_staged(&self) -> u64 {
        (self.staged + self.not_staged).saturating_sub(self.records)
    }
}

/// Reads each export and holds it against the staged records.
pub fn compare(exports: &[String], plan: &Plan, workspace: &Workspace) -> Result<Vec<Export>, Failure> {
    exports.iter().map(|export| one(export, plan, workspace)).collect()
}

fn one(export: &str, plan: &Plan, workspace: &Workspace) -> Result<Export, Failure> {
    let objects: Vec<&str> = engine::objects(plan);
    let (object, path) = named(export, &objects)?;
    let (rows, ids) = ids(&path)?;
    let mut not_staged: Vec<&str> = Vec::new();
    for id in &ids {
        if workspace.staged_record(object, id)?.is_none() {
            not_staged.push(id);
        }
    }
    not_staged.sort_by_key(|id| (id.len(), *id));
    Ok(Export {
        object: object.to_owned(),
        rows,
        records: ids.len() as u64,
        staged: workspace.staged(object)?,
        not_staged: not_staged.len() as u64,
        named: not_staged.into_iter().take(NAMED).map(str::to_owned).collect(),
        file: path,
    })
}

/// The object and the file of `deal=FILE`, or of a file whose name begins with an object's.
fn named<'o>(export: &str, objects: &[&'o str]) -> Result<(&'o str, PathBuf), Failure> {
    let all = || objects.join("`, `");
    if let Some((object, path)) = export.split_once('=')
        && !Path::new(export).exists()
    {
        let known = objects.iter().find(|known| known.eq_ignore_ascii_case(object.trim()));
        let object = known.ok_or_else(|| {
            Failure::usage(format!("the plan reads no `{}`", object.trim())).hint(format!(
                "name one of `{}`, as in `--csv {}=FILE`",
                all(),
                objects.first().unwrap_or(&"deal")
            ))
        })?;
        return Ok((object, PathBuf::from(path)));
    }
    let path = PathBuf::from(export);
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let begins = |object: &&&str| {
        let rest = name.strip_prefix(&object.to_lowercase());
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    match objects.iter().filter(begins).max_by_key(|object| object.len()) {
        Some(object) => Ok((object, path)),
        None => Err(Failure::usage(format!("`{export}` does not tell of which object it is"))
            .hint(format!("write `--csv OBJECT={export}` with one of `{}`", all()))),
    }
}

/// The rows of a file, and the ids in its column `ID`.
fn ids(path: &Path) -> Result<(u64, HashSet<String>), Failure> {
    let failed = |error: &csv::Error| match error.kind() {
        csv::ErrorKind::Io(error) => Failure::file(path, error),
        _ => Failure::usage(format!("{}: {error}", path.display())).hint("export it anew, as CSV"),
    };
    let mut file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let delimiter = delimiter(&mut file).map_err(|error| Failure::file(path, &error))?;
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(file);
    let head = reader.byte_headers().map_err(|error| failed(&error))?;
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').trim().to_owned();
    let column = head.iter().position(|cell| text(cell).eq_ignore_ascii_case("id"));
    let Some(column) = column else {
        let columns: Vec<String> = head.iter().take(NAMED).map(|cell| format!("`{}`", text(cell))).collect();
        return Err(Failure::usage(format!(
            "{} has no column `ID`, only {}",
            path.display(),
            columns.join(", ")
        ))
        .hint("export it anew with the field ID among its columns"));
    };
    let (mut rows, mut ids) = (0, HashSet::new());
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| failed(&error))? {
        rows += 1;
        let id = record.get(column).map(text).unwrap_or_default();
        if !id.is_empty() {
            ids.insert(id);
        }
    }
    Ok((rows, ids))
}

/// What parts the cells of the head: portals write `;`, spreadsheets a comma or a tab.
fn delimiter(file: &mut File) -> std::io::Result<u8> {
    use std::io::{Read, Seek};
    let mut head = Vec::new();
    file.take(64 << 10).read_to_end(&mut head)?;
    file.rewind()?;
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let times = |sign: &u8| line.iter().filter(|byte| *byte == sign).count();
    Ok([b';', b',', b'\t'].into_iter().max_by_key(|sign| (times(sign), *sign == b';')).unwrap_or(b';'))
}

/// For people.
pub fn text(exports: &[Export], terminal: &Terminal) -> String {
    if exports.is_empty() {
        return String::new();
    }
    let row = |export: &Export| {
        vec![
            export.file.display().to_string(),
            export.object.clone(),
            count(export.records),
            count(export.staged),
            count(export.not_staged),
            count(export.only_staged()),
        ]
    };
    let rows: Vec<Vec<String>> = exports.iter().map(row).collect();
    let head = ["export", "object", "records", "extracted", "only in the export", "only extracted"];
    let mut out = format!("{}\n{}", terminal.bold("exports of the source"), terminal.table(&head, &rows));
    for export in exports.iter().filter(|export| export.not_staged > 0) {
        let more = if export.not_staged > NAMED as u64 { ", …" } else { "" };
        let _ = writeln!(
            out,
            "  {}: {}{more} were not extracted: look whether they stand in the source still, and whether the credentials \
             may read them",
            export.object,
            export.named.join(", ")
        );
    }
    out
}

/// As JSON.
pub fn json(exports: &[Export]) -> Value {
    let one = |export: &Export| {
        json!({
            "file": export.file.display().to_string(), "object": export.object, "rows": export.rows,
            "records": export.records, "extracted": export.staged, "only_in_export": export.not_staged,
            "only_extracted": export.only_staged(), "first_only_in_export": export.named,
        })
    };
    exports.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(u64, Vec<String>), Failure> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("DEAL_1.csv");
        std::fs::write(&path, bytes).expect("writes");
        let (rows, ids) = ids(&path)?;
        let mut ids: Vec<String> = ids.into_iter().collect();
        ids.sort();
        Ok((rows, ids))
    }

    #[test]
    fn exports_of_portals_and_spreadsheets_are_read() {
        let seven = |rows| (rows, vec!["12".to_owned(), "7".to_owned()]);
        let portal =
            "\u{feff}\"ID\";\"Название; полное\"\r\n\"7\";\"a\nb\"\r\n\"12\";\"\"\r\n\"7\";\"row two\"\r\n";
        assert_eq!(read(portal.as_bytes()).expect("reads"), seven(3));
        assert_eq!(read(b"Title,ID\nPump,7\nValve,12\n").expect("reads"), seven(2));
        // A code page: not UTF-8, and ids are ASCII all the same.
        assert_eq!(read(b"ID\t\xcd\xe0\xe7\n7\t\xff\n12\n").expect("reads"), seven(2));
        assert!(
            read(b"Title;Sum\nPump;7\n")
                .is_err_and(|failure| format!("{failure:?}").contains("no column `ID`"))
        );
    }

    #[test]
    fn an_export_tells_its_object_by_its_name_or_is_told() {
        let objects = ["company", "contact", "deal"];
        let object =
            |text: &str| named(text, &objects).map(|(object, path)| (object, path.display().to_string()));
        assert_eq!(
            object("COMPANY_20261121_ab.csv").ok(),
            Some(("company", "COMPANY_20261121_ab.csv".to_owned()))
        );
        assert_eq!(object("Deal=all.csv").ok(), Some(("deal", "all.csv".to_owned())));
        for bad in ["dealers.csv", "all.csv", "quote=all.csv"] {
            assert!(object(bad).is_err(), "{bad}");
        }
    }
}
