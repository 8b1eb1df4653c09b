//! A page of a directory's entries, in order. The directory is read through and the smallest names are kept; if there are more than the page has, those that follow are kept for the next pages ([`ReadAhead`]).
//! Of the entries themselves nothing is kept: each is looked at when its page is made.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use cap_std::fs::Dir;
use rustix::io::Errno;

use super::ahead::{ReadAhead, Run, Stamp};
use super::names::Smallest;
use super::{describe, look, open_to_read};
use crate::vfs::{DirectoryEntry, DirectoryPage, MAX_UNNAMED, VfsError, name};

/// See [`crate::vfs::backend::DirectoryBackend::entries`].
pub(super) fn page(directory: &Dir, ahead: &ReadAhead, after: Option<&str>, limit: usize, shown: &dyn Fn(&str) -> bool) -> Result<DirectoryPage, VfsError> {
    let reader = Reader { directory, ahead, limit, shown };
    let mut page = DirectoryPage::default();
    let mut after = after.map(String::from);
    loop {
        let (run, stamp) = reader.names(after.as_deref(), &mut page.unnamed).map_err(|error| VfsError::from_system(&error.into(), "the directory"))?;
        let mut rest = run.names.after(after.as_deref()).filter(|(name, _)| shown(name));
        let mut last = None::<&str>;
        for (name, spelling) in rest.by_ref().take(limit) {
            last = Some(name);
            match look(directory, spelling.unwrap_or(name)) {
                Ok(stat) => page.entries.push(DirectoryEntry { name: name.into(), metadata: describe(&stat) }),
                // Removed since.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(VfsError::from_system(&error.into(), name)),
            }
        }
        page.more = rest.next().is_some() || !run.last;
        // All of this page were removed meanwhile: without a last name, nobody could ask for the next one.
        if let Some(last) = last.filter(|_| page.more && page.entries.is_empty()) {
            after = Some(last.into());
            continue;
        }
        if let Some(stamp) = stamp.filter(|_| !page.more) {
            ahead.forget(stamp);
        }
        return Ok(page);
    }
}

/// Finds the names of a page.
struct Reader<'a> {
    directory: &'a Dir,
    ahead: &'a ReadAhead,
    limit: usize,
    shown: &'a dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    /// Names of the directory, among them all of the page after `after`, and what the directory was like before, if `after` says that this is not the first page. `unnamed` gets what has no name, if it is.
    fn names(&self, after: Option<&str>, unnamed: &mut Vec<String>) -> Result<(Arc<Run>, Option<Stamp>), Errno> {
        // From its beginning a directory is always read: most are small, and cost nothing more then.
        let before = after.and_then(|_| Stamp::of(self.directory));
        if let (Some(stamp), Some(after)) = (before, after) {
            let enough = |run: &Run| run.last || run.names.after(Some(after)).filter(|(name, _)| (self.shown)(name)).nth(self.limit).is_some();
            if let Some(run) = self.ahead.find(stamp, after, enough) {
                return Ok((run, before));
            }
        }
        let now = SystemTime::now();
        let worth = before.is_none_or(|stamp| stamp.settled(now));
        let (run, all_shown) = self.scan(after, if worth { self.ahead.bytes() } else { 0 }, unnamed)?;
        let run = Arc::new(run);
        // The next page is found in it only if that is whole there. And what is lent of a directory is so little of it that there is nothing to be read ahead.
        let next = if run.last { self.limit } else { 2 * self.limit };
        if worth && all_shown && run.names.after(after).nth(next).is_some() {
            let same = Stamp::of(self.directory).filter(|stamp| before.is_none_or(|before| before == *stamp) && stamp.settled(now));
            if let Some(stamp) = same {
                self.ahead.keep(stamp, run.clone());
            }
        }
        Ok((run, before))
    }

    /// Reads the directory through: the smallest names after `after`, at least one more than the page has and as many as take `bytes`, and whether all are shown.
    fn scan(&self, after: Option<&str>, bytes: usize, unnamed: &mut Vec<String>) -> Result<(Run, bool), Errno> {
        #[cfg(test)]
        self.ahead.scans.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut smallest = Smallest::new(after, self.limit + 1, bytes);
        let mut all_shown = true;
        for entry in rustix::fs::Dir::new(open_to_read(self.directory)?)? {
            let entry = entry?;
            let spelling = entry.file_name().to_str();
            if let Ok(spelling) = spelling {
                // Most names are spelled in one way only, and of those to come most are beyond these.
                let passed = after.is_some() && spelling.is_ascii() && !smallest.wants(spelling);
                if spelling == "." || spelling == ".." || passed {
                    continue;
                }
            }
            // What is no Unicode text has no name here.
            let Some((spelling, name)) = spelling.ok().and_then(|spelling| name::shown(spelling).map(|name| (spelling, name))) else {
                let lossy = entry.file_name().to_string_lossy();
                if after.is_none() && unnamed.len() < MAX_UNNAMED && (self.shown)(&lossy) {
                    unnamed.push(lossy.escape_debug().to_string());
                }
                continue;
            };
            if !smallest.wants(&name) {
                continue;
            }
            if !(self.shown)(&name) {
                all_shown = false;
                continue;
            }
            smallest.add(&name, matches!(name, Cow::Owned(_)).then_some(spelling));
        }
        let (names, last) = smallest.done();
        Ok((Run { after: after.map(String::from), names, last }, all_shown))
    }
}

#[cfg(test)]
mod tests;
