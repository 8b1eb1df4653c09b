use clap::Args;
use transship::control::{PeerInfo, Refusal};
use transship::peers::Peers;
use transship::rights::Rights;
use transship::ticket::Ticket;

use super::rights::{Limit, check_drives, may_here, parse_allow, parse_limit, together};
use super::show::as_json;
use crate::cli::Context;
use crate::cli::connect::Access;
use crate::cli::error::CliError;

/// Know another node by its ticket, and say what it may do here.
///
/// Without --allow it may do nothing here, but this node can use what the other one allows it. Of a node that is known already the address is set anew; what it may do stays as it is, or, with
/// --allow, is exactly that from now on. `transship peer allow` changes it without a ticket.
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
    /// How much a second goes to it and comes from it at most, from 16K, or none
    #[arg(long, value_name = "RATE", value_parser = parse_limit)]
    limit: Option<Limit>,
}

pub(crate) async fn run(context: &Context, args: &AddArgs) -> Result<(), CliError> {
    let allow = Some(together(&args.allow)).filter(|allow| !allow.is_empty());
    let given = allow.as_deref().unwrap_or_default();
    let (peer, known) = match context.access().await? {
        Access::Running(client) => {
            check_drives(context, given, &client.drives().await?)?;
            let (peer, known) = client.add_peer(&args.ticket.to_string(), args.name.as_deref(), allow.as_deref()).await?;
            match args.limit {
                Some(Limit(limit)) => (client.limit_peer(&peer.name, limit).await?, known),
                None => (peer, known),
            }
        }
        Access::Alone(home, _lock) => {
            check_drives(context, given, &transship::node::drives_of(&home))?;
            let peers = Peers::open(&home.peers_path(), &home.identity()?).map_err(Refusal::from)?;
            let added = peers.add(&args.ticket, args.name.as_deref(), allow.clone().map(|allow| allow.into_iter().collect())).map_err(Refusal::from)?;
            let peer = match args.limit {
                Some(Limit(limit)) => peers.limit(&added.peer.name, limit).map_err(Refusal::from)?,
                None => added.peer,
            };
            (PeerInfo::from(peer), added.known)
        }
    };
    let (name, may) = (&peer.name, may_here(&peer));
    let text = match (known, allow.is_some()) {
        (false, _) => format!("{name} is known, and {may}"),
        (true, true) => format!("{name} was known already: its address is {} now, and it {may}", args.ticket.address()),
        (true, false) => format!("{name} was known already: its address is {} now, and as before it {may}", args.ticket.address()),
    };
    context.ui.done(&as_json(&peer), &text)
}
