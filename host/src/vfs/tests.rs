//! What every kind of drive must do, run against each: a folder, memory. Here files and rights; `directories` is about names and places. What only folders have
//! (links, devices, other programs) is in `escape`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::blob::{Blob, BlobError, ReadAt};
use crate::digest::Algorithm;

mod directories;
mod escape;
mod lending;
mod packs;

const READ: OpenFlags = OpenFlags { read: true, write: false, create: false, exclusive: false, truncate: false, private: false, sparse: false };
const WRITE: OpenFlags = OpenFlags { write: true, ..READ };
const NEW: OpenFlags = OpenFlags { create: true, ..WRITE };
const LIST_ONLY: Rights = Rights { list: true, ..Rights::NONE };
const READ_ONLY: Rights = Rights { read: true, ..Rights::NONE };
const WRITE_ONLY: Rights = Rights { write: true, ..Rights::NONE };

/// Runs a test on each kind of drive.
fn on_each(test: impl Fn(&Drive)) {
    let folder = tempfile::tempdir().unwrap();
    test(&Drive::folder("p:q/folder", folder.path()).unwrap());
    test(&Drive::memory("p:q/memory", 1 << 30));
}

fn put(root: &Directory, path: &str, contents: &[u8]) -> File {
    let file = root.open_file(path, OpenFlags { truncate: true, ..NEW }).unwrap();
    file.write(0, contents).unwrap();
    file
}

fn contents(root: &Directory, path: &str) -> Vec<u8> {
    root.open_file(path, READ).unwrap().read(0, MAX_READ).unwrap().to_vec()
}

fn names(root: &Directory) -> Vec<String> {
    root.entries(None, MAX_PAGE).unwrap().entries.into_iter().map(|entry| entry.name).collect()
}

/// Bytes whose place can be told from them.
fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(|position| (position % 251) as u8).collect()
}

#[test]
fn what_is_written_is_read_at_any_offset() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        // Around the sizes of pages and pieces.
        for length in [0, 1, 4095, 65_535, 65_536, 65_537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_001] {
            let bytes = pattern(length);
            let file = put(&root, "a", &bytes);
            assert_eq!((file.length().unwrap(), file.metadata().unwrap().size), (length, length));
            assert_eq!(contents(&root, "a"), bytes);
            for (offset, wanted) in [(0, 10), (length / 2, 70_000), (length.saturating_sub(1), 5), (length, 5), (length + 100, 5), (1 << 40, 1 << 20)] {
                let start = offset.min(length) as usize;
                let end = (offset + wanted).min(length) as usize;
                assert_eq!(file.read(offset, wanted).unwrap(), bytes[start..end.max(start)], "{wanted} from {offset} of {length}");
            }
        }
    });
}

#[test]
fn a_gap_reads_as_zeros_and_so_does_what_was_cut_off() {
    on_each(|drive| {
        let file = put(&drive.root(Rights::ALL), "a", &[1; 10]);
        file.write(200_000, &[2; 10]).unwrap();
        let mut expected = vec![1; 10];
        expected.resize(200_000, 0);
        expected.extend([2; 10]);
        assert_eq!(file.read(0, 300_000).unwrap(), expected);

        file.set_length(5).unwrap();
        assert_eq!(file.read(0, 100).unwrap(), [1; 5].as_slice());
        file.set_length(200_010).unwrap();
        assert_eq!(file.read(5, 300_000).unwrap(), vec![0; 200_005]);
        // Sparse: takes neither time nor space.
        file.set_length((4 << 30) + 1).unwrap();
        file.write(4 << 30, &[3]).unwrap();
        assert_eq!(file.read((4 << 30) - 2, 10).unwrap(), [0, 0, 3].as_slice());
    });
}

#[test]
fn a_length_that_no_file_has_is_a_limit() {
    on_each(|drive| {
        let file = put(&drive.root(Rights::ALL), "a", b"x");
        let limit = |result: Result<(), VfsError>| assert!(matches!(result, Err(VfsError::Limit(_))), "{result:?}");
        limit(file.set_length(u64::MAX));
        limit(file.set_length(1 << 63));
        limit(file.write(u64::MAX, b"x"));
        limit(file.write(i64::MAX as u64, b"x"));
        limit(file.write_blob(u64::MAX, &Blob::from_bytes("x", None)));
        limit(file.read(u64::MAX, 1).map(drop));
        limit(file.read(0, MAX_READ + 1).map(drop));
        limit(file.read_blob(0, 2).map(drop));
        limit(file.read_blob(u64::MAX, 2).map(drop));
        assert_eq!(contents(&drive.root(Rights::ALL), "a"), b"x");
    });
}

