//! Nodes that send a file and lie: about its bytes, its digest, its size, over the link and over lanes. Whoever receives it says what is wrong, keeps nothing and shows nothing. (Folders: `trees_hostile_sender`, `hostile_trees`.)

use serde_json::{Value, json};
use transship_tests::fake_sender::{Answer, Asked, FakeSender};
use transship_tests::machine::memory;
use transship_tests::siege::Siege;
use transship_tests::transfer::names_in;
use transship_tests::{random_bytes, sha256_of};

/// How it is moved: bytes in all, and in a chunk.
#[derive(Debug, Clone, Copy)]
struct Carrier(usize, usize);

/// Chunks that share the link, and chunks that come over a lane.
const LINK: Carrier = Carrier(20 << 10, 8 << 10);
const LANE: Carrier = Carrier((5 << 20) / 2, 1 << 20);

const MODIFIED: i64 = 1_000_000_000_000_000_000;

/// What mallory says and gives.
struct Sender {
    content: Vec<u8>,
    /// What she tells first.
    offer: Value,
    /// What she tells after that.
    more: Vec<Value>,
}

impl Sender {
    /// One that keeps the rules.
    fn honest(carrier: Carrier) -> Self {
        let content = random_bytes(carrier.0 as u64, 17)[..carrier.0].to_vec();
        let digest = sha256_of(&content);
        let offer = json!({"name": "in", "size": content.len(), "modified": MODIFIED, "permissions": 0o7777, "digest": digest, "max-chunk": 16 << 20});
        Self { content, offer, more: Vec::new() }
    }

    fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.offer[field] = value.into();
        self
    }

    fn and(mut self, told: Value) -> Self {
        self.more.push(told);
        self
    }

    /// The digest that comes after the offer.
    fn late(self, digest: &str, algorithm: &str, size: usize) -> Self {
        self.with("digest", Value::Null).and(json!({"digest": {"algorithm": algorithm, "digest": digest, "size": size, "modified": MODIFIED}}))
    }
}

/// Bytes of a file from here.
fn bytes(content: &[u8], offset: usize, length: usize) -> Vec<u8> {
    content.get(offset..(offset + length).min(content.len())).unwrap_or_default().to_vec()
}

/// Moves it; `chunk` makes of what was asked for, and the right answer, the answer. Returns the error; none if it is there.
fn moved(siege: &Siege, asked: Asked, carrier: Carrier, sender: &Sender, chunk: impl Fn(usize, usize, Answer) -> Answer) -> Option<String> {
    let mut mallory = FakeSender::new(siege);
    let (running, worker) = match asked {
        Asked::ByMallory => (None, mallory.put(&json!({"chunk-size": carrier.1, "timeout": 1000, "retries": 1}))),
        Asked::ByBob => {
            let (running, worker) = mallory.got(&["get", "mallory:in", "--chunk-size", &format!("{}", carrier.1), "--timeout", "1s", "--retries", "1"]);
            (Some(running), worker)
        }
    };
    mallory.tell(&worker, &json!({ "size": sender.offer }));
    for told in &sender.more {
        mallory.tell(&worker, told);
    }
    let end = mallory.serve(&worker, |wish| {
        let request = &wish.body["chunk"];
        let field = |name: &str| usize::try_from(request[name].as_u64().unwrap_or_else(|| panic!("{}", wish.body))).unwrap();
        let (offset, length) = (field("offset"), field("length"));
        Some(chunk(offset, length, (json!({"chunk": {"ok": request}}), bytes(&sender.content, offset, length))))
    });
    let end = end.expect("mallory goes on to the end");
    let error = end["err"].as_object().and_then(|error| error.keys().next()).cloned();
    assert!(error.is_some() || end["ok"].is_object(), "{end}");
    if let Some(running) = running {
        let outcome = running.end();
        match &error {
            None => drop(outcome.ok()),
            Some(error) => assert_eq!(outcome.event("failed")["error"], error.as_str(), "{}", outcome.stderr),
        }
    }
    error
}

/// Where it arrives.
fn folder(siege: &Siege, asked: Asked) -> std::path::PathBuf {
    if asked == Asked::ByBob { siege.bob.scratch() } else { siege.bob.files() }
}

/// Asserts that this lie is found out, as one of these errors, whoever asked, and leaves nothing.
#[track_caller]
fn found_out(siege: &Siege, what: &str, errors: &[&str], carrier: Carrier, sender: &Sender, chunk: &impl Fn(usize, usize, Answer) -> Answer) {
    for asked in [Asked::ByMallory, Asked::ByBob] {
        let error = moved(siege, asked, carrier, sender, chunk);
        assert!(error.as_deref().is_some_and(|error| errors.contains(&error)), "{what}, {asked:?}, {carrier:?}: {error:?}");
        assert_eq!(names_in(&folder(siege, asked)), Vec::<String>::new(), "{what}, {asked:?}, {carrier:?}");
    }
}

