//! What a run came to, in numbers.

use crate::run::workspace::{Listed, Tally};

use super::forecast::Spent;
use super::proof::Proof;

/// One equation: source = created + adopted + folded + listed + left out + quarantined + failed, of a map, of the notes
/// of a map, of a flatten, or of a split, where records that went to maps are counted as sent there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapReport {
    /// The map, or what else it is of: `notes of deal`, `quote into deal`, `split lead`.
    pub map: String,
    /// The destination object; of a split, its maps.
    pub target: String,
    /// Staged records that it must account for.
    pub source: u64,
    /// Where they ended.
    pub tally: Tally,
    /// What the destination lists; `None` before it was asked.
    pub listed: Option<Listed>,
    /// Records that should carry a marker there.
    pub expected: u64,
    /// Doubles that were taken away.
    pub doubles: u64,
    /// Whether these records go with others, as notes do, and stand for no source record of their own.
    pub beside: bool,
    /// What both sides were found to hold; `None` before they were compared, and of splits and flattens.
    pub proof: Option<Box<Proof>>,
    /// Records that a run of a part left to a later run, counted one by one.
    pub left: u64,
}

impl MapReport {
    /// Whether every record is accounted for, if only as left to a later run, and the destination agrees.
    pub fn closes(&self) -> bool {
        self.counts_close() && self.proof.as_ref().is_none_or(|proof| proof.closes())
    }

    /// Whether the numbers of records agree, whatever is in them.
    pub fn counts_close(&self) -> bool {
        self.source == self.tally.sum() + self.left
            && self.listed.is_none_or(|listed| listed.found == self.expected && listed.strange == 0)
    }

    /// Records without an end yet.
    pub fn pending(&self) -> u64 {
        self.source.saturating_sub(self.tally.sum())
    }

    /// The equation in words.
    pub fn equation(&self) -> String {
        let t = &self.tally;
        let mut text =
            format!("{}: {} = {} created + {} adopted", self.map, self.source, t.created, t.adopted);
        for (records, word) in [(t.routed, "sent to maps"), (t.folded, "folded"), (t.listed, "listed")] {
            if records > 0 {
                text.push_str(&format!(" + {records} {word}"));
            }
        }
        text.push_str(&format!(
            " + {} left out + {} quarantined + {} failed",
            t.left_out, t.quarantined, t.failed
        ));
        if self.left > 0 {
            text.push_str(&format!(" + {} left to a later run", self.left));
        }
        let pending = self.pending().saturating_sub(self.left);
        if pending > 0 {
            text.push_str(&format!(" + {pending} pending"));
        }
        if let Some(listed) = self.listed {
            text.push_str(&format!("; the destination lists {} of {}", listed.found, self.expected));
            if listed.strange > 0 {
                text.push_str(&format!(" and {} that the books do not know", listed.strange));
            }
        }
        for word in self.proof.iter().flat_map(|proof| proof.words()) {
            text.push_str(&format!("; {word}"));
        }
        text
    }
}

/// What a whole run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunReport {
    /// Every map, in the order of loading.
    pub maps: Vec<MapReport>,
    /// How long it took by the run's own clock, in milliseconds.
    pub took_ms: u64,
    /// What was sent to the destination, to be held against the floor; `None` where nothing was loaded.
    pub spent: Option<Spent>,
}

impl RunReport {
    /// Records that a person has to look at before they can arrive.
    pub fn held_back(&self) -> u64 {
        self.maps.iter().map(|map| map.tally.quarantined + map.tally.failed).sum()
    }

    /// Records that a run of a part left to a later run.
    pub fn left(&self) -> u64 {
        self.maps.iter().map(|map| map.left).sum()
    }

    /// Whether every map's equation closes.
    pub fn closes(&self) -> bool {
        self.maps.iter().all(MapReport::closes)
    }
}