#[test]
fn a_blob_of_a_file_moves_to_another_file_and_fails_if_the_file_became_shorter() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let bytes = pattern(2_500_000);
        let source = put(&root, "source", &bytes);
        let blob = source.read_blob(7, 2_400_000).unwrap();
        assert_eq!((blob.length(), blob.resident()), (2_400_000, 0));
        let target = put(&root, "target", b"");
        target.write_blob(3, &blob).unwrap();
        target.write_blob(0, &Blob::from_bytes("abc", None)).unwrap();
        assert_eq!(contents(&root, "target"), [b"abc", &bytes[7..2_400_007]].concat());

        // The blob keeps the file, whatever becomes of its name and its handle.
        drop(source);
        root.remove_file("source").unwrap();
        assert_eq!(blob.read_blocking(0, 100).unwrap(), bytes[7..107]);

        let source = put(&root, "source", &bytes);
        let blob = source.read_blob(0, 2_500_000).unwrap();
        source.set_length(2_000_000).unwrap();
        assert_eq!(blob.read_blocking(1_999_999, 2).unwrap_err(), BlobError::Changed);
        assert_eq!(target.write_blob(0, &blob), Err(VfsError::Blob(BlobError::Changed)));
        assert_eq!(blob.read_blocking(1_999_999, 1).unwrap().len(), 1);
    });
}

#[test]
fn what_is_read_without_waiting_is_what_is_there_and_never_more() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let bytes = pattern(300_000);
        let blob = put(&root, "a", &bytes).read_blob(1000, 299_000).unwrap();
        let mut buffer = vec![0; 200_000];
        // Whether it is at hand, the system knows; what it says is at hand is right.
        if blob.read_into_now(500, &mut buffer) {
            assert_eq!(buffer, bytes[1500..201_500]);
        }
        assert!(!blob.read_into_now(99_001, &mut buffer), "it passes the end of the blob");
        root.open_file("a", WRITE).unwrap().set_length(100_000).unwrap();
        assert!(!blob.read_into_now(0, &mut buffer), "it passes the end of the file");
    });
}

/// A file of zeros that says how much was asked for at once.
#[derive(Debug, Default)]
struct Counting(AtomicU64);
impl ReadAt for Counting {
    fn read_exact_at(&self, buffer: &mut [u8], _: u64) -> Result<(), BlobError> {
        self.0.fetch_max(buffer.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_large_blob_of_a_file_is_written_in_pieces() {
    on_each(|drive| {
        let source = Arc::new(Counting::default());
        let file = put(&drive.root(Rights::ALL), "a", b"");
        file.write_blob(5, &Blob::from_file(source.clone(), 0, (40 << 20) + 1)).unwrap();
        assert_eq!(file.length().unwrap(), (40 << 20) + 6);
        assert_eq!(source.0.load(Ordering::Relaxed), 1 << 20);
    });
}

#[test]
fn writes_at_different_offsets_from_many_threads_all_arrive() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let bytes = pattern(8 * 300_000);
        let file = put(&root, "a", b"");
        std::thread::scope(|scope| {
            for (number, part) in bytes.chunks(300_000).enumerate().rev() {
                let file = file.clone();
                scope.spawn(move || {
                    for (piece, bytes) in part.chunks(1000).enumerate() {
                        file.write((number * 300_000 + piece * 1000) as u64, bytes).unwrap();
                    }
                });
            }
        });
        assert_eq!(contents(&root, "a"), bytes);
    });
}

