//! The WebAssembly engine: its settings, its limits, and the cache of what it compiled.
//!
//! Holds one wasmtime engine for the whole node, the thread that advances its epochs, and one prepared component for each content digest. What always holds: a
//! component is compiled once (and, through the cache on disk, once for many starts of the node); a running guest gives up its thread every [`EPOCH`]; no guest has more memory than its
//! process's limit. If the system refuses the address space for the pool, the engine allocates on demand and says so in the log.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm};

use crate::host_api::{Guest, ProcessPre};

/// How often a guest that computes without a call lets others run.
pub const EPOCH: Duration = Duration::from_millis(10);

/// How much a node and each of its processes may use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Processes at a time. A composed component takes several instances of the pool, which is sized for this many ordinary processes.
    pub processes: u32,
    /// Bytes of WebAssembly memory a process may have, over all its memories.
    pub memory: u64,
    /// Bytes of blobs in the node's memory that a process may hold handles to.
    pub blobs: u64,
    /// Messages waiting in a mailbox.
    pub mailbox_messages: u32,
    /// Bytes waiting in a mailbox.
    pub mailbox_bytes: u64,
    /// Requests of one process that wait for a response.
    pub pending_requests: u32,
    /// Children of one process.
    pub children: u32,
    /// Open files and directories of one process.
    pub open_files: u32,
    /// How long a process may compute without calling the node, in milliseconds, before it is ended.
    pub busy: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes: 10_000,
            memory: 64 << 20,
            blobs: 256 << 20,
            mailbox_messages: 1024,
            mailbox_bytes: 32 << 20,
            pending_requests: 4096,
            children: 4096,
            open_files: 1024,
            busy: 30_000,
        }
    }
}

/// What compiling is to be good at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compilation {
    /// Code that runs fast.
    #[default]
    Optimized,
    /// Being done soon, for components that change all the time: the interpreter inside a component in Python or JavaScript is compiled in about half the time.
    Quick,
}

/// Why a component could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine itself could not be set up.
    #[error("the WebAssembly engine can't be set up: {0:#}")]
    Setup(wasmtime::Error),
    /// The bytes are no component that this node can run.
    #[error("component {name} can't be loaded: {why:#}")]
    Component {
        /// The component's name.
        name: String,
        /// What the engine says.
        why: wasmtime::Error,
    },
    /// It imports parts of WASI that no node serves.
    #[error(
        "component {name} can't be loaded: it imports {imports}, which this node does not serve. Of WASI it serves cli, clocks, filesystem, io, random and sockets in versions 0.2, the \
         filesystem and the sockets only to refuse what is asked of them{hint}"
    )]
    Unserved {
        /// The component's name.
        name: String,
        /// What it imports.
        imports: String,
        /// What to do about it, if that is known.
        hint: &'static str,
    },
}

/// The engine. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    linker: Arc<Linker<Guest>>,
    prepared: Arc<Mutex<HashMap<String, ProcessPre<Guest>>>>,
    /// Components that are being made ready. Whoever holds the turn of one does it, and those who want it too wait for that.
    turns: Arc<Mutex<HashMap<String, Arc<Mutex<()>>>>>,
    /// Ends the epoch thread when the last engine is gone.
    _alive: Arc<()>,
}

impl Engine {
    /// An engine that compiles so, and keeps compiled code in `cache`. Code of both kinds has a place there.
    ///
    /// # Errors
    /// [`EngineError::Setup`] if the system lacks what the engine needs.
    pub fn new(cache: &Path, limits: &Limits, compilation: Compilation) -> Result<Self, EngineError> {
        let pooled = wasmtime::Engine::new(&config(cache, Some(pool(limits)), compilation)?);
        let engine = match pooled {
            Ok(engine) => engine,
            Err(error) => {
                tracing::warn!("allocating instances on demand, since the pool can't be reserved: {error:#}");
                wasmtime::Engine::new(&config(cache, None, compilation)?).map_err(EngineError::Setup)?
            }
        };
        let mut linker = Linker::new(&engine);
        crate::host_api::add_to_linker(&mut linker).map_err(EngineError::Setup)?;
        let alive = Arc::new(());
        advance_epochs(&engine, Arc::downgrade(&alive))?;
        Ok(Self { engine, linker: Arc::new(linker), prepared: Arc::default(), turns: Arc::default(), _alive: alive })
    }

    /// The wasmtime engine, to make stores with.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// A component that was made ready before.
    pub(crate) fn prepared(&self, digest: &str) -> Option<ProcessPre<Guest>> {
        self.prepared.lock().get(digest).cloned()
    }

    /// Makes a component ready to be instantiated; quick when it was made ready before. `digest` identifies `bytes`. Compiling blocks, and so does waiting for another thread that is just compiling the same.
    ///
    /// # Errors
    /// [`EngineError::Component`] if it is not a component, or imports what this node does not offer; [`EngineError::Unserved`] if that is a part of WASI.
    pub(crate) fn prepare(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<ProcessPre<Guest>, EngineError> {
        if let Some(ready) = self.prepared(digest) {
            return Ok(ready);
        }
        let turn = self.turns.lock().entry(digest.into()).or_default().clone();
        let made = {
            let _mine = turn.lock();
            match self.prepared(digest) {
                Some(ready) => Ok(ready),
                None => self.compile(name, bytes).inspect(|ready| drop(self.prepared.lock().insert(digest.into(), ready.clone()))),
            }
        };
        drop(turn);
        // The last of those who waited.
        let mut turns = self.turns.lock();
        if turns.get(digest).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(digest);
        }
        made
    }

