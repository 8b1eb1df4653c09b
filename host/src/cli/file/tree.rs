//! A folder with all that is in it: the options of `get -r` and `put -r`, and how the two go about it.
//!
//! The command lends the node the folder itself and nothing beside it. One that it made for what comes is removed again if nothing came.

use std::path::Path;

use clap::{ArgGroup, Args};
use transship::rights::Rights;

use super::display::Display;
use super::filter::FilterArgs;
use super::follow::{self, Job};
use crate::cli::Context;
use crate::cli::connect::Connection;
use crate::cli::error::denied::Way;
use crate::cli::error::{CliError, Kind};
use crate::cli::place::Remote;
use crate::cli::place::folder::{SourceFolder, TargetFolder, not_a_folder};
use crate::cli::wire::{GetRequest, LinkPolicy, Place, PutRequest, Request, TransferOptions, TransferSummary, TreeOptions, TreeSummary};

/// The path of all that was lent.
const ROOT: &str = "/";

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Folders", group = ArgGroup::new("folder").args(["recursive", "archive"]).multiple(true))]
pub(crate) struct TreeArgs {
    /// Move a folder with all that is in it; what is there already and equal (size and time) is not moved
    #[arg(long, short)]
    recursive: bool,
    /// Like -r, and make symbolic links anew, and give folders the times and permissions of the source too, as files have them anyway
    #[arg(long, short)]
    archive: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// What to do with symbolic links, which are never followed [default: skip; keep with -a]
    #[arg(long, value_name = "POLICY", value_enum, requires = "folder")]
    links: Option<LinkPolicy>,
    /// Compare by digest what has the same size, whatever its time
    #[arg(long, short, requires = "folder")]
    checksum: bool,
    /// Move nothing, and say what would be new, changed, unchanged
    #[arg(long, short = 'n', requires = "folder")]
    dry_run: bool,
}

impl TreeArgs {
    /// Whether a folder is to be moved, and not a file.
    pub(super) fn wanted(&self) -> bool {
        self.recursive || self.archive
    }

    /// In the words of the package.
    fn options(&self) -> TreeOptions {
        let filter = self.filter.globs();
        TreeOptions {
            filter: Some(filter).filter(|filter| !filter.is_empty()),
            links: self.links.or(self.archive.then_some(LinkPolicy::Keep)),
            checksum: self.checksum.then_some(true),
            dry_run: self.dry_run.then_some(true),
            folders: self.archive.then_some(true),
        }
    }
}

/// A folder of another node's into one of this machine.
pub(super) struct Fetch<'a> {
    source: &'a Remote,
    target: TargetFolder,
    options: TransferOptions,
    tree: &'a TreeArgs,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(source: &'a Remote, destination: &Path, options: TransferOptions, tree: &'a TreeArgs) -> Result<Self, CliError> {
        Ok(Self { source, target: TargetFolder::resolve(destination, source)?, options, tree })
    }

    pub(super) async fn run(mut self, context: &Context, connection: &Connection) -> Result<(), CliError> {
        let (node, name) = (&self.source.node, self.source.folder());
        let mut display = Display::new(&context.ui, name_shown(node, name), node, None, false);
        self.target.make()?;
        let fetched = self.fetch(connection, &mut display).await;
        if fetched.is_err() || self.tree.dry_run {
            self.target.unmake();
        }
        let (id, summary) = fetched.map_err(|error| explain(error, &format!("'{name}' of {node} is not a folder"), "leave out -r to fetch a file"))?;
        let place = self.target.shown.display().to_string();
        display.tree_summary(&id, (&summary, &tree_of(&summary)?), &place, self.tree.dry_run, "`transship log` has them")
    }

    async fn fetch(&self, connection: &Connection, display: &mut Display<'_>) -> Result<(String, TransferSummary), CliError> {
        let (node, name, folder) = (&self.source.node, self.source.folder(), &self.target.path);
        let lent = connection.client.lend(folder, Rights::ALL, None).await?;
        let request = GetRequest {
            node: node.clone(),
            name: name.into(),
            to: Place { drive: Some(lent.drive().into()), name: Some(ROOT.into()) },
            options: Some(TransferOptions { tree: Some(self.tree.options()), ..self.options.clone() }),
        };
        let way = Way { node, name, folder, receiving: true };
        follow::run(connection, &Job { request: Request::Get(request), direction: "get", way, lent: &lent, keep: true }, display).await
    }
}

