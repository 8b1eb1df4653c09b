//! Transfer errors: made from the node's errors, sorted by what they leave behind, and in words.

use transship_guest::drive::VfsError;
use transship_guest::message::{BlobError, SendErrorKind};
use transship_guest::process::SpawnError;

use crate::names::shown;
use crate::types::{NoSpace, TransferError};

/// Which side of a transfer met an error of a drive: the same failure means another thing to the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It reads the file.
    Provider,
    /// It writes the file.
    Receiver,
}

/// An error of a drive, met with the file `name`.
#[must_use]
pub fn from_vfs(error: VfsError, name: &str, side: Side) -> TransferError {
    match error {
        VfsError::NotFound(_) if side == Side::Provider => TransferError::NotFound(shown(name)),
        // The one who asked has not asked for this: a folder went away under the receiver, say.
        VfsError::NotFound(path) => TransferError::Failed(format!("{} can't be written: '{}' is not there any more", shown(name), shown(&path))),
        VfsError::Denied(text) if side == Side::Provider => TransferError::Unreadable(text),
        VfsError::Denied(text) => TransferError::Denied(text),
        VfsError::InvalidName(text) => TransferError::InvalidName(text),
        VfsError::NameTooLong(text) => TransferError::NameTooLong(text),
        VfsError::Exists(_) => TransferError::Conflict(shown(name)),
        VfsError::IsADirectory(_) | VfsError::NotADirectory(_) => TransferError::NotAFile(shown(name)),
        VfsError::NoSpace => TransferError::NoSpace(NoSpace { drive: String::new(), needed: 0, available: 0 }),
        VfsError::NotEmpty(text) | VfsError::Limit(text) => TransferError::Failed(text),
        VfsError::Blob(error) => from_blob(error, name),
        VfsError::Io(text) if side == Side::Provider => TransferError::Unreadable(text),
        VfsError::Io(text) => TransferError::Failed(text),
    }
}

/// An error of a blob that is part of the file `name`.
#[must_use]
pub fn from_blob(error: BlobError, name: &str) -> TransferError {
    match error {
        BlobError::Changed => TransferError::Changed(shown(name)),
        BlobError::OutOfRange => TransferError::Failed(format!("{}: a range is not inside the file", shown(name))),
        BlobError::TooLarge(text) | BlobError::Io(text) => TransferError::Failed(text),
    }
}

/// A request that failed: to the process `who` (a node, or a process on it).
#[must_use]
pub fn from_send(kind: &SendErrorKind, node: &str, what: &str) -> TransferError {
    match kind {
        SendErrorKind::Offline(text) if text.is_empty() => TransferError::Offline(node.into()),
        SendErrorKind::Offline(text) => TransferError::Offline(format!("{node}: {text}")),
        SendErrorKind::Timeout => TransferError::TimedOut(format!("{node} did not answer in time: {what}")),
        SendErrorKind::NoSuchProcess => TransferError::Offline(format!("{node}: the process that was asked has ended, or never ran there ({what})")),
        SendErrorKind::Denied(text) => TransferError::Denied(text.clone()),
        SendErrorKind::TooLarge(text) => TransferError::Failed(text.clone()),
        SendErrorKind::UnknownNode => TransferError::UnknownNode(node.into()),
    }
}

/// A worker that could not be started.
#[must_use]
pub fn from_spawn(error: SpawnError) -> TransferError {
    match error {
        SpawnError::Denied(text) => TransferError::Denied(text),
        SpawnError::Limit(text) => TransferError::Busy(text),
        SpawnError::NoSuchComponent(name) => {
            TransferError::Failed(format!("there is no component {name}: this package must hold it or depend on file-transfer:transship"))
        }
        SpawnError::NameTaken(text) | SpawnError::InvalidName(text) | SpawnError::Failed(text) => TransferError::Failed(text),
    }
}

