//! Writes links that had to wait for the other record.

use crate::run::connect::Encode;
use crate::run::workspace::Operation;

use super::once::{Sent, Write};
use super::prepare::Prepared;
use super::{Engine, Result};

impl Engine<'_> {
    /// Patches every waiting link whose other record has arrived since; the others go on waiting.
    pub(super) async fn patch_waiting(&self, encoders: &[Box<dyn Encode>]) -> Result<()> {
        for (map, plan) in self.plan.maps.iter().enumerate() {
            for waiting in self.workspace.waiting(&plan.name)? {
                let Some(record) = self.workspace.staged_record(&plan.source, &waiting.key)? else {
                    continue;
                };
                let Some(id) = self.workspace.outcome(&plan.name, &waiting.key)?.and_then(|o| o.target)
                else {
                    continue;
                };
                let encode = encoders[map].as_ref();
                let Prepared::Write(writing) = self.prepare(map, &record, encode)? else { continue };
                if writing.waiting.contains(&waiting.field) {
                    continue;
                }
                let Some(stored) = self.target.read(&plan.target, &id).await? else { continue };
                let at = waiting.field as usize;
                let payload = match encode.patch(at, &writing.values[at], &stored) {
                    Ok(payload) => payload,
                    Err(error) => {
                        self.outside.progress.notice(&format!(
                            "`{}` {}: a link could not be written: {error}",
                            plan.name, waiting.key
                        ));
                        continue;
                    }
                };
                if payload.is_empty() {
                    self.workspace.waits_no_more(&plan.name, &waiting.key, waiting.field)?;
                    continue;
                }
                let step = 1000 + waiting.field;
                let write =
                    Write { map, key: &waiting.key, marker: &writing.marker, payload: &payload, step };
                match self.edit(&write, Operation::Edit, stored, None).await? {
                    Sent::Done(_) => self.workspace.waits_no_more(&plan.name, &waiting.key, waiting.field)?,
                    Sent::Refused(why) | Sent::Uncertain(why) => self.outside.progress.notice(&format!(
                        "`{}` {}: the link `{}` could not be written: {why}",
                        plan.name, waiting.key, plan.targets[at].name
                    )),
                    Sent::Gone | Sent::Moved(_) => {}
                }
            }
        }
        Ok(())
    }
}
