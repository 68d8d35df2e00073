//! What moves records: connectors, the workspace, the engine, and the twins they are tested against.

pub mod connect;
pub mod twin;
pub mod workspace;
