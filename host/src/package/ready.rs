//! From a package to components that can be run: the APIs of the packages that it depends on are composed in.
//!
//! A component that imports an interface which the API of a dependency exports gets that API plugged in; all others stay as they are. What was composed is kept in `HOME/cache/composed`, under the digest
//! of what it was made from, with a digest of its own at the end: a file there that was damaged counts as not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use transship_package::Package;
use transship_package::compose::{self, ComposeError};
use transship_package::fit::{self, Known, Misfit};

use super::shelf::{Placed, Shelf, id};

/// Changes when the way of composing does, so that what was kept is made anew.
const VERSION: &[u8] = b"composed 1";
const DIGEST_LENGTH: usize = 32;

/// Why a package can't be run here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadyError {
    /// A package that it needs is not there.
    #[error("it needs the package {package} ({version}), which this node does not have: install that first")]
    Missing {
        /// Which.
        package: String,
        /// The versions that would do.
        version: String,
    },
    /// It is there in another version.
    #[error("it needs the package {package} in version {wanted}, and this node has {found}")]
    Version {
        /// Which.
        package: String,
        /// The versions that would do.
        wanted: String,
        /// The one that is there.
        found: String,
    },
    /// It is there, but is not the one that the manifest names by its digest.
    #[error("it needs the package {package} with the digest {wanted}, and this node's has {found}")]
    Digest {
        /// Which.
        package: String,
        /// The digest in the manifest.
        wanted: String,
        /// The one that is there.
        found: String,
    },
    /// Two packages need each other.
    #[error("it needs packages that need it: {0}")]
    Circle(String),
    /// An API can't be plugged in.
    #[error("the API of a package that it depends on can't be composed into component '{component}': {source}")]
    Compose {
        /// Which.
        component: String,
        /// Why.
        #[source]
        source: ComposeError,
    },
    /// A component does not fit this node.
    #[error("component '{component}' does not fit this node: {}", lines(misfits))]
    Misfit {
        /// Which.
        component: String,
        /// All that is wrong.
        misfits: Vec<Misfit>,
    },
}

fn lines(misfits: &[Misfit]) -> String {
    misfits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A component that can be run.
#[derive(Debug, Clone)]
pub(crate) struct ReadyComponent {
    /// Names the content.
    pub(crate) digest: String,
    pub(crate) bytes: Bytes,
}

/// The packages that one depends on, out of those that are there.
///
/// # Errors
/// [`ReadyError::Missing`], [`ReadyError::Version`], [`ReadyError::Digest`].
pub fn dependencies<'a>(package: &Package, shelf: &'a Shelf) -> Result<Vec<&'a Placed>, ReadyError> {
    let one = |(name, wanted): (&transship_package::names::PackageName, &transship_package::manifest::Dependency)| {
        let name = name.to_string();
        let found = shelf.find(&name).ok_or_else(|| ReadyError::Missing { package: name.clone(), version: wanted.version.to_string() })?;
        let version = &found.package.manifest().version;
        if !wanted.version.matches(version) {
            return Err(ReadyError::Version { package: name, wanted: wanted.version.to_string(), found: version.to_string() });
        }
        match &wanted.digest {
            Some(digest) if digest != found.package.digest() => {
                Err(ReadyError::Digest { package: name, wanted: digest.clone(), found: found.package.digest().into() })
            }
            _ => Ok(found),
        }
    };
    package.manifest().dependencies.iter().map(one).collect()
}

/// The components of a package, composed with the APIs of `dependencies`. `cache` is the home's folder for what can be made again.
pub(crate) fn components(package: &Package, dependencies: &[&Package], cache: &Path) -> Result<BTreeMap<String, ReadyComponent>, ReadyError> {
    let apis: Vec<(String, &Package, &[u8])> = dependencies.iter().filter_map(|package| Some((id(package), *package, package.api()?))).collect();
    let one = |(name, bytes): (&str, &[u8])| {
        let mut digest = format!("{}/{name}", package.digest());
        let mut ready = Bytes::copy_from_slice(bytes);
        if !apis.is_empty() {
            digest.extend(apis.iter().map(|(_, package, _)| format!("+{}", package.digest())));
            let plugs: Vec<(&str, &[u8])> = apis.iter().map(|(name, _, bytes)| (name.as_str(), *bytes)).collect();
            if let Some(composed) = kept(cache, bytes, &plugs).map_err(|source| ReadyError::Compose { component: name.into(), source })? {
                ready = composed.into();
            }
        }
        Ok((name.to_owned(), ReadyComponent { digest, bytes: ready }))
    };
    package.components().map(one).collect()
}

