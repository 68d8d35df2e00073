//! How a twin behaves that plays a probed account: the answers of a probe as the twin's switches.
//!
//! What was not asked or not answered stays as it was seen live. How much a system takes until it is too busy is no
//! answer of a probe, so a rehearsal is not throttled beyond its configured pace.

use crate::lang::schema::{Answer, Probed};
use crate::run::twin::nutshell::settings::{
    ChoicesInput, ClosingInput, DateInput, EmailMatch, Envelope, ManyChoices, MoneyInput, NotFound, OnBad,
    RpcStatus,
};
use crate::run::twin::nutshell::{Dialect, Settings};

/// A twin that behaves as a probed account does.
pub fn settings(probed: &Probed) -> Settings {
    let mut settings = Settings { dialect: dialect(probed), ..Settings::default() };
    if let Some(impersonation) = probed.flag("impersonation") {
        settings.keys.iter_mut().for_each(|key| key.impersonation = impersonation);
    }
    settings
}

/// The dialect of a probed account.
pub fn dialect(probed: &Probed) -> Dialect {
    let mut dialect = Dialect::default();
    let d = &mut dialect;
    for (question, answer) in &probed.answers {
        match answer {
            Answer::Flag(flag) => set_flag(d, question, *flag),
            Answer::Word(word) => set_word(d, question, word),
            Answer::Count(_) => {}
        }
    }
    dialect
}

fn set_flag(d: &mut Dialect, question: &str, flag: bool) {
    let keep = |flag| if flag { OnBad::Keep } else { OnBad::Reject };
    let place = match question {
        "lead_without_contact" => &mut d.lead_without_contact,
        "legacy_id_kept" => &mut d.legacy_id_kept,
        "contact_name_object" => &mut d.contact_name_object,
        "rest_stage_write" => &mut d.rest_stage_write,
        "lead_value" => &mut d.rpc_lead_value,
        "rest_manual_value" => &mut d.rest_manual_value,
        "unsent_custom_fields_survive" => &mut d.unsent_custom_fields_survive,
        "date_keeps_time" => &mut d.date_keeps_time,
        "number_type" => &mut d.number_type,
        "primary_everywhere" => &mut d.primary_everywhere,
        "primary_account_listed" => &mut d.primary_account_listed,
        "rest_bare_lists" => &mut d.rest_bare_lists,
        "rest_sort_by_id" => &mut d.rest_sort_by_id,
        "undelete_drops_links" => &mut d.undelete_drops_links,
        "neighbour_bumps" => &mut d.neighbour_bumps,
        "product_description" => &mut d.product_description,
        "email_date" => &mut d.email_date,
        "email_message_id" => &mut d.email_message_id,
        "email_html" => &mut d.email_html,
        "rest_activity_leads" => &mut d.rest_activity_leads,
        "note_deletion_limited" => &mut d.note_deletion_limited,
        "attributes_tell_types" => &mut d.attributes_tell_types,
        "lead_stageset" => &mut d.rpc_stageset,
        "created_time_kept" => &mut d.created_time_kept,
        "closed_time_kept" => &mut d.closed_time_kept,
        "outcome_shown" => &mut d.outcome_shown,
        "closed_lead_edits" => &mut d.closed_lead_edits,
        "parent_account" => &mut d.parent_account,
        "deleted_readable" => &mut d.deleted_readable,
        "rest_access" => &mut d.rest_access,
        "task_completion" => &mut d.task_completion,
        "bare_closing_status" => return d.bare_closing_status = keep(flag),
        "new_cancelled_activity" => return d.new_cancelled_activity = keep(flag),
        _ => return,
    };
    *place = flag;
}

fn date_input(word: &str) -> DateInput {
    match word {
        "timestamp" => DateInput::Timestamp,
        "text" => DateInput::Text,
        _ => DateInput::Any,
    }
}

fn set_word(d: &mut Dialect, question: &str, word: &str) {
    let on_bad = match word {
        "kept" | "created" => OnBad::Keep,
        "cut" | "dropped" => OnBad::Drop,
        _ => OnBad::Reject,
    };
    match question {
        "unknown_custom_field" => d.unknown_custom_field = on_bad,
        "unknown_tag" => d.unknown_tag = on_bad,
        "unknown_choice" => d.unknown_choice = on_bad,
        "long_description" => d.long_description = on_bad,
        "rest_long_description" => d.rest_long_description = on_bad,
        "email_match" => {
            d.email_match = match word {
                "people" => EmailMatch::People,
                "nobody" => EmailMatch::Nobody,
                _ => EmailMatch::Everybody,
            };
        }
        "envelope" if word == "documented" => d.envelope = Envelope::Documented,
        "rpc_status" if word == "always 200" => d.rpc_status = RpcStatus::Always200,
        "choices_read" if word == "array" => d.many_choices = ManyChoices::Array,
        "patch_paths" => d.patch_custom_field_paths = word.contains("object"),
        "not_found" => {
            d.not_found = match word {
                "null" => NotFound::Null,
                "400" => NotFound::Code400,
                _ => NotFound::Code404,
            };
        }
        "custom_date" => d.custom_date = date_input(word),
        "custom_date_leads" => d.custom_date_leads = date_input(word),
        "closing" => {
            d.closing = match word {
                "object" => ClosingInput::Object,
                "id" => ClosingInput::Id,
                _ => ClosingInput::Any,
            };
        }
        "custom_money" => {
            d.custom_money = match word {
                "object" => MoneyInput::Object,
                "plain" => MoneyInput::Plain,
                _ => MoneyInput::Any,
            };
        }
        "custom_choices" => {
            d.custom_choices = match word {
                "joined" => ChoicesInput::Joined,
                "array" => ChoicesInput::Array,
                _ => ChoicesInput::Any,
            };
        }
        _ => {}
    }
}
