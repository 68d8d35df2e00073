//! The checker: names, types, absence and failure, exhaustiveness, coverage, fidelity, capability, references and
//! order; a spec and two schemas become a plan and findings.
//!
//! Never fails: it returns all findings of a spec in one run, and a plan when none of them is an error. Owns every
//! judgement that can be made without records. Must not know a vendor (what systems can do stands in their schemas),
//! a file, a clock (`today` is handed in) or a connector.
//!
//! INVARIANT: a checked plan never fails by type when it runs, writes every required field of the destination or
//! holds the record back, and accounts for every field of a mapped source object.

mod accept;
mod arm;
mod budget;
mod claims;
mod counts;
mod cover;
mod custom;
mod drops;
mod expr;
mod fidelity;
mod fit;
mod flatten;
mod fold;
mod forms;
mod function;
mod hole;
mod items;
mod kept;
mod lines;
mod link;
mod map;
mod meant;
mod names;
mod notes;
mod order;
mod owners;
mod paths;
mod pipeline;
pub mod profile;
mod rule;
pub mod sample_schema;
mod split;
mod stages;
mod summary;
mod table;
mod types;
mod unread;
mod walk;

#[cfg(test)]
mod construct_soundness_tests;
#[cfg(test)]
mod construct_tests;
#[cfg(test)]
mod items_tests;
#[cfg(test)]
mod soundness_tests;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use jiff::civil::Date;

use crate::lang::finding::{Code, Finding, Severity, registry as codes};
use crate::lang::plan::{self, Plan, Requirement};
use crate::lang::schema::{Object, Schema};
use crate::lang::syntax::ast;
use crate::lang::text::{SourceText, Span};

pub use summary::{DroppedField, MapFidelity, RuleFidelity, fidelity_text};

use items::Items;
use names::Entries;

pub use accept::Accepted;

/// What a check looks at.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The spec as a tree.
    pub spec: &'a ast::Spec,
    /// The text that the spec was read from, for lines and for what messages quote.
    pub text: &'a SourceText,
    /// The source's schema; without it nothing that depends on it is checked and no plan is made.
    pub source: Option<&'a Schema>,
    /// The destination's schema; likewise.
    pub target: Option<&'a Schema>,
    /// Hash of the source's schema, statistics apart.
    pub source_hash: &'a str,
    /// Hash of the destination's schema.
    pub target_hash: &'a str,
    /// The source snapshot's file, for notes.
    pub source_name: &'a str,
    /// The destination snapshot's file, for notes.
    pub target_name: &'a str,
    /// The day, in UTC, against which the age of snapshots counts.
    pub today: Date,
    /// What parsing could not read: what these lines speak of is not reported as missing.
    pub broken: &'a [Span],
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The plan; only where no finding is an error, open decisions (`todo`) apart: those stand in [`Plan::open`].
    pub plan: Option<Plan>,
    /// All findings, by their place in the spec.
    pub findings: Vec<Finding>,
    /// What is kept and what is lost, map by map; empty where nothing could be checked.
    pub fidelity: Vec<MapFidelity>,
    /// Findings that somebody has agreed to; they are not among the others.
    pub accepted: Vec<Accepted>,
    /// What of profiles does not apply to these two systems.
    pub inactive: Vec<profile::Inactive>,
}

