//! `b2n test` as people and CI use it: the examples' own tests, every output, golden files, wrong input.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

use crate::world::root;

/// A folder of its own with a copy of an example in it.
struct Folder(tempfile::TempDir);

/// What a command printed, and its exit code.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Folder {
    fn new(example: &str) -> Folder {
        fn copy(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).expect("a folder");
            for entry in std::fs::read_dir(from).expect("the example's folder") {
                let entry = entry.expect("an entry");
                let to = to.join(entry.file_name());
                match entry.path().is_dir() {
                    true => copy(&entry.path(), &to),
                    false => drop(std::fs::copy(entry.path(), to).expect("a copy")),
                }
            }
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(&root().join("examples").join(example), folder.path());
        Folder(folder)
    }

    /// The example of which nothing but its mapping is left, with these tests.
    fn with(tests: &str) -> Folder {
        let folder = Folder::new("acme");
        let spec = folder.read("acme.b2n");
        let (mapping, _) = spec.split_once("# ── What must stay true").expect("the example's tests");
        folder.write("acme.b2n", &format!("{mapping}{tests}"));
        folder
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("writes");
    }

    /// Runs the program in the folder, with nothing inherited.
    fn run(&self, arguments: &[&str]) -> Ran {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_b2n"))
            .env_clear()
            .env("COLUMNS", "100")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .current_dir(self.0.path())
            .args(arguments)
            .output()
            .expect("the binary runs");
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!ran.err.contains("panicked"), "{}", ran.all());
        ran
    }

    fn test(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["test", "acme.b2n"], arguments].concat())
    }

    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.0.path().join("golden")).expect("the folder of golden files");
        let mut names: Vec<String> =
            names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Ran {
    fn all(&self) -> String {
        format!("exit {}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }

    #[track_caller]
    fn shows(&self, code: i32, words: &[&str]) -> &Ran {
        assert_eq!(self.code, code, "{}", self.all());
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "`{word}` is not in\n{}", self.all());
        }
        self
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}", self.all()))
    }
}

/// A deal that is won, and a test of it that fails in two fields.
const WRONG: &str =
    "fixture won_deal = deal { ID: 3, TITLE: \"Pumps\", STAGE_ID: \"WON\", CURRENCY_ID: \"USD\", ..default }

test \"a won deal\" {
  given won_deal
  expect Lead { description: \"Saws\", stage: won \"Signed\", market: \"Europe\", .. }
}

test \"nothing is held back\" {
  given won_deal
  expect quarantine
}

test \"a deal is a lead\" {
  given won_deal
  expect Lead { .. }
}
";

#[test]
fn the_tests_of_the_examples_pass() {
    for (name, least) in [("acme", "95%"), ("podyom", "60%"), ("rebstock", "50%")] {
        let folder = Folder::new(name);
        let spec = format!("{name}.b2n");
        let ran = folder.run(&["test", &spec, "--coverage", "--fail-under", least]);
        ran.shows(0, &[" passed, 0 failed", "% exercised"]);
        assert!(!ran.out.contains('✗'), "{}", ran.all());
        assert!(ran.out.lines().filter(|line| line.starts_with("✓ every row")).count() >= 2, "{}", ran.all());
    }
    let golden = Folder::new("acme").test(&["golden"]);
    golden.shows(0, &["✓ golden golden/deal.out.ndjson (15 lines)", "3 passed, 0 failed"]);
}

#[test]
fn tests_are_no_part_of_a_plan() {
    for name in ["acme", "podyom", "rebstock"] {
        let (folder, spec) = (Folder::new(name), format!("{name}.b2n"));
        let hash = || {
            let ran = folder.run(&["check", &spec, "--format", "json", "--no-cache"]);
            ran.shows(0, &[]);
            ran.json()["plan"].as_str().expect("a plan").to_owned()
        };
        let before = hash();
        let text = folder.read(&spec);
        folder.write(
            &spec,
            &format!("{text}\nfixture more = deal {{ ..default }}\n\ntest \"more\" {{\n  given more\n  expect no Lead\n}}\n"),
        );
        assert_eq!(hash(), before, "{name}: a test changed what is approved");
    }
}

