//! Packages that depend on others: what is missing is named, a component is spawned out of a dependency, and who is needed is not taken away.

use serde_json::{Value, json};
use transship_tests::Home;
use transship_tests::package::{install, of_components, puppet_with, written};

const LIBRARY: &str = r#"
name = "library"
publisher = "test"
version = "1.2.0"
[components]
book = "puppet.wasm"
"#;

const READER: &str = r#"
name = "reader"
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
spawning = true
drives = { files = ["list", "read", "write"] }
[dependencies]
"library:test" = "1.1"
"#;

fn reader(home: &Home, process: &str, step: &Value) -> Value {
    home.message(&format!("{process}:reader:test"), step)
}

fn spawn(component: &str) -> Value {
    json!({"spawn": {"name": "child", "component": component, "restart": false, "notify": null, "grant": [], "public": true}})
}

#[test]
fn a_component_of_a_dependency_runs_as_the_one_that_depends_on_it_and_with_what_that_one_passes_on() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    alice.run(["package", "install", &written(&alice, &puppet_with(LIBRARY))]).code(4);
    alice.run(["package", "install", &written(&alice, &puppet_with(LIBRARY)), "--grant"]).ok();
    alice.run(["package", "install", &written(&alice, &puppet_with(READER)), "--grant"]).ok();
    let address = reader(&alice, "main", &spawn("library:test/book"))["ok"].as_str().unwrap().to_owned();
    assert_eq!(address, "alice@child:reader:test", "it is a process of the reader's package");
    assert_eq!(reader(&alice, "child", &json!("held"))["held"], json!([]), "with nothing that it was not given");
    let refused = reader(&alice, "child", &json!({"read": {"drive": "files", "path": "x"}})).to_string();
    assert!(refused.contains("lacks the capability to read the drive reader:test/files: main:reader:test did not pass it on"), "{refused}");
    for missing in ["library:test/page", "file-transfer:transship/worker", "book", "library:test/../book"] {
        let refused = reader(&alice, "main", &spawn(missing)).to_string();
        assert!(refused.contains("NoSuchComponent"), "{missing}: {refused}");
    }
}

#[test]
fn a_dependency_that_is_missing_or_of_another_version_is_named_before_anything_is_changed() {
    let alice = Home::new("alice");
    let file = written(&alice, &puppet_with(READER));
    alice.run_json(["package", "install", &file, "--grant"]).fails("missing-package", 3).says("");
    alice.run(["package", "install", &file, "--grant"]).code(3).says("it needs the package library:test (^1.1), which this node does not have");
    install(&alice, &puppet_with(&LIBRARY.replace("1.2.0", "2.0.0")));
    alice.run(["package", "install", &file, "--grant"]).code(7).says("it needs the package library:test in version ^1.1, and this node has 2.0.0");
    let pinned = READER.replace("\"1.1\"", &format!("{{ version = \"2\", digest = \"{}\" }}", "0".repeat(64)));
    alice.run(["package", "install", &written(&alice, &puppet_with(&pinned)), "--grant"]).code(7).says("with the digest 0000");
    assert!(!alice.path().join("packages/reader_test.transship").exists());
}

#[test]
fn what_others_need_is_not_taken_away_and_what_replaces_it_must_do_for_them() {
    let alice = Home::new("alice");
    install(&alice, &puppet_with(LIBRARY));
    install(&alice, &puppet_with(READER));
    let _serving = alice.serve();
    alice.run(["stop", "library"]).code(7).says("reader:test needs library:test");
    alice.run(["package", "remove", "library"]).code(7).says("reader:test needs library:test");
    alice.run(["package", "install", &written(&alice, &puppet_with(&LIBRARY.replace("1.2.0", "2.0.0"))), "--grant"]).code(7).says("reader:test needs another");
    // One that does replaces it, and who needs it starts anew with it.
    reader(&alice, "main", &json!({"echo": "x"}));
    alice.run(["package", "install", &written(&alice, &puppet_with(&LIBRARY.replace("1.2.0", "1.3.0"))), "--grant"]).ok();
    assert_eq!(reader(&alice, "main", &spawn("library:test/book"))["ok"], "alice@child:reader:test");
    alice.run(["stop", "reader"]).ok();
    alice.run(["stop", "library"]).ok();
    alice.run(["start", "reader"]).code(7).says("it needs the package library:test, which is not running: transship start library:test");
    alice.run(["start", "library"]).ok();
    alice.run(["start", "reader"]).ok();
    alice.run(["package", "remove", "reader"]).ok();
    alice.run(["package", "remove", "library"]).ok();
}

