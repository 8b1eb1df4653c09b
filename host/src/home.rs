//! The home: the one folder that holds everything a node keeps.
//!
//! ```text
//! HOME/node.toml        listen address, limits, drives: for people to edit   (settings.rs)
//!      identity.key     the node's name and key pair
//!      peers.toml       who is known, and what they may do
//!      vfs/PACKAGE:PUBLISHER/DRIVE/   the drives, for people to look into
//!      packages/        installed packages          state/   what processes keep
//!      cache/           compiled code, what can be made again
//!      log/node.log     one JSON object a line
//!      control.sock     where a running node takes commands      lock   held by whoever runs the node
//! ```
//!
//! It says where things are and makes sure that one node runs in it at a time; it does not read what other modules keep there. What always holds: the
//! folder is its owner's alone (mode 0700), and a folder with an `identity.key` was initialised completely, because that file is written last.

mod settings;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

pub use settings::{DriveSettings, Settings, SettingsError};

use crate::identity::{Identity, IdentityError};
use crate::message::PackageId;

/// The environment variable that names the home.
pub const HOME_VARIABLE: &str = "TRANSSHIP_HOME";

/// Why a home can't be made or used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is no node in this folder.
    #[error("{} holds no node yet", .0.display())]
    NotInitialised(PathBuf),
    /// There is one already.
    #[error("{} holds the node '{name}' already", folder.display())]
    AlreadyInitialised {
        /// The folder.
        folder: PathBuf,
        /// The node's name.
        name: String,
    },
    /// Another process runs the node of this home.
    #[error("another process uses {}", .0.display())]
    InUse(PathBuf),
    /// The system does not say where programs keep their data.
    #[error("this system names no folder for a program's data")]
    NoDefault,
    /// `node.toml` can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No key could be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// What was used.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
}

/// Attaches the path that an input or output error belongs to.
fn at(path: &Path) -> impl FnOnce(io::Error) -> HomeError + '_ {
    move |error| HomeError::Io { path: path.into(), error }
}

/// The folder of one node.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
    settings: Settings,
}

/// The right to run the node of a home. The system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl Home {
    /// Where the home is if nobody says otherwise: the platform's folder for a program's data.
    ///
    /// # Errors
    /// [`HomeError::NoDefault`].
    pub fn default_folder() -> Result<PathBuf, HomeError> {
        let directories = directories::ProjectDirs::from("org", "transship", "transship").ok_or(HomeError::NoDefault)?;
        Ok(directories.data_dir().to_path_buf())
    }

    /// Makes a home for a node named `name`, with a new key, in `folder`, which is made too if it does not exist.
    ///
    /// # Errors
    /// [`HomeError::AlreadyInitialised`] if there is one, and it is left as it is; [`HomeError::Identity`] if the name is none; otherwise what the system says.
    pub fn init(folder: &Path, name: &str) -> Result<Self, HomeError> {
        let identity = Identity::generate(name)?;
        private_folder(folder)?;
        let home = Self { folder: fs::canonicalize(folder).map_err(at(folder))?, settings: Settings::default() };
        if home.identity_path().exists() {
            return Err(HomeError::AlreadyInitialised { folder: home.folder.clone(), name: home.identity()?.name().into() });
        }
        let _lock = home.lock()?;
        for folder in [home.drives_path(), home.state_path(), home.packages_path(), home.cache_path(), home.log_folder()] {
            private_folder(&folder)?;
        }
        write_new(&home.settings_path(), home.settings.to_text().as_bytes())?;
        identity.save(&home.identity_path())?;
        Ok(home)
    }

    /// Opens the home in `folder`.
    ///
    /// # Errors
    /// [`HomeError::NotInitialised`] if there is none, [`HomeError::Settings`] if `node.toml` can't be understood.
    pub fn open(folder: &Path) -> Result<Self, HomeError> {
        let not_found = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let folder = fs::canonicalize(folder).map_err(|error| if not_found(&error) { HomeError::NotInitialised(folder.into()) } else { at(folder)(error) })?;
        if !folder.join("identity.key").exists() {
            return Err(HomeError::NotInitialised(folder));
        }
        let path = folder.join("node.toml");
        let settings = match fs::read_to_string(&path) {
            Ok(text) => Settings::from_text(&text, &path)?,
            // All of it has defaults, so that removing the file is a way back to them.
            Err(error) if not_found(&error) => Settings::default(),
            Err(error) => return Err(at(&path)(error)),
        };
        private_folder(&folder)?;
        Ok(Self { folder, settings })
    }

    /// Takes the home for this process until the guard is dropped. Does not wait.
    ///
    /// # Errors
    /// [`HomeError::InUse`] if another process has it.
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.folder.join("lock");
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(HomeError::InUse(self.folder.clone())),
            Err(TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }

    /// Who the node is.
    ///
    /// # Errors
    /// [`HomeError::Identity`].
    pub fn identity(&self) -> Result<Identity, HomeError> {
        Ok(Identity::load(&self.identity_path())?)
    }

    /// What `node.toml` says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The folder itself, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `node.toml`.
    pub fn settings_path(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    /// The name and the key pair.
    pub fn identity_path(&self) -> PathBuf {
        self.folder.join("identity.key")
    }

    /// Who is known.
    pub fn peers_path(&self) -> PathBuf {
        self.folder.join("peers.toml")
    }

    /// The folder above all drives.
    pub fn drives_path(&self) -> PathBuf {
        self.folder.join("vfs")
    }

    /// The folder of a package's drive.
    pub fn drive_path(&self, package: &PackageId, drive: &str) -> PathBuf {
        self.drives_path().join(package.to_string()).join(drive)
    }

    /// What processes keep over a restart.
    pub fn state_path(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Installed packages.
    pub fn packages_path(&self) -> PathBuf {
        self.folder.join("packages")
    }

    /// What can be made again.
    pub fn cache_path(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// The folder of the log and its predecessor.
    pub fn log_folder(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The log.
    pub fn log_path(&self) -> PathBuf {
        self.log_folder().join("node.log")
    }

    /// Where a running node takes commands.
    pub fn control_path(&self) -> PathBuf {
        self.folder.join("control.sock")
    }
}

/// Makes a folder that is its owner's alone, or makes an existing one so.
pub(crate) fn private_folder(path: &Path) -> Result<(), HomeError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at(path))?;
    }
    Ok(())
}

