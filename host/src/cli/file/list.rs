use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::connect::{ANSWER_TIME, Connection, unexpected};
use crate::cli::error::CliError;
use crate::cli::signals::until_interrupted;
use crate::cli::text::{plain, quoted_text};
use crate::cli::ui::table;
use crate::cli::wire::{FileInfo, FilePage, IdAlgorithm, ListOptions, Request, Response};

/// How long a page may take whose files are all read for their digests.
const DIGEST_TIME: Duration = Duration::from_secs(3600);
/// Files in a page if each of them is read: few, so that lines come early.
const DIGEST_PAGE: u32 = 50;

/// Show the files of a node: size, time of the last change (UTC), name as one would ask for it.
///
/// Without NODE, those that this node offers: what is in HOME/vfs/file-transfer:transship/files/.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship list\n  transship list bob --prefix photos/\n  transship list bob --digest sha256 --json")]
pub(crate) struct ListArgs {
    /// The node, by its name here
    #[arg(value_name = "NODE", value_parser = parse_node)]
    node: Option<String>,
    /// Only names that begin with this
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Show the digest of each content too, which reads every file
    #[arg(long, value_name = "ALGORITHM", value_enum)]
    digest: Option<IdAlgorithm>,
}

fn parse_node(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        None => Ok(text.into()),
        Some((node, "")) => Err(format!("write the node alone: transship list {}", quoted_text(node))),
        Some((node, prefix)) => Err(format!("write the node alone, and names apart: transship list {} --prefix {}", quoted_text(node), quoted_text(prefix))),
    }
}

pub(crate) async fn run(context: &Context, args: &ListArgs) -> Result<(), CliError> {
    context.with_node(async |connection| until_interrupted(list(context, args, connection)).await).await
}

async fn list(context: &Context, args: &ListArgs, connection: &Connection) -> Result<(), CliError> {
    let mut pages = Pages::new(connection, args.node.as_deref(), args.prefix.clone(), args.digest);
    let mut any = false;
    while let Some(files) = pages.next().await? {
        any |= !files.is_empty();
        show(context, &files, args.digest.is_some())?;
    }
    if !any && !context.ui.json() {
        let node = args.node.as_ref().unwrap_or(&connection.info.name);
        let begin = args.prefix.as_ref().map(|prefix| format!(" that begin with '{prefix}'")).unwrap_or_default();
        context.ui.line(&format!("no files on {node}{begin}"))?;
    }
    Ok(())
}

fn show(context: &Context, files: &[FileInfo], with_id: bool) -> Result<(), CliError> {
    if context.ui.json() {
        // Times are whole numbers of nanoseconds, as the node gives them.
        return files.iter().try_for_each(|file| context.ui.object(&json!({"id": file.id, "name": file.name, "size": file.size, "modified": file.modified})));
    }
    let rows: Vec<_> = files.iter().map(|file| row(file, with_id)).collect();
    let right = if with_id { 1 } else { 0 };
    table(&rows, &[right]).iter().try_for_each(|line| context.ui.line(line))
}

fn row(file: &FileInfo, with_id: bool) -> Vec<String> {
    let id = with_id.then(|| file.id.clone().unwrap_or_else(|| "-".into()));
    // Wide enough that pages line up unless files are enormous.
    let rest = [format!("{:>12}", file.size), show_moment(file.modified), plain(&file.name)];
    id.into_iter().chain(rest).collect()
}

fn show_moment(nanoseconds: i64) -> String {
    // Files from before 1970 have a wrong time, and humantime none to write.
    let moment = u64::try_from(nanoseconds).ok().and_then(|since| UNIX_EPOCH.checked_add(Duration::from_nanos(since)));
    moment.map_or_else(|| "-".into(), |moment| humantime::format_rfc3339_seconds(moment).to_string())
}

/// The listing of a node, page by page.
pub(super) struct Pages<'a> {
    connection: &'a Connection,
    options: Option<ListOptions>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(connection: &'a Connection, node: Option<&str>, prefix: Option<String>, id: Option<IdAlgorithm>) -> Self {
        let node = node.filter(|node| *node != connection.info.name).map(str::to_owned);
        let limit = id.map(|_| DIGEST_PAGE);
        Self { connection, options: Some(ListOptions { node, prefix, after: None, limit, id }) }
    }

    /// The next page, until there are none.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<FileInfo>>, CliError> {
        let Some(options) = self.options.take() else { return Ok(None) };
        let own = self.connection.info.name.clone();
        let node = options.node.clone().unwrap_or_else(|| own.clone());
        let time = if options.id.is_some() { DIGEST_TIME } else { ANSWER_TIME };
        let FilePage { files, more } = match self.connection.ask(&Request::ListPage(options.clone()), &node, time, &[]).await? {
            Response::ListPage(page) => page,
            _ => return Err(unexpected(&Connection::manager_of(&own)?, "no page of a list")),
        };
        // A page that says that there is more, and is empty, would be asked for for ever.
        if let (true, Some(last)) = (more, files.last()) {
            self.options = Some(ListOptions { after: Some(last.name.clone()), ..options });
        }
        Ok(Some(files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_size_time_and_a_name_that_can_hold_anything() {
        let file = FileInfo { name: "a;b\n c".into(), size: 7, modified: 1_700_000_000_123_456_789, id: Some("d1".into()) };
        assert_eq!(table(&[row(&file, false)], &[0]), ["           7  2023-11-14T22:13:20Z  a;b\u{fffd} c"]);
        assert_eq!(table(&[row(&file, true)], &[1]), ["d1             7  2023-11-14T22:13:20Z  a;b\u{fffd} c"]);
        assert_eq!(show_moment(-1_000_000_000), "-".to_owned());
    }
}
