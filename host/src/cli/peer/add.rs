use clap::Args;
use serde_json::json;
use transship::control::{ControlClient, ControlError, PeerInfo, Refusal};
use transship::peers::Peers;
use transship::rights::Rights;
use transship::ticket::Ticket;

use crate::cli::Context;
use crate::cli::connect::Access;
use crate::cli::error::CliError;

/// Know another node by its ticket, and say what it may do here.
///
/// Without --allow it may do nothing here, but this node can use what the other one allows it. Adding a node that is known already sets its address and
/// what it may do anew.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship peer add 'bob@192.0.2.7:7447#...' --allow files=list,read\n  transship peer add 'bob@192.0.2.7:7447#...' --name work --allow files=list,read,write"
)]
pub(crate) struct AddArgs {
    /// What `transship ticket` printed on the other machine
    #[arg(value_name = "TICKET")]
    ticket: Ticket,
    /// What to call it here, if not by its own name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it may do with a drive: list, read and write, with commas between; can be given several times
    #[arg(long, value_name = "DRIVE=RIGHTS", value_parser = parse_allow)]
    allow: Vec<(String, Rights)>,
}

fn parse_allow(text: &str) -> Result<(String, Rights), String> {
    let (drive, rights) = text.rsplit_once('=').ok_or_else(|| format!("'{text}' has no '=': write DRIVE=list,read,write"))?;
    Ok((drive.into(), rights.parse().map_err(|error| format!("{error}"))?))
}

/// What is allowed of a drive that is named several times, together.
fn together(allow: &[(String, Rights)]) -> Vec<(String, Rights)> {
    let mut all: Vec<(String, Rights)> = Vec::new();
    for (drive, rights) in allow {
        match all.iter_mut().find(|(other, _)| other == drive) {
            Some((_, sum)) => *sum = Rights { list: sum.list || rights.list, read: sum.read || rights.read, write: sum.write || rights.write },
            None => all.push((drive.clone(), *rights)),
        }
    }
    all
}

pub(crate) async fn run(context: &Context, args: &AddArgs) -> Result<(), CliError> {
    let allow = together(&args.allow);
    let name = match context.access().await? {
        Access::Running(client) => client.add_peer(&args.ticket.to_string(), args.name.as_deref(), &allow).await?,
        Access::Alone(home, _lock) => {
            let peers = Peers::open(&home.peers_path(), &home.identity()?).map_err(Refusal::from)?;
            peers.add(&args.ticket, args.name.as_deref(), allow.iter().cloned().collect()).map_err(Refusal::from)?
        }
    };
    let text = match show_allow(&allow) {
        rights if rights.is_empty() => format!("{name} is known, and may do nothing here (allow something with --allow, for instance --allow files=list,read)"),
        rights => format!("{name} is known, and may here: {rights}"),
    };
    context.ui.done(&as_json(&name, &args.ticket.key().to_string(), Some(&args.ticket.address().to_string()), &allow), &text)
}

/// A peer as one JSON object.
pub(super) fn as_json(name: &str, key: &str, address: Option<&str>, allow: &[(String, Rights)]) -> serde_json::Value {
    let allow: serde_json::Map<_, _> = allow.iter().map(|(drive, rights)| (drive.clone(), json!(rights))).collect();
    json!({"name": name, "key": key, "address": address, "allow": allow})
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_a_drive_and_rights() {
        let read = Rights { list: true, read: true, write: false };
        assert_eq!(parse_allow("files=list,read").unwrap(), ("files".into(), read));
        assert_eq!(parse_allow("p:q/files=list,read").unwrap().0, "p:q/files");
        assert!(parse_allow("files").is_err() && parse_allow("files=everything").is_err() && parse_allow("files=").is_err());
        assert_eq!(show_allow(&[("a".into(), read), ("b".into(), Rights::NONE)]), "a=list,read b=none");
    }

    #[test]
    fn a_drive_that_is_named_twice_gets_both() {
        let allow = ["files=list", "other=read", "files=write"].map(|text| parse_allow(text).unwrap());
        assert_eq!(show_allow(&together(&allow)), "files=list,write other=read");
    }
}
