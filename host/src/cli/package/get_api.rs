use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use transship::package::shelf::id;
use transship::wit;

use super::check::Surroundings;
use super::place::{find, read};
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::text::quoted;

/// Write the interfaces of a package, or of the node itself, into a folder: what a component is built against.
///
/// WIT text that was there under the same names is replaced.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship package get-api\n  transship package get-api file-transfer --into wit/deps\n  transship package get-api ./photos.transship"
)]
pub(crate) struct GetApiArgs {
    /// A package of this node (NAME or NAME:PUBLISHER), or a file (with a '/' or a '.' in it) [default: the node itself]
    #[arg(value_name = "PACKAGE")]
    package: Option<String>,
    /// The folder that gets a folder of them
    #[arg(long, value_name = "DIR", default_value = "wit/deps")]
    into: PathBuf,
}

pub(super) fn run(context: &Context, args: &GetApiArgs) -> Result<(), CliError> {
    let (of, files) = match &args.package {
        None => ("transship:host".into(), host()),
        Some(typed) => package(context, typed)?,
    };
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, text) in &files {
        let Some((folder, file)) = path.split_once('/') else { continue };
        let to = args.into.join(folder);
        std::fs::create_dir_all(&to).and_then(|()| std::fs::write(to.join(file), text)).map_err(|error| CliError::io(&to.join(file), &error))?;
        folders.entry(folder).or_default().push(file);
    }
    for (folder, known) in &folders {
        remove_others(&args.into.join(folder), known)?;
    }
    let written: Vec<PathBuf> = folders.keys().map(|folder| args.into.join(folder)).collect();
    let shown = written.iter().map(|folder| quoted(folder)).collect::<Vec<_>>().join(", ");
    context.ui.done(&json!({"event": "written", "package": of, "folders": written, "files": files.len()}), &format!("the interfaces of {of} are in {shown}"))
}

/// Path and text, `FOLDER/FILE.wit` each.
type Files = BTreeMap<String, String>;

/// The node's own.
pub(super) fn host() -> Files {
    wit::FILES.iter().map(|(name, text)| (format!("{}/{name}", wit::FOLDER), (*text).to_owned())).collect()
}

fn package(context: &Context, typed: &str) -> Result<(String, Files), CliError> {
    let surroundings = Surroundings::find(context)?;
    let of_file;
    let package = if typed.contains(['/', '.']) {
        of_file = read(Path::new(typed))?;
        &of_file
    } else {
        &find(&surroundings.shelf, typed)?.package
    };
    let files: Files = package.wit().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    if files.is_empty() {
        return Err(CliError::named(Kind::NotFound, "no-api", format!("{} offers no interfaces to other packages", id(package)))
            .hint("its publisher names them in package.toml, under [api]"));
    }
    Ok((id(package), files))
}

/// Removes WIT text that an earlier version had and this one has not: it would be read with the rest.
fn remove_others(folder: &Path, known: &[&str]) -> Result<(), CliError> {
    let io = |error: io::Error| CliError::io(folder, &error);
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_known = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| known.contains(&name));
        if !is_known && path.extension().is_some_and(|extension| extension == "wit") {
            std::fs::remove_file(&path).map_err(|error| CliError::io(&path, &error))?;
        }
    }
    Ok(())
}
