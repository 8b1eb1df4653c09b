//! The puppet as a script: it says what it was told, and fails, or ends without an answer, if it was told to.

use serde_json::json;
use transship_guest::message::ReceivedRequest;
use transship_guest::prelude::*;
use transship_guest::process::exit;

/// Does what `transship script` wants.
pub(crate) fn run(our: &Address, asked: &ReceivedRequest, arguments: &[String]) {
    let words = arguments.join(" ");
    let told = Request::to(&asked.source).json(&format!("{} was told {} things", our.process.package_name, arguments.len()));
    drop(told.map(Request::send));
    match arguments.first().map(String::as_str) {
        Some("fail") => drop(respond_json(&json!({ "err": words }))),
        Some("fail-at") => drop(respond_json(&json!({ "err": { "file": "src/lib.rs", "line": 7, "message": words } }))),
        Some("end") => exit(Err("told to")),
        Some("wait") => {}
        _ => drop(respond_json(&words)),
    }
}
