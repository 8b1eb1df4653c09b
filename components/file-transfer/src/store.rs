//! Segments of a file: the first starts a worker, which answers it; those that follow are handed on to it, unless the client sends them there itself.

use std::collections::BTreeMap;

use file_transfer_types::errors::from_send;
use file_transfer_types::manager::StoreSegment;
use file_transfer_types::names::{HIDDEN, shown};
use file_transfer_types::types::TransferError;
use file_transfer_types::worker as api;
use transship_guest::address::{Address, ProcessId};
use transship_guest::drive::{Directory, Rights};
use transship_guest::message::{ReceivedRequest, Request};
use transship_guest::warn;

use crate::manager::{Handled, Manager};
use crate::rights::{self, DRIVE};

/// So many at a time for one node.
const PER_NODE: usize = 32;

/// The stores under way: file-id to client.
#[derive(Debug, Default)]
pub(crate) struct Stores(BTreeMap<String, Address>);

impl Stores {
    /// Fails unless a client may start one more.
    fn check_room(&self, client: &Address) -> Result<(), TransferError> {
        let open = self.0.values().filter(|other| other.node == client.node).count();
        if open < PER_NODE { Ok(()) } else { Err(TransferError::Busy(format!("{open} files are being stored for {}", client.node))) }
    }

    /// Whether this is the id of a store of this client's. Another's is as good as none: it tells nothing.
    fn is_of(&self, id: &str, client: &Address) -> bool {
        self.0.get(id).is_some_and(|other| other.node == client.node)
    }

    /// A worker has ended: what it may have left (if it was killed) goes too.
    pub(crate) fn ended(&mut self, files: &Directory, id: &str) {
        if self.0.remove(id).is_some() {
            let _ = files.remove_file(&format!("{HIDDEN}store-{id}"));
        }
    }
}

/// Removes what stores of an earlier run left: none of them can go on.
pub(crate) fn sweep(files: &Directory) {
    let start = format!("{HIDDEN}store-");
    let Ok(page) = files.entries(Some(&start), 10_000) else { return };
    for entry in page.entries.iter().take_while(|entry| entry.name.starts_with(&start)) {
        if let Err(error) = files.remove_file(&entry.name) {
            warn!("{} can't be removed: {error:?}", entry.name);
        }
    }
}

impl Manager {
    /// `store`: starts a worker with the first segment, and hands all of them on to it; it answers.
    pub(crate) fn store(&mut self, received: &ReceivedRequest, segment: StoreSegment) -> Result<Handled, TransferError> {
        rights::check(&self.our, received, Rights::WRITE)?;
        let worker = match segment.file_id {
            None => self.open_store(received, segment.number)?,
            Some(id) => {
                let unknown = || TransferError::UnknownTransfer(shown(&id));
                if !self.stores.is_of(&id, &received.source) {
                    return Err(unknown());
                }
                api::worker_of(&self.our, &id).ok_or_else(unknown)?
            }
        };
        let target = Address::new(self.our.node.clone(), worker);
        match Request::to(&target).body(received.request.body.clone()).inherit().send() {
            Ok(()) => Ok(Handled::Later),
            Err(error) => Err(from_send(&error.kind, &self.our.node, "a segment was handed on")),
        }
    }

    fn open_store(&mut self, received: &ReceivedRequest, number: u64) -> Result<ProcessId, TransferError> {
        if number != 1 {
            return Err(TransferError::InvalidRequest("the file-id is missing: only segment 1 has none".into()));
        }
        self.stores.check_room(&received.source)?;
        let id = api::start_store(&self.our, DRIVE, &received.source, Vec::new())?;
        self.stores.0.insert(id.clone(), received.source.clone());
        api::worker_of(&self.our, &id).ok_or_else(|| TransferError::Failed("the worker ended at once: the node's log says why".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_belongs_to_its_client_and_their_number_is_bounded() {
        let (alice, bob): (Address, Address) = ("alice@a:b:c".parse().unwrap(), "bob@a:b:c".parse().unwrap());
        let mut stores = Stores::default();
        for number in 0..PER_NODE {
            assert_eq!(stores.check_room(&alice), Ok(()));
            stores.0.insert(number.to_string(), alice.clone());
        }
        assert!(matches!(stores.check_room(&alice), Err(TransferError::Busy(_))));
        assert_eq!(stores.check_room(&bob), Ok(()));
        assert!(stores.is_of("0", &alice) && !stores.is_of("0", &bob) && !stores.is_of("x", &alice));
    }
}
