use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use transship::home::{Home, HomeError};
use transship::package::grants::PackageGrants;
use transship::package::shelf::{Placed, Shelf, ShelfError, id};
use transship::package::{Package, load_bundled, ready};

use super::place::read;
use crate::cli::Context;
use crate::cli::error::CliError;

/// Check whether a package fits this node: its own files, what its components import, and the packages that it depends on.
///
/// Nothing is installed. What does not fit is named, with what was expected and what was found.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship package check ./chat.transship\n  transship package check ./chat")]
pub(crate) struct CheckArgs {
    /// The package: one file, or a folder with a package.toml and what it names
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(context: &Context, args: &CheckArgs) -> Result<(), CliError> {
    let package = read(&args.file)?;
    Surroundings::find(context)?.check(&package)?;
    let (id, version) = (id(&package), &package.manifest().version);
    let components: Vec<&str> = package.components().map(|(name, _)| name).collect();
    context.ui.result(
        &json!({"event": "checked", "package": id, "version": version.to_string(), "digest": package.digest(), "components": components}),
        &format!("{id} {version} fits: {}", components.join(", ")),
    )
}

/// What a package would find here: the packages of this home or, without a home, those inside the program.
pub(super) struct Surroundings {
    pub(super) shelf: Shelf,
    cache: Cache,
}

enum Cache {
    Home(Home),
    /// Thrown away at the end.
    Own(tempfile::TempDir),
}

impl Surroundings {
    pub(super) fn find(context: &Context) -> Result<Self, CliError> {
        match Home::open(&context.home_folder()?) {
            Ok(home) => Ok(Self { shelf: Shelf::read(&home)?, cache: Cache::Home(home) }),
            Err(HomeError::NotInitialised(_)) => {
                let bundled = load_bundled().map_err(ShelfError::from)?;
                let packages = bundled.into_iter().map(|package| Placed { grants: PackageGrants::all_of(package.manifest()), package, path: None }).collect();
                let folder = tempfile::tempdir().map_err(|error| CliError::io(&std::env::temp_dir(), &error))?;
                Ok(Self { shelf: Shelf { packages, wrong: Vec::new() }, cache: Cache::Own(folder) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Fails if a package does not fit.
    pub(super) fn check(&self, package: &Package) -> Result<(), ready::ReadyError> {
        let cache = match &self.cache {
            Cache::Home(home) => home.cache_path(),
            Cache::Own(folder) => folder.path().to_owned(),
        };
        ready::check(package, &self.shelf, &cache)
    }
}
