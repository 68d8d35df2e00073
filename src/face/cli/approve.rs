//! `b2n approve`

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::face::review::words::Standing;
use crate::lang::check::{Accepted, MapFidelity};
use crate::lang::plan::{Certificate, Plan, short};
use crate::run::engine::{self, Expected};
use crate::run::workspace::{Approval, ApprovedReview, Comment, Said, Workspace};

use super::failure::{Failure, Kind};
use super::project::{Project, Ready};
use super::terminal::{Terminal, asked, count, one_line};
use super::{Format, SpecArgs, WorkspaceArgs, account, migrate, plan, report, review};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Who approves; asked for on a terminal.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What is said with it, such as the number of a ticket.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Approve without asking.
    #[arg(long)]
    yes: bool,
    /// Approve samples of at most so many records only, not the migration.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// Approve although comments of the review are open, for this reason; it is kept with the approval.
    #[arg(long, value_name = "REASON", conflicts_with_all = ["list", "withdraw"])]
    despite_comments: Option<String>,
    /// Show what there is to approve, and approve nothing.
    #[arg(long, conflicts_with_all = ["yes", "by", "list", "withdraw"])]
    dry_run: bool,
    /// List the approvals of this workspace; exit code 1 where none of this plan holds.
    #[arg(long, conflicts_with_all = ["yes", "by", "sample", "withdraw"])]
    list: bool,
    /// Withdraw every approval of this plan.
    #[arg(long, conflicts_with_all = ["yes", "by", "sample"])]
    withdraw: bool,
}

/// Losses that are shown one by one.
const LOSSES: usize = 40;

