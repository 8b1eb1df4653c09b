//! Walks a drive in the byte order of full names, from any name on, holding one page of entries for each open folder and nothing else.
//!
//! A folder's entries come in the byte order of their own names, which is not quite the order wanted: `a-b` stands before `a/x`, since `-` is less than `/`, and yet folder `a` comes before `a-b`. So a
//! folder waits until the entries that its contents must follow have passed.

use std::collections::{BTreeSet, VecDeque};

/// What stands in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file: its size and modification time.
    File(u64, i64),
    /// A folder.
    Folder,
    /// Anything else: not shown.
    Other,
}

/// One entry: its name, one part, and what it is.
pub(crate) type Entry = (String, Kind);

/// What is walked.
pub(crate) trait Tree {
    /// Why it can't be.
    type Error;
    /// The next entries of a folder (empty: the root) after a name, in byte order, and whether there are more. A folder that is gone or closed to us has none.
    fn entries(&self, folder: &str, after: Option<&str>) -> Result<(Vec<Entry>, bool), Self::Error>;
    /// Whether a folder of this path is there.
    fn is_folder(&self, path: &str) -> Result<bool, Self::Error>;
}

/// A file that was found: its name in the drive, its size and modification time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) modified: i64,
}

#[derive(Debug)]
struct Level {
    folder: String,
    page: VecDeque<Entry>,
    more: bool,
    /// The last name that was asked for.
    last: Option<String>,
    /// Names below the folder up to this one are left out.
    after: Option<String>,
    /// Folders whose turn has not come, by their name and `/`.
    waiting: BTreeSet<String>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Walk {
    levels: Vec<Level>,
    prefix: String,
}

impl Walk {
    /// Of the files whose names start with `prefix` and come after `after`.
    pub(crate) fn new<T: Tree>(tree: &T, prefix: &str, after: Option<&str>) -> Result<Self, T::Error> {
        let mut walk = Self { levels: vec![Level::new("", None)], prefix: prefix.into() };
        // Opens the folders that lead to `after`, each from where it goes on.
        let mut rest = after.filter(|after| !after.is_empty());
        while let Some(after) = rest {
            let (first, below) = after.split_once('/').map_or((after, None), |(first, below)| (first, Some(below)));
            let Some(level) = walk.levels.last_mut() else { break };
            level.last = Some(first.into());
            level.after = Some(after.into());
            // A folder whose name is a beginning of this one may come after it: `a/x` after `a-b`.
            for (at, next) in first.char_indices().skip(1) {
                let (name, path) = (first.get(..at).unwrap_or_default(), level.path(first.get(..at).unwrap_or_default()));
                if next < '/' && tree.is_folder(&path)? {
                    level.waiting.insert(format!("{name}/"));
                }
            }
            let path = level.path(first);
            if !tree.is_folder(&path)? {
                break;
            }
            if below.is_none() {
                level.waiting.insert(format!("{first}/"));
                break;
            }
            walk.levels.push(Level::new(&path, None));
            rest = below.filter(|below| !below.is_empty());
        }
        Ok(walk)
    }

    /// The next file. None: there is none.
    pub(crate) fn next<T: Tree>(&mut self, tree: &T) -> Result<Option<Found>, T::Error> {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            if level.page.is_empty() && level.more {
                let (entries, more) = tree.entries(&level.folder, level.last.as_deref())?;
                level.more = more && !entries.is_empty();
                level.last = entries.last().map(|(name, _)| name.clone());
                level.page = entries.into();
                continue;
            }
            let turn_has_come = match (level.waiting.first(), level.page.front()) {
                (Some(folder), Some((name, _))) => folder < name,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if turn_has_come {
                let path = level.waiting.pop_first().map(|folder| level.path(folder.trim_end_matches('/'))).unwrap_or_default();
                let inside = format!("{path}/");
                if inside.starts_with(&self.prefix) || self.prefix.starts_with(&inside) {
                    self.levels.push(Level::new(&path, None));
                }
                continue;
            }
            let Some((name, kind)) = level.page.pop_front() else {
                self.levels.pop();
                continue;
            };
            let passed = |key: &str| level.after.as_deref().is_some_and(|after| key <= after);
            match kind {
                Kind::Folder => {
                    let key = format!("{name}/");
                    if !passed(&key) {
                        level.waiting.insert(key);
                    }
                }
                Kind::File(size, modified) if !passed(&name) => {
                    let name = level.path(&name);
                    if name.starts_with(&self.prefix) {
                        return Ok(Some(Found { name, size, modified }));
                    }
                    if name > self.prefix {
                        // Names that start alike stand together: all that follow are beyond them.
                        self.levels.clear();
                    }
                }
                Kind::File(..) | Kind::Other => {}
            }
        }
    }
}

impl Level {
    fn new(folder: &str, after: Option<String>) -> Self {
        Self { folder: folder.into(), page: VecDeque::new(), more: true, last: None, after, waiting: BTreeSet::new() }
    }

