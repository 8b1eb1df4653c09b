//! Transfer options with nothing left open: what is chosen when an option is left out, and the ranges that are checked.

use crate::types::{ConflictPolicy, DigestAlgorithm, LinkPolicy, TransferError, TransferOptions, TreeOptions};

/// The most bytes in one chunk: what one message may carry between nodes.
pub const MAX_CHUNK: u32 = 16 << 20;
const DEFAULT_CHUNK: u32 = 1 << 20;
/// How many bytes are asked for and not yet there, by default: enough to fill a gigabit link with 100 ms of delay, and it bounds what a receiver must hold.
const WINDOW_BYTES: u32 = 16 << 20;
const MAX_WINDOW: u32 = 1024;
/// How many connections, unless somebody chooses: enough for the processors of both sides to decrypt side by side.
pub const USUAL_STREAMS: u8 = 4;
/// The most that are used without somebody having chosen them.
pub const MAX_ADAPTIVE_STREAMS: u8 = 16;
const DEFAULT_TIMEOUT: u64 = 30_000;
const DEFAULT_RETRIES: u32 = 5;
/// Bytes a second: below that, a request could wait for minutes.
const LEAST_LIMIT: u64 = 1 << 10;
/// The most globs in a filter.
const MAX_FILTER: u64 = 1_000;

/// Transfer options with nothing left open. See `types.transfer-options`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes asked for at a time, before the provider's limit.
    pub chunk: u32,
    window: Option<u32>,
    /// How many connections at the same time.
    pub streams: u8,
    /// When the name is taken.
    pub conflict: ConflictPolicy,
    /// How to verify.
    pub digest: DigestAlgorithm,
    /// Learn the digest before the first byte.
    pub digest_first: bool,
    /// The name is a digest.
    pub by_id: bool,
    /// Milliseconds to wait for an answer.
    pub timeout: u64,
    /// How often a chunk is asked for again.
    pub retries: u32,
    /// Bytes a second at most.
    pub limit: Option<u64>,
    /// Neither chunks nor streams nor a window were chosen: they may follow what is measured.
    pub adaptive: bool,
    /// It is a tree that moves. None: a file.
    pub tree: Option<Tree>,
}

/// Tree options with nothing left open. See `types.tree-options`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Which names take part.
    pub filter: Vec<String>,
    /// What is done with symbolic links.
    pub links: LinkPolicy,
    /// Compare digests, not times.
    pub checksum: bool,
    /// Move nothing.
    pub dry_run: bool,
    /// Give folders their times and permissions too.
    pub folders: bool,
}

impl Tree {
    fn new(options: &TreeOptions) -> Result<Self, TransferError> {
        let filter = options.filter.clone().unwrap_or_default();
        within("the number of globs in filter", filter.len() as u64, 0, MAX_FILTER)?;
        Ok(Self {
            filter,
            links: options.links.unwrap_or(LinkPolicy::Skip),
            checksum: options.checksum.unwrap_or(false),
            dry_run: options.dry_run.unwrap_or(false),
            folders: options.folders.unwrap_or(false),
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chunk: DEFAULT_CHUNK,
            window: None,
            streams: USUAL_STREAMS,
            conflict: ConflictPolicy::Fail,
            digest: DigestAlgorithm::Sha256,
            digest_first: false,
            by_id: false,
            timeout: DEFAULT_TIMEOUT,
            retries: DEFAULT_RETRIES,
            limit: None,
            adaptive: true,
            tree: None,
        }
    }
}

impl Settings {
    /// What these options come to.
    ///
    /// # Errors
    /// [`TransferError::InvalidRequest`] names the first that is out of its range.
    pub fn new(options: Option<&TransferOptions>) -> Result<Self, TransferError> {
        let Some(options) = options else { return Ok(Self::default()) };
        // Nobody sees the digests of a tree's blobs: they need not be of the kind that people compare.
        let usual = if options.tree.is_some() { DigestAlgorithm::Blake3 } else { DigestAlgorithm::Sha256 };
        if options.tree.is_some() && options.by_id == Some(true) {
            return Err(TransferError::InvalidRequest("a tree has no id: by-id is for files".into()));
        }
        Ok(Self {
            chunk: within("chunk-size", options.chunk_size.unwrap_or(DEFAULT_CHUNK).into(), 1, MAX_CHUNK.into())? as u32,
            window: options.window.map(|window| within("window", window.into(), 1, MAX_WINDOW.into())).transpose()?.map(|window| window as u32),
            streams: within("streams", options.streams.unwrap_or(USUAL_STREAMS).into(), 1, 255)? as u8,
            conflict: options.conflict.unwrap_or(ConflictPolicy::Fail),
            digest: options.digest.unwrap_or(usual),
            digest_first: options.digest_first.unwrap_or(false),
            by_id: options.by_id.unwrap_or(false),
            timeout: within("timeout", options.timeout.unwrap_or(DEFAULT_TIMEOUT), 100, 3_600_000)?,
            retries: within("retries", options.retries.unwrap_or(DEFAULT_RETRIES).into(), 0, 100)? as u32,
            limit: options.limit.map(|limit| within("limit", limit, LEAST_LIMIT, u64::MAX)).transpose()?,
            adaptive: options.chunk_size.is_none() && options.window.is_none() && options.streams.is_none(),
            tree: options.tree.as_ref().map(Tree::new).transpose()?,
        })
    }

