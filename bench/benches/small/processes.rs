//! What passes between the processes of one node, which runs in this program. A process of the package `stopwatch` takes the time of it: nothing of this program is in the figures.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{Bencher, Criterion, Throughput};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use transship::home::{Home, HomeLock};
use transship::message::{Address, Content};
use transship::node::{Node, NodeOptions};
use transship::package::Package;
use transship::package::grants::PackageGrants;
use transship::package::shelf::ShelfLock;

use crate::folder;

/// The most that the process is told to do at a time: its answer holds a figure for each.
const AT_ONCE: u64 = 1_000;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("process");
    let mut made = None;
    group.throughput(Throughput::Elements(1));
    group.bench_function("request and response, two processes of one node", |bencher| {
        let node = made.get_or_insert_with(Embedded::start);
        let echo = format!("{}@echo:stopwatch:test", node.main.node());
        node.measure(bencher, |count| json!({"ask": {"target": echo, "count": count}}));
    });
    group.bench_function("spawn to first message", |bencher| {
        made.get_or_insert_with(Embedded::start).measure(bencher, |count| json!({"spawn": {"count": count}}));
    });
    group.finish();
    if let Some(node) = made {
        node.runtime.block_on(node.node.shutdown());
    }
}

/// A node in this program, which runs the stopwatch.
struct Embedded {
    runtime: Runtime,
    node: Node,
    /// The process that takes the time.
    main: Address,
    _lock: HomeLock,
    _folder: TempDir,
}

impl Embedded {
    fn start() -> Self {
        let (runtime, folder) = (Runtime::new().unwrap(), folder());
        let home = Home::init(&folder.path().join("home"), "alice").unwrap();
        let stopwatch = Package::read(&packed()).unwrap();
        ShelfLock::take(&home).unwrap().install(&stopwatch, &PackageGrants::all_of(stopwatch.manifest())).unwrap();
        let lock = home.lock().unwrap();
        let node = runtime.block_on(async {
            let node = Node::start(&home, NodeOptions::default()).await.unwrap();
            node.loaded().await;
            node
        });
        let main = Address::new(node.name(), "main:stopwatch:test".parse().unwrap()).unwrap();
        Self { runtime, node, main, _lock: lock, _folder: folder }
    }

    /// Has the process do it as often as criterion wants.
    fn measure(&self, bencher: &mut Bencher<'_>, job: impl Fn(u64) -> Value) {
        let client = self.node.client();
        bencher.iter_custom(|iterations| {
            let (mut left, mut time) = (iterations, Duration::ZERO);
            while left > 0 {
                let count = left.min(AT_ONCE);
                let content = Content { body: job(count).to_string().into(), ..Content::default() };
                let (_, answer) = self.runtime.block_on(client.request(&self.main, content, PATIENCE)).unwrap();
                let times: Vec<u64> = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer.body)));
                assert_eq!(times.len() as u64, count);
                time += times.into_iter().map(Duration::from_nanos).sum::<Duration>();
                left -= count;
            }
            time
        });
    }
}

/// The packed package, built by `just components`.
fn packed() -> PathBuf {
    transship_tests::package::puppet().with_file_name("stopwatch.transship")
}
