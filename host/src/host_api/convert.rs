//! Between the types of WIT and those of the node.

use super::bindings::transship::host::{blobs, digests, messaging, standard, vfs};
use crate::blob::BlobError;
use crate::digest::Algorithm;
use crate::message::{Address, NameError, PackageId, ProcessId, SendErrorKind};
use crate::rights::Rights;
use crate::vfs::VfsError;

impl From<&ProcessId> for standard::ProcessId {
    fn from(id: &ProcessId) -> Self {
        Self { process_name: id.process().into(), package_name: id.package().package().into(), publisher_node: id.package().publisher().into() }
    }
}

impl From<&Address> for standard::Address {
    fn from(address: &Address) -> Self {
        Self { node: address.node().into(), process: address.process().into() }
    }
}

impl TryFrom<&standard::ProcessId> for ProcessId {
    type Error = NameError;

    fn try_from(id: &standard::ProcessId) -> Result<Self, NameError> {
        ProcessId::new(&id.process_name, &PackageId::new(&id.package_name, &id.publisher_node)?)
    }
}

impl TryFrom<&standard::Address> for Address {
    type Error = NameError;

    fn try_from(address: &standard::Address) -> Result<Self, NameError> {
        Address::new(&address.node, (&address.process).try_into()?)
    }
}

impl From<Rights> for standard::Rights {
    fn from(rights: Rights) -> Self {
        let pairs = [(rights.list, Self::LIST), (rights.read, Self::READ), (rights.write, Self::WRITE)];
        pairs.into_iter().filter_map(|(has, flag)| has.then_some(flag)).fold(Self::empty(), |flags, flag| flags | flag)
    }
}

impl From<standard::Rights> for Rights {
    fn from(flags: standard::Rights) -> Self {
        Self { list: flags.contains(standard::Rights::LIST), read: flags.contains(standard::Rights::READ), write: flags.contains(standard::Rights::WRITE) }
    }
}

impl From<BlobError> for blobs::BlobError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::OutOfRange => Self::OutOfRange,
            BlobError::TooLarge(why) => Self::TooLarge(why),
            BlobError::Changed => Self::Changed,
            BlobError::Io(why) => Self::Io(why),
        }
    }
}

impl From<SendErrorKind> for messaging::SendErrorKind {
    fn from(kind: SendErrorKind) -> Self {
        match kind {
            SendErrorKind::Offline(why) => Self::Offline(why),
            SendErrorKind::Timeout => Self::Timeout,
            SendErrorKind::NoSuchProcess => Self::NoSuchProcess,
            SendErrorKind::Denied(why) => Self::Denied(why),
            SendErrorKind::TooLarge(why) => Self::TooLarge(why),
            SendErrorKind::UnknownNode => Self::UnknownNode,
        }
    }
}

impl From<digests::Algorithm> for Algorithm {
    fn from(algorithm: digests::Algorithm) -> Self {
        match algorithm {
            digests::Algorithm::Sha256 => Self::Sha256,
            digests::Algorithm::Blake3 => Self::Blake3,
            digests::Algorithm::Md5 => Self::Md5,
        }
    }
}

impl From<VfsError> for vfs::VfsError {
    fn from(error: VfsError) -> Self {
        match error {
            VfsError::NotFound(name) => Self::NotFound(name),
            VfsError::Denied(why) | VfsError::NoRight(_, why) => Self::Denied(why),
            VfsError::InvalidName(why) => Self::InvalidName(why),
            VfsError::NameTooLong(name) => Self::NameTooLong(name),
            VfsError::Exists(name) => Self::Exists(name),
            VfsError::IsADirectory(name) => Self::IsADirectory(name),
            VfsError::NotADirectory(name) => Self::NotADirectory(name),
            VfsError::NotEmpty(name) => Self::NotEmpty(name),
            VfsError::NoSpace => Self::NoSpace,
            VfsError::Limit(why) => Self::Limit(why),
            VfsError::Blob(error) => Self::Blob(error.into()),
            VfsError::Io(why) => Self::Io(why),
        }
    }
}
