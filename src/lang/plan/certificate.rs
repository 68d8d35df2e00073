//! What a checked spec was checked with, as hashes that people compare and approve.
//!
//! Statistics take no part: a snapshot taken anew of the same schema gives the same certificate.

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::lang::text::SourceText;

/// The hashes of a plan and of all that it was made of, 64 hex digits each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Over everything below: what stands for all of it.
    pub certificate: String,
    /// Of the plan, which is what a run does: [`Plan::hash`].
    pub plan: String,
    /// Of the spec's text, each line end a single line feed.
    pub spec: String,
    /// Of each profile's text, in the order in which the spec takes them in.
    pub profiles: Vec<String>,
    /// Of the source's schema.
    pub source: String,
    /// Of the destination's schema.
    pub target: String,
}

impl Certificate {
    /// The certificate of a plan that was made of this text: a spec alone, or joined with its profiles.
    pub fn new(plan: &Plan, text: &SourceText) -> Certificate {
        let hash = |file: &SourceText| blake3::hash(file.normalised().as_bytes()).to_hex().to_string();
        let mut files = text.parts().iter().map(|part| hash(&part.file));
        let spec = files.next().unwrap_or_else(|| hash(text));
        let mut made = Certificate {
            certificate: String::new(),
            plan: plan.hash(),
            spec,
            profiles: files.collect(),
            source: plan.source.schema.clone(),
            target: plan.target.schema.clone(),
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"b2n-certificate/1\0");
        // INVARIANT: every part is a hash, so none holds the separator.
        for part in [&made.plan, &made.spec, &made.source, &made.target].into_iter().chain(&made.profiles) {
            hasher.update(part.as_bytes());
            hasher.update(b"\0");
        }
        made.certificate = hasher.finalize().to_hex().to_string();
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::plan::{File, Flatten, Map, System};

    fn plan() -> Plan {
        let side = |schema: &str| System { schema: schema.to_owned(), ..System::default() };
        let map = Map { name: "deal".into(), records: Some(7), line: 3, ..Map::default() };
        Plan {
            source: side("s"),
            target: side("t"),
            maps: vec![map],
            files: vec![File { name: "a/acme.b2n".into(), first_line: 1 }],
            ..Plan::default()
        }
    }

    #[test]
    fn statistics_line_ends_and_where_the_file_stands_change_nothing() {
        let of = |plan: &Plan, text: &str| Certificate::new(plan, &SourceText::new("a.b2n", text));
        let first = of(&plan(), "one\ntwo\n");
        let mut other = plan();
        other.maps[0].records = None;
        other.files[0].name = "b/acme.b2n".into();
        assert_eq!(first, of(&other, "one\r\ntwo\r\n"));
        other.flattens.push(Flatten { records: Some(1), ..flatten() });
        let folded = of(&other, "one\ntwo\n");
        other.flattens[0].records = Some(2);
        assert_eq!(folded, of(&other, "one\ntwo\n"));
        assert_ne!(first, folded);
    }

    fn flatten() -> Flatten {
        Flatten {
            source: "p".into(),
            into: 0,
            via: 0,
            key: 0,
            filter: None,
            pick: None,
            rules: Vec::new(),
            notes: Vec::new(),
            orphan: crate::lang::plan::Arm::Quarantine,
            orphan_line: 1,
            reads: Default::default(),
            dropped: Vec::new(),
            records: None,
            line: 1,
        }
    }

    #[test]
    fn each_part_changes_the_whole() {
        let text =
            |files: &[&str]| SourceText::join(files.iter().map(|text| SourceText::new("f", *text)).collect());
        let mut plans = [plan(), plan(), plan(), plan()];
        plans[1].maps[0].name = "lead".into();
        plans[2].source.schema = "other".into();
        plans[3].target.schema = "other".into();
        let mut wholes: Vec<String> =
            plans.iter().map(|plan| Certificate::new(plan, &text(&["a"])).certificate).collect();
        for files in [&["b"][..], &["a", "p"], &["a", "q"], &["a", "p", "q"], &["a", "q", "p"]] {
            let made = Certificate::new(&plan(), &text(files));
            assert_eq!(made.profiles.len(), files.len() - 1);
            wholes.push(made.certificate);
        }
        let count = wholes.len();
        wholes.sort();
        wholes.dedup();
        assert_eq!(wholes.len(), count);
    }
}
