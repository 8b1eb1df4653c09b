//! Memory for the blobs that lanes bring, used again and again.
//!
//! A chunk of the usual size is more than an allocator keeps: it would come from the system page by page, each one cleared first, and go back when the chunk has been written, for every chunk again. What
//! always holds: no more than [`KEPT`] bytes are kept that nobody uses, for about as long as a link looks at its clocks; and nobody sees another's bytes, because a blob is as long as what was read into it.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// The most bytes that are kept for the next blob.
const KEPT: usize = 8 << 20;
/// Shorter blobs are the allocator's business.
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

/// See the module. Cloning shares.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<State>>);

impl Buffers {
    /// Empty memory for `length` bytes.
    pub(super) fn take(&self, length: usize) -> Vec<u8> {
        if length >= WORTHWHILE {
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
    pub(super) fn share(&self, bytes: Vec<u8>) -> Bytes {
        if bytes.capacity() < WORTHWHILE { bytes.into() } else { Bytes::from_owner(Shared { bytes, buffers: self.clone() }) }
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
    buffers: Buffers,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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
        let mut buffer = buffers.take(length);
        buffer.resize(length, byte);
        buffers.share(buffer)
    }

    #[test]
    fn memory_comes_back_when_its_last_user_is_gone_and_is_used_again_empty() {
        let buffers = Buffers::default();
        let bytes = filled(&buffers, MIB, 7);
        let (place, part) = (bytes.as_ptr(), bytes.slice(5..10));
        drop(bytes);
        let another = buffers.take(MIB);
        assert_ne!(another.as_ptr(), place, "a part of it is still used");
        assert_eq!(part, [7; 5].as_slice());
        drop(part);
        let again = buffers.take(MIB);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn a_buffer_that_is_too_small_or_far_too_large_is_left_alone() {
        let buffers = Buffers::default();
        drop(filled(&buffers, MIB, 1));
        assert_eq!(buffers.take(MIB + 1).capacity(), MIB + 1);
        assert_eq!(buffers.take(MIB / 2 - 1).capacity(), MIB / 2 - 1);
        assert_eq!(buffers.take(MIB / 2).capacity(), MIB);
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_what_nobody_needs_goes() {
        let buffers = Buffers::default();
        let many: Vec<Bytes> = (0..40).map(|_| filled(&buffers, MIB, 1)).collect();
        drop(many);
        let kept = || buffers.0.lock().free.len();
        assert_eq!(kept(), KEPT / MIB);
        // The first look begins the time in which they are needed or not.
        buffers.trim();
        drop(filled(&buffers, MIB, 1));
        buffers.trim();
        assert_eq!(kept(), 1, "one was needed at a time");
        buffers.trim();
        assert_eq!((kept(), buffers.0.lock().bytes), (0, 0));
    }
}
