//! Custom fields that a spec has made in the destination.

use std::collections::HashMap;

use super::names::nearest;
use super::types::word;
use super::{Checker, counts};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::CustomField;
use crate::lang::schema::Object;
use crate::lang::syntax::ast::{MapLine, Name, RuleTarget, TypeRef};
use crate::lang::text::Span;
use crate::lang::types::Base;

/// A custom field as the spec declares it.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub base: Base,
    pub many: bool,
    /// The type's word.
    kind: String,
    choices: Vec<String>,
    /// Where it was declared first.
    span: Span,
    /// Whether the destination has it already; then its values are the snapshot's.
    exists: bool,
}

impl Declared {
    /// The values of an enumeration that the spec itself makes.
    pub(super) fn own_choices(&self) -> Option<Vec<String>> {
        (!self.exists && matches!(self.base, Base::Enum(_))).then(|| self.choices.clone())
    }
}

/// All custom fields of a spec, by destination object and label.
#[derive(Debug, Default)]
pub(super) struct CustomFields {
    fields: HashMap<(String, String), Declared>,
    order: Vec<(String, String)>,
}

impl CustomFields {
    pub(super) fn get(&self, object: &str, label: &str) -> Option<&Declared> {
        self.fields.get(&(object.to_owned(), label.to_owned()))
    }

    /// What the destination must have, in the order of the spec.
    pub(super) fn provision(&self) -> Vec<CustomField> {
        let field = |key: &(String, String)| {
            let declared = self.fields.get(key)?;
            Some(CustomField {
                object: key.0.clone(),
                label: key.1.clone(),
                kind: declared.kind.clone(),
                choices: declared.choices.clone(),
                many: declared.many,
            })
        };
        self.order.iter().filter_map(field).collect()
    }
}

impl<'a> Checker<'a> {
    /// Takes in the custom fields of all maps, so that tables can name them.
    pub(super) fn declare_custom(&mut self) {
        for index in 0..self.maps.len() {
            let Some(object) = self.heads[index].target else { continue };
            let map = self.maps[index];
            for line in &map.body {
                if let MapLine::Rule(rule) = line
                    && let RuleTarget::Custom { label, ty } = &rule.target
                {
                    self.declare(object, label, ty);
                }
            }
        }
    }

    /// No field of a mapped object bears an object's name: `deal.TITLE` must have one meaning.
    pub(super) fn names_of_objects(&mut self) {
        let mut sources: Vec<&'a Object> = self.heads.iter().filter_map(|head| head.source).collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        sources.dedup_by(|a, b| a.name == b.name);
        for object in sources {
            for field in &object.fields {
                let names = field.attributes.iter().map(|attribute| &attribute.name).chain([&field.name]);
                for name in names.filter(|name| self.source.object(name).is_some()) {
                    self.add(
                        Finding::new(
                            codes::SNAPSHOT_INVALID,
                            format!("field `{name}` of `{}` bears the name of an object", object.name),
                        )
                        .note(self.source_note())
                        .help("give the field another name in the source, and take the snapshot again"),
                    );
                }
            }
        }
    }

