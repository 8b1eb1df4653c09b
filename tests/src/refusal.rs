//! Commands that are refused, and whether what they say is of use to a person and to a program.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Home, Outcome, Serving, pair};

/// Runs a command with `--json` that has to fail like this.
///
/// # Panics
/// If it does not fail, fails otherwise, or does not say `words`.
#[track_caller]
pub fn refused(home: &Home, arguments: &[&str], code: i32, name: &str, words: &[&str]) -> Value {
    check(home.run(["--json"].iter().chain(arguments)), code, name, words)
}

/// Checks the end of a command that ran with `--json`: the exit code, the error's name for programs, what happened to what, and what to do next. Returns the object.
///
/// # Panics
/// If something is missing.
#[track_caller]
pub fn check(outcome: Outcome, code: i32, name: &str, words: &[&str]) -> Value {
    let outcome = outcome.code(code);
    let last = outcome.json().pop().unwrap_or_else(|| panic!("no object on standard output; standard error:\n{}", outcome.stderr));
    assert_eq!((&last["event"], &last["error"], &last["code"]), (&"failed".into(), &name.into(), &code.into()), "{last}");
    let message = last["message"].as_str().unwrap_or_else(|| panic!("no message: {last}"));
    for word in words {
        assert!(message.contains(word), "nothing about {word:?} in: {message}");
    }
    // Some messages name the command to type next themselves.
    let hint = last["hint"].as_str().map_or(String::new(), |hint| format!("\nhint: {hint}"));
    assert!(!hint.is_empty() || message.contains("`transship "), "nothing that says what to do next: {last}");
    assert!(outcome.stderr.contains(&format!("error: {message}{hint}\n")), "people are told the same: {}", outcome.stderr);
    last
}

/// Alice, who may do everything with the files of bob.
pub fn trusted() -> ((Home, Serving), (Home, Serving)) {
    pair("", "list,read,write")
}

/// A small file of alice's own, to send.
pub fn something(alice: &Home) -> String {
    let path = alice.scratch().join("something");
    std::fs::write(&path, "some content").unwrap();
    path.to_str().unwrap().to_owned()
}

/// Everything in a folder, hidden or not.
///
/// # Panics
/// If there is no folder.
pub fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Where alice wants things to arrive: an empty folder.
pub fn arrivals(alice: &Home) -> PathBuf {
    let folder = alice.scratch().join("arrivals");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
