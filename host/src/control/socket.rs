//! The socket in the home: made, found, and closed to everybody but the owner.
//!
//! The address of a Unix socket has at most 107 bytes, which a home deep in the folders exceeds. Then, on Linux, it is reached through an open handle of the
//! home: `/proc/self/fd/N/control.sock`, which is short.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::home::{Home, HomeLock};

/// The longest path that every Unix takes (macOS: 103 bytes).
const LONGEST: usize = 100;

/// A path to the socket that is short enough, and what must stay open while it is used.
fn short_path(home: &Home) -> io::Result<(PathBuf, Option<File>)> {
    let path = home.control_path();
    if path.as_os_str().len() <= LONGEST {
        return Ok((path, None));
    }
    if !cfg!(target_os = "linux") {
        let message = format!("{} is too long for the name of a socket: choose a home whose path is shorter than {LONGEST} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, message));
    }
    let folder = File::open(home.folder())?;
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join("control.sock");
    Ok((path, Some(folder)))
}

/// Makes the socket. Whoever holds the lock runs the home's only node, so a socket that is there already was left by one that died.
pub(super) fn bind(home: &Home, _lock: &HomeLock) -> io::Result<UnixListener> {
    remove(home)?;
    let (path, _folder) = short_path(home)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(home.control_path(), fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes the socket, if it is there.
pub(super) fn remove(home: &Home) -> io::Result<()> {
    match fs::remove_file(home.control_path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Connects to the running node; none if there is none.
pub(super) async fn connect(home: &Home) -> io::Result<Option<UnixStream>> {
    let (path, _folder) = short_path(home)?;
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the other end is a process of the node's own user (or of the superuser, whom nothing stops).
pub(super) fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|credentials| credentials.uid() == own || credentials.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_home_with_a_very_long_path_has_a_socket_too() {
        let outer = tempfile::tempdir().unwrap();
        for folder in [outer.path().join("short"), outer.path().join("long".repeat(30)).join("longer".repeat(30))] {
            let home = Home::init(&folder, "alice").unwrap();
            let lock = home.lock().unwrap();
            assert!(connect(&home).await.unwrap().is_none());
            let listener = bind(&home, &lock).unwrap();
            let stream = connect(&home).await.unwrap().unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            assert!(is_owner(&accepted) && is_owner(&stream));
            assert_eq!(fs::metadata(home.control_path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_socket_left_by_a_node_that_died_is_no_running_node_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(folder.path(), "alice").unwrap();
        let lock = home.lock().unwrap();
        drop(bind(&home, &lock).unwrap());
        assert!(home.control_path().exists());
        assert!(connect(&home).await.unwrap().is_none());
        let _listener = bind(&home, &lock).unwrap();
        assert!(connect(&home).await.unwrap().is_some());
    }
}
