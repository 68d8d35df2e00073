//! The one integration binary: every test that needs more than one room.

#![allow(clippy::print_stdout)]

mod acme;
mod adoption;
mod architecture;
mod authors;
mod bad_input;
mod book;
mod changes;
mod cli;
mod conformance;
mod corpus;
mod customers;
mod delta;
mod dialects;
mod documented;
mod draft;
mod emails;
mod extraction;
mod findings;
mod floor;
mod grammar;
mod meanwhile;
mod model;
mod mutations;
mod objects;
mod pages;
mod pictures;
mod portal_input;
mod portion;
mod provision;
mod quarantine;
mod reconcile;
mod report;
mod review;
mod reviewing;
mod rollback;
mod sample;
mod scope;
mod sim;
mod splits;
mod streams;
mod suite;
mod whole;
mod why;
mod world;
