//! Spawning, ending, restarting, and what survives.

use serde_json::{Value, json};
use transship_tests::package::{install_puppet, tell};
use transship_tests::{Home, Serving, eventually};

const MAIN: &str = "main";

fn puppet() -> (Home, Serving) {
    let home = Home::new("alice");
    install_puppet(&home);
    let serving = home.serve();
    (home, serving)
}

fn spawn(home: &Home, name: &str, restart: bool, notify: Option<&str>) -> Value {
    tell(home, MAIN, &json!({"spawn": {"name": name, "component": "puppet", "restart": restart, "notify": notify, "grant": [], "public": true}}))
}

fn has(home: &Home, process: &str) -> bool {
    home.processes().iter().any(|id| id == &format!("{process}:puppet:test"))
}

#[test]
fn a_child_knows_its_parent_and_the_parent_its_children_until_they_end() {
    let (alice, _serving) = puppet();
    assert_eq!(spawn(&alice, "child", false, None), json!({"ok": "alice@child:puppet:test"}));
    assert_eq!(tell(&alice, "child", &json!("parent")), "alice@main:puppet:test");
    assert_eq!(tell(&alice, MAIN, &json!("parent")), Value::Null);
    assert_eq!(tell(&alice, MAIN, &json!("children")), json!(["alice@child:puppet:test"]));
    assert_eq!(tell(&alice, MAIN, &json!({"kill": "child:puppet:test"})), true);
    eventually("the child is gone", || (!has(&alice, "child")).then_some(()));
    assert_eq!(tell(&alice, MAIN, &json!("children")), json!([]));
    assert_eq!(tell(&alice, MAIN, &json!({"kill": "poor:puppet:test"})), false, "it is nobody's child");
}

