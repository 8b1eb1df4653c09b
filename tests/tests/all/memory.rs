//! However much passes through a node, it never holds more than the windows allow.

use std::process::Stdio;
use std::time::{Duration, Instant};

use transship_tests::machine::{memory, quick_folder};
use transship_tests::{Home, Serving, differ, eventually, pair_in, sparse_file};

/// Generous: most of it is compiled code and the pool's tables. Without bounds it would be the size of the file.
const BOUND: u64 = 300 << 20;
/// What a window and its lanes may add while a transfer stands still.
const WINDOW: u64 = 96 << 20;

fn two_nodes() -> ((Home, Serving), (Home, Serving)) {
    pair_in(&quick_folder(4 << 30), "", "list,read,write")
}

fn peak(serving: &Serving) -> u64 {
    memory(serving.pid(), "VmHWM")
}

#[test]
fn a_gibibyte_passes_through_two_nodes_and_neither_holds_it() {
    let ((alice, alice_serves), (bob, bob_serves)) = two_nodes();
    let (source, target) = (bob.file("large"), alice.scratch().join("large"));
    sparse_file(&source, 1 << 30);
    alice.run(["get", "bob:large", "large", "--quiet"]).ok();
    assert_eq!(differ(&source, &target), None);
    for (name, serving) in [("the receiver", &alice_serves), ("the sender", &bob_serves)] {
        let peak = peak(serving);
        assert!(peak < BOUND, "{name} held {} MiB at its peak", peak >> 20);
    }
}

#[test]
fn a_stream_from_standard_input_passes_through_and_is_not_held() {
    let ((alice, alice_serves), (bob, bob_serves)) = two_nodes();
    let source = alice.scratch().join("stream");
    sparse_file(&source, 512 << 20);
    let input = std::fs::File::open(&source).unwrap();
    let status = alice.command(["put", "-", "bob:stream", "--quiet"]).stdin(input).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    assert_eq!(differ(&source, &bob.file("stream")), None);
    for (name, serving) in [("the sender", &alice_serves), ("the receiver", &bob_serves)] {
        let peak = peak(serving);
        assert!(peak < BOUND, "{name} held {} MiB at its peak", peak >> 20);
    }
}

#[test]
fn a_receiver_that_stands_still_does_not_fill_the_sender() {
    let ((alice, alice_serves), (bob, bob_serves)) = two_nodes();
    let (source, target) = (bob.file("large"), alice.scratch().join("large"));
    sparse_file(&source, 2 << 30);
    let mut getting =
        alice.command(["get", "bob:large", "large", "--quiet"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("content arrives", || {
        let parts = std::fs::read_dir(alice.scratch()).unwrap();
        parts
            .map(|entry| entry.unwrap())
            .find(|entry| entry.file_name().to_string_lossy().starts_with(".transship-") && entry.metadata().is_ok_and(|metadata| metadata.len() > 0))
            .map(|_| ())
    });
    alice_serves.signal("STOP");
    assert!(!target.exists(), "all of it had arrived before the receiver was stopped");
    let before = memory(bob_serves.pid(), "VmRSS");
    // There is no event for what must not happen: it is given time to.
    let until = Instant::now() + Duration::from_secs(2);
    let mut most = before;
    while Instant::now() < until {
        most = most.max(memory(bob_serves.pid(), "VmRSS"));
        std::thread::sleep(Duration::from_millis(20));
    }
    alice_serves.signal("CONT");
    assert!(most < before + WINDOW, "the sender grew from {} to {} MiB", before >> 20, most >> 20);
    let output = getting.wait().unwrap();
    assert!(output.success());
    assert_eq!(differ(&source, &target), None);
    assert!(peak(&bob_serves) < BOUND, "the sender held {} MiB at its peak", peak(&bob_serves) >> 20);
}