/// Checks a spec against two schemas.
///
/// What parsing reported is not reported again: a plan may run only where parsing found no error either.
///
/// The time it takes grows with the size of the spec plus that of the schemas, never with their product; only the
/// search for similar names looks at a whole schema, and a check makes a bounded number of those.
pub fn check(input: &Input<'_>) -> Checked {
    let mut findings = Vec::new();
    let mut inactive = Vec::new();
    let pruned = match (input.source, input.target) {
        (Some(source), Some(target)) if !input.text.parts().is_empty() => {
            let (spec, gone) = profile::prune(input.spec, input.text, source, target);
            inactive = gone;
            Some(spec)
        }
        _ => None,
    };
    let input = &Input { spec: pruned.as_ref().unwrap_or(input.spec), ..*input };
    findings.extend(profile::stray(input.spec, input.text));
    let notes = notes::note_rules(input.spec);
    let items = Items::gather(input.spec);
    items.snapshots(input, &mut findings);
    let zone = items.zone(&mut findings);
    let (mut plan, mut fidelity) = (None, Vec::new());
    if let (Some(source), Some(target)) = (input.source, input.target) {
        let zoned = zone.is_some() || items::unread_item(input, "zone");
        let mut checker = Checker::new(*input, source, target, &notes, zoned);
        checker.findings = std::mem::take(&mut findings);
        let checked = checker.run(&items, zone);
        fidelity = summary::fidelity(&checked, source);
        plan = (!items.twice && !checker.later).then_some(checked);
        findings = checker.findings;
    }
    // What a profile says needlessly is for its author to see, where the profile itself is checked.
    findings.retain(|finding| {
        let theirs = finding.label.as_ref().is_some_and(|label| profile::of_profile(input.text, label.span));
        !(theirs && NEEDLESS.contains(&finding.code))
    });
    if !input.text.parts().is_empty() {
        findings.iter_mut().for_each(|finding| profile::advise(input.spec, input.text, finding));
    }
    let whole = input.source.is_some() && input.target.is_some() && input.broken.is_empty();
    let accepted = accept::accept(&items, input.spec, input.text, input.today, whole, &mut findings);
    findings.sort_by_key(|finding| {
        let span = finding.label.as_ref().map(|label| label.span);
        (span.map(|s| s.start), finding.code, span.map(|s| s.end))
    });
    if findings.iter().any(Finding::forbids_plan) {
        plan = None;
    }
    Checked { plan, findings, accepted, inactive, fidelity }
}

/// The places that parsing could not read, for [`Input::broken`].
pub fn broken(findings: &[Finding]) -> Vec<Span> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.filter_map(|finding| finding.label.as_ref().map(|label| label.span)).collect()
}

/// Findings about words that change nothing.
const NEEDLESS: &[Code] = &[
    codes::DEAD_ROW,
    codes::NEEDLESS_HANDLING,
    codes::UNUSED_ITEM,
    codes::ARM_SHADOWED,
    codes::LOSS_OVERSTATED,
];

/// What is known of a map before its body is looked at.
#[derive(Clone, Copy, Debug)]
struct MapHead<'a> {
    /// The source object, where there is one of this name.
    source: Option<&'a Object>,
    /// The destination object, likewise.
    target: Option<&'a Object>,
}

/// The state of one check.
struct Checker<'a> {
    input: Input<'a>,
    source: &'a Schema,
    target: &'a Schema,
    zoned: bool,
    findings: Vec<Finding>,
    functions: function::Functions<'a>,
    tables: Vec<table::TableInfo>,
    table_names: HashMap<&'a str, usize>,
    pipelines: pipeline::Pipelines,
    maps: Vec<&'a ast::Map>,
    map_names: HashMap<&'a str, usize>,
    heads: Vec<MapHead<'a>>,
    custom: custom::CustomFields,
    covered: cover::Covered,
    /// Objects that are folded into others, or split.
    folded: BTreeSet<String>,
    /// Notes as rules.
    note_rules: &'a notes::NoteRules,
    requires: BTreeSet<Requirement>,
    /// Where `user(…)` was called first.
    users_read: Option<Span>,
    /// Fields of the source's objects, by object.
    fields: HashMap<&'a str, Rc<Entries<'a>>>,
    /// Choices of enumerations, by side and name.
    choices: HashMap<(Side, &'a str), Rc<Entries<'a>>>,
    /// Stage codes of the source, by object.
    stages: HashMap<&'a str, Rc<HashSet<&'a str>>>,
    /// Searches for similar names that may still be made.
    searches: u32,
    /// What was proposed last for a name that nothing bears, by its index.
    guessed: Option<usize>,
    /// Whether a construct of a later version stands somewhere, which parsing reports.
    later: bool,
}

/// A side of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    /// Where records come from.
    Source,
    /// Where they go.
    Target,
}

/// How many searches for similar names one check makes; later findings go without a suggestion.
const SEARCHES: u32 = 200;

