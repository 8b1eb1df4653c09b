//! A page of a directory's entries, in order, in memory for one page only: the directory is read through and the smallest names are kept.

use std::collections::BTreeMap;

use cap_std::fs::Dir;
use rustix::io::Errno;

use super::{describe, look, open_to_read};
use crate::vfs::{DirectoryEntry, DirectoryPage, VfsError, name};

/// See [`crate::vfs::backend::DirectoryBackend::entries`].
pub(super) fn page(directory: &Dir, after: Option<&str>, limit: usize, shown: &dyn Fn(&str) -> bool) -> Result<DirectoryPage, VfsError> {
    let mut after = after.map(String::from);
    loop {
        let mut names = smallest(directory, after.as_deref(), limit + 1, shown).map_err(|error| VfsError::from_system(&error.into(), "the directory"))?;
        let more = names.len() > limit;
        if more {
            names.pop_last();
        }
        let last = names.last_key_value().map(|(name, _)| name.clone());
        let mut entries = Vec::with_capacity(names.len());
        for (name, spelling) in names {
            match look(directory, spelling.as_deref().unwrap_or(&name)) {
                Ok(stat) => entries.push(DirectoryEntry { name, metadata: describe(&stat) }),
                // Removed since.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(VfsError::from_system(&error.into(), &name)),
            }
        }
        // All of this page were removed meanwhile: without a last name, nobody could ask for the next one.
        if more && entries.is_empty() {
            after = last;
            continue;
        }
        return Ok(DirectoryPage { entries, more });
    }
}

/// The `count` smallest names greater than `after`, each with its spelling in the directory where that differs.
fn smallest(directory: &Dir, after: Option<&str>, count: usize, shown: &dyn Fn(&str) -> bool) -> Result<BTreeMap<String, Option<String>>, Errno> {
    let mut names = BTreeMap::new();
    for entry in rustix::fs::Dir::new(open_to_read(directory)?)? {
        let entry = entry?;
        // What is no Unicode text has no name here.
        let Ok(spelling) = entry.file_name().to_str() else { continue };
        let Some(name) = name::shown(spelling) else { continue };
        let in_page = after.is_none_or(|after| name.as_str() > after) && (names.len() < count || names.last_key_value().is_some_and(|(last, _)| name < *last));
        if !in_page || !shown(&name) {
            continue;
        }
        if name == spelling {
            names.insert(name, None);
        } else {
            // If both spellings are there, the one that paths have is the one that is opened.
            names.entry(name).or_insert_with(|| Some(spelling.into()));
        }
        if names.len() > count {
            names.pop_last();
        }
    }
    Ok(names)
}
