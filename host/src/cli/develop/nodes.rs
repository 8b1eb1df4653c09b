//! Nodes of one machine that know each other: each with a home of its own, on loopback, in a process of its own or inside this one.
//!
//! What always holds: each may do everything with every drive of the others, since all of them are the same person's; whoever is dropped is ended, and a node in a process of its own is waited for.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;
use transship::control::{ControlClient, Server};
use transship::engine::Compilation;
use transship::home::{Home, HomeError};
use transship::log::Reader;
use transship::node::{Node, NodeOptions};
use transship::package::Package;
use transship::package::grants::PackageGrants;
use transship::package::shelf::{ShelfLock, id};
use transship::rights::Rights;

use crate::cli::error::{CliError, Kind};

/// How long a node may take to be there: on a small machine it compiles its own components first.
const START_TIME: Duration = Duration::from_secs(120);
/// How long it may take to end.
const END_TIME: Duration = Duration::from_secs(10);
/// What nodes are called if nobody says.
const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
/// The most nodes at a time.
pub(super) const MOST: usize = 64;

/// Where nodes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// Each in a process of its own.
    Processes,
    /// All inside this process.
    Inside,
}

/// A node that runs.
pub(super) struct FakeNode {
    pub(super) name: String,
    pub(super) home: Home,
    pub(super) address: String,
    pub(super) client: ControlClient,
    /// Its log, from when it was started.
    pub(super) log: Reader,
    running: Running,
}

enum Running {
    Process(Child),
    Inside(Node, AbortOnDropHandle<()>),
}

/// So many names.
pub(super) fn names(count: usize) -> Vec<String> {
    (0..count).map(|place| NAMES.get(place).map_or_else(|| format!("node-{}", place + 1), |name| (*name).to_owned())).collect()
}

/// Starts nodes of these names, with homes in `folder` (those that are there are used), and introduces them to each other. Compiled code is kept in `modules`, for all of them.
pub(super) async fn start_all(names: &[String], folder: &Path, modules: &Path, place: Where) -> Result<Vec<FakeNode>, CliError> {
    let mut nodes = Vec::new();
    for name in names {
        nodes.push(FakeNode::start(name, &folder.join(name), modules, place).await?);
    }
    introduce(&nodes).await?;
    Ok(nodes)
}

/// Makes all know each other, with every right to every drive that they have now.
pub(super) async fn introduce(nodes: &[FakeNode]) -> Result<(), CliError> {
    for node in nodes {
        let allow: Vec<(String, Rights)> = node.client.drives().await?.into_iter().map(|drive| (drive, Rights::ALL)).collect();
        for other in nodes.iter().filter(|other| other.name != node.name) {
            let key = other.client.info().await?.key;
            node.client.add_peer(&format!("{}@{}#{key}", other.name, other.address), None, Some(&allow)).await?;
        }
    }
    Ok(())
}

impl FakeNode {
    async fn start(name: &str, folder: &Path, modules: &Path, place: Where) -> Result<Self, CliError> {
        let home = match Home::init(folder, name) {
            Err(HomeError::AlreadyInitialised { .. }) => Home::open(folder)?,
            home => home?,
        };
        share_modules(&home, modules).map_err(|error| CliError::io(modules, &error))?;
        let log = Reader::at_end(&home.log_path()).map_err(|error| CliError::io(&home.log_path(), &error))?;
        let (running, address) = match place {
            Where::Processes => start_process(&home).await?,
            Where::Inside => start_inside(&home).await?,
        };
        let client = ControlClient::connect(&home).await?;
        Ok(Self { name: name.into(), home, address, client, log, running })
    }

    /// Puts a package there, granted all that it asks for, and starts it.
    pub(super) async fn install(&self, package: &Package) -> Result<(), CliError> {
        ShelfLock::take(&self.home)?.install(package, &PackageGrants::all_of(package.manifest()))?;
        let id = id(package);
        let package = id.parse().map_err(|error| CliError::usage(format!("{error}")))?;
        self.client.start_package(&package).await.map_err(|error| {
            let error = CliError::from(error);
            CliError { message: format!("{id} does not run on {}: {}", self.name, error.message), ..error }
        })
    }

    /// What it logged since the last time.
    pub(super) fn said(&mut self) -> Vec<transship::log::Line> {
        self.log.added().unwrap_or_default()
    }

    /// Ends it in good order.
    pub(super) async fn end(self) {
        drop(self.client);
        match self.running {
            Running::Process(mut child) => {
                if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
                if tokio::time::timeout(END_TIME, child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
            }
            Running::Inside(node, server) => {
                let _ = tokio::time::timeout(END_TIME, node.shutdown()).await;
                drop(server);
            }
        }
    }
}

/// One folder of compiled code for all homes: compiling the same components for each would be most of what they do.
fn share_modules(home: &Home, modules: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(modules)?;
    let own = home.cache_path().join("modules");
    match std::os::unix::fs::symlink(std::fs::canonicalize(modules)?, own) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

async fn start_process(home: &Home) -> Result<(Running, String), CliError> {
    let program = std::env::current_exe().map_err(|error| CliError::io(&PathBuf::from("transship"), &error))?;
    let mut command = Command::new(&program);
    command.arg("--home").arg(home.folder()).args(["--json", "serve", "--listen", "127.0.0.1:0", "--quick-compile"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| CliError::io(&program, &error))?;
    let failed = || {
        CliError::new(Kind::Other, format!("the node in {} did not start", home.folder().display()))
            .hint(format!("`transship --home {} log` may say why", home.folder().display()))
    };
    let mut lines = BufReader::new(child.stdout.take().ok_or_else(failed)?).lines();
    let address = async {
        while let Ok(Some(line)) = lines.next_line().await {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let text = |key| event.get(key).and_then(Value::as_str);
            if let (Some("listening"), Some(address)) = (text("event"), text("address")) {
                return Some(address.to_owned());
            }
        }
        None
    };
    let address = tokio::time::timeout(START_TIME, address).await.ok().flatten().ok_or_else(failed)?;
    Ok((Running::Process(child), address))
}

async fn start_inside(home: &Home) -> Result<(Running, String), CliError> {
    let lock = home.lock()?;
    let node = Node::start(home, NodeOptions { compilation: Compilation::Quick, ..NodeOptions::default() }).await?;
    let address = node.listen(([127, 0, 0, 1], 0).into()).await?.to_string();
    let server = Server::bind(home, &lock).map_err(|error| CliError::io(&home.control_path(), &error))?;
    let served = node.clone();
    let task = tokio::spawn(async move {
        server.serve(&served).await;
        drop(lock);
    });
    Ok((Running::Inside(node, AbortOnDropHandle::new(task)), address))
}
