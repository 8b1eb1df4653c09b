//! Where packages are: inside this program, or in the home's folder for them, in files of any name.

use std::path::{Path, PathBuf};

use transship::control::{ControlClient, ControlError};
use transship::home::Home;
use transship::package::{Package, PackageError, installed, load_bundled};

use crate::cli::error::{CliError, Kind};
use crate::cli::text::{plain, quoted};

/// A package of this node.
pub(super) struct Placed {
    pub(super) package: Package,
    /// Its file. None: it is part of this program.
    pub(super) path: Option<PathBuf>,
}

/// `NAME:PUBLISHER`.
pub(super) fn id(package: &Package) -> String {
    format!("{}:{}", package.manifest().name, package.manifest().publisher)
}

/// All of a home, those of the program first; and what is wrong with files that are none.
pub(super) fn all(home: &Home) -> Result<(Vec<Placed>, Vec<CliError>), CliError> {
    let mut all: Vec<Placed> = load_bundled().map_err(|error| failed(&error))?.into_iter().map(|package| Placed { package, path: None }).collect();
    let mut wrong = Vec::new();
    for path in installed(&home.packages_path()) {
        match Package::read(&path) {
            Ok(package) => all.push(Placed { package, path: Some(path) }),
            Err(error) => wrong.push(failed(&error).hint(format!("the node leaves it out; remove it with: rm {}", quoted(&path)))),
        }
    }
    Ok((all, wrong))
}

/// The package of this id, or of this name if no other has it.
pub(super) fn find<'a>(all: &'a [Placed], typed: &str) -> Result<&'a Placed, CliError> {
    let mut named = all.iter().filter(|placed| id(&placed.package) == typed || placed.package.manifest().name == typed);
    match (named.next(), named.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            Err(CliError::usage(format!("several packages are named '{}'", plain(typed))).hint("write NAME:PUBLISHER, as `transship package list` shows them"))
        }
        (None, _) => Err(CliError::named(Kind::NotFound, "unknown-package", format!("this node has no package '{}'", plain(typed)))
            .hint("`transship package list` shows those it has")),
    }
}

/// Reads a package from a file.
pub(super) fn read(path: &Path) -> Result<Package, CliError> {
    match Package::read(path) {
        Ok(package) => Ok(package),
        Err(PackageError::Io { path, source }) => Err(CliError::io(&path, &source)),
        Err(error) => Err(failed(&error).hint("get the file anew from whoever made it; `transship-pack` makes one of a folder with a package.toml")),
    }
}

/// A package that is none.
pub(super) fn failed(error: &PackageError) -> CliError {
    CliError::named(Kind::Integrity, "not-a-package", error.to_string())
}

/// What to say when the home was changed while its node may be running.
pub(super) async fn when(home: &Home) -> Result<&'static str, CliError> {
    match ControlClient::connect(home).await {
        Ok(_) => Ok("the node that runs now goes on as it is: stop it and start it again"),
        Err(ControlError::NotRunning(_)) => Ok("the node finds it so when it starts"),
        Err(error) => Err(error.into()),
    }
}