/// Writes a file that did not exist, completely or not at all: another name first, then a rename.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let unfinished = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).map_err(at(&unfinished))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&unfinished))?;
    fs::rename(&unfinished, path).map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_made_once_and_found_again() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("made/too");
        assert!(matches!(Home::open(&folder), Err(HomeError::NotInitialised(_))));
        let home = Home::init(&folder, "alice").unwrap();
        assert_eq!(home.identity().unwrap().name(), "alice");
        assert_eq!(Home::open(&folder).unwrap().identity().unwrap().key(), home.identity().unwrap().key());
        let key = fs::read(home.identity_path()).unwrap();

        let again = Home::init(&folder, "bob").unwrap_err();
        assert!(matches!(&again, HomeError::AlreadyInitialised { name, .. } if name == "alice"), "{again}");
        assert_eq!(fs::read(home.identity_path()).unwrap(), key);
    }

    #[test]
    fn a_home_is_its_owners_alone() {
        let outer = tempfile::tempdir().unwrap();
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let home = Home::init(outer.path(), "alice").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(home.folder()), mode(&home.drives_path())), (0o700, 0o700));
        assert_eq!((mode(&home.settings_path()), mode(&home.identity_path())), (0o600, 0o600));
    }

    #[test]
    fn one_process_at_a_time_has_a_home() {
        let outer = tempfile::tempdir().unwrap();
        let home = Home::init(outer.path(), "alice").unwrap();
        let lock = home.lock().unwrap();
        assert!(matches!(home.lock(), Err(HomeError::InUse(_))));
        drop(lock);
        home.lock().unwrap();
    }

    #[test]
    fn what_is_no_name_for_a_node_leaves_no_home() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("home");
        assert!(matches!(Home::init(&folder, "Alice!"), Err(HomeError::Identity(_))));
        assert!(!folder.exists());
    }

    #[test]
    fn a_half_made_home_is_none_and_is_made_whole_by_the_next_try() {
        let outer = tempfile::tempdir().unwrap();
        Home::init(outer.path(), "alice").unwrap();
        fs::remove_file(outer.path().join("identity.key")).unwrap();
        assert!(matches!(Home::open(outer.path()), Err(HomeError::NotInitialised(_))));
        Home::init(outer.path(), "alice").unwrap();
        fs::remove_file(outer.path().join("node.toml")).unwrap();
        assert_eq!(Home::open(outer.path()).unwrap().settings(), &Settings::default());
    }

    #[test]
    fn drives_are_folders_that_a_person_can_find() {
        let outer = tempfile::tempdir().unwrap();
        let home = Home::init(outer.path(), "alice").unwrap();
        assert!(home.drive_path(&"p:q".parse().unwrap(), "files").ends_with("vfs/p:q/files"));
    }
}
