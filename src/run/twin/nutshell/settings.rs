//! How one twin behaves: the account it plays, who may call it, and every answer that the sheet leaves open.

/// An API key (sheet §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// What changes are logged under when the key may not impersonate.
    pub name: String,
    pub key: String,
    /// Whether the Basic username decides the author of a change.
    pub impersonation: bool,
    /// A web-only key can call neither API.
    pub web_only: bool,
}

/// The plan's limits (sheet §7); none means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub open_leads: Option<usize>,
    /// Per entity type.
    pub custom_fields: Option<usize>,
    /// How many pipelines the plan gives access to, the first in order; the others are there and closed (sheet §2).
    pub pipelines: Option<usize>,
}

/// How an RPC answer is wrapped (sheet §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// `jsonrpc`, and no `error` key on success nor `result` key on failure: seen live in 2026.
    Live,
    /// `result`, `id` and `error`, one of them null: the documentation.
    Documented,
}

/// The HTTP status of an RPC error (sheet §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcStatus {
    FollowsError,
    Always200,
}

/// What happens to an input that the server has a rule against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBad {
    /// 400, and nothing is changed.
    Reject,
    /// The value is left out silently.
    Drop,
    /// The value is kept: an unknown tag is created, a foreign choice stored, a long title kept whole.
    Keep,
}

/// What several choices look like when they are read back (sheet §6 leaves it open).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManyChoices {
    Joined,
    Array,
}

/// In which form a date is taken into a custom field (sheet §6 saw both, of different clients).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateInput {
    Any,
    /// `{"timestamp": seconds}` only.
    Timestamp,
    /// A day as text only.
    Text,
}

/// What closes a lead (sheet §5.1 has both, of different clients).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingInput {
    Any,
    /// The object `outcome` only.
    Object,
    /// `outcomeId` only.
    Id,
}

/// In which form an amount is taken into a custom field (sheet §6, §11.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyInput {
    Any,
    /// `{"currency", "amount"}` only.
    Object,
    /// A bare amount only.
    Plain,
}

/// In which form several choices are taken (sheet §6, §11.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoicesInput {
    Any,
    /// One text, joined by `, `.
    Joined,
    Array,
}

/// How RPC says that a record is not there (sheet §11.7 leaves it open).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    Code404,
    Code400,
    /// A read answers `null`, as if all were well; other calls answer 404.
    Null,
}

/// What a throttled full find answers (sheet §3.3 leaves it open).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    Off,
    /// `per_minute` full find pages are served, further ones get 429.
    TooMany {
        per_minute: u32,
        retry_after_seconds: Option<u64>,
    },
    /// The same with 503.
    Unavailable {
        per_minute: u32,
    },
}

/// The body of an accidental 500 (sheet §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error500 {
    Object,
    BareString,
}

/// Whom an e-mail is attached to by its addresses (sheet §5 leaves it open).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailMatch {
    /// People and companies.
    Everybody,
    People,
    Nobody,
}

