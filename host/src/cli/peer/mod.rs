//! Other nodes: known or not, and what they may do.

mod add;
mod allow;
mod list;
mod remove;
mod rights;
mod show;

use clap::{Args, Subcommand};

use super::Context;
use super::error::CliError;

/// Know other nodes, and say what they may do.
///
/// A node answers only nodes that it knows, and each may do only what it was allowed, drive by drive. The drive of shared files is `files`.
#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(add::AddArgs),
    Allow(allow::AllowArgs),
    List(list::ListArgs),
    Remove(remove::RemoveArgs),
}

pub(crate) async fn run(context: &Context, args: PeerArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Add(args) => add::run(context, &args).await,
        Verb::Allow(args) => allow::run(context, &args).await,
        Verb::List(args) => list::run(context, &args).await,
        Verb::Remove(args) => remove::run(context, &args).await,
    }
}
