use clap::Args;

use super::place::{all, id};
use super::show::as_json;
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::text::plain;
use crate::cli::ui::table;

/// Show the packages of this node: those that are part of the program, and those that were installed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship package list")]
pub(crate) struct ListArgs {}

pub(super) fn run(context: &Context, _args: &ListArgs) -> Result<(), CliError> {
    let (placed, wrong) = all(&context.open_home()?)?;
    for error in &wrong {
        context.ui.note(&error.to_string());
    }
    if context.ui.json() {
        return placed.iter().try_for_each(|placed| context.ui.object(&as_json(placed)));
    }
    let mut rows = vec![["PACKAGE", "VERSION", "FROM", "DESCRIPTION"].map(str::to_owned).to_vec()];
    rows.extend(placed.iter().map(|placed| {
        let manifest = placed.package.manifest();
        let from = if placed.path.is_some() { "installed" } else { "program" };
        vec![id(&placed.package), manifest.version.to_string(), from.into(), plain(&manifest.description)]
    }));
    table(&rows, &[]).iter().try_for_each(|line| context.ui.line(line))
}
