//! What the node's owner granted to packages, and which of them are to stay stopped: the file `HOME/grants.toml`.
//!
//! ```toml
//! ["chat:ann"]
//! stopped = true                                    # left out: it runs with the node
//! processes.main = ["network", "drives.files=read"]  # of each process or script; see transship_package::manifest::Ask
//! ```
//!
//! What always holds: a package without an entry is granted nothing; what its manifest does not ask for is not granted either, whatever stands here. Entries outlive the files of a package, so that
//! an upgrade keeps them. The file is replaced as a whole, by one command at a time (it holds the home's lock for packages).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use transship_package::Manifest;
use transship_package::manifest::Ask;

use crate::home::Home;

/// Why the grants of a home can't be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum GrantsError {
    /// It is no file of this kind.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// What the system says.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Its words.
        #[source]
        error: std::io::Error,
    },
}

/// What is granted to one package, and whether it is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageGrants {
    /// It stays stopped, also when the node starts.
    pub stopped: bool,
    /// By process or script.
    pub processes: BTreeMap<String, BTreeSet<Ask>>,
}

impl PackageGrants {
    /// All that a manifest asks for.
    pub fn all_of(manifest: &Manifest) -> Self {
        Self { stopped: false, processes: manifest.asks() }
    }

    /// What is granted to a process or script.
    pub fn of(&self, process: &str) -> BTreeSet<Ask> {
        self.processes.get(process).cloned().unwrap_or_default()
    }

    /// What a manifest asks for and is not granted, by process or script.
    pub fn lacking(&self, manifest: &Manifest) -> BTreeMap<String, BTreeSet<Ask>> {
        let lacking = manifest.asks().into_iter().map(|(process, asks)| {
            let granted = self.of(&process);
            (process, asks.into_iter().filter(|ask| !granted.contains(ask)).collect::<BTreeSet<_>>())
        });
        lacking.filter(|(_, asks)| !asks.is_empty()).collect()
    }

    /// Adds to what is granted.
    pub fn grant(&mut self, more: BTreeMap<String, BTreeSet<Ask>>) {
        for (process, asks) in more {
            self.processes.entry(process).or_default().extend(asks);
        }
    }
}

/// As it stands in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    stopped: bool,
    #[serde(default)]
    processes: BTreeMap<String, BTreeSet<String>>,
}

/// The grants of a home. By package, `NAME:PUBLISHER`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<String, PackageGrants>);

impl Grants {
    /// Those of a home; none if there is no such file.
    ///
    /// # Errors
    /// [`GrantsError`].
    pub fn read(home: &Home) -> Result<Self, GrantsError> {
        let path = home.grants_path();
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| GrantsError::Io { path: path.clone(), error })?,
        };
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, GrantsError> {
        let malformed = |why: String| GrantsError::Malformed { path: path.into(), why };
        let entries: BTreeMap<String, Entry> = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let mut all = BTreeMap::new();
        for (package, entry) in entries {
            let mut processes = BTreeMap::new();
            for (process, asks) in entry.processes {
                let asks = asks.iter().map(|ask| ask.parse::<Ask>()).collect::<Result<_, _>>();
                processes.insert(process, asks.map_err(|error| malformed(format!("{package}: {error}")))?);
            }
            all.insert(package, PackageGrants { stopped: entry.stopped, processes });
        }
        Ok(Self(all))
    }

    /// Keeps them in a home.
    ///
    /// # Errors
    /// [`GrantsError`].
    pub fn write(&self, home: &Home) -> Result<(), GrantsError> {
        let path = home.grants_path();
        let entries: BTreeMap<&String, Entry> = self.0.iter().map(|(package, grants)| (package, Entry::from(grants))).collect();
        let text = toml::to_string(&entries).map_err(|error| GrantsError::Malformed { path: path.clone(), why: error.to_string() })?;
        home.replace(&path, &format!("# What the node's owner granted to packages. `transship package install` and `grant` write here; so may you.\n\n{text}"))
            .map_err(|error| GrantsError::Io { path, error })
    }

    /// Those of a package. None: nothing was ever granted to it.
    pub fn get(&self, package: &str) -> Option<&PackageGrants> {
        self.0.get(package)
    }

    /// Those of a package, to be changed.
    pub fn entry(&mut self, package: &str) -> &mut PackageGrants {
        self.0.entry(package.into()).or_default()
    }

    /// Forgets those of a package.
    pub fn forget(&mut self, package: &str) {
        self.0.remove(package);
    }
}

impl From<&PackageGrants> for Entry {
    fn from(grants: &PackageGrants) -> Self {
        let processes = grants.processes.iter().map(|(process, asks)| (process.clone(), asks.iter().map(ToString::to_string).collect()));
        Self { stopped: grants.stopped, processes: processes.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(
            "name = 'a'\npublisher = 'b'\nversion = '1.0.0'\n[drives.files]\n[components]\nc = 'c.wasm'\n[[process]]\nname = 'p'\ncomponent = 'c'\n[process.capabilities]\nnetwork = true\ndrives = { files = ['read'] }",
        )
        .unwrap()
    }

    #[test]
    fn what_is_kept_is_found_again_and_a_package_without_an_entry_has_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("home"), "alice").unwrap();
        let mut grants = Grants::read(&home).unwrap();
        assert_eq!(grants.get("a:b"), None);
        *grants.entry("a:b") = PackageGrants::all_of(&manifest());
        grants.entry("c:d").stopped = true;
        grants.write(&home).unwrap();
        assert_eq!(Grants::read(&home).unwrap(), grants);
        grants.forget("a:b");
        grants.write(&home).unwrap();
        assert_eq!(Grants::read(&home).unwrap().get("a:b"), None);
        assert!(Grants::read(&home).unwrap().get("c:d").unwrap().stopped);
    }

    #[test]
    fn what_a_manifest_asks_for_anew_is_what_is_lacking() {
        let mut grants = PackageGrants::default();
        grants.grant([("p".to_owned(), BTreeSet::from([Ask::Network]))].into());
        assert_eq!(grants.lacking(&manifest())["p"].iter().map(ToString::to_string).collect::<Vec<_>>(), ["drives.files=read"]);
        grants.grant(manifest().asks());
        assert!(grants.lacking(&manifest()).is_empty());
    }

    #[test]
    fn a_file_that_says_something_else_is_refused_with_the_place() {
        let path = Path::new("grants.toml");
        let error = Grants::parse("[\"a:b\"]\nprocesses.p = [\"everything\"]", path).unwrap_err().to_string();
        assert!(error.contains("grants.toml: a:b: 'everything' is nothing that can be granted"), "{error}");
        assert!(Grants::parse("[\"a:b\"]\nstoped = true", path).unwrap_err().to_string().contains("stoped"));
    }
}
