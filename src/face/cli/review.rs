//! `b2n review`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::face::review::books::Books;
use crate::face::review::words::{self, Standing};
use crate::face::review::{About, Sheet, page, server};
use crate::lang::plan::Plan;
use crate::lang::text::SourceText;
use crate::run::engine::ReviewAsked;
use crate::run::workspace::{Said, Workspace};

use super::account::{self, Live};
use super::failure::Failure;
use super::fresh::Fresh;
use super::project::{Project, Ready};
use super::terminal::{Terminal, count, one_line};
use super::{Format, SpecArgs, WorkspaceArgs};

/// Records of each map, where nothing else was asked for.
const PER_OBJECT: u32 = 30;

/// The notes of the workspace that keep what the records were drawn with.
const PER_NOTE: &str = "review records";
const SEED_NOTE: &str = "review seed";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Loopback port of the page; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Records of each map; more are shown where an arm or a table row needs them. Kept for the next time; 30 at first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    per_object: Option<u32>,
    /// Which records are drawn: the same seed, the same records. Kept for the next time; 1 at first.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Who reviews; asked for on the page otherwise.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Write ticks and comments into a file, for another workspace of this plan, and serve nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["import", "page"])]
    export: Option<PathBuf>,
    /// Take ticks and comments in from such a file, beside those that are here, and serve nothing.
    #[arg(long, value_name = "FILE", conflicts_with = "page")]
    import: Option<PathBuf>,
    /// Write the page as one file that opens offline, for somebody elsewhere; it holds values of records.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let by = match &args.by {
        None => String::new(),
        Some(by) => {
            words::person(by).map_err(|why| Failure::usage(why).hint("name one person with `--by NAME`"))?
        }
    };
    let project = Project::load(&args.spec.spec)?;
    let text = project.text.clone();
    let ready = project.ready(terminal)?;
    let path = args.workspace.path(&args.spec.spec);
    let workspace = Workspace::open_existing(&path)?;
    workspace.refuse_forgotten()?;
    let plan = ready.certificate.plan.as_str();
    let spec = args.spec.spec.display().to_string();
    if let Some(file) = &args.export {
        let said = workspace.said()?;
        write(file, &words::export(plan, &spec, &said, now_ms()))?;
        workspace.exported(file, now_ms())?;
        return told(
            terminal,
            &said,
            "exported",
            file,
            &format!("`b2n review {spec} --import {}` takes it in", file.display()),
        );
    }
    if let Some(file) = &args.import {
        return import(file, plan, &spec, &workspace, terminal);
    }
    if let Some(per) = args.per_object {
        workspace.set_note(PER_NOTE, &per.to_string())?;
    }
    if let Some(seed) = args.seed {
        workspace.set_note(SEED_NOTE, &seed.to_string())?;
    }
    let sheet = sheet(&ready, &text, &spec, &workspace, terminal)?;
    let said = workspace.said()?;
    if let Some(file) = &args.page {
        write(file, &page::offline(&sheet, &said, now_ms()))?;
        workspace.exported(file, now_ms())?;
        let next =
            format!("who opens it downloads what they said: `b2n review {spec} --import FILE` takes that in");
        return told(terminal, &said, "wrote", file, &next);
    }
    drop(workspace);
    serve(args, (sheet, ready.plan), &said, (spec, by, path), terminal)
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Lays out the records of a review: those that were drawn, and those that somebody spoke of.
pub fn sheet(
    ready: &Ready,
    text: &SourceText,
    spec: &str,
    workspace: &Workspace,
    terminal: &Terminal,
) -> Result<Sheet, Failure> {
    let said = workspace.said()?;
    let number =
        |name: &str| Ok::<_, Failure>(workspace.note(name)?.and_then(|text| text.parse::<u64>().ok()));
    let per = number(PER_NOTE)?.and_then(|per| u32::try_from(per).ok()).unwrap_or(PER_OBJECT);
    let mut also: BTreeSet<(String, String)> =
        said.marks.iter().map(|mark| (mark.map.clone(), mark.key.clone())).collect();
    also.extend(said.comments.iter().map(|comment| (comment.map.clone(), comment.key.clone())));
    let asked = ReviewAsked { per_map: per, seed: number(SEED_NOTE)?.unwrap_or(1), also };
    let live = Live::of_nobody(ready)?;
    let reviewed =
        account::block_on(&live, ready, workspace, terminal, async |engine| engine.review(&asked))?;
    let about =
        About { plan: &ready.plan, text, spec, seed: asked.seed, books: Books::of(&ready.plan, workspace)? };
    Ok(Sheet::new(&about, &reviewed))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    // It shows records of people.
    let mut out = Fresh::create(file)?;
    out.write(text)?;
    out.finish()
}

