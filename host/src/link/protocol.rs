//! What goes over the wire between two nodes: types, encoding and limits. No sockets, no clocks.
//!
//! # Connections
//!
//! Every connection is TCP with TLS 1.3, both sides proving the Ed25519 key that they are known by (raw public keys, RFC 7250), ALPN `transship/1`. A connection is
//! either a *link* or a *lane* of a link. Whoever opened the link opens its lanes. Without an ALPN in common, or with a key that is not a peer's, TLS ends with
//! an alert (`no_application_protocol`, `access_denied`).
//!
//! # Frames
//!
//! All integers in frames are little-endian. A frame is `length: u32`, then `length` bytes: `kind: u8` and the payload. `length` is 1 to 1,228,800
//! ([`MAX_FRAME`]); for the greeting 1 to 1,024 ([`MAX_GREETING`]). Payloads are [postcard](https://postcard.jamesmunns.com/wire-format) of the fields
//! named, in that order, with nothing after them. An unknown kind, a kind out of place, or a payload that doesn't decode is a violation.
//!
//! | kind | name | where | payload |
//! |---|---|---|---|
//! | 0x01 | hello | first on every connection, from who opened it | `version: u16, instance: u64, lane: option<(token: [u8; 16], number: u32)>` |
//! | 0x02 | welcome | the answer | `version: u16, instance: u64, token: [u8; 16]` |
//! | 0x03 | goodbye | last on a link; in place of welcome | `code, text: string` |
//! | 0x10 | message | link | head, body and small blob, see below |
//! | 0x11 | delivered | link | `target: string, count: u32` |
//! | 0x12 | refused | link | `request: u128, why` |
//! | 0x20 | want-lanes | link, to who opened it | `count: u32` |
//! | 0x21 | no-lanes | link, the answer where a lane could not be opened | `count: u32, text: string` |
//! | 0x22 | lane-message | lane | head and body, see below; then the blob in pieces |
//! | 0x23 | lane-delivered | link | `lane: u32, count: u32` |
//! | 0x24 | lane-held | link | `lane: u32` |
//! | 0x25 | lane-ended | link | `lane: u32` |
//! | 0x30 | ping | link | `u64` |
//! | 0x31 | pong | link | the same |
//!
//! `instance` is a random number that a node draws when it starts: a link with another instance of the same node is dead, and so is an older link that
//! was opened from the same side. So at most two links join two nodes, one opened from each side.
//!
//! The payload of message and lane-message is `head length: u32`, the head (postcard), the body, and for message the blob if there is one. The head is
//! `source: string, target: string, kind: {0: request(reply: option<u128>), 1: response(to: u128)}, metadata: option<string>,
//! blob: option<(length: u64, mime_type: option<string>)>`. What remains of the frame after the blob's length is the body. The limits of [`crate::message`] hold.
//! In message the blob has at most 16,384 bytes ([`MAX_INLINE_BLOB`]), in lane-message it is there and has at most 16 MiB.
//!
//! # Blobs on lanes
//!
//! After a lane-message come pieces until the blob's length is reached: `length: u32` (1 to 1,048,576) and so many bytes. A length of 0xFFFFFFFF ends
//! the blob early: its source could not be read, and the message is void. Then the next lane-message may follow. The two directions are independent.
//! The receiver finds room for the message before it reads the first piece, so the lane stands still while a mailbox is full; it then sends lane-held every
//! 10 s.
//!
//! A lane's messages are taken one after another, and for each (delivered, refused or void) the receiver sends lane-delivered over the link. A lane's end is announced by each side
//! with lane-ended over the link, once it will take nothing more from that lane; who doesn't have the lane answers with lane-ended. As the link keeps order, a sender
//! that has lane-ended knows exactly which messages were not taken, and sends them again over another lane. Nothing is delivered twice and nothing in part.
//! Who does not announce it within three minutes of the other side's announcement loses the link (goodbye `closing`): what may have to be sent again is kept until then.
//!
//! # Flow control
//!
//! For each target process, a sender has at most 256 messages and 4 MiB (body, metadata and blob) on the link that are not yet `delivered`; `delivered` counts, in order,
//! what has been put into the mailbox or refused. At most 4,096 targets have messages under way. More is a violation. Control frames have no window: each answers
//! something that was sent. Lanes: at most 256 of a link.
//!
//! `refused` says that no response will come to that request, and why: `{0: no-such-process, 1: denied(string), 2: busy(string), 3: not-expected, 4: broken(string), 5: unreadable(string)}`.
//!
//! # Goodbyes
//!
//! | code | name | meaning |
//! |---|---|---|
//! | 0 | closing | the node ends, or its owner ended the link |
//! | 1 | version | the version in hello is not spoken here |
//! | 2 | violation | the other side broke a rule of this document; the text says which |
//! | 3 | no-session | hello for a lane of a link that is not (any more) there |
//! | 4 | too-many | as many lanes or links as may be |
//! | 5 | replaced | a newer link from the same side took this one's place |

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{BlobHead, Head, HeadKind, Refusal};
use crate::message::{MAX_BODY, MAX_METADATA, MAX_REMOTE_BLOB, ProcessId, RequestId};

