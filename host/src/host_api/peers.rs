//! `peers`.

use super::Guest;
use super::bindings::transship::host::peers::{Host, Peer};
use super::bindings::transship::host::standard;
use crate::rights::Rights;

impl Host for Guest {
    fn list(&mut self) -> wasmtime::Result<Vec<Peer>> {
        if !self.process.may_network() {
            return Ok(Vec::new());
        }
        Ok(self.node.peers.list().into_iter().map(|peer| Peer { connected: self.node.links.connected(&peer.name), name: peer.name }).collect())
    }

    fn rights_of(&mut self, node: String, drive: String) -> wasmtime::Result<standard::Rights> {
        if node == self.node.name {
            return Ok(Rights::ALL.into());
        }
        if !self.process.may_network() {
            return Ok(Rights::NONE.into());
        }
        Ok(self.node.peers.rights(&node, self.process.id.package(), &drive).into())
    }
}
