//! A file of the tree that comes in parts, of the length that the tree's window has at the moment of asking. It is written where it waits for its name: one that is worth resuming to a partial file with a journal, as if it were transferred alone, all others to the stage.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::options::MAX_CHUNK;
use file_transfer_types::protocol::{FileRequest, PartRequest, SizeRequest, TreeEntry};
use file_transfer_types::ranges::RangeSet;
use file_transfer_types::types::{DigestMismatch, TransferError};
use transship_guest::bindings::transship::host::digests;
use transship_guest::drive::{Directory, File};
use transship_guest::message::{Blob, Completion};
use transship_guest::{hex, warn};

use super::plan::How;
use super::stage::Stage;
use crate::clock::{micros, now};
use crate::receive::Retry;
use crate::receive::durable::Durable;
use crate::receive::flow::Flow;
use crate::receive::partial::{Partial, stem};
use crate::receive::place::Place;
use crate::receive::publish::{self, Published};
use crate::receive::window::Window;
use crate::session::Session;
use crate::tree::algorithm;
use crate::wire::Ask;

/// From this size on a file is worth resuming.
const JOURNALED: u64 = 16 << 20;

/// Where its bytes go.
enum Sink {
    /// Into the stage, under this number.
    Staged(File, u64),
    /// Into a partial file.
    Journaled { partial: Box<Partial>, place: Place, durable: Durable },
}

/// How far it is, when all parts are there.
enum Step {
    /// They are not.
    Fetching,
    /// It was there in part already, so its digest is compared as a whole: what the sender says, what is computed here, and by which operation.
    Comparing { expected: Option<String>, found: Option<String>, operation: u64 },
    /// It is being synced, by this operation.
    Syncing(u64),
}

/// See the module.
pub(super) struct Large {
    /// Its page, and its place in it.
    pub(super) of: FileRequest,
    /// As it was listed.
    pub(super) entry: TreeEntry,
    /// How it gets its name.
    pub(super) how: How,
    offer: SizeRequest,
    flow: Flow,
    algorithm: digests::Algorithm,
    sink: Sink,
    step: Step,
    /// How many bytes were there already.
    pub(super) resumed: u64,
    /// How often it was begun anew.
    pub(super) attempt: u32,
    retries: u32,
}

/// Of what to ask for. How much at a time is told when it is asked.
fn flow(entry: &TreeEntry, there: RangeSet, retries: u32, attempt: u32) -> Flow {
    Flow::new(entry.size, there, MAX_CHUNK, Window::fixed(u32::MAX), None, retries, attempt)
}

/// What follows from an event.
pub(super) enum Next {
    /// More events.
    Wait,
    /// It begins anew: so many bytes that were there are not any more.
    Anew(u64),
    /// Its digest must be asked for.
    AskDigest,
    /// It is complete in the stage, under this number.
    Staged(u64),
    /// It has its name, or not.
    Named(Result<Published, TransferError>),
}

impl Large {
    /// Opens what it is written to. `path` is that of the tree's folder in the drive, `source` that of the tree at the sender.
    pub(super) fn open(session: &Session, root: &Directory, stage: &mut Stage, what: Opening<'_>) -> Result<Self, TransferError> {
        let Opening { of, entry, how, drive, path, source, slot, tries } = what;
        let offer = SizeRequest {
            name: entry.path.clone(),
            size: entry.size,
            modified: entry.modified,
            permissions: entry.permissions,
            digest: None,
            max_chunk: MAX_CHUNK,
        };
        let (sink, there) = if entry.size >= JOURNALED {
            let target = if path.is_empty() { entry.path.clone() } else { format!("{path}/{}", entry.path) };
            let place = Place::open(drive, &target)?;
            let stem = stem(&session.node, source, &[&entry.path, &slot.to_string()])?;
            let (partial, there, restarted) = Partial::open(&place, &stem, &session.node, &offer, session.settings.digest)?;
            if let Some(why) = restarted {
                warn!("{}: starting over: {why}", entry.path);
            }
            // So that it is found again, whatever happens.
            stage.make(root)?;
            let durable = Durable::new(there.ranges.clone(), now());
            (Sink::Journaled { partial: Box::new(partial), place, durable }, there.ranges)
        } else {
            let (file, number) = stage.open(root)?;
            (Sink::Staged(file, number), RangeSet::default())
        };
        let resumed = there.total();
        let flow = flow(&entry, there, session.settings.retries, 0).having_tried(tries);
        let retries = session.settings.retries;
        Ok(Self { of, entry, how, offer, flow, retries, algorithm: algorithm(session.settings.digest), sink, step: Step::Fetching, resumed, attempt: 0 })
    }

