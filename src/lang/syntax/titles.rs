//! Adds titles in backticks to codes that stand bare, since nobody can review a bare code. Where the titles come from is
//! the caller's affair.

use crate::lang::text::SourceText;

use super::ast::*;
use super::{FormatError, parse};

/// What a bare code in a spec is the code of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare<'a> {
    /// A source object, such as `process 1032`.
    Object(&'a str),
    /// A field of a source object.
    Field {
        /// The object's name.
        object: &'a str,
        /// The field's code.
        field: &'a str,
    },
    /// A value of the field of a source object.
    ValueOf {
        /// The object's name.
        object: &'a str,
        /// The field's code.
        field: &'a str,
        /// The value's code.
        code: &'a str,
    },
    /// A value of an enumeration, by the name that `enum(…)` gives it.
    Value {
        /// The enumeration's name.
        domain: &'a str,
        /// The value's code.
        code: &'a str,
    },
    /// A category of a source object, which is a pipeline of it.
    Category {
        /// The object's name.
        object: &'a str,
        /// The category's code.
        code: &'a str,
    },
    /// A stage of a source object.
    Stage {
        /// The object's name.
        object: &'a str,
        /// The category's code, where the object has several.
        category: Option<&'a str>,
        /// The stage's code.
        code: &'a str,
    },
}

/// Adds the titles that `title` knows to the codes of a spec that have none.
///
/// # Errors
/// Those of [`super::format()`].
pub fn add_titles(
    text: &SourceText,
    title: &dyn Fn(Bare<'_>) -> Option<String>,
) -> Result<String, FormatError> {
    // What the formatter refuses, this refuses too.
    super::format(text)?;
    let (spec, _) = parse(text);
    let mut writer = Writer { title, inserts: Vec::new() };
    for item in &spec.items {
        writer.item(item);
    }
    writer.inserts.sort_by_key(|(at, _)| *at);
    writer.inserts.dedup_by_key(|(at, _)| *at);
    let (text, mut out, mut from) = (text.text(), String::new(), 0);
    for (at, title) in writer.inserts {
        out.push_str(text.get(from..at).unwrap_or(""));
        out.push_str(&format!(" `{title}`"));
        from = at;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    Ok(out)
}

struct Writer<'a> {
    title: &'a dyn Fn(Bare<'_>) -> Option<String>,
    /// Titles with the byte that they go behind.
    inserts: Vec<(usize, String)>,
}

