//! What an owner asks about the nodes that are known.

use super::{ControlClient, ControlError};
use crate::control::protocol::{Call, PeerInfo, Reply};
use crate::rights::Rights;

impl ControlClient {
    /// Who is known.
    ///
    /// # Errors
    /// [`ControlError::Ended`], [`ControlError::Silent`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, ControlError> {
        match self.call(Call::Peers).await? {
            Reply::Peers(peers) => Ok(peers),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Makes a node known, or changes where it is. `allow` is what it may do from now on; none: what it may already. Returns it as it is then, and whether it was known before.
    ///
    /// # Errors
    /// [`Refusal::Conflict`](super::Refusal::Conflict) if another node has that name, [`Refusal::Invalid`](super::Refusal::Invalid) if the ticket or the name is none.
    pub async fn add_peer(&self, ticket: &str, name: Option<&str>, allow: Option<&[(String, Rights)]>) -> Result<(PeerInfo, bool), ControlError> {
        match self.call(Call::AddPeer { ticket: ticket.into(), name: name.map(str::to_owned), allow: allow.map(Into::into) }).await? {
            Reply::Peer { peer, known } => Ok((peer, known)),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Changes what a node may do with some drives. Returns it as it is then.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](super::Refusal::NotFound) if there is none of that name, [`Refusal::Invalid`](super::Refusal::Invalid) if a drive's name is none.
    pub async fn allow_peer(&self, name: &str, allow: &[(String, Rights)]) -> Result<PeerInfo, ControlError> {
        match self.call(Call::AllowPeer { name: name.into(), allow: allow.into() }).await? {
            Reply::Peer { peer, .. } => Ok(peer),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Changes how many bytes a second go to a node and come from it at most; none: as many as the line takes. Returns it as it is then.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](super::Refusal::NotFound) if there is none of that name, [`Refusal::Invalid`](super::Refusal::Invalid) if it is too little.
    pub async fn limit_peer(&self, name: &str, limit: Option<u64>) -> Result<PeerInfo, ControlError> {
        match self.call(Call::LimitPeer { name: name.into(), limit }).await? {
            Reply::Peer { peer, .. } => Ok(peer),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Knows a node no longer.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](super::Refusal::NotFound) if there is none of that name.
    pub async fn remove_peer(&self, name: &str) -> Result<(), ControlError> {
        self.call(Call::RemovePeer { name: name.into() }).await.map(drop)
    }
}
