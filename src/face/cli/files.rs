//! Files of the source on this machine: downloaded by content, with a ledger of where each belongs.
//!
//! A folder holds `ledger.ndjson`, a line per file, and the contents under their hashes, each once however many records
//! have it. A line is written when the content is in its place under its name, so that whoever goes on finds both.
//! INVARIANT: no name that came from outside is a path, and no link is in a line.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::lang::plan::Plan;
use crate::lang::schema::Schema;
use crate::run::connect::{FileAt, Got, Source};
use crate::run::engine::{self, FileField, Outside};
use crate::run::workspace::Workspace;

use super::failure::Failure;
use super::terminal::count;

const LEDGER: &str = "ledger.ndjson";

/// What is known of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Stored { name: Option<String>, bytes: u64, hash: String },
    Broken { why: String },
}

/// What a folder holds after a run.
#[derive(Debug, Default)]
pub struct Downloaded {
    /// Files that stand in records, and how many of them are in the folder.
    pub files: u64,
    pub stored: u64,
    /// Contents, each once, and their bytes.
    pub contents: u64,
    pub bytes: u64,
    /// Files that this run asked for.
    pub asked: u64,
    /// Those that cannot be had, with the reason.
    pub broken: Vec<(FileAt, String)>,
}

/// The ledger of fields, without sizes: for who downloads nothing.
pub fn listed(plan: &Plan, workspace: &Workspace, schema: &Schema) -> Result<Vec<FileField>, Failure> {
    let all = engine::count_files(plan, workspace, schema)?;
    Ok(all.into_iter().filter(|field| field.files > 0).collect())
}

/// Brings the files of all staged records into a folder; goes on where an earlier call ended. Files that could not be
/// had are asked for again.
pub async fn download(
    plan: &Plan,
    schema: &Schema,
    workspace: &Workspace,
    source: &dyn Source,
    folder: &Path,
    outside: &Outside<'_>,
) -> Result<Result<Downloaded, Failure>, engine::Error> {
    let mut wanted = Vec::new();
    engine::files(plan, workspace, schema, |line| {
        wanted.push(FileAt {
            object: line.object.to_owned(),
            key: line.key.to_owned(),
            field: line.field.to_owned(),
            file: line.file.to_owned(),
        });
        Ok::<(), engine::Error>(())
    })?;
    wanted.sort_unstable();
    wanted.dedup();
    let mut store = match Store::open(folder) {
        Ok(store) => store,
        Err(failure) => return Ok(Err(failure)),
    };
    let account = source.account().await?;
    workspace.exported(folder, outside.clock.now_ms())?;
    outside.progress.begin("download files", Some(wanted.len() as u64));
    let mut asked = 0;
    for (at, file) in wanted.iter().enumerate() {
        outside.progress.at(at as u64);
        if store.has(file) {
            continue;
        }
        outside.points.reach("files.request")?;
        asked += 1;
        let kept = match source.file(file).await? {
            Got::Bytes { name, body } => store.keep(&account.name, file, name, &body),
            Got::Broken(why) => store.note(&account.name, file, State::Broken { why }),
        };
        if let Err(failure) = kept {
            outside.progress.end();
            return Ok(Err(failure));
        }
    }
    outside.progress.end();
    if let Err(failure) = store.finish(&account.name, &wanted) {
        return Ok(Err(failure));
    }
    let mut out = Downloaded { files: wanted.len() as u64, asked, ..Downloaded::default() };
    let mut contents = BTreeMap::new();
    for file in wanted {
        match store.known.get(&file) {
            Some(State::Stored { bytes, hash, .. }) => {
                out.stored += 1;
                contents.insert(hash.clone(), *bytes);
            }
            Some(State::Broken { why }) => out.broken.push((file, why.clone())),
            None => {}
        }
    }
    (out.contents, out.bytes) = (contents.len() as u64, contents.values().sum());
    Ok(Ok(out))
}

/// A folder with its ledger.
struct Store {
    folder: PathBuf,
    known: BTreeMap<FileAt, State>,
    ledger: std::fs::File,
}

