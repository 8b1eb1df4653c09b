//! `vfs`. What blocks on a disk runs on the threads that may block.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::behind::Behind;
use super::bindings::transship::host::digests::Algorithm;
use super::bindings::transship::host::standard;
use super::bindings::transship::host::vfs::{
    DirectoryEntry, DirectoryPage, FileContent, FileKind, FilePack, FileSettings, Host, HostDirectory, HostFile, Metadata, NewFile, NewName, OpenFlags,
    VfsError,
};
use super::blobs::MAX_COPY;
use super::{BlobHandle, DirectoryHandle, FileHandle, Guest};
use crate::blob::Blob;
use crate::capability::{Capability, Kind};
use crate::process::Need;
use crate::vfs::{self, Directory, File};

type Outcome<T> = wasmtime::Result<Result<T, VfsError>>;

/// So many files are worth a second thread.
const HALVED: usize = 32;

const REVOKED: &str = "the capability for this drive has been revoked";

fn revoked() -> VfsError {
    VfsError::Denied(REVOKED.into())
}

impl Guest {
    /// A file that may be used, when all is written that was queued for it.
    async fn settled(&mut self, file: &Resource<FileHandle>) -> Outcome<Arc<File>> {
        self.busy_epochs = 0;
        let handle = self.table.get(file)?;
        if !handle.capability.valid() {
            return Ok(Err(revoked()));
        }
        let (file, behind) = (handle.file.clone(), handle.behind.clone());
        match behind {
            Some(behind) => Ok(behind.settled().await.map(|()| file).map_err(Into::into)),
            None => Ok(Ok(file)),
        }
    }

