//! What processes keep for the next of their name: bytes that survive the process, the node and an upgrade of the package.
//!
//! Each process has a file, `FOLDER/PACKAGE:PUBLISHER/PROCESS`. The parts of a [`ProcessId`] are checked names, so they are file names as they stand; none
//! begins with a dot, which the files being written do. What always holds: a file under a process's name is complete. It is written beside, synced,
//! renamed, and the folder synced, so after a crash there is the old state or the new one; what a crash left beside is removed when the store is opened,
//! and is never read. One node opens a store at a time. All calls block on the disk.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::message::{PackageId, ProcessId};
use crate::vfs::words;

/// The most bytes that a process keeps.
pub const MAX_STATE: usize = 16 << 20;

/// How the names of files being written begin.
const BEING_WRITTEN: &str = ".";

/// Why a state could not be read or kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// More than [`MAX_STATE`].
    #[error("a process keeps at most {MAX_STATE} bytes")]
    TooLarge,
    /// The disk is full, or its owner's quota is used up.
    #[error("no space is left on the node's disk")]
    NoSpace,
    /// The system's own words, with the path.
    #[error("{0}")]
    Io(String),
}

impl StateError {
    fn of(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(format!("{}: {}", path.display(), words(&error))),
        }
    }
}

/// The states of all processes of a node. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct StateStore {
    folder: Arc<Path>,
}

impl StateStore {
    /// The store in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        make_folder(folder)?;
        for package in list(folder)? {
            if !package.is_dir() {
                continue;
            }
            for file in list(&package)? {
                if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(BEING_WRITTEN)) {
                    fs::remove_file(&file).map_err(StateError::of(&file))?;
                }
            }
        }
        Ok(Self { folder: folder.into() })
    }

    /// What was kept last, or none.
    ///
    /// # Errors
    /// [`StateError::TooLarge`] if somebody else put a larger file there, or what the system says.
    pub fn get(&self, process: &ProcessId) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.file(process);
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(StateError::of(&path))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_STATE as u64 + 1).read_to_end(&mut bytes).map_err(StateError::of(&path))?;
        if bytes.len() > MAX_STATE { Err(StateError::TooLarge) } else { Ok(Some(bytes)) }
    }

    /// Keeps bytes in place of what was kept before. They are on stable storage when this returns; when it fails, what was kept before is.
    ///
    /// # Errors
    /// All of [`StateError`].
    pub fn set(&self, process: &ProcessId, bytes: &[u8]) -> Result<(), StateError> {
        if bytes.len() > MAX_STATE {
            return Err(StateError::TooLarge);
        }
        let folder = self.package_folder(process.package());
        make_folder(&folder)?;
        let path = self.file(process);
        // Removes itself unless it is renamed.
        let mut beside = tempfile::Builder::new().prefix(BEING_WRITTEN).tempfile_in(&folder).map_err(StateError::of(&path))?;
        beside.write_all(bytes).and_then(|()| beside.as_file().sync_all()).map_err(StateError::of(&path))?;
        beside.persist(&path).map_err(|failure| StateError::of(&path)(failure.error))?;
        sync_folder(&folder)
    }

    /// Forgets.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self, process: &ProcessId) -> Result<(), StateError> {
        let path = self.file(process);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StateError::of(&path)(error)),
            Ok(()) => sync_folder(&self.package_folder(process.package())),
        }
    }

    /// Forgets what all processes of a package kept.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_package(&self, package: &PackageId) -> Result<(), StateError> {
        let folder = self.package_folder(package);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StateError::of(&folder)(error)),
            Ok(()) => sync_folder(&self.folder),
        }
    }

    fn package_folder(&self, package: &PackageId) -> PathBuf {
        self.folder.join(package.to_string())
    }

    fn file(&self, process: &ProcessId) -> PathBuf {
        self.package_folder(process.package()).join(process.process())
    }
}

