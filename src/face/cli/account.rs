//! The live accounts of a command: credentials, clients, and the engine over them.

use std::cell::Cell;
use std::rc::Rc;

use crate::run::connect::http::{HttpTransport, SystemClock, SystemRandom};
use crate::run::connect::outside::{Clock, Random, Transport};
use crate::run::connect::probe::Prober;
use crate::run::connect::secret::Credentials;
use crate::run::connect::{self, Account, Decode, Limits, Pace, Source, Target};
use crate::run::engine::{self, Engine, Interrupted, Outside, Points, Settings, UNDER_WAY};
use crate::run::workspace::{self, Lock, Taken, Workspace};

use super::failure::Failure;
use super::progress::{Shown, line_every, say};
use super::project::Ready;
use super::terminal::Terminal;

/// Clients of both accounts.
pub struct Live {
    pub source: Box<dyn Source>,
    pub target: Box<dyn Target>,
    pub clock: Rc<dyn Clock>,
    pub in_flight: usize,
    /// What bounds the speed, as far as it is known.
    pub limits: Limits,
}

/// What clients need from the process.
pub struct Process {
    pub transport: Rc<dyn Transport>,
    pub clock: Rc<dyn Clock>,
    pub random: Rc<dyn Random>,
    pub credentials: Credentials,
}

impl Process {
    /// From this process's environment.
    pub fn new() -> Result<Self, Failure> {
        let transport = HttpTransport::new()
            .map_err(|why| Failure::outside(format!("no HTTPS client can be made: {why}")))?;
        Ok(Process {
            transport: Rc::new(transport),
            clock: Rc::new(SystemClock),
            random: Rc::new(SystemRandom::default()),
            credentials: Credentials::from_values(|name| std::env::var(name).ok()),
        })
    }

    /// The client of a source system.
    pub fn source(&self, connector: &str) -> Result<Box<dyn Source>, Failure> {
        connect::source(connector, &self.credentials, &self.transport, &self.clock, &self.random)
            .map_err(|why| Failure::usage(why.to_string()))
    }

    /// The client of a destination system.
    pub fn target(&self, connector: &str, pace: Pace) -> Result<Box<dyn Target>, Failure> {
        connect::target(connector, &self.credentials, &self.transport, &self.clock, &self.random, pace)
            .map_err(|why| Failure::usage(why.to_string()))
    }
}

impl Process {
    /// A prober of a destination system.
    pub fn prober(&self, connector: &str, pace: Pace) -> Result<Box<dyn Prober>, Failure> {
        connect::prober(connector, &self.credentials, &self.transport, &self.clock, &self.random, pace)
            .map_err(|why| Failure::usage(why.to_string()))
    }

    /// The client of a plan's destination, which knows what a probe found out about it.
    fn informed_target(&self, ready: &Ready, pace: Pace) -> Result<Box<dyn Target>, Failure> {
        let target = self.target(&ready.plan.target.connector, pace)?;
        target.learn(&ready.target.probed);
        Ok(target)
    }
}

impl Live {
    /// Clients for the systems of a plan, with this process's credentials.
    pub fn from_environment(ready: &Ready, pace: Pace) -> Result<Self, Failure> {
        let process = Process::new()?;
        Ok(Live {
            source: process.source(&ready.plan.source.connector)?,
            target: process.informed_target(ready, pace)?,
            clock: Rc::clone(&process.clock),
            in_flight: pace.in_flight.unwrap_or(Settings::default().in_flight),
            limits: connect::limits(pace),
        })
    }
}

impl Live {
    /// A client of the destination alone, for commands that never ask the source.
    pub fn of_target(ready: &Ready, pace: Pace) -> Result<Self, Failure> {
        let process = Process::new()?;
        let source = connect::unasked_source(&ready.plan.source.connector);
        Ok(Live {
            source: source.map_err(|why| Failure::usage(why.to_string()))?,
            target: process.informed_target(ready, pace)?,
            clock: Rc::clone(&process.clock),
            in_flight: pace.in_flight.unwrap_or(Settings::default().in_flight),
            limits: connect::limits(pace),
        })
    }
}

impl Live {
    /// Clients that ask nobody, for commands that only look into the workspace.
    pub fn of_nobody(ready: &Ready) -> Result<Self, Failure> {
        let process = Process::new()?;
        let Process { transport, clock, random, .. } = &process;
        let source = connect::unasked_source(&ready.plan.source.connector);
        let target = connect::unasked_target(&ready.plan.target.connector, transport, clock, random);
        Ok(Live {
            source: source.map_err(|why| Failure::usage(why.to_string()))?,
            target: target.map_err(|why| Failure::usage(why.to_string()))?,
            clock: Rc::clone(clock),
            in_flight: 1,
            limits: connect::limits(Pace::default()),
        })
    }
}

/// The decoders that a plan's run needs.
pub fn decoders(ready: &Ready) -> Result<Vec<Box<dyn Decode>>, Failure> {
    engine::decoders(&ready.plan, &ready.source).map_err(Failure::usage)
}

