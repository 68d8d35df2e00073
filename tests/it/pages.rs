//! Runs what the book shows: commands in a folder of their own, with the files and changes that the page shows before
//! them, and JSON examples against what the program prints.
//!
//! A block's mark is its info string:
//!
//! | mark | means |
//! | --- | --- |
//! | `b2n` | a whole spec, which checks against the sample schemas |
//! | `b2n,fragment` | items, or lines of a map: parsed |
//! | `b2n,error=CODE` | items that give this code against the sample schemas, and no other |
//! | `b2n,file=NAME` | written into the page's folder; the guides' specs stand in `book/demo` too |
//! | `diff,file=NAME` | a change of a file that was written before, in the page's folder |
//! | `console` | commands that are run there, and what they print; `…` is any lines |
//! | `console,shown` | commands that need an account, a network or minutes: looked at, not run |
//! | `json` below a comment `<!-- b2n … -->` | what that command prints, in `book/demo`; `"…"` is any value |
//! | `yaml` | a snapshot; with `yaml,ci` a CI file, whose `b2n` commands are looked at |
//! | `text`, `ebnf` | nothing that a program reads; `ebnf` is held by `grammar.rs` |
//!
//! A page runs in a copy of `book/demo`, or of the folder that a comment `<!-- runs in examples/acme -->` names.
//!
//! `B2N_BLESS=1 cargo test book` writes console output, JSON examples and `book/demo` anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::book::{Block, blocks, documents, pages, read, root};

const KINDS: &[&str] =
    &["b2n", "b2n,fragment", "console", "console,shown", "diff", "ebnf", "json", "text", "yaml", "yaml,ci"];

/// Programs that a block may run, and commands that are only shown: they ask accounts, serve ports or take minutes.
const RUN: &[&str] = &["b2n", "cat", "cp", "echo", "head", "sed", "tail"];
const ONLY_SHOWN: &[&str] = &[
    "approve",
    "extract",
    "init",
    "migrate",
    "provision",
    "reconcile",
    "review",
    "rollback",
    "snapshot",
    "twin",
];

/// What of a block may not be run.
fn not_run(text: &str) -> Vec<String> {
    let commands = transcript(text).into_iter().flat_map(|(command, _)| crate::book::pipeline(&command));
    let may = |words: &Vec<String>| {
        let first = words.first().is_none_or(|word| RUN.contains(&word.as_str()));
        first && !words.get(1).is_some_and(|word| words[0] == "b2n" && ONLY_SHOWN.contains(&word.as_str()))
    };
    commands.filter(|words| !may(words)).map(|words| words.join(" ")).collect()
}

#[test]
fn every_block_says_what_it_is() {
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        for block in blocks(&text) {
            let info = block.info.as_str();
            if info == "console" && name.starts_with("book/") {
                let at = format!("{name}, block of line {}", block.line);
                wrong.extend(not_run(&block.text).iter().map(|line| {
                    format!("{at}: `{line}` is not run here: mark the block as `console,shown`")
                }));
            }
            let named = ["b2n,error=", "b2n,file=", "diff,file="].iter().any(|mark| info.starts_with(mark));
            if !named && !KINDS.contains(&info) {
                wrong.push(format!("{name}, block of line {}: `{info}` is no kind of block", block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn blessing() -> bool {
    std::env::var_os("B2N_BLESS").is_some_and(|value| !value.is_empty())
}

/// A copy of a folder of the repository, whose snapshots were taken today.
struct Place {
    folder: PathBuf,
    today: String,
    /// The day that its snapshots say.
    taken: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Place {
    /// The place in which a page runs.
    fn new(name: &str, page: &str) -> Place {
        let comment = page.lines().find_map(|line| line.strip_prefix("<!-- runs in ")?.strip_suffix(" -->"));
        let from = root().join(comment.unwrap_or("book/demo"));
        let snapshot = read(&from.join("schema/nutshell.yaml"));
        let taken = snapshot.lines().find_map(|line| line.strip_prefix("taken: ")).expect("a day").to_owned();
        let folder = std::env::temp_dir().join(format!(
            "b2n-book-{}-{}",
            std::process::id(),
            name.replace(['/', '.'], "-")
        ));
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        copy(&from, &folder, &|text| text.replace(&format!("taken: {taken}"), &format!("taken: {today}")));
        Place { folder, today, taken }
    }

    /// What a command prints.
    fn run(&self, command: &str) -> String {
        let bin = Path::new(env!("CARGO_BIN_EXE_b2n")).parent().expect("a folder");
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
            .env("HOME", &self.folder)
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("B2N_CACHE_DIR", "")
            .current_dir(&self.folder)
            .output()
            .expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).replace(&self.today, &self.taken);
        text.lines().map(|line| timeless(line.trim_end()) + "\n").collect()
    }
}

/// A line without how long this machine took.
fn timeless(line: &str) -> String {
    line.split("; rehearsed in ").next().unwrap_or_default().to_owned()
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(String) -> String) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target, change);
        } else {
            std::fs::write(target, change(read(&path))).expect("a file can be written");
        }
    }
}

/// A block's commands with what each prints.
fn transcript(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            found.push((command.to_owned(), String::new()));
        } else if let Some((command, shown)) = found.last_mut() {
            let part = if open { &mut *command } else { &mut *shown };
            if open {
                part.push('\n');
            }
            part.push_str(line.trim_end());
            if !open {
                part.push('\n');
            }
        } else {
            panic!("output without a command: {line}");
        }
        open = found.last().is_some_and(|(command, shown)| shown.is_empty() && command.ends_with('\\'));
    }
    found
}

