//! The process `main`.

use transship_guest::prelude::*;

transship_guest::process!(init);

/// Runs from the start of the process to its end. `our` is its own address.
fn init(our: Address) -> Result<(), String> {
    info!("{our} is running");
    loop {
        // The next message. Until there is one the process sleeps.
        match receive() {
            Message::Request(asked) => {
                info!("{} says {}", asked.source, String::from_utf8_lossy(&asked.request.body));
                if asked.expects_response() {
                    respond_json("hello").map_err(|error| error.to_string())?;
                }
            }
            other => info!("this came too: {other:?}"),
        }
    }
}
