//! The names of what a transfer keeps until it is complete: hidden files beside their targets, and a hidden folder of a tree.
//!
//! Such a name is `.transship-WHOSE-WHICH.ENDING`. WHOSE comes from the other node and the name that the transfer was asked for, so whoever knows which transfers run knows of every hidden name whether one of them may use it, whatever
//! the drive, the folder, the slot, and the file in a tree. WHICH comes from all that tells two files of such transfers apart; only who makes the name needs to know it.

use crate::journal::checksum;
use crate::names::{self, HIDDEN};

/// What the name of a partial file ends with.
pub const PARTIAL: &str = ".partial";
/// What the name of its journal ends with.
pub const JOURNAL: &str = ".journal";
/// What the name of the folder ends with in which files of a tree wait for their names.
pub const TREE: &str = ".tree";

/// A transfer as its hidden names tell it: 16 hexadecimal digits. Two that come to the same are taken for one while either runs, and not otherwise.
#[must_use]
pub fn whose(node: &str, name: &str) -> String {
    // No name has a line break in it.
    format!("{:016x}", checksum(format!("{node}\n{name}").as_bytes()))
}

/// A hidden name without its ending.
#[must_use]
pub fn stem(whose: &str, which: &str) -> String {
    format!("{HIDDEN}{whose}-{which}")
}

/// Whose the file or folder of this path is. None: its name does not say that, so no transfer made it, or none of this version.
#[must_use]
pub fn whose_is(path: &str) -> Option<&str> {
    let (whose, _) = names::last_part(path).strip_prefix(HIDDEN)?.split_once('-')?;
    Some(whose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_name_says_whose_it_is_wherever_it_stands() {
        let bobs = whose("bob", "a/b c.txt");
        let stem = stem(&bobs, "0123456789abcdef");
        assert!(names::is_hidden(&stem) && stem.len() < 64);
        for path in [format!("{stem}{PARTIAL}"), format!("a-b/c/{stem}{JOURNAL}"), format!("{stem}{TREE}")] {
            assert_eq!(whose_is(&path), Some(bobs.as_str()), "{path}");
        }
    }

    #[test]
    fn transfers_are_told_apart_by_node_and_by_name() {
        let all = [("bob", "a"), ("bob", "b"), ("carol", "a"), ("bo", "ba"), ("bob", "")].map(|(node, name)| whose(node, name));
        assert!(all.iter().all(|one| one.len() == 16 && all.iter().filter(|other| *other == one).count() == 1), "{all:?}");
    }

    #[test]
    fn names_that_no_transfer_made_say_nothing() {
        for path in ["a-b", ".transship-", ".transship-0123456789abcdef.partial", ".transship-1-2/a", ".hidden-1-2.partial", ""] {
            assert_eq!(whose_is(path), None, "{path}");
        }
    }
}
