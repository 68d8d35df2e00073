//! Pipelines: every stage of a category has a row, every category of a mapped object a pipeline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::arm::ArmPlace;
use super::meant::instead;
use super::names::{Entries, What};
use super::types::{Scope, worse};
use super::{Checker, counts};
use crate::lang::finding::{Count, Finding, registry as codes};
use crate::lang::plan::{self, Arm, StageTo};
use crate::lang::schema::{self, Object};
use crate::lang::syntax::ast::{self, StageTarget};
use crate::lang::text::Span;
use crate::lang::types::Fidelity;
use crate::lang::value::{OutcomeKind, StageValue};

/// What `pipeline by` needs to know of a pipeline.
#[derive(Debug)]
pub(super) struct PipelineInfo {
    /// The destination pipeline's object; `None` where the pipeline is unknown.
    to: Option<String>,
    /// Whether a row gives no stage.
    absent: bool,
    elsewhere: Option<(Fidelity, Rc<str>)>,
    used: bool,
    name: Span,
}

/// The pipelines of a spec.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    infos: Vec<PipelineInfo>,
    /// By source object and category.
    by_category: HashMap<(String, String), usize>,
}

/// What all pipelines of an object have in common.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Whether a row of one gives no stage.
    pub absent: bool,
    /// What they lose.
    pub elsewhere: Option<(Fidelity, Rc<str>)>,
}

impl<'a> Checker<'a> {
    pub(super) fn pipeline(&mut self, item: &'a ast::Pipeline, index: usize) -> plan::Pipeline {
        let from = self.pipeline_from(item);
        let to = self.pipeline_to(item);
        let entries =
            from.map(|p| Entries::new(p.stages.iter().map(|s| (s.code.as_str(), Some(s.name.as_str())))));
        let mut plan = plan::Pipeline {
            name: item.name.value.clone(),
            object: item.object.name.value.clone(),
            category: from.map(|p| p.code.clone()).unwrap_or_default(),
            rows: BTreeMap::new(),
            unseen: Arm::Quarantine,
            unseen_line: self.line(item.unseen.as_ref().map_or(item.span, |row| row.span)),
            line: self.line(item.span),
        };
        let mut spans: HashMap<String, Span> = HashMap::new();
        let mut absent = false;
        let mut gives: HashMap<StageValue, Vec<usize>> = HashMap::new();
        let of = format!("pipeline `{}`", item.name.value);
        let what = What { code: codes::UNKNOWN_STAGE, kind: "stage", of: &of, quoted: true };
        for (row_index, row) in item.rows.iter().enumerate() {
            let mut keys = Vec::new();
            for coded in &row.codes {
                let Some(entries) = &entries else { continue };
                self.guessed = None;
                let Some(code) = self.resolve(entries, coded, what) else {
                    // What the row probably means is not missing.
                    if let Some(guessed) = self.guessed {
                        spans.entry(entries.all[guessed].0.to_owned()).or_insert(coded.span);
                    }
                    continue;
                };
                let code = entries.all[code].0.to_owned();
                if let Some(first) = spans.get(&code) {
                    self.duplicate(&code, coded.span, *first);
                    continue;
                }
                spans.insert(code.clone(), coded.span);
                keys.push(code);
            }
            let Some(target) = self.stage_target(&row.to, to, &mut absent) else { continue };
            if let StageTo::Stage(stage) = &target {
                gives.entry(stage.clone()).or_default().push(row_index);
            }
            let line = self.line(row.span);
            for key in keys {
                plan.rows.insert(key, plan::StageRow { to: target.clone(), line });
            }
        }
        match &item.unseen {
            Some(row) => {
                if let Some(checked) = self.arm(&mut Scope::default(), &row.arm, ArmPlace::StageRow, None) {
                    absent |= matches!(checked.arm, Arm::Unset | Arm::Flag(_));
                    plan.unseen = checked.arm;
                }
            }
            None => self.no_unseen("pipeline", &item.name.value, item.name.span, item.span),
        }
        let reasons = self.stage_merges(item, &gives);
        if let Some(from) = from {
            if let Some(to) = to {
                self.judge_stages(from, to, &plan, &spans);
            }
            self.missing_stages(item, from, to, &spans, &gives);
            let key = (plan.object.clone(), plan.category.clone());
            match self.pipelines.by_category.get(&key) {
                Some(first) => {
                    let first = self.pipelines.infos[*first].name;
                    self.add(
                        Finding::new(
                            codes::DUPLICATE_ITEM,
                            format!("{} has two pipelines", of_category(item, from)),
                        )
                        .at(item.name.span, "the second one")
                        .and_at(first, "the first one")
                        .help("keep one of them"),
                    );
                }
                None => {
                    self.pipelines.by_category.insert(key, index);
                }
            }
        }
        self.pipelines.infos.push(PipelineInfo {
            to: to.map(|pipeline| pipeline.object.clone()),
            absent,
            elsewhere: reasons.map(|reason| (Fidelity::Merged, Rc::from(reason))),
            // Without a category it could not be used, which was reported.
            used: from.is_none(),
            name: item.name.span,
        });
        plan
    }

