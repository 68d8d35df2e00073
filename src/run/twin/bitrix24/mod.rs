//! The Bitrix24 twin: a portal and the classic REST API over it.

pub mod generate;
pub mod portal;

pub use portal::{Entity, Portal};
