use clap::Args;
use serde_json::json;
use transship::message::ProcessId;

use crate::cli::Context;
use crate::cli::error::CliError;

/// Start a process of an installed package that is not running, as the package's manifest describes it.
///
/// The node starts all of them when it starts itself; this is for one that has ended since, by itself or by `transship kill`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship run main:chat:ann")]
pub(crate) struct RunArgs {
    /// The process: process:package:publisher
    #[arg(value_name = "PROCESS")]
    process: ProcessId,
}

pub(crate) async fn run(context: &Context, args: &RunArgs) -> Result<(), CliError> {
    let connection = context.connect_running().await?;
    connection
        .client
        .run(&args.process)
        .await
        .map_err(|error| CliError::from(error).hint("`transship package list` shows the packages, `transship ps` what runs"))?;
    context.ui.done(&json!({"event": "started", "process": args.process}), &format!("{} runs", args.process))
}
