//! Brings every record of every mapped object into the workspace, once and completely.

use std::cell::Cell;

use futures_util::future::try_join_all;

use crate::lang::plan::Plan;
use crate::lang::schema::Schema;
use crate::run::connect::{Account, Source};
use crate::run::workspace::{Manifest, Side, Workspace};

use super::dossier::keep_source;
use super::draw::Drawing;
use super::portion::Portion;
use super::streams::objects;
use super::{Error, Outside, Result};

/// How often an object is looked at again when its records move meanwhile.
const SWEEPS: u32 = 3;
/// Records that are fetched by their keys at a time.
const FETCHED: u32 = 500;
/// Keys that a notice names.
const NAMED: usize = 20;

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
    let extraction = Extraction::new(workspace, source, outside);
    if let Some(portion) = Portion::of(workspace)? {
        for object in objects(plan) {
            if !workspace.manifest(object)?.is_some_and(|manifest| manifest.done) {
                return Err(Error::Selection(format!(
                    "the workspace holds a part of the source ({portion}), and `{object}` of it is not all there: \
                     `b2n extract SPEC{}` goes on with it",
                    portion.options()
                )));
            }
        }
    }
    extraction.extract_all(plan).await
}

/// As [`extract`], of a part of the source: see [`super::draw`]. `schema` is the source's, as the plan was checked with.
///
/// # Errors
/// As for [`extract`], and a workspace that holds another part, or all of it.
pub async fn extract_portion(
    plan: &Plan,
    schema: &Schema,
    portion: &Portion,
    workspace: &Workspace,
    source: &dyn Source,
    outside: &Outside<'_>,
) -> Result<()> {
    workspace.refuse_forgotten()?;
    match Portion::of(workspace)? {
        Some(held) if held != *portion => {
            return Err(Error::Selection(format!(
                "the workspace holds a part of the source ({held}), and not what is asked for ({portion}): `b2n extract \
                 SPEC{}` goes on with that part, and `--workspace FILE` takes another workspace",
                held.options()
            )));
        }
        Some(_) => {}
        None if portion.is_whole() => {}
        None => {
            for object in objects(plan) {
                if workspace.manifest(object)?.is_some() {
                    return Err(Error::Selection(format!(
                        "the workspace was begun with all of the source (`{object}` is staged), and a part is asked for \
                         ({portion}): take another workspace with `--workspace FILE`"
                    )));
                }
            }
        }
    }
    if portion.is_whole() {
        return extract(plan, workspace, source, outside).await;
    }
    bind(workspace, source, outside).await?;
    portion.keep(workspace, &objects(plan))?;
    if !portion.rows {
        source.leave_rows();
    }
    let extraction = Extraction::new(workspace, source, outside);
    if portion.draws() {
        let mut open = false;
        for object in objects(plan) {
            open |= !workspace.manifest(object)?.is_some_and(|manifest| manifest.done);
            if workspace.staged(object)? == 0 {
                workspace.set_since(object, source.clock_ms())?;
            }
        }
        let drawing = Drawing::new(plan, schema, portion, workspace, source, outside)?;
        if open {
            drawing.extract(&extraction).await?;
        }
    }
    if !portion.comments && objects(plan).contains(&super::draw::COMMENT) {
        let now_ms = outside.clock.now_ms();
        super::draw::close(workspace, super::draw::COMMENT, Manifest::default(), now_ms)?;
    }
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
    Extraction { cursor_first: true, ..Extraction::new(workspace, source, outside) }.extract_all(plan).await
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

pub(super) struct Extraction<'a> {
    workspace: &'a Workspace,
    source: &'a dyn Source,
    outside: &'a Outside<'a>,
    #[cfg(debug_assertions)]
    cursor_first: bool,
}

/// How far all objects are together.
#[derive(Default)]
struct Told {
    what: String,
    /// Objects whose count is not known yet.
    uncounted: Cell<usize>,
    total: Cell<u64>,
    staged: Cell<u64>,
}

