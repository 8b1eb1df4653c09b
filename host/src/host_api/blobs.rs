//! `blobs`.

use wasmtime::component::Resource;

use super::bindings::transship::host::blobs::{BlobError, Host, HostBlob};
use super::{BlobHandle, Guest};
use crate::blob::Blob;

/// The most bytes copied in or out of a guest's memory at a time.
pub(super) const MAX_COPY: u64 = 16 << 20;

impl Host for Guest {}

impl HostBlob for Guest {
    fn from_bytes(&mut self, bytes: Vec<u8>, mime_type: Option<String>) -> wasmtime::Result<Result<Resource<BlobHandle>, BlobError>> {
        if bytes.len() as u64 > MAX_COPY {
            return Ok(Err(BlobError::TooLarge(format!("at most {MAX_COPY} bytes at a time"))));
        }
        if self.blob_bytes.saturating_add(bytes.len() as u64) > self.node.limits.blobs {
            return Ok(Err(BlobError::TooLarge(format!("this process holds as many bytes of blobs as it may ({})", self.node.limits.blobs))));
        }
        Ok(Ok(self.push_blob(Blob::from_bytes(bytes, mime_type))?))
    }

    fn length(&mut self, this: Resource<BlobHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.0.length())
    }

    fn mime_type(&mut self, this: Resource<BlobHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.0.mime_type().map(Into::into))
    }

    async fn read(&mut self, this: Resource<BlobHandle>, offset: u64, length: u64) -> wasmtime::Result<Result<Vec<u8>, BlobError>> {
        self.busy_epochs = 0;
        if length > MAX_COPY {
            return Ok(Err(BlobError::TooLarge(format!("at most {MAX_COPY} bytes at a time"))));
        }
        let blob = self.blob(&this)?;
        Ok(blob.read(offset, length).await.map(Into::into).map_err(Into::into))
    }

    fn slice(&mut self, this: Resource<BlobHandle>, offset: u64, length: u64) -> wasmtime::Result<Result<Resource<BlobHandle>, BlobError>> {
        match self.table.get(&this)?.0.slice(offset, length) {
            Ok(part) => Ok(Ok(self.push_blob(part)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn duplicate(&mut self, this: Resource<BlobHandle>) -> wasmtime::Result<Resource<BlobHandle>> {
        let blob = self.blob(&this)?;
        self.push_blob(blob)
    }

    fn drop(&mut self, this: Resource<BlobHandle>) -> wasmtime::Result<()> {
        self.take_blob(this).map(drop)
    }
}
