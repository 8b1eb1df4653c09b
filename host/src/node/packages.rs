//! The packages of a running node: loading them with what they depend on, stopping them, and replacing them while everything else runs on.
//!
//! What always holds: a process gets what its manifest asks for *and* the node's owner granted, and nothing else; a package runs only if all that it depends on is loaded, and what was loaded is replaced together with
//! all that depends on it; one damaged or ill-fitting package keeps neither the node nor the others from running. Changes are made one at a time. State and drives belong to names, so a
//! package that is replaced finds them again; a drive in memory is kept as long as the node runs and the manifest has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use transship_package::manifest::{Capabilities, Drive as DriveSpec, DriveKind, Manifest, OnExit as ManifestOnExit, Process as ProcessSpec};

use super::{NodeError, NodeInner, spawn};
use crate::capability::{Capability, Kind};
use crate::home::Home;
use crate::message::{Address, PackageId, ProcessId};
use crate::package::grants::PackageGrants;
use crate::package::ready::{self, ReadyComponent, ReadyError};
use crate::package::shelf::{Placed, Shelf};
use crate::process::run::OnExit;
use crate::process::{Asked, Birth};
use crate::rights::Rights;
use crate::vfs::Drive;

/// How long the processes of a package may take to end.
const END_WAIT: Duration = Duration::from_secs(5);

/// What a node tells of one of its packages.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageInfo {
    /// `NAME:PUBLISHER`.
    pub id: String,
    /// The digest of what is loaded; empty if nothing is.
    pub digest: String,
    /// Why it is not loaded although it should be.
    pub failed: Option<String>,
    /// It is going to be.
    #[serde(default)]
    pub loading: bool,
}

/// A package whose components can be started.
pub(crate) struct Loaded {
    manifest: Manifest,
    digest: String,
    grants: PackageGrants,
    pub(super) components: BTreeMap<String, ReadyComponent>,
    dependencies: Vec<PackageId>,
}

impl Loaded {
    /// The components of its own that it starts processes of by itself.
    pub(super) fn started(&self) -> impl Iterator<Item = (&str, &ReadyComponent)> {
        let names: BTreeSet<&str> = self.manifest.processes.iter().map(|process| process.component.as_str()).collect();
        names.into_iter().filter_map(|name| Some((name, self.components.get(name)?)))
    }
}

impl NodeInner {
    /// A component that processes of `package` may start: one of its own, or as `package:publisher/component` one of a package that it depends on. None: there is no such component.
    pub(crate) fn component(&self, package: &PackageId, name: &str) -> Option<ReadyComponent> {
        let loaded = self.package(package)?;
        let Some((other, component)) = name.split_once('/') else { return loaded.components.get(name).cloned() };
        let other: PackageId = other.parse().ok()?;
        if other == *package {
            return loaded.components.get(component).cloned();
        }
        loaded.dependencies.contains(&other).then(|| self.package(&other))??.components.get(component).cloned()
    }

