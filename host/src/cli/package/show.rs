use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use transship::package::{Capabilities, DriveKind, OnExit, Package, Process, Rights};

use super::place::{Placed, all, find, id, read};
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
    let is_file = args.package.contains(['/', '.']);
    let placed = if is_file {
        Placed { package: read(Path::new(&args.package))?, path: Some(args.package.clone().into()) }
    } else {
        let (mut placed, _) = all(&context.open_home()?)?;
        let found = find(&placed, &args.package)?;
        let at = placed.iter().position(|placed| std::ptr::eq(placed, found)).unwrap_or_default();
        placed.swap_remove(at)
    };
    if context.ui.json() {
        return context.ui.object(&as_json(&placed));
    }
    lines(&placed.package).iter().try_for_each(|line| context.ui.line(line))
}

/// A package as one JSON object.
pub(super) fn as_json(placed: &Placed) -> Value {
    let manifest = placed.package.manifest();
    json!({
        "id": id(&placed.package), "version": manifest.version.to_string(), "description": manifest.description, "digest": placed.package.digest(), "path": placed.path,
        "drives": manifest.drives.keys().collect::<Vec<_>>(), "processes": processes(&placed.package),
    })
}

/// The processes of a package and what they ask for, as JSON.
pub(super) fn processes(package: &Package) -> Vec<Value> {
    let one = |process: &Process| {
        json!({
            "name": process.name, "component": process.component, "public": process.public, "restart": process.on_exit == OnExit::Restart,
            "memory_limit": process.memory_limit, "asks_for": asks_for(&process.capabilities),
        })
    };
    package.manifest().processes.iter().map(one).collect()
}

/// What people need to know of a package before they let it run.
pub(super) fn lines(package: &Package) -> Vec<String> {
    let manifest = package.manifest();
    let mut lines = vec![format!("{} {}", id(package), manifest.version)];
    if !manifest.description.is_empty() {
        lines.push(format!("  {}", plain(&manifest.description)));
    }
    lines.push(format!("  sha256 {}", package.digest()));
    lines.extend(manifest.drives.iter().map(|(name, drive)| match (drive.kind, drive.quota) {
        (DriveKind::Memory, Some(quota)) => format!("  drive {name}: in memory, at most {}", show_size(quota)),
        _ => format!("  drive {name}: a folder in the node's home"),
    }));
    for process in &manifest.processes {
        lines.push(format!("  process {}: {}", process.name, how(process)));
        lines.extend(asks_for(&process.capabilities).iter().map(|ask| format!("    asks for {ask}")));
    }
    lines
}

fn how(process: &Process) -> String {
    let restart = if process.on_exit == OnExit::Restart { ", started again when it fails" } else { "" };
    let public = if process.public { ", open to requests of everybody on this node and of its peers" } else { "" };
    format!("at most {} of memory{restart}{public}", show_size(process.memory_limit))
}

/// What a process asks for, each in the words of the manifest.
fn asks_for(capabilities: &Capabilities) -> Vec<String> {
    let mut asks = Vec::new();
    if capabilities.network {
        asks.push("network (messages to and from other nodes)".into());
    }
    if capabilities.spawning {
        asks.push("spawning (to start processes of this package)".into());
    }
    asks.extend(capabilities.drives.iter().map(|(name, rights)| format!("drive {name}={}", rights_of(*rights))));
    asks.extend(capabilities.messaging.iter().map(|process| format!("messaging {process} (requests to it, though it is not public)")));
    asks
}

fn rights_of(rights: Rights) -> String {
    let named = [(rights.list, "list"), (rights.read, "read"), (rights.write, "write")];
    named.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}
