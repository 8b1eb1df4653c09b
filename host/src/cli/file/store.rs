//! A file of unknown length, from standard input to a node in numbered segments.
//!
//! One segment is sent and answered at a time, while the next is read: over several connections they could arrive in another order. When the input ends,
//! the last segment carries name, size and SHA-256; when anything fails, a `cancel` leaves nothing behind. A cancel has the number that follows the segments', and is sent when the one under
//! way has been answered: it must not overtake it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use transship::blob::Blob;
use transship::control::ControlError;
use transship::message::{Address, Content};

use super::display::Display;
use super::pace::Pace;
use super::put::PutArgs;
use crate::cli::Context;
use crate::cli::connect::{Connection, body_of, read_response, unexpected};
use crate::cli::error::{CliError, Kind};
use crate::cli::signals::Interrupts;
use crate::cli::wire::{
    ConflictPolicy, DigestAlgorithm, Request, Response, StoreInfo, StoreResult, StoreSegment, StoreState, StoreStatus, TransferState, TransferSummary,
};

/// What has come is sent after so long, though it makes no whole segment: a store without segments expires.
const LINGER: Duration = Duration::from_secs(5);
/// How long the other node may take to write a segment, and at the end to verify and publish.
const SEGMENT_TIME: Duration = Duration::from_secs(120);
/// How long the segment under way may take to be answered when all is to stop.
const STOP_TIME: Duration = Duration::from_secs(15);
/// How long a cancel may take.
const CANCEL_TIME: Duration = Duration::from_secs(5);

pub(super) async fn run(context: &Context, connection: &Connection, name: &str, args: &PutArgs) -> Result<(), CliError> {
    let (node, size) = (args.target.node.as_str(), args.size);
    let mut interrupts = Interrupts::listen()?;
    let mut display = Display::new(&context.ui, name, node, size, false).in_steps();
    let manager = Connection::manager_of(node)?;
    let mut store = Store {
        connection,
        manager,
        node,
        name,
        size,
        conflict: args.transfer.on_conflict,
        pace: Pace::new(args.transfer.limit),
        file_id: None,
        sent: 0,
        bytes: 0,
        digest: String::new(),
        sending: None,
    };
    let begun = Instant::now();
    let stored = tokio::select! {
        stored = store.all(tokio::io::stdin(), &mut display) => stored,
        () = interrupts.next() => Err(CliError::new(Kind::Interrupted, "stopped; nothing is stored")),
    };
    let status = match stored {
        Ok(status) => status,
        Err(error) => {
            if error.kind == Kind::Interrupted {
                display.say("stopping (once more: at once)");
            }
            let left = tokio::select! {
                left = store.stop() => left,
                () = interrupts.next() => Left::Unknown,
            };
            match left {
                Left::Stored(status) => status,
                Left::Unknown if error.kind == Kind::Interrupted => {
                    return Err(error.hint(format!("{node} could not be told in time: what has arrived there is thrown away within a minute")));
                }
                Left::Nothing | Left::Unknown => return Err(error),
            }
        }
    };
    // Under `skip` what was sent was thrown away; then there is no name that it has.
    let skipped = status.name.is_none();
    let digest = if skipped { String::new() } else { store.digest };
    let name = status.name.unwrap_or_else(|| name.into());
    let place = format!("{node}:{name}");
    let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let summary = TransferSummary { name, size: status.bytes, algorithm: DigestAlgorithm::Sha256, digest, resumed: 0, skipped, elapsed, tree: None };
    display.summary(&status.file_id, &summary, &place)
}

struct Store<'a> {
    connection: &'a Connection,
    manager: Address,
    node: &'a str,
    name: &'a str,
    size: Option<u64>,
    conflict: Option<ConflictPolicy>,
    pace: Pace,
    /// None until the first segment is answered.
    file_id: Option<String>,
    /// How many segments.
    sent: u64,
    bytes: u64,
    /// Of all bytes, once all are read.
    digest: String,
    /// The request under way, in a task of its own: who stops waiting for it can wait for it again.
    sending: Option<JoinHandle<Result<(Address, Content), ControlError>>>,
}

