//! `batch`: up to 50 commands in sequence, with references between them (sheet 5).

use serde_json::{Value, json};

use super::http::{self, Timing};
use super::methods::Failure;
use super::php::{Php, json_array, parse_query};
use super::{MAX_REQUEST_MS, State};

/// More commands than this fail one by one.
const MAX_COMMANDS: usize = 50;

/// What earlier commands left behind for references.
#[derive(Default)]
struct Maps {
    result: Vec<(String, Value)>,
    next: Vec<(String, Value)>,
    total: Vec<(String, Value)>,
    time: Vec<(String, Value)>,
    error: Vec<(String, Value)>,
}

impl Maps {
    /// Follows `$name[key][key]…`; a missing key stops the walk and leaves the last value found.
    fn walk(&self, name: &str, keys: &[&str]) -> Option<Php> {
        let map = match name.to_lowercase().as_str() {
            "result" => &self.result,
            "next" => &self.next,
            "total" => &self.total,
            "time" => &self.time,
            "error" => &self.error,
            _ => return None,
        };
        let first = keys.first().and_then(|key| map.iter().find(|(k, _)| k == key));
        let Some((_, mut at)) = first.map(|(k, v)| (k, v)) else {
            return Some(Php::Arr(map.iter().map(|(k, v)| (k.clone(), Php::from_json(v))).collect()));
        };
        for key in &keys[1..] {
            let step = match at {
                Value::Array(items) => key.parse::<usize>().ok().and_then(|i| items.get(i)),
                Value::Object(map) => map.get(*key),
                _ => None,
            };
            match step {
                Some(step) => at = step,
                None => break,
            }
        }
        Some(Php::from_json(at))
    }

    /// Reads a reference at the start of `text` (behind the `$`), up to white space; its value and its length.
    fn reference(&self, text: &str) -> Option<(Php, usize)> {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let text = &text[..end];
        let mut parts = text.split('[');
        let name = parts.next()?;
        let keys: Vec<&str> = parts.map(|p| p.trim_end_matches(']')).collect();
        self.walk(name, &keys).map(|value| (value, end))
    }

    /// Replaces references in one text.
    fn replace(&self, text: &str) -> Php {
        if let Some((value, end)) = text.strip_prefix('$').and_then(|t| self.reference(t))
            && end + 1 == text.len()
        {
            return value;
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            match self.reference(behind) {
                Some((value, end)) => {
                    // Inside longer text only numbers and strings are put in.
                    if let Php::Num(_) | Php::Str(_) = value {
                        out.push_str(&value.text().unwrap_or_default());
                    }
                    rest = &behind[end..];
                }
                None => {
                    out.push('$');
                    rest = behind;
                }
            }
        }
        out.push_str(rest);
        Php::Str(out)
    }

    /// Replaces references in keys and values of a command's parameters.
    fn resolve(&self, args: &Php) -> Php {
        match args {
            Php::Str(s) if s.contains('$') => self.replace(s),
            Php::Arr(items) => {
                let key = |k: &String| match if k.contains('$') { self.replace(k) } else { Php::Null } {
                    Php::Str(s) => s,
                    Php::Num(n) => n.to_string(),
                    _ => k.clone(),
                };
                Php::Arr(items.iter().map(|(k, v)| (key(k), self.resolve(v))).collect())
            }
            other => other.clone(),
        }
    }
}

/// Runs a batch at `now_ms`; its result and the milliseconds it worked, or `None` when it ran past the limit of one
/// request and was cut.
pub(super) fn run(state: &mut State, credential: &str, args: &Php, now_ms: i64) -> Option<(Value, f64)> {
    let halt = args.get("halt").is_some_and(Php::flag);
    let mut maps = Maps::default();
    let mut elapsed = 0.0;
    state.log.batches += 1;
    for (at, (name, command)) in args.get("cmd").map(Php::entries).unwrap_or_default().iter().enumerate() {
        let Php::Str(command) = command else { continue };
        let outcome = if at >= MAX_COMMANDS {
            Err(Failure::thrown("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded"))
        } else {
            let (method, query) = command.split_once('?').unwrap_or((command, ""));
            let method = method.trim().to_lowercase();
            if ["batch", "download", "upload"].contains(&method.as_str()) {
                Err(Failure::new(
                    405,
                    "ERROR_BATCH_METHOD_NOT_ALLOWED",
                    "Method is not allowed for batch usage",
                ))
            } else {
                let args = maps.resolve(&parse_query(query));
                let start = now_ms.saturating_add(elapsed as i64);
                state.log.commands += 1;
                let (outcome, timing) = state.invoke(credential, &method, &args, start, true);
                elapsed += timing.duration_ms;
                outcome.map(|answer| (answer, timing))
            }
        };
        match outcome {
            Ok((answer, timing)) => {
                maps.time.push((name.clone(), http::time(&timing, &state.settings)));
                if let Some(total) = answer.total {
                    maps.total.push((name.clone(), json!(total)));
                }
                if let Some(next) = answer.next {
                    maps.next.push((name.clone(), json!(next)));
                }
                maps.result.push((name.clone(), answer.result));
            }
            Err(failure) => {
                maps.error.push((name.clone(), failure.body()));
                if halt {
                    break;
                }
            }
        }
        if elapsed > MAX_REQUEST_MS {
            return None;
        }
    }
    let result = json!({
        "result": json_array(maps.result),
        "result_error": json_array(maps.error),
        "result_total": json_array(maps.total),
        "result_next": json_array(maps.next),
        "result_time": json_array(maps.time),
    });
    Some((result, elapsed))
}

/// The `time` of the outer call: nothing is booked on `batch` itself.
pub(super) fn timing(now_ms: i64, worked_ms: f64, request_ms: f64) -> Timing {
    Timing {
        start_ms: now_ms,
        duration_ms: worked_ms + request_ms,
        processing_ms: worked_ms,
        operating: None,
    }
}
