//! `digests`.

pub use transship::native::interfaces::digests::Algorithm;
use transship::native::interfaces::digests::{Hasher as Inner, Host, HostHasher};

use super::blobs::{Blob, BlobError};

super::handle! {
    /// A digest that is being computed.
    Hasher, Inner, host HostHasher::drop
}

impl Hasher {
    /// Of no bytes yet.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self::taken(host!(HostHasher::new, algorithm))
    }

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn update(&self, blob: &Blob) -> Result<(), BlobError> {
        host_await!(HostHasher::update, self.lent(), blob.lent())
    }

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn digest(&self) -> Result<Vec<u8>, BlobError> {
        host_await!(HostHasher::digest, self.lent())
    }
}

/// See the interface.
///
/// # Errors
/// See the interface.
pub fn digest(algorithm: Algorithm, blob: &Blob) -> Result<Vec<u8>, BlobError> {
    host_await!(Host::digest, algorithm, blob.lent())
}

/// Begins to compute one; a completion of this number follows.
#[must_use]
pub fn start_digest(algorithm: Algorithm, blob: &Blob) -> u64 {
    host_await!(Host::start_digest, algorithm, blob.lent())
}
