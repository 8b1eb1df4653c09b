//! `transship package build`, `check` and `get-api`: what is built when, what is said if it can't be, and whether what was built fits the node.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use transship_tests::guests::component;
use transship_tests::{Home, Outcome};

/// A package in this language, begun in the home's own folder.
fn begun(home: &Home, language: &str, template: &str) -> PathBuf {
    home.run(["package", "new", "thing", "--language", language, "--template", template, "--publisher", "ann"]).ok();
    home.scratch().join("thing")
}

/// Puts a tool into the package's own environment: a script that does this with its last argument.
fn pretend(folder: &Path, script: &str) {
    let tool = folder.join(".venv/bin/componentize-py");
    std::fs::create_dir_all(tool.parent().unwrap()).unwrap();
    std::fs::write(&tool, format!("#!/bin/sh\nfor out; do :; done\n{script}\n")).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_tool_that_is_not_there_is_named_with_how_to_get_it() {
    for (language, tool, how) in [
        ("rust", "main.wasm is built with Cargo", "install Rust"),
        ("python", "main.wasm is built with componentize-py", "pip install componentize-py"),
        ("javascript", "main.wasm is built with Node.js", "install Node.js"),
    ] {
        let alice = Home::new("alice");
        let folder = begun(&alice, language, "blank");
        let mut command = alice.command(["package", "build", "--json"]);
        command.arg(&folder).env("PATH", "/nonexistent").env("HOME", "/nonexistent").env_remove("CARGO_HOME");
        Outcome::of(&mut command, b"").fails("missing-tool", 3).says(tool).says(how);
    }
}

#[test]
fn a_component_is_built_when_something_that_goes_in_has_changed_and_not_otherwise() {
    let alice = Home::new("alice");
    let folder = begun(&alice, "python", "blank");
    let built = component("puppet.wasm");
    pretend(&folder, &format!("echo made >> ../made; cp '{}' \"$out\"", built.display()));
    let build = || alice.run_json(["package", "build", "thing"]).ok().event("built");
    let times = || std::fs::read_to_string(alice.scratch().join("made")).unwrap_or_default().lines().count();
    let first = build();
    assert_eq!((&first["changed"], &first["made"], times()), (&json!(true), &json!(["main.wasm"]), 1));
    assert_eq!(first["path"], "thing/target/thing.transship");
    let again = build();
    assert_eq!((&again["changed"], &again["made"], times()), (&json!(false), &json!([]), 1));
    assert_eq!(again["digest"], first["digest"]);
    // What is asked for does not go into the component, and yet into the package.
    let manifest = std::fs::read_to_string(folder.join("package.toml")).unwrap();
    std::fs::write(folder.join("package.toml"), manifest.replace("description = \"", "description = \"Another. ")).unwrap();
    let manifest = build();
    assert_eq!((&manifest["changed"], &manifest["made"], times()), (&json!(true), &json!([]), 1));
    for (path, expected) in [("app.py", 2), ("more/library.py", 3), ("wit/world.wit", 4), ("wit/deps/transship-host/log.wit", 5)] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, format!("{text}\n")).unwrap();
        build();
        assert_eq!(times(), expected, "{}", path.display());
    }
    // Whatever happened to what was built, it is built again.
    std::fs::write(folder.join("target/components/main.wasm"), "damaged").unwrap();
    build();
    assert_eq!(times(), 6);
}

#[test]
fn what_a_tool_says_is_shown_when_it_fails_and_the_package_of_before_stays() {
    let alice = Home::new("alice");
    let folder = begun(&alice, "python", "blank");
    pretend(&folder, &format!("cp '{}' \"$out\"; echo all is well", component("puppet.wasm").display()));
    let built = alice.run(["package", "build", "thing"]).ok();
    assert!(!built.stderr.contains("all is well"), "{}", built.stderr);
    alice.run(["-v", "package", "build", "thing"]).ok();
    let package = std::fs::read(folder.join("target/thing.transship")).unwrap();
    pretend(&folder, "echo first; echo 'app.py, line 3: what is this?' >&2; echo last; exit 7");
    let failed = alice.run_json(["package", "build", "thing"]).fails("build-failed", 1);
    let said: Vec<&str> = failed.stderr.lines().filter(|line| ["first", "app.py, line 3: what is this?", "last"].contains(line)).collect();
    assert_eq!(said, ["first", "app.py, line 3: what is this?", "last"], "in this order: {}", failed.stderr);
    assert_eq!(std::fs::read(folder.join("target/thing.transship")).unwrap(), package);
    pretend(&folder, "echo no component > \"$out\"");
    alice.run(["package", "build", "thing"]).code(6).says("not a WebAssembly component");
}

