//! The log file, read back.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use serde_json::{Map, Value};
use tracing::Level;

use super::file::previous;

/// One line of the log.
#[derive(Debug, Clone)]
pub struct Line {
    /// As it stands in the file.
    pub text: String,
    fields: Map<String, Value>,
}

impl Line {
    /// None if it is not a line that the log wrote, the half of one that a crash left for instance.
    fn parse(text: &str) -> Option<Self> {
        let fields = serde_json::from_str(text).ok()?;
        Some(Self { text: text.into(), fields })
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        Level::from_str(self.field("level")).unwrap_or(Level::ERROR)
    }
}

/// For people: time, level, what happened, and the details as `name=value`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Control characters of whatever a component or a peer had logged must not reach a terminal.
        let plain = |text: &str| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
        write!(f, "{} {:>5} {}", self.field("timestamp"), self.field("level"), plain(self.field("message")))?;
        for (name, value) in &self.fields {
            match (name.as_str(), value) {
                ("timestamp" | "level" | "message" | "target", _) => {}
                (name, Value::String(text)) => write!(f, " {name}={}", plain(text))?,
                (name, value) => write!(f, " {name}={value}")?,
            }
        }
        Ok(())
    }
}

/// The last `count` lines from `level` on, oldest first, with those of the file before this one if they are needed.
///
/// # Errors
/// What the system says. A log that does not exist is an empty one.
pub fn last_lines(path: &Path, count: usize, level: Level) -> io::Result<Vec<Line>> {
    let mut last = VecDeque::new();
    for path in [previous(path), path.to_path_buf()] {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        for text in BufReader::new(file).split(b'\n') {
            let Some(line) = Line::parse(&String::from_utf8_lossy(&text?)) else { continue };
            // More important is smaller.
            if line.level() <= level {
                last.push_back(line);
                if last.len() > count {
                    last.pop_front();
                }
            }
        }
    }
    Ok(last.into())
}

/// Reads the lines that are added to a log after it was made, over the change to a new file.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    open: Option<BufReader<File>>,
    unfinished: Vec<u8>,
}

impl Reader {
    /// At the present end of the log at `path`.
    ///
    /// # Errors
    /// What the system says.
    pub fn at_end(path: &Path) -> io::Result<Self> {
        let open = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(BufReader::new(file?)),
        };
        let mut reader = Self { path: path.into(), open, unfinished: Vec::new() };
        if let Some(file) = &mut reader.open {
            io::Seek::seek(file, io::SeekFrom::End(0))?;
        }
        Ok(reader)
    }

    /// What has been added since the last call. Does not wait.
    ///
    /// # Errors
    /// What the system says.
    pub fn added(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        self.read_rest(&mut lines)?;
        let current = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(lines),
            file => file?,
        };
        let replaced = match &self.open {
            None => true,
            Some(open) => open.get_ref().metadata()?.ino() != current.metadata()?.ino(),
        };
        if replaced {
            // What was added to the old file between the two looks.
            self.read_rest(&mut lines)?;
            self.open = Some(BufReader::new(current));
            self.unfinished.clear();
            self.read_rest(&mut lines)?;
        }
        Ok(lines)
    }

    fn read_rest(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        let Some(file) = &mut self.open else { return Ok(()) };
        while file.read_until(b'\n', &mut self.unfinished)? > 0 {
            if self.unfinished.ends_with(b"\n") {
                lines.extend(Line::parse(&String::from_utf8_lossy(&self.unfinished)));
                self.unfinished.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn line(level: &str, message: &str) -> String {
        format!("{{\"timestamp\":\"2026-01-01T00:00:00Z\",\"level\":\"{level}\",\"message\":\"{message}\",\"process\":\"a:b:c\",\"target\":\"transship\"}}\n")
    }

    #[test]
    fn the_last_lines_come_from_both_files_and_by_level() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        assert!(last_lines(&path, 10, Level::TRACE).unwrap().is_empty());
        fs::write(previous(&path), line("INFO", "one") + &line("WARN", "two")).unwrap();
        fs::write(&path, line("DEBUG", "three") + "{\"half" + "\n" + &line("ERROR", "four")).unwrap();
        let messages = |count, level| last_lines(&path, count, level).unwrap().iter().map(|l| l.field("message").to_owned()).collect::<Vec<_>>();
        assert_eq!(messages(3, Level::TRACE), ["two", "three", "four"]);
        assert_eq!(messages(10, Level::WARN), ["two", "four"]);
    }

    #[test]
    fn a_line_is_readable_and_can_not_steer_the_terminal() {
        let parsed = Line::parse(line("INFO", "red \\u001b[31m").trim()).unwrap();
        assert_eq!(parsed.to_string(), "2026-01-01T00:00:00Z  INFO red \u{fffd}[31m process=a:b:c");
    }

    #[test]
    fn following_goes_on_in_the_new_file_and_loses_nothing() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        fs::write(&path, line("INFO", "old")).unwrap();
        let mut reader = Reader::at_end(&path).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        let (text, half) = (line("INFO", "two"), 20);
        file.write_all(line("INFO", "one").as_bytes()).unwrap();
        file.write_all(&text.as_bytes()[..half]).unwrap();
        let messages = |reader: &mut Reader| reader.added().unwrap().iter().map(|l| l.field("message").to_owned()).collect::<Vec<_>>();
        assert_eq!(messages(&mut reader), ["one"]);
        file.write_all(&text.as_bytes()[half..]).unwrap();
        fs::rename(&path, previous(&path)).unwrap();
        fs::write(&path, line("INFO", "three")).unwrap();
        assert_eq!(messages(&mut reader), ["two", "three"]);
        assert!(messages(&mut reader).is_empty());
    }
}
