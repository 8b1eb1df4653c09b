//! How a worker ends: its counterpart and its parent are told, and it waits, for a bounded time, until both know.

use file_transfer_types::errors::{describe, keeps};
use file_transfer_types::protocol::{InternalRequest, InternalResponse};
use file_transfer_types::types::{TransferError, TransferState, TransferSummary};
use transship_guest::debug;
use transship_guest::message::respond_json;

use super::{END_PATIENCE, Event, PARENT_PATIENCE, Session};
use crate::clock::now;
use crate::wire::{Context, log_failure};

/// How long the parent of a sender waits to hear of the end until the receiver knows: what the receiver is to leave behind then, it has heard, should this node end next.
const RECEIVER_FIRST: u64 = 2_000;

impl Session {
    /// Tells everybody how it ended, and waits (for a bounded time) until they know.
    pub(crate) fn end(mut self, outcome: &Result<TransferSummary, TransferError>, receiving: bool) {
        self.claims.end();
        self.telling = false;
        if self.counterpart.is_some() && !self.told_by_counterpart {
            let (told, context) = match outcome {
                _ if receiving => (Some(InternalRequest::Finished(outcome.clone())), Context::Finished),
                Err(error) => (Some(InternalRequest::Failed(error.clone())), Context::Failed),
                Ok(_) => (None, Context::Failed),
            };
            let sent = told.is_some_and(|told| self.send(&told, Some((context, END_PATIENCE))).is_ok());
            // One that can't be reached will not say that it knows, and one that keeps what it has does so in any case. Whoever tries again at once must find the place of this transfer free.
            self.telling = sent && !outcome.as_ref().is_err_and(keeps);
        }
        if !receiving {
            self.wait_until_told(outcome, now() + RECEIVER_FIRST);
        }
        self.progress.state = match outcome {
            Ok(summary) => {
                self.progress.bytes_total = Some(summary.size);
                self.progress.bytes_done = if summary.skipped { 0 } else { summary.size };
                TransferState::Done(summary.clone())
            }
            Err(error) => {
                debug!("ended: {}", describe(error));
                TransferState::Failed(error.clone())
            }
        };
        self.pace.tell(self.progress.report(), now());
        // The last report goes out when the one before it was taken; then it is waited for.
        let deadline = now() + 2 * PARENT_PATIENCE;
        self.flush();
        while (self.pace.waiting() || self.telling) && now() < deadline {
            self.wind_up(outcome);
        }
    }

    fn wait_until_told(&mut self, outcome: &Result<TransferSummary, TransferError>, deadline: u64) {
        while self.telling && now() < deadline {
            self.wind_up(outcome);
        }
    }

    /// Deals with one event after the end.
    fn wind_up(&mut self, outcome: &Result<TransferSummary, TransferError>) {
        match self.next() {
            Ok(Event::Noted(Context::Finished | Context::Failed) | Event::NotNoted(Context::Finished | Context::Failed, _)) => self.telling = false,
            Ok(Event::Told(InternalRequest::Chunk(_))) => {
                let error = outcome.clone().err().unwrap_or_else(|| TransferError::Failed("the transfer is over".into()));
                log_failure("the answer to a chunk request", respond_json(&InternalResponse::Chunk(Err(error))));
            }
            // Whoever cancels now, or vanishes, changes nothing any more.
            Err(_) => self.telling = false,
            Ok(_) => {}
        }
        self.flush();
    }
}
