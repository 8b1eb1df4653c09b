//! `vfs`.

use transship::native::interfaces::vfs::{Directory as InnerDirectory, File as InnerFile, Host, HostDirectory, HostFile};
pub use transship::native::interfaces::vfs::{
    DirectoryEntry, DirectoryPage, FileContent, FileKind, FileSettings, Metadata, NewFile, NewName, OpenFlags, VfsError,
};

use super::blobs::Blob;
use super::capabilities::Capability;
use super::standard::Rights;

super::handle! {
    /// An open file.
    File, InnerFile, host_await HostFile::drop
}

super::handle! {
    /// An open directory.
    Directory, InnerDirectory, host_await HostDirectory::drop
}

/// Files that were read at once.
#[derive(Debug)]
pub struct FilePack {
    /// What is known of each, and where its bytes begin.
    pub files: Vec<Result<FileContent, VfsError>>,
    /// Their bytes, one after the other.
    pub contents: Blob,
}

/// Makes methods that wait for the node and give back what it says.
macro_rules! methods {
    ($host:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty $(, $convert:path)?;)* }) => {
        $(
            /// See the interface.
            ///
            /// # Errors
            /// See the interface.
            #[allow(clippy::missing_errors_doc, clippy::must_use_candidate)]
            pub fn $name(&self $(, $argument: $type)*) -> $result {
                host_await!($host::$name, self.lent() $(, $argument.into())*)$(.map($convert))?
            }
        )*
    };
}

impl File {
    methods!(HostFile {
        fn read(offset: u64, length: u64) -> Result<Vec<u8>, VfsError>;
        fn read_blob(offset: u64, length: u64) -> Result<Blob, VfsError>, Blob::taken;
        fn write(offset: u64, bytes: &[u8]) -> Result<(), VfsError>;
        fn length() -> Result<u64, VfsError>;
        fn set_length(length: u64) -> Result<(), VfsError>;
        fn sync() -> Result<(), VfsError>;
        fn start_sync() -> u64;
        fn metadata() -> Result<Metadata, VfsError>;
        fn set_modified(modified: i64) -> Result<(), VfsError>;
        fn set_permissions(permissions: u16) -> Result<(), VfsError>;
        fn digest(algorithm: super::digests::Algorithm) -> Result<Vec<u8>, VfsError>;
    });

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn write_blob(&self, offset: u64, blob: &Blob) -> Result<(), VfsError> {
        host_await!(HostFile::write_blob, self.lent(), offset, blob.lent())
    }

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn queue_blob(&self, offset: u64, blob: &Blob) -> Result<(), VfsError> {
        host_await!(HostFile::queue_blob, self.lent(), offset, blob.lent())
    }
}

impl Directory {
    methods!(HostDirectory {
        fn drive() -> String;
        fn rights() -> Rights;
        fn open_file(path: &str, how: OpenFlags) -> Result<File, VfsError>, File::taken;
        fn open_directory(path: &str, create: bool) -> Result<Self, VfsError>, Self::taken;
        fn metadata(path: &str) -> Result<Metadata, VfsError>;
        fn metadata_of(paths: &[String]) -> Vec<Result<Metadata, VfsError>>;
        fn set_files(files: &[FileSettings]) -> Vec<Result<bool, VfsError>>;
        fn rename_files(names: &[NewName]) -> Vec<Result<(), VfsError>>;
        fn start_rename_files(names: &[NewName]) -> u64;
        fn read_link(path: &str) -> Result<String, VfsError>;
        fn make_link(path: &str, target: &str) -> Result<(), VfsError>;
        fn set_directory(path: &str, modified: i64, permissions: u16) -> Result<(), VfsError>;
        fn own_metadata() -> Result<Metadata, VfsError>;
        fn set_own(modified: i64, permissions: u16) -> Result<(), VfsError>;
        fn rename(old: &str, new: &str, replace: bool) -> Result<(), VfsError>;
        fn remove_file(path: &str) -> Result<(), VfsError>;
        fn remove_directory(path: &str, recursive: bool) -> Result<(), VfsError>;
        fn sync() -> Result<(), VfsError>;
        fn start_sync_all() -> u64;
        fn free_space() -> Result<u64, VfsError>;
    });

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn entries(&self, after: Option<&str>, limit: u32) -> Result<DirectoryPage, VfsError> {
        host_await!(HostDirectory::entries, self.lent(), after.map(Into::into), limit)
    }

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn read_files(&self, paths: &[String], limit: u64) -> Result<FilePack, VfsError> {
        host_await!(HostDirectory::read_files, self.lent(), paths.into(), limit)
            .map(|pack| FilePack { files: pack.files, contents: Blob::taken(pack.contents) })
    }

    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn write_files(&self, files: &[NewFile], contents: &Blob) -> Vec<Result<(), VfsError>> {
        host_await!(HostDirectory::write_files, self.lent(), files.into(), contents.lent())
    }
}

/// See the interface.
///
/// # Errors
/// See the interface.
pub fn open_drive(name: &str) -> Result<Directory, VfsError> {
    host_await!(Host::open_drive, name.into()).map(Directory::taken)
}

/// See the interface.
///
/// # Errors
/// See the interface.
pub fn open_capability(capability: &Capability) -> Result<Directory, VfsError> {
    host_await!(Host::open_capability, capability.lent()).map(Directory::taken)
}
