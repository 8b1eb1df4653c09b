//! What was delivered and the other side needs not hear at once: it goes with the next frame that goes there anyway, or within two rounds of [`ROUND`].
//!
//! A frame for each delivery would be as many as there are messages, each with a system call here and a wake-up there. What always holds: what is noted is told, in whatever order, and never twice; one target's deliveries
//! are told at once when they are a good part of its window, so that a sender never waits for them. There are no more notes than targets, which are processes of this node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::protocol::{Frame, WINDOW_BYTES, WINDOW_MESSAGES};
use crate::message::ProcessId;

/// How often it is looked whether something is to be told, while messages come.
const ROUND: Duration = Duration::from_millis(4);
/// After so many rounds with nothing to tell, nobody looks until there is.
const IDLE_ROUNDS: u32 = 50;
/// So many deliveries, or bytes of them, are told at once.
const MANY: u32 = (WINDOW_MESSAGES / 8) as u32;
const LARGE: usize = WINDOW_BYTES / 4;

#[derive(Debug, Default)]
struct Note {
    count: u32,
    bytes: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Told {
    notes: Mutex<HashMap<ProcessId, Note>>,
    /// Somebody looks.
    watched: AtomicBool,
    begun: Notify,
}

impl Told {
    /// So many messages of together `bytes` were delivered to a target. Some: this is how many are to be told at once; they are noted no more.
    pub(super) fn note(&self, target: &ProcessId, count: u32, bytes: usize) -> Option<u32> {
        let mut notes = self.notes.lock();
        if let Some(note) = notes.get_mut(target) {
            note.count += count;
            note.bytes = note.bytes.saturating_add(bytes);
            return if note.count >= MANY || note.bytes >= LARGE { notes.remove(target).map(|note| note.count) } else { None };
        }
        if count >= MANY || bytes >= LARGE {
            return Some(count);
        }
        self.add(&mut notes, target, Note { count, bytes });
        None
    }

    /// They could not be told after all.
    pub(super) fn note_again(&self, target: &ProcessId, count: u32) {
        let mut notes = self.notes.lock();
        let earlier = notes.remove(target).unwrap_or_default();
        self.add(&mut notes, target, Note { count: earlier.count + count, bytes: earlier.bytes });
    }

    fn add(&self, notes: &mut HashMap<ProcessId, Note>, target: &ProcessId, note: Note) {
        notes.insert(target.clone(), note);
        if !self.watched.swap(true, Ordering::AcqRel) {
            self.begun.notify_one();
        }
    }

    /// All that is noted, to be told now.
    pub(super) fn take(&self) -> Vec<Frame> {
        let mut notes = self.notes.lock();
        notes.drain().map(|(target, note)| Frame::Delivered(target, note.count)).collect()
    }

    /// Waits until there is something to tell that nothing took along.
    pub(super) async fn due(&self) {
        loop {
            if !self.watched.load(Ordering::Acquire) {
                self.begun.notified().await;
            }
            for _ in 0..IDLE_ROUNDS {
                tokio::time::sleep(ROUND).await;
                if !self.notes.lock().is_empty() {
                    return;
                }
            }
            // Under the lock, so that whoever notes something now sees that nobody looks.
            let notes = self.notes.lock();
            if notes.is_empty() {
                self.watched.store(false, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: u32) -> ProcessId {
        format!("target-{number}:p:q").parse().unwrap()
    }

    fn counts(frames: Vec<Frame>) -> Vec<(String, u32)> {
        let count = |frame| match frame {
            Frame::Delivered(target, count) => (target.to_string(), count),
            other => panic!("{}", other.name()),
        };
        let mut counts: Vec<_> = frames.into_iter().map(count).collect();
        counts.sort();
        counts
    }

    #[test]
    fn every_delivery_is_told_once_those_of_a_target_together() {
        let told = Told::default();
        for number in [1, 2, 1] {
            assert_eq!(told.note(&target(number), 1, 10), None);
        }
        assert_eq!(counts(told.take()), [("target-1:p:q".into(), 2), ("target-2:p:q".into(), 1)]);
        assert!(told.take().is_empty());
    }

    #[test]
    fn a_good_part_of_a_window_is_told_at_once() {
        let told = Told::default();
        for _ in 1..MANY {
            assert_eq!(told.note(&target(1), 1, 10), None);
        }
        assert_eq!(told.note(&target(1), 1, 10), Some(MANY));
        assert_eq!(told.note(&target(1), 1, LARGE), Some(1));
        assert!(told.take().is_empty());
        told.note_again(&target(1), 5);
        told.note_again(&target(1), 6);
        assert_eq!(counts(told.take()), [("target-1:p:q".into(), 11)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nothing_takes_along_is_due_soon_also_after_a_long_pause() {
        let told = Told::default();
        for _ in 0..3 {
            assert!(tokio::time::timeout(ROUND * 10 * IDLE_ROUNDS, told.due()).await.is_err(), "nothing is to be told");
            let begun = tokio::time::Instant::now();
            assert_eq!(told.note(&target(1), 1, 10), None);
            told.due().await;
            assert!(begun.elapsed() <= ROUND * 2);
            assert_eq!(told.take().len(), 1);
        }
    }
}
