//! Puts what several tasks ask at the same time into as few batches as hold it.
//!
//! The bucket counts requests and a batch holds fifty commands (sheet §3.1, §5), so a request that is not full is
//! waste. Tasks hand in units of commands; whoever finds that a batch may go leads it and takes along what the others
//! want, as far as room, time and each method's running time allow. A method that has used its running time up stays
//! behind, and others go in its place. While a batch is under way, less than a full one waits for it.
//! INVARIANT: a ticket is answered once, even when the task that leads its batch is given up.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::select;
use tokio::sync::Notify;

use super::client::{Client, Trouble};
use super::wire::{Answer, Batch, Command};

/// Commands of a batch (sheet §5).
pub(super) const COMMANDS: usize = 50;
/// Batches under way at once, as long as they are full.
const FLIGHTS: usize = 4;

/// Fifty fiftieths are one.
const ROUNDING: f64 = 1e-6;

/// Commands that only make sense together, in order.
pub(super) type Unit = Vec<Command>;

/// What a task's commands came to.
#[derive(Debug)]
pub(super) struct Part {
    answer: Rc<Answer>,
    prefix: String,
    /// How many units went; the others were left out and are to be asked for again.
    pub(super) taken: usize,
}

impl Part {
    /// The task's part of the answer, by the names that it gave.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch::parse(self.answer.result()).unwrap_or_default().only(&self.prefix)
    }
}

type Slot = RefCell<Option<Result<Part, Trouble>>>;

/// What a task wants to send.
#[derive(Debug)]
struct Ticket {
    prefix: String,
    units: Vec<Unit>,
    /// The share of a batch's time and size that a unit takes up.
    share: f64,
    slot: Rc<Slot>,
}

impl Ticket {
    /// The share of a batch that it fills.
    fn fills(&self) -> f64 {
        let commands: usize = self.units.iter().map(Vec::len).sum();
        (commands as f64 / COMMANDS as f64).max(self.share * self.units.len() as f64)
    }
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct Packer {
    queue: RefCell<VecDeque<Ticket>>,
    flights: Cell<usize>,
    tickets: Cell<u64>,
    changed: Notify,
}

impl Packer {
    /// Whether what waits fills a batch.
    fn is_full(&self) -> bool {
        self.queue.borrow().iter().map(Ticket::fills).sum::<f64>() >= 1.0
    }

    fn may_send(&self) -> bool {
        let flights = self.flights.get();
        !self.queue.borrow().is_empty() && (flights == 0 || flights < FLIGHTS && self.is_full())
    }
}

/// A batch under way. Whatever becomes of it, its tickets are answered and the others may go.
struct Flight<'c> {
    packer: &'c Packer,
    tickets: Vec<Ticket>,
}

impl<'c> Flight<'c> {
    fn new(packer: &'c Packer) -> Flight<'c> {
        packer.flights.set(packer.flights.get() + 1);
        Flight { packer, tickets: Vec::new() }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        for ticket in &self.tickets {
            let mut slot = ticket.slot.borrow_mut();
            slot.get_or_insert_with(|| Err(Trouble::NoAnswer("the request was given up".to_owned())));
        }
        self.packer.flights.set(self.packer.flights.get() - 1);
        self.packer.changed.notify_waiters();
    }
}

/// Counts commands as under way even when their future is dropped.
struct Running<'c>(&'c Client, HashMap<&'static str, usize>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut operating = self.0.operating.borrow_mut();
        self.1.iter().for_each(|(method, calls)| operating.ended(method, *calls));
    }
}

/// What can be sent now.
enum Pick {
    Nothing,
    /// No method may run for so many milliseconds.
    Wait(u64),
    Tickets(Vec<Ticket>),
}

