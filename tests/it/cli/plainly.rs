//! What commands print where nobody draws: no escape byte, whatever the data are and however narrow it is.

use super::*;

/// Texts of other scripts and directions, and what takes two columns, or none.
const TEXTS: [&str; 7] = [
    "Насосы «Север»",
    "株式会社 名前 测试公司有限责任",
    "مرحبا שלום \u{202e}gnp",
    "👩‍👩‍👧‍👦 🇩🇪 e\u{301}\u{200b}",
    "\u{1b}[31mred\u{1b}[0m\u{7}",
    "a\ttab and\r\nlines",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
];

/// Commands that print for people, with what stands behind the spec; the exit codes that they may have here.
const COMMANDS: [(&str, &[&str], &[i32]); 15] = [
    ("check", &[], &[0]),
    ("plan", &[], &[0]),
    ("rehearse", &["--share", "0.01"], &[0, 1]),
    ("status", &[], &[0]),
    ("quarantine", &["list"], &[0, 1]),
    ("gaps", &[], &[0]),
    ("why", &["Lead/1"], &[0, 1]),
    ("where", &["deal/KEY"], &[0, 1]),
    ("reconcile", &["--rate", "5000"], &[0, 1]),
    ("report", &[], &[0, 1]),
    ("approve", &["--list"], &[0, 1]),
    ("audit", &[], &[0]),
    ("delta", &["--rate", "5000", "--dry-run"], &[0, 1]),
    ("rollback", &["--rate", "5000", "--dry-run"], &[0, 1]),
    ("extract", &["--verify"], &[0]),
];

#[test]
fn no_command_prints_an_escape_where_nobody_draws() {
    let twins = Twins::start(&["--scale", "0.004", "--seed", "41", "--unthrottled"]);
    let mut key = String::new();
    for text in TEXTS {
        for kind in ["company", "deal"] {
            let fields = serde_json::json!({"fields": {"TITLE": text, "COMMENTS": text}});
            let made = super::delta::portal(&twins, &format!("crm.{kind}.add"), &fields);
            key = made["result"].to_string();
        }
    }
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    assert!(matches!(ran.code, 0 | 1), "{}", ran.all());
    let silent = [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm-256color")];
    for (index, (command, args, codes)) in COMMANDS.iter().enumerate() {
        for (at, columns) in ["40", "80", "200"].iter().enumerate() {
            let (name, value) = silent[(index + at) % silent.len()];
            let mut line = twins.b2n();
            line.env("COLUMNS", columns).env(name, value).arg(command);
            if ["quarantine", "why", "where"].contains(command) {
                line.args(args.iter().map(|arg| arg.replace("KEY", &key))).arg(&spec);
            } else {
                line.arg(&spec).args(*args);
            }
            let ran = run(&mut line);
            assert!(codes.contains(&ran.code), "{command}: {}", ran.all());
            let shown = format!("{}{}", ran.out, ran.err);
            assert!(!shown.contains('\u{1b}'), "{command} at {columns} with {name}={value}: {shown:?}");
            assert!(!shown.contains('\u{7}'), "{command} rings the bell: {shown:?}");
        }
    }
    // Asked for by name, colours come: what is tested above can be seen at all.
    let coloured = run(b2n().args(["--color", "always"]).arg("status").arg(&spec));
    assert!(coloured.out.contains('\u{1b}'), "{}", coloured.all());
}

/// Runs a command on a terminal of its own, and gives what it drew there.
#[cfg(target_os = "linux")]
fn drawn(mut like: Command, args: &[&str], spec: &Path) -> String {
    let line = format!("'{}' {} '{}'", env!("CARGO_BIN_EXE_b2n"), args.join(" "), spec.display());
    let mut script = Command::new("/usr/bin/script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().stdin(Stdio::null()).current_dir(root());
    for (name, value) in like.env("PATH", "/usr/bin:/bin").get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    let output = script.output().expect("`script` of util-linux runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn a_dumb_terminal_gets_no_escape_and_one_without_colours_no_colour() {
    let twins = Twins::start(&["--scale", "0.01", "--seed", "43", "--unthrottled"]);
    let (_folder, spec) = example();
    let on = |name: &str, value: &str| {
        let mut command = twins.b2n();
        command.env("TERM", "xterm-256color").env(name, value);
        command
    };
    let coloured = |shown: &str| {
        // What ends with `m` sets a colour; the rest moves or clears.
        shown.split("\u{1b}[").skip(1).any(|rest| {
            let end = rest.find(|c: char| c.is_ascii_alphabetic());
            end.is_some_and(|end| rest[end..].starts_with('m'))
        })
    };
    for args in [&["check"][..], &["extract"], &["status"], &["gaps"], &["report"]] {
        let dumb = drawn(on("TERM", "dumb"), args, &spec);
        assert!(!dumb.is_empty() && !dumb.contains('\u{1b}'), "{args:?}: {dumb:?}");
        let plain = drawn(on("NO_COLOR", "1"), args, &spec);
        assert!(!plain.is_empty() && !coloured(&plain), "{args:?}: {plain:?}");
    }
    let usual = drawn(on("LANG", "C.UTF-8"), &["status"], &spec);
    assert!(coloured(&usual), "a terminal gets colours, or this shows nothing: {usual:?}");
}
