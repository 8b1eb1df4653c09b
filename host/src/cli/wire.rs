//! The messages of the file-transfer package, as far as the command speaks them: `wit/file-transfer/*.wit` as JSON.

mod tree;

use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use tree::TreeFailure;
pub(crate) use tree::{LinkPolicy, TreeOptions, TreeSummary};

/// `types.transfer-error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TransferError {
    NotFound(String),
    Denied(String),
    InvalidName(String),
    NameTooLong(String),
    NotAFile(String),
    Unreadable(String),
    Changed(String),
    DigestMismatch(DigestMismatch),
    NoSpace(NoSpace),
    Offline(String),
    TimedOut(String),
    Cancelled(String),
    Interrupted(String),
    Conflict(String),
    UnknownTransfer(String),
    UnknownNode(String),
    InvalidRequest(String),
    Busy(String),
    Failed(String),
}

/// `types.digest-mismatch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DigestMismatch {
    pub(crate) name: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// `types.no-space`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NoSpace {
    pub(crate) drive: String,
    pub(crate) needed: u64,
    pub(crate) available: u64,
}

/// `types.conflict-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConflictPolicy {
    /// Fail before a byte moves
    Fail,
    /// Replace it, at once and completely, when the new one is verified
    Overwrite,
    /// Use the first free name: `name (1).ext`, `name (2).ext`, ...
    Rename,
    /// Leave it, and end well
    Skip,
    /// Replace it if the new one was modified later, leave it otherwise
    Newer,
}

/// `types.digest-algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DigestAlgorithm {
    /// FIPS 180-4
    Sha256,
    /// Faster on most machines
    Blake3,
}

/// `file-transfer.id-algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IdAlgorithm {
    /// FIPS 180-4
    Sha256,
    /// To compare with what older systems list
    Md5,
}

/// `types.transfer-options`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TransferOptions {
    pub(crate) chunk_size: Option<u32>,
    pub(crate) window: Option<u32>,
    pub(crate) streams: Option<u8>,
    pub(crate) conflict: Option<ConflictPolicy>,
    pub(crate) digest: Option<DigestAlgorithm>,
    pub(crate) digest_first: Option<bool>,
    pub(crate) by_id: Option<bool>,
    pub(crate) timeout: Option<u64>,
    pub(crate) retries: Option<u32>,
    pub(crate) limit: Option<u64>,
    pub(crate) tree: Option<TreeOptions>,
}

/// `types.transfer-summary`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TransferSummary {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) algorithm: DigestAlgorithm,
    pub(crate) digest: String,
    pub(crate) resumed: u64,
    pub(crate) skipped: bool,
    pub(crate) elapsed: u64,
    #[serde(default)]
    pub(crate) tree: Option<TreeSummary>,
}

/// `types.transfer-state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TransferState {
    Waiting,
    Starting,
    Transferring,
    Verifying,
    Restarted(String),
    Done(TransferSummary),
    Failed(TransferError),
}

/// `file-transfer.file-info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FileInfo {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) modified: i64,
    #[serde(default)]
    pub(crate) id: Option<String>,
}

/// `file-transfer.list-options`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListOptions {
    pub(crate) node: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<u32>,
    pub(crate) id: Option<IdAlgorithm>,
}

/// `file-transfer.file-page`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FilePage {
    pub(crate) files: Vec<FileInfo>,
    pub(crate) more: bool,
}

/// `file-transfer.place`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Place {
    pub(crate) drive: Option<String>,
    pub(crate) name: Option<String>,
}

/// `file-transfer.get-request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct GetRequest {
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) to: Place,
    pub(crate) options: Option<TransferOptions>,
}

/// `file-transfer.put-request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PutRequest {
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) from: Place,
    pub(crate) options: Option<TransferOptions>,
}

/// `file-transfer.cancel-request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CancelRequest {
    pub(crate) id: String,
    pub(crate) keep: bool,
}

/// `file-transfer.transfer-status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TransferStatus {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) node: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) receiving: bool,
    pub(crate) bytes_done: u64,
    #[serde(default)]
    pub(crate) bytes_total: Option<u64>,
    pub(crate) state: TransferState,
    #[serde(default)]
    pub(crate) kept: Option<String>,
}

