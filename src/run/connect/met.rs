//! What clients met on the way and got over by themselves, and a run with its writes: answers that were none, and how
//! long they waited for better ones. Counted here, kept by the engine.

use std::cell::{Cell, RefCell};

use super::Pace;

/// A kind of trouble that a client met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// What it met, in words.
    pub what: &'static str,
    /// How often: answers, or requests without one.
    pub times: u64,
    /// In how many milliseconds somebody waited to ask again; where several did at once, that time counts once.
    pub waited_ms: u64,
    /// How often somebody did not ask again.
    pub given_up: u64,
}

/// What was met since somebody last asked.
#[derive(Debug, Default)]
pub struct Meter {
    met: RefCell<Vec<Met>>,
    /// Until when somebody waits already, Unix milliseconds.
    until_ms: Cell<i64>,
}

impl Meter {
    /// It was met.
    pub fn meets(&self, what: &'static str) {
        self.of(what, |met| met.times += 1);
    }

    /// From `now_ms` on somebody waits for so many milliseconds, and asks again then.
    pub fn waits(&self, what: &'static str, now_ms: i64, ms: u64) {
        let end_ms = now_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
        let from_ms = now_ms.max(self.until_ms.get());
        self.until_ms.set(end_ms.max(self.until_ms.get()));
        let alone = end_ms.saturating_sub(from_ms).max(0).unsigned_abs();
        self.of(what, |met| met.waited_ms += alone);
    }

    /// Somebody does not ask again.
    pub fn gives_up(&self, what: &'static str) {
        self.of(what, |met| met.given_up += 1);
    }

    /// Hands over what was counted, and begins anew.
    pub fn take(&self) -> Vec<Met> {
        self.met.take()
    }

    fn of(&self, what: &'static str, count: impl FnOnce(&mut Met)) {
        let mut all = self.met.borrow_mut();
        let at = all.iter().position(|met| met.what == what).unwrap_or_else(|| {
            all.push(Met { what, times: 0, waited_ms: 0, given_up: 0 });
            all.len() - 1
        });
        count(&mut all[at]);
    }
}

impl Pace {
    /// This pace, and where it says nothing, another one.
    #[must_use]
    pub fn or(self, other: Pace) -> Pace {
        Pace {
            rate_per_s: self.rate_per_s.or(other.rate_per_s),
            in_flight: self.in_flight.or(other.in_flight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_counted_once() {
        let meter = Meter::default();
        meter.meets("busy");
        // Three lanes wait for the same answer.
        meter.waits("busy", 1_000, 500);
        meter.waits("busy", 1_100, 300);
        meter.waits("busy", 1_100, 600);
        meter.meets("busy");
        meter.gives_up("busy");
        meter.meets("no answer");
        let busy = Met { what: "busy", times: 2, waited_ms: 700, given_up: 1 };
        assert_eq!(meter.take()[0], busy);
        assert_eq!(meter.take(), []);
    }
}
