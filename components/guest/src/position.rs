//! Where a reader or a writer stands: the arithmetic behind `Read`, `Write` and `Seek` of blobs and files.

use std::io::{self, SeekFrom};

/// The most bytes that one call copies between the node and the process.
const MOST: u64 = 16 << 20;

/// How many bytes of a buffer one call fills or takes.
pub(crate) fn part(buffer: usize) -> u64 {
    u64::try_from(buffer).unwrap_or(MOST).min(MOST)
}

/// Where it stands after a move. The length is asked for only if it matters.
pub(crate) fn seek(position: u64, to: SeekFrom, length: impl FnOnce() -> io::Result<u64>) -> io::Result<u64> {
    let moved = match to {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::Current(offset) => position.checked_add_signed(offset),
        SeekFrom::End(offset) => length()?.checked_add_signed(offset),
    };
    moved.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position before the first byte"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_can_be_beyond_the_end_and_not_before_the_beginning() {
        let seek = |to| seek(10, to, || Ok(100));
        assert_eq!(seek(SeekFrom::Start(7)).unwrap(), 7);
        assert_eq!(seek(SeekFrom::Current(-10)).unwrap(), 0);
        assert_eq!(seek(SeekFrom::End(5)).unwrap(), 105);
        for to in [SeekFrom::Current(-11), SeekFrom::End(-101), SeekFrom::Current(i64::MIN)] {
            assert_eq!(seek(to).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn the_length_is_asked_for_only_if_it_matters() {
        let unknown = || Err(io::ErrorKind::Other.into());
        assert_eq!(super::seek(1, SeekFrom::Current(1), unknown).unwrap(), 2);
        assert!(super::seek(1, SeekFrom::End(0), unknown).is_err());
    }

    #[test]
    fn one_call_copies_no_more_than_the_node_allows() {
        assert_eq!((part(0), part(5), part(20 << 20)), (0, 5, 16 << 20));
    }
}
