//! A node that is killed while something is on its way that keeps nothing for a resume: a small file that shares the link, a stream from or to a pipe. The same command does it all again, and nothing is left of the first attempt.
//! (Files over lanes: `resume`; folders: `trees_resume`.)

use transship_tests::eventually;
use transship_tests::kinds::{Kind, scene};

/// Kills bob's node or alice's in the middle, each way, and does it again.
fn killed(kind: Kind, bob: bool) {
    let (mut wired, ways) = scene(kind);
    let mut alice_serves = Some(wired.alice.serve());
    for way in &ways {
        way.hold(&wired);
        let running = way.start(&wired, "fail");
        wired.proxy.held();
        way.midway();
        if bob {
            wired.bob_dies();
        } else {
            alice_serves.take().unwrap().kill9();
            // What is held is lost, and does not arrive when the wire is free again.
            wired.proxy.cut_all();
            wired.proxy.release();
        }
        let outcome = way.end(running);
        assert_ne!(outcome.code, Some(0), "{}", outcome.stdout);
        assert!(!way.target.join("file").exists());
        if bob {
            outcome.code(5).says("then run the same command again");
            wired.bob_is_back();
        } else {
            alice_serves = Some(wired.alice.serve());
        }
        way.end(way.start(&wired, "fail")).ok();
        way.whole();
        if kind == Kind::Pipe && !way.is_get() && !bob {
            // Bob can't know that nothing follows: it expires, or goes with a start of his node.
            assert!(way.hidden().len() <= 1, "{:?}", way.hidden());
            wired.bob_dies();
            wired.bob_is_back();
        }
        eventually("nothing is left of the first attempt", || way.hidden().is_empty().then_some(()));
        wired.alice.settled();
        wired.bob.settled();
    }
}

#[test]
fn a_small_file_on_the_link_when_the_other_node_is_killed() {
    killed(Kind::Small, true);
}

#[test]
fn a_small_file_on_the_link_when_our_node_is_killed() {
    killed(Kind::Small, false);
}

#[test]
fn a_stream_when_the_other_node_is_killed() {
    killed(Kind::Pipe, true);
}

#[test]
fn a_stream_when_our_node_is_killed() {
    killed(Kind::Pipe, false);
}
