//! What came of the tests of a spec, as people and programs read it.

use serde_json::{Value as Json, json};

use crate::lang::finding::junit::{self, Case};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::Plan;
use crate::lang::suite::{Coverage, Failure, Tested};
use crate::lang::text::{SourceText, Span};

use super::Format;
use super::findings::{Shape, root};
use super::project::Project;
use super::terminal::{Terminal, count};

/// The most lines of one failure that are printed.
const SHOWN: usize = 20;

/// A test that was run.
pub struct Outcome {
    name: String,
    /// `test`, `every row`, `golden`.
    kind: &'static str,
    span: Span,
    /// Expectations, rows or lines.
    checks: usize,
    failures: Vec<Failure>,
    /// What was written into a golden file.
    accepted: Vec<String>,
    findings: Vec<Finding>,
    /// What to do where it cannot even be run.
    help: Option<String>,
}

impl Outcome {
    fn new(name: String, kind: &'static str, span: Span, checks: usize) -> Outcome {
        let (failures, accepted, findings) = (Vec::new(), Vec::new(), Vec::new());
        Outcome { name, kind, span, checks, failures, accepted, findings, help: None }
    }

    /// A test, or `test every row`.
    pub fn of(tested: &Tested) -> Outcome {
        let kind = if tested.every_row { "every row" } else { "test" };
        Outcome {
            failures: tested.failures.clone(),
            findings: tested.findings(),
            ..Outcome::new(tested.name.clone(), kind, tested.span, tested.checks)
        }
    }

    /// A golden file that was written.
    pub fn accepted(name: String, span: Span, lines: usize, changes: Vec<String>) -> Outcome {
        Outcome { accepted: changes, ..Outcome::new(name, "golden", span, lines) }
    }

    /// A golden file that was compared; without changes it passes.
    pub fn compared(name: String, span: Span, lines: usize, changes: Vec<String>) -> Outcome {
        let mut outcome = Outcome::new(name, "golden", span, lines);
        if changes.is_empty() {
            return outcome;
        }
        let message = match changes.len() {
            1 => "something else comes out in one place".to_owned(),
            many => format!("something else comes out in {many} places"),
        };
        let help = "mend the rule, or take the new lines over with `b2n test SPEC --accept`";
        let finding = Finding::new(codes::TEST_FAILS, format!("test \"{}\" fails", outcome.name))
            .at(span, message.clone())
            .help(help);
        let shown = changes.iter().take(SHOWN);
        outcome.findings.push(shown.fold(finding, |finding, change| finding.note(change.clone())));
        outcome.failures.push(Failure { span, message, diff: Vec::new(), notes: changes });
        outcome.help = Some(help.to_owned());
        outcome
    }

    /// A golden file that could not be compared.
    pub fn unreadable(name: String, span: Span, finding: Finding) -> Outcome {
        let mut outcome = Outcome::new(name, "golden", span, 0);
        let span = finding.label.as_ref().map_or(span, |label| label.span);
        let message = finding.message.clone();
        outcome.failures.push(Failure { span, message, diff: Vec::new(), notes: Vec::new() });
        outcome.help = finding.help.clone();
        outcome.findings.push(finding);
        outcome
    }

    fn passes(&self) -> bool {
        self.failures.is_empty()
    }

    /// `2 expectations`, `8 rows`, `12 lines`.
    fn checked(&self) -> String {
        let what = match self.kind {
            "every row" => "row",
            "golden" => "line",
            _ => "expectation",
        };
        let plural = if self.checks == 1 { "" } else { "s" };
        format!("{} {what}{plural}", count(self.checks as u64))
    }
}

/// What the tests exercised.
pub struct Covered {
    /// The parts that count.
    pub counted: Coverage,
    /// The share that is asked for, in per cent.
    pub least: Option<f64>,
}

impl Covered {
    /// Whether less is exercised than is asked for.
    pub fn is_under(&self) -> bool {
        self.least.is_some_and(|least| self.counted.per_cent() < least)
    }

