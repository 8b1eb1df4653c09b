//! Lines in the node's log, with the macros [`trace!`](crate::trace), [`debug!`](crate::debug), [`info!`](crate::info), [`warn!`](crate::warn) and [`error!`](crate::error).
//!
//! ```
//! use transship_guest::info;
//! let files = 3;
//! info!("{files} files are there");
//! ```
//! Outside a node (in native tests) the lines go nowhere.

use std::fmt;

pub use crate::bindings::transship::host::log::Level;

/// Writes a line. The macros are shorter.
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    if cfg!(target_arch = "wasm32") {
        crate::bindings::transship::host::log::log(level, &line.to_string());
    }
}

/// Logs at the level `trace`: every step.
#[macro_export]
macro_rules! trace { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Trace, format_args!($($line)*)) }; }
/// Logs at the level `debug`: for finding a fault.
#[macro_export]
macro_rules! debug { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Debug, format_args!($($line)*)) }; }
/// Logs at the level `info`: what happened.
#[macro_export]
macro_rules! info { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Info, format_args!($($line)*)) }; }
/// Logs at the level `warn`: something is wrong and was dealt with.
#[macro_export]
macro_rules! warn { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Warn, format_args!($($line)*)) }; }
/// Logs at the level `error`: something is wrong and was not dealt with.
#[macro_export]
macro_rules! error { ($($line:tt)*) => { $crate::log::write($crate::log::Level::Error, format_args!($($line)*)) }; }
