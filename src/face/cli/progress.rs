//! How far long work is: drawn in place on a terminal, plain lines elsewhere, JSON lines for programs.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::run::engine::Progress;

use super::Format;
use super::terminal::{Terminal, count, duration};

/// How often a plain line is printed, while work goes on.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress on standard error.
pub struct Shown {
    terminal: Terminal,
    current: RefCell<Option<Current>>,
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
        Shown { terminal, current: RefCell::new(None) }
    }
}

impl Current {
    fn line(&self) -> String {
        let fresh = self.done.saturating_sub(self.resumed.unwrap_or(0));
        let rate = fresh as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let mut line = match self.total {
            Some(total) => format!("{}: {} of {}", self.what, count(self.done), count(total)),
            None => format!("{}: {}", self.what, count(self.done)),
        };
        if fresh > 0 {
            line.push_str(&format!(", {rate:.0} a second"));
            if let Some(left) =
                self.total.map(|total| total.saturating_sub(self.done)).filter(|left| *left > 0)
            {
                line.push_str(&format!(", {} left", duration(left as f64 / rate)));
            }
        }
        line
    }

    fn json(&self, event: &str) -> String {
        serde_json::json!({
            "format": "b2n-progress/1", "event": event, "what": self.what, "done": self.done, "total": self.total,
            "seconds": self.started.elapsed().as_secs_f64(),
        })
        .to_string()
    }
}

impl Progress for Shown {
    fn begin(&self, what: &str, total: Option<u64>) {
        let bar = (self.terminal.attended && self.terminal.format == Format::Human).then(|| {
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
        current.done = done;
        if let Some(bar) = &current.bar {
            bar.set_position(done);
        } else if current.line.elapsed() >= LINE_EVERY {
            current.line = Instant::now();
            match self.terminal.format {
                Format::Human => eprintln!("{}", current.line()),
                Format::Json => eprintln!("{}", current.json("progress")),
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
            Format::Json => eprintln!("{}", current.json("end")),
        }
    }

    fn notice(&self, text: &str) {
        let show = || match self.terminal.format {
            Format::Human => eprintln!("note: {text}"),
            Format::Json => eprintln!(
                "{}",
                serde_json::json!({"format": "b2n-progress/1", "event": "notice", "text": text})
            ),
        };
        match self.current.borrow().as_ref().and_then(|current| current.bar.as_ref()) {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn at(&self, _: u64) {}
    fn end(&self) {}
    fn notice(&self, text: &str) {
        eprintln!("note: {text}");
    }
}
