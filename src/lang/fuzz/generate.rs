//! Records as a source could hold them: of its schema's types, with the dirt that real accounts have.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use rust_decimal::Decimal;

use super::Dice;
use crate::lang::schema::{Field, Object, Pipeline, Schema};
use crate::lang::types::{Base, Type};
use crate::lang::value::{Address, Currency, Instant, Item, Money, PersonName, Record, Value};

/// Makes records of one schema.
pub struct Generator<'a> {
    schema: &'a Schema,
}

/// Texts that conversions trip over.
const TEXTS: &[&str] = &[
    "a",
    "Pumps",
    " x ",
    "\t\n",
    "0",
    "null",
    "-",
    "Anna Maria von der Lühe",
    "Продажи насосов",
    "名前",
    "شركة",
    "e\u{301}\u{302}",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\u{feff}bom",
    "\u{202e}rtl",
    "a\u{0}b",
    "quote \" and \\ backslash",
    "{braces}",
    "<p>a &amp; b<br>c</p><script>x</script>",
    "[B]bold[/B] [URL=https://x.example]link[/URL] [USER=7]Ann[/USER]",
    "+1 333 333 3555",
    "(333) 333-3555 ext. 12",
    "8 (495) 123-45-67",
    "12345",
    "x@y.example",
    "X@Y.EXAMPLE ",
    "a@b@c",
    "https://x.example/a?b=c",
    "www.x.example",
    "12.50",
    "1.234,56",
    "1e400",
    "2024-08-30",
    "30.08.2024",
    "2024-02-30",
    "2024-08-30T12:00:00+03:00",
    "18:00",
    "line one\r\nline two",
    "=cmd|' /C calc'!A0",
];

const CURRENCIES: &[&str] = &["USD", "EUR", "RUB", "JPY", "KWD"];

impl<'a> Generator<'a> {
    /// For records of this schema.
    pub fn new(schema: &'a Schema) -> Self {
        Generator { schema }
    }

    /// A record: one value per field.
    pub fn record(&self, object: &Object, dice: &mut Dice) -> Record {
        // Some records are nearly empty, some are full: each is a case of its own.
        let absent = *dice.pick(&[2, 3, 3, 10, usize::MAX]).unwrap_or(&3);
        let pipelines: Vec<&Pipeline> =
            self.schema.pipelines.iter().filter(|pipeline| pipeline.object == object.name).collect();
        let pipeline = dice.pick(&pipelines).copied();
        object
            .fields
            .iter()
            .map(|field| {
                if let Some(pipeline) = pipeline {
                    if field.ty.base == Base::Stage {
                        return self.stage(pipeline, &field.ty, dice);
                    }
                    if self.tells_pipelines(field, &pipelines) {
                        return Value::text(&pipeline.code);
                    }
                }
                if field.ty.optional && absent != usize::MAX && dice.one_in(absent) {
                    return Value::Absent;
                }
                self.field(field, dice)
            })
            .collect()
    }

    /// Whether a field holds the code of the pipeline: all of them are among its values.
    fn tells_pipelines(&self, field: &Field, pipelines: &[&Pipeline]) -> bool {
        let Base::Enum(domain) = &field.ty.base else { return false };
        let Some(domain) = self.schema.domains.get(domain) else { return false };
        let known = |code: &str| domain.choices.iter().any(|choice| choice.code == code);
        pipelines.len() <= domain.choices.len()
            && !pipelines.is_empty()
            && pipelines.iter().all(|pipeline| known(&pipeline.code))
    }

    fn stage(&self, pipeline: &Pipeline, ty: &Type, dice: &mut Dice) -> Value {
        if ty.optional && dice.one_in(10) {
            return Value::Absent;
        }
        match dice.pick(&pipeline.stages) {
            Some(stage) if !dice.one_in(12) => Value::text(&stage.code),
            _ => Value::text("UC_BORN_LATER"),
        }
    }

    fn field(&self, field: &Field, dice: &mut Dice) -> Value {
        if !field.ty.many {
            return self.element(field, dice);
        }
        let count = if dice.one_in(40) { 40 } else { 1 + dice.below(3) };
        Value::list((0..count).map(|_| self.element(field, dice)).collect())
    }

    fn element(&self, field: &Field, dice: &mut Dice) -> Value {
        let value = match &field.ty.base {
            Base::Record if dice.one_in(3) => Value::Absent,
            Base::Record => Value::text(dice.below(100_000).to_string()),
            base => self.single(base, dice),
        };
        if field.attributes.is_empty() {
            return value;
        }
        let attribute = |ty: &Type, dice: &mut Dice| {
            if ty.optional && dice.one_in(3) {
                Value::Absent
            } else if ty.many {
                Value::List(vec![self.single(&ty.base, dice)])
            } else {
                self.single(&ty.base, dice)
            }
        };
        let attrs = field.attributes.iter().map(|a| attribute(&a.ty, dice)).collect();
        Value::Item(Box::new(Item { value, attrs }))
    }

