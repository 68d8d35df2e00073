//! Functions of the spec: checked once against their declared types, and called like the built-in ones.
//!
//! INVARIANT: [`Functions::plan`] holds each function after those that it calls.

use std::collections::HashMap;
use std::rc::Rc;

use super::fit::Place;
use super::meant::instead;
use super::types::{Param, Scope, Typed, choices, word, worse};
use super::{Checker, Side};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::functions;
use crate::lang::plan::{self, Expr};
use crate::lang::syntax::ast::{self, ExprKind, FieldRef, Item, MapLine, Name, TextPart, TypeArg, TypeRef};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};

/// What a call needs to know of a function.
#[derive(Debug)]
pub(super) struct Info<'a> {
    item: &'a ast::Function,
    params: Rc<[Param]>,
    /// What it gives; `None` where that was not understood.
    result: Option<Type>,
    made: bool,
    fails: bool,
    fidelity: Fidelity,
    elsewhere: Option<(Fidelity, Rc<str>)>,
    /// Its index in the plan; `None` where its body did not check.
    index: Option<u16>,
    used: bool,
}

/// The functions of a spec.
#[derive(Debug, Default)]
pub(super) struct Functions<'a> {
    infos: Vec<Info<'a>>,
    names: HashMap<&'a str, usize>,
    plan: Vec<plan::Function>,
}

impl<'a> Functions<'a> {
    /// The function of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// Notes that a misspelt name means this one.
    pub(super) fn meant(&mut self, name: &str) {
        if let Some(index) = self.find(name) {
            self.infos[index].used = true;
        }
    }

    /// All names, for suggestions.
    pub(super) fn names(&self) -> Vec<&'a str> {
        self.names.keys().copied().collect()
    }

    /// What an argument of a function must be.
    pub(super) fn argument(&self, function: usize, index: usize) -> Option<Place> {
        let info = self.infos.get(function)?;
        let param = info.params.get(index)?;
        let name = format!("`{}` of `{}`", param.name, info.item.name.value);
        Some(Place { name, ty: param.ty.clone()?, choices: None })
    }

    /// As the plan keeps them.
    pub(super) fn plan(&mut self) -> Vec<plan::Function> {
        std::mem::take(&mut self.plan)
    }
}

impl<'a> Checker<'a> {
    /// Checks all functions, those that are called before their callers.
    pub(super) fn own_functions(&mut self) {
        let spec: &'a ast::Spec = self.input.spec;
        for item in &spec.items {
            if let Item::Function(function) = item {
                self.declare_function(function);
            }
        }
        let calls: Vec<Vec<(usize, Span)>> = self
            .functions
            .infos
            .iter()
            .map(|info| {
                let mut calls = Vec::new();
                called(&info.item.body, &mut |name| {
                    if let Some(index) = self.functions.names.get(name.value.as_str()) {
                        calls.push((*index, name.span));
                    }
                });
                calls
            })
            .collect();
        let (order, circles) = callees_first(&calls);
        for circle in circles {
            self.recursion(&circle);
        }
        if order.len() < self.functions.infos.len() {
            // What a circle reaches is not unused for that.
            for info in &mut self.functions.infos {
                info.used = true;
            }
        }
        for index in order {
            self.function_body(index);
        }
    }

