//! What moves records: connectors, the workspace, the engine, and the twins they are tested against.

pub mod connect;
pub mod engine;
pub mod rehearsal;
pub mod twin;
pub mod workspace;
