//! Over a wire that is slow and loses packets, and that can be cut.
//!
//! What is meant to happen: a wire that comes back before the deadlines pass is waited for, and the transfer goes on where it stood, without anybody noticing; one that stays away ends the command
//! with exit code 5, and the same command later goes on with what has arrived.

use std::process::{Child, Stdio};

use transship_tests::machine::skipped;
use transship_tests::wire::{End, Wire};
use transship_tests::{Home, Outcome, Serving, differ, eventually, random_file};

fn two_ends() -> Option<(Wire, (Home, Serving), (Home, Serving))> {
    let wire = match Wire::lay() {
        Ok(wire) => wire,
        Err(why) => {
            skipped("a wire between two network namespaces", &why);
            return None;
        }
    };
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let (alice_serves, bob_serves) = (wire.serve(&alice, End::Left), wire.serve(&bob, End::Right));
    wire.introduce((&alice, "list,read,write"), (&bob, "list,read,write"));
    Some((wire, (alice, alice_serves), (bob, bob_serves)))
}

/// A transfer that is under way: some content has arrived in a hidden file at alice's.
fn under_way(alice: &Home, arguments: &[&str]) -> Child {
    let child = alice.command(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("content arrives", || {
        let moved = alice.run(["--json", "transfers"]).ok().json();
        moved.iter().find(|transfer| transfer["bytes_done"].as_u64() > Some(1 << 20)).cloned()
    });
    child
}

fn end_of(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr), bytes: output.stdout }
}

#[test]
fn over_a_wire_that_loses_packets_all_arrives_both_ways() {
    let Some((_wire, (alice, _alice), (bob, _bob))) = two_ends() else { return };
    let (theirs, ours) = (bob.file("theirs"), alice.scratch().join("ours"));
    random_file(&theirs, 20 << 20);
    random_file(&ours, (20 << 20) + 1);
    alice.run(["get", "bob:theirs", "got"]).ok();
    assert_eq!(differ(&theirs, &alice.scratch().join("got")), None);
    alice.run(["put", "ours", "bob:"]).ok();
    assert_eq!(differ(&ours, &bob.file("ours")), None);
}

#[test]
fn a_wire_that_is_cut_for_a_moment_is_waited_for() {
    let Some((wire, (alice, _alice), (bob, _bob))) = two_ends() else { return };
    let source = bob.file("large");
    random_file(&source, 40 << 20);
    let getting = under_way(&alice, &["get", "bob:large", "got"]);
    wire.cut();
    // It is seen to stand still.
    let done = |alice: &Home| alice.run(["--json", "transfers"]).ok().json()[0]["bytes_done"].clone();
    eventually("it stands still", || (done(&alice) == done(&alice)).then_some(()));
    wire.mend();
    end_of(getting).ok();
    assert_eq!(differ(&source, &alice.scratch().join("got")), None);
}

#[test]
fn a_wire_that_stays_cut_ends_the_transfer_and_a_mended_one_goes_on() {
    let Some((wire, (alice, _alice), (bob, _bob))) = two_ends() else { return };
    let source = bob.file("large");
    random_file(&source, 40 << 20);
    // A window that the wire carries in far less than the time-out, so that only the cut is what times out.
    let command = ["--json", "get", "bob:large", "got", "--timeout", "5s", "--retries", "1", "--chunk-size", "64k", "--window", "8"];
    let getting = under_way(&alice, &command);
    wire.cut();
    let outcome = end_of(getting).code(5);
    let last = outcome.json().pop().unwrap();
    assert!(["offline", "timed-out"].contains(&last["error"].as_str().unwrap()), "{last}");
    assert!(last["hint"].as_str().unwrap().contains("same command again"), "{last}");
    assert!(!alice.scratch().join("got").exists());
    wire.mend();
    let done = eventually("the nodes find each other again", || {
        let outcome = alice.run(command);
        (outcome.code == Some(0)).then(|| outcome.json().pop().unwrap())
    });
    assert!(done["resumed"].as_u64() > Some(0), "{done}");
    assert_eq!(differ(&source, &alice.scratch().join("got")), None);
    alice.settled();
}
