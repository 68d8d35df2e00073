//! What a program is told while a command works: every line is one event of the documented form, and the last one says
//! how it ended. And what Ctrl-C says and leaves.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::*;

/// Each event with its fields.
const EVENTS: [(&str, &[(&str, Kind)]); 9] = [
    ("begin", &[("what", Kind::Text), ("total", Kind::MayNumber)]),
    ("progress", AMOUNT),
    ("end", AMOUNT),
    (
        "phase",
        &[("state", Kind::Text), ("phase", Kind::Number), ("of", Kind::Number), ("maps", Kind::MayList)],
    ),
    ("quarantine", &[("row", Kind::Text), ("quarantined", Kind::Number), ("failed", Kind::Number)]),
    (
        "fault",
        &[
            ("what", Kind::Text),
            ("times", Kind::Number),
            ("waited_s", Kind::MayNumber),
            ("given_up", Kind::MayNumber),
            ("row", Kind::MayText),
            ("key", Kind::MayText),
        ],
    ),
    (
        "waiting",
        &[
            ("what", Kind::MayText),
            ("seconds", Kind::Number),
            ("writes_under_way", Kind::Number),
            ("oldest_s", Kind::MayNumber),
            ("looked_for", Kind::Number),
        ],
    ),
    ("notice", &[("text", Kind::Text)]),
    ("exit", &[("code", Kind::Number), ("reason", Kind::Text)]),
];

const AMOUNT: &[(&str, Kind)] = &[
    ("what", Kind::Text),
    ("done", Kind::Number),
    ("total", Kind::MayNumber),
    ("seconds", Kind::Number),
    ("per_s", Kind::MayNumber),
    ("left_s", Kind::MayNumber),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    MayText,
    MayNumber,
    MayList,
}

impl Kind {
    fn fits(self, value: &Json) -> bool {
        match self {
            Kind::Text => value.as_str().is_some_and(|text| !text.is_empty()),
            Kind::Number => value.as_f64().is_some_and(|number| number >= 0.0),
            Kind::MayText => value.is_null() || Kind::Text.fits(value),
            Kind::MayNumber => value.is_null() || Kind::Number.fits(value),
            Kind::MayList => value.is_null() || value.is_array(),
        }
    }
}

/// Every line of standard error as an event of the form that the book documents.
#[track_caller]
fn events(err: &str) -> Vec<Json> {
    let mut all = Vec::new();
    for line in err.lines() {
        let event: Json =
            serde_json::from_str(line).unwrap_or_else(|why| panic!("`{line}` is no event ({why}) in\n{err}"));
        assert_eq!(event["format"], "b2n-progress/1", "{line}");
        let name = event["event"].as_str().expect("a name");
        let (_, fields) = EVENTS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{line}"));
        for (field, kind) in *fields {
            assert!(kind.fits(&event[*field]), "`{field}` of {line}");
        }
        let known = |key: &String| {
            ["format", "event"].contains(&key.as_str()) || fields.iter().any(|(field, _)| field == key)
        };
        assert!(event.as_object().expect("an object").keys().all(known), "{line}");
        all.push(event);
    }
    let exits = all.iter().filter(|event| event["event"] == "exit").count();
    assert_eq!(exits, 1, "{err}");
    assert_eq!(all.last().map(|event| &event["event"]), Some(&Json::from("exit")), "{err}");
    all
}

