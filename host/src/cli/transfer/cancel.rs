use clap::Args;

use super::list::{all, as_json, find};
use crate::cli::Context;
use crate::cli::connect::{ANSWER_TIME, Connection, unexpected};
use crate::cli::error::CliError;
use crate::cli::text::plain;
use crate::cli::units::show_size;
use crate::cli::wire::{CancelRequest, Request, Response};

/// Stop a transfer of the running node, or throw away what is kept of one that was stopped.
///
/// Nothing is left of it, unless --keep: then the same get or put goes on later where it stopped. Of a folder, the files that are complete stay in either case.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship cancel 7f3a\n  transship cancel 7f3a --keep")]
pub(crate) struct CancelArgs {
    /// The transfer, as `transship transfers` shows it, or as much of its beginning as no other has
    #[arg(value_name = "ID")]
    id: String,
    /// Keep what has arrived, to go on later
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(context: &Context, args: &CancelArgs) -> Result<(), CliError> {
    let connection = context.connect_running().await?;
    let mut id = find(&all(&connection, Request::Transfers).await?, &args.id)?.map(|transfer| transfer.id.clone());
    // Only then: to find those that were stopped, the whole drive is looked through.
    if id.is_none() {
        id = find(&all(&connection, Request::Stopped).await?, &args.id)?.map(|transfer| transfer.id.clone());
    }
    let id = id.unwrap_or_else(|| args.id.clone());
    let request = Request::Cancel(CancelRequest { id, keep: args.keep });
    match connection.ask(&request, &connection.info.name, ANSWER_TIME, &[]).await? {
        Response::Cancelled(status) => {
            let kept = if args.keep { "what has arrived is kept" } else { "nothing that is incomplete is kept" };
            // Of one of which no name is known, there is its hidden file.
            let what = status.name.as_ref().or(status.kept.as_ref()).map_or_else(|| status.id.clone(), |name| plain(name));
            let text = format!("stopped {what} after {}; {kept}", show_size(status.bytes_done));
            context.ui.done(&as_json(&status), &text)
        }
        _ => Err(unexpected(&Connection::manager_of(&connection.info.name)?, "no status of a transfer")),
    }
}
