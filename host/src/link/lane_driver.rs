//! The tasks of one lane: one writes blobs, one reads them. Any byte stream will do.
//!
//! Bytes are copied as little as the stream allows: a blob in memory goes to the stream from where it is, a range of a file is read into one of two buffers
//! (the next piece while the last is being written), and what arrives is read into the memory that becomes the blob.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::buffers::Buffers;
use super::frame::{ReadError, read_frame, read_into, write_both};
use super::lane::{Job, Lane};
use super::lanes::Lanes;
use super::limit::Limited;
use super::protocol::{ABORT, Frame, MAX_FRAME, MAX_PIECE, Violation};
use super::session::Session;
use super::{Deliver, Head, HeadKind, Refusal};
use crate::blob::{Blob, BlobError};

/// The pieces that this node sends: large enough that a system call for each costs nothing, small enough that progress is seen.
const PIECE: usize = 256 << 10;
/// How long an idle lane keeps its buffers.
const KEEP_BUFFERS: Duration = Duration::from_secs(1);
/// What of a refused blob is read at a time.
const DISCARD: usize = 64 << 10;

const _: () = assert!(PIECE <= MAX_PIECE);

/// Registers a lane over `stream` and starts its tasks. False: it may not be, and the stream is closed.
pub(super) fn start<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(session: &Arc<Session>, number: u32, stream: S) -> bool {
    let Some((lane, jobs)) = session.lanes.add(session, number) else {
        Lanes::not_opened(session, 1, "there are as many lanes as may be");
        return false;
    };
    let (reader, writer) = tokio::io::split(Limited::new(stream, &session.ways));
    let (session, shared) = (session.clone(), session.shared.clone());
    shared.spawn(async move {
        let writing = tokio::spawn(write(session.clone(), lane.clone(), writer, jobs));
        tokio::select! {
            read = read(&session, &lane, reader) => match read {
                Ok(()) => {}
                Err(ReadError::Io(error)) => tracing::debug!(peer = %session.peer, lane = number, %error, "a lane broke"),
                Err(ReadError::Violation(violation)) => session.violated(&violation),
            },
            () = lane.ended.cancelled() => {}
        }
        lane.ended.cancel();
        if let Err(error) = writing.await {
            tracing::error!(peer = %session.peer, lane = number, %error, "a lane's writer failed");
        }
        // After all that was said of this lane's messages: see `protocol`.
        session.control(Frame::LaneEnded(number)).await;
        Lanes::ended_here(&session, &lane);
    });
    true
}

async fn write<W: AsyncWrite + Unpin>(session: Arc<Session>, lane: Arc<Lane>, mut writer: W, mut jobs: mpsc::Receiver<Box<Job>>) {
    Lanes::opened(&session, lane.clone());
    tokio::select! {
        written = write_jobs(&session, &lane, &mut writer, &mut jobs) => if let Err(error) = written {
            tracing::debug!(peer = %session.peer, lane = lane.number, %error, "a lane broke");
        },
        () = lane.ended.cancelled() => {}
    }
    lane.ended.cancel();
    jobs.close();
    while let Some(job) = jobs.recv().await {
        lane.leave(job);
    }
    // A clean end where the other side is there to see it; it knows without.
    let _ = tokio::time::timeout(session.shared.deadlines.linger, writer.shutdown()).await;
}

async fn write_jobs<W: AsyncWrite + Unpin>(session: &Arc<Session>, lane: &Arc<Lane>, writer: &mut W, jobs: &mut mpsc::Receiver<Box<Job>>) -> io::Result<()> {
    let mut pieces = Pieces::default();
    let mut frame = BytesMut::new();
    loop {
        let job = match tokio::time::timeout(KEEP_BUFFERS, jobs.recv()).await {
            Ok(job) => job,
            Err(_) => {
                (pieces, frame) = (Pieces::default(), BytesMut::new());
                jobs.recv().await
            }
        };
        let Some(job) = job else { return Ok(()) };
        let (head, blob, slot) = lane.begin(session, job);
        frame.clear();
        let head = match Frame::LaneMessage(head.clone()).encode(&mut frame) {
            Ok(()) => head,
            Err(error) => return Err(io::Error::other(error)),
        };
        let progress = || lane.made_progress(session);
        let sent = match blob.in_memory() {
            Some(bytes) => write_memory(writer, &frame, bytes, progress).await.map(Ok)?,
            None => write_file(writer, &frame, &blob, &mut pieces, progress).await?,
        };
        writer.flush().await?;
        if let Err(error) = sent {
            lane.void();
            session.give_up(&head, Refusal::Unreadable(error.to_string())).await;
        }
        lane.room_ahead().await;
        session.lanes.idle(lane.clone());
        drop(slot);
    }
}

