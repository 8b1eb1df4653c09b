//! Commands that are refused, and whether what they say is of use to a person and to a program.

use serde_json::Value;

use crate::{Home, Outcome};

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
    let hint = last["hint"].as_str().unwrap_or_else(|| panic!("nothing that says what to do next: {last}"));
    assert!(!message.is_empty() && !hint.is_empty(), "{last}");
    assert!(
        outcome.stderr.contains(&format!("error: {message}")) && outcome.stderr.contains(&format!("hint: {hint}")),
        "people are told the same: {}",
        outcome.stderr
    );
    last
}
