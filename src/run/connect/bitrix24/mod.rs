//! Bitrix24 as a source.

pub mod decode;
pub mod limits;
mod schema;
#[cfg(test)]
mod testing;