    fn declare_function(&mut self, function: &'a ast::Function) {
        let name = &function.name;
        if functions::find(&name.value).is_some() || super::forms::FORMS.contains(&name.value.as_str()) {
            self.add(
                Finding::new(
                    codes::DUPLICATE_ITEM,
                    format!("`{}` is a function of the language already", name.value),
                )
                .at(name.span, "the name is taken")
                .help("choose another name"),
            );
            return;
        }
        if let Some(first) = self.functions.find(&name.value) {
            let first = self.functions.infos[first].item.name.span;
            self.add(
                Finding::new(codes::DUPLICATE_ITEM, format!("function `{}` stands twice", name.value))
                    .at(name.span, "the second one")
                    .and_at(first, "the first one")
                    .help("keep one of them, or give one another name"),
            );
            return;
        }
        let mut params: Vec<Param> = Vec::with_capacity(function.params.len());
        for param in &function.params {
            if params.iter().any(|other| other.name == param.name.value) {
                self.add(
                    Finding::new(
                        codes::DUPLICATE_ITEM,
                        format!("parameter `{}` of `{}` stands twice", param.name.value, name.value),
                    )
                    .at(param.name.span, "the second one")
                    .help("give it another name"),
                );
            }
            let declared = self.declared_type(&param.ty);
            let made = declared.as_ref().is_some_and(|(_, made)| *made);
            params.push(Param { name: param.name.value.clone(), ty: declared.map(|(ty, _)| ty), made });
        }
        let result = self.declared_type(&function.result);
        self.functions.names.insert(&name.value, self.functions.infos.len());
        self.functions.infos.push(Info {
            item: function,
            params: params.into(),
            made: result.as_ref().is_some_and(|(_, made)| *made),
            result: result.map(|(ty, _)| ty),
            fails: false,
            fidelity: Fidelity::Exact,
            elsewhere: None,
            index: None,
            used: false,
        });
    }

    /// A type of a parameter or a result, and whether an enumeration in it is the destination's.
    fn declared_type(&mut self, ty: &TypeRef) -> Option<(Type, bool)> {
        let (base, made) = match ty.name.value.as_str() {
            "user" => (Base::User, false),
            "stage" => (Base::Stage, false),
            "enum" => {
                if !choices(ty).is_empty() {
                    self.add(
                        Finding::new(codes::UNKNOWN_TYPE, "a function's `enum` is one of the snapshots'")
                            .at(ty.span, "values of its own")
                            .help("name it: `enum(SOURCE)`, or write `text`"),
                    );
                    return None;
                }
                match ty.args.first() {
                    Some(TypeArg::Name(name))
                        if self.choices_of(Side::Source, &name.value).is_none()
                            && self.choices_of(Side::Target, &name.value).is_some() =>
                    {
                        (Base::Enum(name.value.clone()), true)
                    }
                    _ => (Base::Enum(self.source_domain(ty)?), false),
                }
            }
            name => match word(name) {
                Some(Base::Text { .. }) => {
                    let max = ty.args.iter().find_map(|arg| match arg {
                        TypeArg::Number(number) => Some(number.value),
                        _ => None,
                    });
                    (Base::Text { max }, false)
                }
                Some(base) => (base, false),
                None => {
                    self.unknown_type(ty);
                    return None;
                }
            },
        };
        Some((Type { base, many: ty.many, optional: ty.optional }, made))
    }

    fn function_body(&mut self, index: usize) {
        let info = &self.functions.infos[index];
        let (item, result, made) = (info.item, info.result.clone(), info.made);
        let mut scope = Scope { params: Some(Rc::clone(&info.params)), ..Scope::default() };
        let place = result.map(|ty| Place {
            name: format!("the result of `{}`", item.name.value),
            ty,
            choices: None,
        });
        let body = self.expr_for(&mut scope, &item.body, place.as_ref());
        let (Some(body), Some(place)) = (body, place) else { return };
        let Some(body) = self.pass(body, &place, made, item.body.span) else { return };
        if body.ty.optional && !place.ty.optional {
            let wanted = self.quote(item.result.span);
            self.add(
                Finding::new(
                    codes::ABSENCE_UNHANDLED,
                    format!("`{}` may give nothing, and says that it gives `{wanted}`", item.name.value),
                )
                .at(item.body.span, "may be absent")
                .and_at(item.result.span, "never absent")
                .help(format!("declare the result as `{wanted}?`"))
                .fix(Fix {
                    title: format!("declare the result as `{wanted}?`"),
                    edits: vec![Edit {
                        span: Span { start: item.result.span.end, end: item.result.span.end },
                        text: "?".to_owned(),
                    }],
                    applicability: Applicability::Likely,
                }),
            );
            return;
        }
        let line = self.line(item.span);
        let at = u16::try_from(self.functions.plan.len()).ok();
        let info = &mut self.functions.infos[index];
        let Ok(params) = u16::try_from(info.params.len()) else { return };
        (info.fails, info.fidelity) = (body.fails, body.fidelity);
        info.elsewhere = body.elsewhere.clone();
        info.index = at;
        self.functions.plan.push(plan::Function {
            name: item.name.value.clone(),
            params,
            body: body.expr,
            line,
        });
    }

