use clap::Args;
use serde_json::json;
use transship::control::Refusal;
use transship::peers::Peers;

use crate::cli::Context;
use crate::cli::connect::Access;
use crate::cli::error::CliError;

/// Know a node no longer: it can't reach this one any more.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship peer remove bob")]
pub(crate) struct RemoveArgs {
    /// Its name here
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) async fn run(context: &Context, args: &RemoveArgs) -> Result<(), CliError> {
    match context.access().await? {
        Access::Running(client) => client.remove_peer(&args.name).await?,
        Access::Alone(home, _lock) => {
            let peers = Peers::open(&home.peers_path(), &home.identity()?).map_err(Refusal::from)?;
            peers.remove(&args.name).map_err(Refusal::from)?;
        }
    }
    context.ui.done(&json!({"event": "removed", "name": args.name}), &format!("{} is known no longer", args.name))
}
