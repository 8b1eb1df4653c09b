//! A node that plays by none of the rules but those it chooses: TCP, TLS and frames by hand, as the wire format's description says (`host/src/link/protocol.rs`).
//!
//! It has the key pair of a [`Home`] that nobody serves, so a node can have it among its peers or not. Nothing here waits longer than [`PATIENCE`].

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_eddsa_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Home;

/// How long a node may take over anything that it owes a peer at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Kinds of frames.
pub mod kind {
    #![allow(missing_docs)]
    pub const HELLO: u8 = 0x01;
    pub const WELCOME: u8 = 0x02;
    pub const GOODBYE: u8 = 0x03;
    pub const MESSAGE: u8 = 0x10;
    pub const DELIVERED: u8 = 0x11;
    pub const REFUSED: u8 = 0x12;
    pub const WANT_LANES: u8 = 0x20;
    pub const LANE_MESSAGE: u8 = 0x22;
    pub const LANE_ENDED: u8 = 0x25;
    pub const PING: u8 = 0x30;
    pub const PONG: u8 = 0x31;
}

/// The code of a goodbye to who broke a rule.
pub const VIOLATION: u32 = 2;
/// The code of a goodbye to a lane without a link.
pub const NO_SESSION: u32 = 3;

#[derive(Serialize)]
struct Hello {
    version: u16,
    instance: u64,
    lane: Option<([u8; 16], u32)>,
}

#[derive(Deserialize)]
struct Welcome {
    version: u16,
    _instance: u64,
    token: [u8; 16],
}

/// What stands before the body of a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    /// Who sends it.
    pub source: String,
    /// To whom.
    pub target: String,
    /// Request or response.
    pub kind: HeadKind,
    /// A note.
    pub metadata: Option<String>,
    /// The blob's length and media type.
    pub blob: Option<(u64, Option<String>)>,
}

/// Request or response.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum HeadKind {
    /// With the number of the response that is expected.
    Request(Option<u128>),
    /// With the number of the request.
    Response(u128),
}

impl Head {
    /// A request that expects a response with this number.
    pub fn request(target: &str, number: u128) -> Self {
        Self { source: "main:mallory:test".into(), target: target.into(), kind: HeadKind::Request(Some(number)), metadata: None, blob: None }
    }

    /// The payload of a message with this body.
    pub fn with(&self, body: &[u8]) -> Vec<u8> {
        let head = postcard::to_stdvec(self).expect("a head can be encoded");
        let length = u32::try_from(head.len()).expect("a head is short");
        [&length.to_le_bytes(), head.as_slice(), body].concat()
    }
}

/// Accepts any node: this one is not here to be careful.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// TCP, with nothing said yet.
pub fn tcp(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&address, PATIENCE).expect("the node listens");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Reads until the other side ends the connection, and returns what it said before.
///
/// # Panics
/// If it does not end in time.
pub fn until_closed(stream: &mut impl Read) -> Vec<u8> {
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return said,
            Ok(count) => said.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => panic!("the node leaves the connection open"),
            // A reset, or TLS's alert.
            Err(_) => return said,
        }
    }
}

/// A connection that got through TLS as far as this side can tell: the other side may still refuse its key.
pub struct RawPeer {
    stream: StreamOwned<ClientConnection, TcpStream>,
    instance: u64,
    /// Messages that came while an answer was waited for, that answer among them, and were not said to be taken.
    untold: u32,
    /// The requests among them.
    pub(crate) met: Vec<Vec<u8>>,
}

impl RawPeer {
    /// Connects with the key of `home`.
    ///
    /// # Errors
    /// What TLS or the socket said.
    pub fn connect(home: &Home, address: SocketAddr) -> io::Result<Self> {
        Self::connect_with(home, address, &[b"transship/1"])
    }

