//! How far a transfer is, as its parent is told.

use file_transfer_types::protocol::ReportRequest;
use file_transfer_types::types::TransferState;
use file_transfer_types::worker::ProgressRequest;

/// How far a transfer is.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// The transfer.
    pub(crate) id: String,
    /// The file.
    pub(crate) name: String,
    /// Bytes on the receiver's disk.
    pub(crate) bytes_done: u64,
    /// Bytes in all, once known.
    pub(crate) bytes_total: Option<u64>,
    /// Where it stands.
    pub(crate) state: TransferState,
    /// Of a tree: files that are done.
    pub(crate) files_done: Option<u64>,
    /// Of a tree: files in all, once known.
    pub(crate) files_total: Option<u64>,
}

impl Progress {
    /// Of a transfer that begins.
    pub(crate) fn new(id: String, name: String) -> Self {
        Self { id, name, bytes_done: 0, bytes_total: None, state: TransferState::Starting, files_done: None, files_total: None }
    }

    /// The report as it is sent.
    pub(crate) fn report(&self) -> ProgressRequest {
        let Self { id, name, bytes_done, bytes_total, state, files_done, files_total } = self.clone();
        ProgressRequest { id, name, progress: self.percent(), bytes_done, bytes_total, state, files_done, files_total }
    }

    /// What the counterpart is told of it.
    pub(crate) fn for_counterpart(&self) -> ReportRequest {
        let Self { bytes_done, bytes_total, state, files_done, files_total, .. } = self.clone();
        ReportRequest { bytes_done, state, bytes_total, files_done, files_total }
    }

    /// 100 means verified and published, so everything before stays below.
    fn percent(&self) -> u8 {
        if matches!(self.state, TransferState::Done(_)) {
            return 100;
        }
        match self.bytes_total {
            Some(total) if total > 0 => (u128::from(self.bytes_done) * 100 / u128::from(total)).min(99) as u8,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use file_transfer_types::types::{DigestAlgorithm, TransferError, TransferSummary};

    use super::*;

    fn at(done: u64, total: Option<u64>, state: TransferState) -> u8 {
        Progress { bytes_done: done, bytes_total: total, state, ..Progress::new("1".into(), "n".into()) }.report().progress
    }

    #[test]
    fn the_percentage_is_rounded_down_and_100_only_at_the_end() {
        assert_eq!(at(0, None, TransferState::Starting), 0);
        assert_eq!(at(199, Some(1_000), TransferState::Transferring), 19);
        assert_eq!(at(1_000, Some(1_000), TransferState::Verifying), 99);
        assert_eq!(at(u64::MAX, Some(u64::MAX), TransferState::Verifying), 99);
        assert_eq!(at(0, Some(0), TransferState::Transferring), 0);
        assert_eq!(at(500, Some(1_000), TransferState::Failed(TransferError::Busy(String::new()))), 50);
        let summary = TransferSummary {
            name: "n".into(),
            size: 0,
            algorithm: DigestAlgorithm::Sha256,
            digest: String::new(),
            resumed: 0,
            skipped: false,
            elapsed: 1,
            tree: None,
        };
        assert_eq!(at(0, Some(0), TransferState::Done(summary)), 100);
    }
}