impl Writer<'_> {
    fn bare(&mut self, code: &Name, what: Bare<'_>) {
        let title = (self.title)(what).filter(|title| {
            let title = title.trim();
            !title.is_empty()
                && !title.contains(['`', '\n', '\r'])
                && !title.eq_ignore_ascii_case(&code.value)
        });
        if let Some(title) = title {
            self.inserts.push((code.span.end as usize, title.trim().to_owned()));
        }
    }

    fn coded<'n>(&mut self, coded: &'n Coded, what: impl Fn(&'n str) -> Bare<'n>) {
        if let (Some(code), None) = (&coded.code, &coded.title) {
            self.bare(code, what(&code.value));
        }
    }

    fn object(&mut self, object: &ObjectRef) {
        if object.title.is_none() {
            self.bare(&object.name, Bare::Object(&object.name.value));
        }
    }

    /// A field of the record at hand, whose object is `None` where the spec alone does not tell it.
    fn field(&mut self, object: Option<&str>, field: &FieldRef) {
        let object = field.object.as_ref().map(|name| name.value.as_str()).or(object);
        if let Some(object) = object {
            self.coded(&field.field, |field| Bare::Field { object, field });
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Table(table) => {
                let domain = match table.from.args.as_slice() {
                    [TypeArg::Name(domain)] if table.from.name.value == "enum" => &domain.value,
                    _ => return,
                };
                for coded in table.rows.iter().flat_map(|row| &row.codes) {
                    self.coded(coded, |code| Bare::Value { domain, code });
                }
            }
            Item::Pipeline(pipeline) => {
                self.object(&pipeline.object);
                let object = pipeline.object.name.value.as_str();
                if let Some(category) = &pipeline.category {
                    self.coded(category, |code| Bare::Category { object, code });
                }
                let category =
                    pipeline.category.as_ref().and_then(|c| c.code.as_ref()).map(|c| c.value.as_str());
                // A category that only its title names is not looked up here.
                if category.is_none() && pipeline.category.is_some() {
                    return;
                }
                for coded in pipeline.rows.iter().flat_map(|row| &row.codes) {
                    self.coded(coded, |code| Bare::Stage { object, category, code });
                }
            }
            Item::Map(map) => {
                self.object(&map.source);
                self.body(Some(&map.source.name.value), &map.body);
            }
            Item::Flatten(flatten) => {
                self.object(&flatten.source);
                let object = Some(flatten.source.name.value.as_str());
                self.field(object, &flatten.via);
                self.body(object, &flatten.body);
            }
            Item::Split(split) => self.split(split),
            Item::Fixture(fixture) => {
                self.object(&fixture.object);
                self.record(&fixture.object.name.value, &fixture.record);
            }
            Item::Test(test) => {
                for given in &test.given {
                    if let Some(record) = &given.record {
                        self.object(&given.object);
                        self.record(&given.object.name.value, record);
                    }
                }
            }
            Item::Golden(golden) => self.object(&golden.source),
            _ => {}
        }
    }

    fn split(&mut self, split: &Split) {
        self.object(&split.source);
        let object = split.source.name.value.as_str();
        if let Some(by) = &split.by {
            self.field(Some(object), by);
        }
        for row in &split.rows {
            match (&row.on, split.by.as_ref().and_then(|by| by.field.code.as_ref())) {
                (SplitOn::When(condition), _) => self.expr(Some(object), condition),
                (SplitOn::Codes(codes), Some(field)) => {
                    for coded in codes {
                        self.coded(coded, |code| Bare::ValueOf { object, field: &field.value, code });
                    }
                }
                _ => {}
            }
        }
    }

    fn record(&mut self, object: &str, record: &RecordLit) {
        for literal in &record.fields {
            self.coded(&literal.field, |field| Bare::Field { object, field });
        }
    }

    fn body(&mut self, object: Option<&str>, body: &[MapLine]) {
        for line in body {
            match line {
                MapLine::Key(field) => self.field(object, &field.value),
                MapLine::Pick { by, .. } => self.field(object, by),
                MapLine::Where { condition, otherwise, .. } => {
                    self.expr(object, condition);
                    self.arms(object, otherwise.iter());
                }
                MapLine::Rule(rule) => {
                    self.expr(object, &rule.value);
                    self.clauses(object, &rule.clauses);
                }
                MapLine::Note(note) => {
                    self.expr(object, &note.title);
                    self.expr(object, &note.value);
                    self.clauses(object, &note.clauses);
                }
                MapLine::Gap { fields, .. } | MapLine::Todo { fields, .. } => self.patterns(object, fields),
                MapLine::Drop(drop) => {
                    self.patterns(object, &drop.fields);
                    if let DropReason::DerivedFrom(fields) = &drop.reason {
                        fields.iter().for_each(|field| self.field(object, field));
                    }
                }
                MapLine::Orphan { arm, .. } => self.arms(object, std::iter::once(arm)),
                MapLine::MatchExisting { .. } | MapLine::OnExisting(_) | MapLine::OnDelete(_) => {}
            }
        }
    }

    fn patterns(&mut self, object: Option<&str>, patterns: &[FieldPattern]) {
        let Some(object) = object else { return };
        for pattern in patterns.iter().filter(|pattern| !pattern.glob) {
            self.coded(&pattern.field, |field| Bare::Field { object, field });
        }
    }

    fn clauses(&mut self, object: Option<&str>, clauses: &Clauses) {
        let labelled = clauses.labelled.iter();
        let conditions = clauses.when.iter().chain(labelled.clone().filter_map(|l| l.when.as_ref()));
        for expr in conditions.chain(labelled.map(|l| &l.value)) {
            self.expr(object, expr);
        }
        self.arms(object, clauses.else_.iter().chain(&clauses.on_fail).chain(&clauses.on_unmigrated));
    }

    fn arms<'n>(&mut self, object: Option<&str>, arms: impl Iterator<Item = &'n Arm>) {
        for arm in arms {
            if let ArmKind::Value { value, .. } = &arm.kind {
                self.expr(object, value);
            }
        }
    }

    fn expr(&mut self, object: Option<&str>, expr: &Expr) {
        match &expr.kind {
            ExprKind::Field(field) | ExprKind::Has(field) => self.field(object, field),
            ExprKind::Text(parts) => {
                for part in parts {
                    if let TextPart::Expr(expr) = part {
                        self.expr(object, expr);
                    }
                }
            }
            ExprKind::List(exprs) | ExprKind::PipelineBy(exprs) => {
                exprs.iter().for_each(|expr| self.expr(object, expr));
            }
            ExprKind::Call { args, .. } | ExprKind::Ref { args, .. } => {
                args.iter().for_each(|expr| self.expr(object, expr));
            }
            ExprKind::Lookup { key, .. } => self.expr(object, key),
            ExprKind::EachBlock { list, body } => {
                self.expr(object, list);
                // The columns of a row have no titles.
                self.body(None, body);
            }
            ExprKind::Not(a) => self.expr(object, a),
            ExprKind::And(a, b) | ExprKind::Or(a, b) | ExprKind::Compare(_, a, b) => {
                self.expr(object, a);
                self.expr(object, b);
            }
            ExprKind::Number(_)
            | ExprKind::Percent(_)
            | ExprKind::Money(..)
            | ExprKind::Date(_)
            | ExprKind::Bool(_)
            | ExprKind::Hole => {}
        }
    }
}
