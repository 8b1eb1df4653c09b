//! Which slot a transfer gets: two transfers of one process into the same place must not share a partial file, and one that resumes must find the file of the
//! attempt before it. So each gets the lowest slot that no running transfer to that place has, and hears which the others are: one of them may be cut off without knowing it yet.

use std::cell::RefCell;
use std::collections::BTreeMap;

use file_transfer_types::names;
use file_transfer_types::worker::Location;

thread_local! {
    static TAKEN: RefCell<Slots> = RefCell::default();
}

/// The slots taken, by transfer.
#[derive(Debug, Default)]
struct Slots(BTreeMap<String, (String, u32)>);

/// What a transfer gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Its slot.
    pub(crate) slot: u32,
    /// The transfers to the same place that run, and their slots.
    pub(crate) others: Vec<(String, u32)>,
}

impl Slots {
    fn take(&mut self, id: &str, place: String, wanted: Option<u32>, running: impl Fn(&str) -> bool) -> Taken {
        self.0.retain(|id, _| running(id));
        let others: Vec<(String, u32)> = self.0.iter().filter(|(_, (other, _))| *other == place).map(|(id, (_, slot))| (id.clone(), *slot)).collect();
        let slot = wanted.unwrap_or_else(|| (0..).find(|slot| others.iter().all(|(_, taken)| taken != slot)).unwrap_or_default());
        self.0.insert(id.into(), (place, slot));
        Taken { slot, others }
    }
}

/// Takes the lowest free slot for a transfer to a place, or the one that is wanted. `running` tells whether a transfer still runs.
pub(crate) fn take(id: &str, place: String, wanted: Option<u32>, running: impl Fn(&str) -> bool) -> Taken {
    TAKEN.with_borrow_mut(|slots| slots.take(id, place, wanted, running))
}

/// What two transfers must not have in common if they have the same slot: at least all that the name of a partial file is made from.
///
/// Two drives that are lent may be one folder under two names, so for them the folder does not count: two transfers too many are kept apart, which costs nothing but the resume of the second.
pub(crate) fn place(node: &str, source: &str, local: &Location, lent: bool) -> String {
    let target = names::complete(&local.name, source);
    if lent { [node, source, names::last_part(&target)].join("\n") } else { [node, source, &target, &local.drive].join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_to_one_place_get_slots_of_their_own_and_a_later_one_takes_over_a_free_one() {
        let mut slots = Slots::default();
        let taken = |slot, others: &[(&str, u32)]| Taken { slot, others: others.iter().map(|(id, slot)| ((*id).into(), *slot)).collect() };
        assert_eq!(slots.take("1", "a".into(), None, |_| true), taken(0, &[]));
        assert_eq!(slots.take("2", "a".into(), None, |_| true), taken(1, &[("1", 0)]));
        assert_eq!(slots.take("3", "b".into(), None, |_| true), taken(0, &[]));
        assert_eq!(slots.take("4", "a".into(), None, |id| id != "1"), taken(0, &[("2", 1)]), "the slot of an ended transfer is free");
        assert_eq!(slots.take("5", "a".into(), Some(7), |_| true), taken(7, &[("2", 1), ("4", 0)]));
        assert_eq!(slots.take("6", "a".into(), None, |_| true).slot, 2);
    }

    #[test]
    fn one_folder_that_is_lent_under_two_names_is_one_place() {
        let local = |drive: &str, name: &str| Location { drive: drive.into(), name: name.into() };
        assert_eq!(place("bob", "a/x", &local("one", "/"), true), place("bob", "a/x", &local("two", "sub/x"), true));
        assert_ne!(place("bob", "a/x", &local("one", "/"), true), place("bob", "a/x", &local("one", "y"), true));
        assert_ne!(place("bob", "a/x", &local("one", "1/x"), false), place("bob", "a/x", &local("one", "2/x"), false));
        assert_ne!(place("bob", "a/x", &local("one", "/"), true), place("carol", "a/x", &local("one", "/"), true));
    }
}
