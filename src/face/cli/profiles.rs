//! Reads the profiles of a spec: which files they are, what is pinned, who overrides what.

use std::path::{Component, Path};

use serde_json::{Value, json};

use crate::lang::check::Accepted;
use crate::lang::check::profile::{
    self, Inactive, Layer, LineHow, Lock, Part, Pinned, shipped, shipped_like,
};
use crate::lang::doc::Agreed;
use crate::lang::finding::{Finding, registry};
use crate::lang::syntax::{self, ast};
use crate::lang::text::{SourceText, Span};

use super::failure::Failure;

/// The file beside a spec in which profiles are pinned.
pub const LOCK: &str = "b2n.lock";

/// How deep profiles may use each other.
const MAX_DEPTH: usize = 8;

/// A spec's text with those of its profiles.
pub struct Loaded {
    /// All files, joined where there are several.
    pub text: SourceText,
    pub parts: Vec<Part>,
    /// What parsing found in them, and what is wrong with the profiles as files.
    pub findings: Vec<Finding>,
    pub pinned: Vec<Pinned>,
    /// Whether a profile could not be read, so that the spec is not whole.
    pub partial: bool,
}

/// Reads a spec and its profiles; `folder` is the project's, the one of the spec.
pub fn load(spec: SourceText, folder: &Path) -> Loaded {
    let mut files = vec![spec];
    let mut names = vec![String::new()];
    let mut depths = vec![0];
    let mut loaded = Loaded {
        text: files[0].clone(),
        parts: Vec::new(),
        findings: Vec::new(),
        pinned: Vec::new(),
        partial: false,
    };
    let mut next = 0;
    while next < files.len() {
        let joined = SourceText::join(files.clone());
        let (spec, mut found) = syntax::parse_part(&joined, next);
        let mut uses = Vec::new();
        for used in uses_of(&spec) {
            let name = &key(&used.profile.value, &names[next]);
            let span = used.profile.span;
            if let Some(known) = names.iter().position(|other| other == name) {
                if known == next || reaches(&loaded.parts, known, next) {
                    found.push(circle(name, span, &names[next]));
                    loaded.partial = true;
                } else {
                    uses.push(known);
                }
                continue;
            }
            if depths[next] >= MAX_DEPTH {
                found.push(
                    unreadable(name, span, format!("profiles are nested deeper than {MAX_DEPTH}"))
                        .help("join some of them"),
                );
                loaded.partial = true;
                continue;
            }
            match read(name, span, folder) {
                Ok(text) => {
                    loaded.pinned.push(Pinned::new(name.as_str(), &text, span));
                    uses.push(files.len());
                    files.push(text);
                    names.push(name.clone());
                    depths.push(depths[next] + 1);
                }
                Err(finding) => {
                    found.push(*finding);
                    loaded.partial = true;
                }
            }
        }
        loaded.findings.append(&mut found);
        loaded.parts.push(Part { spec, uses });
        next += 1;
    }
    loaded.text = SourceText::join(files);
    loaded
}

/// What a profile is called in the project: the name of a shipped one, or its path from the folder of the spec. A file
/// names others by their paths from its own folder.
fn key(name: &str, user: &str) -> String {
    if shipped(name).is_some() {
        return name.to_owned();
    }
    let plain = name.strip_prefix("./").unwrap_or(name);
    match user.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{plain}"),
        None => plain.to_owned(),
    }
}

fn uses_of(spec: &ast::Spec) -> Vec<&ast::Use> {
    let uses = spec.items.iter().filter_map(|item| match item {
        ast::Item::Use(used) => Some(used),
        _ => None,
    });
    uses.collect()
}

/// Whether one file uses another, by way of others too. Files that were not read yet use nothing.
fn reaches(parts: &[Part], from: usize, to: usize) -> bool {
    let uses = parts.get(from).map(|part| part.uses.as_slice()).unwrap_or_default();
    uses.iter().any(|used| *used == to || reaches(parts, *used, to))
}

fn unreadable(name: &str, span: Span, why: String) -> Finding {
    Finding::new(registry::PROFILE_UNREADABLE, format!("profile \"{name}\" cannot be read: {why}"))
        .at(span, "not read")
}

fn circle(name: &str, span: Span, user: &str) -> Finding {
    let user = if user.is_empty() { "the spec" } else { user };
    unreadable(name, span, format!("`{user}` is used by it, so they use each other in a circle"))
        .help("take one of the `use` lines out")
}

