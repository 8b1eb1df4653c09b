use clap::Args;
use serde_json::json;
use transship::control::{ControlError, Refusal};
use transship::package::shelf::ShelfLock;

use super::place::{all, find, running};
use crate::cli::Context;
use crate::cli::error::CliError;

/// Take a package out of this node. In a node that runs its processes end.
///
/// Its drives, its state and what was granted to it stay in the home, for the day when it is installed again; --purge takes them too.
#[derive(Debug, Args)]
#[command(visible_alias = "uninstall", after_help = "Examples:\n  transship package remove chat:ann\n  transship package remove chat:ann --purge")]
pub(crate) struct RemoveArgs {
    /// NAME, or NAME:PUBLISHER
    #[arg(value_name = "PACKAGE")]
    package: String,
    /// Delete its drives, its state, and what was granted to it
    #[arg(long)]
    purge: bool,
}

pub(super) async fn run(context: &Context, args: &RemoveArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let (shelf, _) = all(&home)?;
    let id = match find(&shelf, &args.package) {
        Ok(found) => found.id(),
        // What one that is gone has left.
        Err(_) if args.purge && args.package.contains(':') => args.package.clone(),
        Err(error) => return Err(error),
    };
    let needed = shelf.packages.iter().find(|placed| placed.package.manifest().dependencies.keys().any(|name| name.to_string() == id));
    if let Some(by) = needed {
        return Err(CliError::new(crate::cli::error::Kind::Conflict, format!("{} needs {id}", by.id()))
            .hint(format!("remove that first: transship package remove {}", by.id())));
    }
    let lock = ShelfLock::take(&home)?;
    if shelf.find(&id).is_some_and(|placed| placed.path.is_some())
        && let (Some(client), Ok(package)) = (running(&home).await?, id.parse())
    {
        match client.stop_package(&package).await {
            Ok(()) | Err(ControlError::Refused(Refusal::NotFound(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    lock.remove(&id, args.purge)?;
    let what = if args.purge { "with all that it kept" } else { "and what it kept stays" };
    context.ui.done(&json!({"event": "removed", "package": id, "purged": args.purge}), &format!("{id} is removed, {what}"))
}
