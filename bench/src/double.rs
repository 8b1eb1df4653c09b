//! The double: a node that is the same as any other, but whose transfers are decided by native code.
//!
//! It embeds the node as any program may, with the package that the command carries. In the place of the package's worker it runs the same worker, built natively from the same sources (`bench/double`): so there is the same
//! window of requests, the same journal and syncs, a digest on each side that is compared, the same messages in the same JSON, progress and liveness included, and nothing is left out. The manager, which starts a worker and hears how
//! far it is, stays what it is. The calls of both end in the same implementations, with the same checks.
//!
//! What is not there is the sandbox: WebAssembly as the engine compiles it, an instance with its memory for each worker, its interruption when it computes for long, and the values that are copied between guest and
//! node with each call. What is still there: the worker has a stack of its own, on which it waits, as a guest has; and the interfaces stay what they are, JSON included, which one that never knew a sandbox might do without.
//!
//! The same program serves with the worker as a component too, so that the two differ by nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use transship::control::Server;
use transship::home::{HOME_VARIABLE, Home};
use transship::log::LogOptions;
use transship::native::Natives;
use transship::node::{Node, NodeOptions};

/// The worker, as a node calls it.
const WORKER: &str = "file-transfer:transship/worker";

/// Serves the node of the home in the environment, as `transship serve` does.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// What the workers are
    #[arg(long, value_enum)]
    worker: Worker,
    /// The command that would serve otherwise
    _command: PathBuf,
    /// `serve`
    _verb: String,
    #[arg(long)]
    listen: SocketAddr,
}

/// What decides about a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Worker {
    Component,
    Native,
}

impl Worker {
    /// The scene of [`crate::nodes::Node::start`]: this program, which then is the node.
    pub(crate) fn scene(self) -> anyhow::Result<Vec<String>> {
        let program = std::env::current_exe()?.into_os_string().into_string().ok().context("a path is text")?;
        let worker = match self {
            Self::Component => "component",
            Self::Native => "native",
        };
        Ok(vec![program, "node".into(), "--worker".into(), worker.into()])
    }
}

/// Serves until it is asked to end.
pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(run(serve))
}

async fn run(serve: &Serve) -> anyhow::Result<()> {
    let home = Home::open(std::env::var_os(HOME_VARIABLE).context("no home")?.as_ref())?;
    let lock = home.lock()?;
    transship::log::start(&LogOptions { terminal: Some(LevelFilter::INFO), file: Some(&home.log_path()), filter: None })?;
    let started = Arc::new(AtomicU64::new(0));
    let count = started.clone();
    let natives = match serve.worker {
        Worker::Component => Natives::default(),
        Worker::Native => Natives::default().with(WORKER, move |state, our| {
            count.fetch_add(1, Ordering::Relaxed);
            double_guest::run(state, our, double_worker::process)
        }),
    };
    let node = Node::start(&home, NodeOptions { natives, ..NodeOptions::default() }).await?;
    let address = node.listen(serve.listen).await?;
    let server = Server::bind(&home, &lock)?;
    println!("listening on {address}");
    let mut ending = signal(SignalKind::terminate())?;
    tokio::select! {
        () = server.serve(&node) => {}
        _ = ending.recv() => {}
    }
    drop(server);
    node.shutdown().await;
    ensure!(serve.worker == Worker::Component || started.load(Ordering::Relaxed) > 0, "no worker was native: is there no component '{WORKER}'?");
    Ok(())
}
