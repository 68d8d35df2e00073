//! No secret is in anything that a command leaves behind or says, and a disk that is full costs nothing but time.

use super::*;

/// What must be found nowhere: the webhook's path, and the login as it is sent.
const SECRETS: [&str; 3] = ["/rest/1/secret", "rest%2F1%2Fsecret", "YWRtaW5AYWNtZS5leGFtcGxlOmtleQ"];

/// Credentials that no twin accepts, to be searched for in what is said of them.
const WRONG_HOOK: &str = "wr0ngh00ksecret";
const WRONG_KEY: &str = "wr0ngkeysecret";

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

#[test]
fn no_secret_is_in_workspace_reports_logs_errors_backups_or_locks() {
    let twins = Twins::start(&["--scale", "0.03", "--seed", "11", "--unthrottled"]);
    let (folder, spec) = example();
    approved(&spec);
    let mut said = String::new();
    let mut say = |command: &mut Command| {
        let ran = run(command);
        said.push_str(&ran.all());
        ran
    };
    say(twins.b2n().arg("provision").arg(&spec).args(FAST).args(["--confirm", ITEMS]));
    // Failures of every kind that has an address or a login in it.
    let hook = twins.webhook.replace("/rest/1/secret/", &format!("/rest/1/{WRONG_HOOK}/"));
    assert_ne!(say(twins.b2n().env("B2N_BITRIX24_WEBHOOK", &hook).arg("migrate").arg(&spec)).code, 0);
    assert_ne!(say(twins.b2n().env("B2N_NUTSHELL_KEY", WRONG_KEY).arg("migrate").arg(&spec)).code, 0);
    for address in [
        format!("http://127.0.0.1:9/rest/1/{WRONG_HOOK}/"),
        format!("https://portal.invalid/rest/1/{WRONG_HOOK}/"),
        format!("http://192.0.2.1/rest/1/{WRONG_HOOK}/"),
        format!("https://me:{WRONG_HOOK}@portal.invalid/rest/1/x/"),
        WRONG_HOOK.to_owned(),
    ] {
        assert_ne!(say(twins.b2n().env("B2N_BITRIX24_WEBHOOK", &address).arg("extract").arg(&spec)).code, 0);
    }
    for address in ["http://192.0.2.1", "ftp://127.0.0.1", "http://127.0.0.1:9"] {
        assert_ne!(say(twins.b2n().env("B2N_NUTSHELL_URL", address).arg("migrate").arg(&spec)).code, 0);
    }
    let json = say(twins.b2n().args(["--format", "json", "migrate"]).arg(&spec).args(FAST));
    assert_eq!(json.code, 0, "{}", json.all());
    for args in [
        &["status"][..],
        &["status", "--format", "json"],
        &["audit"],
        &["audit", "--format", "json"],
        &["quarantine", "list"],
        &["plan"],
        &["reconcile", "--rate", "5000", "--format", "json"],
        &["rollback", "--dry-run", "--rate", "5000"],
    ] {
        say(twins.b2n().args(args).arg(&spec));
    }
    let csv = |name: &str| folder.path().join(name);
    say(twins
        .b2n()
        .args(["reconcile", "--rate", "5000", "--show-values", "--out"])
        .arg(csv("books.csv"))
        .arg(&spec));
    say(twins.b2n().args(["audit", "--format", "csv", "-o"]).arg(csv("audit.csv")).arg(&spec));
    for (system, name) in [("bitrix24", "b.yaml"), ("nutshell", "n.yaml")] {
        say(twins.b2n().args(["snapshot", system, "-o"]).arg(csv(name)));
    }
    // An older file, so that there is a backup.
    let older = csv("older.b2nw");
    std::fs::copy(spec.with_extension("b2nw"), &older).expect("copies");
    let aged = Command::new("sh")
        .args(["-c", "printf '\\000\\000\\000\\003' | dd of=\"$1\" bs=1 seek=60 conv=notrunc", "-"])
        .arg(&older)
        .output()
        .expect("ages it");
    assert!(aged.status.success());
    say(b2n().args(["status", "--workspace"]).arg(&older).arg(&spec));
    let mut files = Vec::new();
    walk(folder.path(), &mut files);
    walk(twins.locks.path(), &mut files);
    let port = twins.nutshell.rsplit(':').next().expect("a port");
    files
        .push(b2n::run::workspace::machine_folder().join(format!("b2n-destination-379104-port-{port}.lock")));
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    for part in ["acme.b2nw", "acme.b2nw-lock", "books.csv", "audit.csv", "b.yaml", "n.yaml"] {
        assert!(names.iter().any(|name| name.ends_with(part)), "{part} was not looked into: {names:?}");
    }
    for secret in SECRETS.into_iter().chain([WRONG_HOOK, WRONG_KEY]) {
        assert!(!said.contains(secret), "`{secret}` was said:\n{said}");
        for file in &files {
            let bytes = std::fs::read(file).unwrap_or_default();
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "`{secret}` is in {}", file.display());
        }
    }
    #[cfg(unix)]
    for file in &files {
        use std::os::unix::fs::PermissionsExt;
        let name = file.display().to_string();
        if [".b2nw", ".csv", "users.yaml"].iter().any(|part| name.contains(part)) {
            let mode = std::fs::metadata(file).expect("is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name} can be read by others");
        }
    }
}

