//! Where files are: `NODE:NAME` on a node, and paths on this machine.

pub(crate) mod folder;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use transship::message::check_name_part;

use super::error::{CliError, Kind};
use super::text::quoted;
use super::wire::TransferError;

/// `NODE:NAME` as typed. The name may be empty; whether it is one is for the node to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) node: String,
    pub(crate) name: String,
}

impl FromStr for Remote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Names may hold colons, the names of nodes can't.
        let (node, name) = text.split_once(':').ok_or_else(|| format!("write NODE:NAME, as in bob:report.pdf ('{text}' has no ':')"))?;
        check_name_part(node).map_err(|error| format!("the node: {error}"))?;
        Ok(Self { node: node.into(), name: name.into() })
    }
}

impl Remote {
    /// The last part of the name: what the file is called when it stands alone.
    pub(crate) fn file_name(&self) -> Result<&str, CliError> {
        let name = self.name.rsplit('/').next().unwrap_or_default();
        match name {
            "" => {
                let text = if self.name.is_empty() { "no file is named".to_owned() } else { format!("'{}' ends without the name of a file", self.name) };
                Err(invalid_name(text, &self.node).hint(format!("write {}:NAME, as in {0}:report.pdf; `transship list {0}` shows what there is", self.node)))
            }
            "." | ".." => Err(invalid_name(format!("'{}' leads out of the drive or nowhere", self.name), &self.node)),
            name => Ok(name),
        }
    }

    /// The name at the receiver for a file that is called `local` here: as typed, or in the folder typed, or the same.
    pub(crate) fn name_for(&self, local: &str) -> String {
        if self.name.is_empty() || self.name.ends_with('/') { format!("{}{local}", self.name) } else { self.name.clone() }
    }
}

fn invalid_name(text: String, node: &str) -> CliError {
    CliError::transfer(&TransferError::InvalidName(text), node)
}

/// A file of this machine that need not exist, in a folder that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalFile {
    /// Absolute.
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
}

/// Where what comes goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    File(LocalFile),
}

impl Destination {
    /// `typed` is `-`, a folder, or the path of a file; in a folder the file gets the `usual` name.
    pub(crate) fn resolve(typed: &Path, usual: &str) -> Result<Self, CliError> {
        if typed.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        // "x/" and "x/." are folders also if they are not there, and a typing error must not become a file.
        let ends_as_folder = typed.as_os_str().as_encoded_bytes().ends_with(b"/") || typed.file_name().is_none();
        let file = if typed.is_dir() || ends_as_folder {
            LocalFile { folder: existing_folder(typed)?, name: usual.into() }
        } else {
            let folder = typed.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            LocalFile { folder: existing_folder(folder)?, name: utf8_name(typed)? }
        };
        // How long a name may be is for the system to say; whether something has it, for the transfer.
        match fs::symlink_metadata(file.folder.join(&file.name)) {
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => Err(CliError::transfer(&TransferError::NameTooLong(file.name), "this node")),
            _ => Ok(Self::File(file)),
        }
    }
}

fn existing_folder(path: &Path) -> Result<PathBuf, CliError> {
    let folder = fs::canonicalize(path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let error = CliError::io(path, &error);
        if missing { error.hint(format!("make the folder first: mkdir -p {}", quoted(path))) } else { error }
    })?;
    if folder.is_dir() { Ok(folder) } else { Err(CliError::new(Kind::NotFound, format!("{} is not a folder", path.display()))) }
}

fn utf8_name(path: &Path) -> Result<String, CliError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| CliError::usage(format!("the name of {} is not UTF-8, and can't be sent", path.display())))
}

/// Where what goes comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    /// The file, and the name it was typed with, which differs if that is a link.
    File(LocalFile, String),
}

