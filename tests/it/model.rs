//! The state machine of create, search, adopt and sweep, model-checked: every order of answers that come, are lost or
//! come late, of deaths and of looks. Follows `engine/once.rs` and `engine/close.rs`; a test replays its paths on the
//! engine.
//!
//! One record is modelled, since nothing that the protocol decides depends on another one. Time is modelled by what it
//! brings about: the wait for a dead request is one step, after which an abandoned request can do nothing more and
//! what was written is found, as far as the assumptions say so.

use stateright::{Checker, Model, Property};

/// What the promise rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Assumptions {
    /// What is written is found within the bound.
    pub visible: bool,
    /// A request that was given up is dead within the bound.
    pub dead: bool,
    /// One process writes.
    pub one_writer: bool,
    /// A commit is on the disk when it returns.
    pub fsync: bool,
    /// The marker is written with the record.
    pub marker: bool,
    /// What arrives twice does so at once: something on the way sends a request again before anybody has its answer.
    pub at_once: bool,
    /// The destination tells when a record was changed, so that what arrived twice is told from a person's copy.
    pub told: bool,
    /// A person copies a record later than a request for it can still take effect.
    pub apart: bool,
    /// How many copies a person makes, marker and all; no assumption, like the next.
    pub copies: u8,
    /// How many requests arrive twice; no assumption, but a shorter way to two records than others have.
    pub twice: u8,
}

pub const ALL: Assumptions = Assumptions {
    visible: true,
    dead: true,
    one_writer: true,
    fsync: true,
    marker: true,
    at_once: true,
    told: true,
    apart: true,
    copies: 1,
    twice: 1,
};

/// Nobody copies anything: for the shortest way to what an assumption keeps away.
const QUIET: Assumptions = Assumptions { copies: 0, ..ALL };

/// Creates that a process sends at most; the engine's six would show nothing that two do not.
const SENDS: u8 = 2;
const CRASHES: u8 = 2;

/// A line of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    Intent,
    Unknown,
    Failed,
    /// With the record, and whether it was found by its marker.
    Done(u8, bool),
}

/// What the books say of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Books {
    Open,
    Has(u8),
    /// Held back, with the reason.
    Held,
}

/// Where a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Down,
    Begin,
    Intended,
    Waiting,
    GaveUp,
    LookedOnce,
    Loaded,
    Closed,
    /// Ended with a cause that it named.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub at: At,
    /// Creates that it has sent.
    sent: u8,
}

/// A request on its way, or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Packet {
    by: u8,
    /// Nobody waits for its answer.
    abandoned: bool,
    /// The record of its answer.
    answer: Option<u8>,
    /// It was sent again on the way: nobody knows of it, so nobody waits until it is dead.
    again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stored {
    id: u8,
    /// Searches and lists show it.
    visible: bool,
    /// A request that arrived twice made it beside the record that it answered with.
    beside: bool,
    /// A person made it as a copy of another one.
    copy: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub journal: Vec<Line>,
    pub books: Books,
    durable: (Vec<Line>, Books),
    pub processes: [Process; 2],
    net: Vec<Packet>,
    there: Vec<Stored>,
    /// Records that were ever made.
    pub made: u8,
    crashes: u8,
    twice: u8,
    copies: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Intend(u8),
    Send(u8),
    /// The destination does what a request asks.
    Arrive(u8),
    /// And does it once more.
    ArriveTwice(u8),
    /// A request is lost on its way.
    Vanish(u8),
    /// The process reads the answer.
    Answer(u8),
    GiveUp(u8),
    Look(u8),
    /// The wait until the request is dead, and the second look.
    LookAgain(u8),
    Sweep(u8),
    Crash(u8),
    Restart(u8),
    /// Searches catch up with a record.
    Show(u8),
    /// A person copies a record.
    Copy(u8),
}

impl Assumptions {
    fn processes(&self) -> u8 {
        if self.one_writer { 1 } else { 2 }
    }

