//! Ten thousand files at once, and how much memory that takes.

use transship_tests::machine::{forget_peak, memory, quick_folder};
use transship_tests::transfer::{HIDDEN, hidden_in};
use transship_tests::tree::{files_in, many, same};
use transship_tests::{Home, Serving, meanwhile, pair_in};

const COUNT: u64 = 10_000;
/// What moving a tree may add to what a node needs anyway, however many files there are.
const ROOM: u64 = 96 << 20;

fn nodes() -> ((Home, Serving), (Home, Serving)) {
    pair_in(&quick_folder(1 << 30), "", "list,read,write")
}

/// How much a node grows at most while something is done.
fn growth(nodes: [(&str, &Serving); 2], done: impl FnOnce()) {
    growth_within(ROOM, nodes, done);
}

#[track_caller]
fn growth_within(room: u64, nodes: [(&str, &Serving); 2], done: impl FnOnce()) {
    let before = nodes.map(|(_, serving)| {
        forget_peak(serving.pid());
        memory(serving.pid(), "VmRSS")
    });
    done();
    for ((name, serving), before) in nodes.into_iter().zip(before) {
        let peak = memory(serving.pid(), "VmHWM");
        assert!(peak < before + room, "{name} grew from {} to {} MiB", before >> 20, peak >> 20);
    }
}

#[test]
fn ten_thousand_small_files_arrive_both_ways_in_bounded_memory() {
    let ((alice, alice_serves), (bob, bob_serves)) = nodes();
    let source = bob.file("photos");
    let bytes = many(&source, COUNT, 4096);
    growth([("the receiver", &alice_serves), ("the sender", &bob_serves)], || {
        let done = alice.run_json(["get", "-r", "bob:photos"]).ok().event("done");
        assert_eq!((&done["tree"]["new"], &done["size"]), (&COUNT.into(), &bytes.into()), "{done}");
    });
    same(&source, &alice.scratch().join("photos"), false);
    growth([("the sender", &alice_serves), ("the receiver", &bob_serves)], || drop(alice.run(["put", "-r", "photos", "bob:back"]).ok()));
    same(&source, &bob.file("back"), false);
    growth([("the receiver", &alice_serves), ("the sender", &bob_serves)], || {
        let done = alice.run_json(["get", "-r", "bob:photos"]).ok().event("done");
        assert_eq!(done["tree"]["unchanged"], COUNT, "{done}");
    });
    assert_eq!((hidden_in(&alice.scratch()), hidden_in(&bob.files())), (Vec::new(), Vec::new()));
}

#[test]
fn nothing_is_kept_of_an_entry_that_is_done() {
    /// What an entry would take of either node if each left 512 bytes behind is more than twice this.
    const ALL: u64 = 40_000;
    const LITTLE: u64 = 9 << 20;
    let ((alice, alice_serves), (bob, bob_serves)) = nodes();
    many(&bob.file("some"), ALL / 8, 0);
    many(&bob.file("all"), ALL, 0);
    let commands = |name: &str| {
        let get = ["get", "-a", &format!("bob:{name}")].map(str::to_owned).to_vec();
        let put = ["put", "-a", name, &format!("bob:back/{name}")].map(str::to_owned).to_vec();
        let list = ["list", "bob", "--prefix", &format!("{name}/")].map(str::to_owned).to_vec();
        [list, get.clone(), get, put.clone(), put]
    };
    // What any tree takes is there after some of them.
    for command in commands("some") {
        alice.run(command).ok();
    }
    for command in commands("all") {
        growth_within(LITTLE, [("alice", &alice_serves), ("bob", &bob_serves)], || drop(alice.run(&command).ok()));
    }
    same(&bob.file("all"), &bob.file("back/all"), true);
}

#[test]
fn a_tree_with_large_files_is_not_held_in_memory_either() {
    let ((alice, alice_serves), (bob, bob_serves)) = nodes();
    for number in 0..4 {
        transship_tests::random_file(&bob.file(&format!("photos/{number}")), (100 << 20) + number);
    }
    growth([("the receiver", &alice_serves), ("the sender", &bob_serves)], || drop(alice.run(["get", "-r", "bob:photos"]).ok()));
    same(&bob.file("photos"), &alice.scratch().join("photos"), false);
}

#[test]
fn progress_counts_files_and_bytes_and_ends_with_all_of_them() {
    let ((alice, _a), (bob, _b)) = nodes();
    let bytes = many(&bob.file("photos"), COUNT, 1024);
    let events = alice.run_json(["get", "-r", "bob:photos"]).ok().json();
    let progress: Vec<_> = events.iter().filter(|event| event["event"] == "progress").collect();
    let numbers = |field: &str| -> Vec<u64> { progress.iter().filter_map(|event| event[field].as_u64()).collect() };
    for (field, total) in [("files_done", COUNT), ("bytes_done", bytes)] {
        let numbers = numbers(field);
        assert!(!numbers.is_empty() && numbers.is_sorted() && numbers.iter().all(|number| *number <= total), "{field}: {numbers:?}");
    }
    for (field, total) in [("files_total", COUNT), ("bytes_total", bytes)] {
        let numbers = numbers(field);
        assert!(numbers.iter().all(|number| *number == total), "{field}: {numbers:?}");
    }
    let last = progress.last().unwrap();
    assert_eq!((&last["files_done"], &last["files_total"]), (&COUNT.into(), &COUNT.into()), "{last}");
}

#[test]
fn nobody_else_sees_or_lists_what_is_still_hidden() {
    let ((alice, _a), (bob, _b)) = nodes();
    many(&alice.scratch().join("out"), COUNT, 1024);
    let mut listings = 0;
    meanwhile(
        || {
            let listed = alice.run_json(["list", "bob", "--prefix", "out/"]).ok().json();
            assert!(listed.iter().all(|file| !file["name"].as_str().unwrap().contains(HIDDEN) && file["size"] == 1024));
            listings += 1;
        },
        || alice.run(["put", "-r", "out", "bob:"]).ok(),
    );
    assert!(listings > 0);
    assert_eq!(files_in(&bob.file("out")).len() as u64, COUNT);
}
