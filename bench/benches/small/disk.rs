//! What is asked of digests and drives for every file.

use std::cell::LazyCell;
use std::path::Path;

use criterion::{Criterion, Throughput};
use tempfile::TempDir;
use transship::blob::Blob;
use transship::digest::{Algorithm, digest_blocking};
use transship::rights::Rights;
use transship::vfs::{Directory, Drive, OpenFlags};

use crate::{CHUNK, chunk, folder};

/// Files in the folder.
const FILES: u32 = 1_000;

pub(crate) fn run(criterion: &mut Criterion) {
    digests(criterion);
    files(criterion);
}

/// Of a chunk in memory, by the code that verifies files.
fn digests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("digest");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    let blob = Blob::from_bytes(chunk(), None);
    for algorithm in [Algorithm::Sha256, Algorithm::Blake3] {
        group.bench_function(format!("{algorithm}, 1 MiB"), |bencher| bencher.iter(|| digest_blocking(algorithm, &blob).unwrap()));
    }
    group.finish();
}

fn files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vfs");
    let full = LazyCell::new(|| Full::new(FILES));
    group.throughput(Throughput::Elements(FILES.into()));
    group.bench_function("a page of 1,000 entries", |bencher| {
        bencher.iter(|| {
            let page = full.root.entries(None, FILES).unwrap();
            assert_eq!((page.entries.len(), page.more), (FILES as usize, false));
            page
        });
    });
    group.throughput(Throughput::Elements(1));
    let how = OpenFlags { read: true, ..OpenFlags::default() };
    group.bench_function("open a file to read, and its metadata", |bencher| {
        bencher.iter(|| full.root.open_file("file-500", how).unwrap().metadata().unwrap());
    });
    group.finish();
}

/// A folder of so many files of 16 bytes, as a drive.
struct Full {
    root: Directory,
    _folder: TempDir,
}

impl Full {
    fn new(files: u32) -> Self {
        let folder = folder();
        (0..files).for_each(|number| std::fs::write(folder.path().join(format!("file-{number}")), "0123456789abcdef").unwrap());
        Self { root: drive(folder.path()), _folder: folder }
    }
}

fn drive(folder: &Path) -> Directory {
    Drive::folder("bench:test/files", folder).unwrap().root(Rights::ALL)
}
