//! Typed holes: what a `???` must be, and which fields of the record fit.

use super::fit::Place;
use super::types::{Scope, Typed};
use super::{Checker, counts};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::schema::{Attribute, Object, Stats};
use crate::lang::text::Span;
use crate::lang::types::{Base, Type};

/// Proposals that are shown.
const SHOWN: usize = 6;

/// Something that could stand in a hole's place.
#[derive(Debug)]
struct Fitting {
    /// As a spec writes it.
    written: String,
    title: Option<String>,
    ty: Type,
    /// How directly it fits: 0 as it is, 1 by way of a function, 2 by way of something still to be written.
    steps: u8,
    /// How much its name is like the destination's, from 0 to 100.
    alike: u8,
    /// Records that have it.
    filled: Option<u64>,
    /// Its slot, where it is a field of the record.
    slot: Option<usize>,
}

impl<'a> Checker<'a> {
    /// Reports a hole; nothing can be said of its value.
    pub(super) fn hole(
        &mut self,
        scope: &mut Scope<'a>,
        place: Option<&Place>,
        span: Span,
    ) -> Option<Typed<'a>> {
        let wanted = place.map(|place| place.ty.clone().present());
        let message = match (&wanted, place) {
            (Some(wanted), Some(place)) => format!("{} waits for a value of type `{wanted}`", place.name),
            _ => "a value is to be filled in here".to_owned(),
        };
        let label = wanted.as_ref().map_or("a value".to_owned(), |wanted| format!("expected: `{wanted}`"));
        let mut finding = Finding::new(codes::HOLE, message).at(span, label);
        let fitting = match place {
            Some(place) => self.fitting(scope, place),
            None => Vec::new(),
        };
        if let (Some(object), None, None) = (scope.object, &scope.line, &scope.params) {
            // What may stand here is not missing elsewhere.
            for slot in fitting.iter().filter_map(|one| one.slot) {
                self.guess(object, slot);
            }
        }
        let records = scope.object.filter(|_| scope.line.is_none()).and_then(|object| object.records);
        let noun = scope.object.map(|object| counts::plural(&object.name)).unwrap_or_default();
        if fitting.is_empty() {
            finding = finding.help(match &wanted {
                Some(wanted) => format!("no field fits as it is: write an expression of type `{wanted}`"),
                None => "write an expression in its place".to_owned(),
            });
        } else {
            let mut help = "these fit:".to_owned();
            for one in fitting.iter().take(SHOWN) {
                let title = one.title.as_ref().map(|title| format!(" `{title}`")).unwrap_or_default();
                help.push_str(&format!("\n{}{title}  # {}", one.written, one.ty));
                match (one.filled, records) {
                    (Some(filled), Some(records)) => help.push_str(&format!(
                        ", {} of {} {noun}",
                        counts::grouped(filled),
                        counts::grouped(records)
                    )),
                    (Some(filled), None) => help.push_str(&format!(", {} {noun}", counts::grouped(filled))),
                    _ => {}
                }
            }
            if fitting.len() > SHOWN {
                help.push_str(&format!("\n# and {} more", fitting.len() - SHOWN));
            }
            finding = finding.help(help).note(self.source_note());
        }
        self.add(finding.count(counts::exact(records)));
        None
    }

    /// What fits, the likeliest first.
    fn fitting(&self, scope: &Scope<'a>, place: &Place) -> Vec<Fitting> {
        let mut all = Vec::new();
        let mut add = |name: &str,
                       title: Option<&str>,
                       ty: &Type,
                       (stats, slot): (Option<&Stats>, Option<usize>),
                       made: bool| {
            let Some((written, steps)) = self.way(scope, name, ty, made, place) else { return };
            let target = place.name.trim_matches('`');
            let alike = super::names::likeness(name, target)
                .max(title.map_or(0.0, |title| super::names::likeness(title, target)));
            all.push(Fitting {
                written,
                title: title.map(str::to_owned),
                ty: ty.clone(),
                steps,
                // Names that share little by chance are not alike.
                alike: if alike < 0.5 { 0 } else { (alike * 100.0) as u8 },
                filled: stats.map(|stats| stats.filled),
                slot,
            });
        };
        if let Some(params) = &scope.params {
            for param in params.iter() {
                if let Some(ty) = &param.ty {
                    add(&param.name, None, ty, (None, None), param.made);
                }
            }
        } else if scope.line.is_some() {
            for Attribute { name, ty } in scope.attributes {
                add(name, None, ty, (None, None), false);
            }
        } else if let Some(Object { fields, .. }) = scope.object {
            for (slot, field) in fields.iter().enumerate() {
                let known = (field.stats.as_ref(), Some(slot));
                add(&field.name, field.title.as_deref(), &field.ty, known, false);
            }
        }
        all.sort_by(|a, b| {
            let rank = |one: &Fitting| (one.filled == Some(0), one.steps, 100 - one.alike);
            rank(a).cmp(&rank(b)).then(b.filled.cmp(&a.filled)).then(a.written.cmp(&b.written))
        });
        all
    }

    /// How a field comes into a place, and in how many steps.
    fn way(
        &self,
        scope: &Scope<'a>,
        name: &str,
        ty: &Type,
        made: bool,
        place: &Place,
    ) -> Option<(String, u8)> {
        let plain = |steps| Some((name.to_owned(), steps));
        let call = |function: &str| match (ty.many, function.ends_with(')')) {
            (true, _) => Some((format!("{name}.each({function})"), 1)),
            (false, true) => Some((format!("{name}.{function}"), 1)),
            (false, false) => Some((format!("{name}.{function}()"), 1)),
        };
        if ty.many && !place.ty.many {
            let one = Type { many: false, ..ty.clone() };
            let (written, steps) = self.way(scope, name, &one, made, place)?;
            return (written == name).then(|| (format!("first({name})"), steps + 1));
        }
        match (&ty.base, &place.ty.base) {
            (Base::Opaque(_) | Base::File, _) => None,
            (Base::Record, Base::Record) if ty.many => Some((format!("each {name} {{ … }}"), 1)),
            (Base::Text { max: Some(had) }, Base::Text { max: Some(bound) }) if had <= bound => plain(0),
            (Base::Text { .. }, Base::Text { max: Some(bound) }) => call(&format!("cut({bound})")),
            (Base::Text { .. }, Base::Text { max: None } | Base::PersonName) => plain(0),
            (Base::Integer, Base::Decimal | Base::Integer) => plain(0),
            (a, b) if a == b && !matches!(a, Base::User | Base::Stage | Base::Enum(_) | Base::Record) => {
                plain(0)
            }
            (a, b) if a == b && scope.params.is_some() => plain(0),
            (Base::User, Base::User) if !made => Some((format!("user({name})"), 0)),
            (Base::Stage, Base::Stage) => Some(("pipeline by …".to_owned(), 1)),
            (Base::Text { .. }, Base::Phone) => call("phone(\"US\")"),
            (Base::Text { .. }, Base::Email) => call("email"),
            (Base::Text { .. }, Base::Url) => call("url"),
            (Base::DateTime, Base::Date) => call("date()"),
            (Base::Date, Base::DateTime) => call("at(\"18:00\")"),
            (Base::Integer | Base::Decimal, Base::Money) => Some((format!("money({name}, CURRENCY)"), 1)),
            (Base::Link(from), Base::Ref(to)) => {
                self.maps.iter().find(|map| map.source.name.value == *from && map.target.value == *to).map(
                    |map| {
                        let word = if ty.many { "refs" } else { "ref" };
                        (format!("{word} {}({name})", map.name().value), 0)
                    },
                )
            }
            (Base::Enum(domain), Base::Enum(_)) => {
                let table = self.tables.iter().find(|table| {
                    table.ty.as_ref().is_some_and(|out| out.base == place.ty.base) && table.looks_up(domain)
                });
                match table {
                    Some(table) => Some((format!("{}[{name}]", table.name), 0)),
                    None => Some((format!("TABLE[{name}]"), 2)),
                }
            }
            _ => None,
        }
    }
}
