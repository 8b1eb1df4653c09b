//! A process that uses Rust's standard library as on any other system: each request is a JSON array, `["what", argument]`, its response says what came of it.
//!
//! It is built for targets that have WASI, and knows nothing of the SDK: what others bring along is like this.

// Elsewhere there is nothing that it could be exported to.
#![cfg(target_arch = "wasm32")]

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

#[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic, clippy::restriction, rust_2018_idioms)]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/host", world: "transship:host/process" });
}

use bindings::transship::host::messaging::{Message, Response, receive, send_response};
use bindings::transship::host::standard::Address;

struct Visitor;

impl bindings::Guest for Visitor {
    fn init(_: Address) -> Result<(), String> {
        loop {
            let Message::Request(received) = receive() else { continue };
            let answer = match serde_json::from_slice::<(String, Value)>(&received.request.body) {
                Ok((what, argument)) => visit(&what, &argument),
                Err(error) => json!({"error": error.to_string()}),
            };
            let response = Response { inherit: false, body: answer.to_string().into_bytes(), metadata: None, blob: None, capabilities: Vec::new() };
            send_response(response).map_err(|error| format!("{error:?}"))?;
        }
    }
}

fn visit(what: &str, argument: &Value) -> Value {
    let (text, number) = (argument.as_str().unwrap_or_default(), argument.as_u64().unwrap_or_default());
    match what {
        "clock" => json!(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())),
        // The state of a hash map's hasher is random.
        "random" => json!(std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), number)),
        "print" => said(std::io::stdout(), text),
        "complain" => said(std::io::stderr(), text),
        "environment" => json!({"variables": std::env::vars().count(), "arguments": std::env::args().count()}),
        "input" => outcome(std::io::read_to_string(std::io::stdin())),
        "read" => outcome(std::fs::read_to_string(text)),
        "write" => outcome(std::fs::write(text, "content").map(|()| "written".into())),
        "list" => outcome(std::fs::read_dir(text).map(|entries| entries.count().to_string())),
        "connect" => outcome(std::net::TcpStream::connect(text).map(|_| "connected".into())),
        "bind" => outcome(std::net::UdpSocket::bind(text).map(|_| "bound".into())),
        "sleep" => {
            let start = Instant::now();
            std::thread::sleep(Duration::from_millis(number));
            json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX))
        }
        "exit" => std::process::exit(i32::try_from(number).unwrap_or(1)),
        other => json!({"error": format!("there is no {other}")}),
    }
}

/// Without a line break at the end: what is said may be part of a line.
fn said(mut out: impl Write, text: &str) -> Value {
    outcome(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map(|()| "said".into()))
}

fn outcome(result: std::io::Result<String>) -> Value {
    match result {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"err": error.to_string()}),
    }
}

#[allow(unsafe_code, missing_docs)]
mod entry {
    use super::{Visitor, bindings};
    bindings::export!(Visitor with_types_in bindings);
}
