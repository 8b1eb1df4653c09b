//! The home: the one folder that holds everything a node keeps.
//!
//! ```text
//! HOME/node.toml        listen address, limits, drives: for people to edit   (settings.rs)
//!      identity.key     the node's name and key pair
//!      peers.toml       who is known, and what they may do
//!      vfs/PACKAGE:PUBLISHER/DRIVE/   the drives, for people to look into
//!      packages/        installed packages          grants.toml   what was granted to them      packages.lock   held by whoever changes them
//!      state/           what processes keep
//!      cache/           compiled code, what can be made again
//!      log/node.log     one JSON object a line
//!      control.sock     where a running node takes commands      lock   held by whoever runs the node
//! ```
//!
//! It says where things are and makes sure that one node runs in it at a time; it does not read what other modules keep there. What always holds: folders that are made here are their
//! owner's alone (mode 0700), and so is every file with a secret; a folder that was there before keeps its mode, and is refused if others may write to it, because they could put packages there; and a folder
//! with an `identity.key` was initialised completely, because that file is written last.

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
    /// Others may write to a folder of the home.
    #[error("others may write to {}, whose mode is {mode:04o}, and so they could take over the node", folder.display())]
    Exposed {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
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
    /// [`HomeError::AlreadyInitialised`] if there is one, and it is left as it is; [`HomeError::Identity`] if the name is none; [`HomeError::Exposed`] if others may write to the folder;
    /// otherwise what the system says.
    pub fn init(folder: &Path, name: &str) -> Result<Self, HomeError> {
        let identity = Identity::generate(name)?;
        make_folder(folder)?;
        let home = Self { folder: fs::canonicalize(folder).map_err(at(folder))?, settings: Settings::default() };
        let path = home.identity_path();
        if path.try_exists().map_err(at(&path))? {
            return Err(HomeError::AlreadyInitialised { folder: home.folder.clone(), name: home.identity()?.name().into() });
        }
        let _lock = home.lock()?;
        for folder in [home.drives_path(), home.state_path(), home.packages_path(), home.cache_path(), home.log_folder()] {
            make_folder(&folder)?;
        }
        write_new(&home.settings_path(), home.settings.to_text().as_bytes())?;
        identity.save(&home.identity_path())?;
        Ok(home)
    }

    /// Opens the home in `folder`.
    ///
    /// # Errors
    /// [`HomeError::NotInitialised`] if there is none, [`HomeError::Settings`] if `node.toml` can't be understood, [`HomeError::Exposed`] if others may write there.
    pub fn open(folder: &Path) -> Result<Self, HomeError> {
        let not_found = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let folder = fs::canonicalize(folder).map_err(|error| if not_found(&error) { HomeError::NotInitialised(folder.into()) } else { at(folder)(error) })?;
        let identity = folder.join("identity.key");
        if !identity.try_exists().map_err(at(&identity))? {
            return Err(HomeError::NotInitialised(folder));
        }
        check_private(&folder)?;
        let path = folder.join("node.toml");
        let settings = match fs::read_to_string(&path) {
            Ok(text) => Settings::from_text(&text, &path)?,
            // All of it has defaults, so that removing the file is a way back to them.
            Err(error) if not_found(&error) => Settings::default(),
            Err(error) => return Err(at(&path)(error)),
        };
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

    /// What was granted to packages.
    pub fn grants_path(&self) -> PathBuf {
        self.folder.join("grants.toml")
    }

    /// Writes a file of the home in place of the one that is there, completely or not at all; it is on stable storage afterwards.
    pub(crate) fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        // Removes itself unless it is renamed; its owner's alone.
        let mut draft = tempfile::Builder::new().prefix(".draft").tempfile_in(&self.folder)?;
        draft.write_all(text.as_bytes())?;
        draft.as_file().sync_all()?;
        draft.persist(path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }

    /// What can be made again.
    pub fn cache_path(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// Digests of files that were computed before.
    pub fn digests_path(&self) -> PathBuf {
        self.cache_path().join("digests")
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

/// Makes a folder that is its owner's alone. One that is there keeps its mode.
fn make_folder(path: &Path) -> Result<(), HomeError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
    check_private(path)
}

fn check_private(path: &Path) -> Result<(), HomeError> {
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode() & 0o7777;
    if mode & 0o022 == 0 { Ok(()) } else { Err(HomeError::Exposed { folder: path.into(), mode }) }
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
    fn a_home_that_is_made_is_its_owners_alone_and_a_folder_that_is_there_keeps_its_mode() {
        let outer = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let made = Home::init(&outer.path().join("made"), "alice").unwrap();
        let there = outer.path().join("there");
        fs::create_dir(&there).unwrap();
        fs::set_permissions(&there, fs::Permissions::from_mode(0o755)).unwrap();
        let found = Home::init(&there, "alice").unwrap();
        assert_eq!((mode(made.folder()), mode(found.folder())), (0o700, 0o755));
        for home in [made, found] {
            assert_eq!((mode(&home.drives_path()), mode(&home.settings_path()), mode(&home.identity_path())), (0o700, 0o600, 0o600));
            Home::open(home.folder()).unwrap();
        }
        assert_eq!(mode(&there), 0o755);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_no_home() {
        let outer = tempfile::tempdir().unwrap();
        let set = |mode: u32| fs::set_permissions(outer.path(), fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o770, 0o777, 0o702] {
            set(mode);
            let error = Home::init(outer.path(), "alice").unwrap_err();
            assert!(matches!(&error, HomeError::Exposed { .. }) && error.to_string().contains(&format!("{mode:04o}")), "{error}");
            assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 0);
        }
        set(0o700);
        Home::init(outer.path(), "alice").unwrap();
        set(0o720);
        assert!(matches!(Home::open(outer.path()), Err(HomeError::Exposed { .. })));
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