/// The protocol in TLS's words. A later version that can't talk to this one gets another.
pub(super) const ALPN: &[u8] = b"transship/1";
/// The version in the greeting.
pub(super) const VERSION: u16 = 1;
/// The most bytes in a frame: a body, its metadata, a small blob, and room for names.
pub(super) const MAX_FRAME: usize = 1200 << 10;
/// The most bytes in a frame of the greeting.
pub(super) const MAX_GREETING: usize = 1 << 10;
/// The most bytes in a blob that goes over the link: about the size of one TLS record.
pub const MAX_INLINE_BLOB: u64 = 16 << 10;
/// The most bytes in a blob's media type.
pub(super) const MAX_MIME: usize = 255;
/// Messages to one target that are sent and not delivered.
pub(super) const WINDOW_MESSAGES: usize = 256;
/// Their bytes. More than a message of the largest size.
pub(super) const WINDOW_BYTES: usize = 4 << 20;
/// Targets with such messages.
pub(super) const MAX_TARGETS: usize = 4096;
/// Lanes of a link.
pub(super) const MAX_LANES: usize = 256;
/// The most bytes in a piece of a blob.
pub(super) const MAX_PIECE: usize = 1 << 20;
/// In place of a piece's length: the blob ends here, unfinished.
pub(super) const ABORT: u32 = u32::MAX;
/// The most characters of a text of the other side that is shown or logged.
const MAX_TEXT: usize = 300;

/// The other side broke a rule. The text says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Violation(pub(super) String);

/// Tells one link of a node from another.
pub(super) type Token = [u8; 16];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) version: u16,
    pub(super) instance: u64,
    pub(super) lane: Option<(Token, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub(super) version: u16,
    pub(super) instance: u64,
    pub(super) token: Token,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Code {
    Closing,
    Version,
    Violation,
    NoSession,
    TooMany,
    Replaced,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Goodbye {
    pub(super) code: Code,
    pub(super) text: String,
}

/// A frame.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Hello(Hello),
    Welcome(Welcome),
    Goodbye(Goodbye),
    /// The bytes are the small blob.
    Message(Head, Option<Bytes>),
    Delivered(ProcessId, u32),
    Refused(RequestId, Refusal),
    WantLanes(u32),
    NoLanes(u32, String),
    LaneMessage(Head),
    LaneDelivered(u32, u32),
    LaneHeld(u32),
    LaneEnded(u32),
    Ping(u64),
    Pong(u64),
}

#[derive(Serialize)]
struct HeadOut<'a> {
    source: &'a ProcessId,
    target: &'a ProcessId,
    kind: HeadKind,
    metadata: Option<&'a str>,
    blob: Option<&'a BlobHead>,
}

#[derive(Deserialize)]
struct HeadIn {
    source: ProcessId,
    target: ProcessId,
    kind: HeadKind,
    metadata: Option<String>,
    blob: Option<BlobHead>,
}

