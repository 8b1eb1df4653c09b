//! Components in JavaScript: componentize-js through Node.js, with a small program of ours; only when something that goes in has changed.

use std::process::Command;

use super::{Job, interfaces, stamp, tool};
use crate::cli::error::CliError;

const PROGRAM: &str = include_str!("componentize.mjs");
const LIBRARY: &str = "node_modules/@bytecodealliance/componentize-js/package.json";

pub(super) fn make(job: &Job<'_>) -> Result<bool, CliError> {
    let node =
        tool::find("node", &[]).ok_or_else(|| tool::missing(job, "Node.js", "install Node.js 20 or later, then: npm install (in the package's folder)"))?;
    let sources = job.sources();
    let library = sources.ancestors().map(|folder| folder.join(LIBRARY)).find(|library| library.is_file());
    let library = library.ok_or_else(|| {
        let how = if sources.join("package.json").is_file() { "npm install" } else { "npm install --save-dev @bytecodealliance/componentize-js" };
        tool::missing(job, "componentize-js", format!("install it with: {how} (in {})", sources.display()))
    })?;
    let wit = interfaces::gather(job)?;
    let inputs = stamp::inputs(job, &library, &wit)?;
    if stamp::is_current(&job.out(), &inputs) {
        return Ok(false);
    }
    job.ui.note(&format!("building {} with componentize-js", job.file));
    let mut command = Command::new(node);
    // A path that begins with a dot, so that it is not taken for a library.
    let source = format!("./{}", job.source_or("app.js"));
    command.args(["--input-type=module", "--eval", PROGRAM, "--", &source]).arg(interfaces::write(job, &wit)?).arg(job.out()).args(&job.recipe.world);
    tool::run(job, command.current_dir(&sources))?;
    stamp::write(&job.out(), &inputs)?;
    Ok(true)
}
