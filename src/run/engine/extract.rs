//! Brings every record of every mapped object into the workspace, once and completely.

use std::collections::BTreeSet;

use crate::run::workspace::Manifest;

use super::{Engine, Error, Result};

/// How often an object is swept again when its count moves meanwhile.
const SWEEPS: u32 = 3;

impl Engine<'_> {
    /// Stages every object that a map reads. Goes on where an earlier call ended; does nothing when all is there.
    ///
    /// # Errors
    /// A source that fails, or whose count and records disagree.
    pub async fn extract(&self) -> Result<()> {
        let objects: BTreeSet<&str> = self.plan.maps.iter().map(|map| map.source.as_str()).collect();
        for object in objects {
            self.extract_object(object).await?;
        }
        Ok(())
    }

    async fn extract_object(&self, object: &str) -> Result<()> {
        let mut manifest = self.workspace.manifest(object)?.unwrap_or_default();
        if manifest.done {
            return Ok(());
        }
        let mut counted = self.source.count(object).await?;
        for _ in 0..SWEEPS {
            self.outside.progress.begin(&format!("extract {object}"), Some(counted));
            self.sweep_source(object, &mut manifest).await?;
            self.outside.progress.end();
            let staged = self.workspace.staged(object)?;
            let after = self.source.count(object).await?;
            if staged == after {
                manifest = Manifest { done: true, counted: Some(after), ..manifest };
                self.workspace.stage(object, std::iter::empty(), &manifest)?;
                return Ok(());
            }
            if after == counted {
                return Err(Error::Count { object: object.to_owned(), counted: after, staged });
            }
            // Records were made or deleted meanwhile: sweep again from the start; what is staged is replaced.
            self.outside.progress.notice(&format!(
                "`{object}` changed from {counted} to {after} records meanwhile; sweeping again"
            ));
            counted = after;
            self.workspace.unstage(object)?;
            manifest = Manifest::default();
        }
        let staged = self.workspace.staged(object)?;
        Err(Error::Count { object: object.to_owned(), counted, staged })
    }

    async fn sweep_source(&self, object: &str, manifest: &mut Manifest) -> Result<()> {
        let mut staged = self.workspace.staged(object)?;
        loop {
            self.outside.points.reach("extract.request")?;
            let batch = self.source.extract(object, &manifest.cursor).await?;
            manifest.cursor.clone_from(&batch.cursor);
            manifest.fetched_ms = self.outside.clock.now_ms();
            let rows = batch.records.iter().map(|raw| (raw.id.as_str(), raw.json.as_slice()));
            self.workspace.stage(object, rows, manifest)?;
            self.outside.points.reach("extract.staged")?;
            staged += batch.records.len() as u64;
            self.outside.progress.at(staged);
            if batch.done {
                return Ok(());
            }
        }
    }
}
