//! The small benchmarks: what a transfer is made of inside a node, each by itself, in one process and with criterion (`just bench small`).
//!
//! - `disk`: digests of what is in memory, looking into a folder and at a file
//! - `links`: a message and a chunk from one node's links to another's, over loopback
//! - `processes`: messages and spawns of processes in a node that is embedded here
//!
//! What always holds: everything goes through the library's public interface, as a program does that embeds a node; what is not measured (a node, folders) is made when the first benchmark needs
//! it, so that one alone starts at once. What goes wrong ends the program. The large benchmarks, of whole processes, are in `bench/src`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "whoever measures sees what went wrong")]

mod disk;
mod links;
mod processes;

use std::time::Duration;

use criterion::Criterion;
use tempfile::TempDir;

/// How long each runs before it is measured, how long it is, and in how many parts.
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(3);
const SAMPLES: usize = 50;
/// What a transfer asks for at a time.
const CHUNK: usize = 1 << 20;

fn main() {
    let settings = Criterion::default().without_plots().warm_up_time(WARM_UP).measurement_time(MEASURED).sample_size(SAMPLES);
    let mut criterion = settings.configure_from_args();
    disk::run(&mut criterion);
    links::run(&mut criterion);
    processes::run(&mut criterion);
    criterion.final_summary();
}

/// A folder that goes when it is dropped, on the disk that the target folder is on.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// What a chunk holds: not all of it the same.
fn chunk() -> Vec<u8> {
    (0..CHUNK).map(|place| (place ^ (place >> 9)) as u8).collect()
}
