//! What several tests of this folder need: the reference data, if it is there.

use std::path::PathBuf;

use serde_json::Value as Json;

/// A sample of the reference data as text.
pub(super) fn sample_text(name: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for base in ["../shared/reference/nutshell/samples", "../../shared/reference/nutshell/samples"] {
        if let Ok(text) = std::fs::read_to_string(root.join(base).join(name)) {
            return Some(text);
        }
    }
    println!("skipped: the reference data `{name}` is not there");
    None
}

/// A sample of the reference data.
pub(super) fn sample(name: &str) -> Option<Json> {
    Some(serde_json::from_str(&sample_text(name)?).expect("the reference data is JSON"))
}
