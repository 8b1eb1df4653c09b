//! Digests of whole files that were computed before: a file that has not changed since is not read again.
//!
//! A digest is known by what the system says of the file's content ([`Stamp`]): device, inode, size, and the times of modification and change. The last can't be set by anybody, so a file that was written, replaced or
//! renamed is another one, even if its size and modification time are as before. What always holds:
//! - Nothing is remembered of a file that was written a moment before it was read ([`SETTLED`]), because the system's clock could not tell a further change apart, nor of one that changed while it was read.
//! - What is written to `HOME/cache/digests` was older than [`DURABLE`] then: its bytes are on the disk, so that a crash can't leave a digest of what never got there. Each record there has a check of its own; what a crash
//!   or a fault left of one is skipped. A file that can't be read or written costs hashing, and nothing else.
//! - It is bounded: of [`MOST`] digests those used longest ago are forgotten first.
//!
//! A program that maps a file into its memory can change it, for as long as half a minute after the first byte, without the system telling. The digest is then one of the file as it was, and who
//! receives the file finds that out.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::{Algorithm, digest_blocking};
use crate::blob::{Blob, BlobError, Stamp};

/// How old the last change of a file is at least when it is read.
const SETTLED: Duration = Duration::from_secs(3);
/// How old it is at least when its digest is written down: the system has written such changes to the disk (Linux does after 30 seconds).
const DURABLE: Duration = Duration::from_secs(60);
/// Smaller files are read as quickly as they are looked up.
const WORTH: u64 = 64 << 10;
/// So many digests are kept.
const MOST: usize = 20_000;
/// What the file begins with; another one is not read.
const MAGIC: &[u8] = b"transship digests 1\n";
const NUMBERS: usize = 7;
const DIGEST: usize = 32;
const CHECK: usize = 16;
const RECORD: usize = 1 + NUMBERS * 8 + DIGEST + CHECK;

type Key = (Algorithm, Stamp);

#[derive(Debug, Clone)]
struct Kept {
    digest: Vec<u8>,
    used: u64,
    /// It is in the file.
    written: bool,
}

#[derive(Debug, Default)]
struct State {
    loaded: bool,
    known: HashMap<Key, Kept>,
    uses: u64,
    /// Records in the file, those of forgotten digests too.
    records: usize,
    /// It ends with a whole record, so that one can be added.
    whole: bool,
}

/// See the module.
#[derive(Debug)]
pub struct KnownDigests {
    path: PathBuf,
    most: usize,
    state: Mutex<State>,
}

impl KnownDigests {
    /// Those kept in the file at `path`, which is read when the first is asked for.
    pub fn new(path: PathBuf) -> Self {
        Self { path, most: MOST, state: Mutex::default() }
    }

    /// Whether the digest of a blob could be known. Does not block.
    pub fn may_know(&self, blob: &Blob) -> bool {
        blob.in_memory().is_none() && blob.length() >= WORTH
    }

    /// The digest of a blob if it is a whole file whose digest is known. Blocks on the disk.
    pub fn find(&self, algorithm: Algorithm, blob: &Blob) -> Option<Vec<u8>> {
        self.find_at(algorithm, self.stamp(blob)?, SystemTime::now())
    }

    /// The digest of a blob, remembered if it is a whole file. Blocks on the disk and the processor.
    ///
    /// # Errors
    /// [`BlobError::Changed`], [`BlobError::Io`].
    pub fn digest_blocking(&self, algorithm: Algorithm, blob: &Blob) -> Result<Vec<u8>, BlobError> {
        let Some(stamp) = self.stamp(blob) else { return digest_blocking(algorithm, blob) };
        let begun = SystemTime::now();
        if let Some(known) = self.find_at(algorithm, stamp, begun) {
            return Ok(known);
        }
        let digest = digest_blocking(algorithm, blob)?;
        if blob.stamp() == Some(stamp) {
            self.keep(algorithm, stamp, &digest, begun);
        }
        Ok(digest)
    }

    /// What tells a blob's content from any other, if its digest could be known. Blocks on the disk.
    pub(super) fn stamp(&self, blob: &Blob) -> Option<Stamp> {
        if self.may_know(blob) { blob.stamp() } else { None }
    }

