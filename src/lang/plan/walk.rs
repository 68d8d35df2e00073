//! Visits the parts of a plan's expressions and rules. Knows nothing of what they mean.

use super::{Arm, Expr, Rule};

/// Calls `visit` with every expression directly inside this one.
pub fn children<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    match expr {
        Expr::Slot(_)
        | Expr::Element
        | Expr::Attribute(_)
        | Expr::Const(_)
        | Expr::Param(_)
        | Expr::Outer(_) => {}
        Expr::Concat(parts) | Expr::List(parts) => parts.iter().for_each(visit),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => args.iter().for_each(visit),
        Expr::Lookup { key, .. } => visit(key),
        Expr::Each { list, body } => {
            visit(list);
            visit(body);
        }
        Expr::Ref { link, object, .. } => {
            visit(link);
            if let Some(object) = object {
                visit(object);
            }
        }
        Expr::EachLine { list, rules, .. } => {
            visit(list);
            rules.iter().for_each(|rule| of_rule(rule, visit));
        }
        Expr::Aggregate { of, .. } => {
            if let Some(of) = of {
                visit(of);
            }
        }
        Expr::Lines(lines) => lines.iter().for_each(|line| visit(&line.value)),
        Expr::Title { of, .. } => visit(of),
        Expr::Owner(inner) | Expr::Has(inner) | Expr::Not(inner) => visit(inner),
        Expr::Stage { category, stage, .. } => {
            if let Some(category) = category {
                visit(category);
            }
            visit(stage);
        }
        Expr::And(a, b) | Expr::Or(a, b) | Expr::Compare(_, a, b) => {
            visit(a);
            visit(b);
        }
    }
}

/// Calls `visit` with every expression that stands directly in a rule.
pub fn of_rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Expr)) {
    let Rule { target: _, when, value, label, otherwise, on_fail, on_unmigrated, .. } = rule;
    when.iter().for_each(&mut *visit);
    visit(value);
    if let Some(label) = label {
        visit(&label.value);
        label.when.iter().for_each(&mut *visit);
    }
    for arm in otherwise.iter().chain(on_fail).chain(on_unmigrated) {
        of_arm(arm, visit);
    }
}

/// Calls `visit` with the expression of an arm.
pub fn of_arm<'a>(arm: &'a Arm, visit: &mut dyn FnMut(&'a Expr)) {
    if let Arm::Value { value, .. } = arm {
        visit(value);
    }
}

/// Calls `visit` with an expression and everything inside it, outermost first.
pub fn deep<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    visit(expr);
    children(expr, &mut |inner| deep(inner, visit));
}
