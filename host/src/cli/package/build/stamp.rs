//! Whether a component is up to date whose tool does not say: a digest of all that goes in, kept beside it with the digest of what came out.

use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::Job;
use super::interfaces::Texts;
use crate::cli::error::CliError;

/// Folders that tools fill, and files that are for people or for the package: they do not go into a component.
const NOT_SOURCES: [&str; 6] = ["target", "node_modules", "__pycache__", "package.toml", "tests.toml", "README.md"];

/// The digest of all that goes into a component: the tool (any file of it that changes with its version), the recipe, the sources, the WIT text.
pub(super) fn inputs(job: &Job<'_>, tool: &Path, wit: &Texts) -> Result<String, CliError> {
    let mut all = Inputs(blake3::Hasher::new());
    let metadata = std::fs::metadata(tool).map_err(|error| CliError::io(tool, &error))?;
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    all.add(tool.to_string_lossy().as_bytes());
    all.add(&changed.as_nanos().to_le_bytes());
    all.add(format!("{:?}", job.recipe).as_bytes());
    for (path, text) in wit {
        all.add(path.as_bytes());
        all.add(text.as_bytes());
    }
    let sources = job.sources();
    all.add_folder(&sources, "").map_err(|error| CliError::io(&sources, &error))?;
    Ok(all.0.finalize().to_hex().to_string())
}

/// Whether what is there was made from these inputs.
pub(super) fn is_current(out: &Path, inputs: &str) -> bool {
    let stamp = std::fs::read_to_string(out.with_extension("stamp"));
    matches!((stamp, stamp_of(out, inputs)), (Ok(kept), Ok(now)) if kept == now)
}

/// Notes that what is there was made from these inputs.
pub(super) fn write(out: &Path, inputs: &str) -> Result<(), CliError> {
    let path = out.with_extension("stamp");
    stamp_of(out, inputs).and_then(|stamp| std::fs::write(&path, stamp)).map_err(|error| CliError::io(&path, &error))
}

fn stamp_of(out: &Path, inputs: &str) -> io::Result<String> {
    Ok(format!("{inputs} {}\n", blake3::hash(&std::fs::read(out)?).to_hex()))
}

struct Inputs(blake3::Hasher);

impl Inputs {
    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// All files below a folder, in the order of their names. `wit` at the top is left out: what counts of it is added as text.
    fn add_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || NOT_SOURCES.contains(&name.as_str()) || (prefix.is_empty() && name == "wit") {
                continue;
            }
            let (path, name) = (entry.path(), format!("{prefix}{name}"));
            if path.is_dir() {
                self.add_folder(&path, &format!("{name}/"))?;
            } else if path.is_file() {
                self.add(name.as_bytes());
                self.add(&std::fs::read(&path)?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(folder: &Path) -> String {
        let mut all = Inputs(blake3::Hasher::new());
        all.add_folder(folder, "").unwrap();
        all.0.finalize().to_hex().to_string()
    }

    #[test]
    fn a_source_that_changes_counts_and_what_tools_leave_behind_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("app.py", "1");
        let first = digest(folder.path());
        for name in ["target/x", "node_modules/x", ".venv/x", "__pycache__/x", "wit/x", "package.toml", "lib/__pycache__/x"] {
            write(name, "x");
        }
        std::fs::remove_dir_all(folder.path().join("lib")).unwrap();
        assert_eq!(digest(folder.path()), first);
        write("lib/more.py", "2");
        let second = digest(folder.path());
        write("lib/more.py", "3");
        assert!(first != second && second != digest(folder.path()));
    }

    #[test]
    fn what_was_made_from_other_inputs_or_changed_afterwards_is_not_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("main.wasm");
        assert!(!is_current(&out, "1"));
        std::fs::write(&out, "made").unwrap();
        assert!(!is_current(&out, "1"));
        write(&out, "1").unwrap();
        assert!(is_current(&out, "1") && !is_current(&out, "2"));
        std::fs::write(&out, "changed").unwrap();
        assert!(!is_current(&out, "1"));
    }
}