    pub(super) fn find_at(&self, algorithm: Algorithm, stamp: Stamp, now: SystemTime) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        self.load(&mut state);
        state.uses += 1;
        let uses = state.uses;
        let kept = state.known.get_mut(&(algorithm, stamp))?;
        kept.used = uses;
        let digest = kept.digest.clone();
        // It has not changed since it was read, and by now it is on the disk.
        if !kept.written && older(stamp, now, DURABLE) {
            kept.written = true;
            self.write_down(&mut state, &(algorithm, stamp), &digest);
        }
        Some(digest)
    }

    /// The digest of a file that was read from `begun` on, and whose stamp was this before and afterwards.
    pub(super) fn keep(&self, algorithm: Algorithm, stamp: Stamp, digest: &[u8], begun: SystemTime) {
        if !older(stamp, begun, SETTLED) {
            return;
        }
        let mut state = self.state.lock();
        self.load(&mut state);
        state.uses += 1;
        let (key, written) = ((algorithm, stamp), older(stamp, begun, DURABLE));
        let kept = Kept { digest: digest.into(), used: state.uses, written };
        state.known.insert(key, kept);
        self.forget(&mut state);
        if written {
            self.write_down(&mut state, &key, digest);
        }
    }

    /// Forgets a quarter of what there may be, if there is more.
    fn forget(&self, state: &mut State) {
        if state.known.len() <= self.most {
            return;
        }
        let mut uses: Vec<u64> = state.known.values().map(|kept| kept.used).collect();
        let (_, &mut oldest, _) = uses.select_nth_unstable(self.most / 4);
        state.known.retain(|_, kept| kept.used > oldest);
    }

    fn load(&self, state: &mut State) {
        if std::mem::replace(&mut state.loaded, true) {
            return;
        }
        // A file longer than any that is written here is none of ours.
        let length = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        if length > (MAGIC.len() + 2 * self.most * RECORD + RECORD) as u64 {
            return;
        }
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let Some(records) = bytes.strip_prefix(MAGIC) else { return };
        for (number, record) in records.chunks(RECORD).enumerate() {
            state.records += 1;
            if let Some((key, digest)) = decode(record) {
                state.known.insert(key, Kept { digest, used: number as u64, written: true });
            }
        }
        state.uses = state.records as u64;
        state.whole = records.len() % RECORD == 0;
        self.forget(state);
    }

    fn write_down(&self, state: &mut State, key: &Key, digest: &[u8]) {
        let written = if state.whole && state.records < 2 * self.most {
            File::options().append(true).open(&self.path).and_then(|mut file| file.write_all(&encode(key, digest)))
        } else {
            self.write_anew(state)
        };
        state.records += 1;
        state.whole = written.is_ok();
        if let Err(error) = written {
            tracing::debug!(%error, "{} could not be written", self.path.display());
        }
    }

    fn write_anew(&self, state: &mut State) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut draft = tempfile::Builder::new().prefix(".draft").tempfile_in(folder)?;
        let mut kept: Vec<(&Key, &Kept)> = state.known.iter().filter(|(_, kept)| kept.written).collect();
        kept.sort_by_key(|(_, kept)| kept.used);
        let records: Vec<u8> = kept.iter().flat_map(|(key, kept)| encode(key, &kept.digest)).collect();
        state.records = kept.len();
        draft.write_all(MAGIC)?;
        draft.write_all(&records)?;
        draft.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

/// Whether the last change is so long ago. One in the future is not.
fn older(stamp: Stamp, now: SystemTime, age: Duration) -> bool {
    let Ok(now) = now.duration_since(UNIX_EPOCH) else { return false };
    let last = i128::from(stamp.modified.0.max(stamp.changed.0)) + 1;
    last + i128::from(age.as_secs()) <= i128::from(now.as_secs())
}

fn encode((algorithm, stamp): &Key, digest: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(RECORD);
    record.push(match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Blake3 => 2,
        Algorithm::Md5 => 3,
    });
    for number in [stamp.device, stamp.inode, stamp.size] {
        record.extend(number.to_le_bytes());
    }
    for number in [stamp.modified.0, stamp.modified.1, stamp.changed.0, stamp.changed.1] {
        record.extend(number.to_le_bytes());
    }
    record.extend(digest);
    record.resize(RECORD - CHECK, 0);
    record.extend(check(&record));
    record
}

fn check(record: &[u8]) -> [u8; CHECK] {
    let mut check = [0; CHECK];
    blake3::Hasher::new().update(record).finalize_xof().fill(&mut check);
    check
}

fn decode(record: &[u8]) -> Option<(Key, Vec<u8>)> {
    let (content, sum) = record.split_at_checked(RECORD - CHECK)?;
    if sum != check(content) {
        return None;
    }
    let (&kind, rest) = content.split_first()?;
    let (algorithm, length) = match kind {
        1 => (Algorithm::Sha256, 32),
        2 => (Algorithm::Blake3, 32),
        3 => (Algorithm::Md5, 16),
        _ => return None,
    };
    let (numbers, digest) = rest.split_at_checked(NUMBERS * 8)?;
    let (numbers, _) = numbers.as_chunks::<8>();
    let &[device, inode, size, modified, modified_part, changed, changed_part] = numbers else { return None };
    let unsigned = u64::from_le_bytes;
    let signed = i64::from_le_bytes;
    let stamp = Stamp {
        device: unsigned(device),
        inode: unsigned(inode),
        size: unsigned(size),
        modified: (signed(modified), signed(modified_part)),
        changed: (signed(changed), signed(changed_part)),
    };
    Some(((algorithm, stamp), digest.get(..length)?.to_vec()))
}

#[cfg(test)]
mod tests;
