//! A whole world in one process: both twins, a virtual clock, wires that lose answers, deaths at named points.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use b2n::lang::check::{self, Input};
use b2n::lang::plan::Plan;
use b2n::lang::schema::{Probed, Schema, snapshot};
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use b2n::run::connect::outside::{Clock, HttpRequest, HttpResponse, Random, Transport, TransportError};
use b2n::run::connect::secret::Credentials;
use b2n::run::connect::{self, Local};
use b2n::run::engine::{
    self, Announcement, Engine, Error, Event, Interrupted, Outside, Points, Progress, RollbackReport,
    RunReport, Settings,
};
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{self, Portal};
use b2n::run::twin::nutshell::{self, Company};
use b2n::run::workspace::Workspace;

/// What goes wrong between b2n and the destination. Shares are of writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The write is done, its answer is lost.
    pub lost: f64,
    /// The answer is lost, and the write is done later.
    pub late: f64,
    /// How much later, in milliseconds.
    pub late_ms: i64,
    /// The request is refused before anything is done, with a fault of the server.
    pub refused: f64,
    /// HTML arrives where JSON was due, after the write was done.
    pub html: f64,
    /// The body of the answer is cut, after the write was done.
    pub cut: f64,
    /// Answers of this method have another text in the place of one: a list that lags behind its records.
    pub stale: Option<(&'static str, &'static str, &'static str)>,
}

/// A wire to the destination twin on which things go wrong.
pub struct BadWire {
    twin: Rc<nutshell::Twin>,
    clock: Rc<VirtualClock>,
    faults: Cell<Faults>,
    dice: SplitMix,
    /// Requests that the twin will see later, by time.
    late: RefCell<BTreeMap<(i64, u64), twin::Request>>,
    sent: Cell<u64>,
    /// Sees every request first, and may answer it in the twin's place.
    meddler: RefCell<Box<Meddler>>,
}

/// Sees a request; what it gives is the answer.
pub type Meddler = dyn FnMut(&HttpRequest) -> Option<HttpResponse>;

impl BadWire {
    fn is_write(request: &HttpRequest) -> bool {
        let body = String::from_utf8_lossy(&request.body);
        ["new", "edit", "delete"].iter().any(|verb| body.contains(&format!("\"method\":\"{verb}")))
    }

    /// From now on other things go wrong.
    pub fn spoil(&self, faults: Faults) {
        self.faults.set(faults);
    }

    /// From now on this sees every request first.
    pub fn meddle(&self, meddler: impl FnMut(&HttpRequest) -> Option<HttpResponse> + 'static) {
        *self.meddler.borrow_mut() = Box::new(meddler);
    }

    /// Lets the twin see what is due by now.
    pub fn settle(&self, now: i64) {
        loop {
            let due = {
                let mut late = self.late.borrow_mut();
                match late.first_key_value() {
                    Some((key, _)) if key.0 <= now => late.pop_first(),
                    _ => None,
                }
            };
            let Some(((at, _), request)) = due else { return };
            self.twin.handle(&request, at);
        }
    }

    fn chance(&self, share: f64) -> bool {
        share > 0.0 && (self.dice.next_u64() >> 11) as f64 / (1u64 << 53) as f64 <= share
    }
}

