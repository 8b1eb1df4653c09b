//! Limits: a transfer, a peer or a node takes no more of the line than its owner wants. Only what must take long is measured, since whatever is quick may be slow on a busy machine.

use std::time::{Duration, Instant};

use transship_tests::tree::{many, same};
use transship_tests::{Home, differ, eventually, introduce, pair, random_bytes, random_file};

const MIB: u64 = 1 << 20;

/// The time that something takes.
fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// So many seconds, less what a limit lets pass at once and a few percent.
fn at_least(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds * 0.95 - 0.2)
}

#[test]
fn a_transfer_keeps_to_its_own_limit_in_either_direction() {
    let ((alice, _alices), (bob, _bobs)) = pair("list,read,write", "list,read,write");
    random_file(&bob.file("far"), 5 * MIB);
    random_file(&alice.scratch().join("near"), 5 * MIB);
    assert!(timed(|| drop(alice.run(["get", "bob:far", "got", "--limit", "2M"]).ok())) >= at_least(2.5));
    assert!(timed(|| drop(alice.run(["put", "near", "bob:put", "--limit", "2M"]).ok())) >= at_least(2.5));
    // What is piped goes in segments, of which the last is not waited for.
    let piped = std::fs::read(alice.scratch().join("near")).unwrap();
    assert!(timed(|| drop(alice.run_with_input(["put", "-", "bob:piped", "--limit", "2M"], &piped).ok())) >= at_least(1.5));
    assert_eq!(differ(&alice.scratch().join("near"), &bob.file("piped")), None);
    assert_eq!([differ(&bob.file("far"), &alice.scratch().join("got")), differ(&alice.scratch().join("near"), &bob.file("put"))], [None, None]);
}

#[test]
fn a_peer_is_sent_no_more_than_its_entry_says_and_nothing_more_is_taken_from_it() {
    let ((alice, _alices), (bob, _bobs)) = pair("list,read,write", "list,read,write");
    random_file(&bob.file("far"), 5 * MIB);
    random_file(&alice.scratch().join("near"), 5 * MIB);
    let said = alice.run(["--json", "peer", "allow", "bob", "--limit", "2M"]).ok().json();
    assert_eq!(said[0]["limit"], 2 * MIB);
    assert!(alice.run(["peer", "list"]).ok().stdout.contains("2.0 MiB/s"));
    assert!(timed(|| drop(alice.run(["get", "bob:far", "got"]).ok())) >= at_least(2.5));
    assert!(timed(|| drop(alice.run(["put", "near", "bob:put"]).ok())) >= at_least(2.5));
    assert_eq!([differ(&bob.file("far"), &alice.scratch().join("got")), differ(&alice.scratch().join("near"), &bob.file("put"))], [None, None]);
}

#[test]
fn a_limit_that_is_lifted_speeds_up_what_is_under_way() {
    let ((alice, _alices), (bob, _bobs)) = pair("", "list,read");
    random_file(&bob.file("far"), 8 * MIB);
    // At this pace it would take minutes, which the test does not wait for.
    bob.run(["peer", "allow", "alice", "--limit", "16K"]).ok();
    let mut running = alice.start(["get", "bob:far", "got"]);
    running.started();
    bob.run(["peer", "allow", "alice", "--limit", "none"]).ok();
    running.end().ok();
    assert_eq!(differ(&bob.file("far"), &alice.scratch().join("got")), None);
}

#[test]
fn a_node_keeps_to_its_limit_for_all_peers_together() {
    let (alice, bob, carol) = (Home::new("alice"), Home::new("bob"), Home::new("carol"));
    bob.configure(&format!("limit = {}", 2 * MIB));
    let (alice_serves, bob_serves, carol_serves) = (alice.serve(), bob.serve(), carol.serve());
    for (home, serves) in [(&alice, &alice_serves), (&carol, &carol_serves)] {
        introduce((home, Some(serves), ""), (&bob, Some(&bob_serves), "list,read"));
    }
    random_file(&bob.file("far"), 3 * MIB);
    let both = timed(|| {
        let transfers = [&alice, &carol].map(|home| home.start(["get", "bob:far", "got"]));
        for running in transfers {
            running.end().ok();
        }
    });
    assert!(both >= at_least(3.0), "{both:?}");
}

