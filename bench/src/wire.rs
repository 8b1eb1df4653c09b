//! A wire with a rate, a delay and a loss, between two network namespaces of this machine.
//!
//! Where the kernel has `netem` it does all of it. Where not, a thread of ours carries packets between two TUN devices, one in each namespace: it drops some (the same ones every time: the draw begins with
//! the same seed), lets the rest through at the rate and after the delay, and drops what does not fit into the queue in front of the rate.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tun::Tun;

/// The ends.
pub(crate) const LEFT: Ipv4Addr = Ipv4Addr::new(10, 77, 8, 1);
pub(crate) const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 77, 8, 2);
/// What the names of our namespaces begin with; the process that made them follows.
const PREFIX: &str = "transship-bench-";
const MTU: usize = 1500;
/// The queue in front of the rate holds as much as passes in this time, beside what is on the wire.
const QUEUE: Duration = Duration::from_millis(100);

/// What a wire is like, in each direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nature {
    pub(crate) megabits: u64,
    pub(crate) delay: Duration,
    /// Of a thousand packets.
    pub(crate) lost: u64,
}

/// See the module. Dropping it takes everything away.
pub(crate) struct Wire {
    name: String,
    /// By whom the packets are carried, for the report.
    pub(crate) carrier: &'static str,
    _carrying: Option<tokio::runtime::Runtime>,
}

impl Wire {
    /// Lays a wire.
    pub(crate) fn lay(nature: Nature) -> anyhow::Result<Self> {
        sweep();
        let mut wire = Self { name: format!("{PREFIX}{}", std::process::id()), carrier: "netem", _carrying: None };
        for end in [LEFT, RIGHT] {
            run(&["ip", "netns", "add", &wire.namespace(end)])?;
            run(&["ip", "-n", &wire.namespace(end), "link", "set", "lo", "up"])?;
        }
        if wire.with_netem(nature).is_err() {
            // A half-made pair of devices would be in the way.
            drop(run(&["ip", "-n", &wire.namespace(LEFT), "link", "del", "wire"]));
            wire.carrier = "TUN devices and a thread";
            wire.with_tun(nature)?;
        }
        Ok(wire)
    }

    /// The command that becomes another one at an end.
    pub(crate) fn scene(&self, end: Ipv4Addr) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace(end)].map(str::to_owned).to_vec()
    }

    fn namespace(&self, end: Ipv4Addr) -> String {
        format!("{}-{}", self.name, if end == LEFT { "left" } else { "right" })
    }

    fn with_netem(&self, nature: Nature) -> anyhow::Result<()> {
        let (left, right) = (self.namespace(LEFT), self.namespace(RIGHT));
        run(&["ip", "-n", &left, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &right])?;
        let (delay, loss, rate) =
            (format!("{}us", nature.delay.as_micros()), format!("{}.{}%", nature.lost / 10, nature.lost % 10), format!("{}mbit", nature.megabits));
        let packets = (nature.megabits * 1_000_000 / 8 / MTU as u64 * (QUEUE + nature.delay).as_millis() as u64 / 1000).to_string();
        for end in [LEFT, RIGHT] {
            let namespace = self.namespace(end);
            run(&["ip", "-n", &namespace, "address", "add", &format!("{end}/24"), "dev", "wire"])?;
            run(&["ip", "-n", &namespace, "link", "set", "wire", "up"])?;
            run(&["tc", "-n", &namespace, "qdisc", "add", "dev", "wire", "root", "netem", "delay", &delay, "loss", &loss, "rate", &rate, "limit", &packets])?;
        }
        Ok(())
    }

    fn with_tun(&mut self, nature: Nature) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let _inside = runtime.enter();
        let mut devices = Vec::new();
        for (end, number) in [(LEFT, 0), (RIGHT, 1)] {
            let name = format!("tsb{}-{number}", std::process::id());
            let made = Tun::builder().name(&name).mtu(MTU as i32).build().map_err(|error| anyhow::anyhow!("no TUN device: {error}"))?;
            let device = made.into_iter().next().context("a TUN device")?;
            let namespace = self.namespace(end);
            run(&["ip", "link", "set", &name, "netns", &namespace])?;
            run(&["ip", "-n", &namespace, "address", "add", &format!("{end}/24"), "dev", &name])?;
            run(&["ip", "-n", &namespace, "link", "set", &name, "txqueuelen", "10000", "up"])?;
            devices.push(Arc::new(device));
        }
        let [left, right] = devices.as_slice() else { bail!("two devices") };
        for (from, to, seed) in [(left, right, 1), (right, left, 2)] {
            let line = Arc::new(Line::default());
            runtime.spawn(take(from.clone(), line.clone(), nature, seed));
            runtime.spawn(give(to.clone(), line));
        }
        self._carrying = Some(runtime);
        Ok(())
    }
}

/// What is on the wire, in one direction: when each packet arrives.
#[derive(Default)]
struct Line {
    packets: std::sync::Mutex<VecDeque<(Instant, Vec<u8>)>>,
    more: Notify,
}

impl Line {
    fn packets(&self) -> std::sync::MutexGuard<'_, VecDeque<(Instant, Vec<u8>)>> {
        self.packets.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Takes packets of one end and puts them on the wire.
async fn take(from: Arc<Tun>, line: Arc<Line>, nature: Nature, seed: u64) {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let per_byte = Duration::from_nanos(8_000 / nature.megabits.max(1));
    let mut free = Instant::now();
    let mut buffer = vec![0; MTU + 64];
    while let Ok(length) = from.recv(&mut buffer).await {
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        if random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32 < (nature.lost << 32) / 1000 {
            continue;
        }
        let now = Instant::now();
        let passed = free.max(now) + per_byte * u32::try_from(length).unwrap_or(0);
        if passed.saturating_duration_since(now) > QUEUE {
            continue;
        }
        free = passed;
        line.packets().push_back((passed + nature.delay, buffer.get(..length).unwrap_or_default().to_vec()));
        line.more.notify_one();
    }
}

/// Gives the other end what has arrived.
async fn give(to: Arc<Tun>, line: Arc<Line>) {
    loop {
        let due = line.packets().front().map(|(due, _)| *due);
        match due {
            None => line.more.notified().await,
            Some(due) if due > Instant::now() => tokio::time::sleep_until(due).await,
            Some(_) => {
                let packet = line.packets().pop_front();
                if let Some((_, packet)) = packet {
                    // One that the other end has no room for is lost.
                    drop(to.send(&packet).await);
                }
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(runtime) = self._carrying.take() {
            runtime.shutdown_background();
        }
        for end in [LEFT, RIGHT] {
            // It may never have been made.
            drop(run(&["ip", "netns", "delete", &self.namespace(end)]));
        }
    }
}

/// Takes away the namespaces of runs that were killed: they could not do it themselves.
fn sweep() {
    for entry in std::fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).map(str::to_owned);
        if owner.is_some_and(|pid| !std::path::Path::new("/proc").join(pid).exists()) {
            drop(run(&["ip", "netns", "delete", &name]));
        }
    }
}

fn run(command: &[&str]) -> anyhow::Result<()> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    let output = Command::new(program).args(arguments).output().with_context(|| (*program).to_owned())?;
    if output.status.success() { Ok(()) } else { bail!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr).trim()) }
}
