//! Files whose contents are equal already: they get the time and the permissions of the source, as far as these are wanted. Nothing of them is moved.
//!
//! Where digests are compared, an equal file may have another time, and gets that of the source: the next request, which compares times, finds it equal. With the permissions of folders those of such files are wanted too.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::protocol::TreeEntry;
use transship_guest::bindings::transship::host::vfs::FileSettings;
use transship_guest::drive::Metadata;

use super::Receiving;

/// So many are set with one call.
const MANY: usize = 1_000;

/// What the mode of a source gives to others than the owner, a umask here may have taken away.
const OTHERS: u16 = 0o077;

/// What is to be set of a file that is equal. None: nothing.
pub(super) fn settings(entry: &TreeEntry, found: &Metadata, times: bool, permissions: bool) -> Option<FileSettings> {
    let modified = Some(entry.modified).filter(|modified| times && *modified != found.modified);
    let permissions = Some(entry.permissions & 0o777).filter(|wanted| permissions && *wanted != found.permissions & 0o777);
    (modified.is_some() || permissions.is_some()).then(|| FileSettings { path: entry.path.clone(), modified, permissions })
}

/// Whether setting this would change anything, as far as that can be known without trying: what a umask may have forbidden before, it forbids again.
fn would_change(settings: &FileSettings, found: &Metadata) -> bool {
    let may_be_forbidden = |wanted: u16| wanted & !OTHERS == found.permissions & 0o777 & !OTHERS && found.permissions & 0o777 & !wanted == 0;
    settings.modified.is_some() || settings.permissions.is_some_and(|wanted| !may_be_forbidden(wanted))
}

impl Receiving<'_> {
    /// A file is equal to what is here.
    pub(super) fn equal(&mut self, entry: &TreeEntry, found: Option<&Metadata>) {
        let settings = found.and_then(|found| Some((settings(entry, found, self.tree.checksum, self.tree.folders)?, found)));
        match settings {
            Some((settings, found)) if self.tree.dry_run && would_change(&settings, found) => self.tally.set(),
            Some((settings, _)) if !self.tree.dry_run => {
                self.settings.push(settings);
                if self.settings.len() >= MANY {
                    self.set_all();
                }
            }
            _ => self.tally.unchanged(),
        }
    }

    /// Sets what is to be set, all with one call.
    pub(super) fn set_all(&mut self) {
        let Some(root) = self.root.as_ref().filter(|_| !self.settings.is_empty()) else { return };
        let all = std::mem::take(&mut self.settings);
        for (file, result) in all.iter().zip(root.set_files(&all)) {
            match result {
                Ok(true) => self.tally.set(),
                // The umask forbids what is lacking.
                Ok(false) => self.tally.unchanged(),
                Err(error) => self.tally.failed(&file.path, from_vfs(error, &file.path, Side::Receiver)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use file_transfer_types::protocol::EntryKind;
    use transship_guest::drive::FileKind;

    use super::*;

    fn entry(modified: i64, permissions: u16) -> TreeEntry {
        TreeEntry { path: "a".into(), kind: EntryKind::File, size: 10, modified, permissions, target: None }
    }

    fn found(modified: i64, permissions: u16) -> Metadata {
        Metadata { kind: FileKind::Regular, size: 10, modified, permissions }
    }

    #[test]
    fn only_what_is_wanted_and_differs_is_set() {
        let set = |times, permissions| settings(&entry(1, 0o755), &found(2, 0o644), times, permissions).map(|set| (set.modified, set.permissions));
        assert_eq!(set(false, false), None);
        assert_eq!(set(true, false), Some((Some(1), None)));
        assert_eq!(set(false, true), Some((None, Some(0o755))));
        assert_eq!(set(true, true), Some((Some(1), Some(0o755))));
        assert!(settings(&entry(1, 0o644), &found(1, 0o644), true, true).is_none());
    }

    #[test]
    fn what_a_umask_may_have_forbidden_is_no_change_that_is_to_come() {
        let changes = |wanted: u16, there: u16| {
            let found = found(1, there);
            settings(&entry(1, wanted), &found, true, true).is_some_and(|settings| would_change(&settings, &found))
        };
        assert!(!changes(0o664, 0o644) && !changes(0o777, 0o700) && !changes(0o644, 0o644));
        assert!(changes(0o755, 0o644) && changes(0o644, 0o664) && changes(0o444, 0o644));
    }
}
