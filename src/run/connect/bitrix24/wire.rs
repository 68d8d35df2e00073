//! The envelope of answers and the encoding of requests (sheet §1.2, §1.5, §2, §5). Knows no method.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A list or map as PHP writes it: an empty map is `[]`, a list with gaps an object, a map of 0, 1, 2 … a list.
#[derive(Clone, Debug, Default)]
pub(super) struct Php<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Php<'a> {
    /// Reads one; blanks are an empty one.
    pub(super) fn parse(raw: &'a RawValue) -> Option<Php<'a>> {
        serde_json::from_str(raw.get()).ok()
    }

    /// The value under this key.
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| *v)
    }

    /// The values, in order of numeric keys.
    pub(super) fn rows(mut self) -> Vec<&'a RawValue> {
        self.0.sort_by_key(|(key, _)| key.parse().unwrap_or(u64::MAX));
        self.0.into_iter().map(|(_, row)| row).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Php<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct PhpVisitor;
        impl<'de> Visitor<'de> for PhpVisitor {
            type Value = Php<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or a map")
            }

            fn visit_unit<E>(self) -> Result<Php<'de>, E> {
                Ok(Php::default())
            }

            fn visit_bool<E: serde::de::Error>(self, b: bool) -> Result<Php<'de>, E> {
                if b { Err(E::custom("`true` is not a list")) } else { Ok(Php::default()) }
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Php<'de>, E> {
                if text.is_empty() { Ok(Php::default()) } else { Err(E::custom("text is not a list")) }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Php<'de>, A::Error> {
                let mut out = Vec::new();
                while let Some(value) = seq.next_element::<&'de RawValue>()? {
                    out.push((Cow::Owned(out.len().to_string()), value));
                }
                Ok(Php(out))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Php<'de>, A::Error> {
                let mut out = Vec::new();
                while let Some((key, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    out.push((key, value));
                }
                Ok(Php(out))
            }
        }
        d.deserialize_any(PhpVisitor)
    }
}

/// A scalar as text: numbers and strings are one in this API.
pub(super) fn scalar(raw: &RawValue) -> String {
    match serde_json::from_str(raw.get()) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) | Err(_) => String::new(),
        Ok(other) => other.to_string(),
    }
}

/// A number, spelled as one or as text.
pub(super) fn number(raw: &RawValue) -> Option<u64> {
    scalar(raw).trim().parse().ok()
}

fn float(raw: Option<&RawValue>) -> Option<f64> {
    scalar(raw?).parse().ok().filter(|x: &f64| x.is_finite())
}

/// What a request cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Time {
    /// Seconds that this call took on the server.
    pub(super) duration: f64,
    /// Seconds that its method used up lately; absent where it is not limited.
    pub(super) operating: Option<f64>,
    /// When the oldest of them are forgotten, Unix milliseconds.
    pub(super) reset_at: Option<i64>,
    /// When the call began, by the portal's clock, Unix milliseconds.
    pub(super) start: Option<i64>,
}

impl Time {
    pub(super) fn parse(raw: &RawValue) -> Time {
        let Some(map) = Php::parse(raw) else { return Time::default() };
        let operating = float(map.get("operating"));
        let reset_at = float(map.get("operating_reset_at")).map(|seconds| (seconds * 1000.0) as i64);
        let start = float(map.get("start")).map(|seconds| (seconds * 1000.0) as i64).filter(|ms| *ms > 0);
        Time { duration: float(map.get("duration")).unwrap_or(0.0).max(0.0), operating, reset_at, start }
    }
}

/// What an error body says. The code may be of any JSON type (sheet §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) text: String,
}

