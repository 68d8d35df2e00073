//! Holds the book to the program: generated pages, links, specs in it, shell commands, and a page per code.
//!
//! `B2N_BLESS=1 cargo test book` writes the generated pages anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use b2n::lang::check::{self, Input, sample_schema};
use b2n::lang::finding::{Code, Finding, Severity, registry};
use b2n::lang::functions::{self, Absence};
use b2n::lang::schema::snapshot;
use b2n::lang::suite;
use b2n::lang::syntax;
use b2n::lang::text::SourceText;

const BLESS: &str = "B2N_BLESS=1 cargo test book";

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every page of the book by its path below `book/src`, `SUMMARY.md` apart.
pub fn pages() -> BTreeMap<String, String> {
    fn walk(folder: &Path, base: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).expect("a folder of the book") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, base, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                let name =
                    path.strip_prefix(base).expect("below the book").to_string_lossy().replace('\\', "/");
                found.insert(name, read(&path));
            }
        }
    }
    let base = root().join("book/src");
    let mut found = BTreeMap::new();
    walk(&base, &base, &mut found);
    found.remove("SUMMARY.md");
    found
}

/// The book's pages, and what stands beside the book, by path from the root.
pub fn documents() -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        pages().into_iter().map(|(name, text)| (format!("book/src/{name}"), text)).collect();
    for name in ["README.md", "CHANGELOG.md", "book/src/SUMMARY.md"] {
        all.insert(name.to_owned(), read(&root().join(name)));
    }
    all
}

/// A fenced block: its info string, the line it begins on, its text.
#[derive(Debug)]
pub struct Block {
    pub info: String,
    pub line: usize,
    pub text: String,
    /// The heading of level two that it stands under.
    under: String,
}

pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let mut under = String::new();
    for (number, line) in markdown.lines().enumerate() {
        let mark = line.trim_start();
        match &mut open {
            Some(_) if mark == "```" => found.extend(open.take()),
            Some(block) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {
                if let Some(info) = mark.strip_prefix("```") {
                    open = Some(Block {
                        info: info.to_owned(),
                        line: number + 1,
                        text: String::new(),
                        under: under.clone(),
                    });
                } else if let Some(heading) = line.strip_prefix("## ") {
                    under = heading.trim().to_owned();
                }
            }
        }
    }
    assert!(open.is_none(), "a fenced block is not closed: {open:?}");
    found
}

/// The page without its fenced blocks.
fn prose(markdown: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

// ── Generated pages ─────────────────────────────────────────────────────────────────────────────────────────────

fn functions_page() -> String {
    let mut page = String::from(
        "# Functions\n\n<!-- Generated from the program: B2N_BLESS=1 cargo test book -->\n\n\
         Every built-in function of this version. All are pure: the same arguments give the same value. A call is \
         written in either of two ways: `trim(TITLE)` and `TITLE.trim()` are the same, the value before the dot is \
         the first argument. `each`, `ref`, `refs`, `user` and `pipeline by` look like functions but are forms of \
         [the language](language.md). In the examples, `absent` is no value, and `fails` is a conversion that fails: \
         what happens then says the `on fail` of the rule.\n\nAll examples here are run by a test.\n",
    );
    for function in functions::all() {
        let _ = write!(
            page,
            "\n## `{}`\n\n```text\n{}\n```\n\n{}\n",
            function.name, function.signature, function.doc
        );
        let absence = match function.absence {
            Absence::Propagates => "With an absent argument the call is absent.",
            Absence::Handled => "Takes absent arguments.",
        };
        let _ = write!(page, "\n{absence}\n\n```text\n");
        let wide = function.examples.iter().map(|example| example.call.chars().count()).max().unwrap_or(0);
        for example in function.examples {
            let pad = wide - example.call.chars().count();
            let _ = writeln!(page, "{}{}  gives  {}", example.call, " ".repeat(pad), example.gives);
        }
        page.push_str("```\n");
    }
    page
}

fn commands_page() -> String {
    let mut command = b2n::face::cli::command().term_width(100);
    command.build();
    let mut page = String::from(
        "# Commands\n\n<!-- Generated from the program: B2N_BLESS=1 cargo test book -->\n\n\
         What `b2n --help` and each command's own `--help` print. Exit codes and what `--format json` prints stand \
         under [JSON formats and exit codes](json.md).\n",
    );
    let help = |command: &mut clap::Command| {
        let text = command.render_long_help().to_string();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    };
    let _ = write!(page, "\n## `b2n`\n\n```text\n{}\n```\n", help(&mut command));
    for sub in command.get_subcommands_mut() {
        if sub.get_name() == "help" {
            continue;
        }
        let name = sub.get_name().to_owned();
        let _ = write!(page, "\n## `b2n {name}`\n\n```text\n{}\n```\n", help(sub));
        for inner in sub.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
            let inner_name = inner.get_name().to_owned();
            let _ = write!(page, "\n### `b2n {name} {inner_name}`\n\n```text\n{}\n```\n", help(inner));
        }
    }
    page
}

