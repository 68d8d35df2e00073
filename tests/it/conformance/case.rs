//! A case as a file: a head, then sections. Reading, comparing, writing back.

use std::fmt::Write;

use serde_json::Value as Json;

/// The version of the format that this test reads.
pub const VERSION: &str = "1";

/// What a line that opens a section begins with.
const RULE: &str = "--- ";

/// What is expected, in the order in which it is written back.
const EXPECTED: [&str; 6] = ["findings", "output", "phases", "fidelity", "provision", "formatted"];

/// A case.
pub struct Case {
    head: Vec<(String, String)>,
    /// Title and text of each section, in the order of the file.
    sections: Vec<(String, String)>,
}

/// What came out: sections by name, those that are empty left out.
pub type Got = Vec<(&'static str, String)>;

impl Case {
    pub fn read(text: &str) -> Result<Case, String> {
        let mut case = Case { head: Vec::new(), sections: Vec::new() };
        for line in text.split_inclusive('\n') {
            if let Some(title) = line.strip_prefix(RULE) {
                let title = title.trim_end().to_owned();
                if case.section(&title).is_some() {
                    return Err(format!("section `{title}` stands twice"));
                }
                case.sections.push((title, String::new()));
            } else if let Some((_, body)) = case.sections.last_mut() {
                body.push_str(line);
            } else if !line.trim().is_empty() {
                let (key, value) = line.split_once(':').ok_or(format!("no `key: value`: {line}"))?;
                if !["version", "about", "from", "schemas", "today"].contains(&key) {
                    return Err(format!("no key `{key}` is known"));
                }
                case.head.push((key.to_owned(), value.trim().to_owned()));
            }
        }
        if case.head("version") != Some(VERSION) {
            return Err(format!("the version is {:?}, not {VERSION}", case.head("version")));
        }
        if case.head("about").is_none() || case.section("spec").is_none() {
            return Err("a case needs `about` and a section `spec`".to_owned());
        }
        for (title, _) in &case.sections {
            let known = title == "spec"
                || title.starts_with("file ")
                || title.starts_with("records ")
                || EXPECTED.contains(&title.as_str());
            if !known {
                return Err(format!("no section `{title}` is known"));
            }
        }
        Ok(case)
    }

    pub fn head(&self, key: &str) -> Option<&str> {
        self.head.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub fn section(&self, title: &str) -> Option<&str> {
        self.sections.iter().find(|(name, _)| name == title).map(|(_, body)| body.as_str())
    }

    /// The spec, then its profiles: name and text.
    pub fn texts(&self) -> Vec<(&str, &str)> {
        let mut texts = vec![("case.b2n", self.section("spec").unwrap_or_default())];
        texts.extend(
            self.sections.iter().filter_map(|(t, body)| Some((t.strip_prefix("file ")?, body.as_str()))),
        );
        texts
    }

    /// Records with their objects, in the order of the file.
    pub fn records(&self) -> Result<Vec<(&str, Json)>, String> {
        let mut records = Vec::new();
        for (title, body) in &self.sections {
            let Some(object) = title.strip_prefix("records ") else { continue };
            for line in body.lines().filter(|line| !line.trim().is_empty()) {
                let record = serde_json::from_str(line).map_err(|why| format!("{line}: {why}"))?;
                records.push((object, record));
            }
        }
        Ok(records)
    }

    /// What is not as expected. `findings` and `output` are always compared, what is missing counts as empty; the
    /// others where the case has them.
    pub fn differences(&self, got: &Got) -> Vec<String> {
        let mut told = Vec::new();
        for name in EXPECTED {
            let expected = self.section(name);
            if expected.is_none() && name != "findings" && name != "output" {
                continue;
            }
            let got = got.iter().find(|(other, _)| *other == name).map_or("", |(_, text)| text.as_str());
            let expected = expected.unwrap_or_default();
            if name == "formatted" {
                if expected != got {
                    told.push(format!("formatted is\n{got}"));
                }
                continue;
            }
            let (wanted, found) = (lines(name, expected), lines(name, got));
            for index in 0..wanted.len().max(found.len()) {
                let none = "nothing".to_owned();
                let (wanted, found) = (wanted.get(index), found.get(index));
                if wanted.map(|(json, _)| json) != found.map(|(json, _)| json) {
                    let wanted = wanted.map_or(&none, |(_, shown)| shown);
                    let found = found.map_or(&none, |(_, shown)| shown);
                    told.push(format!("{name} {}:\n  expected {wanted}\n  got      {found}", index + 1));
                }
            }
        }
        told
    }

    /// The file with what came out in the place of what was expected.
    pub fn blessed(&self, got: &Got) -> String {
        let mut text = String::new();
        for (key, value) in &self.head {
            let _ = writeln!(text, "{key}: {value}");
        }
        text.push('\n');
        let body = |name: &str| got.iter().find(|(other, _)| *other == name).map(|(_, body)| body.as_str());
        let given = self.sections.iter().filter(|(title, _)| !EXPECTED.contains(&title.as_str()));
        for (title, body) in given {
            let _ = write!(text, "{RULE}{title}\n{body}");
        }
        for name in EXPECTED {
            let asked = self.section(name).is_some() || name == "findings" || name == "output";
            let new = body(name).unwrap_or_default();
            if asked && !(new.is_empty() && self.section(name).is_none()) {
                // What differs in its spelling only stays as somebody wrote it.
                let old = self.section(name).unwrap_or_default();
                let same = name != "formatted" && rows(name, old) == rows(name, new);
                let _ = write!(text, "{RULE}{name}\n{}", if same { old } else { new });
            }
        }
        text
    }
}

/// Lines as they are compared, with how they are shown. Blank ones count for nothing, nor do comments behind findings.
fn lines(section: &str, text: &str) -> Vec<(Json, String)> {
    let rows = text.lines().map(str::trim).filter(|line| !line.is_empty());
    rows.map(|line| {
        if section != "output" {
            let bare = line.split("  #").next().unwrap_or_default().trim_end();
            return (Json::from(bare), bare.to_owned());
        }
        match serde_json::from_str::<Json>(line) {
            Ok(json) => (json.clone(), json.to_string()),
            Err(why) => (Json::Null, format!("{line}: {why}")),
        }
    })
    .collect()
}

fn rows(section: &str, text: &str) -> Vec<Json> {
    lines(section, text).into_iter().map(|(json, _)| json).collect()
}
