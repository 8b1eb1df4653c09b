//! A node: everything a home holds, running.
//!
//! [`Node::start`] reads the home (identity, peers, settings), loads the packages and starts their processes; [`Node::shutdown`] ends them. A node does nothing by itself: it carries messages between
//! processes, its peers and its [`Client`]s. Whoever starts a node holds the home's lock, so no home is run twice.

mod ahead;
mod client;
pub(crate) mod loading;
pub(crate) mod packages;
pub(crate) mod spawn;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use client::{Client, Received, Reply};
pub use packages::{PackageInfo, drives_of};

use crate::digest::known::KnownDigests;
use crate::engine::{Compilation, Engine, EngineError, Limits};
use crate::home::Home;
use crate::identity::{Identity, IdentityError, PublicKey};
use crate::link::{Deadlines, Links};
use crate::message::{Address, NameError, NodeName, PackageId, ProcessId};
use crate::native::Natives;
use crate::package::shelf::Shelf;
use crate::peers::{Peer, Peers, PeersError};
pub use crate::process::ProcessInfo;
use crate::router::Router;
use crate::state::{StateError, StateStore};
use crate::turns::NodeTurns;
use crate::vfs::{Drive, VfsError};
use ahead::Ahead;
use loading::Loading;
use packages::Loaded;

/// How long a shutdown waits for processes to end.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);

/// Choices of the program that starts a node.
#[derive(Debug, Clone, Default)]
pub struct NodeOptions {
    /// What the node and its processes may use.
    pub limits: Limits,
    /// Bytes a second at most that it sends to its peers, and that it receives from them; at least [`crate::link::LEAST_LIMIT`]. None: as many as the lines take.
    pub limit: Option<u64>,
    /// What compiling the components is to be good at.
    pub compilation: Compilation,
    /// Once it listens and its packages are loaded, it compiles in the background, one after another, what they hold and no process was made of yet, so that the first process of each is started as quickly as all
    /// others. For nodes that run long: it takes some of both processor and memory, which a node that ends soon has no use for. False: a component is compiled when it is asked for.
    pub prepare_ahead: bool,
    /// Components in whose place the program's own code runs.
    #[doc(hidden)]
    pub natives: Natives,
}

