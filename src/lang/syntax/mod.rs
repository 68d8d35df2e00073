//! From text to tree. The only room that sees the grammar's rules.

pub mod ast;
