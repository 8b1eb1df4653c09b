use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::json;
use tracing::level_filters::LevelFilter;
use transship::control::Server;
use transship::engine::Compilation;
use transship::link::LEAST_LIMIT;
use transship::node::{Node, NodeOptions};

use crate::cli::Context;
use crate::cli::connect::{node_options, remove_leftovers};
use crate::cli::error::CliError;
use crate::cli::signals::Interrupts;
use crate::cli::units::parse_rate;

/// How long the node may take to end in good order.
const SHUTDOWN_TIME: Duration = Duration::from_secs(15);

/// Run the node until Ctrl-C, SIGTERM or SIGHUP.
///
/// Prints `listening on ADDR:PORT` once others can reach it. What it does goes to standard error, and in full to the log (`transship log`). Port 0 takes a free
/// port. While it runs, the other commands of this home use it. If one of them runs the node for itself, this waits until that is done.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship serve\n  transship serve --listen 127.0.0.1:0\n  transship serve --limit 10M\n  TRANSSHIP_LOG=warn,transship::link=debug transship serve"
)]
pub(crate) struct ServeArgs {
    /// Where to listen [default: the address in HOME/node.toml, at first 0.0.0.0:7447]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// How much a second to send to other nodes at most, and to receive from them, from 16K [default: the limit in HOME/node.toml, at first none]
    #[arg(long, value_name = "RATE", value_parser = parse_limit)]
    limit: Option<u64>,
    /// Compile packages in about half the time, to code that runs slower: for developing
    #[arg(long, env = "TRANSSHIP_QUICK_COMPILE", value_parser = FalseyValueParser::new())]
    quick_compile: bool,
}

/// A rate that a link can be limited to.
pub(crate) fn parse_limit(text: &str) -> Result<u64, String> {
    parse_rate(text, LEAST_LIMIT)
}

pub(crate) async fn run(context: &Context, args: &ServeArgs) -> Result<(), CliError> {
    let (home, lock) = context.alone().await?;
    let mut interrupts = Interrupts::listen()?;
    context.start_log(Some(LevelFilter::INFO), Some(&home))?;

    remove_leftovers(&home);
    let options = node_options(&home)?;
    let compilation = if args.quick_compile { Compilation::Quick } else { options.compilation };
    // Who develops wants the processor for what has just changed.
    let prepare_ahead = !args.quick_compile;
    let node = Node::start(&home, NodeOptions { limit: args.limit.or(options.limit), compilation, prepare_ahead, ..options }).await?;
    // Before commands can connect: a node that listens is told by that from one that another command runs.
    let address = node.listen(args.listen.unwrap_or(home.settings().listen)).await?;
    let server = Server::bind(&home, &lock).map_err(|error| CliError::io(&home.control_path(), &error))?;
    context.ui.result(&json!({"event": "listening", "address": address}), &format!("listening on {address}"))?;

    tokio::select! {
        () = server.serve(&node) => {}
        () = interrupts.next() => tracing::info!("ending"),
    }
    drop(server);
    tokio::select! {
        () = node.shutdown() => tracing::info!("ended"),
        () = tokio::time::sleep(SHUTDOWN_TIME) => tracing::warn!("the node did not end in time"),
        () = interrupts.next() => tracing::warn!("ended at once, at the second request"),
    }
    drop(lock);
    Ok(())
}
