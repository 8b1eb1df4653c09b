//! Writing past the system's cache, from the memory that came over a link to the disk (`O_DIRECT` of open(2)).
//!
//! What arrives is on the disk before it gets its name, so that the cache would only be one more copy, and memory that has to be found, filled and given back: for a large file that costs more than all else, the cipher and the digest
//! included. What always holds: the file reads as if all had been written in the usual way. Where that can't be had (another file system, memory or a place that a disk can't take, or too little to be worth it) nothing is
//! written here, and the usual way is gone.

use std::fs;
use std::io;

use crate::blob::BLOCK;

/// Fewer bytes than this are the cache's business: a disk takes them one by one, and the cache many at a time. It is what a line that is not slow brings in one piece.
const LEAST: usize = 256 << 10;
#[cfg(target_os = "linux")]
pub(super) use linux::Direct;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Direct;

/// How many of the first bytes can be written so.
fn fitting(bytes: &[u8], offset: u64) -> usize {
    let aligned = bytes.as_ptr().addr().is_multiple_of(BLOCK) && offset.is_multiple_of(BLOCK as u64);
    if aligned && bytes.len() >= LEAST { bytes.len() / BLOCK * BLOCK } else { 0 }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;

    use super::super::at_once::is_on;
    use super::{fitting, fs, io};

    /// The file systems on which that is quick and well tried, by their numbers in linux/magic.h: ext4, XFS.
    const GOOD: [u64; 2] = [0xEF53, 0x5846_5342];

    /// A second way into an open file, made when it is first of use.
    #[derive(Debug, Default)]
    pub(in crate::vfs::folder) struct Direct {
        way: OnceLock<Option<fs::File>>,
        refused: AtomicBool,
    }

    impl Direct {
        /// Writes what can be written so of the beginning of `bytes`, and returns how much that is: possibly nothing.
        pub(in crate::vfs::folder) fn write(&self, file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
            let length = fitting(bytes, offset);
            if length == 0 || self.refused.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let Some(way) = self.way.get_or_init(|| open_again(file)) else { return Ok(0) };
            let mut done = 0;
            while let Some(rest) = bytes.get(done..length).filter(|rest| !rest.is_empty()) {
                match way.write_at(rest, offset + done as u64) {
                    Ok(0) => break,
                    Ok(written) => done += written,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // The disk has larger blocks, or the system has its own reasons.
                    Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                        self.refused.store(true, Ordering::Relaxed);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(done)
        }
    }

    /// The same file, whatever name it has now. None: not on this file system, or the system does not let us.
    pub(super) fn open_again(file: &fs::File) -> Option<fs::File> {
        if !is_on(file, &GOOD) {
            return None;
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        open(path, OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty()).ok().map(fs::File::from)
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::{fs, io};

    /// There is no such way.
    #[derive(Debug, Default)]
    pub(in crate::vfs::folder) struct Direct;

    impl Direct {
        /// Writes nothing.
        pub(in crate::vfs::folder) fn write(&self, _: &fs::File, _: &[u8], _: u64) -> io::Result<usize> {
            Ok(0)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    const LENGTH: usize = LEAST + 3 * BLOCK + 77;

    /// Bytes that begin at a multiple of a block, or `beyond` one.
    fn aligned(buffer: &mut Vec<u8>, beyond: usize) -> &[u8] {
        *buffer = vec![0; LENGTH + 2 * BLOCK];
        let start = buffer.as_ptr().align_offset(BLOCK) + beyond;
        let bytes = buffer.get_mut(start..start + LENGTH).unwrap_or_default();
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = (place % 251) as u8;
        }
        bytes
    }

    #[test]
    fn only_what_a_disk_can_take_counts() {
        let mut buffer = Vec::new();
        let bytes = aligned(&mut buffer, 0);
        assert_eq!(fitting(bytes, 0), LEAST + 3 * BLOCK);
        assert_eq!(fitting(bytes, 8 * BLOCK as u64), LEAST + 3 * BLOCK);
        assert_eq!(fitting(bytes, 512), 0, "not at such a place in the file");
        assert_eq!(fitting(&bytes[..LEAST], 0), LEAST);
        assert_eq!(fitting(&bytes[..LEAST - 1], 0), 0, "too little");
        assert_eq!(fitting(aligned(&mut buffer, 8), 0), 0, "not at such a place in memory");
    }

    #[test]
    fn the_file_reads_as_if_written_in_the_usual_way() {
        let mut buffer = Vec::new();
        let bytes = aligned(&mut buffer, 0);
        let (file, direct) = (tempfile::tempfile().unwrap(), Direct::default());
        file.write_all_at(&[9; 10 * BLOCK], 0).unwrap();
        let offset = 2 * BLOCK as u64;
        let done = direct.write(&file, bytes, offset).unwrap();
        // Where this file system has it; nothing otherwise.
        assert_eq!(done, if linux::open_again(&file).is_some() { LEAST + 3 * BLOCK } else { 0 });
        file.write_all_at(&bytes[done..], offset + done as u64).unwrap();
        let mut found = vec![0; 2 * BLOCK + LENGTH];
        file.read_exact_at(&mut found, 0).unwrap();
        assert!(found[..2 * BLOCK].iter().all(|byte| *byte == 9) && found[2 * BLOCK..] == *bytes);
        assert_eq!(file.metadata().unwrap().len(), found.len() as u64);
    }

    #[test]
    fn a_file_that_can_not_be_opened_again_is_left_to_the_usual_way() {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let file = fs::File::create(folder.path().join("in memory")).unwrap();
        let mut buffer = Vec::new();
        assert_eq!(Direct::default().write(&file, aligned(&mut buffer, 0), 0).unwrap(), 0);
        assert_eq!(file.metadata().unwrap().len(), 0);
    }
}
