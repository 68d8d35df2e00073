//! Whether the rows of a pipeline make sense beside each other: the order of stages, and how records end.

use std::collections::HashMap;

use super::Checker;
use super::counts;
use crate::lang::finding::{Count, Finding, registry as codes};
use crate::lang::plan::{self, StageTo};
use crate::lang::schema::{self, Stage};
use crate::lang::text::Span;
use crate::lang::value::OutcomeKind;

impl<'a> Checker<'a> {
    /// Compares the stages of two pipelines along the rows between them, which stand at `spans`.
    pub(super) fn judge_stages(
        &mut self,
        from: &'a schema::Pipeline,
        to: &'a schema::Pipeline,
        rows: &plan::Pipeline,
        spans: &HashMap<String, Span>,
    ) {
        let mut before: Option<(&Stage, usize)> = None;
        for stage in &from.stages {
            let (Some(row), Some(span)) = (rows.rows.get(&stage.code), spans.get(&stage.code)) else {
                continue;
            };
            let StageTo::Stage(target) = &row.to else { continue };
            let outcome = target.outcome.as_ref().map(|(kind, name)| (*kind, name.as_str()));
            self.judge_end(from, stage, outcome, *span);
            let place = target.stage.as_ref().and_then(|name| to.stages.iter().position(|s| s.name == *name));
            let Some(place) = place else { continue };
            if let Some((earlier, other)) = before
                && place < other
            {
                let (first, second) = (&to.stages[other].name, &to.stages[place].name);
                let finding = Finding::new(
                    codes::STAGE_ORDER,
                    format!(
                        "`{}` comes after `{}`, and \"{second}\" before \"{first}\"",
                        stage.name, earlier.name
                    ),
                )
                .at(*span, format!("\"{second}\" stands before \"{first}\" in \"{}\"", to.name))
                .note(self.source_note())
                .note(self.target_note())
                .count(self.in_stage(from, stage))
                .help(
                    "swap the two rows' stages, or put the stages of the destination into the source's order",
                );
                let finding = match spans.get(&earlier.code) {
                    Some(span) => finding.and_at(*span, format!("leads to \"{first}\"")),
                    None => finding,
                };
                self.add(finding);
            }
            before = Some((stage, place));
        }
    }

    fn judge_end(
        &mut self,
        from: &schema::Pipeline,
        stage: &Stage,
        outcome: Option<(OutcomeKind, &str)>,
        span: Span,
    ) {
        let word = super::pipeline::kind_word;
        let (message, label) = match (stage.ends, outcome) {
            (Some(ends), None) => (
                format!("`{}` is {}, and its records go on as open ones", stage.name, word(ends)),
                format!("{} in the source", word(ends)),
            ),
            (Some(OutcomeKind::Won), Some((kind @ (OutcomeKind::Lost | OutcomeKind::Cancelled), name))) => (
                format!("`{}` is won, and \"{name}\" is {}", stage.name, word(kind)),
                "won in the source".to_owned(),
            ),
            (Some(ends @ (OutcomeKind::Lost | OutcomeKind::Cancelled)), Some((OutcomeKind::Won, name))) => (
                format!("`{}` is {}, and \"{name}\" is won", stage.name, word(ends)),
                format!("{} in the source", word(ends)),
            ),
            (None, Some((OutcomeKind::Won, name))) => {
                (format!("`{}` is open, and \"{name}\" is won", stage.name), "open in the source".to_owned())
            }
            _ => return,
        };
        let records = from.records.get(&stage.code).copied();
        let noun = counts::plural(&from.object);
        let label = match records {
            Some(records) => format!("{label}; {} {noun} are in it", counts::grouped(records)),
            None => label,
        };
        let help = match stage.ends {
            Some(ends) => format!("write `{} \"…\"`, where the destination has such an outcome", word(ends)),
            None => "write `stage \"…\"`".to_owned(),
        };
        self.add(
            Finding::new(codes::STAGE_KIND, message)
                .at(span, label)
                .note(self.source_note())
                .count(self.in_stage(from, stage))
                .help(help),
        );
    }

    fn in_stage(&self, from: &schema::Pipeline, stage: &Stage) -> Count {
        match from.records.is_empty() {
            true => Count::Unknown,
            false => Count::Exact { records: from.records.get(&stage.code).copied().unwrap_or(0) },
        }
    }
}
