//! The sending side: it says what the file is, answers chunk requests until the receiver says how it ended, and watches that the file stays the same.
//!
//! The bytes never pass through it: an answer carries a range of the file, which the node reads when it sends.

use file_transfer_types::errors::{Side, from_send, from_vfs};
use file_transfer_types::names::{self, shown};
use file_transfer_types::options::{MAX_ADAPTIVE_STREAMS, MAX_CHUNK};
use file_transfer_types::protocol::{ChunkRequest, DigestRequest, InternalRequest, InternalResponse, SizeRequest};
use file_transfer_types::types::{DigestAlgorithm, DigestMismatch, TransferError, TransferState, TransferSummary};
use file_transfer_types::worker::{self, Location, UploadRequest};
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::digests::{self, Algorithm};
use transship_guest::drive::{File, FileKind, Metadata, OpenFlags, VfsError, open_drive};
use transship_guest::message::{Completion, Response, ResponseError, SendErrorKind, set_lanes};
use transship_guest::{hex, warn};

use crate::session::{Context, Event, Session};
use crate::wire::{log_failure, no_tree};

/// A file of at most so many bytes is digested before it is offered: that takes less time than a message needs, and spares one.
const SMALL: u64 = 4 << 20;

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Job {
    /// The name as the receiver knows it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) local: Location,
    /// On the side that asked: whom to ask to receive it, and how.
    pub(crate) ask: Option<(Address, UploadRequest)>,
    /// On the side that was asked: the worker that receives.
    pub(crate) to: Option<Address>,
}

/// Sends a file; returns what the receiver says of the end.
pub(crate) fn run(session: &mut Session, job: &Job) -> Result<TransferSummary, TransferError> {
    let mut source = Source::open(job)?;
    session.progress.bytes_total = Some(source.offer.size);
    if let Some(to) = job.to.clone() {
        session.set_counterpart(to);
    }
    if let Some((target, request)) = &job.ask {
        ask(session, target, UploadRequest { size: Some(source.offer.size), ..request.clone() })?;
    }
    if let Some(counterpart) = session.counterpart() {
        set_lanes(counterpart, session.settings.streams);
    }
    let digesting = source.start_digest(session.settings.digest)?;
    let known_first = session.settings.digest_first || source.offer.size <= SMALL;
    // A digest that the node knows is there already, and comes before this.
    session.tick_after(0);
    let mut sending =
        Sending { session, source: &mut source, digesting: Some(digesting), offered: false, looked: false, digest: None, resend: Resend::default() };
    loop {
        if !sending.offered && (sending.source.offer.digest.is_some() || (sending.looked && !known_first)) {
            sending.offered = true;
            sending.session.tell(&InternalRequest::Size(sending.source.offer.clone()), Context::Size);
            sending.session.enter(TransferState::Transferring);
        }
        if let Some(outcome) = sending.step()? {
            sending.session.told_by_counterpart = true;
            return outcome;
        }
    }
}

/// Has the worker of the other side started.
pub(crate) fn ask(session: &mut Session, target: &Address, request: UploadRequest) -> Result<(), TransferError> {
    session.ask_to_start(target, &worker::Request::Upload(request));
    loop {
        match session.next()? {
            Event::Started(outcome) => {
                session.set_counterpart(Address::new(target.node.clone(), outcome?));
                return Ok(());
            }
            Event::NotStarted(kind) => return Err(from_send(&kind, &session.node, &format!("{target} was asked to take the file"))),
            _ => {}
        }
    }
}

/// The receiver has found out how many connections serve this line. What somebody chose stays.
pub(crate) fn use_streams(session: &Session, count: u8) {
    if let (Some(counterpart), true) = (session.counterpart(), session.settings.adaptive) {
        set_lanes(counterpart, count.clamp(1, MAX_ADAPTIVE_STREAMS));
    }
}

/// The file that is sent, as it was offered.
struct Source {
    file: File,
    offer: SizeRequest,
}

impl Source {
    fn open(job: &Job) -> Result<Self, TransferError> {
        let path = &job.local.name;
        names::check(path)?;
        let fail = |error| from_vfs(error, &job.name, Side::Provider);
        let root = open_drive(&job.local.drive).map_err(|error| match error {
            VfsError::Denied(text) => TransferError::Denied(text),
            other => fail(other),
        })?;
        // What stands there is looked at first: opening a link or a directory fails too, but says less.
        match root.metadata(path) {
            Ok(Metadata { kind: FileKind::Regular, .. }) => {}
            Ok(_) => return Err(TransferError::NotAFile(shown(&job.name))),
            Err(VfsError::Denied(text)) => return Err(TransferError::Denied(text)),
            Err(VfsError::NotADirectory(_)) => return Err(TransferError::NotFound(shown(&job.name))),
            Err(error) => return Err(fail(error)),
        }
        let file = root.open_file(path, OpenFlags::READ).map_err(fail)?;
        let Metadata { size, modified, permissions, .. } = file.metadata().map_err(fail)?;
        let offer = SizeRequest { name: job.name.clone(), size, modified, permissions, digest: None, max_chunk: MAX_CHUNK };
        Ok(Self { file, offer })
    }

