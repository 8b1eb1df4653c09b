//! The receiving side: it drives. It learns what the file is, asks for its bytes, verifies and publishes it.
//!
//! The states, each a module or a function that returns the next: **ask** (on the side that asked: have the sender started) → **offered** (the size has come) → [`Partial`] (what an earlier attempt left
//! has been looked at) → [`transfer`] (all bytes and digests are there and agree, all is safe on disk) → [`publish`].
//!
//! Whatever fails, in whichever state, either leaves nothing at all (not even a folder that was made for it) or exactly what a resume needs: the partial file and its journal. Which of
//! the two, the error decides ([`keeps`]).

pub(crate) mod durable;
mod feed;
pub(crate) mod flow;
pub(crate) mod partial;
pub(crate) mod place;
pub(crate) mod publish;
pub(crate) mod rate;
mod streams;
mod transfer;
pub(crate) mod window;

use file_transfer_types::errors::keeps;
use file_transfer_types::names;
use file_transfer_types::protocol::{InternalRequest, SizeRequest};
use file_transfer_types::ranges::RangeSet;
use file_transfer_types::types::{ConflictPolicy, DigestMismatch, NoSpace, TransferError, TransferState, TransferSummary};
use file_transfer_types::worker::{self, DownloadRequest, Location, Rival};
use transship_guest::address::Address;
use transship_guest::drive::{FileKind, Metadata};
use transship_guest::{info, warn};

use crate::clock::micros;
use crate::rivals;
use crate::session::{Event, Session};
pub(crate) use flow::Retry;
use partial::Partial;
pub(crate) use partial::stem;
use place::Place;
pub(crate) use transfer::LAST_WORDS;

/// What is to be received.
#[derive(Debug)]
pub(crate) struct Job {
    /// The name that was asked for or offered; a digest if the settings say `by-id`.
    pub(crate) name: String,
    /// Where to put it.
    pub(crate) local: Location,
    /// Keeps transfers into one place apart: what the API suggests.
    pub(crate) slot: u32,
    /// Those that may be running to the same place.
    pub(crate) rivals: Vec<Rival>,
    /// On the side that asked: whom to ask, and for what.
    pub(crate) ask: Option<(Address, DownloadRequest)>,
    /// On the side that was asked: the worker that sends.
    pub(crate) from: Option<Address>,
}

/// Receives a file.
pub(crate) fn run(session: &mut Session, job: &Job) -> Result<TransferSummary, TransferError> {
    let by_id = session.settings.by_id;
    // First, since whoever sends must hear of an end that comes before the first byte too.
    if let Some(from) = job.from.clone() {
        session.set_counterpart(from);
    }
    // With a name (and not a digest, or a folder that the provider's name completes) the target is known already, so that a conflict shows before anybody is bothered.
    let known = (!by_id).then(|| Place::open(&job.local.drive, &names::complete(&job.local.name, &job.name))).transpose()?;
    if let Some(place) = &known
        && let Some(done) = settle_conflict(session, place, None)?
    {
        return Ok(done);
    }
    let node = session.node.clone();
    let left = |slots: &[u32]| {
        let place = known.as_ref()?;
        let stems: Vec<String> = slots.iter().map_while(|&slot| stem_of(&node, job, place, slot).ok()).collect();
        Partial::first_there(place, &stems).and_then(|index| slots.get(index).copied())
    };
    let slot = rivals::settle(session, job.slot, &job.rivals, left)?;
    if let Some((target, request)) = &job.ask {
        ask(session, target, request)?;
    }
    let mut offer = offered(session, job)?;
    let place = match known {
        Some(place) => place,
        None => Place::open(&job.local.drive, &names::complete(&job.local.name, &offer.name))?,
    };
    session.progress.bytes_total = Some(offer.size);
    if let Some(done) = settle_conflict(session, &place, Some(&offer))? {
        return Ok(done);
    }
    receive(session, job, slot, &mut offer, &place)
}

