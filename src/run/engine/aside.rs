//! Writes that only wait: to be looked for, with no request in flight, or for an answer that is overdue. Others go
//! ahead meanwhile.

use std::cell::Cell;

use tokio::sync::Notify;

/// How many may wait at once: each holds its record, and has its intent open.
pub(super) const MOST: usize = 64;

/// After how long an answer is overdue, in milliseconds.
pub(super) const OVERDUE_MS: u64 = 5_000;

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Aside {
    waiting: Cell<usize>,
    overdue: Cell<usize>,
    changed: Notify,
}

/// One that waits, until it is dropped.
pub(super) struct Stepped<'a>(&'a Cell<usize>);

impl Aside {
    /// Steps aside until there is something to send: whoever sends has a place more.
    pub(super) fn step(&self) -> Stepped<'_> {
        self.counted(&self.waiting)
    }

    /// Steps aside although its request may be under way still.
    pub(super) fn step_overdue(&self) -> Stepped<'_> {
        self.counted(&self.overdue)
    }

    fn counted<'a>(&'a self, who: &'a Cell<usize>) -> Stepped<'a> {
        who.set(who.get() + 1);
        self.changed.notify_one();
        Stepped(who)
    }

    /// How many wait with nothing under way.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.get()
    }

    /// How many wait for an answer that is overdue.
    pub(super) fn overdue(&self) -> usize {
        self.overdue.get()
    }

    /// Ends when somebody has stepped aside since this was last asked.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Stepped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