impl Store {
    fn open(folder: &Path) -> Result<Store, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
        let path = folder.join(LEDGER);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::file(&path, &error)),
        };
        // A line that is cut is one that was never finished: its file is asked for again.
        let known = text.lines().filter_map(read).collect();
        let ledger = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let mut ledger = ledger.map_err(|error| Failure::file(&path, &error))?;
        if !text.is_empty() && !text.ends_with('\n') {
            ledger.write_all(b"\n").map_err(|error| Failure::file(&path, &error))?;
        }
        Ok(Store { folder: folder.to_owned(), known, ledger })
    }

    /// Where a content stands: its hash, in a folder of its first two digits.
    fn place(&self, hash: &str) -> PathBuf {
        self.folder.join(relative(hash))
    }

    /// Whether a file is there, with as many bytes as came.
    fn has(&self, file: &FileAt) -> bool {
        let Some(State::Stored { bytes, hash, .. }) = self.known.get(file) else { return false };
        is_hash(hash)
            && std::fs::metadata(self.place(hash)).is_ok_and(|held| held.is_file() && held.len() == *bytes)
    }

    /// Puts a content in its place, unless it is there, and writes its line.
    fn keep(
        &mut self,
        source: &str,
        file: &FileAt,
        name: Option<String>,
        body: &[u8],
    ) -> Result<(), Failure> {
        let hash = blake3::hash(body).to_hex().to_string();
        let place = self.place(&hash);
        let bytes = body.len() as u64;
        if !std::fs::metadata(&place).is_ok_and(|held| held.is_file() && held.len() == bytes) {
            let failed = |error: std::io::Error| Failure::file(&place, &error);
            std::fs::create_dir_all(place.parent().unwrap_or(&self.folder)).map_err(failed)?;
            let unfinished = place.with_extension("part");
            let mut out = std::fs::File::create(&unfinished).map_err(failed)?;
            out.write_all(body).and_then(|()| out.sync_all()).map_err(failed)?;
            std::fs::rename(&unfinished, &place).map_err(failed)?;
        }
        self.note(source, file, State::Stored { name, bytes, hash })
    }

    fn note(&mut self, source: &str, file: &FileAt, state: State) -> Result<(), Failure> {
        let line = format!("{}\n", line(source, file, &state));
        let path = self.folder.join(LEDGER);
        self.ledger.write_all(line.as_bytes()).map_err(|error| Failure::file(&path, &error))?;
        self.known.insert(file.clone(), state);
        Ok(())
    }

    /// Writes the ledger anew: a line per file, in order. Files of records that are staged no more keep their lines.
    fn finish(&self, source: &str, wanted: &[FileAt]) -> Result<(), Failure> {
        let path = self.folder.join(LEDGER);
        let unfinished = path.with_extension("part");
        let failed = |error: std::io::Error| Failure::file(&path, &error);
        let mut text = String::new();
        let all: std::collections::BTreeSet<&FileAt> = self.known.keys().chain(wanted).collect();
        for file in all {
            if let Some(state) = self.known.get(file) {
                text.push_str(&line(source, file, state).to_string());
                text.push('\n');
            }
        }
        std::fs::write(&unfinished, text).map_err(failed)?;
        std::fs::rename(&unfinished, &path).map_err(failed)
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn relative(hash: &str) -> String {
    format!("{}/{hash}", hash.get(..2).unwrap_or("00"))
}

fn line(source: &str, file: &FileAt, state: &State) -> Value {
    let mut out = json!({
        "source": source, "object": file.object, "key": file.key, "field": file.field, "file": file.file,
    });
    match state {
        State::Stored { name, bytes, hash } => {
            out["state"] = json!("stored");
            out["name"] = json!(name);
            out["bytes"] = json!(bytes);
            out["hash"] = json!(hash);
            out["path"] = json!(relative(hash));
        }
        State::Broken { why } => {
            out["state"] = json!("broken");
            out["why"] = json!(why);
        }
    }
    out
}

fn read(line: &str) -> Option<(FileAt, State)> {
    let json: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let at =
        FileAt { object: text("object")?, key: text("key")?, field: text("field")?, file: text("file")? };
    let state = match text("state")?.as_str() {
        "stored" => State::Stored {
            name: text("name"),
            bytes: json.get("bytes").and_then(Value::as_u64)?,
            hash: text("hash").filter(|hash| is_hash(hash))?,
        },
        "broken" => State::Broken { why: text("why")? },
        _ => return None,
    };
    Some((at, state))
}

/// For people, after an extraction without a folder.
pub fn told_listed(fields: &[FileField]) -> String {
    let files: u64 = fields.iter().map(|field| field.files).sum();
    if files == 0 {
        return String::new();
    }
    let mut out = format!(
        "files: {} in {} fields, none of them downloaded: `--files FOLDER` brings them\n",
        count(files),
        fields.len()
    );
    for field in fields {
        out.push_str(&format!(
            "  {}.{}: {} of {} records\n",
            field.object,
            field.field,
            count(field.files),
            count(field.records)
        ));
    }
    out
}

/// For people, after a download.
pub fn told(downloaded: &Downloaded, folder: &Path) -> String {
    const NAMED: usize = 20;
    let mut out = format!(
        "files: {} of {} are in {} ({} contents, {} bytes), {} asked for now; where each belongs stands in {LEDGER}\n",
        count(downloaded.stored),
        count(downloaded.files),
        folder.display(),
        count(downloaded.contents),
        count(downloaded.bytes),
        count(downloaded.asked),
    );
    for (at, why) in downloaded.broken.iter().take(NAMED) {
        out.push_str(&format!("  {} {}, `{}`, file {}: {why}\n", at.object, at.key, at.field, at.file));
    }
    if downloaded.broken.len() > NAMED {
        out.push_str(&format!("  and {} more\n", count((downloaded.broken.len() - NAMED) as u64)));
    }
    if !downloaded.broken.is_empty() {
        out.push_str("the same command asks for those that lack again\n");
    }
    out
}

/// The same for programs.
pub fn printed(fields: &[FileField], downloaded: Option<&Downloaded>, folder: Option<&Path>) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|f| json!({"object": f.object, "field": f.field, "records": f.records, "files": f.files}))
        .collect();
    let downloaded = downloaded.map(|d| {
        let broken: Vec<Value> = d
            .broken
            .iter()
            .map(|(at, why)| json!({"object": at.object, "key": at.key, "field": at.field, "file": at.file, "why": why}))
            .collect();
        json!({
            "folder": folder.map(|f| f.display().to_string()), "files": d.files, "stored": d.stored, "contents": d.contents,
            "bytes": d.bytes, "asked": d.asked, "broken": broken,
        })
    });
    json!({"fields": fields, "downloaded": downloaded})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(key: &str, file: &str) -> FileAt {
        let text = str::to_owned;
        FileAt { object: text("deal"), key: text(key), field: text("UF_CRM_1"), file: text(file) }
    }

    #[test]
    fn equal_contents_are_kept_once_and_a_cut_ledger_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = Store::open(folder.path()).expect("opens");
        store.keep("acme", &at("1", "10"), Some("../a.txt".to_owned()), b"same").expect("keeps");
        store.keep("acme", &at("2", "11"), None, b"same").expect("keeps");
        store.note("acme", &at("3", "12"), State::Broken { why: "HTTP 404".to_owned() }).expect("notes");
        drop(store);
        let hash = blake3::hash(b"same").to_hex().to_string();
        let place = folder.path().join(&hash[..2]).join(&hash);
        assert_eq!(std::fs::read(&place).expect("there"), b"same");
        // Two lines whole, the third cut in its middle.
        let path = folder.path().join(LEDGER);
        let text = std::fs::read_to_string(&path).expect("reads");
        assert_eq!(text.lines().count(), 3);
        std::fs::write(&path, &text[..text.len() - 20]).expect("writes");
        let mut store = Store::open(folder.path()).expect("opens");
        assert!(store.has(&at("1", "10")) && store.has(&at("2", "11")) && !store.has(&at("3", "12")));
        store.note("acme", &at("3", "12"), State::Broken { why: "HTTP 403".to_owned() }).expect("notes");
        store.finish("acme", &[]).expect("finishes");
        assert_eq!(std::fs::read_to_string(&path).expect("reads").lines().count(), 3);
        // A content that somebody cut is asked for again.
        std::fs::write(&place, b"sam").expect("writes");
        assert!(!Store::open(folder.path()).expect("opens").has(&at("1", "10")));
    }
}