/// What the first digits of a code say.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("E01", "Syntax", "The text cannot be read as a spec, or is not whole."),
    (
        "E02",
        "Names",
        "Something is named that neither snapshot has. Most come with a suggestion, over codes and titles.",
    ),
    ("E03", "Exhaustiveness", "A table, a pipeline or the owners do not cover every known value."),
    (
        "E04",
        "Coverage",
        "A source field without a decision, or a required destination field that is not always written.",
    ),
    (
        "E05",
        "Types, absence, failure",
        "A value does not fit where it goes, may be absent, or may fail to convert.",
    ),
    ("E06", "Capability", "The destination's API cannot do it."),
    ("E07", "References and order", "Links and the order of loading do not fit together."),
    ("E08", "Tests, budgets, acceptances", "A promise that the spec makes about itself is not kept."),
    ("L2", "Fidelity", "Something is lost, and the spec does not say so or gives no reason."),
    ("W1", "Worth a look", "Nothing is wrong, but something is dead, needless or unused."),
    ("W2", "Worth a look: fidelity", "A better schema made a loss go away."),
    ("W3", "Worth a look: snapshots", "The facts that the spec rests on."),
];

fn findings_page() -> String {
    let mut page = String::from(
        "# Findings\n\n<!-- Generated from the program: B2N_BLESS=1 cargo test book -->\n\n\
         Everything that `b2n check` can find, by its code. A code never changes its meaning and is never used \
         again for something else. Each links to a page that says what it means, with a bad and a good example; \
         `b2n explain CODE` prints the same page in the terminal. Codes with a `W` are warnings: the spec still \
         checks, unless `b2n check --deny-warnings` is asked for. Codes with an `E` are errors. Losses, with an `L`, are \
         errors, but warnings where only a person can know whether something is lost.\n\n\
         The examples are parts of specs. Each good one is completed by a test with what it leaves out (the head, a key, \
         required fields, a `drop` for each field that it does not speak of), and checks then.\n",
    );
    let mut listed = BTreeSet::new();
    for (prefix, title, what) in FAMILIES {
        let codes: Vec<_> = registry::ALL
            .iter()
            .filter(|code| code.as_str().strip_prefix("B2N-").is_some_and(|rest| rest.starts_with(prefix)))
            .collect();
        if codes.is_empty() {
            continue;
        }
        let _ = write!(page, "\n## {title}\n\n{what}\n\n| code | what it says |\n| --- | --- |\n");
        for code in codes {
            listed.insert(*code);
            let _ = writeln!(page, "| [{code}](../errors/{code}.md) | {} |", code.title());
        }
    }
    let forgotten: Vec<_> = registry::ALL.iter().filter(|code| !listed.contains(code)).collect();
    assert!(forgotten.is_empty(), "codes of no family: {forgotten:?}");
    page
}

/// The summary with one line per code below the page of findings.
fn summary(today: &str) -> String {
    let mut out = String::new();
    for line in today.lines().filter(|line| !line.trim_start().starts_with("- [B2N-")) {
        out.push_str(line);
        out.push('\n');
        if line.contains("(reference/findings.md)") {
            for code in registry::ALL {
                let _ = writeln!(out, "  - [{code}: {}](errors/{code}.md)", code.title());
            }
        }
    }
    out
}

