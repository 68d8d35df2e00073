//! A schema as bytes that read back fast: what a cache holds instead of YAML.
//!
//! Not a format for people or for exchange: another version of the program reads nothing of it. Lengths stand before
//! contents, in four bytes, the least first; fields stand in the order of their structs.

use std::collections::BTreeMap;

use super::{
    Answer, Attribute, Choice, Domain, Field, Object, Outcome, Pipeline, Probed, Schema, Stage, Stats, User,
    Write,
};
use crate::lang::types::Type;
use crate::lang::value::OutcomeKind;

/// What the bytes begin with. Changes whenever a snapshot would be read into another schema than before.
const MAGIC: &str = concat!("b2n-packed-schema/3 ", env!("CARGO_PKG_VERSION"), "\n");

/// The name under which a snapshot's schema is kept: 64 hex digits over the file's bytes and this version.
pub fn key(snapshot: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(MAGIC.as_bytes());
    hasher.update(snapshot);
    hasher.finalize().to_hex().to_string()
}

/// Packs the schema that was read from a snapshot of this key.
pub fn pack(key: &str, schema: &Schema) -> Vec<u8> {
    let mut body = Vec::new();
    schema.put(&mut body);
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
    let mut rest = body;
    let schema = Schema::get(&mut rest)?;
    (rest.is_empty() && schema.is_sorted()).then_some(schema)
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

/// What can be packed.
trait Packed: Sized {
    fn put(&self, out: &mut Vec<u8>);
    /// Takes a value off the front; `None` where there is none.
    fn get(rest: &mut &[u8]) -> Option<Self>;
}

/// Packs the fields of a struct one after the other. Taking it apart by name keeps a new field from being forgotten.
macro_rules! packed {
    ($($name:ident { $($field:ident),* })*) => {
        $(impl Packed for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let $name { $($field),* } = self;
                $($field.put(out);)*
            }

            fn get(rest: &mut &[u8]) -> Option<Self> {
                Some($name { $($field: Packed::get(rest)?),* })
            }
        })*
    };
}

packed! {
    Schema { connector, account, account_name, taken, salt, objects, domains, pipelines, users, probed }
    Object { name, title, records, creatable, hint, custom_types, matchable, fields }
    Field { name, title, ty, required, write, custom, attributes, stats }
    Attribute { name, ty }
    Stats { filled, values, longest }
    Domain { title, choices, open }
    Choice { code, title }
    Pipeline { object, code, name, stages, records, outcomes }
    Stage { code, name, ends }
    Outcome { code, name, kind }
    User { id, email_hash, active }
    Probed { day, answers }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (front, back) = rest.split_at_checked(count)?;
    *rest = back;
    Some(front)
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    // A snapshot has 4 MiB at most, so every count fits.
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn get_count(rest: &mut &[u8]) -> Option<usize> {
    let count = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    usize::try_from(count).ok()
}

fn get_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let count = get_count(rest)?;
    std::str::from_utf8(take(rest, count)?).ok()
}

impl Packed for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        get_text(rest).map(str::to_owned)
    }
}

impl Packed for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        match take(rest, 1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl Packed for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        Some(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
    }
}

impl Packed for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        Some(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?))
    }
}

impl<T: Packed> Packed for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        Some(if bool::get(rest)? { Some(T::get(rest)?) } else { None })
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        self.iter().for_each(|value| value.put(out));
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        let count = get_count(rest)?;
        // Whatever the count says, no more can follow than there are bytes.
        let mut values = Vec::with_capacity(count.min(rest.len()));
        for _ in 0..count {
            values.push(T::get(rest)?);
        }
        Some(values)
    }
}

impl<T: Packed> Packed for BTreeMap<String, T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        let count = get_count(rest)?;
        (0..count).map(|_| Some((String::get(rest)?, T::get(rest)?))).collect()
    }
}

/// As specs write it.
impl Packed for Type {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        get_text(rest)?.parse().ok()
    }
}

impl Packed for jiff::civil::Date {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        get_text(rest)?.parse().ok()
    }
}

impl Packed for Write {
    fn put(&self, out: &mut Vec<u8>) {
        let hint = match self {
            Write::Yes => None,
            Write::No { hint } => Some(hint.clone()),
        };
        hint.put(out);
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        Some(Option::get(rest)?.map_or(Write::Yes, |hint| Write::No { hint }))
    }
}

impl Packed for Answer {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Answer::Flag(flag) => flag.put(out),
            Answer::Count(count) => {
                out.push(2);
                count.put(out);
            }
            Answer::Word(word) => {
                out.push(3);
                word.put(out);
            }
        }
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        Some(match take(rest, 1)? {
            [0] => Answer::Flag(false),
            [1] => Answer::Flag(true),
            [2] => Answer::Count(u64::get(rest)?),
            [3] => Answer::Word(String::get(rest)?),
            _ => return None,
        })
    }
}

impl Packed for OutcomeKind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            OutcomeKind::Won => 0,
            OutcomeKind::Lost => 1,
            OutcomeKind::Cancelled => 2,
        });
    }

    fn get(rest: &mut &[u8]) -> Option<Self> {
        match take(rest, 1)? {
            [0] => Some(OutcomeKind::Won),
            [1] => Some(OutcomeKind::Lost),
            [2] => Some(OutcomeKind::Cancelled),
            _ => None,
        }
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

    proptest! {
        #[test]
        fn any_bytes_under_a_right_checksum_are_read_without_harm(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let packed = [MAGIC.as_bytes(), checksum("k", &body).as_bytes(), &body].concat();
            // Almost never a schema; never a panic or an allocation beyond what is there.
            let _ = unpack("k", &packed);
        }
    }

    #[test]
    fn an_order_that_lookups_cannot_use_is_nothing() {
        let object = |name: &str| crate::lang::schema::Object { name: name.to_owned(), ..Default::default() };
        let schema = Schema { objects: vec![object("b"), object("a")], ..Schema::default() };
        assert_eq!(unpack("k", &pack("k", &schema)), None);
    }
}
