//! `b2n probe`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::lang::schema::{Answer, Probed, Schema, snapshot};
use crate::run::connect;
use crate::run::connect::probe::{Asking, Cleaned, Found, Leftover, Planned, Prober};

use super::account::{self, Process, runtime};
use super::failure::Failure;
use super::migrate::{Asked, confirm};
use super::project::read_text;
use super::snapshot::{salt, take_target, write_beside};
use super::terminal::{Terminal, one_line};
use super::{Format, PaceArgs, report};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which system.
    #[arg(value_enum)]
    system: System,
    /// The snapshot that the answers are written into; it is taken where there is none.
    #[arg(short, long, value_name = "SNAPSHOT")]
    output: Option<PathBuf>,
    /// Write into the account with this id without asking.
    #[arg(long, value_name = "ID")]
    yes_into: Option<String>,
    /// Tell what would be asked and how, and what earlier probes left; write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Make the custom fields that questions need and that are not there; no API deletes them.
    #[arg(long)]
    make_fields: bool,
    /// Make one e-mail; no API deletes it.
    #[arg(long)]
    make_email: bool,
    /// How many large reads are sent one after the other to see how the system throttles; none with 0.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=1000))]
    burst: u32,
    #[command(flatten)]
    pace: PaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum System {
    Nutshell,
}

impl System {
    fn connector(self) -> &'static str {
        match self {
            System::Nutshell => "nutshell",
        }
    }
}

const FIRST_WRITE: Asked =
    Asked { what: "a probe of", before: "records will be made and deleted again in", goal: "probe" };