impl Transport for BadWire {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            self.settle(self.clock.now_ms());
            let now = self.clock.now_ms();
            let seen = Wire::request(request);
            self.sent.set(self.sent.get() + 1);
            let write = BadWire::is_write(request);
            let lost = || TransportError::Lost("no answer".to_owned());
            let meddled = (self.meddler.borrow_mut())(request);
            if let Some(answer) = meddled {
                self.clock.sleep(50).await;
                return Ok(answer);
            }
            if write && self.chance(self.faults.get().late) {
                self.late.borrow_mut().insert((now + self.faults.get().late_ms, self.sent.get()), seen);
                self.clock.sleep(request.timeout_ms).await;
                return Err(lost());
            }
            if write && self.chance(self.faults.get().refused) {
                self.clock.sleep(50).await;
                return Ok(HttpResponse {
                    status: 503,
                    headers: Vec::new(),
                    body: b"<html>busy</html>".to_vec(),
                });
            }
            let mut answer = self.twin.handle(&seen, now);
            if write && self.chance(self.faults.get().lost) {
                self.clock.sleep(request.timeout_ms).await;
                return Err(lost());
            }
            if write && self.chance(self.faults.get().html) {
                answer.body = b"<html><body>502 Bad Gateway</body></html>".to_vec();
                answer.status = 502;
            }
            if write && self.chance(self.faults.get().cut) {
                answer.body.truncate(answer.body.len() / 2);
            }
            if let Some((method, text, other)) = self.faults.get().stale
                && String::from_utf8_lossy(&request.body).contains(&format!("\"method\":\"{method}\""))
            {
                answer.body = String::from_utf8_lossy(&answer.body).replace(text, other).into_bytes();
            }
            self.clock.sleep(answer.took_ms).await;
            self.settle(self.clock.now_ms());
            Ok(HttpResponse { status: answer.status, headers: answer.headers, body: answer.body })
        })
    }
}

/// Lets the process die the nth time that a point is reached.
#[derive(Debug, Default)]
pub struct DieAt {
    pub point: Option<(&'static str, u64)>,
    pub reached: RefCell<BTreeMap<&'static str, u64>>,
}

impl Points for DieAt {
    fn reach(&self, point: &'static str) -> Result<(), Interrupted> {
        let mut reached = self.reached.borrow_mut();
        let times = reached.entry(point).or_default();
        *times += 1;
        match self.point {
            Some((name, nth)) if name == point && *times == nth => Err(Interrupted),
            _ => Ok(()),
        }
    }
}

pub struct Quiet;

thread_local! {
    /// Writes that were told not to have gone well, in this test.
    pub static WRITE_FAULTS: Cell<u64> = const { Cell::new(0) };
}

impl Progress for Quiet {
    fn happened(&self, event: &Event<'_>) {
        if matches!(event, Event::WriteFault { .. }) {
            WRITE_FAULTS.set(WRITE_FAULTS.get() + 1);
        }
    }

    fn begin(&self, _: &str, _: Option<u64>) {}
    fn at(&self, _: u64) {}
    fn end(&self) {}
    fn notice(&self, _: &str) {}
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> SourceText {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    SourceText::from_bytes(path.display().to_string(), &bytes).expect("a text")
}

/// A snapshot of the repository.
pub fn schema(path: &Path) -> Schema {
    snapshot::read(&text(path)).unwrap_or_else(|findings| panic!("{}: {findings:?}", path.display()))
}

/// A checked spec with its snapshots.
#[derive(Clone)]
pub struct Checked {
    pub plan: Plan,
    pub source: Schema,
}

/// The example customer.
pub fn acme() -> Checked {
    check_spec(&text(&root().join("examples/acme/acme.b2n")))
}

/// A spec against the example customer's snapshots.
pub fn check_spec(source_text: &SourceText) -> Checked {
    let folder = root().join("examples/acme");
    let source = schema(&folder.join("schema/bitrix24.yaml"));
    let target = schema(&folder.join("schema/nutshell.yaml"));
    let (spec, findings) = syntax::parse(source_text);
    assert!(findings.is_empty(), "{findings:?}");
    let (source_hash, target_hash) = (source.hash(), target.hash());
    let checked = check::check(&Input {
        spec: &spec,
        text: source_text,
        source: Some(&source),
        target: Some(&target),
        source_hash: &source_hash,
        target_hash: &target_hash,
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        today: jiff::civil::date(2026, 11, 21),
        broken: &[],
    });
    let plan = checked.plan.unwrap_or_else(|| panic!("{:?}", checked.findings));
    Checked { plan, source }
}

pub struct World {
    pub checked: Checked,
    pub clock: Rc<VirtualClock>,
    pub portal: Rc<bitrix24::Twin>,
    pub account: Rc<nutshell::Twin>,
    pub workspace: Workspace,
    pub wire: Rc<BadWire>,
    pub settings: Settings,
    pub pace: connect::Pace,
    /// The portal's host, and the user of the account whose key is used.
    pub people: (&'static str, &'static str),
    /// What a probe found out about the account.
    pub probed: Probed,
    seed: u64,
}

impl World {
    /// The acme portal with these many companies, contacts and deals, and an empty account.
    pub fn new(counts: Counts, seed: u64, faults: Faults) -> World {
        World::with(acme(), Portal::acme_with(counts, seed), Company::acme(), seed, faults)
    }

