//! Transfers that are cut off in the middle, and go on where they stopped.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use transship_tests::resuming::{Move, PART, SIZE, Scene, scene};
use transship_tests::transfer::{Wired, hidden_in, journaled, names_in, safe_on_disk};
use transship_tests::{Home, differ, eventually, pair, random_file};

#[test]
fn a_get_goes_on_after_the_receiver_was_killed() {
    let Scene { wired, get, .. } = scene();
    let serving = wired.alice.serve();
    let running = get.part(&wired);
    serving.kill9();
    wired.proxy.release();
    assert_ne!(running.end().code, Some(0));
    assert!(!get.to().exists());
    let safe = journaled(&get.folder);
    let _serving = wired.alice.serve();
    let outcome = wired.alice.run_json(get.command());
    let first = outcome.json().iter().filter(|event| event["state"] == "transferring").find_map(|event| event["bytes_done"].as_u64());
    assert!(first >= Some(safe), "it begins with what is there: {first:?}");
    get.check(outcome, safe);
}

#[test]
fn a_put_goes_on_after_the_receiver_was_killed() {
    let Scene { mut wired, put, .. } = scene();
    let _serving = wired.alice.serve();
    let running = put.part(&wired);
    wired.bob_dies();
    running.end().fails("offline", 5);
    assert!(!put.to().exists());
    let safe = journaled(&put.folder);
    wired.bob_is_back();
    put.check(wired.alice.run_json(put.command()), safe);
}

#[test]
fn a_get_goes_on_after_the_provider_was_killed_and_loses_nothing_that_had_arrived() {
    let Scene { mut wired, get, .. } = scene();
    let _serving = wired.alice.serve();
    wired.proxy.hold_after(PART);
    let mut running = wired.alice.start(get.command());
    let done = running.midway();
    wired.bob_dies();
    running.end().fails("offline", 5).says("run the same command again");
    let safe = journaled(&get.folder);
    assert!(safe >= done, "{done} bytes had arrived, and {safe} were kept");
    wired.bob_is_back();
    get.check(wired.alice.run_json(get.command()), safe);
}

#[test]
fn a_put_goes_on_after_the_provider_was_killed() {
    let Scene { wired, put, .. } = scene();
    let serving = wired.alice.serve();
    let running = put.part(&wired);
    serving.kill9();
    wired.proxy.release();
    assert_ne!(running.end().code, Some(0));
    wired.bob.settled();
    let safe = journaled(&put.folder);
    assert!(safe > 0, "bob keeps what he has when alice vanishes");
    let _serving = wired.alice.serve();
    put.check(wired.alice.run_json(put.command()), safe);
}

#[test]
fn a_command_that_runs_the_node_itself_goes_on_after_it_was_killed() {
    let Scene { wired, get, put } = scene();
    for way in [&get, &put] {
        let running = way.part(&wired);
        running.kill9();
        wired.proxy.release();
        wired.bob.settled();
        let safe = journaled(&way.folder);
        way.check(wired.alice.run_json(way.command()), safe);
    }
}

#[test]
fn after_a_kill_of_either_node_no_more_passes_again_than_was_in_flight_and_not_yet_safe() {
    /// What else passes: the link's own, and what is said about the transfer.
    const OVERHEAD: u64 = 1 << 20;
    let Scene { mut wired, get, put } = scene();
    for (way, bob_dies) in [(&get, false), (&get, true), (&put, false), (&put, true)] {
        // The round before has brought it already.
        drop(fs::remove_file(way.to()));
        wired.proxy.hold_after(PART);
        let running = wired.alice.start([&way.command()[..], &["--chunk-size", "64k", "--window", "8"]].concat());
        wired.proxy.held();
        // All that got through becomes safe, though nothing more comes.
        safe_on_disk(&way.folder, PART - 8 * (64 << 10) - OVERHEAD);
        if bob_dies {
            wired.bob_dies();
            running.end().fails("offline", 5);
            wired.bob_is_back();
        } else {
            running.kill9();
            // What is still in the wire is lost, and does not count for the next.
            wired.proxy.cut_all();
            wired.proxy.release();
            wired.bob.settled();
        }
        let (safe, before) = (journaled(&way.folder), wired.proxy.forwarded());
        let done = wired.alice.run_json(way.command()).ok().event("done");
        let passed = wired.proxy.forwarded() - before;
        let resumed = done["resumed"].as_u64().unwrap();
        assert!(resumed >= safe, "{safe} bytes were safe, and it went on from {resumed}");
        let lacking = SIZE - resumed;
        assert!((lacking..lacking + OVERHEAD).contains(&passed), "{passed} bytes passed for the {lacking} that were lacking");
        way.check_whole();
    }
}

