//! A bit that flips on the wire, in either direction and whatever is moved: it ends the connection, and nothing else. What is seen under a name is right, and the same command works again.

use transship_tests::kinds::{CONTENTS, Kind, Way, scene};
use transship_tests::transfer::Wired;
use transship_tests::tree::Watch;
use transship_tests::{Direction, Running, eventually, meanwhile};

/// Starts to move it, flips a bit in the next piece of at least so many bytes that passes in the middle of it, and returns what runs.
fn flipped(wired: &Wired, way: &Way, direction: Direction, least: usize) -> Running {
    way.hold(wired);
    let running = way.start(wired, "fail");
    wired.proxy.held();
    wired.proxy.spoil(direction, least);
    wired.proxy.release();
    running
}

/// Moves it both ways, each time with a bit that flips in the contents, and then with one in what is said about them.
fn in_every_way(kind: Kind) {
    let (wired, ways) = scene(kind);
    let _serving = wired.alice.serve();
    for way in &ways {
        for direction in [way.contents, way.contents.back()] {
            let mut watch = Watch::default();
            let before = wired.proxy.closed();
            let outcome = meanwhile(
                || watch.look(&way.source, &way.target),
                || {
                    let running = if kind == Kind::Small && direction == way.contents {
                        // All of it is one piece.
                        wired.proxy.spoil(direction, CONTENTS);
                        way.start(&wired, "fail")
                    } else {
                        flipped(&wired, way, direction, if direction == way.contents { CONTENTS } else { 1 })
                    };
                    running.end()
                },
            );
            let outcome = way.ended(outcome);
            let what = format!("{kind:?}, get: {}, {direction:?}: {}", way.is_get(), outcome.stderr);
            assert!(wired.proxy.spoiled(), "{what}");
            eventually("the connection with the wrong bit is given up", || (wired.proxy.closed() > before).then_some(()));
            // Neither side may have noticed before it had said all, and then it has to be told that the link broke.
            assert!(matches!(outcome.code, Some(0 | 5)), "{:?} {what}", outcome.code);
            way.end(way.start(&wired, "overwrite")).ok();
            way.whole();
            wired.alice.settled();
            wired.bob.settled();
            assert_eq!(way.hidden(), Vec::<String>::new(), "{what}");
            way.clear();
        }
    }
}

#[test]
fn of_a_file_over_lanes() {
    in_every_way(Kind::Large);
}

#[test]
fn of_a_small_file_that_shares_the_link() {
    in_every_way(Kind::Small);
}

#[test]
fn of_a_folder_of_small_files() {
    in_every_way(Kind::SmallTree);
}

#[test]
fn of_a_folder_with_a_large_file() {
    in_every_way(Kind::LargeTree);
}

#[test]
fn of_a_stream_from_and_to_a_pipe() {
    in_every_way(Kind::Pipe);
}
