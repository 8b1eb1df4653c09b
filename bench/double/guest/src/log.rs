//! Lines in the node's log, with the macros [`debug!`](crate::debug), [`info!`](crate::info) and [`warn!`](crate::warn).

use std::fmt;

use transship::native::interfaces::log::Host;
pub use transship::native::interfaces::log::Level;

/// Writes a line. The macros are shorter.
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    host!(Host::log, level, line.to_string());
}

/// Logs at the level `debug`: for finding a fault.
#[macro_export]
macro_rules! debug { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Debug, format_args!($($line)*)) }; }
/// Logs at the level `info`: what happened.
#[macro_export]
macro_rules! info { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Info, format_args!($($line)*)) }; }
/// Logs at the level `warn`: something is wrong and was dealt with.
#[macro_export]
macro_rules! warn { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Warn, format_args!($($line)*)) }; }