impl Problem {
    /// From `{error, error_description}`, or from anything else that stands for an error.
    pub(super) fn parse(raw: &RawValue) -> Problem {
        let map = Php::parse(raw).unwrap_or_default();
        let part = |key: &str| map.get(key).map(scalar).unwrap_or_default();
        match (part("error"), part("error_description")) {
            (code, text) if code.is_empty() && text.is_empty() => Problem { code, text: scalar(raw) },
            (code, text) => Problem { code, text },
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.trim();
        match (self.code.as_str(), text) {
            ("", "") => f.write_str("an error without a text"),
            ("", text) => f.write_str(text),
            (code, "") => write!(f, "`{code}`"),
            (code, text) => write!(f, "`{code}`: {text}"),
        }
    }
}

/// A body that came back.
#[derive(Debug)]
pub(super) enum Envelope {
    Answer(Answer),
    Problem(Problem),
    /// HTML, a cut body, or JSON without `result`.
    Foreign,
    /// It is no text from this byte on.
    NotText(usize),
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    body: Vec<u8>,
    result: Range<usize>,
    pub(super) time: Option<Time>,
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
}

impl Envelope {
    pub(super) fn parse(body: Vec<u8>) -> Envelope {
        let text = match std::str::from_utf8(&body) {
            Ok(text) => text,
            Err(error) => return Envelope::NotText(error.valid_up_to()),
        };
        let Ok(parts) = serde_json::from_str::<Parts<'_>>(text) else { return Envelope::Foreign };
        if parts.error.is_some() {
            let whole: Option<&RawValue> = serde_json::from_str(text).ok();
            return Envelope::Problem(whole.map(Problem::parse).unwrap_or_default());
        }
        let Some(result) = parts.result else {
            // `"result": null` is an answer; no `result` is none.
            let has_result = Php::deserialize(&mut serde_json::Deserializer::from_str(text))
                .is_ok_and(|map| map.get("result").is_some());
            return if has_result {
                Envelope::Answer(Answer { body: b"null".to_vec(), result: 0..4, time: None })
            } else {
                Envelope::Foreign
            };
        };
        let start = result.get().as_ptr() as usize - text.as_ptr() as usize;
        let result = start..start + result.get().len();
        let time = parts.time.map(Time::parse);
        Envelope::Answer(Answer { result, time, body })
    }
}

impl Answer {
    /// What the method returned.
    pub(super) fn result(&self) -> &RawValue {
        // INVARIANT: `parse` took the range from a raw value inside this very body.
        serde_json::from_slice(&self.body[self.result.clone()]).unwrap_or(RawValue::NULL)
    }

    /// The same as a tree.
    pub(super) fn tree(&self) -> serde_json::Value {
        serde_json::from_str(self.result().get()).unwrap_or_default()
    }
}

/// The answer of `batch`, by command name.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) results: Php<'a>,
    errors: Php<'a>,
    totals: Php<'a>,
    times: Php<'a>,
}

impl<'a> Batch<'a> {
    pub(super) fn parse(result: &'a RawValue) -> Option<Batch<'a>> {
        let outer = Php::parse(result)?;
        let part = |key: &str| outer.get(key).map_or_else(|| Some(Php::default()), Php::parse);
        outer.get("result")?;
        Some(Batch {
            results: part("result")?,
            errors: part("result_error")?,
            totals: part("result_total")?,
            times: part("result_time")?,
        })
    }

    /// What the commands whose names begin like this came to, by the rest of their names.
    pub(super) fn only(self, prefix: &str) -> Batch<'a> {
        let part = |map: Php<'a>| {
            let own = map.0.into_iter();
            Php(own.filter_map(|(k, v)| Some((Cow::Owned(k.strip_prefix(prefix)?.to_owned()), v))).collect())
        };
        Batch {
            results: part(self.results),
            errors: part(self.errors),
            totals: part(self.totals),
            times: part(self.times),
        }
    }

    pub(super) fn problem(&self, name: &str) -> Option<Problem> {
        self.errors.get(name).map(Problem::parse)
    }

    pub(super) fn total(&self, name: &str) -> Option<u64> {
        self.totals.get(name).and_then(number)
    }

    pub(super) fn time(&self, name: &str) -> Option<Time> {
        self.times.get(name).map(Time::parse)
    }
}

/// A command of a batch: parameters in bracket form, such as `filter[>ID]`.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// Not a number: PHP would turn the answer's map into a list.
    pub(super) name: String,
    pub(super) method: &'static str,
    pub(super) parameters: Vec<(String, String)>,
}

impl Command {
    pub(super) fn new(name: impl Into<String>, method: &'static str, parameters: &[(&str, &str)]) -> Command {
        let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Command { name: name.into(), method, parameters }
    }

    /// The same command under a longer name, with the commands that it refers to.
    pub(super) fn under(&self, prefix: &str) -> Command {
        let renamed = |value: &String| match value.strip_prefix("$result[") {
            Some(path) => format!("$result[{prefix}{path}"),
            None => value.clone(),
        };
        let parameters = self.parameters.iter().map(|(k, v)| (k.clone(), renamed(v))).collect();
        Command { name: format!("{prefix}{}", self.name), method: self.method, parameters }
    }

