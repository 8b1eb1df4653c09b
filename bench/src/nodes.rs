//! Real nodes, each a process with a home of its own, on loopback.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use transship_tests::machine::{forget_peak, memory};
use transship_tests::{Home, Serving, introduce};

use crate::machine::timed;

/// A node that serves.
pub(crate) struct Node {
    pub(crate) home: Home,
    pub(crate) serving: Serving,
    /// Resident memory before anything was asked of it.
    base: u64,
}

impl Node {
    /// A new node, its folder in this one; `scene` is a command that sets the scene and then becomes the node.
    pub(crate) fn start(folder: &Path, name: &str, scene: &[&str]) -> Self {
        Self::serve(Home::new_in(folder, name), scene)
    }

    /// A new node of another build.
    pub(crate) fn of(binary: &Path, folder: &Path, name: &str) -> Self {
        Self::serve(Home::of(binary, folder, name), &[])
    }

    /// Starts the node of a home.
    pub(crate) fn serve(home: Home, scene: &[&str]) -> Self {
        // Once for the cache of compiled code, which a node fills in the background: a compiler's memory is not the node's.
        let first = home.serve_through(scene, "127.0.0.1:0");
        rest(first.pid());
        drop(first);
        let serving = home.serve_through(scene, "127.0.0.1:0");
        home.run(["ps"]).ok();
        forget_peak(serving.pid());
        let base = memory(serving.pid(), "VmRSS");
        Self { home, serving, base }
    }

    /// Runs a command of this node to its end.
    pub(crate) fn timed(&self, arguments: &[&str]) -> anyhow::Result<Duration> {
        timed(&mut self.command(arguments))
    }

    /// A command of this node.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.home.command(arguments)
    }

    /// What the most memory was since it served, what it was then, and the difference, in MiB.
    pub(crate) fn memory(&self) -> Value {
        let mib = |bytes: u64| (bytes as f64 / 1048576.0 * 10.0).round() / 10.0;
        let peak = memory(self.serving.pid(), "VmHWM");
        serde_json::json!({"peak_mib": mib(peak), "at_start_mib": mib(self.base), "more_mib": mib(peak.saturating_sub(self.base))})
    }
}

/// Waits until a node has nothing to do any more, for half a minute at most.
fn rest(pid: u32) {
    let mut before = None;
    for _ in 0..100 {
        let now = crate::machine::processor_time(pid).ok();
        if before == Some(now) {
            return;
        }
        before = Some(now);
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Makes two nodes know each other: `receiver` may list and read what `sender` has.
pub(crate) fn acquaint(receiver: &Node, sender: &Node) {
    introduce((&receiver.home, Some(&receiver.serving), ""), (&sender.home, Some(&sender.serving), "list,read"));
}

/// Offers a file that is there already, without copying it.
pub(crate) fn offer(node: &Node, file: &Path) -> anyhow::Result<String> {
    let name = file.file_name().and_then(|name| name.to_str()).context("a file has a name")?.to_owned();
    std::fs::hard_link(file, node.home.file(&name)).with_context(|| format!("{}", file.display()))?;
    Ok(name)
}
