//! The corpus: a spec per finding, a spec that settles it, and what people read of it.
//!
//! `tests/corpus/err/CODE-what.b2n` says in its head which findings are expected, all of them and no others:
//! `# expect: B2N-E0301 9:10`, line and column, or neither where the finding has no place. `CODE-what.txt` beside it
//! is what `b2n check` draws. `tests/corpus/ok` has a file of the same name without the mistake. Snapshots stand in
//! `tests/corpus/schema`, profiles in `tests/corpus/profile`; specs name both from `tests/corpus`.
//!
//! `B2N_BLESS=1 cargo test --test it corpus` writes the drawings anew; expectations are written by hand.

mod fixes;
mod pages;
mod poor;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use b2n::lang::check::profile::{self, Part};
use b2n::lang::check::{self, Input};
use b2n::lang::finding::human::{self, Style};
use b2n::lang::finding::{Code, Finding, Severity, registry};
use b2n::lang::plan::Plan;
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::suite;
use b2n::lang::syntax::{self, ast};
use b2n::lang::text::{SourceText, TextError};

use crate::world::root;

/// The day on which the corpus is checked, so that snapshots and acceptances do not grow old with it.
const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 21);

/// Findings of files rather than of texts, made by the program in a folder of their own.
const BY_PROGRAM: &[Code] = &[
    registry::NOT_UTF8,
    registry::FILE_TOO_LARGE,
    registry::SNAPSHOT_MISSING,
    registry::SNAPSHOT_INVALID,
    registry::PROFILE_UNREADABLE,
    registry::PROFILE_CHANGED,
    registry::PROFILE_NOT_PINNED,
];

fn corpus() -> PathBuf {
    root().join("tests/corpus")
}

fn blessing() -> bool {
    std::env::var_os("B2N_BLESS").is_some_and(|value| !value.is_empty())
}

/// A file of the corpus.
struct Case {
    /// Its name without the ending.
    name: String,
    bytes: Vec<u8>,
}

