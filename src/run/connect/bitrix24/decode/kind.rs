//! How a slot is read: worked out once per field from the schema, so that no record asks the schema anything.

use compact_str::{CompactString, format_compact};

use super::scalar;
use crate::lang::schema::{Field, Schema};
use crate::lang::types::{Base, Type};
use crate::lang::value::Value;

/// What one value of a slot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Decimal,
    Money,
    Bool {
        /// The system always fills it, so a blank is "not set".
        always: bool,
    },
    Date,
    DateTime,
    Address,
    File,
    User,
    Enum {
        /// `0` stands for no choice.
        zero_is_blank: bool,
    },
    Stage,
    /// The object that something hangs on, as links name it.
    Owner,
    Link {
        /// `CO_` of `CO_3`.
        prefix: Option<String>,
    },
    AnyLink,
    Opaque,
}

/// How many values a slot holds and what stands beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Many,
    /// Phones and the like: elements with a kind.
    Multifield,
    /// The connector's link lists: elements with primary flag and place.
    Links,
    /// Product rows: elements with columns.
    Rows,
    /// The records that an activity hangs on.
    Bindings,
    /// With whom an activity was: elements with their kind and record.
    Communications,
    /// A property of a product: one value or several, each in an object.
    Property {
        /// Whether the schema has a list of them.
        many: bool,
    },
}

/// A scalar as JSON has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
}

impl Kind {
    pub(super) fn of(schema: &Schema, field: &Field) -> Kind {
        Kind::of_type(schema, &field.ty, field.custom)
    }

    pub(super) fn of_type(schema: &Schema, ty: &Type, custom: bool) -> Kind {
        match &ty.base {
            Base::Text { .. } | Base::Phone | Base::Email | Base::Url => Kind::Text,
            Base::Integer => Kind::Int,
            Base::Decimal => Kind::Decimal,
            Base::Money => Kind::Money,
            Base::Bool => Kind::Bool { always: !ty.optional },
            Base::Date => Kind::Date,
            Base::DateTime => Kind::DateTime,
            Base::Address => Kind::Address,
            Base::File => Kind::File,
            Base::User => Kind::User,
            Base::Enum(name) if name == "ENTITY_TYPE" => Kind::Owner,
            Base::Enum(name) => {
                let known = schema.domains.get(name).is_some_and(|d| d.choices.iter().any(|c| c.code == "0"));
                Kind::Enum { zero_is_blank: custom && !known }
            }
            Base::Stage => Kind::Stage,
            Base::Link(object) => Kind::Link { prefix: scalar::short_code(object).map(|code| code + "_") },
            Base::AnyLink => Kind::AnyLink,
            Base::Ref(_) | Base::AnyRef(_) | Base::PersonName | Base::Record | Base::Opaque(_) => {
                Kind::Opaque
            }
        }
    }

    /// Reads one scalar; every spelling of a blank is [`Value::Absent`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&self, scalar: Scalar<'_>) -> Result<Value, String> {
        if let Kind::Bool { always } = self {
            return read_bool(scalar, *always);
        }
        match scalar {
            Scalar::Null | Scalar::Bool(false) | Scalar::Str("") => Ok(Value::Absent),
            Scalar::Str(text) => self.read_str(text),
            Scalar::Int(n) if *self == Kind::Int => Ok(Value::Int(n)),
            Scalar::Int(n) => self.read_str(&format_compact!("{n}")),
            Scalar::Float(x) => self.read_str(&format_compact!("{x}")),
            Scalar::Bool(true) => match self {
                Kind::Text | Kind::Opaque => Ok(Value::text("true")),
                _ => Err("`true` stands where a value should".to_owned()),
            },
        }
    }

    fn read_str(&self, text: &str) -> Result<Value, String> {
        let odd = |what: &str| format!("`{}` is not {what}", shown(text));
        Ok(match self {
            Kind::Text | Kind::Opaque | Kind::File => Value::text(text),
            Kind::Int => Value::Int(scalar::integer(text).ok_or_else(|| odd("a whole number"))?),
            Kind::Decimal => Value::Decimal(scalar::decimal(text).ok_or_else(|| odd("a number"))?),
            Kind::Money => scalar::money(text)?.map_or(Value::Absent, Value::Money),
            Kind::Date | Kind::DateTime if scalar::blank_date(text) => Value::Absent,
            Kind::Date => Value::Date(scalar::date(text).ok_or_else(|| odd("a date"))?),
            Kind::DateTime => {
                Value::Instant(scalar::instant(text).ok_or_else(|| odd("a date-time with its offset"))?)
            }
            Kind::Address => scalar::address(text).map_or(Value::Absent, |a| Value::Address(Box::new(a))),
            Kind::User | Kind::AnyLink if text == "0" => Value::Absent,
            Kind::User => Value::text(text),
            Kind::AnyLink => Value::text(scalar::binding(text)),
            Kind::Enum { zero_is_blank: true } if text == "0" => Value::Absent,
            Kind::Enum { .. } => Value::text(text),
            Kind::Stage => Value::text(scalar::stage_code(text)),
            Kind::Owner if text == "0" => Value::Absent,
            Kind::Owner => Value::text(scalar::owner_type(text)),
            Kind::Link { prefix } => {
                let id = prefix.as_deref().and_then(|p| strip_prefix_ignoring_case(text, p)).unwrap_or(text);
                if id == "0" { Value::Absent } else { Value::text(id) }
            }
            // INVARIANT: `read` has dealt with truth values before.
            Kind::Bool { .. } => return Err(odd("yes or no")),
        })
    }
}

fn read_bool(scalar: Scalar<'_>, always: bool) -> Result<Value, String> {
    let known = match scalar {
        Scalar::Bool(b) => Some(b),
        Scalar::Int(1) => Some(true),
        Scalar::Int(0) => Some(false),
        Scalar::Str(text) => match text {
            "Y" | "y" | "1" | "true" => Some(true),
            "N" | "n" | "0" | "false" => Some(false),
            _ => None,
        },
        Scalar::Null | Scalar::Int(_) | Scalar::Float(_) => None,
    };
    match (known, scalar) {
        (Some(b), _) => Ok(Value::Bool(b)),
        (None, Scalar::Null | Scalar::Str("")) if always => Ok(Value::Bool(false)),
        (None, Scalar::Null | Scalar::Str("")) => Ok(Value::Absent),
        (None, _) => Err("it is neither yes nor no".to_owned()),
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The value in a message: its beginning only.
fn shown(text: &str) -> CompactString {
    text.chars().take(40).collect()
}
