//! Calls and the forms of the language that are written like them: `each`, `user`, table look-ups, `pipeline by`.

use super::Checker;
use super::fit::Place;
use super::meant::{self, instead};
use super::table::From;
use super::types::{Scope, Typed};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::functions::{self, Absence, Arg};
use crate::lang::plan::Expr;
use crate::lang::syntax::ast::{self, ExprKind, Name};
use crate::lang::text::Span;
use crate::lang::types::{Base, Type};

/// Functions that turn a date into an instant, in the zone of the spec.
const ZONED: &[&str] = &["at"];

/// The forms that are written like functions.
pub(super) const FORMS: &[&str] = &["each", "lines", "max", "min", "sum", "user"];

/// What a call calls.
#[derive(Clone, Copy, Debug)]
enum Callee {
    /// A function of the language.
    Built(&'static functions::Function),
    /// A function of the spec, by its index.
    Own(usize),
}

/// A call as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'e> {
    pub function: &'e Name,
    /// The receiver first.
    pub args: &'e [ast::Expr],
    /// Whether the first argument stood before a dot.
    pub method: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn call(&mut self, scope: &mut Scope<'a>, call: &Call<'_>, span: Span) -> Option<Typed<'a>> {
        let Call { function, args, method } = *call;
        match function.value.as_str() {
            "each" => self.each(scope, args, span),
            "user" => self.user(scope, args, span),
            "lines" => self.text_lines(scope, args, span),
            // After a dot it counts the elements of a list, as everywhere.
            "count" if scope.folded && !method => self.aggregate(scope, function, args, span),
            "sum" | "min" | "max" => self.aggregate(scope, function, args, span),
            _ => {
                let known = self.function(function, args, method);
                let typed: Vec<Option<(Typed<'a>, Span)>> = args
                    .iter()
                    .enumerate()
                    .map(|(index, arg)| {
                        let place = self.argument_place(known, index);
                        self.expr_for(scope, arg, place.as_ref()).map(|typed| (typed, arg.span))
                    })
                    .collect();
                let typed: Vec<(Typed<'a>, Span)> = typed.into_iter().collect::<Option<_>>()?;
                self.apply(known?, function, typed)
            }
        }
    }

    /// What an argument of a function of the spec must be.
    fn argument_place(&self, callee: Option<Callee>, index: usize) -> Option<Place> {
        let Some(Callee::Own(function)) = callee else { return None };
        self.functions.argument(function, index)
    }

    fn function(&mut self, name: &Name, args: &[ast::Expr], method: bool) -> Option<Callee> {
        if let Some(function) = functions::find(&name.value) {
            return Some(Callee::Built(function));
        }
        if let Some(index) = self.functions.find(&name.value) {
            return Some(Callee::Own(index));
        }
        // Its own item could not be read, which is told there.
        if self.mentioned(&name.value, Span::default()) {
            return None;
        }
        let finding = Finding::new(codes::UNKNOWN_FUNCTION, format!("there is no function `{}`", name.value))
            .at(name.span, "no such function");
        let finding = match self.other_form(name, args, method) {
            Some((help, written)) => {
                let whole = args.iter().fold(name.span, |whole, arg| whole.to(arg.span));
                // The closing parenthesis belongs to no argument.
                let text = self.input.text.text().get(whole.end as usize..).unwrap_or_default();
                let close = text.find(')').and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(0);
                let whole = Span { end: whole.end + close, ..whole };
                finding.help(help).fix_where(written.map(|written| instead(whole, written)))
            }
            None => {
                let own = self.functions.names();
                let names = functions::all().iter().map(|f| f.name).chain(FORMS.iter().copied()).chain(own);
                let known = meant::function(&name.value);
                match known.or_else(|| self.meant_name(&name.value, names)) {
                    Some(meant) => {
                        let fix = instead(name.span, meant.to_owned());
                        self.functions.meant(meant);
                        finding.help(format!("did this mean `{meant}`?")).fix(fix)
                    }
                    None => finding.help("`b2n explain functions` lists them all"),
                }
            }
        };
        self.add(finding);
        None
    }

    /// What is written like a call, and is another form of the language: what to write, whole where that is certain.
    fn other_form(&self, name: &Name, args: &[ast::Expr], method: bool) -> Option<(String, Option<String>)> {
        let text: Vec<&str> = args.iter().map(|arg| self.quote(arg.span)).collect();
        if self.table_names.contains_key(name.value.as_str()) {
            let written = match text.as_slice() {
                [key] => Some(format!("{}[{key}]", name.value)),
                _ => None,
            };
            return Some((format!("a table is looked up in brackets: `{}[FIELD]`", name.value), written));
        }
        match name.value.as_str() {
            "ref" | "refs" => {
                Some((format!("say by which map: `{} MAP({})`", name.value, text.join(", ")), None))
            }
            "pipeline" => {
                let written = format!("pipeline by {}", text.join(", "));
                Some((format!("write `{written}`"), Some(written)))
            }
            "map" | "forEach" | "foreach" if method => {
                Some(("each element of a list is taken by `LIST.each(FUNCTION)`".to_owned(), None))
            }
            "coalesce" | "ifnull" | "nvl" | "default" => {
                Some(("what stands for an absent value says the clause `else`".to_owned(), None))
            }
            "lookup" => Some(("a table is looked up in brackets: `TABLE[FIELD]`".to_owned(), None)),
            _ => None,
        }
    }

    /// A call of a function.
    fn apply(&mut self, callee: Callee, name: &Name, args: Vec<(Typed<'a>, Span)>) -> Option<Typed<'a>> {
        let function = match callee {
            Callee::Built(function) => function,
            Callee::Own(index) => return self.apply_own(index, name, args),
        };
        let propagates = function.absence == Absence::Propagates;
        let absent = propagates && args.iter().any(|(arg, _)| arg.ty.optional);
        let inferred = {
            let seen: Vec<Arg<'_>> = args
                .iter()
                .map(|(arg, _)| Arg {
                    ty: if propagates { arg.ty.clone().present() } else { arg.ty.clone() },
                    constant: arg.value(),
                })
                .collect();
            (function.infer)(&seen)
        };
        let inferred = match inferred {
            Ok(inferred) => inferred,
            Err(wrong) => {
                let span = wrong.argument.and_then(|i| args.get(i)).map_or(name.span, |(_, span)| *span);
                let start = format!("`{}`", function.name);
                let message = if wrong.message.starts_with(&start) || wrong.message.contains(&start) {
                    wrong.message
                } else {
                    format!("{start} {}", wrong.message)
                };
                self.add(
                    Finding::new(codes::WRONG_ARGUMENTS, message)
                        .at(span, "does not fit")
                        .help(format!("it is called as `{}`", function.signature)),
                );
                return None;
            }
        };
        if ZONED.contains(&function.name) && !self.zoned {
            self.add(
                Finding::new(codes::ZONE_NEEDED, format!("`{}` needs to know in which zone", function.name))
                    .at(name.span, "a date becomes an instant")
                    .help("add a line such as `zone \"Europe/Berlin\"` after `source` and `target`"),
            );
        }
        let mut result = Typed::new(Expr::List(Vec::new()), inferred.ty);
        result.ty.optional |= absent;
        result.fails = inferred.fails;
        result.fidelity = inferred.fidelity;
        let mut plan = Vec::with_capacity(args.len());
        for (arg, _) in args {
            result.made |= arg.made;
            Self::lose(&mut result, &arg);
            result = result.taint(&arg);
            plan.push(arg.expr);
        }
        // An enumeration comes out of a function only where one went in.
        result.made &= matches!(result.ty.base, Base::Enum(_) | Base::User | Base::Stage | Base::Ref(_));
        result.expr = Expr::Call { function: function.name.to_owned(), args: plan };
        Some(result)
    }

    /// `LIST.each(BODY)`
    fn each(&mut self, scope: &mut Scope<'a>, args: &[ast::Expr], span: Span) -> Option<Typed<'a>> {
        let [list, body] = args else {
            self.wrong_arguments(
                span,
                "`each` takes a list and what to do with each element",
                "LIST.each(FUNCTION)",
            );
            return None;
        };
        let list_span = list.span;
        let list = self.expr(scope, list)?;
        if !list.ty.many {
            let text = self.code(list_span);
            self.add(
                Finding::new(codes::TYPE_MISMATCH, format!("`each` takes a list, not `{}`", list.ty))
                    .at(list_span, format!("this is `{}`", list.ty))
                    .help(format!("write `{text}.{}`", self.code(body.span))),
            );
            return None;
        }
        let outer = (scope.attributes, scope.element.take());
        scope.attributes = list.attributes;
        scope.element = Some(list.ty.base.clone());
        let element = Typed { made: list.made, ..Typed::new(Expr::Element, Type::one(list.ty.base.clone())) };
        let body = self.applied(scope, body, element);
        (scope.attributes, scope.element) = outer;
        let body = body?;
        let mut each = Typed::new(
            Expr::Each { list: Box::new(list.expr.clone()), body: Box::new(body.expr.clone()) },
            Type {
                base: body.ty.base.clone(),
                many: true,
                optional: list.ty.optional || body.ty.optional || body.ty.many,
            },
        );
        each.made = body.made;
        each.texts = body.texts.clone();
        each.attributes = list.attributes;
        Self::lose(&mut each, &list);
        Self::lose(&mut each, &body);
        Some(each.taint(&list).taint(&body))
    }

    /// The body of an `each`: a call that is not written after a dot takes the element as its first argument.
    fn applied(&mut self, scope: &mut Scope<'a>, body: &ast::Expr, element: Typed<'a>) -> Option<Typed<'a>> {
        match &body.kind {
            ExprKind::Call { function, args, method } => {
                if function.value == "user" && args.is_empty() {
                    return self.owner(element, body.span);
                }
                if FORMS.contains(&function.value.as_str()) {
                    return self.expr(scope, body);
                }
                let known = self.function(function, args, *method);
                let mut typed = Vec::with_capacity(args.len() + 1);
                let rest = if *method && !args.is_empty() {
                    typed.push((self.applied(scope, &args[0], element)?, args[0].span));
                    &args[1..]
                } else {
                    typed.push((element, function.span));
                    &args[..]
                };
                for arg in rest {
                    typed.push((self.expr(scope, arg)?, arg.span));
                }
                self.apply(known?, function, typed)
            }
            ExprKind::Field(field) if field.object.is_none() && field.field.title.is_none() => {
                let name = field.field.code.as_ref()?;
                if scope.attributes.iter().any(|attribute| attribute.name == name.value) {
                    return self.expr(scope, body);
                }
                if name.value == "user" {
                    return self.owner(element, body.span);
                }
                if let Some(index) = self.table_names.get(name.value.as_str()).copied()
                    && functions::find(&name.value).is_none()
                {
                    return self.lookup(scope, index, element, body.span);
                }
                let known = self.function(name, &[], false)?;
                self.apply(known, name, vec![(element, body.span)])
            }
            _ => self.expr(scope, body),
        }
    }

    /// `user(FIELD)`: the destination user for a source user. Total.
    fn user(&mut self, scope: &mut Scope<'a>, args: &[ast::Expr], span: Span) -> Option<Typed<'a>> {
        let [arg] = args else {
            self.wrong_arguments(span, "`user` takes one field of type `user`", "user(FIELD)");
            return None;
        };
        let typed = self.expr(scope, arg)?;
        self.owner(typed, arg.span)
    }

    fn owner(&mut self, user: Typed<'a>, span: Span) -> Option<Typed<'a>> {
        if user.ty.base != Base::User || user.made {
            self.add(
                Finding::new(
                    codes::TYPE_MISMATCH,
                    format!("`user` takes a user of the source, not `{}`", user.ty),
                )
                .at(span, format!("this is `{}`", user.ty))
                .help("name a field of type `user`"),
            );
            return None;
        }
        self.users_read.get_or_insert(span);
        let mut owner = Typed::new(Expr::Owner(Box::new(user.expr.clone())), Type::one(Base::User));
        owner.ty.many = user.ty.many;
        owner.made = true;
        Some(owner.taint(&user))
    }

    pub(super) fn wrong_arguments(&mut self, span: Span, message: &str, call: &str) {
        self.add(
            Finding::new(codes::WRONG_ARGUMENTS, message)
                .at(span, "does not fit")
                .help(format!("write `{call}`")),
        );
    }

    /// The index of a table.
    pub(super) fn table_index(&mut self, name: &Name) -> Option<usize> {
        if let Some(index) = self.table_names.get(name.value.as_str()) {
            return Some(*index);
        }
        // Its own item could not be read, which is told there.
        if self.mentioned(&name.value, Span::default()) {
            return None;
        }
        let names: Vec<&str> = self.table_names.keys().copied().collect();
        let meant = self.meant_name(&name.value, names.into_iter());
        let field = self.source.objects.iter().any(|object| object.field(&name.value).is_some());
        if meant.is_none() {
            self.guess_everywhere(&name.value);
        }
        let help = match meant {
            Some(meant) => format!("did this mean `{meant}`?"),
            None if field => format!(
                "`{0}` is a field: one of a list is `first({0})` or `last({0})`, a table is looked up by `TABLE[{0}]`",
                name.value
            ),
            None => format!("add one: `table {} : enum(…) -> OBJECT.FIELD {{ … }}`", name.value),
        };
        let mut finding = Finding::new(codes::UNKNOWN_TABLE, format!("there is no table `{}`", name.value))
            .at(name.span, "no such table")
            .help(help);
        if let Some(meant) = meant {
            // One slip is one finding: the table is used, under another name.
            if let Some(index) = self.table_names.get(meant) {
                self.tables[*index].used = true;
            }
            finding = meant::offer(finding, &name.value, meant, name.span, meant.to_owned());
        }
        self.add(finding);
        None
    }

    /// `TABLE[KEY]`, also of each element of a list.
    pub(super) fn lookup(
        &mut self,
        scope: &Scope<'a>,
        table: usize,
        key: Typed<'a>,
        span: Span,
    ) -> Option<Typed<'a>> {
        let info = &mut self.tables[table];
        info.used = true;
        let fits = match (&info.from, &key.ty.base) {
            (Some(From::Domain(wanted)), Base::Enum(domain)) => !key.made && wanted == domain,
            (Some(From::Text), base) => {
                matches!(base, Base::Text { .. } | Base::Phone | Base::Email | Base::Url)
            }
            (None, _) => return None,
            _ => false,
        };
        if !fits {
            let wanted = info.from.as_ref().map(ToString::to_string).unwrap_or_default();
            let name = info.name.clone();
            self.add(
                Finding::new(
                    codes::TYPE_MISMATCH,
                    format!("table `{name}` looks `{wanted}` up, not `{}`", key.ty.base),
                )
                .at(span, format!("this is `{}`", key.ty))
                .help(format!("write a table from `{}`, or name a field of `{wanted}`", key.ty.base)),
            );
            return None;
        }
        if let (Expr::Slot(slot), Some(object)) = (&key.expr, scope.object) {
            info.uses.insert((object.name.clone(), usize::from(*slot)));
        }
        let info = &self.tables[table];
        let mut ty = info.ty.clone()?;
        ty.many = key.ty.many;
        ty.optional = key.ty.optional || info.absent;
        // INVARIANT: tables past the plan's 16 bits have no name, so that no look-up reaches them.
        let index = u16::try_from(table).ok()?;
        let mut found = Typed::new(Expr::Lookup { table: index, key: Box::new(key.expr.clone()) }, ty);
        found.made = info.made;
        found.texts = info.texts.clone();
        found.elsewhere = info.elsewhere.clone();
        found.fidelity = key.fidelity;
        found.attributes = key.attributes;
        Some(found.taint(&key))
    }

    /// `pipeline by CATEGORY, STAGE` or `pipeline by STAGE`
    pub(super) fn pipeline_by(
        &mut self,
        scope: &mut Scope<'a>,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Typed<'a>> {
        let typed: Vec<Option<Typed<'a>>> = args.iter().map(|arg| self.expr(scope, arg)).collect();
        let Some(object) = scope.object else {
            if typed.iter().all(Option::is_some) {
                self.no_record(span);
            }
            return None;
        };
        let source = self.source;
        let several = source.pipelines.iter().any(|p| p.object == object.name && !p.code.is_empty());
        let (category, stage) = match (typed.as_slice(), several) {
            ([Some(stage)], false) => (None, (stage.clone(), args[0].span)),
            ([Some(category), Some(stage)], true) => {
                (Some((category.clone(), args[0].span)), (stage.clone(), args[1].span))
            }
            (typed, _) if typed.iter().any(Option::is_none) => return None,
            (_, true) => {
                self.wrong_arguments(
                    span,
                    &format!("`{}` has several pipelines, told apart by their category", object.name),
                    "pipeline by CATEGORY, STAGE",
                );
                return None;
            }
            (_, false) => {
                self.wrong_arguments(
                    span,
                    &format!("`{}` has one pipeline, so `pipeline by` takes the stage alone", object.name),
                    "pipeline by STAGE",
                );
                return None;
            }
        };
        if let Some((category, at)) = &category
            && !matches!(&category.ty, Type { base: Base::Enum(_), many: false, .. })
        {
            self.not_for_pipeline(category, *at, "a category");
            return None;
        }
        if stage.0.ty.base != Base::Stage || stage.0.ty.many || stage.0.made {
            self.not_for_pipeline(&stage.0, stage.1, "a stage of the source");
            return None;
        }
        let summary = self.pipelines_of(object, scope, span);
        let mut found = Typed::new(
            Expr::Stage {
                category: category.as_ref().map(|(category, _)| Box::new(category.expr.clone())),
                stage: Box::new(stage.0.expr.clone()),
                object: object.name.clone(),
            },
            Type::one(Base::Stage),
        );
        found.ty.optional =
            summary.absent || stage.0.ty.optional || category.as_ref().is_some_and(|(c, _)| c.ty.optional);
        found.made = true;
        found.elsewhere = summary.elsewhere;
        Some(found)
    }

    fn not_for_pipeline(&mut self, typed: &Typed<'a>, span: Span, wanted: &str) {
        self.add(
            Finding::new(
                codes::TYPE_MISMATCH,
                format!("`pipeline by` takes {wanted} here, not `{}`", typed.ty),
            )
            .at(span, format!("this is `{}`", typed.ty))
            .help("write `pipeline by CATEGORY, STAGE`, or the stage alone where an object has one pipeline"),
        );
    }
}
