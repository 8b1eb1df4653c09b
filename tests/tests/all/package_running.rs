//! Packages in a node that runs: installed, replaced, stopped, started and removed while everything else goes on.

use serde_json::{Value, json};
use transship_tests::Home;
use transship_tests::package::{puppet_with, tell, written};

const MANIFEST: &str = r#"
name = "puppet"
publisher = "test"
version = "1.0.0"
[drives.files]
[drives.small]
kind = "memory"
quota = 65536
[components]
puppet = "puppet.wasm"
[[process]]
name = "main"
component = "puppet"
on-exit = "restart"
public = true
[process.capabilities]
spawning = true
drives = { files = ["list", "read", "write"], small = ["list", "read", "write"] }
"#;

fn write(home: &Home, drive: &str, text: &str) -> Value {
    tell(home, "main", &json!({"write": {"drive": drive, "path": "kept", "text": text}}))
}

fn read(home: &Home, drive: &str) -> Value {
    tell(home, "main", &json!({"read": {"drive": drive, "path": "kept"}}))
}

fn started(home: &Home, process: &str) -> u64 {
    let processes = home.run(["--json", "ps"]).ok().json();
    processes.iter().find(|line| line["id"] == process).unwrap_or_else(|| panic!("{process} does not run: {processes:?}"))["started"].as_u64().unwrap()
}

fn states(home: &Home) -> Vec<(String, String)> {
    let lines = home.run(["--json", "package", "list"]).ok().json();
    lines.iter().map(|line| (line["id"].as_str().unwrap().to_owned(), line["state"].as_str().unwrap().to_owned())).collect()
}

fn state_of_puppet(home: &Home) -> String {
    states(home).into_iter().find(|(id, _)| id == "puppet:test").map_or_else(|| "gone".into(), |(_, state)| state)
}

#[test]
fn a_package_is_installed_and_replaced_in_a_node_that_runs_and_keeps_state_drives_and_grants() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    let manager = started(&alice, "manager:file-transfer:transship");
    let first = written(&alice, &puppet_with(MANIFEST));
    let installed = alice.run_json(["package", "install", &first, "--grant"]).ok().event("installed");
    assert_eq!((&installed["state"], &installed["changed"]), (&json!("running"), &json!(true)));
    assert_eq!(write(&alice, "files", "on disk")["ok"], Value::Null);
    assert_eq!(write(&alice, "small", "in memory")["ok"], Value::Null);
    tell(&alice, "main", &json!({"set": "state"}));
    tell(&alice, "main", &json!({"spawn": {"name": "child", "component": "puppet", "restart": false, "notify": null, "grant": [], "public": true}}));
    assert!(alice.processes().contains(&"child:puppet:test".to_owned()));

    // The same again asks for nothing new, so nobody is asked.
    let second = written(&alice, &puppet_with(&MANIFEST.replace("1.0.0", "1.1.0")));
    let replaced = alice.run(["package", "install", &second]).ok().stdout;
    assert!(replaced.contains("1.1.0 is installed in place of 1.0.0; it runs"), "{replaced}");
    assert!(!alice.processes().contains(&"child:puppet:test".to_owned()), "what it had started ended with it");
    assert_eq!(read(&alice, "files")["ok"], "on disk");
    assert_eq!(read(&alice, "small")["ok"], "in memory");
    assert_eq!(tell(&alice, "main", &json!("get"))["ok"], "state");
    assert_eq!(started(&alice, "manager:file-transfer:transship"), manager, "others go on");

    // What a new version asks for anew is granted anew.
    let greedy = written(&alice, &puppet_with(&MANIFEST.replace("1.0.0", "1.2.0").replace("spawning = true", "spawning = true\nnetwork = true")));
    let refused = alice.run(["package", "install", &greedy]).code(4);
    assert!(refused.stderr.contains("asks for network") && refused.stderr.contains("nobody is there to say yes"), "{}", refused.stderr);
    assert!(alice.run(["package", "show", "puppet"]).ok().stdout.starts_with("puppet:test 1.1.0"));
    alice.run(["package", "install", &greedy, "--grant=network"]).ok();
    assert_eq!(read(&alice, "files")["ok"], "on disk", "and what was granted before stays granted");
}

