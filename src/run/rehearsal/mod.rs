//! The whole way in one process: both twins set up from snapshots, a virtual clock, and the wires between.
//!
//! The one room under `run` that knows connectors' wires and twins together; it hands the twins plain data and lets
//! neither side see the other.

mod clock;
mod dialect;
mod setup;
#[cfg(test)]
mod tests;
mod wire;

pub use clock::{Idle, VirtualClock};
pub use dialect::{dialect, settings};
pub use setup::{company, entity, furnish, held, portal_shape, table};
pub use wire::{Serve, SplitMix, Wire};