    fn compile(&self, name: &str, bytes: &[u8]) -> Result<ProcessPre<Guest>, EngineError> {
        let failed = |why| EngineError::Component { name: name.into(), why };
        let component = Component::new(&self.engine, bytes).map_err(failed)?;
        let unserved = crate::host_api::unserved(&self.engine, &component);
        if !unserved.is_empty() {
            let http = unserved.iter().any(|import| import.starts_with("wasi:http/"));
            let hint =
                if http { ". Nodes are reached with messages; componentize-js leaves HTTP out if told disableFeatures: ['http', 'fetch-event']" } else { "" };
            return Err(EngineError::Unserved { name: name.into(), imports: unserved.join(", "), hint });
        }
        let instance_pre = self.linker.instantiate_pre(&component).map_err(failed)?;
        ProcessPre::new(instance_pre).map_err(failed)
    }
}

impl Engine {
    /// Forgets a component that is not going to be started again.
    pub(crate) fn forget(&self, digest: &str) {
        self.prepared.lock().remove(digest);
    }
}

fn config(cache: &Path, pool: Option<PoolingAllocationConfig>, compilation: Compilation) -> Result<Config, EngineError> {
    let mut config = Config::new();
    config.wasm_component_model(true).epoch_interruption(true);
    // A guest's stack is reserved, not resident; 1 MiB leaves the host calls room beside 512 KiB of guest frames.
    config.max_wasm_stack(512 << 10).async_stack_size(1 << 20);
    if compilation == Compilation::Quick {
        config.cranelift_opt_level(OptLevel::None).cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    }
    let mut cache_config = CacheConfig::new();
    cache_config.with_directory(cache);
    match Cache::new(cache_config) {
        Ok(cache) => {
            config.cache(Some(cache));
        }
        // Without a cache everything works, only the start is slower.
        Err(error) => tracing::warn!("compiled code is not kept, since {} can't be used: {error:#}", cache.display()),
    }
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Ok(config)
}

/// The most elements of a table. The largest seen are 7,765 (JavaScript's engine) and 5,754 (Python's interpreter); a slot of the pool reserves 8 bytes of address space for each.
pub(crate) const MAX_TABLE: usize = 20_000;

/// Slots that stay prepared for the component that used them last, and how many bytes of each stay in memory, cleared: most processes touch less, so that one that is started again and again
/// (a worker) finds its pages there. On Linux before 6.7, which can't tell which pages were touched, it is the first bytes of each: at most 8 MiB of memories that may be of no use.
const WARM: u32 = 64;
const KEPT: usize = 128 << 10;

/// What a process takes out of the pool, counted in components of each kind: made from Rust, 3 core instances, 1 memory and 2 tables, with WASI (either target) or without; JavaScript 4, 1 and 2;
/// Python 14 (each of its libraries is one, and so is each native library that a package adds), 1 and 2. One that an API was composed into takes that one's 3, 1 and 2 in addition.
///
/// So the pool has slots for as many ordinary processes as the limit says, and a tenth more. Core instances are only counted, not reserved: there are enough of them for
/// four of ten processes to be in Python. The sizes are limits of one process: what a component is made of is checked against them when it is loaded.
fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let processes = limits.processes.saturating_add(limits.processes / 10).max(64);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(processes)
        .total_stacks(processes)
        .total_core_instances(processes.saturating_mul(8))
        .total_memories(processes)
        .total_tables(processes.saturating_mul(3))
        .max_memories_per_component(16)
        .max_tables_per_component(64)
        .max_core_instances_per_component(64)
        .table_elements(MAX_TABLE)
        .max_unused_warm_slots(WARM)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn advance_epochs(engine: &wasmtime::Engine, alive: Weak<()>) -> Result<(), EngineError> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("epochs".into())
        .spawn(move || {
            while alive.strong_count() > 0 {
                std::thread::sleep(EPOCH);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })
        .map(drop)
        .map_err(|error| EngineError::Setup(wasmtime::Error::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::package::shelf::Shelf;

    #[test]
    fn a_component_that_several_want_at_once_is_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("home"), "alice").unwrap();
        let shelf = Shelf::read(&home).unwrap();
        let bytes = shelf.find("file-transfer:transship").unwrap().package.component("worker").unwrap();
        let engine = Engine::new(&home.cache_path(), &Limits::default(), Compilation::Quick).unwrap();
        let together = std::sync::Barrier::new(4);
        let prepare = || {
            together.wait();
            // Where its code is: what is compiled twice is there twice.
            engine.prepare("worker", "digest", bytes).unwrap().instance_pre().component().image_range().start as usize
        };
        let places: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(prepare)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(places.iter().all(|place| Some(place) == places.first()), "{places:?}");
        assert!(engine.turns.lock().is_empty(), "nobody has a turn any more");
    }

    #[test]
    fn what_is_no_component_is_refused_to_each_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new(folder.path(), &Limits::default(), Compilation::Quick).unwrap();
        for _ in 0..2 {
            assert!(matches!(engine.prepare("none", "digest", b"nothing"), Err(EngineError::Component { .. })));
        }
        assert!(engine.turns.lock().is_empty(), "nobody has a turn any more");
    }
}