#[test]
fn generated_pages_are_up_to_date() {
    let book = root().join("book/src");
    let today = read(&book.join("SUMMARY.md"));
    let generated = [
        ("reference/functions.md", functions_page()),
        ("reference/commands.md", commands_page()),
        ("reference/findings.md", findings_page()),
        ("SUMMARY.md", summary(&today)),
    ];
    let bless = std::env::var_os("B2N_BLESS").is_some_and(|value| !value.is_empty());
    let mut stale = Vec::new();
    for (name, text) in generated {
        let path = book.join(name);
        if bless {
            std::fs::write(&path, text).expect("the book can be written");
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "{} are not what the program renders; write them anew with `{BLESS}`",
        stale.join(", ")
    );
}

// ── Pages and links ─────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_summary_lists_every_page_once_and_no_other() {
    let mut listed = Vec::new();
    for target in links(&read(&root().join("book/src/SUMMARY.md"))) {
        listed.push(target);
    }
    let mut unique: Vec<String> = listed.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(listed.len(), unique.len(), "a page stands twice in the summary");
    let there: Vec<String> = pages().into_keys().collect();
    assert_eq!(unique, there, "summary (left) and pages (right)");
}

/// Targets of Markdown links outside code.
fn links(markdown: &str) -> Vec<String> {
    let text = without_code(&prose(markdown));
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        if let Some(end) = rest.find(')') {
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// Blanks out what stands in backticks.
fn without_code(text: &str) -> String {
    text.split('`')
        .enumerate()
        .filter(|(index, _)| index % 2 == 0)
        .map(|(_, part)| part)
        .collect::<Vec<_>>()
        .join("``")
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let anchors: BTreeMap<&str, BTreeSet<String>> = documents
        .iter()
        .map(|(name, text)| {
            let text = prose(text);
            let headings = text.lines().filter(|line| line.starts_with('#'));
            (name.as_str(), headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect())
        })
        .collect();
    let mut broken = Vec::new();
    let mut checked = 0;
    for (name, text) in &documents {
        for link in links(text) {
            if link.starts_with("http://") || link.starts_with("https://") {
                continue;
            }
            checked += 1;
            let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(name).parent().unwrap_or(Path::new(""));
            let target = if path.is_empty() { name.clone() } else { normal(&folder.join(path)) };
            if !root().join(&target).exists() {
                broken.push(format!("{name}: `{link}`: there is no {target}"));
            } else if !fragment.is_empty()
                && !anchors.get(target.as_str()).is_some_and(|all| all.contains(fragment))
            {
                broken.push(format!("{name}: `{link}`: {target} has no such heading"));
            }
        }
    }
    println!("{checked} links");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                parts.pop();
            }
            std::path::Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    parts.join("/")
}

/// Pages that say which test holds what they claim.
const HELD: &[&str] = &["architecture.md", "reliability.md"];

#[test]
fn tests_that_the_book_names_exist() {
    let mut code = String::new();
    for folder in ["src", "tests"] {
        for path in sources(&root().join(folder)) {
            code.push_str(&read(&path));
        }
    }
    let pages = pages();
    let mut missing = Vec::new();
    let mut checked = 0;
    for name in HELD {
        for span in prose(&pages[*name]).split('`').skip(1).step_by(2) {
            let is_test =
                span.matches('_').count() > 1 && span.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_test {
                checked += 1;
                if !code.contains(&format!("fn {span}(")) {
                    missing.push(format!("{name}: `{span}`"));
                }
            }
        }
    }
    println!("{checked} tests named");
    assert!(missing.is_empty(), "there is no such test: {}", missing.join(", "));
}

// ── Commands in it ──────────────────────────────────────────────────────────────────────────────────────────────

/// Splits a line as a shell does, up to a pipe or redirection; quotes group, nothing is expanded.
fn words(line: &str) -> Vec<String> {
    pipeline(line).swap_remove(0)
}

/// The words of each command of a pipeline, redirections left out.
pub fn pipeline(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    let (mut begun, mut redirected) = (false, false);
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                begun = true;
            }
            (None, c) if c.is_whitespace() || matches!(c, '<' | '>' | '|' | '&' | ';') => {
                if begun && !redirected {
                    commands.last_mut().expect("one from the start").push(word.clone());
                }
                word.clear();
                begun = false;
                match c {
                    '<' | '>' => redirected = true,
                    '|' | '&' | ';' => {
                        commands.push(Vec::new());
                        redirected = false;
                    }
                    _ => {}
                }
            }
            (None, c) => {
                word.push(c);
                begun = true;
            }
        }
    }
    commands
}

