//! The transfers under way: what is known of each, who wants to hear of it, and what was lent for it.
//!
//! A transfer is here from the start of its worker until its end is known: from the worker's last progress, or from the node when the worker was killed, or (should both
//! be lost) because its process is no more. One of this node's own may first wait for its turn (see [`queue`](crate::queue)).

use std::collections::{BTreeMap, BTreeSet};

use file_transfer_types::errors::describe;
use file_transfer_types::hidden;
use file_transfer_types::manager::{CancelRequest, Response as Answer, TransferStatus};
use file_transfer_types::types::{TransferError, TransferState};
use file_transfer_types::worker::{self as api, ProgressRequest, Request};
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::capabilities::drop_held;
use transship_guest::drive::Rights;
use transship_guest::message::{self, Capability, ReceivedRequest, Responder, respond_later};
use transship_guest::{debug, info};

use crate::manager::{Handled, Manager, respond_to};
use crate::queue::Wanted;
use crate::rights;

/// How long an asker may take to say that it has heard something, in milliseconds. Then it is told the next in any case.
const ASKER_PATIENCE: u64 = 10_000;

/// A capability that was lent for a transfer; it is given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Lent(Capability);

impl Lent {
    /// One that has been kept.
    pub(crate) fn new(kept: Capability) -> Self {
        Self(kept)
    }

    /// For the worker.
    pub(crate) fn duplicate(&self) -> Capability {
        self.0.duplicate()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop_held(&self.0);
    }
}

/// One transfer.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// The other node.
    pub(crate) node: String,
    /// The file's name there, or at the receiver.
    pub(crate) name: String,
    /// Whether this node receives.
    pub(crate) receiving: bool,
    /// Who wants to hear of it. None: another node asked.
    asker: Option<Address>,
    bytes_done: u64,
    bytes_total: Option<u64>,
    pub(crate) state: TransferState,
    /// Given up with the transfer.
    pub(crate) lent: Option<Lent>,
    /// It waits for its turn, and this is to be started then.
    pub(crate) wanted: Option<Wanted>,
    /// The id of its worker, once it has one: the transfer's own, unless it had to wait.
    pub(crate) worker: String,
    /// The asker has been told something and has not answered yet.
    telling: bool,
    /// What it is to be told next.
    untold: Option<ProgressRequest>,
    /// Those who cancelled and wait until it has ended.
    cancelled: Vec<Responder>,
    /// The other node's right to it has ended, and it was told to stop.
    lapsed: bool,
    /// Rounds of the clock since its worker was heard of.
    silent: u32,
}

impl Transfer {
    /// One that a process of this node asked for.
    pub(crate) fn commanded(node: String, name: String, receiving: bool, asker: Address, lent: Option<Lent>) -> Self {
        Self { asker: Some(asker), lent, ..Self::serving(node, name, receiving) }
    }

    /// One that another node asked for.
    pub(crate) fn serving(node: String, name: String, receiving: bool) -> Self {
        let (state, cancelled) = (TransferState::Starting, Vec::new());
        Self {
            node,
            name,
            receiving,
            asker: None,
            bytes_done: 0,
            bytes_total: None,
            state,
            lent: None,
            wanted: None,
            worker: String::new(),
            telling: false,
            untold: None,
            cancelled,
            lapsed: false,
            silent: 0,
        }
    }

    fn status(&self, id: &str) -> TransferStatus {
        TransferStatus {
            id: id.into(),
            node: Some(self.node.clone()),
            name: Some(self.name.clone()),
            receiving: self.receiving,
            bytes_done: self.bytes_done,
            bytes_total: self.bytes_total,
            state: self.state.clone(),
            kept: None,
        }
    }

    /// Tells the asker: one thing at a time and then the latest, so that one who does not listen (whose command is suspended, say) never fills its mailbox and holds
    /// everybody up. The end is told in any case.
    fn tell(&mut self, progress: ProgressRequest) {
        let Some(asker) = &self.asker else { return };
        if self.telling && !is_end(&progress.state) {
            self.untold = Some(progress);
            return;
        }
        let id = progress.id.clone();
        // Whoever has gone meanwhile does not hear it; the transfer goes on.
        if let Ok(request) = message::Request::to(asker).json(&Request::Progress(progress)) {
            self.telling = request.timeout(ASKER_PATIENCE).context(id.into_bytes()).send().is_ok();
        }
    }

