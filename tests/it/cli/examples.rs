//! Every example of every `--help`, run: in copies of a prepared customer's folder, against twins.

use super::*;

/// Commands that go on from each other; every other example has a copy of the folder for itself.
const TOGETHER: &[&str] = &[
    "migrate",
    "delta",
    "cutover",
    "reconcile",
    "report",
    "rollback",
    "quarantine",
    "status",
    "why",
    "where",
    "audit",
    "forget",
];

/// Examples that are understood and cannot go on here: the line, what it says, and why that is right. Every other one
/// runs to its end.
const STOPS: [(&str, &str, &str); 10] = [
    ("b2n diff HEAD~1:./acme.b2n acme.b2n --workspace acme.b2nw", "holds records of", TWIN),
    ("b2n scope acme.b2n --workspace acme.b2nw --format json", "holds records of", TWIN),
    ("b2n gaps acme.b2n --workspace acme.b2nw -o gaps.html", "holds records of", TWIN),
    ("b2n probe nutshell -o schema/nutshell.yaml --make-fields", "wants to be confirmed", WORD),
    ("b2n approve acme.b2n --by ops@acme.example --note MIG-31", "nobody is here", WORD),
    ("b2n migrate acme.b2n", "wants to be confirmed", WORD),
    ("b2n rollback acme.b2n --only deal", "there is nothing to roll back", BACK),
    ("b2n quarantine retry acme.b2n deal/7 deal/9", "wants to be confirmed", WORD),
    ("b2n forget acme.b2n", "wants to be confirmed", WORD),
    ("b2n forget acme.b2n --whole", "wants to be confirmed", WORD),
];

const TWIN: &str = "the twin answers under another address than the portal of the snapshot";
const WORD: &str = "it asks for a person's word, and nobody is at the terminal";
const BACK: &str = "the example before it has taken everything back";

/// Files that examples name, beside the spec and its snapshots.
fn prepared(twins: &Twins) -> tempfile::TempDir {
    let (folder, spec) = example();
    let at = |name: &str| folder.path().join(name);
    let copy = |from: &str, to: &str| {
        std::fs::create_dir_all(at(to).parent().expect("a folder")).expect("a folder");
        std::fs::copy(at(from), at(to)).expect("a copy");
    };
    for (from, to) in [
        ("acme.b2n", "old.b2n"),
        ("acme.b2n", "new.b2n"),
        ("acme.b2n", "examples/acme/acme.b2n"),
        ("schema/bitrix24.yaml", "examples/acme/schema/bitrix24.yaml"),
        ("schema/nutshell.yaml", "examples/acme/schema/nutshell.yaml"),
        ("schema/bitrix24.yaml", "newer.yaml"),
        ("schema/bitrix24.yaml", "b24.yaml"),
        ("schema/nutshell.yaml", "nutshell.yaml"),
    ] {
        copy(from, to);
    }
    std::fs::write(at("deals.ndjson"), "{\"ID\":\"7\",\"TITLE\":\"Насосы\"}\n").expect("writes");
    std::fs::write(at("DEAL_20261121.csv"), "ID,Title\n1,a\n").expect("writes");
    std::fs::create_dir_all(at(".local/share/bash-completion/completions")).expect("a folder");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "acme.b2n", "old.b2n", "schema"],
        &["commit", "-q", "-m", "first"],
        &["commit", "-q", "--allow-empty", "-m", "second"],
    ] {
        let done = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(folder.path())
            .output()
            .expect("git runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    shows(&run(twins.b2n().arg("extract").arg(&spec)), 0, &[]);
    approved(&spec);
    let said = at("b2n-review.json");
    shows(&run(b2n().arg("review").arg(&spec).arg("--export").arg(&said)), 0, &["exported"]);
    folder
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copied(&path, &target);
        } else {
            std::fs::copy(&path, target).expect("a copy");
        }
    }
}

