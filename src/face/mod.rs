//! What people and programs see: the command line, reports, and the review page.

pub mod cli;
pub mod report;
pub mod review;
