use std::path::{Path, PathBuf};

use clap::Args;
use transship::rights::Rights;

use super::display::Display;
use super::follow::{self, Job};
use super::list::Pages;
use super::options::TransferArgs;
use super::tree::{Fetch, TreeArgs};
use crate::cli::Context;
use crate::cli::connect::{COLLECTED, Connection};
use crate::cli::error::denied::Way;
use crate::cli::error::{CliError, Kind};
use crate::cli::place::{Destination, LocalFile, Remote};
use crate::cli::signals::until_interrupted;
use crate::cli::ui::Ui;
use crate::cli::wire::{GetRequest, IdAlgorithm, Place, Request, TransferError, TransferSummary};

/// Fetch a file, or with -r a folder, from another node, verify it, and put it in its place.
///
/// Nothing half-done is ever seen under the name: what arrives is kept in a hidden file beside it until size and digest agree. If it is interrupted, the same
/// command goes on where it stopped, provided that the file is still the same at the other node; of a folder, what has arrived stays, and is not moved again. What goes to
/// standard output is collected and verified first, in HOME/cache: the disk there must have room for the whole file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GetArgs {
    /// The node, and the file's or folder's name there
    #[arg(value_name = "NODE:NAME")]
    source: Remote,
    /// A folder, the path of a file, or '-' for standard output
    #[arg(value_name = "DEST", default_value = ".")]
    destination: PathBuf,
    /// NAME is the digest of the content, SHA-256 or MD5 as `transship list --digest` shows it
    #[arg(long, conflicts_with = "folder")]
    id: bool,
    #[command(flatten)]
    transfer: TransferArgs,
    #[command(flatten)]
    tree: TreeArgs,
}

const EXAMPLES: &str = "\
Examples:
  transship get bob:report.pdf
  transship get bob:photos/sea.jpg pictures/ --on-conflict rename
  transship get bob:backup.tar - | tar x
  transship get --id bob:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 hello.txt

Examples with folders:
  transship get -r bob:photos                into ./photos
  transship get -r bob:photos pictures       into pictures/photos, or as pictures if there is none
  transship get -r bob:photos/ pictures      what is in it, into pictures
  transship get -r bob: everything           all that bob has
  transship get -a bob:site www --include '*.html' --exclude drafts/ --on-conflict newer
  transship get -r bob:photos --dry-run      what would be moved?
  The same command again moves only what is lacking. If some of it fails, the rest is moved (exit
  code 23).";

pub(crate) async fn run(context: &Context, args: &GetArgs) -> Result<(), CliError> {
    if args.tree.wanted() {
        let fetch = Fetch::new(&args.source, &args.destination, args.transfer.options(false), &args.tree)?;
        return context.with_node(async |connection| fetch.run(context, connection).await).await;
    }
    if context.ui.json() && args.destination.as_os_str() == "-" {
        return Err(CliError::usage("standard output can't take both the content and --json").hint("name a file as DEST"));
    }
    // What can be wrong on this machine is found before a node is troubled.
    let usual = if args.id { String::new() } else { args.source.file_name()?.to_owned() };
    let destination = Destination::resolve(&args.destination, &usual)?;
    context.with_node(async |connection| get(context, args, connection, destination).await).await
}

async fn get(context: &Context, args: &GetArgs, connection: &Connection, destination: Destination) -> Result<(), CliError> {
    match destination {
        Destination::Stdout => to_stdout(context, args, connection).await,
        Destination::File(file) if file.name.is_empty() => {
            let name = name_of_id(connection, &args.source).await?;
            to_file(context, args, connection, &LocalFile { name, ..file }).await
        }
        Destination::File(file) => to_file(context, args, connection, &file).await,
    }
}

async fn to_file(context: &Context, args: &GetArgs, connection: &Connection, file: &LocalFile) -> Result<(), CliError> {
    let mut display = Display::new(&context.ui, &args.source.name, &args.source.node, None, false);
    let (id, summary) = fetch(args, connection, file, true, &mut display).await?;
    let place = shown_place(&args.destination, file, &summary);
    display.summary(&id, &summary, &place)
}

