//! A file that is its owner's alone and takes its name only when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// A file under way.
pub struct Fresh {
    path: PathBuf,
    beside: PathBuf,
    out: BufWriter<File>,
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
        Ok(Fresh { path: path.to_owned(), beside, out: BufWriter::new(file) })
    }

    /// Adds to it.
    pub fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).map_err(|error| Failure::file(&self.path, &error))
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<(), Failure> {
        let done = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        done.and_then(|()| std::fs::rename(&self.beside, &self.path))
            .map_err(|error| Failure::file(&self.path, &error))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Renamed when it was finished; else half a file is nobody's use.
        let _ = std::fs::remove_file(&self.beside);
    }
}
