//! Downloads files (sheet §10.23).
//!
//! Links are asked for anew, one file at a time, and used at once: they expire, and hold tokens, so that none is kept,
//! printed, or part of an error. Files of records have a signed link in the universal answer alone; those of activities
//! and comments are files of the portal's disk, those of tasks are attachments of it; pictures of products are asked
//! for with the webhook itself.

use serde_json::{Value as Json, json};

use super::client::{Client, Patience, Trouble};
use super::schema::build::text as scalar_text;
use crate::run::connect::outside::HttpResponse;
use crate::run::connect::{Error, FileAt, Got};

/// How often a link is asked for that does not give the file.
const LINKS: u32 = 3;
/// The largest file, in bytes: an answer is held whole.
const LARGEST: u64 = 64 << 20;

/// A link, with what is told of the file.
struct Link {
    /// Secret.
    url: String,
    name: Option<String>,
    bytes: Option<u64>,
}

/// What a file holds.
pub(super) async fn download(client: &Client, at: &FileAt) -> Result<Got, Error> {
    let mut why = String::new();
    for _ in 0..LINKS {
        let link = match link(client, at).await {
            Ok(Some(link)) => link,
            Ok(None) => return Ok(Got::Broken("the portal gives no link to it".to_owned())),
            Err(Error::Refused { why, .. }) => {
                return Ok(Got::Broken(format!("the portal gives no link to it: {why}")));
            }
            Err(error) => return Err(error),
        };
        if let Some(bytes) = link.bytes.filter(|bytes| *bytes > LARGEST) {
            return Ok(Got::Broken(format!(
                "it has {bytes} bytes, more than the {LARGEST} that are downloaded: download it by hand"
            )));
        }
        let answer = fetch(client, &link.url).await?;
        match judge(&answer, link.bytes) {
            Ok(()) => {
                return Ok(Got::Bytes { name: link.name.or_else(|| named(&answer)), body: answer.body });
            }
            // The link may have expired meanwhile: once more with a new one.
            Err(reason) => why = reason,
        }
    }
    Ok(Got::Broken(why))
}

/// Gets what is behind a link, as often as it takes.
async fn fetch(client: &Client, url: &str) -> Result<HttpResponse, Error> {
    let mut patience = Patience::default();
    loop {
        let trouble = match client.fetch(url).await {
            Ok(answer) => match answer.status {
                503 | 429 => Trouble::Busy(format!("HTTP {}", answer.status)),
                500..=599 => Trouble::NoAnswer(format!("HTTP {}", answer.status)),
                _ if is_cut(&answer) => Trouble::NoAnswer("a file that is cut".to_owned()),
                _ => return Ok(answer),
            },
            Err(trouble) => trouble,
        };
        match client.recover(&mut patience, trouble).await {
            Ok(()) => {}
            // This file is not to be had; others may be.
            Err(Error::Unreachable { why, .. }) => {
                return Ok(HttpResponse { status: 0, headers: Vec::new(), body: why.into_bytes() });
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether less came than the answer says it holds.
fn is_cut(answer: &HttpResponse) -> bool {
    let told = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    answer.header("content-encoding").is_none() && told.is_some_and(|told| told != answer.body.len())
}

/// Whether an answer is the file, as far as can be told.
fn judge(answer: &HttpResponse, bytes: Option<u64>) -> Result<(), String> {
    let came = answer.body.len() as u64;
    match answer.status {
        200 => {}
        0 => return Err(String::from_utf8_lossy(&answer.body).into_owned()),
        403 | 401 => return Err(format!("HTTP {}: the link is not let through", answer.status)),
        404 => return Err("HTTP 404: it is not there any more".to_owned()),
        other => return Err(format!("HTTP {other}")),
    }
    let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let sent_as_file = answer.header("content-disposition").is_some();
    if !sent_as_file && (kind.starts_with("text/html") || kind.starts_with("application/json")) {
        return Err("a page came in the place of the file".to_owned());
    }
    match bytes {
        Some(bytes) if bytes != came => Err(format!("{came} bytes came, the portal tells {bytes}")),
        _ => Ok(()),
    }
}

/// The name that an answer gives to the file.
fn named(answer: &HttpResponse) -> Option<String> {
    let told = answer.header("content-disposition")?;
    let (_, name) = told.split_once("filename=")?;
    let name = name.split(';').next().unwrap_or_default().trim().trim_matches('"');
    (!name.is_empty()).then(|| name.to_owned())
}

/// A fresh link; none where the record has no such file.
async fn link(client: &Client, at: &FileAt) -> Result<Option<Link>, Error> {
    match at.object.as_str() {
        "activity" | "comment" => of_disk(client, "disk.file.get", at).await,
        "task" => of_disk(client, "disk.attachedObject.get", at).await,
        "product" => {
            let field = match at.field.as_str() {
                "PREVIEW_PICTURE" => "previewPicture",
                "DETAIL_PICTURE" => "detailPicture",
                _ => return Ok(None),
            };
            if ![&at.file, &at.key].into_iter().all(|id| id.bytes().all(|b| b.is_ascii_digit())) {
                return Ok(None);
            }
            let query =
                format!("fields[fieldName]={field}&fields[fileId]={}&fields[productId]={}", at.file, at.key);
            let query = query.replace('[', "%5B").replace(']', "%5D");
            let url = format!("{}?{query}", client.address("catalog.product.download"));
            Ok(Some(Link { url, name: None, bytes: None }))
        }
        object => {
            let Some(kind) = super::extract::kind(object) else { return Ok(None) };
            let parameters = json!({"entityTypeId": kind, "id": at.key, "useOriginalUfNames": "Y"});
            let answer = client.call("crm.item.get", parameters).await?.tree();
            let url = signed(&answer, &at.file);
            Ok(url.map(|url| Link { url, name: None, bytes: None }))
        }
    }
}

/// A file of the portal's disk.
async fn of_disk(client: &Client, method: &'static str, at: &FileAt) -> Result<Option<Link>, Error> {
    let answer = client.call(method, json!({"id": at.file})).await?.tree();
    let part = |name: &str| answer.get(name).and_then(scalar_text);
    let Some(url) = part("DOWNLOAD_URL") else { return Ok(None) };
    Ok(Some(Link { url, name: part("NAME"), bytes: part("SIZE").and_then(|size| size.parse().ok()) }))
}

/// The signed link of the file with this id, wherever it stands in an item.
fn signed(item: &Json, file: &str) -> Option<String> {
    match item {
        Json::Array(items) => items.iter().find_map(|item| signed(item, file)),
        Json::Object(one) => {
            if one.get("id").and_then(scalar_text).as_deref() == Some(file)
                && let Some(Json::String(url)) = one.get("urlMachine")
            {
                return Some(url.clone());
            }
            one.values().find_map(|item| signed(item, file))
        }
        _ => None,
    }
}
