use std::time::Duration;

use clap::Args;
use serde_json::Value;
use transship::control::{ControlError, Refusal};
use transship::message::SendErrorKind;

use super::place::{all, find, package_id};
use crate::cli::Context;
use crate::cli::connect::Connection;
use crate::cli::error::{CliError, Kind};
use crate::cli::signals::until_interrupted;
use crate::cli::text::plain;
use crate::cli::units::{parse_time, show_time};

/// Run a script of a package, and print what it answers.
///
/// A script is a component that runs once: it gets the arguments, and what it answers is printed; what it tells on the way is printed as it comes. `transship package show` lists the scripts of a package.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  transship script chat:ann history bob")]
pub(crate) struct ScriptArgs {
    /// NAME, or NAME:PUBLISHER
    #[arg(value_name = "PACKAGE")]
    package: String,
    /// The script
    #[arg(value_name = "SCRIPT")]
    script: String,
    /// What it is told
    #[arg(value_name = "ARGUMENT", allow_hyphen_values = true, trailing_var_arg = true)]
    arguments: Vec<String>,
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    timeout: Duration,
}

pub(crate) async fn run(context: &Context, args: &ScriptArgs) -> Result<(), CliError> {
    let (shelf, _) = all(&context.open_home()?)?;
    let found = find(&shelf, &args.package)?;
    let scripts = &found.package.manifest().scripts;
    if !scripts.contains_key(&args.script) {
        let known = scripts.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has: {known}") };
        return Err(CliError::new(Kind::NotFound, format!("{} has no script '{}'", found.id(), plain(&args.script))).hint(known));
    }
    let package = package_id(found)?;
    context.with_node(async |connection| until_interrupted(follow(context, connection, &package, args)).await).await
}

async fn follow(context: &Context, connection: &Connection, package: &transship::message::PackageId, args: &ScriptArgs) -> Result<(), CliError> {
    let running = connection.client.script(package, &args.script, &args.arguments, args.timeout);
    tokio::pin!(running);
    loop {
        tokio::select! {
            // What it told before it answered is shown before.
            biased;
            Some(told) = connection.client.incoming() => {
                show(context, &told.content.body)?;
                told.respond("null").await;
            }
            answered = &mut running => {
                let (_, content) = answered.map_err(|error| failed(error, args))?;
                return finish(context, &content.body);
            }
        }
    }
}

/// Why a script did not answer.
fn failed(error: ControlError, args: &ScriptArgs) -> CliError {
    match error {
        ControlError::Refused(Refusal::Send(SendErrorKind::NoSuchProcess)) => {
            CliError::new(Kind::Other, "the script ended without an answer").hint("`transship log` may say why")
        }
        ControlError::Refused(Refusal::Send(SendErrorKind::Timeout)) => {
            CliError::new(Kind::Network, format!("the script did not answer within {}", show_time(args.timeout))).hint("--timeout gives it more time")
        }
        error => error.into(),
    }
}

/// `{"err": …}` is a failure; anything else is printed.
fn finish(context: &Context, body: &[u8]) -> Result<(), CliError> {
    if let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(body)
        && let (Some(error), 1) = (object.get("err"), object.len())
    {
        let text = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        return Err(CliError::new(Kind::Other, format!("the script failed: {}", plain(&text))));
    }
    show(context, body)
}

/// A text as it is, everything else as JSON; nothing for null.
fn show(context: &Context, body: &[u8]) -> Result<(), CliError> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Null) => Ok(()),
        Ok(Value::String(text)) if !context.ui.json() => text.lines().try_for_each(|line| context.ui.line(&plain(line))),
        Ok(value) => context.ui.line(&value.to_string()),
        Err(_) => context.ui.line(&plain(&String::from_utf8_lossy(body))),
    }
}