    /// What the wait for a dead request brings about.
    fn wait(&self, state: &mut State) {
        if self.dead {
            state.net.retain(|packet| !packet.abandoned || packet.again);
        }
        if self.visible {
            state.there.iter_mut().for_each(|stored| stored.visible = true);
        }
    }

    fn found(&self, state: &State) -> Vec<u8> {
        let seen = state.there.iter().filter(|stored| self.marker && stored.visible);
        seen.map(|stored| stored.id).collect()
    }

    fn make(&self, state: &mut State, beside: bool) -> u8 {
        let id = state.made;
        state.made += 1;
        state.there.push(Stored { id, visible: false, beside, copy: false });
        id
    }

    /// A create is done: the record was found, or the answer told it.
    fn done(&self, state: &mut State, by: u8, id: u8, found: bool) {
        if let Some(last) = state.journal.last_mut() {
            *last = Line::Done(id, found);
        }
        // Without its marker nothing could be found again: the run ends there.
        if self.marker || found {
            state.books = Books::Has(id);
            state.processes[usize::from(by)].at = At::Loaded;
        } else {
            state.processes[usize::from(by)].at = At::Stopped;
        }
    }

    fn sweep(&self, state: &mut State, by: u8) {
        self.wait(state);
        let seen = self.found(state);
        let ours = match state.books {
            Books::Has(id) => Some(id),
            _ => seen.first().copied(),
        };
        let others: Vec<u8> = seen.into_iter().filter(|id| Some(*id) != ours).collect();
        // A double holds what ours held. It is of our own making where it was also changed within the window of a
        // request; where the destination does not tell, a create without an answer has to do.
        let doubtful = state.journal.len() > 1 || !matches!(state.journal.last(), Some(Line::Done(_, false)));
        let in_time = |stored: &Stored| !stored.copy || !self.apart;
        let is_ours = |stored: &Stored| match self.told {
            true => in_time(stored) && (doubtful || stored.beside || stored.copy),
            false => doubtful,
        };
        let takes = |stored: &Stored| others.contains(&stored.id) && is_ours(stored);
        let taken: Vec<Stored> = state.there.iter().copied().filter(takes).collect();
        if let Some(id) = ours {
            state.books = Books::Has(id);
        }
        state.there.retain(|stored| !taken.contains(stored));
        let at = if taken.len() == others.len() { At::Closed } else { At::Stopped };
        state.processes[usize::from(by)].at = at;
    }
}

