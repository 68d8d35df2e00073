//! The examples of all functions run, and no text makes one panic.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::lang::types::Base;
use crate::lang::value::{Currency, Instant, Money, parse};

fn context() -> Context {
    Context { zone: Some(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()) }
}

/// Reads the literals and calls of examples.
struct Reader<'a> {
    rest: &'a str,
}

type Read = Result<Value, Failure>;

impl Reader<'_> {
    fn run(text: &str) -> Read {
        let mut reader = Reader { rest: text };
        let value = reader.value();
        assert!(reader.rest.trim().is_empty(), "`{}` is left of `{text}`", reader.rest);
        value
    }

    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> String {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    fn values(&mut self, end: &str) -> Vec<Read> {
        let mut values = Vec::new();
        while !self.eat(end) {
            values.push(self.value());
            let _ = self.eat(",");
        }
        values
    }

    fn value(&mut self) -> Read {
        if self.eat("[") {
            return Ok(Value::list(self.values("]").into_iter().collect::<Result<_, _>>()?));
        }
        if self.eat("\"") {
            let mut text = String::new();
            let mut chars = self.rest.chars();
            loop {
                match chars.next().expect("a closing quote") {
                    '"' => break,
                    '\\' => text.push(match chars.next() {
                        Some('n') => '\n',
                        other => other.unwrap(),
                    }),
                    c => text.push(c),
                }
            }
            self.rest = chars.as_str();
            return Ok(Value::text(text));
        }
        let word = self.take(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '+'));
        if self.eat("(") {
            let function = find(&word).unwrap_or_else(|| panic!("no function `{word}`"));
            let args = self.values(")").into_iter().collect::<Result<Vec<_>, _>>()?;
            if function.absence == Absence::Propagates && args.iter().any(Value::is_absent) {
                return Ok(Value::Absent);
            }
            return (function.eval)(&args, &context());
        }
        if let Some(instant) = Instant::parse(&word) {
            return Ok(Value::Instant(instant));
        }
        if let Some(date) = parse::iso_date(&word) {
            return Ok(Value::Date(date));
        }
        if let Some(number) = parse::decimal(&word) {
            self.rest = self.rest.trim_start();
            if let Some(currency) = self.rest.get(..3).and_then(Currency::parse) {
                self.rest = &self.rest[3..];
                return Ok(Value::Money(Money { amount: number, currency }));
            }
            let whole = !word.contains('.');
            return Ok(if whole { Value::Int(word.parse().unwrap()) } else { Value::Decimal(number) });
        }
        match word.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "absent" => Ok(Value::Absent),
            "fails" => Err(Failure { why: "as expected".to_owned() }),
            other => panic!("`{other}` is no literal"),
        }
    }
}

#[test]
fn examples_give_what_they_say() {
    for function in all() {
        assert!(function.examples.len() >= 2, "`{}` needs two examples", function.name);
        for Example { call, gives } in function.examples {
            assert!(
                call.contains(&format!("{}(", function.name)),
                "`{call}` is no example of `{}`",
                function.name
            );
            match (Reader::run(call), Reader::run(gives)) {
                (Ok(value), Ok(expected)) => {
                    // A number on the right is exact in value, not in its zeros.
                    let same = value == expected
                        || value.as_decimal().is_some() && value.as_decimal() == expected.as_decimal();
                    assert!(same, "{call} gives {value:?}, not {expected:?}");
                }
                (Err(_), Err(_)) => {}
                (value, _) => panic!("{call} gives {value:?}, not {gives}"),
            }
        }
    }
}

#[test]
fn functions_are_sorted_and_found() {
    assert!(all().is_sorted_by_key(|function| function.name));
    for function in all() {
        assert!(std::ptr::eq(find(function.name).unwrap(), *function));
        assert!(function.signature.starts_with(&format!("{}(", function.name)), "{}", function.signature);
        assert!(!function.doc.is_empty());
    }
    assert!(find("nonsense").is_none());
}

/// The type of a value as the checker would know it, for values that functions see.
fn type_of(value: &Value) -> Type {
    let base = match value {
        Value::Int(_) => Base::Integer,
        Value::Decimal(_) => Base::Decimal,
        Value::Bool(_) => Base::Bool,
        Value::Date(_) => Base::Date,
        Value::Instant(_) => Base::DateTime,
        Value::Money(_) => Base::Money,
        Value::Name(_) => Base::PersonName,
        Value::List(values) => {
            let base = values
                .iter()
                .find(|value| !value.is_absent())
                .map_or(Base::Text { max: None }, |v| type_of(v).base);
            return Type { base, many: true, optional: false };
        }
        _ => Base::Text { max: None },
    };
    Type { base, many: false, optional: value.is_absent() }
}

