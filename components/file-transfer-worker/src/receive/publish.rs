//! Publishing: a verified file gets its name, at once and completely.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::names;
use file_transfer_types::protocol::SizeRequest;
use file_transfer_types::types::{ConflictPolicy, TransferError};
use transship_guest::drive::VfsError;

use super::partial::{Partial, Stage};
use super::place::Place;

/// So many names are tried before `rename` gives up.
const NAMES: u32 = 10_000;

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is there, under this path.
    As(String),
    /// A file of that name appeared meanwhile, and the policy is to leave it.
    Skipped,
}

/// Publishes a verified file.
pub(crate) fn run(place: &Place, partial: &Partial, offer: &SizeRequest, policy: ConflictPolicy) -> Result<Published, TransferError> {
    partial.permit(offer, Stage::Published);
    let published = name_it(place.name(), policy, |name, replace| partial.rename(place, name, replace));
    if !matches!(published, Ok(Published::As(_))) {
        partial.permit(offer, Stage::Sealed);
    }
    match published {
        Ok(Published::As(name)) => Ok(Published::As(place.beside(&name))),
        Ok(Published::Skipped) => Ok(Published::Skipped),
        Err(error) => Err(from_vfs(error, &place.path(), Side::Receiver)),
    }
}

/// Tries names until one is free, as the policy has it. `rename` gives the file a name, and replaces what has it only if told to.
pub(crate) fn name_it(name: &str, policy: ConflictPolicy, mut rename: impl FnMut(&str, bool) -> Result<(), VfsError>) -> Result<Published, VfsError> {
    match (policy, rename(name, matches!(policy, ConflictPolicy::Overwrite | ConflictPolicy::Newer))) {
        (_, Ok(())) => Ok(Published::As(name.into())),
        (ConflictPolicy::Skip, Err(VfsError::Exists(_))) => Ok(Published::Skipped),
        (ConflictPolicy::Rename, Err(VfsError::Exists(_))) => {
            for number in 1..=NAMES {
                let next = names::numbered(name, number);
                match rename(&next, false) {
                    Ok(()) => return Ok(Published::As(next)),
                    Err(VfsError::Exists(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(VfsError::Exists(name.into()))
        }
        (_, Err(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names a file among those that are taken.
    fn publish(taken: &[&str], policy: ConflictPolicy) -> Result<Published, VfsError> {
        let mut taken: BTreeSet<String> = taken.iter().map(|&name| name.into()).collect();
        name_it("a.txt", policy, |name, replace| if taken.insert(name.into()) || replace { Ok(()) } else { Err(VfsError::Exists(name.into())) })
    }

    #[test]
    fn a_free_name_is_taken_by_every_policy() {
        for policy in [ConflictPolicy::Fail, ConflictPolicy::Overwrite, ConflictPolicy::Rename, ConflictPolicy::Skip] {
            assert_eq!(publish(&[], policy).unwrap(), Published::As("a.txt".into()));
        }
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_dealt_with_as_the_policy_says() {
        assert!(matches!(publish(&["a.txt"], ConflictPolicy::Fail), Err(VfsError::Exists(_))));
        assert_eq!(publish(&["a.txt"], ConflictPolicy::Overwrite).unwrap(), Published::As("a.txt".into()));
        assert_eq!(publish(&["a.txt"], ConflictPolicy::Skip).unwrap(), Published::Skipped);
        assert_eq!(publish(&["a.txt", "a (1).txt"], ConflictPolicy::Rename).unwrap(), Published::As("a (2).txt".into()));
    }

    #[test]
    fn a_drive_that_fails_is_not_tried_ten_thousand_times() {
        let mut tries = 0;
        let outcome = name_it("a", ConflictPolicy::Rename, |_, _| {
            tries += 1;
            Err(if tries == 1 { VfsError::Exists("a".into()) } else { VfsError::NoSpace })
        });
        assert!(matches!(outcome, Err(VfsError::NoSpace)) && tries == 2);
    }
}
