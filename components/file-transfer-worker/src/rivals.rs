//! Which slot a receiving worker uses: the lowest that no living transfer to the same place has.
//!
//! The API knows which transfers to that place run, but not whether one of them is cut off from its sender and has not noticed yet: then the same request, made again, must go on with what that
//! one has. So each is asked ([`settle`]), and one that is asked asks its counterpart ([`claims`](crate::claims)); without an answer it saves what it has, ends, and leaves its slot to whoever asked. Those that are asked
//! have always started earlier, so no two wait for each other.

use file_transfer_types::protocol::InternalRequest;
use file_transfer_types::types::TransferError;
use file_transfer_types::worker::Rival;
use transship_guest::address::Address;

use crate::session::{Event, Session};
use crate::wire::{Context, send};

/// How long a rival may take to say whether it lives, in milliseconds: longer than it waits for its counterpart, since it may have to save what it has.
const PATIENCE: u64 = 15_000;
/// How many slots are looked into for what was left.
const SLOTS: u32 = 8;

/// Finds out which slot to use. `left` tells in which of several an earlier attempt left something: the first such, if there is one.
pub(crate) fn settle(session: &mut Session, suggested: u32, rivals: &[Rival], left: impl FnOnce(&[u32]) -> Option<u32>) -> Result<u32, TransferError> {
    let mut waiting = Vec::new();
    let mut used = Vec::new();
    for rival in rivals {
        let target = Address::new(session.our.node.clone(), rival.worker.clone());
        // One that can't be asked has ended.
        if send(&target, &InternalRequest::Claim, Some((Context::Claim(rival.slot), PATIENCE))).is_ok() {
            waiting.push(rival.slot);
        }
    }
    let mut others = Vec::new();
    while !waiting.is_empty() {
        match session.next()? {
            Event::Claimed(of, slot) => {
                waiting.retain(|waiting| *waiting != of);
                used.extend(slot);
            }
            other => others.push(other),
        }
    }
    session.put_back(others);
    let first = if rivals.is_empty() { suggested } else { lowest_free(&used) };
    let slot = best(first, &used, left);
    session.decided(slot);
    Ok(slot)
}

/// The first slot that nobody uses and in which something was left, if there is one not far away: attempts that ran at the same time may have left it while the first ended well.
fn best(first: u32, used: &[u32], left: impl FnOnce(&[u32]) -> Option<u32>) -> u32 {
    let free: Vec<u32> = (first..first.saturating_add(SLOTS)).filter(|slot| !used.contains(slot)).collect();
    left(&free).unwrap_or(first)
}

fn lowest_free(used: &[u32]) -> u32 {
    (0..).find(|slot| !used.contains(slot)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_slot_that_nobody_uses_is_taken() {
        assert_eq!(lowest_free(&[]), 0);
        assert_eq!(lowest_free(&[1, 0, 3]), 2);
        assert_eq!(lowest_free(&[1]), 0);
    }

    #[test]
    fn a_slot_in_which_something_was_left_is_better_than_an_empty_one() {
        let left_in = |slot| move |among: &[u32]| among.iter().copied().find(|found| *found == slot);
        assert_eq!(best(0, &[], |_| None), 0);
        assert_eq!(best(0, &[], left_in(1)), 1);
        assert_eq!(best(0, &[1], left_in(1)), 0, "a living transfer uses it");
        assert_eq!(best(0, &[], left_in(SLOTS)), 0);
    }
}