async fn fetch(
    args: &GetArgs,
    connection: &Connection,
    file: &LocalFile,
    keep: bool,
    display: &mut Display<'_>,
) -> Result<(String, TransferSummary), CliError> {
    let lent = connection.client.lend(&file.folder, Rights::ALL, Some(&file.name)).await?;
    let request = GetRequest {
        node: args.source.node.clone(),
        name: args.source.name.clone(),
        to: Place { drive: Some(lent.drive().into()), name: Some(file.name.clone()) },
        options: Some(args.transfer.options(args.id)),
    };
    let way = Way { node: &args.source.node, name: &args.source.name, folder: &file.folder, receiving: true };
    follow::run(connection, &Job { request: Request::Get(request), direction: "get", way, lent: &lent, keep }, display).await
}

/// The path as the person would write it: the folder as typed, with the name under which the file was published.
fn shown_place(typed: &Path, file: &LocalFile, summary: &TransferSummary) -> String {
    let folder = if typed.is_dir() { typed } else { typed.parent().unwrap_or(Path::new("")) };
    let name = if summary.name.is_empty() { &file.name } else { &summary.name };
    folder.strip_prefix(".").unwrap_or(folder).join(name).display().to_string()
}

/// Fetches into a folder of its own, verifies, and only then writes: no byte that was not verified leaves.
async fn to_stdout(context: &Context, args: &GetArgs, connection: &Connection) -> Result<(), CliError> {
    let cache = connection.home.cache_path();
    let folder = tempfile::Builder::new().prefix(COLLECTED).tempdir_in(&cache).map_err(|error| CliError::io(&cache, &error))?;
    let file = LocalFile { folder: folder.path().into(), name: "content".into() };
    let mut display = Display::new(&context.ui, &args.source.name, &args.source.node, None, true);
    let (id, summary) = fetch(args, connection, &file, false, &mut display).await?;
    let path = folder.path().join("content");
    let copied = tokio::task::spawn_blocking(move || {
        let mut content = std::fs::File::open(&path).map_err(|error| CliError::io(&path, &error))?;
        std::io::copy(&mut content, &mut std::io::stdout().lock()).map_err(|error| Ui::output(&error))
    });
    // Whoever reads it may take hours, or never end.
    until_interrupted(async { copied.await.map_err(|error| CliError::new(Kind::Other, error.to_string()))? }).await?;
    display.summary(&id, &summary, &args.source.name)
}

/// What the file with this digest is called: its last part, for a folder of this machine. A name that hides itself is not taken from another node unasked.
async fn name_of_id(connection: &Connection, source: &Remote) -> Result<String, CliError> {
    let algorithm = match source.name.len() {
        64 => IdAlgorithm::Sha256,
        32 => IdAlgorithm::Md5,
        _ => {
            return Err(CliError::usage(format!("'{}' is no digest: SHA-256 has 64 letters, MD5 has 32", source.name))
                .hint("`transship list NODE --digest sha256` shows them"));
        }
    };
    let mut pages = Pages::new(connection, Some(&source.node), None, Some(algorithm));
    while let Some(files) = pages.next().await? {
        let found = files.into_iter().find(|file| file.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(&source.name)));
        if let Some(file) = found {
            let found = Remote { node: source.node.clone(), name: file.name };
            return match found.file_name()? {
                name if name.starts_with('.') => {
                    Err(CliError::usage(format!("the file is called '{name}' there, a hidden name")).hint("say what to call it here: give a path as DEST"))
                }
                name => Ok(name.to_owned()),
            };
        }
    }
    Err(CliError::transfer(&TransferError::NotFound(source.name.clone()), &source.node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::wire::DigestAlgorithm;

    #[test]
    fn the_summary_names_the_file_as_the_person_would() {
        let file = LocalFile { folder: "/somewhere".into(), name: "x".into() };
        let mut summary = TransferSummary {
            name: "x".into(),
            size: 0,
            algorithm: DigestAlgorithm::Sha256,
            digest: String::new(),
            resumed: 0,
            skipped: false,
            elapsed: 0,
            tree: None,
        };
        assert_eq!(shown_place(Path::new("."), &file, &summary), "x");
        assert_eq!(shown_place(Path::new("missing/y"), &file, &summary), "missing/x");
        summary.name = "x (1)".into();
        assert_eq!(shown_place(Path::new("/"), &file, &summary), "/x (1)");
    }
}
