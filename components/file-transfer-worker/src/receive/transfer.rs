//! Moving the bytes: from an open partial file to one that is complete, verified and safe on disk.
//!
//! One loop turns on whatever comes: it keeps the window full, writes what arrives, feeds the digest in order, makes things safe now and then. When all bytes are there it waits for
//! the sender's digest and the last sync.

use file_transfer_types::errors::{from_blob, from_send};
use file_transfer_types::journal::Known;
use file_transfer_types::protocol::{DigestRequest, InternalRequest, SizeRequest};
use file_transfer_types::types::{DigestAlgorithm, DigestMismatch, TransferError, TransferState};
use transship_guest::bindings::transship::host::digests::{Algorithm, Hasher};
use transship_guest::message::{Blob, Completion, SendErrorKind};
use transship_guest::{hex, warn};

use super::durable::Durable;
use super::feed::{Feed, Piece};
use super::flow::{Flow, Retry};
use super::partial::{Partial, There};
use super::window::Window;
use crate::clock::{micros, now};
use crate::session::{Event, Session};
use crate::wire::Ask;

/// How long the reason of a sender that has ended may take to come, in milliseconds: the news that it has ended may overtake what it said at the end.
pub(crate) const LAST_WORDS: u64 = 1_000;

struct Transfer<'a> {
    session: &'a mut Session,
    partial: &'a mut Partial,
    /// What is received; it learns the digest when the sender tells it, so that starting over needs not hear it again.
    offer: &'a mut SizeRequest,
    flow: Flow,
    feed: Feed<Blob>,
    durable: Durable,
    hasher: Hasher,
    /// The sender's digest, once known.
    expected: Option<String>,
    /// The sender has ended: since when that is known, and the error if it has not said why.
    gone: Option<(u64, TransferError)>,
    /// A tick comes when the next chunk may be asked for.
    waking: bool,
}

/// Moves the bytes and returns the verified digest.
pub(crate) fn run(session: &mut Session, partial: &mut Partial, offer: &mut SizeRequest, there: There, attempt: u32) -> Result<String, TransferError> {
    let settings = session.settings.clone();
    let chunk = settings.chunk.min(offer.max_chunk);
    let most = settings.window(chunk);
    let window = if settings.adaptive { Window::of_file(micros(), offer.size, session.delay) } else { Window::fixed(most) };
    let algorithm = match settings.digest {
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
        DigestAlgorithm::Blake3 => Algorithm::Blake3,
    };
    let mut transfer = Transfer {
        flow: Flow::new(offer.size, there.ranges.clone(), chunk, window, settings.limit, settings.retries, attempt),
        feed: Feed::new(offer.size, most),
        durable: Durable::new(there.ranges, now()),
        hasher: Hasher::new(algorithm),
        expected: offer.digest.clone().or(there.digest.map(|known| known.digest)),
        gone: None,
        waking: false,
        session,
        partial,
        offer,
    };
    let outcome = transfer.fetch().and_then(|()| transfer.verify());
    if outcome.as_ref().is_err_and(file_transfer_types::errors::keeps) {
        transfer.save();
    }
    outcome
}