/// Whether the lines shown are those printed, `…` standing for any.
fn agrees(shown: &str, printed: &str) -> bool {
    fn from(shown: &[&str], printed: &[&str]) -> bool {
        match shown.split_first() {
            None => printed.is_empty(),
            Some((line, rest)) if line.trim() == "…" => {
                (0..=printed.len()).any(|at| from(rest, &printed[at..]))
            }
            Some((line, rest)) => {
                printed.first().is_some_and(|first| timeless(line) == *first) && from(rest, &printed[1..])
            }
        }
    }
    let shown: Vec<&str> = shown.lines().collect();
    let printed: Vec<&str> = printed.lines().collect();
    from(&shown, &printed)
}

/// A text with a change in it: lines with `-` are there and go, lines with `+` come, others stay. How lines are aligned
/// makes no difference.
fn patched(text: &str, diff: &str) -> Result<String, String> {
    let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for hunk in diff.split("…\n") {
        let change: Vec<(&str, &str)> =
            hunk.lines().map(|line| line.split_at(line.chars().next().map_or(0, char::len_utf8))).collect();
        let old: Vec<String> =
            change.iter().filter(|(sign, _)| *sign != "+").map(|(_, line)| plain(line)).collect();
        let starts: Vec<usize> = (0..=lines.len().saturating_sub(old.len()))
            .filter(|at| lines[*at..].iter().zip(&old).all(|(line, old)| plain(line) == *old))
            .collect();
        let [start] = starts[..] else {
            return Err(format!(
                "these lines stand there {} times:\n{}\n{text}",
                starts.len(),
                old.join("\n")
            ));
        };
        let mut kept = lines.splice(start..start + old.len(), []).collect::<Vec<_>>().into_iter();
        let mut new = Vec::new();
        for (sign, line) in change {
            match sign {
                "+" => new.push(line.to_owned()),
                "-" => drop(kept.next()),
                _ => new.extend(kept.next()),
            }
        }
        lines.splice(start..start, new);
    }
    Ok(lines.join("\n") + "\n")
}

/// A page that was gone through.
#[derive(Default)]
struct Played {
    /// The page as it should be.
    text: String,
    /// Files that it writes.
    files: Vec<(String, String)>,
    commands: usize,
    wrong: Vec<String>,
}

fn plays(block: &Block) -> bool {
    block.info.contains("file=") || block.info == "console"
}

