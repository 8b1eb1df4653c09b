//! Scripts of packages: components that run once, with arguments, at the owner's command.

use transship_tests::Home;
use transship_tests::package::{puppet_with, written};

const MANIFEST: &str = r#"
name = "tools"
publisher = "test"
version = "1.0.0"
[drives.files]
[components]
puppet = "puppet.wasm"
[scripts.say]
component = "puppet"
description = "Says what it is told"
[scripts.say.capabilities]
drives = { files = ["read"] }
"#;

fn home() -> Home {
    let alice = Home::new("alice");
    alice.run(["package", "install", &written(&alice, &puppet_with(MANIFEST)), "--grant"]).ok();
    alice
}

#[test]
fn a_script_gets_its_arguments_tells_what_it_does_and_its_answer_is_printed() {
    let alice = home();
    // Without a node that runs, the command runs it.
    let alone = alice.run(["script", "tools", "say", "good", "--morning"]).ok();
    assert_eq!(alone.stdout, "tools was told 2 things\ngood --morning\n");
    let _serving = alice.serve();
    assert_eq!(alice.run(["script", "tools:test", "say"]).ok().stdout, "tools was told 0 things\n");
    assert_eq!(alice.run(["--json", "script", "tools", "say", "a\"b"]).ok().stdout, "\"tools was told 1 things\"\n\"a\\\"b\"\n");
    assert_eq!(alice.processes(), ["manager:file-transfer:transship"], "it ran once");
}

#[test]
fn a_program_that_embeds_a_node_installs_a_package_and_talks_to_it() {
    // Cargo builds examples together with the tests of a workspace.
    let example = transship_tests::transship().with_file_name("examples").join("embed");
    assert!(example.exists(), "{} is missing: run cargo build --release --workspace --examples", example.display());
    let mut command = std::process::Command::new(example);
    command.arg(transship_tests::package::puppet()).args(["main:puppet:test", r#"{"echo":"hello"}"#]);
    let said = transship_tests::Outcome::of(&mut command, b"").ok().stdout;
    assert!(said.starts_with("embedded@main:puppet:test: ") && said.contains(r#""text":"hello""#), "{said}");
}

#[test]
fn a_script_that_fails_or_ends_or_is_not_there_is_said_to() {
    let alice = home();
    let _serving = alice.serve();
    alice.run(["script", "tools", "say", "fail", "badly"]).code(1).says("the script failed: fail badly");
    alice.run(["script", "tools", "say", "end"]).code(1).says("ended without an answer");
    alice.run(["script", "--timeout", "1s", "tools", "say", "wait"]).code(5).says("did not answer within");
    alice.run(["script", "tools", "sing"]).code(3).says("it has: say");
    alice.run(["script", "file-transfer", "sing"]).code(3).says("it has none");
    alice.run(["script", "nobody", "sing"]).code(3);
    alice.settled();
}
