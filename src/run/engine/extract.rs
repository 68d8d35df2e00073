//! Brings every record of every mapped object into the workspace, once and completely.

use crate::lang::plan::Plan;
use crate::run::connect::{Account, Source};
use crate::run::workspace::{Manifest, Side, Workspace};

use super::streams::objects;
use super::{Error, Outside, Result};

/// How often an object is swept again when its count moves meanwhile.
const SWEEPS: u32 = 3;

/// Stages every object that a plan reads, and binds the workspace to the source. Goes on where an earlier call
/// ended; does nothing when all is there. Needs no destination.
///
/// # Errors
/// A source that fails, is another account, or whose count and records disagree.
pub async fn extract(
    plan: &Plan,
    workspace: &Workspace,
    source: &dyn Source,
    outside: &Outside<'_>,
) -> Result<()> {
    let extraction = Extraction {
        workspace,
        source,
        outside,
        #[cfg(debug_assertions)]
        cursor_first: false,
    };
    extraction.extract_all(plan).await
}

/// The same with a bug that tests plant: see [`super::Planted::cursor_before_rows`].
#[cfg(debug_assertions)]
pub(super) async fn cursor_first(
    plan: &Plan,
    workspace: &Workspace,
    source: &dyn Source,
    outside: &Outside<'_>,
) -> Result<()> {
    Extraction { workspace, source, outside, cursor_first: true }.extract_all(plan).await
}

/// Asks the source who it is and binds the workspace to it. When the account that is bound redirects to another name
/// of its own, that name is taken down: credentials for it are the account's too from then on. Markers keep the first.
pub(super) async fn bind(
    workspace: &Workspace,
    source: &dyn Source,
    outside: &Outside<'_>,
) -> Result<Account> {
    let account = source.account().await?;
    workspace.pin(Side::Source, &account.id)?;
    for alias in source.aliases() {
        if workspace.add_alias(Side::Source, &alias, outside.clock.now_ms())? {
            outside.progress.notice(&format!(
                "`{}` says that it is called `{alias}` now: from here on credentials for either are its own; markers keep the \
                 name that the workspace is bound to",
                account.id
            ));
        }
    }
    Ok(account)
}

struct Extraction<'a> {
    workspace: &'a Workspace,
    source: &'a dyn Source,
    outside: &'a Outside<'a>,
    #[cfg(debug_assertions)]
    cursor_first: bool,
}

impl Extraction<'_> {
    async fn extract_all(&self, plan: &Plan) -> Result<()> {
        self.workspace.refuse_forgotten()?;
        bind(self.workspace, self.source, self.outside).await?;
        for object in objects(plan) {
            self.extract_object(object).await?;
        }
        Ok(())
    }

    async fn extract_object(&self, object: &str) -> Result<()> {
        let mut manifest = self.workspace.manifest(object)?.unwrap_or_default();
        if manifest.done {
            return Ok(());
        }
        if manifest.cursor.is_empty() {
            // What changes from here on is looked for by the next look.
            self.workspace.set_since(object, self.source.clock_ms())?;
        }
        let mut counted = self.source.count(object).await?;
        for _ in 0..SWEEPS {
            let from_start = manifest.cursor.is_empty();
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
            // A sweep that went on from an earlier one may hold records that were deleted meanwhile.
            if after == counted && from_start {
                self.workspace.unstage(object)?;
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
            #[cfg(debug_assertions)]
            if self.cursor_first {
                self.workspace.stage(object, std::iter::empty(), manifest)?;
                self.outside.points.reach("extract.staged")?;
            }
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