/// `head`, then `bytes` in pieces.
async fn write_memory<W: AsyncWrite + Unpin>(writer: &mut W, head: &[u8], bytes: &Bytes, progress: impl Fn()) -> io::Result<()> {
    let mut start = BytesMut::from(head);
    for piece in bytes.chunks(PIECE) {
        start.extend_from_slice(&length_of(piece).to_le_bytes());
        write_both(writer, &start, piece).await?;
        progress();
        start.clear();
    }
    Ok(())
}

fn length_of(piece: &[u8]) -> u32 {
    // A piece is far smaller.
    u32::try_from(piece.len()).unwrap_or(ABORT)
}

/// Two buffers for reading files, kept from one blob to the next.
#[derive(Default)]
struct Pieces(Vec<Vec<u8>>);

impl Pieces {
    /// A buffer for the piece of `blob` at `offset`; none if nothing is left of it.
    fn buffer(&mut self, blob: &Blob, offset: u64) -> Option<Vec<u8>> {
        let rest = blob.length().saturating_sub(offset);
        if rest == 0 {
            return None;
        }
        let mut buffer = self.0.pop().unwrap_or_default();
        // Costs nothing where the length stays the same, as it does but for the last piece.
        buffer.resize(usize::try_from(rest).unwrap_or(PIECE).min(PIECE), 0);
        Some(buffer)
    }

    /// Reads a piece at once, if it is in memory already, as what was just digested is: a thread for each would cost as much as the piece.
    fn read_now(&mut self, blob: &Blob, offset: u64) -> Option<Vec<u8>> {
        let mut buffer = self.buffer(blob, offset)?;
        if blob.read_into_now(offset, &mut buffer) {
            return Some(buffer);
        }
        self.0.push(buffer);
        None
    }

    /// Reads a piece where blocking is allowed; none if nothing is left.
    fn read(&mut self, blob: &Blob, offset: u64) -> Option<JoinHandle<Result<Vec<u8>, BlobError>>> {
        let (mut buffer, blob) = (self.buffer(blob, offset)?, blob.clone());
        Some(tokio::task::spawn_blocking(move || {
            blob.read_into_blocking(offset, &mut buffer)?;
            Ok(buffer)
        }))
    }
}

/// `head`, then the file's range in pieces; the inner error says that it could not be read, and the other side has been told.
async fn write_file<W: AsyncWrite + Unpin>(
    writer: &mut W,
    head: &[u8],
    blob: &Blob,
    pieces: &mut Pieces,
    progress: impl Fn(),
) -> io::Result<Result<(), BlobError>> {
    let mut start = BytesMut::from(head);
    let mut offset = 0;
    // Of a file that must be read from its disk, the next piece is, while one is written.
    let mut ahead = None;
    while offset < blob.length() {
        let (piece, from_disk) = match ahead.take() {
            Some(reading) => (arrived(reading).await, true),
            None => match pieces.read_now(blob, offset) {
                Some(piece) => (Ok(piece), false),
                None => match pieces.read(blob, offset) {
                    Some(reading) => (arrived(reading).await, true),
                    None => break,
                },
            },
        };
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                start.extend_from_slice(&ABORT.to_le_bytes());
                writer.write_all(&start).await?;
                return Ok(Err(error));
            }
        };
        offset += piece.len() as u64;
        if from_disk {
            ahead = pieces.read(blob, offset);
        }
        start.extend_from_slice(&length_of(&piece).to_le_bytes());
        write_both(writer, &start, &piece).await?;
        progress();
        start.clear();
        pieces.0.push(piece);
    }
    Ok(Ok(()))
}

async fn arrived(reading: JoinHandle<Result<Vec<u8>, BlobError>>) -> Result<Vec<u8>, BlobError> {
    reading.await.unwrap_or_else(|error| Err(BlobError::Io(format!("the read was abandoned: {error}"))))
}

