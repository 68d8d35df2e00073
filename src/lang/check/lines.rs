//! Lists of lines: `each LIST { … }` writes one line per row, `lines(…)` makes a text of fields and rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fit::Place;
use super::rule::{Body, Written};
use super::types::{Scope, Typed};
use super::{Checker, Side, counts};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{self, Expr};
use crate::lang::schema::Attribute;
use crate::lang::syntax::ast::{self, Coded, DropReason, FieldPattern, MapLine, RuleTarget};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};

/// What becomes of the fields of a block's lines.
#[derive(Debug, Default)]
struct Fate {
    /// Attributes that are dropped, by index, and where.
    dropped: BTreeMap<u16, Span>,
    /// Attributes that wait for a decision.
    open: BTreeSet<u16>,
}

impl<'a> Checker<'a> {
    /// `each LIST { … }` as the value of a rule.
    pub(super) fn line_block(
        &mut self,
        scope: &mut Scope<'a>,
        written: Option<&Written<'a>>,
        list: &ast::Expr,
        body: &[MapLine],
        span: Span,
    ) -> Option<Typed<'a>> {
        let typed = self.expr(scope, list);
        if let Some(object) = scope.object {
            // Whatever is wrong with the list: what the lines read of the record is read.
            for line in body {
                if let MapLine::Rule(rule) = line {
                    super::walk::fields(&rule.value, &mut |field| {
                        if let (Some(owner), Some(code)) = (&field.object, &field.field.code)
                            && owner.value == object.name
                        {
                            self.guess_named(object, &code.value);
                        }
                    });
                }
            }
        }
        let written = written?;
        if written.columns.is_empty() || written.place.ty.base != Base::Record {
            let takes = written.place.ty.clone().present();
            self.add(
                Finding::new(
                    codes::TYPE_MISMATCH,
                    format!("{} takes `{takes}`, not lines", written.place.name),
                )
                .at(list.span, "lines in braces")
                .help("write a value: `LIST.each(FUNCTION)`"),
            );
            return None;
        }
        let typed = typed?;
        if !typed.ty.many || typed.ty.base != Base::Record || typed.attributes.is_empty() {
            let text = self.code(list.span);
            self.add(
                Finding::new(
                    codes::TYPE_MISMATCH,
                    format!("`each` with lines takes a list of rows, not `{}`", typed.ty),
                )
                .at(list.span, format!("this is `{}`", typed.ty))
                .help(format!(
                    "name a field whose elements have fields of their own; `{text}.each(…)` maps values"
                )),
            );
            return None;
        }
        let name = self.code(list.span);
        let outer = (scope.attributes, scope.element.take(), scope.line.replace(name.clone()), scope.folded);
        let outer_reads = std::mem::take(&mut scope.line_reads);
        scope.attributes = typed.attributes;
        scope.folded = false;
        let mut fate = Fate::default();
        let rules = self.block_lines(scope, written, &name, body, &mut fate);
        self.line_coverage(scope, &name, list.span, span, &fate);
        (scope.attributes, scope.element, scope.line, scope.folded) = outer;
        scope.line_reads = outer_reads;
        let columns = written
            .columns
            .iter()
            .map(|column| plan::Target { name: column.name.clone(), custom: false, ty: column.ty.clone() })
            .collect();
        let mut lines = Typed::new(
            Expr::EachLine { list: Box::new(typed.expr.clone()), columns, rules: rules? },
            // A `skip` may leave every line out.
            Type { base: Base::Record, many: true, optional: true },
        );
        lines.made = true;
        Some(lines.taint(&typed))
    }

    fn block_lines(
        &mut self,
        scope: &mut Scope<'a>,
        written: &Written<'a>,
        list: &str,
        body: &[MapLine],
        fate: &mut Fate,
    ) -> Option<Vec<plan::Rule>> {
        let mut rules = Vec::new();
        let mut first: HashMap<String, Span> = HashMap::new();
        let mut ok = true;
        for line in body {
            match line {
                MapLine::Rule(rule) => {
                    let Some((column, at)) = self.column(written, rule) else {
                        ok = false;
                        // What it reads is read all the same.
                        self.silently(|checker| {
                            checker.rule_body(scope, None, &Body::of(rule));
                        });
                        continue;
                    };
                    if let Some(earlier) = first.insert(column.name.clone(), at) {
                        self.add(
                            Finding::new(
                                codes::WRITTEN_TWICE,
                                format!("`{}` is written by two rules of one line", column.name),
                            )
                            .at(at, "written again")
                            .and_at(earlier, "written first")
                            .help("join them: a rule may have several `else`"),
                        );
                        ok = false;
                        continue;
                    }
                    let index = written.columns.iter().position(|other| other.name == column.name);
                    let place = Written::column(column);
                    match (self.rule_body(scope, Some(&place), &Body::of(rule)), index) {
                        (Some(mut checked), Some(index)) => {
                            checked.target = u16::try_from(index).ok()?;
                            rules.push(checked);
                        }
                        _ => ok = false,
                    }
                }
                MapLine::Drop(drop) => {
                    let reason = match &drop.reason {
                        DropReason::Empty => "empty".to_owned(),
                        DropReason::Declined(why) => why.value.clone(),
                        DropReason::DerivedFrom(fields) => {
                            let known = fields.iter().filter(|field| match &field.object {
                                Some(_) => self.field(scope, field).is_some(),
                                None => self.attribute(scope, list, &field.field).is_some(),
                            });
                            let names: Vec<&str> = known
                                .filter_map(|field| field.field.code.as_ref())
                                .map(|c| c.value.as_str())
                                .collect();
                            format!("derived from {}", names.join(", "))
                        }
                    };
                    let empty = drop.reason == DropReason::Empty;
                    self.drop_columns(scope, list, &drop.fields, empty, fate, (&reason, false, drop.span));
                }
                MapLine::Gap { fields, why, span } => {
                    self.drop_columns(scope, list, fields, false, fate, (&why.value, true, *span));
                }
                MapLine::Todo { fields, why, span } => {
                    for pattern in fields {
                        if let Some(index) = self.attribute(scope, list, &pattern.field) {
                            fate.open.insert(index);
                        }
                    }
                    self.add(
                        Finding::new(codes::TODO_OPEN, format!("a `todo` is open: {}", why.value))
                            .at(*span, "waits for a decision")
                            .help("write a rule that reads it, or `drop` it with a reason"),
                    );
                }
                other => {
                    self.misplaced(other);
                    ok = false;
                }
            }
        }
        for column in written.columns.iter().filter(|column| column.required()) {
            if !first.contains_key(&column.name) {
                ok = false;
                self.add(
                    Finding::new(
                        codes::REQUIRED_NOT_WRITTEN,
                        format!(
                            "the lines write no `{}`, which {} requires",
                            column.name, written.place.name
                        ),
                    )
                    .at(written.at, format!("`{}` takes `{}`", column.name, column.ty))
                    .note(self.target_note())
                    .help(format!("add a rule `{} <- …` to the lines", column.name)),
                );
            }
        }
        ok.then_some(rules)
    }

    /// The column that a rule of a block writes.
    fn column(&mut self, written: &Written<'a>, rule: &ast::Rule) -> Option<(&'a Attribute, Span)> {
        let name = match &rule.target {
            RuleTarget::Field(name) => name,
            RuleTarget::Custom { label, .. } => {
                self.add(
                    Finding::new(codes::LINE_NOT_HERE, "lines have no custom fields")
                        .at(label.span, "not here")
                        .help("write into one of the columns, or into a custom field of the record"),
                );
                return None;
            }
        };
        if let Some(column) = written.columns.iter().find(|column| column.name == name.value) {
            return Some((column, name.span));
        }
        let names = || written.columns.iter().map(|column| column.name.as_str());
        let help = match self.meant_name(&name.value, names()) {
            Some(meant) => format!("did this mean `{meant}`?"),
            None => format!("its columns are `{}`", names().collect::<Vec<_>>().join("`, `")),
        };
        self.add(
            Finding::new(
                codes::UNKNOWN_FIELD,
                format!("lines of {} have no `{}`", written.place.name, name.value),
            )
            .at(name.span, "no such column")
            .note(self.target_note())
            .help(help),
        );
        None
    }

    /// A line that belongs into another kind of block.
    fn misplaced(&mut self, line: &MapLine) {
        let (word, span) = match line {
            MapLine::Key(key) => ("key", key.span),
            MapLine::MatchExisting { span, .. } => ("match existing", *span),
            MapLine::OnExisting(on) => ("on existing", on.span),
            MapLine::OnDelete(on) => ("on delete", on.span),
            MapLine::Where { span, .. } => ("where", *span),
            MapLine::Note(note) => ("note", note.span),
            MapLine::Pick { span, .. } => ("pick", *span),
            MapLine::Orphan { span, .. } => ("orphan", *span),
            MapLine::Rule(rule) => ("<-", rule.span),
            MapLine::Drop(drop) => ("drop", drop.span),
            MapLine::Gap { span, .. } | MapLine::Todo { span, .. } => ("todo", *span),
        };
        let help = match line {
            MapLine::Where { .. } => "leave lines out by a rule: `COLUMN <- …  else skip \"…\"`",
            MapLine::Note(_) => "notes hang on the record: write it outside the braces",
            _ => "move it out of the braces, or remove it",
        };
        self.add(
            Finding::new(
                codes::LINE_NOT_HERE,
                format!("`{word}` has no meaning among the lines of an `each`"),
            )
            .at(span, "not here")
            .help(help),
        );
    }

    fn drop_columns(
        &mut self,
        scope: &mut Scope<'a>,
        list: &str,
        fields: &[FieldPattern],
        empty: bool,
        fate: &mut Fate,
        (reason, gap, span): (&str, bool, Span),
    ) {
        let line = self.line(span);
        for pattern in fields {
            let indices: Vec<u16> = match &pattern.field.code {
                Some(code) if pattern.glob => {
                    if !empty {
                        self.glob_needs_empty(pattern.field.span);
                    }
                    let all = scope.attributes.iter().zip(0u16..);
                    all.filter(|(a, _)| super::drops::glob(&code.value, &a.name)).map(|(_, i)| i).collect()
                }
                _ => self.attribute(scope, list, &pattern.field).into_iter().collect(),
            };
            for index in indices {
                let field = format!("{list}.{}", scope.attributes[usize::from(index)].name);
                if fate.dropped.insert(index, pattern.field.span).is_none() {
                    scope.line_dropped.push(plan::Dropped { field, reason: reason.to_owned(), gap, line });
                }
            }
        }
    }

    /// The index of a field of the line at hand.
    fn attribute(&mut self, scope: &Scope<'a>, list: &str, field: &Coded) -> Option<u16> {
        let name = field.code.as_ref().or(field.title.as_ref())?;
        let found = scope.attributes.iter().position(|attribute| attribute.name == name.value);
        match found {
            Some(index) => u16::try_from(index).ok(),
            None => {
                self.no_column(scope, list, field);
                None
            }
        }
    }

    /// A bare name that is no field of the line at hand.
    pub(super) fn no_column(&mut self, scope: &Scope<'a>, list: &str, field: &Coded) {
        let Some(name) = field.code.as_ref().or(field.title.as_ref()) else { return };
        let outside = scope.object.filter(|object| object.field(&name.value).is_some());
        if let Some(object) = outside {
            self.guess_named(object, &name.value);
        }
        let names = scope.attributes.iter().map(|attribute| attribute.name.as_str());
        let finding =
            Finding::new(codes::UNKNOWN_FIELD, format!("a line of `{list}` has no field `{}`", name.value))
                .at(name.span, "bare names are the line's here")
                .note(self.source_note());
        let finding = match outside {
            Some(object) if !object.name.contains(' ') => {
                let written = format!("{}.{}", object.name, self.quote(field.span));
                finding.help(format!("write `{written}` for the record's own")).fix(Fix {
                    title: format!("write `{written}`"),
                    edits: vec![Edit { span: field.span, text: written }],
                    applicability: Applicability::Likely,
                })
            }
            _ => match self.meant_name(&name.value, names.clone()) {
                Some(meant) => finding.help(format!("did this mean `{meant}`?")),
                None => finding.help(format!("its fields are `{}`", names.collect::<Vec<_>>().join("`, `"))),
            },
        };
        self.add(finding);
    }

    /// Whether every field of the lines is read or dropped.
    fn line_coverage(&mut self, scope: &Scope<'a>, list: &str, at: Span, block: Span, fate: &Fate) {
        let mut missing = Vec::new();
        for (attribute, index) in scope.attributes.iter().zip(0u16..) {
            let read = scope.line_reads.contains(&index);
            match fate.dropped.get(&index) {
                Some(span) if read || fate.open.contains(&index) => {
                    let word = if read { "read" } else { "left open by a `todo`" };
                    self.add(
                        Finding::new(
                            codes::DROPPED_AND_READ,
                            format!("`{}` is dropped, and also {word} in these lines", attribute.name),
                        )
                        .at(*span, "dropped here")
                        .help("remove one of the two"),
                    );
                }
                None if !read && !fate.open.contains(&index) => missing.push(attribute.name.as_str()),
                _ => {}
            }
        }
        if missing.is_empty() {
            return;
        }
        let line = format!("drop {} declined \"…\"", missing.join(", "));
        let finding = Finding::new(
            codes::SOURCE_FIELD_UNUSED,
            format!(
                "{} of `{list}` {} neither read nor dropped",
                named(&missing),
                counts::is_are(missing.len())
            ),
        )
        .at(at, "nothing says what becomes of it")
        .note(self.source_note())
        .count(crate::lang::finding::Count::Unknown)
        .help(format!("read it in a rule of the lines, or say why not:\n{line}"));
        let finding = match self.before_brace(block) {
            Some(at) => finding.fix(Fix {
                title: format!("drop {}", counts::many(missing.len(), "field")),
                edits: vec![Edit {
                    span: Span { start: at, end: at },
                    text: format!("    drop {} declined \"\"\n", missing.join(", ")),
                }],
                applicability: Applicability::Placeholder,
            }),
            None => finding,
        };
        self.add(finding);
    }

    /// `lines(A, B, rows)`: a text with a line per value, which its field's title begins.
    pub(super) fn text_lines(
        &mut self,
        scope: &mut Scope<'a>,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Typed<'a>> {
        if args.is_empty() {
            self.wrong_arguments(span, "`lines` takes the fields that it shows", "lines(FIELD, FIELD)");
            return None;
        }
        let mut lines = Vec::with_capacity(args.len());
        let mut text = Typed::new(Expr::Lines(Vec::new()), Type::maybe(Base::Text { max: None }));
        let mut ok = true;
        for arg in args {
            let Some(typed) = self.expr(scope, arg) else {
                ok = false;
                continue;
            };
            let label = self.label_of(scope, arg);
            let rows = typed.ty.base == Base::Record && typed.ty.many && !typed.attributes.is_empty();
            let one = Type { many: false, ..typed.ty.clone() };
            if !rows && super::expr::width(&one).is_none() && typed.ty.base != Base::Stage {
                ok = false;
                self.add(
                    Finding::new(
                        codes::TYPE_MISMATCH,
                        format!("a value of type `{}` cannot stand in a text", typed.ty),
                    )
                    .at(arg.span, format!("this is `{}`", typed.ty))
                    .help("leave it out of `lines`"),
                );
                continue;
            }
            // A value of blanks alone takes no line: only some types are sure to show.
            let shows = matches!(
                typed.ty.base,
                Base::Integer | Base::Decimal | Base::Money | Base::Bool | Base::Date | Base::DateTime
            );
            text.ty.optional &= typed.ty.optional || !shows || rows;
            Self::lose(&mut text, &typed);
            let columns = match rows {
                true => typed.attributes.iter().zip(0u16..).map(|(a, i)| (a.name.clone(), i)).collect(),
                false => Vec::new(),
            };
            text = text.taint(&typed);
            let value = self.with_titles(scope, typed);
            lines.push(plan::Line { label, value, columns });
        }
        text.fidelity = text.fidelity.max(Fidelity::Summarised);
        text.expr = Expr::Lines(lines);
        ok.then_some(text)
    }

    /// A code as its title.
    fn with_titles(&mut self, scope: &Scope<'a>, typed: Typed<'a>) -> Expr {
        let titles: BTreeMap<String, String> = match &typed.ty.base {
            Base::Enum(domain) if !typed.made => {
                let Some(entries) = self.choices_of(Side::Source, domain) else { return typed.expr };
                let titled = entries.all.iter().filter_map(|(code, title)| Some((*code, (*title)?)));
                titled.map(|(code, title)| (code.to_owned(), title.to_owned())).collect()
            }
            Base::Stage if !typed.made => self.stage_titles(scope),
            _ => return typed.expr,
        };
        if titles.is_empty() {
            return typed.expr;
        }
        if typed.ty.many {
            let body = Expr::Title { of: Box::new(Expr::Element), titles };
            return Expr::Each { list: Box::new(typed.expr), body: Box::new(body) };
        }
        Expr::Title { of: Box::new(typed.expr), titles }
    }

    /// The names of stages, but for codes that mean different stages in different pipelines.
    fn stage_titles(&self, scope: &Scope<'a>) -> BTreeMap<String, String> {
        let mut titles: BTreeMap<String, Option<String>> = BTreeMap::new();
        let Some(object) = scope.object else { return BTreeMap::new() };
        for pipeline in self.source.pipelines.iter().filter(|p| p.object == object.name) {
            for stage in &pipeline.stages {
                titles
                    .entry(stage.code.clone())
                    .and_modify(|title| {
                        if title.as_ref() != Some(&stage.name) {
                            *title = None;
                        }
                    })
                    .or_insert_with(|| Some(stage.name.clone()));
            }
        }
        titles.into_iter().filter_map(|(code, title)| Some((code, title?))).collect()
    }

    /// What stands before a value in `lines`: the title of the field that it comes from.
    fn label_of(&mut self, scope: &Scope<'a>, arg: &ast::Expr) -> String {
        let Some(field) = first_field(arg) else { return String::new() };
        let code = field.field.code.as_ref().or(field.field.title.as_ref());
        let Some(name) = code.map(|name| name.value.as_str()) else { return String::new() };
        let object = match &field.object {
            Some(owner) if scope.outer.as_ref().is_some_and(|outer| outer.object.name == owner.value) => {
                scope.outer.as_ref().map(|outer| outer.object)
            }
            _ => scope.object,
        };
        let title = match (&field.field.code, object) {
            (Some(code), Some(object)) => object.field(&code.value).and_then(|field| field.title.as_deref()),
            _ => None,
        };
        title.unwrap_or(name).to_owned()
    }
}

fn named(fields: &[&str]) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    quoted.join(", ")
}

/// The field that an expression begins with.
fn first_field(expr: &ast::Expr) -> Option<&ast::FieldRef> {
    let mut first = None;
    super::walk::fields(expr, &mut |field| {
        first.get_or_insert(field);
    });
    first
}

impl<'a> Written<'a> {
    /// A column of lines.
    fn column(column: &'a Attribute) -> Self {
        Written {
            place: Place { name: format!("`{}`", column.name), ty: column.ty.clone(), choices: None },
            required: column.required(),
            custom: false,
            name: column.name.clone(),
            at_least: Fidelity::Exact,
            columns: &[],
            at: Span::default(),
            kind: super::rule::Kind::Column,
        }
    }
}