    pub(super) fn declare(&mut self, object: &'a Object, label: &'a Name, ty: &'a TypeRef) {
        if self.reserved(label) {
            return;
        }
        let name = format!("{}.{}", object.name, label.value);
        let kind = ty.name.value.as_str();
        if kind != "enum" && word(kind).is_none() && !object.custom_types.iter().any(|known| known == kind) {
            let known = &object.custom_types;
            let help = match nearest(kind, known.iter().map(String::as_str)) {
                Some(meant) => format!("did this mean `{meant}`?"),
                None => format!("custom fields of `{}` are `{}`", object.name, known.join("`, `")),
            };
            self.add(
                Finding::new(codes::UNKNOWN_TYPE, format!("there is no type `{kind}`"))
                    .at(ty.name.span, "no such type")
                    .help(help),
            );
            return;
        }
        if !object.custom_types.iter().any(|known| known == kind) {
            let help = if object.custom_types.is_empty() {
                format!("`{}` takes no custom fields; write into one of its own fields", object.name)
            } else {
                format!("custom fields of `{}` can be `{}`", object.name, object.custom_types.join("`, `"))
            };
            self.add(
                Finding::new(
                    codes::CUSTOM_FIELD_TYPE,
                    format!("a custom field of type `{kind}` cannot be made on `{}`", object.name),
                )
                .at(ty.span, "not a type of the destination's custom fields")
                .note(self.target_note())
                .help(help),
            );
            return;
        }
        let Some((base, choices)) = self.made_base(ty, &name) else { return };
        let mut declared =
            Declared { base, many: ty.many, kind: kind.to_owned(), choices, span: label.span, exists: false };
        if let Some(field) = object.field(&label.value)
            && !self.agrees_with_field(object, field, label, &mut declared)
        {
            return;
        }
        let key = (object.name.clone(), label.value.clone());
        match self.custom.fields.get(&key) {
            Some(first)
                if first.kind != declared.kind
                    || first.many != declared.many
                    || first.choices != declared.choices =>
            {
                let first = first.span;
                self.add(
                    Finding::new(
                        codes::CUSTOM_FIELD_EXISTS,
                        format!("`{name}` is made twice, with different types"),
                    )
                    .at(label.span, "another type here")
                    .and_at(first, "made here first")
                    .help("give both the same type, or one another label"),
                );
            }
            Some(_) => {}
            None => {
                self.custom.order.push(key.clone());
                self.custom.fields.insert(key, declared);
            }
        }
    }

    /// Whether a field that the destination has already is the one that the spec wants.
    fn agrees_with_field(
        &mut self,
        object: &Object,
        field: &crate::lang::schema::Field,
        label: &Name,
        declared: &mut Declared,
    ) -> bool {
        let name = format!("`{}.{}`", object.name, label.value);
        if !field.custom {
            self.add(
                Finding::new(
                    codes::CUSTOM_FIELD_EXISTS,
                    format!("{name} is a field of `{}` itself", object.name),
                )
                .at(label.span, "not a custom field")
                .note(self.target_note())
                .help(format!("write it as `{} <- …`, or choose another label", label.value)),
            );
            return false;
        }
        let same = match (&field.ty.base, &declared.base) {
            (Base::Text { .. }, Base::Text { .. }) | (Base::Enum(_), Base::Enum(_)) => true,
            (a, b) => a == b,
        };
        if !same || field.ty.many != declared.many {
            self.add(
                Finding::new(
                    codes::CUSTOM_FIELD_EXISTS,
                    format!(
                        "the destination has a custom field {name} of type `{}`",
                        field.ty.clone().present()
                    ),
                )
                .at(label.span, "exists with another type")
                .note(self.target_note())
                .help("use its type, or choose another label; custom fields cannot be changed by the API"),
            );
            return false;
        }
        if let Base::Enum(domain) = &field.ty.base {
            let known = self.target.domains.get(domain);
            let has = |choice: &String| known.is_some_and(|d| d.choices.iter().any(|c| c.code == *choice));
            let lacking: Vec<String> = declared
                .choices
                .iter()
                .filter(|choice| !has(choice))
                .map(|choice| format!("\"{choice}\""))
                .collect();
            if !lacking.is_empty() {
                self.add(
                    Finding::new(
                        codes::CUSTOM_FIELD_EXISTS,
                        format!("the destination's {name} lacks {}", counts::many(lacking.len(), "value")),
                    )
                    .at(
                        label.span,
                        format!("{} {} not there", lacking.join(", "), counts::is_are(lacking.len())),
                    )
                    .note(self.target_note())
                    .help("add them to the field by hand and take the snapshot again; the API cannot"),
                );
                return false;
            }
            declared.exists = true;
        }
        declared.base = field.ty.base.clone();
        true
    }

    /// Whether a label is the marker's, which is the engine's alone.
    pub(super) fn reserved(&mut self, label: &Name) -> bool {
        let marker = format!("{} key", self.source.connector);
        if label.value.trim().to_lowercase() != marker.to_lowercase() {
            return false;
        }
        self.add(
            Finding::new(
                codes::MARKER_RESERVED,
                format!("`{}` is the marker, which no rule writes", label.value),
            )
            .at(label.span, "the engine writes it into every record that it creates")
            .help("remove the rule, or choose another label"),
        );
        true
    }
}