    /// In words, why the engine can't run a component; what it says itself if nothing better is known.
    pub(crate) async fn explain(self: &Arc<Self>, package: &PackageId, component: &ReadyComponent, engine: String) -> String {
        let (home, package, bytes) = (self.home.clone(), package.clone(), component.bytes.clone());
        let explained = tokio::task::spawn_blocking(move || {
            let shelf = Shelf::read(&home).ok()?;
            let placed = shelf.find(&package.to_string())?;
            let dependencies: Vec<_> = ready::dependencies(&placed.package, &shelf).ok()?.into_iter().map(|placed| &placed.package).collect();
            let misfits = ready::misfits(&bytes, &dependencies, &shelf);
            (!misfits.is_empty()).then(|| misfits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        });
        explained.await.ok().flatten().unwrap_or(engine)
    }
}

/// Reads what there is. Blocks on the disk elsewhere.
async fn read_shelf(home: &Home) -> Result<Shelf, NodeError> {
    let home = home.clone();
    Ok(tokio::task::spawn_blocking(move || Shelf::read(&home)).await.map_err(|error| failed(&error))??)
}

fn failed(error: &dyn std::fmt::Display) -> NodeError {
    NodeError::Process { process: "packages".into(), why: error.to_string() }
}

pub(super) fn note_failure(node: &NodeInner, package: &PackageId, error: &NodeError) {
    tracing::error!("{package} is not loaded: {error}");
    node.failed.lock().insert(package.clone(), error.to_string());
}

pub(super) fn package_id(placed: &Placed) -> Result<PackageId, NodeError> {
    Ok(PackageId::new(&placed.package.manifest().name, &placed.package.manifest().publisher)?)
}

/// The wanted packages, each after those that it depends on. Those in a circle come last, where loading says what they lack.
pub(super) fn in_order(shelf: &Shelf, wanted: &[PackageId]) -> Vec<PackageId> {
    let mut ordered: Vec<PackageId> = Vec::new();
    let mut waiting: Vec<PackageId> = wanted.to_vec();
    while !waiting.is_empty() {
        let needs = |package: &PackageId, other: &PackageId| depends(shelf, package, other);
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiting.iter().cloned().partition(|package| !waiting.iter().any(|other| other != package && needs(package, other)));
        if ready.is_empty() {
            ordered.extend(rest);
            break;
        }
        ordered.extend(ready);
        waiting = rest;
    }
    ordered
}

pub(super) fn depends(shelf: &Shelf, package: &PackageId, on: &PackageId) -> bool {
    shelf.find(&package.to_string()).is_some_and(|placed| placed.package.manifest().dependencies.keys().any(|name| name.to_string() == on.to_string()))
}

/// The full names of the drives that the node of a home has when it runs, in order. What can't be read counts as not there, as when it runs.
pub fn drives_of(home: &Home) -> Vec<String> {
    let shelf = Shelf::read(home).unwrap_or_default();
    let mut drives: Vec<String> = shelf.packages.iter().filter(|placed| !placed.grants.stopped).flat_map(drives_in).collect();
    drives.sort();
    drives
}

/// The full names of the drives of a package.
pub(super) fn drives_in(placed: &Placed) -> Vec<String> {
    placed.package.manifest().drives.keys().map(|drive| format!("{}/{drive}", placed.id())).collect()
}

/// What is loaded, and what is not although it should be.
pub(super) fn infos(node: &NodeInner) -> Vec<PackageInfo> {
    let loaded = node.packages.read();
    let running = loaded.iter().map(|(id, loaded)| PackageInfo { id: id.to_string(), digest: loaded.digest.clone(), failed: None, loading: false });
    let failed = node.failed.lock();
    let failed = failed.iter().map(|(id, why)| PackageInfo { id: id.to_string(), digest: String::new(), failed: Some(why.clone()), loading: false });
    let loading = node.loading.packages();
    // Its processes are started one after the other: until the last it counts as being loaded.
    let loading_now = |info: &PackageInfo| loading.iter().any(|id| id.to_string() == info.id);
    let expected = loading.iter().map(|id| PackageInfo { id: id.to_string(), digest: String::new(), failed: None, loading: true });
    let mut all: Vec<PackageInfo> = running.chain(failed).filter(|info| !loading_now(info)).chain(expected).collect();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    all
}

/// Loads a package as it stands in the home now, in place of what is loaded of it, and starts its processes; so with all that depends on it.
pub(super) async fn start_package(node: &Arc<NodeInner>, package: &PackageId) -> Result<(), NodeError> {
    let shelf = read_shelf(&node.home).await?;
    let related = |other: &&PackageId| *other != package && (depends(&shelf, package, other) || depends(&shelf, other, package));
    for other in node.loading.packages().iter().filter(related) {
        node.loading.over(other).await;
    }
    let _changing = node.changing.lock().await;
    let shelf = Arc::new(read_shelf(&node.home).await?);
    if shelf.find(&package.to_string()).is_none() {
        return Err(NodeError::UnknownPackage(package.to_string()));
    }
    let mut again = vec![package.clone()];
    again.extend(dependants(node, package));
    // Those too that could not be loaded without it, or with what it was before.
    let failed: Vec<PackageId> = node.failed.lock().keys().filter(|failed| !again.contains(failed)).cloned().collect();
    for failed in in_order(&shelf, &failed) {
        if again.iter().any(|on| depends(&shelf, &failed, on)) {
            again.push(failed);
        }
    }
    let again = in_order(&shelf, &again);
    for package in again.iter().rev() {
        unload(node, package).await;
    }
    let mut result = Ok(());
    for next in &again {
        let wanted = next == package || shelf.find(&next.to_string()).is_some_and(|placed| !placed.grants.stopped);
        if wanted && let Err(error) = load(node, &shelf, next).await {
            note_failure(node, next, &error);
            if next == package {
                result = Err(error);
            }
        }
        node.loading.end(next);
    }
    node.ahead.look_again();
    result
}

/// Ends the processes of a package and forgets it. False: it is not loaded.
pub(super) async fn stop_package(node: &Arc<NodeInner>, package: &PackageId) -> Result<bool, NodeError> {
    let _changing = node.changing.lock().await;
    if let Some(by) = dependants(node, package).first() {
        return Err(NodeError::Needed { package: package.to_string(), by: by.to_string() });
    }
    node.failed.lock().remove(package);
    let awaited = node.loading.end(package);
    let was_there = awaited || node.package(package).is_some();
    unload(node, package).await;
    node.drives.lock().retain(|name, _| !name.starts_with(&format!("{package}/")));
    Ok(was_there)
}

/// What is loaded and depends on a package.
fn dependants(node: &NodeInner, package: &PackageId) -> Vec<PackageId> {
    let loaded = node.packages.read();
    let mut found = vec![package.clone()];
    let mut next = 0;
    while let Some(on) = found.get(next).cloned() {
        let more: BTreeSet<&PackageId> =
            loaded.iter().filter(|(id, loaded)| loaded.dependencies.contains(&on) && !found.contains(id)).map(|(id, _)| id).collect();
        found.extend(more.into_iter().cloned());
        next += 1;
    }
    found.split_off(1)
}

pub(super) async fn load(node: &Arc<NodeInner>, shelf: &Arc<Shelf>, package: &PackageId) -> Result<(), NodeError> {
    node.failed.lock().remove(package);
    let loaded = make_ready(node, shelf, package).await?;
    enter(node, shelf, package, loaded).await
}

/// Composes its components.
pub(super) async fn make_ready(node: &Arc<NodeInner>, shelf: &Arc<Shelf>, package: &PackageId) -> Result<Arc<Loaded>, NodeError> {
    let text = package.to_string();
    if package == ProcessId::of_client(0).package() {
        return Err(NodeError::Reserved(text));
    }
    let (found, cache, wanted) = (shelf.clone(), node.home.cache_path(), text.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let placed = found.find(&wanted).ok_or_else(|| NodeError::UnknownPackage(wanted.clone()))?;
        let dependencies = ready::dependencies(&placed.package, &found)?;
        let packages: Vec<_> = dependencies.iter().map(|placed| &placed.package).collect();
        let components = ready::components(&placed.package, &packages, &cache)?;
        let dependencies = dependencies.into_iter().map(package_id).collect::<Result<Vec<_>, _>>()?;
        let (manifest, digest) = (placed.package.manifest().clone(), placed.package.digest().to_owned());
        Ok::<_, NodeError>(Loaded { manifest, digest, grants: placed.grants.clone(), components, dependencies })
    });
    Ok(Arc::new(prepared.await.map_err(|error| failed(&error))??))
}