/// How a probe ended.
enum Ended {
    /// Everything was asked.
    Through(Vec<Found>),
    /// Somebody wanted it to end.
    Stopped,
    Failed(connect::Error),
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let process = Process::new()?;
    let connector = args.system.connector();
    let prober = process.prober(connector, args.pace.pace())?;
    let asking = Asking { make_fields: args.make_fields, make_email: args.make_email, burst: args.burst };
    let before =
        args.output.as_deref().filter(|path| path.exists()).map(|path| read(path, terminal)).transpose()?;
    let runtime = runtime()?;
    let account = runtime.block_on(prober.account())?;
    if let (Some(before), Some(path)) = (&before, &args.output)
        && (before.connector.as_str(), &before.account) != (connector, &account.id)
    {
        return Err(Failure::usage(format!(
            "`{}` is a snapshot of {} `{}`, and {connector} `{}` answers",
            path.display(),
            before.connector,
            before.account,
            account.id
        ))
        .hint("name the snapshot of this account, or set the credentials of that one"));
    }
    let planned = runtime.block_on(prober.plan(asking))?;
    if args.dry_run {
        let leftovers = runtime.block_on(prober.leftovers())?;
        match terminal.format {
            Format::Human => print!("{}", plan_text(&planned, &leftovers, &account, terminal)),
            Format::Json => println!("{}", plan_json(&planned, &leftovers, &account)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    if terminal.format == Format::Human {
        for planned in &planned {
            if let (Some(stays), None) = (&planned.stays, &planned.skipped) {
                eprintln!("stays for good: {stays} (`{}`)", planned.question);
            }
        }
    }
    confirm(args.yes_into.as_deref(), &account, terminal, &FIRST_WRITE)?;
    let _destination = account::lock_destination(prober.local_port(), &account)?;
    let earlier = runtime.block_on(prober.clean())?;
    if terminal.format == Format::Human {
        for left in &earlier.deleted {
            println!("{} {}, which an earlier probe left", terminal.green("deleted"), shown(left));
        }
    }
    let ended = runtime.block_on(ask(prober.as_ref(), asking, terminal));
    // Whatever ended it: what it made goes. A second Ctrl-C ends this too, and the next probe goes on with it.
    let cleaned = runtime.block_on(async {
        tokio::select! {
            cleaned = prober.clean() => Some(cleaned),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    let Some(cleaned) = cleaned else {
        return Err(Failure::outside("stopped while the probe's records were being deleted")
            .hint("run it again: it finds and deletes them first"));
    };
    let found = match ended {
        Ended::Through(found) => found,
        Ended::Stopped => {
            let deleted = cleaned?.deleted.len();
            return Err(Failure::outside(format!(
                "stopped; the {deleted} records of the probe are deleted, and no answer is kept"
            ))
            .hint("run it again when there is time"));
        }
        Ended::Failed(error) => return Err(error.into()),
    };
    let cleaned = cleaned?;
    let written = match &args.output {
        Some(path) => {
            write(path, before, &process, connector, &found)?;
            Some(path.display().to_string())
        }
        None => None,
    };
    match terminal.format {
        Format::Human => print!("{}", summary(&found, &cleaned, written.as_deref(), terminal)),
        Format::Json => println!("{}", found_json(&found, &cleaned, &account, written.as_deref())),
    }
    Ok(ExitCode::from(u8::from(!cleaned.left.is_empty())))
}

/// Asks everything, until somebody presses Ctrl-C.
async fn ask(prober: &dyn Prober, asking: Asking, terminal: &Terminal) -> Ended {
    let tell = |found: &Found| {
        if terminal.format == Format::Human {
            println!("{}", line(found, terminal));
        }
    };
    tokio::select! {
        found = prober.probe(asking, &tell) => match found {
            Ok(found) => Ended::Through(found),
            Err(error) => Ended::Failed(error),
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nstopping; the probe's records are deleted first");
            Ended::Stopped
        }
    }
}

fn read(path: &Path, terminal: &Terminal) -> Result<Schema, Failure> {
    let text = read_text(path)?.map_err(|finding| Failure::usage(finding.message))?;
    snapshot::read(&text).map_err(|findings| {
        eprint!("{}", report::findings(&[(text, findings)], terminal));
        Failure::usage(format!("`{}` is no snapshot that this version reads", path.display()))
            .hint("take it again with `b2n snapshot`")
    })
}

/// Writes the answers into a snapshot, which is taken where there is none.
fn write(
    path: &Path,
    before: Option<Schema>,
    process: &Process,
    connector: &str,
    found: &[Found],
) -> Result<(), Failure> {
    let answers = found.iter().filter_map(|found| Some((found.question.to_owned(), found.answer.clone()?)));
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let probed = Probed { day: Some(day), answers: answers.collect() };
    match before {
        Some(mut schema) => {
            schema.probed.update(probed);
            write_beside(path, &snapshot::write(&schema), false)
        }
        None => {
            let mut taken = take_target(process, connector, &salt(path)?)?;
            taken.schema.probed = probed;
            taken.write(path).map(|_| ())
        }
    }
}

fn shown(left: &Leftover) -> String {
    if left.id.is_empty() {
        format!("{} `{}`", left.object, left.name)
    } else {
        format!("{} {} `{}`", left.object, left.id, left.name)
    }
}

fn line(found: &Found, terminal: &Terminal) -> String {
    let answer = match &found.answer {
        Some(answer) => terminal.green(&answer.to_string()),
        None => terminal.red("not answered"),
    };
    let evidence = one_line(&found.evidence);
    format!("{}: {answer}\n    {evidence}", found.question)
}

fn summary(found: &[Found], cleaned: &Cleaned, written: Option<&str>, terminal: &Terminal) -> String {
    let answered = found.iter().filter(|found| found.answer.is_some()).count();
    let mut text = format!(
        "{} {answered} of {} questions; {} records were made and are deleted\n",
        terminal.green("answered"),
        found.len(),
        cleaned.deleted.len()
    );
    for (left, why) in &cleaned.left {
        text.push_str(&format!("{} {}: {why}\n", terminal.red("left"), shown(left)));
    }
    match written {
        Some(path) => text.push_str(&format!("{} {path}\n", terminal.green("wrote"))),
        None => {
            text.push_str("nothing was kept: `-o SNAPSHOT` writes the answers where a migration finds them\n")
        }
    }
    text
}

fn plan_text(
    planned: &[Planned],
    leftovers: &[Leftover],
    account: &connect::Account,
    terminal: &Terminal,
) -> String {
    let mut text = format!("{} {} ({})\n", terminal.bold("a probe of"), account.name, account.id);
    for planned in planned {
        match &planned.skipped {
            Some(why) => {
                text.push_str(&format!("  {:<29} {}; not asked: {why}\n", planned.question, planned.asks))
            }
            None => {
                text.push_str(&format!("  {:<29} {}: {}\n", planned.question, planned.asks, planned.does))
            }
        }
        if let (Some(stays), None) = (&planned.stays, &planned.skipped) {
            text.push_str(&format!("  {:<29} stays for good: {stays}\n", ""));
        }
    }
    if !leftovers.is_empty() {
        text.push_str(&format!("{}\n", terminal.bold("earlier probes left, to be deleted first")));
        for left in leftovers {
            text.push_str(&format!("  {}\n", shown(left)));
        }
    }
    text.push_str("nothing was written; a probe's records bear names that say so, go to the trash, and use up lead numbers\n");
    text
}

fn leftover_json(left: &Leftover) -> Json {
    json!({"object": left.object, "id": left.id, "name": left.name})
}

fn plan_json(planned: &[Planned], leftovers: &[Leftover], account: &connect::Account) -> Json {
    let planned = planned.iter().map(|planned| {
        json!({
            "question": planned.question, "asks": planned.asks, "does": planned.does, "stays": planned.stays,
            "skipped": planned.skipped,
        })
    });
    json!({
        "format": "b2n-probe-plan/1", "account": account.id, "name": account.name,
        "questions": planned.collect::<Vec<_>>(),
        "leftovers": leftovers.iter().map(leftover_json).collect::<Vec<_>>(),
    })
}

fn found_json(found: &[Found], cleaned: &Cleaned, account: &connect::Account, written: Option<&str>) -> Json {
    let answers = found.iter().map(|found| {
        let answer = found.answer.as_ref().map(|answer| match answer {
            Answer::Flag(flag) => json!(flag),
            Answer::Count(count) => json!(count),
            Answer::Word(word) => json!(word),
        });
        json!({"question": found.question, "answer": answer, "evidence": found.evidence})
    });
    let left = cleaned.left.iter().map(|(left, why)| {
        let mut json = leftover_json(left);
        json["why"] = json!(why);
        json
    });
    json!({
        "format": "b2n-probe/1", "account": account.id, "name": account.name, "answers": answers.collect::<Vec<_>>(),
        "deleted": cleaned.deleted.iter().map(leftover_json).collect::<Vec<_>>(), "left": left.collect::<Vec<_>>(),
        "written": written,
    })
}
