//! The entry of a process, its parent and its children.
//!
//! ```no_run
//! use transship_guest::process::{OnExit, Spawn};
//!
//! let child = Spawn::component("worker").on_exit(OnExit::Restart).spawn()?;
//! # Ok::<(), transship_guest::process::SpawnError>(())
//! ```

use crate::address::Address;
use crate::message::Capability;

pub use crate::bindings::transship::host::processes::{ExitRequest, OnExit, SpawnError, SpawnOptions, children, exit, kill, parent, running};

/// A process to start: by default under a name that the node makes up, without capabilities, for its own package only, and nothing happens when it ends.
#[derive(Debug)]
pub struct Spawn(SpawnOptions);

impl Spawn {
    /// Of one of this package's components, or `package:publisher/component`.
    pub fn component(name: impl Into<String>) -> Self {
        Self(SpawnOptions { name: None, component: name.into(), on_exit: OnExit::None, capabilities: Vec::new(), public: false })
    }

    /// Under this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// What happens when it ends.
    #[must_use]
    pub fn on_exit(mut self, what: OnExit) -> Self {
        self.0.on_exit = what;
        self
    }

    /// Grants a capability that this process holds.
    #[must_use]
    pub fn grant(mut self, capability: Capability) -> Self {
        self.0.capabilities.push(capability);
        self
    }

    /// Any process of the node, and of nodes that may, can send it requests.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.0.public = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn(self) -> Result<Address, SpawnError> {
        crate::bindings::transship::host::processes::spawn(self.0)
    }
}

/// Makes a panic say in the log what happened and where, before the process traps. [`process!`](crate::process!) does this.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| crate::error!("{panic}")));
}

/// Makes a function the entry of the process: `fn(Address) -> Result<(), E>`, where `E` is anything that can be printed. The process ends when it returns.
///
/// ```
/// use transship_guest::prelude::*;
///
/// transship_guest::process!(init);
///
/// fn init(our: Address) -> Result<(), String> {
///     info!("{our} has nothing to do");
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! process {
    ($init:path) => {
        #[doc(hidden)]
        struct TransshipProcess;

        // Outside wasm nothing is exported, and yet all that hangs on the entry is in use.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> TransshipProcess = || TransshipProcess;

        impl $crate::bindings::Guest for TransshipProcess {
            fn init(our: $crate::address::Address) -> ::core::result::Result<(), ::std::string::String> {
                $crate::process::log_panics();
                $init(our).map_err(|error| ::std::string::ToString::to_string(&error))
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        mod transship_process_entry {
            use super::TransshipProcess;
            $crate::bindings::export!(TransshipProcess with_types_in $crate::bindings);
        }
    };
}
