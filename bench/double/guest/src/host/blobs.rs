//! `blobs`.

pub use transship::native::interfaces::blobs::BlobError;
use transship::native::interfaces::blobs::{Blob as Inner, HostBlob};

super::handle! {
    /// Bytes that the node holds.
    Blob, Inner, host HostBlob::drop
}

impl Blob {
    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn from_bytes(bytes: &[u8], mime_type: Option<&str>) -> Result<Self, BlobError> {
        host!(HostBlob::from_bytes, bytes.into(), mime_type.map(Into::into)).map(Self::taken)
    }

    /// Bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        host!(HostBlob::length, self.lent())
    }

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, BlobError> {
        host_await!(HostBlob::read, self.lent(), offset, length)
    }

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn slice(&self, offset: u64, length: u64) -> Result<Self, BlobError> {
        host!(HostBlob::slice, self.lent(), offset, length).map(Self::taken)
    }
}
