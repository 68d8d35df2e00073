//! A small world for thousands of runs: both twins, a clock, ways that fail, and a disk that can lose its power.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;

use b2n::lang::text::SourceText;
use b2n::run::connect;
use b2n::run::connect::outside::{Clock, Random, Transport};
use b2n::run::connect::secret::Credentials;
use b2n::run::engine::{self, Engine, Error, Outside, Points, RollbackReport, RunReport, Settings};
use b2n::run::rehearsal::{SplitMix, VirtualClock};
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{self, Entity, Portal};
use b2n::run::twin::nutshell::{self, Company, Kind};
use b2n::run::workspace::{self, Workspace};

use super::wire::{Hub, Side, Watch, Way};
use crate::whole;
use crate::world::{Checked, DieAt, check_spec};

/// 21 November 2026, noon.
pub const BEGIN_MS: i64 = 1_795_262_400_000;

/// Everything around a run.
pub struct Yard {
    pub checked: Checked,
    pub clock: Rc<VirtualClock>,
    pub hub: Rc<Hub>,
    pub portal: Rc<bitrix24::Twin>,
    pub account: Rc<nutshell::Twin>,
    pub workspace: Workspace,
    pub settings: Settings,
    /// Bugs of the source's connector.
    pub source_bugs: connect::Planted,
    /// Commits return before the disk has them.
    pub unsynced: bool,
    folder: Option<tempfile::TempDir>,
    powered: Cell<u32>,
    seed: u64,
}

/// The example customer with few fields, and everything else that the language can.
pub fn checked() -> Checked {
    static CHECKED: OnceLock<Checked> = OnceLock::new();
    let spec = || {
        let text = format!("{}{}", include_str!("small.b2n"), include_str!("../whole.b2n"));
        check_spec(&SourceText::new("small.b2n", whole::rest_dropped(&text)))
    };
    CHECKED.get_or_init(spec).clone()
}

pub fn tiny() -> Counts {
    Counts { companies: 4, contacts: 5, deals: 5, leads: 4 }
}

impl Yard {
    /// `data` decides what the portal holds, `seed` everything else.
    pub fn new(data: u64, seed: u64) -> Yard {
        Yard::with(Portal::acme_with(tiny(), data), seed)
    }

    pub fn with(portal: Portal, seed: u64) -> Yard {
        let clock = Rc::new(VirtualClock::at(BEGIN_MS));
        let portal = Rc::new(bitrix24::Twin::new(portal, bitrix24::Settings::default()));
        let account =
            Rc::new(nutshell::Twin::new(Company::acme_with_history(), nutshell::Settings::default()));
        typed_in(&portal, &account);
        let hub = Rc::new(Hub::new(&clock, &portal, &account, seed));
        let settings = Settings { confirmed_only: false, approved_only: false, ..Settings::default() };
        Yard {
            checked: checked(),
            clock,
            hub,
            portal,
            account,
            workspace: Workspace::in_memory().expect("a workspace"),
            settings,
            source_bugs: connect::Planted::default(),
            unsynced: false,
            folder: None,
            powered: Cell::new(0),
            seed,
        }
    }

    /// The same with its workspace on a disk.
    pub fn on_disk(mut self) -> Yard {
        let folder = match Path::new("/dev/shm") {
            shm if shm.is_dir() => tempfile::tempdir_in(shm),
            _ => tempfile::tempdir(),
        };
        self.folder = Some(folder.expect("a folder"));
        self.workspace = Workspace::open(&self.path()).expect("a workspace");
        self
    }

    pub fn path(&self) -> PathBuf {
        let folder = self.folder.as_ref().expect("a yard with a disk");
        folder.path().join(format!("{}.b2nw", self.powered.get()))
    }

    /// The machine loses its power: what was not synced is gone, and `torn` bytes of a write that was under way are
    /// there. The process ends with it.
    pub fn power_cut(&mut self, torn: usize) {
        let (old, synced) = (self.path(), self.workspace.syncs().expect("a pragma"));
        self.powered.set(self.powered.get() + 1);
        let new = self.path();
        std::fs::copy(&old, &new).expect("copies");
        let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
        // In WAL mode the file is as the last checkpoint left it, which syncs; commits since stand in the log alone.
        if synced && wal(&old).exists() {
            let mut log = std::fs::read(wal(&old)).expect("reads");
            // A frame that looks like the one before it, cut short: its checksum does not fit.
            let tail = log[log.len().saturating_sub(4_120)..].iter().take(torn).copied().collect::<Vec<u8>>();
            log.extend(tail);
            std::fs::write(wal(&new), log).expect("writes");
        }
        self.workspace = Workspace::open(&new).expect("opens again");
    }

    /// The process ends in order, and another begins.
    pub fn reopen(&mut self) {
        let path = self.path();
        self.workspace = Workspace::in_memory().expect("a workspace");
        self.workspace = Workspace::open(&path).expect("opens again");
    }

    /// One process: lives until the migration ends or it dies.
    pub fn migrate(&self, points: &dyn Points) -> Result<RunReport, Error> {
        self.process(points, async |engine| engine.migrate().await)
    }

    /// One process: lives until the rollback ends or it dies.
    pub fn roll_back(&self, points: &dyn Points) -> Result<RollbackReport, Error> {
        self.process(points, async |engine| {
            let announced = engine.announce_rollback(None).await?;
            engine.roll_back(&announced).await
        })
    }