    fn single(&self, base: &Base, dice: &mut Dice) -> Value {
        match base {
            Base::Text { max } => Value::text(text(dice, *max)),
            Base::Integer => Value::Int(integer(dice)),
            Base::Decimal => Value::Decimal(decimal(dice)),
            Base::Money => Value::Money(Money { amount: decimal(dice), currency: currency(dice) }),
            Base::Bool => Value::Bool(dice.one_in(2)),
            Base::Date => Value::Date(day(dice)),
            Base::DateTime => Value::Instant(instant(dice)),
            Base::Phone | Base::Email | Base::Url | Base::File | Base::Opaque(_) => {
                Value::text(text(dice, None))
            }
            Base::Address => Value::Address(Box::new(address(dice))),
            Base::PersonName => Value::Name(Box::new(PersonName {
                given: text(dice, None).into(),
                family: text(dice, None).into(),
            })),
            Base::User => match dice.pick(&self.schema.users) {
                Some(user) if !dice.one_in(6) => Value::text(&user.id),
                _ => Value::text("999999"),
            },
            Base::Enum(name) => {
                let choices = self.schema.domains.get(name).map(|domain| domain.choices.as_slice());
                match dice.pick(choices.unwrap_or_default()) {
                    Some(choice) if !dice.one_in(12) => Value::text(&choice.code),
                    _ => Value::text("BORN_LATER"),
                }
            }
            Base::Stage => {
                let stages: Vec<_> = self.schema.pipelines.iter().flat_map(|line| &line.stages).collect();
                dice.pick(&stages).map_or(Value::text("UC_BORN_LATER"), |stage| Value::text(&stage.code))
            }
            Base::Link(_) | Base::Ref(_) => Value::text((1 + dice.below(100_000)).to_string()),
            Base::AnyLink | Base::AnyRef(_) => {
                let object = match dice.pick(&self.schema.objects) {
                    Some(object) if !dice.one_in(10) => object.name.as_str(),
                    _ => "ghost",
                };
                Value::text(format!("{object}/{}", 1 + dice.below(100_000)))
            }
            Base::Record => Value::text(dice.below(100_000).to_string()),
        }
    }
}

fn text(dice: &mut Dice, max: Option<u32>) -> String {
    let known = (*dice.pick(TEXTS).unwrap_or(&"a")).to_owned();
    let text = match dice.below(12) {
        0 => "ü".repeat(99 + dice.below(4)),
        1 => "👩‍👩‍👧‍👦 ".repeat(1 + dice.below(60)),
        2 => "word ".repeat(1 + dice.below(80)),
        3 if dice.one_in(20) => "long ".repeat(20_000),
        4 => format!("{known} {}", dice.pick(TEXTS).unwrap_or(&"a")),
        _ => known,
    };
    match max {
        Some(max) => text.chars().take(max as usize).collect(),
        None => text,
    }
}

fn integer(dice: &mut Dice) -> i64 {
    match dice.below(8) {
        0 => 0,
        1 => i64::MAX,
        2 => i64::MIN,
        3 => -1 - dice.below(1000) as i64,
        _ => 1 + dice.below(1_000_000) as i64,
    }
}

fn decimal(dice: &mut Dice) -> Decimal {
    match dice.below(10) {
        0 => Decimal::ZERO,
        1 => Decimal::MAX,
        2 => Decimal::MIN,
        3 => Decimal::new(1, 28),
        4 => Decimal::new(-(dice.below(1_000_000) as i64), 2),
        5 => Decimal::new(dice.roll() as i64, dice.below(6) as u32),
        6 => Decimal::from(dice.below(1000)),
        _ => Decimal::new(dice.below(100_000_000) as i64, 2),
    }
}

fn currency(dice: &mut Dice) -> Currency {
    let code = dice.pick(CURRENCIES).copied().unwrap_or("USD");
    Currency::parse(code).expect("the codes above are currencies")
}

fn day(dice: &mut Dice) -> Date {
    match dice.below(8) {
        0 => date(1, 1, 1),
        1 => date(9999, 12, 31),
        2 => date(1970, 1, 1),
        3 => date(2024, 2, 29),
        4 => date(1899, 12, 30),
        _ => date(2000 + dice.below(50) as i16, 1 + dice.below(12) as i8, 1 + dice.below(28) as i8),
    }
}

fn instant(dice: &mut Dice) -> Instant {
    const HOUR: i64 = 3600;
    let seconds = match dice.below(8) {
        // The years 1 and 9999, some days inside, so that every zone can show them.
        0 => -62_135_510_400,
        1 => 253_402_041_600,
        2 => 0,
        3 => -1,
        _ => 946_684_800 + (dice.below(1_500_000_000) as i64),
    };
    let offset = *dice.pick(&[0, 3 * HOUR, 5 * HOUR + 1800, -11 * HOUR, 14 * HOUR]).unwrap_or(&0);
    Instant {
        at: Timestamp::from_second(seconds).expect("these years are among those of a timestamp"),
        offset_seconds: offset as i32,
    }
}

fn address(dice: &mut Dice) -> Address {
    let mut part = || if dice.one_in(3) { String::new() } else { text(dice, None) };
    Address {
        line1: part().into(),
        line2: part().into(),
        city: part().into(),
        region: part().into(),
        postal_code: part().into(),
        country: part().into(),
    }
}
