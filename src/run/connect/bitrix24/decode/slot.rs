//! Reads the JSON of one field into one slot, in one pass and whatever shape it has.

use std::fmt;

use compact_str::{CompactString, format_compact};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::kind::{Kind, Scalar, Shape};
use super::lists::{Binding, Columns, Communication, property, rows};
use crate::lang::value::{Item, Value};

/// Reads a field.
pub(super) struct SlotSeed<'s> {
    pub(super) kind: &'s Kind,
    pub(super) shape: Shape,
    /// Of product rows.
    pub(super) columns: Option<&'s Columns>,
}

impl<'de> DeserializeSeed<'de> for SlotSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        match self.shape {
            Shape::One => One(self.kind).deserialize(d),
            Shape::Many => d.deserialize_any(ManyVisitor(self.kind)),
            Shape::Multifield => {
                let mut found = Vec::new();
                ElementsSeed(&mut |multi: Multi| found.push(multi)).deserialize(d)?;
                Ok(multifield(found))
            }
            Shape::Links => {
                let mut found = Vec::new();
                ElementsSeed(&mut |link: Link| found.push(link)).deserialize(d)?;
                Ok(Value::list(found.into_iter().filter_map(Link::into_value).collect()))
            }
            Shape::Rows => match self.columns {
                Some(columns) => rows(columns, d),
                None => d.deserialize_ignored_any(IgnoredAny).map(|_| Value::Absent),
            },
            Shape::Bindings => {
                let mut found: Vec<Value> = Vec::new();
                ElementsSeed(&mut |binding: Binding| {
                    found.extend(binding.into_value().filter(|value| !found.contains(value)));
                })
                .deserialize(d)?;
                Ok(Value::list(found))
            }
            Shape::Communications => {
                let mut found = Vec::new();
                ElementsSeed(&mut |one: Communication| found.extend(one.into_value())).deserialize(d)?;
                Ok(Value::list(found))
            }
            Shape::Property { many } => {
                let raw = <&RawValue>::deserialize(d)?;
                let mut found = property(&serde_json::from_str(raw.get()).map_err(D::Error::custom)?);
                Ok(if many || found.len() > 1 { Value::list(found) } else { found.pop().unwrap_or_default() })
            }
        }
    }
}

/// The elements of a multifield in the order of their ids: the first one counts as the main one.
pub(super) fn multifield(mut found: Vec<Multi>) -> Value {
    found.sort_by_key(|m| m.id.0.parse::<u64>().unwrap_or(u64::MAX));
    Value::list(found.into_iter().filter_map(Multi::into_value).collect())
}

/// Visits a scalar of any type as a [`Scalar`].
macro_rules! visit_scalars {
    ($read:expr) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            $read(self, Scalar::Null)
        }
        fn visit_bool<E: Error>(self, b: bool) -> Result<Self::Value, E> {
            $read(self, Scalar::Bool(b))
        }
        fn visit_i64<E: Error>(self, n: i64) -> Result<Self::Value, E> {
            $read(self, Scalar::Int(n))
        }
        fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
            match i64::try_from(n) {
                Ok(n) => $read(self, Scalar::Int(n)),
                Err(_) => $read(self, Scalar::Str(&format_compact!("{n}"))),
            }
        }
        fn visit_f64<E: Error>(self, x: f64) -> Result<Self::Value, E> {
            $read(self, Scalar::Float(x))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            $read(self, Scalar::Str(text))
        }
    };
}

/// One value.
pub(super) struct One<'s>(pub(super) &'s Kind);

impl<'s> One<'s> {
    fn scalar<E: Error>(self, scalar: Scalar<'_>) -> Result<Value, E> {
        self.0.read(scalar).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        match self.0 {
            // A JSON number must not go through a float.
            Kind::Decimal => {
                let raw = <&RawValue>::deserialize(d)?.get();
                if raw.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
                    self.scalar(Scalar::Str(raw))
                } else {
                    let mut inner = serde_json::Deserializer::from_str(raw);
                    inner.deserialize_any(OneVisitor(self.0)).map_err(D::Error::custom)
                }
            }
            // Nobody reads it, but whether there is something counts.
            Kind::Opaque => {
                let raw = <&RawValue>::deserialize(d)?.get();
                match raw {
                    "null" | "false" | "\"\"" | "[]" | "{}" => Ok(Value::Absent),
                    _ => Ok(Value::text(serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned()))),
                }
            }
            _ => d.deserialize_any(OneVisitor(self.0)),
        }
    }
}

struct OneVisitor<'s>(&'s Kind);

impl<'de> Visitor<'de> for OneVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    visit_scalars!(|this: Self, scalar| One(this.0).scalar(scalar));

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        single(ManyVisitor(self.0).visit_seq(seq)?)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        single(ManyVisitor(self.0).visit_map(map)?)
    }
}

fn single<E: Error>(list: Value) -> Result<Value, E> {
    match list {
        Value::List(mut values) if values.len() == 1 => Ok(values.pop().unwrap_or_default()),
        Value::List(values) => Err(E::custom(format!("{} values stand where one should", values.len()))),
        other => Ok(other),
    }
}

/// Several values: a list, a list with gaps (PHP makes it an object with numeric keys), or just one.
struct ManyVisitor<'s>(&'s Kind);