/// The text of a profile: a shipped one, or a file below the project's folder.
fn read(name: &str, span: Span, folder: &Path) -> Result<SourceText, Box<Finding>> {
    if let Some(text) = shipped(name) {
        return Ok(SourceText::new(format!("{name} (shipped)"), text));
    }
    let wrong = |why: String, help: String| Err(Box::new(unreadable(name, span, why).help(help)));
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || name.contains('\\') || name.contains(':') {
        return wrong(
            "it lies outside the project".to_owned(),
            "name a file below the folder of the spec, with its path from the file that uses it".to_owned(),
        );
    }
    let full = folder.join(path);
    let help = || match shipped_like(name) {
        Some(meant) => format!("did this mean \"{meant}\"?"),
        None => format!("looked for `{}`; paths are relative to the file that names them", full.display()),
    };
    let inside = |full: &Path| {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Ok::<bool, std::io::Error>(full.canonicalize()?.starts_with(here.canonicalize()?))
    };
    match inside(&full) {
        Ok(true) => {}
        Ok(false) => {
            return wrong(
                "it lies outside the project".to_owned(),
                "copy it into the project; a link that leads out of it would not be there in CI".to_owned(),
            );
        }
        Err(error) => return wrong(super::failure::why(&error), help()),
    }
    let bytes = match std::fs::read(&full) {
        Ok(bytes) => bytes,
        Err(error) => return wrong(super::failure::why(&error), help()),
    };
    match SourceText::from_bytes(full.display().to_string(), &bytes) {
        Ok(text) => Ok(text),
        Err(crate::lang::text::TextError::NotUtf8 { line, .. }) => {
            wrong(format!("it is not UTF-8, on line {line}"), "save the file as UTF-8".to_owned())
        }
        Err(crate::lang::text::TextError::TooLarge { bytes }) => {
            wrong(format!("it has {bytes} bytes; 4 MiB are read at most"), "split it".to_owned())
        }
    }
}

/// Compares the profiles with `b2n.lock`; what is wrong with that file itself is the second.
pub fn check_lock(
    loaded: &Loaded,
    folder: &Path,
    spec: &str,
) -> (Vec<Finding>, Option<(SourceText, Vec<Finding>)>) {
    if loaded.pinned.is_empty() {
        return (Vec::new(), None);
    }
    let (lock, own) = read_lock(folder);
    (lock.check(&loaded.pinned, spec), own.filter(|(_, findings)| !findings.is_empty()))
}

fn read_lock(folder: &Path) -> (Lock, Option<(SourceText, Vec<Finding>)>) {
    let path = folder.join(LOCK);
    let Ok(bytes) = std::fs::read(&path) else { return (Lock::default(), None) };
    let shown = path.display().to_string();
    match SourceText::from_bytes(shown.as_str(), &bytes) {
        Ok(text) => {
            let (lock, findings) = Lock::read(&text);
            (lock, Some((text, findings)))
        }
        Err(_) => {
            let finding = Finding::new(registry::PROFILE_CHANGED, format!("`{shown}` cannot be read"))
                .help("write the file again with `b2n check --update-lock SPEC`");
            (Lock::default(), Some((SourceText::new(shown, ""), vec![finding])))
        }
    }
}

/// Pins the profiles of a spec; `true` where the file changed.
pub fn update_lock(spec: &Path) -> Result<bool, Failure> {
    let folder = spec.parent().unwrap_or(Path::new(""));
    let Ok(text) = super::project::read_text(spec)? else { return Ok(false) };
    let loaded = load(text, folder);
    if loaded.pinned.is_empty() {
        return Ok(false);
    }
    let (mut lock, old) = read_lock(folder);
    lock.pin(&loaded.pinned);
    let text = lock.write();
    if old.is_some_and(|(old, _)| old.text() == text) {
        return Ok(false);
    }
    let path = folder.join(LOCK);
    if path.exists() {
        super::fmt::replace(&path, &text)?;
    } else {
        std::fs::write(&path, text).map_err(|error| Failure::file(&path, &error))?;
    }
    Ok(true)
}

/// Accepted findings, a line each.
pub fn accepted_lines(accepted: &[Accepted], text: &SourceText) -> String {
    let line = |accepted: &Accepted| {
        format!(
            "accepted {} until {} by {}: {} ({}: {})\n",
            accepted.finding.code,
            accepted.until,
            accepted.by,
            accepted.because,
            place(text, accepted.finding.label.as_ref().map_or(accepted.span, |label| label.span)),
            accepted.finding.message
        )
    };
    accepted.iter().map(line).collect()
}

