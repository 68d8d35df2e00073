//! What of a profile does not apply to a customer's systems: items, lines, rows and names that count no more.
//!
//! A profile speaks of every field that the systems may have; a customer's portal lacks some. Only lines of profiles are
//! touched: what the spec itself says must be true as it stands.

use std::collections::{BTreeMap, BTreeSet};

use super::body::{patterns, patterns_mut, reads, span_of, target};
use super::walk::{exprs, exprs_mut, fields, visit, visit_mut, word};
use super::{of_profile, words};
use crate::lang::check::drops::glob;
use crate::lang::functions;
use crate::lang::schema::{Attribute, Object, Schema};
use crate::lang::syntax::ast::{
    ArmKind, Coded, Expr, ExprKind, FieldPattern, FieldRef, Item, MapLine, Name, RuleTarget, Spec, Table,
    TypeArg, TypeRef,
};
use crate::lang::text::{SourceText, Span, Spanned};
use crate::lang::types::Base;

/// Something of a profile that counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inactive {
    /// Its first words.
    pub what: String,
    /// Where it stands.
    pub at: Span,
    /// Why: `the source has no field `X``.
    pub why: String,
}

/// Names that look like fields where they stand alone in an `each`.
const FORMS: &[&str] = &["each", "user", "count", "sum", "min", "max", "lines"];

/// The spec without what does not apply, and what that is.
pub(in crate::lang::check) fn prune(
    spec: &Spec,
    text: &SourceText,
    source: &Schema,
    target: &Schema,
) -> (Spec, Vec<Inactive>) {
    let mut pruner = Pruner {
        text,
        source,
        target,
        tables: names(spec, |item| match item {
            Item::Table(table) => Some(&table.name),
            _ => None,
        }),
        functions: names(spec, |item| match item {
            Item::Function(function) => Some(&function.name),
            _ => None,
        }),
        gone_tables: BTreeMap::new(),
        inactive: Vec::new(),
    };
    let mut items = Vec::with_capacity(spec.items.len());
    let mut gone: BTreeMap<String, String> = BTreeMap::new();
    for item in &spec.items {
        let Some((at, why)) = pruner.lacking_item(item) else {
            items.push(item.clone());
            continue;
        };
        match item {
            Item::Map(map) => drop(gone.insert(map.name().value.clone(), why.clone())),
            Item::Table(table) => drop(pruner.gone_tables.insert(table.name.value.clone(), why.clone())),
            _ => {}
        }
        pruner.inactive.push(Inactive { what: words(text, at), at, why });
    }
    // What is folded into a map that is gone has nowhere to go.
    items.retain(|item| match item {
        Item::Flatten(flatten) if of_profile(text, flatten.head) => match gone.get(&flatten.into.value) {
            Some(why) => {
                let (at, why) = (flatten.head, why.clone());
                pruner.inactive.push(Inactive { what: words(text, at), at, why });
                false
            }
            None => true,
        },
        _ => true,
    });
    for item in &mut items {
        if !gone.is_empty() {
            without_maps(item, &gone, text, &mut pruner.inactive);
        }
        pruner.item(item);
    }
    pruner.unused(&mut items);
    pruner.inactive.sort_by_key(|inactive| inactive.at);
    (Spec { items }, pruner.inactive)
}

fn names(spec: &Spec, name: impl Fn(&Item) -> Option<&Name>) -> BTreeSet<String> {
    spec.items.iter().filter_map(name).map(|name| name.value.clone()).collect()
}

/// Takes maps that are gone out of a profile's lists of maps; rules that lead nowhere else go with them.
pub(super) fn without_maps(
    item: &mut Item,
    gone: &BTreeMap<String, String>,
    text: &SourceText,
    inactive: &mut Vec<Inactive>,
) {
    let body = match item {
        Item::Map(map) => &mut map.body,
        Item::Flatten(flatten) => &mut flatten.body,
        Item::Order(order) => {
            order.rows.retain_mut(|row| {
                if !of_profile(text, row.span) {
                    return true;
                }
                row.before.retain(|name| !gone.contains_key(&name.value));
                row.after.retain(|name| !gone.contains_key(&name.value));
                !row.before.is_empty() && !row.after.is_empty()
            });
            return;
        }
        _ => return,
    };
    body.retain_mut(|line| {
        let at = span_of(line);
        if !of_profile(text, at) {
            return true;
        }
        let mut nowhere = None;
        for expr in exprs_mut(line) {
            visit_mut(expr, &mut |expr| {
                let ExprKind::Ref { maps, .. } = &mut expr.kind else { return };
                let first = maps.iter().find_map(|map| gone.get(&map.value).cloned());
                maps.retain(|map| !gone.contains_key(&map.value));
                if maps.is_empty() {
                    nowhere = first;
                }
            });
        }
        match nowhere {
            Some(why) => {
                inactive.push(Inactive { what: words(text, at), at, why });
                false
            }
            None => true,
        }
    });
}

