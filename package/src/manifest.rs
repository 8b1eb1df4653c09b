//! The manifest of a package: who it is, which components it has, which processes are started from them and what these ask for.
//!
//! There are two kinds of type here. What stands in `package.toml` is `written`, private to this crate: it has the file's shape and nothing is filled in. A [`Manifest`] is what that
//! means: every name is a valid name, every process's component and drives exist, every default is filled in. A `Manifest` is made by [`Manifest::parse`] only, so whoever holds
//! one need not check anything again. Whether a component's file exists is [`crate::Package`]'s to say. docs/package-manifest.md is the reference for those who write manifests.
//!
//! What a manifest asks for is a wish: the node's owner decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::names::{NameError, PackageName, ProcessName};

mod ask;
mod resolve;
pub(crate) mod written;

pub use ask::{Ask, AskError};
use written::Written;

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
    /// Two processes, or a process and a script, have one name.
    #[error("two processes or scripts are named '{0}'")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The most bytes that a drive in memory holds. None: it is a folder, and holds as many as its disk.
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

/// What runs once, when the node's owner says so: it gets one request, whose body is a JSON array of the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// The name of its component: a key of [`Manifest::components`].
    pub component: String,
    /// For people; may be empty.
    pub description: String,
    /// What it asks for.
    pub capabilities: Capabilities,
    /// The most memory that it may use, in bytes.
    pub memory_limit: u64,
}

/// Another package that this one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dependency {
    /// Which versions of it will do.
    pub version: semver::VersionReq,
    /// The digest of the only one that will do, in hexadecimal.
    pub digest: Option<String>,
}

/// What makes a component out of its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// cargo-component.
    Cargo,
    /// componentize-py.
    Python,
    /// componentize-js.
    Javascript,
}

/// How a component is made, for `transship package build`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// With what.
    pub tool: Tool,
    /// Where its sources are, relative to the package's folder.
    #[serde(default = "here")]
    pub folder: String,
    /// The crate (none: the file's name without its ending), the Python module (none: `app`), or the JavaScript file (none: `app.js`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The world in `FOLDER/wit`, for Python and JavaScript. None: the only one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
}

fn here() -> String {
    ".".into()
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
    /// What can be run once, by name.
    pub scripts: BTreeMap<String, Script>,
    /// The file of the component that others may compose in. It is none of [`Manifest::components`].
    pub api: Option<String>,
    /// The packages that it needs.
    pub dependencies: BTreeMap<PackageName, Dependency>,
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
        resolve::bounded("the manifest", "bytes", text.len(), MAX_MANIFEST)?;
        Written::parse(text)
    }

    pub(crate) fn resolve(written: &Written) -> Result<Self, ManifestError> {
        resolve::manifest(written)
    }

    /// The names of the component files, each once.
    pub fn files(&self) -> BTreeSet<&str> {
        self.components.values().chain(&self.api).map(String::as_str).collect()
    }

    /// All that its processes and scripts ask for, each with the name of the one that asks.
    pub fn asks(&self) -> BTreeMap<String, BTreeSet<Ask>> {
        let processes = self.processes.iter().map(|process| (process.name.clone(), process.capabilities.asks()));
        let scripts = self.scripts.iter().map(|(name, script)| (name.clone(), script.capabilities.asks()));
        processes.chain(scripts).collect()
    }
}

#[cfg(test)]
mod tests;