    /// Chunks asked for and not yet there, when they have this size.
    #[must_use]
    pub fn window(&self, chunk: u32) -> u32 {
        self.window.unwrap_or_else(|| (WINDOW_BYTES / chunk.max(1)).max(2 * u32::from(self.streams)).min(MAX_WINDOW))
    }
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<u64, TransferError> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(TransferError::InvalidRequest(format!("{name} is {value}: it must be {least} to {most}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> TransferOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let settings = Settings::new(None).unwrap();
        assert_eq!((settings.chunk, settings.streams, settings.timeout, settings.retries), (1 << 20, 4, 30_000, 5));
        assert_eq!(settings.window(1 << 20), 16);
        assert_eq!((settings.conflict, settings.digest), (ConflictPolicy::Fail, DigestAlgorithm::Sha256));
        assert_eq!(Settings::new(Some(&options("{}"))).unwrap(), settings);
        let digest = |json| Settings::new(Some(&options(json))).unwrap().digest;
        assert_eq!(digest(r#"{"tree": {}}"#), DigestAlgorithm::Blake3);
        assert_eq!(digest(r#"{"tree": {}, "digest": "sha256"}"#), DigestAlgorithm::Sha256);
    }

    #[test]
    fn the_window_has_two_chunks_for_each_stream_and_is_bounded() {
        assert_eq!(Settings::new(Some(&options(r#"{"streams": 255}"#))).unwrap().window(1 << 20), 510);
        assert_eq!(Settings::new(None).unwrap().window(1), 1024);
        assert_eq!(Settings::new(Some(&options(r#"{"window": 3}"#))).unwrap().window(1), 3);
        assert_eq!(Settings::new(None).unwrap().window(16 << 20), 8);
    }

    #[test]
    fn what_is_chosen_is_not_adapted() {
        assert!(Settings::new(None).unwrap().adaptive && Settings::new(Some(&options(r#"{"limit": 5000}"#))).unwrap().adaptive);
        for json in [r#"{"streams": 4}"#, r#"{"window": 16}"#, r#"{"chunk-size": 1048576}"#] {
            assert!(!Settings::new(Some(&options(json))).unwrap().adaptive, "{json}");
        }
    }

    #[test]
    fn a_value_out_of_its_range_is_named() {
        for (json, name) in [
            (r#"{"chunk-size": 0}"#, "chunk-size"),
            (r#"{"chunk-size": 16777217}"#, "chunk-size"),
            (r#"{"window": 0}"#, "window"),
            (r#"{"window": 1025}"#, "window"),
            (r#"{"streams": 0}"#, "streams"),
            (r#"{"timeout": 99}"#, "timeout"),
            (r#"{"timeout": 3600001}"#, "timeout"),
            (r#"{"retries": 101}"#, "retries"),
            (r#"{"limit": 1023}"#, "limit"),
        ] {
            let Err(TransferError::InvalidRequest(text)) = Settings::new(Some(&options(json))) else { panic!("{json}") };
            assert!(text.starts_with(name), "{text}");
        }
    }
}