    /// A value where a declared type is wanted: an argument, or a result.
    fn pass(&mut self, value: Typed<'a>, place: &Place, made: bool, span: Span) -> Option<Typed<'a>> {
        let codes_of_a_system = matches!(place.ty.base, Base::Enum(_) | Base::User | Base::Stage);
        if codes_of_a_system
            && value.ty.base == place.ty.base
            && value.ty.many == place.ty.many
            && value.made == made
        {
            return Some(value);
        }
        if codes_of_a_system && !(made && value.texts.is_some()) {
            let got = value.ty.clone().present();
            self.add(
                Finding::new(
                    codes::WRONG_ARGUMENTS,
                    format!("{} takes `{}`, not `{got}`", place.name, place.ty),
                )
                .at(span, format!("this is `{got}`"))
                .help(format!("name a field of type `{}`", place.ty.clone().present())),
            );
            return None;
        }
        if place.ty.many && !value.ty.many {
            let text = self.code(span);
            self.add(
                Finding::new(codes::WRONG_ARGUMENTS, format!("{} takes a list", place.name))
                    .at(span, format!("this is `{}`", value.ty))
                    .help(format!("write a list: `[{text}]`")),
            );
            return None;
        }
        self.fit(value, place, span)
    }

    /// A call of a function of the spec.
    pub(super) fn apply_own(
        &mut self,
        index: usize,
        name: &Name,
        args: Vec<(Typed<'a>, Span)>,
    ) -> Option<Typed<'a>> {
        let info = &mut self.functions.infos[index];
        info.used = true;
        let (item, params) = (info.item, Rc::clone(&info.params));
        let signature = {
            let (head, result) = (item.name.span, item.result.span);
            self.quote(Span { start: head.start, end: result.end }).to_owned()
        };
        if args.len() != params.len() {
            let takes = super::counts::many(params.len(), "argument");
            self.add(
                Finding::new(
                    codes::WRONG_ARGUMENTS,
                    format!("`{}` takes {takes}, got {}", item.name.value, args.len()),
                )
                .at(name.span, "does not fit")
                .and_at(item.name.span, "declared here")
                .help(format!("it is called as `{signature}`")),
            );
            return None;
        }
        let mut ok = true;
        let mut passed = Vec::with_capacity(args.len());
        for ((arg, span), (param, declared)) in args.into_iter().zip(params.iter().zip(&item.params)) {
            let Some(ty) = &param.ty else {
                ok = false;
                continue;
            };
            let place = Place {
                name: format!("`{}` of `{}`", param.name, item.name.value),
                ty: ty.clone(),
                choices: None,
            };
            if arg.ty.optional && !ty.optional {
                ok = false;
                let text = self.code(span);
                let wanted = self.quote(declared.ty.span);
                self.add(
                    Finding::new(
                        codes::ABSENCE_UNHANDLED,
                        format!("`{text}` may be absent, and {} takes `{wanted}`", place.name),
                    )
                    .at(span, "may be absent")
                    .and_at(declared.ty.span, "never absent")
                    .help(format!("declare it as `{}: {wanted}?`", param.name)),
                );
                continue;
            }
            match self.pass(arg, &place, param.made, span) {
                Some(arg) => passed.push(arg),
                None => ok = false,
            }
        }
        let info = &self.functions.infos[index];
        let (Some(result), Some(function), true) = (info.result.clone(), info.index, ok) else { return None };
        let mut call = Typed::new(Expr::List(Vec::new()), result);
        call.made = info.made;
        call.fails = info.fails;
        call.fidelity = info.fidelity;
        call.elsewhere = info.elsewhere.clone();
        let mut plan = Vec::with_capacity(passed.len());
        for arg in passed {
            call.fidelity = call.fidelity.max(arg.fidelity);
            call.elsewhere = worse(call.elsewhere.take(), arg.elsewhere.clone());
            call = call.taint(&arg);
            plan.push(arg.expr);
        }
        call.expr = Expr::Apply { function, args: plan };
        Some(call)
    }

    /// A parameter, where bare names are parameters.
    pub(super) fn parameter(&mut self, params: &[Param], field: &FieldRef) -> Option<Typed<'a>> {
        if let Some(object) = &field.object {
            self.add(
                Finding::new(codes::UNKNOWN_FIELD, "a function reads its parameters, and no record")
                    .at(object.span, "no record here")
                    .help("hand the value over as a parameter"),
            );
            return None;
        }
        let name = field.field.code.as_ref().or(field.field.title.as_ref())?;
        if let Some(index) = params.iter().position(|param| param.name == name.value) {
            let param = &params[index];
            let mut typed = Typed::new(Expr::Param(u16::try_from(index).ok()?), param.ty.clone()?);
            typed.made = param.made;
            return Some(typed);
        }
        let meant = self.meant_name(&name.value, params.iter().map(|param| param.name.as_str()));
        let help = match meant {
            Some(meant) => format!("did this mean `{meant}`?"),
            None => format!("declare it: `{}: text?`", name.value),
        };
        self.add(
            Finding::new(codes::UNKNOWN_FIELD, format!("the function has no parameter `{}`", name.value))
                .at(name.span, "no such parameter")
                .help(help)
                .fix_where(meant.map(|meant| instead(name.span, meant.to_owned()))),
        );
        None
    }

