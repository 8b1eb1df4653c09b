//! A page of a directory's entries, in order, in memory for one page only: the directory is read through and the smallest names are kept.

use std::collections::BTreeMap;

use cap_std::fs::Dir;
use rustix::io::Errno;

use super::{describe, look, open_to_read};
use crate::vfs::{DirectoryEntry, DirectoryPage, MAX_UNNAMED, VfsError, name};

/// See [`crate::vfs::backend::DirectoryBackend::entries`].
pub(super) fn page(directory: &Dir, after: Option<&str>, limit: usize, shown: &dyn Fn(&str) -> bool) -> Result<DirectoryPage, VfsError> {
    let first = after.is_none();
    let mut after = after.map(String::from);
    loop {
        let (mut names, mut unnamed) =
            smallest(directory, after.as_deref(), limit + 1, shown).map_err(|error| VfsError::from_system(&error.into(), "the directory"))?;
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
        if !first {
            unnamed.clear();
        }
        return Ok(DirectoryPage { entries, more, unnamed });
    }
}

/// The names of a page, each with its spelling in the directory where that differs; and what no path can name.
type Names = (BTreeMap<String, Option<String>>, Vec<String>);

/// The `count` smallest names greater than `after`.
fn smallest(directory: &Dir, after: Option<&str>, count: usize, shown: &dyn Fn(&str) -> bool) -> Result<Names, Errno> {
    let (mut names, mut unnamed) = (BTreeMap::new(), Vec::new());
    for entry in rustix::fs::Dir::new(open_to_read(directory)?)? {
        let entry = entry?;
        let lossy = entry.file_name().to_string_lossy();
        if lossy == "." || lossy == ".." {
            continue;
        }
        // What is no Unicode text has no name here.
        let named = entry.file_name().to_str().ok().and_then(|spelling| name::shown(spelling).map(|name| (spelling, name)));
        let Some((spelling, name)) = named else {
            if unnamed.len() < MAX_UNNAMED && shown(&lossy) {
                unnamed.push(lossy.escape_debug().to_string());
            }
            continue;
        };
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
    Ok((names, unnamed))
}
