//! A node that starts: usable at once, whatever is still being loaded.

use serde_json::{Value, json};
use transship_tests::package::{install, install_puppet, puppet_with, tell};
use transship_tests::{Home, eventually, introduce};

/// Two packages, of which the second needs the first.
fn manifest(name: &str, needs: &str) -> String {
    format!(
        "name = '{name}'\npublisher = 'test'\nversion = '1.0.0'\n{needs}[drives.of-{name}]\n[components]\nc = 'puppet.wasm'\n[[process]]\nname = 'main'\ncomponent = 'c'\npublic = true\n[process.capabilities]\nnetwork = true\n"
    )
}

fn states(home: &Home) -> Vec<(String, String)> {
    let lines = home.run(["--json", "package", "list"]).ok().json();
    lines.iter().map(|line| (line["id"].as_str().unwrap().to_owned(), line["state"].as_str().unwrap().to_owned())).collect()
}

/// A home that has to compile what it runs.
fn cold(name: &str) -> Home {
    let home = Home::new(name);
    std::fs::remove_file(home.path().join("cache/modules")).unwrap();
    home
}

#[test]
fn what_is_sent_to_a_package_that_is_still_being_compiled_is_answered() {
    let alice = cold("alice");
    install_puppet(&alice);
    let _serving = alice.serve();
    assert_eq!(tell(&alice, "main", &json!({"echo": "early"}))["text"], "early");
    assert!(states(&alice).contains(&("puppet:test".into(), "running".into())));
}

#[test]
fn a_peer_waits_for_it_too() {
    let alice = cold("alice");
    install(&alice, &puppet_with(&manifest("remote", "")));
    let bob = Home::new("bob");
    let (serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&serves), ""), (&bob, Some(&bob_serves), ""));
    let answer = bob.run(["message", "alice@main:remote:test", &json!({"echo": "from afar"}).to_string()]).ok();
    assert_eq!(serde_json::from_str::<Value>(&answer.stdout).unwrap()["text"], "from afar");
}

#[test]
fn a_package_runs_once_what_it_needs_does_and_its_drives_are_known_before() {
    let alice = cold("alice");
    // The names stand in the other order than they are loaded in.
    install(&alice, &puppet_with(&manifest("a-second", "[dependencies]\n'z-first:test' = '1'\n")));
    install(&alice, &puppet_with(&manifest("z-first", "")));
    let _serving = alice.serve();
    let bob = Home::new("bob");
    alice.knows(&bob, "127.0.0.1:1".parse().unwrap(), "");
    alice.run(["peer", "allow", "bob", "of-a-second=read"]).ok();
    let answer = alice.message("alice@main:a-second:test", &json!({"echo": "there"}));
    assert_eq!(answer["text"], "there");
    for package in ["a-second:test", "z-first:test"] {
        assert!(states(&alice).contains(&(package.into(), "running".into())));
    }
}

#[test]
fn what_its_owner_does_to_a_package_counts_though_it_is_still_being_loaded() {
    let alice = cold("alice");
    install_puppet(&alice);
    let _serving = alice.serve();
    alice.run(["stop", "puppet:test"]).ok();
    assert!(states(&alice).contains(&("puppet:test".into(), "stopped".into())));
    assert!(!alice.processes().iter().any(|id| id.ends_with(":puppet:test")));
    alice.run(["start", "puppet:test"]).ok();
    assert_eq!(tell(&alice, "main", &json!({"echo": "again"}))["text"], "again");
}

#[test]
fn what_can_not_be_loaded_keeps_nothing_from_starting_and_nobody_waiting() {
    let alice = Home::new("alice");
    install(&alice, &puppet_with(&manifest("needy", "[dependencies]\n'missing:test' = '1'\n")));
    install_puppet(&alice);
    let _serving = alice.serve();
    assert_eq!(tell(&alice, "main", &json!({"echo": "fine"}))["text"], "fine");
    eventually("the other is known to have failed", || states(&alice).contains(&("needy:test".into(), "failed".into())).then_some(()));
    let refused = alice.run(["message", "alice@main:needy:test", "1"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("needy:test"), "{}", refused.stderr);
}

#[test]
fn a_command_of_its_own_waits_only_for_what_it_needs() {
    let alice = cold("alice");
    install_puppet(&alice);
    std::fs::write(alice.file("there"), "content").unwrap();
    assert!(alice.run(["list"]).ok().stdout.contains("there"));
    // No node runs now: this one loads the puppet, and answers.
    assert_eq!(tell(&alice, "main", &json!({"echo": "alone"}))["text"], "alone");
}