fn told(terminal: &Terminal, said: &Said, did: &str, file: &Path, next: &str) -> Result<ExitCode, Failure> {
    let (marks, comments) = (said.marks.len() as u64, said.comments.len() as u64);
    match terminal.format {
        Format::Json => println!(
            "{}",
            json!({
                "format": "b2n-reviewed/1", "did": did, "file": file.display().to_string(), "marks": marks,
                "comments": comments,
            })
        ),
        Format::Human => {
            println!("{did} {}: {} ticks, {} comments", file.display(), count(marks), count(comments));
            println!("next: {next}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn import(
    file: &Path,
    plan: &str,
    spec: &str,
    workspace: &Workspace,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let size = std::fs::metadata(file).map_err(|error| Failure::file(file, &error))?.len();
    let shown = file.display();
    if size > words::LARGEST {
        return Err(Failure::usage(format!("`{shown}` has {} bytes; no review is that large", count(size)))
            .hint("name the file that the page gave out, or that `b2n review SPEC --export FILE` wrote"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
    let said = words::import(plan, &text).map_err(|why| {
        let failure = Failure::usage(format!("`{shown}`: {why}; nothing was taken in"));
        match why {
            words::BadFile::OtherPlan { .. } => failure.hint(format!(
                "give the spec of that plan, or have what this one does reviewed: `b2n review {spec} --page FILE` writes a page of it"
            )),
            _ => failure.hint("name the file that the page gave out, or that `b2n review SPEC --export FILE` wrote"),
        }
    })?;
    let joined = workspace.join_said(&said)?;
    match terminal.format {
        Format::Json => println!(
            "{}",
            json!({"format": "b2n-reviewed/1", "did": "imported", "file": shown.to_string(), "marks": joined.marks, "comments": joined.comments})
        ),
        Format::Human => {
            println!(
                "imported {shown}: {} ticks and {} comments are new or later than the ones here",
                count(joined.marks),
                count(joined.comments)
            );
            println!("next: `b2n review {spec}` shows them, `b2n approve {spec}` tells what is ticked");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(
    args: &Args,
    (sheet, plan): (Sheet, Plan),
    said: &Said,
    (spec, by, path): (String, String, PathBuf),
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let standing = Standing::of(&sheet, said);
    let records = sheet.len();
    let token = server::token().map_err(Failure::outside)?;
    account::runtime()?.block_on(async {
        let listening = server::listen(args.port).await.map_err(|error| {
            Failure::outside(format!("port {} of 127.0.0.1: {error}", args.port))
                .hint("name another port, or 0 for a free one")
        })?;
        let port = listening.address.port();
        let desk = Arc::new(server::Desk::new(sheet, plan, spec.clone(), path, by, token, port));
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        // The first look takes the signal over: whoever reads the line below may send it at once.
        let early = tokio::select! {
            biased;
            _ = &mut interrupted => true,
            () = std::future::ready(()) => false,
        };
        match terminal.format {
            Format::Json => println!(
                "{}",
                json!({
                    "format": "b2n-review-page/1", "address": desk.address(), "records": records,
                    "standing": standing_json(&standing),
                })
            ),
            Format::Human => {
                println!("{}", line(&standing));
                println!("open: {}", desk.address());
                println!("the page writes to neither system; stop with Ctrl-C, then `b2n approve {spec}`");
            }
        }
        std::io::stdout().flush().map_err(|error| Failure::outside(format!("standard output: {error}")))?;
        if early {
            return Ok(());
        }
        tokio::select! {
            ended = listening.serve(desk) => {
                ended.map_err(|error| Failure::outside(format!("the server of the page: {error}")))
            }
            _ = &mut interrupted => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How a review stands, on one line.
pub fn line(standing: &Standing) -> String {
    let number = |n: usize| count(n as u64);
    let mut text =
        format!("{} of {} records ticked", number(standing.ticked.len()), number(standing.shown()));
    if !standing.people.is_empty() {
        let people: Vec<String> = standing
            .people
            .iter()
            .map(|(who, ticks)| format!("{} {}", one_line(who), number(*ticks)))
            .collect();
        let _ = write!(text, " ({})", people.join(", "));
    }
    if !standing.stale.is_empty() {
        let _ = write!(text, ", {} changed since", number(standing.stale.len()));
    }
    match standing.open.len() {
        0 => {}
        1 => text.push_str(", 1 comment is open"),
        more => {
            let _ = write!(text, ", {} comments are open", number(more));
        }
    }
    text
}

/// How a review stands, for programs.
pub fn standing_json(standing: &Standing) -> Value {
    let names = |names: &[(String, String)]| -> Vec<Value> {
        names.iter().map(|(map, key)| json!({"map": map, "key": key})).collect()
    };
    let open: Vec<Value> = standing
        .open
        .iter()
        .map(|one| {
            json!({"id": one.id, "map": one.map, "key": one.key, "field": one.field, "by": one.person, "text": one.text})
        })
        .collect();
    json!({
        "shown": standing.shown(), "ticked": names(&standing.ticked), "changed": names(&standing.stale),
        "unticked": names(&standing.unticked), "open": open, "settled": standing.settled, "people": standing.people,
    })
}