/// A folder of this machine into one of another node's.
pub(super) async fn send(
    context: &Context,
    connection: &Connection,
    source: &SourceFolder,
    target: &Remote,
    options: TransferOptions,
    tree: &TreeArgs,
) -> Result<(), CliError> {
    let (node, name) = (&target.node, source.name_at(target));
    let mut display = Display::new(&context.ui, name_shown(node, &name), node, None, false);
    let lent = connection.client.lend(&source.path, Rights { write: false, ..Rights::ALL }, None).await?;
    let request = PutRequest {
        node: node.clone(),
        name: name.clone(),
        from: Place { drive: Some(lent.drive().into()), name: Some(ROOT.into()) },
        options: Some(TransferOptions { tree: Some(tree.options()), ..options }),
    };
    let way = Way { node, name: &name, folder: &source.path, receiving: false };
    let job = Job { request: Request::Put(request), direction: "put", way, lent: &lent, keep: true };
    let sent = follow::run(connection, &job, &mut display).await;
    let (id, summary) =
        sent.map_err(|error| explain(error, &format!("{node} has something at '{name}' that is not a folder"), "give another name after NODE:"))?;
    let log = format!("the log of {node} has them");
    display.tree_summary(&id, (&summary, &tree_of(&summary)?), &format!("{node}:{name}"), tree.dry_run, &log)
}

/// What a person calls it: of a whole drive, the node.
fn name_shown<'a>(node: &'a str, name: &'a str) -> &'a str {
    if name.is_empty() { node } else { name }
}

/// What went wrong with something that turned out to be no folder, or to have a link in it where none is wanted. Both are told apart by the words, for want of variants.
fn explain(error: CliError, message: &str, hint: &str) -> CliError {
    if let Some((link, _)) = error.message.split_once(" (a symbolic link)") {
        let message = format!("'{}' is a symbolic link, and nothing was moved", link.trim_start_matches('\''));
        return CliError { message, hint: Some("choose with --links skip or keep, or leave it out with --exclude".into()), ..error };
    }
    if error.name == "not-a-file" || error.message.ends_with(" is no folder") { not_a_folder(message).hint(hint) } else { error }
}

fn tree_of(summary: &TransferSummary) -> Result<TreeSummary, CliError> {
    let unknown = || {
        CliError::new(Kind::Other, "the node moved something, and does not say what became of the folder")
            .hint("it may have an older version of the file-transfer package, which knows nothing of folders")
    };
    summary.tree.clone().ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::wire::TransferError;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: TreeArgs,
    }

    fn parse(words: &[&str]) -> Result<TreeArgs, clap::Error> {
        Line::try_parse_from([&["x"], words].concat()).map(|line| line.args)
    }

    #[test]
    fn what_is_not_chosen_is_left_to_the_node() {
        assert!(!parse(&[]).unwrap().wanted());
        let plain = parse(&["-r"]).unwrap();
        assert!(plain.wanted());
        assert_eq!(plain.options(), TreeOptions::default());
        let archive = TreeOptions { links: Some(LinkPolicy::Keep), folders: Some(true), ..TreeOptions::default() };
        for words in [&["-a"][..], &["-ra"], &["--archive", "--recursive"]] {
            assert_eq!(parse(words).unwrap().options(), archive, "{words:?}");
        }
        assert_eq!(parse(&["-a", "--links", "refuse"]).unwrap().options().links, Some(LinkPolicy::Refuse));
    }

    #[test]
    fn every_option_arrives() {
        let words = ["-r", "--exclude", "*.o", "--include", "*.jpg", "--include", "!x", "--links", "skip", "--checksum", "--dry-run"];
        let expected = TreeOptions {
            filter: Some(["!*.o", "*.jpg", "\\!x"].map(str::to_owned).to_vec()),
            links: Some(LinkPolicy::Skip),
            checksum: Some(true),
            dry_run: Some(true),
            folders: None,
        };
        assert_eq!(parse(&words).unwrap().options(), expected);
        let short = parse(&["-rcn"]).unwrap().options();
        assert_eq!((short.checksum, short.dry_run), (Some(true), Some(true)));
    }

    #[test]
    fn what_is_no_folder_or_has_a_link_in_it_is_said_in_those_words() {
        let explained = |error: TransferError| explain(CliError::transfer(&error, "bob"), "'x' is not a folder", "leave out -r");
        let link = explained(TransferError::NotAFile("a/b (a symbolic link)".into()));
        assert_eq!((link.name, link.message.as_str()), ("not-a-file", "'a/b' is a symbolic link, and nothing was moved"));
        for error in [TransferError::NotAFile("x".into()), TransferError::InvalidRequest("x is no folder".into())] {
            let error = explained(error);
            assert_eq!((error.name, error.message.as_str(), error.hint.as_deref()), ("not-a-folder", "'x' is not a folder", Some("leave out -r")));
        }
        assert_eq!(explained(TransferError::NotFound("x".into())).name, "not-found");
    }

    #[test]
    fn what_is_about_folders_needs_one() {
        for words in
            [&["--include", "x"][..], &["--exclude", "x"], &["--links", "keep"], &["--checksum"], &["-c"], &["--dry-run"], &["-n"], &["-r", "--exclude", ""]]
        {
            let error = parse(words).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(words[0] == "-r" || error.to_string().contains("--recursive"), "{error}");
        }
    }
}
