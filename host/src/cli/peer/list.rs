use std::time::Duration;

use clap::Args;

use super::show::{all, as_json, show_allow};
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::ui::table;
use crate::cli::units::show_rate;

/// Show the nodes that are known, where they are, and what they may do here.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship peer list")]
pub(crate) struct ListArgs {}

pub(crate) async fn run(context: &Context, _args: &ListArgs) -> Result<(), CliError> {
    let peers = all(context).await?;
    if context.ui.json() {
        return peers.iter().try_for_each(|peer| context.ui.object(&as_json(peer)));
    }
    if peers.is_empty() {
        return context.ui.line("no peers: add one with `transship peer add TICKET`");
    }
    let limited = peers.iter().any(|peer| peer.limit.is_some());
    let mut rows = vec![["NAME", "ADDRESS", "MAY HERE", "KEY"].map(str::to_owned).to_vec()];
    for peer in &peers {
        let allow = if peer.allow.is_empty() { "nothing".into() } else { show_allow(&peer.allow) };
        rows.push(vec![peer.name.clone(), peer.address.clone().unwrap_or_else(|| "-".into()), allow, peer.key.to_string()]);
    }
    // Seldom of interest, so it takes no room where nobody has one.
    if limited {
        let limits = peers.iter().map(|peer| peer.limit.map_or_else(|| "-".into(), |limit| show_rate(limit, Duration::from_secs(1))));
        for (row, limit) in rows.iter_mut().zip(std::iter::once("LIMIT".to_owned()).chain(limits)) {
            row.insert(3, limit);
        }
    }
    table(&rows, &[]).iter().try_for_each(|line| context.ui.line(line))
}
