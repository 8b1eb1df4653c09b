//! The time as the worker counts it.

use transship_guest::bindings::transship::host::timer;

/// Milliseconds of a clock that only goes forward.
pub(crate) fn now() -> u64 {
    timer::monotonic() / 1_000_000
}

/// The same in microseconds.
pub(crate) fn micros() -> u64 {
    timer::monotonic() / 1_000
}