/// A runtime for real sockets and real time, on this thread.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::outside(format!("no runtime can be started: {error}")))
}

/// Ends the run at the next point after Ctrl-C at which nothing is without its answer.
#[derive(Default)]
struct UntilCtrlC {
    asked: Cell<bool>,
}

impl Points for UntilCtrlC {
    fn reach(&self, point: &'static str) -> Result<(), Interrupted> {
        if self.asked.get() && !UNDER_WAY.contains(&point) { Err(Interrupted) } else { Ok(()) }
    }

    fn stops(&self) -> bool {
        self.asked.get()
    }
}

/// Runs engine work over live accounts.
pub fn block_on<T>(
    live: &Live,
    ready: &Ready,
    workspace: &Workspace,
    terminal: &Terminal,
    work: impl AsyncFnOnce(&Engine<'_>) -> Result<T, engine::Error>,
) -> Result<T, Failure> {
    let decoders = decoders(ready)?;
    until_ctrl_c(live.clock.as_ref(), workspace, terminal, async |outside| {
        let engine = Engine::new(
            &ready.plan,
            workspace,
            live.source.as_ref(),
            live.target.as_ref(),
            decoders,
            outside,
            patient(Settings { in_flight: live.in_flight, ..Settings::default() }),
        )?;
        let came_to = work(&engine).await;
        // What ended it matters more than what it met.
        let kept = engine.keep_met();
        let done = came_to?;
        kept.map(|()| done)
    })
}

/// Runs work that ends when it is through or when somebody wants it to. The first Ctrl-C ends it at the next safe
/// point, the second at once; both leave everything that is durable in place.
pub fn until_ctrl_c<T>(
    clock: &dyn Clock,
    workspace: &Workspace,
    terminal: &Terminal,
    work: impl AsyncFnOnce(Outside<'_>) -> Result<T, engine::Error>,
) -> Result<T, Failure> {
    if let Some(upgraded) = workspace.take_upgraded() {
        let text = format!(
            "the workspace was of layout {}; it is upgraded, and what it was is kept in {}",
            upgraded.from,
            upgraded.backup.display()
        );
        say(terminal, &text);
    }
    let points = UntilCtrlC::default();
    let progress = Shown::new(*terminal);
    let ended = runtime()?.block_on(async {
        let pressed = async {
            for press in 1.. {
                if tokio::signal::ctrl_c().await.is_err() {
                    std::future::pending::<()>().await;
                }
                if press > 1 {
                    return;
                }
                points.asked.set(true);
                say(
                    terminal,
                    "\nstopping at the next safe point: what is under way is brought to its end and kept, and the same \
                     command goes on from there; Ctrl-C again stops at once, which is safe too (a write without its \
                     answer is looked for by the next run, never sent twice)",
                );
            }
        };
        let waits = async {
            loop {
                tokio::time::sleep(line_every()).await;
                progress.waiting(workspace, clock.now_ms());
            }
        };
        tokio::select! {
            ended = work(Outside { clock, points: &points, progress: &progress }) => ended,
            () = pressed => Err(engine::Error::Interrupted),
            () = waits => Err(engine::Error::Interrupted),
        }
    });
    workspace.abandon();
    Ok(ended?)
}

/// One writer per destination on this machine, whatever workspaces and users there are: a lock by the account's id.
pub fn lock_destination(local_port: Option<u16>, account: &Account) -> Result<Lock, Failure> {
    let safe: String = account.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    // Two twins may bear one id and are two accounts.
    let port = local_port.map(|port| format!("-port-{port}")).unwrap_or_default();
    let name = format!("b2n-destination-{safe}{port}.lock");
    let path = workspace::machine_folder().join(&name);
    match workspace::machine_lock(&name).map_err(|error| Failure::file(&path, &error))? {
        Taken::Mine(lock) => Ok(lock),
        Taken::Others(holder) => {
            let process = holder.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let other = Failure::usage(format!(
                "another b2n on this machine{process} writes into account `{}` ({}); nothing was written",
                account.id, account.name
            ));
            Err(other.hint(stop(holder)))
        }
    }
}

/// What to do about another process.
pub fn stop(holder: Option<u32>) -> String {
    match holder {
        Some(pid) if cfg!(unix) => {
            format!("wait until it has ended, or stop it at its next safe point with `kill -INT {pid}`")
        }
        _ => "wait until it has ended, or stop it at its next safe point with Ctrl-C".to_owned(),
    }
}

/// How patient a run is with answers that do not come. A test over loopback, where a request ends with its process, may
/// be less so; not there in release builds.
fn patient(settings: Settings) -> Settings {
    #[cfg(debug_assertions)]
    if let Some(dead_ms) = std::env::var("B2N_TEST_DEAD_MS").ok().and_then(|text| text.parse().ok()) {
        return Settings { first_look_ms: dead_ms / 10, dead_ms, ..settings };
    }
    settings
}
