//! Nodes that send trees over lanes and lie in one byte: in a blob of many small files, in a part of a large one, in a digest. (What they list, and what is small enough for the link: `trees_hostile_sender`.)

use serde_json::{Value, json};
use transship_tests::fake_sender::{Answer, FakeSender, file, page};
use transship_tests::fake_worker::Wish;
use transship_tests::machine::memory;
use transship_tests::siege::Siege;
use transship_tests::transfer::{hidden_in, journaled};
use transship_tests::tree::files_in;
use transship_tests::{blake3_of, eventually, random_bytes};

/// Small files: so many of so many bytes are one blob, and one that is too large for the link.
const MANY: usize = 24;
const SMALL: usize = 40 << 10;
/// A large one, which has a partial file and a journal.
const LARGE: usize = 20 << 20;

/// A folder of mallory's: all that she gives is cut out of these bytes.
struct Folder {
    entries: Vec<Value>,
    content: Vec<u8>,
}

impl Folder {
    fn small() -> Self {
        Self { entries: (0..MANY).map(|number| file(&format!("file {number}"), SMALL as u64)).collect(), content: random_bytes((MANY * SMALL) as u64, 5) }
    }

    fn large() -> Self {
        Self { entries: vec![file("large", LARGE as u64)], content: random_bytes(LARGE as u64, 6) }
    }

    /// What a sender answers that keeps the rules.
    fn honest(&self, wish: &Wish) -> Answer {
        let request = &wish.body;
        if let Some(asked) = request.get("files") {
            let wanted: Vec<usize> = asked["files"].as_array().unwrap().iter().map(|file| usize::try_from(file.as_u64().unwrap()).unwrap()).collect();
            let blob: Vec<u8> = wanted.iter().flat_map(|file| &self.content[file * SMALL..(file + 1) * SMALL]).copied().collect();
            return (json!({"files": {"ok": {"files": vec!["same"; wanted.len()], "digest": blake3_of(&blob)}}}), blob);
        }
        if let Some(asked) = request.get("part") {
            let (from, length) = (offset(asked), usize::try_from(asked["length"].as_u64().unwrap()).unwrap());
            let blob = self.content[from..from + length].to_vec();
            return (json!({"part": {"ok": blake3_of(&blob)}}), blob);
        }
        if request.get("digest-of").is_some() {
            return (json!({"digest-of": {"ok": blake3_of(&self.content)}}), Vec::new());
        }
        let first = request["page"] == 0;
        (page(if first { &self.entries } else { &[] }, false), Vec::new())
    }

    /// Mallory puts it, and answers as `answer` says instead of the right answer. None: she went away before the end.
    fn put(&self, siege: &Siege, mut answer: impl FnMut(&Wish, Answer) -> Option<Answer>) -> Option<Value> {
        let tree = json!({"filter": null, "links": null, "checksum": null, "dry-run": null, "folders": null});
        let mut mallory = FakeSender::new(siege);
        let worker = mallory.put(&json!({"tree": tree, "timeout": 1000, "retries": 1}));
        mallory.serve(&worker, |wish| answer(wish, self.honest(wish)))
    }
}

fn offset(part: &Value) -> usize {
    usize::try_from(part["offset"].as_u64().unwrap()).unwrap()
}

/// Why it failed: all of it, or the first file.
fn why(end: &Value) -> Option<String> {
    let name = |error: &Value| error.as_object().and_then(|error| error.keys().next()).cloned();
    name(&end["err"]).or_else(|| name(&end["ok"]["tree"]["failures"][0]["error"]))
}

/// Asserts that a lie was found out, as one of these errors, and left nothing.
#[track_caller]
fn found_out(siege: &Siege, what: &str, errors: &[&str], end: &Option<Value>) {
    let end = end.as_ref().unwrap();
    assert!(why(end).is_some_and(|error| errors.contains(&&*error)), "{what}: {end}");
    assert_eq!(files_in(&siege.bob.file("in")).len(), 0, "{what}: {end}");
    assert_eq!(hidden_in(&siege.bob.files()), Vec::<String>::new(), "{what}: {end}");
}

