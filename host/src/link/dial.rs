//! Opening connections to a peer: a link, or a lane of a link that is there.

use std::io;
use std::sync::Arc;

use rustls::AlertDescription;
use tokio::io::BufReader;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::frame::ReadError;
use super::handshake::{GreetingError, greet};
use super::peer::Shared;
use super::protocol::{Hello, VERSION, Welcome};
use super::session::{Remote, Session};
use super::{LinkError, tls};
use crate::peers::Peer;
use crate::ticket::HostPort;
use crate::vfs::words;

/// A connection as TLS reads it. rustls asks for no more than the rest of a record: without a buffer in front of it, each record is a system call at least.
pub(super) type Socket = BufReader<TcpStream>;

/// What is read at a time, several records.
const READ_BUFFER: usize = 64 << 10;

/// Opens a link to a peer and starts its tasks.
pub(super) async fn link(shared: &Arc<Shared>, peer: &Peer) -> Result<Arc<Session>, LinkError> {
    let hello = Hello { version: VERSION, instance: shared.instance, lane: None };
    let (stream, welcome) = open(shared, peer, hello).await?;
    let remote = Remote { name: peer.name.as_str().into(), key: peer.key, instance: welcome.instance, dialled: true, token: welcome.token };
    let (session, outgoing) = shared.register(remote);
    shared.spawn(shared.clone().drive(session.clone(), outgoing, stream));
    Ok(session)
}

/// Opens a lane of a link.
pub(super) async fn lane(session: &Arc<Session>, number: u32) -> Result<TlsStream<Socket>, LinkError> {
    let shared = &session.shared;
    let peer = shared.peers.by_name(&session.peer).filter(|peer| peer.key == session.remote.key);
    let peer = peer.ok_or_else(|| LinkError::UnknownPeer(session.peer.to_string()))?;
    let hello = Hello { version: VERSION, instance: shared.instance, lane: Some((session.remote.token, number)) };
    Ok(open(shared, &peer, hello).await?.0)
}

async fn open(shared: &Shared, peer: &Peer, hello: Hello) -> Result<(TlsStream<Socket>, Welcome), LinkError> {
    let name = &peer.name;
    let Some(address) = &peer.address else {
        return Err(LinkError::Offline(format!("{name} is not connected, and no address of it is known: wait until it connects, or add its ticket again")));
    };
    let deadlines = &shared.deadlines;
    let seconds = |deadline: std::time::Duration| deadline.as_secs_f32();
    let socket = timeout(deadlines.connect, connect(address))
        .await
        .unwrap_or_else(|_| Err(io::Error::other(format!("no answer within {} s", seconds(deadlines.connect)))));
    let socket = socket.map_err(|error| {
        LinkError::Offline(format!(
            "{name} can't be reached at {address}: {}; is the node running there (`transship serve`), and is its port open?",
            words(&error)
        ))
    })?;
    let (config, shown) = shared.tls.client(peer.key).map_err(|error| LinkError::Offline(format!("TLS can't be set up: {error}")))?;
    let handshake = timeout(deadlines.handshake, TlsConnector::from(config).connect(tls::server_name(), socket)).await;
    let mut stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return Err(match shown.get() {
                Some(shown) if *shown != peer.key => {
                    LinkError::WrongKey { peer: name.clone(), address: address.to_string(), shown: *shown, expected: peer.key }
                }
                _ => LinkError::Offline(format!("what answers at {address} is no transship node that this one can talk to: {error}")),
            });
        }
        Err(_) => return Err(LinkError::Offline(format!("{name} did not complete the handshake at {address} within {} s", seconds(deadlines.handshake)))),
    };
    stream.get_mut().1.set_buffer_limit(Some(tls::WRITE_BUFFER));
    match timeout(deadlines.hello, greet(&mut stream, hello)).await {
        Ok(Ok(welcome)) => Ok((stream, welcome)),
        Ok(Err(GreetingError::Read(ReadError::Io(error)))) if is_denied(&error) => Err(LinkError::NotAccepted(name.clone())),
        Ok(Err(error)) => Err(LinkError::Offline(format!("{name} at {address} did not take the connection: {error}"))),
        Err(_) => Err(LinkError::Offline(format!("{name} at {address} did not answer the greeting within {} s", seconds(deadlines.hello)))),
    }
}

/// Tries the host's addresses one after another; the last error counts.
async fn connect(address: &HostPort) -> io::Result<Socket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((address.host(), address.port())).await? {
        match TcpStream::connect(address).await {
            Ok(socket) => return set_up(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// For either side: small messages go at once. The socket's buffers stay as they are, because the system lets them grow with the line, and a size set here would be capped far below that.
pub(super) fn set_up(socket: TcpStream) -> io::Result<Socket> {
    socket.set_nodelay(true)?;
    Ok(BufReader::with_capacity(READ_BUFFER, socket))
}

/// Whether TLS's alert says that our key is not wanted.
fn is_denied(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(AlertDescription::AccessDenied)))
}
