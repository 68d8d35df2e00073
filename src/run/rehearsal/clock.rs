//! A clock that moves only when every task is idle, with the small executor that knows when that is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::run::connect::Local;
use crate::run::connect::outside::Clock;

/// When a timer is due, and which of several due at once was set first.
type Due = (i64, u64);

/// Virtual time. Waiting costs nothing; order is a function of what waits, so runs repeat exactly.
#[derive(Debug)]
pub struct VirtualClock {
    now_ms: Cell<i64>,
    next: Cell<u64>,
    timers: RefCell<BTreeMap<Due, Option<Waker>>>,
}

/// Every task waits for something that will never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every task waits for something that will never happen; this is a bug in b2n, please report it")]
pub struct Idle;

impl VirtualClock {
    /// A clock that stands at `now_ms`, Unix milliseconds.
    pub fn at(now_ms: i64) -> Self {
        VirtualClock { now_ms: Cell::new(now_ms), next: Cell::new(0), timers: RefCell::default() }
    }

    /// Runs a future to its end, moving time on whenever nothing else is left to do.
    ///
    /// # Errors
    /// [`Idle`], when the future waits and no timer is set.
    pub fn run<F: Future>(&self, future: F) -> Result<F::Output, Idle> {
        let mut future = std::pin::pin!(future);
        let awake = Arc::new(Awake(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&awake));
        let mut context = Context::from_waker(&waker);
        loop {
            while awake.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return Ok(output);
                }
            }
            self.advance()?;
        }
    }

    /// Moves to the next timer and wakes who set it.
    fn advance(&self) -> Result<(), Idle> {
        let ((at, _), waker) = self.timers.borrow_mut().pop_first().ok_or(Idle)?;
        self.now_ms.set(self.now_ms.get().max(at));
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    fn sleep(&self, ms: u64) -> Local<'_, ()> {
        let at = self.now_ms.get().saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
        Box::pin(Sleep { clock: self, at, due: None })
    }
}

struct Awake(AtomicBool);

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Sleep<'a> {
    clock: &'a VirtualClock,
    at: i64,
    due: Option<Due>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now_ms.get() >= self.at {
            return Poll::Ready(());
        }
        let (clock, at) = (self.clock, self.at);
        let due = *self.due.get_or_insert_with(|| (at, clock.next.replace(clock.next.get() + 1)));
        clock.timers.borrow_mut().insert(due, Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        // A wait that was given up must not move time.
        if let Some(due) = self.due {
            self.clock.timers.borrow_mut().remove(&due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    #[test]
    fn time_moves_from_timer_to_timer_and_only_when_all_is_idle() {
        let clock = VirtualClock::at(1_000);
        let seen = RefCell::new(Vec::new());
        let one = |name: &'static str, ms: u64| {
            let (clock, seen) = (&clock, &seen);
            async move {
                clock.sleep(ms).await;
                seen.borrow_mut().push((name, clock.now_ms()));
                clock.sleep(ms).await;
                seen.borrow_mut().push((name, clock.now_ms()));
            }
        };
        clock.run(join_all([one("a", 30), one("b", 20)])).expect("ends");
        assert_eq!(*seen.borrow(), [("b", 1_020), ("a", 1_030), ("b", 1_040), ("a", 1_060)]);
    }

    #[test]
    fn a_wait_without_an_end_is_told() {
        assert_eq!(VirtualClock::at(0).run(std::future::pending::<()>()), Err(Idle));
    }

    #[test]
    fn a_wait_that_was_given_up_moves_nothing() {
        let clock = VirtualClock::at(0);
        clock
            .run(async {
                let mut long = clock.sleep(1_000_000);
                futures_util::future::poll_fn(|context| {
                    let _ = long.as_mut().poll(context);
                    Poll::Ready(())
                })
                .await;
                drop(long);
                clock.sleep(5).await;
            })
            .expect("ends");
        assert_eq!(clock.now_ms(), 5);
    }
}
