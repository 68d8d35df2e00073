//! Bitrix24 as a source.

pub mod decode;
mod schema;
#[cfg(test)]
mod testing;
