//! The packages of a node: those inside this binary, and those in a file or a folder.
//!
//! - [`shelf`]: those of a home
//! - [`grants`]: what its owner granted to them
//! - [`ready`]: from a package to components that can be run, with the APIs of others composed in
//!
//! What a package is, how it is read and how its parts are composed stands in the crate `transship-package`; this adds only what the build put into the binary.

pub mod grants;
pub mod ready;
pub mod shelf;

use std::path::{Path, PathBuf};

pub use transship_package::archive::{EXTENSION, Package, PackageError};
pub use transship_package::manifest::{
    Ask, AskError, Capabilities, Dependency, Drive, DriveKind, Manifest, ManifestError, OnExit, Process, Recipe, Rights, Script, Tool,
};
pub use transship_package::{fit, source};

/// The packages inside this binary in their one-file form, each with the name of the file that it was built from; none if the binary was built without (see the feature `bundled`).
pub fn bundled() -> &'static [(&'static str, &'static [u8])] {
    include!(concat!(env!("OUT_DIR"), "/bundled.rs"))
}

/// The files in a home's folder of packages that are to be packages, in the order of their names.
pub fn installed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION)).collect();
    paths.sort();
    paths
}

/// Reads the packages inside this binary.
///
/// # Errors
/// [`PackageError`] if one can't be read: then the binary is damaged, or was built from a package of another version of the format.
pub fn load_bundled() -> Result<Vec<Package>, PackageError> {
    bundled().iter().map(|(_, bytes)| Package::from_bytes(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_the_binary_are_packages_of_the_name_that_they_were_built_under() {
        let packages = load_bundled().unwrap();
        assert_eq!(packages.len(), bundled().len());
        for ((name, _), package) in bundled().iter().zip(&packages) {
            assert_eq!(*name, package.manifest().name);
            assert!(package.components().count() > 0);
        }
    }
}
