use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use transship::package::shelf::id;

use super::nodes::{FakeNode, MOST, Where, introduce, names, start_all};
use super::sources::{Watch, folder, package};
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::signals::Interrupts;
use crate::cli::text::quoted;
use crate::cli::units::show_time;

/// How often the nodes' logs are looked at.
const INTERVAL: Duration = Duration::from_millis(250);

/// Run nodes on this machine to try packages on; build and install these, and again whenever their sources change.
///
/// The nodes know each other and may do everything with each other's drives. What they log is shown, with the name of the node before it. In another terminal, every other command works on one of them: --home, or
/// TRANSSHIP_HOME, with the folder that is shown. Ctrl-C ends all of them; their homes are thrown away, unless --keep says where they stay.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship dev\n  transship dev --nodes 3 ./chat\n  transship dev --names north,south --keep ./homes ./chat ./bot")]
pub(crate) struct DevArgs {
    /// The folders of the packages, each with a package.toml [default: this one, if it has one]
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// How many nodes
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=MOST as i64))]
    nodes: u8,
    /// What they are called, instead of alice, bob, ...
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', conflicts_with = "nodes")]
    names: Vec<String>,
    /// Keep the nodes' homes in this folder, and use those that are there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Build and install once, and do not look at the sources again
    #[arg(long)]
    once: bool,
}

pub(crate) async fn run(context: &Context, args: &DevArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let here = PathBuf::from(".");
    let given = if args.folders.is_empty() && here.join("package.toml").exists() { vec![here] } else { args.folders.clone() };
    let folders = given.iter().map(|path| folder(path)).collect::<Result<Vec<_>, _>>()?;
    let thrown_away = tempfile::Builder::new().prefix("transship-dev-").tempdir().map_err(|error| CliError::io(&std::env::temp_dir(), &error))?;
    let homes = args.keep.clone().unwrap_or_else(|| thrown_away.path().into());
    let modules = folders.first().map_or_else(|| homes.join("modules"), |folder| folder.join("target/modules"));
    let names = if args.names.is_empty() { names(args.nodes.into()) } else { args.names.clone() };

    let starting = start_all(&names, &homes, &modules, Where::Processes);
    let mut nodes = tokio::select! {
        nodes = starting => nodes?,
        () = interrupts.next() => return Ok(()),
    };
    for node in &nodes {
        let home = node.home.folder();
        let object = json!({"event": "node", "name": node.name, "address": node.address, "home": home});
        context.ui.result(&object, &format!("{} on {}: transship --home {} ...", node.name, node.address, quoted(home)))?;
    }
    tokio::select! {
        result = work(context, args, &folders, &mut nodes) => result?,
        () = interrupts.next() => {}
    }
    for node in nodes {
        node.end().await;
    }
    Ok(())
}

/// Builds and installs now and after each change, and shows what the nodes say, until it is dropped.
async fn work(context: &Context, args: &DevArgs, folders: &[PathBuf], nodes: &mut [FakeNode]) -> Result<(), CliError> {
    let mut watch = if args.once || folders.is_empty() { None } else { Some(Watch::new(folders)?) };
    let mut stale: Vec<PathBuf> = folders.to_vec();
    loop {
        for folder in stale.drain(..) {
            if let Err(error) = renew(context, &folder, nodes).await {
                // It is corrected, and tried again.
                context.ui.note(&error.to_string());
            }
        }
        let changed = loop {
            show(context, nodes)?;
            let changing = async {
                match &mut watch {
                    Some(watch) => watch.next().await,
                    None => std::future::pending().await,
                }
            };
            if let Ok(changed) = tokio::time::timeout(INTERVAL, changing).await {
                break changed;
            }
        };
        stale = folders.iter().filter(|folder| changed.iter().any(|path| path.starts_with(folder))).cloned().collect();
    }
}

/// Builds a package and puts it on all nodes in place of the last.
async fn renew(context: &Context, folder: &std::path::Path, nodes: &[FakeNode]) -> Result<(), CliError> {
    let begun = Instant::now();
    let package = package(context, folder)?;
    let built = begun.elapsed();
    for node in nodes {
        node.install(&package).await?;
    }
    introduce(nodes).await?;
    let (id, version) = (id(&package), package.manifest().version.to_string());
    let object = json!({"event": "installed", "package": id, "version": version, "built_ms": millis(built), "all_ms": millis(begun.elapsed())});
    context.ui.result(&object, &format!("{id} {version}: built in {}, runs on {} nodes after {}", show_time(built), nodes.len(), show_time(begun.elapsed())))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn show(context: &Context, nodes: &mut [FakeNode]) -> Result<(), CliError> {
    for node in nodes {
        for line in node.said().iter().filter(|line| line.level() <= tracing::Level::INFO) {
            if context.ui.json() {
                context.ui.object(&json!({"event": "log", "node": node.name, "line": line.text}))?;
            } else {
                context.ui.line(&format!("{} | {line}", node.name))?;
            }
        }
    }
    Ok(())
}
