//! Moves records by a plan: extract, place, provision, load, sweep, reconcile; and takes them back.
//!
//! Sees systems through the connector traits only, and the spec through its plan only. Clock, storage, transport
//! and randomness come from outside. Runs on one thread: what is in flight is concurrent, never parallel.

mod adopt;
mod approval;
mod aside;
mod budget;
mod change;
mod close;
mod delta;
pub mod discovery;
pub mod dossier;
mod draw;
mod error;
mod extract;
mod files;
mod forecast;
mod load;
mod notes;
mod once;
mod place;
#[cfg(debug_assertions)]
mod planted;
mod portion;
mod preflight;
mod prepare;
mod progress;
mod proof;
mod proving;
mod provision;
mod pulse;
mod quarantine;
mod readback;
mod reconcile;
mod report;
mod resolve;
mod review;
mod rollback;
mod sample;
mod scope;
mod side_by_side;
mod streams;
mod together;
mod twice;
mod waiting;
mod why;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use crate::lang::eval::Program;
use crate::lang::plan::{self, Plan};
use crate::lang::schema::Schema;
use crate::run::connect::{self, Decode, Encode, Source, Target, outside::Clock};
use crate::run::workspace::{Side, Workspace};

pub use approval::{Expected, Ruled, Unapproved, expected};
pub use change::{Changes, MapChange};
pub use close::standing;
pub use delta::{DELTA_POINTS, ObjectChanges};
pub use error::Error;
pub use extract::{extract, extract_portion};
pub use files::{FileField, FileLine, count_files, files};
pub use forecast::{Floor, Phase, Spent, Volume, floor, most};
#[cfg(debug_assertions)]
pub use planted::Planted;
pub use portion::{Extent, Portion, Share, category};
pub use preflight::Problem;
pub use progress::{Event, Progress};
pub use proof::{Difference, FieldProof, LinkProof, Proof, Shared, SharedValue, Sum, SumKey};
pub use provision::{Check, Item, Made, Making, Ready, Survey, confirmed_items};
pub use pulse::{Counters, Fault, Pulse, counters, pulse};
pub use quarantine::{Cause, Detail, HeldBack, Line, address, detail, held_back, skip};
pub use report::{MapReport, RunReport};
pub use review::{Fate, ReviewAsked, ReviewField, ReviewKind, ReviewMap, ReviewRecord, Reviewed};
pub use rollback::{Announcement, Leftover, ROLLBACK_POINTS, RollbackReport, Standing};
pub use sample::{Sample, Slice};
pub use scope::{RecordName, Retry, Selection};
pub use side_by_side::{Agreement, RuleLine, SampleReport, SampledField, SampledRecord};
pub use streams::{destinations, objects};
pub use why::{Chain, ChainField, FoldedInto, Part, Standing as ChainStanding, Step, Whereabouts};

use scope::Scope;
use streams::Stream;

/// Where a run can end: people press Ctrl-C there, and simulations let the process die there.
pub trait Points {
    /// Called at each named point.
    ///
    /// # Errors
    /// The run is to end here; everything that is durable stays.
    fn reach(&self, point: &'static str) -> std::result::Result<(), Interrupted>;

    /// Whether the run is to end as soon as nothing that it sent is without an answer: nothing new is begun then.
    fn stops(&self) -> bool {
        false
    }
}

/// Points at which a write is under way, or others may be: whoever asks a run to end lets these pass, and
/// [`Points::stops`] ends it when the writes have their answers.
pub const UNDER_WAY: [&str; 10] = [
    "provision.done",
    "load.prepared",
    "load.intent",
    "load.answered",
    "load.edit",
    "load.landed",
    "sweep.delete",
    "rollback.intent",
    "rollback.answered",
    "rollback.settled",
];

/// The run was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

/// Every point that [`Points::reach`] is called with.
pub const POINTS: [&str; 13] = [
    "extract.request",
    "extract.staged",
    "extract.closing",
    "provision.send",
    "provision.done",
    "load.prepared",
    "load.intent",
    "load.answered",
    "load.edit",
    "load.landed",
    "sweep.page",
    "sweep.delete",
    "phase.closed",
];

/// How the engine behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Writes in flight within a phase.
    pub in_flight: usize,
    /// After a write without an answer: how long until the first look for its marker, in milliseconds.
    pub first_look_ms: u64,
    /// After which time an abandoned request can no longer take effect and what it wrote can be found, in
    /// milliseconds. The promise of no lasting double rests on it.
    pub dead_ms: u64,
    /// How often a write is sent at most.
    pub sends: u32,
    /// Whether records move only once a person has confirmed what no API shows ([`Survey::items`]). Off where no
    /// account can act by itself, as in a rehearsal.
    pub confirmed_only: bool,
    /// Whether anything is written only once a person has approved the plan. Off where no account is written, as in a
    /// rehearsal.
    pub approved_only: bool,
    /// Bugs that tests switch on to see that they are caught; not there in release builds.
    #[cfg(debug_assertions)]
    pub planted: Planted,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            in_flight: 4,
            first_look_ms: 3_000,
            dead_ms: 90_000,
            sends: 6,
            confirmed_only: true,
            approved_only: true,
            #[cfg(debug_assertions)]
            planted: Planted::default(),
        }
    }
}

