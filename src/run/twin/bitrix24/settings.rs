//! What can be switched on a twin: its account, its limits, its dialects and its faults.

use super::faults::Fault;
use super::limits::Plan;

/// How long the server works.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// Milliseconds per request around the method itself.
    pub request_ms: f64,
    /// Milliseconds of processing per method call.
    pub base_ms: f64,
    /// Milliseconds of processing per row served.
    pub row_ms: f64,
    /// Microseconds per row of the table where a list counts its `total`; the sheet's 49.9 s against 0.098 s a
    /// page on 2.4 million rows (4.2) gives about 20.
    pub count_us: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Latency { request_ms: 20.0, base_ms: 120.0, row_ms: 1.5, count_us: 20.0 }
    }
}

/// How the answer to `start=-1` spells the missing count (sheet 4.2 knows both).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NoTotal {
    /// Classic lists answer `0`, universal ones leave the key out.
    #[default]
    ByMethod,
    /// `"total": 0`.
    Zero,
    /// No key.
    Absent,
}

/// Points on which the sheet's sources differ, or that it marks as reported only.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialects {
    /// The status of `INVALID_CREDENTIALS`: 403 in the documented table, 401 elsewhere.
    pub credentials_status: u16,
    /// The status of `insufficient_scope`: 403 in the documented table, 401 elsewhere.
    pub scope_status: u16,
    /// Spelling of the missing count.
    pub no_total: NoTotal,
    /// A classic page behind the end repeats the last page instead of being empty.
    pub repeat_last_page: bool,
    /// Lists without an order come in an order that changes from request to request.
    pub unstable_order: bool,
    /// `useOriginalUfNames=Y` with `ufCrm…` names in `select` gives empty items.
    pub empty_items_on_camel_names: bool,
    /// `app.info` answers a webhook with its scopes and licence instead of `ACCESS_DENIED`.
    pub app_info_on_webhook: bool,
    /// Requests refused with 503 fill the bucket too.
    pub refused_requests_count: bool,
    /// `=ownerId` of product rows reads the first of several owners only; that an array is taken is documented, but
    /// marked as to be tested.
    pub rows_of_first_owner_only: bool,
    /// `time.operating` and `operating_reset_at` are sent (absent on old and self-hosted servers).
    pub operating_shown: bool,
}

impl Default for Dialects {
    fn default() -> Self {
        Dialects {
            credentials_status: 401,
            scope_status: 403,
            no_total: NoTotal::ByMethod,
            repeat_last_page: false,
            unstable_order: true,
            empty_items_on_camel_names: false,
            app_info_on_webhook: false,
            refused_requests_count: false,
            rows_of_first_owner_only: false,
            operating_shown: true,
        }
    }
}

/// Everything about a twin that is not the portal's data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The portal's host name.
    pub host: String,
    /// The user that the webhook belongs to.
    pub user_id: i64,
    /// The webhook's secret.
    pub secret: String,
    /// The access token of an application, sent as `auth`; `None` where there is only the webhook.
    pub access_token: Option<String>,
    /// The webhook's scopes.
    pub scopes: Vec<String>,
    /// Whether the webhook's user administers the portal (`profile.ADMIN`).
    pub admin: bool,
    /// Whether the webhook's user may write at all.
    pub may_write: bool,
    /// The licence code of `app.info`.
    pub license: String,
    /// The plan, which decides the bucket.
    pub plan: Plan,
    /// Whether the request bucket refuses anything.
    pub rate_limited: bool,
    /// Operating seconds per method and ten minutes; `f64::INFINITY` switches the limit off.
    pub operating_limit_s: f64,
    /// The server's offset from UTC in minutes.
    pub utc_offset_minutes: i32,
    /// `crm.settings.mode.get`: 1 classic, 2 simple (no leads).
    pub crm_mode: i64,
    /// Seed of blanks, unordered pages and random faults.
    pub seed: u64,
    /// How long things take.
    pub latency: Latency,
    /// What differs between servers.
    pub dialects: Dialects,
    /// What goes wrong; nothing by default.
    pub faults: Vec<Fault>,
}

impl Default for Settings {
    fn default() -> Self {
        let scopes = [
            "crm",
            "catalog",
            "task",
            "user",
            "department",
            "disk",
            "userfieldconfig",
            "bizproc",
            "telephony",
        ];
        Settings {
            host: "acme.bitrix24.com".into(),
            user_id: 1,
            secret: "secret".into(),
            access_token: None,
            scopes: scopes.map(String::from).into(),
            admin: true,
            may_write: true,
            license: "de_std".into(),
            plan: Plan::Standard,
            rate_limited: true,
            operating_limit_s: 480.0,
            utc_offset_minutes: 180,
            crm_mode: 1,
            seed: 0,
            latency: Latency::default(),
            dialects: Dialects::default(),
            faults: Vec::new(),
        }
    }
}
