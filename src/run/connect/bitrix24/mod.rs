//! Bitrix24 as a source.
//!
//! Owns the portal's API: its limits, its paging, its spellings. Reads only. Records are staged as the classic
//! methods deliver them, with the link lists that only other methods know put in (`COMPANY_IDS` of a contact,
//! `CONTACT_IDS` of a deal); [`decode`] makes slots of them later, without the portal.
//!
//! `limits` is bookkeeping, `wire` the envelope, `client` sends and repeats, `extract` and `schema` know methods.

mod client;
pub mod decode;
mod extract;
mod files;
pub mod limits;
mod pack;
mod schema;
pub(super) mod survey;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wire;

use std::rc::Rc;

use self::client::Client;
pub(super) use self::client::SYSTEM;
use self::extract::Progress;
use self::limits::Plan;
use super::outside::{Clock, Random, Transport};
use super::secret::Webhook;
use super::survey::{About, Automation, Counted, Question};
use super::{
    Absent, Account, Batch, Error, FileAt, Got, Hangs, Known, Local, Looked, Outlined, Raw, Since, Source,
    Stamp,
};
use crate::lang::schema::Schema;

/// Every stream of records that is read of a portal, Smart Processes aside: those are `process` and a number each.
pub fn streams() -> Vec<&'static str> {
    schema::objects()
}

/// What the portal allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Requests per second.
    pub plan: Plan,
    /// Commands in a batch, 1 to 50: fewer than 50 only where the portal is slow.
    pub pages: usize,
    /// Running time per method, in seconds of ten minutes; 480 in the cloud, configurable on premises.
    pub operating_limit_s: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { plan: Plan::Standard, pages: 50, operating_limit_s: 480.0 }
    }
}

/// A portal, through an inbound webhook.
pub struct Bitrix24 {
    client: Client,
    settings: Settings,
    progress: Progress,
    /// The same of looks for changes.
    looks: Progress,
}

impl Bitrix24 {
    /// The portal of this webhook. Nothing is sent yet.
    pub fn new(
        webhook: Webhook,
        transport: Rc<dyn Transport>,
        clock: Rc<dyn Clock>,
        random: Rc<dyn Random>,
        settings: Settings,
    ) -> Bitrix24 {
        let client =
            Client::new(webhook, transport, clock, random, settings.plan, settings.operating_limit_s);
        Bitrix24 { client, settings, progress: Progress::default(), looks: Progress::strict() }
    }
}

impl Source for Bitrix24 {
    #[cfg(debug_assertions)]
    fn plant(&self, bugs: super::Planted) {
        self.progress.plant(bugs);
    }

    fn label(&self) -> &'static str {
        client::SYSTEM
    }

    fn account(&self) -> Local<'_, Result<Account, Error>> {
        Box::pin(async {
            schema::check_administrator(&self.client).await?;
            let id = self.client.account().to_owned();
            Ok(Account { name: id.clone(), id })
        })
    }

    fn aliases(&self) -> Vec<String> {
        self.client.aliases()
    }

    fn met(&self) -> Vec<super::Met> {
        self.client.meter.take()
    }

    fn schema<'a>(&'a self, salt: &'a str) -> Local<'a, Result<Schema, Error>> {
        Box::pin(async move {
            let mut schema = schema::read(&self.client, salt).await?;
            schema.account = self.client.account().to_owned();
            schema.account_name.clone_from(&schema.account);
            schema.taken = jiff::Timestamp::from_millisecond(self.client.clock.now_ms())
                .ok()
                .map(|now| now.to_zoned(jiff::tz::TimeZone::UTC).date());
            Ok(schema)
        })
    }

    fn user_emails(&self) -> Local<'_, Result<Vec<(String, String)>, Error>> {
        Box::pin(schema::user_emails(&self.client))
    }

    fn count<'a>(&'a self, object: &'a str) -> Local<'a, Result<u64, Error>> {
        Box::pin(extract::count(&self.client, &self.progress, object))
    }

    fn ids<'a>(&'a self, object: &'a str, cursor: &'a str) -> Local<'a, Result<Option<Batch>, Error>> {
        Box::pin(extract::ids(&self.client, &self.progress, object, cursor))
    }

    fn records<'a>(&'a self, object: &'a str, ids: &'a [String]) -> Local<'a, Result<Vec<Raw>, Error>> {
        Box::pin(extract::records(&self.client, &self.progress, object, ids))
    }

    fn extract<'a>(&'a self, object: &'a str, cursor: &'a str) -> Local<'a, Result<Batch, Error>> {
        Box::pin(extract::extract(&self.client, &self.progress, object, cursor, self.settings.pages))
    }

    fn leave_rows(&self) {
        self.progress.leave_rows();
    }

    fn is_drawn(&self, object: &str) -> bool {
        extract::is_drawn(object)
    }

    fn outline<'a>(&'a self, object: &'a str, cursor: &'a str) -> Local<'a, Result<Outlined, Error>> {
        Box::pin(extract::outline(&self.client, &self.progress, object, cursor))
    }

    fn surely<'a>(&'a self, object: &'a str, ids: &'a [String]) -> Local<'a, Result<Vec<Raw>, Error>> {
        Box::pin(extract::surely(&self.client, &self.progress, object, ids))
    }

    fn hangs_on(&self, object: &str, owner: &str) -> Hangs {
        extract::hangs_on(object, owner)
    }

    fn hanging<'a>(
        &'a self,
        object: &'a str,
        owner: &'a str,
        keys: &'a [String],
    ) -> Local<'a, Result<Vec<Raw>, Error>> {
        Box::pin(extract::hanging(&self.client, &self.progress, object, owner, keys))
    }

    fn file<'a>(&'a self, at: &'a FileAt) -> Local<'a, Result<Got, Error>> {
        Box::pin(files::download(&self.client, at))
    }

    fn about(&self) -> Local<'_, Result<About, Error>> {
        Box::pin(survey::about(&self.client))
    }

    fn ask<'a>(&'a self, questions: &'a [Question]) -> Local<'a, Result<Vec<Counted>, Error>> {
        Box::pin(extract::counts::answer(&self.client, questions))
    }

    fn automation(&self) -> Local<'_, Result<Automation, Error>> {
        Box::pin(survey::automation(&self.client))
    }

    fn clock_ms(&self) -> Option<i64> {
        self.client.told_ms()
    }

    fn changed<'a>(
        &'a self,
        object: &'a str,
        cursor: &'a str,
        since: Since<'a>,
    ) -> Local<'a, Result<Looked, Error>> {
        Box::pin(extract::changed(&self.client, &self.looks, object, cursor, self.settings.pages, since))
    }

    fn absent<'a>(
        &'a self,
        object: &'a str,
        keys: &'a [String],
        known: &'a dyn Known,
    ) -> Local<'a, Result<Absent, Error>> {
        Box::pin(extract::absent(&self.client, &self.looks, object, keys, known))
    }

    fn changed_after<'a>(
        &'a self,
        object: &'a str,
        after_ms: i64,
    ) -> Local<'a, Result<Vec<(String, Stamp)>, Error>> {
        Box::pin(extract::changed_after(&self.client, object, after_ms))
    }

    fn stamp(&self, object: &str, json: &[u8]) -> Stamp {
        extract::stamp(object, json)
    }
}