    /// Begins to digest the whole file; a completion of this number follows.
    fn start_digest(&self, algorithm: DigestAlgorithm) -> Result<u64, TransferError> {
        let algorithm = match algorithm {
            DigestAlgorithm::Sha256 => Algorithm::Sha256,
            DigestAlgorithm::Blake3 => Algorithm::Blake3,
        };
        let all = self.file.read_blob(0, self.offer.size).map_err(|error| self.failed(error))?;
        Ok(digests::start_digest(algorithm, &all))
    }

    /// Fails if the file is not what was offered any more.
    fn check(&self) -> Result<(), TransferError> {
        let now = self.file.metadata().map_err(|error| self.failed(error))?;
        if now.size == self.offer.size && now.modified == self.offer.modified { Ok(()) } else { Err(self.changed()) }
    }

    /// Whether a range may be asked for.
    fn range(&self, chunk: &ChunkRequest) -> Result<(), TransferError> {
        check_range(&self.offer, chunk)
    }

    fn changed(&self) -> TransferError {
        TransferError::Changed(shown(&self.offer.name))
    }

    fn failed(&self, error: VfsError) -> TransferError {
        match error {
            // The range was inside the file when it was offered.
            VfsError::Limit(_) if self.check().is_err() => self.changed(),
            other => from_vfs(other, &self.offer.name, Side::Provider),
        }
    }
}

fn check_range(offer: &SizeRequest, chunk: &ChunkRequest) -> Result<(), TransferError> {
    let inside = chunk.offset.checked_add(chunk.length).is_some_and(|end| end <= offer.size);
    if chunk.name != offer.name || !inside || !(1..=u64::from(offer.max_chunk)).contains(&chunk.length) {
        let (from, length, name) = (chunk.offset, chunk.length, shown(&chunk.name));
        return Err(TransferError::InvalidRequest(format!("{length} bytes from {from} of {name} were not offered")));
    }
    Ok(())
}

/// Whether what the receiver says it has is what was offered: both sides compare.
fn check_summary(offer: &SizeRequest, summary: TransferSummary) -> Result<TransferSummary, TransferError> {
    let differs = |expected: String, found: String| Err(TransferError::DigestMismatch(DigestMismatch { name: shown(&offer.name), expected, found }));
    match &offer.digest {
        _ if summary.skipped => Ok(summary),
        _ if summary.size != offer.size => differs(offer.size.to_string(), summary.size.to_string()),
        Some(digest) if !digest.eq_ignore_ascii_case(&summary.digest) => differs(digest.clone(), summary.digest),
        // Not computed yet: the receiver has compared with what an earlier attempt told it of this size and time.
        Some(_) | None => Ok(summary),
    }
}

/// How a transfer ended.
type Outcome = Result<TransferSummary, TransferError>;

struct Sending<'a> {
    session: &'a mut Session,
    source: &'a mut Source,
    /// The digest that is being computed.
    digesting: Option<u64>,
    /// The size was told.
    offered: bool,
    /// Whether the digest was known from before shows by now.
    looked: bool,
    /// What was told of the digest, to be told again if need be.
    digest: Option<DigestRequest>,
    resend: Resend,
}

/// What has to be told again, once the link is back.
#[derive(Debug, Default)]
struct Resend {
    due: Vec<Context>,
    tries: Vec<Context>,
}

impl Resend {
    /// Something was not noted: it is due again, unless that has happened too often.
    fn again(&mut self, context: Context, retries: u32) -> bool {
        let tries = self.tries.iter().filter(|&&other| other == context).count();
        if tries >= retries as usize {
            return false;
        }
        self.tries.push(context);
        self.due.push(context);
        true
    }
}

