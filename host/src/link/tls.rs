//! TLS 1.3 with raw public keys on both sides (RFC 7250): no certificates, no names, a key is a node.
//!
//! What always holds: a connection that got through a handshake belongs to a peer, whichever side opened it: the dialler insists on one key, the listener on
//! the key of a peer, and both verify that the other side holds the private half. Sessions are never resumed, because a resumed one would not be asked for its key again: removing a
//! peer takes effect at the next connection.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig, SignatureScheme, version::TLS13,
};

use super::cipher;
use super::protocol::ALPN;
use crate::identity::PublicKey;
use crate::peers::Peers;

/// Plaintext that a connection takes before it waits for the socket: a few records a system call.
pub(super) const WRITE_BUFFER: usize = 256 << 10;

/// What both sides of TLS need of this node.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    key: Arc<CertifiedKey>,
}

impl Tls {
    pub(super) fn new(key: Arc<CertifiedKey>) -> Self {
        let provider = CryptoProvider {
            // AES first: with hardware for it, as on any machine of the last ten years, it is the fastest.
            cipher_suites: vec![cipher::aes_256_gcm(), cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
            // The hybrid first: what is recorded today stays secret from tomorrow's quantum computers.
            kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        Self { provider: Arc::new(provider), key }
    }

    /// For one connection to the node with the key `expected`. The second value holds the key that the other side showed, once it has.
    pub(super) fn client(&self, expected: PublicKey) -> Result<(Arc<ClientConfig>, Arc<OnceLock<PublicKey>>), Error> {
        let shown = Arc::new(OnceLock::new());
        let verifier = Arc::new(OneKey { expected, shown: shown.clone(), provider: self.provider.clone() });
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok((Arc::new(config), shown))
    }

    /// For all connections that others open.
    pub(super) fn server(&self, peers: Arc<Peers>) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(PeerKeys { peers, provider: self.provider.clone() }))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// A name for rustls's interface. It is not sent, and nothing is checked against it.
pub(super) fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into())
}

/// The key that the other side proved, from what rustls calls its certificates.
pub(super) fn proven_key(certificates: Option<&[CertificateDer<'_>]>) -> Option<PublicKey> {
    match certificates {
        Some([key]) => PublicKey::from_spki(key),
        _ => None,
    }
}

fn shown_key(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<PublicKey, Error> {
    if !intermediates.is_empty() {
        return Err(CertificateError::BadEncoding.into());
    }
    PublicKey::from_spki(end_entity).ok_or_else(|| CertificateError::BadEncoding.into())
}

fn verify(message: &[u8], key: &CertificateDer<'_>, signature: &DigitallySignedStruct, provider: &CryptoProvider) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(key.as_ref());
    verify_tls13_signature_with_raw_key(message, &key, signature, &provider.signature_verification_algorithms)
}

/// Accepts one key.
#[derive(Debug)]
struct OneKey {
    expected: PublicKey,
    shown: Arc<OnceLock<PublicKey>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OneKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = shown_key(end_entity, intermediates)?;
        // A second handshake never happens on one connection, so the first key stays.
        let _ = self.shown.set(key);
        if key == self.expected { Ok(ServerCertVerified::assertion()) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(&self, message: &[u8], key: &CertificateDer<'_>, signature: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signature, &self.provider)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Accepts the keys of peers.
#[derive(Debug)]
struct PeerKeys {
    peers: Arc<Peers>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PeerKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(&self, end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], _now: UnixTime) -> Result<ClientCertVerified, Error> {
        let key = shown_key(end_entity, intermediates)?;
        if self.peers.by_key(&key).is_some() {
            return Ok(ClientCertVerified::assertion());
        }
        tracing::info!(%key, "refused a node that is not a peer: add its ticket to let it connect");
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(&self, message: &[u8], key: &CertificateDer<'_>, signature: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signature, &self.provider)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