/// Why a node could not start, or not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its key could not be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its peers could not be read.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// The engine, or a component.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A name in the home or in a package is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The states of processes could not be opened.
    #[error(transparent)]
    State(#[from] StateError),
    /// A drive could not be opened.
    #[error("drive {drive}: {why}")]
    Drive {
        /// Its full name.
        drive: String,
        /// What the drive says.
        why: VfsError,
    },
    /// A package is damaged.
    #[error(transparent)]
    Package(#[from] transship_package::PackageError),
    /// The home's packages could not be read.
    #[error(transparent)]
    Shelf(#[from] crate::package::shelf::ShelfError),
    /// A package does not fit, or lacks another.
    #[error(transparent)]
    Ready(#[from] crate::package::ready::ReadyError),
    /// There is no such package in the home.
    #[error("this node has no package {0}")]
    UnknownPackage(String),
    /// A package depends on one that is stopped, or that could not be loaded.
    #[error("it needs the package {0}, which is not running: transship start {0}")]
    NotLoaded(String),
    /// A package can't be stopped while another that runs depends on it.
    #[error("{by} needs {package} and runs: stop that first")]
    Needed {
        /// The package.
        package: String,
        /// What depends on it.
        by: String,
    },
    /// The name is the node's own.
    #[error("a package can't be named {0}: so the node's owner is called")]
    Reserved(String),
    /// A process of a package could not be started.
    #[error("process {process} can't be started: {why}")]
    Process {
        /// Which.
        process: String,
        /// Why.
        why: String,
    },
    /// The address could not be listened on.
    #[error("can't listen on {address}: {why}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
}

/// What all parts of a running node share.
pub(crate) struct NodeInner {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) identity: Arc<Identity>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) links: Links,
    pub(crate) router: Arc<Router>,
    pub(crate) engine: Engine,
    pub(crate) natives: Natives,
    pub(crate) state: StateStore,
    pub(crate) digests: Arc<KnownDigests>,
    pub(crate) turns: NodeTurns,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the node ends.
    pub(crate) ending: CancellationToken,
    pub(crate) next_name: AtomicU64,
    pub(crate) drives: Mutex<HashMap<String, Drive>>,
    packages: RwLock<HashMap<PackageId, Arc<Loaded>>>,
    /// Packages that are going to run.
    pub(crate) loading: Arc<Loading>,
    /// Packages that should run and don't, and why.
    failed: Mutex<HashMap<PackageId, String>>,
    ahead: Ahead,
    /// Packages are loaded and stopped one at a time.
    changing: tokio::sync::Mutex<()>,
    listening: Mutex<Vec<SocketAddr>>,
    home: Home,
}

impl NodeInner {
    pub(crate) fn package(&self, id: &PackageId) -> Option<Arc<Loaded>> {
        self.packages.read().get(id).cloned()
    }
}

/// A running node. Cloning shares it.
#[derive(Clone)]
pub struct Node {
    inner: Arc<NodeInner>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts the node of `home`, whose lock the caller holds. It does not listen yet. The program's own packages run then; those that were installed are loaded meanwhile, and what is sent to them
    /// waits for that. [`Node::loaded`] waits for all of them.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start(home: &Home, options: NodeOptions) -> Result<Self, NodeError> {
        let NodeOptions { limits, limit, compilation, prepare_ahead, natives } = options;
        // Each takes a while, on a processor of its own if there is one.
        let (cache, engine_limits, home_of_packages) = (home.cache_path(), limits.clone(), home.clone());
        let engine = tokio::task::spawn_blocking(move || Engine::new(&cache, &engine_limits, compilation));
        let shelf = tokio::task::spawn_blocking(move || Shelf::read(&home_of_packages));
        let identity = Arc::new(Identity::load(&home.identity_path())?);
        let name = identity.name().to_owned();
        let peers = Arc::new(Peers::open(&home.peers_path(), &identity)?);
        let loading = Arc::<Loading>::default();
        let router = Router::new(NodeName::new(&name)?, limits.pending_requests, loading.clone());
        let links = Links::new(&identity, peers.clone(), Deadlines::default())?;
        links.set_limit(limit);
        router.connect(links.clone());
        let state = StateStore::open(&home.state_path())?;
        let ended = |what: &str, error: tokio::task::JoinError| NodeError::Process { process: what.into(), why: error.to_string() };
        let engine = engine.await.map_err(|error| ended("engine", error))??;
        let shelf = shelf.await.map_err(|error| ended("packages", error))??;
        let places = Arc::new(Semaphore::new(limits.processes as usize));
        let inner = Arc::new(NodeInner {
            name,
            limits,
            identity,
            peers,
            links,
            router,
            engine,
            natives,
            state,
            digests: Arc::new(KnownDigests::new(home.digests_path())),
            turns: NodeTurns::default(),
            places,
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            next_name: AtomicU64::new(1),
            drives: Mutex::default(),
            packages: RwLock::default(),
            loading,
            failed: Mutex::default(),
            ahead: Ahead::new(prepare_ahead),
            changing: tokio::sync::Mutex::default(),
            listening: Mutex::default(),
            home: home.clone(),
        });
        let node = Self { inner };
        loading::load_all(&node.inner, shelf).await?;
        Ok(node)
    }

    /// Its name for itself.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its public key: what it *is*, to others.
    pub fn public_key(&self) -> PublicKey {
        self.inner.identity.key()
    }

    /// Accepts links on an address (port 0: a free one) until the node ends, and returns the address.
    ///
    /// # Errors
    /// [`NodeError::Listen`].
    pub async fn listen(&self, address: SocketAddr) -> Result<SocketAddr, NodeError> {
        let bound = self.inner.links.listen(address).await.map_err(|why| NodeError::Listen { address, why })?;
        self.inner.listening.lock().push(bound);
        ahead::begin(&self.inner);
        Ok(bound)
    }

    /// Where it listens.
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.inner.listening.lock().clone()
    }

    /// The nodes that it knows.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.inner.peers
    }

    /// The full names of its drives, in order; those too that a package has which is still being loaded.
    pub fn drives(&self) -> Vec<String> {
        let mut names = self.inner.loading.drives();
        names.extend(self.inner.drives.lock().keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Waits until every package that should run does, or has failed.
    pub async fn loaded(&self) {
        self.inner.loading.all_over().await;
    }

    /// Waits until a package that is being loaded runs, or has failed.
    pub async fn package_loaded(&self, package: &PackageId) {
        self.inner.loading.over(package).await;
    }

    /// Sends at most so many bytes a second from now on, and receives at most so many, all peers together; at least [`crate::link::LEAST_LIMIT`]. None: as many as the lines take.
    pub fn set_limit(&self, limit: Option<u64>) {
        self.inner.links.set_limit(limit);
    }

    /// The same for one peer, from now on and in its entry.
    ///
    /// # Errors
    /// [`PeersError::Unknown`], [`PeersError::Limit`], [`PeersError::Malformed`], [`PeersError::Io`].
    pub fn limit_peer(&self, name: &str, limit: Option<u64>) -> Result<Peer, PeersError> {
        let peer = self.inner.peers.limit(name, limit)?;
        self.inner.links.limits_changed();
        Ok(peer)
    }

    /// Whether a link to a peer is open.
    pub fn connected(&self, peer: &str) -> bool {
        self.inner.links.connected(peer)
    }

    /// Closes the links to a peer, for instance because it was removed.
    pub fn disconnect(&self, peer: &str) {
        self.inner.links.disconnect(peer);
    }

    /// Its processes, in the order of their names; clients are among them.
    pub fn processes(&self) -> Vec<ProcessInfo> {
        let mut all: Vec<ProcessInfo> = self.inner.router.all().iter().map(|process| process.info()).collect();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// Ends a process at once. False: there is none of that name.
    pub fn kill(&self, process: &ProcessId) -> bool {
        let Some(process) = self.inner.router.find(process) else { return false };
        process.interrupted.notify_one();
        true
    }

    /// Starts a process that a loaded package's manifest names, as it is started with the node. False: no manifest names it.
    ///
    /// # Errors
    /// [`NodeError::Process`] if it runs already, or can't be started.
    pub async fn run(&self, process: &ProcessId) -> Result<bool, NodeError> {
        packages::run(&self.inner, process).await
    }

    /// What is loaded, in the order of the names, and what is not although it should be.
    pub fn packages(&self) -> Vec<PackageInfo> {
        packages::infos(&self.inner)
    }

    /// Loads a package as it stands in the home now, in place of what is loaded of it, and starts its processes. What depends on it is loaded again too; everything else runs on.
    ///
    /// # Errors
    /// [`NodeError::UnknownPackage`], [`NodeError::Ready`], [`NodeError::NotLoaded`], [`NodeError::Process`]: then it does not run.
    pub async fn start_package(&self, package: &PackageId) -> Result<(), NodeError> {
        packages::start_package(&self.inner, package).await
    }

    /// Ends the processes of a package. False: it did not run.
    ///
    /// # Errors
    /// [`NodeError::Needed`].
    pub async fn stop_package(&self, package: &PackageId) -> Result<bool, NodeError> {
        packages::stop_package(&self.inner, package).await
    }

    /// Starts a script of a package: a process that gets one request with its arguments. None: no loaded package has it.
    ///
    /// # Errors
    /// [`NodeError::Process`].
    pub async fn start_script(&self, package: &PackageId, script: &str) -> Result<Option<Address>, NodeError> {
        packages::start_script(&self.inner, package, script).await
    }

    /// An endpoint for the program that runs the node.
    pub fn client(&self) -> Client {
        Client::new(self)
    }

    /// Ends the processes and the links. What does not end within 5 seconds is abandoned.
    pub async fn shutdown(&self) {
        let inner = &self.inner;
        inner.ending.cancel();
        inner.places.close();
        for process in inner.router.all() {
            process.stop.cancel();
        }
        inner.tasks.close();
        if tokio::time::timeout(SHUTDOWN_WAIT, inner.tasks.wait()).await.is_err() {
            tracing::warn!("{} processes did not end in time", inner.tasks.len());
        }
        inner.links.shutdown().await;
    }
}