/// Compares all components of a package with what this node offers and what its dependencies export.
///
/// # Errors
/// [`ReadyError`], for the first component that does not fit.
pub fn check(package: &Package, shelf: &Shelf, cache: &Path) -> Result<(), ReadyError> {
    let placed = dependencies(package, shelf)?;
    let dependencies: Vec<&Package> = placed.iter().map(|placed| &placed.package).collect();
    for (name, component) in components(package, &dependencies, cache)? {
        let misfits = misfits(&component.bytes, &dependencies, shelf);
        if !misfits.is_empty() {
            return Err(ReadyError::Misfit { component: name, misfits });
        }
    }
    Ok(())
}

/// In what a component, composed already, does not fit this node.
pub(crate) fn misfits(component: &[u8], dependencies: &[&Package], shelf: &Shelf) -> Vec<Misfit> {
    let exports = |package: &Package| {
        let names = package.api().and_then(|api| compose::exports(api).ok()).unwrap_or_default();
        (id(package), names.into_iter().collect::<BTreeSet<_>>())
    };
    let others: Known = shelf.packages.iter().map(|placed| exports(&placed.package)).collect();
    let dependencies: Known = dependencies.iter().map(|package| exports(package)).collect();
    match crate::wit::offer() {
        Ok(offer) => fit::check(component, offer, &dependencies, &others),
        Err(error) => {
            tracing::error!("{error}");
            Vec::new()
        }
    }
}

/// What a component and some plugs make, from the cache if it is there. None: no plug meets it.
fn kept(cache: &Path, socket: &[u8], plugs: &[(&str, &[u8])]) -> Result<Option<Vec<u8>>, ComposeError> {
    let folder = cache.join("composed");
    let path = folder.join(format!("{}.wasm", inputs(socket, plugs)));
    if let Some(bytes) = read(&path) {
        return Ok(Some(bytes).filter(|bytes| !bytes.is_empty()));
    }
    let mut meeting = Vec::new();
    for (name, bytes) in plugs {
        if compose::meets(socket, bytes)? {
            meeting.push((*name, *bytes));
        }
    }
    let composed = if meeting.is_empty() { None } else { Some(compose::plug(socket, &meeting)?) };
    // Without a cache everything works, only the start is slower.
    if let Err(error) = write(&folder, &path, composed.as_deref().unwrap_or_default()) {
        tracing::warn!("{} can't be kept: {error}", path.display());
    }
    Ok(composed)
}

fn inputs(socket: &[u8], plugs: &[(&str, &[u8])]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(VERSION);
    for part in std::iter::once(&socket).chain(plugs.iter().map(|(_, bytes)| bytes)) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(path).ok()?;
    let length = bytes.len().checked_sub(DIGEST_LENGTH)?;
    let digest = bytes.split_off(length);
    (blake3::hash(&bytes).as_bytes().as_slice() == digest).then_some(bytes)
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::create_dir_all(folder)?;
    let mut draft = tempfile::Builder::new().prefix(".draft").tempfile_in(folder)?;
    draft.write_all(bytes)?;
    draft.write_all(blake3::hash(bytes).as_bytes())?;
    draft.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_and_was_damaged_counts_as_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("composed/x.wasm");
        assert_eq!(read(&path), None);
        write(path.parent().unwrap(), &path, b"composed").unwrap();
        assert_eq!(read(&path).unwrap(), b"composed");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path), None);
        std::fs::write(&path, b"short").unwrap();
        assert_eq!(read(&path), None);
        write(path.parent().unwrap(), &path, b"").unwrap();
        assert_eq!(read(&path).unwrap(), b"", "nothing was to be composed");
    }

    #[test]
    fn the_same_parts_in_another_order_or_cut_elsewhere_are_something_else() {
        let one = inputs(b"ab", &[("a", b"c"), ("b", b"d")]);
        assert_ne!(one, inputs(b"ab", &[("b", b"d"), ("a", b"c")]));
        assert_ne!(one, inputs(b"a", &[("a", b"bc"), ("b", b"d")]));
        assert_eq!(one, inputs(b"ab", &[("x", b"c"), ("y", b"d")]), "names are for messages");
    }

    #[test]
    fn the_packages_inside_the_program_fit_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = crate::home::Home::init(&folder.path().join("home"), "alice").unwrap();
        let shelf = Shelf::read(&home).unwrap();
        for placed in &shelf.packages {
            check(&placed.package, &shelf, &home.cache_path()).unwrap();
        }
    }
}
