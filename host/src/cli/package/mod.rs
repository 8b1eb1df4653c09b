//! Packages: those of this node, and those in files.

mod asking;
pub(crate) mod build;
mod check;
mod get_api;
mod grant;
mod install;
mod list;
mod new;
pub(crate) mod place;
mod remove;
pub(crate) mod script;
mod show;
pub(crate) mod start;
pub(crate) mod stop;

use clap::{Args, Subcommand};

use super::Context;
use super::error::CliError;

/// Make packages of components, add them to this node, and look into them.
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
    Build(build::BuildArgs),
    Check(check::CheckArgs),
    GetApi(get_api::GetApiArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Install(install::InstallArgs),
    Grant(grant::GrantArgs),
    Remove(remove::RemoveArgs),
}

pub(crate) async fn run(context: &Context, args: PackageArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::New(args) => new::run(context, &args),
        Verb::Build(args) => build::run(context, &args),
        Verb::Check(args) => check::run(context, &args),
        Verb::GetApi(args) => get_api::run(context, &args),
        Verb::List(args) => list::run(context, &args).await,
        Verb::Show(args) => show::run(context, &args),
        Verb::Install(args) => install::run(context, &args).await,
        Verb::Grant(args) => grant::run(context, &args).await,
        Verb::Remove(args) => remove::run(context, &args).await,
    }
}