#[test]
fn many_small_messages_are_limited_too_and_the_link_lives() {
    let ((alice, _alices), (bob, _bobs)) = pair("", "list,read");
    for number in 0..20 {
        random_file(&bob.file(&format!("small-{number}")), 10_000);
    }
    alice.run(["peer", "allow", "bob", "--limit", "64K"]).ok();
    let took = timed(|| {
        for number in 0..20 {
            alice.run(["get", &format!("bob:small-{number}")]).ok();
        }
    });
    assert!(took >= at_least(200_000.0 / 65_536.0), "{took:?}");
    eventually("the workers are gone", || alice.workers().is_empty().then_some(()));
}

#[test]
fn what_is_no_limit_is_refused_with_the_least_there_may_be() {
    let alice = Home::new("alice");
    alice.run(["serve", "--limit", "1K"]).code(2).says("16.0 KiB a second");
    alice.run(["get", "bob:x", "--limit", "fast"]).code(2).says("not a rate");
    alice.configure("limit = 1000");
    let refused = alice.run(["--json", "list"]);
    assert!(refused.stderr.contains("at least 16384") || refused.stdout.contains("at least 16384"), "{} {}", refused.stdout, refused.stderr);
}

/// A folder of small files and one in parts, 5 MiB in all.
fn folder(root: &std::path::Path) {
    many(&root.join("many"), 64, 32 << 10);
    random_file(&root.join("parts"), 3 * MIB);
}

#[test]
fn a_folder_keeps_to_its_own_limit_and_to_that_of_the_peer_in_either_direction() {
    let ((alice, _alices), (bob, _bobs)) = pair("list,read,write", "list,read,write");
    folder(&bob.file("far"));
    folder(&alice.scratch().join("near"));
    for (own, place) in [(&["--limit", "2M"][..], "own"), (&[], "peer's")] {
        if own.is_empty() {
            alice.run(["peer", "allow", "bob", "--limit", "2M"]).ok();
        }
        let (here, there) = (alice.scratch().join(place), bob.file(place));
        assert!(timed(|| drop(alice.run([&["get", "-r", "bob:far/", place][..], own].concat()).ok())) >= at_least(2.5), "get, {place}");
        let target = format!("bob:{place}");
        assert!(timed(|| drop(alice.run([&["put", "-r", "near/", target.as_str()][..], own].concat()).ok())) >= at_least(2.5), "put, {place}");
        same(&bob.file("far"), &here, false);
        same(&alice.scratch().join("near"), &there, false);
    }
}

#[test]
fn a_stream_from_and_to_a_pipe_keeps_to_the_limit_of_the_peer() {
    let ((alice, _alices), (bob, _bobs)) = pair("list,read,write", "list,read,write");
    let content = random_bytes(5 * MIB, 1);
    std::fs::write(bob.file("far"), &content).unwrap();
    alice.run(["peer", "allow", "bob", "--limit", "2M"]).ok();
    assert!(timed(|| drop(alice.run_with_input(["put", "-", "bob:put"], &content).ok())) >= at_least(2.5));
    assert!(std::fs::read(bob.file("put")).unwrap() == content);
    assert!(timed(|| assert!(alice.run(["get", "bob:far", "-"]).ok().bytes == content)) >= at_least(2.5));
}

#[test]
fn a_stream_to_a_pipe_keeps_to_its_own_limit() {
    let ((alice, _alices), (bob, _bobs)) = pair("list,read,write", "list,read,write");
    let content = random_bytes(5 * MIB, 2);
    std::fs::write(bob.file("far"), &content).unwrap();
    assert!(timed(|| assert!(alice.run(["get", "bob:far", "-", "--limit", "2M"]).ok().bytes == content)) >= at_least(2.5));
}