impl Model for Assumptions {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let begin =
            |number| Process { at: if number < self.processes() { At::Begin } else { At::Down }, sent: 0 };
        vec![State {
            journal: Vec::new(),
            books: Books::Open,
            durable: (Vec::new(), Books::Open),
            processes: [begin(0), begin(1)],
            net: Vec::new(),
            there: Vec::new(),
            made: 0,
            crashes: 0,
            twice: 0,
            copies: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for by in 0..self.processes() {
            let process = state.processes[usize::from(by)];
            match process.at {
                At::Begin => actions.push(Action::Intend(by)),
                At::Intended => actions.push(Action::Send(by)),
                At::Waiting => {
                    if state.net.iter().any(|p| p.by == by && !p.abandoned && p.answer.is_some()) {
                        actions.push(Action::Answer(by));
                    }
                    actions.push(Action::GiveUp(by));
                }
                At::GaveUp => actions.push(Action::Look(by)),
                At::LookedOnce => actions.push(Action::LookAgain(by)),
                At::Loaded => actions.push(Action::Sweep(by)),
                At::Down => actions.push(Action::Restart(by)),
                At::Closed | At::Stopped => {}
            }
            if !matches!(process.at, At::Down | At::Closed | At::Stopped) && state.crashes < CRASHES {
                actions.push(Action::Crash(by));
            }
        }
        for (at, packet) in (0u8..).zip(&state.net) {
            if packet.answer.is_none() {
                actions.extend([Action::Arrive(at), Action::Vanish(at)]);
                if state.twice < self.twice && !packet.again {
                    actions.push(Action::ArriveTwice(at));
                }
            }
        }
        actions.extend(state.there.iter().filter(|s| !s.visible).map(|s| Action::Show(s.id)));
        if state.copies < self.copies && !ended(state) {
            actions.extend(state.there.iter().filter(|s| !s.copy).map(|s| Action::Copy(s.id)));
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Intend(by) => match (state.books, state.journal.last().copied()) {
                (Books::Has(_) | Books::Held, _) => state.processes[usize::from(by)].at = At::Loaded,
                (Books::Open, None | Some(Line::Failed)) => {
                    state.journal.push(Line::Intent);
                    state.processes[usize::from(by)].at = At::Intended;
                }
                // What an earlier process may have made.
                (Books::Open, Some(Line::Done(id, _))) => {
                    let there = state.there.iter().any(|stored| stored.id == id);
                    state.books = if there { Books::Has(id) } else { Books::Held };
                    state.processes[usize::from(by)].at = At::Loaded;
                }
                (Books::Open, Some(Line::Intent | Line::Unknown)) => {
                    state.processes[usize::from(by)].at = At::GaveUp;
                }
            },
            Action::Send(by) => {
                state.net.push(Packet { by, abandoned: false, answer: None, again: false });
                let process = &mut state.processes[usize::from(by)];
                process.at = At::Waiting;
                process.sent += 1;
            }
            Action::Arrive(at) | Action::ArriveTwice(at) => {
                let again = state.net[usize::from(at)].again;
                let id = self.make(&mut state, again);
                if matches!(action, Action::ArriveTwice(_)) {
                    state.twice += 1;
                    if self.at_once {
                        self.make(&mut state, true);
                    } else {
                        let by = state.net[usize::from(at)].by;
                        state.net.push(Packet { by, abandoned: true, answer: None, again: true });
                    }
                }
                if state.net[usize::from(at)].abandoned {
                    state.net.remove(usize::from(at));
                } else {
                    state.net[usize::from(at)].answer = Some(id);
                }
            }
            Action::Vanish(at) => {
                state.net.remove(usize::from(at));
            }
            Action::Answer(by) => {
                let at = state.net.iter().position(|p| p.by == by && !p.abandoned && p.answer.is_some())?;
                let id = state.net.remove(at).answer?;
                self.done(&mut state, by, id, false);
            }
            Action::GiveUp(by) => {
                abandon(&mut state, by);
                if let Some(last) = state.journal.last_mut() {
                    *last = Line::Unknown;
                }
                state.processes[usize::from(by)].at = At::GaveUp;
            }
            Action::Look(by) => match self.found(&state).first() {
                Some(id) => self.done(&mut state, by, *id, true),
                None => state.processes[usize::from(by)].at = At::LookedOnce,
            },
            Action::LookAgain(by) => {
                self.wait(&mut state);
                match self.found(&state).first() {
                    Some(id) => self.done(&mut state, by, *id, true),
                    None if state.processes[usize::from(by)].sent < SENDS => {
                        if let Some(last) = state.journal.last_mut() {
                            *last = Line::Failed;
                        }
                        state.processes[usize::from(by)].at = At::Begin;
                    }
                    None => {
                        state.books = Books::Held;
                        state.processes[usize::from(by)].at = At::Loaded;
                    }
                }
            }
            Action::Sweep(by) => self.sweep(&mut state, by),
            Action::Crash(by) => {
                abandon(&mut state, by);
                state.processes[usize::from(by)] = Process { at: At::Down, sent: 0 };
                state.crashes += 1;
                (state.journal, state.books) = state.durable.clone();
            }
            Action::Restart(by) => state.processes[usize::from(by)].at = At::Begin,
            Action::Show(id) => {
                state.there.iter_mut().filter(|s| s.id == id).for_each(|stored| stored.visible = true);
            }
            Action::Copy(_) => {
                let id = self.make(&mut state, false);
                state.there.iter_mut().filter(|s| s.id == id).for_each(|stored| stored.copy = true);
                state.copies += 1;
            }
        }
        if self.fsync {
            state.durable = (state.journal.clone(), state.books);
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no loss", |_, state: &State| {
                !ended(state)
                    || match state.books {
                        Books::Has(id) => state.there.iter().any(|stored| stored.id == id),
                        // What is held back by name is not there.
                        Books::Held | Books::Open => state.there.is_empty() || stopped(state),
                    }
            }),
            Property::always("no lasting double", |_, state: &State| {
                !ended(state) || state.there.iter().filter(|stored| !stored.copy).count() <= 1
            }),
            Property::always("what a person copied stays", |_, state: &State| {
                state.there.iter().filter(|stored| stored.copy).count() == usize::from(state.copies)
            }),
            Property::sometimes("a second record is taken away", |_, state: &State| {
                ended(state)
                    && state.twice > 0
                    && state.copies == 0
                    && state.made == 2
                    && state.there.len() == 1
            }),
            Property::sometimes("arrives", |_, state: &State| {
                ended(state) && matches!(state.books, Books::Has(_)) && state.there.len() == 1
            }),
            Property::sometimes("is held back", |_, state: &State| {
                ended(state) && state.books == Books::Held
            }),
        ]
    }
}

