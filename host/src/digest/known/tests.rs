use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::blob::ReadAt;

/// A file in memory that counts how often it was read from its beginning.
#[derive(Debug)]
struct Source {
    bytes: Mutex<Vec<u8>>,
    stamp: Mutex<Option<Stamp>>,
    /// Its stamp after the next read.
    changes_to: Mutex<Option<Stamp>>,
    reads: AtomicUsize,
}

impl ReadAt for Source {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
        let bytes = self.bytes.lock();
        let start = offset as usize;
        buffer.copy_from_slice(bytes.get(start..start + buffer.len()).ok_or(BlobError::Changed)?);
        if offset == 0 {
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(stamp) = self.changes_to.lock().take() {
            *self.stamp.lock() = Some(stamp);
        }
        Ok(())
    }

    fn stamp(&self) -> Option<Stamp> {
        *self.stamp.lock()
    }
}

const SIZE: u64 = WORTH;

/// Of a file of [`SIZE`] bytes that last changed so many seconds ago.
fn stamp(inode: u64, age: u64) -> Stamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let then = i64::try_from(now.saturating_sub(age)).unwrap();
    Stamp { device: 7, inode, size: SIZE, modified: (then, 123_456_789), changed: (then, 987_654_321) }
}

fn source(stamp: Stamp) -> (Arc<Source>, Blob) {
    let source = Arc::new(Source {
        bytes: Mutex::new(vec![stamp.inode as u8; SIZE as usize]),
        stamp: Mutex::new(Some(stamp)),
        changes_to: Mutex::default(),
        reads: AtomicUsize::new(0),
    });
    let blob = Blob::from_file(source.clone(), 0, SIZE);
    (source, blob)
}

fn reads(source: &Source) -> usize {
    source.reads.load(Ordering::SeqCst)
}

fn known(folder: &tempfile::TempDir) -> KnownDigests {
    KnownDigests::new(folder.path().join("digests"))
}

#[test]
fn a_file_is_read_once_for_each_algorithm_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (source, blob) = source(stamp(1, 3600));
    for restart in 0..3 {
        let known = known(&folder);
        for algorithm in [Algorithm::Sha256, Algorithm::Blake3, Algorithm::Md5] {
            assert_eq!(known.digest_blocking(algorithm, &blob).unwrap(), digest_blocking(algorithm, &Blob::from_bytes(vec![1; SIZE as usize], None)).unwrap());
            assert!(known.find(algorithm, &blob).is_some());
        }
        assert_eq!(reads(&source), 3, "{restart}");
    }
}

#[test]
fn what_changed_is_read_again_whatever_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let known = known(&folder);
    let old = stamp(1, 3600);
    let (source, blob) = source(old);
    let first = known.digest_blocking(Algorithm::Sha256, &blob).unwrap();
    source.bytes.lock()[5] ^= 1;
    // Written in place and its time set back; replaced by another; on another disk.
    let changes = [
        Stamp { changed: (old.changed.0 + 1, 0), ..old },
        Stamp { inode: 2, ..old },
        Stamp { device: 8, ..old },
        Stamp { modified: (old.modified.0, old.modified.1 + 1), ..old },
    ];
    for (place, change) in changes.into_iter().enumerate() {
        *source.stamp.lock() = Some(change);
        assert_ne!(known.digest_blocking(Algorithm::Sha256, &blob).unwrap(), first);
        assert_eq!(reads(&source), 2 + place);
    }
    *source.stamp.lock() = Some(old);
    assert_eq!(known.digest_blocking(Algorithm::Sha256, &blob).unwrap(), first, "it is kept as what it was");
}

#[test]
fn what_may_still_change_unnoticed_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let known = known(&folder);
    for age in [0, 1, 2] {
        let (source, blob) = source(stamp(1, age));
        known.digest_blocking(Algorithm::Sha256, &blob).unwrap();
        known.digest_blocking(Algorithm::Sha256, &blob).unwrap();
        assert_eq!(reads(&source), 2, "{age}");
    }
    let (future, blob) = source(Stamp { modified: (i64::MAX, 0), ..stamp(2, 3600) });
    known.digest_blocking(Algorithm::Sha256, &blob).unwrap();
    assert!(known.find(Algorithm::Sha256, &blob).is_none());
    assert_eq!(reads(&future), 1);
}

#[test]
fn what_changed_while_it_was_read_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let known = known(&folder);
    let old = stamp(1, 3600);
    let (source, blob) = source(old);
    *source.changes_to.lock() = Some(Stamp { changed: (old.changed.0 + 10, 0), ..old });
    known.digest_blocking(Algorithm::Sha256, &blob).unwrap();
    assert!(known.find(Algorithm::Sha256, &blob).is_none());
    *source.stamp.lock() = Some(old);
    assert!(known.find(Algorithm::Sha256, &blob).is_none());
}

#[test]
fn what_may_not_be_on_the_disk_yet_is_written_down_later() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = stamp(1, 10);
    let (source, blob) = source(fresh);
    let first = known(&folder);
    first.digest_blocking(Algorithm::Sha256, &blob).unwrap();
    assert!(first.find(Algorithm::Sha256, &blob).is_some());
    assert!(known(&folder).find(Algorithm::Sha256, &blob).is_none());
    let later = SystemTime::now() + DURABLE;
    assert!(first.find_at(Algorithm::Sha256, fresh, later).is_some());
    assert!(known(&folder).find(Algorithm::Sha256, &blob).is_some());
    assert_eq!(reads(&source), 1);
}