/// Has the worker of the other side started.
pub(crate) fn ask(session: &mut Session, target: &Address, request: &DownloadRequest) -> Result<(), TransferError> {
    let request = worker::Request::Download(request.clone());
    let asked = micros();
    session.ask_to_start(target, &request);
    loop {
        match session.next()? {
            Event::Started(outcome) => {
                session.delay = Some(micros().saturating_sub(asked));
                session.set_counterpart(Address::new(target.node.clone(), outcome?));
                return Ok(());
            }
            Event::NotStarted(kind) => return Err(file_transfer_types::errors::from_send(&kind, &session.node, &format!("{target} was asked for the file"))),
            _ => {}
        }
    }
}

/// Waits until the sender has said what the file is.
fn offered(session: &mut Session, job: &Job) -> Result<SizeRequest, TransferError> {
    loop {
        match session.next()? {
            Event::Told(InternalRequest::Size(offer)) => {
                names::check(&offer.name)?;
                if offer.max_chunk == 0 {
                    return Err(TransferError::Failed(format!("{} offers chunks of no size", session.node)));
                }
                // On the side that was asked: it comes in answer to the news that this worker runs.
                session.delay.get_or_insert(session.elapsed() * 1_000);
                if let Some(digest) = offer.digest.as_ref().filter(|_| session.settings.by_id) {
                    check_id(session, job, digest)?;
                }
                return Ok(offer);
            }
            Event::Told(InternalRequest::Failed(error)) => {
                session.told_by_counterpart = true;
                return Err(error);
            }
            _ => {}
        }
    }
}

/// A file that was asked for by its digest must have it, if the algorithm is the one that verifies.
fn check_id(session: &Session, job: &Job, digest: &str) -> Result<(), TransferError> {
    let comparable = session.settings.digest == file_transfer_types::types::DigestAlgorithm::Sha256 && job.name.len() == digest.len();
    if comparable && !job.name.eq_ignore_ascii_case(digest) {
        return Err(TransferError::DigestMismatch(DigestMismatch { name: job.name.clone(), expected: job.name.clone(), found: digest.into() }));
    }
    Ok(())
}

/// What the conflict policy says about what stands at the target: an error, a transfer that ends here (`skip`), or none: go on. Without an offer it is too early to tell which is newer.
fn settle_conflict(session: &Session, place: &Place, offer: Option<&SizeRequest>) -> Result<Option<TransferSummary>, TransferError> {
    let Some(found) = place.taken()? else { return Ok(None) };
    let size = offer.map_or(0, |offer| offer.size);
    let skip = || Ok(Some(skipped(session, &place.path(), size)));
    match (found.kind, session.settings.conflict) {
        (_, ConflictPolicy::Rename) | (FileKind::Regular, ConflictPolicy::Overwrite) => Ok(None),
        (_, ConflictPolicy::Skip) => skip(),
        (FileKind::Regular, ConflictPolicy::Newer) if offer.is_some_and(|offer| offer.modified <= found.modified) => skip(),
        (FileKind::Regular, ConflictPolicy::Newer) => Ok(None),
        (FileKind::Regular, ConflictPolicy::Fail) => Err(TransferError::Conflict(place.path())),
        // A directory is never replaced by a file.
        (_, ConflictPolicy::Fail | ConflictPolicy::Overwrite | ConflictPolicy::Newer) => Err(TransferError::NotAFile(place.path())),
    }
}

fn skipped(session: &Session, target: &str, size: u64) -> TransferSummary {
    let (name, algorithm, elapsed) = (target.to_owned(), session.settings.digest, session.elapsed());
    TransferSummary { name, size, algorithm, digest: String::new(), resumed: 0, skipped: true, elapsed, tree: None }
}

/// What the name of the partial file begins with. It does not depend on the drive: that is where the partial file is, and one that is lent may have another name each time.
fn stem_of(node: &str, job: &Job, place: &Place, slot: u32) -> Result<String, TransferError> {
    stem(node, &job.name, &[place.name(), &slot.to_string()])
}

