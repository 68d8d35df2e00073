//! Telephone numbers, e-mail and web addresses in the forms that destinations take. The one file that knows the
//! numbering plans' library.

use compact_str::CompactString;
use email_address::{EmailAddress, Options};
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

/// The country whose numbers are written without a country code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneRegion(Region);

impl PhoneRegion {
    /// Reads a two-letter country code that has a numbering plan; any case.
    pub fn parse(code: &str) -> Option<PhoneRegion> {
        let code = code.trim().to_ascii_uppercase();
        if code.len() != 2 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
            return None;
        }
        // A region without a plan would make every national number fail.
        if !WITH_PLAN.split(' ').any(|known| known == code) {
            return None;
        }
        Region::from_code(&code).ok().map(PhoneRegion)
    }
}

/// Regions with a numbering plan. A list, since asking the library builds all of its patterns first, which is more
/// work than checking a whole spec.
const WITH_PLAN: &str = "\
    AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
    BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER \
    ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE \
    IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV \
    LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP \
    NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK \
    SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA \
    VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// The longest text that is tried as a phone number, in bytes.
const LONGEST_PHONE: usize = 120;

/// A phone number in E.164, with its extension where it has one: `+13333333555`, `+13333333555;ext=12`.
///
/// The length must fit the country's numbering plan; whether the number is in service is nobody's business here.
/// Text before the number (`Bob 555-0100`) fails, since it would be lost.
pub fn phone(text: &str, region: Option<PhoneRegion>) -> Option<CompactString> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    if text.len() > LONGEST_PHONE {
        return None;
    }
    let start = text.find(|c: char| c.is_numeric() || matches!(c, '+' | '\u{ff0b}'))?;
    if text[..start].chars().any(char::is_alphanumeric) {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(text, region.map(|region| region.0)).ok()?;
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
        Ok(NumberLengthType::IsPossible) => {}
        _ => return None,
    }
    let mut result = CompactString::new(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164));
    // E.164 ends at 15 digits after the sign, where some numbering plans, Germany's among them, allow for more.
    if result.len() > 16 {
        return None;
    }
    if let Some(extension) = number.extension.as_deref().filter(|extension| !extension.is_empty()) {
        result.push_str(";ext=");
        result.push_str(extension);
    }
    Some(result)
}

/// An e-mail address: blanks around it and a `mailto:` are taken off, the domain is lower case, the part before the
/// `@` stays as it is (RFC 5321 leaves its case to the mail server). One address only, with a dot in its domain.
pub fn email(text: &str) -> Option<CompactString> {
    let text = text.trim();
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    let (local, domain) = text.rsplit_once('@')?;
    if text.len() > 254 || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    EmailAddress::parse_with_options(text, options).ok()?;
    let mut result = CompactString::with_capacity(text.len());
    result.push_str(local);
    result.push('@');
    domain.chars().flat_map(char::to_lowercase).for_each(|c| result.push(c));
    Some(result)
}

/// A web address with its scheme: `example.com/a` becomes `https://example.com/a`. Scheme and host become lower
/// case, the rest stays. The host needs a dot, and only `http` and `https` are web addresses.
pub fn url(text: &str) -> Option<CompactString> {
    let text = text.trim();
    if text.is_empty() || text.len() > 2048 || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphabetic()) => {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => ("https".to_owned(), text.strip_prefix("//").unwrap_or(text)),
    };
    if !matches!(scheme.as_str(), "http" | "https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) || !is_host(host) {
        return None;
    }
    let mut result = CompactString::with_capacity(text.len() + 8);
    result.push_str(&scheme);
    result.push_str("://");
    host.chars().flat_map(char::to_lowercase).for_each(|c| result.push(c));
    if let Some(port) = port {
        result.push(':');
        result.push_str(port);
    }
    result.push_str(path);
    Some(result)
}

