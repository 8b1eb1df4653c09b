use std::cmp::Reverse;
use std::collections::HashMap;

use clap::Args;

use super::ps::watch;
use crate::cli::Context;
use crate::cli::error::CliError;

/// Show the processes of the running node every second, the busiest first, until Ctrl-C.
///
/// Busy is who has sent and received the most messages since the last look; of those that did nothing, who has the most memory.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship top")]
pub(crate) struct TopArgs {}

pub(crate) async fn run(context: &Context, _args: &TopArgs) -> Result<(), CliError> {
    let mut before = HashMap::new();
    watch(context, |processes| {
        let messages = |process: &transship::node::ProcessInfo| process.messages_in + process.messages_out;
        let busy = |process: &transship::node::ProcessInfo| messages(process).saturating_sub(before.get(&process.id).copied().unwrap_or_default());
        processes.sort_by_key(|process| (Reverse(busy(process)), Reverse(process.memory), process.id.clone()));
        before = processes.iter().map(|process| (process.id.clone(), messages(process))).collect();
    })
    .await
}
