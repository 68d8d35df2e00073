//! Links: `ref` and `refs`, to one map or several, by one field or two, and fields of the record that they lead to.

use super::Checker;
use super::meant::{instead, offer};
use super::types::{Scope, Typed};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::Expr;
use crate::lang::syntax::ast::{self, MapLine, Name, RuleTarget};
use crate::lang::text::Span;
use crate::lang::types::{Base, Type};

/// A map that a link may lead to.
type Target<'n> = (usize, &'n Name);

/// A `ref` or `refs` as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference<'e> {
    /// `refs`
    pub many: bool,
    pub maps: &'e [Name],
    pub args: &'e [ast::Expr],
    /// `.name`
    pub field: Option<&'e Name>,
}

impl Reference<'_> {
    fn word(&self) -> &'static str {
        if self.many { "refs" } else { "ref" }
    }
}

impl<'a> Checker<'a> {
    pub(super) fn reference(
        &mut self,
        scope: &mut Scope<'a>,
        reference: &Reference<'_>,
        span: Span,
    ) -> Option<Typed<'a>> {
        if scope.params.is_some() {
            self.add(
                Finding::new(codes::ARM_NOT_ALLOWED, "a function follows no links")
                    .at(span, "not in a function")
                    .help("write the `ref` in the rule, and hand the function what it needs"),
            );
            return None;
        }
        let mut targets: Vec<Target<'_>> = Vec::new();
        let mut ok = true;
        for name in reference.maps {
            match self.map_index(name) {
                Some(index) if targets.iter().any(|(other, _)| *other == index) => self.add(
                    Finding::new(codes::DEAD_ROW, format!("map `{}` stands twice", name.value))
                        .at(name.span, "the second time changes nothing")
                        .help("remove it"),
                ),
                Some(index) => targets.push((index, name)),
                None => ok = false,
            }
        }
        let word = reference.word();
        let (object, arg) = match reference.args {
            [arg] => (None, arg),
            [object, arg] => (Some(object), arg),
            _ => {
                self.wrong_arguments(
                    span,
                    &format!("`{word}` takes one link, or an object's name and a key"),
                    &format!("{word} MAP(FIELD)"),
                );
                return None;
            }
        };
        let arg_span = arg.span;
        let kind = object.map(|object| (self.expr(scope, object), object.span));
        let link = self.expr(scope, arg);
        for (index, name) in &targets {
            scope.links.push((*index, name.span));
        }
        let link = link?;
        let kind = match kind {
            None => {
                for (index, name) in &targets {
                    ok &= self.leads_to(scope, &link, *index, name, arg_span);
                }
                None
            }
            Some((kind, at)) => {
                let kind = kind?;
                ok &= self.names_objects(&kind, at, &targets) && self.is_key(&link, arg_span);
                Some(kind)
            }
        };
        if !ok {
            return None;
        }
        if reference.many != link.ty.many {
            self.one_or_many(reference, &link, arg_span);
            return None;
        }
        let (ty, field) = match reference.field {
            None => (Type { base: self.where_to(&targets)?, many: reference.many, optional: true }, None),
            Some(field) => {
                let (ty, places) = self.linked_field(&targets, field)?;
                if reference.many && ty.many {
                    self.add(
                        Finding::new(
                            codes::TYPE_MISMATCH,
                            format!("`{}` is a list for each of several records", field.value),
                        )
                        .at(field.span, format!("this is `{ty}`"))
                        .help("follow one link: `ref MAP(first(FIELD)).FIELD`"),
                    );
                    return None;
                }
                (Type { many: ty.many || reference.many, optional: true, ..ty }, Some(places))
            }
        };
        let sure = field.is_none()
            && kind.is_none()
            && !reference.many
            && !link.ty.optional
            && link.ty.base != Base::AnyLink;
        let mut links = Typed::new(
            Expr::Ref {
                // INVARIANT: `run` refuses specs with more maps.
                maps: targets.iter().filter_map(|(index, _)| u16::try_from(*index).ok()).collect(),
                link: Box::new(link.expr.clone()),
                any: link.ty.base == Base::AnyLink || kind.is_some(),
                object: kind.as_ref().map(|kind| Box::new(kind.expr.clone())),
                field,
            },
            Type { optional: !sure, ..ty },
        );
        links.made = true;
        links.refs = true;
        if links.ty.many && reference.many {
            links.attributes = link.attributes;
        }
        let links = links.taint(&link);
        Some(match kind {
            Some(kind) => links.taint(&kind),
            None => links,
        })
    }

    fn one_or_many(&mut self, reference: &Reference<'_>, link: &Typed<'a>, span: Span) {
        let many = reference.many;
        let other = if many { "ref" } else { "refs" };
        let text = self.code(span);
        let message =
            if many { "`refs` takes a list of links, not one" } else { "`ref` takes one link, not a list" };
        let maps: Vec<&str> = reference.maps.iter().map(|map| map.value.as_str()).collect();
        self.add(
            Finding::new(codes::TYPE_MISMATCH, message)
                .at(span, format!("this is `{}`", link.ty))
                .help(format!("write `{other} {}({text})`", maps.join("|"))),
        );
    }

    /// The type of links to these maps; unknown maps and objects were reported where they stand.
    fn where_to(&self, maps: &[Target<'_>]) -> Option<Base> {
        let mut objects: Vec<&str> = Vec::new();
        for (index, _) in maps {
            let object = self.heads[*index].target?.name.as_str();
            if !objects.contains(&object) {
                objects.push(object);
            }
        }
        match objects.as_slice() {
            [] => None,
            [only] => Some(Base::Ref((*only).to_owned())),
            several => {
                let mut several: Vec<String> = several.iter().map(|object| (*object).to_owned()).collect();
                several.sort_unstable();
                Some(Base::AnyRef(several))
            }
        }
    }

    /// Whether a link leads to the source object of a map.
    fn leads_to(&mut self, scope: &Scope<'a>, link: &Typed<'a>, map: usize, name: &Name, span: Span) -> bool {
        let source = self.maps[map].source.name.value.as_str();
        let own = scope.object.map(|object| object.name.as_str());
        match &link.ty.base {
            Base::Link(object) if object == source => true,
            Base::AnyLink => true,
            // The record itself, which another map writes as well.
            _ if own == Some(source) && slot_of(&link.expr).is_some_and(|slot| Some(slot) == scope.key) => {
                true
            }
            Base::Link(object) => {
                let other: Vec<String> = self
                    .maps
                    .iter()
                    .filter(|map| map.source.name.value == *object)
                    .map(|map| format!("`{}`", map.name().value))
                    .collect();
                let help = if other.is_empty() {
                    format!("there is no map of `{object}` yet: write one, or drop the field")
                } else {
                    format!("name a map of `{object}`: {}", other.join(", "))
                };
                self.add(
                    Finding::new(
                        codes::REF_WRONG_OBJECT,
                        format!("the link leads to `{object}`, and map `{}` carries `{source}`", name.value),
                    )
                    .at(name.span, format!("carries `{source}`"))
                    .and_at(span, format!("leads to `{object}`"))
                    .help(help),
                );
                false
            }
            other => {
                let other = other.to_string();
                self.add(
                    Finding::new(codes::REF_WRONG_OBJECT, format!("`{other}` is no link to `{source}`"))
                        .at(span, format!("this is `{other}`"))
                        .help(format!("name a field of type `link({source})`")),
                );
                false
            }
        }
    }

    /// Whether a value names objects, among them those that the maps read.
    fn names_objects(&mut self, kind: &Typed<'a>, span: Span, maps: &[Target<'_>]) -> bool {
        let known = match &kind.ty.base {
            Base::Enum(domain) if !kind.ty.many && !kind.made => {
                self.source.domains.get(domain).map(|domain| &domain.choices)
            }
            Base::Text { .. } if !kind.ty.many => None,
            _ => {
                self.add(
                    Finding::new(
                        codes::REF_WRONG_OBJECT,
                        format!("the object's name is a text, not `{}`", kind.ty),
                    )
                    .at(span, format!("this is `{}`", kind.ty))
                    .help("name the field that says to which object the other one leads"),
                );
                return false;
            }
        };
        let Some(known) = known else { return true };
        let mut ok = true;
        for (index, name) in maps {
            let source = self.maps[*index].source.name.value.as_str();
            if !known.iter().any(|choice| choice.code.eq_ignore_ascii_case(source)) {
                ok = false;
                let some: Vec<String> =
                    known.iter().take(6).map(|choice| format!("\"{}\"", choice.code)).collect();
                self.add(
                    Finding::new(
                        codes::REF_WRONG_OBJECT,
                        format!("no value of `{}` names `{source}`", self.code(span)),
                    )
                    .at(span, format!("its values are {}", some.join(", ")))
                    .and_at(name.span, format!("carries `{source}`"))
                    .note(self.source_note())
                    .help("name a field whose values are the objects' names, or leave the map out"),
                );
            }
        }
        ok
    }

    /// Whether a value can be the key of a record.
    fn is_key(&mut self, key: &Typed<'a>, span: Span) -> bool {
        let fits = matches!(key.ty.base, Base::Text { .. } | Base::Integer | Base::Link(_)) && !key.made;
        if !fits {
            self.add(
                Finding::new(codes::REF_WRONG_OBJECT, format!("`{}` is no key of a record", key.ty))
                    .at(span, format!("this is `{}`", key.ty))
                    .help("name the field that holds the other record's id"),
            );
        }
        fits
    }

    /// A field of the records that these maps write: its type, and its place among each map's targets.
    fn linked_field(&mut self, maps: &[Target<'_>], field: &Name) -> Option<(Type, Vec<u16>)> {
        let mut found: Option<Type> = None;
        let mut places = Vec::with_capacity(maps.len());
        let mut ok = true;
        for (index, name) in maps {
            let (Some(object), written) = (self.heads[*index].target, self.written_names(*index)) else {
                ok = false;
                continue;
            };
            let Some(place) = written.iter().position(|written| *written == field.value) else {
                ok = false;
                let help = match self.meant_name(&field.value, written.iter().copied()) {
                    Some(meant) => format!("did this mean `{meant}`?"),
                    None => format!("map `{}` writes `{}`", name.value, written.join("`, `")),
                };
                self.add(
                    Finding::new(
                        codes::UNKNOWN_FIELD,
                        format!("map `{}` writes no `{}`", name.value, field.value),
                    )
                    .at(field.span, "not written by it")
                    .help(help),
                );
                continue;
            };
            let ty = match (self.custom.get(&object.name, &field.value), object.field(&field.value)) {
                (Some(custom), _) => Type { base: custom.base.clone(), many: custom.many, optional: true },
                (None, Some(field)) => field.ty.clone().or_absent(),
                // What is wrong with it is reported where it is written.
                (None, None) => {
                    ok = false;
                    continue;
                }
            };
            if matches!(ty.base, Base::Ref(_) | Base::AnyRef(_) | Base::Stage | Base::Record) {
                ok = false;
                self.add(
                    Finding::new(
                        codes::TYPE_MISMATCH,
                        format!("`{}` cannot be read by way of a link", field.value),
                    )
                    .at(field.span, format!("this is `{}`", ty.clone().present()))
                    .help("name a field that holds a value of its own, such as a name"),
                );
                continue;
            }
            match &found {
                Some(first) if first.base != ty.base || first.many != ty.many => {
                    ok = false;
                    self.add(
                        Finding::new(
                            codes::TYPE_MISMATCH,
                            format!("`{}` is not of one type in these maps", field.value),
                        )
                        .at(
                            field.span,
                            format!("`{}` and `{}`", first.clone().present(), ty.clone().present()),
                        )
                        .help("write a rule for each of them"),
                    );
                }
                Some(_) => {}
                None => found = Some(ty),
            }
            places.push(u16::try_from(place).ok()?);
        }
        found.filter(|_| ok).map(|ty| (ty, places))
    }

    /// The names of what a map's rules write, in the order of its targets.
    fn written_names(&self, map: usize) -> Vec<&'a str> {
        let mut names: Vec<&'a str> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for line in &self.maps[map].body {
            if let MapLine::Rule(rule) = line {
                let name = match &rule.target {
                    RuleTarget::Field(name) => &name.value,
                    RuleTarget::Custom { label, .. } => &label.value,
                };
                if seen.insert(name.as_str()) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// The index of a map.
    pub(super) fn map_index(&mut self, name: &Name) -> Option<usize> {
        if let Some(index) = self.map_names.get(name.value.as_str()) {
            return Some(*index);
        }
        // Its own item could not be read, which is told there.
        if self.mentioned(&name.value, Span::default()) {
            return None;
        }
        let names: Vec<&str> = self.map_names.keys().copied().collect();
        // The maps of a source object that `as` gave names of their own.
        let split: Vec<&str> = self
            .maps
            .iter()
            .filter(|map| map.source.name.value == name.value)
            .map(|map| map.name().value.as_str())
            .collect();
        let finding = Finding::new(codes::UNKNOWN_MAP, format!("there is no map `{}`", name.value))
            .at(name.span, "no such map");
        let finding = if split.is_empty() {
            let makers: Vec<&str> = self
                .maps
                .iter()
                .filter(|map| map.target.value == name.value)
                .map(|map| map.name().value.as_str())
                .collect();
            match (makers.as_slice(), self.meant_name(&name.value, names.into_iter())) {
                ([maker, ..], _) => {
                    let finding = finding.help(format!(
                        "`{}` is an object of the destination; maps are named by what they read: `{}`",
                        name.value,
                        makers.join("`, `")
                    ));
                    // Several maps may make it: then a person chooses.
                    let only = (makers.len() == 1).then(|| (*maker).to_owned());
                    finding.fix_where(only.map(|only| instead(name.span, only)))
                }
                (_, Some(meant)) => {
                    let finding = finding.help(format!("did this mean `{meant}`?"));
                    offer(finding, &name.value, meant, name.span, meant.to_owned())
                }
                _ => finding.help("a map's name is its source object, or what `as` says"),
            }
        } else {
            let all = split.join("|");
            finding.help(format!("its records go to `{}`: write `{all}`", split.join("`, `"))).fix(Fix {
                title: format!("write `{all}`"),
                edits: vec![Edit { span: name.span, text: all }],
                applicability: Applicability::Likely,
            })
        };
        self.add(finding);
        None
    }
}

fn slot_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Slot(slot) => Some(usize::from(*slot)),
        _ => None,
    }
}