/// The same for programs.
pub fn accepted_json(accepted: &[Accepted], text: &SourceText) -> Vec<Value> {
    let row = |accepted: &Accepted| {
        json!({
            "code": accepted.finding.code, "message": accepted.finding.message,
            "at": accepted.finding.label.as_ref().map(|label| place(text, label.span)),
            "acceptance": place(text, accepted.span), "until": accepted.until.to_string(),
            "by": accepted.by, "because": accepted.because,
        })
    };
    accepted.iter().map(row).collect()
}

/// The same for the document that a customer signs, which names no folder of this machine.
pub fn agreed(accepted: &[Accepted], text: &SourceText) -> Vec<Agreed> {
    let row = |accepted: &Accepted| {
        let span = accepted.finding.label.as_ref().map_or(accepted.span, |label| label.span);
        let (file, span) = text.local(span);
        let name = file.name().rsplit(['/', '\\']).next().unwrap_or_default();
        Agreed {
            what: accepted.finding.message.clone(),
            code: accepted.finding.code.to_string(),
            place: format!("{name}, line {}", file.position(span.start).line),
            because: accepted.because.clone(),
            by: accepted.by.clone(),
            until: accepted.until.to_string(),
        }
    };
    accepted.iter().map(row).collect()
}

fn place(text: &SourceText, span: Span) -> String {
    let (file, span) = text.local(span);
    format!("{}:{}", file.name(), file.position(span.start).line)
}

/// Who overrides what, for `--explain-profile`.
pub struct Explained {
    pub text: SourceText,
    pub layers: Vec<Layer>,
    pub inactive: Vec<Inactive>,
}

impl Explained {
    fn place(&self, span: Span) -> String {
        place(&self.text, span)
    }

    fn gone(&self, layer: &Layer) -> Vec<&Inactive> {
        let spans = [Some(layer.at), layer.base];
        let within = |inactive: &&Inactive| {
            spans.iter().flatten().any(|span| span.start <= inactive.at.start && inactive.at.end <= span.end)
        };
        self.inactive.iter().filter(within).collect()
    }

    /// For people: a line per item, and below it a line per line that is not simply the profile's.
    pub fn human(&self) -> String {
        let mut out = String::new();
        let width = self.layers.iter().map(|layer| layer.item.chars().count()).max().unwrap_or(0);
        for layer in &self.layers {
            let base =
                layer.base.map(|base| format!(", instead of {}", self.place(base))).unwrap_or_default();
            let base =
                if layer.how == profile::How::Refined { base.replace("instead of", "on") } else { base };
            let pad = " ".repeat(width.saturating_sub(layer.item.chars().count()));
            out.push_str(&format!(
                "{}{pad}  {:<10}  {}{base}\n",
                layer.item,
                layer.how.word(),
                self.place(layer.at)
            ));
            for line in &layer.lines {
                let base = line.base.map(|base| format!(", instead of {}", self.place(base)));
                out.push_str(&format!(
                    "    {:<9} {}  ({}{})\n",
                    line.how.word(),
                    line.what,
                    self.place(line.at),
                    base.unwrap_or_default()
                ));
            }
            for gone in self.gone(layer) {
                out.push_str(&format!(
                    "    {:<9} {}  ({}): {}\n",
                    "inactive",
                    gone.what,
                    self.place(gone.at),
                    gone.why
                ));
            }
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let items: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                let lines: Vec<Value> = layer
                    .lines
                    .iter()
                    .map(|line| {
                        json!({
                            "line": line.what, "from": line.how.word(), "at": self.place(line.at),
                            "instead_of": line.base.map(|base| self.place(base)),
                            "counts": line.how != LineHow::Removed,
                        })
                    })
                    .collect();
                let inactive: Vec<Value> = self
                    .gone(layer)
                    .iter()
                    .map(|gone| json!({"line": gone.what, "at": self.place(gone.at), "why": gone.why}))
                    .collect();
                json!({
                    "item": layer.item, "from": layer.how.word(), "at": self.place(layer.at),
                    "instead_of": layer.base.map(|base| self.place(base)),
                    "lines": lines, "inactive": inactive,
                })
            })
            .collect();
        json!({"format": "b2n-profile/1", "spec": self.text.name(), "items": items})
    }
}