impl<'de> Visitor<'de> for ManyVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    visit_scalars!(|this: Self, scalar| {
        let value = One(this.0).scalar(scalar)?;
        Ok(if value.is_absent() { value } else { Value::List(vec![value]) })
    });

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(One(self.0))? {
            if !value.is_absent() {
                values.push(value);
            }
        }
        Ok(Value::list(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(key) = map.next_key::<Loose>()? {
            if is_number(&key.0) {
                let value = map.next_value_seed(One(self.0))?;
                if !value.is_absent() {
                    values.push(value);
                }
            } else if *self.0 == Kind::File {
                // A file is `{id, showUrl, downloadUrl}` or `{id, url, urlMachine}`; the links hold tokens and expire.
                let value = map.next_value::<Loose>()?;
                if key.0 == "id" && !value.is_blank() {
                    values.push(Value::Text(value.0));
                }
            } else {
                return Err(A::Error::custom(format!(
                    "an object with `{}` stands where a value should",
                    key.0
                )));
            }
        }
        Ok(Value::list(values))
    }
}

pub(super) fn is_number(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit())
}

/// Any scalar as text; what is no scalar is blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loose(pub(super) CompactString);

impl Loose {
    pub(super) fn is_blank(&self) -> bool {
        self.0.is_empty()
    }

    fn is_yes(&self) -> bool {
        matches!(self.0.as_str(), "Y" | "y" | "1" | "true")
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct LooseVisitor;
        impl<'de> Visitor<'de> for LooseVisitor {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar")
            }

            visit_scalars!(|_: Self, scalar: Scalar<'_>| Ok(Loose(match scalar {
                Scalar::Null | Scalar::Bool(false) => CompactString::default(),
                Scalar::Bool(true) => CompactString::const_new("true"),
                Scalar::Int(n) => format_compact!("{n}"),
                Scalar::Float(x) => format_compact!("{x}"),
                Scalar::Str(text) => CompactString::new(text),
            })));

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::default())
            }
        }
        d.deserialize_any(LooseVisitor)
    }
}

/// What stands in a list of objects.
pub(super) trait Element: Sized {
    fn from_scalar(scalar: Loose) -> Self;
    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Hands every element of a list over; blanks in place of the list are an empty one.
pub(super) struct ElementsSeed<'f, T: Element>(pub(super) &'f mut dyn FnMut(T));

impl<'de, T: Element> DeserializeSeed<'de> for ElementsSeed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, T: Element> Visitor<'de> for ElementsSeed<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    visit_scalars!(|this: Self, scalar: Scalar<'_>| {
        if let Scalar::Str(text) = scalar
            && !text.is_empty()
        {
            (this.0)(T::from_scalar(Loose(CompactString::new(text))));
        }
        Ok(())
    });

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element_seed(ElementSeed(std::marker::PhantomData))? {
            (self.0)(element);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Loose>()? {
            if !is_number(&key.0) {
                return Err(A::Error::custom(format!(
                    "an object with `{}` stands where a list should",
                    key.0
                )));
            }
            (self.0)(map.next_value_seed(ElementSeed(std::marker::PhantomData))?);
        }
        Ok(())
    }
}

struct ElementSeed<T>(std::marker::PhantomData<T>);

impl<'de, T: Element> DeserializeSeed<'de> for ElementSeed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<T, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, T: Element> Visitor<'de> for ElementSeed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an id")
    }

    visit_scalars!(|_: Self, scalar: Scalar<'_>| Ok(T::from_scalar(Loose(match scalar {
        Scalar::Int(n) => format_compact!("{n}"),
        Scalar::Str(text) => CompactString::new(text),
        _ => CompactString::default(),
    }))));

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_map(map)
    }
}

/// An element of `PHONE` or, with its kind, of `fm`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Multi {
    #[serde(alias = "ID")]
    id: Loose,
    #[serde(alias = "VALUE_TYPE", rename = "valueType")]
    kind: Loose,
    #[serde(alias = "VALUE")]
    value: Loose,
    #[serde(alias = "TYPE_ID", rename = "typeId")]
    pub(super) type_id: Loose,
}

impl Element for Multi {
    fn from_scalar(value: Loose) -> Self {
        Multi { value, ..Multi::default() }
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Multi::deserialize(MapAccessDeserializer::new(map))
    }
}

impl Multi {
    fn into_value(self) -> Option<Value> {
        let kind = if self.kind.is_blank() { Value::Absent } else { Value::Text(self.kind.0) };
        (!self.value.is_blank())
            .then(|| Value::Item(Box::new(Item { value: Value::Text(self.value.0), attrs: vec![kind] })))
    }
}

/// An element of a link list: as the connector stages it, as `*.items.get` answers it, or a bare id.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    #[serde(alias = "ID", alias = "COMPANY_ID", alias = "CONTACT_ID")]
    id: Loose,
    #[serde(alias = "IS_PRIMARY")]
    primary: Option<Loose>,
    #[serde(alias = "SORT")]
    sort: Loose,
}

impl Element for Link {
    fn from_scalar(id: Loose) -> Self {
        Link { id, ..Link::default() }
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Link::deserialize(MapAccessDeserializer::new(map))
    }
}

impl Link {
    fn into_value(self) -> Option<Value> {
        let primary = self.primary.map_or(Value::Absent, |p| Value::Bool(p.is_yes()));
        let sort = self.sort.0.parse().map_or(Value::Absent, Value::Int);
        (!self.id.is_blank() && self.id.0 != "0").then(|| {
            Value::Item(Box::new(Item { value: Value::Text(self.id.0), attrs: vec![primary, sort] }))
        })
    }
}