#[test]
fn opening_obeys_its_flags() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        assert_eq!(root.open_file("a", READ).unwrap_err(), VfsError::NotFound("a".into()));
        assert_eq!(root.open_file("a", WRITE).unwrap_err(), VfsError::NotFound("a".into()));
        let exclusive = OpenFlags { exclusive: true, ..NEW };
        root.open_file("a", exclusive).unwrap().write(0, b"old contents").unwrap();
        assert_eq!(root.open_file("a", exclusive).unwrap_err(), VfsError::Exists("a".into()));
        // Only with `create` does it say anything.
        root.open_file("a", OpenFlags { exclusive: true, ..READ }).unwrap();
        root.open_file("a", NEW).unwrap().write(0, b"new").unwrap();
        assert_eq!(contents(&root, "a"), b"new contents");
        // A shorter new file leaves no tail of the old one.
        root.open_file("a", OpenFlags { truncate: true, ..WRITE }).unwrap().write(0, b"x").unwrap();
        assert_eq!(contents(&root, "a"), b"x");

        let read = root.open_file("a", READ).unwrap();
        let denied = |result: Result<(), VfsError>| assert!(matches!(result, Err(VfsError::Denied(_))), "{result:?}");
        denied(read.write(0, b"y"));
        denied(read.write_blob(0, &Blob::from_bytes("y", None)));
        denied(read.set_length(0));
        denied(read.set_modified(0));
        denied(read.set_permissions(0o600));
        let write = root.open_file("a", OpenFlags { read: false, ..WRITE }).unwrap();
        denied(write.read(0, 1).map(drop));
        denied(write.read_blob(0, 1).map(drop));
        denied(write.digest(Algorithm::Sha256).map(drop));
        // To create does not give what was not asked for.
        let created = root.open_file("b", OpenFlags { write: false, ..NEW }).unwrap();
        denied(created.write(0, b"y"));
        denied(root.open_file("a", OpenFlags::default()).map(drop));
        assert_eq!(contents(&root, "a"), b"x");
    });
}

#[test]
fn each_right_allows_its_own_and_a_refusal_names_what_is_missing_and_where() {
    on_each(|drive| {
        put(&drive.root(Rights::ALL), "d/a", b"x");
        let all = drive.root(Rights::ALL);
        let denied = |result: Result<(), VfsError>, right: &str| match result {
            Err(VfsError::NoRight(_, text)) => assert!(text.contains(right) && text.contains(drive.name()), "{text}"),
            other => panic!("{other:?}"),
        };
        for (rights, below) in [(READ_ONLY, false), (LIST_ONLY, false), (WRITE_ONLY, false), (READ_ONLY, true), (LIST_ONLY, true), (WRITE_ONLY, true)] {
            // A directory below has the same rights as the one above.
            let (root, a) = if below { (drive.root(rights).open_directory("d", false).unwrap(), "a") } else { (drive.root(rights), "d/a") };
            assert_eq!(root.rights(), rights);
            if !rights.read {
                denied(root.open_file(a, READ).map(drop), "read");
                denied(root.copy(a, "c"), "read");
            }
            if !rights.list {
                denied(root.entries(None, 10).map(drop), "list");
            }
            if !rights.write {
                denied(root.open_file(a, OpenFlags { read: false, ..WRITE }).map(drop), "write");
                denied(root.open_file("new", OpenFlags { create: true, ..READ }).map(drop), if rights.read { "write" } else { "read" });
                denied(root.open_file(a, OpenFlags { truncate: true, ..READ }).map(drop), if rights.read { "write" } else { "read" });
                denied(root.open_directory("new", true).map(drop), "write");
                denied(root.rename(a, "b", false), "write");
                denied(root.remove_file(a), "write");
                denied(root.remove_directory("d", true), "write");
            }
            if rights == WRITE_ONLY {
                denied(root.metadata(a).map(drop), "list or read");
                root.open_file("w", OpenFlags { read: false, ..NEW }).unwrap();
                root.remove_file("w").unwrap();
            } else {
                assert_eq!(root.metadata(a).unwrap().size, 1);
            }
        }
        let none = drive.root(Rights::NONE);
        denied(none.open_directory("d", false).map(drop), "rights");
        denied(none.metadata("d").map(drop), "right");
        denied(none.open_file("d/a", READ).map(drop), "read");
        assert_eq!((names(&all), contents(&all, "d/a")), (vec!["d".to_string()], b"x".to_vec()));
    });
}

#[test]
fn a_digest_is_of_the_whole_file() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let bytes = pattern(2_100_000);
        let file = put(&root, "a", &bytes);
        for algorithm in [Algorithm::Sha256, Algorithm::Blake3, Algorithm::Md5] {
            let expected = crate::digest::digest_blocking(algorithm, &Blob::from_bytes(bytes.clone(), None)).unwrap();
            assert_eq!(file.digest(algorithm).unwrap(), expected);
        }
        assert!(root.free_space().unwrap() > 0);
    });
}
