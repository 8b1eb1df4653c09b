use clap::Args;
use serde_json::json;

use super::place::{all, find, id, when};
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};

/// Take a package out of this node.
///
/// Its drives and its state stay in the home, for the day when it is installed again. A node that runs has to be started again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship package remove chat:ann")]
pub(crate) struct RemoveArgs {
    /// NAME, or NAME:PUBLISHER
    #[arg(value_name = "PACKAGE")]
    package: String,
}

pub(super) async fn run(context: &Context, args: &RemoveArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let (placed, _) = all(&home)?;
    let found = find(&placed, &args.package)?;
    let id = id(&found.package);
    let Some(path) = &found.path else {
        return Err(CliError::named(Kind::Denied, "denied", format!("{id} is a part of this program and can't be removed")));
    };
    std::fs::remove_file(path).map_err(|error| CliError::io(path, &error))?;
    let next = when(&home).await?;
    context.ui.done(&json!({"event": "removed", "package": id, "path": path}), &format!("{id} is removed; {next}"))
}
