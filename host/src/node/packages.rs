//! Loading packages: from the program itself and from the home.
//!
//! A package's processes get what its manifest asks for. Who puts a package into the home (or runs a program that carries it) grants it that: the folder is the owner's alone.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use transship_package::Package;
use transship_package::manifest::{Drive as DriveSpec, DriveKind, OnExit as ManifestOnExit, Process as ProcessSpec};

use super::{NodeError, NodeInner, spawn};
use crate::capability::{Capability, Kind};
use crate::home::Home;
use crate::message::{PackageId, ProcessId};
use crate::package::installed;
use crate::process::Birth;
use crate::process::run::OnExit;
use crate::rights::Rights;
use crate::vfs::Drive;

/// A component of a loaded package.
#[derive(Clone)]
pub(crate) struct LoadedComponent {
    /// The digest of the content.
    pub(crate) digest: String,
    pub(crate) bytes: Bytes,
}

/// A package whose components can be started.
pub(crate) struct Loaded {
    components: HashMap<String, LoadedComponent>,
    processes: Vec<ProcessSpec>,
}

impl Loaded {
    pub(crate) fn component(&self, name: &str) -> Option<LoadedComponent> {
        self.components.get(name).cloned()
    }
}

/// Loads what the program carries and what the home holds, and starts the processes.
pub(super) async fn load_all(node: &Arc<NodeInner>) -> Result<(), NodeError> {
    for (_, bytes) in crate::package::bundled() {
        load(node, &Package::from_bytes(bytes)?).await?;
    }
    for path in installed(&node.home.packages_path()) {
        // One damaged package does not keep the node from starting.
        let loaded = match Package::read(&path) {
            Ok(package) => load(node, &package).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = loaded {
            tracing::error!("{} is not loaded: {error}", path.display());
        }
    }
    Ok(())
}

/// The full names of the drives that the node of a home has when it runs, in order. What can't be read counts as not there, as when it runs.
pub fn drives_of(home: &Home) -> Vec<String> {
    let bundled = crate::package::bundled().iter().map(|(_, bytes)| Package::from_bytes(bytes));
    let packages = bundled.chain(installed(&home.packages_path()).into_iter().map(|path| Package::read(&path)));
    let names = |package: Package| {
        let manifest = package.manifest();
        let id = format!("{}:{}", manifest.name, manifest.publisher);
        manifest.drives.keys().map(|drive| format!("{id}/{drive}")).collect::<Vec<_>>()
    };
    let mut drives: Vec<String> = packages.flatten().flat_map(names).collect();
    drives.sort();
    drives
}

async fn load(node: &Arc<NodeInner>, package: &Package) -> Result<(), NodeError> {
    let manifest = package.manifest();
    let id = PackageId::new(&manifest.name, &manifest.publisher)?;
    let components = package
        .components()
        .map(|(name, bytes)| {
            // One component of one package: the digest of the package and the name say which.
            let digest = format!("{}/{name}", package.digest());
            (name.to_owned(), LoadedComponent { digest, bytes: Bytes::copy_from_slice(bytes) })
        })
        .collect();
    node.packages.write().insert(id.clone(), Arc::new(Loaded { components, processes: manifest.processes.clone() }));
    for (name, spec) in &manifest.drives {
        open_drive(node, &id, name, spec)?;
    }
    for process in &manifest.processes {
        start(node, &id, process).await?;
    }
    Ok(())
}

fn full_name(package: &PackageId, drive: &str) -> String {
    format!("{package}/{drive}")
}

fn open_drive(node: &NodeInner, package: &PackageId, name: &str, spec: &DriveSpec) -> Result<(), NodeError> {
    let full = full_name(package, name);
    let settings = node.home.settings().drives.get(&full).cloned().unwrap_or_default();
    let memory = settings.memory.or(match spec.kind {
        DriveKind::Memory => spec.quota,
        DriveKind::Folder => None,
    });
    let drive = match memory {
        Some(quota) => Ok(Drive::memory(&full, quota)),
        None => Drive::folder_created(&full, &settings.folder.unwrap_or_else(|| node.home.drive_path(package, name))),
    };
    let drive = drive.map_err(|why| NodeError::Drive { drive: full.clone(), why })?;
    node.drives.lock().insert(full, drive);
    Ok(())
}

/// Starts a process that a loaded package names. False: none does.
pub(super) async fn run(node: &Arc<NodeInner>, process: &ProcessId) -> Result<bool, NodeError> {
    let Some(loaded) = node.package(process.package()) else { return Ok(false) };
    let Some(spec) = loaded.processes.iter().find(|spec| spec.name == process.process()) else { return Ok(false) };
    start(node, process.package(), spec).await?;
    Ok(true)
}

async fn start(node: &Arc<NodeInner>, package: &PackageId, spec: &ProcessSpec) -> Result<(), NodeError> {
    let id = ProcessId::new(&spec.name, package)?;
    let mut held = Vec::new();
    if spec.capabilities.network {
        held.push(Kind::Network);
    }
    if spec.capabilities.spawning {
        held.push(Kind::Spawning);
    }
    for (name, rights) in &spec.capabilities.drives {
        let drive = node.drives.lock().get(&full_name(package, name)).cloned();
        if let Some(drive) = drive {
            held.push(Kind::Drive { drive, rights: Rights { list: rights.list, read: rights.read, write: rights.write } });
        }
    }
    for process in &spec.capabilities.messaging {
        held.push(Kind::Messaging(process.to_string().parse()?));
    }
    let birth = Birth {
        id: id.clone(),
        parent: None,
        component: spec.component.clone(),
        public: spec.public,
        owner: false,
        held: held.into_iter().map(Capability::granted).collect(),
        memory_limit: spec.memory_limit,
    };
    let on_exit = match spec.on_exit {
        ManifestOnExit::None => OnExit::None,
        ManifestOnExit::Restart => OnExit::Restart,
    };
    spawn::start(node, package, birth, on_exit).await.map_err(|why| NodeError::Process { process: id.to_string(), why: why.to_string() })?;
    Ok(())
}