    pub fn process<T>(
        &self,
        points: &dyn Points,
        work: impl AsyncFnOnce(&Engine<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let ended = self.clock.run(self.run_on(&self.workspace, points, work)).expect("never idle for ever");
        // Death: what was not committed is gone, and what was under way may still arrive.
        self.workspace.abandon();
        ended
    }

    /// A process on this workspace, beside others.
    pub async fn run_on<T>(
        &self,
        workspace: &Workspace,
        points: &dyn Points,
        work: impl AsyncFnOnce(&Engine<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.unsynced {
            workspace.forget_to_sync()?;
        }
        let clock: Rc<dyn Clock> = self.hub.wall.clone();
        let way = |side| -> Rc<dyn Transport> { Rc::new(Way { hub: Rc::clone(&self.hub), side }) };
        let (from, to) = (way(Side::Portal), way(Side::Account));
        let random: Rc<dyn Random> = Rc::new(SplitMix::new(self.seed));
        let credentials = Credentials::from_values(|name| {
            Some(match name {
                "B2N_BITRIX24_WEBHOOK" => "https://acme.bitrix24.com/rest/1/secret/".to_owned(),
                "B2N_NUTSHELL_USER" => "admin@acme.example".to_owned(),
                "B2N_NUTSHELL_KEY" => "key".to_owned(),
                _ => return None,
            })
        });
        let source = connect::source("bitrix24", &credentials, &from, &clock, &random).expect("a source");
        source.plant(self.source_bugs);
        let pace = connect::Pace::default();
        let target = connect::target("nutshell", &credentials, &to, &clock, &random, pace).expect("a target");
        let plan = &self.checked.plan;
        let decoders = engine::decoders(plan, &self.checked.source).expect("decoders");
        let watch = Watch(Rc::clone(&self.hub));
        self.hub.phase.set(super::wire::Phase::Other);
        let outside = Outside { clock: self.hub.wall.as_ref(), points, progress: &watch };
        let (source, target) = (source.as_ref(), target.as_ref());
        let engine = Engine::new(plan, workspace, source, target, decoders, outside, self.settings.clone())?;
        work(&engine).await
    }

    /// Every write that was ever noted, map by map, in the order of each record.
    pub fn journal(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let plan = &self.checked.plan;
        for map in &plan.maps {
            for (stream, object) in [(map.name.clone(), map.source.clone()), notes_of(&map.name)] {
                for record in self.workspace.staged_page(&object, 0, 100_000).expect("staged") {
                    for entry in self.workspace.writes_of(&stream, &record.key).expect("a journal") {
                        let _ = writeln!(text, "{entry:?}");
                    }
                }
            }
        }
        text
    }

    /// Lives until the migration is through, however often it dies or gives up for want of an answer, as a person
    /// would start it again. Gives the last report and how often it died.
    ///
    /// # Errors
    /// Any other end.
    pub fn through(&self, deaths: &[(&'static str, u64)]) -> Result<(RunReport, usize), String> {
        let mut died = 0;
        for point in deaths {
            match self.migrate(&DieAt { point: Some(*point), ..DieAt::default() }) {
                Err(Error::Interrupted) => died += 1,
                Ok(_) | Err(Error::Connect(_)) => {}
                Err(error) => return Err(format!("death at {point:?}: {error}")),
            }
        }
        for _ in 0..40 {
            match self.migrate(&DieAt::default()) {
                Ok(report) if report.closes() => return Ok((report, died)),
                Ok(report) => return Err(format!("the books are open: {:#?}", report.maps)),
                Err(Error::Connect(connect::Error::Unreachable { .. })) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("forty runs were not enough".to_owned())
    }

    /// The same for the rollback.
    ///
    /// # Errors
    /// Any other end.
    pub fn back(&self, deaths: &[(&'static str, u64)]) -> Result<usize, String> {
        let mut died = 0;
        for point in deaths {
            match self.roll_back(&DieAt { point: Some(*point), ..DieAt::default() }) {
                Err(Error::Interrupted) => died += 1,
                Ok(_) | Err(Error::Connect(_) | Error::NoRollback(_)) => {}
                Err(error) => return Err(format!("death at {point:?}: {error}")),
            }
        }
        for _ in 0..40 {
            match self.roll_back(&DieAt::default()) {
                Ok(_) | Err(Error::NoRollback(_)) => return Ok(died),
                Err(Error::Connect(connect::Error::Unreachable { .. })) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("forty runs were not enough".to_owned())
    }
}

/// The stream of the notes that go with a map's records, and what they are staged under.
pub fn notes_of(map: &str) -> (String, String) {
    let name = format!("notes of {map}");
    (name.clone(), name)
}

/// The account holds two of the portal's companies already, under the same name and little else.
fn typed_in(portal: &bitrix24::Twin, account: &nutshell::Twin) {
    let names: Vec<String> = portal.with_portal(|portal| {
        let companies = portal.records.get(&Entity::Company).into_iter().flat_map(|table| table.values());
        companies.filter_map(|record| Some(record.get("TITLE")?.as_str()?.trim().to_owned())).collect()
    });
    for name in [names.get(1), names.get(3)].into_iter().flatten() {
        account.with(|company| {
            let actor = nutshell::Actor::User(company.users.first().map_or(1, |user| user.id));
            let mut record = nutshell::Record::new(Kind::Accounts, actor);
            record.name.clone_from(name);
            record.description = Some("typed in by marketing".to_owned());
            company.insert(record, BEGIN_MS - 86_400_000);
        });
    }
}

/// A lock that is held is told by its name.
pub fn is_locked(result: &Result<Workspace, workspace::Error>) -> bool {
    matches!(result, Err(workspace::Error::Locked { .. }))
}
