//! From a folder with a manifest to a package: finds the component files and composes those that `[compose]` tells to.
//!
//! A file that the manifest names is the one of that name in the folder itself; with a `[build]` entry, the one that the build made, under the name which stands there or of the crate that
//! stands there. Build results are looked for in the folders that the caller gives, then in the package's own folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::{MAX_COMPONENT, Package, PackageError, check_component, read_bounded};
use crate::compose;
use crate::manifest::written::Written;
use crate::manifest::{FILE_NAME, MAX_MANIFEST, Manifest, ManifestError};

/// Loads a package from its folder. `build_results` are further folders where component files may be.
///
/// # Errors
/// [`PackageError`], with the folder's path.
pub fn load(folder: &Path, build_results: &[PathBuf]) -> Result<Package, PackageError> {
    let path = folder.join(FILE_NAME);
    let text = match read_bounded(&path, MAX_MANIFEST as u64) {
        Err(PackageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            let source = Box::new(PackageError::NotAPackage("the folder has no package.toml"));
            return Err(PackageError::At { path: folder.into(), source });
        }
        other => other?,
    };
    let at = |source| match source {
        PackageError::Io { .. } | PackageError::At { .. } => source,
        other => PackageError::At { path: folder.into(), source: Box::new(other) },
    };
    let text = String::from_utf8(text).map_err(|_| at(ManifestError::Unreadable("it is not text in UTF-8".into()).into()))?;
    let manifest = Manifest::read(&text).and_then(|written| Manifest::resolve(&written).map(|_| written)).map_err(|error| at(error.into()))?;
    let mut files = BTreeMap::new();
    for (component, file) in &manifest.components {
        let bytes = component_bytes(component, file, &manifest, folder, build_results).map_err(at)?;
        if files.insert(file.clone(), bytes).is_some() && manifest.compose.contains_key(component) {
            // Two components of one file, where one is composed: which bytes the file has would depend on the order.
            let problem = format!("component '{component}' is composed, so it needs a file of its own");
            return Err(at(ManifestError::Limit { at: "[compose]".into(), problem }.into()));
        }
    }
    Package::assemble(&manifest, &files).map_err(at)
}

fn component_bytes(component: &str, file: &str, manifest: &Written, folder: &Path, build_results: &[PathBuf]) -> Result<Vec<u8>, PackageError> {
    let socket = find(file, manifest, folder, build_results)?;
    let Some(plugs) = manifest.compose.get(component).filter(|plugs| !plugs.is_empty()) else {
        return Ok(socket);
    };
    let plugs = plugs.iter().map(|plug| Ok((plug.as_str(), find(plug, manifest, folder, build_results)?))).collect::<Result<Vec<_>, PackageError>>()?;
    let plugs: Vec<(&str, &[u8])> = plugs.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    compose::plug(&socket, &plugs).map_err(|source| PackageError::Compose { component: component.into(), source })
}

fn find(file: &str, manifest: &Written, folder: &Path, build_results: &[PathBuf]) -> Result<Vec<u8>, PackageError> {
    let name = match manifest.build.get(file) {
        Some(built) if built.ends_with(".wasm") => built.clone(),
        // A crate: what Cargo makes of it.
        Some(built) => format!("{}.wasm", built.replace('-', "_")),
        None => file.to_owned(),
    };
    let places = build_results.iter().map(PathBuf::as_path).chain([folder]);
    let candidates: Vec<PathBuf> = places.map(|place| place.join(&name)).collect();
    let Some(path) = candidates.iter().find(|path| fs::metadata(path).is_ok_and(|metadata| metadata.is_file())) else {
        let looked = candidates.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(PackageError::MissingFile { file: file.into(), looked: format!(" (looked for: {looked})") });
    };
    let bytes = read_bounded(path, MAX_COMPONENT)?;
    check_component(file, &bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
