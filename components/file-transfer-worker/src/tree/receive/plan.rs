//! What is to be done about a file of the tree, by what has its name at the receiver: plain rules.

use file_transfer_types::names::shown;
use file_transfer_types::protocol::TreeEntry;
use file_transfer_types::types::{ConflictPolicy, TransferError};
use transship_guest::drive::{FileKind, Metadata};

/// How a file is given its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is free.
    New,
    /// What has it is replaced.
    Replace,
    /// What has it is kept, and this one gets a number.
    Beside,
}

impl How {
    /// The same as the policy of a single file.
    pub(super) fn policy(self) -> ConflictPolicy {
        match self {
            Self::New => ConflictPolicy::Fail,
            Self::Replace => ConflictPolicy::Overwrite,
            Self::Beside => ConflictPolicy::Rename,
        }
    }
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is to be fetched.
    Fetch(How),
    /// Its digest tells whether it is equal.
    Compare,
    /// It is equal already.
    Unchanged,
    /// Something else has the name, and is left alone.
    Skip,
    /// It can't have its name.
    Fail(TransferError),
}

/// About a file. `checksum`: time and size do not tell that two are equal.
pub(super) fn file(entry: &TreeEntry, found: Option<&Metadata>, policy: ConflictPolicy, checksum: bool) -> Verdict {
    match found {
        Some(found) if found.kind == FileKind::Regular && found.size == entry.size && checksum => Verdict::Compare,
        Some(found) if found.kind == FileKind::Regular && (found.size, found.modified) == (entry.size, entry.modified) && !checksum => Verdict::Unchanged,
        other => differing(entry, other, policy),
    }
}

/// About a file that is not equal to what is there.
pub(super) fn differing(entry: &TreeEntry, found: Option<&Metadata>, policy: ConflictPolicy) -> Verdict {
    let Some(found) = found else { return Verdict::Fetch(How::New) };
    match (found.kind, policy) {
        (_, ConflictPolicy::Rename) => Verdict::Fetch(How::Beside),
        (_, ConflictPolicy::Skip) => Verdict::Skip,
        (FileKind::Regular, ConflictPolicy::Overwrite) => Verdict::Fetch(How::Replace),
        (FileKind::Regular, ConflictPolicy::Newer) => {
            if entry.modified > found.modified {
                Verdict::Fetch(How::Replace)
            } else {
                Verdict::Skip
            }
        }
        (FileKind::Regular, ConflictPolicy::Fail) => Verdict::Fail(TransferError::Conflict(shown(&entry.path))),
        // A folder or a link is never replaced by a file.
        (_, ConflictPolicy::Overwrite | ConflictPolicy::Newer | ConflictPolicy::Fail) => Verdict::Fail(TransferError::NotAFile(shown(&entry.path))),
    }
}

#[cfg(test)]
mod tests {
    use file_transfer_types::protocol::EntryKind;

    use super::*;

    fn entry() -> TreeEntry {
        TreeEntry { path: "a".into(), kind: EntryKind::File, size: 10, modified: 100, permissions: 0o644, target: None }
    }

    fn found(kind: FileKind, size: u64, modified: i64) -> Metadata {
        Metadata { kind, size, modified, permissions: 0o600 }
    }

    #[test]
    fn what_is_not_there_is_new_whatever_the_policy() {
        for policy in [ConflictPolicy::Fail, ConflictPolicy::Overwrite, ConflictPolicy::Rename, ConflictPolicy::Skip, ConflictPolicy::Newer] {
            assert_eq!(file(&entry(), None, policy, false), Verdict::Fetch(How::New));
        }
    }

    #[test]
    fn equal_size_and_time_are_enough_unless_digests_are_to_be_compared() {
        let same = found(FileKind::Regular, 10, 100);
        assert_eq!(file(&entry(), Some(&same), ConflictPolicy::Overwrite, false), Verdict::Unchanged);
        assert_eq!(file(&entry(), Some(&same), ConflictPolicy::Overwrite, true), Verdict::Compare);
        let other_time = found(FileKind::Regular, 10, 99);
        assert_eq!(file(&entry(), Some(&other_time), ConflictPolicy::Overwrite, true), Verdict::Compare);
        assert_eq!(file(&entry(), Some(&other_time), ConflictPolicy::Overwrite, false), Verdict::Fetch(How::Replace));
        assert_eq!(file(&entry(), Some(&found(FileKind::Regular, 11, 100)), ConflictPolicy::Overwrite, true), Verdict::Fetch(How::Replace));
    }

    #[test]
    fn each_policy_has_its_way_with_what_differs() {
        let (older, newer) = (found(FileKind::Regular, 10, 99), found(FileKind::Regular, 9, 101));
        for (policy, with_older, with_newer) in [
            (ConflictPolicy::Overwrite, Verdict::Fetch(How::Replace), Verdict::Fetch(How::Replace)),
            (ConflictPolicy::Rename, Verdict::Fetch(How::Beside), Verdict::Fetch(How::Beside)),
            (ConflictPolicy::Skip, Verdict::Skip, Verdict::Skip),
            (ConflictPolicy::Newer, Verdict::Fetch(How::Replace), Verdict::Skip),
        ] {
            assert_eq!(file(&entry(), Some(&older), policy, false), with_older, "{policy:?}");
            assert_eq!(file(&entry(), Some(&newer), policy, false), with_newer, "{policy:?}");
        }
        assert_eq!(file(&entry(), Some(&older), ConflictPolicy::Fail, false), Verdict::Fail(TransferError::Conflict("a".into())));
    }

    #[test]
    fn a_folder_or_a_link_is_never_replaced_by_a_file() {
        for kind in [FileKind::Directory, FileKind::SymbolicLink, FileKind::Other] {
            for policy in [ConflictPolicy::Overwrite, ConflictPolicy::Newer, ConflictPolicy::Fail] {
                assert_eq!(file(&entry(), Some(&found(kind, 10, 100)), policy, false), Verdict::Fail(TransferError::NotAFile("a".into())));
            }
            assert_eq!(file(&entry(), Some(&found(kind, 10, 100)), ConflictPolicy::Rename, false), Verdict::Fetch(How::Beside));
        }
    }
}
