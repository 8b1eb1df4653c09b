//! Files of WASI: one root directory in which everything is refused.
//!
//! There is a root, and not nothing, so that a guest's library asks for the file and gets `access` (in most languages: permission denied), instead of an error of its own that says that there is
//! no such file. The root stands for no directory of the machine: its handle is a number that is never looked at.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode, Filesize, Host, HostDescriptor,
    HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::Guest;

/// The root's handle, whichever process's.
const ROOT: u32 = 0;

impl preopens::Host for Guest {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.busy_epochs = 0;
        Ok(vec![(Resource::new_own(ROOT), "/".into())])
    }
}

impl Host for Guest {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(&mut self, _: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(None)
    }
}

impl Guest {
    fn no_file<T>(&mut self, name: &str) -> FsResult<T> {
        self.refused_file(name);
        Err(ErrorCode::Access.into())
    }
}

impl HostDescriptor for Guest {
    async fn open_at(&mut self, _: Resource<Descriptor>, _: PathFlags, path: String, _: OpenFlags, _: DescriptorFlags) -> FsResult<Resource<Descriptor>> {
        self.no_file(&path)
    }

    async fn create_directory_at(&mut self, _: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.no_file(&path)
    }

    async fn read_directory(&mut self, _: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>> {
        self.no_file("/")
    }

    async fn stat_at(&mut self, _: Resource<Descriptor>, _: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.no_file(&path)
    }

    async fn set_times_at(&mut self, _: Resource<Descriptor>, _: PathFlags, path: String, _: NewTimestamp, _: NewTimestamp) -> FsResult<()> {
        self.no_file(&path)
    }

    async fn link_at(&mut self, _: Resource<Descriptor>, _: PathFlags, old: String, _: Resource<Descriptor>, _: String) -> FsResult<()> {
        self.no_file(&old)
    }

    async fn readlink_at(&mut self, _: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.no_file(&path)
    }

    async fn remove_directory_at(&mut self, _: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.no_file(&path)
    }

    async fn rename_at(&mut self, _: Resource<Descriptor>, old: String, _: Resource<Descriptor>, _: String) -> FsResult<()> {
        self.no_file(&old)
    }

    async fn symlink_at(&mut self, _: Resource<Descriptor>, _: String, path: String) -> FsResult<()> {
        self.no_file(&path)
    }

    async fn unlink_file_at(&mut self, _: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.no_file(&path)
    }

    async fn metadata_hash_at(&mut self, _: Resource<Descriptor>, _: PathFlags, path: String) -> FsResult<MetadataHashValue> {
        self.no_file(&path)
    }

    // What follows can be asked of the root only. A library looks at it before it opens something in it: so that is what it is told, and nothing is said in the log.

    async fn get_type(&mut self, _: Resource<Descriptor>) -> FsResult<DescriptorType> {
        Ok(DescriptorType::Directory)
    }

    async fn get_flags(&mut self, _: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        Ok(DescriptorFlags::READ)
    }

    async fn is_same_object(&mut self, _: Resource<Descriptor>, _: Resource<Descriptor>) -> wasmtime::Result<bool> {
        Ok(true)
    }

    async fn stat(&mut self, _: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        Err(ErrorCode::Access.into())
    }

    async fn metadata_hash(&mut self, _: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        Err(ErrorCode::Access.into())
    }

    async fn set_times(&mut self, _: Resource<Descriptor>, _: NewTimestamp, _: NewTimestamp) -> FsResult<()> {
        Err(ErrorCode::Access.into())
    }

    async fn advise(&mut self, _: Resource<Descriptor>, _: Filesize, _: Filesize, _: Advice) -> FsResult<()> {
        Err(ErrorCode::IsDirectory.into())
    }

    async fn sync_data(&mut self, _: Resource<Descriptor>) -> FsResult<()> {
        Err(ErrorCode::IsDirectory.into())
    }

    async fn sync(&mut self, _: Resource<Descriptor>) -> FsResult<()> {
        Err(ErrorCode::IsDirectory.into())
    }

    async fn set_size(&mut self, _: Resource<Descriptor>, _: Filesize) -> FsResult<()> {
        Err(ErrorCode::IsDirectory.into())
    }

    async fn read(&mut self, _: Resource<Descriptor>, _: Filesize, _: Filesize) -> FsResult<(Vec<u8>, bool)> {
        Err(ErrorCode::IsDirectory.into())
    }

    async fn write(&mut self, _: Resource<Descriptor>, _: Vec<u8>, _: Filesize) -> FsResult<Filesize> {
        Err(ErrorCode::IsDirectory.into())
    }

    fn read_via_stream(&mut self, _: Resource<Descriptor>, _: Filesize) -> FsResult<Resource<DynInputStream>> {
        Err(ErrorCode::IsDirectory.into())
    }

    fn write_via_stream(&mut self, _: Resource<Descriptor>, _: Filesize) -> FsResult<Resource<DynOutputStream>> {
        Err(ErrorCode::IsDirectory.into())
    }

    fn append_via_stream(&mut self, _: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        Err(ErrorCode::IsDirectory.into())
    }

    fn drop(&mut self, _: Resource<Descriptor>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl HostDirectoryEntryStream for Guest {
    async fn read_directory_entry(&mut self, _: Resource<DirectoryEntryStream>) -> FsResult<Option<DirectoryEntry>> {
        Err(ErrorCode::Access.into())
    }

    fn drop(&mut self, _: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        Ok(())
    }
}