/// What is there of a store that was to stop.
enum Left {
    Nothing,
    /// It was too late: the last segment was under way already.
    Stored(StoreStatus),
    /// The other node does not answer.
    Unknown,
}

impl Store<'_> {
    /// Sends all of `input`. Returns the last answer.
    async fn all<R: AsyncRead + Unpin>(&mut self, mut input: R, display: &mut Display<'_>) -> Result<StoreStatus, CliError> {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut segment = read_segment(&mut input, self.pace.size_at(0)).await?;
        loop {
            digest.update(&segment.bytes);
            self.bytes += segment.bytes.len() as u64;
            if segment.last {
                break;
            }
            self.check_size(false)?;
            // The next is read while this one is on its way.
            let size = self.pace.size_at(self.bytes);
            let (stored, next) = tokio::try_join!(self.send_all(segment.bytes, display), read_segment(&mut input, size))?;
            if let Some(status) = stored {
                return Ok(status);
            }
            segment = next;
        }
        self.check_size(true)?;
        self.digest = data_encoding::HEXLOWER.encode(digest.finish().as_ref());
        let info = StoreInfo { name: self.name.into(), size: self.bytes, digest: self.digest.clone(), conflict: self.conflict };
        // What was read as one segment may be too much for one by now.
        let rest = segment.bytes.split_off(segment.bytes.len().saturating_sub(self.pace.size()));
        if let Some(status) = self.send_all(segment.bytes, display).await? {
            return Ok(status);
        }
        let first = self.sent == 0;
        let status = self.send(Some(rest), Some(StoreResult::Store(info))).await?;
        if first {
            self.begun(&status, display)?;
        }
        display.progress(&status.file_id, status.bytes, self.size.or(Some(status.bytes)), &TransferState::Transferring)?;
        match status.state {
            StoreState::Stored => Ok(status),
            state => Err(unexpected(&self.manager, &format!("the store is {state:?}"))),
        }
    }

    /// Sends what was read, in as many segments as it takes at this pace. Some: it is stored already, since the name is taken and is to be left alone.
    async fn send_all(&mut self, mut bytes: Bytes, display: &mut Display<'_>) -> Result<Option<StoreStatus>, CliError> {
        while !bytes.is_empty() {
            let segment = bytes.split_to(self.pace.size().min(bytes.len()));
            let status = self.send(Some(segment), None).await?;
            if self.sent == 1 {
                self.begun(&status, display)?;
            }
            if status.state == StoreState::Stored {
                return Ok(Some(status));
            }
            display.progress(&status.file_id, status.bytes, self.size, &TransferState::Transferring)?;
        }
        Ok(None)
    }

    /// The other node has given it an id.
    fn begun(&self, status: &StoreStatus, display: &mut Display<'_>) -> Result<(), CliError> {
        display.started(&status.file_id, "put")?;
        display.progress(&status.file_id, 0, self.size, &TransferState::Starting)
    }

    /// Whether as much has come as was promised.
    fn check_size(&self, ended: bool) -> Result<(), CliError> {
        match self.size {
            Some(size) if self.bytes > size || (ended && self.bytes < size) => {
                let words = if ended { "came" } else { "and more came" };
                Err(CliError::named(
                    Kind::Integrity,
                    "size-mismatch",
                    format!("{size} bytes were promised with --size, and {} {words}; nothing is stored", self.bytes),
                ))
            }
            _ => Ok(()),
        }
    }

    async fn send(&mut self, bytes: Option<Bytes>, result: Option<StoreResult>) -> Result<StoreStatus, CliError> {
        let length = bytes.as_ref().map_or(0, Bytes::len);
        // What carries nothing, as a cancel, waits for nothing.
        if length > 0 {
            let at = self.pace.may_go(Instant::now().into_std(), length);
            tokio::time::sleep_until(at.into()).await;
        }
        self.sent += 1;
        // With the first, so that a name that will not do is known before the bytes are moved.
        let (name, conflict) = if self.sent == 1 && result.is_none() { (Some(self.name.into()), self.conflict) } else { (None, None) };
        let segment = StoreSegment { file_id: self.file_id.clone(), number: self.sent, result, name, conflict };
        let blob = bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| Blob::from_bytes(bytes, None));
        let content = Content { blob, ..body_of(&Request::Store(segment))? };
        let (client, manager) = (self.connection.client.clone(), self.manager.clone());
        self.sending = Some(tokio::spawn(async move { client.request(&manager, content, SEGMENT_TIME, &[]).await }));
        let begun = Instant::now();
        let status = self.answer().await?;
        if length > 0 {
            self.pace.answered(length, begun.elapsed());
        }
        Ok(status)
    }

    /// Waits for the answer to what was sent last.
    async fn answer(&mut self) -> Result<StoreStatus, CliError> {
        let Some(sending) = &mut self.sending else { return Err(unexpected(&self.manager, "nothing was sent")) };
        let sent = sending.await;
        self.sending = None;
        let sent = sent.map_err(|error| CliError::new(Kind::Other, error.to_string()))?;
        match read_response(sent, &self.manager, self.node)? {
            Response::Stored(status) => {
                self.file_id = Some(status.file_id.clone());
                Ok(status)
            }
            _ => Err(unexpected(&self.manager, "no status of a store")),
        }
    }

    /// Leaves nothing behind, as far as the other node can be reached; else it expires there.
    async fn stop(&mut self) -> Left {
        if self.sending.is_some() {
            match tokio::time::timeout(STOP_TIME, self.answer()).await {
                Ok(Ok(status)) if status.state == StoreState::Stored => return Left::Stored(status),
                // After an error there is mostly nothing to cancel, which does no harm.
                Ok(_) => {}
                Err(_) => return Left::Unknown,
            }
        }
        if self.file_id.is_none() {
            return Left::Nothing;
        }
        match tokio::time::timeout(CANCEL_TIME, self.send(None, Some(StoreResult::Cancel))).await {
            Ok(Ok(_)) => Left::Nothing,
            _ => Left::Unknown,
        }
    }
}