/// A command's words from `b2n` on, where it calls that, directly or by `cargo run`.
fn call(words: &[String]) -> Option<Vec<String>> {
    let start = words.iter().position(|word| !is_assignment(word))?;
    let words = &words[start..];
    match words.first().map(String::as_str) {
        Some("b2n") => Some(words.to_vec()),
        Some("cargo") if words.get(1).is_some_and(|word| word == "run") => {
            let at = words.iter().position(|word| word == "--")?;
            Some(std::iter::once("b2n".to_owned()).chain(words[at + 1..].iter().cloned()).collect())
        }
        _ => None,
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

#[test]
fn shell_blocks_name_commands_and_flags_that_exist() {
    use clap::error::ErrorKind;
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (name, text) in documents() {
        for block in blocks(&text).iter().filter(|block| block.info.starts_with("console")) {
            let joined = block.text.replace("\\\n", " ");
            let lines = joined.lines().filter_map(|line| line.trim_start().strip_prefix("$ "));
            for (line, words) in
                lines.flat_map(|line| pipeline(line).into_iter().map(move |words| (line, words)))
            {
                let Some(args) = call(&words) else { continue };
                checked += 1;
                if let Err(error) = b2n::face::cli::command().try_get_matches_from(args)
                    && !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
                {
                    wrong.push(format!("{name}, block of line {}: `{line}`: {error}", block.line));
                }
            }
        }
        // In running text a command may stand without its arguments.
        for span in prose(&text).split('`').skip(1).step_by(2).filter(|span| span.starts_with("b2n ")) {
            let span = span.replace('\n', " ");
            checked += 1;
            if let Err(error) = b2n::face::cli::command().try_get_matches_from(words(&span))
                && matches!(
                    error.kind(),
                    ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument | ErrorKind::InvalidValue
                )
            {
                wrong.push(format!("{name}: `{span}`: {error}"));
            }
        }
    }
    println!("{checked} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn help_texts_show_commands_that_exist() {
    let mut wrong = Vec::new();
    for line in commands_page().lines().filter_map(|line| line.strip_prefix("  b2n ")) {
        if let Err(error) = b2n::face::cli::command().try_get_matches_from(words(&format!("b2n {line}"))) {
            wrong.push(format!("`b2n {line}`: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The transcript in the README is the program's output, shortened where it says `…`.
#[test]
fn the_transcript_is_what_the_program_prints() {
    let readme = read(&root().join("README.md"));
    let all = blocks(&readme);
    let block = all
        .iter()
        .find(|block| block.text.starts_with("$ b2n rehearse "))
        .expect("a rehearsal in the README");
    let (command, shown) = block.text.split_once('\n').expect("a command and its output");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_b2n"))
        .args(words(command).into_iter().skip(2))
        .env_clear()
        .env("COLUMNS", "100")
        .env("LANG", "C.UTF-8")
        .current_dir(root())
        .output()
        .expect("the binary runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    // How long this machine took is its own affair.
    let mut rest =
        printed.lines().map(|line| line.split("; rehearsed in ").next().unwrap_or_default().trim_end());
    for line in shown.lines().filter(|line| line.trim() != "…") {
        let line = line.split("; rehearsed in ").next().unwrap_or_default();
        assert!(
            rest.any(|other| other == line),
            "the README shows `{line}`, which is not (or not there) in the output; paste it anew with `{command}`:\n{printed}"
        );
    }
}

// ── Specs in it ─────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn messages_name_commands_that_exist() {
    use clap::error::ErrorKind;
    let mut wrong = Vec::new();
    let mut checked = 0;
    for path in sources(&root().join("src")) {
        let text = read(&path);
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for (number, line) in
            code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for span in line.split('`').skip(1).step_by(2).filter(|span| span.starts_with("b2n ")) {
                checked += 1;
                let args = words(&filled_in(span));
                let place = format!("{}:{}: `{span}`", path.display(), number + 1);
                if let Err(error) = b2n::face::cli::command().try_get_matches_from(&args)
                    && matches!(
                        error.kind(),
                        ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument | ErrorKind::InvalidValue
                    )
                {
                    wrong.push(format!("{place}: {error}"));
                }
                let explained = args.get(2).filter(|word| args[1] == "explain" && !word.starts_with('-'));
                if explained.is_some_and(|word| {
                    !["CODE", "x", "functions"].contains(&word.as_str()) && Code::parse(word).is_none()
                }) {
                    wrong.push(format!("{place} explains no code"));
                }
            }
        }
    }
    println!("{checked} commands in messages");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A format string with something in its places.
fn filled_in(format: &str) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        // `snapshot {}` takes one of two words; elsewhere anything will do.
        out.push_str(if out.ends_with("snapshot ") { "bitrix24" } else { "x" });
        rest = rest[at..].find('}').map_or("", |end| &rest[at + end + 1..]);
    }
    out + rest
}

pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of src") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Findings of a text, checked against the sample schemas; its tests are run.
fn check_sample(text: &str) -> Vec<Finding> {
    let text = SourceText::new("block.b2n", text);
    let (spec, mut findings) = syntax::parse(&text);
    let (source, target) = (sample_schema::source(), sample_schema::target());
    let checked = check::check(&Input {
        spec: &spec,
        text: &text,
        source: Some(&source),
        target: Some(&target),
        source_hash: &source.hash(),
        target_hash: &target.hash(),
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        today: source.taken.expect("the sample says when it was taken"),
        broken: &[],
    });
    findings.extend(checked.findings);
    let plan = checked.plan.as_ref();
    let input = suite::Input { spec: &spec, text: &text, plan, source: &source, target: &target };
    findings.extend(suite::check(input));
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        findings.extend(suite::run(input, &|_| true).tests.iter().flat_map(suite::Tested::findings));
    }
    findings
}

fn shown(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("  {}: {}", finding.code, finding.message))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Words that begin an item; a fragment that begins otherwise is lines of a map.
const ITEMS: &[&str] = &[
    "edition", "source", "target", "zone", "use", "owners", "fn", "table", "pipeline", "map", "split",
    "flatten", "order", "fixture", "test", "golden", "budget", "accept", "replace", "refine",
];

#[test]
fn specs_in_the_book_check() {
    let (mut whole, mut fragments, mut errors) = (0, 0, 0);
    let mut wrong = Vec::new();
    for (name, text) in pages().into_iter().filter(|(name, _)| !name.starts_with("errors/")) {
        for block in blocks(&text) {
            let place = format!("{name}, block of line {}", block.line);
            match block.info.as_str() {
                "b2n" => {
                    whole += 1;
                    let findings = check_sample(&block.text);
                    if !findings.is_empty() {
                        wrong.push(format!("{place} does not check:\n{}", shown(&findings)));
                    }
                    let text = SourceText::new("block.b2n", block.text.clone());
                    if syntax::format(&text).ok().as_deref() != Some(block.text.as_str()) {
                        wrong.push(format!("{place} is laid out otherwise by `b2n fmt`"));
                    }
                }
                "b2n,fragment" => {
                    fragments += 1;
                    let first = block
                        .text
                        .lines()
                        .map(str::trim)
                        .find(|line| !line.is_empty() && !line.starts_with('#'))
                        .unwrap_or_default();
                    let word = first.split_whitespace().next().unwrap_or_default();
                    let item = ITEMS.contains(&word) && !first.contains("<-");
                    let spec = if item {
                        block.text.clone()
                    } else {
                        format!("map company -> Account {{\n{}}}\n", block.text)
                    };
                    let spec = if word == "edition" { spec } else { format!("edition 2026\n{spec}") };
                    let (_, findings) = syntax::parse(&SourceText::new("block.b2n", spec));
                    if !findings.is_empty() {
                        wrong.push(format!("{place} does not parse:\n{}", shown(&findings)));
                    }
                }
                // Written into a folder and checked there by `pages.rs`.
                info if info.starts_with("b2n,file=") => {}
                info if info.starts_with("b2n,error=") => {
                    errors += 1;
                    let code = info.trim_start_matches("b2n,error=");
                    let spec = match block.text.starts_with("edition ") {
                        true => block.text.clone(),
                        false => format!("edition 2026\n{}", block.text),
                    };
                    let findings = check_sample(&spec);
                    if !findings.iter().any(|finding| finding.code.as_str() == code) {
                        wrong.push(format!("{place} does not give {code}, but:\n{}", shown(&findings)));
                    }
                }
                info if info.starts_with("b2n") => {
                    wrong.push(format!("{place}: `{info}` is no kind of block"))
                }
                _ => {}
            }
        }
    }
    println!(
        "{whole} whole specs checked, {fragments} fragments parsed, {errors} with an error of their own"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes of files rather than of specs: no block of text can show them.
const NOT_IN_A_SPEC: &[&str] =
    &["B2N-E0102", "B2N-E0103", "B2N-E0211", "B2N-E0212", "B2N-E0216", "B2N-E0218", "B2N-W301", "B2N-W302"];

#[test]
fn data_in_the_book_is_data() {
    for (name, text) in pages() {
        for block in blocks(&text) {
            let place = format!("{name}, block of line {}", block.line);
            match block.info.as_str() {
                "yaml" => {
                    if let Err(findings) = snapshot::read(&SourceText::new("block.yaml", block.text)) {
                        panic!("{place} is no snapshot:\n{}", shown(&findings));
                    }
                }
                "json" => {
                    let values =
                        serde_json::Deserializer::from_str(&block.text).into_iter::<serde_json::Value>();
                    for value in values {
                        value.unwrap_or_else(|error| panic!("{place}: {error}"));
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_code_has_a_page_whose_examples_show_it() {
    let pages = pages();
    let mut wrong = Vec::new();
    let mut unchecked = Vec::new();
    for code in registry::ALL {
        let Some(page) = pages.get(&format!("errors/{code}.md")) else {
            wrong.push(format!("{code} has no page"));
            continue;
        };
        let blocks = blocks(page);
        let bad = blocks.iter().find(|block| block.under == "Bad" && block.info == "b2n");
        match bad {
            Some(block) if !NOT_IN_A_SPEC.contains(&code.as_str()) => {
                let findings = check_sample(&block.text);
                if !findings.iter().any(|finding| finding.code == *code) {
                    wrong.push(format!(
                        "{code}: the bad example does not give it, but:\n{}",
                        shown(&findings)
                    ));
                }
            }
            _ if NOT_IN_A_SPEC.contains(&code.as_str()) => unchecked.push(code.as_str()),
            _ => wrong.push(format!("{code}: its page has no `b2n` block under `## Bad`")),
        }
        for block in blocks.iter().filter(|block| block.under == "Good" && block.info == "b2n") {
            let findings = check_sample(&block.text);
            if findings.iter().any(|finding| finding.code == *code) {
                wrong.push(format!("{code}: the good example gives it:\n{}", shown(&findings)));
            }
        }
    }
    let known: BTreeSet<String> = registry::ALL.iter().map(|code| format!("errors/{code}.md")).collect();
    wrong.extend(
        pages
            .keys()
            .filter(|name| name.starts_with("errors/") && !known.contains(*name))
            .map(|name| format!("{name} is the page of no code")),
    );
    println!("without a bad example that can be checked: {}", unchecked.join(", "));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