/// Lies about a blob, with what they may be found out as.
type Lie = (&'static str, &'static [&'static str], fn(&mut Vec<u8>, &mut String));

const LIES: [Lie; 7] = [
    ("a wrong first byte", &["digest-mismatch"], |blob, _| blob[0] ^= 1),
    ("a wrong byte in the middle", &["digest-mismatch"], |blob, _| {
        let middle = blob.len() / 2;
        blob[middle] ^= 0x80;
    }),
    ("a wrong last byte", &["digest-mismatch"], |blob, _| *blob.last_mut().unwrap() ^= 1),
    ("a digest of something else", &["digest-mismatch"], |_, digest| *digest = blake3_of(b"something else")),
    ("one byte too few, with the digest that fits", &["failed"], |blob, digest| {
        blob.pop();
        *digest = blake3_of(blob);
    }),
    ("one byte too many, with the digest that fits", &["failed"], |blob, digest| {
        blob.push(b'x');
        *digest = blake3_of(blob);
    }),
    ("no bytes", &["failed"], |blob, _| blob.clear()),
];

#[test]
fn trees_of_a_sender_by_hand_that_keeps_the_rules_arrive() {
    let siege = Siege::lay("list,read,write");
    for folder in [Folder::small(), Folder::large()] {
        let end = folder.put(&siege, |_, answer| Some(answer)).unwrap();
        assert_eq!(end["ok"]["tree"]["new"], folder.entries.len(), "{end}");
        let there: Vec<u8> =
            folder.entries.iter().flat_map(|entry| std::fs::read(siege.bob.file("in").join(entry["path"].as_str().unwrap())).unwrap()).collect();
        assert!(there == folder.content);
        std::fs::remove_dir_all(siege.bob.file("in")).unwrap();
    }
}

#[test]
fn a_lie_in_a_blob_of_many_files_is_found_out_and_none_of_them_is_seen() {
    let siege = Siege::lay("list,read,write");
    let before = memory(siege.bob_serves.pid(), "VmHWM");
    let folder = Folder::small();
    for (what, errors, lie) in LIES {
        let end = folder.put(&siege, |wish, (mut body, mut blob)| {
            if wish.body.get("files").is_some() {
                let mut digest = body["files"]["ok"]["digest"].as_str().unwrap().to_owned();
                lie(&mut blob, &mut digest);
                body["files"]["ok"]["digest"] = digest.into();
            }
            Some((body, blob))
        });
        found_out(&siege, what, errors, &end);
    }
    let after = memory(siege.bob_serves.pid(), "VmHWM");
    assert!(after < before + (64 << 20), "bob grew from {} to {} MiB", before >> 20, after >> 20);
    siege.alice_is_served();
}

#[test]
fn a_lie_in_a_part_of_a_large_file_is_found_out_and_nothing_of_it_is_kept() {
    let siege = Siege::lay("list,read,write");
    let before = memory(siege.bob_serves.pid(), "VmHWM");
    let folder = Folder::large();
    for (what, errors, lie) in LIES {
        let end = folder.put(&siege, |wish, (mut body, mut blob)| {
            // In the middle: some of it is on the disk by then.
            if wish.body.get("part").is_some_and(|part| offset(part) >= LARGE / 2) {
                let mut digest = body["part"]["ok"].as_str().unwrap().to_owned();
                lie(&mut blob, &mut digest);
                body["part"]["ok"] = digest.into();
            }
            Some((body, blob))
        });
        found_out(&siege, what, errors, &end);
    }
    let after = memory(siege.bob_serves.pid(), "VmHWM");
    assert!(after < before + (64 << 20), "bob grew from {} to {} MiB", before >> 20, after >> 20);
    siege.alice_is_served();
}

/// Mallory goes away in the middle of the large file, of which something is kept; then she puts it again, and answers so when she is asked for its digest. Returns the end, and how often she was asked for the first part.
fn resumed(siege: &Siege, digest_of: &Value) -> (Value, usize) {
    let folder = Folder::large();
    let mut parts = 0;
    let end = folder.put(siege, |wish, answer| {
        parts += usize::from(wish.body.get("part").is_some());
        (parts < 12).then_some(answer)
    });
    assert_eq!(end, None);
    siege.bob.settled();
    eventually("some of it is kept", || (journaled(&siege.bob.file("in")) > 0).then_some(()));
    let (mut firsts, mut digests) = (0, 0);
    let end = folder.put(siege, |wish, (body, blob)| {
        firsts += usize::from(wish.body.get("part").is_some_and(|part| offset(part) == 0));
        let asked = wish.body.get("digest-of").is_some();
        digests += usize::from(asked);
        Some((if asked { digest_of.clone() } else { body }, blob))
    });
    assert_eq!(digests, 1, "what was there before is compared as a whole");
    (end.unwrap(), firsts)
}

#[test]
fn a_lie_about_the_digest_of_a_large_file_that_goes_on_costs_its_bytes_once_more_and_nothing_else() {
    let siege = Siege::lay("list,read,write");
    let (end, firsts) = resumed(&siege, &json!({"digest-of": {"ok": blake3_of(b"something else")}}));
    assert_eq!((&end["ok"]["tree"]["new"], firsts), (&json!(1), 1), "{end}");
    assert!(std::fs::read(siege.bob.file("in/large")).unwrap() == Folder::large().content);
    std::fs::remove_file(siege.bob.file("in/large")).unwrap();
    // Or none at all: then it fails, and nothing is seen.
    let (end, _) = resumed(&siege, &json!({"digest-of": {"err": {"unreadable": "says mallory"}}}));
    found_out(&siege, "no digest", &["unreadable"], &Some(end));
    siege.alice_is_served();
}