    fn path(&self, name: &str) -> String {
        if self.folder.is_empty() { name.into() } else { format!("{}/{name}", self.folder) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A drive as a list of files; entries come two at a time.
    struct Fake(Vec<&'static str>);

    impl Fake {
        fn children(&self, folder: &str) -> BTreeMap<String, Kind> {
            let inside = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let rests = self.0.iter().filter_map(|name| name.strip_prefix(inside.as_str()));
            rests.map(|rest| rest.split_once('/').map_or((rest.into(), Kind::File(1, 2)), |(first, _)| (first.into(), Kind::Folder))).collect()
        }
    }

    impl Tree for Fake {
        type Error = ();

        fn entries(&self, folder: &str, after: Option<&str>) -> Result<(Vec<Entry>, bool), ()> {
            let mut rest: Vec<Entry> = self.children(folder).into_iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after)).collect();
            let more = rest.len() > 2;
            rest.truncate(2);
            Ok((rest, more))
        }

        fn is_folder(&self, path: &str) -> Result<bool, ()> {
            Ok(self.0.iter().any(|name| name.starts_with(&format!("{path}/"))))
        }
    }

    const FILES: [&str; 16] = ["a", "a!/y", "a!b", "a-/x", "a-/x/z", "a-b", "a.txt", "a/b", "a/b-c", "a/b/c", "b-/q/w", "b-1", "b/1", "b/2/3", "ü/ö", "ü0"];

    /// The drive holds each name once as a file or as a folder, so some of the list are left out here.
    fn drive() -> Fake {
        Fake(FILES.into_iter().filter(|name| !["a", "a-/x", "a/b"].contains(name)).collect())
    }

    fn all(drive: &Fake, prefix: &str, after: Option<&str>) -> Vec<String> {
        let mut walk = Walk::new(drive, prefix, after).unwrap();
        std::iter::from_fn(|| walk.next(drive).unwrap()).map(|found| found.name).collect()
    }

    #[test]
    fn names_come_in_byte_order_of_the_whole_name() {
        let drive = drive();
        let mut expected = drive.0.clone();
        expected.sort_unstable();
        assert_eq!(all(&drive, "", None), expected);
    }

    #[test]
    fn a_walk_goes_on_after_any_name_whether_it_is_there_or_not() {
        let drive = drive();
        let mut sorted = drive.0.clone();
        sorted.sort_unstable();
        let strangers = ["", "0", "a", "a!", "a-", "a-/", "a/", "a/b/", "a/b/z", "b", "b/2", "b/2/", "x/y/z", "ü", "ü/", "zz"];
        for after in FILES.iter().chain(&strangers) {
            let expected: Vec<&str> = sorted.iter().copied().filter(|name| name > after).collect();
            assert_eq!(all(&drive, "", Some(after)), expected, "after {after:?}");
        }
    }

    #[test]
    fn a_prefix_leaves_out_everything_else() {
        let drive = drive();
        let mut sorted = drive.0.clone();
        sorted.sort_unstable();
        for prefix in ["a", "a-", "a/", "a/b", "b/2/3", "c", "ü", "b-/q"] {
            for after in [None, Some("a-b"), Some("b-1")] {
                let expected: Vec<&str> = sorted.iter().copied().filter(|name| name.starts_with(prefix) && after.is_none_or(|after| *name > after)).collect();
                assert_eq!(all(&drive, prefix, after), expected, "prefix {prefix:?} after {after:?}");
            }
        }
    }

    #[test]
    fn an_empty_drive_has_no_files() {
        assert!(all(&Fake(Vec::new()), "", None).is_empty());
    }
}
