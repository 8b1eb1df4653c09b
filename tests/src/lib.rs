//! Real nodes for tests: each a process of its own, with a home of its own, on loopback.
//!
//! [`Home`] is a node's folder and runs the `transship` command in it; [`Serving`] is the node itself, ended when it is dropped. What always holds: every process that is started here is waited for, every
//! wait has a deadline, and nothing is left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod command;
mod content;
pub mod fake_sender;
pub mod fake_worker;
pub mod guests;
mod home;
pub mod kinds;
pub mod machine;
pub mod newcomer;
pub mod package;
mod proxy;
pub mod raw_peer;
pub mod refusal;
pub mod resuming;
mod running;
pub mod siege;
pub mod terminal;
pub mod transfer;
pub mod tree;
pub mod wire;

pub use command::{Outcome, transship};
pub use content::{blake3_of, differ, random_bytes, random_file, sha256_hex, sha256_of, sparse_file, write_random};
pub use home::{Home, Serving, introduce, pair, pair_in};
pub use proxy::{Direction, Proxy};
pub use running::Running;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take that is expected to happen soon.
pub const SOON: Duration = Duration::from_secs(60);

/// Does something again and again, in a thread of its own, while something else is done.
pub fn meanwhile<T>(mut again: impl FnMut() + Send, done: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    // Also if what is done panics: otherwise the other would go on for ever.
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                again();
            }
        });
        let _over = Over(&over);
        done()
    })
}

/// Waits until something is so, asking again and again. For what has no event of its own to wait for.
///
/// # Panics
/// If it is not so in time.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never happened that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
