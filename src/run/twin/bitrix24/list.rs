//! One page of records: bounds by id, filter, order, count.
//!
//! Knows records and filters, no spelling of answers. A page by id costs the page, not the table.

use std::ops::RangeInclusive;

use super::filter::{Node, Op, Scene, SortKey};
use super::portal::Record;

/// The page size of every list (sheet 3.3).
pub(super) const PAGE: usize = 50;

/// The order of a list.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// By id, descending when true.
    Id(bool),
    /// By classic codes, each descending when true; ties by id.
    Codes(Vec<(String, bool)>),
}

/// What to list.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) filter: Node,
    pub(super) order: Order,
    pub(super) offset: usize,
    /// Whether `total` and `next` are wanted (`start` ≥ 0).
    pub(super) count: bool,
}

/// What came out.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) rows: Vec<(i64, &'a Record)>,
    /// All matches; `None` where the count was skipped.
    pub(super) total: Option<usize>,
}

impl Query {
    /// The range of ids that the filter's own conditions on `ID` leave.
    fn bounds(&self) -> RangeInclusive<i64> {
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        let Node::All(nodes) = &self.filter else {
            return low..=high;
        };
        for node in nodes {
            let Node::Is(c) = node else { continue };
            if c.code != "ID" {
                continue;
            }
            let Some(value) = c.values.first().and_then(|v| v.trim().parse::<i64>().ok()) else {
                continue;
            };
            match c.op {
                Op::Gt => low = low.max(value.saturating_add(1)),
                Op::Ge => low = low.max(value),
                Op::Lt => high = high.min(value.saturating_sub(1)),
                Op::Le => high = high.min(value),
                Op::Eq if value != 0 => (low, high) = (low.max(value), high.min(value)),
                _ => {}
            }
        }
        low..=high
    }

    /// Whether the bounds say all that the filter asks.
    fn bounds_suffice(&self) -> bool {
        let Node::All(nodes) = &self.filter else {
            return false;
        };
        let plain = |n: &Node| {
            matches!(n, Node::Is(c) if c.code == "ID"
            && matches!(c.op, Op::Gt | Op::Ge | Op::Lt | Op::Le)
            && c.values.first().is_some_and(|v| v.trim().parse::<i64>().is_ok()))
        };
        nodes.iter().all(plain)
    }

    /// How often a record is listed: an activity once for each of its bindings that is asked for (sheet 10.15).
    fn times(&self, scene: &Scene<'_>, id: i64) -> usize {
        let Node::All(nodes) = &self.filter else { return 1 };
        let bound = |node: &Node| match node {
            Node::BoundTo(wanted) => Some(scene.bound(wanted, id)),
            _ => None,
        };
        nodes.iter().find_map(bound).unwrap_or(1)
    }

    /// Serves the page.
    pub(super) fn run<'a>(&self, scene: &Scene<'a>) -> Page<'a> {
        let Some(table) = scene.portal.records.get(&scene.entity) else {
            return Page { rows: Vec::new(), total: self.count.then_some(0) };
        };
        let bounds = self.bounds();
        if bounds.is_empty() {
            return Page { rows: Vec::new(), total: self.count.then_some(0) };
        }
        let unbounded = *bounds.start() == i64::MIN && *bounds.end() == i64::MAX;
        let range = table.range(bounds).map(|(id, row)| (*id, row));
        let plain = self.bounds_suffice();
        let passes = |(id, row): &(i64, &'a Record)| plain || scene.passes(&self.filter, *id, row);
        let listed = |(id, row): (i64, &'a Record)| {
            std::iter::repeat_n((id, row), if plain { 1 } else { self.times(scene, id) })
        };
        match &self.order {
            Order::Id(descending) => {
                let rows: Vec<_> = if *descending {
                    range.clone().rev().filter(passes).flat_map(listed).skip(self.offset).take(PAGE).collect()
                } else {
                    range.clone().filter(passes).flat_map(listed).skip(self.offset).take(PAGE).collect()
                };
                let total = self.count.then(|| match (plain, unbounded) {
                    (true, true) => table.len(),
                    (true, false) => range.count(),
                    _ => range.filter(passes).flat_map(listed).count(),
                });
                Page { rows, total }
            }
            Order::Codes(codes) => {
                let key = |id: i64, row: &Record| -> Vec<SortKey> {
                    codes.iter().map(|(code, _)| scene.sort_key(code, id, row)).collect()
                };
                let mut rows: Vec<_> =
                    range.filter(passes).flat_map(listed).map(|(id, row)| (key(id, row), id, row)).collect();
                rows.sort_by(|a, b| {
                    let by_code =
                        a.0.iter()
                            .zip(&b.0)
                            .zip(codes)
                            .map(|((x, y), (_, descending))| if *descending { y.cmp(x) } else { x.cmp(y) });
                    by_code.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then(a.1.cmp(&b.1))
                });
                let total = rows.len();
                let page =
                    rows.into_iter().skip(self.offset).take(PAGE).map(|(_, id, row)| (id, row)).collect();
                Page { rows: page, total: self.count.then_some(total) }
            }
        }
    }
}
