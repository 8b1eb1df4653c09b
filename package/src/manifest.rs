//! The manifest of a package: who it is, which components it has, which processes are started from them and what these ask for.
//!
//! There are two kinds of type here. What stands in `package.toml` is `written`, private to this crate: it has the file's shape and nothing is filled in. A [`Manifest`] is what that
//! means: every name is a valid name, every process's component and drives exist, every default is filled in. A `Manifest` is made by [`Manifest::parse`] only, so whoever holds
//! one need not check anything again. Whether a component's file exists is [`crate::Package`]'s to say. docs/package-manifest.md is the reference for those who write manifests.
//!
//! What a manifest asks for is a wish: the node's owner decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::names::{NameError, ProcessName, check_file_name, check_name};

pub(crate) mod written;
use written::{Written, WrittenDrive, WrittenProcess, nearest};

/// The name of the manifest in a package.
pub const FILE_NAME: &str = "package.toml";
/// The most bytes in a manifest.
pub const MAX_MANIFEST: usize = 256 << 10;
/// The most components, drives and processes that one manifest names, of each.
pub const MAX_ENTRIES: usize = 64;
/// How much a drive in memory holds if the manifest doesn't say.
pub const DEFAULT_MEMORY_QUOTA: u64 = 256 << 20;
/// How much memory a process may use if the manifest doesn't say.
pub const DEFAULT_MEMORY_LIMIT: u64 = 64 << 20;
/// The least memory limit: one page of a WebAssembly memory.
const MIN_MEMORY_LIMIT: u64 = 64 << 10;
/// The greatest: what a 32-bit memory can have.
const MAX_MEMORY_LIMIT: u64 = 4 << 30;
/// The greatest quota: far beyond any disk, and still exact in every format that a manifest may be written in.
const MAX_QUOTA: u64 = 1 << 53;

/// Why a text is not a manifest. `at` is the place in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, a key that there isn't, or a value of the wrong kind. The text shows the place.
    #[error("{0}")]
    Unreadable(String),
    /// Something's name is not a name.
    #[error("{at}: {source}")]
    Name {
        /// Where.
        at: String,
        /// Why.
        #[source]
        source: NameError,
    },
    /// Something is named that the manifest doesn't declare.
    #[error("{at}: there is no {kind} '{name}'; {known}")]
    Unknown {
        /// Where.
        at: String,
        /// What it should have been: a drive, a component.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest known one, or all.
        known: String,
    },
    /// Two processes have one name.
    #[error("two processes are named '{0}'")]
    Twice(String),
    /// A number or a count out of its bounds.
    #[error("{at}: {problem}")]
    Limit {
        /// Where.
        at: String,
        /// What is wrong, and the bounds.
        problem: String,
    },
}

/// Where a drive's files are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriveKind {
    /// In a folder of the node's home.
    #[default]
    Folder,
    /// In the node's memory, gone when it ends.
    Memory,
}

/// What happens when a process ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExit {
    /// Nothing.
    #[default]
    None,
    /// It is started again.
    Restart,
}

/// One thing that may be done with a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// See names, sizes and times.
    List,
    /// Read contents.
    Read,
    /// Create, change, rename and remove.
    Write,
}

/// What may be done with a drive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// See names, sizes and times.
    pub list: bool,
    /// Read contents.
    pub read: bool,
    /// Create, change, rename and remove.
    pub write: bool,
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        let mut all = Self::default();
        for right in rights {
            match right {
                Right::List => all.list = true,
                Right::Read => all.read = true,
                Right::Write => all.write = true,
            }
        }
        all
    }
}

/// A drive of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drive {
    /// Where its files are.
    pub kind: DriveKind,
    /// The most bytes that it holds. None: as many as the disk; a drive in memory always has a quota.
    pub quota: Option<u64>,
}

/// What a process asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// To exchange messages with other nodes.
    pub network: bool,
    /// To start processes.
    pub spawning: bool,
    /// Drives of this package, by their short names, and what may be done with them.
    pub drives: BTreeMap<String, Rights>,
    /// To send requests to these processes although they are not public.
    pub messaging: Vec<ProcessName>,
}

/// A process that is started when the package is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Its name.
    pub name: String,
    /// The name of its component: a key of [`Manifest::components`].
    pub component: String,
    /// What happens when it ends.
    pub on_exit: OnExit,
    /// Whether everybody may send requests to it.
    pub public: bool,
    /// What it asks for.
    pub capabilities: Capabilities,
    /// The most memory that it may use, in bytes.
    pub memory_limit: u64,
}

