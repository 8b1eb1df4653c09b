use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use transship::package::grants::PackageGrants;
use transship::package::shelf::{Placed, id};
use transship::package::{Ask, DriveKind, OnExit, Package, Process};

use super::place::{all, find, read};
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::text::plain;
use crate::cli::units::show_size;

/// Show what a package is, which processes it runs, and what they ask for. A file is checked on the way.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship package show chat:ann\n  transship package show ./chat.transship")]
pub(crate) struct ShowArgs {
    /// A package of this node (NAME or NAME:PUBLISHER), or a file (with a '/' or a '.' in it)
    #[arg(value_name = "PACKAGE")]
    package: String,
}

pub(super) fn run(context: &Context, args: &ShowArgs) -> Result<(), CliError> {
    if args.package.contains(['/', '.']) {
        let package = read(Path::new(&args.package))?;
        return match context.ui.json() {
            true => context.ui.object(&object(&package, Some(Path::new(&args.package)), None)),
            false => lines(&package, None).iter().try_for_each(|line| context.ui.line(line)),
        };
    }
    let (shelf, _) = all(&context.open_home()?)?;
    let placed = find(&shelf, &args.package)?;
    if context.ui.json() {
        return context.ui.object(&as_json(placed, None));
    }
    lines(&placed.package, Some(&placed.grants)).iter().try_for_each(|line| context.ui.line(line))
}

/// A package of this node as one JSON object, with what else is known of it.
pub(super) fn as_json(placed: &Placed, more: Option<Value>) -> Value {
    let mut object = object(&placed.package, placed.path.as_deref(), Some(&placed.grants));
    if let (Value::Object(object), Some(Value::Object(more))) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn object(package: &Package, path: Option<&Path>, grants: Option<&PackageGrants>) -> Value {
    let manifest = package.manifest();
    let dependencies: serde_json::Map<String, Value> =
        manifest.dependencies.iter().map(|(name, wanted)| (name.to_string(), json!(wanted.version.to_string()))).collect();
    json!({
        "id": id(package), "version": manifest.version.to_string(), "description": manifest.description, "digest": package.digest(), "path": path,
        "drives": manifest.drives.keys().collect::<Vec<_>>(), "dependencies": dependencies, "api": manifest.api.is_some(),
        "processes": processes(package, grants), "scripts": scripts(package, grants),
    })
}

/// The processes of a package and what they ask for, as JSON; what of it is granted, if that is known.
pub(super) fn processes(package: &Package, grants: Option<&PackageGrants>) -> Vec<Value> {
    let one = |process: &Process| {
        let asks = process.capabilities.asks();
        json!({
            "name": process.name, "component": process.component, "public": process.public, "restart": process.on_exit == OnExit::Restart,
            "memory_limit": process.memory_limit, "asks_for": words(&asks), "granted": grants.map(|grants| words(&granted(&asks, grants, &process.name))),
        })
    };
    package.manifest().processes.iter().map(one).collect()
}

fn scripts(package: &Package, grants: Option<&PackageGrants>) -> Vec<Value> {
    let scripts = package.manifest().scripts.iter().map(|(name, script)| {
        let asks = script.capabilities.asks();
        let granted = grants.map(|grants| words(&granted(&asks, grants, name)));
        json!({"name": name, "component": script.component, "description": script.description, "asks_for": words(&asks), "granted": granted})
    });
    scripts.collect()
}

fn words(asks: &BTreeSet<Ask>) -> Vec<String> {
    asks.iter().map(ToString::to_string).collect()
}

fn granted(asks: &BTreeSet<Ask>, grants: &PackageGrants, name: &str) -> BTreeSet<Ask> {
    asks.intersection(&grants.of(name)).cloned().collect()
}

/// What people need to know of a package before they let it run; of one that is there, also what it is granted.
pub(super) fn lines(package: &Package, grants: Option<&PackageGrants>) -> Vec<String> {
    let manifest = package.manifest();
    let mut lines = vec![format!("{} {}", id(package), manifest.version)];
    if !manifest.description.is_empty() {
        lines.push(format!("  {}", plain(&manifest.description)));
    }
    lines.push(format!("  sha256 {}", package.digest()));
    lines.extend(manifest.dependencies.iter().map(|(name, wanted)| format!("  needs {name} {}", wanted.version)));
    lines.extend(manifest.drives.iter().map(|(name, drive)| match (drive.kind, drive.quota) {
        (DriveKind::Memory, Some(quota)) => format!("  drive {name}: in memory, at most {}", show_size(quota)),
        _ => format!("  drive {name}: a folder in the node's home"),
    }));
    for process in &manifest.processes {
        lines.push(format!("  process {}: {}", process.name, how(process)));
        lines.extend(asked(&process.capabilities.asks(), grants, &process.name));
    }
    for (name, script) in &manifest.scripts {
        let about = if script.description.is_empty() { String::new() } else { format!(": {}", plain(&script.description)) };
        lines.push(format!("  script {name}{about}"));
        lines.extend(asked(&script.capabilities.asks(), grants, name));
    }
    lines
}

fn asked(asks: &BTreeSet<Ask>, grants: Option<&PackageGrants>, name: &str) -> Vec<String> {
    let line = |ask: &Ask| match grants {
        Some(grants) if grants.of(name).contains(ask) => format!("    granted  {}", meaning(ask)),
        Some(_) => format!("    asks for {}, and was not granted it", meaning(ask)),
        None => format!("    asks for {}", meaning(ask)),
    };
    asks.iter().map(line).collect()
}

fn how(process: &Process) -> String {
    let restart = if process.on_exit == OnExit::Restart { ", started again when it fails" } else { "" };
    let public = if process.public { ", open to requests of everybody on this node and of its peers" } else { "" };
    format!("at most {} of memory{restart}{public}", show_size(process.memory_limit))
}

/// What is asked for, as it is written and as it is meant.
pub(super) fn meaning(ask: &Ask) -> String {
    match ask {
        Ask::Network => "network (messages to and from other nodes)".into(),
        Ask::Spawning => "spawning (to start processes of this package)".into(),
        Ask::Drive(..) => ask.to_string(),
        Ask::Messaging(process) => format!("{ask} (requests to {process}, though it is not public)"),
    }
}
