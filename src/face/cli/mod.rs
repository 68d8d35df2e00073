//! The command line: one file per command, exit codes, progress, what the terminal can show.
//!
//! Exit codes: 0 fine, 1 findings or a failed reconciliation, 2 wrong use, 3 the outside world failed.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod account;
mod approve;
mod arrives;
mod audit;
mod cache;
mod change;
mod check;
mod completions;
mod csv;
mod cutover;
mod delta;
mod diff;
mod doc;
mod draft;
mod drift;
mod exactly;
mod explain;
mod exports;
mod extract;
mod failure;
mod files;
mod findings;
mod fixing;
mod fmt;
mod forget;
mod fresh;
mod fuzz;
mod gaps;
mod git;
mod init;
mod inventory;
mod lines;
mod migrate;
mod patch;
mod plan;
mod portion;
mod probe;
mod profiles;
mod progress;
mod project;
mod proof;
mod provision;
mod pulse;
mod quarantine;
mod reconcile;
mod rehearse;
mod report;
mod reporting;
mod review;
mod rollback;
mod sample;
mod scope;
mod sheet;
mod snapshot;
mod status;
mod terminal;
mod test;
mod tested;
mod transform;
mod twin;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use failure::Failure;
use findings::Shape;
use terminal::Terminal;

/// Moves a company's CRM from Bitrix24 to Nutshell.
///
/// A `.b2n` spec says what becomes of every field; b2n checks it against snapshots of both systems, rehearses the
/// move, carries it out, and proves what arrived.
#[derive(Debug, Parser)]
#[command(
    name = "b2n",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 fine, 1 findings or a failed reconciliation, 2 wrong use, 3 the outside world failed (run again later)."
)]
struct Cli {
    /// How findings and counts are printed.
    #[arg(long, global = true, value_enum, default_value = "human", value_name = "FORMAT")]
    format: Shape,
    /// When colours are used.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

/// How what is not a finding is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people.
    Human,
    /// For programs: versioned, stable.
    Json,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a folder to start in: a spec with everything to fill in, and where snapshots go.
    #[command(after_help = "Example:\n  b2n init customers/acme")]
    Init(init::Args),
    /// Check a spec against both snapshots. Needs no network.
    #[command(
        after_help = "Examples:\n  b2n check acme.b2n\n  b2n check acme.b2n --fix\n  b2n check acme.b2n --fix=likely --diff\n  b2n check acme.b2n --format sarif > b2n.sarif"
    )]
    Check(check::Args),
    /// Lay a spec out the one way. Keeps comments and never changes what it means.
    #[command(
        after_help = "Examples:\n  b2n fmt acme.b2n\n  b2n fmt --check acme.b2n\n  b2n fmt --stdin < acme.b2n"
    )]
    Fmt(fmt::Args),
    /// Run the tests of a spec: fixtures, every row, golden files. Needs no network.
    #[command(
        after_help = "Examples:\n  b2n test acme.b2n\n  b2n test acme.b2n \"won deal\"\n  b2n test acme.b2n --accept\n  b2n test acme.b2n --coverage --fail-under 80%\n  b2n test acme.b2n --format junit > tests.xml"
    )]
    Test(test::Args),
    /// Print what a spec will do: counts, fields to create, work by hand, phases, the floor of time.
    #[command(
        after_help = "Examples:\n  b2n plan acme.b2n\n  b2n plan acme.b2n --format json\n  b2n plan acme.b2n --html plan.html"
    )]
    Plan(plan::Args),
    /// Tell what a change of a spec does to how many records: a review of meaning, not of text.
    #[command(
        after_help = "Examples:\n  b2n diff main:acme.b2n acme.b2n\n  b2n diff old.b2n new.b2n --format markdown --fail-on loss\n  b2n diff HEAD~1:./acme.b2n acme.b2n --workspace acme.b2nw\n\nExit codes: 0 no change in meaning, 1 what --fail-on says or a spec that does not check, 2 wrong use."
    )]
    Diff(diff::Args),
    /// Write a first spec out of two snapshots: every field is mapped, dropped, or left to decide.
    #[command(
        after_help = "Examples:\n  b2n draft --source b24.yaml --target nutshell.yaml --owner ops@acme.example --zone Europe/Berlin\n  b2n draft --source b24.yaml --target nutshell.yaml --owner ops@acme.example --no-profile\n\nExit codes: 0 nothing is wrong but what a person must decide, 1 the draft does not check, 2 wrong use."
    )]
    Draft(draft::Args),
    /// Tell what changed in a system since its snapshot, in the rules that it hits.
    #[command(
        after_help = "Examples:\n  b2n drift acme.b2n --source newer.yaml\n  b2n drift acme.b2n --live\n  b2n drift acme.b2n --live --update --fix\n\nExit codes: 0 no rule is hit, 1 rules are hit, 2 wrong use, 3 the outside world failed."
    )]
    Drift(drift::Args),
    /// Write the mapping document that a customer signs: what becomes of every field, value, stage and user.
    #[command(
        after_help = "Examples:\n  b2n doc acme.b2n -o acme.md\n  b2n doc acme.b2n -o acme.html\n  b2n doc acme.b2n --as html > acme.html"
    )]
    Doc(doc::Args),
    /// Tell what a source holds before anything is planned: counts, doubles, warnings, grades, the time it takes.
    #[command(
        after_help = "Examples:\n  b2n scope\n  b2n scope acme.b2n -o scope.html\n  b2n scope acme.b2n --workspace acme.b2nw --format json\n\nWithout `--workspace` the source counts by filters and no record is read; with it every staged record is counted. No format holds a value of a record."
    )]
    Scope(scope::Args),
    /// List what works by itself in the source: workflows, robots, triggers, for somebody to rebuild.
    #[command(after_help = "Examples:\n  b2n inventory\n  b2n inventory -o inventory.md")]
    Inventory(inventory::Args),
    /// Tell everything that a spec will not move, and what is left to do by hand.
    #[command(
        after_help = "Examples:\n  b2n gaps acme.b2n\n  b2n gaps acme.b2n --workspace acme.b2nw -o gaps.html"
    )]
    Gaps(gaps::Args),
    /// Take a snapshot of a system's schema, with statistics, from a live account or a twin.
    #[command(
        after_help = "Examples:\n  b2n snapshot bitrix24 -o schema/bitrix24.yaml\n  b2n snapshot nutshell -o schema/nutshell.yaml\n\nCredentials come from B2N_BITRIX24_WEBHOOK, B2N_NUTSHELL_USER, B2N_NUTSHELL_KEY, B2N_NUTSHELL_URL."
    )]
    Snapshot(snapshot::Args),
    /// Answer what the destination's documentation leaves open, by small experiments that are cleaned up.
    #[command(
        after_help = "Examples:\n  b2n probe nutshell --dry-run\n  b2n probe nutshell -o schema/nutshell.yaml --yes-into 379104\n  b2n probe nutshell -o schema/nutshell.yaml --make-fields\n\nUse a trial account, or one that may be written into. Stop with Ctrl-C at any time: what was made is deleted first.\nExit codes: 0 all it made is deleted, 1 something could not be, 2 wrong use, 3 the outside world failed."
    )]
    Probe(probe::Args),
    /// Bring the source's records into the workspace. Goes on where an earlier call ended.
    #[command(after_help = "Example:\n  b2n extract acme.b2n")]
    Extract(extract::Args),
    /// Rehearse the whole move against twins on a virtual clock, and forecast how long it takes.
    #[command(
        after_help = "Examples:\n  b2n rehearse examples/acme/acme.b2n\n  b2n rehearse acme.b2n --workspace acme.b2nw\n  b2n rehearse acme.b2n --seed 7 --format json"
    )]
    Rehearse(rehearse::Args),
    /// Make custom fields ahead of a migration, and list what only a person can make or confirm.
    #[command(
        after_help = "Examples:\n  b2n provision acme.b2n --dry-run\n  b2n provision acme.b2n --dry-run --format markdown > before.md\n  b2n provision acme.b2n --yes-into 379104\n  b2n provision acme.b2n --confirm automations,webhooks\n\nAsks the destination only. Safe to repeat.\nExit codes: 0 nothing is left for a person to do, 1 something is, 2 wrong use, 3 the outside world failed."
    )]
    Provision(provision::Args),
    /// Look at records before anything is written: a local page with source value, rule and destination value.
    #[command(
        after_help = "Examples:\n  b2n review acme.b2n\n  b2n review acme.b2n --per-object 50 --by ops@acme.example\n  b2n review acme.b2n --page review.html\n  b2n review acme.b2n --import b2n-review.json\n\nNeeds the extracted workspace and no network; the page answers this machine only. Its values are personal data.\nStop with Ctrl-C at any time: every tick and comment is on the disk before the page says so."
    )]
    Review(review::Args),
    /// Show what a plan does, and keep who approves it: nothing is written before. Needs no network.
    #[command(
        after_help = "Examples:\n  b2n approve acme.b2n --dry-run\n  b2n approve acme.b2n --by ops@acme.example --note MIG-31\n  b2n approve acme.b2n --by ops@acme.example --yes --sample 200\n  b2n approve acme.b2n --list\n  b2n approve acme.b2n --withdraw\n\nA changed plan needs a new approval; a comment in the spec does not.\nExit codes: 0 approved, 1 something is still to be decided, or with --list nothing is approved, 2 wrong use."
    )]
    Approve(approve::Args),
    /// Carry the move out: extract what is missing, provision, load in order, close each phase.
    #[command(
        after_help = "Examples:\n  b2n migrate acme.b2n\n  b2n migrate acme.b2n --yes-into 379104\n  b2n migrate acme.b2n --sample 200 --seed 7\n  b2n migrate acme.b2n --only company,contact\n  b2n migrate acme.b2n --ids deal/7,deal/9\n  b2n migrate acme.b2n --retry failed\n\nStop with Ctrl-C at any time; the same command goes on from there."
    )]
    Migrate(migrate::Args),
    /// Bring over what changed in the source since: new, edited, deleted and merged records, links, rows, comments.
    #[command(
        after_help = "Examples:\n  b2n delta acme.b2n --dry-run\n  b2n delta acme.b2n\n\nStop with Ctrl-C at any time; the same command goes on from there.\nExit codes: 0 all is brought over, 1 something is held back or differs, or came after a freeze, 2 wrong use, 3 the\noutside world failed."
    )]
    Delta(delta::Args),
    /// Freeze the source at a moment: bring over the last changes, and tell what was changed after it.
    #[command(
        after_help = "Examples:\n  b2n cutover acme.b2n --frozen-at 2026-11-21T18:00:00+01:00\n  b2n cutover acme.b2n --frozen-at now\n\nThe same command again looks again.\nExit codes: 0 nothing was changed after the freeze, 1 something was, or is held back, 2 wrong use, 3 the outside\nworld failed."
    )]
    Cutover(cutover::Args),
    /// Compare source, workspace and destination, field by field, writing to neither.
    #[command(
        after_help = "Examples:\n  b2n reconcile acme.b2n\n  b2n reconcile acme.b2n --out books.csv\n  b2n reconcile acme.b2n --csv deal=DEAL_20261121.csv\n\nExit codes: 0 all agrees, 1 something differs or is pending, 2 wrong use, 3 the outside world failed."
    )]
    Reconcile(reconcile::Args),
    /// Write the report of a migration: a page that opens offline, its data, and a CSV file for each list. Needs no
    /// network.
    #[command(
        after_help = "Examples:\n  b2n report acme.b2n\n  b2n report acme.b2n -o handover --bom\n  b2n report acme.b2n --hash-values -o for-the-vendor\n\nTells what the books say now and what the last comparison found: run `b2n reconcile` before it. The files hold\npersonal data, but with --hash-values.\nExit codes: 0 everything is accounted for, 1 something is open, unproven or not finished, 2 wrong use."
    )]
    Report(reporting::Args),
    /// Take a migration back: delete what it made, restore what it changed, keep what people touched since.
    #[command(
        after_help = "Examples:\n  b2n rollback acme.b2n --dry-run\n  b2n rollback acme.b2n --yes-into 379104\n  b2n rollback acme.b2n --only deal\n\nStop with Ctrl-C at any time; the same command goes on from there. Asks the destination only.\nExit codes: 0 all went as announced, 1 something changed meanwhile or was refused, 2 wrong use, 3 the outside world failed."
    )]
    Rollback(rollback::Args),
    /// What is held back: list it, show one record, try records again, or leave them out by decision.
    #[command(
        after_help = "Examples:\n  b2n quarantine list acme.b2n\n  b2n quarantine show acme.b2n deal/7\n  b2n quarantine retry acme.b2n deal/7 deal/9\n  b2n quarantine skip acme.b2n deal/7 --reason \"a test deal\" --by ops@acme.example\n\nExit codes: 0 nothing is held back, 1 something is, 2 wrong use, 3 the outside world failed."
    )]
    Quarantine(quarantine::Args),
    /// Tell how far a workspace is, also while a run works on it. Needs no network.
    #[command(
        after_help = "Examples:\n  b2n status acme.b2n\n  b2n status acme.b2n --watch\n  b2n status acme.b2n --format json\n  b2n status acme.b2n --format prometheus > b2n.prom"
    )]
    Status(status::Args),
    /// Tell where a value of the destination came from: source value, rule, arm, table row, and the write.
    #[command(
        after_help = "Examples:\n  b2n why Lead/77 acme.b2n\n  b2n why Lead/77.stage acme.b2n\n  b2n why Lead/77.stage acme.b2n --live\n\nNeeds no network, but for --live. Prints values of the record: they may be personal data.\nExit codes: 0 told, 1 the migration wrote no such record, 2 wrong use, 3 the outside world failed."
    )]
    Why(why::WhyArgs),
    /// Tell what became of a source record or one of its fields, in every map. Needs no network.
    #[command(
        after_help = "Examples:\n  b2n where deal/1042 acme.b2n\n  b2n where deal/1042.TITLE acme.b2n\n  b2n where \"process 1032/5\" acme.b2n\n\nPrints values of the record: they may be personal data.\nExit codes: 0 told, 1 no such record is staged, 2 wrong use."
    )]
    Where(why::WhereArgs),
    /// Print the audit log: every write that was sent, and every decision of a person. Needs no network.
    #[command(
        after_help = "Examples:\n  b2n audit acme.b2n\n  b2n audit acme.b2n --format csv -o audit.csv\n  b2n audit acme.b2n --format json -o audit.json\n\nNo value of a record is in it. A reason is what the destination said, which may quote one: leave them out with\n--no-reasons."
    )]
    Audit(audit::Args),
    /// Wipe what a workspace holds of people, or remove it whole. Tells first what can no longer be done.
    #[command(
        after_help = "Examples:\n  b2n forget acme.b2n\n  b2n forget acme.b2nw --yes\n  b2n forget acme.b2n --whole\n\nFiles are overwritten before they go. What file systems, disks and backup programs keep elsewhere is out of reach."
    )]
    Forget(forget::Args),
    /// Run records through one map: NDJSON in, NDJSON out, no network.
    #[command(
        after_help = "Examples:\n  b2n transform acme.b2n --map deal < deals.ndjson > leads.ndjson\n  b2n transform acme.b2n --map deal --provenance < deals.ndjson > traced.ndjson"
    )]
    Transform(transform::Args),
    /// Serve both systems' APIs on loopback, with state, for tests and other clients.
    #[command(
        after_help = "Example:\n  b2n twin --bitrix24-port 8024 --nutshell-port 8025 --scale 1 --seed 1"
    )]
    Twin(twin::Args),
    /// Explain a finding's code, with a bad and a good example, or a built-in function.
    #[command(after_help = "Examples:\n  b2n explain B2N-E0301\n  b2n explain cut\n  b2n explain --list")]
    Explain(explain::Args),
    /// Print completions for a shell.
    #[command(
        after_help = "Example:\n  b2n completions bash > ~/.local/share/bash-completion/completions/b2n"
    )]
    Completions(completions::Args),
    /// Print the manual, in roff, or write it as a page for each command.
    #[command(after_help = "Examples:\n  b2n man > b2n.1\n  b2n man -o ~/.local/share/man/man1")]
    Man(completions::ManArgs),
}

