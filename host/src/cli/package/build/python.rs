//! Components in Python: `componentize-py`, which takes about half a minute; so it is run only when something that goes in has changed.

use std::process::Command;

use super::{Job, interfaces, stamp, tool};
use crate::cli::error::CliError;

pub(super) fn make(job: &Job<'_>) -> Result<bool, CliError> {
    let environments = [job.sources().join(".venv"), job.package.join(".venv")];
    let own = environments.iter().find(|environment| environment.join("bin/componentize-py").is_file());
    let places: Vec<_> = own.iter().map(|environment| environment.join("bin")).collect();
    let program = tool::find("componentize-py", &places).ok_or_else(|| {
        tool::missing(
            job,
            "componentize-py",
            "install it with: python3 -m venv .venv && .venv/bin/pip install componentize-py (in the package's folder), or with: pipx install componentize-py",
        )
    })?;
    let wit = interfaces::gather(job)?;
    let module = job.source_or("app");
    let inputs = stamp::inputs(job, &program, &wit)?;
    if stamp::is_current(&job.out(), &inputs) {
        return Ok(false);
    }
    job.ui.note(&format!("building {} with componentize-py", job.file));
    let mut command = Command::new(&program);
    command.arg("--wit-path").arg(interfaces::write(job, &wit)?);
    if let Some(world) = &job.recipe.world {
        command.args(["--world", world]);
    }
    command.args(["componentize", &module, "--output"]).arg(job.out()).current_dir(job.sources()).env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(environment) = own {
        // What is installed there is put into the component, as far as it is imported.
        command.env("VIRTUAL_ENV", environment);
    }
    tool::run(job, &mut command)?;
    stamp::write(&job.out(), &inputs)?;
    Ok(true)
}
