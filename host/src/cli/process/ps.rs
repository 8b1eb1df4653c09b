use std::io::IsTerminal as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;
use transship::node::ProcessInfo;

use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::signals::Interrupts;
use crate::cli::ui::table;
use crate::cli::units::{show_size, show_time};

/// How often `--watch` looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Show the processes of the running node, with their mailboxes and memory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship ps\n  transship ps --watch")]
pub(crate) struct PsArgs {
    /// Show them again every second, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
}

pub(crate) async fn run(context: &Context, args: &PsArgs) -> Result<(), CliError> {
    if args.watch {
        return watch(context, |_| {}).await;
    }
    let connection = context.connect_running().await?;
    show(context, &connection.client.processes().await?)
}

/// Shows the processes every second, arranged in some way, until Ctrl-C.
pub(super) async fn watch(context: &Context, mut arrange: impl FnMut(&mut Vec<ProcessInfo>)) -> Result<(), CliError> {
    let connection = context.connect_running().await?;
    let mut interrupts = Interrupts::listen()?;
    loop {
        let mut processes = connection.client.processes().await?;
        arrange(&mut processes);
        if !context.ui.json() && std::io::stdout().is_terminal() {
            // To the first place of an empty screen.
            context.ui.bytes(b"\x1b[2J\x1b[H")?;
        }
        show(context, &processes)?;
        tokio::select! {
            () = interrupts.next() => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

fn show(context: &Context, processes: &[ProcessInfo]) -> Result<(), CliError> {
    if context.ui.json() {
        return processes.iter().try_for_each(|process| context.ui.object(&json!(process)));
    }
    if processes.is_empty() {
        return context.ui.line("no processes");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut rows = vec![["PROCESS", "STATE", "AGE", "MEMORY", "WAITING", "BYTES", "IN", "OUT", "COMPONENT", "PARENT"].map(str::to_owned).to_vec()];
    rows.extend(processes.iter().map(|process| row(process, now)));
    table(&rows, &[2, 3, 4, 5, 6, 7]).iter().try_for_each(|line| context.ui.line(line))
}

fn row(process: &ProcessInfo, now: Duration) -> Vec<String> {
    vec![
        process.id.to_string(),
        process.state.clone(),
        show_time(now.saturating_sub(Duration::from_millis(process.started))),
        show_size(process.memory),
        process.mailbox_messages.to_string(),
        show_size(process.mailbox_bytes),
        process.messages_in.to_string(),
        process.messages_out.to_string(),
        process.component.clone(),
        process.parent.as_ref().map_or_else(|| "-".into(), ToString::to_string),
    ]
}
