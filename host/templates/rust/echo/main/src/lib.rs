//! Gives back what it is sent, and counts, also over a restart of the node.

use serde::Serialize;
use serde_json::Value;
use transship_guest::keep;
use transship_guest::prelude::*;

transship_guest::process!(init);

/// What is sent back.
#[derive(Serialize)]
struct Echo {
    echo: Value,
    /// The first request was 1.
    number: u64,
}

fn init(our: Address) -> Result<(), String> {
    let mut number = keep::load().map_err(|error| error.to_string())?.unwrap_or(0);
    info!("{our} has answered {number} requests");
    // Every request is any JSON; what is none is answered with an error by `serve_with`.
    serve_with(|body: Value, asked| {
        number += 1;
        keep::save(&number)?;
        // Bytes in bulk go back as they came, without passing through this process.
        if let Some(blob) = asked.take_blob() {
            asked.attach(blob);
        }
        Ok::<_, keep::KeepError>(Echo { echo: body, number })
    })
}
