//! The tools that make components: finding them, running them, and saying what is lacking.

use std::env;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Job;
use crate::cli::error::{CliError, Kind};
use crate::cli::text::plain;
use crate::cli::ui::aside;

/// Looks for a program in these folders, then where the shell looks.
pub(super) fn find(name: &str, first: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = first.iter().cloned().chain(env::split_paths(&path));
    places.map(|place| place.join(format!("{name}{}", env::consts::EXE_SUFFIX))).find(|program| program.is_file())
}

/// A tool that is not there.
pub(super) fn missing(job: &Job<'_>, name: &str, hint: impl Into<String>) -> CliError {
    CliError::named(Kind::NotFound, "missing-tool", format!("{} is built with {name}, which is not installed here", job.file)).hint(hint)
}

/// Runs a tool to its end. What it says is shown if it fails; at once, if the person wants to hear more.
pub(super) fn run(job: &Job<'_>, command: &mut Command) -> Result<(), CliError> {
    let program = Path::new(command.get_program()).to_owned();
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let io = |error| CliError::io(&program, &error);
    // One file for both, so that the lines are in the order in which they were said.
    let mut said = tempfile::tempfile().map_err(io)?;
    if !job.verbose {
        // What the person did wrong is asked for, not where the tool noticed.
        command.env("RUST_BACKTRACE", "0");
        command.stdout(said.try_clone().map_err(io)?).stderr(said.try_clone().map_err(io)?);
    }
    let status = command.stdin(std::process::Stdio::null()).status().map_err(io)?;
    if status.success() {
        return Ok(());
    }
    let mut text = Vec::new();
    said.rewind().and_then(|()| said.read_to_end(&mut text)).map_err(io)?;
    String::from_utf8_lossy(&text).lines().for_each(|line| aside(&plain(line)));
    Err(CliError::named(Kind::Other, "build-failed", format!("{} was not built: {name} failed ({status})", job.file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_given_folders_first_and_one_that_is_not_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(format!("sh{}", env::consts::EXE_SUFFIX));
        std::fs::write(&own, "").unwrap();
        assert_eq!(find("sh", &[folder.path().to_owned()]), Some(own));
        assert_eq!(find("no-such-program-anywhere", &[]), None);
    }
}
