//! `transship package new`: what is begun with it builds and runs unchanged, in every language.

use std::path::Path;

use serde_json::json;
use transship_tests::newcomer::{Language, installed};
use transship_tests::{Home, eventually, introduce};

const TEMPLATES: [&str; 4] = ["blank", "echo", "chat", "file-transfer"];

fn begin(home: &Home, name: &str, language: &str, template: &str) {
    home.run(["package", "new", name, "--language", language, "--template", template]).ok();
}

#[test]
fn a_new_package_has_all_that_it_needs_and_is_its_nodes() {
    let alice = Home::new("alice");
    for language in Language::ALL {
        for template in TEMPLATES {
            let name = format!("{template}-{}", language.name());
            begin(&alice, &name, language.name(), template);
            let folder = alice.scratch().join(&name);
            let text = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{name}/{path}: {error}"));
            assert!(text("package.toml").contains("publisher = \"alice\""));
            assert!(text("README.md").contains(&format!("transship message main:{name}:alice ")));
            assert_eq!(text("wit/deps/transship-host/vfs.wit"), include_str!("../../../wit/host/vfs.wit"));
            assert_eq!(folder.join("wit/deps/file-transfer").exists(), template == "file-transfer");
            text(match language {
                Language::Rust => "main/src/lib.rs",
                Language::Python => "app.py",
                Language::JavaScript => "app.js",
            });
        }
    }
}

#[test]
fn nothing_that_is_there_is_overwritten_and_what_can_not_be_a_name_is_refused() {
    let alice = Home::new("alice");
    begin(&alice, "greeter", "rust", "blank");
    alice.run(["package", "new", "greeter"]).code(7).says("greeter: the folder is not empty");
    std::fs::write(alice.scratch().join("file"), "").unwrap();
    alice.run(["package", "new", "greeter", "file"]).code(7).says("file: a file is there");
    std::fs::create_dir(alice.scratch().join("empty")).unwrap();
    alice.run(["package", "new", "greeter", "empty", "--publisher", "ann"]).ok();
    assert!(std::fs::read_to_string(alice.scratch().join("empty/package.toml")).unwrap().contains("publisher = \"ann\""));
    for name in ["Greeter", "../greeter", "a b", ""] {
        alice.run(["package", "new", name]).code(2);
    }
    // Without a home there is no node to take the publisher's name from.
    let mut command = alice.command(["package", "new", "homeless"]);
    transship_tests::Outcome::of(command.env("TRANSSHIP_HOME", alice.scratch().join("nowhere")), b"").ok();
    assert!(std::fs::read_to_string(alice.scratch().join("homeless/package.toml")).unwrap().contains("publisher = \"local\""));
}

#[test]
fn what_is_begun_in_rust_runs_unchanged() {
    run_unchanged(Language::Rust);
}

#[test]
fn what_is_begun_in_python_runs_unchanged() {
    run_unchanged(Language::Python);
}

#[test]
fn what_is_begun_in_javascript_runs_unchanged() {
    run_unchanged(Language::JavaScript);
}

fn run_unchanged(language: Language) {
    if !language.can_be_built() {
        return;
    }
    let (alice, bob) = (Home::new("alice").compiling_quickly(), Home::new("bob").compiling_quickly());
    let alice_serves = alice.serve();
    // In two languages that take half a minute each time, what `blank` shows is in the others too.
    if language == Language::Rust {
        let blank = installed(&alice, language, "blank");
        assert_eq!(alice.message(&blank, &json!("good day")), "hello");
    }
    let echo = installed(&alice, language, "echo");
    assert_eq!(alice.message(&echo, &json!({"any": ["JSON", 1]})), json!({"echo": {"any": ["JSON", 1]}, "number": 1}));
    let chat = installed(&alice, language, "chat");
    std::fs::copy(alice.scratch().join(format!("chat-{0}/chat-{0}.transship", language.name())), bob.scratch().join("chat.transship")).unwrap();
    bob.run(["package", "install", "chat.transship", "--grant"]).ok();
    let bob_serves = bob.serve();
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read"));
    lines_go_both_ways(&alice, &bob, &chat);
    fetches(&alice, &bob, &installed(&alice, language, "file-transfer"));

    // A restart of the node changes nothing of what they keep.
    drop(alice_serves);
    let _alice_serves = alice.serve();
    assert_eq!(alice.message(&echo, &json!("again"))["number"], 2);
    assert_eq!(alice.message(&chat, &json!("read")).as_array().unwrap().len(), 2);
}

fn lines_go_both_ways(alice: &Home, bob: &Home, chat: &str) {
    alice.message(chat, &json!({"send": {"to": "bob", "text": "hello"}}));
    let line = json!({"from": "alice", "to": "bob", "text": "hello"});
    eventually("bob has read it", || (bob.message(chat, &json!("read")) == json!([line])).then_some(()));
    bob.message(chat, &json!({"send": {"to": "alice", "text": "who is there?"}}));
    let answer = json!({"from": "bob", "to": "alice", "text": "who is there?"});
    eventually("alice has both", || (alice.message(chat, &json!("read")) == json!([line, answer])).then_some(()));
    // What makes no sense is an answer, and what others may not ask is none.
    for (wrong, expected) in [(json!("reed"), "read"), (json!({"send": {"to": "bob"}}), "text"), (json!(5), ""), (json!(null), "")] {
        let error = alice.message(chat, &wrong)["error"].as_str().unwrap().to_owned();
        assert!(error.contains(expected), "{wrong}: {error}");
    }
    let error = alice.message(&format!("bob@{chat}"), &json!("read"))["error"].to_string();
    assert!(error.contains("only bob may ask that"), "{error}");
}

fn fetches(alice: &Home, bob: &Home, process: &str) {
    let content = transship_tests::random_bytes(3_000_000, 1);
    std::fs::create_dir_all(bob.file("reports")).unwrap();
    std::fs::write(bob.file("reports/may.pdf"), &content).unwrap();
    alice.message(process, &json!({"fetch": {"node": "bob", "name": "reports/may.pdf"}}));
    alice.message(process, &json!({"fetch": {"node": "bob", "name": "reports/june.pdf"}}));
    let transfers = eventually("both have ended", || {
        let transfers = alice.message(process, &json!("transfers"));
        transfers.as_object().unwrap().values().all(|transfer| transfer["end"].is_string()).then_some(transfers)
    });
    for transfer in transfers.as_object().unwrap().values() {
        let end = transfer["end"].as_str().unwrap();
        if transfer["name"] == "reports/may.pdf" {
            assert_eq!((&transfer["bytes-done"], &transfer["bytes-total"], end), (&json!(3_000_000), &json!(3_000_000), "done: reports/may.pdf"));
        } else {
            assert!(end.starts_with("failed: ") && end.contains("june.pdf"), "{end}");
        }
    }
    let (_, package) = process.split_once(':').unwrap();
    let there = alice.path().join(Path::new("vfs").join(package)).join("files/reports/may.pdf");
    assert!(std::fs::read(there).unwrap() == content, "what arrived is what was there");
}