#[test]
fn what_is_replaced_brings_back_all_that_needs_it_in_their_order_and_what_failed_without_it() {
    let alice = Home::new("alice");
    install(&alice, &puppet_with(LIBRARY));
    // `a` needs the library, and `reader`, which needs it too; its name comes first.
    let both = "\"library:test\" = \"1.1\"\n\"reader:test\" = \"1\"";
    install(&alice, &puppet_with(&READER.replace("\"reader\"", "\"a\"").replace("\"library:test\" = \"1.1\"", both)));
    install(&alice, &puppet_with(READER));
    let running = |home: &Home| home.run(["--json", "package", "list"]).ok().json().iter().filter(|line| line["state"] == "running").count();
    let serving = alice.serve();
    assert_eq!(running(&alice), 4);
    alice.run(["start", "library"]).ok();
    assert_eq!(running(&alice), 4, "{}", alice.run(["package", "list"]).stderr);
    drop(serving);
    // Without the library none of them runs; with it all do.
    alice.run(["stop", "library"]).ok();
    let _serving = alice.serve();
    assert_eq!(running(&alice), 1);
    alice.run(["start", "library"]).ok();
    assert_eq!(running(&alice), 4, "{}", alice.run(["package", "list"]).stderr);
}

#[test]
fn packages_that_need_each_other_do_not_run_and_the_rest_does() {
    let alice = Home::new("alice");
    install(&alice, &puppet_with(&READER.replace("library:test", "circle:test")));
    install(&alice, &puppet_with(&READER.replace("\"reader\"", "\"circle\"").replace("library:test", "reader:test").replace("\"1.1\"", "\"1\"")));
    let _serving = alice.serve();
    let states = alice.run(["--json", "package", "list"]).ok().json();
    let failed: Vec<&Value> = states.iter().filter(|line| line["state"] == "failed").collect();
    assert_eq!(failed.len(), 2, "{states:?}");
    alice.run(["list"]).ok();
}

/// A component that was built for a node of another line of versions.
const NEWER: &str = r#"(component
    (import "transship:host/log@7.0.0" (instance (export "log" (func (param "message" string)))))
    (import "transship:nowhere/things@0.1.0" (instance (export "call" (func))))
    (import "transship:file-transfer/file-transfer-worker@0.1.0" (instance (export "call" (func))))
)"#;

#[test]
fn a_component_that_does_not_fit_this_node_is_refused_with_everything_that_is_wrong() {
    let alice = Home::new("alice");
    let manifest =
        "name = \"newer\"\npublisher = \"test\"\nversion = \"1.0.0\"\n[components]\nmain = \"main.wasm\"\n[[process]]\nname = \"main\"\ncomponent = \"main\"\n";
    let newer = of_components(manifest, &[("main.wasm", &wat::parse_str(NEWER).unwrap())]);
    let file = written(&alice, &newer);
    alice.run_json(["package", "install", &file, "--grant"]).fails("misfit", 6);
    let refused = alice.run(["package", "install", &file, "--grant"]).code(6).stderr;
    for wrong in [
        "component 'main' does not fit this node",
        "it was built for transship:host/log@7.0.0, and the node has transship:host/log@0.1.0",
        "it imports transship:nowhere/things@0.1.0, which neither the node nor a package that it depends on offers",
        "The package file-transfer:transship exports it: name that one under [dependencies] in package.toml",
        "it does not export init",
    ] {
        assert!(refused.contains(wrong), "{wrong}: {refused}");
    }
    // Put there by other means, it does not run, and says the same.
    install(&alice, &newer);
    let _serving = alice.serve();
    let listed = alice.run(["package", "list"]).ok().stderr;
    assert!(listed.contains("newer:test does not run") && listed.contains("transship:host/log@7.0.0"), "{listed}");
}