/// Makes a part of the node what was made ready, and starts its processes: all of them or none.
pub(super) async fn enter(node: &Arc<NodeInner>, shelf: &Shelf, package: &PackageId, loaded: Arc<Loaded>) -> Result<(), NodeError> {
    for dependency in &loaded.dependencies {
        if node.package(dependency).is_none() {
            let circle = depends(shelf, dependency, package);
            return Err(if circle { ReadyError::Circle(dependency.to_string()).into() } else { NodeError::NotLoaded(dependency.to_string()) });
        }
    }
    open_drives(node, package, &loaded.manifest)?;
    node.packages.write().insert(package.clone(), loaded.clone());
    for process in &loaded.manifest.processes {
        if let Err(error) = start(node, package, &loaded, process).await {
            unload(node, package).await;
            return Err(error);
        }
    }
    Ok(())
}

async fn unload(node: &Arc<NodeInner>, package: &PackageId) {
    // First, so that its processes start no more.
    let Some(loaded) = node.packages.write().remove(package) else { return };
    let deadline = tokio::time::Instant::now() + END_WAIT;
    loop {
        let running: Vec<_> = node.router.all().into_iter().filter(|process| process.id.package() == package).collect();
        if running.is_empty() {
            break;
        }
        for process in &running {
            process.stop.cancel();
        }
        for process in &running {
            if tokio::time::timeout_at(deadline, process.ended.cancelled()).await.is_err() {
                tracing::warn!(process = %process.id, "did not end in time");
                return;
            }
        }
    }
    for component in loaded.components.values() {
        node.engine.forget(&component.digest);
    }
}

fn full_name(package: &PackageId, drive: &str) -> String {
    format!("{package}/{drive}")
}

/// Opens the drives of a manifest. One in memory that is there already stays, with what it holds.
fn open_drives(node: &NodeInner, package: &PackageId, manifest: &Manifest) -> Result<(), NodeError> {
    let own = format!("{package}/");
    let known = |name: &str| name.strip_prefix(&own).is_none_or(|short| manifest.drives.contains_key(short));
    node.drives.lock().retain(|name, _| known(name));
    for (name, spec) in &manifest.drives {
        let full = full_name(package, name);
        let there = node.drives.lock().get(&full).cloned();
        let drive = open_drive(node, package, name, spec, there).map_err(|why| NodeError::Drive { drive: full.clone(), why })?;
        node.drives.lock().insert(full, drive);
    }
    Ok(())
}