    /// The next part to ask for, of at most so many bytes.
    pub(super) fn next(&mut self, chunk: u64) -> Option<PartRequest> {
        self.flow.cut_by(chunk);
        let Ask { offset, length, .. } = self.flow.next(micros())?;
        Some(PartRequest { page: self.of.page, file: self.of.file, offset, length })
    }

    /// A part did not come: it is to be asked for again, and that counts against its retries or not.
    pub(super) fn put_back(&mut self, asked: &PartRequest, attempt: u32, counts: bool) -> Retry {
        self.flow.put_back(Ask { offset: asked.offset, length: asked.length, attempt }, counts)
    }

    /// The digest of a part did not fit: the file is being changed, most likely, and what came before may be of another file than what comes now, also if its size and time do not tell. So it begins anew, once. Returns how many bytes
    /// were there; none if it has begun anew before.
    pub(super) fn doubt(&mut self) -> Result<Option<u64>, TransferError> {
        if self.attempt > 0 {
            return Ok(None);
        }
        warn!("{}: a part is not what its digest says: starting over", self.entry.path);
        self.start_over().map(Some)
    }

    /// How many bytes of it are here.
    pub(super) fn received(&self) -> u64 {
        self.flow.received().total()
    }

    /// Whether all parts are asked for.
    pub(super) fn complete(&self) -> bool {
        self.flow.complete()
    }

    /// A part came, whose digest agrees.
    pub(super) fn part(&mut self, asked: &PartRequest, attempt: u32, bytes: &Blob) -> Result<u64, TransferError> {
        let ask = Ask { offset: asked.offset, length: asked.length, attempt };
        if !self.flow.wants(ask, bytes.length()) {
            return Ok(0);
        }
        match &mut self.sink {
            Sink::Staged(file, _) => {
                file.queue_blob(asked.offset, bytes).map_err(|error| from_vfs(error, &self.entry.path, Side::Receiver))?;
                self.flow.written(ask, micros());
            }
            Sink::Journaled { partial, .. } => {
                partial.write(asked.offset, bytes)?;
                self.flow.written(ask, micros());
            }
        }
        Ok(asked.length)
    }

    /// Begins to make safe what is here, if it is time for that: also when nothing more comes.
    pub(super) fn sync(&mut self) {
        if let Sink::Journaled { partial, durable, .. } = &mut self.sink
            && !matches!(self.step, Step::Syncing(_))
            && durable.due(self.flow.received(), now())
        {
            durable.begun(partial.start_sync(), self.flow.received(), now());
        }
    }

    /// What follows when all parts are there.
    pub(super) fn finish(&mut self) -> Result<Next, TransferError> {
        if !self.flow.complete() {
            return Ok(Next::Wait);
        }
        match &mut self.sink {
            Sink::Staged(file, number) => {
                // Parts that could not be written are told here.
                file.length().map_err(|error| from_vfs(error, &self.entry.path, Side::Receiver))?;
                let set = file.set_modified(self.entry.modified).and_then(|()| file.set_permissions(self.entry.permissions & 0o777));
                if let Err(error) = set {
                    warn!("{}: time and permissions of the source can't be set: {error:?}", self.entry.path);
                }
                Ok(Next::Staged(*number))
            }
            Sink::Journaled { partial, .. } if self.resumed > 0 => {
                let all = partial.read(0, self.entry.size)?;
                let operation = digests::start_digest(self.algorithm, &all);
                self.step = Step::Comparing { expected: None, found: None, operation };
                Ok(Next::AskDigest)
            }
            Sink::Journaled { .. } => self.seal(),
        }
    }

    /// The sender has said what its digest is.
    pub(super) fn told(&mut self, digest: String) -> Result<Next, TransferError> {
        if let Step::Comparing { expected, .. } = &mut self.step {
            *expected = Some(digest);
        }
        self.compare()
    }

