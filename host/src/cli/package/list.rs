use clap::Args;
use serde_json::json;
use transship::node::PackageInfo;
use transship::package::shelf::Placed;

use super::place::{all, running};
use super::show::as_json;
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::text::plain;
use crate::cli::ui::table;

/// Show the packages of this node: those that are part of the program, and those that were installed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship package list")]
pub(crate) struct ListArgs {}

pub(super) async fn run(context: &Context, _args: &ListArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let (shelf, wrong) = all(&home)?;
    for error in &wrong {
        context.ui.note(&error.to_string());
    }
    let infos = match running(&home).await? {
        Some(client) => Some(client.packages().await?),
        None => None,
    };
    let states: Vec<_> = shelf.packages.iter().map(|placed| state(placed, infos.as_deref())).collect();
    if context.ui.json() {
        return shelf
            .packages
            .iter()
            .zip(&states)
            .try_for_each(|(placed, (state, why))| context.ui.object(&as_json(placed, Some(json!({"state": state, "failed": why})))));
    }
    let mut rows = vec![["PACKAGE", "VERSION", "FROM", "STATE", "DESCRIPTION"].map(str::to_owned).to_vec()];
    rows.extend(shelf.packages.iter().zip(&states).map(|(placed, (state, _))| {
        let manifest = placed.package.manifest();
        let from = if placed.path.is_some() { "installed" } else { "program" };
        vec![placed.id(), manifest.version.to_string(), from.into(), (*state).into(), plain(&manifest.description)]
    }));
    table(&rows, &[]).iter().try_for_each(|line| context.ui.line(line))?;
    for (placed, why) in shelf.packages.iter().zip(&states).filter_map(|(placed, (_, why))| Some((placed, why.as_ref()?))) {
        context.ui.note(&format!("{} does not run: {why}", placed.id()));
    }
    Ok(())
}

/// What it does now, in a word, and why it does not run although it should.
fn state(placed: &Placed, infos: Option<&[PackageInfo]>) -> (&'static str, Option<String>) {
    let id = placed.id();
    let Some(infos) = infos else { return (if placed.grants.stopped { "stopped" } else { "-" }, None) };
    match infos.iter().find(|info| info.id == id) {
        Some(PackageInfo { failed: Some(why), .. }) => ("failed", Some(why.clone())),
        Some(PackageInfo { loading: true, .. }) => ("loading", None),
        Some(info) if info.digest != placed.package.digest() => ("older", Some(format!("another version of it does; `transship start {id}` replaces that"))),
        Some(_) => ("running", None),
        None => ("stopped", None),
    }
}