impl Frame {
    fn kind(&self) -> u8 {
        match self {
            Frame::Hello(_) => 0x01,
            Frame::Welcome(_) => 0x02,
            Frame::Goodbye(_) => 0x03,
            Frame::Message(..) => 0x10,
            Frame::Delivered(..) => 0x11,
            Frame::Refused(..) => 0x12,
            Frame::WantLanes(_) => 0x20,
            Frame::NoLanes(..) => 0x21,
            Frame::LaneMessage(_) => 0x22,
            Frame::LaneDelivered(..) => 0x23,
            Frame::LaneHeld(_) => 0x24,
            Frame::LaneEnded(_) => 0x25,
            Frame::Ping(_) => 0x30,
            Frame::Pong(_) => 0x31,
        }
    }

    /// The name in the table above, for errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Frame::Hello(_) => "hello",
            Frame::Welcome(_) => "welcome",
            Frame::Goodbye(_) => "goodbye",
            Frame::Message(..) => "message",
            Frame::Delivered(..) => "delivered",
            Frame::Refused(..) => "refused",
            Frame::WantLanes(_) => "want-lanes",
            Frame::NoLanes(..) => "no-lanes",
            Frame::LaneMessage(_) => "lane-message",
            Frame::LaneDelivered(..) => "lane-delivered",
            Frame::LaneHeld(_) => "lane-held",
            Frame::LaneEnded(_) => "lane-ended",
            Frame::Ping(_) => "ping",
            Frame::Pong(_) => "pong",
        }
    }

    /// Appends the frame, length and all.
    pub(super) fn encode(&self, out: &mut BytesMut) -> Result<(), Violation> {
        let start = out.len();
        out.put_u32_le(0);
        out.put_u8(self.kind());
        match self {
            Frame::Hello(hello) => put(hello, out)?,
            Frame::Welcome(welcome) => put(welcome, out)?,
            Frame::Goodbye(goodbye) => put(goodbye, out)?,
            Frame::Message(head, blob) => {
                put_head(head, out)?;
                out.put_slice(blob.as_deref().unwrap_or_default());
            }
            Frame::Delivered(target, count) => put(&(target, count), out)?,
            Frame::Refused(request, why) => put(&(request, why), out)?,
            Frame::NoLanes(count, text) => put(&(count, text), out)?,
            Frame::LaneMessage(head) => put_head(head, out)?,
            Frame::LaneDelivered(lane, count) => put(&(lane, count), out)?,
            Frame::WantLanes(number) | Frame::LaneHeld(number) | Frame::LaneEnded(number) => put(number, out)?,
            Frame::Ping(number) | Frame::Pong(number) => put(number, out)?,
        }
        let length = out.len() - start - 4;
        if length > MAX_FRAME {
            out.truncate(start);
            return Err(Violation(format!("a frame of {length} bytes was to be sent")));
        }
        if let (Some(place), Ok(length)) = (out.get_mut(start..start + 4), u32::try_from(length)) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }

    /// What stands after the length. The body and blob of a message share `bytes`.
    pub(super) fn decode(mut bytes: Bytes) -> Result<Self, Violation> {
        let Ok(kind) = bytes.try_get_u8() else { return Err(Violation("a frame without a kind".into())) };
        Ok(match kind {
            0x01 => Frame::Hello(take(&bytes)?),
            0x02 => Frame::Welcome(take(&bytes)?),
            0x03 => {
                let goodbye: Goodbye = take(&bytes)?;
                Frame::Goodbye(Goodbye { text: tame(&goodbye.text), ..goodbye })
            }
            0x10 => {
                let mut head = take_head(bytes)?;
                let length = head.blob.as_ref().map(|blob| blob.length);
                let blob = match length {
                    None => None,
                    Some(length) if length > MAX_INLINE_BLOB => return Err(Violation(format!("a blob of {length} bytes on the link"))),
                    Some(length) => {
                        let start = usize::try_from(length).ok().and_then(|length| head.body.len().checked_sub(length));
                        Some(head.body.split_off(start.ok_or_else(|| Violation("a blob longer than its frame".into()))?))
                    }
                };
                check_body(&head)?;
                Frame::Message(head, blob)
            }
            0x11 => take(&bytes).map(|(target, count)| Frame::Delivered(target, count))?,
            0x12 => take(&bytes).map(|(request, why): (_, Refusal)| Frame::Refused(request, why.tamed()))?,
            0x20 => Frame::WantLanes(take(&bytes)?),
            0x21 => take(&bytes).map(|(count, text): (_, String)| Frame::NoLanes(count, tame(&text)))?,
            0x22 => {
                let head = take_head(bytes)?;
                check_body(&head)?;
                match head.blob.as_ref().map(|blob| blob.length) {
                    Some(length) if length <= MAX_REMOTE_BLOB => Frame::LaneMessage(head),
                    Some(length) => return Err(Violation(format!("a blob of {length} bytes; {MAX_REMOTE_BLOB} are allowed"))),
                    None => return Err(Violation("a lane-message without a blob".into())),
                }
            }
            0x23 => take(&bytes).map(|(lane, count)| Frame::LaneDelivered(lane, count))?,
            0x24 => Frame::LaneHeld(take(&bytes)?),
            0x25 => Frame::LaneEnded(take(&bytes)?),
            0x30 => Frame::Ping(take(&bytes)?),
            0x31 => Frame::Pong(take(&bytes)?),
            other => return Err(Violation(format!("a frame of unknown kind {other:#04x}"))),
        })
    }
}