pub(super) struct Pruner<'s> {
    pub(super) text: &'s SourceText,
    pub(super) source: &'s Schema,
    pub(super) target: &'s Schema,
    tables: BTreeSet<String>,
    functions: BTreeSet<String>,
    /// Tables that are gone, with the reason.
    gone_tables: BTreeMap<String, String>,
    inactive: Vec<Inactive>,
}

fn no_object(name: &str) -> String {
    format!("the source has no object `{name}`")
}

impl<'s> Pruner<'s> {
    /// Why a profile's item does not apply as a whole, and its head.
    fn lacking_item(&self, item: &Item) -> Option<(Span, String)> {
        let object = |name: &str| self.source.object(name).is_none().then(|| no_object(name));
        let (at, why) = match item {
            Item::Map(map) => (map.head, object(&map.source.name.value)),
            Item::Flatten(flatten) => (flatten.head, object(&flatten.source.name.value)),
            Item::Split(split) => (split.head, object(&split.source.name.value)),
            Item::Pipeline(pipeline) => (
                pipeline.span,
                object(&pipeline.object.name.value).or_else(|| self.lacking_pipeline(pipeline)),
            ),
            Item::Table(table) => (table.span, self.lacking_table(table)),
            _ => return None,
        };
        why.filter(|_| of_profile(self.text, at)).map(|why| (at, why))
    }

    fn lacking_pipeline(&self, pipeline: &crate::lang::syntax::ast::Pipeline) -> Option<String> {
        let object = &pipeline.object.name.value;
        let all = || self.source.pipelines.iter().filter(|p| p.object == *object);
        match &pipeline.category {
            Some(category) if !all().any(|p| p.code == word(category) || p.name == word(category)) => {
                Some(format!("`{object}` has no category {}", word(category)))
            }
            None if all().next().is_none() => Some(format!("`{object}` has no stages")),
            _ if !self.target.pipelines.iter().any(|p| p.name == pipeline.to.value) => {
                Some(format!("the destination has no pipeline \"{}\"", pipeline.to.value))
            }
            _ => None,
        }
    }

    fn lacking_table(&self, table: &Table) -> Option<String> {
        if table.from.name.value == "enum" && self.domain(&table.from).is_none() {
            let name = table.from.args.iter().find_map(|arg| match arg {
                TypeArg::Name(name) => Some(name.value.as_str()),
                _ => None,
            })?;
            return Some(format!("the source has no enumeration `{name}`"));
        }
        None
    }