#[test]
fn a_package_that_is_stopped_stays_so_until_it_is_started() {
    let alice = Home::new("alice");
    let serving = alice.serve();
    alice.run(["package", "install", &written(&alice, &puppet_with(MANIFEST)), "--grant"]).ok();
    tell(&alice, "main", &json!({"set": "state"}));
    alice.run(["stop", "puppet"]).ok();
    assert_eq!(state_of_puppet(&alice), "stopped");
    alice.run(["message", "main:puppet:test", "\"get\""]).code(3);
    assert_eq!(alice.processes(), ["manager:file-transfer:transship"]);
    alice.run(["stop", "puppet"]).ok();
    drop(serving);
    assert_eq!(state_of_puppet(&alice), "stopped");
    let _serving = alice.serve();
    assert_eq!(state_of_puppet(&alice), "stopped", "also when the node starts");
    // A new version of it stays stopped too.
    let next = alice.run(["package", "install", &written(&alice, &puppet_with(&MANIFEST.replace("1.0.0", "1.0.1")))]).ok().stdout;
    assert!(next.contains("it stays stopped until `transship start puppet:test`"), "{next}");
    alice.run(["start", "puppet"]).ok();
    assert_eq!(state_of_puppet(&alice), "running");
    assert_eq!(tell(&alice, "main", &json!("get"))["ok"], "state");
    alice.run_json(["start", "nobody"]).fails("unknown-package", 3);
    // A part of the program can be stopped too: without it there is nobody to list files.
    alice.run(["stop", "file-transfer"]).ok();
    alice.run(["message", "manager:file-transfer:transship", "\"list-files\""]).code(3);
    alice.run(["start", "file-transfer"]).ok();
    alice.run(["list"]).ok();
}

#[test]
fn what_is_removed_ends_and_leaves_what_it_kept_unless_that_is_purged() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    let file = written(&alice, &puppet_with(MANIFEST));
    alice.run(["package", "install", &file, "--grant"]).ok();
    write(&alice, "files", "kept");
    tell(&alice, "main", &json!({"set": "state"}));
    alice.run(["package", "remove", "puppet"]).ok();
    assert_eq!((state_of_puppet(&alice).as_str(), alice.processes().len()), ("gone", 1));
    alice.run(["package", "install", &file]).ok();
    assert_eq!((read(&alice, "files")["ok"].clone(), tell(&alice, "main", &json!("get"))["ok"].clone()), (json!("kept"), json!("state")));
    alice.run(["package", "uninstall", "puppet:test", "--purge"]).ok();
    assert!(!alice.path().join("vfs/puppet:test").exists() && !alice.path().join("state/puppet:test").exists());
    let refused = alice.run(["package", "install", &file]).code(4);
    assert!(refused.stderr.contains("asks for spawning"), "what was granted is forgotten too: {}", refused.stderr);
    alice.run_json(["package", "remove", "puppet:test", "--purge"]).fails("unknown-package", 3);
}

#[test]
fn a_package_that_can_not_run_is_said_to_with_the_reason_and_the_rest_runs() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    let manifest = MANIFEST.replace("public = true", "public = true\n[process.limits]\nmemory = 65536");
    // Its component needs more memory than its manifest lets it have.
    let failed = alice.run(["package", "install", &written(&alice, &puppet_with(&manifest)), "--grant"]).code(1);
    assert!(failed.stderr.contains("is installed, and does not run") && failed.stderr.contains("main:puppet:test"), "{}", failed.stderr);
    assert_eq!(state_of_puppet(&alice), "failed");
    assert!(alice.run(["package", "list"]).ok().stderr.contains("puppet:test does not run"));
    alice.run(["list"]).ok();
    alice.run(["package", "install", &written(&alice, &puppet_with(MANIFEST))]).ok();
    assert_eq!(state_of_puppet(&alice), "running");
}

#[test]
fn top_shows_the_busiest_process_first_until_it_is_interrupted() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    alice.run(["package", "install", &written(&alice, &puppet_with(MANIFEST)), "--grant"]).ok();
    for turn in 0..20 {
        tell(&alice, "main", &json!({"echo": turn.to_string()}));
    }
    let mut top = alice.start(["top"]);
    assert_eq!(top.next_line().unwrap()["id"], "main:puppet:test");
    top.until("the others are shown too", |process| process["id"] == "manager:file-transfer:transship");
    top.signal("INT");
    assert_eq!(top.end().code, Some(0));
    alice.run(["top", "--help"]).ok();
    drop(_serving);
    alice.run(["top"]).code(3).says("no node runs");
}
