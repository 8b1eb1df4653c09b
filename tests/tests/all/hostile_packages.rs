//! Packages that mean harm: each can do what it was granted, and nothing to anybody else.

use serde_json::{Value, json};
use transship_tests::package::{install, install_puppet, of_components, puppet_with, tell, written};
use transship_tests::{Home, Serving, eventually, introduce};

/// It asks for nothing.
const VILLAIN: &str = r#"
name = "villain"
publisher = "evil"
version = "1.0.0"
[drives.files]
[components]
puppet = "puppet.wasm"
[[process]]
name = "main"
component = "puppet"
public = true
"#;

/// A node with a villain beside an honest package, and a peer.
fn ground(manifest: &str, settings: &str) -> (Home, Serving, Home, Serving) {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    for home in [&alice, &bob] {
        install_puppet(home);
    }
    install(&alice, &puppet_with(manifest));
    alice.configure(settings);
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&alice_serves), "list,read,write"), (&bob, Some(&bob_serves), "list,read,write"));
    tell(&alice, "main", &json!({"write": {"drive": "files", "path": "secret", "text": "secret"}}));
    tell(&alice, "main", &json!({"set": "secret"}));
    (alice, alice_serves, bob, bob_serves)
}

fn villain(home: &Home, step: &Value) -> Value {
    home.message("main:villain:evil", step)
}

fn ask(target: &str, body: &Value) -> Value {
    json!({"ask": {"target": target, "body": body, "timeout": 5000, "metadata": null, "blob": null, "mime_type": null}})
}

#[test]
fn one_that_asks_for_nothing_and_tries_everything_gets_nothing() {
    let (alice, _serving, _bob, _bob_serves) = ground(VILLAIN, "");
    assert_eq!(villain(&alice, &json!("held"))["held"], json!([]));
    for (step, refused) in [
        (json!({"read": {"drive": "files", "path": "x"}}), "lacks the capability to read the drive villain:evil/files"),
        (json!({"write": {"drive": "files", "path": "x", "text": "x"}}), "lacks the capability"),
        (json!({"read": {"drive": "puppet:test/files", "path": "secret"}}), "belongs to another package"),
        (json!({"read": {"drive": "file-transfer:transship/files", "path": "x"}}), "belongs to another package"),
        (json!({"read": {"drive": "../puppet:test/files", "path": "secret"}}), "belongs to another package"),
        (json!({"spawn": {"name": null, "component": "puppet", "restart": false, "notify": null, "grant": [], "public": true}}), "'spawning'"),
        (ask("bob@main:puppet:test", &json!({"echo": "x"})), "'network'"),
        (ask("bob@manager:file-transfer:transship", &json!("list-files")), "'network'"),
        (json!({"flood": {"target": "bob@main:puppet:test", "count": 1, "size": 1}}), "'network'"),
        (json!({"batch": {"targets": ["bob@main:puppet:test"], "body": "x"}}), "'network'"),
    ] {
        let answer = villain(&alice, &step).to_string();
        assert!(answer.contains(refused), "{step}: {answer}");
    }
    assert_eq!(villain(&alice, &json!("peers")), json!([]));
    assert_eq!(villain(&alice, &json!("get"))["ok"], Value::Null, "state is its own");
    // Nor does anybody else do for it what it may not do itself, although everybody can send to that one.
    std::fs::write(alice.file("shared"), "shared").unwrap();
    let download = json!({"download": {"name": "shared", "is-requestor": false, "target": {"node": "alice", "process": {"process-name": "main", "package-name": "villain", "publisher-node": "evil"}}}});
    for command in [
        json!({"get": {"node": "bob", "name": "x", "to": {}}}),
        json!({"put": {"node": "bob", "name": "x", "from": {"name": "shared"}}}),
        json!({"cancel": {"id": "0a1b2c3d", "keep": false}}),
        json!("transfers"),
        json!("list-files"),
        json!({"list-page": {}}),
        json!({"store": {"number": 1}}),
        download,
    ] {
        let refused = villain(&alice, &ask("alice@manager:file-transfer:transship", &command)).to_string().replace("\\\"", "\"");
        assert!(refused.contains("denied") && refused.contains("messaging = [\"manager:file-transfer:transship\"]"), "{command}: {refused}");
    }
    assert_eq!(tell(&alice, "main", &json!({"read": {"drive": "files", "path": "secret"}}))["ok"], "secret");
}

