//! What tests of transfers have in common.

use std::path::Path;

use serde_json::Value;

use crate::{Home, Proxy, Serving, eventually};

/// What the hidden files of a transfer start with.
pub const HIDDEN: &str = ".transship-";

/// An address at which nobody listens.
pub const NOWHERE: &str = "127.0.0.1:1";

/// What passes before a wire is held so that a transfer is certainly midway: shared by four connections in any way, it has whole chunks of the
/// usual size in it. Files of 20 MiB have more, and of [`LONG`] bytes the end was not asked for yet.
pub const MIDWAY: u64 = 8 << 20;
/// More than what passes before a wire is held and what may be asked for at a time.
pub const LONG: u64 = 40 << 20;

/// Names in a folder, hidden ones included, in order; none if there is no folder.
pub fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The hidden files in a folder and the folders below it.
pub fn hidden_in(folder: &Path) -> Vec<String> {
    let mut hidden = Vec::new();
    for name in names_in(folder) {
        if folder.join(&name).is_dir() {
            hidden.extend(hidden_in(&folder.join(&name)));
        }
        if name.starts_with(HIDDEN) {
            hidden.push(name);
        }
    }
    hidden
}

/// The ranges that the journals in a folder say are safe: where each starts, and its length.
pub fn journal_ranges(folder: &Path) -> Vec<(u64, u64)> {
    let journals = names_in(folder).into_iter().filter(|name| name.starts_with(HIDDEN) && name.ends_with(".journal"));
    let texts = journals.map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default());
    let entries: Vec<Value> =
        texts.flat_map(|text| text.lines().filter_map(|line| serde_json::from_str(line.split_once(' ')?.1).ok()).collect::<Vec<_>>()).collect();
    entries.iter().filter_map(|entry| Some((entry["range"][0].as_u64()?, entry["range"][1].as_u64()?))).collect()
}

/// How many bytes the journals in a folder say are safe.
pub fn journaled(folder: &Path) -> u64 {
    journal_ranges(folder).iter().map(|(_, length)| length).sum()
}

/// The partial file in a folder.
///
/// # Panics
/// If there is not exactly one.
pub fn partial_in(folder: &Path) -> std::path::PathBuf {
    let partial: Vec<String> = names_in(folder).into_iter().filter(|name| name.ends_with(".partial")).collect();
    assert_eq!(partial.len(), 1, "{partial:?} in {}", folder.display());
    folder.join(&partial[0])
}

/// Two nodes with a wire between them that a test can hold and cut: alice knows bob by the proxy's address, and bob does not know where alice is.
pub struct Wired {
    /// The proxy: before the nodes, so that it closes its connections first.
    pub proxy: Proxy,
    /// The one who opens the connections.
    pub alice: Home,
    /// The one who is called.
    pub bob: Home,
    /// Bob's node. None while it is down.
    pub bob_serves: Option<Serving>,
}

impl Wired {
    /// Alice does not serve yet: commands of hers run the node themselves.
    pub fn new(alice_allows: &str, bob_allows: &str) -> Self {
        Self::new_in(&std::env::temp_dir(), alice_allows, bob_allows)
    }

    /// The same, with their folders somewhere in this one.
    pub fn new_in(folder: &Path, alice_allows: &str, bob_allows: &str) -> Self {
        let (alice, bob) = (Home::new_in(folder, "alice"), Home::new_in(folder, "bob"));
        let bob_serves = bob.serve();
        let proxy = Proxy::to(bob_serves.address());
        alice.knows(&bob, proxy.address(), alice_allows);
        bob.knows(&alice, NOWHERE.parse().unwrap(), bob_allows);
        Self { proxy, alice, bob, bob_serves: Some(bob_serves) }
    }

    /// Kills bob's node as a power cut would, and what the proxy holds goes with it.
    pub fn bob_dies(&mut self) {
        self.bob_serves.take().unwrap().kill9();
        self.proxy.cut_all();
        self.proxy.release();
    }

    /// Bob's node is there again, at another address.
    pub fn bob_is_back(&mut self) {
        let serving = self.bob.serve();
        self.proxy.lead_to(serving.address());
        self.bob_serves = Some(serving);
    }
}

/// Waits until all that has arrived in a folder is safe on disk: at least so many bytes.
pub fn safe_on_disk(folder: &Path, bytes: u64) {
    eventually(&format!("{bytes} bytes in {} are safe", folder.display()), || (journaled(folder) >= bytes).then_some(()));
}
