use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use transship::blob::Blob;
use transship::message::{Address, Content};

use super::connect::{Connection, send_error};
use super::error::{CliError, Kind};
use super::signals::until_interrupted;
use super::units::parse_time;
use super::{Context, units};

/// Send a request to a process, of this node or another, and print its response.
///
/// For looking inside, and for components of your own. Bytes in bulk go along with --blob, and what comes back in bulk is written with --output.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  transship message manager:file-transfer:transship '\"list-files\"'\n  transship message bob@manager:file-transfer:transship '\"list-files\"' --timeout 5s"
)]
pub(crate) struct MessageArgs {
    /// The process: node@process:package:publisher, or without node@ for this node
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// The body of the request
    #[arg(value_name = "JSON")]
    body: String,
    /// A file whose bytes go along, 16 MiB at most
    #[arg(long, value_name = "FILE")]
    blob: Option<PathBuf>,
    /// The media type of the blob
    #[arg(long, value_name = "TYPE", requires = "blob")]
    mime: Option<String>,
    /// A note beside the body
    #[arg(long, value_name = "TEXT")]
    metadata: Option<String>,
    /// Where to write the blob of the response: a file, or '-' for standard output (the body then goes to standard error)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long to wait for the response
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    timeout: Duration,
}

pub(crate) async fn run(context: &Context, args: &MessageArgs) -> Result<(), CliError> {
    serde_json::from_str::<Value>(&args.body)
        .map_err(|error| CliError::usage(format!("the body is not JSON: {error}")).hint("a text alone needs quotation marks: '\"list-files\"'"))?;
    let blob = match &args.blob {
        None => None,
        Some(path) => Some(Blob::from_bytes(tokio::fs::read(path).await.map_err(|error| CliError::io(path, &error))?, args.mime.clone())),
    };
    let content = Content { body: args.body.clone().into(), metadata: args.metadata.clone(), blob, capabilities: Vec::new() };
    context.with_node(async |connection| until_interrupted(exchange(context, args, connection, content)).await).await
}

async fn exchange(context: &Context, args: &MessageArgs, connection: &Connection, content: Content) -> Result<(), CliError> {
    let full = if args.address.contains('@') { args.address.clone() } else { format!("{}@{}", connection.info.name, args.address) };
    let target: Address = full.parse().map_err(|error| CliError::usage(format!("{error}")))?;
    let (source, response) = connection.client.request(&target, content, args.timeout, &[]).await.map_err(|error| send_error(error, &target))?;
    show(context, args, &source, response).await
}

async fn show(context: &Context, args: &MessageArgs, source: &Address, response: Content) -> Result<(), CliError> {
    let body = String::from_utf8_lossy(&response.body);
    let blob = response.blob.as_ref().map_or(0, Blob::length);
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    let shown = if context.ui.json() {
        let value = serde_json::from_str(&body).unwrap_or_else(|_| Value::String(body.to_string()));
        json!({"source": source, "body": value, "metadata": response.metadata, "blob": response.blob.as_ref().map(Blob::length)}).to_string()
    } else {
        body.into_owned()
    };
    if to_stdout {
        context.ui.note(&shown)
    } else {
        context.ui.line(&shown)?
    }

    match (&args.output, &response.blob) {
        (None, None) => Ok(()),
        (None, Some(_)) => {
            context.ui.note(&format!("the response carries a blob of {}: --output FILE writes it", units::show_size(blob)));
            Ok(())
        }
        (Some(_), None) => Err(CliError::new(Kind::NotFound, "the response carries no blob")),
        (Some(path), Some(response)) => {
            let bytes = response.read(0, blob).await.map_err(|error| CliError::new(Kind::Other, error.to_string()))?;
            if to_stdout { context.ui.bytes(&bytes) } else { tokio::fs::write(path, &bytes).await.map_err(|error| CliError::io(path, &error)) }
        }
    }
}
