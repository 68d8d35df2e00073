//! Settings and faults by name, for whoever starts a twin from outside.
//!
//! Owns the spelling of switches; what they do belongs to the settings and the faults themselves.

use super::faults::{Fault, FaultKind, Trigger};
use super::limits::Plan;
use super::portal::Entity;
use super::settings::{NoTotal, Settings};

/// A switch or a fault that cannot be read; says what would be.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{what}")]
pub struct BadSwitch {
    what: String,
    /// What may be written instead.
    pub instead: String,
}

fn bad(what: impl Into<String>, instead: impl Into<String>) -> BadSwitch {
    BadSwitch { what: what.into(), instead: instead.into() }
}

/// The names of faults, as [`fault`] reads them.
const FAULTS: &str = "rate-limit, overload, server-error, html:STATUS, cut-body, slow:MILLISECONDS, rename:HOST, \
    expired-webhook, expired-token, portal-deleted, free-plan, refuse:STATUS:CODE, insert:ENTITY, delete:ENTITY, \
    operating-limit, command:STATUS:CODE, short-page, repeat-page, wrong-total:N";

/// Reads a fault: `KIND[:VALUE][@WHEN][/METHOD]`, where `WHEN` is `nth:N`, `every:N`, `from:N` or `chance:P`; without
/// one it strikes every time.
///
/// # Errors
/// A name or a value that is none.
pub fn fault(text: &str) -> Result<Fault, BadSwitch> {
    let (head, method) = match text.split_once('/') {
        Some((head, method)) => (head, Some(method)),
        None => (text, None),
    };
    let (kind, when) = match head.split_once('@') {
        Some((kind, when)) => (kind, Some(when)),
        None => (head, None),
    };
    let when = match when {
        None => Trigger::From(1),
        Some(when) => trigger(when).ok_or_else(|| {
            bad(format!("`{when}` is no time for a fault"), "nth:N, every:N, from:N or chance:P")
        })?,
    };
    let kind = kind_of(kind)
        .ok_or_else(|| bad(format!("`{kind}` is no fault, or its value cannot be read"), FAULTS))?;
    let fault = Fault::new(when, kind);
    Ok(match method {
        Some(method) => fault.on(method),
        None => fault,
    })
}

fn trigger(text: &str) -> Option<Trigger> {
    let (word, value) = text.split_once(':')?;
    match word {
        "nth" => Some(Trigger::Nth(value.parse().ok().filter(|n| *n > 0)?)),
        "every" => Some(Trigger::Every(value.parse().ok().filter(|n| *n > 0)?)),
        "from" => Some(Trigger::From(value.parse().ok()?)),
        "chance" => Some(Trigger::Probability(value.parse().ok().filter(|p| (0.0..=1.0).contains(p))?)),
        _ => None,
    }
}

fn kind_of(text: &str) -> Option<FaultKind> {
    let (word, value) = text.split_once(':').unwrap_or((text, ""));
    let plain = match word {
        "rate-limit" => FaultKind::RateLimit,
        "overload" => FaultKind::Overload,
        "server-error" => FaultKind::ServerError,
        "cut-body" => FaultKind::CutBody,
        "expired-webhook" => FaultKind::ExpiredWebhook,
        "expired-token" => FaultKind::ExpiredToken,
        "portal-deleted" => FaultKind::PortalDeleted,
        "free-plan" => FaultKind::FreePlan,
        "operating-limit" => FaultKind::OperatingLimit,
        "short-page" => FaultKind::ShortPage,
        "repeat-page" => FaultKind::RepeatPage,
        _ => return valued(word, value),
    };
    value.is_empty().then_some(plain)
}

