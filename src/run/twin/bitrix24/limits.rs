//! The two limits of the cloud: the request bucket and the operating time (sheet 3.1, 3.2).
//!
//! Knows no HTTP and no method semantics; time comes in as Unix milliseconds.

use std::collections::{BTreeMap, VecDeque};

/// The portal's licence, as far as limits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Plan {
    /// Every plan but Enterprise: capacity 50, drain 2 per second.
    #[default]
    Standard,
    /// Capacity 250, drain 5 per second.
    Enterprise,
}

impl Plan {
    /// The bucket's capacity X.
    pub fn capacity(self) -> f64 {
        match self {
            Plan::Standard => 50.0,
            Plan::Enterprise => 250.0,
        }
    }

    /// The bucket's drain Y in requests per second.
    pub fn drain(self) -> f64 {
        match self {
            Plan::Standard => 2.0,
            Plan::Enterprise => 5.0,
        }
    }
}

/// One leaky bucket: of one portal and one client address.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    level: f64,
    at_ms: i64,
}

impl Bucket {
    /// An empty bucket.
    pub(super) fn new(now_ms: i64) -> Self {
        Bucket { level: 0.0, at_ms: now_ms }
    }

    /// Adds one request; the level afterwards, or `None` when it would pass the capacity.
    ///
    /// A refused request adds nothing unless `count_refused`: the published texts leave that open.
    pub(super) fn take(&mut self, plan: Plan, count_refused: bool, now_ms: i64) -> Option<f64> {
        let elapsed = now_ms.saturating_sub(self.at_ms).max(0) as f64 / 1000.0;
        self.level = (self.level - elapsed * plan.drain()).max(0.0);
        self.at_ms = self.at_ms.max(now_ms);
        if self.level + 1.0 > plan.capacity() + 1e-9 {
            if count_refused {
                self.level = plan.capacity();
            }
            return None;
        }
        self.level += 1.0;
        Some(self.level)
    }
}

const BASKET_MS: i64 = 60_000;
const WINDOW_MS: i64 = 600_000;

/// Operating seconds of one method in ten one-minute baskets.
#[derive(Clone, Debug, Default)]
pub(super) struct Operating {
    /// (first call in milliseconds, seconds), oldest first.
    baskets: VecDeque<(i64, f64)>,
}

impl Operating {
    fn expire(&mut self, now_ms: i64) {
        while self.baskets.front().is_some_and(|(first, _)| now_ms.saturating_sub(*first) >= WINDOW_MS) {
            self.baskets.pop_front();
        }
    }

    /// Seconds in the window.
    pub(super) fn sum(&mut self, now_ms: i64) -> f64 {
        self.expire(now_ms);
        self.baskets.iter().map(|(_, s)| s).sum()
    }

    /// Books a call that began at `now_ms`.
    pub(super) fn add(&mut self, now_ms: i64, seconds: f64) {
        self.expire(now_ms);
        match self.baskets.back_mut() {
            Some((first, sum)) if now_ms.saturating_sub(*first) < BASKET_MS => *sum += seconds,
            _ => self.baskets.push_back((now_ms, seconds)),
        }
    }

    /// The Unix second at which the oldest basket leaves the window.
    pub(super) fn reset_at(&self, now_ms: i64) -> i64 {
        let first = self.baskets.front().map_or(now_ms, |(first, _)| *first);
        first.saturating_add(WINDOW_MS).div_euclid(1000)
    }
}

/// All counters of one portal.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    buckets: BTreeMap<String, Bucket>,
    operating: BTreeMap<(String, String), Operating>,
}

impl Limits {
    /// The bucket of a client address.
    pub(super) fn bucket(&mut self, client: &str, now_ms: i64) -> &mut Bucket {
        self.buckets.entry(client.to_owned()).or_insert_with(|| Bucket::new(now_ms))
    }

    /// The operating counter of a credential and a method.
    pub(super) fn operating(&mut self, credential: &str, method: &str) -> &mut Operating {
        self.operating.entry((credential.to_owned(), method.to_owned())).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_refuses_the_51st_and_drains_by_fractions() {
        let mut b = Bucket::new(0);
        for n in 1..=50 {
            assert_eq!(b.take(Plan::Standard, false, 0), Some(f64::from(n)));
        }
        assert_eq!(b.take(Plan::Standard, false, 0), None);
        assert_eq!(b.take(Plan::Standard, false, 499), None);
        assert_eq!(b.take(Plan::Standard, false, 500), Some(50.0));
        assert_eq!(b.take(Plan::Standard, false, 999), None);
        assert_eq!(b.take(Plan::Standard, false, 25_500), Some(1.0));
    }

    #[test]
    fn operating_window_slides_by_baskets() {
        let mut o = Operating::default();
        o.add(1_000, 1.0);
        o.add(60_999, 1.0);
        o.add(61_000, 4.0);
        assert_eq!(o.sum(600_999), 6.0);
        assert_eq!(o.reset_at(600_999), 601);
        assert_eq!(o.sum(601_000), 4.0);
        assert_eq!(o.reset_at(601_000), 661);
        assert_eq!(o.sum(661_000), 0.0);
    }
}
