//! A diff for programs: versioned, stable.

use serde_json::{Value, json};

use super::{Diff, Loss, Moved, Seen};
use crate::lang::finding::Count;

/// The format's name and version.
pub const FORMAT: &str = "b2n-diff/1";

/// What was counted record by record.
pub type Counted = (Vec<Seen>, Vec<Moved>);

/// The diff, with exact counts where there are any. Values of records stand in it only with `show_values`.
pub fn render(diff: &Diff, counted: Option<&Counted>, show_values: bool) -> Value {
    let changes: Vec<Value> = diff
        .changes
        .iter()
        .enumerate()
        .map(|(at, change)| {
            let mut json = json!({
                "subject": change.subject, "action": change.action, "id": change.id, "what": change.what,
                "loss": change.loss, "means": change.means(),
            });
            if change.count != Count::None {
                json["records"] = json!({"object": change.object, "count": change.count, "of": change.of});
            }
            if let Some(old) = &change.old {
                json["old"] = json!(old);
            }
            if let Some(new) = &change.new {
                json["new"] = json!(new);
            }
            if let Some((seen, _)) = counted
                && !change.touches.is_empty()
                && let Some(seen) = seen.get(at)
            {
                json["exact"] = seen_json(seen, show_values);
            }
            json
        })
        .collect();
    let number = |loss| diff.changes.iter().filter(|change| change.loss == loss && change.means()).count();
    let mut json = json!({
        "format": FORMAT,
        "means": diff.means(),
        "summary": {
            "changes": diff.changes.iter().filter(|change| change.means()).count(),
            "renamed": diff.changes.iter().filter(|change| !change.means()).count(),
            "loss_gained": number(Loss::Gained), "loss_healed": number(Loss::Healed), "mixed": number(Loss::Mixed),
        },
        "changes": changes,
    });
    if let Some((_, moved)) = counted {
        let rows: Vec<Value> = moved
            .iter()
            .map(|moved| {
                let mut json = seen_json(&moved.seen, show_values);
                json["map"] = json!(moved.map);
                json["field"] = if moved.field.is_empty() { Value::Null } else { json!(moved.field) };
                json
            })
            .collect();
        json["moved"] = rows.into();
    }
    json
}

fn seen_json(seen: &Seen, show_values: bool) -> Value {
    let mut json = json!({"records": seen.records});
    if let Some(witness) = &seen.witness {
        json["witness"] = json!({"object": witness.object, "key": witness.key});
        if show_values {
            json["witness"]["old"] = json!(witness.old);
            json["witness"]["new"] = json!(witness.new);
        }
    }
    json
}
