//! A sender of mallory's that says what a test wants it to: to a transfer of bob's, of a file or of a tree, whoever of the two asked for it. Blobs go over the link as far as they are small enough, otherwise over a lane of
//! hers.

use serde_json::{Value, json};

use crate::Running;
use crate::fake_worker::{ASKER, FAKE, MANAGER, Wish, named, process};
use crate::raw_peer::RawPeer;
use crate::siege::Siege;

/// The most that goes over the link, and the most in a piece on a lane.
const INLINE: usize = 16 << 10;
const PIECE: usize = 1 << 20;

/// See the module.
pub struct FakeSender<'a> {
    siege: &'a Siege,
    link: RawPeer,
    lane: RawPeer,
    number: u128,
    /// Which process of hers it is that sends: what asks bob to receive, or what his request was answered with.
    process: &'static str,
}

/// Who has asked for the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Mallory puts, as `in`.
    ByMallory,
    /// Bob gets, in his scratch folder.
    ByBob,
}

/// What mallory answers: the body, and the bytes if there are any.
pub type Answer = (Value, Vec<u8>);

impl<'a> FakeSender<'a> {
    /// A link of hers to bob, and a lane.
    ///
    /// # Panics
    /// If bob does not take either.
    pub fn new(siege: &'a Siege) -> Self {
        let (link, token) = RawPeer::greet(&siege.mallory, siege.bob_serves.address());
        let mut lane = RawPeer::connect(&siege.mallory, siege.bob_serves.address()).expect("the key is a peer's");
        lane.hello(Some((token, 0))).expect("the lane is welcome");
        Self { siege, link, lane, number: 0, process: ASKER }
    }

    /// Mallory offers something as `in`; returns bob's worker.
    ///
    /// # Panics
    /// If bob does not take it.
    pub fn put(&mut self, options: &Value) -> String {
        let target = json!({"node": "mallory", "process": process(ASKER)});
        let request = json!({"upload": {"name": "in", "target": target, "is-requestor": false, "local": null, "slot": null, "size": null, "options": options}});
        self.number += 1;
        let begun = self.link.ask_json(MANAGER, self.number, &request);
        self.link.took_all();
        named(&begun["upload"]["ok"])
    }

    /// Bob gets something of hers with this command; returns what runs, and bob's worker.
    ///
    /// # Panics
    /// If bob does not ask her.
    pub fn got(&mut self, command: &[&str]) -> (Running, String) {
        let running = self.siege.bob.start(command);
        loop {
            let wish = self.link.wish();
            if wish.body.get("download").is_some() {
                self.link.grant(&wish, &json!({"download": {"ok": process(FAKE)}}), None);
                self.process = FAKE;
                return (running, named(&wish.body["download"]["target"]["process"]));
            }
        }
    }

    /// Tells bob's worker something.
    pub fn tell(&mut self, worker: &str, body: &Value) {
        self.number += 1;
        self.link.tell_worker(self.process, worker, self.number, body);
    }

    /// Answers what bob's worker asks, until it says how it ended: that. None: `answer` gave up, whereupon mallory is gone.
    ///
    /// # Panics
    /// If it ends without a word.
    pub fn serve(mut self, worker: &str, mut answer: impl FnMut(&Wish) -> Option<Answer>) -> Option<Value> {
        let mut met = self.link.met();
        loop {
            // One that can't go on says so; a worker that is gone without a word is caught here, and not by a time-out.
            let ended = || !self.siege.bob.workers().iter().any(|other| other == worker);
            let Some(wish) = met.pop_front().or_else(|| self.link.wish_unless(ended)) else { panic!("the worker ended without a word") };
            if !wish.source.ends_with(worker) {
                continue;
            }
            for end in ["finished", "failed"] {
                if let Some(outcome) = wish.body.get(end) {
                    self.link.grant(&wish, &json!(end), None);
                    self.siege.bob.settled();
                    return Some(if end == "failed" { json!({ "err": outcome }) } else { outcome.clone() });
                }
            }
            if wish.body == "ping" {
                self.link.grant(&wish, &wish.body, None);
            } else if wish.body.get("report").is_none() && wish.body.get("streams").is_none() {
                let (body, blob) = answer(&wish)?;
                match blob.len() {
                    0 => self.link.grant(&wish, &body, None),
                    1..=INLINE => self.link.grant(&wish, &body, Some(&blob)),
                    _ => self.lane.grant_over_lane(&wish, &body, &blob, PIECE),
                }
            }
        }
    }
}

/// A file as it is listed.
pub fn file(path: &str, size: u64) -> Value {
    json!({"path": path, "kind": "file", "size": size, "modified": 1_000_000_000_000_000_000_i64, "permissions": 0o644, "target": null})
}

/// A page of a tree.
pub fn page(entries: &[Value], more: bool) -> Value {
    json!({"page": {"ok": {"entries": entries, "failures": [], "skipped": 0, "more": more}}})
}
