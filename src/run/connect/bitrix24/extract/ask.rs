//! Single questions in batches: whatever passes is waited for, so that only answers and definite refusals come back.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{COMMANDS, SHARE};
use crate::run::connect::Error;
use crate::run::connect::bitrix24::client::{Client, Patience, Trouble};
use crate::run::connect::bitrix24::wire::{Command, Problem};

/// What came back for one command.
pub(super) struct Reply {
    pub(super) result: Result<Box<RawValue>, Problem>,
    /// What the list counts.
    pub(super) total: Option<u64>,
}

/// Sends commands of one method, as many to a batch as time allows; replies by command name.
///
/// # Errors
/// Nobody answers, or the credentials have gone.
pub(super) async fn ask(
    client: &Client,
    method: &'static str,
    commands: &[Command],
) -> Result<HashMap<String, Reply>, Error> {
    ask_with(client, method, commands, SHARE).await
}

/// The same where a command takes up more of a batch.
pub(super) async fn ask_with(
    client: &Client,
    method: &'static str,
    commands: &[Command],
    share: f64,
) -> Result<HashMap<String, Reply>, Error> {
    let mut out = HashMap::with_capacity(commands.len());
    let mut open: Vec<&Command> = commands.iter().collect();
    let (mut patience, mut width) = (Patience::default(), COMMANDS);
    while !open.is_empty() {
        let units = open.iter().take(width).map(|command| vec![(*command).clone()]).collect();
        let part = match client.pack(units, share).await {
            Ok(part) => part,
            Err(trouble) => {
                if matches!(trouble, Trouble::NoAnswer(_)) {
                    width = (width / 2).max(1);
                }
                client.recover(&mut patience, trouble).await?;
                continue;
            }
        };
        let batch = part.batch();
        let before = out.len();
        let mut passing = None;
        for command in &open[..part.taken] {
            let total = batch.total(&command.name);
            let result = match (batch.results.get(&command.name), batch.problem(&command.name)) {
                (Some(result), _) => Ok(result.to_owned()),
                (None, Some(problem)) => match client.judge(method, 400, &problem) {
                    Trouble::Fatal(Error::Refused { .. }) => Err(problem),
                    trouble => {
                        passing = Some(trouble);
                        continue;
                    }
                },
                (None, None) => {
                    passing = Some(Trouble::NoAnswer(format!("a batch without `{}`", command.name)));
                    continue;
                }
            };
            out.insert(command.name.clone(), Reply { result, total });
        }
        open.retain(|command| !out.contains_key(&command.name));
        if let Some(trouble) = passing {
            if out.len() > before {
                patience = Patience::default();
            }
            client.recover(&mut patience, trouble).await?;
        }
    }
    Ok(out)
}
