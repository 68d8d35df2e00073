//! Puts a report together.

use std::collections::BTreeSet;

use crate::lang::plan::{self, Plan};
use crate::lang::schema::Schema;
use crate::lang::types::{Base, Fidelity};
use crate::run::connect::{self, Pace};
use crate::run::engine::discovery::{self, stage_counts};
use crate::run::engine::{Error, FileField, FileLine as OneFile, files};
use crate::run::workspace::{Side, Workspace};

use super::beside::{books_lists, compared_lists, tables};
use super::faults::faults;
use super::lists::{Lists, Writing};
use super::model::{
    About, Dossier, FORMAT, FieldLine, FileLine, Kept, KeptField, Left, LeftLine, LinkLine, Outcome, Row,
    SampleField, SampleLine, SharedLine, StageLine, SumLine, Times, Unwritten, VERSION, Verdict,
};
use super::rows::{Told, rows};
use super::time::time;
use super::veil::Veil;
use super::{moment, percent};

/// Rows that are read at once.
pub(super) const PAGE: u32 = 1_000;

/// What a report is made of.
pub struct Input<'i> {
    /// The spec's name.
    pub spec: &'i str,
    /// Its plan.
    pub plan: &'i Plan,
    /// The source's schema.
    pub source: &'i Schema,
    /// What was done.
    pub workspace: &'i Workspace,
    /// What the plan's floor and forecast are told for, where somebody asks for another pace than that of the last run.
    pub pace: Pace,
    /// What hides values.
    pub veil: &'i Veil,
}

/// Makes the report of a workspace; every list goes to `out` on the way.
///
/// # Errors
/// Those of the workspace and of `out`.
pub fn dossier<L: Lists>(input: &Input<'_>, out: &mut L) -> Result<Dossier, L::Error> {
    let Input { plan, workspace, veil, .. } = input;
    workspace.refuse_forgotten()?;
    let mut lists = Writing::new(out);
    let told = rows(plan, workspace, veil, &mut lists)?;
    let runs = workspace.runs()?;
    let mut dossier = Dossier {
        format: FORMAT,
        version: VERSION,
        hashed: veil.hides(),
        about: about(input, &told)?,
        verdict: verdict(workspace, &told)?,
        rows: told.iter().map(|told| told.row.clone()).collect(),
        sums: sums(&told),
        links: links(&told),
        fields: fields(plan, &told),
        times: times(plan, &told),
        sample: sample(veil, &told),
        ..Dossier::default()
    };
    shared(input, &told, &mut dossier)?;
    let ledger = ledger(input, &mut lists)?;
    let gaps = discovery::gaps(plan, input.source, Some(&ledger));
    dossier.left = left(&gaps);
    let fate = |line: &FileField| FileLine {
        object: line.object.clone(),
        field: line.field.clone(),
        records: line.records,
        files: line.files,
        fate: line.fate(),
    };
    dossier.files = ledger.iter().filter(|line| line.files > 0).map(fate).collect();
    dossier.faults = faults(plan, workspace, &runs, veil, &mut lists)?;
    dossier.time = time(plan, workspace, input.pace, &runs)?;
    compared_lists(input, &told, &mut lists)?;
    books_lists(input, &told, &mut lists)?;
    tables(&dossier, &mut lists)?;
    dossier.lists = lists.lists;
    Ok(dossier)
}

fn about(input: &Input<'_>, told: &[Told]) -> Result<About, crate::run::workspace::Error> {
    let Input { plan, workspace, veil, .. } = input;
    let hash = plan.hash();
    let approval = workspace.approval(&hash)?;
    let compared = told.iter().filter_map(|told| told.row.compared.as_ref());
    Ok(About {
        spec: input.spec.to_owned(),
        source: workspace.pinned(Side::Source)?.unwrap_or_else(|| plan.source.account.clone()),
        target: workspace.pinned(Side::Target)?.unwrap_or_else(|| plan.target.account.clone()),
        written_with: workspace.plan()?.filter(|written| *written != hash),
        plan: hash,
        books_of: workspace.moved_ms()?.map(moment),
        compared: compared.map(|compared| compared.at.clone()).min(),
        approved_by: approval.as_ref().map(|approval| veil.value(&approval.by)),
        approved: approval.as_ref().map(|approval| moment(approval.approved_ms)),
        approved_with: match &approval {
            Some(approval) => reviewed(workspace, approval.seq, veil)?,
            None => None,
        },
        rolled_back: workspace.all_writes()? > 0 && workspace.writes()? == 0,
    })
}

