//! Peers as they are shown, and where they are read.

use serde_json::json;
use transship::control::{ControlClient, ControlError, PeerInfo, Refusal};
use transship::peers::Peers;
use transship::rights::Rights;

use crate::cli::Context;
use crate::cli::error::CliError;

/// A peer as one JSON object.
pub(super) fn as_json(peer: &PeerInfo) -> serde_json::Value {
    let allow: serde_json::Map<_, _> = peer.allow.iter().map(|(drive, rights)| (drive.clone(), json!(rights))).collect();
    json!({"name": peer.name, "key": peer.key.to_string(), "address": peer.address, "allow": allow, "limit": peer.limit})
}

/// `files=list,read drafts=list`.
pub(super) fn show_allow(allow: &[(String, Rights)]) -> String {
    allow.iter().map(|(drive, rights)| format!("{drive}={rights}")).collect::<Vec<_>>().join(" ")
}

/// All peers, asked of the running node or read from the home, for which nobody else needs to wait.
pub(super) async fn all(context: &Context) -> Result<Vec<PeerInfo>, CliError> {
    let home = context.open_home()?;
    Ok(match ControlClient::connect(&home).await {
        Ok(client) => client.peers().await?,
        Err(ControlError::NotRunning(_)) => {
            let peers = Peers::open(&home.peers_path(), &home.identity()?).map_err(Refusal::from)?;
            peers.list().into_iter().map(PeerInfo::from).collect()
        }
        Err(error) => return Err(error.into()),
    })
}
