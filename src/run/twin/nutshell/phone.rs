//! Phone numbers as the server parses and prints them (sheet §5), without a table of national formats.

use serde_json::{Value, json};

/// A parsed phone number.
#[derive(Clone, Debug, PartialEq)]
pub struct Phone {
    /// Digits only; none when the text could not be understood as a number.
    pub country_code: Option<String>,
    /// The national number, or the text as it was sent when it was not understood.
    pub number: String,
    pub extension: Option<String>,
}

/// The country code of a number without `+`: the default instance stands in the United States.
const HOME: &str = "1";

impl Phone {
    /// Parses a text; never fails, since the server takes what it does not understand as it is.
    pub fn parse(text: &str) -> Phone {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let cut = ["ext.", "ext", "x", "#", "доб."].iter().filter_map(|mark| lower.find(mark)).min();
        let (main, rest) = match cut {
            Some(at) if at > 0 && text.is_char_boundary(at) => text.split_at(at),
            _ => (text, ""),
        };
        let extension: String = rest.chars().filter(char::is_ascii_digit).collect();
        let extension = (!extension.is_empty()).then_some(extension);
        let digits: String = main.chars().filter(char::is_ascii_digit).collect();
        let odd = main.chars().any(|c| !(c.is_ascii_digit() || c.is_whitespace() || "+-().".contains(c)));
        let known = |code: &str, number: &str, extension| Phone {
            country_code: Some(code.to_owned()),
            number: number.to_owned(),
            extension,
        };
        if !odd && main.starts_with('+') && (7..=15).contains(&digits.len()) {
            let (code, number) = digits.split_at(code_length(&digits));
            return known(code, &national(code, number), extension);
        }
        if !odd && digits.len() == 10 {
            return known(HOME, &national(HOME, &digits), extension);
        }
        if !odd && digits.len() == 11 && digits.starts_with(HOME) {
            return known(HOME, &national(HOME, &digits[1..]), extension);
        }
        Phone { country_code: None, number: text.to_owned(), extension: None }
    }

    /// The form `+19955057619`; none when the country is not known.
    pub fn e164(&self) -> Option<String> {
        let code = self.country_code.as_ref()?;
        Some(format!("+{code}{}", self.number.chars().filter(char::is_ascii_digit).collect::<String>()))
    }

    fn formatted(&self) -> String {
        let main = match self.country_code.as_deref() {
            Some(HOME) | None => self.number.clone(),
            Some(code) => format!("+{code} {}", self.number),
        };
        match &self.extension {
            Some(extension) => format!("{main} x{extension}"),
            None => main,
        }
    }

    /// The object of an RPC read (sheet §5).
    pub fn to_rpc(&self) -> Value {
        json!({
            "countryCode": self.country_code, "number": self.number, "extension": self.extension,
            "numberFormatted": self.formatted(), "E164": self.e164(),
        })
    }

    /// The object of a REST read, which adds `countryCodeAndNumber`.
    pub fn to_rest(&self) -> Value {
        let mut value = self.to_rpc();
        let both = match &self.country_code {
            Some(code) => format!("+{code} {}", self.number),
            None => self.number.clone(),
        };
        value["countryCodeAndNumber"] = Value::String(both);
        value
    }
}

/// The length of the country code at the head of an international number (ITU E.164 zones).
fn code_length(digits: &str) -> usize {
    let zone = digits.get(..2).unwrap_or("");
    match zone.as_bytes() {
        [b'1' | b'7', _] => 1,
        _ if [
            "21", "22", "23", "24", "25", "26", "29", "35", "37", "38", "42", "50", "59", "67", "68", "69",
        ]
        .contains(&zone)
            || ["80", "85", "87", "88", "96", "97", "99"].contains(&zone) =>
        {
            3
        }
        _ => 2,
    }
}

fn national(code: &str, number: &str) -> String {
    match (code, number.len()) {
        (HOME, 10) => format!("{}-{}-{}", &number[..3], &number[3..6], &number[6..]),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_country_and_from_abroad() {
        for (text, e164) in [
            ("734-234-9990", Some("+17342349990")),
            ("1 (734) 234-9990", Some("+17342349990")),
            ("+7 495 123-45-67", Some("+74951234567")),
            ("+44 20 7946 0000", Some("+442079460000")),
            ("+380 44 123 45 67", Some("+380441234567")),
            ("+1 734 234 9990 ext. 12", Some("+17342349990")),
            ("8 (495) 123-45-67", None),
            ("ask Joan", None),
            ("", None),
        ] {
            assert_eq!(Phone::parse(text).e164().as_deref(), e164, "{text}");
        }
        assert_eq!(Phone::parse("995-505-7619").number, "995-505-7619");
        assert_eq!(Phone::parse("+380441234567").country_code.as_deref(), Some("380"));
        assert_eq!(Phone::parse("+1 734 234 9990 ext. 12").extension.as_deref(), Some("12"));
        assert_eq!(Phone::parse("8 (495) 123-45-67").number, "8 (495) 123-45-67");
    }
}