#[test]
fn what_was_built_by_other_means_is_taken_and_no_tool_is_asked() {
    let alice = Home::new("alice");
    begun(&alice, "python", "blank");
    let elsewhere = alice.scratch().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::copy(component("puppet.wasm"), elsewhere.join("main.wasm")).unwrap();
    alice.run(["package", "build", "thing", "--components", "elsewhere", "--out", "out/here.transship"]).ok();
    alice.run(["package", "check", "out/here.transship"]).ok();
    alice.run(["package", "check", "thing"]).code(6).says("transship package build");
}

#[test]
fn a_folder_that_is_no_package_is_told_so() {
    let alice = Home::new("alice");
    alice.run(["package", "build", "nowhere"]).code(3).says("nowhere");
    alice.run(["package", "build"]).code(6).says("the folder has no package.toml").says("transship package new");
    let folder = begun(&alice, "python", "blank");
    let manifest = std::fs::read_to_string(folder.join("package.toml")).unwrap();
    std::fs::write(folder.join("package.toml"), manifest.replace("tool = \"python\"", "tool = \"python\"\nfolder = \"sources\"")).unwrap();
    alice.run(["package", "build", "thing"]).code(3).says("thing/sources: there is no such folder").says("[build.\"main.wasm\"]");
}

#[test]
fn a_component_that_does_not_fit_is_refused_with_what_is_missing() {
    let alice = Home::new("alice");
    // One that calls functions of file-transfer, in a package that does not say so.
    let folder = alice.scratch().join("chat");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(component("chat.wasm"), folder.join("chat.wasm")).unwrap();
    let manifest = include_str!("../../../components/examples/chat/package.toml");
    std::fs::write(folder.join("package.toml"), manifest).unwrap();
    let checked = alice.run_json(["package", "check", "chat"]).ok().event("checked");
    assert_eq!((&checked["package"], &checked["components"]), (&json!("chat:examples"), &json!(["main"])));
    let lonely = manifest.replace("\"file-transfer:transship\" = \"0.1\"", "");
    std::fs::write(folder.join("package.toml"), &lonely).unwrap();
    let missing = "it imports transship:file-transfer/file-transfer-worker@0.1.0, which neither the node nor a package that it depends on offers";
    alice.run_json(["package", "check", "chat"]).fails("misfit", 6).says(missing).says("The package file-transfer:transship exports it");
    alice.run(["package", "build", "chat", "--components", "chat"]).code(6).says(missing);
    assert!(!folder.join("target/chat.transship").exists());
    // A package that is not here can't be looked at: whoever builds is told, and whoever checks is refused.
    std::fs::write(folder.join("package.toml"), format!("{lonely}\n[dependencies]\n\"absent:ann\" = \"1\"").replace("[dependencies]\n\n", "\n")).unwrap();
    alice.run(["package", "check", "chat"]).code(3).says("absent:ann");
}

#[test]
fn interfaces_are_written_for_those_who_build_against_them() {
    let alice = Home::new("alice");
    let names = |folder: &str| transship_tests::transfer::names_in(&alice.scratch().join(folder));
    alice.run(["package", "get-api"]).ok();
    assert_eq!(names("wit/deps/transship-host"), transship_tests::transfer::names_in(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/host"))));
    std::fs::create_dir_all(alice.scratch().join("there/file-transfer")).unwrap();
    std::fs::write(alice.scratch().join("there/file-transfer/old.wit"), "interface old {}").unwrap();
    std::fs::write(alice.scratch().join("there/file-transfer/notes.txt"), "mine").unwrap();
    alice.run(["package", "get-api", "file-transfer", "--into", "there"]).ok();
    assert_eq!(
        names("there/file-transfer"),
        ["file-transfer-protocol.wit", "file-transfer-worker.wit", "file-transfer.wit", "notes.txt", "types.wit", "world.wit"]
    );
    assert_eq!(std::fs::read_to_string(alice.scratch().join("there/file-transfer/types.wit")).unwrap(), include_str!("../../../wit/file-transfer/types.wit"));
    alice.run_json(["package", "get-api", "nobody"]).fails("unknown-package", 3);
    let puppet = transship_tests::package::puppet();
    alice.run_json(["package", "get-api", puppet.to_str().unwrap()]).fails("no-api", 3);
    // Also without a node.
    let mut command = alice.command(["package", "get-api", "file-transfer", "--into", "homeless"]);
    Outcome::of(command.env("TRANSSHIP_HOME", alice.scratch().join("nowhere")), b"").ok();
    assert_eq!(names("homeless/file-transfer").len(), 5);
}