/// Every answer that the sheet marks as unknown or seen in two forms; the default is the live form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub envelope: Envelope,
    pub rpc_status: RpcStatus,
    /// `Reject` (live) or `Drop`.
    pub unknown_custom_field: OnBad,
    /// `Reject` or `Keep` (create it), or `Drop`.
    pub unknown_tag: OnBad,
    /// A lead's title of more than 100 characters: `Reject`, `Drop` (cut) or `Keep`.
    pub long_description: OnBad,
    /// A bare closing status on `editLead`: `Reject` or `Keep` (the first outcome of that type).
    pub bare_closing_status: OnBad,
    /// A value outside a field's choices.
    pub unknown_choice: OnBad,
    /// Whether a lead without contacts and accounts is taken.
    pub lead_without_contact: bool,
    /// Whether `legacyId` is kept on write.
    pub legacy_id_kept: bool,
    /// Whether a contact's name may be an object.
    pub contact_name_object: bool,
    /// Whether a REST patch of `links/stage` is taken.
    pub rest_stage_write: bool,
    /// Whether `newLead` and `editLead` honour `value`.
    pub rpc_lead_value: bool,
    /// Whether a REST patch of `manualValue` is kept.
    pub rest_manual_value: bool,
    /// Whether custom fields that an RPC edit does not send keep their values.
    pub unsent_custom_fields_survive: bool,
    /// Whether several choices are read as one text or as an array.
    pub many_choices: ManyChoices,
    /// Whether a date field keeps the time of day.
    pub date_keeps_time: bool,
    /// Whether the custom-field type `Number` exists.
    pub number_type: bool,
    /// Whether `--primary` also stands beside e-mails and URLs (older documentation: phones and addresses only).
    pub primary_everywhere: bool,
    /// Whether an RPC lead lists its primary account among `accounts` too; the live sample does not.
    pub primary_account_listed: bool,
    /// Whether reference lists and attributes come as bare arrays instead of wrapped ones.
    pub rest_bare_lists: bool,
    /// Whether REST lists take `sort=id`, which the documented sorts of leads do not name.
    pub rest_sort_by_id: bool,
    /// Whether PATCH also takes `/leads/0/customFields` and `/leads/0/customFields/{name}`.
    pub patch_custom_field_paths: bool,
    /// Whether undelete loses tags and company links, as the help centre says.
    pub undelete_drops_links: bool,
    /// Whether a change of links moves the other record's rev.
    pub neighbour_bumps: bool,
    /// Whether RPC keeps and shows the description of a product, which only REST is known to show.
    pub product_description: bool,
    /// A new activity that is cancelled already: `Reject` (one client) or `Keep`.
    pub new_cancelled_activity: OnBad,
    /// Whether the `Date:` header of an e-mail sets its time.
    pub email_date: bool,
    pub email_match: EmailMatch,
    /// Whether RPC shows the `Message-ID` of an e-mail, of which no record was seen.
    pub email_message_id: bool,
    /// Whether RPC shows the HTML of an e-mail beside its text.
    pub email_html: bool,
    /// Whether a lead may be among the participants of an activity in REST.
    pub rest_activity_leads: bool,
    /// Whether a note can be deleted by its author alone and within a day, as it is edited; the sheet says it of
    /// edits only.
    pub note_deletion_limited: bool,
    /// The form in which dates are taken into custom fields of accounts and contacts.
    pub custom_date: DateInput,
    /// The same of leads, on which another form was seen (sheet §6).
    pub custom_date_leads: DateInput,
    /// The form in which amounts are taken into custom fields.
    pub custom_money: MoneyInput,
    /// The form in which several choices are taken.
    pub custom_choices: ChoicesInput,
    /// Whether lists of custom fields tell their types and choices.
    pub attributes_tell_types: bool,
    /// Whether `newLead` honours `stagesetId`; without it, a stage brings its pipeline along.
    pub rpc_stageset: bool,
    /// Whether `createdTime` is kept on create.
    pub created_time_kept: bool,
    /// Whether `closedTime` is kept on the edit that closes.
    pub closed_time_kept: bool,
    /// What closes a lead.
    pub closing: ClosingInput,
    /// Whether a closed lead tells the outcome that closed it, which is not among the keys that were seen (sheet §5).
    pub outcome_shown: bool,
    /// Whether the type of a field for web addresses is spelled `URL`, not `Url` (sheet §6).
    pub url_in_capitals: bool,
    /// Whether a find refuses `stubResponses` where the sheet does not list it (§4).
    pub strict_finds: bool,
    /// Whether a closed lead can be edited without being reopened.
    pub closed_lead_edits: bool,
    /// Whether `parentAccount` of an account is written.
    pub parent_account: bool,
    pub not_found: NotFound,
    /// Whether a record in the trash is still read by its id.
    pub deleted_readable: bool,
    /// The code of a refusal for the plan's limits.
    pub limit_code: i64,
    /// Whether the plan includes REST; if not, every path answers 403 with a page.
    pub rest_access: bool,
    /// Whether `completedTime` of a task is written.
    pub task_completion: bool,
    /// What REST does with a title of more than 100 characters: `Reject`, `Drop` (cut) or `Keep`.
    pub rest_long_description: OnBad,
    pub find_throttle: Throttle,
    /// How many of a thousand requests fail with 500 before anything is done.
    pub error_500_per_mille: u32,
    pub error_500: Error500,
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect {
            envelope: Envelope::Live,
            rpc_status: RpcStatus::FollowsError,
            unknown_custom_field: OnBad::Reject,
            unknown_tag: OnBad::Reject,
            long_description: OnBad::Reject,
            bare_closing_status: OnBad::Reject,
            unknown_choice: OnBad::Reject,
            lead_without_contact: true,
            legacy_id_kept: false,
            contact_name_object: true,
            rest_stage_write: false,
            rpc_lead_value: true,
            rest_manual_value: true,
            unsent_custom_fields_survive: true,
            many_choices: ManyChoices::Joined,
            date_keeps_time: true,
            number_type: false,
            primary_everywhere: true,
            primary_account_listed: false,
            rest_bare_lists: false,
            rest_sort_by_id: false,
            patch_custom_field_paths: false,
            undelete_drops_links: true,
            neighbour_bumps: true,
            product_description: true,
            new_cancelled_activity: OnBad::Reject,
            email_date: true,
            email_match: EmailMatch::Everybody,
            email_message_id: true,
            email_html: true,
            rest_activity_leads: false,
            note_deletion_limited: false,
            custom_date: DateInput::Any,
            custom_date_leads: DateInput::Any,
            custom_money: MoneyInput::Any,
            custom_choices: ChoicesInput::Any,
            attributes_tell_types: true,
            rpc_stageset: true,
            created_time_kept: false,
            closed_time_kept: false,
            closing: ClosingInput::Any,
            outcome_shown: true,
            url_in_capitals: false,
            strict_finds: false,
            closed_lead_edits: true,
            parent_account: false,
            not_found: NotFound::Code404,
            deleted_readable: true,
            limit_code: 403,
            rest_access: true,
            task_completion: false,
            rest_long_description: OnBad::Reject,
            find_throttle: Throttle::Off,
            error_500_per_mille: 0,
            error_500: Error500::Object,
        }
    }
}

