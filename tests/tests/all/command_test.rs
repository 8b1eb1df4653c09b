//! `transship test`: a package's own tests, on nodes of their own.

use std::path::PathBuf;

use serde_json::json;
use transship_tests::Home;
use transship_tests::package::puppet;

const MANIFEST: &str = r#"
name = "tested"
publisher = "test"
version = "1.0.0"
[components]
puppet = "puppet.wasm"
[scripts.test]
component = "puppet"
"#;

fn folder(home: &Home, tests: &str) -> PathBuf {
    let folder = home.scratch().join("tested");
    std::fs::create_dir_all(&folder).unwrap();
    let package = transship::package::Package::read(&puppet()).unwrap();
    std::fs::write(folder.join("puppet.wasm"), package.component("puppet").unwrap()).unwrap();
    std::fs::write(folder.join("package.toml"), MANIFEST).unwrap();
    std::fs::write(folder.join("tests.toml"), tests).unwrap();
    folder
}

#[test]
fn each_test_passes_or_fails_with_the_place_the_reason_and_what_the_nodes_said() {
    let here = Home::new("here");
    let tests = "nodes = 2\ntimeout = \"30s\"\n
        [[test]]\nname = \"good\"\n
        [[test]]\nname = \"bad\"\narguments = [\"fail-at\", \"once\"]\nnode = \"bob\"\n
        [[test]]\nname = \"ends\"\narguments = [\"end\"]\n
        [[test]]\nname = \"late\"\narguments = [\"wait\"]\ntimeout = \"1s\"\n
        [[test]]\nname = \"lost\"\nscript = \"nothing\"\n";
    let folder = folder(&here, tests);
    let outcome = here.run(["test", folder.to_str().unwrap()]).code(1);
    for said in [
        "test good ... ok (",
        "test bad ... FAILED (",
        "\n  src/lib.rs:7: fail-at once\n",
        "test ends ... FAILED (",
        "\n  it ended without a result\n",
        "alice | ",
        "ended: told to",
        "\n  no result within 1.0 s\n",
        "has a script 'nothing'",
        "1 passed, 4 failed",
    ] {
        assert!(outcome.stdout.contains(said), "{said:?}: {}", outcome.stdout);
    }
    let json = here.run(["--json", "test", folder.to_str().unwrap(), "--filter", "o"]).code(1).json();
    assert_eq!(json[0], json!({"event": "test", "name": "good", "passed": true, "failure": null}));
    assert_eq!(json.last().unwrap()["passed"], 1);
}

#[test]
fn a_plan_that_is_wrong_or_missing_is_said_so() {
    let here = Home::new("here");
    let one = folder(&here, "run = \"one-process\"\nnodes = [\"north\", \"south\"]\n[[test]]\nname = \"good\"\n");
    assert!(here.run(["test", one.to_str().unwrap()]).ok().stdout.contains("1 passed, 0 failed"));
    here.run(["test", one.to_str().unwrap(), "--filter", "nothing"]).code(3).says("no test has a name like that");
    std::fs::write(one.join("tests.toml"), "[[test]]\nname = \"a\"\nnode = \"bob\"\n").unwrap();
    here.run(["test", one.to_str().unwrap()]).code(2).says("there is no node 'bob'");
    std::fs::write(one.join("tests.toml"), "[[test]]\nname = \"a\"\npackage = \"other\"\n").unwrap();
    assert!(here.run(["test", one.to_str().unwrap()]).code(1).stdout.contains("names no package 'other'"));
    std::fs::remove_file(one.join("tests.toml")).unwrap();
    here.run(["test", one.to_str().unwrap()]).code(3).says("tests.toml is not there");
}
