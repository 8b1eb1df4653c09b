//! The exported types and the shared ones are the same interface generated twice (an exported interface always has types of its own); here they become each other.

use file_transfer_types::{types, worker};

use crate::bindings::exports::transship::file_transfer::{file_transfer_worker as api, types as out};

pub(crate) fn location(location: api::Location) -> worker::Location {
    worker::Location { drive: location.drive, name: location.name }
}

pub(crate) fn download(request: api::DownloadRequest) -> worker::DownloadRequest {
    let api::DownloadRequest { name, target, is_requestor, local, slot, rivals: _, options: how } = request;
    worker::DownloadRequest { name, target, is_requestor, local: local.map(location), slot, rivals: None, options: how.map(options) }
}

pub(crate) fn upload(request: api::UploadRequest) -> worker::UploadRequest {
    let api::UploadRequest { name, target, is_requestor, local, slot, rivals: _, size, options: how } = request;
    worker::UploadRequest { name, target, is_requestor, local: local.map(location), slot, rivals: None, size, options: how.map(options) }
}

fn options(options: out::TransferOptions) -> types::TransferOptions {
    types::TransferOptions {
        chunk_size: options.chunk_size,
        window: options.window,
        streams: options.streams,
        conflict: options.conflict.map(|conflict| match conflict {
            out::ConflictPolicy::Fail => types::ConflictPolicy::Fail,
            out::ConflictPolicy::Overwrite => types::ConflictPolicy::Overwrite,
            out::ConflictPolicy::Rename => types::ConflictPolicy::Rename,
            out::ConflictPolicy::Skip => types::ConflictPolicy::Skip,
            out::ConflictPolicy::Newer => types::ConflictPolicy::Newer,
        }),
        digest: options.digest.map(|digest| match digest {
            out::DigestAlgorithm::Sha256 => types::DigestAlgorithm::Sha256,
            out::DigestAlgorithm::Blake3 => types::DigestAlgorithm::Blake3,
        }),
        digest_first: options.digest_first,
        by_id: options.by_id,
        timeout: options.timeout,
        retries: options.retries,
        limit: options.limit,
        tree: options.tree.map(tree),
    }
}

fn tree(options: out::TreeOptions) -> types::TreeOptions {
    types::TreeOptions {
        filter: options.filter,
        links: options.links.map(|links| match links {
            out::LinkPolicy::Skip => types::LinkPolicy::Skip,
            out::LinkPolicy::Keep => types::LinkPolicy::Keep,
            out::LinkPolicy::Refuse => types::LinkPolicy::Refuse,
        }),
        checksum: options.checksum,
        dry_run: options.dry_run,
        folders: options.folders,
    }
}

pub(crate) fn error(error: types::TransferError) -> out::TransferError {
    use out::TransferError as Out;
    use types::TransferError as In;
    match error {
        In::NotFound(text) => Out::NotFound(text),
        In::Denied(text) => Out::Denied(text),
        In::InvalidName(text) => Out::InvalidName(text),
        In::NameTooLong(text) => Out::NameTooLong(text),
        In::NotAFile(text) => Out::NotAFile(text),
        In::Unreadable(text) => Out::Unreadable(text),
        In::Changed(text) => Out::Changed(text),
        In::DigestMismatch(m) => Out::DigestMismatch(out::DigestMismatch { name: m.name, expected: m.expected, found: m.found }),
        In::NoSpace(space) => Out::NoSpace(out::NoSpace { drive: space.drive, needed: space.needed, available: space.available }),
        In::Offline(text) => Out::Offline(text),
        In::TimedOut(text) => Out::TimedOut(text),
        In::Cancelled(text) => Out::Cancelled(text),
        In::Interrupted(text) => Out::Interrupted(text),
        In::Conflict(text) => Out::Conflict(text),
        In::UnknownTransfer(text) => Out::UnknownTransfer(text),
        In::UnknownNode(text) => Out::UnknownNode(text),
        In::InvalidRequest(text) => Out::InvalidRequest(text),
        In::Busy(text) => Out::Busy(text),
        In::Failed(text) => Out::Failed(text),
    }
}
