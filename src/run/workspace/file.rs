//! Files that hold personal data: their owner's alone whatever the umask says, and overwritten before they go.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// The mode of files that hold personal data.
pub(super) const PRIVATE: u32 = 0o600;

/// A file that is made gets this mode, or less.
pub(super) fn create_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// Gives a file this very mode.
pub(super) fn set_mode(file: &File, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = (file, mode);
    Ok(())
}

/// Makes an empty file that is its owner's alone; fails where there is one.
pub(super) fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let file = create_mode(options.read(true).write(true).create_new(true), PRIVATE).open(path)?;
    set_mode(&file, PRIVATE)?;
    Ok(file)
}

/// Takes away what others may do with a file, such as one that was copied from elsewhere.
pub(super) fn keep_private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o700))?;
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// A path with something after its name: `acme.b2nw` and `-wal`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Overwrites a file with zeros, to the disk. What the file system or the disk keep of it elsewhere is out of reach.
pub(super) fn overwrite(path: &Path) -> std::io::Result<()> {
    static ZEROS: [u8; 65_536] = [0; 65_536];
    let mut file = OpenOptions::new().write(true).open(path)?;
    let mut left = file.metadata()?.len();
    file.rewind()?;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
        file.write_all(&ZEROS[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

/// Overwrites a file and removes it; whether there was one.
pub(super) fn shred(path: &Path) -> std::io::Result<bool> {
    match overwrite(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    }
    std::fs::remove_file(path)?;
    Ok(true)
}

/// Makes renames and removals in the folder of a file durable.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
