//! A package in memory, and its one-file form.
//!
//! A [`Package`] that exists is whole: its manifest is checked, every component that this names is there, is a WebAssembly component and is within the bounds below, and nothing else
//! is in it. It is made from a folder ([`crate::source`]) or from the one-file form.
//!
//! The one-file form is a tar archive that `tar tf` can read. Its first entry, `transship-package`, says the version of the format and the SHA-256 of everything after it: so one
//! changed, missing or added byte is found before anything is believed. Then come `package.toml`, and the component files and (of a package with an API) the WIT text `wit/FOLDER/FILE.wit`, in the order of their names. Times, owners and modes are fixed,
//! so that equal contents give equal files. [`Package::digest`] is that SHA-256: it names the contents.
//!
//! The digest finds damage; it says nothing of who made the package.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

use crate::compose::ComposeError;
use crate::manifest::written::Written;
use crate::manifest::{FILE_NAME, MAX_MANIFEST, Manifest, ManifestError};
use crate::names::check_wit_name;
use crate::source;

/// The most bytes in one component.
pub const MAX_COMPONENT: u64 = 64 << 20;
/// The most bytes in a package.
pub const MAX_PACKAGE: u64 = 256 << 20;
/// The most bytes in one file of WIT text.
pub const MAX_WIT: u64 = 1 << 20;
/// How the files are named by convention: `NAME.transship`.
pub const EXTENSION: &str = "transship";

/// Where WIT text is in a package.
pub(crate) const WIT_FOLDER: &str = "wit/";
/// The entry that tells format and digest.
const HEAD_NAME: &str = "transship-package";
const FORMAT: &str = "transship package 1\n";
/// A tar header and one block.
const HEAD_LENGTH: usize = 1024;
/// How every component, and no other kind of module, begins.
const COMPONENT_PREAMBLE: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

/// Why something is not a package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// It could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The same with the place.
    #[error("{}: {source}", path.display())]
    At {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<PackageError>,
    },
    /// Something else altogether.
    #[error("this is not a transship package ({0})")]
    NotAPackage(&'static str),
    /// A later format.
    #[error("this package is in a format that this version does not know; install a newer transship")]
    Newer,
    /// Bytes are changed, missing or too many.
    #[error("the package is damaged ({0}); get it again")]
    Damaged(String),
    /// Its manifest is wrong.
    #[error("{FILE_NAME}: {0}")]
    Manifest(#[from] ManifestError),
    /// A file that the manifest names isn't there.
    #[error("there is no file '{file}', which {FILE_NAME} names{looked}")]
    MissingFile {
        /// The file.
        file: String,
        /// Where it was looked for; may be empty.
        looked: String,
    },
    /// A file is there that the manifest doesn't name.
    #[error("'{0}' is in the package, but {FILE_NAME} does not name it")]
    UnexpectedFile(String),
    /// A file is no component.
    #[error(
        "'{file}' is {found}, not a WebAssembly component: build it with `cargo component build`, or make a component of it with `wasm-tools component new`"
    )]
    NotAComponent {
        /// The file.
        file: String,
        /// What it seems to be.
        found: &'static str,
    },
    /// WIT text that is none, or stands where it can't.
    #[error("{0}")]
    Wit(String),
    /// Too large.
    #[error("{what} has {length} bytes; at most {most}")]
    TooLarge {
        /// What.
        what: String,
        /// Its bytes.
        length: u64,
        /// The most.
        most: u64,
    },
    /// Components that should fit together don't.
    #[error("component '{component}' can't be composed: {source}")]
    Compose {
        /// Which.
        component: String,
        /// Why.
        #[source]
        source: ComposeError,
    },
}

impl PackageError {
    fn at(self, path: &Path) -> Self {
        match self {
            Self::Io { .. } | Self::At { .. } => self,
            other => Self::At { path: path.into(), source: Box::new(other) },
        }
    }
}