#[test]
fn a_spawn_that_can_not_be_is_refused_in_words() {
    let (alice, _serving) = puppet();
    let refused = |name: &str, component: &str| {
        let answer =
            tell(&alice, MAIN, &json!({"spawn": {"name": name, "component": component, "restart": false, "notify": null, "grant": [], "public": false}}));
        answer["err"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    assert!(refused("x", "nothing").contains("NoSuchComponent"));
    assert!(refused("poor", "puppet").contains("NameTaken"));
    assert!(refused("../x", "puppet").contains("InvalidName"));
    let denied = tell(&alice, "poor", &json!({"spawn": {"name": "x", "component": "puppet", "restart": false, "notify": null, "grant": [], "public": false}}));
    assert!(denied["err"].as_str().unwrap().contains("spawning"), "{denied}");
}

#[test]
fn an_on_exit_request_says_who_ended_and_why() {
    let (alice, _serving) = puppet();
    for (step, reason) in [(json!({"return": null}), Value::Null), (json!({"exit": "enough"}), json!("enough"))] {
        spawn(&alice, "child", false, Some("it is gone"));
        alice.run(["message", "alice@child:puppet:test", &step.to_string(), "--timeout", "60"]);
        let event = eventually("the news arrives", || tell(&alice, MAIN, &json!("events")).as_array().unwrap().first().cloned());
        assert_eq!(event["request"]["body"], "it is gone", "{event}");
        let metadata: Value = serde_json::from_str(event["request"]["metadata"].as_str().unwrap()).unwrap();
        assert_eq!(metadata, json!({"exited": "child:puppet:test", "reason": reason}));
    }
}

#[test]
fn a_process_that_fails_is_started_again_and_one_that_ends_well_is_not() {
    let (alice, _serving) = puppet();
    spawn(&alice, "child", true, None);
    for _ in 0..2 {
        alice.run(["message", "alice@child:puppet:test", r#""trap""#, "--timeout", "60"]).code(3);
        eventually("it is back", || alice.run(["message", "alice@child:puppet:test", r#"{"echo":"x"}"#, "--timeout", "60"]).code.filter(|code| *code == 0));
    }
    let ps = alice.run(["--json", "ps"]).ok().json();
    let child = ps.iter().find(|line| line["id"] == "child:puppet:test").unwrap();
    assert_eq!(child["restarts"], 2);
    alice.run(["message", "alice@child:puppet:test", r#"{"return":null}"#, "--timeout", "60"]);
    eventually("it is gone for good", || (!has(&alice, "child")).then_some(()));
}

#[test]
fn children_end_with_their_parent() {
    let (alice, _serving) = puppet();
    spawn(&alice, "child", true, None);
    alice.run(["message", "alice@main:puppet:test", r#""trap""#, "--timeout", "60"]).code(3);
    eventually("the child is gone", || (!has(&alice, "child")).then_some(()));
    eventually("the parent is back", || has(&alice, MAIN).then_some(()));
}

#[test]
fn the_owner_ends_a_process_by_its_name() {
    let (alice, _serving) = puppet();
    alice.run(["kill", "poor:puppet:test"]).ok();
    eventually("it is gone", || (!has(&alice, "poor")).then_some(()));
    alice.run(["kill", "poor:puppet:test"]).code(3).says("poor:puppet:test");
}

#[test]
fn the_owner_starts_a_process_again_that_has_ended() {
    let (alice, _serving) = puppet();
    alice.run_json(["run", "poor:puppet:test"]).fails("conflict", 7).says("runs already");
    alice.run(["kill", "poor:puppet:test"]).ok();
    eventually("it is gone", || (!has(&alice, "poor")).then_some(()));
    alice.run(["run", "poor:puppet:test"]).ok();
    assert_eq!(tell(&alice, "poor", &json!({"echo": "back"}))["text"], "back");
    for nobody in ["nobody:puppet:test", "main:nothing:test"] {
        alice.run_json(["run", nobody]).fails("not-found", 3).says(nobody);
    }
}

#[test]
fn a_process_that_is_to_run_is_back_after_its_owner_ended_it() {
    let (alice, _serving) = puppet();
    alice.run(["kill", "main:puppet:test"]).ok();
    let restarts = || alice.run(["--json", "ps"]).ok().json().iter().find(|line| line["id"] == "main:puppet:test").map(|line| line["restarts"].clone());
    eventually("it is back", || (restarts() == Some(json!(1))).then_some(()));
    eventually("it answers", || alice.run(["message", "alice@main:puppet:test", r#"{"echo":"x"}"#, "--timeout", "5"]).code.filter(|code| *code == 0));
}

#[test]
fn state_survives_a_trap_and_a_kill_of_the_whole_node() {
    let (alice, serving) = puppet();
    assert_eq!(tell(&alice, MAIN, &json!("get")), json!({"ok": null}));
    assert_eq!(tell(&alice, MAIN, &json!({"set": "remember me"})), json!({"ok": null}));
    alice.run(["message", "alice@main:puppet:test", r#""trap""#, "--timeout", "60"]).code(3);
    eventually("it is back", || alice.run(["message", "alice@main:puppet:test", r#"{"echo":"x"}"#, "--timeout", "60"]).code.filter(|code| *code == 0));
    assert_eq!(tell(&alice, MAIN, &json!("get")), json!({"ok": "remember me"}));
    serving.kill9();
    let _serving = alice.serve();
    assert_eq!(tell(&alice, MAIN, &json!("get")), json!({"ok": "remember me"}));
    assert_eq!(tell(&alice, "poor", &json!("get")), json!({"ok": null}), "state is a process's own");
    assert_eq!(tell(&alice, MAIN, &json!("clear")), json!({"ok": null}));
    assert_eq!(tell(&alice, MAIN, &json!("get")), json!({"ok": null}));
}

#[test]
fn a_node_ends_cleanly_on_sigint_and_sigterm_and_leaves_no_socket() {
    for signal in ["INT", "TERM"] {
        let (alice, serving) = puppet();
        let (status, said) = serving.stop(signal);
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(!alice.path().join("control.sock").exists());
        let _again = alice.serve();
    }
}
