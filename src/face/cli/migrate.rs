//! `b2n migrate`

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::lang::plan::{Certificate, Plan};
use crate::lang::text::SourceText;
use crate::run::connect::{Account, Limits};
use crate::run::engine::{FileField, RecordName, Retry, RunReport, Sample, SampleReport, Selection};
use crate::run::workspace::Workspace;

use super::account::{self, Live};
use super::exports::{self, Export};
use super::failure::{Failure, Kind};
use super::findings::Shape;
use super::lines::{say, tell};
use super::project::{Project, Ready};
use super::sample::Told;
use super::terminal::{self, Terminal, count, duration};
use super::{
    Format, PaceArgs, SpecArgs, WorkspaceArgs, change, cutover, plan, portion, progress, proof, report,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Write into the account with this id without asking.
    #[arg(long, value_name = "ID")]
    yes_into: Option<String>,
    /// Load these maps only, one or several; what they link to must have arrived, or their records are left to a
    /// later run.
    #[arg(long, value_name = "MAP", value_delimiter = ',')]
    only: Vec<String>,
    /// Load these records only, such as `deal/7,deal/9`, and what was held back for want of them; or a file with one
    /// in each line, or `-` for standard input.
    #[arg(long, value_name = "FILE|LIST")]
    ids: Option<String>,
    /// Load a sample of so many records, drawn so that everything that the rules do is in it, with what those link to,
    /// and print it field by field.
    #[arg(long, value_name = "N", conflicts_with = "ids", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// What the sample is drawn by: the same seed, the same records.
    #[arg(long, value_name = "SEED", requires = "sample", default_value_t = 1)]
    seed: u64,
    /// Print values of the sample, which are personal data, where no terminal shows them.
    #[arg(long, requires = "sample")]
    show_values: bool,
    /// Which records that were held back are tried again.
    #[arg(long, value_enum, default_value = "all", value_name = "WHICH")]
    retry: Again,
    /// Print what a changed spec, or changed source records, mean for what was written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Go on with the changed plan whose hash begins so, without asking.
    #[arg(long, value_name = "HASH")]
    yes_change: Option<String>,
}

impl Args {
    /// Whether a sample is asked for.
    pub fn draws(&self) -> bool {
        self.sample.is_some()
    }
}

/// Which records that were held back are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Again {
    /// What was quarantined and what failed.
    All,
    /// What the destination refused.
    Failed,
    /// What was quarantined.
    Quarantined,
    /// Nothing.
    None,
}

/// A run of a part, with what it needs of the command line.
pub struct Named<'a> {
    pub spec: &'a Path,
    pub live: &'a Live,
    pub yes_into: Option<&'a str>,
    /// The beginning of a changed plan's hash that may be gone on with.
    pub yes_change: Option<&'a str>,
    /// Records whose decisions are taken back once the account is confirmed, by row of the books and key.
    pub lift: &'a [(String, String)],
    pub selection: &'a Selection,
    /// For a sample: the text of the spec, and whether its values are shown.
    pub shown: Option<(&'a SourceText, bool)>,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let project = Project::load(&args.spec.spec)?;
    let text = project.text.clone();
    let ready = project.ready(terminal)?;
    let selection = Selection {
        only: args.only.clone(),
        records: args.ids.as_deref().map(record_names).transpose()?,
        sample: args.sample.map(|records| Sample { records, seed: args.seed }),
        retry: match args.retry {
            Again::All => Retry::All,
            Again::Failed => Retry::Failed,
            Again::Quarantined => Retry::Quarantined,
            Again::None => Retry::Nothing,
        },
        change: None,
    };
    decided(&ready.plan)?;
    let live = Live::from_environment(&ready, args.pace.pace())?;
    let workspace = Workspace::open(&args.workspace.path(&args.spec.spec))?;
    if args.dry_run {
        change::dry_run(&ready, &live, &workspace, terminal)?;
        return Ok(ExitCode::SUCCESS);
    }
    let seen = terminal.findings == Shape::Human && std::io::stdout().is_terminal();
    let named = Named {
        spec: &args.spec.spec,
        live: &live,
        yes_into: args.yes_into.as_deref(),
        yes_change: args.yes_change.as_deref(),
        lift: &[],
        selection: &selection,
        shown: args.draws().then_some((&text, args.show_values || seen)),
    };
    carry_out(&ready, &workspace, &named, terminal)
}

