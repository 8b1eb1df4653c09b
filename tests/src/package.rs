//! The package of the tests' own: a process that does what it is told.

use std::path::PathBuf;

use serde_json::Value;

use crate::Home;

/// The packed package, built by `just components`.
pub fn puppet() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    while folder.pop() {
        let path = folder.join("test-packages/puppet.transship");
        if path.exists() {
            return path;
        }
    }
    panic!("test-packages/puppet.transship is missing in the target folder: run `just components` first")
}

/// Puts the puppet into a home; the node finds it when it starts.
pub fn install_puppet(home: &Home) {
    std::fs::copy(puppet(), home.path().join("packages/puppet.transship")).unwrap();
}

/// Tells a home's own puppet `process` something and returns what came of it.
#[track_caller]
pub fn tell(home: &Home, process: &str, step: &Value) -> Value {
    home.message(&format!("{}@{process}:puppet:test", home.name()), step)
}