impl Transfer<'_> {
    /// Until all bytes are in the partial file and all are hashed.
    fn fetch(&mut self) -> Result<(), TransferError> {
        loop {
            if let Some((since, error)) = &self.gone {
                if now().saturating_sub(*since) >= LAST_WORDS {
                    return Err(error.clone());
                }
            } else if self.session.may_send() {
                while let Some(ask) = self.flow.next(micros()) {
                    self.session.ask_for_chunk(&self.offer.name, ask);
                }
                if let Some(pause) = self.flow.pause(micros()).filter(|_| !self.waking) {
                    self.session.tick_after(pause);
                    self.waking = true;
                }
            }
            self.hash()?;
            if self.flow.complete() && self.feed.complete() {
                self.session.busy = false;
                return Ok(());
            }
            if self.durable.due(self.flow.received(), now()) {
                self.durable.begun(self.partial.start_sync(), self.flow.received(), now());
            }
            self.session.busy = self.flow.waiting();
            match self.session.next()? {
                Event::Chunk(ask, outcome, blob) => self.chunk(ask, outcome.map(|_| blob))?,
                Event::NoChunk(ask, kind) => self.no_chunk(ask, &kind)?,
                Event::Tick => self.waking = false,
                other => self.other(other)?,
            }
        }
    }

    /// Hands pieces to the digest: all that are at hand, or one that must be read back, to leave others their turn.
    fn hash(&mut self) -> Result<(), TransferError> {
        let failed = |error| from_blob(error, &self.offer.name);
        while let Some(piece) = self.feed.next(self.flow.received()) {
            match piece {
                Piece::Held(chunk) => self.hasher.update(&chunk).map_err(failed)?,
                Piece::Disk { offset, length } => {
                    let chunk = self.partial.read(offset, length)?;
                    self.hasher.update(&chunk).map_err(failed)?;
                    self.session.tick_after(1_000);
                    break;
                }
            }
        }
        Ok(())
    }

    fn chunk(&mut self, ask: Ask, outcome: Result<Option<Blob>, TransferError>) -> Result<(), TransferError> {
        let blob = match outcome {
            Ok(Some(blob)) => blob,
            Ok(None) => return Err(TransferError::Failed(format!("{} answered a chunk request without bytes", self.session.node))),
            Err(error) => return Err(error),
        };
        let length = blob.length();
        if !self.flow.wants(ask, length) {
            // One of an earlier attempt is of no use; a short one would leave a hole.
            return if length == ask.length {
                Ok(())
            } else {
                Err(TransferError::Failed(format!("{} sent {length} bytes where {} were asked for", self.session.node, ask.length)))
            };
        }
        self.partial.write(ask.offset, &blob)?;
        self.flow.written(ask, micros());
        if let Some(count) = self.flow.streams() {
            self.session.want_streams(count);
        }
        self.feed.offer(ask.offset, ask.length, blob);
        self.session.progress.bytes_done = self.flow.received().total();
        self.session.further();
        self.session.report();
        Ok(())
    }

    fn no_chunk(&mut self, ask: Ask, kind: &SendErrorKind) -> Result<(), TransferError> {
        let what = format!("bytes {} to {} of {}", ask.offset, ask.offset + ask.length, self.offer.name);
        let ended = |retry| if retry == Retry::GiveUp { Err(from_send(kind, &self.session.node, &what)) } else { Ok(()) };
        match kind {
            SendErrorKind::Timeout => ended(self.flow.timed_out(ask, micros())),
            // The bytes could not be read when their turn came to be sent. The sender, asked again, says why: that the file changed, for one.
            SendErrorKind::Denied(_) => ended(self.flow.refused(ask)),
            SendErrorKind::NoSuchProcess => {
                let error = || from_send(kind, &self.session.node, &what);
                self.gone.get_or_insert_with(|| (now(), error()));
                Ok(())
            }
            _ => {
                self.session.try_again_after(kind, &what)?;
                self.flow.dropped(ask);
                Ok(())
            }
        }
    }

    /// Whatever may come at any time.
    fn other(&mut self, event: Event) -> Result<(), TransferError> {
        match event {
            Event::Told(InternalRequest::Digest(told)) => self.digest(told),
            Event::Told(InternalRequest::Size(again)) if again.size != self.offer.size || again.modified != self.offer.modified => {
                Err(TransferError::Changed(self.offer.name.clone()))
            }
            Event::Told(InternalRequest::Failed(error)) => {
                self.session.told_by_counterpart = true;
                Err(error)
            }
            Event::Completion(completion) if self.durable.is(completion.operation) => self.synced(completion),
            _ => Ok(()),
        }
    }

    fn digest(&mut self, told: DigestRequest) -> Result<(), TransferError> {
        if told.algorithm != self.session.settings.digest {
            return Err(TransferError::Failed(format!("{} sent a digest of another kind than was asked for", self.session.node)));
        }
        if told.size != self.offer.size || told.modified != self.offer.modified {
            return Err(TransferError::Changed(self.offer.name.clone()));
        }
        self.partial.note_digest(&Known { algorithm: told.algorithm, digest: told.digest.clone() })?;
        self.offer.digest = Some(told.digest.clone());
        self.expected = Some(told.digest);
        Ok(())
    }

    fn check_safe(&self, completion: &Completion) -> Result<(), TransferError> {
        completion.outcome.as_ref().map(drop).map_err(|text| self.partial.why_not_safe(text))
    }

    fn synced(&mut self, completion: Completion) -> Result<(), TransferError> {
        self.check_safe(&completion)?;
        let safe = self.durable.done();
        self.partial.note(&safe)
    }

    /// Until the digests agree and everything is on stable storage.
    fn verify(&mut self) -> Result<String, TransferError> {
        self.session.enter(TransferState::Verifying);
        let found = hex::encode(&self.hasher.digest().map_err(|error| from_blob(error, &self.offer.name))?);
        let length = self.partial.seal(self.offer)?;
        if length != self.offer.size {
            return Err(self.mismatch(self.offer.size.to_string(), length.to_string()));
        }
        // The sync that covers the last byte, the time and the mode begins now; one that is under way does not.
        let mut last = None;
        let mut safe = false;
        loop {
            if let Some(expected) = &self.expected {
                if !expected.eq_ignore_ascii_case(&found) {
                    return Err(self.mismatch(expected.clone(), found));
                }
                if safe {
                    return Ok(found);
                }
            }
            if last.is_none() && !self.durable.busy() {
                let operation = self.partial.start_sync();
                self.durable.begun(operation, self.flow.received(), now());
                last = Some(operation);
            }
            match self.session.next()? {
                Event::Completion(completion) if self.durable.is(completion.operation) => {
                    safe = Some(completion.operation) == last;
                    if safe && self.expected.is_some() && !self.partial.is_journaled() {
                        // It gets its name next, and needs no journal for that.
                        self.check_safe(&completion)?;
                        self.durable.done();
                    } else {
                        self.synced(completion)?;
                    }
                }
                Event::Tick => self.session.report(),
                other => self.other(other)?,
            }
        }
    }

    fn mismatch(&self, expected: String, found: String) -> TransferError {
        TransferError::DigestMismatch(DigestMismatch { name: self.offer.name.clone(), expected, found })
    }

    /// Makes what has arrived worth keeping: the journal may name it once it is safe.
    fn save(&mut self) {
        let saved = self.partial.sync().and_then(|()| {
            let new = self.flow.received().without(self.durable.safe());
            self.partial.note(&new)
        });
        if let Err(error) = saved {
            warn!("{}: some of what has arrived will have to be fetched again: {error:?}", self.offer.name);
        }
    }
}
