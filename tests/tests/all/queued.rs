//! Many transfers at once: so many run with one node, the others wait for their turn, and all of them arrive.

use serde_json::json;
use transship_tests::transfer::Wired;
use transship_tests::{differ, eventually, random_file};

const MANAGER: &str = "manager:file-transfer:transship";
/// How many run at a time.
const AT_ONCE: usize = 64;

#[test]
fn more_than_run_at_a_time_wait_for_their_turn_can_be_cancelled_and_all_others_arrive() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    let count = AT_ONCE + 6;
    for number in 0..count {
        random_file(&bob.file(&number.to_string()), 100_000);
    }
    // The link is there, and from now on nothing passes.
    alice.run(["list", "bob"]).ok();
    proxy.hold_after(0);
    let get = |number: usize| {
        let answer = alice.message(MANAGER, &json!({"get": {"node": "bob", "name": number.to_string(), "to": {"drive": null, "name": null}}}));
        answer["started"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let ids: Vec<String> = (0..count).map(get).collect();
    assert_eq!(alice.workers().len(), AT_ONCE);
    let states = || -> Vec<(String, String)> {
        let shown = alice.run(["--json", "transfers"]).ok().json();
        shown.iter().map(|line| ["id", "state"].map(|field| line[field].as_str().unwrap().to_owned())).map(|[id, state]| (id, state)).collect()
    };
    let waiting: Vec<String> = states().into_iter().filter(|(_, state)| state == "waiting").map(|(id, _)| id).collect();
    let mut last = ids[AT_ONCE..].to_vec();
    last.sort();
    assert_eq!((states().len(), waiting), (count, last), "they wait in the order of asking");
    // A command that follows one is told so.
    random_file(&bob.file("followed"), 100_000);
    let mut followed = alice.start(["get", "bob:followed", "followed"]);
    followed.started();
    alice.run(["cancel", &ids[count - 1]]).ok();
    assert!(!states().iter().any(|(id, _)| *id == ids[count - 1]));
    proxy.release();
    followed.end().ok();
    eventually("all have ended", || states().is_empty().then_some(()));
    for number in 0..count - 1 {
        assert_eq!(differ(&bob.file(&number.to_string()), &alice.file(&number.to_string())), None);
    }
    assert!(!alice.file(&(count - 1).to_string()).exists(), "one that was cancelled while it waited never began");
    assert_eq!(differ(&bob.file("followed"), &alice.scratch().join("followed")), None);
}

#[test]
fn one_that_fails_when_its_turn_comes_makes_room_for_the_next() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    random_file(&bob.file("there"), 100_000);
    alice.run(["list", "bob"]).ok();
    proxy.hold_after(0);
    let get = |name: &str, to: &str| {
        alice.message(MANAGER, &json!({"get": {"node": "bob", "name": name, "to": {"drive": null, "name": to}}}));
    };
    for number in 0..AT_ONCE {
        get("there", &format!("first{number}"));
    }
    for number in 0..5 {
        get("nothing", &format!("none{number}"));
    }
    get("there", "last");
    proxy.release();
    eventually("the last has its turn", || alice.file("last").exists().then_some(()));
    eventually("all have ended", || alice.run(["--json", "transfers"]).ok().json().is_empty().then_some(()));
}
