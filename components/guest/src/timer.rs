//! Timers and clocks.
//!
//! ```no_run
//! use std::time::Duration;
//! use transship_guest::prelude::*;
//! use transship_guest::timer::{self, Stopwatch};
//!
//! let watch = Stopwatch::start();
//! let reminder = timer::after(Duration::from_secs(60));
//! loop {
//!     match receive() {
//!         Message::Timer(number) if number == reminder => break info!("a minute has passed: {:?}", watch.elapsed()),
//!         _ => {}
//!     }
//! }
//! ```
//! `std::time::Instant` and `SystemTime` can't be asked for in a component without WASI; these can.

use std::time::{Duration, SystemTime};

use crate::bindings::transship::host::timer;

pub use crate::bindings::transship::host::timer::{cancel, random};

/// Sets a timer and returns its number: [`Message::Timer`](crate::message::Message::Timer) with that number comes when the time has passed.
#[must_use = "the number tells this timer from others"]
pub fn after(time: Duration) -> u64 {
    timer::set(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The time of day, by the node's clock.
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(timer::now())
}

/// The time of day, in milliseconds since 1970.
#[must_use]
pub fn unix_milliseconds() -> u64 {
    timer::now()
}

/// Measures time by a clock that only goes forward.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(u64);

impl Stopwatch {
    /// From now on.
    #[must_use]
    pub fn start() -> Self {
        Self(timer::monotonic())
    }

    /// Since then.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(timer::monotonic().saturating_sub(self.0))
    }
}
