use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::error::CliError;

/// Show who the node is: its name, its public key, its folder.
///
/// The key is the node: whoever talks to it can check that it is the one they know. The name is for people.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship id --json | jq -r .key")]
pub(crate) struct IdArgs {}

pub(crate) fn run(context: &Context, _args: &IdArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let identity = home.identity()?;
    let (name, key) = (identity.name(), identity.key().to_string());
    let text = format!("name  {name}\nkey   {key}\nhome  {}", home.folder().display());
    context.ui.result(&json!({"name": name, "key": key, "home": home.folder()}), &text)
}
