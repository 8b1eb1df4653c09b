//! Accepting connections: from anybody, until TLS has shown who it is.
//!
//! Strangers get at most a handshake: a bounded number at a time, each with a deadline, and nothing that they send is read before their key is known to be a peer's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::dial::Socket;
use super::handshake::{GreetingError, hear, refuse, welcome};
use super::peer::Shared;
use super::places::Place;
use super::protocol::{Code, VERSION, Welcome};
use super::session::Remote;
use super::{dial, lane_driver, tls};
use crate::peers::Peer;

/// The pause when the system can't give us a connection, for instance because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that the system keeps for us: a burst of lanes.
const BACKLOG: u32 = 1024;
/// What a refused connection may still send, to be thrown away.
const LINGER_BYTES: u64 = 64 << 10;

pub(super) async fn listen(shared: Arc<Shared>, address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = if address.is_ipv6() { tokio::net::TcpSocket::new_v6()? } else { tokio::net::TcpSocket::new_v4()? };
    // A node that starts again takes its port back at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    let config = shared.tls.server(shared.peers.clone()).map_err(io::Error::other)?;
    let acceptor = TlsAcceptor::from(config);
    shared.clone().spawn(async move {
        tokio::select! {
            () = accept(&shared, &listener, &acceptor) => {}
            () = shared.stopping.cancelled() => {}
        }
    });
    Ok(address)
}

async fn accept(shared: &Arc<Shared>, listener: &TcpListener, acceptor: &TlsAcceptor) {
    loop {
        match listener.accept().await {
            Ok((socket, from)) => {
                // Those beyond wait in the system's queue.
                let Some(place) = shared.places.take().await else { return };
                let (task_shared, acceptor) = (shared.clone(), acceptor.clone());
                shared.spawn(async move {
                    let stopping = task_shared.stopping.clone();
                    let wanted = place.wanted.clone();
                    tokio::select! {
                        () = serve(task_shared, acceptor, socket, from, place) => {}
                        () = wanted.cancelled() => tracing::debug!(%from, "a connection that was slow to show who it is made room for another"),
                        () = stopping.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, acceptor: TlsAcceptor, socket: TcpStream, from: SocketAddr, place: Place) {
    let handshake = async {
        let socket = dial::set_up(socket)?;
        match acceptor.accept(socket).into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, mut socket)) => {
                linger(&shared, &mut socket).await;
                Err(error)
            }
        }
    };
    let mut stream = match timeout(shared.deadlines.handshake, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%from, %error, "a connection did not get through the handshake"),
        Err(_) => return tracing::debug!(%from, "a connection did not complete the handshake in time"),
    };
    stream.get_mut().1.set_buffer_limit(Some(tls::WRITE_BUFFER));
    // Known to be a peer's by the handshake; it may have been removed since.
    let Some(peer) = tls::proven_key(stream.get_ref().1.peer_certificates()).and_then(|key| shared.peers.by_key(&key)) else { return };
    let greeted = timeout(shared.deadlines.hello, greeting(&shared, &peer, stream)).await;
    drop(place);
    match greeted {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%from, peer = %peer.name, %error, "a greeting came to nothing"),
        Err(_) => tracing::debug!(%from, peer = %peer.name, "a greeting was not completed in time"),
    }
}

/// Keeps a refused connection open until the other side has read why: closing it with unread bytes in it would take the answer back.
async fn linger(shared: &Shared, socket: &mut Socket) {
    let read_out = async {
        socket.shutdown().await?;
        tokio::io::copy(&mut socket.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    let _ = timeout(shared.deadlines.linger, read_out).await;
}

async fn greeting(shared: &Arc<Shared>, peer: &Peer, mut stream: TlsStream<Socket>) -> Result<(), GreetingError> {
    let hello = hear(&mut stream).await?;
    let Some((token, number)) = hello.lane else {
        let token = rand::random();
        let remote = Remote { name: peer.name.as_str().into(), key: peer.key, instance: hello.instance, dialled: false, token };
        // Known before it is welcome: its lanes may come at once.
        let (session, outgoing) = shared.register(remote);
        if let Err(error) = welcome(&mut stream, Welcome { version: VERSION, instance: shared.instance, token }).await {
            shared.unregister(&session);
            return Err(error);
        }
        shared.spawn(shared.clone().drive(session, outgoing, stream));
        return Ok(());
    };
    let Some(session) = shared.session_of_token(&peer.name, &token).filter(|session| session.remote.instance == hello.instance) else {
        return refuse(&mut stream, Code::NoSession, "the link of this lane is not there any more".into()).await;
    };
    if !session.lanes.has_room() {
        return refuse(&mut stream, Code::TooMany, "there are as many lanes as may be".into()).await;
    }
    welcome(&mut stream, Welcome { version: VERSION, instance: shared.instance, token }).await?;
    lane_driver::start(&session, number, stream);
    Ok(())
}