    pub fn with(checked: Checked, portal: Portal, company: Company, seed: u64, faults: Faults) -> World {
        let clock = Rc::new(VirtualClock::at(1_795_262_400_000));
        let portal = Rc::new(bitrix24::Twin::new(portal, bitrix24::Settings::default()));
        let account = Rc::new(nutshell::Twin::new(company, nutshell::Settings::default()));
        let wire = Rc::new(BadWire {
            twin: Rc::clone(&account),
            clock: Rc::clone(&clock),
            faults: Cell::new(faults),
            dice: SplitMix::new(seed),
            late: RefCell::default(),
            sent: Cell::new(0),
            meddler: RefCell::new(Box::new(|_| None)),
        });
        let workspace = Workspace::in_memory().expect("a workspace");
        let people = ("acme.bitrix24.com", "admin@acme.example");
        // Nobody is here to confirm or approve anything; the tests of that switch it on.
        let settings = Settings { confirmed_only: false, approved_only: false, ..Settings::default() };
        let probed = Probed::default();
        let pace = connect::Pace::default();
        World { checked, clock, portal, account, workspace, wire, settings, pace, people, probed, seed }
    }

    /// One process: lives until the migration ends or it dies.
    pub fn live(&self, points: &DieAt) -> Result<RunReport, Error> {
        self.process(points, async |engine| engine.migrate().await)
    }

    /// What a rollback would do.
    pub fn announce(&self, only: Option<&str>) -> Result<Announcement, Error> {
        self.process(&DieAt::default(), async |engine| engine.announce_rollback(only).await)
    }

    /// One process: lives until the rollback ends or it dies.
    pub fn roll_back(&self, points: &DieAt, only: Option<&str>) -> Result<RollbackReport, Error> {
        self.process(points, async |engine| {
            let announced = engine.announce_rollback(only).await?;
            engine.roll_back(&announced).await
        })
    }

    /// One process: does this work until it ends or it dies.
    pub fn process<T>(
        &self,
        points: &DieAt,
        work: impl AsyncFnOnce(&Engine<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let clock: Rc<dyn Clock> = self.clock.clone();
        let portal = Rc::clone(&self.portal);
        let source_wire: Rc<dyn Transport> = Rc::new(Wire::new(
            Rc::new(move |request: &twin::Request, now| portal.handle(request, now)),
            Rc::clone(&clock),
        ));
        let target_wire: Rc<dyn Transport> = self.wire.clone();
        let random: Rc<dyn Random> = Rc::new(SplitMix::new(self.seed));
        let credentials = Credentials::from_values(|name| {
            Some(match name {
                "B2N_BITRIX24_WEBHOOK" => format!("https://{}/rest/1/secret/", self.people.0),
                "B2N_NUTSHELL_USER" => self.people.1.to_owned(),
                "B2N_NUTSHELL_KEY" => "key".to_owned(),
                _ => return None,
            })
        });
        let source =
            connect::source("bitrix24", &credentials, &source_wire, &clock, &random).expect("a source");
        let target = connect::target("nutshell", &credentials, &target_wire, &clock, &random, self.pace)
            .expect("a target");
        target.learn(&self.probed);
        let plan = &self.checked.plan;
        let decoders = engine::decoders(plan, &self.checked.source).expect("decoders");
        let outside = Outside { clock: self.clock.as_ref(), points, progress: &Quiet };
        let engine = Engine::new(
            plan,
            &self.workspace,
            source.as_ref(),
            target.as_ref(),
            decoders,
            outside,
            self.settings.clone(),
        )?;
        let ended = self.clock.run(work(&engine)).expect("never idle for ever");
        drop(engine);
        // Death: what was not committed is gone, and what was under way may still arrive.
        self.workspace.abandon();
        ended
    }
}
