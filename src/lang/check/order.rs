//! The order of loading: what references and `order` demand, in phases, or the cycle that forbids it.

use std::collections::BTreeSet;

use super::Checker;
use super::items::Items;
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::syntax::ast;
use crate::lang::text::Span;

/// One map before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// The map that is loaded first, by index.
    pub before: usize,
    /// The map that is loaded later.
    pub after: usize,
    /// Where the spec says so.
    pub span: Span,
    /// Whether links may be patched later, so that the order is a wish.
    pub soft: bool,
    /// Whether the link is written once every record exists, so that it orders nothing.
    pub second_pass: bool,
    /// The whole rule or row.
    pub rule: Span,
}

/// Everything that bears on the order.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// From links.
    pub refs: Vec<Edge>,
}

impl<'a> Checker<'a> {
    /// Maps by index, in phases; those of one phase do not depend on each other.
    pub(super) fn order(&mut self, items: &Items<'a>, edges: Edges) -> Vec<Vec<u16>> {
        let mut rows = Vec::new();
        for row in items.orders.iter().flat_map(|order| &order.rows) {
            let before: Vec<Option<usize>> =
                row.before.iter().map(|name| self.ordered(name, items)).collect();
            let after: Vec<Option<usize>> = row.after.iter().map(|name| self.ordered(name, items)).collect();
            for before in before.into_iter().flatten() {
                for after in after.iter().copied().flatten() {
                    rows.push(Edge {
                        before,
                        after,
                        span: row.span,
                        soft: false,
                        second_pass: false,
                        rule: row.span,
                    });
                }
            }
        }
        let count = self.maps.len();
        let mut hard: Vec<Edge> =
            edges.refs.iter().filter(|edge| !edge.soft && !edge.second_pass).copied().collect();
        let (own, others): (Vec<Edge>, Vec<Edge>) =
            hard.into_iter().partition(|edge| edge.before == edge.after);
        let mut told = None;
        for edge in &own {
            // Several links of one rule are one slip.
            if told.replace(edge.rule) != Some(edge.rule) {
                self.own_records(edge);
            }
        }
        hard = others;
        hard.extend(&rows);
        if let Some(cycle) = cycle(count, &hard) {
            self.cyclic(&cycle, &rows);
            return (0..count).filter_map(|map| u16::try_from(map).ok()).map(|map| vec![map]).collect();
        }
        // Links that may be patched later bring their maps into order where that makes no cycle.
        let mut all = hard;
        let mut known: BTreeSet<(usize, usize)> = all.iter().map(|edge| (edge.before, edge.after)).collect();
        let wishes = edges.refs.iter().filter(|edge| edge.soft && !edge.second_pass);
        for edge in wishes.filter(|edge| edge.before != edge.after) {
            if known.insert((edge.before, edge.after)) && !reaches(count, &all, edge.after, edge.before) {
                all.push(*edge);
            }
        }
        phases(count, &all)
    }

    /// The map that a row of `order` names.
    fn ordered(&mut self, name: &ast::Name, items: &Items<'a>) -> Option<usize> {
        if self.map_names.contains_key(name.value.as_str()) {
            return self.map_index(name);
        }
        let maps = |object: &str| -> Vec<&str> {
            let of_object = items.maps.iter().filter(|map| map.source.name.value == object);
            of_object.map(|map| map.name().value.as_str()).collect()
        };
        let folded = items.flattens.iter().find(|flatten| flatten.source.name.value == name.value);
        let help = match folded {
            Some(flatten) => format!(
                "`{}` is folded into `{}` and arrives with it: name that map",
                name.value, flatten.into.value
            ),
            None if !maps(&name.value).is_empty() => {
                format!("maps of `{}` are `{}`", name.value, maps(&name.value).join("`, `"))
            }
            None => return self.map_index(name),
        };
        self.add(
            Finding::new(codes::UNKNOWN_MAP, format!("there is no map `{}`", name.value))
                .at(name.span, "no such map")
                .help(help),
        );
        None
    }

