//! Over how many connections a file comes: more where a long line gives each of them little, and always as many as somebody chose.

use transship_tests::transfer::Wired;
use transship_tests::{differ, eventually, random_file};

const MIB: u64 = 1 << 20;

/// A line that gives each connection so much: what waits in its queues makes it a long one.
const EACH: u64 = 2 * MIB;

#[test]
fn a_long_line_that_gives_each_connection_little_is_used_over_more_of_them() {
    for direction in ["get", "put"] {
        let wired = Wired::new("list,read,write", "list,read,write");
        let (alice, bob) = (&wired.alice, &wired.bob);
        let (source, target) = (bob.file("far"), alice.scratch().join("got"));
        random_file(&source, 192 * MIB);
        std::fs::hard_link(&source, alice.scratch().join("near")).unwrap();
        wired.proxy.pace_each(EACH);
        let running = match direction {
            "get" => alice.start(["get", "bob:far", "got"]),
            _ => alice.start(["put", "near", "bob:put"]),
        };
        // One is the link's own. Four are usual, eight are tried next, and bring twice as much.
        eventually("as many as bring more", || (wired.proxy.opened() > 1 + 8).then_some(()));
        wired.proxy.release();
        running.end().ok();
        let target = if direction == "get" { target } else { bob.file("put") };
        assert_eq!(differ(&source, &target), None);
    }
}

#[test]
fn what_somebody_chose_stays() {
    for choice in [["--streams", "2"], ["--window", "32"]] {
        let wired = Wired::new("", "list,read");
        random_file(&wired.bob.file("far"), 24 * MIB);
        wired.proxy.pace_each(EACH);
        let most = if choice[0] == "--streams" { 2 } else { 4 };
        wired.alice.run([&["get", "bob:far", "got"][..], &choice].concat()).ok();
        assert!((2..=1 + most).contains(&wired.proxy.opened()), "{choice:?}: {} connections", wired.proxy.opened());
        assert_eq!(differ(&wired.bob.file("far"), &wired.alice.scratch().join("got")), None);
    }
}