struct Segment {
    bytes: Bytes,
    last: bool,
}

/// Reads until the segment is full, the input ends, or what there is has waited long enough.
async fn read_segment<R: AsyncRead + Unpin>(input: &mut R, size: usize) -> Result<Segment, CliError> {
    let mut bytes = BytesMut::with_capacity(size);
    let mut deadline = None;
    while bytes.len() < size {
        let room = size - bytes.len();
        let mut limited = (&mut *input).take(room as u64);
        let read = limited.read_buf(&mut bytes);
        let read = match deadline {
            None => read.await,
            Some(deadline) => match tokio::time::timeout_at(deadline, read).await {
                Ok(read) => read,
                Err(_) => break,
            },
        };
        match read {
            Ok(0) => return Ok(Segment { bytes: bytes.freeze(), last: true }),
            Ok(_) => deadline = deadline.or_else(|| Some(Instant::now() + LINGER)),
            Err(error) => return Err(CliError::io("standard input".as_ref(), &error)),
        }
    }
    Ok(Segment { bytes: bytes.freeze(), last: false })
}

#[cfg(test)]
mod tests {
    use super::super::pace::MOST;
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn an_input_becomes_full_segments_and_a_last_one_that_may_be_empty() {
        for (length, expected) in [(0, vec![0]), (1, vec![1]), (MOST, vec![MOST, 0]), (MOST + 1, vec![MOST, 1])] {
            let input: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let (mut rest, mut found, mut all) = (&input[..], Vec::new(), Vec::new());
            loop {
                let segment = read_segment(&mut rest, MOST).await.unwrap();
                found.push(segment.bytes.len());
                all.extend_from_slice(&segment.bytes);
                if segment.last {
                    break;
                }
            }
            assert_eq!(found, expected);
            assert!(all == input);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_trickles_in_is_sent_before_the_store_expires() {
        let (mut writer, mut reader) = tokio::io::duplex(64);
        writer.write_all(b"some").await.unwrap();
        let begun = Instant::now();
        let segment = read_segment(&mut reader, MOST).await.unwrap();
        assert_eq!((&segment.bytes[..], segment.last), (&b"some"[..], false));
        assert!(begun.elapsed() >= LINGER && begun.elapsed() < LINGER * 2);
        drop(writer);
        assert!(read_segment(&mut reader, MOST).await.unwrap().last);
    }
}
