//! The records that activities hang on: one command an activity, since no list gives them (sheet §10.15).

use super::ask::ask;
use super::{Found, Reading};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, malformed, refused};
use crate::run::connect::bitrix24::wire::{Command, Php};

const LIST: &str = "crm.activity.binding.list";

/// Asks for the bindings of these activities.
pub(super) async fn complete(client: &Client, m: &Reading, found: &mut [Found]) -> Result<(), Error> {
    let command = |f: &Found| Command::new(format!("b{}", f.id), LIST, &[("activityId", &f.id.to_string())]);
    let commands: Vec<Command> = found.iter().map(command).collect();
    let mut replies = ask(client, LIST, &commands).await?;
    for record in found {
        let Some(reply) = replies.remove(&format!("b{}", record.id)) else { continue };
        let list = reply
            .result
            .map_err(|problem| refused(LIST, &format!("{problem}, for `{}` {}", m.object, record.id)))?;
        if Php::parse(&list).is_none() {
            return Err(malformed(LIST, "bindings that are not a list"));
        }
        record.bindings = Some(list);
    }
    Ok(())
}
