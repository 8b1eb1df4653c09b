//! A package that composes the worker API in, as anybody could write it: the example `chat`, between two nodes.

use serde_json::{Value, json};
use transship::package::Package;
use transship_tests::package::{example, of_components, written};
use transship_tests::{Home, Serving, differ, eventually, introduce, random_file};

fn drive(home: &Home) -> std::path::PathBuf {
    let folder = home.path().join("vfs/chat:examples/files");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Two nodes with these packages, granted so much.
fn chatting(alice_has: &Package, bob_has: &Package, grant: &str) -> ((Home, Serving), (Home, Serving)) {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    for (home, package) in [(&alice, alice_has), (&bob, bob_has)] {
        home.run(["package", "install", &written(home, package), grant]).ok();
    }
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), ""));
    ((alice, alice_serves), (bob, bob_serves))
}

fn chat(home: &Home, question: &Value) -> Value {
    home.message("main:chat:examples", question)
}

/// The last message that a node has with another.
fn last(home: &Home, with: &str) -> Value {
    chat(home, &json!({"read": {"with": with}}))["conversation"].as_array().unwrap().last().cloned().unwrap_or_default()
}

/// Sends a file and waits until it is there; all progress that the receiver saw.
fn send_file(alice: &Home, bob: &Home, name: &str, bytes: u64) -> Vec<u64> {
    random_file(&drive(alice).join(name), bytes);
    chat(alice, &json!({"send": {"to": "bob", "text": "look at this", "attach": name}}));
    let mut seen = Vec::new();
    let target = eventually("the attachment is there", || {
        let attachment = last(bob, "alice")["attachment"].clone();
        seen.extend(attachment["bytes-done"].as_u64());
        assert!(attachment["state"]["failed"].is_null(), "{attachment}");
        attachment["state"]["done"].as_str().map(str::to_owned)
    });
    let attachment = last(bob, "alice")["attachment"].clone();
    assert_eq!((&attachment["bytes-done"], &attachment["bytes-total"]), (&json!(bytes), &json!(bytes)));
    assert_eq!(differ(&drive(bob).join(target), &drive(alice).join(name)), None);
    eventually("the sender knows it too", || (last(alice, "bob")["attachment"]["bytes-done"] == bytes).then_some(()));
    seen
}

/// The chat with the API plugged in by its author, in the way of `wac plug`.
fn plugged_by_hand() -> Package {
    let chat = example("chat");
    let mut graph = wac_graph::CompositionGraph::new();
    let mut register = |name: &str, bytes: &[u8]| {
        let package = wac_graph::types::Package::from_bytes(name, None, bytes, graph.types_mut()).unwrap();
        graph.register_package(package).unwrap()
    };
    let file_transfer = transship_tests::package::bundled("file-transfer");
    let socket = register("chat", chat.component("main").unwrap());
    let api = register("api", file_transfer.api().unwrap());
    wac_graph::plug(&mut graph, vec![api], socket).unwrap();
    let composed = graph.encode(wac_graph::EncodeOptions::default()).unwrap();
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../components/examples/chat/package.toml")).unwrap();
    of_components(manifest.split("[build.").next().unwrap(), &[("chat.wasm", &composed)])
}

#[test]
fn what_the_node_composes_and_what_is_plugged_by_hand_behave_the_same() {
    let (composed_by_node, by_hand) = (example("chat"), plugged_by_hand());
    assert_ne!(composed_by_node.digest(), by_hand.digest());
    let ((alice, _alice_serves), (bob, _bob_serves)) = chatting(&composed_by_node, &by_hand, "--grant");
    send_file(&alice, &bob, "there.bin", 3 << 20);
    let (back, _) = (drive(&bob).join("back.bin"), random_file(&drive(&bob).join("back.bin"), 3 << 20));
    chat(&bob, &json!({"send": {"to": "alice", "text": "and back", "attach": "back.bin"}}));
    let target = eventually("it is back", || last(&alice, "bob")["attachment"]["state"]["done"].as_str().map(str::to_owned));
    assert_eq!(differ(&drive(&alice).join(target), &back), None);
    // And they fail alike.
    for (home, other) in [(&alice, "bob"), (&bob, "alice")] {
        let refused = chat(home, &json!({"send": {"to": other, "text": "nothing", "attach": "missing.bin"}}));
        assert!(refused["error"].as_str().unwrap().contains("missing.bin"), "{refused}");
    }
}

#[test]
fn a_composed_api_can_do_no_more_than_the_component_that_it_is_part_of() {
    for (grant, lacking) in [
        ("--grant=network,drives.files=list,drives.files=read,drives.files=write", "'spawning'"),
        ("--grant=network,spawning", "drive"),
        ("--grant=network,spawning,drives.files=list,drives.files=read", "write"),
    ] {
        let package = example("chat");
        let ((alice, _alice_serves), (bob, _bob_serves)) = chatting(&package, &package, "--grant");
        random_file(&drive(&alice).join("file.bin"), 1000);
        bob.run(["package", "grant", "chat", "--revoke", "all"]).ok();
        let asks = grant.trim_start_matches("--grant=").split(',');
        bob.run(["package", "grant", "chat"].into_iter().chain(asks)).ok();
        let said = chat(&alice, &json!({"send": {"to": "bob", "text": "take this", "attach": "file.bin"}}));
        assert!(said["sent"].is_u64(), "{said}");
        if grant.contains("drives") {
            let failed = eventually("it failed", || last(&bob, "alice")["attachment"]["state"]["failed"].as_str().map(str::to_owned));
            assert!(failed.contains(lacking), "{lacking}: {failed}");
        } else {
            // It opens its drive before it takes messages.
            eventually("it says why", || bob.run(["log"]).ok().stdout.contains("lacks the capability to read the drive chat:examples/files").then_some(()));
        }
        assert_eq!(std::fs::read_dir(drive(&bob)).unwrap().count(), 0, "{grant}");
    }
}
