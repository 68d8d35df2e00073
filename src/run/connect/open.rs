//! Which systems there are: a name in a spec, its client, its limits.

use std::rc::Rc;

use super::outside::{Clock, Random, Transport};
use super::probe::Prober;
use super::secret::{CredentialError, Credentials};
use super::survey::{About, Automation, Counted, Question};
use super::{
    Absent, Account, Batch, Error, Known, Local, Looked, Since, Source, Stamp, Target, bitrix24, nutshell,
};
use crate::lang::schema::Schema;

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No connector bears this name, or it does not go this way.
    #[error("there is no connector `{name}` {way}; this version has {known}")]
    Unknown {
        /// The name.
        name: String,
        /// `to read from` or `to write to`.
        way: &'static str,
        /// Those there are.
        known: &'static str,
    },
    /// The credentials are not there or not usable.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
}

/// What bounds the speed of a run between two systems.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Source: requests that may be sent at once.
    pub burst: f64,
    /// Source: requests a second that drain.
    pub drain_per_s: f64,
    /// Source: records in one page.
    pub page: u64,
    /// Source: pages in one request.
    pub pages_per_request: u64,
    /// Source: seconds that the server works on one page.
    pub page_s: f64,
    /// Source: seconds of work per method and ten minutes.
    pub operating_s: f64,
    /// Destination: requests a second.
    pub rate_per_s: f64,
    /// Destination: requests in flight.
    pub in_flight: f64,
    /// Destination: seconds until an answer.
    pub latency_s: f64,
    /// Destination: records in one page of a list.
    pub list_page: u64,
}

/// What a person says about the destination's speed; nothing documents it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Requests a second.
    pub rate_per_s: Option<f64>,
    /// Requests in flight.
    pub in_flight: Option<usize>,
}

impl Pace {
    fn settings(self) -> nutshell::Settings {
        let default = nutshell::Settings::default();
        nutshell::Settings {
            requests_per_s: self.rate_per_s.unwrap_or(default.requests_per_s),
            in_flight: self.in_flight.unwrap_or(default.in_flight),
            ..default
        }
    }
}

/// The client of a system that records come from.
///
/// # Errors
/// A name that no connector bears, or credentials that are missing.
pub fn source(
    connector: &str,
    credentials: &Credentials,
    transport: &Rc<dyn Transport>,
    clock: &Rc<dyn Clock>,
    random: &Rc<dyn Random>,
) -> Result<Box<dyn Source>, OpenError> {
    match connector {
        "bitrix24" => Ok(Box::new(bitrix24::Bitrix24::new(
            credentials.webhook()?,
            Rc::clone(transport),
            Rc::clone(clock),
            Rc::clone(random),
            bitrix24::Settings::default(),
        ))),
        name => Err(OpenError::Unknown { name: name.to_owned(), way: "to read from", known: "`bitrix24`" }),
    }
}

/// A source that is only known by name: what a command uses that never asks it, so that it needs no credentials.
///
/// # Errors
/// A name that no connector bears.
pub fn unasked_source(connector: &str) -> Result<Box<dyn Source>, OpenError> {
    match connector {
        "bitrix24" => Ok(Box::new(Unasked { label: bitrix24::SYSTEM })),
        name => Err(OpenError::Unknown { name: name.to_owned(), way: "to read from", known: "`bitrix24`" }),
    }
}

/// A destination that is only known by name, likewise: its client has no key, and an address of this machine that
/// nothing answers on.
///
/// # Errors
/// A name that no connector bears.
pub fn unasked_target(
    connector: &str,
    transport: &Rc<dyn Transport>,
    clock: &Rc<dyn Clock>,
    random: &Rc<dyn Random>,
) -> Result<Box<dyn Target>, OpenError> {
    let nobody = Credentials::from_values(|name| {
        Some(if name.ends_with("_URL") { "http://127.0.0.1:9" } else { "nobody" }.to_owned())
    });
    target(connector, &nobody, transport, clock, random, Pace::default())
}

struct Unasked {
    label: &'static str,
}

impl Unasked {
    fn answer<T: 'static>(&self) -> Local<'static, Result<T, Error>> {
        let why = "this command does not ask it".to_owned();
        let error = Error::Unreachable { system: self.label, why };
        Box::pin(std::future::ready(Err(error)))
    }
}

