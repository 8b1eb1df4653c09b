//! Memory for the blobs that lanes bring, used again and again.
//!
//! A chunk of the usual size is more than an allocator keeps: it would come from the system page by page, each one cleared first, and go back when the chunk has been written, for every chunk again. What
//! always holds: no more than [`KEPT`] bytes are kept that nobody uses, for about as long as a link looks at its clocks; and nobody sees another's bytes, because a blob is as long as what was read into it.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::blob::BLOCK;

/// The most bytes that are kept for the next blob: eight chunks of the usual size.
const KEPT: usize = 8 * ((1 << 20) + BLOCK);
/// Shorter blobs are the allocator's business. Buffers of that size begin where a disk can take them from (see [`BLOCK`]).
const WORTHWHILE: usize = 128 << 10;
/// A buffer is not used for a blob of less than its half: what it has beyond the blob would be held, and not be counted.
const FITTING: usize = 2;

#[derive(Debug, Default)]
struct State {
    free: Vec<Vec<u8>>,
    bytes: usize,
    /// As few as were free since the last look: nobody needed them.
    least: usize,
}

/// Memory that is being filled.
#[derive(Debug)]
pub(super) struct Room {
    bytes: Vec<u8>,
    /// What is before it only moves what follows to where a disk can take it from.
    start: usize,
}

impl Room {
    fn new(mut bytes: Vec<u8>) -> Self {
        // It has room for so much more, so that it does not move now.
        let start = bytes.as_ptr().align_offset(BLOCK).min(BLOCK);
        bytes.resize(start, 0);
        Self { bytes, start }
    }

    /// How much is in it.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// To add to it.
    pub(super) fn rest(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

/// See the module. Cloning shares.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<State>>);

impl Buffers {
    /// Empty memory for `length` bytes.
    pub(super) fn take(&self, length: usize) -> Room {
        if length < WORTHWHILE {
            return Room { bytes: Vec::with_capacity(length), start: 0 };
        }
        Room::new(self.buffer(length + BLOCK))
    }

    fn buffer(&self, length: usize) -> Vec<u8> {
        {
            let mut state = self.0.lock();
            let fits = |buffer: &Vec<u8>| (length..=length.saturating_mul(FITTING)).contains(&buffer.capacity());
            // The one that came back last is the likeliest to be in the processor's cache.
            if let Some(place) = state.free.iter().rposition(fits) {
                let buffer = state.free.remove(place);
                state.bytes -= buffer.capacity();
                state.least = state.least.min(state.free.len());
                return buffer;
            }
        }
        Vec::with_capacity(length)
    }

    /// The bytes in a buffer, which comes back when they are not needed any more.
    pub(super) fn share(&self, room: Room) -> Bytes {
        let Room { bytes, start } = room;
        if start == 0 && bytes.capacity() < WORTHWHILE { bytes.into() } else { Bytes::from_owner(Shared { bytes, start, buffers: self.clone() }) }
    }

    /// Gives the system back what nobody needed since the last time.
    pub(super) fn trim(&self) {
        let unused: Vec<Vec<u8>> = {
            let mut state = self.0.lock();
            let count = state.least.min(state.free.len());
            let unused: Vec<Vec<u8>> = state.free.drain(..count).collect();
            state.bytes -= unused.iter().map(Vec::capacity).sum::<usize>();
            state.least = state.free.len();
            unused
        };
        drop(unused);
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut state = self.0.lock();
        if state.bytes + buffer.capacity() <= KEPT {
            state.bytes += buffer.capacity();
            state.free.push(buffer);
        }
    }
}

/// The bytes of a blob.
struct Shared {
    bytes: Vec<u8>,
    start: usize,
    buffers: Buffers,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.buffers.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn filled(buffers: &Buffers, length: usize, byte: u8) -> Bytes {
        let mut room = buffers.take(length);
        room.rest().extend(std::iter::repeat_n(byte, length));
        assert_eq!(room.len(), length);
        buffers.share(room)
    }

    #[test]
    fn memory_comes_back_when_its_last_user_is_gone_and_is_used_again_empty() {
        let buffers = Buffers::default();
        let bytes = filled(&buffers, MIB, 7);
        let (place, part) = (bytes.as_ptr(), bytes.slice(5..10));
        drop(bytes);
        let another = filled(&buffers, MIB, 8);
        assert_ne!(another.as_ptr(), place, "a part of it is still used");
        assert_eq!(part, [7; 5].as_slice());
        drop(part);
        assert_eq!(buffers.take(MIB).len(), 0);
        drop(another);
        // The room that was looked at is gone, so the other one's is the only one there is.
        assert_eq!(filled(&buffers, MIB, 9), vec![9; MIB]);
    }

    #[test]
    fn a_buffer_that_is_too_small_or_far_too_large_is_left_alone() {
        let buffers = Buffers::default();
        let capacity = |length| buffers.take(length).bytes.capacity();
        drop(filled(&buffers, MIB, 1));
        let kept = MIB + BLOCK;
        assert_eq!(capacity(MIB + 1), kept + 1);
        assert_eq!(capacity(kept / 2 - BLOCK - 1), kept / 2 - 1);
        assert_eq!(capacity(kept / 2 - BLOCK), kept);
    }

    #[test]
    fn large_ones_begin_where_a_disk_can_take_them_from_and_small_ones_anywhere() {
        let buffers = Buffers::default();
        for length in [WORTHWHILE, MIB - 1, MIB] {
            let bytes = filled(&buffers, length, 7);
            assert!(bytes.as_ptr().addr().is_multiple_of(BLOCK), "{length}");
            assert_eq!(bytes, vec![7; length]);
        }
        assert_eq!(filled(&buffers, WORTHWHILE - 1, 7).len(), WORTHWHILE - 1);
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_what_nobody_needs_goes() {
        let buffers = Buffers::default();
        let many: Vec<Bytes> = (0..40).map(|_| filled(&buffers, MIB, 1)).collect();
        drop(many);
        let kept = || buffers.0.lock().free.len();
        assert_eq!(kept(), KEPT / (MIB + BLOCK));
        // The first look begins the time in which they are needed or not.
        buffers.trim();
        drop(filled(&buffers, MIB, 1));
        buffers.trim();
        assert_eq!(kept(), 1, "one was needed at a time");
        buffers.trim();
        assert_eq!((kept(), buffers.0.lock().bytes), (0, 0));
    }
}
