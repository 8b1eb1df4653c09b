//! A file that is put aside when it is full.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How large the log becomes before it is put aside: a few hours of a busy node, and quick to search.
pub const MAX_FILE: u64 = 10 << 20;

/// Where the log before this one is.
pub(super) fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl RotatingFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, MAX_FILE)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        let file = append_to(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.into(), file, written, limit })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        fs::rename(&self.path, previous(&self.path))?;
        self.file = append_to(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o600).open(path)
}

impl Write for RotatingFile {
    /// Takes whole lines: `tracing-subscriber` writes one event at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + line.len() as u64 > self.limit {
            self.turn_over()?;
        }
        self.file.write_all(line)?;
        self.written += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_two_remain_whatever_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        let mut file = RotatingFile::with_limit(&path, 100).unwrap();
        for number in 0..50 {
            writeln!(file, "line number {number:02}").unwrap();
        }
        let (now, before) = (fs::read_to_string(&path).unwrap(), fs::read_to_string(previous(&path)).unwrap());
        assert!(now.len() <= 100 && before.len() <= 100 && now.ends_with("line number 49\n"), "{now}");
        assert!(before.lines().chain(now.lines()).all(|line| line.starts_with("line number ")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        for _ in 0..2 {
            RotatingFile::with_limit(&path, 100).unwrap().write_all(b"line\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "line\nline\n");
    }
}
