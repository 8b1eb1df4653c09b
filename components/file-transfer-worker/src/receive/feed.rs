//! The order in which a file is hashed: chunks arrive in any order, and a digest takes them in one.
//!
//! A chunk that arrives before its turn is held (as the handle it came as) if there is room, and is otherwise read back from the partial file when its turn has come. So is what an earlier attempt
//! left on disk. Pieces are handed out one at a time, so that whoever hashes stays responsive.

use std::collections::BTreeMap;

use file_transfer_types::ranges::RangeSet;

/// The most bytes read back in one piece: a few milliseconds of hashing.
const PIECE: u64 = 4 << 20;

/// The next piece to hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<B> {
    /// It is at hand.
    Held(B),
    /// It is to be read from the partial file.
    Disk {
        /// From here.
        offset: u64,
        /// So many bytes.
        length: u64,
    },
}

/// See the module. `B` is the handle of a chunk.
#[derive(Debug)]
pub(crate) struct Feed<B> {
    size: u64,
    at: u64,
    held: BTreeMap<u64, (u64, B)>,
    room: usize,
}

impl<B> Feed<B> {
    /// Of a file of `size` bytes; at most `room` chunks are held.
    pub(crate) fn new(size: u64, room: u32) -> Self {
        Self { size, at: 0, held: BTreeMap::new(), room: room.max(1) as usize }
    }

    /// A chunk that has been written.
    pub(crate) fn offer(&mut self, offset: u64, length: u64, chunk: B) {
        // The one whose turn it is always has room: it leaves at once.
        if offset == self.at || (offset > self.at && self.held.len() < self.room) {
            self.held.insert(offset, (length, chunk));
        }
    }

    /// The next piece, which counts as hashed from now on. `received` is what is in the partial file. None: what comes next has not arrived, or all is hashed.
    pub(crate) fn next(&mut self, received: &RangeSet) -> Option<Piece<B>> {
        if let Some((length, chunk)) = self.held.remove(&self.at) {
            self.at += length;
            return Some(Piece::Held(chunk));
        }
        let mut end = received.covered_to(self.at)?.min(self.at.saturating_add(PIECE));
        if let Some((&next, _)) = self.held.first_key_value() {
            end = end.min(next);
        }
        let piece = Piece::Disk { offset: self.at, length: end - self.at };
        self.at = end;
        Some(piece)
    }

    /// Whether all is hashed.
    pub(crate) fn complete(&self) -> bool {
        self.at == self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes out all pieces there are and returns the bytes, those on disk from `file`.
    fn drain(feed: &mut Feed<Vec<u8>>, received: &RangeSet, file: &[u8]) -> (Vec<u8>, usize) {
        let (mut bytes, mut from_disk) = (Vec::new(), 0);
        while let Some(piece) = feed.next(received) {
            match piece {
                Piece::Held(chunk) => bytes.extend(chunk),
                Piece::Disk { offset, length } => {
                    from_disk += length as usize;
                    bytes.extend(&file[offset as usize..(offset + length) as usize]);
                }
            }
        }
        (bytes, from_disk)
    }

    fn run(order: &[usize], room: u32) -> usize {
        let file: Vec<u8> = (0..order.len() as u8 * 3).collect();
        let (mut feed, mut received, mut hashed, mut from_disk) = (Feed::new(file.len() as u64, room), RangeSet::default(), Vec::new(), 0);
        for &chunk in order {
            let offset = chunk * 3;
            received.insert(offset as u64, 3);
            feed.offer(offset as u64, 3, file[offset..offset + 3].to_vec());
            let (bytes, disk) = drain(&mut feed, &received, &file);
            hashed.extend(bytes);
            from_disk += disk;
        }
        assert!(feed.complete());
        assert_eq!(hashed, file);
        from_disk
    }

    #[test]
    fn chunks_in_order_are_hashed_as_they_come() {
        assert_eq!(run(&[0, 1, 2, 3, 4], 2), 0);
    }

    #[test]
    fn chunks_out_of_order_wait_for_their_turn_as_they_are() {
        assert_eq!(run(&[3, 1, 2, 4, 0], 4), 0);
    }

    #[test]
    fn what_there_is_no_room_for_is_read_back_from_disk() {
        assert_eq!(run(&[4, 3, 2, 1, 0], 1), 9);
        assert_eq!(run(&[1, 2, 3, 4, 0], 2), 6);
    }

    #[test]
    fn what_an_earlier_attempt_left_is_read_back_in_pieces() {
        let mut received = RangeSet::default();
        received.insert(0, 2 * PIECE + 1);
        let mut feed = Feed::<()>::new(2 * PIECE + 1, 1);
        let lengths: Vec<_> = std::iter::from_fn(|| feed.next(&received)).map(|piece| matches!(piece, Piece::Disk { length: PIECE, .. })).collect();
        assert_eq!(lengths, [true, true, false]);
        assert!(feed.complete());
    }

    #[test]
    fn an_empty_file_is_hashed_at_once() {
        let mut feed = Feed::<()>::new(0, 1);
        assert!(feed.complete() && feed.next(&RangeSet::default()).is_none());
    }
}
