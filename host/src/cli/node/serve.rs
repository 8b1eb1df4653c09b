use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tracing::level_filters::LevelFilter;
use transship::control::Server;
use transship::home::HomeError;
use transship::node::Node;

use crate::cli::Context;
use crate::cli::connect::{Access, node_options};
use crate::cli::error::CliError;
use crate::cli::signals::Interrupts;

/// How long the node may take to end in good order.
const SHUTDOWN_TIME: Duration = Duration::from_secs(15);

/// Run the node until Ctrl-C or SIGTERM.
///
/// Prints `listening on ADDR:PORT` once others can reach it. What it does goes to standard error, and in full to the log (`transship log`). Port 0 takes a free
/// port. While it runs, the other commands of this home use it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship serve\n  transship serve --listen 127.0.0.1:0\n  TRANSSHIP_LOG=warn,transship::link=debug transship serve")]
pub(crate) struct ServeArgs {
    /// Where to listen [default: the address in HOME/node.toml, at first 0.0.0.0:7447]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(context: &Context, args: &ServeArgs) -> Result<(), CliError> {
    let (home, lock) = match context.access().await? {
        Access::Running(_) => return Err(HomeError::InUse(context.open_home()?.folder().into()).into()),
        Access::Alone(home, lock) => (home, lock),
    };
    let mut interrupts = Interrupts::listen()?;
    context.start_log(Some(LevelFilter::INFO), Some(&home))?;

    let node = Node::start(&home, node_options(&home)?).await?;
    let server = Server::bind(&home, &lock).map_err(|error| CliError::io(&home.control_path(), &error))?;
    let address = node.listen(args.listen.unwrap_or(home.settings().listen)).await?;
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
