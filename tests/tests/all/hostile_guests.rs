//! Guests that behave badly harm themselves only: the rest of the node goes on.

use serde_json::json;
use transship_tests::package::{install_puppet, tell};
use transship_tests::{Home, Serving, eventually};

const MAIN: &str = "main";

/// A node on which a guest may compute for a second without a call, and may have 20 processes.
fn strict() -> (Home, Serving) {
    let home = Home::new("alice");
    install_puppet(&home);
    let settings = home.path().join("node.toml");
    let mut text = std::fs::read_to_string(&settings).unwrap();
    text.push_str("\n[limits]\nbusy = 1000\nprocesses = 20\nmailbox-messages = 50\n");
    std::fs::write(&settings, text).unwrap();
    let serving = home.serve();
    (home, serving)
}

fn harm(home: &Home, process: &str, step: &serde_json::Value) -> String {
    let outcome = home.run(["message", &format!("alice@{process}:puppet:test"), &step.to_string(), "--timeout", "60"]);
    assert_ne!(outcome.code, Some(0), "{}", outcome.stdout);
    outcome.stderr
}

fn logged(home: &Home, text: &str) {
    eventually(&format!("the log says {text:?}"), || home.run(["log", "-n", "1000"]).ok().stdout.contains(text).then_some(()));
}

#[test]
fn a_guest_that_spins_is_ended_and_others_go_on_meanwhile() {
    let (alice, _serving) = strict();
    let mut spinning = alice
        .command(["message", "alice@poor:puppet:test", r#""spin""#, "--timeout", "60"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for turn in 0..5 {
        assert_eq!(tell(&alice, MAIN, &json!({"echo": format!("turn {turn}")}))["text"], format!("turn {turn}"));
    }
    assert!(!spinning.wait().unwrap().success());
    logged(&alice, "without calling the node");
    eventually("it is gone", || (!alice.processes().contains(&"poor:puppet:test".to_owned())).then_some(()));
}

#[test]
fn a_guest_that_traps_ends_and_the_log_says_what_it_said_last() {
    let (alice, _serving) = strict();
    harm(&alice, "poor", &json!("trap"));
    logged(&alice, "told to");
    assert_eq!(tell(&alice, MAIN, &json!({"echo": "still here"}))["text"], "still here");
}

#[test]
fn a_guest_that_asks_for_10_gib_is_refused_them_and_ends() {
    let (alice, _serving) = strict();
    // More than its limit, but not more than a 32-bit address can name.
    harm(&alice, "poor", &json!({"allocate": 3_u64 << 29}));
    logged(&alice, "more memory than its limit");
    let answer = tell(&alice, MAIN, &json!({"allocate": 10_u64 << 30}));
    assert!(answer["err"].as_str().unwrap().contains("more than an address can name"), "{answer}");
    assert_eq!(tell(&alice, MAIN, &json!({"allocate": 1_u64 << 20})), "allocated");
}

#[test]
fn a_guest_that_floods_a_mailbox_waits_for_its_victim_and_hinders_nobody_else() {
    let (alice, _serving) = strict();
    let answer =
        tell(&alice, MAIN, &json!({"spawn": {"name": "victim", "component": "puppet", "restart": false, "notify": null, "grant": [], "public": true}}));
    assert_eq!(answer["ok"], "alice@victim:puppet:test");
    let mut stalled = alice.command(["message", "alice@victim:puppet:test", r#"{"stall":60000}"#]).stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("the victim stalls", || {
        let ps = alice.run(["--json", "ps"]).ok().json();
        ps.iter().find(|line| line["id"] == "victim:puppet:test").filter(|line| line["mailbox_messages"].as_u64() > Some(0)).cloned()
    });
    let answer = tell(&alice, MAIN, &json!({"flood": {"target": "alice@victim:puppet:test", "count": 10000, "size": 1000}}));
    assert!(answer["taken"].as_u64().unwrap() <= 50, "the mailbox holds 50: {answer}");
    assert!(answer["refused"].as_str().unwrap().contains("Timeout"), "{answer}");
    assert_eq!(tell(&alice, "poor", &json!({"echo": "unhindered"}))["text"], "unhindered");
    alice.run(["kill", "victim:puppet:test"]).ok();
    stalled.wait().unwrap();
}

#[test]
fn a_guest_that_spawns_without_end_reaches_the_limit_and_is_told_so() {
    let (alice, _serving) = strict();
    let answer = tell(&alice, MAIN, &json!({"spawn-many": 100}));
    assert!(answer["started"].as_u64().unwrap() < 20, "{answer}");
    assert!(answer["refused"].as_str().unwrap().contains("as many as this node may run"), "{answer}");
    assert_eq!(tell(&alice, "poor", &json!({"echo": "still here"}))["text"], "still here");
}

#[test]
fn a_guest_that_hoards_blobs_is_refused_more() {
    let (alice, _serving) = strict();
    let answer = tell(&alice, MAIN, &json!({"hoard": [1000, 1 << 20]}));
    assert_eq!(answer["kept"], 256, "{answer}");
    assert!(answer["refused"].as_str().unwrap().contains("as it may"), "{answer}");
}

#[test]
fn a_guest_that_floods_the_log_loses_lines() {
    let (alice, _serving) = strict();
    // More than a slow machine writes in a second; how many are kept, its clock decides, and the next line tells how many were not.
    let times = 20_000;
    tell(&alice, MAIN, &json!({"log": {"level": "info", "text": "spam", "times": times}}));
    let lost = eventually("the log says how many lines were lost", || {
        tell(&alice, MAIN, &json!({"log": {"level": "info", "text": "after", "times": 1}}));
        let log = alice.run(["log", "-n", "100000"]).ok().stdout;
        log.lines().find_map(|line| line.split(" lines were lost").next().filter(|start| *start != line)?.rsplit(' ').next()?.parse::<usize>().ok())
    });
    assert!((1..times).contains(&lost), "{lost} lines");
}
