//! Folders that are to have the times and permissions of the source: plain state.
//!
//! What is made in a folder changes its time, and some permissions would forbid it. So a folder gets them when nothing is done in it any more: all its entries have come (the sender gives a folder before what is in it, so the first
//! entry elsewhere says that), and all files that came with or before the last of them have their names, or have failed. Those inside come before those around them.
//!
//! Kept are the folders on the way down, and those that wait for files of theirs, however many there are in the tree.

use std::collections::VecDeque;

/// A folder, and what it is to be like.
#[derive(Debug, PartialEq)]
pub(super) struct Folder {
    /// Its path in the tree.
    pub(super) path: String,
    /// Modification time, nanoseconds since 1970.
    pub(super) modified: i64,
    /// The nine lower bits of a POSIX file mode.
    pub(super) permissions: u16,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Folders {
    /// Each is above the next; what comes may still be in them.
    open: Vec<Folder>,
    /// All that is in them has come, with the pages up to this one.
    closed: VecDeque<(u32, Folder)>,
    /// All that is in them is in the stage, in its batches up to this one, or has its name.
    staged: VecDeque<(u64, Folder)>,
}

impl Folders {
    /// An entry of this page comes: what it is not in is left.
    pub(super) fn pass(&mut self, path: &str, page: u32) {
        while let Some(folder) = self.open.pop_if(|folder| !is_in(path, &folder.path)) {
            self.closed.push_back((page, folder));
        }
    }

    /// A folder, whose entries come next.
    pub(super) fn enter(&mut self, folder: Folder) {
        self.open.push(folder);
    }

    /// This page was the last.
    pub(super) fn end(&mut self, page: u32) {
        self.closed.extend(self.open.drain(..).rev().map(|folder| (page, folder)));
    }

    /// The next in which nothing is done any more. All files of the pages before `open_page` are in the stage or have their names; what comes into the stage now has its name when the batch `filling` has; those of all
    /// batches up to `named` have theirs.
    pub(super) fn next(&mut self, open_page: u32, filling: u64, named: u64) -> Option<Folder> {
        while let Some((_, folder)) = self.closed.pop_front_if(|(page, _)| *page < open_page) {
            self.staged.push_back((filling, folder));
        }
        self.staged.pop_front_if(|(batch, _)| *batch <= named).map(|(_, folder)| folder)
    }
}

/// Whether a path is below a folder.
fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str) -> Folder {
        Folder { path: path.into(), modified: 1, permissions: 0o755 }
    }

    fn all(folders: &mut Folders, open_page: u32, filling: u64, named: u64) -> Vec<String> {
        std::iter::from_fn(|| folders.next(open_page, filling, named)).map(|folder| folder.path).collect()
    }

    /// `a`, `a/b`, `a/b/file`, `ab`, `c` come with pages of two.
    fn some() -> Folders {
        let mut folders = Folders::default();
        for (path, page) in [("a", 0), ("a/b", 0), ("a/b/file", 1), ("ab", 1), ("c", 2)] {
            folders.pass(path, page);
            if path != "a/b/file" {
                folders.enter(folder(path));
            }
        }
        folders
    }

    #[test]
    fn a_folder_waits_until_the_next_entry_is_elsewhere_and_those_inside_come_first() {
        let mut folders = some();
        assert_eq!(all(&mut folders, 9, 0, 0), ["a/b", "a", "ab"], "'ab' is not in 'a', and 'c' may still get something");
        folders.end(2);
        assert_eq!(all(&mut folders, 9, 0, 0), ["c"]);
    }

    #[test]
    fn a_folder_waits_for_the_page_that_closed_it_and_for_the_batch_that_was_filled_then() {
        let mut folders = some();
        folders.end(2);
        assert_eq!(all(&mut folders, 1, 3, 3), Vec::<String>::new(), "page 1 is under way");
        assert_eq!(all(&mut folders, 2, 3, 2), Vec::<String>::new(), "batch 3 is under way");
        // What comes into the stage later does not keep them waiting.
        assert_eq!(all(&mut folders, 2, 4, 3), ["a/b", "a"]);
        assert_eq!(all(&mut folders, 3, 4, 4), ["ab", "c"]);
    }

    #[test]
    fn however_many_there_are_only_those_on_the_way_down_and_those_that_wait_are_kept() {
        let mut folders = Folders::default();
        for number in 0..10_000 {
            let path = format!("{number:05}");
            folders.pass(&path, number / 1000);
            folders.enter(folder(&path));
            assert!(folders.next(number / 1000 + 1, 0, 0).is_some() == (number > 0));
            assert_eq!(folders.open.len() + folders.closed.len() + folders.staged.len(), 1);
        }
    }
}
