//! What is known of an expression; types as specs write them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::meant::instead;
use super::{Checker, Side};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan;
use crate::lang::schema::{Attribute, Object};
use crate::lang::syntax::ast::{TypeArg, TypeRef};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// A checked expression.
#[derive(Clone, Debug)]
pub(super) struct Typed<'a> {
    /// As the plan has it.
    pub expr: plan::Expr,
    /// Its type.
    pub ty: Type,
    /// Whether enumerations, users and stages in it are the destination's.
    pub made: bool,
    /// Whether a conversion in it may fail.
    pub fails: bool,
    /// What is lost on the line itself.
    pub fidelity: Fidelity,
    /// What is lost in tables and pipelines, whose rows give the reason.
    pub elsewhere: Option<(Fidelity, Rc<str>)>,
    /// All texts that it can give, where they are known.
    pub texts: Option<Rc<[String]>>,
    /// Whether it holds links to other maps' records.
    pub refs: bool,
    /// What its elements carry.
    pub attributes: &'a [Attribute],
}

impl<'a> Typed<'a> {
    pub(super) fn new(expr: plan::Expr, ty: Type) -> Self {
        Typed {
            expr,
            ty,
            made: false,
            fails: false,
            fidelity: Fidelity::Exact,
            elsewhere: None,
            texts: None,
            refs: false,
            attributes: &[],
        }
    }

    /// A constant.
    pub(super) fn constant(value: Value) -> Self {
        let base = match &value {
            Value::Int(_) => Base::Integer,
            Value::Decimal(_) => Base::Decimal,
            Value::Bool(_) => Base::Bool,
            Value::Date(_) => Base::Date,
            Value::Money(_) => Base::Money,
            Value::Text(text) => Base::Text { max: Some(characters(text)) },
            _ => Base::Record,
        };
        let texts: Option<Rc<[String]>> = match &value {
            Value::Text(text) => Some(Rc::from([text.to_string()])),
            _ => None,
        };
        Typed { texts, ..Typed::new(plan::Expr::Const(value), Type::one(base)) }
    }

    /// Its value, where that is known.
    pub(super) fn value(&self) -> Option<&Value> {
        match &self.expr {
            plan::Expr::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Takes over what another expression brings into this one, its type and fidelity apart.
    pub(super) fn taint(mut self, other: &Typed<'_>) -> Self {
        self.fails |= other.fails;
        self.refs |= other.refs;
        self.elsewhere = worse(self.elsewhere, other.elsewhere.clone());
        self
    }
}

/// The graver of two losses that are explained elsewhere.
pub(super) fn worse(
    a: Option<(Fidelity, Rc<str>)>,
    b: Option<(Fidelity, Rc<str>)>,
) -> Option<(Fidelity, Rc<str>)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 > a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// The length of a text in characters.
pub(super) fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// What an expression sees.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// The source object whose fields bare names read; `None` where no record is at hand. In a flatten, the object
    /// that is folded in.
    pub object: Option<&'a Object>,
    /// Whether several records are folded in, which `count`, `sum`, `min` and `max` read.
    pub folded: bool,
    /// In a function: its parameters, and nothing else.
    pub params: Option<Rc<[Param]>>,
    /// The map, by index; in a flatten, the one that takes the records in.
    pub map: usize,
    /// The map's key, by slot.
    pub key: Option<usize>,
    /// What the element at hand carries.
    pub attributes: &'a [Attribute],
    /// The type of the element at hand.
    pub element: Option<Base>,
    /// In a block of lines: the list, as the spec names it. Bare names are then the line's alone.
    pub line: Option<String>,
    /// Attributes of the line that were read, by index.
    pub line_reads: BTreeSet<u16>,
    /// Slots that a rule carries without loss, or with a reason for it.
    pub kept: BTreeSet<u16>,
    /// Values after `else` and `on fail` that lose something, with the slots that they read.
    pub fallbacks: Vec<Fallback>,
    /// Fields of lines that are dropped, as `LIST.FIELD`.
    pub line_dropped: Vec<plan::Dropped>,
    /// Slots that were read, with their names.
    pub reads: BTreeMap<u16, String>,
    /// Destination fields that the map writes so far.
    pub written: HashSet<String>,
    /// Maps that links lead to, and where that stands.
    pub links: Vec<(usize, Span)>,
    /// Inside a flatten: the record that takes the others in.
    pub outer: Option<Outer<'a>>,
    /// Inside a flatten: slots that a note on each folded record carries, with its reason.
    pub carried: BTreeMap<u16, Rc<str>>,
    /// Lists that a rule carries with their labels, by slot.
    pub labelled: BTreeSet<u16>,
    /// Rules that carry a list without its labels.
    pub unlabelled: Vec<super::kept::Unlabelled>,
}

/// Inside a flatten, the record that takes the others in: read as `OBJECT.FIELD`, by `Expr::Outer`.
#[derive(Debug)]
pub(super) struct Outer<'a> {
    /// Its object.
    pub object: &'a Object,
    /// Slots of it that were read, with their names.
    pub reads: std::collections::BTreeMap<u16, String>,
}