    /// Tells the asker that it waits for its turn.
    fn tell_of_waiting(&mut self, id: &str) {
        let (id, name, state) = (id.to_owned(), self.name.clone(), self.state.clone());
        self.tell(ProgressRequest { id, name, progress: 0, bytes_done: 0, bytes_total: None, state, files_done: None, files_total: None });
    }

    /// The asker has heard what it was told, or will not.
    fn told(&mut self) {
        self.telling = false;
        if let Some(next) = self.untold.take() {
            self.tell(next);
        }
    }

    /// How it ended, for the log.
    fn epitaph(&self, state: &TransferState) -> String {
        let Self { name, node, .. } = self;
        let to_or_from = if self.receiving { "from" } else { "to" };
        match state {
            TransferState::Failed(error) => format!("{name} {to_or_from} {node} failed after {} bytes: {}", self.bytes_done, describe(error)),
            TransferState::Done(summary) if summary.skipped => format!("{name} {to_or_from} {node} was skipped: the name is taken"),
            TransferState::Done(summary) => format!("{name} {to_or_from} {node} is done: {} bytes in {} ms", summary.size, summary.elapsed),
            _ => format!("{name} {to_or_from} {node} is under way"),
        }
    }

    fn take(&mut self, progress: &ProgressRequest) {
        self.bytes_done = progress.bytes_done;
        self.bytes_total = progress.bytes_total.or(self.bytes_total);
        self.state = progress.state.clone();
        self.silent = 0;
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    by_id: BTreeMap<String, Transfer>,
    /// The transfers of workers that have another id.
    of_worker: BTreeMap<String, String>,
}

impl Transfers {
    /// A transfer has been started.
    pub(crate) fn add(&mut self, id: String, transfer: Transfer) {
        self.by_id.insert(id, transfer);
    }

    /// Whether there is one of this id.
    pub(crate) fn is_known(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The one of this id.
    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Transfer> {
        self.by_id.get_mut(id)
    }

    /// One that had to wait has its worker now.
    pub(crate) fn has_worker(&mut self, id: &str) {
        if let Some(transfer) = self.by_id.get(id) {
            self.of_worker.insert(transfer.worker.clone(), id.to_owned());
        }
    }

    /// The id of the transfer that a worker is of.
    fn of_worker(&self, worker: &str) -> Option<&String> {
        self.of_worker.get(worker)
    }

    /// How many of this node's own run with another node.
    pub(crate) fn own_with(&self, node: &str) -> usize {
        self.by_id.values().filter(|transfer| transfer.asker.is_some() && transfer.wanted.is_none() && transfer.node == node).count()
    }

    /// Those that receive, whether a file or a tree and into whichever drive, as hidden names tell them: what has such a name is in use, or may be the next moment.
    pub(crate) fn receiving(&self) -> BTreeSet<String> {
        self.by_id.values().filter(|transfer| transfer.receiving).map(|transfer| hidden::whose(&transfer.node, &transfer.name)).collect()
    }

    /// How many run for another node.
    pub(crate) fn serving(&self, node: &str) -> usize {
        self.by_id.values().filter(|transfer| transfer.asker.is_none() && transfer.node == node).count()
    }

    /// What a worker says of its transfer. Some: it has ended.
    fn take(&mut self, progress: &ProgressRequest) -> Option<Transfer> {
        let transfer = self.by_id.get_mut(&progress.id)?;
        transfer.take(progress);
        if !is_end(&progress.state) {
            return None;
        }
        let ended = self.by_id.remove(&progress.id)?;
        self.of_worker.remove(&ended.worker);
        Some(ended)
    }
}

fn is_end(state: &TransferState) -> bool {
    matches!(state, TransferState::Done(_) | TransferState::Failed(_))
}

impl Manager {
    /// Progress of one of our workers, or what the node says of one that was ended.
    pub(crate) fn progress(&mut self, received: &ReceivedRequest, mut progress: ProgressRequest) -> Option<api::Response> {
        let exited = received.request.metadata.as_deref().and_then(exit_reason);
        let ours = received.source.node == self.our.node && Some(&received.source.process) == worker_name(&self.our, &progress.id).as_ref();
        // A notice of an end is believed if there is indeed no such worker any more, whoever brings it.
        let ended = exited.is_some() && received.source.node == self.our.node && api::worker_of(&self.our, &progress.id).is_none();
        if !ours && !ended {
            debug!("{} reports progress of a transfer that is not its own", received.source);
            return None;
        }
        if let Some(reason) = exited {
            self.stores.ended(&self.files, &progress.id);
            let id = self.transfers.of_worker(&progress.id).unwrap_or(&progress.id);
            if let Some(transfer) = self.transfers.by_id.get(id) {
                progress.name.clone_from(&transfer.name);
                (progress.bytes_done, progress.bytes_total) = (transfer.bytes_done, transfer.bytes_total);
                progress.state = TransferState::Failed(TransferError::Failed(match reason {
                    Some(text) => format!("the worker was ended: {text}"),
                    None => "the worker ended before it was done".into(),
                }));
            }
        }
        if let Some(id) = self.transfers.of_worker(&progress.id) {
            progress.id.clone_from(id);
        }
        self.pass_on(progress);
        Some(api::Response::Progress)
    }

