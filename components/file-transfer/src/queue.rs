//! Transfers that this node's own processes asked for and that wait for their turn: so many run with one other node at a time, the others begin in the order of asking as those end.
//!
//! More at a time would not be quicker: each has its window, and a line or a disk that is full does not become wider. What always holds: a transfer waits only while as many as may be run with that node, so whenever one ends the next
//! begins; it has its id from the beginning, and can be followed and cancelled like one that runs. The worker, and so the process, that it gets later has an id of its own.

use std::collections::{BTreeMap, VecDeque};

use file_transfer_types::types::{TransferError, TransferState};
use file_transfer_types::worker::{self as api, DownloadRequest, ProgressRequest, UploadRequest};
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::timer;
use transship_guest::message::Capability;
use transship_guest::{hex, info};

use crate::manager::Manager;
use crate::transfers::{Lent, Transfer};

/// So many of this node's own transfers run with one other node at a time.
const AT_ONCE: usize = 64;

/// What is to be started.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// A worker that receives.
    Download(DownloadRequest),
    /// A worker that sends.
    Upload(UploadRequest),
}

impl Wanted {
    /// Starts the worker; returns its id.
    fn start(&self, our: &Address, lent: Option<&Lent>) -> Result<String, TransferError> {
        let grants: Vec<Capability> = lent.iter().map(|lent| lent.duplicate()).collect();
        match self {
            Self::Download(request) => api::start_download_with(our, request, grants),
            Self::Upload(request) => api::start_upload(our, request, grants),
        }
    }
}

/// Who waits, by the other node, in the order of asking.
#[derive(Debug, Default)]
pub(crate) struct Queue(BTreeMap<String, VecDeque<String>>);

impl Queue {
    fn push(&mut self, node: &str, id: String) {
        self.0.entry(node.to_owned()).or_default().push_back(id);
    }

    fn pop(&mut self, node: &str) -> Option<String> {
        let waiting = self.0.get_mut(node)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.0.remove(node);
        }
        next
    }

    /// One does not wait any more.
    pub(crate) fn remove(&mut self, node: &str, id: &str) {
        if let Some(waiting) = self.0.get_mut(node) {
            waiting.retain(|other| other != id);
            if waiting.is_empty() {
                self.0.remove(node);
            }
        }
    }
}

impl Manager {
    /// Begins a transfer of this node's own, now or when its turn comes; returns its id.
    pub(crate) fn begin_own(&mut self, mut transfer: Transfer, wanted: Wanted) -> Result<String, TransferError> {
        let what = format!("{} {} {}", transfer.name, if transfer.receiving { "from" } else { "to" }, transfer.node);
        if self.transfers.own_with(&transfer.node) < AT_ONCE {
            let id = wanted.start(&self.our, transfer.lent.as_ref())?;
            info!("transfer {id}: {what} begins");
            transfer.worker.clone_from(&id);
            self.transfers.add(id.clone(), transfer);
            return Ok(id);
        }
        let id = loop {
            let id = hex::encode(&timer::random(4));
            if !self.transfers.is_known(&id) {
                break id;
            }
        };
        info!("transfer {id}: {what} waits for its turn");
        self.queue.push(&transfer.node, id.clone());
        (transfer.wanted, transfer.state) = (Some(wanted), TransferState::Waiting);
        self.transfers.add(id.clone(), transfer);
        Ok(id)
    }

    /// One of the transfers with this node has ended: as many as may begin now do.
    pub(crate) fn begin_next(&mut self, node: &str) {
        while self.transfers.own_with(node) < AT_ONCE
            && let Some(id) = self.queue.pop(node)
        {
            let Some(transfer) = self.transfers.get_mut(&id) else { continue };
            let Some(wanted) = transfer.wanted.take() else { continue };
            transfer.state = TransferState::Starting;
            match wanted.start(&self.our, transfer.lent.as_ref()) {
                Ok(worker) => {
                    info!("transfer {id}: its turn has come, as worker {worker}");
                    transfer.worker = worker;
                    self.transfers.has_worker(&id);
                }
                Err(error) => {
                    let (name, state) = (transfer.name.clone(), TransferState::Failed(error));
                    self.end(ProgressRequest { id, name, progress: 0, bytes_done: 0, bytes_total: None, state, files_done: None, files_total: None });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_its_own_line_and_who_leaves_it_makes_room() {
        let mut queue = Queue::default();
        for (node, id) in [("bob", "1"), ("carol", "2"), ("bob", "3"), ("bob", "4")] {
            queue.push(node, id.into());
        }
        queue.remove("bob", "3");
        queue.remove("bob", "2");
        queue.remove("dave", "1");
        assert_eq!([queue.pop("bob"), queue.pop("bob"), queue.pop("bob")], [Some("1".into()), Some("4".into()), None]);
        queue.remove("carol", "2");
        assert_eq!(queue.pop("carol"), None);
        assert!(queue.0.is_empty());
    }
}
