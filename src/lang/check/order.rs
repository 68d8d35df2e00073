//! The order of loading: what references and `order` demand, in phases, or the cycle that forbids it.

use std::collections::BTreeSet;

use super::Checker;
use crate::lang::finding::{Finding, registry as codes};
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
    pub(super) fn order(&mut self, orders: &[&'a ast::Order], edges: Edges) -> Vec<Vec<u16>> {
        let mut rows = Vec::new();
        for order in orders {
            for row in &order.rows {
                let before: Vec<Option<usize>> = row.before.iter().map(|name| self.map_index(name)).collect();
                let after: Vec<Option<usize>> = row.after.iter().map(|name| self.map_index(name)).collect();
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
        }
        let count = self.maps.len();
        let hard: Vec<Edge> =
            edges.refs.iter().filter(|edge| !edge.soft && !edge.second_pass).chain(&rows).copied().collect();
        if let Some(cycle) = cycle(count, &hard) {
            self.cyclic(&cycle, &rows);
            return (0..count).filter_map(|map| u16::try_from(map).ok()).map(|map| vec![map]).collect();
        }
        // Links that may be patched later bring their maps into order where that makes no cycle.
        let mut all = hard;
        let mut known: BTreeSet<(usize, usize)> = all.iter().map(|edge| (edge.before, edge.after)).collect();
        for edge in
            edges.refs.iter().filter(|edge| edge.soft && !edge.second_pass && edge.before != edge.after)
        {
            if known.insert((edge.before, edge.after)) && !reaches(count, &all, edge.after, edge.before) {
                all.push(*edge);
            }
        }
        phases(count, &all)
    }

    fn cyclic(&mut self, cycle: &[Edge], rows: &[Edge]) {
        let name = |map: usize| self.maps[map].name().value.as_str();
        let mut path: Vec<&str> = cycle.iter().map(|edge| name(edge.before)).collect();
        path.push(name(cycle[0].before));
        let shown = path.join(" -> ");
        let from_rows: Vec<&Edge> = cycle.iter().filter(|edge| rows.contains(edge)).collect();
        let from_refs: Vec<&Edge> = cycle.iter().filter(|edge| !rows.contains(edge)).collect();
        let finding = match (from_rows.first(), from_refs.first()) {
            (Some(row), Some(link)) => Finding::new(
                codes::ORDER_CONTRADICTION,
                format!("this order contradicts what a reference needs: {shown}"),
            )
            .at(row.span, format!("`{}` before `{}`", name(row.before), name(row.after)))
            .and_at(link.span, format!("needs `{}` before `{}`", name(link.before), name(link.after)))
            .help("remove the row of `order`, or let the reference be patched later: `on unmigrated wait`"),
            (Some(row), None) => Finding::new(codes::ORDER_CYCLE, format!("the order has a cycle: {shown}"))
                .at(row.span, "closes the cycle")
                .help("remove one of its rows"),
            (None, Some(link)) => {
                Finding::new(codes::ORDER_CYCLE, format!("references form a cycle: {shown}"))
                    .at(link.span, "closes the cycle")
                    .help("let one of them be patched later: `on unmigrated wait`")
            }
            (None, None) => return,
        };
        let finding = cycle
            .iter()
            .filter(|edge| finding.label.as_ref().is_none_or(|label| label.span != edge.span))
            .fold(finding.clone(), |finding, edge| {
                if finding.others.iter().any(|other| other.span == edge.span) {
                    return finding;
                }
                finding.and_at(edge.span, format!("`{}` before `{}`", name(edge.before), name(edge.after)))
            });
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