fn valued(word: &str, value: &str) -> Option<FaultKind> {
    let coded = || {
        let (status, code) = value.split_once(':')?;
        Some((status.parse().ok().filter(|s| (100..=599).contains(s))?, code.to_owned()))
    };
    Some(match word {
        "html" => FaultKind::Html(value.parse().ok().filter(|s| (100..=599).contains(s))?),
        "slow" => FaultKind::Slow(value.parse().ok()?),
        "rename" if !value.is_empty() => FaultKind::Rename(value.to_owned()),
        "insert" => FaultKind::Insert(entity(value)?),
        "delete" => FaultKind::Delete(entity(value)?),
        "wrong-total" => FaultKind::WrongTotal(value.parse().ok()?),
        "refuse" => coded().map(|(status, code)| FaultKind::Refuse(status, code))?,
        "command" => coded().map(|(status, code)| FaultKind::Command(status, code))?,
        _ => return None,
    })
}

/// An entity by the word of its timeline: `deal`, `dynamic_1032`.
fn entity(word: &str) -> Option<Entity> {
    if let Some(kind) = word.strip_prefix("dynamic_") {
        return kind.parse().ok().map(Entity::Process);
    }
    Entity::ALL.into_iter().chain(Entity::MORE).find(|e| e.word() == word)
}

/// A switch of the settings: its name and how it reads its value.
type Switch = (&'static str, fn(&mut Settings, &str) -> Option<()>);

fn flag(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Puts a parsed value in its place.
fn set<T>(slot: &mut T, value: Option<T>) -> Option<()> {
    *slot = value?;
    Some(())
}

const SWITCHES: [Switch; 26] = [
    ("host", |s, v| set(&mut s.host, (!v.is_empty()).then(|| v.to_owned()))),
    ("user-id", |s, v| set(&mut s.user_id, v.parse().ok())),
    ("secret", |s, v| set(&mut s.secret, (!v.is_empty()).then(|| v.to_owned()))),
    ("access-token", |s, v| set(&mut s.access_token, Some((!v.is_empty()).then(|| v.to_owned())))),
    ("scopes", |s, v| {
        set(&mut s.scopes, Some(v.split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect()))
    }),
    ("admin", |s, v| set(&mut s.admin, flag(v))),
    ("may-write", |s, v| set(&mut s.may_write, flag(v))),
    ("license", |s, v| set(&mut s.license, (!v.is_empty()).then(|| v.to_owned()))),
    ("plan", |s, v| {
        let plan = match v {
            "standard" => Some(Plan::Standard),
            "enterprise" => Some(Plan::Enterprise),
            _ => None,
        };
        set(&mut s.plan, plan)
    }),
    ("rate-limited", |s, v| set(&mut s.rate_limited, flag(v))),
    ("operating-limit", |s, v| set(&mut s.operating_limit_s, v.parse().ok().filter(|n| *n >= 0.0))),
    ("utc-offset", |s, v| set(&mut s.utc_offset_minutes, v.parse().ok().filter(|m: &i32| m.abs() <= 900))),
    ("crm-mode", |s, v| set(&mut s.crm_mode, v.parse().ok().filter(|m| [1, 2].contains(m)))),
    ("latency", |s, v| set(&mut s.latency.base_ms, v.parse().ok().filter(|n| *n >= 0.0))),
    ("row-latency", |s, v| set(&mut s.latency.row_ms, v.parse().ok().filter(|n| *n >= 0.0))),
    ("count-latency", |s, v| set(&mut s.latency.count_us, v.parse().ok().filter(|n| *n >= 0.0))),
    ("credentials-status", |s, v| set(&mut s.dialects.credentials_status, status(v))),
    ("scope-status", |s, v| set(&mut s.dialects.scope_status, status(v))),
    ("no-total", |s, v| {
        let spelled = match v {
            "by-method" => Some(NoTotal::ByMethod),
            "zero" => Some(NoTotal::Zero),
            "absent" => Some(NoTotal::Absent),
            _ => None,
        };
        set(&mut s.dialects.no_total, spelled)
    }),
    ("repeat-last-page", |s, v| set(&mut s.dialects.repeat_last_page, flag(v))),
    ("unstable-order", |s, v| set(&mut s.dialects.unstable_order, flag(v))),
    ("empty-items-on-camel-names", |s, v| set(&mut s.dialects.empty_items_on_camel_names, flag(v))),
    ("app-info-on-webhook", |s, v| set(&mut s.dialects.app_info_on_webhook, flag(v))),
    ("refused-requests-count", |s, v| set(&mut s.dialects.refused_requests_count, flag(v))),
    ("rows-of-first-owner-only", |s, v| set(&mut s.dialects.rows_of_first_owner_only, flag(v))),
    ("operating-shown", |s, v| set(&mut s.dialects.operating_shown, flag(v))),
];

fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|s| [401, 403].contains(s))
}

