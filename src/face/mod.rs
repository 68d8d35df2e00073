//! What people and programs see: the command line, and reports.

pub mod cli;
pub mod report;
