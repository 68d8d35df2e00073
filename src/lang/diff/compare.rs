//! The state of one comparison, and its order: heads, rules, values, owners, the rest. Each part has a file.

use super::bounds::{Bounds, Population, Tally};
use super::names::Matched;
use super::show::Scope;
use super::{Action, At, Change, Diff, Loss, Pair, Side, Subject, Touch};
use crate::lang::plan::{Flatten, Map};

/// The state of one comparison.
pub(super) struct Context<'a> {
    pub old: Side<'a>,
    pub new: Side<'a>,
    pub matched: Matched,
    pub changes: Vec<Change>,
    /// Custom fields under another label: object, old label, new label.
    /// Reasons that rules take over from rows, on both sides.
    pub row_reasons: (std::collections::BTreeSet<String>, std::collections::BTreeSet<String>),
    pub relabelled: Vec<(String, String, String)>,
}

/// A change before its count is known.
pub(super) struct Draft {
    pub subject: Subject,
    pub action: Action,
    pub id: String,
    pub what: String,
    pub loss: Loss,
    pub old: Option<At>,
    pub new: Option<At>,
    pub touches: Vec<Touch>,
}

pub(super) fn run<'a>(old: Side<'a>, new: Side<'a>) -> Diff {
    let mut context = Context {
        old,
        new,
        matched: Matched::of(old, new),
        changes: Vec::new(),
        row_reasons: (super::reasons::of_rows(old), super::reasons::of_rows(new)),
        relabelled: Vec::new(),
    };
    context.settings();
    context.schemas();
    context.maps();
    context.splits();
    context.flattens();
    context.tables();
    context.pipelines();
    context.owners();
    context.functions();
    context.provision();
    context.requirements();
    context.order();
    context.budget();
    context.acceptances();
    context.open();
    let mut changes = context.changes;
    // Stable: within a subject the order of the new spec stays.
    changes.sort_by_key(|change| (change.action == Action::Renamed, change.subject));
    Diff { changes, maps: context.matched.maps }
}

impl<'a> Context<'a> {
    pub fn at_old(&self, line: u32) -> Option<At> {
        at(self.old, line)
    }

    pub fn at_new(&self, line: u32) -> Option<At> {
        at(self.new, line)
    }

    pub fn population(&self, object: &str) -> Option<Population<'a>> {
        Population::of(object, self.old, self.new)
    }

    /// A change that touches these records of one object.
    pub fn push(&mut self, draft: Draft, object: &str, bounds: Option<Bounds>) {
        let population = self.population(object);
        let mut tally = Tally::default();
        let known = population.filter(|_| bounds.is_some());
        tally.add(object, known, bounds.unwrap_or(Bounds::NONE));
        self.push_counted(draft, tally);
    }

    pub fn push_counted(&mut self, draft: Draft, tally: Tally<'_>) {
        let (object, count, of) = tally.finish();
        let Draft { subject, action, id, what, loss, old, new, touches } = draft;
        self.changes.push(Change { subject, action, id, what, object, count, of, loss, old, new, touches });
    }

    /// A change that is not about records.
    pub fn note(
        &mut self,
        subject: Subject,
        action: Action,
        id: String,
        what: String,
        at: (Option<At>, Option<At>),
    ) {
        self.changes.push(Change {
            subject,
            action,
            id,
            what,
            object: String::new(),
            count: crate::lang::finding::Count::None,
            of: None,
            loss: Loss::Same,
            old: at.0,
            new: at.1,
            touches: Vec::new(),
        });
    }

    /// The map that the new plan has under an index of either plan.
    pub fn pair_of_new(&self, new: usize) -> Pair {
        let found = self.matched.maps.iter().find(|pair| pair.new == Some(new));
        found.copied().unwrap_or(Pair { old: None, new: Some(new) })
    }

    pub fn pair_of_old(&self, old: usize) -> Pair {
        let found = self.matched.maps.iter().find(|pair| pair.old == Some(old));
        found.copied().unwrap_or(Pair { old: Some(old), new: None })
    }
}

fn at(side: Side<'_>, line: u32) -> Option<At> {
    if line == 0 {
        return None;
    }
    let (file, line) = side.plan.place(line);
    let file = if file.is_empty() { side.text.name() } else { file };
    Some(At { file: file.to_owned(), line })
}

/// The scope of a map's rules.
pub(super) fn scope_of<'a>(side: Side<'a>, map: &'a Map) -> Scope<'a> {
    Scope::of(side.source.object(&map.source), Some(&map.reads))
}

/// The scope of the rules of a flatten.
pub(super) fn scope_of_flatten<'a>(side: Side<'a>, flatten: &'a Flatten) -> Scope<'a> {
    let into = side.plan.maps.get(usize::from(flatten.into));
    Scope {
        outer: into.and_then(|map| side.source.object(&map.source)),
        ..Scope::of(side.source.object(&flatten.source), Some(&flatten.reads))
    }
}

/// `takes … instead of …`
pub(super) fn instead(new: &str, old: &str) -> String {
    format!("`{new}` instead of `{old}`")
}
