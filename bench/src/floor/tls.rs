//! Connections of the floor: TLS as a node speaks it, or nothing.
//!
//! Whose key it is, nobody asks here: that costs nothing per byte.

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;

use anyhow::Context as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, sign::any_eddsa_type};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, PeerIncompatible, ServerConfig, ServerConnection, SignatureScheme, StreamOwned};

/// Plaintext that a connection takes before it is written: a few records a system call.
const WRITE_BUFFER: usize = 256 << 10;
/// What is read at a time.
const READ_BUFFER: usize = 64 << 10;

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Client(Box<StreamOwned<ClientConnection, Socket>>),
    Server(Box<StreamOwned<ServerConnection, Socket>>),
}

/// A socket as TLS reads it: rustls asks for no more than the rest of a record.
pub(super) struct Socket(BufReader<TcpStream>);

impl Socket {
    fn new(socket: TcpStream) -> Self {
        Self(BufReader::with_capacity(READ_BUFFER, socket))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Client(stream) => stream.read(buffer),
            Self::Server(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Client(stream) => stream.write(bytes),
            Self::Server(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Client(stream) => stream.flush(),
            Self::Server(stream) => stream.flush(),
        }
    }
}

/// What makes connections of sockets.
#[derive(Clone)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    key: Arc<CertifiedKey>,
}

impl Tls {
    /// With a key of its own.
    pub(super) fn new() -> anyhow::Result<Self> {
        let provider = CryptoProvider { cipher_suites: vec![transship::link::cipher::aes_256_gcm()], ..aws_lc_rs::default_provider() };
        let pair = ::aws_lc_rs::signature::Ed25519KeyPair::generate().context("a key")?;
        let der = pair.to_pkcs8().context("a key")?;
        let signing = any_eddsa_type(&PrivatePkcs8KeyDer::from(der.as_ref().to_vec())).context("a key")?;
        let public = signing.public_key().context("a public key")?.as_ref().to_vec();
        Ok(Self { provider: Arc::new(provider), key: Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signing)) })
    }

    pub(super) fn client(&self, socket: TcpStream) -> anyhow::Result<Stream> {
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyKey(self.provider.clone())))
            .with_no_client_auth();
        let name = ServerName::IpAddress(IpAddr::from(Ipv4Addr::LOCALHOST).into());
        let mut connection = ClientConnection::new(Arc::new(config), name)?;
        connection.set_buffer_limit(Some(WRITE_BUFFER));
        Ok(Stream::Client(Box::new(StreamOwned::new(connection, Socket::new(socket)))))
    }

    pub(super) fn server(&self, socket: TcpStream) -> anyhow::Result<Stream> {
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.key.clone())));
        let mut connection = ServerConnection::new(Arc::new(config))?;
        connection.set_buffer_limit(Some(WRITE_BUFFER));
        Ok(Stream::Server(Box::new(StreamOwned::new(connection, Socket::new(socket)))))
    }
}

#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(&self, message: &[u8], key: &CertificateDer<'_>, signature: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
