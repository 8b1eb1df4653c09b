//! Components are made ready before anybody asks for them, so that the first process of each is started as quickly as all others: for nodes that run long.
//!
//! A thread of its own compiles, one after the other, what the running packages hold and no process was made of yet; it begins when the node listens, if the program asked for it
//! ([`NodeOptions::prepare_ahead`](super::NodeOptions::prepare_ahead)), and looks again whenever packages were loaded. What always holds: nobody waits for the thread, at the node's end neither; while packages are being
//! loaded, which others wait for, it begins nothing; a component that is asked for meanwhile is compiled once ([`Engine::prepare`]). What fails is only a line of the log here: whoever starts a process of it is told.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use super::NodeInner;
use crate::engine::Engine;
use crate::package::ready::ReadyComponent;

/// Whether a node does this, and how its thread is woken.
pub(super) struct Ahead {
    wanted: bool,
    /// To the thread, once there is one. It ends when this is gone.
    wake: OnceLock<Sender<()>>,
}

impl Ahead {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, wake: OnceLock::new() }
    }

    /// There may be more to do. Does not wait.
    pub(super) fn look_again(&self) {
        if let Some(wake) = self.wake.get() {
            // If the thread is gone, a component is compiled when it is asked for.
            let _ = wake.send(());
        }
    }
}

/// Begins, if the node is to do this and has not begun yet.
pub(super) fn begin(node: &Arc<NodeInner>) {
    let (wake, woken) = channel();
    if !node.ahead.wanted || node.ahead.wake.set(wake).is_err() {
        return;
    }
    // Not one of the runtime's, which is waited for when the program ends; and it does not keep the node.
    let weak = Arc::downgrade(node);
    match std::thread::Builder::new().name("ahead".into()).spawn(move || work(&weak, &woken)) {
        Ok(_) => node.ahead.look_again(),
        Err(error) => tracing::debug!(%error, "nothing is compiled before it is asked for"),
    }
}

fn work(node: &Weak<NodeInner>, woken: &Receiver<()>) {
    let mut failed = HashSet::new();
    while woken.recv().is_ok() {
        while let Some(next) = node.upgrade().and_then(|node| next(&node, &failed)) {
            make_ready(node, next, &mut failed);
        }
    }
}

/// What to make ready.
struct Next {
    engine: Engine,
    /// In full.
    name: String,
    component: ReadyComponent,
}

fn make_ready(node: &Weak<NodeInner>, next: Next, failed: &mut HashSet<String>) {
    let Next { engine, name, component } = next;
    let begun = Instant::now();
    match engine.prepare(&name, &component.digest, &component.bytes) {
        Ok(_) => tracing::debug!("{name} was made ready before it was asked for, in {} ms", begun.elapsed().as_millis()),
        Err(error) => {
            tracing::debug!("{name} was not made ready before it was asked for: {error}");
            failed.insert(component.digest.clone());
        }
    }
    // Its package may have ended meanwhile, and then nobody else forgets it.
    if !node.upgrade().is_some_and(|node| holds(&node, &component.digest)) {
        engine.forget(&component.digest);
    }
}

/// The smallest first: it is soonest done, and an interpreter takes as long as all others together.
fn next(node: &NodeInner, failed: &HashSet<String>) -> Option<Next> {
    if node.ending.is_cancelled() || !node.loading.packages().is_empty() {
        return None;
    }
    let packages = node.packages.read();
    let components = packages.iter().flat_map(|(package, loaded)| loaded.components.iter().map(move |(name, component)| (package, name, component)));
    let lacking = components.filter(|(package, name, component)| {
        let native = node.natives.find(package, name).is_some();
        !native && !failed.contains(&component.digest) && node.engine.prepared(&component.digest).is_none()
    });
    let (package, name, component) = lacking.min_by_key(|(.., component)| component.bytes.len())?;
    Some(Next { engine: node.engine.clone(), name: format!("{package}/{name}"), component: component.clone() })
}

/// Whether a running package has this component.
fn holds(node: &NodeInner, digest: &str) -> bool {
    node.packages.read().values().any(|loaded| loaded.components.values().any(|component| component.digest == digest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::home::Home;
    use crate::native::Natives;
    use crate::node::{Node, NodeOptions};

    const MANAGER: &str = "manager";
    const WORKER: &str = "worker";

    /// A node that listens, with the package that the program carries.
    async fn listening(options: NodeOptions) -> (Node, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("home"), "alice").unwrap();
        let node = Node::start(&home, options).await.unwrap();
        node.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        (node, folder)
    }

    fn ready(node: &Node, component: &str) -> bool {
        let component = node.inner.component(&"file-transfer:transship".parse().unwrap(), component).unwrap();
        node.inner.engine.prepared(&component.digest).is_some()
    }

    async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
        tokio::time::timeout(Duration::from_secs(60), async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect(what);
    }

    #[tokio::test]
    async fn what_no_process_was_made_of_is_made_ready_if_the_program_wants_it() {
        let (node, _folder) = listening(NodeOptions { prepare_ahead: true, ..NodeOptions::default() }).await;
        eventually("the worker is ready", || ready(&node, WORKER)).await;
        node.shutdown().await;
    }

    #[tokio::test]
    async fn what_is_loaded_again_is_made_ready_again() {
        let (node, _folder) = listening(NodeOptions { prepare_ahead: true, ..NodeOptions::default() }).await;
        eventually("the worker is ready", || ready(&node, WORKER)).await;
        let package = "file-transfer:transship".parse().unwrap();
        assert!(node.stop_package(&package).await.unwrap());
        node.start_package(&package).await.unwrap();
        eventually("the worker is ready again", || ready(&node, WORKER)).await;
        node.shutdown().await;
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_package_that_ended_while_its_component_was_compiled() {
        let (node, _folder) = listening(NodeOptions::default()).await;
        let (next, mut failed) = (next(&node.inner, &HashSet::new()).unwrap(), HashSet::new());
        let (engine, digest) = (next.engine.clone(), next.component.digest.clone());
        assert!(node.stop_package(&"file-transfer:transship".parse().unwrap()).await.unwrap());
        make_ready(&Arc::downgrade(&node.inner), next, &mut failed);
        assert!(engine.prepared(&digest).is_none() && failed.is_empty());
        node.shutdown().await;
    }

    #[tokio::test]
    async fn by_default_nothing_begins() {
        let (node, _folder) = listening(NodeOptions::default()).await;
        assert!(node.inner.ahead.wake.get().is_none());
        assert!(ready(&node, MANAGER) && !ready(&node, WORKER));
        node.shutdown().await;
    }

    #[tokio::test]
    async fn what_native_code_stands_in_for_is_not_compiled() {
        let natives = Natives::default().with("file-transfer:transship/worker", |_, _| Box::pin(async { Ok(()) }));
        let (node, _folder) = listening(NodeOptions { prepare_ahead: true, natives, ..NodeOptions::default() }).await;
        assert!(node.inner.ahead.wake.get().is_some());
        assert!(next(&node.inner, &HashSet::new()).is_none());
        node.shutdown().await;
    }
}
