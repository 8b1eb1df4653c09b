//! Where packages are: inside this program, or in the home's folder for them, in files of any name.

use std::path::Path;

use transship::control::{ControlClient, ControlError};
use transship::home::Home;
use transship::message::PackageId;
use transship::package::ready::ReadyError;
use transship::package::shelf::{Placed, Shelf, ShelfError};
use transship::package::{Package, PackageError};

use crate::cli::error::{CliError, Kind};
use crate::cli::text::{plain, quoted};

/// All of a home, those of the program first; and what is wrong with files that are none.
pub(super) fn all(home: &Home) -> Result<(Shelf, Vec<CliError>), CliError> {
    let shelf = Shelf::read(home)?;
    let wrong = |(path, error): &(std::path::PathBuf, PackageError)| failed(error).hint(format!("the node leaves it out; remove it with: rm {}", quoted(path)));
    let wrong = shelf.wrong.iter().map(wrong).collect();
    Ok((shelf, wrong))
}

/// The package of this id, or of this name if no other has it.
pub(super) fn find<'a>(shelf: &'a Shelf, typed: &str) -> Result<&'a Placed, CliError> {
    let mut named = shelf.packages.iter().filter(|placed| placed.id() == typed || placed.package.manifest().name == typed);
    match (named.next(), named.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            Err(CliError::usage(format!("several packages are named '{}'", plain(typed))).hint("write NAME:PUBLISHER, as `transship package list` shows them"))
        }
        (None, _) => Err(unknown(typed)),
    }
}

fn unknown(typed: &str) -> CliError {
    CliError::named(Kind::NotFound, "unknown-package", format!("this node has no package '{}'", plain(typed)))
        .hint("`transship package list` shows those it has")
}

/// Reads a package from a file or a folder.
pub(crate) fn read(path: &Path) -> Result<Package, CliError> {
    match Package::read(path) {
        Ok(package) => Ok(package),
        Err(PackageError::Io { path, source }) => Err(CliError::io(&path, &source)),
        Err(error) if path.is_dir() => Err(failed(&error).hint(format!("`transship package build {}` builds what is lacking", quoted(path)))),
        Err(error) => Err(failed(&error).hint("get the file anew from whoever made it; `transship package build` makes one of a folder with a package.toml")),
    }
}

/// A package that is none.
pub(crate) fn failed(error: &PackageError) -> CliError {
    CliError::named(Kind::Integrity, "not-a-package", error.to_string())
}

/// The name of a package as the node takes it.
pub(super) fn package_id(placed: &Placed) -> Result<PackageId, CliError> {
    placed.id().parse().map_err(|error| CliError::usage(format!("{error}")))
}

/// The node of a home, if one runs.
pub(super) async fn running(home: &Home) -> Result<Option<ControlClient>, CliError> {
    match ControlClient::connect(home).await {
        Ok(client) => Ok(Some(client)),
        Err(ControlError::NotRunning(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl From<ShelfError> for CliError {
    fn from(error: ShelfError) -> Self {
        let message = error.to_string();
        match error {
            ShelfError::Package(error) => failed(&error),
            ShelfError::PartOfProgram(_) => Self::named(Kind::Denied, "denied", message),
            ShelfError::Unknown(typed) => unknown(&typed),
            ShelfError::Grants(error) => Self::new(Kind::Other, error.to_string()).hint("correct the file, or remove the line"),
            ShelfError::Io { path, error } => Self::io(&path, &error),
        }
    }
}

impl From<ReadyError> for CliError {
    fn from(error: ReadyError) -> Self {
        let message = error.to_string();
        match error {
            ReadyError::Missing { .. } => Self::named(Kind::NotFound, "missing-package", message),
            ReadyError::Version { .. } | ReadyError::Digest { .. } => Self::named(Kind::Conflict, "other-version", message),
            _ => Self::named(Kind::Integrity, "misfit", message),
        }
    }
}
