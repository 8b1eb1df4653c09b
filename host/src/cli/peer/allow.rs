use clap::Args;
use transship::control::{PeerInfo, Refusal};
use transship::peers::Peers;
use transship::rights::Rights;

use super::rights::{Limit, check_drives, may_here, parse_change, parse_limit, together};
use super::show::as_json;
use crate::cli::Context;
use crate::cli::connect::Access;
use crate::cli::error::CliError;

/// Say what a known node may do with a drive, and how fast.
///
/// What is said replaces what it might do with that drive; other drives stay as they are. It holds at once, also in a node that runs; a transfer under way that it does not allow any more stops within seconds.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship peer allow bob files=list,read,write\n  transship peer allow bob files=none\n  transship peer allow bob --limit 2M"
)]
pub(crate) struct AllowArgs {
    /// Its name here
    #[arg(value_name = "NAME")]
    name: String,
    /// The drive, and what it may do with it: list, read and write, with commas between, or none
    #[arg(value_name = "DRIVE=RIGHTS", required_unless_present = "limit", value_parser = parse_change)]
    allow: Vec<(String, Rights)>,
    /// How much a second goes to it and comes from it at most, from 16K, or none; in what is under way too
    #[arg(long, value_name = "RATE", value_parser = parse_limit)]
    limit: Option<Limit>,
}

pub(crate) async fn run(context: &Context, args: &AllowArgs) -> Result<(), CliError> {
    let allow = together(&args.allow);
    // What is taken away may be of a drive that is gone.
    let given: Vec<_> = allow.iter().filter(|(_, rights)| *rights != Rights::NONE).cloned().collect();
    let peer = match context.access().await? {
        Access::Running(client) => {
            check_drives(context, &given, &client.drives().await?)?;
            let peer = client.allow_peer(&args.name, &allow).await?;
            match args.limit {
                Some(Limit(limit)) => client.limit_peer(&args.name, limit).await?,
                None => peer,
            }
        }
        Access::Alone(home, _lock) => {
            check_drives(context, &given, &transship::node::drives_of(&home))?;
            let peers = Peers::open(&home.peers_path(), &home.identity()?).map_err(Refusal::from)?;
            let peer = peers.allow(&args.name, &allow.into_iter().collect()).map_err(Refusal::from)?;
            PeerInfo::from(match args.limit {
                Some(Limit(limit)) => peers.limit(&args.name, limit).map_err(Refusal::from)?,
                None => peer,
            })
        }
    };
    context.ui.done(&as_json(&peer), &format!("{} {}", peer.name, may_here(&peer)))
}
