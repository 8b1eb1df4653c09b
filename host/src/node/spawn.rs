//! Starting processes: the node's own when a package is loaded, and children at a process's wish.
//!
//! What always holds: a child holds only what its parent holds; a name is taken by one process at a time; no more processes run than the limit says, a spawn beyond it waits a while and is then refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::NodeInner;
use crate::capability::{Capability, Kind};
use crate::host_api::{Guest, ProcessPre};
use crate::message::{Address, PackageId, ProcessId};
use crate::package::ready::ReadyComponent;
use crate::process::run::{self, Code, OnExit};
use crate::process::{Birth, Need, Process};

/// How long a spawn waits for a place.
const PLACE_WAIT: Duration = Duration::from_secs(5);

/// A child as its parent wants it.
pub(crate) struct Wanted {
    pub(crate) name: Option<String>,
    pub(crate) component: String,
    pub(crate) on_exit: OnExit,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) public: bool,
}

/// Why a process was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpawnRefusal {
    #[error("denied: {0}")]
    Denied(String),
    #[error("no such component: {0}")]
    NoSuchComponent(String),
    #[error("a process named {0} is running")]
    NameTaken(String),
    #[error("{0}")]
    InvalidName(String),
    #[error("{0}")]
    Limit(String),
    #[error("{0}")]
    Failed(String),
}

/// Starts a child of `parent`.
pub(crate) async fn spawn_child(node: &Arc<NodeInner>, parent: &Arc<Process>, wanted: Wanted) -> Result<Address, SpawnRefusal> {
    if !parent.holds(|kind| matches!(kind, Kind::Spawning)) {
        return Err(SpawnRefusal::Denied(parent.lacks(Need::Spawning)));
    }
    if parent.children.lock().len() >= node.limits.children as usize {
        return Err(SpawnRefusal::Limit(format!("a process has at most {} children", node.limits.children)));
    }
    if let Some(ended) = wanted.capabilities.iter().find(|capability| !capability.valid()) {
        return Err(SpawnRefusal::Denied(format!("a capability to be granted has been revoked: {:?}", ended.kind())));
    }
    let package = parent.id.package();
    let name = match wanted.name {
        Some(name) => name,
        None => format!("{}-{}", wanted.component.rsplit('/').next().unwrap_or("process"), node.next_name.fetch_add(1, Ordering::Relaxed)),
    };
    let id = ProcessId::new(&name, package).map_err(|error| SpawnRefusal::InvalidName(error.to_string()))?;
    let held = wanted.capabilities.iter().map(|capability| capability.passed_on(&parent.id)).collect();
    let birth = Birth {
        id,
        parent: Some(parent.id.clone()),
        component: wanted.component,
        public: wanted.public,
        owner: false,
        held,
        memory_limit: parent.memory_limit,
        asked: None,
    };
    start(node, package, birth, wanted.on_exit).await
}

/// Compiles a component, or finds it compiled on the disk.
async fn prepare(node: &Arc<NodeInner>, package: &PackageId, name: &str, component: &ReadyComponent) -> Result<ProcessPre<Guest>, SpawnRefusal> {
    let (engine, name, wanted) = (node.engine.clone(), name.to_owned(), component.clone());
    let prepared = tokio::task::spawn_blocking(move || engine.prepare(&name, &wanted.digest, &wanted.bytes)).await;
    match prepared.map_err(|error| SpawnRefusal::Failed(error.to_string()))? {
        Ok(prepared) => Ok(prepared),
        Err(error) => Err(SpawnRefusal::Failed(node.explain(package, component, error.to_string()).await)),
    }
}

/// Starts a process of `package` and waits until it is instantiated.
pub(crate) async fn start(node: &Arc<NodeInner>, package: &PackageId, birth: Birth, on_exit: OnExit) -> Result<Address, SpawnRefusal> {
    let component = node.component(package, &birth.component).ok_or_else(|| SpawnRefusal::NoSuchComponent(birth.component.clone()))?;
    let code = match (node.natives.find(package, &birth.component), node.engine.prepared(&component.digest)) {
        (Some(native), _) => Code::Native(native),
        (None, Some(prepared)) => Code::Component(prepared),
        (None, None) => Code::Component(prepare(node, package, &birth.component, &component).await?),
    };
    let slot = match tokio::time::timeout(PLACE_WAIT, node.places.clone().acquire_owned()).await {
        Ok(Ok(slot)) => slot,
        Ok(Err(_)) => return Err(SpawnRefusal::Limit("the node is ending".into())),
        Err(_) => return Err(SpawnRefusal::Limit(format!("{} processes are running, as many as this node may run", node.limits.processes))),
    };
    let id = birth.id.clone();
    let address = node.router.address_of(&id);
    let parent = birth.parent.as_ref().and_then(|parent| node.router.find(parent));
    let process = Arc::new(Process::new(birth, &node.limits));
    if !node.router.enter(&process) {
        return Err(SpawnRefusal::NameTaken(id.to_string()));
    }
    if let Some(parent) = &parent {
        parent.children.lock().insert(id.clone());
        // The parent may have ended meanwhile: then nobody else ends this child.
        if parent.stop.is_cancelled() {
            process.stop.cancel();
        }
    }
    let (ready, instantiated) = oneshot::channel();
    node.tasks.spawn(run::run(node.clone(), process, code, on_exit, ready, slot));
    match instantiated.await {
        Ok(Ok(())) => Ok(address),
        Ok(Err(why)) => Err(SpawnRefusal::Failed(why)),
        Err(_) => Err(SpawnRefusal::Failed("it was ended before it started".into())),
    }
}