/// From the offer to the published file.
fn receive(session: &mut Session, job: &Job, slot: u32, offer: &mut SizeRequest, place: &Place) -> Result<TransferSummary, TransferError> {
    let stem = stem_of(&session.node, job, place, slot)?;
    let (mut partial, there, restarted) = Partial::open(place, &stem, &session.node, offer, session.settings.digest)?;
    let outcome = (|| {
        let missing = offer.size - there.ranges.total();
        if let Some(available) = place.free_space().filter(|&free| free < missing) {
            return Err(TransferError::NoSpace(NoSpace { drive: place.drive().into(), needed: missing, available }));
        }
        session.progress.bytes_done = there.ranges.total();
        if let Some(why) = restarted {
            info!("{}: starting over: {why}", offer.name);
            session.enter(TransferState::Restarted(why));
            session.report_now();
        }
        session.enter(TransferState::Transferring);
        session.report_now();
        let mut there = there;
        let mut attempt = 0;
        let (digest, resumed) = loop {
            let resumed = there.ranges.total();
            match transfer::run(session, &mut partial, offer, there, attempt) {
                // What an earlier attempt left may be what is wrong. Once, since the next attempt takes nothing on trust.
                Err(TransferError::DigestMismatch(mismatch)) if resumed > 0 => {
                    warn!("{}: what an earlier attempt left does not fit ({} and not {}): starting over", offer.name, mismatch.found, mismatch.expected);
                    there = partial.start_over()?;
                    attempt += 1;
                    session.progress.bytes_done = 0;
                    session.enter(TransferState::Restarted("what was there from an earlier attempt is not part of this file".into()));
                    session.report_now();
                    session.enter(TransferState::Transferring);
                    session.report_now();
                }
                Err(error) => return Err(error),
                Ok(digest) => break (digest, resumed),
            }
        };
        if session.settings.by_id {
            check_id(session, job, &digest)?;
        }
        let published = match publish::run(place, &partial, offer, session.settings.conflict) {
            Ok(published) => published,
            Err(error) => {
                if keeps(&error) && !partial.is_journaled() {
                    let mut all = RangeSet::default();
                    all.insert(0, offer.size);
                    // What is told is why it has no name, whatever becomes of this.
                    if let Err(lost) = partial.note(&all) {
                        warn!("{}: what has arrived will have to be fetched again: {lost:?}", offer.name);
                    }
                }
                return Err(error);
            }
        };
        Ok(match published {
            publish::Published::As(name) => TransferSummary {
                name,
                size: offer.size,
                algorithm: session.settings.digest,
                digest,
                resumed,
                skipped: false,
                elapsed: session.elapsed(),
                tree: None,
            },
            publish::Published::Skipped => {
                partial.remove(place);
                skipped(session, &place.path(), offer.size)
            }
        })
    })();
    if outcome.as_ref().is_err_and(|error| !keeps(error) || partial.is_empty() || is_there_already(error, place, offer)) {
        partial.remove(place);
    }
    outcome.map_err(|error| name_drive(error, place))
}

/// Whether what took the name meanwhile has the size and the time of what was received: another transfer of the same file was quicker, and this one's partial file is of no use.
fn is_there_already(error: &TransferError, place: &Place, offer: &SizeRequest) -> bool {
    let same = |found: Metadata| (found.size, found.modified) == (offer.size, offer.modified);
    matches!(error, TransferError::Conflict(_)) && place.root().find(&place.path()).ok().flatten().is_some_and(same)
}

/// An error of the drive that came from deep below says which drive it was.
fn name_drive(error: TransferError, place: &Place) -> TransferError {
    match error {
        TransferError::NoSpace(space) if space.drive.is_empty() => {
            TransferError::NoSpace(NoSpace { drive: place.drive().into(), needed: space.needed, available: place.free_space().unwrap_or(0) })
        }
        other => other,
    }
}