    /// The same, offering other protocols.
    ///
    /// # Errors
    /// What TLS or the socket said.
    pub fn connect_with(home: &Home, address: SocketAddr, protocols: &[&[u8]]) -> io::Result<Self> {
        let private = PrivatePkcs8KeyDer::from_pem_file(home.path().join("identity.key")).expect("the home has a key");
        let key = any_eddsa_type(&private).expect("it is an Ed25519 key");
        let public = key.public_key().expect("it has a public half");
        let certified = CertifiedKey::new(vec![CertificateDer::from(public.to_vec())], key);
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider knows TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(certified))));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.enable_sni = false;
        let name = ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into());
        let connection = ClientConnection::new(Arc::new(config), name).expect("the settings fit");
        let mut stream = StreamOwned::new(connection, tcp(address));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream, instance: 7, untold: 0, met: Vec::new() })
    }

    /// Connects with the key of `home`, which is a peer's, and greets. Returns the link's token too.
    pub fn greet(home: &Home, address: SocketAddr) -> (Self, [u8; 16]) {
        let mut peer = Self::connect(home, address).expect("the key is a peer's");
        let token = peer.hello(None).expect("the node welcomes a peer");
        (peer, token)
    }

    /// Says hello; the token if it is welcome.
    pub fn hello(&mut self, lane: Option<([u8; 16], u32)>) -> Option<[u8; 16]> {
        let hello = Hello { version: 1, instance: self.instance, lane };
        self.send(kind::HELLO, &postcard::to_stdvec(&hello).unwrap());
        match self.frame()? {
            (kind::WELCOME, payload) => {
                let welcome: Welcome = postcard::from_bytes(&payload).expect("a welcome");
                assert_eq!(welcome.version, 1);
                Some(welcome.token)
            }
            (other, payload) => {
                assert_eq!(other, kind::GOODBYE, "{payload:?}");
                None
            }
        }
    }

    /// Sends a frame. That the node has closed the connection already is for the reader to find.
    pub fn send(&mut self, kind: u8, payload: &[u8]) {
        let length = u32::try_from(payload.len() + 1).unwrap();
        self.send_bytes(&[&length.to_le_bytes(), [kind].as_slice(), payload].concat());
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).and_then(|()| self.stream.flush()));
    }

    /// The next frame, or none at the end of the connection.
    ///
    /// # Panics
    /// If neither comes in time.
    pub fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut length = [0; 4];
        self.read(&mut length)?;
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        self.read(&mut frame)?;
        Some((frame[0], frame.split_off(1)))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the node says nothing and leaves the connection open")
            }
            Err(_) => None,
        }
    }

    /// Reads on until the node says goodbye and closes the connection: its code and its words.
    ///
    /// # Panics
    /// If it closes without a goodbye, or says goodbye and does not close.
    pub fn goodbye(mut self) -> (u32, String) {
        loop {
            match self.frame() {
                Some((kind::GOODBYE, payload)) => {
                    until_closed(&mut self.stream);
                    return postcard::from_bytes(&payload).expect("a goodbye");
                }
                Some(_) => {}
                None => panic!("the connection ended without a goodbye"),
            }
        }
    }

    /// Reads until the connection ends, and returns how TLS says that it did.
    pub fn end(mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => panic!("the node leaves the connection open"),
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks a process and waits for its answer. Other frames that come are passed over, and requests kept for [`met`](Self::met).
    ///
    /// # Errors
    /// The variant of the node's refusal: 0 no such process, 1 denied, 2 busy.
    pub fn ask(&mut self, target: &str, number: u128, body: &[u8]) -> Result<Vec<u8>, u8> {
        let request = Head::request(target, number).with(body);
        self.send(kind::MESSAGE, &request);
        loop {
            match self.frame().expect("the node keeps the link") {
                (kind::MESSAGE, payload) => {
                    self.untold += 1;
                    let (length, rest) = payload.split_at(4);
                    let (head, body) = rest.split_at(u32::from_le_bytes(length.try_into().unwrap()) as usize);
                    let head: Head = postcard::from_bytes(head).expect("a head");
                    match head.kind {
                        HeadKind::Response(to) if to == number => return Ok(body.to_vec()),
                        HeadKind::Request(_) => self.met.push(payload),
                        _ => {}
                    }
                }
                (kind::REFUSED, payload) => {
                    let ((to, why), _): ((u128, u8), _) = postcard::take_from_bytes(&payload).expect("a refusal");
                    if to == number {
                        return Err(why);
                    }
                }
                (kind::PING, payload) => self.send(kind::PONG, &payload),
                (kind::GOODBYE, payload) => panic!("the node says goodbye: {:?}", postcard::from_bytes::<(u32, String)>(&payload)),
                _ => {}
            }
        }
    }

    /// Says that this side has taken all messages that came to `main:mallory:test` while it waited for answers, and that nothing else was sent to.
    pub fn took_all(&mut self) {
        let count = std::mem::take(&mut self.untold);
        self.send(kind::DELIVERED, &postcard::to_stdvec(&("main:mallory:test", count)).expect("it can be encoded"));
    }

    /// Asks whether the node is there, and waits until it says so.
    ///
    /// # Panics
    /// If it has closed the link.
    pub fn ping(&mut self) {
        self.send(kind::PING, &[0]);
        while self.frame().expect("the link stays").0 != kind::PONG {}
    }

    /// Asks with JSON and takes the answer as JSON.
    pub fn ask_json(&mut self, target: &str, number: u128, body: &Value) -> Value {
        let answer = self.ask(target, number, body.to_string().as_bytes()).unwrap_or_else(|why| panic!("{body} was refused: {why}"));
        serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&answer)))
    }
}
