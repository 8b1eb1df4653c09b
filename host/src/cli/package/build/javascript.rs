//! Components in JavaScript: componentize-js through Node.js, with the small program `componentize.mjs`; only when something that goes in has changed.

use std::env;
use std::process::Command;

use super::{Job, interfaces, stamp, tool};
use crate::cli::error::CliError;

const PROGRAM: &str = include_str!("componentize.mjs");
const LIBRARY: &str = "@bytecodealliance/componentize-js";

pub(super) fn make(job: &Job<'_>) -> Result<bool, CliError> {
    let node =
        tool::find("node", &[]).ok_or_else(|| tool::missing(job, "Node.js", "install Node.js 20 or later, then: npm install (in the package's folder)"))?;
    let sources = job.sources();
    // Where the program looks too.
    let everywhere = env::var_os("NODE_PATH").unwrap_or_default();
    let modules = sources.ancestors().map(|folder| folder.join("node_modules")).chain(env::split_paths(&everywhere));
    let library = modules.map(|modules| modules.join(LIBRARY).join("package.json")).find(|library| library.is_file()).ok_or_else(|| {
        let how = if sources.join("package.json").is_file() { "npm install".into() } else { format!("npm install --save-dev {LIBRARY}") };
        tool::missing(job, "componentize-js", format!("install it with: {how} (in {})", sources.display()))
    })?;
    let wit = interfaces::gather(job)?;
    let inputs = stamp::inputs(job, &library, &wit)?;
    if stamp::is_current(&job.out(), &inputs) {
        return Ok(false);
    }
    job.ui.note(&format!("building {} with componentize-js", job.file));
    let program = job.package.join("target/componentize.mjs");
    std::fs::write(&program, PROGRAM).map_err(|error| CliError::io(&program, &error))?;
    let mut command = Command::new(node);
    command.arg(&program).arg(sources.join(job.source_or("app.js"))).arg(interfaces::write(job, &wit)?);
    command.arg(job.recipe.world.as_deref().unwrap_or_default()).arg(job.out()).current_dir(&sources);
    tool::run(job, &mut command)?;
    stamp::write(&job.out(), &inputs)?;
    Ok(true)
}
