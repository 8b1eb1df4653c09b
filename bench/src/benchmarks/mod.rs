//! What is measured.

mod entries;
mod file;
mod link;
mod many;
mod messages;
mod sandbox;
mod start;
mod tree;

use crate::Settings;
use crate::report::Table;

/// One benchmark.
pub(crate) struct Benchmark {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// A line about it.
    pub(crate) about: &'static str,
    /// Runs it. What this machine does not allow is said in the tables, and is no error.
    pub(crate) run: fn(&Settings) -> anyhow::Result<Vec<Table>>,
}

/// All of them.
pub(crate) const BENCHMARKS: &[Benchmark] = &[
    Benchmark { name: "file", about: "one large file over loopback, against others and the floor", run: file::run },
    Benchmark { name: "tree", about: "10,000 files of 4 KiB in nested folders over loopback", run: tree::run },
    Benchmark { name: "entries", about: "a tree of very many tiny files (--files): time and memory of listing, moving, finding equal", run: entries::run },
    Benchmark { name: "link", about: "one file through a link with delay and loss (network namespaces)", run: link::run },
    Benchmark { name: "many", about: "1, 8, 64 and 1,000 transfers at once between two nodes", run: many::run },
    Benchmark { name: "messages", about: "messages between processes and nodes, spawns, 10,000 processes", run: messages::run },
    Benchmark { name: "sandbox", about: "one large file with the workers in the sandbox, and as native code (the double)", run: sandbox::run },
    Benchmark { name: "start", about: "the start of a node and of a command; the size of the binary", run: start::run },
];
