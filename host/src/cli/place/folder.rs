//! Folders of this machine that a tree goes to or comes from.
//!
//! Which folder is meant follows what `cp -r` does with the names of folders, and a `/` at the end of the source means what is in it. One thing differs: `get -r NODE:NAME DEST` makes DEST
//! if it is not there, and the same command once more means DEST again and not a folder in it. Otherwise nothing that was interrupted could be gone on with by the same command. What a
//! folder was made for is kept as an extended attribute of it, where the file system has these.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::{Remote, existing_folder, utf8_name};
use crate::cli::error::{CliError, Kind};
use crate::cli::text::plain;

/// `NODE:NAME` that a folder was made for.
const MADE_FOR: &str = "user.transship.made-for";
/// What is longer was not kept.
const LONGEST: usize = 4096;

impl Remote {
    /// Whether what is in the folder is meant, without the folder itself.
    fn means_contents(&self) -> bool {
        self.name.is_empty() || self.name.ends_with('/')
    }

    /// The path of the folder there; empty for all of the drive.
    pub(crate) fn folder(&self) -> &str {
        self.name.trim_end_matches('/')
    }
}

/// Where a tree of another node goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TargetFolder {
    /// Absolute.
    pub(crate) path: PathBuf,
    /// As the person would write it.
    pub(crate) shown: PathBuf,
    /// To be kept with it, if it is not there yet.
    made_for: Option<String>,
}

impl TargetFolder {
    /// `typed` is the folder to put it in, or the folder itself if that is not there or what is meant is what is in the `source`.
    pub(crate) fn resolve(typed: &Path, source: &Remote) -> Result<Self, CliError> {
        if typed.as_os_str() == "-" {
            return Err(CliError::usage("a folder can't go to standard output").hint("name a folder as DEST"));
        }
        let made_for = format!("{}:{}", source.node, source.folder());
        let name =
            if source.means_contents() { None } else { Some(Remote { node: source.node.clone(), name: source.folder().into() }.file_name()?.to_owned()) };
        let shown = match name {
            Some(name) if typed.is_dir() && !was_made_for(typed, &made_for) => typed.strip_prefix(".").unwrap_or(typed).join(name),
            _ => typed.to_owned(),
        };
        match fs::metadata(&shown) {
            Ok(metadata) if metadata.is_dir() => Ok(Self { path: existing_folder(&shown)?, shown, made_for: None }),
            Ok(_) => Err(not_a_folder(&format!("'{}' is not a folder", shown.display())).hint("give another name as DEST, or leave out -r to move a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = shown.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                // A name that the person did not type does not end in "..", and one that was typed and is not there does not either.
                let path = existing_folder(parent)?.join(shown.file_name().unwrap_or_default());
                Ok(Self { path, shown, made_for: Some(made_for) })
            }
            Err(error) => Err(CliError::io(&shown, &error)),
        }
    }

    /// Makes it, if it is not there.
    pub(crate) fn make(&mut self) -> Result<(), CliError> {
        let Some(made_for) = &self.made_for else { return Ok(()) };
        match fs::create_dir(&self.path) {
            // Without it, the same command once more puts a folder into this one, as `cp -r` does.
            Ok(()) => drop(setxattr(&self.path, MADE_FOR, made_for.as_bytes(), XattrFlags::CREATE)),
            // Another command has made it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.path.is_dir() => self.made_for = None,
            Err(error) => return Err(CliError::io(&self.shown, &error)),
        }
        Ok(())
    }

    /// Removes it, if it was made here and nothing has come into it.
    pub(crate) fn unmake(&self) {
        if self.made_for.is_some() {
            // Something may have come.
            drop(fs::remove_dir(&self.path));
        }
    }
}

/// Whether a folder was made for what this names.
fn was_made_for(folder: &Path, source: &str) -> bool {
    let mut value = [0; LONGEST];
    getxattr(folder, MADE_FOR, &mut value).is_ok_and(|length| value.get(..length) == Some(source.as_bytes()))
}

/// Where a tree comes from that goes to another node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceFolder {
    /// Absolute.
    pub(crate) path: PathBuf,
    /// What it is called. None: what is in it is meant, without the folder itself.
    name: Option<String>,
}

impl SourceFolder {
    /// `typed` is a folder, or with a `/` at its end what is in one.
    pub(crate) fn resolve(typed: &Path) -> Result<Self, CliError> {
        if typed.as_os_str() == "-" {
            return Err(CliError::usage("standard input is no folder").hint("leave out -r, or write ./- for a folder of that name"));
        }
        let metadata = fs::metadata(typed).map_err(|error| CliError::io(typed, &error))?;
        if !metadata.is_dir() {
            return Err(not_a_folder(&format!("'{}' is not a folder", typed.display())).hint("leave out -r to send a file"));
        }
        let bytes = typed.as_os_str().as_encoded_bytes();
        let contents = typed.file_name().is_none() || bytes.ends_with(b"/") || bytes.ends_with(b"/.");
        let name = if contents { None } else { Some(utf8_name(typed)?) };
        Ok(Self { path: existing_folder(typed)?, name })
    }