/// A note that says that an object's records moved while they were read, so that keys are to be compared.
fn moved(object: &str) -> String {
    format!("moved {object}")
}

impl<'a> Extraction<'a> {
    fn new(workspace: &'a Workspace, source: &'a dyn Source, outside: &'a Outside<'a>) -> Extraction<'a> {
        Extraction {
            workspace,
            source,
            outside,
            #[cfg(debug_assertions)]
            cursor_first: false,
        }
    }

    /// Stages one object, whoever tells how far it is.
    pub(super) async fn extract_alone(&self, object: &str) -> Result<()> {
        self.extract_object(object, &Told { uncounted: Cell::new(usize::MAX), ..Told::default() }).await
    }

    async fn extract_all(&self, plan: &Plan) -> Result<()> {
        self.workspace.refuse_forgotten()?;
        bind(self.workspace, self.source, self.outside).await?;
        let mut open = Vec::new();
        let told = Told::default();
        for object in objects(plan) {
            if self.workspace.manifest(object)?.unwrap_or_default().done {
                self.is_whole(object)?;
            } else {
                told.staged.set(told.staged.get() + self.workspace.staged(object)?);
                open.push(object);
            }
        }
        let what = match open[..] {
            [] => return Ok(()),
            [object] => format!("extract {object}"),
            _ => format!("extract {} objects", open.len()),
        };
        let told = Told { what, uncounted: Cell::new(open.len()), ..told };
        self.outside.progress.begin(&told.what, None);
        // Side by side, so that what one method has to wait for leaves the limits to the others.
        let all = try_join_all(open.into_iter().map(|object| self.extract_object(object, &told))).await;
        self.outside.progress.end();
        let kept = self.keep_met();
        all.and(kept)
    }

    fn keep_met(&self) -> Result<()> {
        keep_source(self.workspace, self.source, self.outside)
    }

    /// What was sealed is there still, by its number.
    fn is_whole(&self, object: &str) -> Result<()> {
        let staged = self.workspace.staged(object)?;
        match self.workspace.sealed(object)? {
            Some(seal) if seal.records != staged => {
                Err(Error::Lacking { object: object.to_owned(), sealed: seal.records, staged })
            }
            _ => Ok(()),
        }
    }

    async fn extract_object(&self, object: &str, told: &Told) -> Result<()> {
        let mut manifest = self.workspace.manifest(object)?.unwrap_or_default();
        if manifest.cursor.is_empty() {
            // What changes from here on is looked for by the next look.
            self.workspace.set_since(object, self.source.clock_ms())?;
        }
        let mut before = None;
        for _ in 0..SWEEPS {
            let from_start = manifest.cursor.is_empty();
            if self.sweep_source(object, &mut manifest, &mut before, told).await? {
                self.workspace.set_note(&moved(object), "")?;
            }
            let still = self.workspace.note(&moved(object))?.is_none();
            let after = self.source.count(object).await?;
            let staged = self.workspace.staged(object)?;
            if still && staged == after {
                return self.close(object, manifest, after);
            }
            match self.compare(object, told).await? {
                Some(after) => return self.close(object, manifest, after),
                // Keys cannot be listed by themselves: everything is read again. A sweep that went on from an earlier
                // one may hold records that were deleted meanwhile.
                None if before == Some(after) && from_start && staged != after => {
                    self.forget(object)?;
                    return Err(Error::Count { object: object.to_owned(), counted: after, staged });
                }
                None => {}
            }
            self.outside.progress.notice(&format!(
                "`{object}` changed while it was read: {staged} records arrived, {after} are counted now; reading again"
            ));
            before = Some(after);
            told.staged.set(told.staged.get().saturating_sub(staged));
            self.forget(object)?;
            manifest = Manifest::default();
        }
        let counted = self.source.count(object).await?;
        Err(Error::Count { object: object.to_owned(), counted, staged: self.workspace.staged(object)? })
    }

    /// Takes away what is staged of an object; the next sweep begins anew.
    fn forget(&self, object: &str) -> Result<()> {
        self.workspace.unstage(object)?;
        Ok(self.workspace.forget_note(&moved(object))?)
    }

    /// Everything of an object is there.
    fn close(&self, object: &str, manifest: Manifest, counted: u64) -> Result<()> {
        self.outside.points.reach("extract.closing")?;
        let manifest = Manifest { done: true, counted: Some(counted), ..manifest };
        Ok(self.workspace.transaction(|ws| {
            ws.stage(object, std::iter::empty(), &manifest)?;
            ws.forget_note(&moved(object))?;
            ws.seal(object, self.outside.clock.now_ms()).map(|_| ())
        })?)
    }

    /// Holds the staged keys against those that the source lists: fetches what lacks, takes away what the source has no
    /// more, and gives what the source counts when both are one. `None` where keys cannot be listed.
    async fn compare(&self, object: &str, told: &Told) -> Result<Option<u64>> {
        for _ in 0..SWEEPS {
            self.workspace.begin_listing(object)?;
            let mut cursor = String::new();
            loop {
                let Some(batch) = self.source.ids(object, &cursor).await? else { return Ok(None) };
                self.workspace.list_keys(object, batch.records.iter().map(|raw| raw.id.as_str()))?;
                cursor = batch.cursor;
                if batch.done {
                    break;
                }
            }
            let now = self.outside.clock.now_ms();
            let earlier = self.workspace.departed(object)?.len();
            if self.workspace.depart_unlisted(object, now)? > 0 {
                let departed = self.workspace.departed(object)?;
                let new = departed.len() - earlier.min(departed.len());
                let named: Vec<&str> = departed.iter().map(String::as_str).take(NAMED).collect();
                let more = if departed.len() > NAMED { ", …" } else { "" };
                self.outside.progress.notice(&format!(
                    "`{object}`: {new} records were deleted at the source while they were read, and are left out: {}{more}",
                    named.join(", ")
                ));
            }
            loop {
                let lacking = self.workspace.listed_not_staged(object, FETCHED)?;
                if lacking.is_empty() {
                    break;
                }
                self.outside.points.reach("extract.request")?;
                let records = self.source.records(object, &lacking).await?;
                told.staged.set(told.staged.get() + records.len() as u64);
                let manifest = self.workspace.manifest(object)?.unwrap_or_default();
                let rows = records.iter().map(|raw| (raw.id.as_str(), raw.json.as_slice()));
                self.workspace.stage(object, rows, &manifest)?;
                self.outside.points.reach("extract.staged")?;
                // Those that did not come are gone by now, or cannot be read: the next count tells which.
                self.workspace.unlist_keys(object, &lacking)?;
            }
            let after = self.source.count(object).await?;
            if self.workspace.staged(object)? == after {
                return Ok(Some(after));
            }
        }
        let counted = self.source.count(object).await?;
        Err(Error::Count { object: object.to_owned(), counted, staged: self.workspace.staged(object)? })
    }

    /// Stages what follows the manifest's cursor; gives whether anything moved meanwhile.
    async fn sweep_source(
        &self,
        object: &str,
        manifest: &mut Manifest,
        before: &mut Option<u64>,
        told: &Told,
    ) -> Result<bool> {
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
            self.keep_met()?;
            self.outside.points.reach("extract.staged")?;
            told.staged.set(told.staged.get() + batch.records.len() as u64);
            if before.is_none() && !batch.done {
                let counted = self.source.count(object).await?;
                *before = Some(counted);
                self.tell(told, counted);
            }
            self.outside.progress.at(told.staged.get());
            if batch.done {
                return Ok(batch.moved);
            }
        }
    }

    /// Counts an object in; once all are, how far the whole is can be told.
    fn tell(&self, told: &Told, counted: u64) {
        told.total.set(told.total.get() + counted);
        told.uncounted.set(told.uncounted.get().saturating_sub(1));
        if told.uncounted.get() == 0 {
            self.outside.progress.begin(&told.what, Some(told.total.get()));
        }
    }
}