/// The text of the other side, fit for a terminal and a log.
pub(super) fn tame(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

impl Refusal {
    fn tamed(self) -> Self {
        match self {
            Refusal::NoSuchProcess | Refusal::NotExpected => self,
            Refusal::Denied(text) => Refusal::Denied(tame(&text)),
            Refusal::Busy(text) => Refusal::Busy(tame(&text)),
            Refusal::Broken(text) => Refusal::Broken(tame(&text)),
            Refusal::Unreadable(text) => Refusal::Unreadable(tame(&text)),
        }
    }
}

fn put<T: Serialize>(value: &T, out: &mut BytesMut) -> Result<(), Violation> {
    postcard::to_io(value, out.writer()).map(|_| ()).map_err(|error| Violation(format!("a frame could not be encoded: {error}")))
}

fn take<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Violation> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(Violation(format!("{} bytes too many in a frame", rest.len()))),
        Err(error) => Err(Violation(format!("a frame that does not decode: {error}"))),
    }
}

fn put_head(head: &Head, out: &mut BytesMut) -> Result<(), Violation> {
    let start = out.len();
    out.put_u32_le(0);
    let value = HeadOut { source: &head.source, target: &head.target, kind: head.kind, metadata: head.metadata.as_deref(), blob: head.blob.as_ref() };
    put(&value, out)?;
    let length = u32::try_from(out.len() - start - 4).map_err(|_| Violation("a head too long to be sent".into()))?;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    out.put_slice(&head.body);
    Ok(())
}

/// The head, with all that follows it as the body.
fn take_head(mut bytes: Bytes) -> Result<Head, Violation> {
    let short = || Violation("a head longer than its frame".into());
    let length = usize::try_from(bytes.try_get_u32_le().map_err(|_| short())?).map_err(|_| short())?;
    if length > bytes.len() {
        return Err(short());
    }
    let head: HeadIn = take(&bytes.split_to(length))?;
    if head.metadata.as_ref().is_some_and(|metadata| metadata.len() > MAX_METADATA) {
        return Err(Violation(format!("metadata of more than {MAX_METADATA} bytes")));
    }
    if head.blob.as_ref().and_then(|blob| blob.mime_type.as_ref()).is_some_and(|mime| mime.len() > MAX_MIME) {
        return Err(Violation(format!("a media type of more than {MAX_MIME} bytes")));
    }
    Ok(Head { source: head.source, target: head.target, kind: head.kind, body: bytes, metadata: head.metadata, blob: head.blob })
}

fn check_body(head: &Head) -> Result<(), Violation> {
    if head.body.len() > MAX_BODY { Err(Violation(format!("a body of more than {MAX_BODY} bytes"))) } else { Ok(()) }
}

/// What a message on the link takes of its target's window.
pub(super) fn cost(head: &Head) -> usize {
    let blob = head.blob.as_ref().map_or(0, |blob| usize::try_from(blob.length).unwrap_or(usize::MAX));
    head.body.len().saturating_add(head.metadata.as_ref().map_or(0, String::len)).saturating_add(blob)
}

#[cfg(test)]
mod tests;