    /// The folder at the receiver; empty for all of its drive.
    pub(crate) fn name_at(&self, target: &Remote) -> String {
        match &self.name {
            // Also if it is written as "/".
            Some(name) if target.folder().is_empty() => name.clone(),
            Some(name) => target.name_for(name),
            None => target.folder().to_owned(),
        }
    }
}

/// A file, or something else, where a folder is needed.
pub(crate) fn not_a_folder(message: &str) -> CliError {
    CliError::named(Kind::Other, "not-a-folder", plain(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Remote {
        text.parse().unwrap()
    }

    /// Where a tree goes, relative to `folder`; and whether it is to be made.
    fn target(folder: &Path, typed: &str, source: &str) -> (String, bool) {
        let target = TargetFolder::resolve(&folder.join(typed), &remote(source)).unwrap();
        (target.path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), target.made_for.is_some())
    }

    #[test]
    fn a_tree_goes_into_a_folder_that_is_there_or_becomes_the_one_that_is_not() {
        let outer = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(outer.path()).unwrap();
        fs::create_dir_all(folder.join("there/photos")).unwrap();
        for (typed, source, expected) in [
            ("there", "bob:photos", ("there/photos", false)),
            ("there", "bob:a/other", ("there/other", true)),
            ("there/", "bob:a/other", ("there/other", true)),
            ("new", "bob:photos", ("new", true)),
            ("new/", "bob:photos", ("new", true)),
            ("there", "bob:photos/", ("there", false)),
            ("new", "bob:photos/", ("new", true)),
            ("there", "bob:", ("there", false)),
            ("new", "bob:/", ("new", true)),
        ] {
            assert_eq!(target(&folder, typed, source), (expected.0.to_owned(), expected.1), "{source} {typed}");
        }
        assert_eq!(TargetFolder::resolve(Path::new("."), &remote("bob:photos")).unwrap().shown, Path::new("photos"));
    }

    #[test]
    fn what_can_not_be_a_target_is_said_and_nothing_is_made() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("photos"), "").unwrap();
        let refused = |typed: &Path, source: &str| TargetFolder::resolve(typed, &remote(source)).unwrap_err();
        assert_eq!(refused(Path::new("-"), "bob:photos").kind, Kind::Usage);
        assert_eq!(refused(outer.path(), "bob:photos").name, "not-a-folder");
        assert_eq!(refused(&outer.path().join("photos"), "bob:x/").name, "not-a-folder");
        let missing = refused(&outer.path().join("missing/new"), "bob:x");
        assert_eq!((missing.kind, missing.hint.unwrap().contains("mkdir -p")), (Kind::NotFound, true));
        assert_eq!(refused(outer.path(), "bob:..").name, "invalid-name");
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_same_command_means_the_same_folder_again() {
        let outer = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(outer.path()).unwrap();
        let make = |source: &str| {
            let mut target = TargetFolder::resolve(&folder.join("new"), &remote(source)).unwrap();
            target.make().unwrap();
            target
        };
        let made = make("bob:photos");
        if setxattr(&folder, MADE_FOR, b"x", XattrFlags::empty()).is_ok() {
            assert_eq!(target(&folder, "new", "bob:photos"), ("new".into(), false));
        }
        assert_eq!(target(&folder, "new", "carol:photos"), ("new/photos".into(), true), "another's is not the same");
        made.unmake();
        assert!(!folder.join("new").exists());
        let made = make("bob:photos");
        fs::write(folder.join("new/file"), "").unwrap();
        made.unmake();
        assert!(folder.join("new/file").exists());
    }

    #[test]
    fn a_source_is_a_folder_or_what_is_in_it() {
        let outer = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(outer.path()).unwrap().join("photos");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        std::os::unix::fs::symlink("photos", outer.path().join("link")).unwrap();
        let name_at = |typed: &str, target: &str| {
            let source = SourceFolder::resolve(&outer.path().join(typed)).unwrap();
            assert_eq!(source.path, folder, "{typed}");
            source.name_at(&remote(target))
        };
        for (typed, target, expected) in [
            ("photos", "bob:", "photos"),
            ("photos", "bob:/", "photos"),
            ("photos", "bob:x/", "x/photos"),
            ("photos", "bob:x", "x"),
            ("photos/", "bob:x", "x"),
            ("photos/", "bob:x/", "x"),
            ("photos/.", "bob:", ""),
            ("photos/", "bob:/", ""),
            ("link", "bob:", "link"),
        ] {
            assert_eq!(name_at(typed, target), expected, "{typed} {target}");
        }
        assert_eq!(SourceFolder::resolve(Path::new("..")).unwrap().name, None);
        assert_eq!(SourceFolder::resolve(&folder.join("file")).unwrap_err().name, "not-a-folder");
        assert_eq!(SourceFolder::resolve(&folder.join("missing")).unwrap_err().kind, Kind::NotFound);
        assert_eq!(SourceFolder::resolve(Path::new("-")).unwrap_err().kind, Kind::Usage);
    }
}
