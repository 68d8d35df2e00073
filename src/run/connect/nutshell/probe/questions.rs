//! What is asked of an account (sheet §11 and the marks of §3 to §10), what for, and by which experiment.

/// What an experiment needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Reads only.
    Reads,
    /// A burst of large reads.
    Burst,
    /// Records of its own.
    Records,
    /// A custom field of this kind.
    Field(Wanted),
    /// A custom field that is made for it.
    NewField,
    /// An e-mail.
    Email,
}

/// A kind of custom field that experiments use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Text,
    TwoTexts,
    Date,
    LeadDate,
    Money,
    Choices,
}

/// A question.
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) asks: &'static str,
    pub(super) does: &'static str,
    pub(super) needs: Needs,
    /// Whether it goes over REST.
    pub(super) rest: bool,
}

const fn rpc(name: &'static str, asks: &'static str, does: &'static str, needs: Needs) -> Question {
    Question { name, asks, does, needs, rest: false }
}

const fn rest(name: &'static str, asks: &'static str, does: &'static str, needs: Needs) -> Question {
    Question { name, asks, does, needs, rest: true }
}

use Needs::{Burst, Email, Field, NewField, Reads, Records};

/// Every question, in the order in which they are asked.
pub(super) const ALL: &[Question] = &[
    rpc("envelope", "whether an RPC answer that is fine has an `error` key", "`instanceData`", Reads),
    rpc(
        "rpc_status",
        "whether the HTTP status of RPC follows the error",
        "a method that does not exist",
        Reads,
    ),
    rpc(
        "not_found",
        "how RPC says that a record is not there",
        "`getAccount` of an id that nobody has",
        Reads,
    ),
    rpc("rest_access", "whether the plan includes REST", "`GET /stagesets`", Reads),
    rest("rest_bare_lists", "whether REST wraps reference lists", "`GET /stagesets`", Reads),
    rest("rest_sort_by_id", "whether REST sorts leads by id", "`GET /leads?sort=id`", Reads),
    rpc("custom_field_keys", "what RPC tells of custom fields", "`findCustomFields`", Reads),
    rest(
        "attributes_tell_types",
        "whether REST tells the types of custom fields",
        "`GET /{type}/customfields/attributes`",
        Reads,
    ),
    rpc("legacy_id_kept", "whether `legacyId` is kept", "`newAccount` with one", Records),
    rpc("created_time_kept", "whether `createdTime` is kept", "`newAccount` with one of 2020", Records),
    rpc("primary_everywhere", "whether e-mails have a `--primary`", "`newAccount` with an address", Records),
    rpc(
        "search_lag_s",
        "after how many seconds a search finds a new record",
        "`searchAccounts` until it does",
        Records,
    ),
    rpc("parent_account", "whether `parentAccount` is written", "`editAccount` with one", Records),
    rpc("contact_name_object", "whether a contact's name may be an object", "`newContact` with one", Records),
    rpc(
        "neighbour_bumps",
        "whether a link moves the other record's `rev`",
        "`newContact` with an account",
        Records,
    ),
    rest(
        "undelete_drops_links",
        "whether undeleting loses links",
        "`deleteContact` and `POST /contacts/{id}/undelete`",
        Records,
    ),
    rpc(
        "deleted_readable",
        "whether a deleted record is still read by its id",
        "`deleteAccount`, `getAccount`",
        Records,
    ),
    rpc("lead_without_contact", "whether a lead may stand alone", "`newLead` with a title only", Records),
    rpc(
        "long_description",
        "what RPC does with a lead's title of 101 characters",
        "`newLead` with one",
        Records,
    ),
    rest(
        "rest_long_description",
        "what REST does with one of 300 characters",
        "`POST /leads` with one",
        Records,
    ),
    rpc("lead_value", "whether `newLead` honours `value`", "`newLead` with one", Records),
    rest("rest_manual_value", "whether REST writes `manualValue`", "`PATCH /leads/{id}`", Records),
    rpc("lead_milestone", "whether `newLead` honours `milestoneId`", "`newLead` with a later stage", Records),
    rpc(
        "lead_stageset",
        "whether `newLead` honours `stagesetId`",
        "`newLead` with another pipeline",
        Records,
    ),
    rest("rest_stage_write", "whether REST writes a stage", "`PATCH /leads/{id}` of `links/stage`", Records),
    rpc(
        "primary_account_listed",
        "whether a lead's primary account is among `accounts`",
        "`newLead` with one",
        Records,
    ),
    rpc("unknown_custom_field", "what RPC does with an unknown custom field", "`newLead` with one", Records),
    rest(
        "unknown_tag",
        "what RPC does with an unknown tag",
        "`newLead` with one; if it is made, it is deleted",
        Records,
    ),
    rpc("bare_closing_status", "whether `status: 10` alone closes a lead", "`editLead` with it", Records),
    rpc(
        "closing",
        "what closes a lead",
        "`editLead` with the object `outcome`, and of another lead with `outcomeId`",
        Records,
    ),
    rpc("outcome_shown", "whether a closed lead tells its outcome", "the same", Records),
    rpc(
        "closed_time_kept",
        "whether `closedTime` is kept",
        "`editLead` with an outcome and one of 2020",
        Records,
    ),
    rpc("closed_lead_edits", "whether a closed lead can be edited", "`editLead` of its confidence", Records),
    rpc("product_description", "whether a product keeps its description", "`newProduct` with one", Records),
    rpc(
        "new_cancelled_activity",
        "whether a new activity may be cancelled",
        "`newActivity` with `status: 2`",
        Records,
    ),
    rest(
        "rest_activity_leads",
        "whether REST ties an activity to a lead",
        "`POST /activities` with one",
        Records,
    ),
    rpc("task_completion", "whether `completedTime` is written", "`editTask` with one", Records),
    rpc(
        "impersonation",
        "whether the key writes in another user's name",
        "`newNote` as another user",
        Records,
    ),
    rpc(
        "note_deletion_limited",
        "whether only its author deletes a note",
        "`deleteNote` of another user's note",
        Records,
    ),
    rpc(
        "custom_date",
        "in which form a date is taken",
        "`{\"timestamp\"}`, then a text",
        Field(Wanted::Date),
    ),
    rpc(
        "custom_date_leads",
        "in which form leads take a date",
        "the same on a lead",
        Field(Wanted::LeadDate),
    ),
    rpc(
        "date_keeps_time",
        "whether a date keeps the time of day",
        "`{\"timestamp\"}` of an afternoon",
        Field(Wanted::Date),
    ),
    rpc(
        "custom_money",
        "in which form an amount is taken",
        "`{\"currency\", \"amount\"}`, then a text",
        Field(Wanted::Money),
    ),
    rpc(
        "custom_choices",
        "in which form several choices are taken",
        "a joined text, then an array",
        Field(Wanted::Choices),
    ),
    rpc("choices_read", "in which form several choices come back", "the same", Field(Wanted::Choices)),
    rpc(
        "unknown_choice",
        "what happens to a choice that is not there",
        "`editX` with one",
        Field(Wanted::Choices),
    ),
    rpc(
        "unsent_custom_fields_survive",
        "whether fields that an edit does not send keep their values",
        "two edits",
        Field(Wanted::TwoTexts),
    ),
    rest(
        "patch_paths",
        "by which paths REST patches a custom field",
        "`PATCH` of its name, of `customFields`, of `customFields/{name}`",
        Field(Wanted::Text),
    ),
    rest(
        "number_type",
        "whether custom fields of type `Number` can be made",
        "`POST /accounts/customfield`",
        NewField,
    ),
    rpc("email_date", "whether the header `Date` sets an e-mail's time", "`newEmail` of 2020", Email),
    rpc("email_match", "whom an e-mail is attached to by its addresses", "the same", Email),
    rpc("email_message_id", "whether RPC shows its `Message-ID`", "the same", Email),
    rpc("email_html", "whether RPC shows its HTML", "the same", Email),
    rpc("throttled", "how the system says that it is too busy", "full pages of `findLeads` at once", Burst),
];

/// What of the sheet's questions is not asked, and why.
#[cfg(test)]
pub(super) const UNASKED: &[&str] =
    &["§11.7 plan limits: it would fill the plan", "§11.8 file upload: no request is known"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::super::known::question as used;
    use super::*;

    #[test]
    fn each_question_stands_once_and_those_that_the_loader_uses_are_asked() {
        let names: BTreeSet<&str> = ALL.iter().map(|question| question.name).collect();
        assert_eq!(names.len(), ALL.len());
        for name in [
            used::NAME_OBJECT,
            used::DATE,
            used::LEAD_DATE,
            used::CLOSING,
            used::CLOSED_EDITS,
            used::MONEY,
            used::CHOICES,
            used::LEAD_VALUE,
            used::MANUAL_VALUE,
            used::PRODUCT_DESCRIPTION,
            used::REST,
            used::THROTTLED,
        ] {
            assert!(names.contains(name), "{name}");
        }
        assert_eq!(UNASKED.len(), 2);
    }
}
