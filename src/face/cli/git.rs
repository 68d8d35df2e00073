//! A spec as it was in a commit: `REV:PATH` as git writes it, with the files that the spec names.
//!
//! Reads objects only (`rev-parse`, `cat-file`): no hook, filter or work tree is touched, and nothing is fetched.

use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lang::syntax::{self, ast};
use crate::lang::text::SourceText;

use super::failure::Failure;

/// A folder that is gone with the value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed holds no more than the repository does.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The files of one version, written out for reading.
#[derive(Debug)]
pub struct Checkout {
    folder: Folder,
    /// The spec in it.
    pub spec: PathBuf,
    /// What stands before a file's path in it, for people: `main:customers/acme/`.
    shown: String,
}

impl Checkout {
    /// A file's name for people.
    pub fn name(&self, path: &str) -> String {
        let root = format!("{}{}", self.folder.0.display(), std::path::MAIN_SEPARATOR);
        path.strip_prefix(&root).map_or_else(|| path.to_owned(), |rest| format!("{}{rest}", self.shown))
    }
}

/// Splits `REV:PATH`; `None` for the path of a file.
pub fn revision(argument: &str) -> Option<(&str, &str)> {
    if Path::new(argument).exists() {
        return None;
    }
    let (revision, path) = argument.split_once(':')?;
    (!revision.is_empty() && !path.is_empty()).then_some((revision, path))
}

/// Writes a spec of a commit, its snapshots, profiles and lock into a folder of their own.
pub fn checkout(revision: &str, path: &str) -> Result<Checkout, Failure> {
    if revision.starts_with('-') {
        return Err(
            Failure::usage(format!("`{revision}` is no revision")).hint("name a branch, tag or commit")
        );
    }
    let commit =
        text(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")])
            .map_err(|why| {
                Failure::usage(format!(
                    "`{revision}:{path}` is no file, and git knows no revision `{revision}`: {why}"
                ))
                .hint(
                    "name a file, or a revision and a path from the repository's root, such as main:acme.b2n",
                )
            })?;
    let inside = if path.starts_with("./") || path.starts_with("../") {
        let prefix = text(&["rev-parse", "--show-prefix"]).unwrap_or_default();
        normal(&Path::new(&prefix).join(path))
    } else {
        normal(Path::new(path))
    };
    let Some(inside) = inside else {
        return Err(Failure::usage(format!("`{path}` leads out of the repository")));
    };
    let (parent, file) = match inside.rsplit_once('/') {
        Some((parent, file)) => (format!("{parent}/"), file.to_owned()),
        None => (String::new(), inside.clone()),
    };
    let bytes = blob(&commit, &inside).ok_or_else(|| {
        Failure::usage(format!("`{revision}` has no file `{inside}`"))
            .hint("paths stand as seen from the repository's root; `./` before them means this folder")
    })?;
    let folder = folder()?;
    let spec = folder.0.join(&file);
    let checkout = Checkout { folder, spec, shown: format!("{revision}:{parent}") };
    write(&checkout.spec, &bytes)?;
    let mut wanted = named(&file, &bytes);
    wanted.push(("b2n.lock".to_owned(), false));
    let mut seen = std::collections::BTreeSet::from([file]);
    while let Some((name, is_spec)) = wanted.pop() {
        let Some(name) = normal(Path::new(&name)) else { continue };
        if !seen.insert(name.clone()) || seen.len() > 64 {
            continue;
        }
        let Some(bytes) = blob(&commit, &format!("{parent}{name}")) else { continue };
        write(&checkout.folder.0.join(&name), &bytes)?;
        if is_spec {
            wanted.extend(named(&name, &bytes));
        }
    }
    Ok(checkout)
}

/// The files that a spec or profile names, relative to the spec's folder, and whether each is a profile.
fn named(name: &str, bytes: &[u8]) -> Vec<(String, bool)> {
    let Ok(text) = SourceText::from_bytes(name.to_owned(), bytes) else { return Vec::new() };
    let (spec, _) = syntax::parse(&text);
    spec.items
        .iter()
        .filter_map(|item| match item {
            ast::Item::Source(system) | ast::Item::Target(system) => {
                Some((system.snapshot.value.clone(), false))
            }
            ast::Item::Use(profile) => Some((profile.profile.value.clone(), true)),
            _ => None,
        })
        .collect()
}

/// A relative path without `.` and `..`; `None` for one that leads outside.
fn normal(path: &Path) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?.to_owned()),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn git(arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("git")
        .args(arguments)
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(why.lines().next().unwrap_or("it names nothing here").to_owned())
}

fn text(arguments: &[&str]) -> Result<String, String> {
    git(arguments).map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// The bytes of a file of a commit.
fn blob(commit: &str, path: &str) -> Option<Vec<u8>> {
    git(&["cat-file", "blob", &format!("{commit}:{path}")]).ok()
}

fn folder() -> Result<Folder, Failure> {
    let temporary = std::env::temp_dir();
    for attempt in 0..100 {
        let path = temporary.join(format!("b2n-{}-{attempt}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        match builder.create(&path) {
            Ok(()) => return Ok(Folder(path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::file(&path, &error)),
        }
    }
    Err(Failure::outside(format!("no folder can be made in `{}`", temporary.display())))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Failure::file(parent, &error))?;
    }
    std::fs::write(path, bytes).map_err(|error| Failure::file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(normal(Path::new("a/./b/../c.b2n")), Some("a/c.b2n".to_owned()));
        assert_eq!(normal(Path::new("../c.b2n")), None);
        assert_eq!(normal(Path::new("a/../../c.b2n")), None);
        assert_eq!(normal(Path::new("/etc/passwd")), None);
    }

    #[test]
    fn a_revision_is_told_from_a_file() {
        assert_eq!(revision("main:acme.b2n"), Some(("main", "acme.b2n")));
        assert_eq!(revision("HEAD~2:./acme.b2n"), Some(("HEAD~2", "./acme.b2n")));
        assert_eq!(revision("acme.b2n"), None);
        assert_eq!(revision(":acme.b2n"), None);
        assert_eq!(revision("Cargo.toml"), None);
    }
}
