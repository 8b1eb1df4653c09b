//! docs/guide.md, followed to the letter: every command in it is run, in the order in which it stands there.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use transship_tests::machine::{can, skipped};
use transship_tests::newcomer::{Language, compiled, one_at_a_time};
use transship_tests::{Outcome, eventually, transship};

/// The blocks of commands, each with what stands after `sh`.
fn blocks() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide.md")).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(how) = line.strip_prefix("```sh") {
            let commands: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((how.trim().to_owned(), commands.join("\n")));
        }
    }
    blocks
}

fn shell(folder: &Path, commands: &str) -> Command {
    let path = std::env::join_paths([transship().parent().unwrap().to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(folder)
        .env("PATH", path.unwrap())
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("TRANSSHIP_HOME")
        .env_remove("CARGO_TARGET_DIR");
    command
}

/// Ended with the test, in good order.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        transship_tests::machine::signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_follows_it_gets_there() {
    if !can(&["cargo-component", "--version"]) {
        return skipped("the guide", "cargo-component is not installed");
    }
    let _one = one_at_a_time(Language::Rust);
    let folder = tempfile::tempdir().unwrap();
    let mut background = Vec::new();
    for (how, commands) in blocks() {
        // What the sources of others are compiled to is kept where all tests have it; to the commands it is in the package's folder.
        let package = folder.path().join("fetcher");
        if package.is_dir() && !package.join("target").exists() {
            std::os::unix::fs::symlink(compiled(), package.join("target")).unwrap();
        }
        match how.as_str() {
            "" => drop(Outcome::of(&mut shell(folder.path(), &commands), b"").ok()),
            "background" => {
                let log = std::fs::File::create(folder.path().join("background.log")).unwrap();
                let mut command = shell(folder.path(), &format!("exec {commands}"));
                let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
                background.push(Background(child));
                eventually("the nodes have the package", || {
                    let said = std::fs::read_to_string(folder.path().join("background.log")).unwrap();
                    said.contains("runs on 2 nodes").then_some(())
                });
            }
            "eventually" => eventually(&commands, || Outcome::of(&mut shell(folder.path(), &commands), b"").code.filter(|code| *code == 0).map(drop)),
            other => panic!("sh {other}"),
        }
    }
    assert!(blocks().len() > 6 && !background.is_empty());
}