impl Source {
    /// `typed` is `-` or the path of a file, which must be a regular one that can be read.
    pub(crate) fn resolve(typed: &Path) -> Result<Self, CliError> {
        if typed.as_os_str() == "-" {
            return Ok(Self::Stdin);
        }
        // The person who types a link means the file: it is followed here, where the person's own rights hold, and nowhere later.
        let path = fs::canonicalize(typed).map_err(|error| CliError::io(typed, &error))?;
        let metadata = fs::metadata(&path).map_err(|error| CliError::io(typed, &error))?;
        if !metadata.is_file() {
            return Err(CliError::transfer(&TransferError::NotAFile(typed.display().to_string()), "this node"));
        }
        fs::File::open(&path).map_err(|error| CliError::io(typed, &error))?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        Ok(Self::File(LocalFile { folder, name: utf8_name(&path)? }, utf8_name(typed).or_else(|_| utf8_name(&path))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Remote {
        text.parse().unwrap()
    }

    #[test]
    fn a_remote_name_is_split_at_the_first_colon() {
        assert_eq!(remote("bob:a:b/c d;é"), Remote { node: "bob".into(), name: "a:b/c d;é".into() });
        assert_eq!(remote("bob:"), Remote { node: "bob".into(), name: String::new() });
        for text in ["bob", "", ":x", "Bob:x", "../bob:x", "b b:x"] {
            assert!(text.parse::<Remote>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_file_name_is_the_last_part_and_never_a_way_out() {
        assert_eq!(remote("bob:a/b/c.txt").file_name().unwrap(), "c.txt");
        for text in ["bob:", "bob:a/", "bob:..", "bob:a/..", "bob:."] {
            let error = remote(text).file_name().unwrap_err();
            assert_eq!((error.kind, error.name), (Kind::Usage, "invalid-name"), "{text}");
        }
    }

    #[test]
    fn a_file_keeps_its_name_unless_it_is_given_another() {
        assert_eq!(remote("bob:").name_for("x.txt"), "x.txt");
        assert_eq!(remote("bob:in/").name_for("x.txt"), "in/x.txt");
        assert_eq!(remote("bob:in/y").name_for("x.txt"), "in/y");
    }

    #[test]
    fn a_destination_is_a_folder_a_file_or_standard_output() {
        let outer = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(outer.path()).unwrap();
        let file = |folder: &Path, name: &str| Destination::File(LocalFile { folder: folder.into(), name: name.into() });
        assert_eq!(Destination::resolve(Path::new("-"), "x").unwrap(), Destination::Stdout);
        assert_eq!(Destination::resolve(&folder, "x").unwrap(), file(&folder, "x"));
        assert_eq!(Destination::resolve(&folder.join("new"), "x").unwrap(), file(&folder, "new"));
        fs::write(folder.join("old"), "").unwrap();
        assert_eq!(Destination::resolve(&folder.join("old"), "x").unwrap(), file(&folder, "old"));
        let here = fs::canonicalize(".").unwrap();
        assert_eq!(Destination::resolve(Path::new("."), "x").unwrap(), file(&here, "x"));
        assert_eq!(Destination::resolve(Path::new("./-"), "x").unwrap(), file(&here, "-"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_and_not_made() {
        let outer = tempfile::tempdir().unwrap();
        for path in [outer.path().join("missing/"), outer.path().join("missing/file")] {
            let typed = PathBuf::from(format!("{}/", path.display()));
            assert_eq!(Destination::resolve(&typed, "x").unwrap_err().kind, Kind::NotFound);
        }
        let error = Destination::resolve(&outer.path().join("missing/file"), "x").unwrap_err();
        assert!(error.hint.unwrap().contains("mkdir -p"));
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_that_the_system_does_not_take_is_said_to_be_too_long() {
        let outer = tempfile::tempdir().unwrap();
        assert!(Destination::resolve(&outer.path().join("n".repeat(255)), "x").is_ok());
        for error in [Destination::resolve(&outer.path().join("n".repeat(256)), "x"), Destination::resolve(outer.path(), &"n".repeat(256))] {
            assert_eq!(error.unwrap_err().name, "name-too-long");
        }
    }

    #[test]
    fn a_source_is_a_regular_file_that_is_there_through_a_link_or_not() {
        let outer = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(outer.path()).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        std::os::unix::fs::symlink("file", folder.join("link")).unwrap();
        let file = LocalFile { folder: folder.clone(), name: "file".into() };
        assert_eq!(Source::resolve(&folder.join("file")).unwrap(), Source::File(file.clone(), "file".into()));
        assert_eq!(Source::resolve(&folder.join("link")).unwrap(), Source::File(file, "link".into()));
        assert_eq!(Source::resolve(&folder.join("missing")).unwrap_err().kind, Kind::NotFound);
        assert_eq!(Source::resolve(&folder).unwrap_err().name, "not-a-file");
    }
}
