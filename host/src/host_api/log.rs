//! `log`. Lines of guests carry the target `process` and the field `process`.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::Level as Importance;

use super::Guest;
use super::bindings::transship::host::log::{Host, Level};
use crate::message::ProcessId;

/// The most bytes of a line that are kept.
pub(super) const MAX_LINE: usize = 8 << 10;
/// The most lines of one process in a second.
const MAX_LINES: u32 = 1000;

/// Keeps a process from filling the log.
#[derive(Debug, Default)]
struct Throttle {
    since: Option<Instant>,
    lines: u32,
    lost: u64,
}

impl Throttle {
    /// Whether one more line may be written at `now`, and how many were lost before it.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1)) {
            self.since = Some(now);
            self.lines = 0;
        }
        if self.lines >= MAX_LINES {
            self.lost += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.lost))
    }
}

/// The lines of one run of a process, whichever interface they come through.
#[derive(Debug)]
pub(super) struct Lines {
    process: ProcessId,
    throttle: Mutex<Throttle>,
}

impl Lines {
    pub(super) fn new(process: ProcessId) -> Self {
        Self { process, throttle: Mutex::default() }
    }

    /// Writes a line, or as much of it as is kept.
    pub(super) fn write(&self, level: Importance, line: &str) {
        let Some(lost) = self.throttle.lock().pass(Instant::now()) else { return };
        let process = &self.process;
        if lost > 0 {
            tracing::warn!(target: "process", %process, "{lost} lines were lost: it writes more than {MAX_LINES} a second");
        }
        let mut end = line.len().min(MAX_LINE);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = line.get(..end).unwrap_or_default();
        match level {
            Importance::TRACE => tracing::trace!(target: "process", %process, "{line}"),
            Importance::DEBUG => tracing::debug!(target: "process", %process, "{line}"),
            Importance::INFO => tracing::info!(target: "process", %process, "{line}"),
            Importance::WARN => tracing::warn!(target: "process", %process, "{line}"),
            Importance::ERROR => tracing::error!(target: "process", %process, "{line}"),
        }
    }
}

impl Host for Guest {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.busy_epochs = 0;
        let level = match level {
            Level::Trace => Importance::TRACE,
            Level::Debug => Importance::DEBUG,
            Level::Info => Importance::INFO,
            Level::Warn => Importance::WARN,
            Level::Error => Importance::ERROR,
        };
        self.lines.write(level, &message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_floods_the_log_loses_lines_and_the_log_says_how_many() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        assert!((0..MAX_LINES).all(|_| throttle.pass(start) == Some(0)));
        assert_eq!([throttle.pass(start), throttle.pass(start)], [None, None]);
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), Some(2));
    }
}
