//! How far long work is: drawn in place on a terminal, plain lines elsewhere, JSON lines for programs.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::run::engine::{Event, Progress};
use crate::run::workspace::Workspace;

use super::Format;
use super::terminal::{Terminal, count, duration};

/// The name and version of the lines for programs.
const FORMAT: &str = "b2n-progress/1";

/// How often a plain line is printed while work goes on, and how long nothing has to move before a program is told what
/// is waited for. Tests are less patient; not so in release builds.
pub fn line_every() -> Duration {
    #[cfg(debug_assertions)]
    if let Some(ms) = std::env::var("B2N_TEST_LINE_MS").ok().and_then(|text| text.parse().ok()) {
        return Duration::from_millis(ms);
    }
    Duration::from_secs(10)
}

/// A line for programs, on standard error.
pub fn line(event: &str, more: &Value) {
    let mut line = json!({"format": FORMAT, "event": event});
    if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
        line.extend(more.clone());
    }
    eprintln!("{line}");
}

/// A line for people; a notice for programs.
pub fn say(terminal: &Terminal, text: &str) {
    match terminal.format {
        Format::Human => eprintln!("{text}"),
        Format::Json => line("notice", &json!({"text": text.trim_start()})),
    }
}

/// Progress on standard error.
pub struct Shown {
    terminal: Terminal,
    every: Duration,
    current: RefCell<Option<Current>>,
    /// When anything last moved.
    moved: Cell<Instant>,
}

struct Current {
    what: String,
    total: Option<u64>,
    done: u64,
    /// What was through when this work was taken up again: it says nothing of the rate.
    resumed: Option<u64>,
    started: Instant,
    line: Instant,
    bar: Option<ProgressBar>,
}

impl Shown {
    pub fn new(terminal: Terminal) -> Self {
        Shown { terminal, every: line_every(), current: RefCell::new(None), moved: Cell::new(Instant::now()) }
    }

    /// Tells a program what is waited for, where nothing has moved for long; `now_ms` is Unix time.
    pub fn waiting(&self, workspace: &Workspace, now_ms: i64) {
        let still = self.moved.get().elapsed();
        if self.terminal.format != Format::Json || still < self.every {
            return;
        }
        // Asked again at the next turn where the file is busy.
        let lately = workspace.lately(now_ms, 60_000).unwrap_or_default();
        let what = self.current.borrow().as_ref().map(|current| current.what.clone());
        line(
            "waiting",
            &json!({
                "what": what, "seconds": still.as_secs_f64(), "writes_under_way": lately.open,
                "oldest_s": lately.oldest_ms.map(|oldest| (now_ms - oldest).max(0) as f64 / 1000.0),
                "looked_for": lately.looked_for,
            }),
        );
    }
}

impl Current {
    fn line(&self) -> String {
        let mut line = match self.total {
            Some(total) => format!("{}: {} of {}", self.what, count(self.done), count(total)),
            None => format!("{}: {}", self.what, count(self.done)),
        };
        let (rate, left) = self.rate();
        if let Some(rate) = rate {
            line.push_str(&format!(", {rate:.0} a second"));
            if let Some(left) = left.filter(|left| *left > 0.0) {
                line.push_str(&format!(", {} left", duration(left)));
            }
        }
        line
    }

    /// Records a second since this work was taken up, and seconds that are left at that rate.
    fn rate(&self) -> (Option<f64>, Option<f64>) {
        let fresh = self.done.saturating_sub(self.resumed.unwrap_or(0));
        if fresh == 0 {
            return (None, None);
        }
        let rate = fresh as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        (Some(rate), self.total.map(|total| total.saturating_sub(self.done) as f64 / rate))
    }

    fn json(&self) -> Value {
        let (per_s, left_s) = self.rate();
        json!({
            "what": self.what, "done": self.done, "total": self.total,
            "seconds": self.started.elapsed().as_secs_f64(), "per_s": per_s, "left_s": left_s,
        })
    }
}