/// Goes through a page: writes its files, makes its changes, runs its commands.
fn play(name: &str, text: &str) -> Played {
    let mut played = Played { text: text.to_owned(), ..Played::default() };
    let place = Place::new(name, text);
    let write = |file: &str, text: &str| {
        std::fs::write(place.folder.join(file), text).expect("a file can be written");
    };
    for block in blocks(text).iter().filter(|block| plays(block)) {
        let at = format!("{name}, block of line {}", block.line);
        if let Some(file) = block.info.strip_prefix("b2n,file=") {
            let text = b2n::lang::text::SourceText::new(file, block.text.clone());
            let neat = b2n::lang::syntax::format(&text).unwrap_or_default();
            if neat.is_empty() || neat != block.text && !blessing() {
                played.wrong.push(format!("{at} is laid out otherwise by `b2n fmt`"));
            } else {
                played.text = played.text.replacen(&block.text, &neat, 1);
            }
            write(file, &neat);
            played.files.push((file.to_owned(), neat));
        } else if let Some(file) = block.info.strip_prefix("diff,file=") {
            match patched(&read(&place.folder.join(file)), &block.text) {
                Ok(text) => write(file, &text),
                Err(why) => played.wrong.push(format!("{at}: {why}")),
            }
        } else if not_run(&block.text).is_empty() {
            let mut now = String::new();
            for (command, shown) in transcript(&block.text) {
                played.commands += 1;
                let printed = place.run(&command);
                let agree = agrees(&shown, &printed);
                if !agree && (shown.contains("…\n") || !blessing()) {
                    played.wrong.push(format!("{at}: `{command}` prints\n{printed}"));
                }
                now.push_str(&format!("$ {command}\n{}", if agree { &shown } else { &printed }));
            }
            let (old, new) = (&block.text, &now);
            played.text =
                played.text.replacen(&format!("```console\n{old}```"), &format!("```console\n{new}```"), 1);
        }
    }
    played
}

#[test]
fn commands_in_the_book_print_what_it_shows() {
    let pages = pages();
    let played: Vec<(&String, Played)> = std::thread::scope(|scope| {
        let running: Vec<_> = pages
            .iter()
            .filter(|(name, text)| !name.starts_with("errors/") && blocks(text).iter().any(plays))
            .map(|(name, text)| (name, scope.spawn(|| play(name, text))))
            .collect();
        running.into_iter().map(|(name, page)| (name, page.join().expect("a page"))).collect()
    });
    let folder = root().join("book");
    let (mut commands, mut wrong) = (0, Vec::new());
    for (name, mut page) in played {
        commands += page.commands;
        wrong.append(&mut page.wrong);
        if blessing() {
            std::fs::write(folder.join("src").join(name), &page.text).expect("the book can be written");
        }
        for (file, text) in page.files {
            let path = folder.join("demo").join(&file);
            if blessing() {
                std::fs::write(&path, text).expect("the demo can be written");
            } else if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                wrong.push(format!(
                    "book/demo/{file} is not what {name} shows: `B2N_BLESS=1 cargo test book`"
                ));
            }
        }
    }
    println!("{commands} commands run");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_file_of_the_demo_is_shown_or_used() {
    let shown: String = pages().into_values().collect();
    let folder = root().join("book/demo");
    for entry in std::fs::read_dir(&folder).expect("the demo") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let named = shown.contains(&format!("file={name}")) || shown.contains(&format!(" {name}"));
        assert!(named || name == "schema", "no page speaks of book/demo/{name}");
    }
    let specs: String = shown;
    for entry in std::fs::read_dir(folder.join("schema")).expect("its schemas") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(specs.contains(&format!("schema/{name}")), "no page speaks of book/demo/schema/{name}");
    }
}

// ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Where an example is not what a command printed; `"…"` is anything, at the end of a list anything more.
fn differs(shown: &Value, printed: &Value, path: &str, out: &mut Vec<String>) {
    let more = Value::String("…".to_owned());
    match (shown, printed) {
        (shown, _) if *shown == more => {}
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().filter(|key| !b.contains_key(*key)) {
                out.push(format!("{path}.{key} is not printed"));
            }
            for (key, value) in b {
                match a.get(key) {
                    Some(other) => differs(other, value, &format!("{path}.{key}"), out),
                    None => out.push(format!("{path}.{key} is not in the example")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let open = a.last() == Some(&more);
            let known = if open { a.len() - 1 } else { a.len() };
            if b.len() < known || !open && b.len() > known {
                out.push(format!("{path} has {} elements", b.len()));
            }
            for (at, (a, b)) in a.iter().zip(b).take(known).enumerate() {
                differs(a, b, &format!("{path}[{at}]"), out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path} is {b}, not {a}")),
    }
}

/// The example with what a command printed in the places that it shows.
fn renewed(shown: &Value, printed: &Value) -> Value {
    let more = Value::String("…".to_owned());
    match (shown, printed) {
        (shown, _) if *shown == more => more,
        (Value::Object(a), Value::Object(b)) => {
            let entries = b.iter().map(|(key, value)| {
                (key.clone(), a.get(key).map_or_else(|| value.clone(), |shown| renewed(shown, value)))
            });
            Value::Object(entries.collect())
        }
        (Value::Array(a), Value::Array(b)) if a.last() == Some(&more) => {
            let known = a[..a.len() - 1].iter().zip(b).map(|(a, b)| renewed(a, b));
            Value::Array(known.chain([more]).collect())
        }
        (Value::Array(a), Value::Array(b)) => Value::Array(
            b.iter()
                .enumerate()
                .map(|(at, value)| a.get(at).map_or_else(|| value.clone(), |shown| renewed(shown, value)))
                .collect(),
        ),
        (_, printed) => printed.clone(),
    }
}

#[test]
fn json_examples_are_what_the_commands_print() {
    let name = "reference/json.md";
    let text = pages().remove(name).expect("the page");
    let place = Place::new("json", &text);
    let all: Vec<&str> = text.lines().collect();
    let (mut wrong, mut formats) = (Vec::new(), Vec::new());
    let mut should = text.clone();
    for block in blocks(&text).iter().filter(|block| block.info == "json") {
        let Some(command) = all[..block.line - 1]
            .iter()
            .rev()
            .find(|line| !line.trim().is_empty())
            .and_then(|line| line.strip_prefix("<!-- "))
            .and_then(|line| line.strip_suffix(" -->"))
        else {
            continue;
        };
        let printed = place.run(command);
        let read = |text: &str| -> Vec<Value> {
            serde_json::Deserializer::from_str(text)
                .into_iter::<Value>()
                .map(|value| value.unwrap_or_else(|error| panic!("`{command}`: {error}:\n{text}")))
                .collect()
        };
        let (shown, printed) = (read(&block.text), read(&printed));
        formats.extend(printed.iter().filter_map(|value| value["format"].as_str().map(str::to_owned)));
        let mut here = Vec::new();
        if shown.len() != printed.len() {
            here.push(format!("{} objects instead of {}", printed.len(), shown.len()));
        }
        for (shown, printed) in shown.iter().zip(&printed) {
            differs(shown, printed, "", &mut here);
        }
        if here.is_empty() {
            continue;
        }
        if blessing() {
            let values = printed.iter().enumerate().map(|(at, printed)| {
                let value = shown.get(at).map_or_else(|| printed.clone(), |shown| renewed(shown, printed));
                serde_json::to_string_pretty(&value).expect("it was read") + "\n"
            });
            should = should.replacen(&block.text, &values.collect::<String>(), 1);
        } else {
            wrong.push(format!("{name}, block of line {}: `{command}`:\n{}", block.line, here.join("\n")));
        }
    }
    if blessing() {
        std::fs::write(root().join("book/src").join(name), should).expect("the book can be written");
    }
    println!("examples of {}", formats.join(", "));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Every format that the program writes, by its name in the code, stands in the page with its version.
#[test]
fn every_format_is_described() {
    let page = read(&root().join("book/src/reference/json.md"));
    let mut missing = std::collections::BTreeSet::new();
    let mut found = 0;
    for path in crate::book::sources(&root().join("src")) {
        for word in read(&path).split('"') {
            let versioned = word.strip_prefix("b2n-").and_then(|rest| rest.split_once('/'));
            if versioned.is_some_and(|(name, version)| {
                let named = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                named && !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())
            }) {
                found += 1;
                // Files of their own, described on pages of their own.
                let file = ["b2n-snapshot/1", "b2n-users/1", "b2n-schema/1"].contains(&word);
                if !file && !page.contains(&format!("`{word}`")) {
                    missing.insert(word.to_owned());
                }
            }
        }
    }
    assert!(found > 10, "formats are written otherwise now");
    assert!(missing.is_empty(), "not in json.md: {missing:?}");
}

#[test]
fn commands_of_ci_files_exist() {
    use clap::error::ErrorKind;
    let mut checked = 0;
    for (name, text) in documents() {
        for block in blocks(&text).iter().filter(|block| block.info == "yaml,ci") {
            for line in block.text.lines() {
                let Some(at) = line.find("b2n ") else { continue };
                let command = line[at..].trim_end_matches('"');
                if line[..at].trim_start_matches([' ', '-']).is_empty() || line[..at].ends_with("run: ") {
                    checked += 1;
                    let words: Vec<&str> =
                        command.split_whitespace().take_while(|word| *word != ">").collect();
                    if let Err(error) = b2n::face::cli::command().try_get_matches_from(words) {
                        assert!(
                            matches!(error.kind(), ErrorKind::DisplayHelp),
                            "{name}: `{command}`: {error}"
                        );
                    }
                }
            }
        }
    }
    println!("{checked} commands of CI files");
    assert!(checked > 0, "the guide of CI shows none");
}
