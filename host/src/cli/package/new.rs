use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use transship::message::check_name_part;

use crate::cli::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::text::quoted;

mod contents;
mod sdk;

/// Begin a package: a folder with all that it needs to be built, installed and tried.
///
/// It builds and runs as it is; its README says how.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship package new greeter\n  transship package new photos --template file-transfer --language python --publisher ann ./pictures"
)]
pub(crate) struct NewArgs {
    /// The package's name: a-z, 0-9, '-', '_' and '.'
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,
    /// The folder to make [default: ./NAME]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// What it begins as
    #[arg(long, value_name = "TEMPLATE", value_enum, default_value_t = Template::Blank)]
    template: Template,
    /// What it is written in
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value_t = Language::Rust)]
    language: Language,
    /// Who publishes it [default: the name of this home's node, or 'local']
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    publisher: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// Answers each request with a greeting
    Blank,
    /// Gives back what it is sent, and remembers how often
    Echo,
    /// Nodes send each other lines of text
    Chat,
    /// Fetches files from other nodes, through the composed API of file-transfer
    FileTransfer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// With cargo-component
    Rust,
    /// With componentize-py
    Python,
    /// With componentize-js
    #[value(name = "javascript")]
    JavaScript,
}

fn parse_name(text: &str) -> Result<String, String> {
    check_name_part(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn run(context: &Context, args: &NewArgs) -> Result<(), CliError> {
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    check_free(&folder)?;
    let publisher = args.publisher.clone().unwrap_or_else(|| publisher(context));
    let files = contents::files(args.language, args.template, &args.name, &publisher)?;
    for (path, text) in &files {
        let path = folder.join(path);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            std::fs::write(&path, text)
        };
        write().map_err(|error| CliError::io(&path, &error))?;
    }
    let shown = quoted(&folder);
    let object = json!({"event": "created", "package": format!("{}:{publisher}", args.name), "path": folder, "files": files.len()});
    context.ui.done(&object, &format!("{}:{publisher} is in {shown}; build it with: transship package build {shown}", args.name))
}

/// The name of this home's node. Without a home there is none, and whoever publishes the package says so later.
fn publisher(context: &Context) -> String {
    let identity = context.open_home().ok().and_then(|home| home.identity().ok());
    identity.map_or_else(|| "local".into(), |identity| identity.name().to_owned())
}

/// Fails unless nothing is there that could be overwritten.
fn check_free(folder: &Path) -> Result<(), CliError> {
    let taken =
        |what: &str| CliError::new(Kind::Conflict, format!("{}: {what}", folder.display())).hint("name another folder: transship package new NAME PATH");
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(taken("the folder is not empty")),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(taken("a file is there")),
        Err(error) => Err(CliError::io(folder, &error)),
    }
}
