//! How far a transfer is.

use file_transfer_types::types::{TransferError, TransferState, TransferSummary};
use file_transfer_types::worker::ProgressRequest;

/// How far a transfer of this process is. The last one of a transfer has an [`end`](Self::end).
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What [`Download::start`](crate::Download::start), [`Upload::start`](crate::Upload::start), [`Wanted::send`](crate::Wanted::send) or [`Offered::take`](crate::Offered::take) returned.
    pub id: String,
    /// The file's name at the provider (download) or at the receiver (upload).
    pub name: String,
    /// 0 to 100, rounded down; 100 only when all is verified and published.
    pub percent: u8,
    /// Bytes on the receiver's disk, those of an earlier attempt included.
    pub bytes_done: u64,
    /// Bytes in all, once known.
    pub bytes_total: Option<u64>,
    /// Where it stands.
    pub state: TransferState,
    /// Of a tree: how many of its files are done.
    pub files_done: Option<u64>,
    /// Of a tree: how many files it has, once all are known.
    pub files_total: Option<u64>,
}

impl Progress {
    /// How it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<Result<&TransferSummary, &TransferError>> {
        match &self.state {
            TransferState::Done(summary) => Some(Ok(summary)),
            TransferState::Failed(error) => Some(Err(error)),
            TransferState::Waiting | TransferState::Starting | TransferState::Transferring | TransferState::Verifying | TransferState::Restarted(_) => None,
        }
    }
}

impl From<ProgressRequest> for Progress {
    fn from(request: ProgressRequest) -> Self {
        let ProgressRequest { id, name, progress, bytes_done, bytes_total, state, files_done, files_total } = request;
        Self { id, name, percent: progress, bytes_done, bytes_total, state, files_done, files_total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_done_or_failed_has_an_end() {
        let progress =
            |state| Progress { id: "1".into(), name: "n".into(), percent: 0, bytes_done: 0, bytes_total: None, state, files_done: None, files_total: None };
        assert!(progress(TransferState::Restarted(String::new())).end().is_none());
        let error = TransferError::Offline("bob".into());
        assert_eq!(progress(TransferState::Failed(error.clone())).end(), Some(Err(&error)));
    }
}
