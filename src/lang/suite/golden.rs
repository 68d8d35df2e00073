//! Lines of JSON against lines of JSON: which line, which field, what it was and what it is now.

use serde_json::Value as Json;

/// A line, or a field of one, that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The line, from 1.
    pub line: usize,
    /// The way to the field: `fields.value.amount`; empty for the line as a whole.
    pub path: String,
    /// What the golden file says; nothing where it has no such line or field.
    pub expected: Option<String>,
    /// What came out; nothing where nothing did.
    pub got: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "line {}", self.line)?;
        if !self.path.is_empty() {
            write!(f, ", `{}`", self.path)?;
        }
        write!(f, ": expected {}, got {}", side(&self.expected), side(&self.got))
    }
}

/// A line without the place in the spec that a reason stands at: a line that moves changes no record.
fn steady(line: &Json) -> Json {
    let mut line = line.clone();
    if let Some(fields) = line.as_object_mut()
        && fields.contains_key("reason")
        && fields.get("outcome").is_some_and(|outcome| outcome != "unreadable")
    {
        fields.remove("line");
        fields.remove("file");
    }
    line
}

/// Compares what came out with a golden file. The order of keys does not matter, that of lines and lists does; blank
/// lines count for nothing, and neither does the line of the spec that a reason stands at.
///
/// # Errors
/// A line of the golden file that is not JSON, with its number.
pub fn compare(expected: &str, got: &[Json]) -> Result<Vec<Change>, String> {
    let mut wanted = Vec::new();
    for (number, line) in expected.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let json: Json = serde_json::from_str(line).map_err(|why| format!("line {}: {why}", number + 1))?;
        wanted.push(steady(&json));
    }
    let got: Vec<Json> = got.iter().map(steady).collect();
    let mut changes = Vec::new();
    for line in 0..wanted.len().max(got.len()) {
        differ(line + 1, String::new(), wanted.get(line), got.get(line), &mut changes);
    }
    Ok(changes)
}

fn differ(line: usize, path: String, a: Option<&Json>, b: Option<&Json>, changes: &mut Vec<Change>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (a, b) {
        (Some(Json::Object(a)), Some(Json::Object(b))) => {
            let mut keys: Vec<&String> =
                a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                differ(line, below(key), a.get(key), b.get(key), changes);
            }
        }
        (Some(Json::Array(a)), Some(Json::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                differ(line, format!("{path}[{index}]"), a.get(index), b.get(index), changes);
            }
        }
        (a, b) if a == b => {}
        (a, b) => changes.push(Change {
            line,
            path,
            expected: a.map(ToString::to_string),
            got: b.map(ToString::to_string),
        }),
    }
}

/// A golden file of these lines.
pub fn text(lines: &[Json]) -> String {
    lines.iter().map(|line| format!("{}\n", steady(line))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_names_its_line_and_field() {
        let golden = "{\"a\":{\"b\":[1,2]},\"c\":1}\n\n{\"c\":2}\n";
        let same = [json!({"c": 1, "a": {"b": [1, 2]}}), json!({"c": 2})];
        assert_eq!(compare(golden, &same), Ok(vec![]));
        let other = [json!({"c": 1, "a": {"b": [1, 3]}}), json!({"c": 2}), json!({"d": 1})];
        let shown: Vec<String> = compare(golden, &other).unwrap().iter().map(Change::to_string).collect();
        assert_eq!(shown, ["line 1, `a.b[1]`: expected 2, got 3", "line 3: expected nothing, got {\"d\":1}"]);
        assert!(compare("{\n", &[]).unwrap_err().starts_with("line 1: "));
        let left_out = |line: u32| json!({"outcome": "left out", "reason": "own", "file": format!("{line}.b2n"), "line": line});
        assert_eq!(compare(&text(&[left_out(7)]), &[left_out(8)]), Ok(vec![]));
        let unreadable = |line: u32| json!({"outcome": "unreadable", "reason": "no JSON", "line": line});
        assert_eq!(compare(&text(&[unreadable(1)]), &[unreadable(2)]).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_accepted_passes_and_any_change_is_told(
            values in prop::collection::vec(("[a-z]{1,5}", 0i64..9), 1..6),
            at in 0usize..6,
        ) {
            let lines: Vec<Json> = values.iter().map(|(key, value)| json!({"f": {key: value}})).collect();
            prop_assert_eq!(compare(&text(&lines), &lines), Ok(vec![]));
            let at = at % lines.len();
            let mut changed = lines.clone();
            changed[at]["f"][&values[at].0] = json!(values[at].1 + 1);
            let found = compare(&text(&lines), &changed).unwrap();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!((found[0].line, found[0].path.clone()), (at + 1, format!("f.{}", values[at].0)));
        }
    }
}
