//! Native code in the place of a component, for a program that embeds a node.
//!
//! [`NodeOptions::natives`](crate::node::NodeOptions::natives) says which components. Whenever a process of one of them is started, by a manifest or by another process, the program's own function runs instead, as that process:
//! with its name, its mailbox, its drives and capabilities, its limits of handles, and its end. It calls the node through the same implementations of the same [`interfaces`] that a component's calls end in, so it may do what the
//! component might, and no more, as far as it calls the node. What kept a component in bounds otherwise is not there: it is the program's own code, which may use memory and compute as the program may.
//!
//! The interfaces are generated: traits of [`ProcessState`] with a method for each function of WIT. An error of theirs that is no variant of WIT is one that ends a component's process: whoever gets one returns.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

pub use wasmtime::Error;
pub use wasmtime::component::Resource;

pub use crate::host_api::{Guest as ProcessState, interfaces};
use crate::message::PackageId;

/// What a process does, from its start to its end. Dropping it ends the process.
pub type Running = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Starts a process: what a component's `init` is. It gets the process's state, and its address.
pub type Init = dyn Fn(ProcessState, interfaces::standard::Address) -> Running + Send + Sync;

/// Which components native code stands in for: none, by default.
#[derive(Clone, Default)]
pub struct Natives(HashMap<String, Arc<Init>>);

impl Natives {
    /// With `init` in the place of a component, which is named `package:publisher/component`.
    #[must_use]
    pub fn with(mut self, component: impl Into<String>, init: impl Fn(ProcessState, interfaces::standard::Address) -> Running + Send + Sync + 'static) -> Self {
        self.0.insert(component.into(), Arc::new(init));
        self
    }

    /// What stands in for a component, as a process of `package` names it.
    pub(crate) fn find(&self, package: &PackageId, component: &str) -> Option<Arc<Init>> {
        if self.0.is_empty() {
            return None;
        }
        if component.contains('/') { self.0.get(component).cloned() } else { self.0.get(&format!("{package}/{component}")).cloned() }
    }
}

impl fmt::Debug for Natives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