    /// The source pipeline that an item is for.
    fn pipeline_from(&mut self, item: &ast::Pipeline) -> Option<&'a schema::Pipeline> {
        let object = self.source_object(&item.object.name)?;
        let source = self.source;
        let all: Vec<&'a schema::Pipeline> =
            source.pipelines.iter().filter(|p| p.object == object.name).collect();
        if all.is_empty() {
            self.add(
                Finding::new(codes::UNKNOWN_STAGE, format!("`{}` has no pipelines", object.name))
                    .at(item.object.name.span, "no stages here")
                    .note(self.source_note())
                    .help("name an object that has stages"),
            );
            return None;
        }
        let Some(category) = &item.category else {
            if let Some(only) = all.iter().find(|p| p.code.is_empty()) {
                return Some(only);
            }
            let codes_known: Vec<String> = all.iter().map(|p| format!("{} `{}`", p.code, p.name)).collect();
            self.add(
                Finding::new(codes::UNKNOWN_STAGE, format!("`{}` has several categories", object.name))
                    .at(item.object.name.span, "which of them?")
                    .note(self.source_note())
                    .help(format!("write `{} category CODE`: {}", object.name, codes_known.join(", "))),
            );
            return None;
        };
        let entries = Entries::new(all.iter().map(|p| (p.code.as_str(), Some(p.name.as_str()))));
        let of = format!("`{}`", object.name);
        let what = What { code: codes::UNKNOWN_STAGE, kind: "category", of: &of, quoted: false };
        self.resolve(&entries, category, what).map(|index| all[index])
    }

    /// The destination pipeline that an item leads to.
    fn pipeline_to(&mut self, item: &ast::Pipeline) -> Option<&'a schema::Pipeline> {
        let target = self.target;
        if let Some(pipeline) = target.pipelines.iter().find(|p| p.name == item.to.value) {
            self.require("pipeline", "", &pipeline.name);
            return Some(pipeline);
        }
        let meant = self.meant_name(&item.to.value, target.pipelines.iter().map(|p| p.name.as_str()));
        let help = match meant {
            Some(meant) => format!(
                "did this mean \"{meant}\"? Or make it in the destination by hand and take the snapshot again"
            ),
            None => "make it in the destination by hand and take the snapshot again".to_owned(),
        };
        self.add(
            Finding::new(
                codes::UNKNOWN_STAGE,
                format!("the destination has no pipeline \"{}\"", item.to.value),
            )
            .at(item.to.span, "no such pipeline")
            .note(self.target_note())
            .help(help)
            .fix_where(meant.map(|meant| instead(item.to.span, crate::lang::syntax::quote(meant)))),
        );
        None
    }

    fn stage_target(
        &mut self,
        target: &'a StageTarget,
        to: Option<&'a schema::Pipeline>,
        absent: &mut bool,
    ) -> Option<StageTo> {
        match target {
            StageTarget::Stage(name) => {
                let to = to?;
                if !to.stages.iter().any(|stage| stage.name == name.value) {
                    let meant = self.meant_name(&name.value, to.stages.iter().map(|s| s.name.as_str()));
                    self.no_stage(to, "stage", &name.value, name.span, meant);
                    return None;
                }
                self.require("stage", &to.name, &name.value);
                Some(StageTo::Stage(StageValue {
                    pipeline: to.name.clone(),
                    stage: Some(name.value.clone()),
                    outcome: None,
                }))
            }
            StageTarget::Outcome(kind, name) => {
                let to = to?;
                if !to.outcomes.iter().any(|o| o.name == name.value && o.kind == *kind) {
                    let same = to.outcomes.iter().filter(|o| o.kind == *kind).map(|o| o.name.as_str());
                    let meant = self.meant_name(&name.value, same);
                    match to.outcomes.iter().find(|o| o.name == name.value) {
                        Some(other) => self.add(
                            Finding::new(
                                codes::UNKNOWN_STAGE,
                                format!(
                                    "outcome \"{}\" is `{}`, not `{}`",
                                    name.value,
                                    kind_word(other.kind),
                                    kind_word(*kind)
                                ),
                            )
                            .at(name.span, format!("`{}`", kind_word(other.kind)))
                            .note(self.target_note())
                            .help(format!(
                                "write `{} \"{}\"`, or another outcome",
                                kind_word(other.kind),
                                name.value
                            )),
                        ),
                        None => self.no_stage(
                            to,
                            &format!("`{}` outcome", kind_word(*kind)),
                            &name.value,
                            name.span,
                            meant,
                        ),
                    }
                    return None;
                }
                self.require("outcome", &to.name, &name.value);
                Some(StageTo::Stage(StageValue {
                    pipeline: to.name.clone(),
                    stage: None,
                    outcome: Some((*kind, name.value.clone())),
                }))
            }
            StageTarget::Arm(arm) => {
                let checked = self.arm(&mut Scope::default(), arm, ArmPlace::StageRow, None)?;
                *absent |= matches!(checked.arm, Arm::Unset | Arm::Flag(_));
                Some(StageTo::Arm(checked.arm))
            }
        }
    }

    fn no_stage(&mut self, to: &schema::Pipeline, kind: &str, name: &str, span: Span, meant: Option<&str>) {
        let by_hand = "make it in the destination by hand and take the snapshot again";
        let help = match meant {
            Some(meant) => format!("did this mean \"{meant}\"? Or {by_hand}"),
            None => format!("name another, or {by_hand}"),
        };
        self.add(
            Finding::new(codes::UNKNOWN_STAGE, format!("pipeline \"{}\" has no {kind} \"{name}\"", to.name))
                .at(span, "not there")
                .note(self.target_note())
                .help(help)
                .fix_where(meant.map(|meant| instead(span, crate::lang::syntax::quote(meant)))),
        );
    }

    fn stage_merges(
        &mut self,
        item: &'a ast::Pipeline,
        gives: &HashMap<StageValue, Vec<usize>>,
    ) -> Option<String> {
        let mut merged: BTreeMap<usize, usize> = BTreeMap::new();
        let mut excused = Vec::new();
        for rows in gives.values() {
            let stages: usize = rows.iter().map(|row| item.rows[*row].codes.len()).sum();
            if stages > 1 {
                merged.extend(rows.iter().map(|row| (*row, stages)));
                let group =
                    rows.iter().map(|at| (*at, item.rows[*at].span, item.rows[*at].fidelity.as_ref()));
                excused.extend(self.excused(group));
            }
        }
        let mut reasons: Vec<&str> = Vec::new();
        for (index, row) in item.rows.iter().enumerate() {
            let stages = merged.get(&index).copied().unwrap_or(1);
            let end =
                row.codes.last().map_or(row.span, |coded| Span { start: coded.span.end, end: row.span.end });
            let unreasoned = if excused.contains(&index) { 1 } else { stages };
            self.row_fidelity(unreasoned, row.fidelity.as_ref(), end, row.span);
            if stages > 1 {
                let because = row.fidelity.as_ref().and_then(|clause| clause.because.as_ref());
                reasons
                    .extend(because.map(|because| because.value.as_str()).filter(|b| !reasons.contains(b)));
            }
        }
        (!merged.is_empty()).then(|| reasons.join("; "))
    }

    fn missing_stages(
        &mut self,
        item: &'a ast::Pipeline,
        from: &'a schema::Pipeline,
        to: Option<&'a schema::Pipeline>,
        listed: &HashMap<String, Span>,
        gives: &HashMap<StageValue, Vec<usize>>,
    ) {
        let unread = self.unread(item.span);
        let missing: Vec<&schema::Stage> = from
            .stages
            .iter()
            .filter(|s| !listed.contains_key(&s.code) && !unread.mentions(&s.code))
            .collect();
        if missing.is_empty() {
            return;
        }
        let object = &item.object.name.value;
        let known = !from.records.is_empty();
        let records: u64 = missing.iter().filter_map(|stage| from.records.get(&stage.code)).sum();
        let total =
            self.source.object(object).and_then(|o| o.records).unwrap_or_else(|| from.records.values().sum());
        let mut names: Vec<String> =
            missing.iter().take(3).map(|s| format!("\"{}\" `{}`", s.code, s.name)).collect();
        if missing.len() > 3 {
            names.push(format!("{} more", missing.len() - 3));
        }
        let mut label = format!("{} {} not listed", names.join(", "), counts::is_are(missing.len()));
        if known {
            let them = if missing.len() == 1 { "it" } else { "them" };
            label.push_str(&format!(
                "; {} of {} {} {} in {them}",
                counts::grouped(records),
                counts::grouped(total),
                counts::plural(object),
                if records == 1 { "is" } else { "are" }
            ));
        }
        let used: BTreeSet<&str> = gives.keys().filter_map(|stage| stage.stage.as_deref()).collect();
        let mut free: Vec<&str> = to
            .iter()
            .flat_map(|to| &to.stages)
            .map(|s| s.name.as_str())
            .filter(|name| !used.contains(name))
            .collect();
        let mut help = if missing.len() == 1 { "add a row".to_owned() } else { "add rows".to_owned() };
        if let (Some(to), false) = (to, free.is_empty()) {
            let shown: Vec<String> = free.iter().map(|name| format!("\"{name}\"")).collect();
            help.push_str(&format!("; stages of \"{}\" that no row uses yet: {}", to.name, shown.join(", ")));
        }
        let mut rows = Vec::new();
        for stage in &missing {
            let outcome = stage.ends.and_then(|kind| {
                let outcome = to?.outcomes.iter().find(|outcome| outcome.kind == kind)?;
                Some(format!("{} \"{}\"", kind_word(kind), outcome.name))
            });
            let target = match outcome {
                Some(outcome) => outcome,
                None if free.is_empty() => "quarantine".to_owned(),
                None => format!("stage \"{}\"", free.remove(0)),
            };
            rows.push(format!("\"{}\" `{}`  => {target}", stage.code, stage.name));
        }
        for row in &rows {
            help.push('\n');
            help.push_str(row);
        }
        let message = format!(
            "pipeline `{}` misses {} of {} of {}",
            item.name.value,
            missing.len(),
            counts::many(from.stages.len(), "stage"),
            of_category(item, from)
        );
        let finding = Finding::new(codes::PIPELINE_MISSES_STAGE, message)
            .at(item.name.span, label)
            .note(self.source_note())
            .count(if known { Count::Exact { records } } else { Count::Unknown })
            .help(help);
        let finding = self.with_rows(finding, item.unseen.as_ref().map(|row| row.span), item.span, &rows);
        self.add(finding);
    }

    /// Checks that all categories of an object have a pipeline to the destination object of the map at hand.
    pub(super) fn pipelines_of(&mut self, object: &'a Object, scope: &Scope<'a>, span: Span) -> Summary {
        let source = self.source;
        let mut summary = Summary::default();
        let wanted = self.maps[scope.map].target.value.clone();
        for pipeline in source.pipelines.iter().filter(|p| p.object == object.name) {
            let key = (object.name.clone(), pipeline.code.clone());
            let Some(index) = self.pipelines.by_category.get(&key).copied() else {
                self.no_pipeline(object, pipeline, span);
                continue;
            };
            let info = &mut self.pipelines.infos[index];
            info.used = true;
            summary.absent |= info.absent;
            summary.elsewhere = worse(summary.elsewhere.take(), info.elsewhere.clone());
            if let Some(to) = info.to.clone()
                && to != wanted
            {
                let name = info.name;
                self.add(
                    Finding::new(
                        codes::TYPE_MISMATCH,
                        format!("the pipeline's stages are of `{to}`, not of `{wanted}`"),
                    )
                    .at(span, format!("written into `{wanted}`"))
                    .and_at(name, format!("stages of `{to}`"))
                    .help(format!("name a pipeline of `{wanted}`")),
                );
            }
        }
        summary
    }

    fn no_pipeline(&mut self, object: &Object, pipeline: &schema::Pipeline, span: Span) {
        let (name, head) = match pipeline.code.as_str() {
            "" => (
                format!("`{}`", object.name),
                format!("pipeline NAME : {} -> \"PIPELINE\" {{ … }}", object.name),
            ),
            code => (
                format!("{} category {code} `{}`", object.name, pipeline.name),
                format!(
                    "pipeline NAME : {} category {code} `{}` -> \"PIPELINE\" {{ … }}",
                    object.name, pipeline.name
                ),
            ),
        };
        let records: u64 = pipeline.records.values().sum();
        let known = !pipeline.records.is_empty();
        let label = match known {
            true => format!("{} {} in it", counts::grouped(records), counts::plural(&object.name)),
            false => "its stages lead nowhere".to_owned(),
        };
        self.add(
            Finding::new(codes::PIPELINE_MISSING, format!("{name} has no pipeline in this spec"))
                .at(span, label)
                .note(self.source_note())
                .count(if known { Count::Exact { records } } else { Count::Unknown })
                .help(format!("add one: `{head}`")),
        );
    }

    pub(super) fn pipelines_end(&mut self, items: &[&'a ast::Pipeline]) {
        for (index, item) in items.iter().enumerate() {
            let read = self.in_doubt() && self.input.text.text().contains("<- pipeline");
            if !self.pipelines.infos[index].used
                && !self.of_profile(item.span)
                && !self.mentioned(&item.object.name.value, item.span)
                && !read
                && !self.perhaps_used(&item.name.value, item.span)
            {
                self.add(
                    Finding::new(
                        codes::UNUSED_ITEM,
                        format!("pipeline `{}` is used nowhere", item.name.value),
                    )
                    .at(item.name.span, "no rule reads stages by it")
                    .help(format!(
                        "write `pipeline by …` in a map of `{}`, or remove it",
                        item.object.name.value
                    ))
                    .fix(self.without_item(item.span)),
                );
            }
        }
    }
}

fn of_category(item: &ast::Pipeline, from: &schema::Pipeline) -> String {
    match from.code.as_str() {
        "" => item.object.name.value.clone(),
        code => format!("{} category {code}", item.object.name.value),
    }
}

pub(super) fn kind_word(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Won => "won",
        OutcomeKind::Lost => "lost",
        OutcomeKind::Cancelled => "cancelled",
    }
}
