//! Packages: those of this node, and those in files.

mod asking;
mod grant;
mod install;
mod list;
mod place;
mod remove;
pub(crate) mod script;
mod show;
pub(crate) mod start;
pub(crate) mod stop;

use clap::{Args, Subcommand};

use super::Context;
use super::error::CliError;

/// Add packages of components to this node, and look into them.
///
/// A package says which processes it runs and what they may do; nothing of it runs before the node's owner has said yes to that.
#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Install(install::InstallArgs),
    Grant(grant::GrantArgs),
    Remove(remove::RemoveArgs),
}

pub(crate) async fn run(context: &Context, args: PackageArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::List(args) => list::run(context, &args).await,
        Verb::Show(args) => show::run(context, &args),
        Verb::Install(args) => install::run(context, &args).await,
        Verb::Grant(args) => grant::run(context, &args).await,
        Verb::Remove(args) => remove::run(context, &args).await,
    }
}