/// Nobody waits for what a process has sent any more; an answer that was on its way is lost.
fn abandon(state: &mut State, by: u8) {
    state.net.retain(|packet| packet.by != by || packet.answer.is_none());
    state.net.iter_mut().filter(|packet| packet.by == by).for_each(|packet| packet.abandoned = true);
}

/// Every process is through, and nothing can happen any more.
fn ended(state: &State) -> bool {
    let through = |process: &Process| matches!(process.at, At::Closed | At::Stopped | At::Down);
    state.net.is_empty()
        && state.processes.iter().all(through)
        && state.processes.iter().any(|process| process.at != At::Down)
}

fn stopped(state: &State) -> bool {
    state.processes.iter().any(|process| process.at == At::Stopped)
}

#[test]
fn nothing_is_lost_and_nothing_lasts_twice() {
    let checked = ALL.checker().spawn_bfs().join();
    println!("{} states", checked.unique_state_count());
    checked.assert_properties();
    assert!(checked.unique_state_count() > 500, "{}", checked.unique_state_count());
}

#[test]
fn each_assumption_that_is_dropped_has_its_counterexample() {
    for (name, dropped) in [
        ("what is written is found within the bound", Assumptions { visible: false, twice: 0, ..QUIET }),
        (
            "a request that was given up is dead within the bound",
            Assumptions { dead: false, twice: 0, ..QUIET },
        ),
        ("one process writes", Assumptions { one_writer: false, twice: 0, ..QUIET }),
        ("a commit is on the disk when it returns", Assumptions { fsync: false, twice: 0, ..QUIET }),
        ("the marker is written with the record", Assumptions { marker: false, twice: 0, ..QUIET }),
        ("what arrives twice does so at once", Assumptions { at_once: false, ..QUIET }),
        ("the destination tells when a record was changed", Assumptions { told: false, ..QUIET }),
    ] {
        // The shortest one.
        let path = (4..40)
            .find_map(|depth| {
                dropped.checker().target_max_depth(depth).spawn_bfs().join().discovery("no lasting double")
            })
            .unwrap_or_else(|| {
                panic!("without `{name}` nothing goes wrong: it is not needed, or not modelled")
            });
        let last = path.last_state().clone();
        let actions: Vec<String> = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
        println!("without `{name}`: {} leaves {} records", actions.join(", "), last.there.len());
        assert!(last.there.len() > 1);
    }
}