impl Settings {
    /// Sets one switch, `NAME=VALUE`.
    ///
    /// # Errors
    /// A name that is none, or a value that it does not take.
    pub fn switch(&mut self, text: &str) -> Result<(), BadSwitch> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let Some((_, read)) = SWITCHES.iter().find(|(n, _)| *n == name) else {
            let names: Vec<&str> = SWITCHES.iter().map(|(n, _)| *n).collect();
            return Err(bad(format!("`{name}` is no switch"), names.join(", ")));
        };
        read(self, value).ok_or_else(|| {
            bad(
                format!("the switch `{name}` does not take `{value}`"),
                format!("{name}=VALUE, flags as yes or no"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_name() {
        let read = |text: &str| fault(text).map(|f| format!("{:?} {:?} {:?}", f.kind, f.when, f.method));
        assert_eq!(read("html:502@every:3"), Ok("Html(502) Every(3) None".into()));
        assert_eq!(read("portal-deleted"), Ok("PortalDeleted From(1) None".into()));
        assert_eq!(
            read("insert:dynamic_1032@nth:2/crm.Deal.list"),
            Ok("Insert(Process(1032)) Nth(2) Some(\"crm.deal.list\")".into())
        );
        assert_eq!(
            read("refuse:401:PAYMENT_REQUIRED"),
            Ok("Refuse(401, \"PAYMENT_REQUIRED\") From(1) None".into())
        );
        for odd in [
            "",
            "html",
            "html:99999",
            "rate-limit:5",
            "insert:invoice",
            "slow:x",
            "cut-body@3",
            "overload@nth:0",
        ] {
            assert!(fault(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn every_switch_takes_a_value_and_refuses_a_wrong_one() {
        for (name, value, wrong) in [
            ("host", "x.example", ""),
            ("user-id", "7", "me"),
            ("secret", "s", ""),
            ("license", "en_ent250", ""),
            ("admin", "no", "maybe"),
            ("may-write", "no", "1"),
            ("plan", "enterprise", "free"),
            ("rate-limited", "no", "0"),
            ("operating-limit", "12.5", "-1"),
            ("utc-offset", "-120", "9999"),
            ("crm-mode", "2", "3"),
            ("latency", "5", "-5"),
            ("row-latency", "0", "x"),
            ("count-latency", "1", "x"),
            ("credentials-status", "403", "200"),
            ("scope-status", "401", "x"),
            ("no-total", "absent", "none"),
            ("repeat-last-page", "yes", ""),
            ("unstable-order", "no", ""),
            ("empty-items-on-camel-names", "yes", ""),
            ("app-info-on-webhook", "yes", ""),
            ("refused-requests-count", "yes", ""),
            ("rows-of-first-owner-only", "yes", ""),
            ("operating-shown", "no", ""),
        ] {
            let mut settings = Settings::default();
            let before = format!("{settings:?}");
            assert!(settings.switch(&format!("{name}={wrong}")).is_err(), "{name}");
            assert_eq!(format!("{settings:?}"), before, "{name}");
            settings.switch(&format!("{name}={value}")).unwrap();
            assert_ne!(format!("{settings:?}"), before, "{name}");
        }
        let mut settings = Settings::default();
        settings.switch("scopes=crm,user").unwrap();
        settings.switch("access-token=t").unwrap();
        assert_eq!(
            (settings.scopes, settings.access_token),
            (vec!["crm".into(), "user".into()], Some("t".into()))
        );
        let unknown = Settings::default().switch("plans=x").unwrap_err();
        assert!(unknown.instead.contains("operating-limit"), "{unknown}");
    }
}