type Result<T> = std::result::Result<T, Error>;

/// What enters a run from outside.
pub struct Outside<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Where the run can end.
    pub points: &'a dyn Points,
    /// Who is told how far it is.
    pub progress: &'a dyn Progress,
}

/// A run of a plan on a workspace.
pub struct Engine<'a> {
    plan: &'a Plan,
    program: Program,
    workspace: &'a Workspace,
    source: &'a dyn Source,
    target: &'a dyn Target,
    /// By map, then by flatten, then by split.
    decoders: Vec<Box<dyn Decode>>,
    /// The maps, then the notes.
    streams: Vec<Stream>,
    outside: Outside<'a>,
    settings: Settings,
    /// Destination records that an adoption in flight has its eye on.
    claimed: RefCell<HashSet<String>>,
    /// What this run loads.
    scope: RefCell<Scope>,
    /// What it has sent.
    spent: forecast::Tally,
    /// Records that several lists under way at once have brought; `None` while there is one at a time.
    together: Cell<Option<u64>>,
    /// Writes without an answer that wait before they are looked for.
    aside: aside::Aside,
    /// This plan's hash.
    plan_hash: String,
    /// Whether what was written was ever gone through again; nothing asks for changes before.
    passed: Cell<bool>,
    /// By stream: its map with the fields that were written once and have no rule any more.
    whole: RefCell<Vec<Rc<plan::Map>>>,
    /// Answers to writes that asked for patience.
    put_off: connect::Meter,
    /// When a write of a stream was last given up without an answer, by a clock that nobody sets.
    given_up: RefCell<BTreeMap<usize, u64>>,
}

/// One decoder per map of a plan, then one per flatten, then one per split, by the source's schema.
///
/// # Errors
/// A connector that is not a source, or an object that the schema does not have.
pub fn decoders(plan: &Plan, schema: &Schema) -> std::result::Result<Vec<Box<dyn Decode>>, String> {
    let maps = plan.maps.iter().map(|map| &map.source);
    let flattens = plan.flattens.iter().map(|flatten| &flatten.source);
    let splits = plan.splits.iter().map(|split| &split.source);
    let all = maps.chain(flattens).chain(splits);
    all.map(|object| connect::decoder(&plan.source.connector, schema, object)).collect()
}

impl<'a> Engine<'a> {
    /// Makes a run ready. `decoders` are those that [`decoders`] gives.
    ///
    /// # Errors
    /// A plan that names what this version does not have.
    pub fn new(
        plan: &'a Plan,
        workspace: &'a Workspace,
        source: &'a dyn Source,
        target: &'a dyn Target,
        decoders: Vec<Box<dyn Decode>>,
        outside: Outside<'a>,
        settings: Settings,
    ) -> Result<Self> {
        let program = Program::compile(plan).map_err(Error::Plan)?;
        if decoders.len() != plan.maps.len() + plan.flattens.len() + plan.splits.len() {
            return Err(Error::Plan("one decoder per map, flatten and split is needed".to_owned()));
        }
        workspace.refuse_forgotten()?;
        streams::refuse_ambiguous(plan)?;
        let streams = streams::streams(plan, workspace)?;
        Ok(Engine {
            plan,
            program,
            workspace,
            source,
            target,
            decoders,
            streams,
            outside,
            settings,
            claimed: RefCell::default(),
            scope: RefCell::default(),
            spent: forecast::Tally::default(),
            together: Cell::new(None),
            aside: aside::Aside::default(),
            plan_hash: plan.hash(),
            passed: Cell::new(workspace.has_passed()?),
            whole: RefCell::default(),
            put_off: connect::Meter::default(),
            given_up: RefCell::default(),
        })
    }

    /// Asks both accounts who they are and binds the workspace to them.
    ///
    /// # Errors
    /// An account that does not answer, or is not the one that the workspace is bound to.
    pub async fn bind(&self) -> Result<(connect::Account, connect::Account)> {
        let source = self.bind_source().await?;
        Ok((source, self.bind_destination().await?))
    }