    fn recursion(&mut self, circle: &[(usize, Span)]) {
        let name = |index: usize| self.functions.infos[index].item.name.value.as_str();
        let Some((last, span)) = circle.last().copied() else { return };
        let mut shown: Vec<&str> = vec![name(last)];
        shown.extend(circle.iter().map(|(index, _)| name(*index)));
        // Each entry is the callee of the one before it: the last one closes the circle.
        let first = self.functions.infos[last].item.name.span;
        self.add(
            Finding::new(codes::RECURSION, format!("a function calls itself: {}", shown.join(" -> ")))
                .at(span, "closes the circle")
                .and_at(first, "begins here")
                .help("let one of them do without the others"),
        );
    }

    /// What can be said of functions once all calls are known.
    pub(super) fn functions_end(&mut self) {
        let unused: Vec<&'a ast::Function> =
            self.functions.infos.iter().filter(|info| !info.used).map(|info| info.item).collect();
        for item in unused {
            if self.of_profile(item.span) || self.perhaps_used(&item.name.value, item.span) {
                continue;
            }
            self.add(
                Finding::new(codes::UNUSED_ITEM, format!("function `{}` is used nowhere", item.name.value))
                    .at(item.name.span, "no rule calls it")
                    .help("call it in a rule, or remove it")
                    .fix(self.without_item(item.span)),
            );
        }
    }
}

/// Functions, those that are called before their callers; those that lead to themselves are left out and their
/// circles given: each entry is called by the one before it, the first one by the last.
fn callees_first(calls: &[Vec<(usize, Span)>]) -> (Vec<usize>, Vec<Vec<(usize, Span)>>) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
        Circular,
    }
    let mut state = vec![State::New; calls.len()];
    let (mut order, mut circles) = (Vec::new(), Vec::new());
    for start in 0..calls.len() {
        if state[start] != State::New {
            continue;
        }
        state[start] = State::Open;
        // Each entry: the function, its next call, and where it is called.
        let mut path: Vec<(usize, usize, Span)> = vec![(start, 0, Span::default())];
        while let Some((at, next, _)) = path.last().copied() {
            match calls[at].get(next) {
                None => {
                    path.pop();
                    if state[at] == State::Open {
                        state[at] = State::Done;
                        order.push(at);
                    } else if let Some((caller, ..)) = path.last() {
                        // Whoever calls what does not end cannot be checked either.
                        state[*caller] = State::Circular;
                    }
                }
                Some((callee, span)) => {
                    if let Some(last) = path.last_mut() {
                        last.1 += 1;
                    }
                    match state[*callee] {
                        State::New => {
                            state[*callee] = State::Open;
                            path.push((*callee, 0, *span));
                        }
                        State::Done => {}
                        State::Open | State::Circular => {
                            if let Some(from) = path.iter().position(|(function, ..)| function == callee) {
                                let mut circle: Vec<(usize, Span)> = path[from + 1..]
                                    .iter()
                                    .map(|(function, _, span)| (*function, *span))
                                    .collect();
                                circle.push((*callee, *span));
                                if state[*callee] == State::Open {
                                    circles.push(circle);
                                }
                                for (function, ..) in &path[from..] {
                                    state[*function] = State::Circular;
                                }
                            }
                            state[at] = State::Circular;
                        }
                    }
                }
            }
        }
    }
    (order, circles)
}