    /// The source enumeration that a type names.
    pub(super) fn domain(&self, ty: &TypeRef) -> Option<&'s crate::lang::schema::Domain> {
        let TypeArg::Name(name) = ty.args.first()? else { return None };
        let source = self.source;
        source.domains.get(&name.value).or_else(|| {
            let (object, field) = name.value.split_once('.')?;
            match &source.object(object)?.field(field)?.ty.base {
                Base::Enum(domain) => source.domains.get(domain),
                _ => None,
            }
        })
    }

    pub(super) fn gone(&mut self, at: Span, why: String) {
        self.inactive.push(Inactive { what: words(self.text, at), at, why });
    }

    fn item(&mut self, item: &mut Item) {
        match item {
            Item::Map(map) => {
                let Some(object) = self.source.object(&map.source.name.value) else { return };
                let target = self.target.object(&map.target.value);
                self.body(&mut map.body, object, target);
            }
            Item::Flatten(flatten) => {
                let Some(object) = self.source.object(&flatten.source.name.value) else { return };
                self.body(&mut flatten.body, object, None);
            }
            Item::Table(table) => self.table(table),
            Item::Pipeline(pipeline) => self.pipeline(pipeline),
            _ => {}
        }
    }

    fn body(&mut self, body: &mut Vec<MapLine>, object: &'s Object, target: Option<&'s Object>) {
        let text = self.text;
        // What the spec itself reads or settles, no glob of a profile may drop as well.
        let own: BTreeSet<String> = body
            .iter()
            .filter(|line| !of_profile(text, span_of(line)))
            .flat_map(|line| {
                let named = patterns(line).unwrap_or_default().iter().filter(|pattern| !pattern.glob);
                reads(line).into_iter().chain(named.map(|pattern| word(&pattern.field))).map(str::to_owned)
            })
            .collect();
        body.retain_mut(|line| {
            let at = span_of(line);
            if !of_profile(text, at) {
                return true;
            }
            if let Some(patterns) = patterns_mut(line) {
                return self.patterns(patterns, at, object, &own);
            }
            if let MapLine::Rule(rule) = line
                && let ExprKind::EachBlock { list, body } = &mut rule.value.kind
                && let ExprKind::Field(list) = &list.kind
                && let Some(list) = field_of(object, &list.field)
            {
                let columns = target.and_then(|target| target.field(target_name(&rule.target)));
                self.rows(body, object, list, columns);
            }
            self.clauses(line, object);
            match self.lacking_line(line, object, target) {
                Some(why) => {
                    self.gone(at, why);
                    false
                }
                None => true,
            }
        });
    }

    /// A label, or an alternative after `else`, that reads what is not there goes alone.
    fn clauses(&mut self, line: &mut MapLine, object: &'s Object) {
        let clauses = match line {
            MapLine::Rule(rule) => &mut rule.clauses,
            MapLine::Note(note) => &mut note.clauses,
            _ => return,
        };
        let mut gone = Vec::new();
        let lacking = |exprs: &[&Expr]| {
            let mut why = None;
            for expr in exprs {
                fields(expr, &mut |field| {
                    if why.is_none() {
                        why = self.lacking_field(field, object, &[]);
                    }
                });
            }
            why
        };
        if let Some(label) = &clauses.labelled {
            let exprs: Vec<&Expr> = std::iter::once(&label.value).chain(&label.when).collect();
            if let Some(why) = lacking(&exprs) {
                gone.push((label.span, why));
                clauses.labelled = None;
            }
        }
        clauses.else_.retain(|arm| {
            let ArmKind::Value { value, .. } = &arm.kind else { return true };
            let why = lacking(&[value]);
            gone.extend(why.iter().map(|why| (arm.span, why.clone())));
            why.is_none()
        });
        gone.into_iter().for_each(|(at, why)| self.gone(at, why));
    }

    /// Takes fields that are not there out of a line about fields; false where none is left.
    fn patterns(
        &mut self,
        patterns: &mut Vec<FieldPattern>,
        at: Span,
        object: &Object,
        own: &BTreeSet<String>,
    ) -> bool {
        let mut kept = Vec::new();
        for pattern in patterns.drain(..) {
            if !pattern.glob {
                match field_of(object, &pattern.field) {
                    Some(_) => kept.push(pattern),
                    None => {
                        let why = no_field(object, word(&pattern.field));
                        self.gone(pattern.field.span, why);
                    }
                }
                continue;
            }
            let names = object.fields.iter().filter(|field| glob(word(&pattern.field), &field.name));
            let (settled, rest): (Vec<_>, Vec<_>) = names.partition(|field| {
                own.contains(&field.name) || field.title.as_ref().is_some_and(|title| own.contains(title))
            });
            if rest.is_empty() {
                self.gone(at, format!("no other field of `{}` is named so", object.name));
            } else if settled.is_empty() {
                kept.push(pattern);
            } else {
                let span = pattern.field.span;
                kept.extend(rest.into_iter().map(|field| FieldPattern {
                    field: Coded { code: Some(Spanned::new(field.name.clone(), span)), title: None, span },
                    glob: false,
                }));
            }
        }
        *patterns = kept;
        !patterns.is_empty()
    }

    /// The lines of a block over rows.
    fn rows(
        &mut self,
        body: &mut Vec<MapLine>,
        object: &'s Object,
        list: &'s crate::lang::schema::Field,
        columns: Option<&'s crate::lang::schema::Field>,
    ) {
        let text = self.text;
        let has = |name: &str| list.attributes.iter().any(|attribute| attribute.name == name);
        body.retain_mut(|line| {
            let at = span_of(line);
            if !of_profile(text, at) {
                return true;
            }
            if let Some(patterns) = patterns_mut(line) {
                patterns.retain(|pattern| pattern.glob || has(word(&pattern.field)));
                return !patterns.is_empty();
            }
            let why = match line {
                MapLine::Rule(rule) => {
                    let name = target(rule);
                    columns
                        .filter(|columns| !columns.attributes.iter().any(|column| column.name == name))
                        .map(|columns| format!("rows of `{}` have no `{name}`", columns.name))
                }
                _ => None,
            };
            match why.or_else(|| self.lacking_fields(line, object, &list.attributes)) {
                Some(why) => {
                    self.gone(at, why);
                    false
                }
                None => true,
            }
        });
    }

    /// Why a line does not apply.
    fn lacking_line(&self, line: &MapLine, object: &'s Object, target: Option<&'s Object>) -> Option<String> {
        if let (MapLine::Rule(rule), Some(target)) = (line, target)
            && let RuleTarget::Field(name) = &rule.target
            && target.field(&name.value).is_none()
        {
            return Some(format!("`{}` has no field `{}`", target.name, name.value));
        }
        if let MapLine::Pick { by, .. } = line
            && field_of(object, &by.field).is_none()
        {
            return Some(no_field(object, word(&by.field)));
        }
        self.lacking_fields(line, object, &[])
    }

    /// Why what a line reads is not there.
    fn lacking_fields(&self, line: &MapLine, object: &'s Object, row: &[Attribute]) -> Option<String> {
        let mut why = None;
        for expr in exprs(line) {
            fields(expr, &mut |field| {
                if why.is_none() {
                    why = self.lacking_field(field, object, row);
                }
            });
            visit(expr, &mut |expr| {
                if let ExprKind::Lookup { table, .. } = &expr.kind
                    && let Some(gone) = self.gone_tables.get(&table.value)
                {
                    why.get_or_insert_with(|| gone.clone());
                }
            });
        }
        why
    }

    fn lacking_field(&self, field: &FieldRef, object: &'s Object, row: &[Attribute]) -> Option<String> {
        let name = word(&field.field);
        if let Some(outer) = &field.object {
            let object = self.source.object(&outer.value)?;
            return field_of(object, &field.field).is_none().then(|| no_field(object, name));
        }
        // Columns of rows, attributes of elements, functions and tables may stand where a field may.
        let attribute =
            |name: &str| object.fields.iter().any(|f| f.attributes.iter().any(|a| a.name == name));
        let known = if row.is_empty() {
            field_of(object, &field.field).is_some() || attribute(name)
        } else {
            row.iter().any(|attribute| attribute.name == name)
        };
        let known = known
            || functions::find(name).is_some()
            || FORMS.contains(&name)
            || self.tables.contains(name)
            || self.functions.contains(name);
        (!known).then(|| no_field(object, name))
    }

    /// Takes out tables and functions of profiles that nothing uses any more.
    fn unused(&mut self, items: &mut Vec<Item>) {
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut bodies: BTreeMap<&str, &Expr> = BTreeMap::new();
        let mut open: Vec<&Expr> = Vec::new();
        for item in items.iter() {
            match item {
                Item::Map(map) => open.extend(map.body.iter().flat_map(exprs)),
                Item::Flatten(flatten) => open.extend(flatten.body.iter().flat_map(exprs)),
                Item::Split(split) => open.extend(split.rows.iter().filter_map(|row| match &row.on {
                    crate::lang::syntax::ast::SplitOn::When(condition) => Some(condition),
                    _ => None,
                })),
                Item::Function(function) if of_profile(self.text, function.span) => {
                    bodies.insert(&function.name.value, &function.body);
                }
                Item::Function(function) => open.push(&function.body),
                Item::Table(table) => open.extend(table.rows.iter().filter_map(|row| match &row.arm.kind {
                    ArmKind::Value { value, .. } => Some(value),
                    _ => None,
                })),
                Item::TestEveryRow(test) => drop(used.insert(test.name.value.clone())),
                Item::Accept(accept) => drop(used.insert(accept.item.value.clone())),
                _ => {}
            }
        }
        while let Some(expr) = open.pop() {
            visit(expr, &mut |expr| {
                let name = match &expr.kind {
                    ExprKind::Lookup { table, .. } => &table.value,
                    ExprKind::Call { function, .. } => &function.value,
                    // `LIST.each(NAME)` may name a table or a function.
                    ExprKind::Field(field) => match &field.field.code {
                        Some(code) => &code.value,
                        None => return,
                    },
                    _ => return,
                };
                if used.insert(name.clone())
                    && let Some(body) = bodies.get(name.as_str())
                {
                    open.push(body);
                }
            });
        }
        let text = self.text;
        let inactive = &mut self.inactive;
        items.retain(|item| {
            let (name, at) = match item {
                Item::Table(table) => (&table.name.value, table.span),
                Item::Function(function) => (&function.name.value, function.span),
                _ => return true,
            };
            let kept = used.contains(name) || !of_profile(text, at);
            if !kept {
                inactive.push(Inactive { what: words(text, at), at, why: "nothing uses it".to_owned() });
            }
            kept
        });
    }
}

fn no_field(object: &Object, name: &str) -> String {
    format!("`{}` has no field `{name}`", object.name)
}

/// The field of an object that a code or a title names.
fn field_of<'s>(object: &'s Object, coded: &Coded) -> Option<&'s crate::lang::schema::Field> {
    match &coded.code {
        Some(code) => object.field(&code.value),
        None => object.fields.iter().find(|field| field.title.as_deref() == Some(word(coded))),
    }
}

/// What a rule writes.
fn target_name(target: &RuleTarget) -> &str {
    match target {
        RuleTarget::Field(name) => &name.value,
        RuleTarget::Custom { label, .. } => &label.value,
    }
}
