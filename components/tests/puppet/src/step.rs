//! What a test can ask for.

use serde::Deserialize;
use serde_json::Value;

/// One thing to do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Answers with the source and the text, and with the request's blob and metadata.
    Echo(String),
    /// Never answers and goes on.
    Ignore,
    /// Computes for ever.
    Spin,
    /// Panics.
    Trap,
    /// Asks for so many bytes of memory and keeps them.
    Allocate(u64),
    /// Makes so many blobs of so many bytes and keeps the handles.
    Hoard(u32, u64),
    /// Returns from `init`, with an error if there is a text.
    Return(Option<String>),
    /// Calls `exit`.
    Exit(Option<String>),
    /// Stands still for so many milliseconds, receiving nothing.
    Stall(u64),
    /// Sends a request and waits for its response.
    Ask { target: String, body: Value, timeout: u64, metadata: Option<String>, blob: Option<String>, mime_type: Option<String> },
    /// Sends a request; what comes back becomes an event.
    Send { target: String, body: Value, timeout: Option<u64>, context: Option<String>, blob: Option<String> },
    /// Sends the same to several at once.
    Batch { targets: Vec<String>, body: Value },
    /// Hands the request on.
    HandOn { target: String, body: Value },
    /// Keeps the right to answer.
    HoldBack,
    /// Answers all requests that were held back, with this.
    Release(String),
    /// Sends so many messages of so many bytes; answers how many were taken and what the first refusal was.
    Flood { target: String, count: u32, size: u32 },
    /// What has arrived; forgets it.
    Events,
    /// Starts a process.
    Spawn { name: Option<String>, component: String, restart: bool, notify: Option<String>, grant: Vec<usize>, public: bool },
    /// Starts so many processes; answers how many and the first refusal.
    SpawnMany(u32),
    /// Ends a child.
    Kill(String),
    /// The children.
    Children,
    /// The parent.
    Parent,
    /// What the process holds, and what is at hand.
    Held,
    /// Keeps what is at hand.
    Keep,
    /// Gives up what it holds, by its place.
    Drop(usize),
    /// Issues a capability, which is then at hand.
    Issue(String),
    /// Lends what it holds, by its place, restricted to reading if it is a drive and so wished.
    Lend { target: String, held: usize, read_only: bool, body: Value },
    /// Lends what is at hand, by its place.
    LendAtHand { target: String, place: usize, body: Value },
    /// Revokes what is at hand, by its place.
    Revoke(usize),
    /// Writes a file.
    Write { drive: String, path: String, text: String },
    /// Queues so many blobs of so many bytes for a file, each of one letter, and asks the file and others what is there.
    Queue { drive: String, path: String, count: u8, bytes: u32 },
    /// Begins to rename files, each from one name to another.
    StartRename { drive: String, names: Vec<(String, String)> },
    /// Reads a file.
    Read { drive: String, path: String },
    /// Lists a directory's names.
    List { drive: String },
    /// Reads a file of the drive of what is at hand, by its place.
    ReadLent { place: usize, path: String },
    /// Keeps state.
    Set(String),
    /// Reads state.
    Get,
    /// Forgets state.
    Clear,
    /// Sets a timer.
    Timer(u64),
    /// Digests a text, waiting or not.
    Digest { text: String, wait: bool },
    /// Writes lines to the log.
    Log { level: String, text: String, times: u32 },
    /// What a node may do with a drive.
    RightsOf { node: String, drive: String },
    /// The peers.
    Peers,
    /// Random bytes, in hexadecimal.
    Random(u32),
}
