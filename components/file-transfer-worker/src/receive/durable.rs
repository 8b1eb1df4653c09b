//! When to make the partial file safe, and what may be written into the journal afterwards.
//!
//! One sync at a time. What had been received when it began is safe when it is done, and only then comes into the journal. What is lost in a crash is therefore at most what is in flight
//! and what was received since the last sync.

use file_transfer_types::ranges::RangeSet;

/// A sync begins after so many new bytes.
const BYTES: u64 = 64 << 20;
/// Or after so many milliseconds.
const INTERVAL: u64 = 2_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Durable {
    /// Safe on disk and in the journal.
    safe: RangeSet,
    safe_bytes: u64,
    /// The sync under way, and what it makes safe.
    syncing: Option<(u64, RangeSet)>,
    last: u64,
}

impl Durable {
    /// From what an earlier attempt made safe.
    pub(crate) fn new(safe: RangeSet, now: u64) -> Self {
        Self { safe_bytes: safe.total(), safe, syncing: None, last: now }
    }

    /// Whether a sync should begin now.
    pub(crate) fn due(&self, received: &RangeSet, now: u64) -> bool {
        let new = received.total() - self.safe_bytes;
        self.syncing.is_none() && new > 0 && (new >= BYTES || now.saturating_sub(self.last) >= INTERVAL)
    }

    /// The sync `operation` has begun.
    pub(crate) fn begun(&mut self, operation: u64, received: &RangeSet, now: u64) {
        self.syncing = Some((operation, received.clone()));
        self.last = now;
    }

    /// Whether this operation is the sync under way.
    pub(crate) fn is(&self, operation: u64) -> bool {
        self.syncing.as_ref().is_some_and(|(number, _)| *number == operation)
    }

    /// The sync under way is done: what is new in the journal.
    pub(crate) fn done(&mut self) -> RangeSet {
        let Some((_, received)) = self.syncing.take() else { return RangeSet::default() };
        let new = received.without(&self.safe);
        self.safe_bytes = received.total();
        self.safe = received;
        new
    }

    /// What is safe and in the journal.
    pub(crate) fn safe(&self) -> &RangeSet {
        &self.safe
    }

    /// Whether a sync is under way.
    pub(crate) fn busy(&self) -> bool {
        self.syncing.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(length: u64) -> RangeSet {
        let mut set = RangeSet::default();
        set.insert(0, length);
        set
    }

    #[test]
    fn a_sync_is_due_after_many_bytes_or_some_time_and_never_for_nothing() {
        let durable = Durable::new(ranges(10), 1_000);
        assert!(!durable.due(&ranges(10), 1_000_000));
        assert!(!durable.due(&ranges(11), 1_000 + INTERVAL - 1));
        assert!(durable.due(&ranges(11), 1_000 + INTERVAL));
        assert!(durable.due(&ranges(10 + BYTES), 1_000));
    }

    #[test]
    fn only_what_was_there_when_the_sync_began_is_journaled_when_it_ends() {
        let mut durable = Durable::new(ranges(10), 0);
        durable.begun(7, &ranges(30), 0);
        assert!(durable.is(7) && !durable.is(8));
        assert!(!durable.due(&ranges(10 + 2 * BYTES), INTERVAL), "one at a time");
        assert_eq!(durable.done().iter().collect::<Vec<_>>(), [(10, 20)]);
        durable.begun(8, &ranges(40), 0);
        assert_eq!(durable.done().iter().collect::<Vec<_>>(), [(30, 10)]);
    }
}
