//! The packages that are being worked on: building them, and noticing when their sources change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use transship::package::{Package, source};

use crate::cli::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::package::{build, place};

/// How long nothing may change before it is built: an editor writes several files, and one in several steps.
const SETTLE: Duration = Duration::from_millis(200);
/// Folders that hold what is made, not what it is made from.
const MADE: [&str; 4] = ["target", "node_modules", "__pycache__", ".git"];

/// Reads a package: builds it first if it is a folder with sources.
pub(super) fn package(context: &Context, path: &Path) -> Result<Package, CliError> {
    if !path.is_dir() {
        return place::read(path);
    }
    // The tools take seconds: others go on meanwhile.
    tokio::task::block_in_place(|| build::make(context, path, &[], None)).map(|made| made.package)
}

/// Notices changes below some folders, for as long as it lives.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
    changed: mpsc::UnboundedReceiver<PathBuf>,
    /// What has changed since `next` returned last.
    paths: Vec<PathBuf>,
}

impl Watch {
    /// Of the folders of packages, and those that their sources are in.
    pub(super) fn new(folders: &[PathBuf]) -> Result<Self, CliError> {
        let failed = |error: notify::Error| CliError::new(Kind::Other, format!("changes can't be noticed: {error}")).hint("--once goes without");
        let (sender, changed) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            for path in event.paths.into_iter().filter(|path| is_source(path)) {
                // Nobody listens any more when the command ends.
                let _ = sender.send(path);
            }
        })
        .map_err(failed)?;
        for folder in folders {
            watcher.watch(folder, RecursiveMode::Recursive).map_err(failed)?;
        }
        Ok(Self { _watcher: watcher, changed, paths: Vec::new() })
    }

    /// Waits until something has changed and then nothing more does for a moment. Returns what. Nothing is lost if it is not waited for to the end.
    pub(super) async fn next(&mut self) -> Vec<PathBuf> {
        if self.paths.is_empty() {
            self.paths.extend(self.changed.recv().await);
        }
        while let Ok(Some(path)) = tokio::time::timeout(SETTLE, self.changed.recv()).await {
            if !self.paths.contains(&path) {
                self.paths.push(path);
            }
        }
        std::mem::take(&mut self.paths)
    }
}

fn is_source(path: &Path) -> bool {
    let parts = path.components().filter_map(|part| part.as_os_str().to_str());
    let made = parts.into_iter().any(|part| MADE.contains(&part));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Editors' own files: swap files, backups.
    !made && !name.starts_with('.') && !name.ends_with('~') && name != "Cargo.lock"
}

/// A folder with a package.toml, absolute.
pub(super) fn folder(path: &Path) -> Result<PathBuf, CliError> {
    let folder = std::fs::canonicalize(path).map_err(|error| CliError::io(path, &error))?;
    source::manifest(&folder).map_err(|error| place::failed(&error).hint("`transship package new NAME` begins a package"))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_no_source() {
        for source in ["/p/src/lib.rs", "/p/package.toml", "/p/wit/world.wit", "/p/app.py"] {
            assert!(is_source(Path::new(source)), "{source}");
        }
        for made in ["/p/target/x/lib.d", "/p/node_modules/a/b.js", "/p/src/.lib.rs.swp", "/p/app.py~", "/p/.git/index", "/p/Cargo.lock"] {
            assert!(!is_source(Path::new(made)), "{made}");
        }
    }
}