impl Client {
    /// Sends units of commands in a batch, beside those of other tasks. As many units go as there is room for, the
    /// first ones first, and at least one; `share` is what a unit takes up of a batch's time and size.
    pub(super) async fn pack(&self, units: Vec<Unit>, share: f64) -> Result<Part, Trouble> {
        let number = self.packer.tickets.get();
        self.packer.tickets.set(number + 1);
        let slot = Rc::new(Slot::default());
        let ticket = Ticket { prefix: format!("t{number}_"), units, share, slot: Rc::clone(&slot) };
        self.packer.queue.borrow_mut().push_back(ticket);
        self.packer.changed.notify_waiters();
        loop {
            if let Some(reply) = slot.take() {
                return reply;
            }
            if self.packer.may_send() {
                self.lead().await;
            } else {
                self.packer.changed.notified().await;
            }
        }
    }

    /// Sends one batch of what waits.
    async fn lead(&self) {
        let mut flight = Flight::new(&self.packer);
        // Tasks that go on at this very moment come along.
        yield_once().await;
        flight.tickets = loop {
            self.clear().await;
            if self.packer.flights.get() > 1 && !self.packer.is_full() {
                return;
            }
            match self.pick() {
                Pick::Tickets(tickets) => break tickets,
                Pick::Nothing => return,
                Pick::Wait(ms) => {
                    let more = std::pin::pin!(self.packer.changed.notified());
                    select(self.clock.sleep(ms), more).await;
                }
            }
        };
        let mut commands = Vec::with_capacity(COMMANDS);
        for ticket in &flight.tickets {
            commands.extend(ticket.units.iter().flatten().map(|command| command.under(&ticket.prefix)));
        }
        let mut running = HashMap::new();
        commands.iter().for_each(|c| *running.entry(c.method).or_default() += 1);
        running.iter().for_each(|(method, calls)| self.operating.borrow_mut().began(method, *calls));
        let running = Running(self, running);
        let sent = self.attempt_batch(&commands, false).await;
        drop(running);
        let sent = sent.map(Rc::new);
        for ticket in flight.tickets.drain(..) {
            let taken = ticket.units.len();
            let reply = match &sent {
                Ok(answer) => Ok(Part { answer: Rc::clone(answer), prefix: ticket.prefix, taken }),
                Err(trouble) => Err(trouble.clone()),
            };
            *ticket.slot.borrow_mut() = Some(reply);
        }
    }

    /// Takes out of the queue what fits one batch.
    fn pick(&self) -> Pick {
        let now = self.clock.now_ms();
        let mut queue = self.packer.queue.borrow_mut();
        // Nobody waits for these any more.
        queue.retain(|ticket| Rc::strong_count(&ticket.slot) > 1);
        if queue.is_empty() {
            return Pick::Nothing;
        }
        let mut operating = self.operating.borrow_mut();
        let mut allowed: HashMap<&'static str, (usize, u64)> = HashMap::new();
        let (mut room, mut share, mut wait) = (COMMANDS, 1.0, u64::MAX);
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        for mut ticket in queue.drain(..) {
            let mut units = 0;
            for unit in &ticket.units {
                let first = taken.is_empty() && units == 0;
                if unit.len() > room || !first && share + ROUNDING < ticket.share {
                    break;
                }
                let blocked = unit.iter().filter_map(|command| {
                    let (calls, wait) = *allowed
                        .entry(command.method)
                        .or_insert_with(|| operating.allows(command.method, now));
                    (calls == 0).then_some(wait)
                });
                if let Some(until) = blocked.max() {
                    wait = wait.min(until);
                    break;
                }
                for command in unit {
                    if let Some((calls, _)) = allowed.get_mut(command.method) {
                        *calls = calls.saturating_sub(1);
                    }
                }
                room -= unit.len();
                share -= ticket.share;
                units += 1;
            }
            if units == 0 {
                left.push_back(ticket);
            } else {
                ticket.units.truncate(units);
                taken.push(ticket);
            }
        }
        *queue = left;
        if taken.is_empty() { Pick::Wait(wait.clamp(250, 60_000)) } else { Pick::Tickets(taken) }
    }
}

/// Lets the other tasks go on first.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