impl Progress for Shown {
    fn begin(&self, what: &str, total: Option<u64>) {
        let bar = (self.terminal.drawn && self.terminal.format == Format::Human).then(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
            let template = match total {
                Some(_) => "{msg:28} {wide_bar} {human_pos}/{human_len} {rate:>8} {eta:>6} left",
                None => "{msg:28} {spinner} {human_pos} {elapsed:>6}",
            };
            bar.set_style(
                ProgressStyle::with_template(template)
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                        let _ = write!(out, "{:.0}/s", state.per_sec());
                    }),
            );
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let now = Instant::now();
        self.moved.set(now);
        if self.terminal.format == Format::Json {
            line("begin", &json!({"what": what, "total": total}));
        }
        let what = what.to_owned();
        *self.current.borrow_mut() =
            Some(Current { what, total, done: 0, resumed: None, started: now, line: now, bar });
    }

    fn at(&self, done: u64) {
        let mut current = self.current.borrow_mut();
        let Some(current) = current.as_mut() else { return };
        if current.resumed.is_none() {
            current.resumed = Some(done);
        }
        if done != current.done {
            self.moved.set(Instant::now());
        }
        current.done = done;
        if let Some(bar) = &current.bar {
            bar.set_position(done);
        } else if current.line.elapsed() >= self.every {
            current.line = Instant::now();
            match self.terminal.format {
                Format::Human => eprintln!("{}", current.line()),
                Format::Json => line("progress", &current.json()),
            }
        }
    }

    fn end(&self) {
        let Some(current) = self.current.borrow_mut().take() else { return };
        if let Some(bar) = &current.bar {
            bar.finish_and_clear();
        }
        match self.terminal.format {
            Format::Human => {
                let amount =
                    if current.done > 0 { format!(": {}", count(current.done)) } else { String::new() };
                eprintln!(
                    "{}{amount} in {}",
                    current.what,
                    duration(current.started.elapsed().as_secs_f64())
                );
            }
            Format::Json => line("end", &current.json()),
        }
    }

    fn notice(&self, text: &str) {
        let show = || match self.terminal.format {
            Format::Human => eprintln!("note: {text}"),
            Format::Json => line("notice", &json!({"text": text})),
        };
        match self.current.borrow().as_ref().and_then(|current| current.bar.as_ref()) {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }

    fn happened(&self, event: &Event<'_>) {
        if self.terminal.format == Format::Json {
            let (name, more) = told(event);
            line(name, &more);
        }
    }
}

/// An event as programs get it.
fn told(event: &Event<'_>) -> (&'static str, Value) {
    match event {
        Event::PhaseStarted { phase, of, maps } => {
            ("phase", json!({"state": "started", "phase": phase, "of": of, "maps": maps}))
        }
        Event::PhaseClosed { phase, of } => ("phase", json!({"state": "closed", "phase": phase, "of": of})),
        Event::Quarantine { row, quarantined, failed } => {
            ("quarantine", json!({"row": row, "quarantined": quarantined, "failed": failed}))
        }
        Event::WriteFault { row, key, what } => {
            ("fault", json!({"what": format!("a write: {what}"), "row": row, "key": key, "times": 1}))
        }
        Event::Met(met) => (
            "fault",
            json!({
                "what": met.what, "times": met.times, "waited_s": met.waited_ms as f64 / 1000.0,
                "given_up": met.given_up,
            }),
        ),
    }
}

/// How a command ended, for programs: the last line of one that told how far it was.
pub fn exit(terminal: &Terminal, code: u8, interrupted: bool) {
    if terminal.format == Format::Json {
        let reason = match code {
            _ if interrupted => "interrupted",
            0 => "done",
            1 => "open",
            2 => "usage",
            _ => "outside",
        };
        line("exit", &json!({"code": code, "reason": reason}));
    }
}

/// Tells notices only.
pub struct Silent(pub Terminal);

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn at(&self, _: u64) {}
    fn end(&self) {}
    fn notice(&self, text: &str) {
        match self.0.format {
            Format::Human => eprintln!("note: {text}"),
            Format::Json => line("notice", &json!({"text": text})),
        }
    }
}
