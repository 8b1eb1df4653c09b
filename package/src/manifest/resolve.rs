//! From a manifest as it is written to what it means: every name is checked, everything named is there, every default is filled in.

use std::collections::{BTreeMap, BTreeSet};

use super::written::{Written, WrittenBuild, WrittenCapabilities, WrittenDrive, WrittenLimits, WrittenProcess, WrittenScript, nearest};
use super::{
    Capabilities, DEFAULT_MEMORY_LIMIT, DEFAULT_MEMORY_QUOTA, Dependency, Drive, DriveKind, MAX_ENTRIES, MAX_MEMORY_LIMIT, MAX_QUOTA, MIN_MEMORY_LIMIT,
    Manifest, ManifestError, Process, Script,
};
use crate::names::{PackageName, ProcessName, check_file_name, check_name, check_wit_name};

/// Checks and completes.
pub(super) fn manifest(written: &Written) -> Result<Manifest, ManifestError> {
    name("name", &written.name)?;
    name("publisher", &written.publisher)?;
    bounded("[components]", "components", written.components.len(), MAX_ENTRIES)?;
    bounded("[drives]", "drives", written.drives.len(), MAX_ENTRIES)?;
    bounded("[[process]]", "processes", written.process.len(), MAX_ENTRIES)?;
    if written.components.is_empty() {
        return Err(limit("[components]", "a package has at least one component"));
    }
    for (component, file) in &written.components {
        name("[components]", component)?;
        file_name(&format!("[components] {component}"), file)?;
    }
    for (component, plugs) in &written.compose {
        known("[compose]", "component", component, written.components.keys())?;
        plugs.iter().try_for_each(|plug| file_name(&format!("[compose] {component}"), plug))?;
    }
    if let Some(api) = &written.api {
        file_name("[api] component", &api.component)?;
        if written.components.values().any(|file| *file == api.component) {
            return Err(limit("[api]", "its component is one of [components] too; give it a file of its own"));
        }
        api.wit.iter().try_for_each(|folder| wit_folder(folder))?;
    }
    let api = written.api.as_ref().map(|api| api.component.clone());
    let files: BTreeSet<&String> = written.components.values().chain(written.compose.values().flatten()).chain(&api).collect();
    for (file, build) in &written.build {
        known("[build]", "component file", file, files.iter().copied())?;
        if let WrittenBuild::Recipe(recipe) = build
            && (recipe.folder.starts_with('/') || recipe.folder.split('/').any(|part| part == ".."))
        {
            return Err(limit(&format!("[build.\"{file}\"]"), "folder is a path below the package's own folder"));
        }
    }
    bounded("[dependencies]", "dependencies", written.dependencies.len(), MAX_ENTRIES)?;
    bounded("[scripts]", "scripts", written.scripts.len(), MAX_ENTRIES)?;
    let drives = written.drives.iter().map(|(drive, text)| Ok((drive.clone(), one_drive(drive, text)?))).collect::<Result<_, _>>()?;
    let processes = written.process.iter().map(|process| one_process(process, written)).collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    if let Some(twice) = processes.iter().map(|process| &process.name).chain(written.scripts.keys()).find(|name| !names.insert(*name)) {
        return Err(ManifestError::Twice(twice.clone()));
    }
    let scripts = written.scripts.iter().map(|(name, script)| Ok((name.clone(), one_script(name, script, written)?))).collect::<Result<_, _>>()?;
    let dependencies = dependencies(written)?;
    Ok(Manifest {
        name: written.name.clone(),
        publisher: written.publisher.clone(),
        version: written.version.clone(),
        description: written.description.clone(),
        drives,
        components: written.components.clone(),
        processes,
        scripts,
        api,
        dependencies,
    })
}

fn one_drive(drive: &str, written: &WrittenDrive) -> Result<Drive, ManifestError> {
    let at = format!("[drives.{drive}]");
    name(&at, drive)?;
    if written.quota.is_some_and(|quota| quota == 0 || quota > MAX_QUOTA) {
        return Err(limit(&at, &format!("a quota is 1 to {MAX_QUOTA} bytes")));
    }
    let quota = match (written.kind, written.quota) {
        // Refused, since a limit that nobody keeps is worse than none.
        (DriveKind::Folder, Some(_)) => return Err(limit(&at, "only a drive of kind \"memory\" has a quota")),
        (DriveKind::Folder, None) => None,
        (DriveKind::Memory, quota) => Some(quota.unwrap_or(DEFAULT_MEMORY_QUOTA)),
    };
    Ok(Drive { kind: written.kind, quota })
}

