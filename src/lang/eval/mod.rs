//! stub
use crate::lang::{
    plan::Plan,
    value::{Record, Value},
};
use std::sync::Arc;
pub struct Program;
pub enum Outcome {
    Record(Output),
    LeftOut { reason: Arc<str>, line: u32 },
    Quarantined { rule: Option<u16>, reason: Arc<str>, line: u32 },
    Stopped { rule: Option<u16>, reason: Arc<str>, line: u32 },
}
pub struct Flag {
    pub rule: u16,
    pub why: Arc<str>,
}
pub struct Output {
    pub values: Vec<Value>,
    pub flags: Vec<Flag>,
}
impl Program {
    pub fn compile(_: &Plan) -> Result<Program, String> {
        Ok(Program)
    }
    pub fn run(&self, _: usize, _: &Record) -> Outcome {
        Outcome::LeftOut { reason: "".into(), line: 0 }
    }
}
