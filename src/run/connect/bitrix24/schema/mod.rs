//! What the portal says of itself: objects, directories, pipelines, currencies, users.

pub(super) mod build;