#[test]
fn a_copy_is_lost_only_where_nothing_tells_it_from_ours() {
    for (name, dropped) in [
        ("the destination tells when a record was changed", Assumptions { told: false, twice: 0, ..ALL }),
        (
            "a person copies a record later than a request can take effect",
            Assumptions { apart: false, twice: 0, ..ALL },
        ),
    ] {
        let path = (4..40).find_map(|depth| {
            let checked = dropped.checker().target_max_depth(depth).spawn_bfs().join();
            checked.discovery("what a person copied stays")
        });
        let path = path.unwrap_or_else(|| panic!("without `{name}` no copy is lost: it is not needed"));
        let actions: Vec<String> = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
        println!("without `{name}`: {} takes a copy away", actions.join(", "));
    }
}

/// The paths of one record, on the model and on the engine.
#[cfg(debug_assertions)]
mod replay {
    use std::cell::Cell;

    use b2n::run::engine::{Error, Interrupted, Points};
    use b2n::run::workspace::{Entry, JournalState, Operation};
    use stateright::Model;

    use super::{ALL, Action, At, Line, State};
    use crate::sim::oracle::ghosts;
    use crate::sim::wire::{Hub, Phase, Side, Strike, Trouble, What, When};
    use crate::sim::yard::Yard;

    /// What becomes of a request.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fate {
        Answered,
        /// Answered, and done twice.
        Twice,
        /// Done, and the answer is lost.
        Lost,
        /// Done after it was given up, before the first look.
        Late,
        /// Done after the first look, before the second.
        Later,
        Never,
    }

    const FATES: [Fate; 5] = [Fate::Answered, Fate::Twice, Fate::Lost, Fate::Late, Fate::Later];

    impl Fate {
        fn trouble(self) -> Trouble {
            match self {
                // Counted as a fault that does nothing, so that each request is counted.
                Fate::Answered => Trouble::ClockStep(0),
                Fate::Twice => Trouble::Twice,
                Fate::Lost => Trouble::Lost,
                Fate::Late => Trouble::Late(61_500),
                Fate::Later => Trouble::Late(100_000),
                Fate::Never => Trouble::Timeout,
            }
        }
    }

    /// The model along one path; each step must be one that it allows.
    fn modelled(fates: &[Fate], dies_at: Option<usize>) -> State {
        let mut state = ALL.init_states().remove(0);
        let step = |state: &mut State, action: Action| {
            let mut actions = Vec::new();
            ALL.actions(state, &mut actions);
            assert!(actions.contains(&action), "{action:?} is not possible in {state:?}");
            *state = ALL.next_state(state, action).expect("a state");
        };
        for (number, fate) in fates.iter().enumerate() {
            // After a death, what comes first is a look.
            while state.processes[0].at == At::Begin {
                step(&mut state, Action::Intend(0));
            }
            step(&mut state, Action::Send(0));
            let dies = dies_at == Some(number);
            if matches!(fate, Fate::Answered | Fate::Lost) {
                step(&mut state, Action::Arrive(0));
                step(&mut state, Action::Show(0));
            }
            if *fate == Fate::Twice {
                step(&mut state, Action::ArriveTwice(0));
                step(&mut state, Action::Show(0));
                step(&mut state, Action::Show(1));
            }
            if dies {
                step(&mut state, Action::Crash(0));
                step(&mut state, Action::Restart(0));
                step(&mut state, Action::Intend(0));
            } else if matches!(fate, Fate::Answered | Fate::Twice) {
                step(&mut state, Action::Answer(0));
            } else {
                step(&mut state, Action::GiveUp(0));
            }
            if state.processes[0].at != At::GaveUp {
                break;
            }
            if *fate == Fate::Late {
                step(&mut state, Action::Arrive(0));
                step(&mut state, Action::Show(0));
            }
            step(&mut state, Action::Look(0));
            if *fate == Fate::Later {
                step(&mut state, Action::Arrive(0));
            }
            if state.processes[0].at == At::LookedOnce {
                step(&mut state, Action::LookAgain(0));
            }
        }
        step(&mut state, Action::Sweep(0));
        state
    }

    /// Dies when the answer of a certain request is there, or is given up.
    struct DieAfter<'a> {
        hub: &'a Hub,
        struck: u64,
        armed: Cell<bool>,
    }

    impl Points for DieAfter<'_> {
        fn reach(&self, point: &'static str) -> Result<(), Interrupted> {
            if self.armed.get() && point == "load.answered" && self.hub.struck() == self.struck {
                self.armed.set(false);
                return Err(Interrupted);
            }
            Ok(())
        }
    }

    /// The engine along the same path: the first lead that it makes.
    fn engine(fates: &[Fate], dies_at: Option<usize>) -> (Vec<Entry>, Yard) {
        let mut yard = Yard::new(1, 3);
        yard.settings.in_flight = 1;
        let strikes: Vec<Strike> = (1u64..)
            .zip(fates)
            .map(|(number, fate)| Strike {
                side: Side::Account,
                phase: Some(Phase::Load),
                what: What::Method("newLead"),
                when: When::From(number, 1),
                trouble: fate.trouble(),
            })
            .collect();
        yard.hub.strike(&strikes);
        let struck = dies_at.map_or(u64::MAX, |number| number as u64 + 1);
        let points = DieAfter { hub: &yard.hub, struck, armed: Cell::new(true) };
        let first = yard.migrate(&points);
        assert_eq!(matches!(first, Err(Error::Interrupted)), dies_at.is_some(), "{fates:?} {dies_at:?}");
        if dies_at.is_some() {
            yard.migrate(&points)
                .map(|_| ())
                .unwrap_or_else(|error| panic!("{fates:?} {dies_at:?}: {error}"));
        }
        let first = &yard.workspace.staged_page("lead", 0, 100).expect("leads");
        let written =
            first.iter().map(|record| yard.workspace.writes_of("inbound", &record.key).expect("a journal"));
        let written = written.min_by_key(|entries| entries.first().map_or(i64::MAX, |entry| entry.seq));
        (written.expect("a lead"), yard)
    }

    #[test]
    fn the_engine_goes_where_the_model_goes() {
        let mut paths = 0;
        for nevers in 0..=1 {
            for last in FATES {
                let mut fates = vec![Fate::Never; nevers];
                fates.push(last);
                for dies_at in [None].into_iter().chain((0..fates.len()).map(Some)) {
                    let state = modelled(&fates, dies_at);
                    let (entries, yard) = engine(&fates, dies_at);
                    let creates: Vec<Line> = entries
                        .iter()
                        .filter(|entry| entry.intent.operation == Operation::Create)
                        .map(|entry| match entry.state {
                            JournalState::Intent => Line::Intent,
                            JournalState::Unknown => Line::Unknown,
                            JournalState::Failed => Line::Failed,
                            JournalState::Done => Line::Done(0, entry.note.is_some()),
                        })
                        .collect();
                    assert_eq!(creates, state.journal, "{fates:?}, death at {dies_at:?}");
                    let made = if last == Fate::Twice { 2 } else { 1 };
                    assert_eq!(
                        (state.processes[0].at, state.made),
                        (At::Closed, made),
                        "{fates:?}, {dies_at:?}"
                    );
                    // What was taken away again.
                    assert_eq!(ghosts(&yard).len(), usize::from(made) - 1, "{fates:?}, death at {dies_at:?}");
                    let leads = yard.account.markers("Leads", "Bitrix24 key");
                    assert!(leads.values().all(|ids| ids.len() == 1), "{fates:?}, {dies_at:?}: {leads:?}");
                    paths += 1;
                }
            }
        }
        println!("{paths} paths");
    }
}