impl Command {
    /// Whether its output is findings, so that every format of theirs fits.
    fn prints_findings(&self) -> bool {
        matches!(self, Command::Check(_) | Command::Test(_))
    }

    /// Whether it works over accounts for long, and tells programs what happens.
    fn tells_events(&self) -> bool {
        match self {
            Command::Extract(_) | Command::Provision(_) | Command::Migrate(_) | Command::Delta(_) => true,
            Command::Cutover(_) | Command::Reconcile(_) | Command::Rollback(_) => true,
            Command::Snapshot(_) | Command::Scope(_) | Command::Rehearse(_) => true,
            Command::Quarantine(args) => args.retries(),
            _ => false,
        }
    }

    /// Whether its output goes into pull requests and tickets.
    fn prints_markdown(&self) -> bool {
        match self {
            Command::Diff(_) | Command::Drift(_) | Command::Provision(_) => true,
            Command::Scope(_) | Command::Inventory(_) | Command::Gaps(_) => true,
            Command::Migrate(args) => args.draws(),
            _ => false,
        }
    }
}

/// A spec and the workspace that belongs to it.
#[derive(Debug, clap::Args)]
struct SpecArgs {
    /// The spec.
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
}

/// Where a run keeps what it does.
#[derive(Debug, clap::Args)]
struct WorkspaceArgs {
    /// The workspace; by default beside the spec, with the ending `.b2nw`.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
}

