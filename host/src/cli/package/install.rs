use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use transship::package::{EXTENSION, Package};

use super::place::{all, id, read, when};
use super::show::{lines, processes};
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::ui::aside;

/// Put a package into this node.
///
/// What its processes ask for is shown, and a yes is waited for. A package of the same name and publisher is replaced; its drives and its state stay. A node that runs has to be started again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship package install ./chat.transship\n  transship package install ./chat.transship --grant")]
pub(crate) struct InstallArgs {
    /// The package: one file, or a folder with a package.toml and what it names
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Say yes to all that it asks for, without being asked
    #[arg(long)]
    grant: bool,
}

pub(super) async fn run(context: &Context, args: &InstallArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let package = read(&args.file)?;
    let id = id(&package);
    let (placed, _) = all(&home)?;
    let before = placed.iter().find(|placed| super::place::id(&placed.package) == id);
    if before.is_some_and(|placed| placed.path.is_none()) {
        return Err(
            CliError::named(Kind::Conflict, "conflict", format!("{id} is a part of this program already")).hint("give the package another name or publisher")
        );
    }
    if before.is_some_and(|placed| placed.package.digest() == package.digest()) {
        return context.ui.done(&json!({"event": "installed", "package": id, "changed": false}), &format!("{id} is there already, just so"));
    }
    if !args.grant {
        ask(&package)?;
    }
    let file = format!("{}_{}.{EXTENSION}", package.manifest().name, package.manifest().publisher);
    let path = before.and_then(|placed| placed.path.clone()).unwrap_or_else(|| home.packages_path().join(file));
    package.write(&path).map_err(|error| CliError::new(Kind::Other, error.to_string()))?;
    let next = when(&home).await?;
    let what = before.map_or_else(|| "is installed".to_owned(), |placed| format!("is installed in place of {}", placed.package.manifest().version));
    let object = json!({"event": "installed", "package": id, "changed": true, "path": path, "granted": processes(&package)});
    context.ui.done(&object, &format!("{id} {what}; {next}"))
}

/// Shows what it asks for, and waits for a yes.
fn ask(package: &Package) -> Result<(), CliError> {
    let refused = |why: &str| {
        CliError::named(Kind::Denied, "not-granted", format!("{} was not installed: {why}", id(package)))
            .hint("`transship package show FILE` shows what it asks for; --grant says yes to that")
    };
    lines(package).iter().for_each(|line| aside(line));
    if !io::stdin().is_terminal() {
        return Err(refused("nobody is there to say yes"));
    }
    aside("install it and allow all of this? [y/N]");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| CliError::io("standard input".as_ref(), &error))?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused("the answer was not yes")),
    }
}
