//! A schema as bytes that read back fast: what a cache holds instead of YAML.
//!
//! Not a format for people or for exchange: another version of the program reads nothing of it.

use super::Schema;

/// What the bytes begin with. Changes whenever a snapshot would be read into another schema than before.
const MAGIC: &str = concat!("b2n-packed-schema/1 ", env!("CARGO_PKG_VERSION"), "\n");

/// The name under which a snapshot's schema is kept: 64 hex digits over the file's bytes and this version.
pub fn key(snapshot: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(MAGIC.as_bytes());
    hasher.update(snapshot);
    hasher.finalize().to_hex().to_string()
}

/// Packs the schema that was read from a snapshot of this key.
pub fn pack(key: &str, schema: &Schema) -> Vec<u8> {
    // INVARIANT: a schema holds no map with keys other than texts, so it always serialises.
    let body = serde_json::to_vec(schema).unwrap_or_default();
    let mut out = Vec::with_capacity(MAGIC.len() + key.len() + body.len() + 33);
    out.extend_from_slice(MAGIC.as_bytes());
    out.extend_from_slice(checksum(key, &body).as_bytes());
    out.extend_from_slice(&body);
    out
}

/// Unpacks; `None` for whatever this version did not write under this key, whole.
pub fn unpack(key: &str, bytes: &[u8]) -> Option<Schema> {
    let rest = bytes.strip_prefix(MAGIC.as_bytes())?;
    let (sum, body) = rest.split_at_checked(blake3::OUT_LEN)?;
    if checksum(key, body).as_bytes() != sum {
        return None;
    }
    let schema: Schema = serde_json::from_slice(body).ok()?;
    schema.is_sorted().then_some(schema)
}

fn checksum(key: &str, body: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(body);
    hasher.finalize()
}

impl Schema {
    /// Whether names can be looked up: objects, fields and users stand in order, each once.
    fn is_sorted(&self) -> bool {
        self.objects.is_sorted_by(|a, b| a.name < b.name)
            && self.objects.iter().all(|object| object.fields.is_sorted_by(|a, b| a.name < b.name))
            && self.users.is_sorted_by(|a, b| a.id < b.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lang::schema::{snapshot, snapshot::tests::schemas};

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(schema in schemas()) {
            let key = key(snapshot::write(&schema).as_bytes());
            let packed = pack(&key, &schema);
            prop_assert_eq!(unpack(&key, &packed), Some(schema));
        }

        #[test]
        fn what_was_damaged_or_belongs_elsewhere_is_nothing(
            schema in schemas(), at in any::<proptest::sample::Index>(), flip in 1u8..=255, cut in any::<bool>(),
        ) {
            let packed = pack("a", &schema);
            prop_assert_eq!(unpack("b", &packed), None);
            let at = at.index(packed.len());
            let mut damaged = packed;
            if cut {
                damaged.truncate(at);
            } else {
                damaged[at] ^= flip;
            }
            prop_assert_eq!(unpack("a", &damaged), None);
        }
    }

    #[test]
    fn an_order_that_lookups_cannot_use_is_nothing() {
        let object = |name: &str| crate::lang::schema::Object { name: name.to_owned(), ..Default::default() };
        let schema = Schema { objects: vec![object("b"), object("a")], ..Schema::default() };
        assert_eq!(unpack("k", &pack("k", &schema)), None);
    }
}