    /// Asks the destination who it is and binds the workspace to it.
    ///
    /// # Errors
    /// As for [`Engine::bind`].
    pub async fn bind_destination(&self) -> Result<connect::Account> {
        let target = self.target.account().await?;
        if target.id != self.plan.target.account && self.workspace.pinned(Side::Target)?.is_none() {
            // Pinned by mistake, the right account would be refused ever after.
            let (system, expected) = (self.target.label(), self.plan.target.account.clone());
            return Err(connect::Error::WrongAccount { system, expected, found: target.id }.into());
        }
        self.workspace.pin(Side::Target, &target.id)?;
        Ok(target)
    }

    /// Asks the source who it is and binds the workspace to it.
    ///
    /// # Errors
    /// As for [`Engine::bind`].
    pub async fn bind_source(&self) -> Result<connect::Account> {
        extract::bind(self.workspace, self.source, &self.outside).await
    }

    /// Before the first write: markers of this source in the destination mean that another workspace has written
    /// there, and everything would be made twice.
    async fn refuse_other_workspace(&self) -> Result<()> {
        let field = self.marker_field();
        let prefix = self.account_prefix()?;
        let objects: BTreeSet<&str> = self.streams.iter().map(|stream| stream.target.as_str()).collect();
        for object in objects {
            let mut cursor = None;
            loop {
                let page = self.target.list(object, &field, cursor.as_deref()).await?;
                for stored in page.records {
                    if let Some(marker) = stored.marker.filter(|marker| marker.starts_with(prefix.as_str())) {
                        return Err(Error::OtherWorkspace {
                            object: object.to_owned(),
                            id: stored.id,
                            marker,
                        });
                    }
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The snapshot may be of another portal than the one that answers: a test portal, or one that was renamed.
    fn name_other_source(&self, source: &connect::Account) -> Result<()> {
        let expected = &self.plan.source.account;
        let known = [self.workspace.pinned(Side::Source)?].into_iter().flatten();
        let known: Vec<String> = known.chain(self.workspace.aliases(Side::Source)?).collect();
        // Names of one portal stand for each other.
        if source.id != *expected && !known.contains(expected) {
            self.outside.progress.notice(&format!(
                "the snapshot was taken of `{expected}`, but `{}` answers; if that is not the same portal, stop with \
                 Ctrl-C and set its credentials",
                source.id
            ));
        }
        Ok(())
    }

    /// Stages what the maps read; see [`extract`].
    ///
    /// # Errors
    /// Those of [`extract`].
    pub async fn extract(&self) -> Result<()> {
        #[cfg(debug_assertions)]
        if self.settings.planted.cursor_before_rows {
            return extract::cursor_first(self.plan, self.workspace, self.source, &self.outside).await;
        }
        extract(self.plan, self.workspace, self.source, &self.outside).await
    }

    /// The whole way of a migration: preflight, extract, provision, load, close each phase.
    ///
    /// # Errors
    /// Whatever ended it early; the same call goes on from there.
    pub async fn migrate(&self) -> Result<RunReport> {
        self.migrate_part(&Selection::default()).await
    }

    /// As [`Engine::migrate`], for a part of the records; what it leaves is left to a later run.
    ///
    /// # Errors
    /// Whatever ended it early; [`Error::Selection`] before anything is written where a name is not there.
    pub async fn migrate_part(&self, selection: &Selection) -> Result<RunReport> {
        let came_to = self.migrate_selected(selection).await;
        // What ended it matters more than what it met.
        let kept = self.keep_met();
        let run = came_to?;
        kept.map(|()| run)
    }

    async fn migrate_selected(&self, selection: &Selection) -> Result<RunReport> {
        let started = self.outside.clock.now_ms();
        let (source, _) = self.bind().await?;
        self.name_other_source(&source)?;
        self.may_write(selection.sample.map(|sample| sample.records))?;
        let ready = self.preflight().await?;
        let read = self.is_extracted()?;
        self.extract().await?;
        if !read {
            self.has_kept_its_fields().await?;
        }
        self.take_plan(selection)?;
        self.keep_shape()?;
        if self.workspace.writes()? == 0 {
            self.refuse_other_workspace().await?;
        }
        self.place()?;
        // Whatever held records back may be settled by now; a create that happened is found, not repeated.
        let scope = self.select(selection)?;
        self.scope.replace(scope);
        let began = self.outside.clock.now_ms();
        let pace = self.target.pace();
        let kept = dossier::kept_pace(pace);
        let run = self.workspace.transaction(|ws| ws.begin_run("migrate", &self.plan_hash, began, &kept))?;
        self.provision(&ready).await?;
        let encoders = self.encoders().await?;
        let loading = self.outside.clock.now_ms();
        let mut maps = self.load_phases(&encoders).await?;
        // What follows in an earlier phase, or in the same one before what it lacked.
        while self.follow(0..self.plan.maps.len())? {
            maps = self.load_phases(&encoders).await?;
        }
        self.spent.enter(self.plan.phases.len());
        self.write_later(&encoders).await?;
        self.take_away_the_left_out().await?;
        self.close_at_the_end(&mut maps).await?;
        self.tell_what_is_left();
        let now = self.outside.clock.now_ms();
        let spent = self.spent.spent(self.plan.phases.len(), now.abs_diff(loading));
        self.workspace.transaction(|ws| ws.end_run(run, now, &dossier::kept_spent(&spent, pace)))?;
        Ok(RunReport { maps, took_ms: now.abs_diff(started), spent: Some(spent) })
    }

    /// Loads and closes every phase, as far as the scope goes.
    async fn load_phases(&self, encoders: &[Box<dyn Encode>]) -> Result<Vec<MapReport>> {
        let mut books = Vec::new();
        for (index, phase) in self.plan.phases.iter().enumerate() {
            self.spent.enter(index);
            let (number, of) = (index as u64 + 1, self.plan.phases.len() as u64);
            let maps = phase.iter().filter_map(|map| self.plan.maps.get(usize::from(*map)));
            let maps = maps.map(|map| map.name.as_str()).collect();
            self.outside.progress.happened(&Event::PhaseStarted { phase: number, of, maps });
            let before = books.len();
            books.extend(self.split_rows(index)?);
            self.follow(phase.iter().map(|map| usize::from(*map)))?;
            books.extend(self.load_and_close(index, &self.maps_of(phase), encoders).await?);
            books.extend(self.close_folded(index, phase)?);
            books.extend(self.load_and_close(index, &self.notes_of_phase(phase), encoders).await?);
            self.keep_met()?;
            for book in &books[before..] {
                let (quarantined, failed) = (book.tally.quarantined, book.tally.failed);
                if quarantined + failed > 0 {
                    let row = book.map.as_str();
                    self.outside.progress.happened(&Event::Quarantine { row, quarantined, failed });
                }
            }
            self.outside.progress.happened(&Event::PhaseClosed { phase: number, of });
            self.outside.points.reach("phase.closed")?;
            self.within_budget(index, &books)?;
        }
        Ok(books)
    }

    /// Loads and closes streams of a phase; those that nothing is loaded of are only counted.
    async fn load_and_close(
        &self,
        index: usize,
        streams: &[usize],
        encoders: &[Box<dyn Encode>],
    ) -> Result<Vec<MapReport>> {
        let touched = |stream: &usize| self.scope.borrow().touches(self.streams[*stream].map);
        let (now, later): (Vec<usize>, Vec<usize>) = streams.iter().copied().partition(touched);
        for stream in &now {
            self.go_through(*stream, encoders[*stream].as_ref()).await?;
        }
        let with_notes: Vec<(usize, &dyn Encode)> = now
            .iter()
            .copied()
            .chain(self.notes_beside(&now)?)
            .map(|stream| (stream, encoders[stream].as_ref()))
            .collect();
        self.load_together(&with_notes).await?;
        let mut books = self.close(index, &now, encoders).await?;
        for stream in later {
            books.push(self.books(stream, false, 0)?);
        }
        Ok(books)
    }

    /// The notes that are written as the records of these maps land: none where nothing may overtake, and none that a
    /// pass goes through once its records are brought to what the plan says.
    fn notes_beside(&self, maps: &[usize]) -> Result<Vec<usize>> {
        let mut beside = Vec::new();
        for (notes, stream) in self.streams.iter().enumerate() {
            if self.overtakes()
                && stream.notes.is_some()
                && maps.contains(&stream.map)
                && !self.workspace.pass_is_open(&stream.name)?
            {
                beside.push(notes);
            }
        }
        Ok(beside)
    }

    /// The streams of a phase's maps.
    fn maps_of(&self, phase: &[u16]) -> Vec<usize> {
        phase.iter().map(|map| usize::from(*map)).collect()
    }

    /// The streams of the notes that go with records of a phase's maps.
    fn notes_of_phase(&self, phase: &[u16]) -> Vec<usize> {
        let of_phase = |stream: &Stream| {
            stream.notes.is_some() && phase.iter().any(|map| usize::from(*map) == stream.map)
        };
        (0..self.streams.len()).filter(|stream| of_phase(&self.streams[*stream])).collect()
    }

    /// The custom field that carries markers.
    pub fn marker_field(&self) -> String {
        format!("{} key", self.source.label())
    }
}
