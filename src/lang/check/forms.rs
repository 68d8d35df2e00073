//! Calls and the forms of the language: `each`, `user`, table look-ups, `ref`, `pipeline by`.

use super::Checker;
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
const FORMS: &[&str] = &["each", "user"];

impl<'a> Checker<'a> {
    pub(super) fn call(
        &mut self,
        scope: &mut Scope<'a>,
        function: &Name,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Typed<'a>> {
        match function.value.as_str() {
            "each" => self.each(scope, args, span),
            "user" => self.user(scope, args, span),
            _ => {
                let known = self.function(function);
                let typed: Vec<Option<(Typed<'a>, Span)>> =
                    args.iter().map(|arg| self.expr(scope, arg).map(|typed| (typed, arg.span))).collect();
                let typed: Vec<(Typed<'a>, Span)> = typed.into_iter().collect::<Option<_>>()?;
                self.apply(known?, function, typed)
            }
        }
    }

    fn function(&mut self, name: &Name) -> Option<&'static functions::Function> {
        if let Some(function) = functions::find(&name.value) {
            return Some(function);
        }
        let names = functions::all().iter().map(|f| f.name).chain(FORMS.iter().copied());
        let help = match self.meant_name(&name.value, names) {
            Some(meant) => format!("did this mean `{meant}`?"),
            None => "`b2n explain functions` lists them all".to_owned(),
        };
        self.add(
            Finding::new(codes::UNKNOWN_FUNCTION, format!("there is no function `{}`", name.value))
                .at(name.span, "no such function")
                .help(help),
        );
        None
    }

    /// A call of a built-in function.
    fn apply(
        &mut self,
        function: &'static functions::Function,
        name: &Name,
        args: Vec<(Typed<'a>, Span)>,
    ) -> Option<Typed<'a>> {
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
        for (index, (arg, _)) in args.into_iter().enumerate() {
            result.made |= arg.made;
            if index == 0 {
                Self::lose(&mut result, &arg);
            }
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
            let text = self.quote(list_span);
            self.add(
                Finding::new(codes::TYPE_MISMATCH, format!("`each` takes a list, not `{}`", list.ty))
                    .at(list_span, format!("this is `{}`", list.ty))
                    .help(format!("write `{text}.{}`", self.quote(body.span))),
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
                let known = self.function(function);
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
                let known = self.function(name)?;
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

    fn wrong_arguments(&mut self, span: Span, message: &str, call: &str) {
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
        let names: Vec<&str> = self.table_names.keys().copied().collect();
        let help = match self.meant_name(&name.value, names.into_iter()) {
            Some(meant) => format!("did this mean `{meant}`?"),
            None => format!("add one: `table {} : enum(…) -> OBJECT.FIELD {{ … }}`", name.value),
        };
        self.add(
            Finding::new(codes::UNKNOWN_TABLE, format!("there is no table `{}`", name.value))
                .at(name.span, "no such table")
                .help(help),
        );
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

    /// `ref MAP(FIELD)`, `refs MAP(FIELD)`
    pub(super) fn reference(
        &mut self,
        scope: &mut Scope<'a>,
        many: bool,
        maps: &[Name],
        args: &[ast::Expr],
        field: Option<&Name>,
        span: Span,
    ) -> Option<Typed<'a>> {
        let word = if many { "refs" } else { "ref" };
        let mut targets = Vec::new();
        let mut ok = true;
        for name in maps {
            match self.map_index(name) {
                Some(index) => targets.push((index, name)),
                None => ok = false,
            }
        }
        if field.is_some() {
            self.later = true;
            ok = false;
        }
        let [arg] = args else {
            self.wrong_arguments(span, &format!("`{word}` takes one link"), &format!("{word} MAP(FIELD)"));
            return None;
        };
        let arg_span = arg.span;
        let link = self.expr(scope, arg)?;
        for (index, name) in &targets {
            ok &= self.leads_to(scope, &link, *index, name, arg_span);
            scope.links.push((*index, name.span));
        }
        if !ok {
            return None;
        }
        if many != link.ty.many {
            let other = if many { "ref" } else { "refs" };
            let text = self.quote(arg_span);
            let message = if many {
                "`refs` takes a list of links, not one"
            } else {
                "`ref` takes one link, not a list"
            };
            self.add(
                Finding::new(codes::TYPE_MISMATCH, message)
                    .at(arg_span, format!("this is `{}`", link.ty))
                    .help(format!(
                        "write `{other} {}({text})`",
                        maps.first().map_or("MAP", |m| m.value.as_str())
                    )),
            );
            return None;
        }
        let object = self.one_target(&targets, span)?;
        let absent = link.ty.optional || link.ty.base == Base::AnyLink || many;
        let mut links = Typed::new(
            Expr::Ref {
                // INVARIANT: `run` refuses specs with more maps.
                maps: targets.iter().filter_map(|(index, _)| u16::try_from(*index).ok()).collect(),
                link: Box::new(link.expr.clone()),
                any: link.ty.base == Base::AnyLink,
                object: None,
                field: None,
            },
            Type { base: Base::Ref(object), many, optional: absent },
        );
        links.made = true;
        links.refs = true;
        links.attributes = link.attributes;
        Some(links.taint(&link))
    }

    /// The destination object that all these maps write; unknown maps and objects were reported where they stand.
    fn one_target(&mut self, maps: &[(usize, &Name)], span: Span) -> Option<String> {
        if maps.iter().any(|(index, _)| self.heads[*index].target.is_none()) {
            return None;
        }
        let mut objects = maps.iter().map(|(index, _)| self.maps[*index].target.value.as_str());
        let first = objects.next()?;
        if let Some(other) = objects.find(|object| *object != first) {
            self.add(
                Finding::new(
                    codes::REF_WRONG_OBJECT,
                    format!("these maps lead to different objects: `{first}` and `{other}`"),
                )
                .at(span, "one field links to one kind of object")
                .help("write a rule for each of them"),
            );
            return None;
        }
        Some(first.to_owned())
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

    /// The index of a map.
    pub(super) fn map_index(&mut self, name: &Name) -> Option<usize> {
        if let Some(index) = self.map_names.get(name.value.as_str()) {
            return Some(*index);
        }
        let names: Vec<&str> = self.map_names.keys().copied().collect();
        let help = match self.meant_name(&name.value, names.into_iter()) {
            Some(meant) => format!("did this mean `{meant}`?"),
            None => "a map's name is its source object, or what `as` says".to_owned(),
        };
        self.add(
            Finding::new(codes::UNKNOWN_MAP, format!("there is no map `{}`", name.value))
                .at(name.span, "no such map")
                .help(help),
        );
        None
    }

    /// `pipeline by CATEGORY, STAGE` or `pipeline by STAGE`
    pub(super) fn pipeline_by(
        &mut self,
        scope: &mut Scope<'a>,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Typed<'a>> {
        let typed: Vec<Option<Typed<'a>>> = args.iter().map(|arg| self.expr(scope, arg)).collect();
        let object = scope.object?;
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

fn slot_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Slot(slot) => Some(usize::from(*slot)),
        _ => None,
    }
}