fn open_drive(node: &NodeInner, package: &PackageId, name: &str, spec: &DriveSpec, there: Option<Drive>) -> Result<Drive, crate::vfs::VfsError> {
    let full = full_name(package, name);
    let settings = node.home.settings().drives.get(&full).cloned().unwrap_or_default();
    let memory = settings.memory.or(match spec.kind {
        DriveKind::Memory => spec.quota,
        DriveKind::Folder => None,
    });
    match (memory, there) {
        (Some(quota), Some(there)) if there.memory_quota() == Some(quota) => Ok(there),
        (Some(quota), _) => Ok(Drive::memory(&full, quota)),
        (None, _) => Drive::folder_created(&full, &settings.folder.unwrap_or_else(|| node.home.drive_path(package, name))),
    }
}

/// Starts a process that a loaded package names. False: none does.
pub(super) async fn run(node: &Arc<NodeInner>, process: &ProcessId) -> Result<bool, NodeError> {
    node.loading.over(process.package()).await;
    let Some(loaded) = node.package(process.package()) else { return Ok(false) };
    let Some(spec) = loaded.manifest.processes.iter().find(|spec| spec.name == process.process()) else { return Ok(false) };
    start(node, process.package(), &loaded, spec).await?;
    Ok(true)
}

/// Starts a script of a loaded package, under a name of its own. None: there is no such script.
pub(super) async fn start_script(node: &Arc<NodeInner>, package: &PackageId, script: &str) -> Result<Option<Address>, NodeError> {
    node.loading.over(package).await;
    let Some(loaded) = node.package(package) else { return Ok(None) };
    let Some(spec) = loaded.manifest.scripts.get(script) else { return Ok(None) };
    let id = ProcessId::new(&format!("{}-{}", script.get(..40).unwrap_or(script), node.next_name.fetch_add(1, std::sync::atomic::Ordering::Relaxed)), package)?;
    let asked = Asked::new(format!("[scripts.{script}.capabilities]"), &spec.capabilities, loaded.grants.of(script));
    let held = held(node, package, &spec.capabilities.granted(asked.granted()))?;
    let birth = Birth {
        id,
        parent: None,
        component: spec.component.clone(),
        public: false,
        owner: false,
        held,
        memory_limit: spec.memory_limit,
        asked: Some(Arc::new(asked)),
    };
    born(node, package, birth, OnExit::None).await.map(Some)
}

async fn start(node: &Arc<NodeInner>, package: &PackageId, loaded: &Loaded, spec: &ProcessSpec) -> Result<(), NodeError> {
    let asked = Asked::new(format!("[process.capabilities] of process '{}'", spec.name), &spec.capabilities, loaded.grants.of(&spec.name));
    let held = held(node, package, &spec.capabilities.granted(asked.granted()))?;
    let birth = Birth {
        id: ProcessId::new(&spec.name, package)?,
        parent: None,
        component: spec.component.clone(),
        public: spec.public,
        owner: false,
        held,
        memory_limit: spec.memory_limit,
        asked: Some(Arc::new(asked)),
    };
    let on_exit = match spec.on_exit {
        ManifestOnExit::None => OnExit::None,
        ManifestOnExit::Restart => OnExit::Restart,
    };
    born(node, package, birth, on_exit).await.map(drop)
}

async fn born(node: &Arc<NodeInner>, package: &PackageId, birth: Birth, on_exit: OnExit) -> Result<Address, NodeError> {
    let process = birth.id.to_string();
    spawn::start(node, package, birth, on_exit).await.map_err(|why| NodeError::Process { process, why: why.to_string() })
}

/// What was granted, as capabilities.
fn held(node: &NodeInner, package: &PackageId, granted: &Capabilities) -> Result<Vec<Capability>, NodeError> {
    let mut held = Vec::new();
    if granted.network {
        held.push(Kind::Network);
    }
    if granted.spawning {
        held.push(Kind::Spawning);
    }
    for (name, rights) in &granted.drives {
        let drive = node.drives.lock().get(&full_name(package, name)).cloned();
        if let Some(drive) = drive {
            held.push(Kind::Drive { drive, rights: Rights { list: rights.list, read: rights.read, write: rights.write } });
        }
    }
    for process in &granted.messaging {
        held.push(Kind::Messaging(process.to_string().parse()?));
    }
    Ok(held.into_iter().map(Capability::granted).collect())
}