/// Open comments that are shown one by one.
const COMMENTS: usize = 8;

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let project = Project::load(&args.spec.spec)?;
    let (fidelity, accepted) = (project.fidelity.clone(), project.accepted.clone());
    let text = project.text.clone();
    let ready = project.ready(terminal)?;
    let path = args.workspace.path(&args.spec.spec);
    if args.list {
        return list(&ready, &Workspace::open_existing(&path)?, terminal);
    }
    if args.withdraw {
        return withdraw(args, &ready, &Workspace::open_existing(&path)?, terminal);
    }
    undecided(&ready.plan)?;
    let workspace =
        if args.dry_run && !path.exists() { Workspace::in_memory()? } else { Workspace::open(&path)? };
    let expected = engine::expected(&ready.plan, &workspace, &account::decoders(&ready)?)?;
    let spec = args.spec.spec.display().to_string();
    let reviewed = match workspace.said()? == Said::default() {
        true => None,
        false => {
            let sheet = review::sheet(&ready, &text, &spec, &workspace, terminal)?;
            Some(Standing::of(&sheet, &workspace.said()?))
        }
    };
    let shown = Shown {
        ready: &ready,
        expected: &expected,
        fidelity: &fidelity,
        accepted: &accepted,
        reviewed: reviewed.as_ref(),
    };
    if terminal.format == Format::Human {
        print!("{}", shown.text(args, terminal));
    }
    if !args.dry_run {
        settled(args, reviewed.as_ref())?;
    }
    let approval = if args.dry_run {
        None
    } else {
        let by = approver(args, terminal)?;
        let approval = Approval {
            plan: ready.certificate.plan.clone(),
            certificate: ready.certificate.certificate.clone(),
            by,
            note: args.note.trim().to_owned(),
            approved_ms: jiff::Timestamp::now().as_millisecond(),
            sample: args.sample,
            counts: expected_json(&expected).to_string(),
            ..Approval::default()
        };
        workspace.transaction(|workspace| {
            workspace.approve(&approval)?;
            match &reviewed {
                None => Ok(()),
                Some(standing) => workspace.approve_review(&ApprovedReview {
                    review: review::standing_json(standing).to_string(),
                    despite: despite(args, standing),
                }),
            }
        })?;
        Some(approval)
    };
    match (terminal.format, &approval) {
        (Format::Json, approval) => println!("{}", shown.json(approval.as_ref())),
        (Format::Human, None) => println!("nothing was approved; `b2n approve {spec} --by NAME` approves it"),
        (Format::Human, Some(approval)) => {
            let word = format!("approved by {}", approval.by);
            println!("{} for {}", terminal.green(&word), extent(approval.sample));
            let draw = approval.sample.unwrap_or(200);
            println!("next: `b2n provision {spec}`, then `b2n migrate {spec} --sample {draw}`");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What still has to be decided cannot be approved.
fn undecided(plan: &Plan) -> Result<(), Failure> {
    migrate::decided_or(plan, "nothing was approved")
}

/// The reason for which open comments do not stand in the way; empty where none is open.
fn despite(args: &Args, standing: &Standing) -> String {
    match standing.open.is_empty() {
        true => String::new(),
        false => args.despite_comments.as_deref().unwrap_or_default().trim().to_owned(),
    }
}

/// Nothing is approved while a comment is open, unless somebody says why.
fn settled(args: &Args, reviewed: Option<&Standing>) -> Result<(), Failure> {
    let Some(standing) = reviewed.filter(|standing| !standing.open.is_empty()) else { return Ok(()) };
    if !despite(args, standing).is_empty() {
        return Ok(());
    }
    let open = standing.open.len();
    let told: Vec<String> = standing.open.iter().take(COMMENTS).map(comment_line).collect();
    let more = if open > COMMENTS { format!(" and {} more", open - COMMENTS) } else { String::new() };
    let what = if open == 1 { "a comment of the review is open" } else { "comments of the review are open" };
    let spec = args.spec.spec.display();
    Err(Failure::new(Kind::Findings, format!("{what}, and nothing was approved: {}{more}", told.join("; ")))
        .hint(format!("settle them in `b2n review {spec}`, or add `--despite-comments \"reason\"`")))
}

/// A comment on one line.
fn comment_line(comment: &Comment) -> String {
    let field = if comment.field.is_empty() { String::new() } else { format!(".{}", comment.field) };
    let name = one_line(&format!("{} {}{field}", comment.map, comment.key));
    let mut text: String = one_line(&comment.text).chars().take(120).collect();
    if comment.text.chars().count() > 120 {
        text.push('…');
    }
    format!("{name}, {}: {text}", one_line(&comment.person))
}

/// What an approval is for.
fn extent(sample: Option<u32>) -> String {
    match sample {
        Some(most) => format!("samples of at most {} records", count(u64::from(most))),
        None => "the whole migration".to_owned(),
    }
}

/// Who approves, once they have said so.
fn approver(args: &Args, terminal: &Terminal) -> Result<String, Failure> {
    let named = args.by.as_deref().map(str::trim).filter(|by| !by.is_empty());
    if !terminal.attended {
        if !args.yes {
            return Err(Failure::usage("nobody is here to be asked; nothing was approved")
                .hint("add `--yes --by NAME` once the person has read what is to be approved"));
        }
        return named.map(str::to_owned).ok_or_else(|| {
            Failure::usage("nobody is named who approves; nothing was approved")
                .hint("add `--by NAME`: the name is kept with the approval")
        });
    }
    let by = match named {
        Some(by) => by.to_owned(),
        None => asked("who approves, by name or address: ")?,
    };
    if by.is_empty() {
        return Err(
            Failure::usage("nobody is named who approves; nothing was approved").hint("add `--by NAME`")
        );
    }
    if !args.yes {
        let what = extent(args.sample);
        let answer = asked(&format!("{by} approves this plan for {what}; type `yes` to agree: "))?;
        if !answer.eq_ignore_ascii_case("yes") {
            return Err(Failure::new(Kind::Usage, "that is not `yes`; nothing was approved")
                .hint("give the same command again once the plan is as it should be"));
        }
    }
    Ok(by)
}

/// What is being approved.
struct Shown<'a> {
    ready: &'a Ready,
    expected: &'a [Expected],
    fidelity: &'a [MapFidelity],
    accepted: &'a [Accepted],
    /// How the review stands; `None` where nobody said anything of a record.
    reviewed: Option<&'a Standing>,
}

impl Shown<'_> {
    /// Rules that lose something, with their maps.
    fn losses(&self) -> impl Iterator<Item = (&str, &crate::lang::check::RuleFidelity)> {
        let maps = self.fidelity.iter();
        maps.flat_map(|map| map.rules.iter().map(move |rule| (map.map.as_str(), rule)))
            .filter(|(_, rule)| rule.fidelity.needs_reason())
    }

    fn text(&self, args: &Args, terminal: &Terminal) -> String {
        let Ready { plan, certificate, .. } = self.ready;
        let mut text = format!("{} {}\n", terminal.bold("to approve:"), args.spec.spec.display());
        text.push_str(&report::certificate_line(certificate));
        let _ = writeln!(
            text,
            "  {} ({}) -> {} ({}), {}\n",
            plan.source.connector,
            plan.source.account,
            plan.target.connector,
            plan.target.account,
            extent(args.sample)
        );
        let staged = self.expected.iter().any(|one| one.ruled.is_some());
        let by = if staged { "staged records" } else { "the snapshot's statistics" };
        let _ = writeln!(text, "{}", terminal.bold(&format!("what is written, by {by}")));
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
        let rows: Vec<Vec<String>> = self
            .expected
            .iter()
            .zip(&plan.maps)
            .map(|(one, map)| {
                let most = if one.ruled.is_none() && map.split.is_some() { "at most " } else { "" };
                let records =
                    one.records.map_or_else(|| "unknown".to_owned(), |n| format!("{most}{}", count(n)));
                vec![
                    format!("{} -> {}", one.map, one.target),
                    records,
                    number(one.ruled.map(|ruled| ruled.written)),
                    number(one.ruled.map(|ruled| ruled.left_out)),
                    number(one.ruled.map(|ruled| ruled.held_back)),
                ]
            })
            .collect();
        text.push_str(&terminal.table(&["map", "records", "written", "left out", "held back"], &rows));
        if staged {
            text.push_str("  by the rules alone: links, folded records and what the destination refuses are not in it\n");
        } else {
            text.push_str(
                "  `b2n extract` first, and these are counts of what the rules do with each record\n",
            );
        }
        let _ =
            writeln!(text, "\n{}", terminal.bold("made in the destination's settings where it is missing"));
        let choices = plan.requires.iter().filter(|required| required.kind == "open choice").count();
        let _ = writeln!(
            text,
            "  {} custom fields and the marker's, {} values of open lists; no API deletes a custom field",
            plan.provision.len(),
            choices
        );
        let _ = writeln!(text, "\n{}", terminal.bold("work by hand, before any record moves"));
        for (what, names) in plan::grouped(plan, |kind| kind != "open choice") {
            let _ = writeln!(text, "  {what}: {names}");
        }
        let _ = writeln!(text, "\n{}", terminal.bold("losses that are accepted with it"));
        let losses: Vec<_> = self.losses().collect();
        for (map, rule) in losses.iter().take(LOSSES) {
            let (file, line) = plan.place(rule.line);
            let because = rule.because.as_deref().unwrap_or("no reason is given");
            let _ = writeln!(
                text,
                "  {map}.{}: {}, {because} ({file}:{line})",
                rule.target,
                rule.fidelity.word()
            );
        }
        if losses.len() > LOSSES {
            let _ = writeln!(text, "  and {} more: `b2n doc` has them all", losses.len() - LOSSES);
        }
        for map in self.fidelity.iter().filter(|map| !map.dropped.is_empty()) {
            let _ = writeln!(text, "  {}: {} source fields do not arrive", map.map, map.dropped.len());
        }
        for one in self.accepted {
            let _ = writeln!(
                text,
                "  {} accepted until {} by {}: {}",
                one.finding.code, one.until, one.by, one.because
            );
        }
        if losses.is_empty()
            && self.accepted.is_empty()
            && self.fidelity.iter().all(|map| map.dropped.is_empty())
        {
            text.push_str("  none\n");
        }
        let _ = writeln!(text, "\n{} none", terminal.bold("open decisions:"));
        match self.reviewed {
            None => {
                let spec = args.spec.spec.display();
                let _ = writeln!(
                    text,
                    "{} nobody has said anything of a record; `b2n review {spec}` shows them one by one\n",
                    terminal.bold("review:")
                );
            }
            Some(standing) => {
                let _ = writeln!(text, "{} {}", terminal.bold("review:"), review::line(standing));
                for comment in standing.open.iter().take(COMMENTS) {
                    let _ = writeln!(text, "  open: {}", comment_line(comment));
                }
                let names: Vec<String> = standing
                    .stale
                    .iter()
                    .map(|(map, key)| format!("{map} {key} (changed)"))
                    .chain(standing.unticked.iter().map(|(map, key)| format!("{map} {key}")))
                    .map(|name| one_line(&name))
                    .collect();
                if !names.is_empty() {
                    let more = names.len().saturating_sub(COMMENTS);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let few: Vec<&str> = names.iter().take(COMMENTS).map(String::as_str).collect();
                    let _ = writeln!(text, "  not ticked: {}{more}", few.join(", "));
                }
                text.push('\n');
            }
        }
        text
    }

    fn json(&self, approval: Option<&Approval>) -> Value {
        let Ready { plan, certificate, .. } = self.ready;
        let by_hand: Vec<Value> = plan
            .requires
            .iter()
            .filter(|required| required.kind != "open choice")
            .map(|required| json!({"kind": required.kind, "of": required.of, "name": required.name}))
            .collect();
        let losses: Vec<Value> = self
            .losses()
            .map(|(map, rule)| {
                let (file, line) = plan.place(rule.line);
                json!({
                    "map": map, "target": rule.target, "fidelity": rule.fidelity.word(), "because": rule.because,
                    "file": file, "line": line,
                })
            })
            .collect();
        let accepted: Vec<Value> = self
            .accepted
            .iter()
            .map(|one| {
                json!({
                    "code": one.finding.code.to_string(), "by": one.by, "because": one.because,
                    "until": one.until.to_string(),
                })
            })
            .collect();
        let dropped: Vec<Value> =
            self.fidelity.iter().map(|map| json!({"map": map.map, "fields": map.dropped.len()})).collect();
        json!({
            "format": "b2n-approval/1", "plan": certificate.plan, "certificate": certificate,
            "approved": approval.map(approval_json), "expected": expected_json(self.expected), "by_hand": by_hand,
            "provision": plan.provision.len(), "losses": losses, "dropped": dropped, "accepted": accepted,
            "review": self.reviewed.map(review::standing_json),
        })
    }
}

