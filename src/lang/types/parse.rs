//! Reading types as specs and snapshots write them; the inverse of their `Display`.

use std::str::FromStr;

use super::{Base, Type};

/// The names of bases that take nothing in parentheses.
const PLAIN: &[(&str, Base)] = &[
    ("text", Base::Text { max: None }),
    ("integer", Base::Integer),
    ("decimal", Base::Decimal),
    ("money", Base::Money),
    ("bool", Base::Bool),
    ("date", Base::Date),
    ("datetime", Base::DateTime),
    ("phone", Base::Phone),
    ("email", Base::Email),
    ("url", Base::Url),
    ("address", Base::Address),
    ("person_name", Base::PersonName),
    ("file", Base::File),
    ("user", Base::User),
    ("stage", Base::Stage),
    ("link", Base::AnyLink),
    ("record", Base::Record),
];

/// The names of bases that need something in parentheses.
const WITH_NAME: &[&str] = &["enum", "link", "ref", "opaque"];

/// Why a text is not a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTypeError {
    /// A bracket or parenthesis has no partner.
    #[error("`{0}` has an open bracket")]
    Unbalanced(String),
    /// There is no type of this name.
    #[error("there is no type `{name}`{}", hint(.nearest))]
    Unknown {
        /// The name found.
        name: String,
        /// The nearest name that there is.
        nearest: Option<&'static str>,
    },
    /// The type needs to say of what.
    #[error("`{0}` needs a name in parentheses, such as `{0}(name)`")]
    NameMissing(String),
    /// The type takes nothing in parentheses.
    #[error("`{0}` takes nothing in parentheses")]
    NameUnexpected(String),
    /// The bound of a text is not a whole number of characters.
    #[error("`{0}` is not a number of characters")]
    BadBound(String),
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map(|name| format!("; the nearest is `{name}`")).unwrap_or_default()
}

/// Reads `text(100)`, `[phone]`, `date?`, `enum(SOURCE)`.
///
/// Marks are taken from the outside in, so a name in parentheses may hold any character.
impl FromStr for Type {
    type Err = ParseTypeError;

    fn from_str(text: &str) -> Result<Self, ParseTypeError> {
        let text = text.trim();
        let (rest, optional) = match text.strip_suffix('?') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (rest, many) = match rest.strip_prefix('[') {
            Some(inner) => match inner.strip_suffix(']') {
                Some(inner) => (inner.trim(), true),
                None => return Err(ParseTypeError::Unbalanced(text.to_owned())),
            },
            None => (rest, false),
        };
        Ok(Type { base: rest.parse()?, many, optional })
    }
}

impl FromStr for Base {
    type Err = ParseTypeError;

    fn from_str(text: &str) -> Result<Self, ParseTypeError> {
        let Some((name, rest)) = text.split_once('(') else {
            if let Some((_, base)) = PLAIN.iter().find(|(plain, _)| *plain == text) {
                return Ok(base.clone());
            }
            if WITH_NAME.contains(&text) {
                return Err(ParseTypeError::NameMissing(text.to_owned()));
            }
            return Err(unknown(text));
        };
        let Some(inner) = rest.strip_suffix(')') else {
            return Err(ParseTypeError::Unbalanced(text.to_owned()));
        };
        match name {
            "text" => inner
                .parse()
                .map(|max| Base::Text { max: Some(max) })
                .map_err(|_| ParseTypeError::BadBound(inner.to_owned())),
            "enum" => Ok(Base::Enum(inner.to_owned())),
            "link" => Ok(Base::Link(inner.to_owned())),
            "ref" if inner.contains('|') => Ok(Base::AnyRef(inner.split('|').map(str::to_owned).collect())),
            "ref" => Ok(Base::Ref(inner.to_owned())),
            "opaque" => Ok(Base::Opaque(inner.to_owned())),
            _ if PLAIN.iter().any(|(plain, _)| *plain == name) => {
                Err(ParseTypeError::NameUnexpected(name.to_owned()))
            }
            _ => Err(unknown(name)),
        }
    }
}

fn unknown(name: &str) -> ParseTypeError {
    let lower = name.to_lowercase();
    let nearest = PLAIN
        .iter()
        .map(|(plain, _)| *plain)
        .chain(WITH_NAME.iter().copied())
        .map(|known| (strsim::osa_distance(&lower, known), known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .min()
        .map(|(_, known)| known);
    ParseTypeError::Unknown { name: name.to_owned(), nearest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bases() -> impl Strategy<Value = Base> {
        prop_oneof![
            proptest::sample::select(PLAIN.iter().map(|(_, base)| base.clone()).collect::<Vec<_>>()),
            any::<u32>().prop_map(|max| Base::Text { max: Some(max) }),
            any::<String>().prop_map(Base::Enum),
            any::<String>().prop_map(Base::Link),
            "[^|]*".prop_map(Base::Ref),
            prop::collection::vec("[^|]*", 2..4).prop_map(Base::AnyRef),
            any::<String>().prop_map(Base::Opaque),
        ]
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_back(base in bases(), many: bool, optional: bool) {
            let ty = Type { base, many, optional };
            prop_assert_eq!(ty.to_string().parse::<Type>(), Ok(ty));
        }

        #[test]
        fn any_text_is_a_type_or_an_error(text in "[\\[\\]()? a-z0-9]{0,20}|(text|enum|\\[link)[()\\]?]{0,4}") {
            if let Ok(ty) = text.parse::<Type>() {
                prop_assert_eq!(ty.to_string().parse::<Type>(), Ok(ty));
            }
        }
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        let message = |text: &str| text.parse::<Type>().map_err(|e| e.to_string());
        assert_eq!(message("integr").unwrap_err(), "there is no type `integr`; the nearest is `integer`");
        assert_eq!(message("wormhole").unwrap_err(), "there is no type `wormhole`");
        assert_eq!(message("enum").unwrap_err(), "`enum` needs a name in parentheses, such as `enum(name)`");
        assert_eq!(message("date(3)").unwrap_err(), "`date` takes nothing in parentheses");
        assert_eq!(message("text(x)").unwrap_err(), "`x` is not a number of characters");
        assert_eq!(message("[text").unwrap_err(), "`[text` has an open bracket");
        assert_eq!(message("enum(A").unwrap_err(), "`enum(A` has an open bracket");
        assert_eq!(message("").unwrap_err(), "there is no type ``");
        let either = Base::AnyRef(vec!["Contact".to_owned(), "user".to_owned()]);
        assert_eq!("[ref(Contact|user)]?".parse(), Ok(Type { base: either, many: true, optional: true }));
    }
}