impl Sending<'_> {
    /// Deals with one event. Some: the receiver says that this is the end.
    fn step(&mut self) -> Result<Option<Outcome>, TransferError> {
        let event = self.session.next()?;
        self.looked |= matches!(event, Event::Tick);
        match event {
            Event::Told(InternalRequest::Chunk(chunk)) => self.chunk(&chunk)?,
            Event::Told(InternalRequest::Streams(count)) => use_streams(self.session, count),
            Event::Told(InternalRequest::Report(report)) => {
                self.session.progress.bytes_done = report.bytes_done.min(self.source.offer.size);
                if std::mem::discriminant(&self.session.progress.state) == std::mem::discriminant(&report.state) {
                    self.session.further();
                } else if !matches!(report.state, TransferState::Done(_) | TransferState::Failed(_)) {
                    self.session.enter(report.state);
                }
            }
            Event::Asked(request, responder) => {
                if let Some(answer) = no_tree(&request) {
                    log_failure("a refusal", Response::json(&answer).map(|answer| answer.send_to(&responder)));
                }
            }
            Event::Told(InternalRequest::Finished(outcome)) => return Ok(Some(outcome.and_then(|summary| check_summary(&self.source.offer, summary)))),
            Event::Told(InternalRequest::Failed(error)) => return Ok(Some(Err(error))),
            Event::Completion(completion) if Some(completion.operation) == self.digesting => self.digested(completion)?,
            Event::NotNoted(context, kind) => self.not_noted(context, &kind)?,
            Event::Tick if self.session.may_send() => self.tell_again(),
            _ => {}
        }
        Ok(None)
    }

    fn chunk(&mut self, chunk: &ChunkRequest) -> Result<(), TransferError> {
        let source = &self.source;
        let outcome = source
            .range(chunk)
            .and_then(|()| source.check())
            .and_then(|()| source.file.read_blob(chunk.offset, chunk.length).map_err(|error| source.failed(error)));
        let (body, blob) = match outcome {
            Ok(blob) => (InternalResponse::Chunk(Ok(chunk.clone())), Some(blob)),
            Err(error) => (InternalResponse::Chunk(Err(error)), None),
        };
        let mut response = Response::json(&body).map_err(|error| TransferError::Failed(error.to_string()))?;
        if let Some(blob) = blob {
            response = response.blob(blob);
        }
        match response.send() {
            // A receiver that is cut off asks again, or is found to be gone.
            Ok(()) | Err(ResponseError::Offline | ResponseError::NotExpected) => Ok(()),
            Err(ResponseError::TooLarge(text) | ResponseError::Denied(text)) => Err(TransferError::Failed(text)),
        }
    }

    fn digested(&mut self, completion: Completion) -> Result<(), TransferError> {
        self.digesting = None;
        let digest = match completion.outcome {
            Ok(digest) => hex::encode(&digest),
            Err(text) => {
                // A file that became shorter can't be read to its end.
                self.source.check()?;
                return Err(TransferError::Unreadable(text));
            }
        };
        self.source.check()?;
        self.source.offer.digest = Some(digest.clone());
        // Otherwise it goes along with the size.
        if self.offered {
            let SizeRequest { size, modified, .. } = self.source.offer;
            let told = DigestRequest { algorithm: self.session.settings.digest, digest, size, modified };
            self.session.tell(&InternalRequest::Digest(told.clone()), Context::Digest);
            self.digest = Some(told);
        }
        Ok(())
    }

    fn not_noted(&mut self, context: Context, kind: &SendErrorKind) -> Result<(), TransferError> {
        let what = if context == Context::Size { "the size was told" } else { "the digest was told" };
        self.session.try_again_after(kind, what)?;
        if !self.resend.again(context, self.session.settings.retries) {
            return Err(from_send(kind, &self.session.node, what));
        }
        if self.session.may_send() {
            self.tell_again();
        }
        Ok(())
    }

    fn tell_again(&mut self) {
        for context in std::mem::take(&mut self.resend.due) {
            match (context, &self.digest) {
                (Context::Size, _) => self.session.tell(&InternalRequest::Size(self.source.offer.clone()), Context::Size),
                (Context::Digest, Some(digest)) => self.session.tell(&InternalRequest::Digest(digest.clone()), Context::Digest),
                _ => warn!("nothing to tell again"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ranges_of_the_offered_file_are_given() {
        let offer = SizeRequest { name: "a".into(), size: 100, modified: 0, permissions: 0o644, digest: None, max_chunk: 60 };
        let asked = |name: &str, offset, length| check_range(&offer, &ChunkRequest { name: name.into(), offset, length });
        assert_eq!(asked("a", 0, 60), Ok(()));
        assert_eq!(asked("a", 99, 1), Ok(()));
        for (name, offset, length) in [("b", 0, 1), ("a", 0, 61), ("a", 0, 0), ("a", 100, 1), ("a", 50, 51), ("a", u64::MAX, 2)] {
            assert!(matches!(asked(name, offset, length), Err(TransferError::InvalidRequest(_))), "{name} {offset} {length}");
        }
    }

    #[test]
    fn an_end_with_another_size_or_digest_than_was_offered_is_none() {
        let offer =
            |digest: Option<&str>| SizeRequest { name: "a".into(), size: 3, modified: 0, permissions: 0o644, digest: digest.map(Into::into), max_chunk: 60 };
        let said = |size, digest: &str, skipped| {
            let algorithm = DigestAlgorithm::Sha256;
            TransferSummary { name: "a".into(), size, algorithm, digest: digest.into(), resumed: 0, skipped, elapsed: 1, tree: None }
        };
        assert!(check_summary(&offer(Some("ab")), said(3, "AB", false)).is_ok());
        assert!(check_summary(&offer(None), said(0, "", true)).is_ok());
        for (offer, said) in [(offer(Some("ab")), said(3, "ac", false)), (offer(Some("ab")), said(4, "ab", false)), (offer(None), said(4, "ab", false))] {
            assert!(matches!(check_summary(&offer, said), Err(TransferError::DigestMismatch(_))));
        }
    }

    #[test]
    fn what_is_not_noted_is_told_again_as_often_as_allowed() {
        let mut resend = Resend::default();
        assert!(resend.again(Context::Size, 2) && resend.again(Context::Digest, 2) && resend.again(Context::Size, 2));
        assert!(!resend.again(Context::Size, 2));
        assert!(resend.again(Context::Digest, 2));
    }
}
