//! Who was cut off and asks for the same again at once goes on, though the other side may not have noticed yet that the first attempt is over.

use transship_tests::resuming::{Move, Scene, scene};
use transship_tests::transfer::{Wired, hidden_in, journaled};

/// Kills a command that runs the node itself in mid-transfer, and runs it again without waiting for anything.
fn again_at_once(wired: &Wired, way: &Move, lose: impl Fn(&Wired)) {
    let running = way.part(wired);
    let safe = journaled(&way.folder);
    lose(wired);
    running.kill9();
    wired.proxy.release();
    // The worker on the other side may still be waiting for the one that was killed.
    way.check(wired.alice.run_json(way.command()), safe);
    wired.bob.settled();
    assert_eq!(hidden_in(&way.folder), Vec::<String>::new());
}

#[test]
fn the_same_command_right_after_a_kill_goes_on_though_nobody_has_noticed_yet() {
    let Scene { wired, get, put } = scene();
    for way in [&get, &put] {
        again_at_once(&wired, way, |_| ());
    }
}

#[test]
fn a_get_goes_on_though_nothing_tells_the_provider_that_the_receiver_is_gone() {
    let Scene { wired, get, .. } = scene();
    again_at_once(&wired, &get, |wired| wired.proxy.go_deaf());
}

#[test]
fn a_put_goes_on_though_nothing_tells_the_receiver_that_the_sender_is_gone() {
    let Scene { wired, put, .. } = scene();
    again_at_once(&wired, &put, |wired| wired.proxy.go_deaf());
}

#[test]
fn the_same_command_twice_at_the_same_time_leaves_one_whole_file() {
    let Scene { wired, get, put } = scene();
    let _serving = wired.alice.serve();
    for way in [&get, &put] {
        let running = [(); 2].map(|()| wired.alice.start(way.command()));
        let codes = running.map(|running| running.end().code);
        // The second finds the name taken, unless it was slow enough to be refused at once.
        assert!(codes.contains(&Some(0)) && codes.iter().all(|code| [Some(0), Some(7)].contains(code)), "{codes:?}");
        wired.alice.settled();
        wired.bob.settled();
        way.check_whole();
    }
}
