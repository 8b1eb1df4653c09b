use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::connect::{ANSWER_TIME, Connection, unexpected};
use crate::cli::error::CliError;
use crate::cli::ui::{plain, table};
use crate::cli::units::show_size;
use crate::cli::wire::{Request, Response, TransferState, TransferStatus};

/// Show the transfers of the running node: those it asked for, and those it serves.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship transfers")]
pub(crate) struct TransfersArgs {}

pub(crate) async fn run(context: &Context, _args: &TransfersArgs) -> Result<(), CliError> {
    let connection = context.connect_running().await?;
    let transfers = match connection.ask(&Request::Transfers, &connection.info.name, ANSWER_TIME, &[]).await? {
        Response::Transfers(transfers) => transfers,
        _ => return Err(unexpected(&Connection::manager_of(&connection.info.name)?, "no list of transfers")),
    };
    if context.ui.json() {
        return transfers.iter().try_for_each(|transfer| context.ui.object(&as_json(transfer)));
    }
    if transfers.is_empty() {
        return context.ui.line("no transfers");
    }
    let mut rows = vec![["ID", "NODE", "", "DONE", "OF", "STATE", "NAME"].map(str::to_owned).to_vec()];
    rows.extend(transfers.iter().map(|transfer| {
        vec![
            transfer.id.clone(),
            transfer.node.clone(),
            if transfer.receiving { "in" } else { "out" }.into(),
            show_size(transfer.bytes_done),
            transfer.bytes_total.map_or_else(|| "?".into(), show_size),
            state_name(&transfer.state).into(),
            plain(&transfer.name),
        ]
    }));
    table(&rows, &[3, 4]).iter().try_for_each(|line| context.ui.line(line))
}

/// A transfer as one JSON object.
pub(super) fn as_json(transfer: &TransferStatus) -> serde_json::Value {
    json!({
        "id": transfer.id, "node": transfer.node, "name": transfer.name, "receiving": transfer.receiving,
        "bytes_done": transfer.bytes_done, "bytes_total": transfer.bytes_total, "state": state_name(&transfer.state),
    })
}

/// One word for where a transfer stands.
pub(crate) fn state_name(state: &TransferState) -> &'static str {
    match state {
        TransferState::Starting => "starting",
        TransferState::Transferring => "transferring",
        TransferState::Verifying => "verifying",
        TransferState::Restarted(_) => "restarted",
        TransferState::Done(_) => "done",
        TransferState::Failed(_) => "failed",
    }
}
