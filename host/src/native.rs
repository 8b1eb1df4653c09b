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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::interfaces::messaging::{Host as _, Message, Response};
    use super::interfaces::vfs::{Host as _, VfsError};
    use super::*;
    use crate::home::Home;
    use crate::message::{Address, Content};
    use crate::node::{Node, NodeOptions};

    /// Answers every request with its body and with what it was given to use.
    async fn answer(mut state: ProcessState, our: interfaces::standard::Address) -> Result<(), String> {
        let trapped = |error: Error| error.to_string();
        loop {
            let Message::Request(asked) = state.receive().await.map_err(trapped)? else { continue };
            let own = state.open_drive("files".into()).await.map_err(trapped)?.is_ok();
            let other = state.open_drive("other:package/files".into()).await.map_err(trapped)?;
            let other = matches!(other, Err(VfsError::Denied(_)));
            let body = format!("{}: {}, own drive: {own}, others denied: {other}", our.process.process_name, String::from_utf8_lossy(&asked.request.body));
            let response = Response { inherit: false, body: body.into_bytes(), metadata: None, blob: None, capabilities: Vec::new() };
            state.send_response(response).await.map_err(trapped)?.map_err(|error| format!("{error:?}"))?;
        }
    }

    async fn ask(natives: Natives) -> String {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("home"), "alice").unwrap();
        let _lock = home.lock().unwrap();
        let node = Node::start(&home, NodeOptions { natives, ..NodeOptions::default() }).await.unwrap();
        let manager = Address::new("alice", "manager:file-transfer:transship".parse().unwrap()).unwrap();
        let content = Content { body: "hello".into(), ..Content::default() };
        let (_, answer) = node.client().request(&manager, content, Duration::from_secs(30)).await.unwrap();
        node.shutdown().await;
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn native_code_is_the_process_that_the_component_would_be_and_may_do_the_same() {
        let natives = Natives::default().with("file-transfer:transship/manager", |state, our| Box::pin(answer(state, our)));
        assert_eq!(ask(natives).await, "manager: hello, own drive: true, others denied: true");
    }

    #[tokio::test]
    async fn native_code_that_fails_ends_as_a_component_does_and_is_restarted_if_the_manifest_says_so() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        let natives = Natives::default().with("file-transfer:transship/manager", move |state, our| match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Box::pin(async { Err("on purpose".to_owned()) }),
            _ => Box::pin(answer(state, our)),
        });
        assert!(ask(natives).await.starts_with("manager: hello"));
        assert_eq!(starts.load(Ordering::Relaxed), 2);
    }
}
