//! The contents of a file in memory: pages of what was written; what lies between reads as zeros and takes no memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Quota, now};
use crate::blob::{BlobError, ReadAt};
use crate::vfs::backend::FileBackend;
use crate::vfs::{FileKind, Metadata, VfsError};

/// A page is as long as what was written in it, at most this.
const PAGE: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct MemoryFile {
    quota: Arc<Quota>,
    contents: RwLock<Contents>,
}

#[derive(Debug)]
struct Contents {
    /// By number. The bytes after a page's end, up to the next page, are zeros.
    pages: BTreeMap<u64, Vec<u8>>,
    length: u64,
    modified: i64,
    permissions: u16,
}

impl MemoryFile {
    pub(super) fn new(quota: Arc<Quota>, permissions: u16) -> Self {
        Self { quota, contents: RwLock::new(Contents { pages: BTreeMap::new(), length: 0, modified: now(), permissions }) }
    }

    pub(super) fn describe(&self) -> Metadata {
        let contents = self.contents.read();
        Metadata { kind: FileKind::Regular, size: contents.length, modified: contents.modified, permissions: contents.permissions }
    }

    /// A second file with the same contents, or none if the quota is used up.
    pub(super) fn copy(&self) -> Result<Self, VfsError> {
        let contents = self.contents.read();
        self.quota.take(contents.used())?;
        let copy = Contents { pages: contents.pages.clone(), length: contents.length, modified: now(), permissions: contents.permissions };
        Ok(Self { quota: self.quota.clone(), contents: RwLock::new(copy) })
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.quota.give_back(self.contents.get_mut().used());
    }
}

impl Contents {
    fn used(&self) -> u64 {
        self.pages.values().map(|page| page.len() as u64).sum()
    }

    /// Fills as much of `buffer` as there is from `offset`.
    fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let there = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..there) else { return 0 };
        buffer.fill(0);
        let end = offset + there as u64;
        for (number, page) in self.pages.range(offset / PAGE..end.div_ceil(PAGE)) {
            let start = number * PAGE;
            let (from, to) = (start.max(offset), (start + page.len() as u64).min(end));
            if from >= to {
                continue;
            }
            // All are inside a buffer or a page, so they fit.
            let (in_buffer, in_page, length) = ((from - offset) as usize, (from - start) as usize, (to - from) as usize);
            if let (Some(target), Some(source)) = (buffer.get_mut(in_buffer..in_buffer + length), page.get(in_page..in_page + length)) {
                target.copy_from_slice(source);
            }
        }
        there
    }

    /// Writes page by page, as far as the quota reaches.
    fn write(&mut self, mut bytes: &[u8], mut offset: u64, quota: &Quota) -> Result<(), VfsError> {
        while !bytes.is_empty() {
            let start = (offset % PAGE) as usize;
            let (part, rest) = bytes.split_at(bytes.len().min(PAGE as usize - start));
            let end = start + part.len();
            let present = self.pages.get(&(offset / PAGE)).map_or(0, Vec::len);
            quota.take(end.saturating_sub(present) as u64)?;
            let page = self.pages.entry(offset / PAGE).or_default();
            if end > present {
                page.reserve_exact(end - present);
                page.resize(end, 0);
            }
            if let Some(target) = page.get_mut(start..end) {
                target.copy_from_slice(part);
            }
            offset += part.len() as u64;
            self.length = self.length.max(offset);
            self.modified = now();
            bytes = rest;
        }
        Ok(())
    }

    fn set_length(&mut self, length: u64, quota: &Quota) {
        if length < self.length {
            let before = self.used();
            drop(self.pages.split_off(&length.div_ceil(PAGE)));
            if let Some(page) = self.pages.get_mut(&(length / PAGE)) {
                page.truncate((length % PAGE) as usize);
                page.shrink_to_fit();
            }
            quota.give_back(before - self.used());
        }
        self.length = length;
        self.modified = now();
    }
}

impl ReadAt for MemoryFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
        if self.contents.read().read(buffer, offset) == buffer.len() { Ok(()) } else { Err(BlobError::Changed) }
    }
}

impl FileBackend for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError> {
        Ok(self.contents.read().read(buffer, offset))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<(), VfsError> {
        self.contents.write().write(bytes, offset, &self.quota)
    }

    fn set_length(&self, length: u64) -> Result<(), VfsError> {
        self.contents.write().set_length(length, &self.quota);
        Ok(())
    }

    fn sync(&self) -> Result<(), VfsError> {
        Ok(())
    }

    fn metadata(&self) -> Result<Metadata, VfsError> {
        Ok(self.describe())
    }

    fn tells_at_once(&self) -> bool {
        true
    }

    fn set_modified(&self, nanoseconds: i64) -> Result<(), VfsError> {
        self.contents.write().modified = nanoseconds;
        Ok(())
    }

    fn set_permissions(&self, permissions: u16) -> Result<(), VfsError> {
        self.contents.write().permissions = permissions;
        Ok(())
    }
}