#[test]
fn nothing_is_seen_under_the_final_name_before_all_of_it_is_there() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let size = 30 << 20;
    random_file(&bob.file("file"), size);
    let (here, there) = (alice.scratch().join("file"), bob.file("in/back"));
    let over = AtomicBool::new(false);
    let watch = |path: &Path| {
        let mut absent = 0;
        loop {
            let ended = over.load(Ordering::SeqCst);
            match fs::metadata(path) {
                Ok(metadata) => return (absent, metadata.len()),
                Err(_) if ended => panic!("{} never came", path.display()),
                Err(_) => absent += 1,
            }
        }
    };
    std::thread::scope(|scope| {
        let watched = [&here, &there].map(|path| scope.spawn(|| watch(path)));
        alice.run(["get", "bob:file"]).ok();
        alice.run(["put", "file", "bob:in/back"]).ok();
        over.store(true, Ordering::SeqCst);
        for watched in watched {
            let (absent, length) = watched.join().unwrap();
            assert_eq!(length, size, "it was not there {absent} times, and then it was whole");
            assert!(absent > 0);
        }
    });
    assert_eq!(differ(&here, &there), None);
}

/// Cuts a transfer off in the middle, with something of it safe on disk.
fn cut_off(wired: &Wired, way: &Move) {
    let running = way.part(wired);
    running.kill9();
    wired.proxy.release();
    wired.bob.settled();
}

#[test]
fn a_file_that_changed_at_its_source_in_between_starts_over_and_says_so() {
    let Scene { wired, get, put } = scene();
    // Other content of the same size, which only the time gives away; and another size.
    for (way, size) in [(&get, SIZE), (&put, SIZE - 1)] {
        cut_off(&wired, way);
        let mut content = transship_tests::random_bytes(size, 99);
        content[0] ^= 1;
        fs::write(&way.from, content).unwrap();
        let outcome = wired.alice.run_json(way.command()).ok();
        let reasons: Vec<Value> = outcome.json().iter().filter(|event| event["state"] == "restarted").map(|event| event["reason"].clone()).collect();
        assert!(!reasons.is_empty() && reasons[0].as_str().is_some_and(|reason| !reason.is_empty()), "{}", outcome.stdout);
        assert_eq!(outcome.event("done")["resumed"], 0);
        way.check_whole();
    }
}

#[test]
fn starting_over_is_said_in_words_too() {
    let Scene { wired, get, .. } = scene();
    cut_off(&wired, &get);
    random_file(&get.from, SIZE + 5);
    wired.alice.run(get.command()).ok().says("starting over");
    get.check_whole();
}

#[test]
fn a_cancelled_transfer_leaves_nothing() {
    let Scene { wired, get, put } = scene();
    let _serving = wired.alice.serve();
    for way in [&get, &put] {
        let mut running = way.part(&wired);
        let id = running.started();
        assert_eq!(hidden_in(&way.folder).len(), 2);
        let status = wired.alice.run_json(["cancel", &id]).ok().json();
        assert_eq!(status[0]["id"], id.as_str());
        wired.proxy.release();
        running.end().fails("cancelled", 130);
        wired.alice.settled();
        wired.bob.settled();
        assert_eq!(hidden_in(&way.folder), Vec::<String>::new());
        assert!(!way.to().exists());
    }
    wired.alice.run_json(["cancel", "0a1b2c3d"]).fails("unknown-transfer", 3);
}

