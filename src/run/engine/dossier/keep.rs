//! What a comparison and a run leave in the workspace for a report.

use crate::run::connect::Pace;
use crate::run::engine::forecast::Spent;
use crate::run::engine::side_by_side::SampledRecord;
use crate::run::engine::{Engine, MapReport, Result};
use crate::run::workspace::Compared;

use super::model::{Differing, Kept, KeptField, KeptPace, KeptSpent, KeptSum, SampleField, SampleLine};

impl Engine<'_> {
    /// Keeps what a comparison of a stream found; nothing where it was not compared.
    pub(in crate::run::engine) fn keep_compared(&self, stream: usize, report: &MapReport) -> Result<()> {
        let (Some(listed), Some(proof)) = (report.listed, report.proof.as_deref()) else { return Ok(()) };
        let stream = &self.streams[stream];
        let fields = proof.fields.iter().map(|field| KeptField {
            field: field.field.clone(),
            planned: field.expected,
            there: field.found,
            same: field.same,
            reformatted: field.reformatted,
            more: field.more,
            waiting: field.waiting,
            untold: field.untold,
            differing: field
                .differing
                .iter()
                .map(|(kind, records)| Differing {
                    kind: kind.word().to_owned(),
                    records: *records,
                    open: kind.keeps_open(),
                })
                .collect(),
            links: field.links.map(|links| (links.planned, links.resolved, links.found)),
        });
        let sums = proof.sums.iter().map(|(key, sum)| KeptSum {
            field: key.field.clone(),
            currency: key.currency.clone(),
            stage: key.stage.clone(),
            source: sum.planned.normalize().to_string(),
            source_records: sum.planned_records,
            arrived: sum.arrived.normalize().to_string(),
            explained: sum.explained.normalize().to_string(),
            there: sum.found.normalize().to_string(),
            there_records: sum.found_records,
            closes: sum.closes(),
        });
        let shared = proof.shared.iter();
        let shared =
            shared.map(|(key, shared)| (key.field.clone(), key.value.clone(), shared.planned, shared.found));
        let kept = Kept {
            expected: report.expected,
            listed: listed.found,
            strange: listed.strange,
            agrees: proof.closes() && listed.found == report.expected && listed.strange == 0,
            compared: proof.compared,
            not_compared: proof.not_compared,
            unsourced: proof.unsourced,
            disagreeing: proof.disagreeing,
            source_now: proof.source_now,
            fields: fields.collect(),
            sums: sums.collect(),
            shared: shared.collect(),
            sample: proof.sample.iter().map(|record| self.sample_line(record)).collect(),
        };
        let compared = Compared {
            compared_ms: self.outside.clock.now_ms(),
            plan: self.plan_hash.clone(),
            stamp: self.workspace.stamp(&stream.name, &stream.object)?,
            json: serde_json::to_string(&kept).unwrap_or_default(),
        };
        Ok(self.workspace.keep_compared(&stream.name, &compared)?)
    }

    fn sample_line(&self, record: &SampledRecord) -> SampleLine {
        let outcome = record.outcome.as_ref();
        SampleLine {
            map: record.map.clone(),
            key: record.key.clone(),
            object: record.object.clone(),
            id: outcome.and_then(|outcome| outcome.target.clone()).unwrap_or_default(),
            end: outcome.map_or("pending", |outcome| outcome.status.word()).to_owned(),
            fields: record
                .fields
                .iter()
                .map(|field| SampleField {
                    field: field.field.clone(),
                    source: field.sources.clone(),
                    rules: field.rules.iter().map(|rule| self.plan.place_text(rule.line)).collect(),
                    planned: field.planned.clone(),
                    there: field.found.clone(),
                    agreement: field.agreement.word().to_owned(),
                    wrong: field.agreement.is_wrong(),
                })
                .collect(),
        }
    }
}

fn pace_json(pace: Pace) -> KeptPace {
    KeptPace { rate_per_s: pace.rate_per_s, in_flight: pace.in_flight }
}

/// The pace of a run that begins, for the workspace.
pub(in crate::run::engine) fn kept_pace(pace: Pace) -> String {
    serde_json::to_string(&pace_json(pace)).unwrap_or_default()
}

/// What a run sent, and how fast it was allowed to, for the workspace.
pub(in crate::run::engine) fn kept_spent(spent: &Spent, pace: Pace) -> String {
    let pace = pace_json(pace);
    let kept = KeptSpent { pace, loading_ms: spent.loading_ms, places: spent.places.clone() };
    serde_json::to_string(&kept).unwrap_or_default()
}

/// The pace that was in force in a run, of the workspace.
pub(super) fn pace(json: &str) -> Pace {
    let kept: KeptPace = serde_json::from_str(json).unwrap_or_default();
    Pace { rate_per_s: kept.rate_per_s, in_flight: kept.in_flight }
}

/// What a run sent, of the workspace; `None` where it has not come to its end.
pub(super) fn spent(json: &str) -> Option<Spent> {
    let kept: KeptSpent = serde_json::from_str(json).ok()?;
    Some(Spent { loading_ms: kept.loading_ms, places: kept.places })
}
