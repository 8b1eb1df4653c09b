//! What goes to the terminal: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::error::{CliError, Kind};

/// How the person wants to be told.
#[derive(Debug)]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
}

impl Ui {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    pub(crate) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Writes a line of the result. When nobody reads it any more, that is the end, and no failure.
    pub(crate) fn line(&self, text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| Self::output(&error))
    }

    /// Writes bytes of the result as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| Self::output(&error))
    }

    /// What it means that standard output failed.
    pub(crate) fn output(error: &io::Error) -> CliError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::named(Kind::OutputClosed, "output-closed", "nobody reads the output any more".into()),
            _ => CliError::io("standard output".as_ref(), error),
        }
    }

    /// Writes an object of the result.
    pub(crate) fn object(&self, object: &Value) -> Result<(), CliError> {
        self.line(&object.to_string())
    }

    /// The result in either form.
    pub(crate) fn result(&self, object: &Value, text: &str) -> Result<(), CliError> {
        if self.json { self.object(object) } else { self.line(text) }
    }

    /// Says that something was done, to whoever wants to hear it.
    pub(crate) fn done(&self, object: &Value, text: &str) -> Result<(), CliError> {
        if self.json {
            self.object(object)
        } else if self.quiet {
            Ok(())
        } else {
            self.line(text)
        }
    }

    /// Says something beside the result.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            aside(text);
        }
    }

    /// Whether a bar that moves has a place.
    pub(crate) fn can_draw(&self) -> bool {
        !self.json && !self.quiet && io::stderr().is_terminal()
    }

    /// Tells an error, once.
    pub(crate) fn tell(&self, error: &mut CliError) {
        if error.kind != Kind::OutputClosed && !error.told {
            if self.json {
                let object = json!({"event": "failed", "error": error.name, "message": error.message, "hint": error.hint, "code": error.kind.code()});
                let _ = self.object(&object);
            }
            let _ = writeln!(io::stderr().lock(), "{error}");
        }
        error.told = true;
    }

    /// Tells the error, unless that was done, and gives the exit code.
    pub(crate) fn failed(&self, mut error: CliError) -> ExitCode {
        self.tell(&mut error);
        ExitCode::from(error.kind.code())
    }
}

/// Writes a line beside the result. Nothing depends on whether somebody reads it.
pub(crate) fn aside(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Rows as columns, aligned; the last column is as wide as it is. Columns named in `right` are aligned to the right.
pub(crate) fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if right.contains(&column) {
                format!("{cell:>width$}")
            } else if column + 1 == row.len() {
                cell.clone()
            } else {
                format!("{cell:<width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_the_last_has_no_spaces_behind_it() {
        let rows = [vec!["1".to_owned(), "é".into(), "x".into()], vec!["100".into(), "abc".into(), "yy".into()]];
        assert_eq!(table(&rows, &[0]), ["  1  é    x", "100  abc  yy"]);
        assert!(table(&[], &[]).is_empty());
    }
}