    fn pass_on(&mut self, progress: ProgressRequest) {
        if let Some(node) = self.end(progress) {
            self.begin_next(&node);
        }
    }

    /// Tells whoever wants to hear of it. If it is the end, the transfer is known no more: then the other node is returned.
    pub(crate) fn end(&mut self, progress: ProgressRequest) -> Option<String> {
        let known = self.transfers.get_mut(&progress.id)?;
        known.tell(progress.clone());
        let transfer = self.transfers.take(&progress)?;
        info!("transfer {}: {}", progress.id, transfer.epitaph(&progress.state));
        let status = transfer.status(&progress.id);
        for waiting in &transfer.cancelled {
            respond_to(waiting, &Answer::Cancelled(status.clone()));
        }
        Some(transfer.node)
    }

    /// Somebody has answered, or not, what it was told of a transfer.
    pub(crate) fn told(&mut self, context: Option<&[u8]>) {
        if let Some(transfer) = context.and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| self.transfers.by_id.get_mut(id)) {
            transfer.told();
        }
    }

    /// Stops transfers for nodes that were allowed to begin them and are not any more.
    pub(crate) fn stop_what_lapsed(&mut self) {
        for (id, transfer) in &mut self.transfers.by_id {
            let needs = if transfer.receiving { Rights::WRITE } else { Rights::READ };
            if transfer.asker.is_none() && !transfer.lapsed && !rights::has(&self.our, &transfer.node, needs) {
                info!("transfer {id}: {} has lost the right to it", transfer.node);
                transfer.lapsed = true;
                api::cancel(&self.our, &transfer.worker, true);
            }
        }
    }

    /// Looks for transfers whose worker is gone without a word.
    pub(crate) fn look_after_transfers(&mut self) {
        let mut gone = Vec::new();
        for (id, transfer) in &mut self.transfers.by_id {
            if transfer.wanted.is_some() {
                transfer.tell_of_waiting(id);
                continue;
            }
            transfer.silent += 1;
            // One round of grace: its last word may be in the mailbox.
            if transfer.silent > 1 && api::worker_of(&self.our, &transfer.worker).is_none() {
                gone.push((id.clone(), transfer.name.clone(), transfer.bytes_done, transfer.bytes_total));
            }
        }
        for (id, name, bytes_done, bytes_total) in gone {
            let state = TransferState::Failed(TransferError::Failed("the worker is gone: the node's log may say why".into()));
            self.pass_on(ProgressRequest { id, name, progress: 0, bytes_done, bytes_total, state, files_done: None, files_total: None });
        }
    }

    /// `transfers`.
    pub(crate) fn list_transfers(&self, received: &ReceivedRequest) -> Result<Handled, TransferError> {
        rights::check_local(&self.our, received)?;
        Ok(Handled::Answer(Answer::Transfers(self.transfers.by_id.iter().map(|(id, transfer)| transfer.status(id)).collect())))
    }

