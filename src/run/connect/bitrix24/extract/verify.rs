//! What an object's list is held against: counts, ids alone, and records by their ids.

use serde_json::value::RawValue;

use super::ask::ask_with;
use super::reading::{Reading, reading};
use super::run::{Run, links_page, page};
use super::window::{Answered, Found, Window, read, staged};
use super::{COMMANDS, PAGE, Progress, SHARE, STRIKES, addresses, all_ids_batch, comments, place};
use crate::run::connect::bitrix24::client::{Client, Patience, Trouble, malformed, refused};
use crate::run::connect::bitrix24::pack::Unit;
use crate::run::connect::bitrix24::wire::{Command, Php, scalar};
use crate::run::connect::{Batch, Error, Raw};

/// Lists the Smart Processes themselves.
const TYPES: &str = "crm.type.list";
/// Records that are asked for their rows one by one.
const FEW: usize = 5;

/// How many records of an object there are: what the last batch said of it, once, or the portal now.
pub(in crate::run::connect::bitrix24) async fn count(
    client: &Client,
    progress: &Progress,
    object: &str,
) -> Result<u64, Error> {
    if object == "comment" {
        return comments::count(client, progress).await;
    }
    if let Some(owner) = addresses::owner(object) {
        return addresses::count(client, progress, owner).await;
    }
    let m = &reading(object)?;
    let known = progress.counted.borrow_mut().remove(object);
    if let Some(counted) = known {
        return Ok(counted);
    }
    let mut replies = ask_with(client, m.list, &[counting(m, "all", 0, None)], 1.0).await?;
    let reply = replies.remove("all").ok_or_else(|| malformed(m.list, "a batch without its count"))?;
    if let Err(problem) = reply.result {
        return Err(refused(m.list, &problem.to_string()));
    }
    reply.total.ok_or_else(|| malformed(m.list, "there is no `total`"))
}

/// Counts the records that follow `base`, up to and with `until`.
fn counting(m: &Reading, name: &str, base: u64, until: Option<&str>) -> Command {
    let (above, below) = (m.bound(">"), m.bound("<="));
    let base = base.to_string();
    let mut command = Command::new(name, m.list, &[(&above, &base), ("start", "0")]);
    if let Some(until) = until {
        command.parameters.push((below, until.to_owned()));
    }
    bare(m, command)
}

/// The command with what every call of the list has, and ids alone.
fn bare(m: &Reading, mut command: Command) -> Command {
    command.parameters.extend(m.basis());
    if !m.listing.flat {
        command.parameters.push(("select[]".to_owned(), m.id().to_owned()));
    }
    command
}

/// Asks which id is the highest, and how many records there are up to it.
pub(super) fn opening(m: &Reading, base: u64) -> Unit {
    let base_text = base.to_string();
    let mut top =
        bare(m, Command::new("top", m.list, &[(&m.bound(">"), &base_text), ("start", m.listing.start)]));
    for (key, value) in &mut top.parameters {
        if key.starts_with("order[") || key == "ORDER" {
            *value = "DESC".to_owned();
        }
    }
    let mut unit = vec![top, counting(m, "first", base, Some(&m.row_of("top", 0)))];
    if m.rows.as_ref().is_some_and(|methods| methods.single.is_none()) {
        // Whether a Smart Process is linked with products.
        let kind = [("filter[entityTypeId]", m.entity_type.as_str()), ("start", "0")];
        unit.push(Command::new("type", TYPES, &kind));
    }
    unit
}

/// Asks how many records there are by now: of those that were there at the start, and of all.
pub(super) fn closing(m: &Reading, base: u64, top: &str) -> Unit {
    vec![counting(m, "known", base, Some(top)), counting(m, "all", base, None)]
}

/// Whether a Smart Process is linked with products, as the opening's answer says; nothing where it does not.
pub(super) fn products(m: &Reading, types: &RawValue) -> Option<bool> {
    let types = Php::parse(types).and_then(|map| Php::parse(map.get("types")?))?;
    let rows = types.rows().into_iter().filter_map(Php::parse);
    let own =
        rows.into_iter().find(|row| row.get("entityTypeId").map(scalar).as_ref() == Some(&m.entity_type))?;
    own.get("isLinkWithProductsEnabled").map(|flag| matches!(scalar(flag).as_ref(), "Y" | "1" | "true"))
}

/// What is behind a short page.
pub(super) enum Confirmed {
    /// More records.
    More,
    /// Nothing; so many records are counted up to there, where the portal counts.
    End(Option<u64>),
}

/// Whether anything follows what was read, and how many records the portal counts up to there.
pub(super) async fn confirm(client: &Client, m: &Reading, run: &Run) -> Result<Confirmed, Error> {
    let end = run.end.to_string();
    let more = bare(m, Command::new("more", m.list, &[(&m.bound(">"), &end), ("start", m.listing.start)]));
    let commands = [more, counting(m, "known", run.base, Some(&end))];
    // A count of a large table has a batch for itself.
    let share = if run.count_seconds > 1.0 { 1.0 } else { SHARE };
    let mut strikes = 0;
    loop {
        let replies = ask_with(client, m.list, &commands, share).await?;
        let known = match replies.get("known").map(|reply| (&reply.result, reply.total)) {
            Some((Ok(_), total)) => total,
            Some((Err(problem), _)) => return Err(refused(m.list, &problem.to_string())),
            None => None,
        };
        let more = match replies.get("more").map(|reply| &reply.result) {
            Some(Ok(page)) => m.page(page).ok_or_else(|| malformed(m.list, "a page is not a list"))?,
            Some(Err(problem)) => return Err(refused(m.list, &problem.to_string())),
            None => return Err(malformed(m.list, "a batch without its page")),
        };
        if !more.0.is_empty() {
            return Ok(Confirmed::More);
        }
        strikes += 1;
        // A count above what came is asked for again: it may be the one that is wrong.
        if known.is_none_or(|known| known <= run.records) || strikes >= STRIKES {
            return Ok(Confirmed::End(known));
        }
    }
}

