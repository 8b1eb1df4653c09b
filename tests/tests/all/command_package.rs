//! `transship package`: what a package asks for is shown, and nothing of it is in the node before somebody has said yes.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use transship_tests::Home;
use transship_tests::machine::{can, skipped};
use transship_tests::package::{puppet, tell};
use transship_tests::terminal::on_terminal;
use transship_tests::transfer::names_in;

const FILE_TRANSFER: &str = "file-transfer:transship";

fn listed(home: &Home) -> Vec<(String, Value)> {
    let lines = home.run(["--json", "package", "list"]).ok().json();
    lines.into_iter().map(|line| (line["id"].as_str().unwrap().to_owned(), line["path"].clone())).collect()
}

fn file() -> String {
    puppet().to_str().unwrap().to_owned()
}

fn installed(home: &Home) -> PathBuf {
    home.path().join("packages/puppet_test.transship")
}

#[test]
fn a_package_is_installed_with_its_owners_yes_runs_and_is_removed() {
    let alice = Home::new("alice");
    assert_eq!(listed(&alice), [(FILE_TRANSFER.to_owned(), Value::Null)]);
    let refused = alice.run(["package", "install", &file()]).code(4);
    for asked in ["puppet:test", "process main", "asks for network", "asks for spawning", "drives.files=write", "drive small: in memory"] {
        assert!(refused.stderr.contains(asked), "{asked}: {}", refused.stderr);
    }
    assert_eq!(names_in(&alice.path().join("packages")), Vec::<String>::new());
    alice.run(["package", "install", &file(), "--grant"]).ok();
    assert_eq!(listed(&alice), [(FILE_TRANSFER.to_owned(), Value::Null), ("puppet:test".into(), json!(installed(&alice)))]);
    let again = alice.run_json(["package", "install", &file()]).ok().event("installed");
    assert_eq!(again["changed"], false, "nothing new is asked for");
    let serving = alice.serve();
    assert_eq!(tell(&alice, "main", &json!({"echo": "x"}))["text"], "x");
    let removed = alice.run(["package", "remove", "puppet"]).ok();
    assert!(removed.stdout.contains("what it kept stays"), "{}", removed.stdout);
    alice.run(["message", "main:puppet:test", r#"{"echo":"x"}"#]).code(3);
    drop(serving);
    assert_eq!(listed(&alice).len(), 1);
}

#[test]
fn what_a_package_is_and_asks_for_is_shown_of_a_file_and_of_one_that_is_there() {
    let alice = Home::new("alice");
    let of_file = alice.run(["--json", "package", "show", &file()]).ok().json().remove(0);
    assert_eq!((&of_file["id"], &of_file["drives"]), (&json!("puppet:test"), &json!(["files", "small"])));
    let main = &of_file["processes"][0];
    assert_eq!((&main["name"], &main["restart"], &main["public"]), (&json!("main"), &json!(true), &json!(true)));
    assert!(main["asks_for"].as_array().unwrap().contains(&json!("drives.files=write")), "{main}");
    let own = alice.run(["package", "show", "file-transfer"]).ok().stdout;
    assert!(own.starts_with("file-transfer:transship ") && own.contains("granted  network"), "{own}");
}

#[test]
fn what_is_no_package_and_what_is_not_there_is_said_so_and_changes_nothing() {
    let alice = Home::new("alice");
    let mut bytes = std::fs::read(puppet()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(alice.scratch().join("damaged.transship"), &bytes).unwrap();
    std::fs::write(alice.scratch().join("text.transship"), "hello").unwrap();
    for name in ["./damaged.transship", "./text.transship"] {
        alice.run_json(["package", "show", name]).fails("not-a-package", 6);
        alice.run_json(["package", "install", name, "--grant"]).fails("not-a-package", 6);
    }
    alice.run(["package", "install", "./nothing.transship"]).code(3).says("./nothing.transship");
    // A name that leads out of the home is none.
    alice.run(["package", "remove", "../..:x", "--purge"]).code(3);
    alice.run_json(["package", "show", "nobody"]).fails("unknown-package", 3);
    alice.run_json(["package", "remove", "nobody"]).fails("unknown-package", 3);
    alice.run_json(["package", "remove", "file-transfer"]).fails("denied", 4);
    assert_eq!(names_in(&alice.path().join("packages")), Vec::<String>::new());
    // One that was put there by other means and is none is left out, and said to be.
    std::fs::write(installed(&alice), "hello").unwrap();
    let outcome = alice.run(["package", "list"]).ok().says("not a transship package");
    assert!(outcome.stdout.contains(FILE_TRANSFER), "{}", outcome.stdout);
}

#[test]
fn whoever_sits_at_a_terminal_is_asked() {
    if !can(&["script", "-qec", "true", "/dev/null"]) {
        return skipped("the question at a terminal", "there is no command 'script' that makes one");
    }
    let alice = Home::new("alice");
    for (answer, code) in [("n\n", 4), ("\n", 4), ("s\ny\nn\ny\nn\nn\nn\nn\nn\n", 0), ("y\n", 0)] {
        let mut child = on_terminal(&alice, &format!("package install '{}'", file())).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{answer:?}: {said}");
        assert!(said.contains("[y/N/s]") && said.contains("asks for network"), "{said}");
        assert_eq!(installed(&alice).exists(), code == 0, "{answer:?}");
        let show = alice.run(["package", "show", "puppet"]).stdout;
        // Asked one by one, in the order in which they are shown.
        assert_eq!(
            show.matches("granted  ").count(),
            if answer.starts_with('s') {
                2
            } else if code == 0 {
                8
            } else {
                0
            },
            "{answer:?}: {show}"
        );
    }
}