impl WorkspaceArgs {
    fn path(&self, spec: &std::path::Path) -> PathBuf {
        self.workspace.clone().unwrap_or_else(|| spec.with_extension("b2nw"))
    }
}

/// How fast the destination may be asked: nothing documents it.
#[derive(Clone, Copy, Debug, clap::Args)]
struct PaceArgs {
    /// Destination requests a second.
    #[arg(long, value_name = "N", value_parser = positive)]
    rate: Option<f64>,
    /// Destination requests in flight, 1 to 64.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    in_flight: Option<u8>,
}

impl PaceArgs {
    fn pace(self) -> crate::run::connect::Pace {
        crate::run::connect::Pace { rate_per_s: self.rate, in_flight: self.in_flight.map(usize::from) }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("a number above 0, such as 4".to_owned()),
    }
}

/// Ends the process in silence where whoever read its output has gone: `b2n … | head` is no fault.
///
/// `println!` panics there, and the standard library has no other word for it.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failed printing to stdout") && text.contains("roken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    end_with_the_reader();
    let cli = Cli::parse();
    let terminal = Terminal::detect(cli.format, cli.color);
    if cli.format == Shape::Markdown {
        if !cli.command.prints_markdown() {
            return Failure::usage(
                "`markdown` is a format of `b2n diff`, `b2n drift`, `b2n provision`, `b2n scope`, `b2n inventory`, `b2n gaps` and samples",
            )
            .hint("use `--format human` or `--format json` here")
            .show(&terminal);
        }
    } else if cli.format == Shape::Html {
        if !matches!(cli.command, Command::Scope(_) | Command::Inventory(_) | Command::Gaps(_)) {
            return Failure::usage("`html` is a format of `b2n scope`, `b2n inventory` and `b2n gaps`")
                .hint(match cli.command {
                    Command::Plan(_) => "`b2n plan SPEC --html FILE` writes the plan as a page",
                    Command::Report(_) => "leave it out: `b2n report` writes a page and CSV files by itself",
                    _ => "use `--format human` or `--format json` here; `b2n doc SPEC --as html` writes the mapping document",
                })
                .show(&terminal);
        }
    } else if cli.format == Shape::Csv {
        if !matches!(cli.command, Command::Audit(_)) {
            return Failure::usage("`csv` is a format of `b2n audit`")
                .hint(match cli.command {
                    Command::Report(_) => "leave it out: `b2n report` writes a CSV file for each list by itself",
                    _ => "use `--format human` or `--format json` here; `b2n reconcile SPEC --out FILE` writes the books",
                })
                .show(&terminal);
        }
    } else if cli.format == Shape::Prometheus {
        if !matches!(cli.command, Command::Status(_)) {
            return Failure::usage("`prometheus` is a format of `b2n status`")
                .hint("use `--format human` or `--format json` here")
                .show(&terminal);
        }
    } else if !cli.format.is_for_all() && !cli.command.prints_findings() {
        return Failure::usage(
            "`sarif`, `github`, `gitlab` and `junit` are formats of findings, and this command prints none",
        )
        .hint("use `--format human` or `--format json` here, and the others with `b2n check` or `b2n test`")
        .show(&terminal);
    }
    let tells = cli.command.tells_events();
    let ended = run(cli.command, &terminal);
    if tells {
        let known = |code: &ExitCode| (0..=3).find(|number| ExitCode::from(*number) == *code);
        match &ended {
            Ok(code) => progress::exit(&terminal, known(code).unwrap_or(1), false),
            Err(failure) => progress::exit(&terminal, failure.code(), failure.is_interrupted()),
        }
    }
    ended.unwrap_or_else(|failure| failure.show(&terminal))
}