/// Carries a plan out, or a part of it, and prints what it came to.
pub fn carry_out(
    ready: &Ready,
    workspace: &Workspace,
    named: &Named<'_>,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let live = named.live;
    let (run, sampled) = drive(ready, workspace, named, terminal)?;
    let later = cutover::ask(ready, live, workspace, terminal)?;
    let open = !run.closes() || run.held_back() > 0 || later > 0;
    let told = sampled.as_ref().zip(named.shown).map(|(report, (text, values))| Told {
        report,
        plan: &ready.plan,
        text,
        values,
    });
    if terminal.findings == Shape::Markdown {
        print!("{}", told.map(|told| told.markdown()).unwrap_or_default());
        return Ok(ExitCode::from(u8::from(open)));
    }
    let beside = Beside { sample: told.as_ref(), ..Beside::default() };
    show_with(&run, workspace, &live.limits, &beside, terminal)?;
    if terminal.format == Format::Human {
        tell!(terminal, "{}", afterwards(&run, named.spec));
        tell!(terminal, "{}", cutover::alarm(workspace, named.spec, terminal)?);
    }
    Ok(ExitCode::from(u8::from(open)))
}

/// Carries a plan out, or a part of it, and prints the certificate and what changes only.
pub fn drive(
    ready: &Ready,
    workspace: &Workspace,
    named: &Named<'_>,
    terminal: &Terminal,
) -> Result<(RunReport, Option<SampleReport>), Failure> {
    decided(&ready.plan)?;
    let live = named.live;
    let drawn = named.selection.sample.map(|sample| sample.records);
    let target = account::block_on(live, ready, workspace, terminal, async |engine| {
        let (_, target) = engine.bind().await?;
        engine.may_write(drawn).map(|()| target)
    })?;
    if workspace.writes()? == 0 {
        confirm(named.yes_into, &target, terminal, &FIRST_WRITE)?;
    }
    hold(&ready.certificate, workspace, terminal)?;
    let _destination = account::lock_destination(live.target.local_port(), &target)?;
    let asked = (named.selection, named.yes_change);
    let selection = change::agreed(ready, live, workspace, asked, terminal)?;
    if selection.change.is_some() {
        keep(&ready.certificate, workspace)?;
    }
    for (item, key) in named.lift {
        workspace.transaction(|ws| ws.lift(item, key, live.clock.now_ms()))?;
    }
    account::block_on(live, ready, workspace, terminal, async |engine| {
        let run = engine.migrate_part(&selection).await?;
        Ok((run, engine.side_by_side().await?))
    })
}

