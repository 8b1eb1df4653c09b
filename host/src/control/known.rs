//! Peers, in the words of the control protocol.

use super::protocol::{PeerInfo, Refusal};
use crate::peers::{Peer, PeersError};

impl From<Peer> for PeerInfo {
    fn from(peer: Peer) -> Self {
        Self {
            name: peer.name,
            key: peer.key,
            address: peer.address.map(|address| address.to_string()),
            allow: peer.allow.into_iter().collect(),
            limit: peer.limit,
        }
    }
}

impl From<PeersError> for Refusal {
    fn from(error: PeersError) -> Self {
        let message = error.to_string();
        match error {
            PeersError::Unknown(_) => Self::NotFound(message),
            PeersError::NameTaken { .. } | PeersError::KeyTaken(_) => Self::Conflict(message),
            PeersError::Malformed { .. } | PeersError::Io { .. } => Self::Failed(message),
            _ => Self::Invalid(message),
        }
    }
}