    /// A map whose records link to each other.
    fn own_records(&mut self, edge: &Edge) {
        let name = self.maps[edge.before].name().value.as_str();
        let end = Span { start: edge.rule.end, end: edge.rule.end };
        self.add(
            Finding::new(
                codes::ORDER_CYCLE,
                format!("records of `{name}` link to each other, so none can be the first"),
            )
            .at(edge.span, "the map that this rule stands in")
            .help(
                "write `in a second pass` at the end of the rule: the link is written once all of them exist",
            )
            .fix(Fix {
                title: "write the link in a second pass".to_owned(),
                edits: vec![Edit { span: end, text: "  in a second pass".to_owned() }],
                applicability: Applicability::Likely,
            }),
        );
    }

    fn cyclic(&mut self, cycle: &[Edge], rows: &[Edge]) {
        let name = |map: usize| self.maps[map].name().value.as_str();
        let mut path: Vec<&str> = cycle.iter().map(|edge| name(edge.before)).collect();
        path.push(name(cycle[0].before));
        let shown = path.join(" -> ");
        let from_rows: Vec<&Edge> = cycle.iter().filter(|edge| rows.contains(edge)).collect();
        let from_refs: Vec<&Edge> = cycle.iter().filter(|edge| !rows.contains(edge)).collect();
        let later = "let a link be written later: `in a second pass`, or `on unmigrated wait`";
        let finding = match (from_rows.first(), from_refs.first()) {
            (Some(row), Some(link)) => Finding::new(
                codes::ORDER_CONTRADICTION,
                format!("this order contradicts what a reference needs: {shown}"),
            )
            .at(row.span, format!("`{}` before `{}`", name(row.before), name(row.after)))
            .and_at(link.span, format!("needs `{}` before `{}`", name(link.before), name(link.after)))
            .help(format!("remove the row of `order`, or {later}")),
            (Some(row), None) => Finding::new(codes::ORDER_CYCLE, format!("the order has a cycle: {shown}"))
                .at(row.span, "closes the cycle")
                .help("remove one of its rows"),
            (None, Some(link)) => {
                let end = Span { start: link.rule.end, end: link.rule.end };
                Finding::new(codes::ORDER_CYCLE, format!("references form a cycle: {shown}"))
                    .at(link.span, "closes the cycle")
                    .help(later)
                    .fix(Fix {
                        title: "write this link in a second pass".to_owned(),
                        edits: vec![Edit { span: end, text: "  in a second pass".to_owned() }],
                        applicability: Applicability::Likely,
                    })
            }
            (None, None) => return,
        };
        let mut finding = cycle
            .iter()
            .filter(|edge| finding.label.as_ref().is_none_or(|label| label.span != edge.span))
            .fold(finding.clone(), |finding, edge| {
                if finding.others.iter().any(|other| other.span == edge.span) {
                    return finding;
                }
                finding.and_at(edge.span, format!("`{}` before `{}`", name(edge.before), name(edge.after)))
            });
        for edge in cycle {
            let (file, at) = self.input.text.local(edge.span);
            let line = file.position(at.start).line;
            let what = self.quote(edge.rule).lines().next().unwrap_or_default();
            let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
            finding = finding.note(format!(
                "`{}` before `{}`: line {line}, {what}",
                name(edge.before),
                name(edge.after)
            ));
        }
        self.add(finding);
    }
}

/// The edges that leave each map.
fn leaving(count: usize, edges: &[Edge]) -> Vec<Vec<Edge>> {
    let mut out = vec![Vec::new(); count];
    for edge in edges {
        out[edge.before].push(*edge);
    }
    out
}