/// Hands every name that may be a function's to `see`; a bare word inside an `each` may be one.
fn called<'e>(expr: &'e ast::Expr, see: &mut dyn FnMut(&'e Name)) {
    match &expr.kind {
        ExprKind::Call { function, args, .. } => {
            see(function);
            for (index, arg) in args.iter().enumerate() {
                match &arg.kind {
                    ExprKind::Field(field) if index > 0 && function.value == "each" => {
                        if let Some(code) = &field.field.code {
                            see(code);
                        }
                    }
                    _ => called(arg, see),
                }
            }
        }
        ExprKind::Text(parts) => {
            for part in parts {
                if let TextPart::Expr(expr) = part {
                    called(expr, see);
                }
            }
        }
        ExprKind::List(all) | ExprKind::PipelineBy(all) | ExprKind::Ref { args: all, .. } => {
            all.iter().for_each(|expr| called(expr, see));
        }
        ExprKind::Lookup { key, .. } => called(key, see),
        ExprKind::EachBlock { list, body } => {
            called(list, see);
            for line in body {
                if let MapLine::Rule(rule) = line {
                    called(&rule.value, see);
                }
            }
        }
        ExprKind::Not(inner) => called(inner, see),
        ExprKind::And(a, b) | ExprKind::Or(a, b) | ExprKind::Compare(_, a, b) => {
            called(a, see);
            called(b, see);
        }
        ExprKind::Field(_)
        | ExprKind::Has(_)
        | ExprKind::Number(_)
        | ExprKind::Percent(_)
        | ExprKind::Money(..)
        | ExprKind::Date(_)
        | ExprKind::Bool(_)
        | ExprKind::Hole => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn callees_stand_before_their_callers(
            count in 1usize..9,
            pairs in proptest::collection::vec((0usize..9, 0usize..9), 0..20),
        ) {
            let mut calls = vec![Vec::new(); count];
            for (a, b) in pairs {
                calls[a % count].push((b % count, Span::default()));
            }
            let (order, circles) = callees_first(&calls);
            // What reaches itself, by a plain closure.
            let mut reach: Vec<Vec<bool>> = vec![vec![false; count]; count];
            for (a, all) in calls.iter().enumerate() {
                all.iter().for_each(|(b, _)| reach[a][*b] = true);
            }
            for k in 0..count {
                for a in 0..count {
                    for b in 0..count {
                        reach[a][b] |= reach[a][k] && reach[k][b];
                    }
                }
            }
            let circular: Vec<usize> = (0..count).filter(|a| reach[*a][*a]).collect();
            prop_assert_eq!(circles.is_empty(), circular.is_empty());
            let sound = |a: usize| !circular.iter().any(|c| *c == a || reach[a][*c]);
            for (place, function) in order.iter().enumerate() {
                for (callee, _) in &calls[*function] {
                    prop_assert!(order[..place].contains(callee));
                }
            }
            for function in (0..count).filter(|a| sound(*a)) {
                prop_assert_eq!(order.iter().filter(|a| **a == function).count(), 1);
            }
            for circle in &circles {
                for (at, (function, _)) in circle.iter().enumerate() {
                    let callee = circle[(at + 1) % circle.len()].0;
                    prop_assert!(calls[*function].iter().any(|(called, _)| *called == callee));
                }
            }
        }
    }
}
