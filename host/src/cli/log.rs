use std::time::Duration;

use clap::Args;
use tracing::Level;
use transship::log::{Line, Reader, last_lines};

use super::Context;
use super::error::CliError;
use super::signals::Interrupts;

/// How often `--follow` looks for new lines.
const INTERVAL: Duration = Duration::from_millis(250);

/// Show the node's log.
///
/// The file is HOME/log/node.log, one JSON object a line; --json shows the lines as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship log -n 20\n  transship log --follow --level warn")]
pub(crate) struct LogArgs {
    /// Go on showing lines as they come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 100)]
    lines: usize,
    /// Only lines that matter at least so much: trace, debug, info, warn, error
    #[arg(long, value_name = "LEVEL", default_value = "trace")]
    level: Level,
}

pub(crate) async fn run(context: &Context, args: &LogArgs) -> Result<(), CliError> {
    let path = context.open_home()?.log_path();
    let failed = |error: std::io::Error| CliError::io(&path, &error);
    let show = |line: &Line| if context.ui.json() { context.ui.line(&line.text) } else { context.ui.line(&line.to_string()) };

    let mut reader = Reader::at_end(&path).map_err(failed)?;
    last_lines(&path, args.lines, args.level).map_err(failed)?.iter().try_for_each(show)?;
    if !args.follow {
        return Ok(());
    }
    let mut interrupts = Interrupts::listen()?;
    loop {
        reader.added().map_err(failed)?.iter().filter(|line| line.level() <= args.level).try_for_each(show)?;
        tokio::select! {
            () = interrupts.next() => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