/// An API in its version 1.1.0, which has a function more than 1.0.0 had.
const WORDS_API: &str = r#"(component
    (core module $code (func (export "greet") (result i32) (i32.const 42)))
    (core instance $code (instantiate $code))
    (func $greet (result u32) (canon lift (core func $code "greet")))
    (instance $words (export "greet" (func $greet)) (export "later" (func $greet)))
    (export "test:words/greet@1.1.0" (instance $words))
)"#;

/// A process that was built for some version of the API, with what it expects to hear.
fn listener(version: &str, functions: &str, expects: u32) -> Vec<u8> {
    let functions: String = functions.split(' ').map(|name| format!("(export \"{name}\" (func (result u32)))")).collect();
    let text = format!(
        r#"(component
    (import "transship:host/standard@0.1.0" (instance $standard
        (type $id' (record (field "process-name" string) (field "package-name" string) (field "publisher-node" string)))
        (export "process-id" (type $id (eq $id')))
        (type $address' (record (field "node" string) (field "process" $id)))
        (export "address" (type $address (eq $address')))
    ))
    (alias export $standard "address" (type $address))
    (import "test:words/greet@{version}" (instance $words {functions}))
    (core func $greet (canon lower (func $words "greet")))
    (core module $code
        (import "words" "greet" (func $greet (result i32)))
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "init") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (if (i32.ne (call $greet) (i32.const {expects})) (then (unreachable)))
            (i32.const 0))
    )
    (core instance $process (instantiate $code (with "words" (instance (export "greet" (func $greet))))))
    (func $init (param "our" $address) (result (result (error string)))
        (canon lift (core func $process "init") (memory (core memory $process "memory")) (realloc (core func $process "realloc"))))
    (export "init" (func $init))
)"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn a_component_built_for_an_older_version_of_an_api_runs_and_one_for_another_line_or_a_newer_one_is_refused() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    let api = "name = \"words\"\npublisher = \"test\"\nversion = \"1.1.0\"\n[components]\nunused = \"puppet.wasm\"\n[api]\ncomponent = \"api.wasm\"\n";
    let puppet = transship::package::Package::read(&transship_tests::package::puppet()).unwrap();
    let words = of_components(api, &[("puppet.wasm", puppet.component("puppet").unwrap()), ("api.wasm", &wat::parse_str(WORDS_API).unwrap())]);
    alice.run(["package", "install", &written(&alice, &words), "--grant"]).ok();
    let package = |name: &str, component: &[u8]| {
        let manifest = format!(
            "name = \"{name}\"\npublisher = \"test\"\nversion = \"1.0.0\"\n[components]\nmain = \"main.wasm\"\n[[process]]\nname = \"main\"\ncomponent = \"main\"\n[dependencies]\n\"words:test\" = \"1\"\n"
        );
        written(&alice, &of_components(&manifest, &[("main.wasm", component)]))
    };
    let install = |name: &str, component: &[u8]| alice.run(["package", "install", &package(name, component), "--grant"]);
    install("older", &listener("1.0.0", "greet", 42)).ok();
    install("present", &listener("1.1.0", "greet later", 42)).ok();
    // That they run, and what they hear, shows in one that expects something else.
    install("deaf", &listener("1.0.0", "greet", 43)).ok();
    transship_tests::eventually("it has ended", || alice.run(["log"]).ok().stdout.contains("main:deaf:test").then_some(()));
    let log = alice.run(["log"]).ok().stdout;
    assert!(log.contains("unreachable") && !log.contains("main:older:test") && !log.contains("main:present:test"), "{log}");
    let newer = install("newer", &listener("1.2.0", "greet later newest", 42)).code(6).stderr;
    assert!(newer.contains("words:test exports test:words/greet@1.1.0, but not as it is imported") && newer.contains("newest"), "{newer}");
    let other = install("other", &listener("2.0.0", "greet", 42)).code(6).stderr;
    assert!(other.contains("it was built for test:words/greet@2.0.0, and words:test has test:words/greet@1.1.0"), "{other}");
}