async fn read<R: AsyncRead + Unpin>(session: &Arc<Session>, lane: &Lane, mut reader: R) -> Result<(), ReadError> {
    loop {
        let heard = || lane.reading(session, true);
        let head = match read_frame(&mut reader, MAX_FRAME, heard).await? {
            Some(Frame::LaneMessage(head)) => head,
            Some(other) => return Err(Violation(format!("{} on a lane", other.name())).into()),
            None => return Ok(()),
        };
        let blob = head.blob.clone().ok_or_else(|| Violation("a lane-message without a blob".into()))?;
        let kind = head.kind;
        // While it waits for a mailbox nothing is read, and that is no stall.
        lane.reading(session, false);
        let admitted = admit(session, lane, head, blob.length).await;
        heard();
        let bytes = match &admitted {
            Ok(_) => read_pieces(&mut reader, &session.shared.buffers, blob.length, heard).await?,
            Err(_) => discard_pieces(&mut reader, blob.length, heard).await?,
        };
        lane.reading(session, false);
        // First the place in the queue, then the delivery: between the two nothing can come, so what is delivered is acknowledged.
        let refusal = match (&admitted, kind) {
            (Err(why), HeadKind::Request { reply: Some(reply) }) => Some(Frame::Refused(reply, why.clone())),
            _ => None,
        };
        if let Some(refusal) = refusal {
            session.control(refusal).await;
        }
        let Some(permit) = session.control_permit().await else { return Ok(()) };
        if let (Ok(deliver), Some(bytes)) = (admitted, bytes) {
            deliver(Some(Blob::from_bytes(bytes, blob.mime_type)));
        }
        permit.send(Frame::LaneDelivered(lane.number, 1));
    }
}

/// Waits for room, and tells the other side now and then that it does.
async fn admit(session: &Arc<Session>, lane: &Lane, head: Head, length: u64) -> Result<Deliver, Refusal> {
    let mut admission = session.admit(head, length);
    if let Some(admitted) = (&mut admission).now_or_never() {
        return admitted;
    }
    let hold = session.shared.deadlines.lane_hold;
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + hold, hold);
    loop {
        tokio::select! {
            admitted = &mut admission => return admitted,
            _ = ticks.tick() => session.control(Frame::LaneHeld(lane.number)).await,
        }
    }
}

/// The length of the next piece of a blob of which `rest` bytes are to come; none if the other side gave it up.
async fn piece_length<R: AsyncRead + Unpin>(reader: &mut R, rest: u64) -> Result<Option<usize>, ReadError> {
    let length = reader.read_u32_le().await?;
    if length == ABORT {
        return Ok(None);
    }
    match usize::try_from(length) {
        Ok(length) if (1..=MAX_PIECE).contains(&length) && length as u64 <= rest => Ok(Some(length)),
        _ => Err(Violation(format!("a piece of {length} bytes where {rest} are to come")).into()),
    }
}

/// A whole blob; none if the other side gave it up.
async fn read_pieces<R: AsyncRead + Unpin>(reader: &mut R, buffers: &Buffers, length: u64, heard: impl Fn()) -> Result<Option<Bytes>, ReadError> {
    let capacity = usize::try_from(length).map_err(|_| Violation("a blob longer than memory".into()))?;
    let mut bytes = buffers.take(capacity);
    while bytes.len() < capacity {
        match piece_length(reader, (capacity - bytes.len()) as u64).await? {
            Some(piece) => read_into(reader, bytes.rest(), piece, &heard).await?,
            None => return Ok(None),
        }
    }
    Ok(Some(buffers.share(bytes)))
}

/// Reads past a blob that is not wanted: the lane stays fit for use.
async fn discard_pieces<R: AsyncRead + Unpin>(reader: &mut R, length: u64, heard: impl Fn()) -> Result<Option<Bytes>, ReadError> {
    let (mut rest, mut scratch) = (length, BytesMut::with_capacity(DISCARD));
    while rest > 0 {
        let Some(mut piece) = piece_length(reader, rest).await? else { return Ok(None) };
        rest -= piece as u64;
        while piece > 0 {
            let part = piece.min(DISCARD);
            scratch.clear();
            read_into(reader, &mut scratch, part, &heard).await?;
            piece -= part;
        }
    }
    Ok(None)
}