/// The ids of an object's records that follow `cursor`; nothing where ids cannot be listed by themselves.
pub(in crate::run::connect::bitrix24) async fn ids(
    client: &Client,
    progress: &Progress,
    object: &str,
    cursor: &str,
) -> Result<Option<Batch>, Error> {
    if object == "comment" || addresses::owner(object).is_some() {
        return Ok(None);
    }
    let m = reading(object)?.bare();
    let last = place(object, cursor)?;
    Ok(Some(all_ids_batch(client, progress, &m, last).await?))
}

/// The records of these ids that are there.
pub(in crate::run::connect::bitrix24) async fn records(
    client: &Client,
    progress: &Progress,
    object: &str,
    ids: &[String],
) -> Result<Vec<Raw>, Error> {
    let m = &progress.reading(client, object).await?;
    let mut out = Vec::new();
    for chunk in ids.chunks(PAGE) {
        out.extend(by_ids(client, m, chunk).await?);
    }
    Ok(out)
}

/// The same for a page of them.
async fn by_ids(client: &Client, m: &Reading, ids: &[String]) -> Result<Vec<Raw>, Error> {
    let (mut patience, mut strikes) = (Patience::default(), 0);
    let beside = m.links.is_some();
    let key = m.bound("@");
    let filter: Vec<_> = ids.iter().enumerate().map(|(k, id)| (format!("{key}[{k}]"), id.clone())).collect();
    let beside_filter: Vec<_> =
        ids.iter().enumerate().map(|(k, id)| (format!("filter[@id][{k}]"), id.clone())).collect();
    let mut unit = vec![page(m, 0, &filter)];
    if beside {
        unit.push(links_page(m, 0, &beside_filter));
    }
    let mut window = loop {
        let part = match client.pack(vec![unit.clone()], SHARE * unit.len() as f64).await {
            Ok(part) => part,
            Err(trouble) => {
                client.recover(&mut patience, trouble).await?;
                continue;
            }
        };
        let pages = read(client, m, 0, 1, beside, &part.batch())?;
        let strange = pages.found.iter().any(|f| !ids.contains(&f.id.to_string()));
        match pages.trouble {
            Some(Trouble::Fatal(error)) if strikes + 1 >= STRIKES => return Err(error),
            Some(Trouble::Fatal(_)) => strikes += 1,
            Some(trouble) => client.recover(&mut patience, trouble).await?,
            None if strange && strikes + 1 >= STRIKES => {
                return Err(malformed(m.list, "records that were not asked for"));
            }
            None if strange => strikes += 1,
            None => break Window::new(m, 0, pages.found, None),
        }
    };
    // What is refused was deleted since: whoever asked looks again.
    finish(client, m, &mut window, super::rows::Way::Singly).await?;
    Ok(window.found.into_iter().map(|found| staged(m, found)).collect())
}

/// Asks for what belongs to these records and is not there.
pub(super) async fn complete(
    client: &Client,
    _progress: &Progress,
    m: &Reading,
    found: &mut Vec<Found>,
) -> Result<(), Trouble> {
    let mut window = Window::new(m, 0, std::mem::take(found), None);
    // A few are asked for one by one, rather than found out how several can be.
    let way = if window.found.len() > FEW { super::rows::Way::Untried } else { super::rows::Way::Singly };
    let refused = finish(client, m, &mut window, way).await.map_err(Trouble::Fatal)?;
    *found = window.found;
    refused.map_or(Ok(()), |error| Err(Trouble::Fatal(error)))
}

/// Asks until nothing lacks. A record that is refused is left out; gives the first refusal.
async fn finish(
    client: &Client,
    m: &Reading,
    window: &mut Window,
    mut way: super::rows::Way,
) -> Result<Option<Error>, Error> {
    let (mut patience, mut refused) = (Patience::default(), None);
    window.settle(m, &mut way)?;
    while !window.is_whole(m) {
        let mut units = Vec::new();
        window.needs(m, &mut units, COMMANDS);
        let part = match client.pack(units.clone(), SHARE).await {
            Ok(part) => part,
            Err(trouble) => {
                client.recover(&mut patience, trouble).await?;
                continue;
            }
        };
        let batch = part.batch();
        let (mut gone, mut later) = (Vec::new(), None);
        for command in units[..part.taken].iter().flatten() {
            match window.take(client, m, &command.name, command.method, &batch) {
                Answered::Fine => {}
                Answered::Refused(error) => {
                    gone.push(command.name[1..].to_owned());
                    refused = refused.or(Some(error));
                }
                Answered::Later(trouble) => later = Some(trouble),
            }
        }
        if !gone.is_empty() {
            let found = std::mem::take(&mut window.found).into_iter();
            let left = found.filter(|f| !gone.contains(&f.id.to_string())).collect();
            *window = Window::new(m, 0, left, None);
        }
        if let Some(trouble) = later {
            client.recover(&mut patience, trouble).await?;
        }
        window.settle(m, &mut way)?;
    }
    if let Some(part) = m.part {
        super::parts::complete(client, m, part, &mut window.found).await?;
    }
    Ok(refused)
}
