//! From a folder with a manifest to a package: finds the component files and composes those that `[compose]` tells to.
//!
//! A file that the manifest names is the one of that name in the folder itself; with a `[build]` entry, the one that the build made, under the name which stands there or of the crate that
//! stands there. Build results are looked for in the folders that the caller gives, then in the package's own folder; those of `transship package build` in `target/components` there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::{MAX_COMPONENT, MAX_WIT, Package, PackageError, WIT_FOLDER, check_component, check_wit, read_bounded};
use crate::compose;
use crate::manifest::written::{Written, WrittenBuild};
use crate::manifest::{FILE_NAME, MAX_MANIFEST, Manifest, ManifestError, Recipe};

/// Where the components of a package's folder are that `transship package build` made, below that folder.
pub const BUILT: &str = "target/components";

/// Loads a package from its folder. `build_results` are further folders where component files may be.
///
/// # Errors
/// [`PackageError`], with the folder's path.
pub fn load(folder: &Path, build_results: &[PathBuf]) -> Result<Package, PackageError> {
    let manifest = read_manifest(folder)?;
    assemble(&manifest, folder, build_results).map_err(|source| at(folder, source))
}

/// Each component file of a package's folder, parts to be composed in included, and how it is made; none if the manifest tells no tool.
///
/// # Errors
/// [`PackageError`] if there is no manifest, or a wrong one.
pub fn recipes(folder: &Path) -> Result<BTreeMap<String, Option<Recipe>>, PackageError> {
    let manifest = read_manifest(folder)?;
    let api = manifest.api.as_ref().map(|api| &api.component);
    let files = manifest.components.values().chain(manifest.compose.values().flatten()).chain(api);
    let recipe = |file: &String| match manifest.build.get(file) {
        Some(WrittenBuild::Recipe(recipe)) => Some(recipe.clone()),
        _ => None,
    };
    Ok(files.map(|file| (file.clone(), recipe(file))).collect())
}

/// Reads and checks the manifest of a folder.
///
/// # Errors
/// [`PackageError`].
pub fn manifest(folder: &Path) -> Result<Manifest, PackageError> {
    let written = read_manifest(folder)?;
    Manifest::resolve(&written).map_err(|error| at(folder, error.into()))
}

fn read_manifest(folder: &Path) -> Result<Written, PackageError> {
    let text = match read_bounded(&folder.join(FILE_NAME), MAX_MANIFEST as u64) {
        Err(PackageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(at(folder, PackageError::NotAPackage("the folder has no package.toml")));
        }
        other => other?,
    };
    let text = String::from_utf8(text).map_err(|_| at(folder, ManifestError::Unreadable("it is not text in UTF-8".into()).into()))?;
    Manifest::read(&text).and_then(|written| Manifest::resolve(&written).map(|_| written)).map_err(|error| at(folder, error.into()))
}

fn at(folder: &Path, source: PackageError) -> PackageError {
    match source {
        PackageError::Io { .. } | PackageError::At { .. } => source,
        other => PackageError::At { path: folder.into(), source: Box::new(other) },
    }
}

fn assemble(manifest: &Written, folder: &Path, build_results: &[PathBuf]) -> Result<Package, PackageError> {
    let mut files = BTreeMap::new();
    for (component, file) in &manifest.components {
        let bytes = component_bytes(component, file, manifest, folder, build_results)?;
        if files.insert(file.clone(), bytes).is_some() && manifest.compose.contains_key(component) {
            // Two components of one file, where one is composed: which bytes the file has would depend on the order.
            let problem = format!("component '{component}' is composed, so it needs a file of its own");
            return Err(ManifestError::Limit { at: "[compose]".into(), problem }.into());
        }
    }
    if let Some(api) = &manifest.api {
        files.insert(api.component.clone(), find(&api.component, manifest, folder, build_results)?);
        for place in &api.wit {
            read_wit(&folder.join(place), &mut files)?;
        }
    }
    Package::assemble(manifest, &files)
}

/// Adds the WIT text of one folder, without what is in folders below it.
fn read_wit(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), PackageError> {
    let io = |source| PackageError::Io { path: folder.into(), source };
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let entry = format!("{WIT_FOLDER}{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
            let text = read_bounded(&path, MAX_WIT)?;
            check_wit(&entry, &text)?;
            files.insert(entry, text);
        }
    }
    Ok(())
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
        Some(WrittenBuild::Built(built)) if built.ends_with(".wasm") => built.clone(),
        // A crate: what Cargo makes of it.
        Some(WrittenBuild::Built(built)) => format!("{}.wasm", built.replace('-', "_")),
        Some(WrittenBuild::Recipe(_)) | None => file.to_owned(),
    };
    let own = folder.join(BUILT);
    let places = build_results.iter().map(PathBuf::as_path).chain([own.as_path(), folder]);
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