/// One twin's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What `meta.instanceId` and `instanceData` name.
    pub instance_id: String,
    pub site_id: String,
    pub company_name: String,
    /// The host in links and in the answer of the discovery.
    pub host: String,
    pub keys: Vec<ApiKey>,
    /// How far two ids of one type stand apart: 4 or 1 have been seen.
    pub id_step: i64,
    /// How long every request takes.
    pub latency_ms: u64,
    /// After how long a change is seen by filters, finds and searches; reads by id see it at once.
    pub index_lag_ms: i64,
    pub limits: Limits,
    /// Whether users may delete records.
    pub may_delete: bool,
    /// Rounds the confidence of leads down to tens in silence: a fault that stands for whatever a server may alter.
    pub rounds_confidence: bool,
    pub dialect: Dialect,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            instance_id: "379104".to_owned(),
            site_id: "6smEpVK1".to_owned(),
            company_name: "Acme Inc".to_owned(),
            host: "app.nutshell.com".to_owned(),
            keys: vec![ApiKey {
                name: "Migration".to_owned(),
                key: "key".to_owned(),
                impersonation: true,
                web_only: false,
            }],
            id_step: 4,
            latency_ms: 150,
            index_lag_ms: 0,
            limits: Limits::default(),
            may_delete: true,
            rounds_confidence: false,
            dialect: Dialect::default(),
        }
    }
}
