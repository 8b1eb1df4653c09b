//! What a node loads at its start: the program's own packages before anything else, those that were installed meanwhile, several at a time.
//!
//! An installed package can be an interpreter that is compiled for ten seconds at its first start. Nobody waits for that who does not need it: the node listens and takes commands, and whoever sends a message to such a
//! package waits until it is loaded, as long as the message may take. What always holds: a package is entered here before the node can be used, so that "is being loaded" and "is not there" are never
//! confused; it leaves when it runs or has failed, whatever happens; it is loaded after what it depends on; and once its owner starts or stops it by hand, what was begun here changes nothing any more.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::packages::{self, Loaded};
use super::{NodeError, NodeInner};
use crate::message::PackageId;
use crate::package::shelf::Shelf;

/// A package that is waited for.
#[derive(Default)]
struct Expected {
    /// Cancelled when it is loaded or has failed. Those who wait are woken in the order in which they came.
    over: CancellationToken,
    /// The full names of its drives.
    drives: Vec<String>,
}

/// The packages that are being loaded.
#[derive(Default)]
pub(crate) struct Loading(Mutex<BTreeMap<PackageId, Expected>>);

impl Loading {
    pub(crate) fn begin(&self, package: &PackageId, drives: Vec<String>) {
        self.0.lock().insert(package.clone(), Expected { drives, ..Expected::default() });
    }

    /// It is loaded, or is not going to be. True: it was waited for.
    pub(crate) fn end(&self, package: &PackageId) -> bool {
        let ended = self.0.lock().remove(package);
        ended.map(|expected| expected.over.cancel()).is_some()
    }

    /// Whether it is being loaded.
    pub(crate) fn awaits(&self, package: &PackageId) -> bool {
        self.0.lock().contains_key(package)
    }

    /// Waits until a package is not being loaded (any more).
    pub(crate) async fn over(&self, package: &PackageId) {
        let over = self.0.lock().get(package).map(|expected| expected.over.clone());
        if let Some(over) = over {
            over.cancelled().await;
        }
    }

    /// Waits until none is being loaded.
    pub(super) async fn all_over(&self) {
        loop {
            let Some(over) = self.0.lock().values().next().map(|expected| expected.over.clone()) else { return };
            over.cancelled().await;
        }
    }

    /// Which are being loaded.
    pub(super) fn packages(&self) -> Vec<PackageId> {
        self.0.lock().keys().cloned().collect()
    }

    /// The drives that they are going to have.
    pub(super) fn drives(&self) -> Vec<String> {
        self.0.lock().values().flat_map(|expected| expected.drives.clone()).collect()
    }
}

/// Nobody waits for these any more, however the loading ends.
struct Over(Arc<NodeInner>, Vec<PackageId>);

impl Drop for Over {
    fn drop(&mut self) {
        for package in &self.1 {
            self.0.loading.end(package);
        }
    }
}

/// Loads what the program carries and starts its processes; begins to do so with what the home holds.
pub(super) async fn load_all(node: &Arc<NodeInner>, shelf: Shelf) -> Result<(), NodeError> {
    let shelf = Arc::new(shelf);
    for (path, error) in &shelf.wrong {
        tracing::error!("{} is not loaded: {error}", path.display());
    }
    let wanted: Vec<PackageId> = shelf.packages.iter().filter(|placed| !placed.grants.stopped).map(packages::package_id).collect::<Result<_, _>>()?;
    let own = |package: &PackageId| shelf.find(&package.to_string()).is_some_and(|placed| placed.path.is_none());
    let (own, installed): (Vec<_>, Vec<_>) = packages::in_order(&shelf, &wanted).into_iter().partition(own);
    for package in &installed {
        let drives = shelf.find(&package.to_string()).map(packages::drives_in).unwrap_or_default();
        node.loading.begin(package, drives);
    }
    let over = Over(node.clone(), installed.clone());
    let changing = node.changing.lock().await;
    for package in own {
        // Without its own the program is not what it should be.
        packages::load(node, &shelf, &package).await?;
    }
    drop(changing);
    if !installed.is_empty() {
        tokio::spawn(load_installed(node.clone(), shelf, installed, over));
    }
    Ok(())
}

/// All at once, as far as they don't depend on each other and the processors allow.
async fn load_installed(node: Arc<NodeInner>, shelf: Arc<Shelf>, order: Vec<PackageId>, over: Over) {
    let places = Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get));
    let loads = order.iter().enumerate().map(|(place, package)| {
        // Two that need each other: the first does not wait, and is told what it lacks.
        let before: Vec<&PackageId> = order.iter().take(place).filter(|other| packages::depends(&shelf, package, other)).collect();
        load_one(&node, &shelf, package, before, &places)
    });
    tokio::select! {
        _ = futures::future::join_all(loads) => {}
        () = node.ending.cancelled() => {}
    }
    drop(over);
    node.ahead.look_again();
}

async fn load_one(node: &Arc<NodeInner>, shelf: &Arc<Shelf>, package: &PackageId, before: Vec<&PackageId>, places: &Semaphore) {
    for dependency in before {
        node.loading.over(dependency).await;
    }
    let made = {
        let _place = places.acquire().await;
        let made = packages::make_ready(node, shelf, package).await;
        if let Ok(loaded) = &made {
            compile(node, loaded).await;
        }
        made
    };
    let _changing = node.changing.lock().await;
    // Its owner was quicker.
    if !node.loading.awaits(package) {
        return;
    }
    let entered = match made {
        Ok(loaded) => packages::enter(node, shelf, package, loaded).await,
        Err(error) => Err(error),
    };
    if let Err(error) = entered {
        packages::note_failure(node, package, &error);
    }
    node.loading.end(package);
}

/// What its processes are made of, so that others are not kept from being started meanwhile. What fails here fails again when the process is started, and is told then.
async fn compile(node: &NodeInner, loaded: &Loaded) {
    for (name, component) in loaded.started() {
        let (engine, name, component) = (node.engine.clone(), name.to_owned(), component.clone());
        let compiled = tokio::task::spawn_blocking(move || engine.prepare(&name, &component.digest, &component.bytes).map(drop));
        if !matches!(compiled.await, Ok(Ok(()))) {
            return;
        }
    }
}
