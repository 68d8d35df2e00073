//! The hash of a plan, which is what people approve.

use serde_json::Value as Json;

use super::Plan;

impl Plan {
    /// The hash that people approve: BLAKE3 over the serialised plan without statistics and file names, 64 hex digits.
    ///
    /// Lines count in their own file, so that what is added below a spec's last rule (a test, say) moves no line of a
    /// profile.
    pub fn hash(&self) -> String {
        let mut plan = self.clone();
        plan.maps.iter_mut().for_each(|map| map.records = None);
        plan.flattens.iter_mut().for_each(|flatten| flatten.records = None);
        // A file is the same wherever it was called from.
        plan.files.iter_mut().for_each(|file| file.name.clear());
        // INVARIANT: a plan holds no map with keys other than texts and numbers, so it always serialises.
        let bytes = if plan.files.len() > 1 {
            let mut json = serde_json::to_value(&plan).unwrap_or_default();
            self.count_in_files(&mut json);
            serde_json::to_vec(&json).unwrap_or_default()
        } else {
            serde_json::to_vec(&plan).unwrap_or_default()
        };
        blake3::hash(&bytes).to_hex().to_string()
    }

    /// Replaces every line of a serialised plan by its file and its line there.
    fn count_in_files(&self, json: &mut Json) {
        match json {
            Json::Object(fields) => {
                for (name, value) in fields {
                    let is_line = matches!(name.as_str(), "line" | "orphan_line" | "first_line");
                    match value.as_u64().and_then(|line| u32::try_from(line).ok()) {
                        Some(line) if is_line => *value = self.place_json(line),
                        _ => self.count_in_files(value),
                    }
                }
            }
            Json::Array(values) => values.iter_mut().for_each(|value| self.count_in_files(value)),
            _ => {}
        }
    }

    fn place_json(&self, line: u32) -> Json {
        let after = self.files.partition_point(|file| file.first_line <= line);
        let first =
            after.checked_sub(1).and_then(|file| self.files.get(file)).map_or(1, |file| file.first_line);
        Json::from(vec![after as u64, u64::from(line.saturating_sub(first)) + 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::plan::{File, Map, Rule, Table};

    fn plan(spec: u32, profile: u32) -> Plan {
        let file = |name: &str, first_line| File { name: name.to_owned(), first_line };
        let rule = |line| Rule { line, ..Rule::default() };
        Plan {
            files: vec![file("acme.b2n", 1), file("standard", profile)],
            maps: vec![Map { line: spec, rules: vec![rule(spec + 1), rule(profile + 3)], ..Map::default() }],
            tables: vec![Table {
                name: "t".to_owned(),
                rows: Default::default(),
                unseen: crate::lang::plan::Arm::Unset,
                line: profile + 1,
            }],
            ..Plan::default()
        }
    }

    #[test]
    fn lines_count_in_their_own_file() {
        assert_eq!(plan(3, 20).hash(), plan(3, 25).hash());
        assert_ne!(plan(3, 20).hash(), plan(4, 20).hash());
        let mut moved = plan(3, 20);
        moved.tables[0].line += 1;
        assert_ne!(moved.hash(), plan(3, 20).hash());
        let mut elsewhere = plan(3, 20);
        elsewhere.tables[0].line = 2;
        assert_ne!(elsewhere.hash(), plan(3, 20).hash());
    }
}