/// A package, whole and checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    manifest: Manifest,
    /// What comes after the head in the one-file form. `files` are ranges of it.
    content: Vec<u8>,
    files: BTreeMap<String, std::ops::Range<usize>>,
    digest: String,
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package").field("name", &self.manifest.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Package {
    /// Puts a package together. The manifest is written anew, without what only its builder needs.
    pub(crate) fn assemble(manifest: &Written, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, PackageError> {
        let text = manifest.as_shipped().to_text()?;
        let total = files.values().map(|bytes| bytes.len() as u64 + 1024).sum::<u64>();
        if total > MAX_PACKAGE {
            return Err(PackageError::TooLarge { what: "the package".into(), length: total, most: MAX_PACKAGE });
        }
        let mut content = tar::Builder::new(Vec::new());
        append(&mut content, FILE_NAME, text.as_bytes())
            .and_then(|()| files.iter().try_for_each(|(name, bytes)| append(&mut content, name, bytes)))
            .map_err(in_memory)?;
        Self::from_content(content.into_inner().map_err(in_memory)?)
    }

    /// Reads the one-file form.
    ///
    /// # Errors
    /// [`PackageError`], if a byte of it is not as it was, or if it names things that it doesn't hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackageError> {
        bounded("the package", bytes.len() as u64, MAX_PACKAGE)?;
        if bytes.is_empty() {
            return Err(PackageError::NotAPackage("it is empty"));
        }
        if !bytes.starts_with(HEAD_NAME.as_bytes()) {
            return Err(PackageError::NotAPackage("it does not begin as one"));
        }
        let Some((head, content)) = bytes.split_at_checked(HEAD_LENGTH) else {
            return Err(PackageError::Damaged("it ends within its head".into()));
        };
        let package_digest = HEXLOWER.encode(digest(&SHA256, content).as_ref());
        if head != make_head(&package_digest)? {
            let (_, text) = head.split_at(HEAD_LENGTH / 2);
            let format_known = text.starts_with(FORMAT.as_bytes());
            let format_plausible = text.starts_with(b"transship package ");
            return Err(if !format_known && format_plausible {
                PackageError::Newer
            } else {
                PackageError::Damaged("its digest is not that of its contents".into())
            });
        }
        Self::from_content(content.to_vec())
    }

    fn from_content(content: Vec<u8>) -> Result<Self, PackageError> {
        let mut manifest = None;
        let mut files = BTreeMap::new();
        // Raw: extensions of the tar format (long names, sparse files) are not resolved but refused, as kinds of entries that a package doesn't have.
        for entry in tar::Archive::new(content.as_slice()).entries().map_err(damaged)?.raw(true) {
            let entry = entry.map_err(damaged)?;
            let name =
                std::str::from_utf8(&entry.path_bytes()).map_err(|_| PackageError::UnexpectedFile("a file with a name that is not text".into()))?.to_owned();
            if entry.header().entry_type() != tar::EntryType::Regular {
                return Err(PackageError::UnexpectedFile(name));
            }
            let range = range(&content, entry.raw_file_position(), entry.size())?;
            if manifest.is_none() {
                if name != FILE_NAME {
                    return Err(PackageError::UnexpectedFile(name));
                }
                bounded(FILE_NAME, entry.size(), MAX_MANIFEST as u64)?;
                let text =
                    std::str::from_utf8(content.get(range).unwrap_or_default()).map_err(|_| PackageError::Damaged(format!("{FILE_NAME} is not text")))?;
                manifest = Some(Manifest::parse(text)?);
                continue;
            }
            if files.insert(name.clone(), range).is_some() {
                return Err(PackageError::UnexpectedFile(name));
            }
        }
        let manifest = manifest.ok_or_else(|| PackageError::MissingFile { file: FILE_NAME.into(), looked: String::new() })?;
        let named = manifest.files();
        if let Some(missing) = named.iter().find(|name| !files.contains_key(**name)) {
            return Err(PackageError::MissingFile { file: (*missing).into(), looked: String::new() });
        }
        for (name, range) in &files {
            let bytes = content.get(range.clone()).unwrap_or_default();
            if named.contains(name.as_str()) {
                check_component(name, bytes)?;
            } else if manifest.api.is_some() && name.starts_with(WIT_FOLDER) {
                check_wit(name, bytes)?;
            } else {
                return Err(PackageError::UnexpectedFile(name.clone()));
            }
        }
        let digest = HEXLOWER.encode(digest(&SHA256, &content).as_ref());
        Ok(Self { manifest, content, files, digest })
    }

    /// The one-file form: equal packages give equal bytes.
    ///
    /// # Errors
    /// None that depends on the package; [`PackageError::Io`] if memory can't be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackageError> {
        let mut bytes = make_head(&self.digest)?;
        bytes.extend_from_slice(&self.content);
        Ok(bytes)
    }

    /// Reads a package: the one-file form, or a folder with a `package.toml` and what it names.
    ///
    /// # Errors
    /// [`PackageError`], with the path.
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let io = |source| PackageError::Io { path: path.into(), source };
        if fs::metadata(path).map_err(io)?.is_dir() {
            return source::load(path, &[]);
        }
        Self::from_bytes(&read_bounded(path, MAX_PACKAGE)?).map_err(|error| error.at(path))
    }

    /// Writes the one-file form: the file is there completely or not at all.
    ///
    /// # Errors
    /// [`PackageError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), PackageError> {
        let io = |source| PackageError::Io { path: path.into(), source };
        let name = path.file_name().ok_or_else(|| io(io::ErrorKind::InvalidInput.into()))?.to_string_lossy();
        let unfinished = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let written = fs::write(&unfinished, self.to_bytes()?).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // The first error is the one to tell; a file that was never made can't be removed.
            let _ = fs::remove_file(&unfinished);
        }
        written.map_err(io)
    }

    /// What the package is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The SHA-256 of the contents, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The bytes of a component, if the manifest has one of this name.
    pub fn component(&self, name: &str) -> Option<&[u8]> {
        self.file(self.manifest.components.get(name)?)
    }

    /// All components: name and bytes.
    pub fn components(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.manifest.components.iter().filter_map(|(name, file)| Some((name.as_str(), self.file(file)?)))
    }

    /// The component that others may compose in, if the package has one.
    pub fn api(&self) -> Option<&[u8]> {
        self.file(self.manifest.api.as_deref()?)
    }

    /// The WIT text that describes its API: `FOLDER/FILE.wit` and the text.
    pub fn wit(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.files.iter().filter_map(|(name, range)| Some((name.strip_prefix(WIT_FOLDER)?, self.content.get(range.clone())?)));
        texts.filter_map(|(name, bytes)| Some((name, std::str::from_utf8(bytes).ok()?)))
    }

    fn file(&self, name: &str) -> Option<&[u8]> {
        self.content.get(self.files.get(name)?.clone())
    }
}