fn counts(events: &[Json]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event["event"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn every_line_of_a_run_is_a_documented_event() {
    let twins = Twins::start(&["--scale", "0.03", "--seed", "21", "--unthrottled"]);
    let (_folder, spec) = example();
    let json = |command: &str, args: &[&str]| {
        let mut command_line = twins.b2n();
        command_line.env("B2N_TEST_LINE_MS", "20").arg(command).arg(&spec).args(["--format", "json"]);
        let ran = run(command_line.args(args));
        assert_eq!(ran.out.lines().count(), 1, "{}", ran.all());
        let told = events(&ran.err);
        let exit = told.last().expect("the last");
        assert_eq!(exit["code"], ran.code, "{}", ran.all());
        (ran.code, told)
    };
    // What moves nothing ends with its code too.
    assert_eq!(json("rehearse", &["--share", "0.02"]).0, 0);
    assert_eq!(json("scope", &[]).0, 0);
    let into = spec.with_file_name("taken.json");
    let taken = run(twins.b2n().args(["snapshot", "nutshell", "--format", "json", "-o"]).arg(&into));
    assert_eq!(events(&taken.err).last().expect("the last")["reason"], "done", "{}", taken.all());
    let (code, told) = json("extract", &[]);
    assert_eq!((code, &told.last().expect("one")["reason"]), (0, &"done".into()));
    assert!(counts(&told).keys().map(String::as_str).collect::<Vec<_>>().starts_with(&["begin"]));

    // Nobody has approved anything: that is the reason, and no phase begins.
    let (code, told) = json("migrate", &FAST);
    assert_eq!((code, &told.last().expect("one")["reason"]), (1, &"open".into()));
    assert!(!counts(&told).contains_key("phase"), "{told:?}");
    let (code, told) = json("migrate", &["--yes-into", "7"]);
    assert!(code > 0 && told.last().expect("one")["reason"] != "done");

    provisioned(&twins, &spec);
    // Slow enough that something is waited for.
    let (code, told) = json("migrate", &["--yes-into", "379104", "--rate", "25"]);
    assert_eq!(code, 0);
    let kinds = counts(&told);
    for kind in ["begin", "progress", "end", "phase", "waiting", "exit"] {
        assert!(kinds.contains_key(kind), "no `{kind}` in {kinds:?}");
    }
    // Phases open and close in order, each once in a run without links that wait for another round.
    let phases: Vec<_> = told.iter().filter(|event| event["event"] == "phase").collect();
    let of = phases[0]["of"].as_u64().expect("a number");
    let states: Vec<(u64, &str)> = phases
        .iter()
        .map(|event| (event["phase"].as_u64().unwrap_or(0), event["state"].as_str().unwrap_or_default()))
        .collect();
    for (at, state) in states.iter().enumerate() {
        let (phase, word) = ((at as u64 / 2) % of + 1, if at % 2 == 0 { "started" } else { "closed" });
        assert_eq!(*state, (phase, word), "{states:?}");
    }
    assert_eq!(states.len() as u64 % (2 * of), 0, "{states:?}");
    assert!(phases[0]["maps"].as_array().is_some_and(|maps| !maps.is_empty()));
    // Work that begins ends, and what is done never exceeds what there is.
    assert_eq!(kinds["begin"], kinds["end"], "{kinds:?}");
    for event in told.iter().filter(|event| event["event"] == "end") {
        if let (Some(done), Some(total)) = (event["done"].as_u64(), event["total"].as_u64()) {
            assert!(done <= total, "{event}");
        }
    }

    for (command, args) in [
        ("reconcile", &["--rate", "5000"][..]),
        ("delta", &["--rate", "5000"]),
        ("rollback", &["--rate", "5000", "--dry-run"]),
        ("rollback", &["--rate", "5000", "--yes-into", "379104"]),
    ] {
        let (code, told) = json(command, args);
        assert_eq!(code, 0, "{command} {args:?}: {told:?}");
        assert!(counts(&told)["begin"] > 0, "{command}");
    }
}

/// Waits until the command has told of an event, and stops it.
#[cfg(unix)]
fn stopped(command: &mut Command, at: &str) -> (i32, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("its errors")).lines();
    let mut err = String::new();
    for line in lines.by_ref().map_while(Result::ok) {
        err.push_str(&format!("{line}\n"));
        if line.contains(at) {
            break;
        }
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success(), "it was through before it could be stopped: {err}");
    for line in lines.map_while(Result::ok) {
        err.push_str(&format!("{line}\n"));
    }
    let ended = Ran::new(child.wait_with_output().expect("ends"));
    (ended.code, ended.out, err)
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_what_is_safe_and_the_same_command_goes_on() {
    // The twin takes its time, so that there is something to stop.
    let twins = Twins::start(&["--scale", "0.01", "--seed", "23"]);
    let (_folder, spec) = example();
    let extract = || {
        let mut command = twins.b2n();
        command.env("B2N_TEST_LINE_MS", "20").arg("extract").arg(&spec);
        command
    };
    let (code, out, err) = stopped(extract().args(["--format", "json"]), "\"begin\"");
    assert_eq!(code, 3, "{out}{err}");
    let told = events(&err);
    let exit = told.last().expect("the last");
    assert_eq!((&exit["code"], &exit["reason"]), (&3.into(), &"interrupted".into()), "{err}");
    for words in
        ["stopping at the next safe point", "the same command goes on from there", "never sent twice"]
    {
        assert!(err.contains(words), "{err}");
    }
    let error: Json = serde_json::from_str(&out).expect("one object");
    assert!(error["error"].as_str().is_some_and(|text| text.contains("the same command goes on")), "{out}");
    shows(&run(&mut extract()), 0, &["staged", "counted by the source"]);

    // A migration is slow by its own pace.
    let twins = Twins::start(&["--scale", "0.02", "--seed", "23", "--unthrottled"]);
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    let migrate = |rate: &str| {
        let mut command = twins.b2n();
        command.env("B2N_TEST_LINE_MS", "20").arg("migrate").arg(&spec).args([
            "--yes-into",
            "379104",
            "--rate",
            rate,
        ]);
        command
    };
    let (code, out, err) = stopped(&mut migrate("20"), "load ");
    assert_eq!(code, 3, "{out}{err}");
    for words in [
        "stopping at the next safe point",
        "Ctrl-C again stops at once, which is safe too",
        "stopped as asked",
    ] {
        assert!(err.contains(words), "{err}");
    }
    // What was under way has come to its end: the next run waits for nothing and finds no fault.
    let audit = run(twins.b2n().arg("audit").arg(&spec).args(["--format", "csv"]));
    assert_eq!(audit.code, 0, "{}", audit.all());
    let (open, done) = (",intent", ",done");
    assert!(!audit.out.contains(open), "a write was left without its answer: {}", audit.out);
    assert!(audit.out.contains(done), "nothing was written before it stopped: {}", audit.out);
    let ran = run(&mut migrate("5000"));
    shows(&ran, 0, &["every record is accounted for"]);
    assert!(!ran.all().contains("got no answer"), "{}", ran.all());
    shows(&run(b2n().arg("report").arg(&spec)), 0, &["Faults met"]);
}
