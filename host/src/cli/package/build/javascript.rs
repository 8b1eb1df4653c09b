//! Components in JavaScript: componentize-js through Node.js, with a small program of ours; only when something that goes in has changed.

use std::path::PathBuf;
use std::process::Command;

use super::{Job, interfaces, stamp, tool};
use crate::cli::error::CliError;

const PROGRAM: &str = include_str!("componentize.mjs");
/// The program's name in the package's `target`.
const PROGRAM_NAME: &str = "componentize.mjs";
const LIBRARY: &str = "@bytecodealliance/componentize-js/package.json";

pub(super) fn make(job: &Job<'_>) -> Result<bool, CliError> {
    let node =
        tool::find("node", &[]).ok_or_else(|| tool::missing(job, "Node.js", "install Node.js 20 or later, then: npm install (in the package's folder)"))?;
    let sources = job.sources();
    let library = library(job).ok_or_else(|| {
        let how = if sources.join("package.json").is_file() { "npm install" } else { "npm install --save-dev @bytecodealliance/componentize-js" };
        tool::missing(job, "componentize-js", format!("install it with: {how} (in {})", sources.display()))
    })?;
    let wit = interfaces::gather(job)?;
    let inputs = stamp::inputs(job, &library, &wit)?;
    if stamp::is_current(&job.out(), &inputs) {
        return Ok(false);
    }
    job.ui.note(&format!("building {} with componentize-js", job.file));
    let program = job.package.join("target").join(PROGRAM_NAME);
    std::fs::write(&program, PROGRAM).map_err(|error| CliError::io(&program, &error))?;
    let world = job.recipe.world.clone().unwrap_or_default();
    let mut command = Command::new(node);
    command.arg(&program).arg(job.source_or("app.js")).arg(interfaces::write(job, &wit)?).arg(world).arg(job.out());
    tool::run(job, command.current_dir(&sources))?;
    stamp::write(&job.out(), &inputs)?;
    Ok(true)
}

/// Where Node.js finds it: beside the sources or above them, or in a folder of NODE_PATH.
fn library(job: &Job<'_>) -> Option<PathBuf> {
    let sources = job.sources();
    let beside = sources.ancestors().map(|folder| folder.join("node_modules"));
    let named = std::env::var_os("NODE_PATH").unwrap_or_default();
    let places: Vec<PathBuf> = beside.chain(std::env::split_paths(&named)).collect();
    places.into_iter().map(|place| place.join(LIBRARY)).find(|library| library.is_file())
}
