//! Locks between processes: the system's own, on a file that stays. One that dies lets go of its lock.
//!
//! A lock file holds the number of the process that has it, for people, and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::file::{PRIVATE, create_mode};

/// A lock that is held until this is dropped, or the process ends however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// What trying to take a lock came to.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Mine(Lock),
    /// Another process has it; its number, where it can be told.
    Others(Option<u32>),
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who looks into a file that nobody holds should find nobody in it.
        let _ = self.file.set_len(0);
    }
}

/// Takes the lock of a file that is its owner's alone, such as that of a workspace.
///
/// # Errors
/// A lock file that cannot be made.
pub fn private_lock(path: &Path) -> std::io::Result<Taken> {
    take(open(path, PRIVATE)?)
}

/// Takes a lock that all users of this machine share, by a name of letters, digits, `-` and `.`.
///
/// # Errors
/// A lock file that cannot be made, or something else in its place.
pub fn machine_lock(name: &str) -> std::io::Result<Taken> {
    let path = machine_folder().join(name);
    // Others may put anything into a folder that all users share: a link there must not lead us to write elsewhere.
    match std::fs::symlink_metadata(&path) {
        Ok(found) if !found.file_type().is_file() => {
            let why = format!("`{}` is no lock file: remove it", path.display());
            return Err(std::io::Error::new(ErrorKind::AlreadyExists, why));
        }
        _ => {}
    }
    take(open(&path, 0o666)?)
}

/// Where the locks stand that all users of this machine share. Not where `TMPDIR` says: two processes with two of
/// them must still see each other.
pub fn machine_folder() -> PathBuf {
    if cfg!(unix) { PathBuf::from("/tmp") } else { std::env::temp_dir() }
}

/// Opens a lock file, making it where there is none. One that another user made can be locked without being written.
fn open(path: &Path, mode: u32) -> std::io::Result<File> {
    let written = OpenOptions::new().read(true).write(true).open(path);
    match written {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied && mode != PRIVATE => {
            return OpenOptions::new().read(true).open(path);
        }
        other => return other,
    }
    let made = create_mode(OpenOptions::new().read(true).write(true).create_new(true), mode).open(path);
    match made {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path)
        }
        made => {
            let file = made?;
            super::file::set_mode(&file, mode)?;
            Ok(file)
        }
    }
}

fn take(mut file: File) -> std::io::Result<Taken> {
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => {
            // Told to people only: a file that cannot be written is locked all the same.
            let _ = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| write!(file, "{}", std::process::id()))
                .and_then(|()| file.flush());
            Ok(Taken::Mine(Lock { file }))
        }
        Err(fs4::TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.take(32).read_to_string(&mut text);
            Ok(Taken::Others(read.ok().and_then(|_| text.trim().parse().ok())))
        }
        Err(fs4::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_a_lock_ends_with_its_holder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x-lock");
        let Ok(Taken::Mine(lock)) = private_lock(&path) else { panic!("not taken") };
        match private_lock(&path).expect("tries") {
            Taken::Others(Some(pid)) => assert_eq!(pid, std::process::id()),
            other => panic!("{other:?}"),
        }
        drop(lock);
        assert_eq!(std::fs::read_to_string(&path).expect("stays"), "");
        // What a dead process left in it means nothing.
        std::fs::write(&path, "4194303").expect("writes");
        assert!(matches!(private_lock(&path).expect("tries"), Taken::Mine(_)));
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_of_the_machine_is_shared_and_never_follows_a_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let name = format!("b2n-test-{}.lock", std::process::id());
        let path = machine_folder().join(&name);
        let Ok(Taken::Mine(lock)) = machine_lock(&name) else { panic!("not taken") };
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o666, "another user could not lock it");
        drop(lock);
        // As another user's: readable only.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).expect("changes");
        let Ok(Taken::Mine(lock)) = machine_lock(&name) else { panic!("not taken") };
        assert!(matches!(machine_lock(&name).expect("tries"), Taken::Others(_)));
        drop(lock);
        std::fs::remove_file(&path).expect("is removed");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious").expect("writes");
        symlink(&victim, &path).expect("links");
        let refused = machine_lock(&name);
        std::fs::remove_file(&path).expect("is removed");
        assert!(refused.is_err());
        assert_eq!(std::fs::read_to_string(&victim).expect("reads"), "precious");
    }
}