#[test]
fn parts_of_files_and_small_ones_and_bytes_in_memory_are_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let known = known(&folder);
    let (source, blob) = source(stamp(1, 3600));
    let parts = [blob.slice(0, SIZE - 1).unwrap(), blob.slice(1, SIZE - 1).unwrap(), Blob::from_bytes(vec![0; SIZE as usize], None)];
    for part in parts {
        known.digest_blocking(Algorithm::Sha256, &part).unwrap();
        assert!(known.find(Algorithm::Sha256, &part).is_none());
    }
    let small = Stamp { size: 10, ..stamp(2, 3600) };
    *source.stamp.lock() = Some(small);
    known.digest_blocking(Algorithm::Sha256, &blob.slice(0, 10).unwrap()).unwrap();
    assert!(known.state.lock().known.is_empty());
}

#[test]
fn a_damaged_file_costs_what_is_damaged_and_never_gives_a_wrong_digest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digests");
    let blobs: Vec<(Arc<Source>, Blob)> = (0..5).map(|inode| source(stamp(inode, 3600))).collect();
    let right: Vec<Vec<u8>> = {
        let known = known(&folder);
        blobs.iter().map(|(_, blob)| known.digest_blocking(Algorithm::Sha256, blob).unwrap()).collect()
    };
    let good = std::fs::read(&path).unwrap();
    assert_eq!(good.len(), MAGIC.len() + 5 * RECORD);
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let known = known(&folder);
        let found: Vec<Option<Vec<u8>>> = blobs.iter().map(|(_, blob)| known.find(Algorithm::Sha256, blob)).collect();
        assert!(found.iter().zip(&right).all(|(found, right)| found.as_ref().is_none_or(|found| found == right)), "{place}");
        assert_eq!(found.iter().flatten().count(), if place < MAGIC.len() { 0 } else { 4 }, "{place}");
    }
    for length in 0..good.len() {
        std::fs::write(&path, &good[..length]).unwrap();
        let known = known(&folder);
        let whole = length.saturating_sub(MAGIC.len()) / RECORD;
        let again: Vec<Vec<u8>> = blobs.iter().map(|(_, blob)| known.digest_blocking(Algorithm::Sha256, blob).unwrap()).collect();
        assert_eq!(again, right, "{length}");
        // What was added behind what a crash left is found again.
        if whole < 5 {
            let after = self::known(&folder);
            assert!(blobs.iter().all(|(_, blob)| after.find(Algorithm::Sha256, blob).is_some()), "{length}");
        }
    }
}

#[test]
fn what_was_used_longest_ago_is_forgotten_and_the_file_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let known = || KnownDigests { most: 8, ..self::known(&folder) };
    let first = known();
    let blobs: Vec<(Arc<Source>, Blob)> = (0..100).map(|inode| source(stamp(inode, 3600))).collect();
    for (_, blob) in &blobs {
        first.digest_blocking(Algorithm::Sha256, blob).unwrap();
        // Always in use.
        first.digest_blocking(Algorithm::Sha256, &blobs[0].1).unwrap();
        assert!(first.state.lock().known.len() <= 8);
    }
    assert_eq!(reads(&blobs[0].0), 1);
    let length = std::fs::metadata(folder.path().join("digests")).unwrap().len() as usize;
    assert!(length <= MAGIC.len() + 17 * RECORD, "{length}");
    let after = known();
    assert!(after.find(Algorithm::Sha256, &blobs[99].1).is_some() && after.find(Algorithm::Sha256, &blobs[50].1).is_none());
}

#[test]
fn a_folder_that_can_not_be_written_to_costs_no_more_than_hashing() {
    let folder = tempfile::tempdir().unwrap();
    let known = KnownDigests::new(folder.path().join("gone/digests"));
    let (source, blob) = source(stamp(1, 3600));
    for _ in 0..3 {
        known.digest_blocking(Algorithm::Sha256, &blob).unwrap();
    }
    assert_eq!(reads(&source), 1);
}

/// Changes a file until the system's clock has noticed.
fn changed_from(old: Stamp, blob: impl Fn() -> Blob, change: impl Fn()) -> Stamp {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        change();
        match blob().stamp().unwrap() {
            new if new != old => return new,
            _ => assert!(std::time::Instant::now() < deadline, "the change does not show"),
        }
    }
}

#[test]
fn a_real_file_that_is_written_in_place_or_replaced_has_another_stamp_though_size_and_time_are_as_before() {
    use crate::rights::Rights;
    use crate::vfs::{Drive, OpenFlags};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, vec![1; SIZE as usize]).unwrap();
    let root = Drive::folder("p:q/files", folder.path()).unwrap().root(Rights::ALL);
    let read = OpenFlags { read: true, ..OpenFlags::default() };
    let blob = || root.open_file("file", read).unwrap().read_blob(0, SIZE).unwrap();
    let first = blob().stamp().unwrap();
    assert_eq!(first.size, SIZE);
    digest_blocking(Algorithm::Sha256, &blob()).unwrap();
    assert_eq!(blob().stamp(), Some(first), "reading is no change");

    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    let in_place = changed_from(first, blob, || {
        std::fs::write(&path, vec![2; SIZE as usize]).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    });
    assert_eq!((in_place.modified, in_place.inode), (first.modified, first.inode));
    let replaced = changed_from(in_place, blob, || {
        std::fs::write(folder.path().join("new"), vec![3; SIZE as usize]).unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
    });
    assert_ne!(replaced.inode, in_place.inode);
    assert!(
        Drive::memory("p:q/memory", 1 << 20)
            .root(Rights::ALL)
            .open_file("a", OpenFlags { write: true, create: true, ..read })
            .unwrap()
            .read_blob(0, 0)
            .unwrap()
            .stamp()
            .is_none()
    );
}
