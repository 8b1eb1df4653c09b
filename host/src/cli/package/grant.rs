use clap::Args;
use serde_json::json;
use transship::package::shelf::ShelfLock;

use super::asking::{Answer, choose, parse};
use super::place::{all, find, package_id, running};
use super::show::processes;
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};

/// Grant an installed package what it asks for, or take it back.
///
/// Without ASK, what it was not granted yet is shown, and an answer is waited for. A node that runs starts the package again, so that it has what it may have.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship package grant chat:ann\n  transship package grant chat:ann network drives.files=read\n  transship package grant chat:ann all\n  transship package grant chat:ann --revoke network"
)]
pub(crate) struct GrantArgs {
    /// NAME, or NAME:PUBLISHER
    #[arg(value_name = "PACKAGE")]
    package: String,
    /// What to grant, as `transship package show` prints it: network, spawning, drives.NAME=read, messaging=PROCESS; PROCESS/ASK for one process; or all
    #[arg(value_name = "ASK")]
    asks: Vec<String>,
    /// Take it back instead
    #[arg(long, requires = "asks")]
    revoke: bool,
}

pub(super) async fn run(context: &Context, args: &GrantArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let (shelf, _) = all(&home)?;
    let found = find(&shelf, &args.package)?;
    let id = found.id();
    if found.path.is_none() {
        return Err(CliError::named(Kind::Denied, "denied", format!("{id} is a part of this program, and has what it asks for")));
    }
    let grants = if args.revoke {
        let mut grants = found.grants.clone();
        take_back(&mut grants, &args.asks)?;
        grants
    } else {
        let answer = if args.asks.is_empty() { None } else { Some(args.asks.as_slice()) };
        choose(&found.package, &found.grants, &Answer::of(answer))?
    };
    let changed = grants != found.grants;
    // Not before: a person takes long to answer.
    ShelfLock::take(&home)?.change(|all| *all.entry(&id) = grants.clone())?;
    let mut next = String::new();
    if changed
        && !grants.stopped
        && let Some(client) = running(&home).await?
    {
        client.start_package(&package_id(found)?).await?;
        next = "; it was started again".into();
    }
    let what = if changed { "what it is granted was changed" } else { "it has that already" };
    let object = json!({"event": "granted", "package": id, "changed": changed, "processes": processes(&found.package, Some(&grants))});
    context.ui.done(&object, &format!("{id}: {what}{next}"))
}

fn take_back(grants: &mut transship::package::grants::PackageGrants, asks: &[String]) -> Result<(), CliError> {
    for text in asks {
        if text == "all" {
            grants.processes.values_mut().for_each(std::collections::BTreeSet::clear);
            continue;
        }
        let (process, ask) = parse(text)?;
        for (_, granted) in grants.processes.iter_mut().filter(|(name, _)| process.is_none_or(|process| process == name.as_str())) {
            granted.remove(&ask);
        }
    }
    Ok(())
}
