//! A file that is its owner's alone and takes its name only when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// A file under way.
pub struct Fresh {
    path: PathBuf,
    beside: PathBuf,
    /// `None` once all of it is on the disk.
    out: Option<BufWriter<File>>,
}

impl Fresh {
    /// Begins a file; one that has the name already stays until this one is whole.
    pub fn create(path: &Path) -> Result<Fresh, Failure> {
        let name = path.file_name().ok_or_else(|| {
            Failure::usage(format!("`{}` names no file", path.display()))
                .hint("add a file name, such as books.csv")
        })?;
        let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&beside).map_err(|error| Failure::file(path, &error))?;
        Ok(Fresh { path: path.to_owned(), beside, out: Some(BufWriter::new(file)) })
    }

    /// Adds to it.
    pub fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.out.as_mut().map_or(Ok(()), |out| out.write_all(text.as_bytes()));
        written.map_err(|error| Failure::file(&self.path, &error))
    }

    /// Brings it to the disk, whole and without its name yet; nothing can be added any more.
    pub fn close(&mut self) -> Result<(), Failure> {
        let Some(mut out) = self.out.take() else { return Ok(()) };
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(|error| Failure::file(&self.path, &error))
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.close()?;
        std::fs::rename(&self.beside, &self.path).map_err(|error| Failure::file(&self.path, &error))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Renamed when it was finished; else half a file is nobody's use.
        let _ = std::fs::remove_file(&self.beside);
    }
}