/// Makes a folder that its owner alone can look into, durably.
fn make_folder(folder: &Path) -> Result<(), StateError> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(StateError::of(folder))?;
    match folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => sync_folder(above),
        None => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> Result<(), StateError> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(StateError::of(folder))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, StateError> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    entries.map_err(StateError::of(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn process(text: &str) -> ProcessId {
        text.parse().unwrap()
    }

    /// Opens the store as a restarted node does.
    fn reopened(folder: &Path) -> StateStore {
        StateStore::open(folder).unwrap()
    }

    #[test]
    fn what_was_kept_last_is_found_after_a_restart_and_by_its_own_process_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home/state");
        let (manager, worker, other) = (process("manager:p:q"), process("worker:p:q"), process("manager:p:r"));
        let store = StateStore::open(&path).unwrap();
        assert_eq!(store.get(&manager), Ok(None));
        store.set(&manager, b"first, and longer than the second").unwrap();
        store.set(&manager, b"second").unwrap();
        store.set(&worker, b"").unwrap();
        let store = reopened(&path);
        assert_eq!(store.get(&manager), Ok(Some(b"second".to_vec())));
        assert_eq!(store.get(&worker), Ok(Some(Vec::new())));
        assert_eq!(store.get(&other), Ok(None));
        assert_eq!(fs::metadata(path.join("p:q")).unwrap().permissions().mode() & 0o077, 0);
        assert_eq!(fs::metadata(path.join("p:q/manager")).unwrap().mode() & 0o077, 0);
    }

    #[test]
    fn clearing_and_removing_a_package_forget_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let (first, second, other) = (process("a:p:q"), process("b:p:q"), process("a:p.x:q"));
        for process in [&first, &second, &other] {
            store.set(process, process.to_string().as_bytes()).unwrap();
        }
        store.clear(&first).unwrap();
        store.clear(&first).unwrap();
        assert_eq!(store.get(&first), Ok(None));
        assert!(store.get(&second).unwrap().is_some());
        store.remove_package(first.package()).unwrap();
        store.remove_package(first.package()).unwrap();
        let store = reopened(folder.path());
        assert_eq!(store.get(&second), Ok(None));
        assert_eq!(store.get(&other), Ok(Some(b"a:p.x:q".to_vec())));
        store.set(&first, b"again").unwrap();
        assert_eq!(store.get(&first), Ok(Some(b"again".to_vec())));
    }

    #[test]
    fn a_state_of_exactly_the_limit_is_kept_and_a_larger_one_leaves_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let process = process("a:p:q");
        store.set(&process, &vec![7; MAX_STATE]).unwrap();
        assert_eq!(store.set(&process, &vec![8; MAX_STATE + 1]), Err(StateError::TooLarge));
        assert_eq!(store.get(&process).unwrap().unwrap(), vec![7; MAX_STATE]);
        fs::write(folder.path().join("p:q/a"), vec![0; MAX_STATE + 1]).unwrap();
        assert_eq!(store.get(&process), Err(StateError::TooLarge));
    }

    #[test]
    fn what_a_crash_left_half_written_is_never_read_and_goes_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let process = process("a:p:q");
        store.set(&process, b"whole").unwrap();
        let half = folder.path().join("p:q/.h4lfwr");
        fs::write(&half, b"ha").unwrap();
        assert_eq!(store.get(&process), Ok(Some(b"whole".to_vec())));
        let store = reopened(folder.path());
        assert!(!half.exists());
        assert_eq!(store.get(&process), Ok(Some(b"whole".to_vec())));
    }

    #[test]
    fn a_failed_set_says_where_leaves_the_old_state_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let process = process("a:p:q");
        // A directory in the way can't be replaced by a file.
        fs::create_dir_all(folder.path().join("p:q/a/x")).unwrap();
        let error = store.set(&process, b"new").unwrap_err();
        assert!(matches!(&error, StateError::Io(text) if text.contains("p:q/a")), "{error}");
        assert_eq!(fs::read_dir(folder.path().join("p:q")).unwrap().count(), 1);
    }

    #[test]
    fn readers_see_whole_states_only_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let process = process("a:p:q");
        store.set(&process, &[0; 100_000]).unwrap();
        std::thread::scope(|scope| {
            let writers: Vec<_> = (1..=2_u8)
                .map(|writer| {
                    let (store, process) = (&store, &process);
                    scope.spawn(move || (0..20).for_each(|_| store.set(process, &vec![writer; 100_000 * usize::from(writer)]).unwrap()))
                })
                .collect();
            while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let state = store.get(&process).unwrap().unwrap();
                let first = state[0];
                assert!(state.iter().all(|byte| *byte == first) && state.len() == 100_000 * usize::from(first.max(1)));
            }
        });
    }
}