fn expected_json(expected: &[Expected]) -> Value {
    let one = |one: &Expected| {
        json!({
            "map": one.map, "target": one.target, "records": one.records, "staged": one.ruled.is_some(),
            "written": one.ruled.map(|ruled| ruled.written), "left_out": one.ruled.map(|ruled| ruled.left_out),
            "held_back": one.ruled.map(|ruled| ruled.held_back),
        })
    };
    expected.iter().map(one).collect()
}

/// An approval for programs.
pub fn approval_json(approval: &Approval) -> Value {
    let counts: Value = serde_json::from_str(&approval.counts).unwrap_or(Value::Null);
    json!({
        "plan": approval.plan, "certificate": approval.certificate, "by": approval.by, "note": approval.note,
        "approved_ms": approval.approved_ms, "sample": approval.sample, "expected": counts,
        "withdrawn_ms": approval.withdrawn_ms,
    })
}

/// An approval on one line.
pub fn line(approval: &Approval) -> String {
    let plan = short(&approval.plan);
    let mut text = format!(
        "{} by {}, plan {plan}, for {}",
        time(approval.approved_ms),
        approval.by,
        extent(approval.sample)
    );
    if !approval.note.is_empty() {
        let _ = write!(text, ": {}", approval.note);
    }
    if let Some(at) = approval.withdrawn_ms {
        let _ = write!(text, "; withdrawn {}", time(at));
    }
    one_line(&text)
}

