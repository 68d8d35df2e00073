//! The records that activities hang on: one command an activity, since no list gives them (sheet §10.15).

use serde_json::value::RawValue;

use super::window::Found;
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::malformed;
use crate::run::connect::bitrix24::wire::{Command, Php};

const LIST: &str = "crm.activity.binding.list";

/// Asks for the bindings of one activity.
pub(super) fn single(id: u64) -> Command {
    Command::new(format!("b{id}"), LIST, &[("activityId", &id.to_string())])
}

/// Puts the answer into the activity.
pub(super) fn put(record: &mut Found, list: &RawValue) -> Result<(), Error> {
    if Php::parse(list).is_none() {
        return Err(malformed(LIST, "bindings that are not a list"));
    }
    record.bindings = Some(list.to_owned());
    Ok(())
}