/// How the review stood that went with an approval.
fn reviewed(
    workspace: &Workspace,
    approval: i64,
    veil: &Veil,
) -> Result<Option<String>, crate::run::workspace::Error> {
    let Some(kept) = workspace.approved_review(approval)? else { return Ok(None) };
    let review: serde_json::Value = serde_json::from_str(&kept.review).unwrap_or_default();
    let ticked = review["ticked"].as_array().map_or(0, Vec::len);
    let shown = review["shown"].as_u64().unwrap_or_default();
    let mut text = format!("{ticked} of {shown} records ticked in the review");
    if !kept.despite.is_empty() {
        let open = match review["open"].as_array().map_or(0, Vec::len) {
            1 => "1 comment was open".to_owned(),
            open => format!("{open} comments were open"),
        };
        text.push_str(&format!("; {open}, approved all the same: {}", veil.reason(&kept.despite)));
    }
    Ok(Some(text))
}

/// What all rows come to, in a sentence.
fn verdict(workspace: &Workspace, told: &[Told]) -> Result<Verdict, crate::run::workspace::Error> {
    let mut verdict = Verdict::default();
    let rows = || told.iter().map(|told| &told.row);
    for row in rows().filter(|row| !row.beside) {
        verdict.source += row.source;
        for end in &row.ends {
            match end.end.as_str() {
                "created" | "adopted" | "folded" => verdict.arrived += end.records,
                "listed" | "left out" => verdict.left_out += end.records,
                "quarantined" | "failed" => verdict.held_back += end.records,
                "sent to maps" => verdict.source = verdict.source.saturating_sub(end.records),
                _ => verdict.pending += end.records,
            }
        }
    }
    let apart = |row: &&Row| !row.adds_up || row.compared.as_ref().is_some_and(|c| c.fresh && !c.agrees);
    let never = rows().filter(|row| row.comparable && row.compared.is_none()).count();
    let stale = rows().filter(|row| row.compared.as_ref().is_some_and(|c| !c.fresh)).count();
    let open: Vec<&str> = rows().filter(apart).map(|row| row.map.as_str()).collect();
    let beside: u64 = rows()
        .filter(|row| row.beside)
        .flat_map(|row| &row.ends)
        .filter(|end| matches!(end.end.as_str(), "quarantined" | "failed" | "pending"))
        .map(|end| end.records)
        .sum();
    let Verdict { source, arrived, left_out, held_back, pending, .. } = verdict;
    let counts = format!(
        "{arrived} arrived, {left_out} left out, {held_back} held back{}",
        if pending > 0 { format!(", {pending} pending") } else { String::new() }
    );
    let ended = rows().flat_map(|row| &row.ends).any(|end| end.end != "pending" && end.records > 0);
    let (outcome, text) = if workspace.writes()? == 0 && !ended {
        (Outcome::Nothing, "Nothing stands in the destination by these books.".to_owned())
    } else if !open.is_empty() {
        (Outcome::Open, format!("The books do not close: {}.", open.join(", ")))
    } else if never + stale > 0 {
        (Outcome::Unproven, format!("Not proven: of {source} records {counts}, by the books alone."))
    } else if pending > 0 || beside > 0 && held_back == 0 {
        (Outcome::Partial, format!("Not finished: of {source} records {counts}; what was done agrees."))
    } else if held_back > 0 {
        (
            Outcome::HeldBack,
            format!(
                "Every one of {source} records is accounted for, and {held_back} are held back: {counts}."
            ),
        )
    } else {
        (
            Outcome::Whole,
            format!("Every one of {source} records is accounted for, and both sides agree: {counts}."),
        )
    };
    (verdict.outcome, verdict.text) = (outcome, text);
    let mut say = |text: String| verdict.notes.push(text);
    if workspace.all_writes()? > 0 && workspace.writes()? == 0 {
        say("What was written is taken back.".to_owned());
    }
    if outcome != Outcome::Nothing && never > 0 {
        say(format!(
            "{never} rows were never compared with the destination: run `b2n reconcile`, then make this report again."
        ));
    }
    if stale > 0 {
        say(format!(
            "{stale} rows have changed since both sides were compared: run `b2n reconcile`, then make this report again."
        ));
    }
    if held_back > 0 {
        say("`b2n quarantine list` tells of each record that is held back what helps.".to_owned());
    }
    if pending > 0 {
        say("`b2n migrate` goes on with what is pending.".to_owned());
    }
    if beside > 0 {
        say(format!("{beside} notes that go with records are held back or pending."));
    }
    Ok(verdict)
}

pub(super) fn compared(told: &[Told]) -> impl Iterator<Item = (&Told, &Kept)> {
    told.iter().filter_map(|told| Some((told, told.kept.as_ref()?)))
}