#[test]
fn one_that_may_spawn_does_so_up_to_a_limit_and_what_it_started_ends_with_it() {
    let manifest = format!("{VILLAIN}on-exit = \"restart\"\n[process.capabilities]\nspawning = true\n");
    let (alice, _serving, _bob, _bob_serves) = ground(&manifest, "\n[limits]\nchildren = 30\n");
    let before = alice.processes().len();
    let answer = villain(&alice, &json!({"spawn-many": 1000}));
    assert_eq!(answer["started"], 30, "{answer}");
    assert!(answer["refused"].as_str().unwrap().contains("at most 30 children"), "{answer}");
    assert_eq!(tell(&alice, "main", &json!({"echo": "unhindered"}))["text"], "unhindered");
    alice.run(["stop", "villain"]).ok();
    eventually("all that it started is gone", || (alice.processes().len() == before - 1).then_some(()));
}

#[test]
fn a_name_or_an_address_that_it_makes_up_is_never_anothers() {
    let spawning = format!("{VILLAIN}[process.capabilities]\nspawning = true\nnetwork = true\n");
    let (alice, _serving, _bob, _bob_serves) = ground(&spawning, "");
    // A process is of the package that starts it, whatever it is called.
    for name in ["manager", "main:puppet:test", "manager:file-transfer:transship", "../main", ""] {
        let spawned = villain(&alice, &json!({"spawn": {"name": name, "component": "puppet", "restart": false, "notify": null, "grant": [], "public": true}}));
        match spawned["ok"].as_str() {
            Some(address) => assert_eq!(address, "alice@manager:villain:evil"),
            None => assert!(spawned.to_string().contains("InvalidName"), "{name}: {spawned}"),
        }
    }
    // Who sent a message is what the node says, not what the message says.
    let forged = json!({"echo": "alice@main:puppet:test"});
    let answer = villain(&alice, &ask("bob@main:puppet:test", &forged));
    assert_eq!(answer["ok"]["source"], "alice@main:villain:evil", "{answer}");
    // Neither a package of the program nor the node's owner is replaced by one of that name.
    for (name, publisher) in [("file-transfer", "transship"), ("command", "transship")] {
        let named = VILLAIN.replace("\"villain\"", &format!("\"{name}\"")).replace("\"evil\"", &format!("\"{publisher}\""));
        let outcome = alice.run(["package", "install", &written(&alice, &puppet_with(&named)), "--grant"]);
        assert_ne!(outcome.code, Some(0), "{}", outcome.stdout);
        assert!(!alice.processes().contains(&format!("main:{name}:{publisher}")));
    }
    alice.run(["list"]).ok();
}

#[test]
fn a_capability_that_it_does_not_hold_it_can_not_pass_on() {
    let manifest = format!("{VILLAIN}[process.capabilities]\nspawning = true\ndrives = {{ files = [\"read\"] }}\n");
    let (alice, _serving, _bob, _bob_serves) = ground(&manifest, "");
    let held = villain(&alice, &json!("held"));
    assert_eq!(held["held"].as_array().unwrap().len(), 2, "{held}");
    for place in [2, 99] {
        let spawn = json!({"spawn": {"name": "child", "component": "puppet", "restart": false, "notify": null, "grant": [place], "public": true}});
        assert!(villain(&alice, &spawn)["err"].is_string(), "there is nothing at {place}");
    }
    // A child has what it was passed on, and no more.
    let spawn = json!({"spawn": {"name": "child", "component": "puppet", "restart": false, "notify": null, "grant": [1], "public": true}});
    assert_eq!(villain(&alice, &spawn)["ok"], "alice@child:villain:evil");
    let child = |step: &Value| alice.message("child:villain:evil", step).to_string();
    assert!(child(&json!({"write": {"drive": "files", "path": "x", "text": "x"}})).contains("did not pass it on"));
    assert!(child(&json!({"spawn-many": 1})).contains("'spawning'"));
}

