//! State that survives the end of the process and of the node: one value, kept as JSON.
//!
//! ```no_run
//! use transship_guest::keep;
//!
//! let runs: u64 = keep::load()?.unwrap_or(0);
//! keep::save(&(runs + 1))?;
//! # Ok::<(), keep::KeepError>(())
//! ```

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::bindings::transship::host::state;
pub use crate::bindings::transship::host::state::{StateError, clear};

/// Why a value could not be kept or read.
#[derive(Debug)]
pub enum KeepError {
    /// The node could not.
    State(StateError),
    /// What was kept is of another shape, or the value has no JSON form.
    Json(serde_json::Error),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(StateError::TooLarge) => f.write_str("the state is larger than 16 MiB"),
            Self::State(StateError::NoSpace) => f.write_str("the node's disk is full"),
            Self::State(StateError::Io(text)) => write!(f, "the state can't be kept: {text}"),
            Self::Json(error) => write!(f, "the state is of another shape: {error}"),
        }
    }
}

impl std::error::Error for KeepError {}

/// What [`save`] kept last, if anything.
///
/// # Errors
/// [`KeepError::State`] if the node can't read it, [`KeepError::Json`] if it is not a `T`.
pub fn load<T: DeserializeOwned>() -> Result<Option<T>, KeepError> {
    state::get().map_err(KeepError::State)?.map(|bytes| serde_json::from_slice(&bytes)).transpose().map_err(KeepError::Json)
}

/// Keeps a value in place of the last; it is on stable storage when this returns.
///
/// # Errors
/// [`KeepError::State`] if the node can't keep it.
pub fn save<T: Serialize>(value: &T) -> Result<(), KeepError> {
    state::set(&serde_json::to_vec(value).map_err(KeepError::Json)?).map_err(KeepError::State)
}
