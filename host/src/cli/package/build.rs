use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use transship::package::ready::ReadyError;
use transship::package::shelf::id;
use transship::package::source::{self, BUILT};
use transship::package::{EXTENSION, Manifest, Package, PackageError, Recipe, Tool};

use super::check::Surroundings;
use super::place::failed;
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::text::quoted;
use crate::cli::ui::Ui;
use crate::cli::units::show_size;

mod cargo;
mod interfaces;
mod javascript;
mod python;
mod stamp;
mod tool;

/// Build a package: each component with the tool of its language, then the one file that is installed.
///
/// What package.toml says under [build] is made into FOLDER/target/components/; what is up to date is left alone. The components are checked against what this node offers, and against the packages that it
/// has. With CARGO_TARGET_DIR, Cargo builds there instead of in FOLDER/target.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship package build\n  transship package build ./chat --out ./chat.transship\n  transship package build --components ./elsewhere"
)]
pub(crate) struct BuildArgs {
    /// The package: it holds package.toml
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// A folder with components that were built by other means: those are taken from there
    #[arg(long, value_name = "DIR")]
    components: Vec<PathBuf>,
    /// Where the package goes [default: FOLDER/target/NAME.transship]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &BuildArgs) -> Result<(), CliError> {
    let made = make(context, &args.folder, &args.components, args.out.as_deref())?;
    let (id, version) = (id(&made.package), &made.package.manifest().version);
    let object = json!({
        "event": "built", "package": id, "version": version.to_string(), "digest": made.package.digest(), "path": made.path, "size": made.size,
        "changed": made.changed, "made": made.components,
    });
    let what = if made.changed { "is" } else { "is up to date" };
    context.ui.done(&object, &format!("{id} {version} {what} in {} ({})", quoted(&made.path), show_size(made.size)))
}

/// A package that was built.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) package: Package,
    /// Its file.
    pub(crate) path: PathBuf,
    /// Whether that file is another one than before.
    pub(crate) changed: bool,
    size: u64,
    /// The component files that were made anew.
    components: Vec<String>,
}

/// Builds the package in a folder.
pub(crate) fn make(context: &Context, folder: &Path, elsewhere: &[PathBuf], out: Option<&Path>) -> Result<Made, CliError> {
    let whole = std::fs::canonicalize(folder).map_err(|error| CliError::io(folder, &error))?;
    let recipes = source::recipes(folder).map_err(|error| wrong(&error))?;
    let manifest = source::manifest(folder).map_err(|error| wrong(&error))?;
    let surroundings = Surroundings::find(context)?;
    let mut components = Vec::new();
    for (file, recipe) in &recipes {
        // What was built by other means is looked for there first, so nothing need be made.
        let Some(recipe) = recipe.as_ref().filter(|_| !elsewhere.iter().any(|place| place.join(file).is_file())) else { continue };
        let job = Job { package: &whole, manifest: &manifest, file, recipe, surroundings: &surroundings, ui: &context.ui, verbose: context.verbose > 0 };
        if job.make()? {
            components.push(file.clone());
        }
    }
    let package = source::load(folder, elsewhere).map_err(|error| wrong(&error))?;
    match surroundings.check(&package) {
        // It can be built here all the same; whoever installs it hears of that again.
        Err(error @ (ReadyError::Missing { .. } | ReadyError::Version { .. } | ReadyError::Digest { .. })) => {
            context.ui.note(&format!("what {} depends on is not looked at: {error}", id(&package)));
        }
        checked => checked?,
    }
    let shown = if folder == Path::new(".") { Path::new("") } else { folder };
    let path = out.map_or_else(|| shown.join("target").join(format!("{}.{EXTENSION}", manifest.name)), Path::to_owned);
    let changed = !Package::read(&path).is_ok_and(|there| there == package);
    if changed {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(parent).map_err(|error| CliError::io(parent, &error))?;
        package.write(&path).map_err(|error| wrong(&error))?;
    }
    let size = std::fs::metadata(&path).map_err(|error| CliError::io(&path, &error))?.len();
    Ok(Made { package, path, changed, size, components })
}

/// A folder that can't be built.
fn wrong(error: &PackageError) -> CliError {
    match error {
        PackageError::Io { path, source } => CliError::io(path, source),
        error => failed(error).hint("`transship package new` makes a folder that can be built, to compare with"),
    }
}

/// A component that is to be made.
struct Job<'a> {
    /// The package's folder, absolute.
    package: &'a Path,
    manifest: &'a Manifest,
    /// The component file.
    file: &'a str,
    recipe: &'a Recipe,
    surroundings: &'a Surroundings,
    ui: &'a Ui,
    /// What the tools say is shown as they say it.
    verbose: bool,
}

impl Job<'_> {
    /// Makes it. True: it is another one than before.
    fn make(&self) -> Result<bool, CliError> {
        if !self.sources().is_dir() {
            return Err(CliError::named(Kind::NotFound, "not-found", format!("{}: there is no such folder", self.sources().display()))
                .hint(format!("package.toml names it under [build.\"{}\"]", self.file)));
        }
        let folder = self.package.join(BUILT);
        std::fs::create_dir_all(&folder).map_err(|error| CliError::io(&folder, &error))?;
        match self.recipe.tool {
            Tool::Cargo => cargo::make(self),
            Tool::Python => python::make(self),
            Tool::Javascript => javascript::make(self),
        }
    }

    /// Where its sources are.
    fn sources(&self) -> PathBuf {
        if self.recipe.folder == "." { self.package.to_owned() } else { self.package.join(&self.recipe.folder) }
    }

    /// Where it goes.
    fn out(&self) -> PathBuf {
        self.package.join(BUILT).join(self.file)
    }

    /// What the manifest says that it is made from, or the usual.
    fn source_or(&self, usual: &str) -> String {
        self.recipe.source.clone().unwrap_or_else(|| usual.into())
    }
}
