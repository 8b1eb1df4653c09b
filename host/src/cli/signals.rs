//! Ctrl-C, the request to end, and the terminal that is closed.
//!
//! One task counts them for the whole process, from the first [`Interrupts::listen`] on; then they no longer end the process by themselves.

use std::sync::OnceLock;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::error::{CliError, Kind};

static COUNT: OnceLock<watch::Receiver<u32>> = OnceLock::new();

/// SIGINT, SIGTERM and SIGHUP, from when it is made.
#[derive(Debug)]
pub(crate) struct Interrupts {
    count: watch::Receiver<u32>,
}

impl Interrupts {
    pub(crate) fn listen() -> Result<Self, CliError> {
        let mut count = match COUNT.get() {
            Some(count) => count.clone(),
            None => {
                let count = start()?;
                COUNT.get_or_init(|| count).clone()
            }
        };
        count.mark_unchanged();
        Ok(Self { count })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        if self.count.changed().await.is_err() {
            // The runtime ends, and nobody counts any more.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until there have been so many in the life of this process.
    pub(crate) async fn in_all(&mut self, many: u32) {
        if self.count.wait_for(|count| *count >= many).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How many there have been in the life of this process.
    pub(crate) fn so_far(&self) -> u32 {
        *self.count.borrow()
    }
}

/// Does something that Ctrl-C ends.
pub(crate) async fn until_interrupted<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        result = work => result,
        () = interrupts.next() => Err(CliError::new(Kind::Interrupted, "stopped")),
    }
}

fn start() -> Result<watch::Receiver<u32>, CliError> {
    let listen = |kind| signal(kind).map_err(|error| CliError::new(Kind::Other, format!("signals can't be received: {error}")));
    // Whoever says `nohup` wants to go on.
    let keeps_on = is_ignored(SignalKind::hangup());
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = if keeps_on { None } else { Some(listen(SignalKind::hangup())?) };
    let (sender, count) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = receive(&mut hangup) => {}
            }
            sender.send_modify(|count| *count += 1);
        }
    });
    Ok(count)
}

async fn receive(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process was started with the signal ignored. Where the system does not say, it was not.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}
