//! Snapshots as they were read before, in the user's cache folder, so that a check need not read YAML again.
//!
//! Holds schemas only: no records, no addresses, nothing secret. A cache that cannot be read or written is no cache;
//! nothing ever fails because of it. What an entry holds is checked by whoever unpacks it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most entries that are kept; the oldest go first.
const MAX_ENTRIES: usize = 64;

/// The most bytes that are kept.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What names of entries end in; nothing else in the folder is touched.
const ENDING: &str = "schema";

/// A folder of entries, or none.
#[derive(Clone, Debug)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// No cache: nothing is found and nothing is kept.
    pub fn none() -> Cache {
        Cache(None)
    }

    /// The folder that `B2N_CACHE_DIR` names, or the platform's; none where `B2N_CACHE_DIR` is set and empty.
    pub fn from_environment() -> Cache {
        Cache(match std::env::var_os("B2N_CACHE_DIR") {
            Some(folder) => (!folder.is_empty()).then(|| PathBuf::from(folder)),
            // What a program under development would keep could be wrong tomorrow under the same version.
            None if cfg!(debug_assertions) => None,
            None => platform(|name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)),
        })
    }

    /// The bytes under a key.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path(key)?).ok()
    }

    /// Keeps bytes under a key, and lets old entries go.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        let (Some(folder), Some(path)) = (&self.0, self.path(key)) else { return };
        if keep(folder, &path, bytes).is_ok() {
            prune(folder, &path);
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.0.as_ref()?.join(format!("{key}.{ENDING}")))
    }
}

/// Where caches belong: `XDG_CACHE_HOME` or `~/.cache`; `~/Library/Caches` and `%LOCALAPPDATA%` elsewhere.
fn platform(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let folder = if cfg!(windows) {
        variable("LOCALAPPDATA")?.join("b2n").join("cache")
    } else if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library/Caches/b2n")
    } else {
        // The standard has a relative path ignored.
        let xdg = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        xdg.or_else(|| Some(variable("HOME")?.join(".cache")))?.join("b2n")
    };
    folder.is_absolute().then_some(folder)
}

/// Writes beside the entry and renames, readable by the user alone.
fn keep(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    make(folder)?;
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Lets the oldest entries go until both bounds hold; the one just written stays.
fn prune(folder: &Path, kept: &Path) {
    let Ok(found) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<(SystemTime, u64, PathBuf)> = found
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let ours = path.extension().is_some_and(|ending| ending == ENDING || ending == "tmp");
            let meta = path.symlink_metadata().ok().filter(|meta| ours && meta.is_file())?;
            Some((meta.modified().ok()?, meta.len(), path))
        })
        .collect();
    entries.sort();
    let mut bytes: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
    let mut count = entries.len();
    for (_, size, path) in entries {
        if count <= MAX_ENTRIES && bytes <= MAX_BYTES {
            return;
        }
        if path != kept && std::fs::remove_file(&path).is_ok() {
            (count, bytes) = (count - 1, bytes - size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_got_by_the_user_alone_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("a/b");
        let cache = Cache(Some(inner.clone()));
        assert_eq!(cache.get("k"), None);
        cache.put("k", b"one");
        cache.put("k", b"two");
        assert_eq!(cache.get("k").as_deref(), Some(&b"two"[..]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| path.metadata().expect("is there").permissions().mode() & 0o777;
            assert_eq!((mode(&inner), mode(&inner.join("k.schema"))), (0o700, 0o600));
        }
        std::fs::write(inner.join("foreign.txt"), "x").expect("writes");
        let old = SystemTime::UNIX_EPOCH;
        std::fs::File::options()
            .write(true)
            .open(inner.join("k.schema"))
            .and_then(|file| file.set_modified(old))
            .expect("sets the time");
        for n in 0..MAX_ENTRIES {
            cache.put(&format!("n{n}"), b"x");
        }
        assert_eq!(cache.get("k"), None, "the oldest is gone");
        assert!(cache.get("n0").is_some() && inner.join("foreign.txt").exists());
        assert_eq!(Cache::none().get("n0"), None);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_failure() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("writes");
        let cache = Cache(Some(file.join("below")));
        cache.put("k", b"x");
        assert_eq!(cache.get("k"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_folder_follows_the_standard() {
        let with = |set: &[(&str, &str)]| {
            platform(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value))
            })
        };
        assert_eq!(with(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Some(PathBuf::from("/c/b2n")));
        assert_eq!(with(&[("XDG_CACHE_HOME", "c"), ("HOME", "/h")]), Some(PathBuf::from("/h/.cache/b2n")));
        assert_eq!(with(&[("HOME", "h")]), None);
        assert_eq!(with(&[]), None);
    }
}
