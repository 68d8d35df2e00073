//! What can go wrong on purpose, and when.
//!
//! A fault plan is data in the settings; the counters that drive it belong to the twin's state.

use super::hash;
use super::portal::{Entity, Portal, Record};
use serde_json::Value;

/// When a fault strikes, counted over the requests or calls that it applies to, from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trigger {
    /// Once, at the nth.
    Nth(u64),
    /// At every nth.
    Every(u64),
    /// At the nth and ever after.
    From(u64),
    /// With this probability, drawn from the twin's seed.
    Probability(f64),
}

/// What happens.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// 503 `QUERY_LIMIT_EXCEEDED` for the whole request.
    RateLimit,
    /// 503 `OVERLOAD_LIMIT`: a block by hand.
    Overload,
    /// 500 `INTERNAL_SERVER_ERROR` before anything is done.
    ServerError,
    /// An HTML page with this status instead of the answer, nothing done.
    Html(u16),
    /// The request is done, the body ends in the middle.
    CutBody,
    /// The request is done, but takes this much longer; past 60 s it is cut with 504.
    Slow(u64),
    /// 302 to this host.
    Rename(String),
    /// The webhook has run out: `INVALID_CREDENTIALS`.
    ExpiredWebhook,
    /// The access token has run out: 401 `expired_token`.
    ExpiredToken,
    /// 500 `PORTAL_DELETED`.
    PortalDeleted,
    /// 403 `ACCESS_DENIED`: the plan has no REST.
    FreePlan,
    /// The whole request is refused with this status and code: any of the sheet's system codes (2.1).
    Refuse(u16, String),
    /// Somebody adds a record before the request is served.
    Insert(Entity),
    /// Somebody deletes the oldest record before the request is served.
    Delete(Entity),
    /// Somebody does anything else before the request is served.
    Edit(fn(&mut Portal)),
    /// One call, in a batch or not, is refused with 429 `OPERATION_TIME_LIMIT`.
    OperatingLimit,
    /// One call, in a batch or not, fails with this status and code.
    Command(u16, String),
    /// A list's full page lacks its last row.
    ShortPage,
    /// A list answers with the page that it served before.
    RepeatPage,
    /// A list's `total` is off by this much.
    WrongTotal(i64),
}

impl FaultKind {
    /// Whether the fault strikes single calls (inside batches too) rather than whole requests.
    pub(super) fn strikes_calls(&self) -> bool {
        use FaultKind::{Command, OperatingLimit, RepeatPage, ShortPage, WrongTotal};
        matches!(self, OperatingLimit | Command(..) | ShortPage | RepeatPage | WrongTotal(_))
    }
}

/// One line of a fault plan.
#[derive(Clone, Debug)]
pub struct Fault {
    /// When it strikes.
    pub when: Trigger,
    /// What happens.
    pub kind: FaultKind,
    /// Only this method (in lower case); `None` for every one.
    pub method: Option<String>,
}

impl Fault {
    /// A fault for every method.
    pub fn new(when: Trigger, kind: FaultKind) -> Self {
        Fault { when, kind, method: None }
    }

    /// The same fault for one method only.
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.to_lowercase());
        self
    }
}

/// How often each fault was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Vec<u64>);

impl Counters {
    /// The faults that strike now: `calls` tells whether a call or a request is asked about.
    pub(super) fn strike(&mut self, plan: &[Fault], seed: u64, method: &str, calls: bool) -> Vec<FaultKind> {
        self.0.resize(plan.len(), 0);
        let mut out = Vec::new();
        for (at, (fault, seen)) in plan.iter().zip(&mut self.0).enumerate() {
            let applies = fault.method.as_deref().is_none_or(|m| m == method);
            if fault.kind.strikes_calls() != calls || !applies {
                continue;
            }
            *seen += 1;
            let strikes = match fault.when {
                Trigger::Nth(n) => *seen == n,
                Trigger::Every(n) => n > 0 && seen.is_multiple_of(n),
                Trigger::From(n) => *seen >= n,
                Trigger::Probability(p) => {
                    let drawn = hash(seed, *seen as i64, &format!("fault {at}"));
                    (drawn >> 11) as f64 / (1u64 << 53) as f64 >= 1.0 - p
                }
            };
            if strikes {
                out.push(fault.kind.clone());
            }
        }
        out
    }
}

/// Adds a bare record with the next free id, as a person would.
pub(super) fn insert_row(portal: &mut Portal, entity: Entity, now: &str) {
    let id = portal.next_id(entity);
    let mut row = Record::new();
    let name = match entity {
        Entity::Contact => "LAST_NAME",
        Entity::Product => "NAME",
        Entity::Activity => "SUBJECT",
        Entity::Comment => "COMMENT",
        _ => "TITLE",
    };
    for (key, value) in [("ID", id.to_string()), (name, format!("Added {id}"))] {
        row.insert(key.into(), Value::String(value));
    }
    for key in ["DATE_CREATE", "DATE_MODIFY"] {
        row.insert(key.into(), Value::String(now.to_owned()));
    }
    portal.records.entry(entity).or_default().insert(id, row);
}

/// Deletes the record with the smallest id, and its links.
pub(super) fn delete_row(portal: &mut Portal, entity: Entity) {
    let first = portal.records.get(&entity).and_then(|t| t.keys().next().copied());
    if let Some(id) = first {
        portal.remove_record(entity, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_count_only_what_they_apply_to() {
        let plan = vec![
            Fault::new(Trigger::Nth(2), FaultKind::RateLimit),
            Fault::new(Trigger::Every(2), FaultKind::ServerError).on("Profile"),
            Fault::new(Trigger::Nth(1), FaultKind::ShortPage),
        ];
        let mut c = Counters::default();
        let mut strike = |method: &str, calls| format!("{:?}", c.strike(&plan, 0, method, calls));
        assert_eq!(strike("profile", false), "[]");
        assert_eq!(strike("scope", false), "[RateLimit]");
        assert_eq!(strike("profile", false), "[ServerError]");
        assert_eq!(strike("profile", true), "[ShortPage]");
    }

    #[test]
    fn chance_is_a_function_of_the_seed() {
        let plan = vec![Fault::new(Trigger::Probability(0.25), FaultKind::RateLimit)];
        let run = |seed| {
            let mut c = Counters::default();
            (0..4000).map(|_| c.strike(&plan, seed, "x", false).len()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let struck: usize = run(7).iter().sum();
        assert!((850..1150).contains(&struck), "{struck}");
    }
}