    /// An operation of its own is done. None: it was none of its own.
    pub(super) fn completed(&mut self, completion: &Completion) -> Option<Result<Next, TransferError>> {
        match (&mut self.step, &mut self.sink) {
            (Step::Comparing { found, operation, .. }, _) if *operation == completion.operation => Some(match &completion.outcome {
                Ok(digest) => {
                    *found = Some(hex::encode(digest));
                    self.compare()
                }
                Err(text) => Err(TransferError::Failed(text.clone())),
            }),
            (Step::Syncing(operation), Sink::Journaled { partial, place, .. }) if *operation == completion.operation => Some(match &completion.outcome {
                Ok(_) => Ok(Next::Named(publish::run(place, partial, &self.offer, self.how.policy()))),
                Err(text) => Err(partial.why_not_safe(text)),
            }),
            (_, Sink::Journaled { partial, durable, .. }) if durable.is(completion.operation) => Some(match &completion.outcome {
                Ok(_) => partial.note(&durable.done()).map(|()| Next::Wait),
                Err(text) => Err(partial.why_not_safe(text)),
            }),
            _ => None,
        }
    }

    fn compare(&mut self) -> Result<Next, TransferError> {
        let Step::Comparing { expected: Some(expected), found: Some(found), .. } = &self.step else { return Ok(Next::Wait) };
        if expected.eq_ignore_ascii_case(found) {
            return self.seal();
        }
        let (expected, found) = (expected.clone(), found.clone());
        // What an earlier attempt left is what is wrong, most likely. Once: the next takes nothing on trust.
        if self.attempt > 0 {
            return Err(TransferError::DigestMismatch(DigestMismatch { name: self.entry.path.clone(), expected, found }));
        }
        warn!("{}: what an earlier attempt left does not fit ({found} and not {expected}): starting over", self.entry.path);
        self.start_over().map(Next::Anew)
    }

    /// Nothing of it is here any more. Returns how many bytes were.
    fn start_over(&mut self) -> Result<u64, TransferError> {
        match &mut self.sink {
            Sink::Staged(file, _) => file.set_length(0).map_err(|error| from_vfs(error, &self.entry.path, Side::Receiver))?,
            Sink::Journaled { partial, durable, .. } => {
                partial.start_over()?;
                *durable = Durable::new(RangeSet::default(), now());
            }
        }
        self.attempt += 1;
        self.resumed = 0;
        let lost = self.received();
        self.flow = flow(&self.entry, RangeSet::default(), self.retries, self.attempt);
        self.step = Step::Fetching;
        Ok(lost)
    }

    /// Gives it its time and permissions, and begins to make it safe.
    fn seal(&mut self) -> Result<Next, TransferError> {
        if let Sink::Journaled { partial, .. } = &self.sink {
            partial.seal(&self.offer)?;
            self.step = Step::Syncing(partial.start_sync());
        }
        Ok(Next::Wait)
    }

    /// It does not get its name: leaves nothing, or, if it is to be kept, what a later attempt goes on with. Whether it leaves something.
    pub(super) fn give_up(mut self, root: &Directory, stage: &Stage, keep: bool) -> bool {
        match &mut self.sink {
            Sink::Staged(_, number) => stage.discard(root, *number),
            Sink::Journaled { partial, place, durable } if keep && !partial.is_empty() => {
                let saved = partial.sync().and_then(|()| partial.note(&self.flow.received().without(durable.safe())));
                if let Err(error) = saved {
                    warn!("{}: some of what has arrived will have to be fetched again: {error:?}", place.path());
                }
                return true;
            }
            Sink::Journaled { partial, place, .. } => partial.remove(place),
        }
        false
    }
}

/// What a large file is opened with.
pub(super) struct Opening<'a> {
    /// Its page, and its place in it.
    pub(super) of: FileRequest,
    /// As it was listed.
    pub(super) entry: TreeEntry,
    /// How it gets its name.
    pub(super) how: How,
    /// The drive.
    pub(super) drive: &'a str,
    /// The path of the tree's folder in the drive.
    pub(super) path: &'a str,
    /// The name of the tree at the sender.
    pub(super) source: &'a str,
    /// What keeps transfers to one place apart.
    pub(super) slot: u32,
    /// How often it was asked for in vain as a small one.
    pub(super) tries: u32,
}