fn sums(told: &[Told]) -> Vec<SumLine> {
    let lines = compared(told).flat_map(|(told, kept)| kept.sums.iter().map(move |sum| (told, sum)));
    lines
        .map(|(told, sum)| SumLine {
            map: told.row.map.clone(),
            field: sum.field.clone(),
            currency: sum.currency.clone(),
            stage: sum.stage.clone(),
            source: sum.source.clone(),
            source_records: sum.source_records,
            arrived: sum.arrived.clone(),
            explained: sum.explained.clone(),
            there: sum.there.clone(),
            there_records: sum.there_records,
            closes: sum.closes,
        })
        .collect()
}

fn links(told: &[Told]) -> Vec<LinkLine> {
    let lines = compared(told).flat_map(|(told, kept)| kept.fields.iter().map(move |field| (told, field)));
    let lines = lines.filter_map(|(told, field)| {
        let (source, both_ends, there) = field.links?;
        Some(LinkLine {
            map: told.row.map.clone(),
            field: field.field.clone(),
            source,
            both_ends,
            there,
            percent: percent(there as f64, source as f64),
            closes: both_ends == there,
        })
    });
    lines.collect()
}

/// The fidelity of the rules that write a field, at worst.
fn fidelity(plan: &Plan, map: Option<usize>, field: &str) -> String {
    let Some(map) = map else { return String::new() };
    let Some(at) = plan.maps[map].targets.iter().position(|target| target.name == field) else {
        return Fidelity::Exact.word().to_owned();
    };
    let folded = plan.flattens.iter().filter(|flatten| usize::from(flatten.into) == map);
    let rules = plan.maps[map].rules.iter().chain(folded.flat_map(|flatten| &flatten.rules));
    let worst = rules.filter(|rule| usize::from(rule.target) == at).map(|rule| rule.fidelity).max();
    worst.unwrap_or_default().word().to_owned()
}

fn field_line(plan: &Plan, told: &Told, kept: &Kept, field: &KeptField) -> FieldLine {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    FieldLine {
        map: told.row.map.clone(),
        field: field.field.clone(),
        fidelity: fidelity(plan, told.map.filter(|_| !told.row.beside), &field.field),
        records: kept.compared,
        planned: field.planned,
        there: field.there,
        change: signed(field.there) - signed(field.planned),
        same: field.same,
        reformatted: field.reformatted,
        more: field.more,
        waiting: field.waiting,
        untold: field.untold,
        differing: field.differing.clone(),
    }
}

/// Every field, the largest change of filled records first.
fn fields(plan: &Plan, told: &[Told]) -> Vec<FieldLine> {
    let lines =
        compared(told).flat_map(|(told, kept)| kept.fields.iter().map(move |field| (told, kept, field)));
    let mut lines: Vec<FieldLine> =
        lines.map(|(told, kept, field)| field_line(plan, told, kept, field)).collect();
    let not_as_planned =
        |line: &FieldLine| -> u64 { line.differing.iter().map(|differing| differing.records).sum() };
    lines.sort_by_key(|line| {
        (std::cmp::Reverse(line.change.unsigned_abs()), std::cmp::Reverse(not_as_planned(line)))
    });
    lines
}

/// The destination fields of a row that are of these types.
fn of_type<'p>(
    plan: &'p Plan,
    told: &Told,
    wanted: impl Fn(&Base) -> bool + 'p,
) -> impl Iterator<Item = &'p plan::Target> + 'p {
    let map = told.map.filter(|_| !told.row.beside);
    let targets = map.into_iter().flat_map(|map| &plan.maps[map].targets);
    targets.filter(move |target| wanted(&target.ty.base))
}

fn times(plan: &Plan, told: &[Told]) -> Times {
    let mut times = Times::default();
    for (told, kept) in compared(told) {
        for target in of_type(plan, told, |base| matches!(base, Base::Date | Base::DateTime)) {
            let field = kept.fields.iter().find(|field| field.field == target.name);
            times.kept.extend(field.map(|field| field_line(plan, told, kept, field)));
        }
    }
    for map in &plan.maps {
        for barred in connect::barred(&plan.target.connector, &map.target) {
            times.unwritten.push(Unwritten {
                map: map.name.clone(),
                field: barred.field.to_owned(),
                why: barred.why.to_owned(),
            });
        }
    }
    times
}

