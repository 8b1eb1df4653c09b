//! What a process has done to its files without waiting: nobody who asks sees less than all that was queued, and what could not be done is never passed over.

use serde_json::{Value, json};
use transship_tests::package::{install_puppet, tell};
use transship_tests::{Home, Serving, eventually};

fn puppet() -> (Home, Serving) {
    let alice = Home::new("alice");
    install_puppet(&alice);
    let serving = alice.serve();
    (alice, serving)
}

fn queue(home: &Home, drive: &str, count: u8, bytes: u32) -> Value {
    tell(home, "main", &json!({"queue": {"drive": drive, "path": "file", "count": count, "bytes": bytes}}))
}

#[test]
fn whoever_asks_sees_all_that_was_queued() {
    let (alice, _serving) = puppet();
    // More than may be queued, of little and of much.
    for bytes in [1000, 256 << 10, (1 << 20) + 77] {
        let runs: Vec<Value> = (0..11_u8).map(|number| json!([char::from(b'a' + number).to_string(), bytes])).collect();
        let got = queue(&alice, "files", 11, bytes);
        assert_eq!(got["asked"]["length"], json!({"ok": 11 * bytes}), "{bytes}");
        assert_eq!(got["asked"]["read"], json!({"ok": runs}), "{bytes}");
        assert_eq!(got["asked"]["sync"], json!({"ok": null}));
        assert_eq!(got["others"], json!({"ok": runs}), "{bytes}");
    }
}

#[test]
fn what_can_not_be_written_is_told_by_every_call_that_follows() {
    let (alice, _serving) = puppet();
    // The drive has room for 65,536 bytes.
    let got = queue(&alice, "small", 4, 30_000);
    for asked in ["length", "read", "modified", "sync"] {
        assert!(got["asked"][asked]["err"].as_str().is_some_and(|error| error.contains("NoSpace")), "{asked}: {got}");
    }
    assert_eq!(got["others"]["ok"].as_array().unwrap()[..2], *json!([["a", 30_000], ["b", 30_000]]).as_array().unwrap(), "{got}");
}

#[test]
fn names_that_are_given_meanwhile_are_told_one_by_one() {
    let (alice, _serving) = puppet();
    for name in ["a", "b", "taken"] {
        tell(&alice, "main", &json!({"write": {"drive": "files", "path": name, "text": name}}));
    }
    let names = json!([["a", "new a"], ["b", "taken"], ["not there", "new"], ["../b", "out"], ["taken", "free"], ["b", "taken"]]);
    let operation = tell(&alice, "main", &json!({"start-rename": {"drive": "files", "names": names}}))["ok"].clone();
    let event = eventually("it is done", || tell(&alice, "main", &json!("events")).as_array().unwrap().first().cloned());
    // In hexadecimal, one byte each: 1 is what has not the name.
    assert_eq!(event, json!({"completion": {"operation": operation, "outcome": {"ok": "000101010000"}}}));
    let listed = tell(&alice, "main", &json!({"list": {"drive": "files"}}));
    assert_eq!(listed["ok"], json!(["free", "new a", "taken"]));
    let read = |path| tell(&alice, "main", &json!({"read": {"drive": "files", "path": path}}))["ok"].clone();
    assert_eq!((read("free"), read("taken")), (json!("taken"), json!("b")));
}