#[test]
fn people_see_what_differs_and_what_gave_it() {
    let folder = Folder::with(WRONG);
    let ran = folder.test(&[]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    // Lines of the mapping move with the example: they are checked below.
    let mut shown = String::new();
    let mut rest = ran.out.as_str();
    let mut lines = Vec::new();
    while let Some((before, after)) = rest.split_once("acme.b2n:") {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        lines.push(after[..digits].parse::<usize>().expect("a line"));
        shown.push_str(before);
        shown.push_str("acme.b2n:…");
        rest = &after[digits..];
    }
    shown.push_str(rest);
    insta::assert_snapshot!(shown, @r#"
    ✗ a won deal (1 expectation)
        acme.b2n:…: no `Lead` is like this
          `description`: expected "Saws", got "Pumps" (the rule's value, acme.b2n:…)
          `market`: expected "Europe", got "United States" (the rule's value, acme.b2n:…; row "USD" of `markets`, acme.b2n:…)
    ✗ nothing is held back (1 expectation)
        acme.b2n:…: no record is held back
          given record 1 (`deal`) becomes a `Lead`, flagged "owner not found"
    ✓ a deal is a lead (1 expectation)
    1 passed, 2 failed
    "#);
    let spec = folder.read("acme.b2n");
    let at = |line: usize| spec.lines().nth(line - 1).unwrap_or_default().trim();
    let places: Vec<&str> = lines.into_iter().map(at).collect();
    assert!(places[0].starts_with("expect Lead { description:"), "{places:?}");
    assert!(places[1].starts_with("description   <-"), "{places:?}");
    assert!(places[2].starts_with("market "), "{places:?}");
    assert!(places[3].starts_with("\"USD\" "), "{places:?}");
    assert_eq!(places[4], "expect quarantine", "{places:?}");
}

#[test]
fn programs_see_the_same() {
    let folder = Folder::with(WRONG);
    let json = folder.test(&["--format", "json", "--coverage"]).json();
    assert_eq!(json["format"], "b2n-test/1");
    assert_eq!((json["passed"].as_u64(), json["failed"].as_u64()), (Some(1), Some(2)));
    let tests = json["tests"].as_array().expect("tests");
    assert_eq!(tests.len(), 3);
    assert_eq!((tests[0]["name"].as_str(), tests[0]["passes"].as_bool()), (Some("a won deal"), Some(false)));
    let diff = &tests[0]["failures"][0]["diff"];
    assert_eq!(diff[1]["field"], "market");
    assert_eq!(diff[1]["expected"], "\"Europe\"");
    assert_eq!(diff[1]["got"], "\"United States\"");
    assert_eq!(diff[1]["by"][1]["what"], "row \"USD\" of `markets`");
    assert!(diff[1]["by"][1]["line"].as_u64().is_some_and(|line| line > 1));
    assert_eq!(tests[2]["failures"], serde_json::json!([]));
    let findings = json["files"][0]["findings"].as_array().expect("findings");
    assert_eq!(findings.iter().filter(|finding| finding["code"] == "B2N-E0803").count(), 2);
    let coverage = &json["coverage"];
    let parts = coverage["parts"].as_array().expect("parts");
    let covered = parts.iter().filter(|part| part["covered"] == true).count() as u64;
    assert_eq!(coverage["covered"].as_u64(), Some(covered));
    assert_eq!(coverage["all"].as_u64(), Some(parts.len() as u64));
    let market = parts.iter().find(|part| part["what"] == "markets \"USD\"").expect("the row");
    assert_eq!(market["covered"], true);
}

#[test]
fn a_junit_report_has_a_case_per_test() {
    let folder = Folder::with(WRONG);
    let ran = folder.test(&["--format", "junit", "--coverage", "--fail-under", "99%"]);
    ran.shows(1, &["tests=\"4\" failures=\"3\"", "classname=\"acme.b2n.test\"", "B2N-E0803"]);
    let cases: Vec<&str> =
        ran.out.lines().filter(|line| line.trim_start().starts_with("<testcase")).map(str::trim).collect();
    assert_eq!(cases.len(), 4, "{}", ran.all());
    assert!(cases[0].starts_with("<testcase name=\"a won deal\" ") && !cases[0].ends_with("/>"), "{cases:?}");
    assert!(cases[2].starts_with("<testcase name=\"a deal is a lead\" "), "{cases:?}");
    assert!(cases[2].ends_with("/>"), "{cases:?}");
    assert!(
        cases[3].starts_with("<testcase name=\"at least 99%\" classname=\"acme.b2n.coverage\""),
        "{cases:?}"
    );
    assert!(!ran.out.contains("time="), "no time is measured");
}

#[test]
fn other_reports_have_a_finding_per_failure() {
    let folder = Folder::with(WRONG);
    let github = folder.test(&["--format", "github"]);
    github.shows(1, &["::error file=acme.b2n,line=", "B2N-E0803", "market"]);
    assert_eq!(github.out.lines().filter(|line| line.starts_with("::error")).count(), 2, "{}", github.all());
    let sarif = folder.test(&["--format", "sarif"]).json();
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(2));
    let gitlab = folder.test(&["--format", "gitlab"]).json();
    assert_eq!(gitlab.as_array().map(Vec::len), Some(2));
}

#[test]
fn a_pattern_chooses_tests_by_name() {
    let folder = Folder::with(WRONG);
    folder.test(&["IS A LEAD"]).shows(0, &["✓ a deal is a lead (1 expectation)", "1 passed, 0 failed"]);
    folder.test(&["no such test"]).shows(2, &["no test has such a name", "b2n test acme.b2n"]);
    Folder::with("").test(&[]).shows(0, &["0 passed, 0 failed", "has no tests"]);
}

#[test]
fn coverage_below_the_share_fails() {
    let folder = Folder::with("test \"a deal\" {\n  given deal { ..default }\n  expect Lead { .. }\n}\n");
    let ran = folder.test(&["--coverage", "--fail-under", "50"]);
    ran.shows(
        1,
        &["✓ a deal", "1 passed, 0 failed", "% exercised, less than 50%", "sales \"WON\" is not exercised"],
    );
    folder.test(&["--coverage", "--fail-under", "1%"]).shows(0, &["% exercised"]);
    folder.test(&["--coverage", "--fail-under", "101%"]).shows(2, &["a share from 0% to 100%"]);
    folder.test(&["--fail-under", "50%"]).shows(2, &["--coverage"]);
    // The lines of a profile are its author's, unless they are asked for.
    let podyom = Folder::new("podyom");
    let own = podyom.run(&["test", "podyom.b2n", "--coverage"]);
    assert!(!own.out.contains("standard"), "{}", own.all());
    podyom.run(&["test", "podyom.b2n", "--coverage", "--profiles"]).shows(0, &["standard (shipped):"]);
}

const INPUT: &str = "{\"ID\":\"1\",\"TITLE\":\"Pumps\",\"CATEGORY_ID\":\"0\",\"STAGE_ID\":\"NEW\",\"CURRENCY_ID\":\"USD\",\"OPPORTUNITY\":\"10.00\"}\n\
    {\"ID\":\"2\",\"TITLE\":\"Every month\",\"CATEGORY_ID\":\"0\",\"STAGE_ID\":\"NEW\",\"IS_RECURRING\":\"Y\"}\n";

const GOLDEN: &str = "golden deal \"golden/in.ndjson\" => Lead \"golden/new/out.ndjson\"\n";

#[test]
fn a_golden_file_is_made_compared_and_renewed() {
    let folder = Folder::with(GOLDEN);
    folder.write("golden/in.ndjson", INPUT);
    folder.test(&[]).shows(1, &["`golden/new/out.ndjson` cannot be read", "b2n test SPEC --accept"]);
    folder.test(&["--accept"]).shows(0, &["accepted", "`golden/new/out.ndjson` is new: 2 lines"]);
    let written = folder.read("golden/new/out.ndjson");
    assert!(written.contains("\"description\":\"Pumps\"") && written.ends_with('\n'), "{written}");
    assert!(!written.contains("\"line\""), "a line of the spec is in the golden file: {written}");
    folder.test(&[]).shows(0, &["✓ golden golden/new/out.ndjson (2 lines)"]);
    // Nothing but the file is left: it was written as a whole.
    assert!(!folder.names().iter().any(|name| name.ends_with(".new")));

    // Lines of the spec that move change nothing; a rule that changes is told by line and field.
    let spec = folder.read("acme.b2n");
    folder.write("acme.b2n", &spec.replacen("# Acme", "# Moved\n# Acme", 1));
    folder.test(&[]).shows(0, &["1 passed"]);
    folder.write("acme.b2n", &spec.replacen("when IS_RETURN_CUSTOMER", "when not IS_RETURN_CUSTOMER", 1));
    let change = "line 1, `fields.tags`: expected nothing, got [\"Returning customer\"]";
    folder.test(&[]).shows(1, &["in one place", change]);
    assert_eq!(folder.read("golden/new/out.ndjson"), written, "a test without --accept writes nothing");
    folder.test(&["--accept"]).shows(0, &["accepted", change]);
    folder.test(&[]).shows(0, &["1 passed"]);
    assert!(folder.read("golden/new/out.ndjson").contains("Returning customer"));
}

#[test]
fn a_golden_file_that_cannot_be_compared_is_told_with_the_next_step() {
    let bad = |tests: &str| {
        let folder = Folder::with(tests);
        folder.write("golden/in.ndjson", INPUT);
        folder
    };
    for path in ["../out.ndjson", "/tmp/out.ndjson"] {
        let folder = bad(&format!("golden deal \"golden/in.ndjson\" => Lead \"{path}\"\n"));
        for ran in [folder.run(&["check", "acme.b2n"]), folder.test(&["--accept"])] {
            ran.shows(1, &["B2N-E0807", "lies outside the spec's folder", "keep it in the spec's folder"]);
        }
    }
    bad("golden deal \"golden/none.ndjson\" => Lead \"golden/out.ndjson\"\n")
        .test(&["--accept"])
        .shows(1, &["`golden/none.ndjson` cannot be read", "put records there, one JSON object per line"]);
    let folder = bad(GOLDEN);
    folder.write("golden/new/out.ndjson", "{\"a\":1}\nno JSON\n");
    folder.test(&[]).shows(1, &["is no NDJSON: line 2", "mend the line"]);
    folder.test(&["--accept"]).shows(0, &["was no NDJSON"]);
    bad("golden company \"golden/in.ndjson\" => Lead \"golden/out.ndjson\"\n")
        .test(&["--accept"])
        .shows(1, &["no map `company -> Lead`", "name the two objects of a map"]);
    bad("golden deel \"golden/in.ndjson\" => Lead \"golden/out.ndjson\"\n")
        .run(&["check", "acme.b2n"])
        .shows(1, &["B2N-E0202", "did this mean `deal`?"]);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_of_the_folder() {
    let (folder, elsewhere) = (Folder::with(GOLDEN), tempfile::tempdir().expect("a folder"));
    folder.write("golden/in.ndjson", INPUT);
    std::os::unix::fs::symlink(elsewhere.path(), folder.0.path().join("golden/new")).expect("a link");
    folder.test(&["--accept"]).shows(1, &["lies outside the spec's folder"]);
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("the folder").count(), 0);
}

#[test]
fn wrong_tests_are_findings_with_the_next_step() {
    for (tests, words) in [
        ("fixture a = deal { TITEL: \"x\", ..default }\n", ["B2N-E0201", "did this mean `TITLE`?"]),
        ("fixture a = deal { STAGE_ID: \"WONN\", ..default }\n", ["B2N-E0801", "did this mean `WON`?"]),
        ("fixture a = company { ..default }\n", ["B2N-E0802", "name the field with a value"]),
        ("fixture a = deal { ..b }\n\nfixture b = deal { ..a }\n", ["B2N-E0215", "let one of them end with"]),
        ("test \"a\" {\n  given nobody\n  expect no Lead\n}\n", ["B2N-E0215", "fixture nobody = OBJECT"]),
        (
            "test \"a\" {\n  given deal { ..default }\n  expect Laed { .. }\n}\n",
            ["B2N-E0202", "did this mean `Lead`?"],
        ),
        ("test every row slaes\n", ["B2N-", "did this mean `sales`?"]),
        (
            "test \"a\" {\n  given deal { ..default }\n  expect no Lead\n}\n\ntest \"a\" {\n  given deal { ..default }\n  expect no Lead\n}\n",
            ["stands twice", "rename one of them"],
        ),
    ] {
        let folder = Folder::with(tests);
        folder
            .test(&[])
            .shows(1, &words)
            .shows(1, &["does not check, so no test was run", "b2n check acme.b2n"]);
        folder.run(&["check", "acme.b2n"]).shows(1, &words);
        let json = folder.test(&["--format", "json"]).json();
        assert_eq!(json["format"], "b2n-error/1");
    }
    let broken = Folder::with(WRONG);
    let spec = broken.read("acme.b2n");
    broken.write("acme.b2n", &spec.replacen("-> Account {", "-> Acount {", 1));
    broken.test(&[]).shows(1, &["Account", "so no test was run"]);
    broken.test(&["--format", "junit"]).shows(1, &["<failure", "B2N-E0202"]);
    broken.run(&["test", "none.b2n"]).shows(2, &["none.b2n"]);
}