/// Stages and users on both sides.
fn shared(input: &Input<'_>, told: &[Told], dossier: &mut Dossier) -> Result<(), Error> {
    let Input { plan, veil, .. } = input;
    for (told, kept) in compared(told) {
        let users: BTreeSet<&str> =
            of_type(plan, told, |base| *base == Base::User).map(|target| target.name.as_str()).collect();
        for (field, value, planned, there) in &kept.shared {
            let user = users.contains(field.as_str());
            let line = SharedLine {
                map: told.row.map.clone(),
                field: field.clone(),
                value: if user { veil.value(value) } else { value.clone() },
                planned: *planned,
                there: *there,
            };
            if user { dossier.owners.push(line) } else { dossier.pipelines.is.push(line) }
        }
    }
    let with_stages: BTreeSet<&str> = told
        .iter()
        .filter(|told| of_type(plan, told, |base| *base == Base::Stage).next().is_some())
        .map(|told| told.row.object.as_str())
        .collect();
    for name in with_stages {
        dossier.pipelines.was.extend(stages_of(input, name)?);
    }
    Ok(())
}

/// The source's stages of an object, with their records.
fn stages_of(input: &Input<'_>, name: &str) -> Result<Vec<StageLine>, Error> {
    let Some(object) = input.source.object(name) else { return Ok(Vec::new()) };
    let Some(mut counts) = stage_counts(object) else { return Ok(Vec::new()) };
    let decoder = connect::decoder(&input.plan.source.connector, input.source, name).map_err(Error::Plan)?;
    let mut after = 0;
    loop {
        let page = input.workspace.staged_page(name, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        page.iter()
            .filter_map(|record| decoder.decode(&record.json).ok())
            .for_each(|slots| counts.add(&slots));
    }
    let mut pipelines = input.source.pipelines.clone();
    pipelines.iter_mut().for_each(|pipeline| pipeline.records.clear());
    counts.store(name, &mut pipelines);
    let mut lines = Vec::new();
    for mut pipeline in pipelines.into_iter().filter(|pipeline| pipeline.object == name) {
        for stage in &pipeline.stages {
            let records = pipeline.records.remove(&stage.code).unwrap_or(0);
            lines.push((pipeline.name.clone(), stage.name.clone(), records));
        }
        // Stages that the snapshot does not know.
        lines.extend(pipeline.records.into_iter().map(|(code, n)| (pipeline.name.clone(), code, n)));
    }
    let line = |(pipeline, stage, records)| StageLine { object: name.to_owned(), pipeline, stage, records };
    Ok(lines.into_iter().map(line).collect())
}

fn sample(veil: &Veil, told: &[Told]) -> Vec<SampleLine> {
    let field = |field: &SampleField| SampleField {
        source: field.source.iter().map(|(name, value)| (name.clone(), veil.value(value))).collect(),
        planned: veil.value(&field.planned),
        there: veil.value(&field.there),
        ..field.clone()
    };
    let records = compared(told).flat_map(|(_, kept)| &kept.sample);
    let line = |record: &SampleLine| SampleLine {
        fields: record.fields.iter().map(field).collect(),
        ..record.clone()
    };
    records.map(line).collect()
}

/// Every file, as a list.
fn ledger<L: Lists>(input: &Input<'_>, lists: &mut Writing<'_, L>) -> Result<Vec<FileField>, L::Error> {
    lists.begin(
        "files.csv",
        "Files, none of which the destination takes",
        &["object", "key", "field", "file"],
    );
    let ledger = files(input.plan, input.workspace, input.source, |line: OneFile<'_>| {
        lists.row(&[line.object, line.key, line.field, line.file])
    })?;
    lists.end()?;
    Ok(ledger)
}

fn left(gaps: &discovery::Gaps) -> Left {
    let fields = gaps.fields.iter().map(|field| LeftLine {
        what: format!("{}.{}", field.object, field.field),
        title: field.title.clone().unwrap_or_default(),
        records: field.filled,
        why: field.reason.clone(),
        at: field.at.clone(),
    });
    let objects = gaps.objects.iter().map(|object| LeftLine {
        what: object.object.clone(),
        title: object.title.clone().unwrap_or_default(),
        records: object.records,
        why: object.why.clone(),
        at: String::new(),
    });
    let beyond = gaps.out_of_reach.iter().map(|line| LeftLine {
        what: line.name.to_owned(),
        why: format!("{}; {}", line.why, line.next),
        ..LeftLine::default()
    });
    let by_hand = gaps.by_hand.iter().map(|line| LeftLine {
        what: line.name.clone(),
        title: if line.of.is_empty() { line.kind.clone() } else { format!("{} of {}", line.kind, line.of) },
        why: "only a person makes it".to_owned(),
        ..LeftLine::default()
    });
    Left { fields: fields.collect(), objects: objects.chain(beyond).collect(), by_hand: by_hand.collect() }
}
