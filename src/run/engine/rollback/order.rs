//! In which order streams are taken back: against the order of loading, and never a record before one that links to it.

use std::collections::BTreeSet;

use super::super::{Engine, Result};

impl Engine<'_> {
    /// Streams in the order of taking back: notes before their records, later phases before earlier ones.
    pub(super) fn backwards(&self, scope: &BTreeSet<usize>) -> Result<Vec<usize>> {
        let mut order = Vec::new();
        for phase in self.plan.phases.iter().rev() {
            order.extend(self.notes_of_phase(phase).into_iter().rev());
            order.extend(self.maps_of(phase).into_iter().rev());
        }
        order.retain(|stream| scope.contains(stream));
        let number = |name: &str| self.streams.iter().position(|stream| stream.name == name);
        let links = self.workspace.linked_maps()?;
        let links = links.iter().filter_map(|(from, to)| Some((number(from)?, number(to)?))).collect();
        Ok(dependents_first(order, &links))
    }
}

/// Keeps an order as far as nobody comes after what links to him. Where links go round, the order decides.
fn dependents_first(mut left: Vec<usize>, links: &BTreeSet<(usize, usize)>) -> Vec<usize> {
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free = |to: &usize| !left.iter().any(|from| from != to && links.contains(&(*from, *to)));
        let at = left.iter().position(free).unwrap_or(0);
        order.push(left.remove(at));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_come_first_and_the_rest_keeps_its_order() {
        let order =
            |links: &[(usize, usize)]| dependents_first(vec![3, 2, 1, 0], &links.iter().copied().collect());
        assert_eq!(order(&[]), [3, 2, 1, 0]);
        assert_eq!(order(&[(2, 0), (3, 1)]), [3, 2, 1, 0]);
        // A link that was written later leads against the order of loading.
        assert_eq!(order(&[(0, 3)]), [2, 1, 0, 3]);
        assert_eq!(order(&[(1, 1), (0, 1)]), [3, 2, 0, 1]);
        assert_eq!(order(&[(0, 3), (3, 0)]).len(), 4);
    }
}