impl Source for Unasked {
    fn label(&self) -> &'static str {
        self.label
    }

    fn account(&self) -> Local<'_, Result<Account, Error>> {
        self.answer()
    }

    fn schema<'a>(&'a self, _: &'a str) -> Local<'a, Result<Schema, Error>> {
        self.answer()
    }

    fn user_emails(&self) -> Local<'_, Result<Vec<(String, String)>, Error>> {
        self.answer()
    }

    fn count<'a>(&'a self, _: &'a str) -> Local<'a, Result<u64, Error>> {
        self.answer()
    }

    fn about(&self) -> Local<'_, Result<About, Error>> {
        self.answer()
    }

    fn ask<'a>(&'a self, _: &'a [Question]) -> Local<'a, Result<Vec<Counted>, Error>> {
        self.answer()
    }

    fn automation(&self) -> Local<'_, Result<Automation, Error>> {
        self.answer()
    }

    fn extract<'a>(&'a self, _: &'a str, _: &'a str) -> Local<'a, Result<Batch, Error>> {
        self.answer()
    }

    fn clock_ms(&self) -> Option<i64> {
        None
    }

    fn changed<'a>(&'a self, _: &'a str, _: &'a str, _: Since<'a>) -> Local<'a, Result<Looked, Error>> {
        self.answer()
    }

    fn absent<'a>(
        &'a self,
        _: &'a str,
        _: &'a [String],
        _: &'a dyn Known,
    ) -> Local<'a, Result<Absent, Error>> {
        self.answer()
    }

    fn changed_after<'a>(&'a self, _: &'a str, _: i64) -> Local<'a, Result<Vec<(String, Stamp)>, Error>> {
        self.answer()
    }

    fn stamp(&self, _: &str, _: &[u8]) -> Stamp {
        Stamp::default()
    }
}

/// The client of a system that records go to.
///
/// # Errors
/// As for [`source`].
pub fn target(
    connector: &str,
    credentials: &Credentials,
    transport: &Rc<dyn Transport>,
    clock: &Rc<dyn Clock>,
    random: &Rc<dyn Random>,
    pace: Pace,
) -> Result<Box<dyn Target>, OpenError> {
    match connector {
        "nutshell" => Ok(Box::new(open_nutshell(credentials, transport, clock, random, pace)?)),
        name => Err(OpenError::Unknown { name: name.to_owned(), way: "to write to", known: "`nutshell`" }),
    }
}

/// A prober of a system that records go to.
///
/// # Errors
/// As for [`source`].
pub fn prober(
    connector: &str,
    credentials: &Credentials,
    transport: &Rc<dyn Transport>,
    clock: &Rc<dyn Clock>,
    random: &Rc<dyn Random>,
    pace: Pace,
) -> Result<Box<dyn Prober>, OpenError> {
    match connector {
        "nutshell" => {
            let target = open_nutshell(credentials, transport, clock, random, pace)?;
            Ok(Box::new(nutshell::probe::NutshellProber::new(target)))
        }
        name => Err(OpenError::Unknown { name: name.to_owned(), way: "to probe", known: "`nutshell`" }),
    }
}

fn open_nutshell(
    credentials: &Credentials,
    transport: &Rc<dyn Transport>,
    clock: &Rc<dyn Clock>,
    random: &Rc<dyn Random>,
    pace: Pace,
) -> Result<nutshell::Nutshell, OpenError> {
    let login = credentials.nutshell()?;
    Ok(nutshell::Nutshell::new(
        &login.url,
        &login.user,
        login.key.into_inner(),
        Rc::clone(transport),
        Rc::clone(clock),
        Rc::clone(random),
        pace.settings(),
    ))
}

/// The limits between two systems, as far as they are documented; what is not is configured, and printed with the
/// floor of a plan.
pub fn limits(_source: &str, _target: &str, pace: Pace) -> Limits {
    let (source, target) = (bitrix24::Settings::default(), pace.settings());
    let (burst, drain) = source.plan.bucket();
    Limits {
        burst: burst as f64,
        drain_per_s: drain as f64,
        page: 50,
        pages_per_request: source.pages as u64,
        page_s: 0.2,
        operating_s: source.operating_limit_s,
        rate_per_s: target.requests_per_s,
        in_flight: target.in_flight as f64,
        latency_s: 0.15,
        list_page: 100,
    }
}