/// Letters of any script are let through: `пример.рф` is a domain that people type.
fn is_host(host: &str) -> bool {
    let labels = || host.strip_suffix('.').unwrap_or(host).split('.');
    let shaped = labels().all(|label| {
        (1..=63).contains(&label.chars().count())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    });
    let last = labels().next_back().unwrap_or_default();
    let address = || host.parse::<std::net::Ipv4Addr>().is_ok();
    shaped && labels().count() >= 2 && (last.chars().any(char::is_alphabetic) || address())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_regions_with_a_numbering_plan_are_those_listed() {
        let letters = || b'A'..=b'Z';
        let codes = letters().flat_map(|a| letters().map(move |b| format!("{}{}", a as char, b as char)));
        let with: Vec<String> = codes
            .filter(|code| {
                Region::from_code(code)
                    .is_ok_and(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some())
            })
            .collect();
        assert_eq!(with.join(" "), WITH_PLAN);
    }

    fn us(text: &str) -> Option<String> {
        phone(text, PhoneRegion::parse("US")).map(String::from)
    }

    #[test]
    fn phones_get_their_international_form() {
        assert_eq!(us("(333) 333-3555").as_deref(), Some("+13333333555"));
        assert_eq!(us("+7 (495) 123-45-67").as_deref(), Some("+74951234567"));
        assert_eq!(us("650-253-0000 ext. 12").as_deref(), Some("+16502530000;ext=12"));
        assert_eq!(us("tel:+1-650-253-0000;ext=7").as_deref(), Some("+16502530000;ext=7"));
        for bad in
            ["", "n/a", "555-0100", "12345", "Bob 650 253 0000", "650 253 0000 / 650 253 0001", "+", "ext. 5"]
        {
            assert_eq!(us(bad), None, "{bad}");
        }
        let german = phone("030 901820", PhoneRegion::parse("de"));
        assert_eq!(german.as_deref(), Some("+4930901820"));
        assert_eq!(phone("030 901820", None), None);
        assert_eq!(phone("+49 30 901820", None).as_deref(), Some("+4930901820"));
        // 17 digits with the country's: possible by the German plan, but no E.164.
        assert_eq!(phone("8 (495) 123-45-67 12.50", PhoneRegion::parse("DE")), None);
        assert!(["", "USA", "ZZ", "1", "ю"].iter().all(|code| PhoneRegion::parse(code).is_none()));
    }

    #[test]
    fn emails_keep_their_local_part() {
        assert_eq!(email("  Ann.Lee@Example.COM ").as_deref(), Some("Ann.Lee@example.com"));
        assert_eq!(email("mailto:a@b.org").as_deref(), Some("a@b.org"));
        for bad in [
            "",
            "ann",
            "ann@",
            "@example.com",
            "a@localhost",
            "Ann <a@b.org>",
            "a@b.org, c@d.org",
            "a b@c.de",
        ] {
            assert_eq!(email(bad), None, "{bad}");
        }
    }

    #[test]
    fn web_addresses_get_a_scheme() {
        assert_eq!(url(" Example.com/A?b=C ").as_deref(), Some("https://example.com/A?b=C"));
        assert_eq!(url("HTTP://www.Example.com:8080").as_deref(), Some("http://www.example.com:8080"));
        assert_eq!(url("пример.рф").as_deref(), Some("https://пример.рф"));
        for bad in [
            "",
            "none",
            "ftp://example.com",
            "mailto:a@b.org",
            "http://",
            "a b.com",
            "example",
            "1.5",
            "a..b",
        ] {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_results_are_fixed_points(text in "\\PC{0,40}|[0-9+() .x-]{0,24}|[a-z.@:/]{0,24}") {
            if let Some(number) = us(&text) {
                prop_assert!(number.starts_with('+'));
                prop_assert_eq!(us(&number), Some(number));
            }
            if let Some(address) = email(&text) {
                prop_assert_eq!(email(&address), Some(address));
            }
            if let Some(address) = url(&text) {
                prop_assert_eq!(url(&address), Some(address));
            }
        }
    }
}