fn time(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => ms.to_string(),
    }
}

/// What of a review went with an approval.
fn reviewed_line(workspace: &Workspace, approval: &Approval) -> Result<Option<String>, Failure> {
    let Some(kept) = workspace.approved_review(approval.seq)? else { return Ok(None) };
    let review: Value = serde_json::from_str(&kept.review).unwrap_or(Value::Null);
    let ticked = review["ticked"].as_array().map_or(0, Vec::len);
    let mut text =
        format!("review: {ticked} of {} records ticked", review["shown"].as_u64().unwrap_or_default());
    if !kept.despite.is_empty() {
        let open = review["open"].as_array().map_or(0, Vec::len);
        let comments = if open == 1 { "comment" } else { "comments" };
        let _ = write!(text, "; approved with {open} open {comments}: {}", one_line(&kept.despite));
    }
    Ok(Some(text))
}

fn list(ready: &Ready, workspace: &Workspace, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let Certificate { plan, .. } = &ready.certificate;
    let holds = workspace.approval(plan)?;
    let all = workspace.approvals()?;
    match terminal.format {
        Format::Json => {
            let mut rows = Vec::with_capacity(all.len());
            for approval in &all {
                let mut row = approval_json(approval);
                if let Some(kept) = workspace.approved_review(approval.seq)? {
                    row["review"] = serde_json::from_str(&kept.review).unwrap_or(Value::Null);
                    row["despite_comments"] = json!(kept.despite);
                }
                rows.push(row);
            }
            let holds = holds.as_ref().map(approval_json);
            println!(
                "{}",
                json!({"format": "b2n-approvals/1", "plan": plan, "holds": holds, "approvals": rows})
            );
        }
        Format::Human => {
            for approval in &all {
                println!("{}", line(approval));
                if let Some(text) = reviewed_line(workspace, approval)? {
                    println!("  {text}");
                }
            }
            let short = short(plan);
            match &holds {
                Some(approval) => {
                    println!("plan {short} of this spec is approved for {}", extent(approval.sample));
                }
                None => println!("plan {short} of this spec is not approved"),
            }
        }
    }
    Ok(ExitCode::from(u8::from(holds.is_none())))
}

fn withdraw(
    args: &Args,
    ready: &Ready,
    workspace: &Workspace,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let plan = &ready.certificate.plan;
    let short = short(plan);
    let withdrawn = workspace.withdraw(plan, jiff::Timestamp::now().as_millisecond())?;
    if withdrawn == 0 {
        return Err(Failure::usage(format!(
            "no approval of plan {short} holds, so there is nothing to withdraw"
        ))
        .hint(format!("`b2n approve {} --list` lists what was approved", args.spec.spec.display())));
    }
    match terminal.format {
        Format::Json => {
            println!("{}", json!({"format": "b2n-approvals/1", "plan": plan, "withdrawn": withdrawn}));
        }
        Format::Human => println!(
            "{withdrawn} {} of plan {short} withdrawn; nothing more is written under it",
            if withdrawn == 1 { "approval" } else { "approvals" }
        ),
    }
    Ok(ExitCode::SUCCESS)
}