    /// Calls a file's method where blocking is allowed.
    async fn with_file<T: Send + 'static>(
        &mut self,
        file: &Resource<FileHandle>,
        work: impl FnOnce(&File) -> Result<T, vfs::VfsError> + Send + 'static,
    ) -> Outcome<T> {
        match self.settled(file).await? {
            Ok(file) => Ok(tokio::task::spawn_blocking(move || work(&file)).await?.map_err(Into::into)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Calls a file's method that only looks at it: here, if it waits for nothing, since another thread costs many times such a call.
    async fn look_at<T: Send + 'static>(
        &mut self,
        handle: &Resource<FileHandle>,
        look: impl FnOnce(&File) -> Result<T, vfs::VfsError> + Send + 'static,
    ) -> Outcome<T> {
        match self.settled(handle).await? {
            Ok(file) if file.tells_at_once() => Ok(look(&file).map_err(Into::into)),
            Ok(_) => self.with_file(handle, look).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// Begins to bring something to the disk. Whether it still may is looked at when its turn has come.
    fn start_to_sync(&mut self, capability: Capability, behind: Option<Behind>, sync: impl FnOnce() -> Result<(), vfs::VfsError> + Send + 'static) -> u64 {
        self.busy_epochs = 0;
        let turns = self.syncing.clone();
        self.background.start(async move {
            if let Some(behind) = behind {
                behind.settled().await.map_err(|error| error.to_string())?;
            }
            let synced = turns.run(move || if capability.valid() { sync().map_err(|error| error.to_string()) } else { Err(REVOKED.into()) });
            synced.await.map_err(|abandoned| abandoned.to_string())?.map(|()| Vec::new())
        })
    }

    /// What `ask` finds out at once in a directory that may be used.
    fn at_once<T>(&self, directory: &Resource<DirectoryHandle>, ask: impl FnOnce(&Directory) -> Option<T>) -> wasmtime::Result<Option<T>> {
        let handle = self.table.get(directory)?;
        Ok(if handle.capability.valid() { ask(&handle.directory) } else { None })
    }

    /// Calls a directory's method where blocking is allowed.
    async fn with_directory<T: Send + 'static>(
        &mut self,
        directory: &Resource<DirectoryHandle>,
        work: impl FnOnce(&Directory) -> Result<T, vfs::VfsError> + Send + 'static,
    ) -> Outcome<T> {
        self.busy_epochs = 0;
        let handle = self.table.get(directory)?;
        if !handle.capability.valid() {
            return Ok(Err(revoked()));
        }
        let (directory, drive) = (handle.directory.clone(), handle.directory.drive().to_owned());
        let result = tokio::task::spawn_blocking(move || work(&directory)).await?;
        Ok(result.map_err(|error| match error {
            vfs::VfsError::NoRight(right, why) => VfsError::Denied(format!("{why}; {}", self.process.lacks(Need::Drive(&drive, Some(right))))),
            other => other.into(),
        }))
    }

    /// Calls a directory's method for many things where blocking is allowed: if it can't be called at all, that is the result for each.
    async fn with_many<A: Send + 'static, T: Send + 'static>(
        &mut self,
        directory: &Resource<DirectoryHandle>,
        items: Vec<A>,
        work: impl FnOnce(&Directory, &[A]) -> Vec<Result<T, vfs::VfsError>> + Send + 'static,
    ) -> wasmtime::Result<Vec<Result<T, VfsError>>> {
        let count = items.len();
        match self.with_directory(directory, move |directory| Ok(work(directory, &items))).await? {
            Ok(results) => Ok(results.into_iter().map(|result| result.map_err(Into::into)).collect()),
            Err(error) => Ok((0..count).map(|_| Err(error.clone())).collect()),
        }
    }

    fn room_for_a_file(&self) -> Result<(), VfsError> {
        let most = self.node.limits.open_files;
        if self.open_files >= most { Err(VfsError::Limit(format!("a process has at most {most} open files and directories"))) } else { Ok(()) }
    }

    fn push_directory(&mut self, directory: Directory, capability: Capability) -> wasmtime::Result<Resource<DirectoryHandle>> {
        self.open_files += 1;
        Ok(self.table.push(DirectoryHandle { directory: Arc::new(directory), capability })?)
    }

    fn open(&mut self, capability: &Capability) -> Outcome<Resource<DirectoryHandle>> {
        if let Err(error) = self.room_for_a_file() {
            return Ok(Err(error));
        }
        if !capability.valid() {
            return Ok(Err(revoked()));
        }
        let Kind::Drive { drive, rights } = capability.kind() else { return Ok(Err(VfsError::Denied("this is no capability for a drive".into()))) };
        let root = drive.root(*rights);
        Ok(Ok(self.push_directory(root, capability.clone())?))
    }
}

impl Host for Guest {
    async fn open_drive(&mut self, name: String) -> Outcome<Resource<DirectoryHandle>> {
        let full = if name.contains('/') { name } else { format!("{}/{name}", self.process.id.package()) };
        let found = self
            .process
            .held
            .lock()
            .iter()
            .find(|capability| capability.valid() && matches!(capability.kind(), Kind::Drive { drive, .. } if drive.name() == full))
            .cloned();
        match found {
            Some(capability) => self.open(&capability),
            None => Ok(Err(VfsError::Denied(self.process.lacks(Need::Drive(&full, None))))),
        }
    }

    async fn open_capability(&mut self, capability: Resource<Capability>) -> Outcome<Resource<DirectoryHandle>> {
        let capability = self.table.get(&capability)?.clone();
        self.open(&capability)
    }
}

impl HostFile for Guest {
    async fn read(&mut self, this: Resource<FileHandle>, offset: u64, length: u64) -> Outcome<Vec<u8>> {
        let length = length.min(MAX_COPY);
        Ok(self.with_file(&this, move |file| file.read(offset, length)).await?.map(Into::into))
    }

    async fn read_blob(&mut self, this: Resource<FileHandle>, offset: u64, length: u64) -> Outcome<Resource<BlobHandle>> {
        match self.look_at(&this, move |file| file.read_blob(offset, length)).await? {
            Ok(blob) => Ok(Ok(self.push_blob(blob)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn write(&mut self, this: Resource<FileHandle>, offset: u64, bytes: Vec<u8>) -> Outcome<()> {
        self.with_file(&this, move |file| file.write(offset, &bytes)).await
    }

    async fn write_blob(&mut self, this: Resource<FileHandle>, offset: u64, blob: Resource<BlobHandle>) -> Outcome<()> {
        let blob: Blob = self.blob(&blob)?;
        self.with_file(&this, move |file| file.write_blob(offset, &blob)).await
    }

    async fn queue_blob(&mut self, this: Resource<FileHandle>, offset: u64, blob: Resource<BlobHandle>) -> Outcome<()> {
        self.busy_epochs = 0;
        let blob: Blob = self.blob(&blob)?;
        // What is read from a file while it is written may take any time: that is waited for.
        let length = if blob.in_memory().is_some() { blob.length() } else { u64::MAX };
        let FileHandle { file, capability, behind } = self.table.get_mut(&this)?;
        let (file, capability, behind) = (file.clone(), capability.clone(), behind.get_or_insert_default().clone());
        let written = behind.write(&self.writing, length, move || {
            // Looked at when it is done and not when it was asked for.
            if capability.valid() { file.write_blob(offset, &blob) } else { Err(vfs::VfsError::Denied(REVOKED.into())) }
        });
        Ok(written.await.map_err(Into::into))
    }

    async fn length(&mut self, this: Resource<FileHandle>) -> Outcome<u64> {
        self.look_at(&this, File::length).await
    }

    async fn set_length(&mut self, this: Resource<FileHandle>, length: u64) -> Outcome<()> {
        self.with_file(&this, move |file| file.set_length(length)).await
    }

    async fn sync(&mut self, this: Resource<FileHandle>) -> Outcome<()> {
        self.with_file(&this, File::sync).await
    }

    async fn start_sync(&mut self, this: Resource<FileHandle>) -> wasmtime::Result<u64> {
        let FileHandle { file, capability, behind } = self.table.get(&this)?;
        let (file, capability, behind) = (file.clone(), capability.clone(), behind.clone());
        Ok(self.start_to_sync(capability, behind, move || file.sync()))
    }

    async fn metadata(&mut self, this: Resource<FileHandle>) -> Outcome<Metadata> {
        Ok(self.look_at(&this, File::metadata).await?.map(|metadata| convert(&metadata)))
    }

    async fn set_modified(&mut self, this: Resource<FileHandle>, modified: i64) -> Outcome<()> {
        self.with_file(&this, move |file| file.set_modified(modified)).await
    }

    async fn set_permissions(&mut self, this: Resource<FileHandle>, permissions: u16) -> Outcome<()> {
        self.with_file(&this, move |file| file.set_permissions(permissions)).await
    }

    async fn digest(&mut self, this: Resource<FileHandle>, algorithm: Algorithm) -> Outcome<Vec<u8>> {
        let whole = self.with_file(&this, |file| file.read_blob(0, file.length()?)).await?;
        let Ok(whole) = whole else { return Ok(whole.map(|_| Vec::new())) };
        let digest = self.digest_in_turns(algorithm.into(), whole).await?;
        Ok(digest.map_err(|error| vfs::VfsError::Blob(error).into()))
    }

    async fn drop(&mut self, this: Resource<FileHandle>) -> wasmtime::Result<()> {
        let FileHandle { file, behind, .. } = self.table.delete(this)?;
        if let Some(behind) = behind
            && let Err(error) = behind.settled().await
        {
            tracing::warn!(process = %self.process.id, %error, ?file, "what was queued for a file was not written, and the process did not ask");
        }
        self.open_files = self.open_files.saturating_sub(1);
        Ok(())
    }
}

impl HostDirectory for Guest {
    async fn drive(&mut self, this: Resource<DirectoryHandle>) -> wasmtime::Result<String> {
        Ok(match self.table.get(&this)?.capability.kind() {
            Kind::Drive { drive, .. } => drive.name().into(),
            _ => String::new(),
        })
    }

    async fn rights(&mut self, this: Resource<DirectoryHandle>) -> wasmtime::Result<standard::Rights> {
        Ok(self.table.get(&this)?.directory.rights().into())
    }

    async fn open_file(&mut self, this: Resource<DirectoryHandle>, path: String, how: OpenFlags) -> Outcome<Resource<FileHandle>> {
        if let Err(error) = self.room_for_a_file() {
            return Ok(Err(error));
        }
        let how = vfs::OpenFlags {
            read: how.contains(OpenFlags::READ),
            write: how.contains(OpenFlags::WRITE),
            create: how.contains(OpenFlags::CREATE),
            exclusive: how.contains(OpenFlags::EXCLUSIVE),
            truncate: how.contains(OpenFlags::TRUNCATE),
            private: how.contains(OpenFlags::PRIVATE),
            sparse: how.contains(OpenFlags::SPARSE),
        };
        let opened = match self.at_once(&this, |directory| directory.open_at_once(&path, how))? {
            Some(file) => Ok(file),
            None => self.with_directory(&this, move |directory| directory.open_file(&path, how)).await?,
        };
        self.busy_epochs = 0;
        match opened {
            Ok(file) => {
                let capability = self.table.get(&this)?.capability.clone();
                self.open_files += 1;
                Ok(Ok(self.table.push(FileHandle { file: Arc::new(file), capability, behind: None })?))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn open_directory(&mut self, this: Resource<DirectoryHandle>, path: String, create: bool) -> Outcome<Resource<DirectoryHandle>> {
        if let Err(error) = self.room_for_a_file() {
            return Ok(Err(error));
        }
        let opened = match self.at_once(&this, |directory| directory.open_directory_at_once(&path, create))? {
            Some(directory) => Ok(directory),
            None => self.with_directory(&this, move |directory| directory.open_directory(&path, create)).await?,
        };
        self.busy_epochs = 0;
        match opened {
            Ok(directory) => {
                let capability = self.table.get(&this)?.capability.clone();
                Ok(Ok(self.push_directory(directory, capability)?))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn entries(&mut self, this: Resource<DirectoryHandle>, after: Option<String>, limit: u32) -> Outcome<DirectoryPage> {
        let page = self.with_directory(&this, move |directory| directory.entries(after.as_deref(), limit)).await?;
        Ok(page.map(|page| DirectoryPage {
            entries: page.entries.iter().map(|entry| DirectoryEntry { name: entry.name.clone(), metadata: convert(&entry.metadata) }).collect(),
            more: page.more,
            unnamed: page.unnamed,
        }))
    }

    async fn metadata(&mut self, this: Resource<DirectoryHandle>, path: String) -> Outcome<Metadata> {
        if let Some(found) = self.at_once(&this, |directory| directory.metadata_at_once(&path))? {
            self.busy_epochs = 0;
            return Ok(found.map(|metadata| convert(&metadata)).map_err(Into::into));
        }
        Ok(self.with_directory(&this, move |directory| directory.metadata(&path)).await?.map(|metadata| convert(&metadata)))
    }

    async fn rename(&mut self, this: Resource<DirectoryHandle>, old: String, new: String, replace: bool) -> Outcome<()> {
        self.with_directory(&this, move |directory| directory.rename(&old, &new, replace)).await
    }

    async fn copy(&mut self, this: Resource<DirectoryHandle>, source: String, target: String) -> Outcome<()> {
        self.with_directory(&this, move |directory| directory.copy(&source, &target)).await
    }

    async fn remove_file(&mut self, this: Resource<DirectoryHandle>, path: String) -> Outcome<()> {
        self.with_directory(&this, move |directory| directory.remove_file(&path)).await
    }

    async fn remove_directory(&mut self, this: Resource<DirectoryHandle>, path: String, recursive: bool) -> Outcome<()> {
        self.with_directory(&this, move |directory| directory.remove_directory(&path, recursive)).await
    }

    async fn sync(&mut self, this: Resource<DirectoryHandle>) -> Outcome<()> {
        self.with_directory(&this, Directory::sync).await
    }

    async fn metadata_of(&mut self, this: Resource<DirectoryHandle>, paths: Vec<String>) -> wasmtime::Result<Vec<Result<Metadata, VfsError>>> {
        let found = self.with_many(&this, paths, |directory, paths| directory.metadata_of(paths)).await?;
        Ok(found.into_iter().map(|found| found.map(|metadata| convert(&metadata))).collect())
    }

    async fn read_files(&mut self, this: Resource<DirectoryHandle>, paths: Vec<String>, limit: u64) -> Outcome<FilePack> {
        let pack = match self.with_directory(&this, move |directory| directory.read_files(&paths, limit)).await? {
            Ok(pack) => pack,
            Err(error) => return Ok(Err(error)),
        };
        let read = |(metadata, offset): (vfs::Metadata, u64)| FileContent { metadata: convert(&metadata), offset };
        let files = pack.files.into_iter().map(|file| file.map(read).map_err(Into::into)).collect();
        Ok(Ok(FilePack { files, contents: self.push_blob(Blob::from_bytes(pack.contents, None))? }))
    }

    async fn write_files(
        &mut self,
        this: Resource<DirectoryHandle>,
        files: Vec<NewFile>,
        contents: Resource<BlobHandle>,
    ) -> wasmtime::Result<Vec<Result<(), VfsError>>> {
        let contents = self.blob(&contents)?;
        let new = |NewFile { path, offset, length, modified, permissions }| vfs::NewFile { path, offset, length, modified, permissions };
        let mut files: Vec<vfs::NewFile> = files.into_iter().map(new).collect();
        // None depends on another, so many are written by two threads.
        let rest = if (HALVED..=vfs::MAX_MANY).contains(&files.len()) { files.split_off(files.len() / 2) } else { Vec::new() };
        let handle = self.table.get(&this)?;
        if !handle.capability.valid() {
            return Ok(files.iter().chain(&rest).map(|_| Err(revoked())).collect());
        }
        let other = (!rest.is_empty()).then(|| {
            let (directory, contents) = (handle.directory.clone(), contents.clone());
            tokio::task::spawn_blocking(move || directory.write_files(&rest, &contents))
        });
        let mut written = self.with_many(&this, files, move |directory, files| directory.write_files(files, &contents)).await?;
        if let Some(other) = other {
            written.extend(other.await?.into_iter().map(|result| result.map_err(Into::into)));
        }
        Ok(written)
    }

    async fn rename_files(&mut self, this: Resource<DirectoryHandle>, names: Vec<NewName>) -> wasmtime::Result<Vec<Result<(), VfsError>>> {
        let names = names.into_iter().map(|NewName { old, new, replace }| vfs::NewName { old, new, replace }).collect();
        self.with_many(&this, names, |directory, names| directory.rename_files(names)).await
    }

    async fn start_rename_files(&mut self, this: Resource<DirectoryHandle>, names: Vec<NewName>) -> wasmtime::Result<u64> {
        self.busy_epochs = 0;
        let DirectoryHandle { directory, capability } = self.table.get(&this)?;
        let (directory, capability, turns) = (directory.clone(), capability.clone(), self.writing.clone());
        let names: Vec<vfs::NewName> = names.into_iter().map(|NewName { old, new, replace }| vfs::NewName { old, new, replace }).collect();
        Ok(self.background.start(async move {
            let rename = move || {
                if !capability.valid() {
                    return Err(REVOKED.into());
                }
                Ok(directory.rename_files(&names).iter().map(|renamed| u8::from(renamed.is_err())).collect())
            };
            turns.run(rename).await.map_err(|abandoned| abandoned.to_string())?
        }))
    }

    async fn set_files(&mut self, this: Resource<DirectoryHandle>, files: Vec<FileSettings>) -> wasmtime::Result<Vec<Result<bool, VfsError>>> {
        let files = files.into_iter().map(|FileSettings { path, modified, permissions }| vfs::FileSettings { path, modified, permissions }).collect();
        self.with_many(&this, files, |directory, files| directory.set_files(files)).await
    }

    async fn read_link(&mut self, this: Resource<DirectoryHandle>, path: String) -> Outcome<String> {
        self.with_directory(&this, move |directory| directory.read_link(&path)).await
    }

    async fn make_link(&mut self, this: Resource<DirectoryHandle>, path: String, target: String) -> Outcome<()> {
        self.with_directory(&this, move |directory| directory.make_link(&path, &target)).await
    }

    async fn set_directory(&mut self, this: Resource<DirectoryHandle>, path: String, modified: i64, permissions: u16) -> Outcome<()> {
        self.with_directory(&this, move |directory| directory.set_directory(&path, modified, permissions)).await
    }

    async fn own_metadata(&mut self, this: Resource<DirectoryHandle>) -> Outcome<Metadata> {
        Ok(self.with_directory(&this, Directory::own_metadata).await?.map(|metadata| convert(&metadata)))
    }

    async fn set_own(&mut self, this: Resource<DirectoryHandle>, modified: i64, permissions: u16) -> Outcome<()> {
        self.with_directory(&this, move |directory| directory.set_own(modified, permissions)).await
    }

    async fn start_sync_all(&mut self, this: Resource<DirectoryHandle>) -> wasmtime::Result<u64> {
        let DirectoryHandle { directory, capability } = self.table.get(&this)?;
        let (directory, capability) = (directory.clone(), capability.clone());
        Ok(self.start_to_sync(capability, None, move || directory.sync_all()))
    }

    async fn free_space(&mut self, this: Resource<DirectoryHandle>) -> Outcome<u64> {
        if let Some(free) = self.at_once(&this, Directory::free_space_at_once)? {
            self.busy_epochs = 0;
            return Ok(free.map_err(Into::into));
        }
        self.with_directory(&this, Directory::free_space).await
    }

    async fn drop(&mut self, this: Resource<DirectoryHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.open_files = self.open_files.saturating_sub(1);
        Ok(())
    }
}

fn convert(metadata: &vfs::Metadata) -> Metadata {
    let kind = match metadata.kind {
        vfs::FileKind::Regular => FileKind::Regular,
        vfs::FileKind::Directory => FileKind::Directory,
        vfs::FileKind::SymbolicLink => FileKind::SymbolicLink,
        vfs::FileKind::Other => FileKind::Other,
    };
    Metadata { kind, size: metadata.size, modified: metadata.modified, permissions: metadata.permissions }
}