/// What is left to do after a run, a line each; empty where nothing is.
pub fn afterwards(run: &RunReport, spec: &Path) -> String {
    let (held, left, spec) = (run.held_back(), run.left(), spec.display());
    let mut lines = Vec::new();
    if held > 0 {
        let word = if held == 1 { "record is" } else { "records are" };
        lines.push(format!("{} {word} held back: `b2n quarantine list {spec}` tells why", count(held)));
    }
    if left > 0 {
        let word = if left == 1 { "record is" } else { "records are" };
        lines.push(format!("{} {word} left to a later run: `b2n migrate {spec}` goes on", count(left)));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Reads names of records: a file with one in each line (empty lines and those that begin with `#` say nothing), `-`
/// for standard input, or a list with commas.
pub fn record_names(text: &str) -> Result<Vec<RecordName>, Failure> {
    /// What is read at most, in bytes.
    const MOST: u64 = 256 << 20;
    let path = Path::new(text);
    let mut read = String::new();
    let list = if text == "-" {
        let input = std::io::stdin().lock().take(MOST).read_to_string(&mut read);
        input.map_err(|error| Failure::outside(format!("standard input: {error}")))?;
        read.lines().collect::<Vec<_>>()
    } else if path.is_file() {
        let file = std::fs::File::open(path).map_err(|error| Failure::file(path, &error))?;
        file.take(MOST).read_to_string(&mut read).map_err(|error| Failure::file(path, &error))?;
        read.lines().collect()
    } else {
        text.split(',').collect()
    };
    let names: Vec<RecordName> = list
        .into_iter()
        .map(|line| line.trim_start_matches('\u{feff}').trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(RecordName::parse)
        .collect();
    if let Some(bad) = names.iter().find(|name| name.key.is_empty()) {
        return Err(Failure::usage(format!("`{bad}` names no record"))
            .hint("write `MAP/KEY`, such as `deal/7`, or a file with one in each line"));
    }
    if names.is_empty() {
        return Err(Failure::usage(format!("`{text}` names no record"))
            .hint("write `MAP/KEY`, such as `deal/7`, or a file with one in each line"));
    }
    Ok(names)
}

/// A plan in which a person still has to decide something is not carried out in a real account.
pub fn decided(plan: &Plan) -> Result<(), Failure> {
    decided_or(plan, "nothing was written")
}

/// The same, with what was not done for it.
pub fn decided_or(plan: &Plan, undone: &str) -> Result<(), Failure> {
    const SHOWN: usize = 10;
    if plan.open.is_empty() {
        return Ok(());
    }
    let word = if plan.open.len() == 1 { "decision is" } else { "decisions are" };
    let mut failure =
        Failure::new(Kind::Findings, format!("{} {word} still open; {undone}", plan.open.len()));
    for open in plan.open.iter().take(SHOWN) {
        let (file, line) = plan.place(open.line);
        failure = failure.hint(format!("{file}:{line}: `{}` is `{}`", open.what, open.kind));
    }
    if plan.open.len() > SHOWN {
        failure = failure.hint(format!("and {} more", plan.open.len() - SHOWN));
    }
    Err(failure.hint("settle each `todo`, and remove the words `proposed SCORE` of what was read; `b2n rehearse` runs as it is"))
}

/// Prints the certificate and keeps it with the workspace; tells when a run under another one was begun there.
///
/// Another plan goes on only once it is agreed to, and is kept then.
fn hold(certificate: &Certificate, workspace: &Workspace, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.findings == Shape::Human {
        tell!(terminal, "{}", report::certificate_line(certificate));
    }
    let kept: Option<Certificate> = workspace.note(NOTE)?.and_then(|kept| serde_json::from_str(&kept).ok());
    let begun = workspace.writes()? > 0;
    if let Some(kept) = kept.filter(|kept| begun && kept != certificate) {
        let short = |hash: &str| hash.chars().take(16).collect::<String>();
        let text = format!(
            "this workspace was begun under certificate {} (plan {}); the spec now has {} (plan {})",
            short(&kept.certificate),
            short(&kept.plan),
            short(&certificate.certificate),
            short(&certificate.plan)
        );
        progress::say(terminal, &text);
        if kept.plan != certificate.plan {
            return Ok(());
        }
    }
    keep(certificate, workspace)
}

/// The workspace's note of the certificate that its run is under.
const NOTE: &str = "certificate";

fn keep(certificate: &Certificate, workspace: &Workspace) -> Result<(), Failure> {
    let json = serde_json::to_string(certificate).unwrap_or_default();
    workspace.set_note(NOTE, &json)?;
    Ok(())
}

/// How a person is asked for a word.
pub struct Asked {
    /// What is about to happen, without the account.
    pub what: &'static str,
    /// The sentence before the account's name.
    pub before: &'static str,
    /// What the account is for.
    pub goal: &'static str,
}

const FIRST_WRITE: Asked =
    Asked { what: "the first write into", before: "records will be written into", goal: "write into" };

/// The first write into an account wants a person's word, and so does taking records away.
pub fn confirm(
    yes_into: Option<&str>,
    target: &Account,
    terminal: &Terminal,
    asked: &Asked,
) -> Result<(), Failure> {
    let hint = format!("add `--yes-into {}` when this is the account to {}", target.id, asked.goal);
    match yes_into {
        Some(id) if id == target.id => return Ok(()),
        Some(id) => {
            return Err(Failure::usage(format!(
                "--yes-into names `{id}`, but `{}` ({}) answers; nothing was written",
                target.id, target.name
            ))
            .hint(hint));
        }
        None => {}
    }
    if !terminal.attended {
        return Err(Failure::usage(format!(
            "{} `{}` ({}) wants to be confirmed; nothing was written",
            asked.what, target.name, target.id
        ))
        .hint(hint));
    }
    let typed = terminal::asked(&format!(
        "{} {} (account {}); type the account's id to go on: ",
        asked.before,
        terminal.bold(&target.name),
        target.id
    ))?;
    if typed == target.id {
        Ok(())
    } else {
        Err(Failure::new(Kind::Usage, "that is not the account's id; nothing was written").hint(hint))
    }
}

/// What is shown beside what a run came to.
#[derive(Default)]
pub struct Beside<'b> {
    /// The ledger of files, where it was made.
    pub files: Option<&'b [FileField]>,
    /// What exports of the source were held against.
    pub exports: &'b [Export],
    /// A sample, field by field.
    pub sample: Option<&'b Told<'b>>,
}

/// Prints what a run came to, and what else was looked at.
pub fn show_with(
    run: &RunReport,
    workspace: &Workspace,
    limits: &Limits,
    beside: &Beside<'_>,
    terminal: &Terminal,
) -> Result<(), Failure> {
    match terminal.format {
        Format::Human => {
            tell!(terminal, "{}", beside.sample.map(|told| told.text(terminal)).unwrap_or_default());
            tell!(terminal, "{}", report::books(&run.maps, terminal));
            tell!(terminal, "{}", report::reasons(&run.maps, workspace, terminal)?);
            tell!(terminal, "{}", proof::text(&run.maps, terminal));
            tell!(terminal, "{}", proof::files(beside.files.unwrap_or_default(), terminal));
            tell!(terminal, "{}", exports::text(beside.exports, terminal));
            tell!(terminal, "{}", portion::told(workspace, terminal)?);
            let verdict = if run.closes() && run.left() > 0 {
                terminal.green(
                    "every record of this part is accounted for, and every field is as planned or listed",
                )
            } else if run.closes() {
                terminal.green("every record is accounted for, and every field is as planned or listed")
            } else {
                terminal.red("the books do not close")
            };
            say!(terminal, "{verdict}, in {}", duration(run.took_ms as f64 / 1000.0));
            tell!(terminal, "{}", plan::ratio_line(run, limits));
        }
        Format::Json => println!("{}", run_json(run, workspace, limits, beside)?),
    }
    Ok(())
}

/// What a run came to, for programs.
pub fn run_json(
    run: &RunReport,
    workspace: &Workspace,
    limits: &Limits,
    beside: &Beside<'_>,
) -> Result<serde_json::Value, Failure> {
    Ok(json!({
        "format": "b2n-run/2", "closes": run.closes(), "took_ms": run.took_ms,
        "load": plan::ratio_json(run, limits), "maps": report::books_json(&run.maps, workspace)?,
        "files": beside.files.map(proof::files_json), "exports": exports::json(beside.exports),
        "sample": beside.sample.map(Told::json), "freeze": cutover::printed(workspace)?,
        "part": portion::printed(workspace)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_named_in_a_list_or_a_file() {
        let shown = |text: &str| -> Vec<String> {
            record_names(text).expect("names").iter().map(ToString::to_string).collect()
        };
        assert_eq!(shown("deal/7, deal/9,"), ["deal/7", "deal/9"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ids.txt");
        std::fs::write(
            &path,
            "\u{feff}# of the steering group\r\ndeal/7\r\n\r\n  9 \r\nnotes of deal/deal/7#deal.a, b\n",
        )
        .expect("writes");
        assert_eq!(shown(&path.display().to_string()), ["deal/7", "9", "notes of deal/deal/7#deal.a, b"]);
        for bad in ["", ",", "deal/", "deal/7,deal/"] {
            assert!(record_names(bad).is_err(), "`{bad}` names something");
        }
    }
}