/// The examples of a command, as they stand in its help.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    help.lines().filter_map(|line| line.strip_prefix("  b2n ")).map(|line| format!("b2n {line}")).collect()
}

fn shell(twins: &Twins, folder: &Path, line: &str) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_b2n")).parent().expect("a folder");
    let like = twins.b2n();
    let mut command = Command::new("sh");
    command.args(["-c", line]).env_clear().stdin(Stdio::null()).current_dir(folder).env("HOME", folder);
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())).env("B2N_CACHE_DIR", "");
    for (name, value) in like.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

/// Starts what serves until it is stopped, and waits for the line that says so.
fn serves(twins: &Twins, folder: &Path, line: &str) -> String {
    // The ports of the example may be taken, on a machine that runs other tests.
    let line = line.replace("8024", "0").replace("8025", "0");
    let mut child =
        shell(twins, folder, &format!("exec {line}")).stdout(Stdio::piped()).spawn().expect("starts");
    let mut said = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut said).expect("a line");
    child.kill().expect("is stopped");
    child.wait().expect("ends");
    said
}

#[test]
fn every_example_of_every_help_runs() {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "3", "--unthrottled"]);
    let folder = prepared(&twins);
    let copies = tempfile::tempdir().expect("a temporary folder");
    let together = copies.path().join("together");
    copied(folder.path(), &together);
    let confirm = run(twins
        .b2n()
        .arg("provision")
        .arg(together.join("acme.b2n"))
        .args(FAST)
        .args(["--confirm", ITEMS]));
    shows(&confirm, 0, &["nothing is left for a person to do"]);
    let all = b2n::face::cli::command();
    let (mut wrong, mut ran, mut met) = (Vec::new(), 0, Vec::new());
    for command in all.get_subcommands() {
        let name = command.get_name();
        let lines = examples(command);
        assert!(!lines.is_empty(), "{name} --help has no example");
        for line in lines {
            ran += 1;
            let alone = copies.path().join(format!("alone{ran}"));
            let place = if TOGETHER.contains(&name) { &together } else { &alone };
            if !place.exists() {
                copied(folder.path(), place);
            }
            let page = name == "review"
                && !["--page", "--import", "--export"].iter().any(|flag| line.contains(flag));
            if name == "twin" || page || line.contains("--watch") {
                let said = serves(&twins, place, &line);
                if said.trim().is_empty() {
                    wrong.push(format!("`{line}` says nothing"));
                }
                continue;
            }
            // A debug build rehearses a small share of the example, and nobody waits for a real account's pace; what the
            // line says stays as it is.
            let has = |option: &str| command.get_arguments().any(|argument| argument.get_id() == option);
            let mut shown = line.clone();
            for (option, value) in [("rate", "5000"), ("share", "0.02")] {
                let means = option != "share" || name == "rehearse";
                if means && has(option) && !line.contains(&format!("--{option}")) {
                    shown = shown.replacen(name, &format!("{name} --{option} {value}"), 1);
                }
            }
            let done = Ran::new(shell(&twins, place, &shown).output().expect("a shell"));
            let stops = STOPS.iter().find(|(stops, ..)| *stops == line);
            let as_told = match stops {
                Some((_, says, _)) => done.code == 2 && done.all().contains(says),
                None => matches!(done.code, 0 | 1),
            };
            if !as_told || done.err.contains("panicked") {
                let reason = stops.map(|(.., why)| format!(" (it should stop: {why})")).unwrap_or_default();
                wrong.push(format!("`{line}`{reason}: {}", done.all()));
            }
            met.extend(stops.map(|(stops, ..)| *stops));
            if place == &alone {
                std::fs::remove_dir_all(&alone).expect("is removed");
            }
        }
    }
    println!("{ran} examples");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let rows: Vec<&str> = STOPS.iter().map(|(line, ..)| *line).collect();
    let unmet: Vec<_> = rows.iter().filter(|line| !met.contains(line)).collect();
    assert!(unmet.is_empty(), "no help has these examples: {unmet:?}");
}