impl<'a> Checker<'a> {
    fn new(
        input: Input<'a>,
        source: &'a Schema,
        target: &'a Schema,
        note_rules: &'a notes::NoteRules,
        zoned: bool,
    ) -> Self {
        Checker {
            input,
            source,
            target,
            zoned,
            findings: Vec::new(),
            functions: function::Functions::default(),
            tables: Vec::new(),
            table_names: HashMap::new(),
            pipelines: pipeline::Pipelines::default(),
            maps: Vec::new(),
            map_names: HashMap::new(),
            heads: Vec::new(),
            custom: custom::CustomFields::default(),
            covered: cover::Covered::default(),
            folded: BTreeSet::new(),
            note_rules,
            requires: BTreeSet::new(),
            users_read: None,
            fields: HashMap::new(),
            choices: HashMap::new(),
            stages: HashMap::new(),
            searches: SEARCHES,
            guessed: None,
            later: false,
        }
    }

    fn run(&mut self, items: &Items<'a>, zone: Option<String>) -> Plan {
        let fits = |schema: &Schema| schema.objects.iter().all(|o| o.fields.len() <= usize::from(u16::MAX));
        if !fits(self.source) || items.maps.len() > usize::from(u16::MAX) {
            // INVARIANT: slots and map indices fit 16 bits from here on.
            self.add(
                Finding::new(codes::SNAPSHOT_INVALID, "an object has more than 65 535 fields")
                    .help("leave fields out of the snapshot"),
            );
            return Plan {
                edition: items.edition,
                source: system(self.source, self.input.source_hash),
                target: system(self.target, self.input.target_hash),
                zone,
                ..Plan::default()
            };
        }
        self.heads(items);
        self.names_of_objects();
        self.declare_custom();
        self.declare_folded(items);
        let owners = self.owners(items.owners);
        let mut tables: Vec<plan::Table> = items.tables.iter().map(|table| self.table(table)).collect();
        self.own_functions();
        let mut pipelines: Vec<plan::Pipeline> = Vec::new();
        for pipeline in &items.pipelines {
            pipelines.push(self.pipeline(pipeline, pipelines.len()));
        }
        let mut edges = order::Edges::default();
        let mut maps: Vec<plan::Map> =
            (0..self.maps.len()).map(|index| self.map(index, &mut edges)).collect();
        let flattens = self.flattens(&items.flattens, &mut maps, &mut edges);
        let splits = self.splits(&items.splits, &mut maps);
        self.functions_end();
        self.tables_end(&items.tables);
        self.pipelines_end(&items.pipelines);
        self.coverage(&maps);
        self.owners_end(items.owners);
        let phases = self.order(items, edges);
        let open = self.open(self.input.spec);
        tables.shrink_to_fit();
        let mut plan = Plan {
            edition: items.edition,
            files: files(self.input.text),
            source: system(self.source, self.input.source_hash),
            target: system(self.target, self.input.target_hash),
            zone,
            maps,
            functions: self.functions.plan(),
            tables,
            pipelines,
            splits,
            flattens,
            owners,
            phases,
            provision: self.custom.provision(),
            requires: std::mem::take(&mut self.requires).into_iter().collect(),
            open,
            ..Plan::default()
        };
        self.budgets(items, &mut plan);
        plan
    }

    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The text of a place, as messages quote it.
    fn quote(&self, span: Span) -> &'a str {
        self.input.text.slice(span)
    }

    /// The line of a place, from 1.
    fn line(&self, span: Span) -> u32 {
        self.input.text.position(span.start).line
    }

    fn require(&mut self, kind: &str, of: &str, name: &str) {
        self.requires.insert(Requirement { kind: kind.to_owned(), of: of.to_owned(), name: name.to_owned() });
    }

    /// The note that tells where a fact about the source stands.
    fn source_note(&self) -> String {
        snapshot_note(self.input.source_name, self.source)
    }

    /// The note that tells where a fact about the destination stands.
    fn target_note(&self) -> String {
        snapshot_note(self.input.target_name, self.target)
    }
}

/// The files of a text, as a plan names them.
fn files(text: &SourceText) -> Vec<plan::File> {
    match text.parts() {
        [] => vec![plan::File { name: text.name().to_owned(), first_line: 1 }],
        parts => parts
            .iter()
            .map(|part| plan::File { name: part.file.name().to_owned(), first_line: part.first_line })
            .collect(),
    }
}

fn system(schema: &Schema, hash: &str) -> plan::System {
    plan::System {
        connector: schema.connector.clone(),
        account: schema.account.clone(),
        schema: hash.to_owned(),
    }
}

fn snapshot_note(name: &str, schema: &Schema) -> String {
    match schema.taken {
        Some(day) => format!("{name}, taken {day}"),
        None => name.to_owned(),
    }
}