pub(crate) fn check_component(name: &str, bytes: &[u8]) -> Result<(), PackageError> {
    bounded(&format!("'{name}'"), bytes.len() as u64, MAX_COMPONENT)?;
    if bytes.starts_with(&COMPONENT_PREAMBLE) {
        return Ok(());
    }
    let found = if bytes.is_empty() {
        "empty"
    } else if bytes.starts_with(b"\0asm") {
        "a core module"
    } else {
        "something else"
    };
    Err(PackageError::NotAComponent { file: name.into(), found })
}

/// Checks WIT text and its name, `wit/FOLDER/FILE.wit`.
pub(crate) fn check_wit(name: &str, bytes: &[u8]) -> Result<(), PackageError> {
    bounded(&format!("'{name}'"), bytes.len() as u64, MAX_WIT)?;
    let parts = name.strip_prefix(WIT_FOLDER).and_then(|rest| rest.split_once('/'));
    let (folder, file) = parts.ok_or_else(|| PackageError::UnexpectedFile(name.into()))?;
    check_wit_name(folder, false).and_then(|()| check_wit_name(file, true)).map_err(|error| PackageError::Wit(error.to_string()))?;
    std::str::from_utf8(bytes).map(drop).map_err(|_| PackageError::Wit(format!("'{name}' is not text in UTF-8")))
}

/// Reads a file, and no more of it than may be.
pub(crate) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, PackageError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    let read = read.map_err(|source| PackageError::Io { path: path.into(), source })?;
    bounded("the file", read as u64, most).map_err(|error| error.at(path))?;
    Ok(bytes)
}

fn bounded(what: &str, length: u64, most: u64) -> Result<(), PackageError> {
    if length > most { Err(PackageError::TooLarge { what: what.into(), length, most }) } else { Ok(()) }
}

fn range(content: &[u8], start: u64, length: u64) -> Result<std::ops::Range<usize>, PackageError> {
    let end = start.checked_add(length).filter(|end| *end <= content.len() as u64);
    match (usize::try_from(start), end.map(usize::try_from)) {
        (Ok(start), Some(Ok(end))) => Ok(start..end),
        _ => Err(PackageError::Damaged("a file in it ends after the package".into())),
    }
}

fn make_head(digest: &str) -> Result<Vec<u8>, PackageError> {
    let mut head = tar::Builder::new(Vec::new());
    append(&mut head, HEAD_NAME, format!("{FORMAT}sha256 {digest}\n").as_bytes()).map_err(in_memory)?;
    let mut head = head.into_inner().map_err(in_memory)?;
    // Without the two empty blocks that end an archive: it goes on.
    head.truncate(HEAD_LENGTH);
    Ok(head)
}

fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    archive.append(&header, bytes)
}

fn in_memory(source: io::Error) -> PackageError {
    PackageError::Io { path: "memory".into(), source }
}

fn damaged(source: io::Error) -> PackageError {
    PackageError::Damaged(source.to_string())
}

#[cfg(test)]
mod tests;
