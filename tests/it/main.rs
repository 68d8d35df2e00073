//! The one integration binary: every test that needs more than one room.

#![allow(clippy::print_stdout)]

mod acme;
mod architecture;
mod book;
mod cli;
mod customers;
mod documented;
mod findings;
mod review;
mod rollback;
mod sim;
mod whole;
mod world;
