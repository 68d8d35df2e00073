//! The one integration binary: every test that needs more than one room.

mod acme;
mod architecture;
mod book;
mod cli;
mod documented;
mod sim;
mod world;