fn one_process(process: &WrittenProcess, written: &Written) -> Result<Process, ManifestError> {
    name("[[process]] name", &process.name)?;
    let at = format!("[[process]] {}", process.name);
    known(&at, "component", &process.component, written.components.keys())?;
    Ok(Process {
        name: process.name.clone(),
        component: process.component.clone(),
        on_exit: process.on_exit,
        public: process.public,
        capabilities: capabilities(&at, &process.capabilities, written)?,
        memory_limit: memory_limit(&at, &process.limits)?,
    })
}

fn one_script(script: &str, text: &WrittenScript, written: &Written) -> Result<Script, ManifestError> {
    name("[scripts]", script)?;
    let at = format!("[scripts.{script}]");
    known(&at, "component", &text.component, written.components.keys())?;
    Ok(Script {
        component: text.component.clone(),
        description: text.description.clone(),
        capabilities: capabilities(&at, &text.capabilities, written)?,
        memory_limit: memory_limit(&at, &text.limits)?,
    })
}

fn capabilities(at: &str, text: &WrittenCapabilities, written: &Written) -> Result<Capabilities, ManifestError> {
    let mut drives = BTreeMap::new();
    for (drive, rights) in &text.drives {
        known(&format!("{at}, capabilities"), "drive", drive, written.drives.keys())?;
        drives.insert(drive.clone(), rights.iter().copied().collect());
    }
    let messaging = text.messaging.iter().map(|process| process.parse::<ProcessName>());
    let messaging = messaging.collect::<Result<_, _>>().map_err(|source| ManifestError::Name { at: format!("{at}, messaging"), source })?;
    Ok(Capabilities { network: text.network, spawning: text.spawning, drives, messaging })
}

fn memory_limit(at: &str, limits: &WrittenLimits) -> Result<u64, ManifestError> {
    let bytes = limits.memory.unwrap_or(DEFAULT_MEMORY_LIMIT);
    if !(MIN_MEMORY_LIMIT..=MAX_MEMORY_LIMIT).contains(&bytes) {
        return Err(limit(&format!("{at}, limits"), &format!("memory is {MIN_MEMORY_LIMIT} to {MAX_MEMORY_LIMIT} bytes")));
    }
    Ok(bytes)
}

fn dependencies(written: &Written) -> Result<BTreeMap<PackageName, Dependency>, ManifestError> {
    let mut all = BTreeMap::new();
    for (text, dependency) in &written.dependencies {
        let at = || format!("[dependencies] {text}");
        let package: PackageName = text.parse().map_err(|source| ManifestError::Name { at: at(), source })?;
        if package.package() == written.name && package.publisher() == written.publisher {
            return Err(limit(&at(), "a package does not depend on itself"));
        }
        if dependency.digest.as_ref().is_some_and(|digest| digest.len() != 64 || !digest.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))) {
            return Err(limit(&at(), "a digest is a SHA-256 in 64 hexadecimal digits, as `transship package show` shows it"));
        }
        all.insert(package, Dependency { version: dependency.version.clone(), digest: dependency.digest.clone() });
    }
    Ok(all)
}

/// A folder with WIT text, whose last part becomes the name of a folder in the package.
fn wit_folder(folder: &str) -> Result<(), ManifestError> {
    let last = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    check_wit_name(last, false).map_err(|source| ManifestError::Name { at: "[api] wit".into(), source })
}

fn name(at: &str, name: &str) -> Result<(), ManifestError> {
    check_name(name).map_err(|source| ManifestError::Name { at: at.into(), source })
}

fn file_name(at: &str, name: &str) -> Result<(), ManifestError> {
    check_file_name(name).map_err(|source| ManifestError::Name { at: at.into(), source })
}

fn known<'a>(at: &str, kind: &'static str, name: &str, all: impl Iterator<Item = &'a String> + Clone) -> Result<(), ManifestError> {
    if all.clone().any(|one| one == name) {
        return Ok(());
    }
    let known = match nearest(name, all.clone().map(String::as_str)) {
        Some(word) => format!("did you mean '{word}'?"),
        None if all.clone().next().is_none() => "the manifest declares none".into(),
        None => format!("there are: {}", all.map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    Err(ManifestError::Unknown { at: at.into(), kind, name: name.into(), known })
}

pub(super) fn bounded(at: &str, what: &str, count: usize, most: usize) -> Result<(), ManifestError> {
    if count > most { Err(limit(at, &format!("{count} {what}; at most {most}"))) } else { Ok(()) }
}

fn limit(at: &str, problem: &str) -> ManifestError {
    ManifestError::Limit { at: at.into(), problem: problem.into() }
}
