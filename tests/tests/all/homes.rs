//! Where a node keeps what it has: the default home, code that was compiled, and packages that are put there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use transship_tests::package::{bundled, install_puppet};
use transship_tests::{Home, Outcome, eventually, introduce, transship};

#[test]
fn without_a_home_named_it_is_where_the_platform_keeps_a_programs_data() {
    let folder = tempfile::tempdir().unwrap();
    let run = |variables: &[(&str, PathBuf)], arguments: &[&str]| {
        let mut command = Command::new(transship());
        command.args(arguments).env_clear().envs(variables.iter().map(|(name, value)| (name, value))).current_dir(folder.path());
        Outcome::of(&mut command, b"")
    };
    let person = ("HOME", folder.path().join("person"));
    let data = ("XDG_DATA_HOME", folder.path().join("data"));
    fs::create_dir(&person.1).unwrap();
    for (variables, home, name) in
        [(&[person.clone()][..], person.1.join(".local/share/transship"), "ann"), (&[person.clone(), data.clone()], data.1.join("transship"), "ben")]
    {
        let missing = run(variables, &["id"]).code(3);
        assert!(missing.stderr.contains(home.to_str().unwrap()), "{}", missing.stderr);
        run(variables, &["init", "--name", name]).ok();
        assert!(home.join("identity.key").exists(), "{}", home.display());
        assert_eq!(run(variables, &["--json", "id"]).ok().json()[0]["name"], name);
        assert!(run(variables, &["list"]).ok().stdout.contains("no files"), "a command runs the node itself there");
    }
    // What is named goes before.
    let named = [person, ("TRANSSHIP_HOME", folder.path().join("data/transship"))];
    assert_eq!(run(&named, &["--json", "id"]).ok().json()[0]["name"], "ben");
}

/// The files in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A home with a cache of its own for compiled code, empty, and not the one that the tests share.
fn cold(name: &str) -> Home {
    let home = Home::new(name);
    fs::remove_file(home.path().join("cache/modules")).unwrap();
    home
}

/// The pieces of code in a home's cache: the same code has the same name in all. What the engine keeps account of beside each has an ending, and so has what it is just writing.
fn compiled(home: &Home) -> Vec<String> {
    let code = files(&home.path().join("cache/modules")).into_iter().filter(|path| path.extension().is_none());
    code.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// What a home has compiled that serves and was asked for nothing, once that is all.
fn compiled_by_serving(home: &Home) -> Vec<String> {
    let all = bundled("file-transfer").components().count();
    eventually("all that a transfer needs is compiled", || Some(compiled(home)).filter(|code| code.len() == all))
}

#[test]
fn a_node_that_serves_compiles_what_the_first_transfer_needs_before_anybody_asks() {
    let (alice, bob) = (cold("alice"), Home::new("bob"));
    let (serves, bob_serves) = (alice.serve(), bob.serve());
    let code = compiled_by_serving(&alice);
    introduce((&alice, Some(&serves), ""), (&bob, Some(&bob_serves), "list,read"));
    fs::write(bob.file("file"), "content").unwrap();
    alice.run(["get", "bob:file", "fetched"]).ok();
    assert_eq!(fs::read_to_string(alice.scratch().join("fetched")).unwrap(), "content");
    assert_eq!(compiled(&alice), code, "nothing was compiled for the transfer");
}

#[test]
fn the_node_of_a_command_compiles_only_what_it_is_asked_for() {
    let (alice, bob) = (cold("alice"), cold("bob"));
    install_puppet(&alice);
    // Nobody answers it: so long its node is there.
    let _waiting = alice.start(["message", "alice@main:puppet:test", "\"ignore\"", "--timeout", "10m"]);
    let asked_for = eventually("what it was asked for is compiled", || Some(compiled(&alice)).filter(|code| code.len() == 2));
    // Time enough for another, which began later, to compile what nobody asked for.
    let _serving = bob.serve();
    let all = compiled_by_serving(&bob);
    assert_eq!(compiled(&alice), asked_for);
    let of_the_puppet = asked_for.iter().filter(|code| !all.contains(code)).count();
    assert_eq!(of_the_puppet, 1, "the other is its manager's");
}

#[test]
fn what_was_compiled_at_one_start_is_taken_from_the_home_at_the_next() {
    let alice = cold("alice");
    let cache = alice.path().join("cache/modules");
    let serving = alice.serve();
    // The account says how often each piece of code was asked for.
    let uses = || -> Vec<u64> {
        let accounts = files(&cache).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "stats"));
        let texts = accounts.map(|path| fs::read_to_string(path).unwrap_or_default());
        texts.filter_map(|text| text.lines().find_map(|line| line.strip_prefix("usages = ")?.parse().ok())).collect()
    };
    let before_the_end = compiled_by_serving(&alice);
    assert_eq!(serving.stop("TERM").0.code(), Some(0));
    let before: u64 = uses().iter().sum();
    let _serving = alice.serve();
    eventually("it was asked for again", || (uses().iter().sum::<u64>() > before).then_some(()));
    assert_eq!(compiled(&alice), before_the_end, "nothing was compiled anew");
}

/// A component that wants to speak HTTP, which is a part of the system's interface for programs (WASI) that this node does not offer.
const WANTS_WASI: &str = r#"(component
    (type $types (instance (type $get (func (result string))) (export "get" (func (type $get)))))
    (import "wasi:http/types@0.2.0" (instance (type $types)))
)"#;

#[test]
fn a_component_that_wants_what_the_node_does_not_offer_is_refused_by_name_and_the_rest_runs() {
    let alice = Home::new("alice");
    let folder = alice.scratch();
    fs::write(folder.join("guest.wasm"), wat::parse_str(WANTS_WASI).unwrap()).unwrap();
    let manifest = "name = \"worldly\"\npublisher = \"test\"\nversion = \"0.1.0\"\n\n[components]\nguest = \"guest.wasm\"\n\n[[process]]\nname = \"main\"\ncomponent = \"guest\"\n";
    fs::write(folder.join("package.toml"), manifest).unwrap();
    let mut pack = Command::new(transship().with_file_name("transship-pack"));
    Outcome::of(pack.arg(&folder).arg("--out").arg(alice.path().join("packages/worldly.transship")), b"").ok();
    let serving = alice.serve();
    assert_eq!(alice.processes(), ["manager:file-transfer:transship"]);
    alice.run(["list"]).ok();
    let (_, said) = serving.stop("TERM");
    let line = said.lines().find(|line| line.contains("worldly:test")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("ERROR") && line.contains("main:worldly:test") && line.contains("wasi:http/types@0.2.0"), "{line}");
}