/// `file-transfer.store-result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoreResult {
    Store(StoreInfo),
    Cancel,
}

/// `file-transfer.store-info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StoreInfo {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) digest: String,
    pub(crate) conflict: Option<ConflictPolicy>,
}

/// `file-transfer.store-segment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StoreSegment {
    pub(crate) file_id: Option<String>,
    pub(crate) number: u64,
    pub(crate) result: Option<StoreResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conflict: Option<ConflictPolicy>,
}

/// `file-transfer.store-state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoreState {
    Open,
    Stored,
    Cancelled,
}

/// `file-transfer.store-status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StoreStatus {
    pub(crate) file_id: String,
    pub(crate) segments: u64,
    pub(crate) bytes: u64,
    pub(crate) state: StoreState,
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// `file-transfer.request`, what the manager is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    ListPage(ListOptions),
    Get(GetRequest),
    Put(PutRequest),
    Cancel(CancelRequest),
    Transfers,
    Stopped,
    Store(StoreSegment),
}

/// `file-transfer.response`, what the manager answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Response {
    ListFiles(Vec<FileInfo>),
    ListPage(FilePage),
    Started(String),
    Cancelled(Box<TransferStatus>),
    Transfers(Vec<TransferStatus>),
    Stored(StoreStatus),
    Error(TransferError),
}

/// `file-transfer-worker.request`, as far as it comes to whoever started a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Notice {
    Progress(Progress),
}

/// `file-transfer-worker.progress-request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Progress {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) progress: u8,
    pub(crate) bytes_done: u64,
    #[serde(default)]
    pub(crate) bytes_total: Option<u64>,
    pub(crate) state: TransferState,
    #[serde(default)]
    pub(crate) files_done: Option<u64>,
    #[serde(default)]
    pub(crate) files_total: Option<u64>,
}

/// The answer to a [`Notice::Progress`]: `file-transfer-worker.response.progress`.
pub(crate) const NOTED: &str = "\"progress\"";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_str, json, to_value};

    #[test]
    fn requests_are_the_json_that_the_wit_describes() {
        let place = Place { drive: Some("d:e/f".into()), name: None };
        let options =
            TransferOptions { chunk_size: Some(1), conflict: Some(ConflictPolicy::Skip), digest: Some(DigestAlgorithm::Sha256), ..Default::default() };
        let request = Request::Get(GetRequest { node: "bob".into(), name: "a b".into(), to: place, options: Some(options) });
        let json = to_value(request).unwrap();
        assert_eq!(json["get"]["to"], json!({"drive": "d:e/f", "name": null}));
        assert_eq!((&json["get"]["options"]["chunk-size"], &json["get"]["options"]["conflict"]), (&json!(1), &json!("skip")));
        assert_eq!(to_value(Request::Transfers).unwrap(), json!("transfers"));
        let last = StoreSegment { file_id: Some("7".into()), number: 2, result: Some(StoreResult::Cancel), name: None, conflict: None };
        assert_eq!(to_value(Request::Store(last)).unwrap(), json!({"store": {"file-id": "7", "number": 2, "result": "cancel"}}));
    }

    #[test]
    fn answers_are_read_with_optional_fields_left_out() {
        let error: Response = from_str(r#"{"error": {"digest-mismatch": {"name": "n", "expected": "1", "found": "2"}}}"#).unwrap();
        assert!(matches!(error, Response::Error(TransferError::DigestMismatch(_))));
        let page: Response = from_str(r#"{"list-page": {"files": [{"name": "n", "size": 1, "modified": -1}], "more": false}}"#).unwrap();
        assert!(matches!(page, Response::ListPage(page) if page.files.len() == 1));
        let notice = r#"{"progress": {"id": "1", "name": "n", "progress": 100, "bytes-done": 5, "state": {"done":
            {"name": "n", "size": 5, "algorithm": "blake3", "digest": "", "resumed": 0, "skipped": true, "elapsed": 1}}}}"#;
        assert!(matches!(from_str(notice).unwrap(), Notice::Progress(Progress { state: TransferState::Done(_), .. })));
        assert!(from_str::<Response>("{\"error\": \"not-a-case\"}").is_err());
    }
}