impl Case {
    /// The code that it is about.
    fn code(&self) -> Code {
        let mut parts = self.name.splitn(3, '-');
        let code = format!("{}-{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Code::parse(&code).unwrap_or_else(|| panic!("{}: `{code}` is no code", self.name))
    }

    fn by_program(&self) -> bool {
        BY_PROGRAM.contains(&self.code())
    }

    /// The text; what is not UTF-8 in it is replaced.
    fn text(&self) -> SourceText {
        let name = format!("{}.b2n", self.name);
        match SourceText::from_bytes(name.as_str(), &self.bytes) {
            Ok(text) => text,
            Err(TextError::NotUtf8 { .. } | TextError::TooLarge { .. }) => {
                SourceText::new(name, String::from_utf8_lossy(&self.bytes))
            }
        }
    }

    /// What its head expects, in order.
    fn expected(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let head = text.trim_start_matches('\u{feff}').lines().take_while(|line| line.starts_with('#'));
        let mut expected: Vec<String> = head
            .filter_map(|line| line.strip_prefix("# expect: "))
            .map(|line| line.trim().to_owned())
            .collect();
        expected.sort();
        expected
    }
}

/// The files of a folder of the corpus, by name.
fn cases(folder: &str) -> Vec<Case> {
    let mut found: Vec<Case> = std::fs::read_dir(corpus().join(folder))
        .expect("a folder of the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "b2n"))
        .map(|path| Case {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            bytes: std::fs::read(&path).expect("a file"),
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// A text and what was found in it.
struct Found {
    /// Joined with its profiles.
    text: SourceText,
    findings: Vec<Finding>,
    plan: Option<Plan>,
}

impl Found {
    fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// `CODE LINE:COLUMN` of each finding.
    fn places(&self) -> Vec<String> {
        let mut places: Vec<String> =
            self.findings.iter().map(|finding| place(finding, &self.text)).collect();
        places.sort();
        places
    }

    fn drawn(&self) -> String {
        human::render(&self.findings, &self.text, Style { width: 100, colour: false, unicode: true })
    }

    /// A line per finding, for messages of tests.
    fn told(&self) -> String {
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("  {}: {}", place(finding, &self.text), finding.message))
            .collect();
        lines.join("\n")
    }
}

fn place(finding: &Finding, text: &SourceText) -> String {
    match &finding.label {
        Some(label) => {
            let (file, span) = text.local(label.span);
            let at = file.position(span.start);
            format!("{} {}:{}", finding.code, at.line, at.column)
        }
        None => finding.code.to_string(),
    }
}

/// The snapshots of the corpus, by the path that specs name.
fn schemas() -> &'static BTreeMap<String, Schema> {
    static SCHEMAS: OnceLock<BTreeMap<String, Schema>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(corpus().join("schema")).expect("the corpus' snapshots") {
            let path = entry.expect("an entry").path();
            let name = format!("schema/{}", path.file_name().expect("a name").to_string_lossy());
            let text = std::fs::read_to_string(&path).expect("a snapshot");
            if let Ok(schema) = snapshot::read(&SourceText::new(name.as_str(), text)) {
                found.insert(name, schema);
            }
        }
        found
    })
}

/// What is wrong with the tests of a spec; where nothing else is wrong they are run.
fn of_tests(tests: suite::Input<'_>, found: &[Finding]) -> Vec<Finding> {
    let mut findings = suite::check(tests);
    if found.iter().chain(&findings).all(|finding| finding.severity == Severity::Warning) {
        findings.extend(suite::run(tests, &|_| true).tests.iter().flat_map(suite::Tested::findings));
    }
    findings
}

/// Checks a text with its profiles against the snapshots that it names.
fn check(text: &SourceText) -> Found {
    let mut files = vec![text.clone()];
    let mut parts = Vec::new();
    let mut findings = Vec::new();
    while parts.len() < files.len() {
        let joined = SourceText::join(files.clone());
        let (spec, found) = syntax::parse_part(&joined, parts.len());
        findings.extend(found);
        let mut uses = Vec::new();
        for item in &spec.items {
            let ast::Item::Use(used) = item else { continue };
            let name = &used.profile.value;
            let read = profile::shipped(name)
                .map(str::to_owned)
                .or_else(|| std::fs::read_to_string(corpus().join(name)).ok())
                .unwrap_or_else(|| panic!("{}: no profile `{name}`", text.name()));
            uses.push(files.len());
            files.push(SourceText::new(name.as_str(), read));
        }
        parts.push(Part { spec, uses });
    }
    let text = SourceText::join(files);
    let broken = check::broken(&findings);
    let syntax_errors = !broken.is_empty();
    let resolved = profile::resolve(parts, &text);
    findings.extend(resolved.findings);
    let named = |source: bool| {
        resolved.spec.items.iter().find_map(|item| match item {
            ast::Item::Source(system) if source => Some(system.snapshot.value.as_str()),
            ast::Item::Target(system) if !source => Some(system.snapshot.value.as_str()),
            _ => None,
        })
    };
    let of = |source: bool| named(source).and_then(|name| schemas().get(name));
    let checked = check::check(&Input {
        spec: &resolved.spec,
        text: &text,
        source: of(true),
        target: of(false),
        source_hash: "source",
        target_hash: "target",
        source_name: named(true).unwrap_or_default(),
        target_name: named(false).unwrap_or_default(),
        today: TODAY,
        broken: &broken,
    });
    findings.extend(checked.findings);
    if let (Some(source), Some(target)) = (of(true), of(false)) {
        let plan = checked.plan.as_ref();
        let tests = suite::Input { spec: &resolved.spec, text: &text, plan, source, target };
        findings.extend(of_tests(tests, &findings));
    }
    findings.sort_by_key(|finding| {
        finding.label.as_ref().map_or((u32::MAX, 0), |label| (label.span.start, label.span.end))
    });
    Found { text, findings, plan: checked.plan.filter(|_| !syntax_errors) }
}

/// Compares a drawing with the one beside its spec, or writes it; says what differs.
fn compare(path: &Path, drawn: &str) -> Option<String> {
    if std::fs::read_to_string(path).is_ok_and(|kept| kept == drawn) {
        return None;
    }
    if blessing() {
        std::fs::write(path, drawn).expect("the corpus can be written");
        return None;
    }
    Some(format!("{} is not what is drawn today:\n{drawn}", path.display()))
}

#[test]
fn every_code_has_files_that_show_it() {
    let bad: BTreeSet<Code> = cases("err").iter().map(Case::code).collect();
    let good: BTreeSet<Code> = cases("ok").iter().map(Case::code).collect();
    let mut missing = Vec::new();
    for code in registry::ALL {
        if !bad.contains(code) {
            missing.push(format!("{code}: no file in tests/corpus/err"));
        }
        if !good.contains(code) {
            missing.push(format!("{code}: no file in tests/corpus/ok"));
        }
        if !code.page().starts_with(&format!("# {code}: ")) {
            missing.push(format!("{code}: no page"));
        }
    }
    for case in cases("err") {
        let (code, name) = (case.code().to_string(), &case.name);
        if !case.expected().iter().any(|line| line.split(' ').next() == Some(&code)) {
            missing.push(format!("{name} does not expect {code}"));
        }
        if !corpus().join("err").join(format!("{name}.txt")).is_file() && !blessing() {
            missing.push(format!("{name}.txt is not there: `B2N_BLESS=1 cargo test --test it corpus`"));
        }
    }
    for entry in std::fs::read_dir(corpus().join("err")).expect("the corpus") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "txt") && !path.with_extension("b2n").is_file() {
            missing.push(format!("{} is the drawing of no spec", path.display()));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn bad_files_give_what_they_expect_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut run = 0;
    for case in cases("err").iter().filter(|case| !case.by_program()) {
        run += 1;
        let found = check(&case.text());
        if found.places() != case.expected() {
            wrong.push(format!("{}: expected {:?}, found\n{}", case.name, case.expected(), found.told()));
        }
        wrong.extend(compare(&corpus().join("err").join(format!("{}.txt", case.name)), &found.drawn()));
    }
    assert!(run > BY_PROGRAM.len(), "the corpus was not found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn good_files_check_and_are_laid_out() {
    let mut wrong = Vec::new();
    for case in cases("ok").iter().filter(|case| !case.by_program()) {
        let text = case.text();
        let found = check(&text);
        if found.places() != case.expected() {
            wrong.push(format!("{}: expected {:?}, found\n{}", case.name, case.expected(), found.told()));
        }
        if found.plan.is_none() {
            wrong.push(format!("{}: no plan", case.name));
        }
        let laid_out = syntax::format(&text).ok();
        if laid_out.as_deref() != Some(text.text()) {
            wrong.push(format!(
                "{} is laid out otherwise by `b2n fmt`:\n{}",
                case.name,
                laid_out.unwrap_or_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The schemas are worth checking against: every type and every part of a snapshot stands in one of them.
#[test]
fn the_snapshots_have_something_of_everything() {
    let all: Vec<&Schema> = schemas().values().collect();
    let types: BTreeSet<String> = all
        .iter()
        .flat_map(|schema| &schema.objects)
        .flat_map(|object| &object.fields)
        .flat_map(|field| std::iter::once(&field.ty).chain(field.attributes.iter().map(|column| &column.ty)))
        .map(|ty| {
            let shown = ty.to_string();
            shown.trim_matches(['[', ']', '?']).split('(').next().unwrap_or_default().to_owned()
        })
        .collect();
    for ty in [
        "text",
        "integer",
        "decimal",
        "money",
        "bool",
        "date",
        "datetime",
        "phone",
        "email",
        "url",
        "address",
        "person_name",
        "user",
        "enum",
        "stage",
        "link",
        "ref",
        "file",
        "record",
    ] {
        assert!(types.contains(ty), "no field of type `{ty}`: {types:?}");
    }
    assert!(all.iter().any(|schema| !schema.pipelines.is_empty() && schema.connector == "bitrix24"));
    assert!(all.iter().any(|schema| schema.objects.iter().any(|object| object.name.starts_with("process "))));
    assert!(all.iter().any(|schema| schema.users.iter().any(|user| !user.active)));
}