#[test]
fn a_sender_by_hand_that_keeps_the_rules_is_believed() {
    let siege = Siege::lay("list,read,write");
    for carrier in [LINK, LANE] {
        for asked in [Asked::ByMallory, Asked::ByBob] {
            let late = Sender::honest(carrier);
            let digest = sha256_of(&late.content);
            for sender in [Sender::honest(carrier), late.late(&digest, "sha256", carrier.0)] {
                assert_eq!(moved(&siege, asked, carrier, &sender, |_, _, answer| answer), None);
                let place = folder(&siege, asked).join("in");
                assert!(std::fs::read(&place).unwrap() == sender.content);
                // What a sender says of the mode gives no more than a mode has.
                assert_eq!(std::os::unix::fs::PermissionsExt::mode(&place.metadata().unwrap().permissions()) & 0o7000, 0);
                std::fs::remove_file(place).unwrap();
            }
        }
    }
}

#[test]
fn bytes_that_are_not_those_of_the_digest_or_not_as_many_as_were_asked_for_are_never_seen() {
    let siege = Siege::lay("list,read,write");
    let before = memory(siege.bob_serves.pid(), "VmHWM");
    for carrier in [LINK, LANE] {
        let honest = Sender::honest(carrier);
        let Carrier(size, piece) = carrier;
        let found_out = |what: &str, errors: &[&str], chunk: &dyn Fn(usize, usize, Answer) -> Answer| {
            found_out(&siege, what, errors, carrier, &honest, &|offset, length, answer| chunk(offset, length, answer));
        };
        found_out("a wrong bit in the last byte", &["digest-mismatch"], &|offset, length, (body, mut bytes)| {
            if offset + length == size {
                bytes[length - 1] ^= 1;
            }
            (body, bytes)
        });
        found_out("the bytes of another place", &["digest-mismatch"], &|offset, length, (body, right)| {
            (body, if offset == 0 { bytes(&honest.content, piece, length) } else { right })
        });
        found_out("one byte too few", &["failed"], &|_, length, (body, right)| (body, right[..length - 1].to_vec()));
        found_out("one byte too many", &["failed"], &|_, _, (body, right)| (body, [&right[..], b"x"].concat()));
        found_out("no bytes", &["failed"], &|_, _, (body, _)| (body, Vec::new()));
        found_out("another answer", &["failed"], &|_, _, (_, right)| (json!("size"), right));
        found_out("no answer in JSON's sense", &["failed"], &|_, _, (_, right)| (json!({"chunk": {"ok": 5}}), right));
        found_out("a refusal with bytes", &["denied"], &|_, _, (_, right)| (json!({"chunk": {"err": {"denied": "by mallory"}}}), right));
    }
    let after = memory(siege.bob_serves.pid(), "VmHWM");
    assert!(after < before + (64 << 20), "bob grew from {} to {} MiB", before >> 20, after >> 20);
    siege.alice_is_served();
}

#[test]
fn a_digest_or_a_size_that_is_a_lie_is_found_out_and_costs_no_memory() {
    let siege = Siege::lay("list,read,write");
    let before = memory(siege.bob_serves.pid(), "VmHWM");
    let honest = || Sender::honest(LANE);
    let (size, right, wrong) = (LANE.0, sha256_of(&honest().content), sha256_of(b"something else"));
    for (what, errors, sender) in [
        ("a digest of something else", &["digest-mismatch"][..], honest().with("digest", wrong.as_str())),
        ("a digest that is none", &["digest-mismatch"], honest().with("digest", "")),
        ("a digest of something else that comes later", &["digest-mismatch"], honest().late(&wrong, "sha256", size)),
        ("a digest of another kind", &["failed"], honest().late(&right, "blake3", size)),
        ("a digest of another size", &["changed"], honest().late(&right, "sha256", size + 1)),
        ("one byte less than there is", &["digest-mismatch"], honest().with("size", size - 1)),
        ("one byte more than there is", &["failed"], honest().with("size", size + 1)),
        ("nothing, with the digest of something", &["digest-mismatch"], honest().with("size", 0)),
        ("more than any disk has", &["no-space"], honest().with("size", u64::MAX)),
        ("more than this disk has", &["no-space"], honest().with("size", 1_u64 << 60)),
        ("chunks of no size", &["failed"], honest().with("max-chunk", 0)),
        ("a name that leads out", &["invalid-name"], honest().with("name", "../in")),
        ("another size the second time", &["changed"], honest().and(json!({"size": honest().with("size", size - 1).offer}))),
    ] {
        found_out(&siege, what, errors, LANE, &sender, &|_, _, answer| answer);
    }
    let after = memory(siege.bob_serves.pid(), "VmHWM");
    assert!(after < before + (64 << 20), "bob grew from {} to {} MiB", before >> 20, after >> 20);
    siege.alice_is_served();
}
