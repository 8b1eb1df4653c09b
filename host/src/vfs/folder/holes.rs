//! Writing zeros as holes: what a sparse file does not have takes no room on the disk.
//!
//! What always holds: the file reads as if all had been written, whatever was there before and however writes to other places interleave; so nothing here ever cuts a file, and where the file system has no
//! holes, zeros are written.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;

/// Zeros become a hole in pieces of this, at offsets that are multiples of it: less is not worth an entry in the file system's tables.
const PIECE: usize = 64 << 10;
/// What is written at the end of a hole that lengthens the file, so that it has its length: the usual block of a file system.
const END: usize = 4 << 10;

/// Writes all of `bytes` at `offset`: pieces that are zeros as holes, the others with `put`.
pub(super) fn write_all_at(file: &fs::File, bytes: &[u8], offset: u64, put: impl Fn(&[u8], u64) -> io::Result<()>) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let rest = bytes.get(done..).unwrap_or_default();
        let at = offset + done as u64;
        let (length, zeros) = run(rest, at);
        let part = rest.get(..length).unwrap_or_default();
        if !zeros || !make(file, at, length as u64)? {
            put(part, at)?;
        }
        done += length;
    }
    Ok(())
}

/// How many of the first bytes are of one kind, and whether they are zeros that may be a hole.
fn run(bytes: &[u8], offset: u64) -> (usize, bool) {
    let piece = PIECE as u64;
    // Up to the first place where a hole may begin.
    let before = usize::try_from(offset.next_multiple_of(piece) - offset).unwrap_or(usize::MAX);
    let Some(aligned) = bytes.get(before..) else { return (bytes.len(), false) };
    let mut pieces = aligned.chunks_exact(PIECE);
    let zeros = pieces.by_ref().take_while(|piece| is_zero(piece)).count();
    if zeros > 0 {
        return if before > 0 { (before, false) } else { (zeros * PIECE, true) };
    }
    let data = aligned.chunks_exact(PIECE).take_while(|piece| !is_zero(piece)).count();
    let all = aligned.len() - data * PIECE < PIECE;
    (if all { bytes.len() } else { before + data * PIECE }, false)
}

fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; PIECE] = [0; PIECE];
    ZEROS.get(..bytes.len()) == Some(bytes)
}

/// Makes a hole, which ends the file if it passes the present end. False: this file system has none.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn make(file: &fs::File, offset: u64, length: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    let present = file.metadata()?.len();
    if offset < present {
        match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length.min(present - offset)) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    let end = offset + length;
    if end > present {
        // By writing and not by setting the length, which might cut off what another thread has written behind.
        file.write_all_at(&[0; END], end - END as u64)?;
    }
    Ok(true)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn make(_: &fs::File, _: u64, _: u64) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// A file with this in it, and what it takes on the disk, in bytes.
    fn written(begin: &[u8], parts: &[(u64, &[u8])]) -> (Vec<u8>, u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all_at(begin, 0).unwrap();
        for (offset, bytes) in parts {
            write_all_at(file.as_file(), bytes, *offset, |part, at| file.as_file().write_all_at(part, at)).unwrap();
        }
        file.as_file().sync_all().unwrap();
        (fs::read(file.path()).unwrap(), file.as_file().metadata().unwrap().blocks() * 512)
    }

    #[test]
    fn runs_are_cut_where_holes_may_begin_and_end() {
        let zeros = vec![0; 4 * PIECE];
        assert_eq!(run(&zeros, 0), (4 * PIECE, true));
        assert_eq!(run(&zeros, 1), (PIECE - 1, false));
        assert_eq!(run(&zeros[..PIECE + 5], 0), (PIECE, true));
        assert_eq!(run(&zeros[..5], 0), (5, false));
        assert_eq!(run(&[], 7), (0, false));
        let mut mixed = zeros;
        mixed[PIECE] = 1;
        assert_eq!(run(&mixed, 0), (PIECE, true));
        assert_eq!(run(&mixed[PIECE..], PIECE as u64), (PIECE, false));
        assert_eq!(run(&mixed[PIECE..2 * PIECE + 9], PIECE as u64), (PIECE + 9, false));
    }

    #[test]
    fn the_file_reads_as_if_all_had_been_written() {
        let mut content = vec![7; 40 * PIECE + 123];
        content[3 * PIECE..20 * PIECE].fill(0);
        content[30 * PIECE + 5..].fill(0);
        for cut in [1, PIECE / 3, PIECE, 7 * PIECE + 1, content.len()] {
            // In order, and from the end.
            let mut parts: Vec<(u64, &[u8])> =
                content.chunks(cut.max(1000)).scan(0, |at, part| Some((std::mem::replace(at, *at + part.len() as u64), part))).collect();
            let (found, taken) = written(&[], &parts);
            assert!(found == content, "in pieces of {cut}");
            assert!(cut < PIECE || taken < content.len() as u64 - 10 * PIECE as u64, "{taken} bytes are taken by {}", content.len());
            parts.reverse();
            assert!(written(&[], &parts).0 == content, "from the end, in pieces of {cut}");
        }
    }

    #[test]
    fn what_was_there_before_is_gone() {
        let zeros = vec![0; 8 * PIECE];
        let (found, taken) = written(&vec![9; 4 * PIECE + 77], &[(0, &zeros)]);
        assert!(found == zeros);
        assert!(taken < 2 * PIECE as u64, "{taken}");
        let (found, _) = written(&vec![9; 10 * PIECE], &[(PIECE as u64, &zeros)]);
        assert!(found[PIECE..9 * PIECE] == zeros && found[..PIECE].iter().chain(&found[9 * PIECE..]).all(|byte| *byte == 9));
    }
}