/// A shortest cycle through the first map that is on one.
fn cycle(count: usize, edges: &[Edge]) -> Option<Vec<Edge>> {
    let out = leaving(count, edges);
    let mut degree = vec![0usize; count];
    for edge in edges {
        degree[edge.after] += 1;
    }
    // What can be loaded is on no cycle.
    let mut ready: Vec<usize> = (0..count).filter(|map| degree[*map] == 0).collect();
    let mut done = vec![false; count];
    while let Some(map) = ready.pop() {
        done[map] = true;
        for edge in &out[map] {
            degree[edge.after] -= 1;
            if degree[edge.after] == 0 {
                ready.push(edge.after);
            }
        }
    }
    (0..count).filter(|map| !done[*map]).find_map(|start| shortest(&out, start, start))
}

/// The shortest way from one map to another, at least one edge long.
fn shortest(out: &[Vec<Edge>], from: usize, to: usize) -> Option<Vec<Edge>> {
    let mut came: Vec<Option<Edge>> = vec![None; out.len()];
    let mut queue = std::collections::VecDeque::from([from]);
    while let Some(map) = queue.pop_front() {
        for edge in &out[map] {
            if edge.after == to {
                let mut path = vec![*edge];
                let mut at = map;
                while at != from {
                    let edge = came[at]?;
                    path.push(edge);
                    at = edge.before;
                }
                path.reverse();
                return Some(path);
            }
            if came[edge.after].is_none() && edge.after != from {
                came[edge.after] = Some(*edge);
                queue.push_back(edge.after);
            }
        }
    }
    None
}

fn reaches(count: usize, edges: &[Edge], from: usize, to: usize) -> bool {
    shortest(&leaving(count, edges), from, to).is_some()
}

/// The earliest phase of each map, in the order of the spec within a phase.
///
/// INVARIANT: the edges have no cycle.
fn phases(count: usize, edges: &[Edge]) -> Vec<Vec<u16>> {
    let edges: BTreeSet<(usize, usize)> = edges.iter().map(|edge| (edge.before, edge.after)).collect();
    let mut out = vec![Vec::new(); count];
    let mut degree = vec![0usize; count];
    for (before, after) in edges {
        out[before].push(after);
        degree[after] += 1;
    }
    let mut phases = Vec::new();
    let mut ready: Vec<usize> = (0..count).filter(|map| degree[*map] == 0).collect();
    while !ready.is_empty() {
        let mut next = Vec::new();
        for map in &ready {
            for after in &out[*map] {
                degree[*after] -= 1;
                if degree[*after] == 0 {
                    next.push(*after);
                }
            }
        }
        next.sort_unstable();
        phases.push(ready.iter().filter_map(|map| u16::try_from(*map).ok()).collect());
        ready = next;
    }
    phases
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edge((before, after): (usize, usize)) -> Edge {
        Edge { before, after, span: Span::default(), soft: false, second_pass: false, rule: Span::default() }
    }

    proptest! {
        #[test]
        fn phases_hold_every_map_once_and_respect_every_edge(
            count in 1usize..12,
            pairs in proptest::collection::vec((0usize..12, 0usize..12), 0..40),
        ) {
            let edges: Vec<Edge> =
                pairs.into_iter().map(|(a, b)| (a % count, b % count)).map(edge).collect();
            match cycle(count, &edges) {
                Some(found) => {
                    for (index, edge) in found.iter().enumerate() {
                        prop_assert_eq!(edge.after, found[(index + 1) % found.len()].before);
                        prop_assert!(edges.contains(edge));
                    }
                }
                None => {
                    let phases = phases(count, &edges);
                    let mut phase = vec![None; count];
                    for (index, maps) in phases.iter().enumerate() {
                        prop_assert!(maps.is_sorted());
                        for map in maps {
                            prop_assert_eq!(phase[usize::from(*map)].replace(index), None);
                        }
                    }
                    prop_assert!(phase.iter().all(Option::is_some));
                    for edge in &edges {
                        prop_assert!(phase[edge.before] < phase[edge.after]);
                    }
                }
            }
        }
    }
}
