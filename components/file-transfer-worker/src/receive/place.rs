//! Where a received file goes: a folder of a drive, and a name in it.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::names;
use file_transfer_types::types::TransferError;
use transship_guest::drive::{Directory, FileKind, Metadata, Rights, VfsError, open_drive};

/// A target. Its name has been checked; nothing has been made.
pub(crate) struct Place {
    root: Directory,
    drive: String,
    folder: String,
    name: String,
}

impl Place {
    /// A target in a drive that this process holds.
    pub(crate) fn open(drive: &str, target: &str) -> Result<Self, TransferError> {
        names::check(target)?;
        let root = open_drive(drive).map_err(|error| from_vfs(error, target, Side::Receiver))?;
        if !root.rights().contains(Rights::READ | Rights::WRITE) {
            return Err(TransferError::Denied(format!("receiving needs the rights read and write for the drive {drive}")));
        }
        let (folder, name) = names::split(target);
        Ok(Self { root, drive: drive.into(), folder: folder.into(), name: name.into() })
    }

    /// The drive's full name.
    pub(crate) fn drive(&self) -> &str {
        &self.drive
    }

    /// The last part of the target.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The path of the target in the drive.
    pub(crate) fn path(&self) -> String {
        self.beside(&self.name)
    }

    /// The path of something in the same folder.
    pub(crate) fn beside(&self, name: &str) -> String {
        if self.folder.is_empty() { name.into() } else { format!("{}/{name}", self.folder) }
    }

    /// The drive's root.
    pub(crate) fn root(&self) -> &Directory {
        &self.root
    }

    /// What stands there.
    pub(crate) fn taken(&self) -> Result<Option<Metadata>, TransferError> {
        self.root.find(&self.path()).map_err(|error| from_vfs(error, &self.path(), Side::Receiver))
    }

    /// The bytes free, if the drive can tell.
    pub(crate) fn free_space(&self) -> Option<u64> {
        self.root.free_space().ok()
    }

    /// Opens the folder, making it and those above it if they are not there. Returns those that were made, the outermost first.
    pub(crate) fn make_folder(&self) -> Result<(Option<Directory>, Vec<String>), TransferError> {
        if self.folder.is_empty() {
            return Ok((None, Vec::new()));
        }
        let mut made = Vec::new();
        for path in names::ancestors(&self.folder) {
            match self.root.find(path) {
                Ok(None) => made.push(path.to_owned()),
                Ok(Some(found)) if found.kind == FileKind::Directory => {}
                Ok(Some(_)) | Err(VfsError::NotADirectory(_)) => return Err(TransferError::NotAFile(path.into())),
                Err(error) => return Err(from_vfs(error, path, Side::Receiver)),
            }
        }
        let folder = self.root.open_directory(&self.folder, true).map_err(|error| from_vfs(error, &self.folder, Side::Receiver))?;
        Ok((Some(folder), made))
    }

    /// Removes folders that were made, as far as nothing is in them.
    pub(crate) fn remove_folders(&self, made: &[String]) {
        for path in made.iter().rev() {
            if self.root.remove_directory(path, false).is_err() {
                return;
            }
        }
    }
}