fn run(command: Command, terminal: &Terminal) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(args) => init::run(&args, terminal),
        Command::Check(args) => check::run(&args, terminal),
        Command::Fmt(args) => fmt::run(&args, terminal),
        Command::Test(args) => test::run(&args, terminal),
        Command::Plan(args) => plan::run(&args, terminal),
        Command::Diff(args) => diff::run(&args, terminal),
        Command::Draft(args) => draft::run(&args, terminal),
        Command::Drift(args) => drift::run(&args, terminal),
        Command::Doc(args) => doc::run(&args, terminal),
        Command::Scope(args) => scope::run(&args, terminal),
        Command::Inventory(args) => inventory::run(&args, terminal),
        Command::Gaps(args) => gaps::run(&args, terminal),
        Command::Snapshot(args) => snapshot::run(&args, terminal),
        Command::Probe(args) => probe::run(&args, terminal),
        Command::Extract(args) => extract::run(&args, terminal),
        Command::Rehearse(args) => rehearse::run(&args, terminal),
        Command::Provision(args) => provision::run(&args, terminal),
        Command::Review(args) => review::run(&args, terminal),
        Command::Approve(args) => approve::run(&args, terminal),
        Command::Migrate(args) => migrate::run(&args, terminal),
        Command::Delta(args) => delta::run(&args, terminal),
        Command::Cutover(args) => cutover::run(&args, terminal),
        Command::Reconcile(args) => reconcile::run(&args, terminal),
        Command::Report(args) => reporting::run(&args, terminal),
        Command::Rollback(args) => rollback::run(&args, terminal),
        Command::Quarantine(args) => quarantine::run(&args, terminal),
        Command::Status(args) => status::run(&args, terminal),
        Command::Why(args) => why::why(&args, terminal),
        Command::Where(args) => why::whereabouts(&args, terminal),
        Command::Audit(args) => audit::run(&args, terminal),
        Command::Forget(args) => forget::run(&args, terminal),
        Command::Transform(args) => transform::run(&args),
        Command::Twin(args) => twin::run(&args, terminal),
        Command::Explain(args) => explain::run(&args, terminal),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => completions::man(&args),
    }
}

/// The whole command line, for completions, the manual page and tests that freeze every `--help`.
pub fn command() -> clap::Command {
    Cli::command()
}
