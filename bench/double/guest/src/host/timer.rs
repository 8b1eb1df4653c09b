//! `timer`.

use transship::native::interfaces::timer::Host;

/// Makes a message come after so many milliseconds, and returns its number.
pub fn set(milliseconds: u64) -> u64 {
    host!(Host::set, milliseconds)
}

/// Makes it not come. False: it has come.
pub fn cancel(timer: u64) -> bool {
    host!(Host::cancel, timer)
}

/// Nanoseconds of a clock that only goes forward.
#[must_use]
pub fn monotonic() -> u64 {
    host!(Host::monotonic)
}
