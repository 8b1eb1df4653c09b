//! What a package may do is what its manifest asks for and the node's owner granted; a refusal names the capability and the line of the manifest.

use serde_json::{Value, json};
use transship_tests::Home;
use transship_tests::package::{install_puppet, puppet_with, written};

const MANIFEST: &str = r#"
name = "asker"
publisher = "test"
version = "1.0.0"
[drives.files]
[components]
puppet = "puppet.wasm"
[[process]]
name = "main"
component = "puppet"
public = true
[process.capabilities]
network = true
spawning = true
drives = { files = ["list", "read", "write"] }
messaging = ["quiet:other:test"]
[[process]]
name = "modest"
component = "puppet"
public = true
[process.capabilities]
drives = { files = ["read"] }
"#;

const OTHER: &str = r#"
name = "other"
publisher = "test"
version = "1.0.0"
[components]
puppet = "puppet.wasm"
[[process]]
name = "quiet"
component = "puppet"
"#;

fn asker(home: &Home, process: &str, step: &Value) -> Value {
    home.message(&format!("{process}:asker:test"), step)
}

/// What each capability is needed for, its name, and the line that asks for it.
fn needs() -> [(Value, &'static str, &'static str, &'static str); 5] {
    let spawn = json!({"spawn": {"name": null, "component": "puppet", "restart": false, "notify": null, "grant": [], "public": false}});
    let ask = |target: &str| json!({"ask": {"target": target, "body": {"echo": "x"}, "timeout": 5000, "metadata": null, "blob": null, "mime_type": null}});
    [
        (spawn, "spawning", "'spawning'", "spawning = true"),
        (ask("bob@main:puppet:test"), "network", "'network'", "network = true"),
        (ask("alice@quiet:other:test"), "messaging=quiet:other:test", "'messaging' for quiet:other:test", "messaging = [\"quiet:other:test\"]"),
        (json!({"list": {"drive": "files"}}), "drives.files=list", "to list the drive asker:test/files", "drives = { files = [\"list\"] }"),
        (
            json!({"write": {"drive": "files", "path": "a", "text": "x"}}),
            "drives.files=write",
            "to write the drive asker:test/files",
            "drives = { files = [\"write\"] }",
        ),
    ]
}

#[test]
fn what_was_not_granted_is_refused_with_the_capability_the_line_and_the_command_that_grants_it() {
    let alice = Home::new("alice");
    install_puppet(&alice);
    let _serving = alice.serve();
    alice.run(["package", "install", &written(&alice, &puppet_with(OTHER)), "--grant"]).ok();
    alice.run(["package", "install", &written(&alice, &puppet_with(MANIFEST)), "--grant=drives.files=read"]).ok();
    for (step, ask, capability, line) in needs() {
        let refused = asker(&alice, "main", &step).to_string().replace("\\\\\\\"", "\"").replace("\\\"", "\"");
        for part in
            [capability, line, "under [process.capabilities] of process 'main'", "the owner of the node did not grant it", "transship package grant asker:test"]
        {
            assert!(refused.contains(part), "{ask}: {part}: {refused}");
        }
        alice.run(["package", "grant", "asker", ask]).ok();
        let allowed = asker(&alice, "main", &step).to_string();
        assert!(!allowed.contains("lacks the capability"), "{ask}: {allowed}");
        // And taken back.
        alice.run(["package", "grant", "asker", "--revoke", ask]).ok();
        assert!(asker(&alice, "main", &step).to_string().contains("lacks the capability"), "{ask}");
    }
    // What is granted to one process is not granted to another.
    alice.run(["package", "grant", "asker", "main/drives.files=write"]).ok();
    let refused = asker(&alice, "modest", &json!({"write": {"drive": "files", "path": "a", "text": "x"}})).to_string();
    assert!(refused.contains("package.toml does not ask for it") && refused.contains("of process 'modest'"), "{refused}");
}

#[test]
fn a_package_without_a_record_is_granted_nothing_and_one_is_granted_no_more_than_it_asks_for() {
    let alice = Home::new("alice");
    puppet_with(MANIFEST).write(&alice.path().join("packages/by-hand.transship")).unwrap();
    let serving = alice.serve();
    for process in ["main", "modest"] {
        assert_eq!(asker(&alice, process, &json!("held"))["held"], json!([]), "{process}");
    }
    drop(serving);
    // Not even if the record says more than the manifest.
    let grants = "[\"asker:test\".processes]\nmodest = [\"network\", \"spawning\", \"drives.files=read\", \"drives.files=write\"]\n";
    std::fs::write(alice.path().join("grants.toml"), grants).unwrap();
    let _serving = alice.serve();
    let held = asker(&alice, "modest", &json!("held"))["held"].clone();
    assert_eq!(held.as_array().unwrap().len(), 1, "{held}");
    assert!(held[0].as_str().unwrap().starts_with("drive asker:test/files") && !held.to_string().contains("WRITE"), "{held}");
}

#[test]
fn what_is_nothing_to_grant_is_said_so_and_changes_nothing() {
    let alice = Home::new("alice");
    let file = written(&alice, &puppet_with(MANIFEST));
    alice.run(["package", "install", &file, "--grant=everything"]).code(2).says("nothing that can be granted");
    alice.run(["package", "install", &file, "--grant=modest/network"]).code(2).says("does not ask for modest/network");
    alice.run(["package", "install", &file, "--grant=messaging=a:b:c"]).code(2).says("does not ask for");
    assert!(!alice.path().join("packages/asker_test.transship").exists());
    alice.run(["package", "install", &file, "--grant=network"]).ok();
    alice.run(["package", "grant", "file-transfer", "all"]).code(4).says("a part of this program");
    alice.run(["package", "grant", "nobody", "all"]).code(3);
    std::fs::write(alice.path().join("grants.toml"), "[\"asker:test\"]\nprocesses.main = [\"everything\"]\n").unwrap();
    alice.run(["package", "list"]).code(1).says("grants.toml: asker:test: 'everything'");
}
