//! A worker of mallory's that says what a test wants it to: one side of a transfer, by hand. It talks over a link of a [`RawPeer`], and what is too large for that goes over a lane of hers.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};

use crate::SOON;
use crate::raw_peer::{Head, HeadKind, RawPeer, kind};

/// The name of its process.
pub const FAKE: &str = "transfer-1:file-transfer:transship";
/// The process that asks with `ask`.
pub const ASKER: &str = "main:mallory:test";
/// Who takes the requests to begin with.
pub const MANAGER: &str = "manager:file-transfer:transship";

/// Something that the node wants of mallory.
#[derive(Debug)]
pub struct Wish {
    /// The process that wants it.
    pub source: String,
    /// Of which process.
    pub target: String,
    /// What is said.
    pub body: Value,
    number: Option<u128>,
}

impl Wish {
    /// None: it is an answer.
    fn of(head: Head, body: &[u8]) -> Option<Self> {
        let HeadKind::Request(number) = head.kind else { return None };
        Some(Self { source: head.source, target: head.target, body: serde_json::from_slice(body).unwrap_or(Value::Null), number })
    }
}

/// The process in JSON.
pub fn process(name: &str) -> Value {
    let parts: Vec<&str> = name.split(':').collect();
    json!({"process-name": parts[0], "package-name": parts[1], "publisher-node": parts[2]})
}

/// The name of a process that came in JSON.
///
/// # Panics
/// If it is none.
#[track_caller]
pub fn named(process: &Value) -> String {
    let part = |name: &str| process[name].as_str().unwrap_or_else(|| panic!("{process} is no process")).to_owned();
    format!("{}:{}:{}", part("process-name"), part("package-name"), part("publisher-node"))
}

impl RawPeer {
    /// What the node wants next of any process of mallory's.
    ///
    /// # Panics
    /// If nothing comes in time, or the node ends the link.
    pub fn wish(&mut self) -> Wish {
        self.wish_unless(|| false).expect("a wish")
    }

    /// The same, or none when it is over: asked now and then.
    ///
    /// # Panics
    /// If nothing comes in time, or the node ends the link.
    pub fn wish_unless(&mut self, over: impl Fn() -> bool) -> Option<Wish> {
        let deadline = Instant::now() + SOON;
        loop {
            assert!(Instant::now() < deadline, "the node wants nothing of mallory");
            match self.frame().expect("the node keeps the link") {
                (kind::MESSAGE, payload) => {
                    let (head, body) = self.taken(&payload);
                    if let Some(wish) = Wish::of(head, &body) {
                        return Some(wish);
                    }
                }
                // It comes when nothing else has come for a while.
                (kind::PING, payload) => {
                    self.send(kind::PONG, &payload);
                    if over() {
                        return None;
                    }
                }
                _ => {}
            }
        }
    }

    /// What the node wanted while an answer of it was waited for: it may want something before it answers.
    pub fn met(&mut self) -> VecDeque<Wish> {
        let wishes = std::mem::take(&mut self.met);
        let wish = |payload: Vec<u8>| {
            let (head, body) = split(&payload);
            Wish::of(head, &body)
        };
        wishes.into_iter().filter_map(wish).collect()
    }

    /// A message that came, of which the node is told so.
    fn taken(&mut self, payload: &[u8]) -> (Head, Vec<u8>) {
        let (head, body) = split(payload);
        self.send(kind::DELIVERED, &postcard::to_stdvec(&(&head.target, 1_u32)).expect("it can be encoded"));
        (head, body)
    }

    /// Says something to a worker that it need not answer.
    pub fn tell_worker(&mut self, from: &str, worker: &str, number: u128, body: &Value) {
        let head = Head { source: from.into(), ..Head::request(worker, number) };
        self.send(kind::MESSAGE, &head.with(body.to_string().as_bytes()));
    }

    /// Gives an answer, with a blob if there is one, of 16 KiB at most.
    pub fn grant(&mut self, wish: &Wish, body: &Value, blob: Option<&[u8]>) {
        let Some(payload) = granted(wish, body, blob.map(<[u8]>::len)) else { return };
        self.send(kind::MESSAGE, &[&payload, blob.unwrap_or_default()].concat());
    }

    /// Gives an answer with a blob over this connection, which is a lane, in pieces of so many bytes.
    pub fn grant_over_lane(&mut self, wish: &Wish, body: &Value, blob: &[u8], piece: usize) {
        let Some(payload) = granted(wish, body, Some(blob.len())) else { return };
        self.send(kind::LANE_MESSAGE, &payload);
        for piece in blob.chunks(piece) {
            let length = u32::try_from(piece.len()).expect("a piece has 1 MiB at most");
            self.send_bytes(&length.to_le_bytes());
            self.send_bytes(piece);
        }
    }

    /// Asks a worker as the process `from` and waits for its answer: the body, and the blob if it is a small one. None: it was refused, because the worker has ended. What else is `heard` meanwhile
    /// is put there.
    ///
    /// # Panics
    /// If nothing comes in time.
    pub fn ask_worker(&mut self, from: &str, worker: &str, number: u128, body: &Value, heard: &mut Vec<u8>) -> Option<(Value, Vec<u8>)> {
        self.tell_worker(from, worker, number, body);
        let deadline = Instant::now() + SOON;
        loop {
            assert!(Instant::now() < deadline, "{worker} does not answer {body}");
            match self.frame().expect("the node keeps the link") {
                (kind::MESSAGE, payload) => {
                    let (head, rest) = self.taken(&payload);
                    if matches!(head.kind, HeadKind::Response(to) if to == number) {
                        let blob = usize::try_from(head.blob.map_or(0, |(length, _)| length)).expect("it is small");
                        let (body, blob) = rest.split_at(rest.len() - blob);
                        return Some((serde_json::from_slice(body).unwrap_or(Value::Null), blob.to_vec()));
                    }
                    heard.extend(payload);
                }
                (kind::REFUSED, payload) => {
                    let ((to, _), _): ((u128, u8), _) = postcard::take_from_bytes(&payload).expect("a refusal");
                    if to == number {
                        return None;
                    }
                }
                (kind::PING, payload) => self.send(kind::PONG, &payload),
                _ => {}
            }
        }
    }
}

/// The head and the body of an answer, if one is expected, with a blob of so many bytes.
fn granted(wish: &Wish, body: &Value, blob: Option<usize>) -> Option<Vec<u8>> {
    let blob = blob.map(|length| (length as u64, None));
    let head = Head { source: wish.target.clone(), kind: HeadKind::Response(wish.number?), blob, ..Head::request(&wish.source, 0) };
    Some(head.with(body.to_string().as_bytes()))
}

fn split(payload: &[u8]) -> (Head, Vec<u8>) {
    let (length, rest) = payload.split_at(4);
    let (head, body) = rest.split_at(u32::from_le_bytes(length.try_into().expect("four bytes")) as usize);
    (postcard::from_bytes(head).expect("a head"), body.to_vec())
}