    fn share(&self) -> String {
        let share = format!("{:.1}% exercised", self.counted.per_cent());
        match self.least.filter(|_| self.is_under()) {
            Some(least) => format!("{share}, less than {least}%"),
            None => share,
        }
    }
}

/// All tests of a spec that were run.
pub struct Tests<'p> {
    project: &'p Project,
    plan: &'p Plan,
    all: Vec<Outcome>,
}

impl<'p> Tests<'p> {
    pub fn new(project: &'p Project, plan: &'p Plan) -> Self {
        Tests { project, plan, all: Vec::new() }
    }

    pub fn add(&mut self, outcome: Outcome) {
        self.all.push(outcome);
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn pass(&self) -> bool {
        self.all.iter().all(Outcome::passes)
    }

    fn failed(&self) -> usize {
        self.all.iter().filter(|one| !one.passes()).count()
    }

    pub fn print(&self, terminal: &Terminal, covered: Option<&Covered>) {
        if terminal.findings == Shape::Junit {
            print!("{}", junit::render_cases(self.project.text.name(), &self.cases(covered), &root()));
        } else if let Some(text) = terminal.findings.report(&self.files(), false) {
            print!("{text}");
            if let Some(covered) = covered.filter(|covered| covered.is_under()) {
                eprintln!("{}", covered.share());
            }
        } else if terminal.format == Format::Json {
            println!("{}", self.json(covered));
        } else {
            self.human(terminal, covered);
        }
    }

    /// What the tests found. What `check` finds besides is its own to tell.
    fn files(&self) -> Vec<(SourceText, Vec<Finding>)> {
        let found = self.all.iter().flat_map(|one| one.findings.iter().cloned());
        vec![(self.project.text.clone(), found.collect())]
    }

    /// The file and the line of a place in the spec.
    fn place(&self, span: Span) -> (&str, u32) {
        self.plan.place(self.project.text.position(span.start).line)
    }

    fn human(&self, terminal: &Terminal, covered: Option<&Covered>) {
        let (yes, no) = if terminal.unicode { ("✓", "✗") } else { ("ok  ", "FAIL") };
        for one in &self.all {
            let mark = if one.passes() { terminal.green(yes) } else { terminal.red(no) };
            let accepted = if one.accepted.is_empty() { "" } else { ", accepted" };
            println!("{mark} {} ({}{accepted})", one.name, one.checked());
            print_some(&one.accepted, "    ");
            for failure in &one.failures {
                let (file, line) = self.place(failure.span);
                println!("    {file}:{line}: {}", failure.message);
                let diff = failure.diff.iter().map(ToString::to_string);
                print_some(&diff.chain(failure.notes.iter().cloned()).collect::<Vec<_>>(), "      ");
            }
            if let Some(help) = &one.help {
                println!("    help: {help}");
            }
        }
        let failed = self.failed();
        let summary = format!("{} passed, {failed} failed", self.all.len() - failed);
        println!("{}", if failed == 0 { terminal.green(&summary) } else { terminal.red(&summary) });
        if self.all.is_empty() {
            println!("the spec has no tests; `b2n explain B2N-E0803` shows one");
        }
        if let Some(covered) = covered {
            self.coverage(terminal, covered);
        }
    }

    fn coverage(&self, terminal: &Terminal, covered: &Covered) {
        let rows: Vec<Vec<String>> = [("rules", "rule"), ("arms", "arm"), ("rows", "row")]
            .into_iter()
            .map(|(name, kind)| {
                let (taken, all) = covered.counted.count(Some(kind));
                vec![name.to_owned(), taken.to_string(), all.to_string()]
            })
            .collect();
        print!("{}", terminal.table(&["coverage", "exercised", "of"], &rows));
        for part in covered.counted.parts.iter().filter(|part| !part.covered) {
            let (file, line) = self.plan.place(part.line);
            println!("  {file}:{line}: {} is not exercised", part.what);
        }
        let share = covered.share();
        println!("{}", if covered.is_under() { terminal.red(&share) } else { share });
    }

    fn cases(&self, covered: Option<&Covered>) -> Vec<Case> {
        let case = |one: &Outcome| {
            let (file, line) = self.place(one.span);
            let told = |failure: &Failure| {
                let (file, line) = self.place(failure.span);
                let mut lines = vec![format!("{file}:{line}: {}", failure.message)];
                lines.extend(failure.diff.iter().map(ToString::to_string));
                lines.extend(failure.notes.iter().cloned());
                lines.join("\n")
            };
            let whole: Vec<String> = one.failures.iter().map(told).collect();
            let failure = one.failures.first().map(|first| (first.message.clone(), whole.join("\n")));
            let (name, kind) = (one.name.clone(), one.kind.to_owned());
            Case { name, kind, file: file.to_owned(), line, failure }
        };
        let mut cases: Vec<Case> = self.all.iter().map(case).collect();
        if let Some((covered, least)) = covered.and_then(|covered| Some((covered, covered.least?))) {
            let parts = covered.counted.parts.iter().filter(|part| !part.covered);
            let parts = parts.map(|part| {
                let (file, line) = self.plan.place(part.line);
                format!("{file}:{line}: {} is not exercised", part.what)
            });
            let failure = covered.is_under().then(|| (covered.share(), parts.collect::<Vec<_>>().join("\n")));
            let (name, file) = (format!("at least {least}%"), self.project.text.name().to_owned());
            cases.push(Case { name, kind: "coverage".to_owned(), file, line: 1, failure });
        }
        cases
    }

    fn json(&self, covered: Option<&Covered>) -> Json {
        let failed = self.failed();
        json!({
            "format": "b2n-test/1",
            "spec": self.project.text.name(),
            "passed": self.all.len() - failed,
            "failed": failed,
            "tests": self.all.iter().map(|one| self.test_json(one)).collect::<Vec<_>>(),
            "coverage": covered.map(|covered| self.coverage_json(covered)),
            "files": super::findings::json(&self.files()),
        })
    }

    fn test_json(&self, one: &Outcome) -> Json {
        let (file, line) = self.place(one.span);
        let failure = |failure: &Failure| {
            let (file, line) = self.place(failure.span);
            let diff: Vec<Json> = failure
                .diff
                .iter()
                .map(|one| {
                    let by =
                        one.by.iter().map(|by| json!({"what": by.what, "file": by.file, "line": by.line}));
                    json!({
                        "field": one.field, "path": one.path, "expected": one.expected, "got": one.got,
                        "by": by.collect::<Vec<_>>(),
                    })
                })
                .collect();
            json!({
                "message": failure.message, "file": file, "line": line, "diff": diff, "notes": failure.notes,
            })
        };
        json!({
            "name": one.name, "kind": one.kind, "file": file, "line": line, "passes": one.passes(),
            "checks": one.checks, "accepted": one.accepted,
            "failures": one.failures.iter().map(failure).collect::<Vec<_>>(),
        })
    }

    fn coverage_json(&self, covered: &Covered) -> Json {
        let part = |part: &crate::lang::suite::Part| {
            let (file, line) = self.plan.place(part.line);
            json!({"kind": part.kind, "what": part.what, "file": file, "line": line, "covered": part.covered})
        };
        let (taken, all) = covered.counted.count(None);
        json!({
            "covered": taken, "all": all, "per_cent": covered.counted.per_cent(), "fail_under": covered.least,
            "parts": covered.counted.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }
}

fn print_some(lines: &[String], indent: &str) {
    for line in lines.iter().take(SHOWN) {
        println!("{indent}{line}");
    }
    if lines.len() > SHOWN {
        println!("{indent}… and {} more", lines.len() - SHOWN);
    }
}
