use clap::Args;
use serde_json::json;
use transship::home::Home;

use crate::cli::Context;
use crate::cli::error::CliError;

/// Make a node: a folder with a key pair and settings.
///
/// The folder is the one of --home or TRANSSHIP_HOME, else the platform's folder for a program's data. What is there already is never overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship init --name alice")]
pub(crate) struct InitArgs {
    /// The node's name, which others may change for themselves: 1 to 64 characters out of a-z, 0-9, '-', '_' and '.'
    #[arg(long, value_name = "NAME")]
    name: String,
}

pub(crate) fn run(context: &Context, args: &InitArgs) -> Result<(), CliError> {
    let home = Home::init(&context.home_folder()?, &args.name)?;
    let key = home.identity()?.key();
    let folder = home.folder().display();
    let text = format!("made the node '{}' in {folder}\nnext: `transship serve` runs it, and `transship ticket` prints what others need to know it", args.name);
    context.ui.done(&json!({"event": "made", "name": args.name, "key": key.to_string(), "home": home.folder()}), &text)
}
