//! The WIT text that a component in Python or JavaScript is built for: its own in `wit/`, and what that refers to.
//!
//! What stands in `wit/deps/` is taken from there. What does not is taken from where it comes from: the interfaces of the node out of this program, those of dependencies out of the packages
//! that are here. So a component can be built without copies of either.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::super::get_api;
use super::Job;
use crate::cli::error::{CliError, Kind};

/// Path, with `/`, and text.
pub(super) type Texts = BTreeMap<String, String>;

/// All of it.
pub(super) fn gather(job: &Job<'_>) -> Result<Texts, CliError> {
    let folder = job.sources().join("wit");
    let mut texts = Texts::new();
    read(&folder, "", &mut texts).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CliError::named(Kind::NotFound, "not-found", format!("{}: there is no such folder", folder.display()))
            .hint("it holds the world that the component is built for; `transship package new` writes one"),
        _ => CliError::io(&folder, &error),
    })?;
    let dependencies = job.manifest.dependencies.keys().filter_map(|name| job.surroundings.shelf.find(&name.to_string()));
    let theirs = dependencies.flat_map(|placed| placed.package.wit()).map(|(path, text)| (path.to_owned(), text.to_owned()));
    for (path, text) in get_api::host().into_iter().chain(theirs).collect::<Texts>() {
        let there = path.split_once('/').is_some_and(|(name, _)| folder.join("deps").join(name).exists());
        if !there {
            texts.insert(format!("deps/{path}"), text);
        }
    }
    Ok(texts)
}

/// Writes it into a folder of its own and returns that.
pub(super) fn write(job: &Job<'_>, texts: &Texts) -> Result<PathBuf, CliError> {
    let folder = job.package.join("target/wit").join(job.file);
    let write = || {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for (path, text) in texts {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            std::fs::write(path, text)?;
        }
        Ok(())
    };
    write().map_err(|error| CliError::io(&folder, &error))?;
    Ok(folder)
}

fn read(folder: &Path, prefix: &str, into: &mut Texts) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            read(&path, &format!("{name}/"), into)?;
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            into.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
