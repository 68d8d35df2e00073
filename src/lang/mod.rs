//! The language: text, schemas, checking, plans, evaluation.
//!
//! Synchronous, and a function of its arguments: no clock, randomness, environment or files in here.

pub mod check;
pub mod diff;
pub mod doc;
pub mod draft;
pub mod drift;
pub mod eval;
pub mod finding;
pub mod functions;
pub mod fuzz;
pub mod plan;
pub mod schema;
pub mod suite;
pub mod syntax;
pub mod text;
pub mod types;
pub mod value;
