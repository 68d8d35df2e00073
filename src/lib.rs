//! b2n moves a company's CRM from Bitrix24 to Nutshell.
//!
//! Three wings: [`lang`] knows no I/O and is the whole of a build without the `native` feature, `run` moves
//! records, `face` is what people and programs see. The rooms and what each may import are held by
//! `tests/it/architecture.rs`.

#[cfg(feature = "native")]
pub mod face;
pub mod lang;
#[cfg(feature = "native")]
pub mod run;
