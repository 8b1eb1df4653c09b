//! However much passes through a node, it never holds more than the windows allow.

use std::process::Stdio;

use transship_tests::machine::{forget_peak, memory, quick_folder, stands_still};
use transship_tests::transfer::Wired;
use transship_tests::{Home, Serving, differ, pair_in, sparse_file};

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
    let wired = Wired::new_in(&quick_folder(1 << 30), "", "list,read,write");
    let Wired { proxy, alice, bob, bob_serves } = &wired;
    let (alice_serves, bob_serves) = (alice.serve(), bob_serves.as_ref().unwrap());
    sparse_file(&bob.file("large"), 1 << 30);
    // It is stopped in the middle, and then the wire takes what it can.
    proxy.hold_after(64 << 20);
    let getting = alice.start(["get", "bob:large", "large"]);
    proxy.held();
    forget_peak(bob_serves.pid());
    let before = memory(bob_serves.pid(), "VmRSS");
    alice_serves.signal("STOP");
    proxy.release();
    stands_still(bob_serves.pid());
    let most = memory(bob_serves.pid(), "VmHWM");
    assert!(most < before + WINDOW, "the sender grew from {} to {} MiB", before >> 20, most >> 20);
    // Whether it goes on afterwards depends on how long it stood still: that is not what this is about.
    alice_serves.signal("CONT");
    getting.kill9();
}

#[test]
fn a_receiver_of_many_small_files_that_stands_still_does_not_fill_the_sender() {
    let wired = Wired::new_in(&quick_folder(1 << 30), "", "list,read,write");
    let Wired { proxy, alice, bob, bob_serves } = &wired;
    let (_alice_serves, bob_serves) = (alice.serve(), bob_serves.as_ref().unwrap());
    // Far more than the bound, and nothing on the disk.
    std::fs::create_dir(bob.file("many")).unwrap();
    for number in 0..8000 {
        sparse_file(&bob.file(&format!("many/{number}")), 64 << 10);
    }
    proxy.hold_after(32 << 20);
    let getting = alice.start(["get", "-r", "bob:many"]);
    proxy.held();
    forget_peak(bob_serves.pid());
    let before = memory(bob_serves.pid(), "VmRSS");
    stands_still(bob_serves.pid());
    let most = memory(bob_serves.pid(), "VmHWM");
    assert!(most < before + WINDOW, "the sender grew from {} to {} MiB", before >> 20, most >> 20);
    getting.kill9();
}
