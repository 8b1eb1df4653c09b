//! Lines so slow that what is asked for at first takes longer than an answer is waited for: everything gets through all the same, in smaller parts. Time-outs are short here, so that the lines need not be slower than a test has time for.

use transship_tests::transfer::hidden_in;
use transship_tests::tree::{plant, same};
use transship_tests::{Home, Serving, differ, pair, random_file};

const KIB: u64 = 1 << 10;

/// Alice, who asks bob for something over a line of so many bytes a second.
fn scene(limit: &str) -> ((Home, Serving), (Home, Serving)) {
    let ((alice, alices), (bob, bobs)) = pair("", "list,read,write");
    bob.run(["peer", "allow", "alice", "--limit", limit]).ok();
    ((alice, alices), (bob, bobs))
}

#[test]
fn a_small_file_of_a_folder_that_takes_longer_than_an_answer_may_comes_in_parts() {
    let ((alice, _alices), (bob, _bobs)) = scene("64K");
    let source = bob.file("photos");
    for number in 0..8 {
        plant(&source.join(format!("small {number}")), 5 * KIB, 0o644);
    }
    // At this pace it takes three seconds.
    plant(&source.join("middling"), 200 * KIB, 0o644);
    let done = alice.run_json(["get", "-r", "bob:photos", "--timeout", "2s"]).ok().event("done");
    assert_eq!(done["tree"]["new"], 9, "{done}");
    same(&source, &alice.scratch().join("photos"), false);
    assert_eq!(hidden_in(&alice.scratch()), Vec::<String>::new());
}

#[test]
fn a_large_file_of_a_folder_comes_in_smaller_parts() {
    let ((alice, _alices), (bob, _bobs)) = scene("256K");
    let source = alice.scratch().join("out");
    plant(&source.join("large"), 1200 * KIB, 0o644);
    alice.run(["put", "-r", "out", "bob:", "--timeout", "2s"]).ok();
    same(&source, &bob.file("out"), false);
}

#[test]
fn files_that_share_a_slow_line_all_arrive() {
    let ((alice, _alices), (bob, _bobs)) = scene("128K");
    let names = ["one", "two", "three"];
    for name in names {
        random_file(&bob.file(name), 200 * KIB);
    }
    // All three together take more than four seconds.
    let running = names.map(|name| alice.start(["get", &format!("bob:{name}"), name, "--timeout", "2s"]));
    for running in running {
        running.end().ok();
    }
    for name in names {
        assert_eq!(differ(&bob.file(name), &alice.scratch().join(name)), None, "{name}");
    }
}
