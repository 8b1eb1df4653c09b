//! What others of this node ask a transfer: whether it still runs, since they would receive to the same place (see [`rivals`](crate::rivals)).
//!
//! It answers when it knows: its own slot must be decided, and its counterpart must have answered. One that is about to end says so at once.

use file_transfer_types::protocol::InternalResponse;
use transship_guest::message::{Responder, Response};

use crate::wire::log_failure;

/// How long the counterpart of one that was asked may take to answer, in milliseconds.
pub(crate) const COUNTERPART_PATIENCE: u64 = 5_000;

/// Those who want to know whether this worker's transfer still runs.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    waiting: Vec<Responder>,
    /// Its own slot, once decided.
    slot: Option<u32>,
    /// It is about to end.
    ended: bool,
}

impl Claims {
    /// Somebody asks. True: the counterpart must be asked first.
    pub(crate) fn add(&mut self, responder: Option<Responder>, has_counterpart: bool) -> bool {
        self.waiting.extend(responder);
        if self.ended || (self.slot.is_some() && !has_counterpart) {
            self.answer();
            return false;
        }
        self.slot.is_some()
    }

    /// The slot is decided. True: the counterpart must be asked for those who wait.
    pub(crate) fn decided(&mut self, slot: u32, has_counterpart: bool) -> bool {
        self.slot = Some(slot);
        !self.waiting.is_empty() && self.add(None, has_counterpart)
    }

    /// The transfer is about to end: its slot is free.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.answer();
    }

    /// Tells those who wait.
    pub(crate) fn answer(&mut self) {
        let answer = InternalResponse::Claim(self.slot.filter(|_| !self.ended));
        for responder in self.waiting.drain(..) {
            log_failure("the answer to a claim", Response::json(&answer).map(|answer| answer.send_to(&responder)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_waits_until_it_is_decided_and_then_for_the_counterpart_if_there_is_one() {
        let mut claims = Claims::default();
        assert!(!claims.add(None, true), "not decided");
        assert!(!claims.decided(0, true), "nobody waits");
        assert!(claims.add(None, true), "the counterpart is asked");
        assert!(!claims.add(None, false), "without one there is nothing to ask");
        claims.end();
        assert!(!claims.add(None, true), "it has ended");
    }
}
