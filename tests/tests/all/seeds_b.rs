//! Files stored in segments: what comes from standard input, or from a client that numbers its segments itself.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use transship_tests::transfer::{hidden_in, names_in};
use transship_tests::{Home, Serving, eventually, meanwhile, pair, random_bytes, sha256_of};

const MANAGER: &str = "bob@manager:file-transfer:transship";
/// FIPS 180-4 of the empty message.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

type Node = (Home, Serving);

fn nodes() -> (Node, Node) {
    pair("", "list,read,write")
}

/// Sends a segment and returns the answer.
fn segment(from: &Home, id: Option<&str>, number: u64, result: &Value, bytes: &[u8]) -> Value {
    let body = json!({"store": {"file-id": id, "number": number, "result": result}}).to_string();
    let blob = from.scratch().join(format!("segment {number}"));
    fs::write(&blob, bytes).unwrap();
    let mut arguments = vec!["message", MANAGER, &body];
    if !bytes.is_empty() {
        arguments.extend(["--blob", blob.to_str().unwrap()]);
    }
    let outcome = from.run(arguments).ok();
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn store(name: &str, size: usize, digest: &str, conflict: Option<&str>) -> Value {
    json!({"store": {"name": name, "size": size, "digest": digest, "conflict": conflict}})
}

/// Begins a store with a segment of these bytes and returns its id.
fn begin(from: &Home, bytes: &[u8]) -> String {
    let answer = segment(from, None, 1, &Value::Null, bytes);
    assert_eq!(
        (&answer["stored"]["segments"], &answer["stored"]["bytes"], &answer["stored"]["state"]),
        (&json!(1), &json!(bytes.len()), &json!("open")),
        "{answer}"
    );
    answer["stored"]["file-id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn nothing_left(bob: &Home) {
    bob.settled();
    assert_eq!(names_in(&bob.files()), Vec::<String>::new());
}

#[test]
fn a_file_in_segments_of_any_size_is_stored_under_its_name_with_folders() {
    let ((alice, _a), (bob, _b)) = nodes();
    let content = random_bytes(1_200_000, 7);
    for (place, sizes) in [("one", vec![1_200_000]), ("a/b/c/two", vec![51_200, 1, 1_000_000, 148_799]), ("a/three", vec![1_199_999, 1])] {
        let mut id: Option<String> = None;
        let mut at = 0;
        for (index, size) in sizes.iter().enumerate() {
            let last = index + 1 == sizes.len();
            let result = if last { store(place, content.len(), &sha256_of(&content), None) } else { Value::Null };
            let answer = segment(&alice, id.as_deref(), index as u64 + 1, &result, &content[at..at + size]);
            at += size;
            let status = &answer["stored"];
            assert_eq!((&status["segments"], &status["bytes"]), (&json!(index + 1), &json!(at)), "{answer}");
            let expected = if last { (json!("stored"), json!(place)) } else { (json!("open"), Value::Null) };
            assert_eq!((status["state"].clone(), status["name"].clone()), expected, "{answer}");
            let first = id.get_or_insert_with(|| status["file-id"].as_str().unwrap().to_owned());
            assert_eq!(&status["file-id"], first.as_str());
            assert_eq!(bob.file(place).exists(), last, "nothing is seen before the end");
        }
        assert!(fs::read(bob.file(place)).unwrap() == content, "{place}");
    }
    bob.settled();
    assert_eq!(hidden_in(&bob.files()), Vec::<String>::new());
}

#[test]
fn a_wrong_size_or_digest_is_an_error_and_everything_is_thrown_away() {
    let ((alice, _a), (bob, _b)) = nodes();
    let wrong = [store("x/y", 7, &sha256_of(b"123456"), None), store("x/y", 6, &sha256_of(b"12345"), None), store("x/y", 6, "", None)];
    for result in wrong {
        let id = begin(&alice, b"123");
        let answer = segment(&alice, Some(&id), 2, &result, b"456");
        assert_eq!(answer["error"]["digest-mismatch"]["name"], "x/y", "{answer}");
        nothing_left(&bob);
        let answer = segment(&alice, Some(&id), 3, &Value::Null, b"789");
        assert!(answer["error"]["unknown-transfer"].is_string(), "{answer}");
    }
}

#[test]
fn a_name_that_is_none_or_is_taken_is_an_error_and_everything_is_thrown_away() {
    let ((alice, _a), (bob, _b)) = nodes();
    let digest = sha256_of(b"123");
    for name in ["../x", "/x", "", ".transship-x"] {
        let answer = segment(&alice, None, 1, &store(name, 3, &digest, None), b"123");
        assert!(answer["error"]["invalid-name"].is_string(), "{name}: {answer}");
        nothing_left(&bob);
    }
    fs::write(bob.file("taken"), b"old").unwrap();
    let answer = segment(&alice, None, 1, &store("taken", 3, &digest, None), b"123");
    assert_eq!(answer["error"], json!({"conflict": "taken"}));
    let answer = segment(&alice, None, 1, &store("taken/x", 3, &digest, None), b"123");
    assert!(answer["error"]["not-a-file"].is_string(), "{answer}");
    bob.settled();
    assert_eq!((bob.names(), fs::read(bob.file("taken")).unwrap()), (vec!["taken".to_owned()], b"old".to_vec()));
    let answer = segment(&alice, None, 1, &store("taken", 3, &digest, Some("rename")), b"123");
    assert_eq!(answer["stored"]["name"], "taken (1)");
}

#[test]
fn a_cancelled_store_leaves_nothing() {
    let ((alice, _a), (bob, _b)) = nodes();
    let id = begin(&alice, b"123");
    assert_eq!(hidden_in(&bob.files()).len(), 1);
    let answer = segment(&alice, Some(&id), 2, &json!("cancel"), b"");
    assert_eq!((&answer["stored"]["state"], &answer["stored"]["file-id"]), (&json!("cancelled"), &json!(id)), "{answer}");
    nothing_left(&bob);
    // A first segment may be the last, also in this way.
    let answer = segment(&alice, None, 1, &json!("cancel"), b"");
    assert_eq!(answer["stored"]["state"], "cancelled", "{answer}");
    nothing_left(&bob);
}

#[test]
fn an_unknown_id_or_a_wrong_number_is_an_error_and_nothing_leaks() {
    let ((alice, _a), (bob, _b)) = nodes();
    for id in ["00000000000000000000000000000000", "x", "../x", ""] {
        let answer = segment(&alice, Some(id), 2, &Value::Null, b"123");
        assert!(answer["error"]["unknown-transfer"].is_string(), "{id}: {answer}");
    }
    for number in [0, 2, u64::MAX] {
        let answer = segment(&alice, None, number, &Value::Null, b"123");
        assert!(answer["error"]["invalid-request"].is_string(), "{number}: {answer}");
    }
    let answer = segment(&alice, None, 1, &Value::Null, b"");
    assert!(answer["error"]["invalid-request"].is_string(), "a first segment without bytes: {answer}");
    nothing_left(&bob);
    // A wrong number changes nothing: the right one goes on.
    let id = begin(&alice, b"123");
    for number in [1, 3, 0] {
        let answer = segment(&alice, Some(&id), number, &Value::Null, b"xyz");
        assert!(answer["error"]["invalid-request"].is_string(), "{number}: {answer}");
    }
    let answer = segment(&alice, Some(&id), 2, &Value::Null, b"");
    assert!(answer["error"]["invalid-request"].is_string(), "only the last may be empty: {answer}");
    let answer = segment(&alice, Some(&id), 2, &store("x", 6, &sha256_of(b"123456"), None), b"456");
    assert_eq!(answer["stored"]["state"], "stored", "{answer}");
    assert_eq!(fs::read(bob.file("x")).unwrap(), b"123456");
}

#[test]
fn size_and_digest_of_an_empty_file_are_checked_as_well() {
    let ((alice, _a), (bob, _b)) = nodes();
    for (size, digest) in [(0, sha256_of(b"x")), (1, EMPTY.to_owned())] {
        let answer = segment(&alice, None, 1, &store("empty", size, &digest, None), b"");
        assert_eq!(answer["error"]["digest-mismatch"]["name"], "empty", "{answer}");
        nothing_left(&bob);
    }
    let answer = segment(&alice, None, 1, &store("empty", 0, EMPTY, None), b"");
    assert_eq!((&answer["stored"]["state"], &answer["stored"]["segments"]), (&json!("stored"), &json!(1)), "{answer}");
    assert_eq!(fs::metadata(bob.file("empty")).unwrap().len(), 0);
}

#[test]
fn without_the_right_to_write_nothing_is_stored() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read");
    let answer = segment(&alice, None, 1, &store("x", 1, &sha256_of(b"x"), None), b"x");
    assert!(answer["error"]["denied"].is_string(), "{answer}");
    alice.run_with_input(["put", "-", "bob:x"], b"x").code(4);
    nothing_left(&bob);
}

#[test]
fn a_replaced_file_is_never_missing_in_between() {
    let ((alice, _a), (bob, _b)) = nodes();
    let versions = [random_bytes(300_000, 1), random_bytes(200_000, 2)];
    let place = bob.file("file");
    fs::write(&place, &versions[0]).unwrap();
    let reads = [const { AtomicU64::new(0) }; 2];
    let read = || {
        let found = fs::read(&place).expect("the file is never missing");
        let version = versions.iter().position(|version| *version == found).expect("it is always one of the two, whole");
        reads[version].fetch_add(1, Ordering::SeqCst);
    };
    meanwhile(read, || {
        for turn in 0..12 {
            let before = reads[(turn + 1) % 2].load(Ordering::SeqCst);
            let content = &versions[(turn + 1) % 2];
            if turn % 4 < 2 {
                alice.run_with_input(["put", "-", "bob:file", "--on-conflict", "overwrite"], content).ok();
            } else {
                fs::write(alice.scratch().join("file"), content).unwrap();
                alice.run(["put", "file", "bob:", "--on-conflict", "overwrite"]).ok();
            }
            eventually("it is read", || (reads[(turn + 1) % 2].load(Ordering::SeqCst) > before).then_some(()));
        }
    });
}

#[test]
fn standard_input_of_unknown_length_is_stored_and_the_client_tells_how_far_it_is() {
    let ((alice, _a), (bob, _b)) = nodes();
    for length in [0, 1, 4 << 20, (4 << 20) + 1, 11_000_003] {
        let content = random_bytes(length, length);
        let outcome = alice.run_with_input(["put", "-", "bob:from/stdin", "--on-conflict", "overwrite", "--json"], &content).ok();
        let done = outcome.event("done");
        assert_eq!((&done["place"], &done["size"], &done["digest"]), (&json!("bob:from/stdin"), &json!(length), &json!(sha256_of(&content))));
        assert!(done["elapsed_ms"].is_u64());
        assert!(fs::read(bob.file("from/stdin")).unwrap() == content, "{length} bytes");
    }
    // With the size it can say the percentage, from nothing to all.
    for (size, length, midway) in [("12M", 12 << 20, &[33, 66][..]), ("10M", 10 << 20, &[40, 80]), ("5", 5, &[])] {
        let content = random_bytes(length, 5);
        let outcome = alice.run_with_input(["put", "-", "bob:sized", "--size", size, "--json", "--on-conflict", "overwrite"], &content).ok();
        let percent: Vec<u64> = outcome.json().iter().filter_map(|event| event["percent"].as_u64()).collect();
        assert!(percent.is_sorted() && midway.iter().all(|midway| percent.contains(midway)), "{percent:?}");
        assert_eq!((percent.first(), percent.last()), (Some(&0), Some(&100)), "{percent:?}");
    }
    let text = alice.run_with_input(["put", "-", "bob:words"], b"words").ok().stdout;
    assert!(text.starts_with("bob:words: 5 B in ") && text.contains(&sha256_of(b"words")), "{text}");
}

#[test]
fn another_size_than_was_promised_is_an_integrity_error_and_nothing_is_stored() {
    let ((alice, _a), (bob, _b)) = nodes();
    for (length, size) in [(5, "6"), (7, "6"), (9 << 20, "6"), (9 << 20, "10M")] {
        alice.run_with_input(["put", "-", "bob:x", "--size", size, "--json"], &random_bytes(length, 1)).fails("size-mismatch", 6);
        nothing_left(&bob);
    }
}

#[test]
fn a_client_that_is_interrupted_cancels_its_store() {
    let ((alice, _a), (bob, _b)) = nodes();
    let mut running = alice.start(["put", "-", "bob:x"]);
    let mut input = running.stdin.take().unwrap();
    input.write_all(&random_bytes(5 << 20, 1)).unwrap();
    running.started();
    assert_eq!((hidden_in(&bob.files()).len(), bob.workers().len()), (1, 1));
    running.signal("INT");
    running.end().code(130);
    drop(input);
    nothing_left(&bob);
}

#[test]
fn what_a_store_left_that_was_killed_with_its_node_is_gone_after_the_start() {
    let ((alice, _a), (bob, bob_serves)) = nodes();
    begin(&alice, b"123");
    bob_serves.kill9();
    assert_eq!(hidden_in(&bob.files()).len(), 1);
    fs::write(bob.file("other"), b"stays").unwrap();
    let _serving = bob.serve();
    eventually("it is gone", || (bob.names() == ["other"]).then_some(()));
}

#[test]
fn an_abandoned_store_expires_and_leaves_nothing() {
    let ((alice, _a), (bob, _b)) = nodes();
    let blob = alice.scratch().join("blob");
    fs::write(&blob, b"123").unwrap();
    let first = |time: u64| {
        let body = json!({"store": {"number": 1, "expires-after": time}}).to_string();
        alice.run(["message", MANAGER, &body, "--blob", blob.to_str().unwrap()]).ok().json()[0].clone()
    };
    for time in [0, 60_001] {
        assert!(first(time)["error"]["invalid-request"].is_string(), "{time}");
    }
    let answer = first(1_000);
    let id = answer["stored"]["file-id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    nothing_left(&bob);
    let answer = segment(&alice, Some(id), 2, &Value::Null, b"456");
    assert!(answer["error"]["unknown-transfer"].is_string(), "{answer}");
}