#[test]
fn one_that_never_receives_slows_those_who_send_to_it_and_nobody_else() {
    let (alice, _serving, _bob, _bob_serves) = ground(VILLAIN, "\n[limits]\nmailbox-messages = 10\n");
    let mut stalled = alice.command(["message", "main:villain:evil", r#"{"stall":60000}"#]).stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("it stalls", || {
        let ps = alice.run(["--json", "ps"]).ok().json();
        ps.iter().find(|line| line["id"] == "main:villain:evil").filter(|line| line["mailbox_messages"].as_u64() > Some(0)).cloned()
    });
    let flooded = tell(&alice, "main", &json!({"flood": {"target": "alice@main:villain:evil", "count": 1000, "size": 10}}));
    assert!(flooded["taken"].as_u64().unwrap() <= 10 && flooded["refused"].as_str().unwrap().contains("Timeout"), "{flooded}");
    alice.run(["list", "bob"]).ok();
    alice.run(["stop", "villain"]).ok();
    stalled.wait().unwrap();
}

#[test]
fn one_that_keeps_memory_or_blobs_ends_at_its_limit() {
    let (alice, _serving, _bob, _bob_serves) = ground(&format!("{VILLAIN}[process.limits]\nmemory = \"8 MiB\"\n"), "\n[limits]\nblobs = 1048576\n");
    let hoarded = villain(&alice, &json!({"hoard": [100, 65536]}));
    assert!(hoarded["kept"].as_u64().unwrap() <= 16, "{hoarded}");
    assert_ne!(alice.run(["message", "main:villain:evil", r#"{"allocate":33554432}"#]).code, Some(0));
    eventually("it is gone", || (!alice.processes().contains(&"main:villain:evil".to_owned())).then_some(()));
    assert_eq!(tell(&alice, "main", &json!({"echo": "unhindered"}))["text"], "unhindered");
}

/// A process that was written by hand: it asks for the length of a blob that nobody gave it.
const FORGER: &str = r#"(component
    (import "transship:host/standard@0.1.0" (instance $standard
        (type $id' (record (field "process-name" string) (field "package-name" string) (field "publisher-node" string)))
        (export "process-id" (type $id (eq $id')))
        (type $address' (record (field "node" string) (field "process" $id)))
        (export "address" (type $address (eq $address')))
    ))
    (alias export $standard "address" (type $address))
    (import "transship:host/blobs@0.1.0" (instance $blobs
        (export "blob" (type $blob (sub resource)))
        (export "[method]blob.length" (func (param "self" (borrow $blob)) (result u64)))
    ))
    (core func $length (canon lower (func $blobs "[method]blob.length")))
    (core module $code
        (import "node" "length" (func $length (param i32) (result i64)))
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "init") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (drop (call $length (i32.const 1)))
            (i32.const 0))
    )
    (core instance $process (instantiate $code (with "node" (instance (export "length" (func $length))))))
    (func $init (param "our" $address) (result (result (error string)))
        (canon lift (core func $process "init") (memory (core memory $process "memory")) (realloc (core func $process "realloc"))))
    (export "init" (func $init))
)"#;

#[test]
fn one_that_was_granted_to_command_the_manager_does_so_by_lending_that_capability() {
    let manifest = format!("{VILLAIN}[process.capabilities]\nmessaging = [\"manager:file-transfer:transship\"]\n");
    let (alice, _serving, _bob, _bob_serves) = ground(&manifest, "");
    std::fs::write(alice.file("shared"), "shared").unwrap();
    let listed = json!({"lend": {"target": "alice@manager:file-transfer:transship", "held": 0, "read_only": false, "body": "list-files"}});
    let answer = villain(&alice, &listed).to_string();
    assert!(answer.contains("shared"), "{answer}");
    alice.run(["package", "grant", "villain", "--revoke", "all"]).ok();
    assert!(!villain(&alice, &listed).to_string().contains("shared"));
}

#[test]
fn a_handle_that_it_makes_up_ends_it() {
    let manifest = "name = \"forger\"\npublisher = \"evil\"\nversion = \"1.0.0\"\n[components]\nmain = \"main.wasm\"\n[[process]]\nname = \"main\"\ncomponent = \"main\"\n";
    let alice = Home::new("alice");
    let _serving = alice.serve();
    let forger = of_components(manifest, &[("main.wasm", &wat::parse_str(FORGER).unwrap())]);
    alice.run(["package", "install", &written(&alice, &forger), "--grant"]).ok();
    eventually("it has ended", || (!alice.processes().contains(&"main:forger:evil".to_owned())).then_some(()));
    let log = alice.run(["log"]).ok().stdout;
    assert!(log.contains("main:forger:evil") && log.contains("unknown handle index 1"), "{log}");
    alice.run(["list"]).ok();
}
