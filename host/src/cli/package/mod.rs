//! Packages: those of this node, and those in files.

mod install;
mod list;
mod new;
mod place;
mod remove;
mod show;

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
    New(new::NewArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Install(install::InstallArgs),
    Remove(remove::RemoveArgs),
}

pub(crate) async fn run(context: &Context, args: PackageArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::New(args) => new::run(context, &args),
        Verb::List(args) => list::run(context, &args),
        Verb::Show(args) => show::run(context, &args),
        Verb::Install(args) => install::run(context, &args).await,
        Verb::Remove(args) => remove::run(context, &args).await,
    }
}