    /// `cancel`: answered when the transfer has ended.
    pub(crate) fn cancel(&mut self, received: &ReceivedRequest, cancel: CancelRequest) -> Result<Handled, TransferError> {
        rights::check_local(&self.our, received)?;
        let unknown = || TransferError::UnknownTransfer(cancel.id.chars().take(80).collect());
        if !self.transfers.by_id.contains_key(&cancel.id) {
            return self.discard(&cancel.id, cancel.keep)?.map(|status| Handled::Answer(Answer::Cancelled(status))).ok_or_else(unknown);
        }
        let transfer = self.transfers.get_mut(&cancel.id).ok_or_else(unknown)?;
        if transfer.wanted.take().is_some() {
            self.queue.remove(&transfer.node, &cancel.id);
            let state = TransferState::Failed(TransferError::Cancelled(format!("on {}", self.our.node)));
            let (name, status) = (transfer.name.clone(), TransferStatus { state: state.clone(), ..transfer.status(&cancel.id) });
            self.end(ProgressRequest { id: cancel.id, name, progress: 0, bytes_done: 0, bytes_total: None, state, files_done: None, files_total: None });
            return Ok(Handled::Answer(Answer::Cancelled(status)));
        }
        if !api::cancel(&self.our, &transfer.worker, cancel.keep) {
            return Err(unknown());
        }
        if received.expects_response() {
            transfer.cancelled.extend(respond_later());
        }
        Ok(Handled::Later)
    }
}

/// The process name that the API component gives the worker of a transfer (or of a store).
fn worker_name(our: &Address, id: &str) -> Option<transship_guest::address::ProcessId> {
    let prefix = if id.len() == 32 { "store-" } else { "transfer-" };
    let name = format!("{prefix}{id}");
    transship_guest::address::is_name_part(&name).then(|| our.process.sibling(name))
}

/// The reason in what the node says of an ended process (see `processes.exit-request`). None: the metadata says something else.
fn exit_reason(metadata: &str) -> Option<Option<String>> {
    let value: serde_json::Value = serde_json::from_str(metadata).ok()?;
    value.get("exited")?;
    Some(value.get("reason").and_then(|reason| reason.as_str()).map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(id: &str, state: TransferState) -> ProgressRequest {
        ProgressRequest { id: id.into(), name: "n".into(), progress: 0, bytes_done: 5, bytes_total: Some(10), state, files_done: None, files_total: None }
    }

    #[test]
    fn a_transfer_is_known_until_its_end_and_then_no_more() {
        let mut transfers = Transfers::default();
        transfers.add("1".into(), Transfer::serving("bob".into(), "n".into(), false));
        assert_eq!(transfers.serving("bob"), 1);
        assert!(transfers.take(&progress("1", TransferState::Transferring)).is_none());
        assert!(transfers.take(&progress("2", TransferState::Transferring)).is_none(), "of another");
        let ended = transfers.take(&progress("1", TransferState::Failed(TransferError::Busy(String::new())))).unwrap();
        assert_eq!((ended.bytes_done, ended.bytes_total), (5, Some(10)));
        assert_eq!(transfers.serving("bob"), 0);
        assert!(transfers.take(&progress("1", TransferState::Transferring)).is_none(), "a late word changes nothing");
    }

    #[test]
    fn what_a_transfer_keeps_is_in_use_until_its_end_is_known() {
        let mut transfers = Transfers::default();
        transfers.add("1".into(), Transfer::serving("bob".into(), "photos".into(), true));
        transfers.add("2".into(), Transfer::serving("bob".into(), "sent".into(), false));
        let bobs = |name| hidden::whose("bob", name);
        assert_eq!(transfers.receiving(), [bobs("photos")].into(), "what is sent keeps nothing here");
        transfers.take(&progress("1", TransferState::Verifying));
        assert_eq!(transfers.receiving(), [bobs("photos")].into());
        transfers.take(&progress("1", TransferState::Failed(TransferError::Interrupted(String::new()))));
        assert_eq!(transfers.receiving(), BTreeSet::new());
    }

    #[test]
    fn the_notice_of_an_end_is_told_from_other_notes() {
        assert_eq!(exit_reason(r#"{"exited": "a:b:c", "reason": null}"#), Some(None));
        assert_eq!(exit_reason(r#"{"exited": "a:b:c", "reason": "trap"}"#), Some(Some("trap".into())));
        assert_eq!(exit_reason("hello"), None);
        assert_eq!(exit_reason("{}"), None);
    }
}