#[test]
fn a_transfer_that_is_cancelled_in_a_folder_made_for_it_removes_the_folder_too() {
    let wired = Wired::new("", "list,read,write");
    let _serving = wired.alice.serve();
    random_file(&wired.alice.scratch().join("ours"), SIZE);
    wired.proxy.hold_after(PART);
    let mut running = wired.alice.start(["put", "ours", "bob:a/b/c"]);
    let id = running.started();
    wired.proxy.held();
    assert_eq!(hidden_in(&wired.bob.file("a/b")).len(), 2);
    wired.alice.run(["cancel", &id]).ok();
    wired.proxy.release();
    running.end().code(130);
    wired.bob.settled();
    assert_eq!(names_in(&wired.bob.files()), Vec::<String>::new());
}

#[test]
fn a_transfer_stopped_with_keep_goes_on_later() {
    let Scene { wired, get, put } = scene();
    let _serving = wired.alice.serve();
    for way in [&get, &put] {
        let mut running = way.part(&wired);
        let id = running.started();
        wired.alice.run(["cancel", &id, "--keep"]).ok();
        wired.proxy.release();
        running.end().fails("interrupted", 130);
        wired.bob.settled();
        wired.alice.settled();
        let safe = journaled(&way.folder);
        assert!(safe > 0);
        way.check(wired.alice.run_json(way.command()), safe);
    }
}

/// Interrupts a get and a put as Ctrl-C does, and goes on.
fn interrupt(wired: &Wired, ways: [&Move; 2]) {
    for way in ways {
        let running = way.part(wired);
        running.signal("INT");
        // What is on its way to the other side gets there.
        wired.proxy.release();
        let outcome = running.end().code(130).says("run the same command again");
        assert_eq!(outcome.event("failed")["code"], 130);
        wired.bob.settled();
        let safe = journaled(&way.folder);
        assert!(safe > 0 && !way.to().exists());
        way.check(wired.alice.run_json(way.command()), safe);
    }
}

#[test]
fn an_interrupted_command_exits_with_130_and_keeps_what_a_resume_needs() {
    let Scene { wired, get, put } = scene();
    interrupt(&wired, [&get, &put]);
}

#[test]
fn an_interrupted_command_of_a_running_node_stops_the_transfer_there() {
    let Scene { wired, get, put } = scene();
    let _serving = wired.alice.serve();
    interrupt(&wired, [&get, &put]);
    eventually("the node has nothing left to do", || wired.alice.workers().is_empty().then_some(()));
}

#[test]
fn a_node_that_is_stopped_in_mid_transfer_keeps_what_has_arrived() {
    let Scene { mut wired, get, put } = scene();
    let alice = wired.alice.serve();
    for (way, signal) in [(&get, "TERM"), (&put, "INT")] {
        let running = way.part(&wired);
        let safe = journaled(&way.folder);
        // The wire is held, so it is not done before it is stopped.
        wired.bob_serves.take().unwrap().stop(signal);
        wired.proxy.release();
        wired.proxy.cut_all();
        running.end().code(5);
        wired.bob_is_back();
        wired.alice.settled();
        way.check(wired.alice.run_json(way.command()), safe);
    }
    drop(alice);
}

#[test]
fn homes_are_told_apart_when_one_folder_receives_the_same_name_from_two_nodes() {
    let Scene { wired, get, .. } = scene();
    let carol = Home::new("carol");
    let carol_serves = carol.serve();
    random_file(&carol.file("theirs"), SIZE + 1);
    wired.alice.knows(&carol, carol_serves.address(), "");
    carol.knows(&wired.alice, "127.0.0.1:1".parse().unwrap(), "list,read");
    cut_off(&wired, &get);
    // The same name into the same place, but from another node: what is there of bob's is not taken for it, and stays.
    let outcome = wired.alice.run_json(["get", "carol:theirs", "theirs", "--on-conflict", "fail"]).ok();
    assert_eq!(outcome.event("done")["resumed"], 0);
    assert_eq!(differ(&carol.file("theirs"), &get.to()), None);
    fs::remove_file(get.to()).unwrap();
    let outcome = wired.alice.run_json(get.command()).ok();
    assert!(outcome.event("done")["resumed"].as_u64() > Some(0));
    get.check_whole();
}
