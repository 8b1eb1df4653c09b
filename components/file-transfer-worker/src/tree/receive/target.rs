//! Where a tree goes: the folder that it is put into, which is made if it is not there, and removed again if nothing came.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::names;
use file_transfer_types::types::TransferError;
use transship_guest::drive::{Directory, FileKind, Rights, VfsError, open_drive};

use crate::receive::Job;

/// See the module.
pub(super) struct Target {
    /// The drive's full name.
    pub(super) drive: String,
    /// The path of the folder in the drive; empty for its root.
    pub(super) path: String,
    /// The folder. None: it is not there, and nothing is to be made (a dry run).
    pub(super) root: Option<Directory>,
    /// The folders that were made for it.
    made: Vec<String>,
}

impl Target {
    /// Opens it.
    pub(super) fn open(job: &Job, dry_run: bool) -> Result<Self, TransferError> {
        let path = names::check_folder(&job.local.name)?;
        let fail = |error| from_vfs(error, path, Side::Receiver);
        let drive = open_drive(&job.local.drive).map_err(fail)?;
        if !drive.rights().contains(Rights::all()) {
            return Err(TransferError::Denied(format!("receiving a tree needs the rights list, read and write for the drive {}", job.local.drive)));
        }
        let mut target = Self { drive: job.local.drive.clone(), path: path.to_owned(), root: None, made: Vec::new() };
        if path.is_empty() {
            target.root = Some(drive);
            return Ok(target);
        }
        for above in names::ancestors(path) {
            match drive.find(above) {
                Ok(Some(found)) if found.kind == FileKind::Directory => {}
                Ok(Some(_)) | Err(VfsError::NotADirectory(_)) => return Err(TransferError::InvalidRequest(format!("{above} is no folder"))),
                Ok(None) => target.made.push(above.to_owned()),
                Err(error) => return Err(fail(error)),
            }
        }
        if target.made.is_empty() || !dry_run {
            target.root = Some(drive.open_directory(path, true).map_err(fail)?);
        }
        Ok(target)
    }

    /// Removes the folders that were made for it, as far as there is nothing in them.
    pub(super) fn remove_folders(&self) {
        let Ok(drive) = open_drive(&self.drive) else { return };
        for path in self.made.iter().rev() {
            if drive.remove_directory(path, false).is_err() {
                return;
            }
        }
    }
}
