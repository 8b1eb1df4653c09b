use clap::Args;
use serde_json::json;
use transship::message::ProcessId;

use crate::cli::Context;
use crate::cli::error::CliError;

/// End a process of the running node at once.
///
/// What it held and lent ends with it, and so do the processes that it started. One whose package says `on-exit = "restart"`, as the manager of file transfers does, is started again; others,
/// such as the workers of transfers, are not.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship kill manager:file-transfer:transship")]
pub(crate) struct KillArgs {
    /// The process, as `transship ps` shows it: process:package:publisher
    #[arg(value_name = "PROCESS")]
    process: ProcessId,
}

pub(crate) async fn run(context: &Context, args: &KillArgs) -> Result<(), CliError> {
    let connection = context.connect_running().await?;
    connection.client.kill(&args.process).await.map_err(|error| CliError::from(error).hint("`transship ps` shows what runs"))?;
    context.ui.done(&json!({"event": "killed", "process": args.process}), &format!("ended {}", args.process))
}
