use clap::Args;
use serde_json::json;
use transship::package::shelf::ShelfLock;

use super::place::{all, find, package_id, running};
use crate::cli::Context;
use crate::cli::error::CliError;

/// Start a package that was stopped, or start it again as it is in the node's home now.
///
/// It runs from now on, also when the node is started anew. Other packages go on.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship start chat:ann")]
pub(crate) struct StartArgs {
    /// NAME, or NAME:PUBLISHER
    #[arg(value_name = "PACKAGE")]
    package: String,
}

pub(crate) async fn run(context: &Context, args: &StartArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let (shelf, _) = all(&home)?;
    let found = find(&shelf, &args.package)?;
    let id = found.id();
    ShelfLock::take(&home)?.change(|all| {
        if all.get(&id).is_some() {
            all.entry(&id).stopped = false;
        }
    })?;
    let Some(client) = running(&home).await? else {
        return context.ui.done(&json!({"event": "started", "package": id, "state": "waiting"}), &format!("{id} runs when the node does"));
    };
    client.start_package(&package_id(found)?).await?;
    context.ui.done(&json!({"event": "started", "package": id, "state": "running"}), &format!("{id} runs"))
}
