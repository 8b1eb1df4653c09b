//! One process, from its start to its end: instantiate, run `init`, and do what its `on-exit` says.
//!
//! A guest gives up its thread at every epoch, and is ended when it has computed for longer than it may without calling the node. Ending it means dropping its store: whatever it was waiting for
//! is abandoned, and its handles are closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use super::Process;
use super::pending::Then;
use super::supervisor::Backoff;
use crate::engine::EPOCH;
use crate::host_api::{Exit, Guest, ProcessPre};
use crate::message::{Address, Content, SendErrorKind};
use crate::native::Init;
use crate::node::NodeInner;
use crate::router::Outgoing;

/// What a process runs.
pub(crate) enum Code {
    /// As good as always.
    Component(ProcessPre<Guest>),
    /// The program's own, in a component's place.
    Native(Arc<Init>),
}

/// What happens when a process ends.
#[derive(Debug, Clone)]
pub(crate) enum OnExit {
    None,
    Restart,
    Requests(Vec<(Address, Bytes)>),
}

/// How long what a process began to write may take after its end.
const LAST_WRITES: Duration = Duration::from_secs(30);

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Normal,
    Failed(String),
    /// The node's owner wants this run of it to end.
    Interrupted,
    /// Whoever started it wants it to end, or the node ends.
    Killed,
}

/// Runs a process to its end. `ready` learns whether it could be instantiated. `_slot` is its place among the node's processes.
pub(crate) async fn run(
    node: Arc<NodeInner>,
    process: Arc<Process>,
    code: Code,
    on_exit: OnExit,
    ready: oneshot::Sender<Result<(), String>>,
    _slot: OwnedSemaphorePermit,
) {
    let mut ready = Some(ready);
    let mut backoff = Backoff::default();
    let end = loop {
        let started = Instant::now();
        let end = tokio::select! {
            biased;
            () = process.stop.cancelled() => End::Killed,
            () = process.interrupted.notified() => End::Interrupted,
            end = run_once(&node, &process, &code, &mut ready) => end,
        };
        if let End::Failed(reason) = &end {
            tracing::warn!(process = %process.id, "ended: {reason}");
        }
        // Before anybody learns that it has ended: what comes after it may write to the same place.
        let written = process.writing.get().map(|turns| tokio::time::timeout(LAST_WRITES, turns.idle()));
        if let Some(Err(_)) = futures::future::OptionFuture::from(written).await {
            tracing::warn!(process = %process.id, "a write that it began is not done after {} s: the disk hangs", LAST_WRITES.as_secs());
        }
        let restart = matches!((&on_exit, &end), (OnExit::Restart, End::Failed(_) | End::Interrupted)) && ready.is_none();
        if !restart {
            break end;
        }
        // What it promised and what it was given is gone; it starts with what it was granted, in links of its own.
        let why = SendErrorKind::NoSuchProcess;
        node.router.settle(&process, &why);
        end_children(&node, &process);
        process.hold_granted_again();
        process.restarts.fetch_add(1, Ordering::Relaxed);
        process.set_waiting_to_restart(true);
        let pause = backoff.after(started.elapsed());
        tokio::select! {
            () = process.stop.cancelled() => break End::Killed,
            () = tokio::time::sleep(pause) => {}
        }
        process.set_waiting_to_restart(false);
    };
    node.router.remove(&process);
    end_children(&node, &process);
    if let Some(parent) = process.parent.as_ref().and_then(|parent| node.router.find(parent)) {
        parent.children.lock().remove(&process.id);
    }
    if let OnExit::Requests(requests) = on_exit
        && !node.ending.is_cancelled()
    {
        Box::pin(send_last_words(&node, &process, &end, requests)).await;
    }
    process.ended.cancel();
}

fn end_children(node: &NodeInner, process: &Process) {
    for child in process.children.lock().drain() {
        if let Some(child) = node.router.find(&child) {
            child.stop.cancel();
        }
    }
}

async fn send_last_words(node: &NodeInner, process: &Process, end: &End, requests: Vec<(Address, Bytes)>) {
    let reason = match end {
        End::Normal => serde_json::Value::Null,
        End::Failed(reason) => reason.as_str().into(),
        End::Interrupted | End::Killed => "killed".into(),
    };
    let metadata = serde_json::json!({ "exited": process.id, "reason": reason }).to_string();
    for (target, body) in requests {
        let content = Content { body, metadata: Some(metadata.clone()), ..Content::default() };
        let outgoing = Outgoing { target, content, expects: None, then: Then::Receive { context: None }, inherited: None };
        if let Err((kind, outgoing)) = node.router.send_request(process, Box::new(outgoing)).await {
            tracing::debug!(process = %process.id, "its on-exit request to {} was not sent: {kind}", outgoing.target);
        }
    }
}

async fn run_once(node: &Arc<NodeInner>, process: &Arc<Process>, code: &Code, ready: &mut Option<oneshot::Sender<Result<(), String>>>) -> End {
    let address = node.router.address_of(&process.id);
    let guest = Guest::new(node.clone(), process.clone(), address.clone());
    let component = match code {
        Code::Component(component) => component,
        Code::Native(init) => {
            let running = init(guest, (&address).into());
            if let Some(ready) = ready.take() {
                drop(ready.send(Ok(())));
            }
            return running.await.map_or_else(End::Failed, |()| End::Normal);
        }
    };
    let mut store = Store::new(node.engine.wasmtime(), guest);
    store.limiter(|guest| &mut guest.memory);
    let most = node.limits.busy.div_ceil(u64::try_from(EPOCH.as_millis()).unwrap_or(1).max(1)).max(1);
    store.epoch_deadline_callback(move |mut context| {
        let guest = context.data_mut();
        guest.busy_epochs += 1;
        if guest.busy_epochs > most {
            return Err(wasmtime::Error::msg(format!("it computed for {} ms without calling the node", guest.node.limits.busy)));
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store.set_epoch_deadline(1);
    let instance = match component.instantiate_async(&mut store).await {
        Ok(instance) => instance,
        Err(error) => {
            let reason = format!("it can't be instantiated: {error:#}");
            if let Some(ready) = ready.take() {
                drop(ready.send(Err(reason.clone())));
            }
            return End::Failed(reason);
        }
    };
    if let Some(ready) = ready.take() {
        drop(ready.send(Ok(())));
    }
    let result = instance.call_init(&mut store, &(&address).into()).await;
    process.memory.store(0, Ordering::Relaxed);
    match result {
        Ok(Ok(())) => End::Normal,
        Ok(Err(reason)) => End::Failed(reason),
        Err(error) => match exit(&error) {
            Some(Ok(())) => End::Normal,
            Some(Err(reason)) => End::Failed(reason),
            None if store.data().memory.refused => {
                End::Failed(format!("it asked for more memory than its limit of {} bytes, and then: {}", process.memory_limit, root_cause(&error)))
            }
            None => End::Failed(root_cause(&error)),
        },
    }
}

/// What a process ended itself with, through `processes.exit` or through WASI.
fn exit(error: &wasmtime::Error) -> Option<Result<(), String>> {
    if let Some(Exit(outcome)) = error.downcast_ref() {
        return Some(outcome.clone());
    }
    match error.downcast_ref()? {
        I32Exit(0) => Some(Ok(())),
        I32Exit(code) => Some(Err(format!("it exited with code {code}"))),
    }
}

/// The trap and where it happened, without the engine's frames in full.
fn root_cause(error: &wasmtime::Error) -> String {
    let mut text = error.root_cause().to_string();
    if let Some(first) = error.to_string().lines().nth(1) {
        text = format!("{text} ({})", first.trim());
    }
    text
}