/// Whatever the umask says, what holds personal data is its owner's alone.
#[cfg(unix)]
#[test]
fn an_open_umask_opens_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let twins = Twins::start(&["--scale", "0.01", "--seed", "12", "--unthrottled"]);
    let (folder, spec) = example();
    for umask in ["0000", "0777"] {
        let path = folder.path().join(format!("umask{umask}.b2nw"));
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "umask \"$1\"; shift; exec \"$@\"",
                "-",
                umask,
                env!("CARGO_BIN_EXE_b2n"),
                "extract",
            ])
            .arg(&spec)
            .arg("--workspace")
            .arg(&path)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("B2N_BITRIX24_WEBHOOK", &twins.webhook)
            .current_dir(root());
        let ran = run(&mut command);
        assert_eq!(ran.code, 0, "umask {umask}: {}", ran.all());
        let workspace = Workspace::open(&path).expect("opens");
        workspace.set_note("a", "b").expect("writes");
        for entry in std::fs::read_dir(folder.path()).expect("lists") {
            let file = entry.expect("an entry").path();
            if file.display().to_string().contains("umask") {
                let mode = std::fs::metadata(&file).expect("is there").permissions().mode() & 0o777;
                assert_eq!(mode & 0o077, 0, "{} has mode {mode:o} under umask {umask}", file.display());
            }
        }
    }
}

/// A file that cannot grow stands for a disk that is full: the run stops, says so, and goes on when there is room.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_run_and_costs_nothing() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "13", "--unthrottled"]);
    let (_folder, spec) = example();
    provisioned(&twins, &spec);
    let mut stopped = 0;
    // In blocks of 512 bytes: room for less and for more of it.
    for blocks in [300, 900, 1_500, 2_500] {
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "-", &blocks.to_string()])
            .args([env!("CARGO_BIN_EXE_b2n"), "migrate"])
            .arg(&spec)
            .args(FAST)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("B2N_BITRIX24_WEBHOOK", &twins.webhook)
            .env("B2N_NUTSHELL_URL", &twins.nutshell)
            .env("B2N_NUTSHELL_USER", "admin@acme.example")
            .env("B2N_NUTSHELL_KEY", "key")
            .current_dir(root());
        let ran = run(&mut command);
        if ran.code != 0 {
            stopped += 1;
            shows(&ran, 3, &["workspace `", "free space", "run the same command again"]);
        }
    }
    assert!(stopped > 0, "there was room for all of it");
    shows(&run(twins.b2n().arg("migrate").arg(&spec).args(FAST)), 0, &["every record is accounted for"]);
    shows(
        &run(twins.b2n().args(["reconcile", "--rate", "5000"]).arg(&spec)),
        0,
        &["every record is accounted for"],
    );
}
