//! A transfer that this command asked for, from the request to its end.
//!
//! The manager answers with the transfer's id and then reports to this connection. It is waited for as long as it reports, or says when asked that it still has the
//! transfer; Ctrl-C stops it, and what has arrived is kept if a later attempt can use it.

use std::time::Duration;

use futures::future::{Fuse, FutureExt as _};
use serde_json::from_slice;
use tokio::time::{Instant, sleep_until};
use transship::control::{Incoming, Lent};

use super::display::Display;
use crate::cli::connect::{ANSWER_TIME, Connection, body_of, read_response, send_error, unexpected};
use crate::cli::error::denied::Way;
use crate::cli::error::{CliError, Kind};
use crate::cli::signals::Interrupts;
use crate::cli::wire::{CancelRequest, NOTED, Notice, Progress, Request, Response, TransferError, TransferState, TransferStatus, TransferSummary};

/// After so long without a report, the manager is asked whether it still has the transfer.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a transfer may take to stop in good order.
const STOP_TIME: Duration = Duration::from_secs(5);

/// What is asked for.
pub(super) struct Job<'a> {
    pub(super) request: Request,
    /// `get` or `put`.
    pub(super) direction: &'static str,
    /// Between the other node and which folder.
    pub(super) way: Way<'a>,
    pub(super) lent: &'a Lent,
    /// Whether what has arrived is of use to a later attempt.
    pub(super) keep: bool,
}

/// Asks for it, shows how far it is, and waits for the end.
pub(super) async fn run(connection: &Connection, job: &Job<'_>, display: &mut Display<'_>) -> Result<(String, TransferSummary), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let lent = [job.lent];
    let id = tokio::select! {
        started = connection.ask(&job.request, job.way.node, ANSWER_TIME, &lent) => match started? {
            Response::Started(id) => id,
            _ => return Err(unexpected(&Connection::manager_of(&connection.info.name)?, "no id of a transfer")),
        },
        () = interrupts.next() => return Err(CliError::new(Kind::Interrupted, "stopped before it began")),
    };
    display.started(&id, job.direction)?;
    let mut silent_until = Instant::now() + SILENCE;
    let mut stop_until = None;
    let mut missing = false;
    let mut asked = Box::pin(Fuse::terminated());
    loop {
        tokio::select! {
            // Reports first: the last of them is the truth about the end, whatever else happened meanwhile.
            biased;
            incoming = connection.client.incoming() => {
                let Some(incoming) = incoming else { return Err(transship::control::ControlError::Ended.into()) };
                if let Some(progress) = note(incoming).await.filter(|progress| progress.id == id) {
                    silent_until = Instant::now() + SILENCE;
                    missing = false;
                    if let Some(end) = ended(&progress.state) {
                        return match end {
                            Err(TransferError::Cancelled(_) | TransferError::Interrupted(_)) if stop_until.is_some() => Err(stopped(job)),
                            Err(error) => Err(CliError::on_the_way(&error, &job.way)),
                            Ok(summary) => { display.notice(&progress)?; Ok((id, summary)) }
                        };
                    }
                    display.notice(&progress)?;
                }
            }
            () = interrupts.next() => {
                if stop_until.is_some() {
                    return Err(stopped(job));
                }
                display.say("stopping (once more: at once)");
                stop_until = Some(Instant::now() + STOP_TIME);
                stop(connection, &id, job.keep).await?;
            }
            () = sleep_until(stop_until.unwrap_or(silent_until)), if stop_until.is_some() => return Err(stopped(job)),
            transfers = &mut asked => {
                silent_until = Instant::now() + SILENCE;
                match find(transfers, connection, &id, job.way.node)? {
                    Some(_) => missing = false,
                    // Once may be a report that is still on its way.
                    None if missing => return Err(CliError::new(Kind::Other, "the transfer ended without saying how").hint("`transship log` may say more; run the same command again to go on")),
                    None => missing = true,
                }
            }
            () = sleep_until(silent_until) => {
                silent_until = Instant::now() + ANSWER_TIME + SILENCE;
                let manager = Connection::manager_of(&connection.info.name)?;
                let pending = connection.client.begin(&manager, body_of(&Request::Transfers)?, ANSWER_TIME, &[]).await?;
                asked.set(pending.response().fuse());
            }
        }
    }
}

/// Answers what came and gives what it says, if it is a report.
async fn note(incoming: Incoming) -> Option<Progress> {
    let notice = from_slice(&incoming.content.body).ok();
    incoming.respond(NOTED).await;
    notice.map(|Notice::Progress(progress)| progress)
}

fn ended(state: &TransferState) -> Option<Result<TransferSummary, TransferError>> {
    match state {
        TransferState::Done(summary) => Some(Ok(summary.clone())),
        TransferState::Failed(error) => Some(Err(error.clone())),
        _ => None,
    }
}

async fn stop(connection: &Connection, id: &str, keep: bool) -> Result<(), CliError> {
    let request = Request::Cancel(CancelRequest { id: id.into(), keep });
    let manager = Connection::manager_of(&connection.info.name)?;
    // The answer tells nothing that the last report does not.
    connection.client.begin(&manager, body_of(&request)?, STOP_TIME, &[]).await.map(drop).map_err(|error| send_error(error, &manager))
}

type Answer = Result<(transship::message::Address, transship::message::Content), transship::control::ControlError>;

fn find(answer: Answer, connection: &Connection, id: &str, node: &str) -> Result<Option<TransferStatus>, CliError> {
    let manager = Connection::manager_of(&connection.info.name)?;
    match read_response(answer, &manager, node)? {
        Response::Transfers(transfers) => Ok(transfers.into_iter().find(|transfer| transfer.id == id)),
        _ => Err(unexpected(&manager, "no list of transfers")),
    }
}

/// What the person who stopped it is told.
fn stopped(job: &Job<'_>) -> CliError {
    if !job.keep {
        return CliError::new(Kind::Interrupted, "stopped; nothing is kept");
    }
    let discard = match &job.request {
        Request::Get(get) if get.options.as_ref().is_some_and(|options| options.tree.is_some()) => {
            "; what is complete is in its place, and hidden files in the folder, .transship-*, hold what has arrived of others, and can be removed"
        }
        Request::Get(_) => "; hidden files beside it, .transship-*, hold what has arrived, and can be removed",
        _ => "",
    };
    CliError::new(Kind::Interrupted, "stopped").hint(format!("run the same command again to go on where it stopped{discard}"))
}
