use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::connect::{ANSWER_TIME, Connection, unexpected};
use crate::cli::error::CliError;
use crate::cli::text::plain;
use crate::cli::ui::table;
use crate::cli::units::show_size;
use crate::cli::wire::{Request, Response, TransferError, TransferState, TransferStatus};

/// What a column says that has nothing to say.
const UNKNOWN: &str = "?";

/// Show the transfers of the running node: those it asked for, and those it serves.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship transfers\n  transship transfers 7f3a\n  transship transfers --stopped")]
pub(crate) struct TransfersArgs {
    /// Only this one: its id, or as much of its beginning as no other has
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Those into the node's own drive that were stopped: the same command goes on with one, `cancel` throws away what is kept of it. Of one that was cut off right after its begin only the hidden file is known, and the same command
    /// begins anew (looks through the whole drive)
    #[arg(long)]
    stopped: bool,
}

pub(crate) async fn run(context: &Context, args: &TransfersArgs) -> Result<(), CliError> {
    let connection = context.connect_running().await?;
    let mut transfers = all(&connection, if args.stopped { Request::Stopped } else { Request::Transfers }).await?;
    if let Some(typed) = &args.id {
        let unknown = || CliError::transfer(&TransferError::UnknownTransfer(typed.clone()), &connection.info.name);
        transfers = vec![find(&transfers, typed)?.ok_or_else(unknown)?.clone()];
    }
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
            transfer.node.clone().unwrap_or_else(|| UNKNOWN.into()),
            if transfer.receiving { "in" } else { "out" }.into(),
            show_size(transfer.bytes_done),
            transfer.bytes_total.map_or_else(|| UNKNOWN.into(), show_size),
            state_name(&transfer.state).into(),
            shown_name(transfer),
        ]
    }));
    table(&rows, &[3, 4]).iter().try_for_each(|line| context.ui.line(line))
}

/// The transfers of the node, under way or stopped, as the request says.
pub(super) async fn all(connection: &Connection, which: Request) -> Result<Vec<TransferStatus>, CliError> {
    match connection.ask(&which, &connection.info.name, ANSWER_TIME, &[]).await? {
        Response::Transfers(transfers) => Ok(transfers),
        _ => Err(unexpected(&Connection::manager_of(&connection.info.name)?, "no list of transfers")),
    }
}

/// The transfer of this id, or else the only one whose id begins like this.
pub(super) fn find<'a>(transfers: &'a [TransferStatus], typed: &str) -> Result<Option<&'a TransferStatus>, CliError> {
    if let Some(exact) = transfers.iter().find(|transfer| transfer.id == typed) {
        return Ok(Some(exact));
    }
    let mut candidates = transfers.iter().filter(|transfer| !typed.is_empty() && transfer.id.starts_with(typed));
    match (candidates.next(), candidates.next()) {
        (first, None) => Ok(first),
        _ => {
            let all = transfers.iter().filter(|transfer| transfer.id.starts_with(typed));
            let all: Vec<String> = all.map(|transfer| format!("{} ({})", transfer.id, shown_name(transfer))).collect();
            Err(CliError::usage(format!("{} transfers begin with '{typed}': {}", all.len(), all.join(", "))).hint("write more of the id"))
        }
    }
}

/// The name of a transfer's file; if nobody knows it, where the hidden file is.
pub(super) fn shown_name(transfer: &TransferStatus) -> String {
    match (&transfer.name, &transfer.kept) {
        (Some(name), _) => plain(name),
        (None, Some(kept)) => format!("unknown, kept in {}", plain(kept)),
        (None, None) => UNKNOWN.into(),
    }
}

/// A transfer as one JSON object. What only those that were stopped have is left out of others.
pub(super) fn as_json(transfer: &TransferStatus) -> serde_json::Value {
    let mut object = json!({
        "id": transfer.id, "node": transfer.node, "name": transfer.name, "receiving": transfer.receiving,
        "bytes_done": transfer.bytes_done, "bytes_total": transfer.bytes_total, "state": state_name(&transfer.state),
    });
    if let (Some(kept), Some(fields)) = (&transfer.kept, object.as_object_mut()) {
        fields.insert("kept".into(), json!(kept));
    }
    object
}

/// One word for where a transfer stands.
pub(crate) fn state_name(state: &TransferState) -> &'static str {
    match state {
        TransferState::Waiting => "waiting",
        TransferState::Starting => "starting",
        TransferState::Transferring => "transferring",
        TransferState::Verifying => "verifying",
        TransferState::Restarted(_) => "restarted",
        TransferState::Done(_) => "done",
        TransferState::Failed(TransferError::Interrupted(_)) => "stopped",
        TransferState::Failed(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::error::Kind;

    #[test]
    fn the_beginning_of_an_id_is_enough_if_it_is_of_one_only() {
        let status = |id: &str| TransferStatus {
            id: id.into(),
            node: Some("bob".into()),
            name: Some(format!("name of {id}")),
            receiving: true,
            bytes_done: 0,
            bytes_total: None,
            state: TransferState::Starting,
            kept: None,
        };
        let transfers = ["7f3a", "7f3b", "7f3b0", "9"].map(status);
        let found = |typed: &str| find(&transfers, typed).map(|found| found.map(|transfer| transfer.id.clone()));
        assert_eq!(found("7f3a"), Ok(Some("7f3a".into())));
        assert_eq!(found("9"), Ok(Some("9".into())));
        assert_eq!(found("7f3b"), Ok(Some("7f3b".into())), "an id is an id, though another begins with it");
        assert_eq!([found("8"), found("7f3a0"), found("")], [Ok(None), Ok(None), Ok(None)]);
        let error = found("7f").unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert!(["7f3a", "7f3b0 (name of 7f3b0)"].iter().all(|id| error.message.contains(id)), "{error}");
    }

    #[test]
    fn what_nobody_knows_of_a_transfer_is_not_made_up() {
        let stopped = TransferStatus {
            id: "0123456789abcdef".into(),
            node: None,
            name: None,
            receiving: true,
            bytes_done: 5,
            bytes_total: None,
            state: TransferState::Failed(TransferError::Interrupted(String::new())),
            kept: Some("in/.transship-1-2.partial".into()),
        };
        assert_eq!(shown_name(&stopped), "unknown, kept in in/.transship-1-2.partial");
        let object = as_json(&stopped);
        assert!(object["node"].is_null() && object["name"].is_null() && object["bytes_total"].is_null(), "{object}");
        assert_eq!((&object["bytes_done"], &object["state"], &object["kept"]), (&json!(5), &json!("stopped"), &json!("in/.transship-1-2.partial")));
    }
}
