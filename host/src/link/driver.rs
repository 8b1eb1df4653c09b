//! The tasks of one link: a reader and a writer over any byte stream, and a clock.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::frame::{ReadError, read_frame};
use super::protocol::{Frame, MAX_FRAME, cost};
use super::session::{Outgoing, Session};

/// Frames that are ready are written together up to this.
const BATCH: usize = 256 << 10;

/// How long a message waits for what was moved before to be paid, if there is a limit: signs of life come behind it.
const LONGEST_DEBT: Duration = Duration::from_secs(5);

/// Drives a session over `stream` until it ends.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Send + 'static>(session: Arc<Session>, outgoing: Outgoing, stream: S) {
    session.heard();
    let (reader, writer) = tokio::io::split(stream);
    let writing = tokio::spawn(write(session.clone(), outgoing, writer));
    tokio::select! {
        () = read(&session, reader) => {}
        () = watch(&session) => {}
        () = tell(&session) => {}
        () = session.closed.cancelled() => {}
    }
    // Nobody looks at the clock any more, if this was the last link.
    session.shared.buffers.trim();
    session.shared.buffers.trim();
    // The other side may have gone while the writer waits; it has a deadline of its own.
    if let Err(error) = writing.await {
        tracing::error!(peer = %session.peer, %error, "a link's writer failed");
    }
}

async fn read<R: AsyncRead + Unpin>(session: &Arc<Session>, mut reader: R) {
    loop {
        match read_frame(&mut reader, MAX_FRAME, || session.heard()).await {
            Ok(Some(frame)) => {
                if let Frame::Message(head, _) = &frame {
                    session.ways.received.charge(cost(head));
                }
                if let Err(violation) = session.handle(frame) {
                    return session.violated(&violation);
                }
                if session.is_closed() {
                    return;
                }
                session.ways.received.paid(LONGEST_DEBT).await;
            }
            Ok(None) => return session.close(format!("{} closed the connection", session.peer), None),
            Err(ReadError::Violation(violation)) => return session.violated(&violation),
            Err(ReadError::Io(error)) => return session.close(broke(&session.peer, &error), None),
        }
    }
}

/// Why a connection is no more, in words for a person.
fn broke(peer: &str, error: &io::Error) -> String {
    match error.kind() {
        // A node that ends in good order says so first.
        io::ErrorKind::UnexpectedEof => format!("{peer} is gone without a word: its node was ended, or the network cut the connection"),
        _ => format!("the connection to {peer} broke: {error}"),
    }
}

/// Asks for signs of life, and ends what shows none.
async fn watch(session: &Arc<Session>) {
    let deadlines = &session.shared.deadlines;
    let mut ticks = tokio::time::interval(deadlines.tick());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = false;
    loop {
        ticks.tick().await;
        let silence = session.silence();
        if silence > deadlines.dead_after {
            return session.close(format!("nothing was heard of {} for {} s", session.peer, silence.as_secs()), None);
        }
        if silence < deadlines.ping_after {
            asked = false;
        } else if !asked {
            asked = true;
            session.urgent(Frame::Ping(session.now()));
        }
        session.lanes.tick(session);
        session.shared.buffers.trim();
    }
}

/// Tells what was delivered, if nothing else takes the news along.
async fn tell(session: &Session) {
    loop {
        session.told.due().await;
        for frame in session.told.take() {
            session.control(frame).await;
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(session: Arc<Session>, mut outgoing: Outgoing, mut writer: W) {
    let stall = session.shared.deadlines.stall;
    let mut batch = BytesMut::new();
    loop {
        tokio::select! {
            biased;
            () = session.closed.cancelled() => break,
            any = next(&session, &mut outgoing, &mut batch) => if !any { break },
        }
        fill(&session, &mut outgoing, &mut batch);
        session.ways.sent.charge(batch.len());
        let written = tokio::select! {
            written = timeout(stall, send(&mut writer, &mut batch)) => written,
            () = gone(&session) => return,
        };
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                session.close(broke(&session.peer, &error), None);
                break;
            }
            Err(_) => {
                session.close(format!("{} took nothing for {} s", session.peer, stall.as_secs()), None);
                break;
            }
        }
    }
    let Some(goodbye) = session.ending().and_then(|ending| ending.goodbye.clone()) else { return };
    // All that was accepted for sending goes first.
    let farewell = async {
        loop {
            fill(&session, &mut outgoing, &mut batch);
            if batch.is_empty() {
                break;
            }
            send(&mut writer, &mut batch).await?;
        }
        Frame::Goodbye(goodbye).encode(&mut batch).map_err(io::Error::other)?;
        send(&mut writer, &mut batch).await?;
        writer.shutdown().await
    };
    let _ = timeout(session.shared.deadlines.drain, farewell).await;
}

/// Completes once the session has ended and a write that has begun is not worth waiting for.
async fn gone(session: &Session) {
    session.closed.cancelled().await;
    if session.ending().is_some_and(|ending| ending.goodbye.is_some()) {
        tokio::time::sleep(session.shared.deadlines.drain).await;
    }
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut W, batch: &mut BytesMut) -> io::Result<()> {
    writer.write_all(batch).await?;
    batch.clear();
    // One large frame must not keep its memory for the life of the link.
    if batch.capacity() > 2 * BATCH {
        *batch = BytesMut::new();
    }
    writer.flush().await
}

/// Waits for a frame; false if there will be none.
async fn next(session: &Session, outgoing: &mut Outgoing, batch: &mut BytesMut) -> bool {
    tokio::select! {
        biased;
        Some(frame) = outgoing.urgent.recv() => append(&frame, batch),
        Some(frame) = outgoing.control.recv() => append(&frame, batch),
        Some((frame, _room)) = async { session.ways.sent.paid(LONGEST_DEBT).await; outgoing.data.recv().await } => append(&frame, batch),
        else => return false,
    }
    true
}

/// Takes what is ready, up to a batch. Of a session that ends, all: there is a deadline for that.
fn fill(session: &Session, outgoing: &mut Outgoing, batch: &mut BytesMut) {
    let most = session.ways.sent.share(BATCH);
    for delivered in session.told.take() {
        append(&delivered, batch);
    }
    while batch.len() < BATCH {
        if let Ok(frame) = outgoing.urgent.try_recv() {
            append(&frame, batch);
        } else if let Ok(frame) = outgoing.control.try_recv() {
            append(&frame, batch);
        } else if session.is_closed() || (batch.len() < most && session.ways.sent.is_paid()) {
            let Ok((frame, _room)) = outgoing.data.try_recv() else { return };
            append(&frame, batch);
        } else {
            return;
        }
    }
}

fn append(frame: &Frame, batch: &mut BytesMut) {
    if let Err(error) = frame.encode(batch) {
        // What may be sent is checked before it is queued.
        tracing::error!(frame = frame.name(), %error, "a frame was not sent");
    }
}