/// Whether a value is of a type.
fn fits(value: &Value, ty: &Type) -> bool {
    match value {
        Value::Absent => ty.optional,
        Value::List(values) => {
            ty.many && !values.is_empty() && values.iter().all(|v| fits(v, &Type::one(ty.base.clone())))
        }
        _ if ty.many => false,
        Value::Text(text) => match ty.base {
            Base::Text { max } => {
                max.is_none_or(|max| text.chars().count() <= max as usize) && !text.is_empty()
            }
            Base::Phone | Base::Email | Base::Url => true,
            _ => false,
        },
        other => type_of(other).base == ty.base,
    }
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{1,30}",
        "[-0-9+.,:T Z()]{1,25}",
        "[ae\u{301}\u{1f468}\u{200d}\u{1f1e6}\u{1f3fb}]{1,12}",
        proptest::sample::select(vec!["US", "de", "USD", "18:00", "ru", ",", " ", "2024-03-31", "a@b.org"])
            .prop_map(str::to_owned),
    ];
    let one = prop_oneof![
        6 => text.prop_map(Value::text),
        1 => any::<i64>().prop_map(Value::Int),
        1 => (-3i64..40).prop_map(Value::Int),
        1 => (any::<i64>(), 0u32..28).prop_map(|(n, scale)| Value::Decimal(Decimal::new(n, scale))),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => (-9999i16..=9999, 1i8..=12, 1i8..=28).prop_map(|(y, m, d)| Value::Date(jiff::civil::date(y, m, d))),
        1 => (-377_705_023_201i64..=253_402_207_200, -93_599i32..=93_599).prop_map(|(at, offset_seconds)| {
            Value::Instant(Instant { at: jiff::Timestamp::from_second(at).unwrap(), offset_seconds })
        }),
        1 => any::<i64>().prop_map(|n| Value::Money(Money {
            amount: Decimal::new(n, 3),
            currency: Currency::parse("EUR").unwrap(),
        })),
        1 => Just(Value::Absent),
    ];
    prop_oneof![4 => one.clone(), 1 => proptest::collection::vec(one, 1..4).prop_map(Value::List)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever the arguments: no panic; and where `infer` accepts them, the result is of the type that it said, and
    /// fails only where it said so.
    #[test]
    fn results_are_as_inferred(args in proptest::collection::vec(value(), 0..4), constants in any::<u8>()) {
        for function in all() {
            let result = (function.eval)(&args, &context());
            if function.absence == Absence::Propagates && args.iter().any(Value::is_absent) {
                continue;
            }
            // Lists that reach functions hold values of one kind, and nothing absent.
            let odd = |value: &Value| match value {
                Value::List(values) => {
                    values.iter().any(|v| v.is_absent() || type_of(v).base != type_of(value).base)
                }
                _ => false,
            };
            if args.iter().any(odd) {
                continue;
            }
            let typed: Vec<Arg<'_>> = args
                .iter()
                .enumerate()
                .map(|(i, value)| Arg { ty: type_of(value), constant: (constants >> i & 1 == 1).then_some(value) })
                .collect();
            let Ok(inferred) = (function.infer)(&typed) else { continue };
            match result {
                Ok(value) => prop_assert!(
                    fits(&value, &inferred.ty),
                    "{} of {args:?} gives {value:?}, which is no `{}`", function.name, inferred.ty
                ),
                Err(failure) => prop_assert!(
                    inferred.fails, "{} of {args:?} fails: {}", function.name, failure.why
                ),
            }
        }
    }

    #[test]
    fn cutting_never_splits_a_cluster_that_fits(text in "[ae\u{301}\u{1f468}\u{200d}\u{1f1e6}\u{1f3fb}\r\n]{0,12}", max in 0i64..14) {
        let cut = find("cut").unwrap();
        let Ok(Value::Text(result)) = (cut.eval)(&[Value::text(&text), Value::Int(max)], &Context::default()) else {
            return Ok(());
        };
        prop_assert!(text.starts_with(result.as_str()));
        prop_assert!(result.chars().count() as i64 <= max);
    }
}

#[test]
fn a_cut_leaves_clusters_whole() {
    let cut = |text: &str, max| {
        (find("cut").unwrap().eval)(&[Value::text(text), Value::Int(max)], &Context::default()).unwrap()
    };
    assert_eq!(cut("ab\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", 4), Value::text("ab"));
    assert_eq!(cut("a\u{1f1e9}\u{1f1ea}\u{1f1eb}\u{1f1f7}", 4), Value::text("a\u{1f1e9}\u{1f1ea}"));
    assert_eq!(cut("a\u{1f44d}\u{1f3fd}", 2), Value::text("a"));
    assert_eq!(cut("e\u{301}\u{302}\u{303}", 2), Value::text("e\u{301}"));
}