/// Whether what has arrived is worth keeping after this error: the same request (or, after a conflict, one with another policy) may go on where this one stopped.
#[must_use]
pub fn keeps(error: &TransferError) -> bool {
    use TransferError as E;
    matches!(error, E::Offline(_) | E::TimedOut(_) | E::Interrupted(_) | E::NoSpace(_) | E::Conflict(_))
}

/// The error in words.
#[must_use]
pub fn describe(error: &TransferError) -> String {
    match error {
        TransferError::NotFound(name) => format!("not found: {name}"),
        TransferError::Denied(text) => format!("denied: {text}"),
        TransferError::InvalidName(text) => format!("not a name for a file: {text}"),
        TransferError::NameTooLong(text) => format!("the name is too long: {text}"),
        TransferError::NotAFile(name) => format!("not a regular file: {name}"),
        TransferError::Unreadable(text) => format!("the file can't be read: {text}"),
        TransferError::Changed(name) => format!("the file changed while it was sent: {name}"),
        TransferError::DigestMismatch(mismatch) => format!("what arrived of {} is {}, and should be {}", mismatch.name, mismatch.found, mismatch.expected),
        TransferError::NoSpace(space) => format!("no space in {}: {} bytes are needed and {} free", space.drive, space.needed, space.available),
        TransferError::Offline(node) => format!("offline: {node}"),
        TransferError::TimedOut(what) => format!("timed out: {what}"),
        TransferError::Cancelled(text) => format!("cancelled: {text}"),
        TransferError::Interrupted(text) => format!("interrupted: {text}"),
        TransferError::Conflict(name) => format!("there is a file of that name: {name}"),
        TransferError::UnknownTransfer(id) => format!("no transfer {id}"),
        TransferError::UnknownNode(node) => format!("{node} is not among the peers"),
        TransferError::InvalidRequest(text) => format!("the request makes no sense: {text}"),
        TransferError::Busy(text) => format!("busy: {text}"),
        TransferError::Failed(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::DigestMismatch;

    #[test]
    fn only_failures_that_a_later_attempt_can_get_past_keep_what_has_arrived() {
        let text = || String::from("x");
        let full = TransferError::NoSpace(NoSpace { drive: text(), needed: 2, available: 1 });
        for error in
            [TransferError::Offline(text()), TransferError::TimedOut(text()), TransferError::Interrupted(text()), TransferError::Conflict(text()), full]
        {
            assert!(keeps(&error), "{error:?}");
        }
        for error in [
            TransferError::Cancelled(text()),
            TransferError::DigestMismatch(DigestMismatch { name: text(), expected: text(), found: text() }),
            TransferError::Changed(text()),
            TransferError::Denied(text()),
        ] {
            assert!(!keeps(&error), "{error:?}");
        }
    }

    #[test]
    fn a_file_that_may_not_be_read_is_unreadable_and_one_that_may_not_be_written_is_denied() {
        let denied = || VfsError::Denied("permission denied".into());
        assert_eq!(from_vfs(denied(), "x", Side::Provider), TransferError::Unreadable("permission denied".into()));
        assert_eq!(from_vfs(denied(), "x", Side::Receiver), TransferError::Denied("permission denied".into()));
    }

    #[test]
    fn only_the_provider_can_lack_the_file() {
        let gone = || VfsError::NotFound("folder".into());
        assert_eq!(from_vfs(gone(), "x", Side::Provider), TransferError::NotFound("x".into()));
        assert!(matches!(from_vfs(gone(), "x", Side::Receiver), TransferError::Failed(text) if text.contains("'folder' is not there any more")));
    }

    #[test]
    fn an_error_of_the_link_says_which_node_and_what_was_waited_for() {
        assert_eq!(from_send(&SendErrorKind::Offline(String::new()), "bob", "x"), TransferError::Offline("bob".into()));
        let TransferError::TimedOut(text) = from_send(&SendErrorKind::Timeout, "bob", "a chunk") else { panic!() };
        assert!(text.contains("bob") && text.contains("a chunk"));
    }
}