/// A checked manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The package's name.
    pub name: String,
    /// Who publishes it.
    pub publisher: String,
    /// Its version.
    pub version: semver::Version,
    /// For people; may be empty.
    pub description: String,
    /// Its drives by their short names.
    pub drives: BTreeMap<String, Drive>,
    /// The file of each component.
    pub components: BTreeMap<String, String>,
    /// The processes that are started, in this order.
    pub processes: Vec<Process>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`ManifestError`], with the place and what to write there.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        Self::resolve(&Self::read(text)?)
    }

    /// Reads without checking more than the shape.
    pub(crate) fn read(text: &str) -> Result<Written, ManifestError> {
        bounded("the manifest", "bytes", text.len(), MAX_MANIFEST)?;
        Written::parse(text)
    }

    pub(crate) fn resolve(written: &Written) -> Result<Self, ManifestError> {
        name("name", &written.name)?;
        name("publisher", &written.publisher)?;
        bounded("[components]", "components", written.components.len(), MAX_ENTRIES)?;
        bounded("[drives]", "drives", written.drives.len(), MAX_ENTRIES)?;
        bounded("[[process]]", "processes", written.process.len(), MAX_ENTRIES)?;
        if written.components.is_empty() {
            return Err(limit("[components]", "a package has at least one component"));
        }
        for (component, file) in &written.components {
            name("[components]", component)?;
            file_name(&format!("[components] {component}"), file)?;
        }
        for (component, plugs) in &written.compose {
            known("[compose]", "component", component, written.components.keys())?;
            plugs.iter().try_for_each(|plug| file_name(&format!("[compose] {component}"), plug))?;
        }
        let files: BTreeSet<&String> = written.components.values().chain(written.compose.values().flatten()).collect();
        for file in written.build.keys() {
            known("[build]", "component file", file, files.iter().copied())?;
        }
        let drives = written.drives.iter().map(|(drive, text)| Ok((drive.clone(), resolve_drive(drive, text)?))).collect::<Result<_, _>>()?;
        let processes = written.process.iter().map(|process| resolve_process(process, written)).collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeSet::new();
        if let Some(twice) = processes.iter().find(|process| !names.insert(&process.name)) {
            return Err(ManifestError::Twice(twice.name.clone()));
        }
        Ok(Self {
            name: written.name.clone(),
            publisher: written.publisher.clone(),
            version: written.version.clone(),
            description: written.description.clone(),
            drives,
            components: written.components.clone(),
            processes,
        })
    }

    /// The names of the component files, each once.
    pub fn files(&self) -> BTreeSet<&str> {
        self.components.values().map(String::as_str).collect()
    }
}

fn resolve_drive(drive: &str, written: &WrittenDrive) -> Result<Drive, ManifestError> {
    let at = format!("[drives.{drive}]");
    name(&at, drive)?;
    if written.quota.is_some_and(|quota| quota == 0 || quota > MAX_QUOTA) {
        return Err(limit(&at, &format!("a quota is 1 to {MAX_QUOTA} bytes")));
    }
    let quota = match written.kind {
        DriveKind::Folder => written.quota,
        DriveKind::Memory => Some(written.quota.unwrap_or(DEFAULT_MEMORY_QUOTA)),
    };
    Ok(Drive { kind: written.kind, quota })
}

fn resolve_process(process: &WrittenProcess, written: &Written) -> Result<Process, ManifestError> {
    name("[[process]] name", &process.name)?;
    let at = format!("[[process]] {}", process.name);
    known(&at, "component", &process.component, written.components.keys())?;
    let mut drives = BTreeMap::new();
    for (drive, rights) in &process.capabilities.drives {
        known(&format!("{at}, capabilities"), "drive", drive, written.drives.keys())?;
        drives.insert(drive.clone(), rights.iter().copied().collect());
    }
    let messaging = process.capabilities.messaging.iter().map(|process| process.parse::<ProcessName>());
    let messaging = messaging.collect::<Result<_, _>>().map_err(|source| ManifestError::Name { at: format!("{at}, messaging"), source })?;
    let memory_limit = process.limits.memory.unwrap_or(DEFAULT_MEMORY_LIMIT);
    if !(MIN_MEMORY_LIMIT..=MAX_MEMORY_LIMIT).contains(&memory_limit) {
        return Err(limit(&format!("{at}, limits"), &format!("memory is {MIN_MEMORY_LIMIT} to {MAX_MEMORY_LIMIT} bytes")));
    }
    Ok(Process {
        name: process.name.clone(),
        component: process.component.clone(),
        on_exit: process.on_exit,
        public: process.public,
        capabilities: Capabilities { network: process.capabilities.network, spawning: process.capabilities.spawning, drives, messaging },
        memory_limit,
    })
}

fn name(at: &str, name: &str) -> Result<(), ManifestError> {
    check_name(name).map_err(|source| ManifestError::Name { at: at.into(), source })
}

fn file_name(at: &str, name: &str) -> Result<(), ManifestError> {
    check_file_name(name).map_err(|source| ManifestError::Name { at: at.into(), source })
}

fn known<'a>(at: &str, kind: &'static str, name: &str, all: impl Iterator<Item = &'a String> + Clone) -> Result<(), ManifestError> {
    if all.clone().any(|one| one == name) {
        return Ok(());
    }
    let known = match nearest(name, all.clone().map(String::as_str)) {
        Some(word) => format!("did you mean '{word}'?"),
        None if all.clone().next().is_none() => "the manifest declares none".into(),
        None => format!("there are: {}", all.map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    Err(ManifestError::Unknown { at: at.into(), kind, name: name.into(), known })
}

fn bounded(at: &str, what: &str, count: usize, most: usize) -> Result<(), ManifestError> {
    if count > most { Err(limit(at, &format!("{count} {what}; at most {most}"))) } else { Ok(()) }
}

fn limit(at: &str, problem: &str) -> ManifestError {
    ManifestError::Limit { at: at.into(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
