//! Writes that only wait: they have no request in flight, so others go ahead meanwhile.

use std::cell::Cell;

use tokio::sync::Notify;

/// How many may wait at once: each holds its record, and has its intent open.
pub(super) const MOST: usize = 64;

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Aside {
    waiting: Cell<usize>,
    changed: Notify,
}

/// One that waits, until it is dropped.
pub(super) struct Stepped<'a>(&'a Aside);

impl Aside {
    /// Steps aside: whoever sends has a place more.
    pub(super) fn step(&self) -> Stepped<'_> {
        self.waiting.set(self.waiting.get() + 1);
        self.changed.notify_one();
        Stepped(self)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.get()
    }

    /// Ends when somebody has stepped aside since this was last asked.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Stepped<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }
}
