//! Two ends of a wire that is slow and loses packets: network namespaces of this machine, each with a node in it.
//!
//! The delay and the loss are the kernel's own (`netem`). A kernel without that gets a wire of 100 Mbit/s with a short queue (`tbf`): it loses what a sender sends too fast, and delays the rest.
//! What always holds: the names are this test's alone, and dropping the wire takes everything away again.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Home, Serving};

/// One end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where alice is.
    Left,
    /// Where bob is.
    Right,
}

/// The wire. See the module.
pub struct Wire {
    name: String,
}

const LINK: &str = "wire";

impl Wire {
    /// Lays a wire.
    ///
    /// # Errors
    /// Why this machine does not let us.
    pub fn lay() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let wire = Self { name: format!("transship-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)) };
        let (left, right) = (wire.namespace(End::Left), wire.namespace(End::Right));
        for namespace in [&left, &right] {
            run(&["ip", "netns", "add", namespace])?;
            run(&["ip", "-n", namespace, "link", "set", "lo", "up"])?;
        }
        run(&["ip", "-n", &left, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", &right])?;
        for end in [End::Left, End::Right] {
            let namespace = wire.namespace(end);
            run(&["ip", "-n", &namespace, "address", "add", &format!("{}/24", end.address()), "dev", LINK])?;
            run(&["ip", "-n", &namespace, "link", "set", LINK, "up"])?;
            let qdisc = |words: &[&str]| run(&[&["tc", "-n", &namespace, "qdisc", "add", "dev", LINK, "root"], words].concat());
            qdisc(&["netem", "delay", "10ms", "loss", "1%"]).or_else(|_| qdisc(&["tbf", "rate", "100mbit", "burst", "32kb", "limit", "96kb"]))?;
        }
        Ok(wire)
    }

    fn namespace(&self, end: End) -> String {
        format!("{}-{}", self.name, if end == End::Left { "left" } else { "right" })
    }

    /// Starts a node at one end.
    pub fn serve(&self, home: &Home, end: End) -> Serving {
        home.serve_through(&["ip", "netns", "exec", &self.namespace(end)], &format!("{}:0", end.address()))
    }

    /// Makes the nodes at both ends know each other.
    pub fn introduce(&self, left: (&Home, &str), right: (&Home, &str)) {
        for ((home, allows), (peer, _), end) in [(left, right, End::Right), (right, left, End::Left)] {
            let ticket = peer.run(["ticket", "--host", end.address()]).ok().stdout;
            home.run(["peer", "add", ticket.trim(), "--allow", &format!("files={allows}")]).ok();
        }
    }

    /// Takes the wire down.
    pub fn cut(&self) {
        run(&["ip", "-n", &self.namespace(End::Left), "link", "set", LINK, "down"]).unwrap();
    }

    /// And up again.
    pub fn mend(&self) {
        run(&["ip", "-n", &self.namespace(End::Left), "link", "set", LINK, "up"]).unwrap();
    }
}

impl End {
    /// Its address on the wire.
    pub fn address(self) -> &'static str {
        if self == End::Left { "10.77.7.1" } else { "10.77.7.2" }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for end in [End::Left, End::Right] {
            // It may never have been made.
            drop(run(&["ip", "netns", "delete", &self.namespace(end)]));
        }
    }
}

fn run(command: &[&str]) -> Result<(), String> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(format!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr).trim())) }
}
