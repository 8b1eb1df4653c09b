//! Components in Rust: `cargo component build`. What is up to date, Cargo decides.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Job, tool};
use crate::cli::error::{CliError, Kind};

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) fn make(job: &Job<'_>) -> Result<bool, CliError> {
    let usual: Vec<PathBuf> = cargo_home().into_iter().map(|home| home.join("bin")).collect();
    let cargo = tool::find("cargo", &usual).ok_or_else(|| tool::missing(job, "Cargo", "install Rust (https://rustup.rs), then cargo-component"))?;
    if tool::find("cargo-component", &usual).is_none() {
        return Err(tool::missing(job, "cargo-component", "install it with: cargo install cargo-component --locked"));
    }
    let stem = job.file.strip_suffix(".wasm").unwrap_or(job.file);
    let name = job.source_or(stem);
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| job.package.join("target"), PathBuf::from);
    let target = std::path::absolute(&target).unwrap_or(target);
    job.ui.note(&format!("building {} with cargo component", job.file));
    let mut command = Command::new(cargo);
    command.args(["component", "build", "--release", "--target", TARGET, "--package", &name, "--target-dir"]).arg(&target).current_dir(job.sources());
    tool::run(job, &mut command)?;
    let built = target.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
    if !built.is_file() {
        return Err(CliError::named(Kind::NotFound, "build-failed", format!("Cargo made no {}", built.display()))
            .hint(format!("write crate-type = [\"cdylib\"] under [lib] in the manifest of {name}")));
    }
    copy(&built, &job.out()).map_err(|error| CliError::io(&job.out(), &error))
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
}

/// Copies a file, unless it is there just so.
fn copy(from: &Path, to: &Path) -> std::io::Result<bool> {
    let bytes = std::fs::read(from)?;
    let changed = !std::fs::read(to).is_ok_and(|there| there == bytes);
    if changed {
        std::fs::write(to, bytes)?;
    }
    Ok(changed)
}
