use clap::Args;
use serde_json::json;
use transship::control::{ControlError, Refusal};
use transship::package::shelf::ShelfLock;

use super::place::{all, find, package_id, running};
use crate::cli::Context;
use crate::cli::error::CliError;

/// Stop a package: its processes end, those that they started too, and everything else goes on.
///
/// It stays stopped, also when the node is started anew, until `transship start`. What it keeps (drives, state, what was granted to it) stays.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship stop chat:ann")]
pub(crate) struct StopArgs {
    /// NAME, or NAME:PUBLISHER
    #[arg(value_name = "PACKAGE")]
    package: String,
}

pub(crate) async fn run(context: &Context, args: &StopArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let (shelf, _) = all(&home)?;
    let found = find(&shelf, &args.package)?;
    let id = found.id();
    if let Some(client) = running(&home).await? {
        match client.stop_package(&package_id(found)?).await {
            Ok(()) | Err(ControlError::Refused(Refusal::NotFound(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    ShelfLock::take(&home)?.change(|all| all.entry(&id).stopped = true)?;
    context.ui.done(&json!({"event": "stopped", "package": id}), &format!("{id} is stopped; `transship start {id}` starts it again"))
}
