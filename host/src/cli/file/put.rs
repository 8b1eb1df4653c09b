use std::path::PathBuf;

use clap::Args;
use transship::rights::Rights;

use super::display::Display;
use super::follow::{self, Job};
use super::options::TransferArgs;
use super::store;
use super::tree::{self, TreeArgs};
use crate::cli::Context;
use crate::cli::connect::Connection;
use crate::cli::error::CliError;
use crate::cli::error::denied::Way;
use crate::cli::place::folder::SourceFolder;
use crate::cli::place::{LocalFile, Remote, Source};
use crate::cli::text::quoted_text;
use crate::cli::units::parse_size;
use crate::cli::wire::{ConflictPolicy, Place, PutRequest, Request};

/// Send a file, or with -r a folder, to another node, which verifies it and puts it among its files.
///
/// The other node has to allow it: its owner runs `transship peer add` with --allow files=write for this node. If it is interrupted, the same command goes on where it
/// stopped; of a folder, what has arrived stays, and is not moved again. What comes from standard input can't be resumed: it is stored in segments, and appears when all of it has
/// arrived and its digest agrees.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PutArgs {
    /// The file or folder, or '-' for standard input
    #[arg(value_name = "FILE")]
    source: PathBuf,
    /// The node, and the name there (the same if empty; in a folder if it ends with '/')
    #[arg(value_name = "NODE:[NAME]")]
    pub(super) target: Remote,
    /// How many bytes will come from standard input: shows percent, and if another number comes, nothing is stored
    #[arg(long, value_name = "SIZE", value_parser = parse_size, conflicts_with = "folder")]
    pub(super) size: Option<u64>,
    #[command(flatten)]
    pub(super) transfer: TransferArgs,
    #[command(flatten)]
    tree: TreeArgs,
}

const EXAMPLES: &str = "\
Examples:
  transship put photo.jpg bob:
  transship put photo.jpg bob:holidays/sea.jpg --on-conflict overwrite
  tar c folder | transship put - bob:folder.tar

Examples with folders:
  transship put -r photos bob:               bob has it as photos
  transship put -r photos bob:archive/       bob has it as archive/photos
  transship put -r photos bob:pictures       bob has it as pictures
  transship put -r photos/ bob:              what is in it, among all that bob has
  transship put -a site bob: --include '*.html' --exclude drafts/ --on-conflict newer
  transship put -r photos bob: --dry-run     what would be moved?
  The same command again moves only what is lacking. If some of it fails, the rest is moved (exit
  code 23).";

pub(crate) async fn run(context: &Context, args: &PutArgs) -> Result<(), CliError> {
    if args.tree.wanted() {
        let source = SourceFolder::resolve(&args.source)?;
        let work = async |connection: &Connection| tree::send(context, connection, &source, &args.target, args.transfer.options(false), &args.tree).await;
        return context.with_node(work).await;
    }
    let source = Source::resolve(&args.source)?;
    let name = match &source {
        Source::Stdin if args.target.name.is_empty() || args.target.name.ends_with('/') => {
            return Err(CliError::usage("standard input has no name")
                .hint(format!("say what to call it: {}", quoted_text(&format!("{}:{}NAME", args.target.node, args.target.name)))));
        }
        Source::Stdin if args.transfer.beyond_store() => {
            return Err(CliError::usage("standard input is stored in segments, for which only --on-conflict and --limit can be chosen")
                .hint("write it to a file first, and send that"));
        }
        Source::Stdin if args.transfer.on_conflict == Some(ConflictPolicy::Newer) => {
            return Err(
                CliError::usage("standard input has no time at which it was modified").hint("choose with --on-conflict fail, overwrite, rename or skip")
            );
        }
        Source::Stdin => args.target.name.clone(),
        Source::File(..) if args.size.is_some() => return Err(CliError::usage("--size is for standard input: a file has its size")),
        Source::File(_, typed) => args.target.name_for(typed),
    };
    let work = async |connection: &Connection| match &source {
        Source::Stdin => store::run(context, connection, &name, args).await,
        Source::File(file, _) => put(context, args, connection, file, &name).await,
    };
    context.with_node(work).await
}

async fn put(context: &Context, args: &PutArgs, connection: &Connection, file: &LocalFile, name: &str) -> Result<(), CliError> {
    let node = &args.target.node;
    let mut display = Display::new(&context.ui, name, node, None, false);
    let lent = connection.client.lend(&file.folder, Rights { write: false, ..Rights::ALL }, Some(&file.name)).await?;
    let request = PutRequest {
        node: node.clone(),
        name: name.into(),
        from: Place { drive: Some(lent.drive().into()), name: Some(file.name.clone()) },
        options: Some(args.transfer.options(false)),
    };
    let way = Way { node, name, folder: &file.folder, receiving: false };
    let job = Job { request: Request::Put(request), direction: "put", way, lent: &lent, keep: true };
    let (id, summary) = follow::run(connection, &job, &mut display).await?;
    let published = if summary.name.is_empty() { name } else { &summary.name };
    display.summary(&id, &summary, &format!("{node}:{published}"))
}
