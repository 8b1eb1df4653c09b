//! `digests`.

use wasmtime::component::Resource;

use super::bindings::transship::host::blobs::BlobError;
use super::bindings::transship::host::digests::{Algorithm, Host, HostHasher};
use super::{BlobHandle, Guest};
use crate::blocking::block;
use crate::digest::{AT_ONCE, Hasher};

impl Host for Guest {
    async fn digest(&mut self, algorithm: Algorithm, blob: Resource<BlobHandle>) -> wasmtime::Result<Result<Vec<u8>, BlobError>> {
        self.busy_epochs = 0;
        let blob = self.blob(&blob)?;
        let known = self.node.digests.clone();
        if blob.in_memory().is_some() && blob.length() <= AT_ONCE {
            return Ok(known.digest_blocking(algorithm.into(), &blob).map_err(Into::into));
        }
        let digest = tokio::task::spawn_blocking(move || known.digest_blocking(algorithm.into(), &blob)).await?;
        Ok(digest.map_err(Into::into))
    }

    /// One that is known is there before this returns.
    async fn start_digest(&mut self, algorithm: Algorithm, blob: Resource<BlobHandle>) -> wasmtime::Result<u64> {
        self.busy_epochs = 0;
        let (blob, known) = (self.blob(&blob)?, self.node.digests.clone());
        let found = if known.may_know(&blob) {
            let (blob, known) = (blob.clone(), known.clone());
            block(move || known.find(algorithm.into(), &blob)).await?
        } else {
            None
        };
        Ok(match found {
            Some(digest) => {
                let mut pending = self.process.pending.lock();
                let operation = pending.next_number();
                pending.complete(operation, Ok(digest));
                operation
            }
            None => super::messaging::start(&self.process, move || known.digest_blocking(algorithm.into(), &blob).map_err(|error| error.to_string())),
        })
    }
}

impl HostHasher for Guest {
    fn new(&mut self, algorithm: Algorithm) -> wasmtime::Result<Resource<Hasher>> {
        Ok(self.table.push(Hasher::new(algorithm.into()))?)
    }

    async fn update(&mut self, this: Resource<Hasher>, blob: Resource<BlobHandle>) -> wasmtime::Result<Result<(), BlobError>> {
        self.busy_epochs = 0;
        let blob = self.blob(&blob)?;
        Ok(self.table.get(&this)?.update(blob).await.map_err(Into::into))
    }

    async fn digest(&mut self, this: Resource<Hasher>) -> wasmtime::Result<Result<Vec<u8>, BlobError>> {
        self.busy_epochs = 0;
        Ok(self.table.get(&this)?.digest().await.map_err(Into::into))
    }

    fn drop(&mut self, this: Resource<Hasher>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
