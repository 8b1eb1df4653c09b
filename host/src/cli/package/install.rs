use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use transship::home::Home;
use transship::package::grants::PackageGrants;
use transship::package::shelf::{Placed, Shelf, ShelfLock, id};
use transship::package::{Package, ready};

use super::asking::{Answer, choose};
use super::place::{all, read, running};
use super::show::processes;
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};

/// Put a package into this node.
///
/// Its components are checked against what this node offers. What its processes ask for is shown, and an answer is waited for; what was granted before stays granted. A package of the same name and publisher is
/// replaced; its drives and its state stay. A node that runs starts it at once, and everything else goes on.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship package install ./chat.transship\n  transship package install ./chat.transship --grant\n  transship package install ./chat.transship --grant=network,drives.files=read,main/spawning"
)]
pub(crate) struct InstallArgs {
    /// The package: one file, or a folder with a package.toml and what it names
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Say yes to all that it asks for without being asked, or with =ASK,... to these only
    #[arg(long, value_name = "ASK", num_args = 0.., require_equals = true, default_missing_value = "all", value_delimiter = ',')]
    grant: Option<Vec<String>>,
}

pub(super) async fn run(context: &Context, args: &InstallArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let package = read(&args.file)?;
    let id = id(&package);
    let (shelf, _) = all(&home)?;
    let before = shelf.find(&id);
    if before.is_some_and(|placed| placed.path.is_none()) {
        return Err(
            CliError::named(Kind::Conflict, "conflict", format!("{id} is a part of this program already")).hint("give the package another name or publisher")
        );
    }
    check(&home, &package, &shelf)?;
    let granted = known_grants(&home, &id)?;
    let grants = choose(&package, &granted, &Answer::of(args.grant.as_deref()))?;
    if before.is_some_and(|placed| placed.package.digest() == package.digest()) && grants == granted {
        return context.ui.done(&json!({"event": "installed", "package": id, "changed": false}), &format!("{id} is there already, just so"));
    }
    let path = ShelfLock::take(&home)?.install(&package, &grants)?;
    let what = before.map_or_else(|| "is installed".to_owned(), |placed| format!("is installed in place of {}", placed.package.manifest().version));
    let (state, next) =
        start(&home, &package, &grants).await.map_err(|error| CliError { message: format!("{id} {what}, and does not run: {}", error.message), ..error })?;
    let object = json!({
        "event": "installed", "package": id, "changed": true, "path": path, "state": state, "processes": processes(&package, Some(&grants)),
    });
    context.ui.done(&object, &format!("{id} {} {what}; {next}", package.manifest().version))
}

/// What was granted to a package of this name, also if it is not there now.
fn known_grants(home: &Home, id: &str) -> Result<PackageGrants, CliError> {
    let grants = transship::package::grants::Grants::read(home).map_err(transship::package::shelf::ShelfError::from)?;
    Ok(grants.get(id).cloned().unwrap_or_default())
}

/// Whether it fits this node, and those that depend on it will do with it.
fn check(home: &Home, package: &Package, shelf: &Shelf) -> Result<(), CliError> {
    ready::check(package, shelf, &home.cache_path())?;
    let (id, version) = (id(package), &package.manifest().version);
    let refuses = |placed: &&Placed| {
        placed.package.manifest().dependencies.iter().any(|(name, wanted)| {
            name.to_string() == id && (!wanted.version.matches(version) || wanted.digest.as_deref().is_some_and(|digest| digest != package.digest()))
        })
    };
    match shelf.packages.iter().find(refuses) {
        None => Ok(()),
        Some(placed) => Err(CliError::named(Kind::Conflict, "other-version", format!("{} needs another {id} than {version}", placed.id()))
            .hint(format!("install a version of {} first that works with it, or remove it", placed.id()))),
    }
}

/// Starts it in the node that runs, if one does. What is so now, for programs and for people.
async fn start(home: &Home, package: &Package, grants: &PackageGrants) -> Result<(&'static str, String), CliError> {
    let id = id(package);
    if grants.stopped {
        return Ok(("stopped", format!("it stays stopped until `transship start {id}`")));
    }
    let Some(client) = running(home).await? else { return Ok(("waiting", "it runs when the node does".into())) };
    let package_id = id.parse().map_err(|error| CliError::usage(format!("{error}")))?;
    client.start_package(&package_id).await?;
    Ok(("running", "it runs".into()))
}