/// A value of an arm that loses something and gives no reason.
#[derive(Debug)]
pub(super) struct Fallback {
    /// What it reads.
    pub slots: BTreeSet<u16>,
    pub fidelity: Fidelity,
    /// The arm.
    pub at: Span,
    /// Where its rule ends.
    pub end: u32,
}

/// A parameter of a function of the spec.
#[derive(Clone, Debug)]
pub(super) struct Param {
    pub name: String,
    /// `None` where its type was not understood, which was reported.
    pub ty: Option<Type>,
    /// Whether an enumeration is the destination's.
    pub made: bool,
}

/// Types that specs may write, for suggestions.
const WORDS: &[&str] = &[
    "text",
    "long_text",
    "integer",
    "number",
    "decimal",
    "money",
    "currency",
    "bool",
    "date",
    "datetime",
    "email",
    "phone",
    "url",
    "address",
    "location",
    "enum",
];

/// The base that a type's word stands for, `enum` apart.
pub(super) fn word(name: &str) -> Option<Base> {
    Some(match name {
        "text" | "long_text" => Base::Text { max: None },
        "integer" => Base::Integer,
        "number" | "decimal" => Base::Decimal,
        "money" | "currency" => Base::Money,
        "bool" => Base::Bool,
        "date" => Base::Date,
        "datetime" => Base::DateTime,
        "email" => Base::Email,
        "phone" => Base::Phone,
        "url" => Base::Url,
        "address" | "location" => Base::Address,
        "person_name" => Base::PersonName,
        _ => return None,
    })
}

/// The choices that stand in `enum("A", "B")`.
pub(super) fn choices(ty: &TypeRef) -> Vec<String> {
    ty.args
        .iter()
        .filter_map(|arg| match arg {
            TypeArg::Text(text) => Some(text.value.clone()),
            TypeArg::Name(_) | TypeArg::Number(_) => None,
        })
        .collect()
}

impl<'a> Checker<'a> {
    /// The base of a type of the destination's side, `enum` with its choices included.
    pub(super) fn made_base(&mut self, ty: &TypeRef, name: &str) -> Option<(Base, Vec<String>)> {
        if ty.name.value == "enum" {
            let choices = choices(ty);
            if choices.is_empty() {
                self.add(
                    Finding::new(codes::UNKNOWN_TYPE, "an `enum` needs its values here")
                        .at(ty.span, "of which values?")
                        .help("write them in parentheses: `enum(\"A\", \"B\")`"),
                );
                return None;
            }
            return Some((Base::Enum(name.to_owned()), choices));
        }
        match word(&ty.name.value) {
            Some(Base::Text { .. }) => {
                let max = ty.args.iter().find_map(|arg| match arg {
                    TypeArg::Number(number) => Some(number.value),
                    _ => None,
                });
                Some((Base::Text { max }, Vec::new()))
            }
            Some(base) => Some((base, Vec::new())),
            None => {
                self.unknown_type(ty);
                None
            }
        }
    }

    pub(super) fn unknown_type(&mut self, ty: &TypeRef) {
        let name = &ty.name.value;
        let meant = super::names::nearest(name, WORDS.iter().copied());
        let help = match meant {
            _ if self.source.domains.contains_key(name) => {
                format!("an enumeration of the source is written `enum({name})`")
            }
            Some(meant) => format!("did this mean `{meant}`?"),
            None => format!("types are `{}`", WORDS.join("`, `")),
        };
        let written = match self.source.domains.contains_key(name) {
            true => Some(format!("enum({name})")),
            false => meant.map(str::to_owned),
        };
        self.add(
            Finding::new(codes::UNKNOWN_TYPE, format!("there is no type `{name}`"))
                .at(ty.name.span, "no such type")
                .help(help)
                .fix_where(written.map(|written| instead(ty.name.span, written))),
        );
    }

    /// The source enumeration that `enum(NAME)` stands for: a domain's name, or a field's.
    pub(super) fn source_domain(&mut self, ty: &TypeRef) -> Option<String> {
        let Some(TypeArg::Name(name)) = ty.args.first() else {
            self.add(
                Finding::new(codes::UNKNOWN_TYPE, "an `enum` of the source needs its name")
                    .at(ty.span, "of which enumeration?")
                    .help("write `enum(NAME)` with a name of the snapshot, such as a field's: `enum(OBJECT.FIELD)`"),
            );
            return None;
        };
        if self.choices_of(Side::Source, &name.value).is_some() {
            return Some(name.value.clone());
        }
        if let Some((object, field)) = name.value.split_once('.')
            && let Some(field) = self.source.object(object).and_then(|o| o.field(field))
            && let Base::Enum(domain) = &field.ty.base
        {
            return Some(domain.clone());
        }
        let meant = self.meant_name(&name.value, self.source.domains.keys().map(String::as_str));
        let help = match meant {
            Some(meant) => format!("did this mean `enum({meant})`?"),
            None => "look the enumerations up in the snapshot under `domains`".to_owned(),
        };
        self.add(
            Finding::new(codes::UNKNOWN_TYPE, format!("the source has no enumeration `{}`", name.value))
                .at(name.span, "no such enumeration")
                .note(self.source_note())
                .help(help)
                .fix_where(meant.map(|meant| instead(name.span, meant.to_owned()))),
        );
        None
    }
}
