//! The packages of a home: those that are part of the program, and the files in `HOME/packages`.
//!
//! A [`Shelf`] is what is there at a moment. Putting a package there, granting something to it and taking it away are done by one program at a time: whoever holds a [`ShelfLock`]. A file that is no package is
//! left where it is, and named in [`Shelf::wrong`].

use std::fs::File;
use std::path::PathBuf;

use transship_package::{Package, PackageError};

use super::grants::{Grants, GrantsError, PackageGrants};
use super::{EXTENSION, installed, load_bundled};
use crate::home::Home;
use crate::message::PackageId;

/// Why the packages of a home could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// A package is none.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The grants.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// It is a part of the program.
    #[error("{0} is a part of this program")]
    PartOfProgram(String),
    /// It is not there.
    #[error("this node has no package '{0}'")]
    Unknown(String),
    /// What the system says.
    #[error("{}: {error}", path.display())]
    Io {
        /// What was used.
        path: PathBuf,
        /// Its words.
        #[source]
        error: std::io::Error,
    },
}

/// A package of a node.
#[derive(Debug)]
pub struct Placed {
    /// It.
    pub package: Package,
    /// Its file. None: it is part of the program.
    pub path: Option<PathBuf>,
    /// What its owner granted to it: all that it asks for, if it is part of the program.
    pub grants: PackageGrants,
}

impl Placed {
    /// `NAME:PUBLISHER`.
    pub fn id(&self) -> String {
        id(&self.package)
    }
}

/// `NAME:PUBLISHER`.
pub fn id(package: &Package) -> String {
    format!("{}:{}", package.manifest().name, package.manifest().publisher)
}

/// See the module.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Those of the program first, then in the order of their files' names.
    pub packages: Vec<Placed>,
    /// Files that are no packages, or one that is there already.
    pub wrong: Vec<(PathBuf, PackageError)>,
}

/// The right to change the packages of a home. The system takes it back when the process ends.
#[derive(Debug)]
pub struct ShelfLock {
    home: Home,
    _file: File,
}

impl Shelf {
    /// What is there.
    ///
    /// # Errors
    /// [`ShelfError::Package`] if the program's own are damaged, [`ShelfError::Grants`].
    pub fn read(home: &Home) -> Result<Self, ShelfError> {
        let grants = Grants::read(home)?;
        let mut shelf = Self::default();
        for package in load_bundled()? {
            let stopped = grants.get(&id(&package)).is_some_and(|grants| grants.stopped);
            let grants = PackageGrants { stopped, ..PackageGrants::all_of(package.manifest()) };
            shelf.packages.push(Placed { package, path: None, grants });
        }
        for path in installed(&home.packages_path()) {
            match Package::read(&path) {
                Ok(package) if shelf.find(&id(&package)).is_some() => {
                    shelf.wrong.push((path, PackageError::UnexpectedFile(format!("{} is there twice, and this one", id(&package)))));
                }
                Ok(package) => {
                    let grants = grants.get(&id(&package)).cloned().unwrap_or_default();
                    shelf.packages.push(Placed { package, path: Some(path), grants });
                }
                Err(error) => shelf.wrong.push((path, error)),
            }
        }
        Ok(shelf)
    }

    /// The package of this id.
    pub fn find(&self, id: &str) -> Option<&Placed> {
        self.packages.iter().find(|placed| placed.id() == id)
    }
}

impl ShelfLock {
    /// Waits for the right to change the packages of a home. Blocks.
    ///
    /// # Errors
    /// [`ShelfError::Io`].
    pub fn take(home: &Home) -> Result<Self, ShelfError> {
        let path = home.folder().join("packages.lock");
        let io = |error| ShelfError::Io { path: path.clone(), error };
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(io)?;
        file.lock().map_err(io)?;
        Ok(Self { home: home.clone(), _file: file })
    }

    /// Puts a package there, in place of one of the same name and publisher, and keeps what is granted to it. Returns its file.
    ///
    /// # Errors
    /// [`ShelfError::PartOfProgram`], [`ShelfError::Io`], [`ShelfError::Grants`].
    pub fn install(&self, package: &Package, grants: &PackageGrants) -> Result<PathBuf, ShelfError> {
        let id = id(package);
        let shelf = Shelf::read(&self.home)?;
        let path = match shelf.find(&id) {
            Some(Placed { path: None, .. }) => return Err(ShelfError::PartOfProgram(id)),
            Some(Placed { path: Some(path), .. }) => path.clone(),
            None => self.home.packages_path().join(format!("{}_{}.{EXTENSION}", package.manifest().name, package.manifest().publisher)),
        };
        // First what is granted: a package that was never granted anything could do less than its owner wants, not more.
        self.change(|all| *all.entry(&id) = grants.clone())?;
        package.write(&path)?;
        Ok(path)
    }

    /// Changes what is granted.
    ///
    /// # Errors
    /// [`ShelfError::Grants`].
    pub fn change(&self, how: impl FnOnce(&mut Grants)) -> Result<(), ShelfError> {
        let mut grants = Grants::read(&self.home)?;
        how(&mut grants);
        Ok(grants.write(&self.home)?)
    }

    /// Takes a package away. Its drives, its state and what was granted to it stay, unless `purge`.
    ///
    /// # Errors
    /// [`ShelfError::Unknown`], [`ShelfError::PartOfProgram`], and what the system says.
    pub fn remove(&self, id: &str, purge: bool) -> Result<(), ShelfError> {
        let shelf = Shelf::read(&self.home)?;
        match shelf.find(id) {
            Some(Placed { path: Some(path), .. }) => remove_all(path)?,
            Some(Placed { path: None, .. }) => return Err(ShelfError::PartOfProgram(id.into())),
            // What was left of one that was removed before.
            None if purge && self.left_of(id) => {}
            None => return Err(ShelfError::Unknown(id.into())),
        }
        // A name, and no path: both are below folders of the home.
        if purge && id.parse::<PackageId>().is_ok() {
            remove_all(&self.home.state_path().join(id))?;
            remove_all(&self.home.drives_path().join(id))?;
            self.change(|all| all.forget(id))?;
        }
        Ok(())
    }

    fn left_of(&self, id: &str) -> bool {
        let Ok(package) = id.parse::<PackageId>() else { return false };
        let folders = [self.home.drives_path(), self.home.state_path()];
        folders.iter().any(|folder| folder.join(package.to_string()).exists()) || Grants::read(&self.home).is_ok_and(|grants| grants.get(id).is_some())
    }
}

/// Removes a file or a folder; one that is not there is removed already.
fn remove_all(path: &std::path::Path) -> Result<(), ShelfError> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ShelfError::Io { path: path.into(), error }),
        _ => Ok(()),
    }
}