    /// `method?query`, as a batch takes it.
    pub(super) fn text(&self) -> String {
        let mut out = self.method.to_owned();
        for (index, (key, value)) in self.parameters.iter().enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            encode(&mut out, key);
            out.push('=');
            // A reference stands as it is documented; it holds nothing that would need encoding.
            if value.starts_with("$result[") { out.push_str(value) } else { encode(&mut out, value) }
        }
        out
    }
}

fn encode(out: &mut String, text: &str) {
    use fmt::Write;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::connect::bitrix24::testing::reference;

    fn parse(text: &str) -> Envelope {
        Envelope::parse(text.as_bytes().to_vec())
    }

    fn problem(text: &str) -> Problem {
        match parse(text) {
            Envelope::Problem(problem) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codes_of_any_type() {
        for (body, code) in [
            (r#"{"error":"","error_description":"Not found"}"#, ""),
            (r#"{"error":0,"error_description":"x"}"#, "0"),
            (r#"{"error":"100","error_description":"x"}"#, "100"),
            (r#"{"error":200040300010,"error_description":"x"}"#, "200040300010"),
            (r#"{"error":"expired_token"}"#, "expired_token"),
        ] {
            assert_eq!(problem(body).code, code);
        }
        assert_eq!(problem(r#"{"error":"","error_description":"Not found"}"#).to_string(), "Not found");
    }

    #[test]
    fn documented_errors_are_problems() {
        let Some(file) = reference("samples/errors.json") else { return };
        for (method, case) in file.as_object().unwrap() {
            let body = &case["body"];
            if body.get("error").is_some() {
                assert_eq!(
                    problem(&body.to_string()).text,
                    body["error_description"].as_str().unwrap(),
                    "{method}"
                );
            }
        }
    }

    #[test]
    fn foreign_bodies() {
        for body in ["", "<html>", "{\"result\":[1,", "[]", "{}", "{\"time\":{}}", "12", "\"x\"", "null"] {
            assert!(matches!(parse(body), Envelope::Foreign), "{body}");
        }
        assert!(matches!(Envelope::parse(b"{\"result\":\"\xff\"}".to_vec()), Envelope::NotText(11)));
        let Envelope::Answer(answer) = parse(r#"{"result": null}"#) else { panic!("no answer") };
        assert_eq!(answer.result().get(), "null");
    }

    #[test]
    fn documented_batches() {
        let (Some(linked), Some(failed)) =
            (reference("samples/batch.linked.json"), reference("samples/batch.with-error.json"))
        else {
            return;
        };
        let Envelope::Answer(answer) = parse(&linked.to_string()) else { panic!("no answer") };
        let batch = Batch::parse(answer.result()).unwrap();
        assert_eq!(batch.results.0.len(), 2);
        assert_eq!(batch.total("get_department"), Some(1));
        assert!(batch.problem("get_user").is_none() && batch.time("get_user").unwrap().duration > 0.003);
        let Envelope::Answer(answer) = parse(&failed.to_string()) else { panic!("no answer") };
        let batch = Batch::parse(answer.result()).unwrap();
        assert!(batch.results.0.is_empty());
        assert!(batch.problem("get_user").unwrap().code == "insufficient_scope");
    }

    #[test]
    fn lists_and_maps_are_one() {
        let keys = |text: &str| {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            Php::parse(raw).unwrap().rows().into_iter().map(|r| r.get().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(keys("[1,2]"), ["1", "2"]);
        assert_eq!(keys(r#"{"10":3,"2":1}"#), ["1", "3"]);
        for blank in ["[]", "{}", "null", "false", "\"\""] {
            assert!(keys(blank).is_empty());
        }
    }

    #[test]
    fn commands_are_encoded_once_and_references_stand() {
        let command = Command::new(
            "p1",
            "crm.deal.list",
            &[("filter[>ID]", "$result[p0][49][ID]"), ("select[]", "UF_*")],
        );
        assert_eq!(command.text(), "crm.deal.list?filter%5B%3EID%5D=$result[p0][49][ID]&select%5B%5D=UF_%2A");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..100), text in "\\PC{0,60}") {
            let _ = Envelope::parse(body);
            if let Envelope::Answer(answer) = Envelope::parse(format!("{{\"result\":{text}}}").into_bytes()) {
                let _ = Batch::parse(answer.result());
            }
        }
    }
}
