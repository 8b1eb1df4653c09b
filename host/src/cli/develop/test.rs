use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use transship::control::{ControlError, Refusal};
use transship::message::{PackageId, SendErrorKind};
use transship::package::Package;
use transship::package::shelf::id;

use super::nodes::{FakeNode, introduce, start_all};
use super::plan::{Plan, Test, read};
use super::sources::package;
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::signals::until_interrupted;
use crate::cli::text::plain;
use crate::cli::units::show_time;

/// Test a package: build it, run the scripts that its tests.toml names on nodes of their own, and say which failed, and where.
///
/// Each test has new nodes, which know each other and have the packages with all that these ask for. Its script's answer is its result; of one that fails, what the nodes logged is shown too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship test\n  transship test ./chat --filter attach")]
pub(crate) struct TestArgs {
    /// The package's folder, with a tests.toml
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Only tests whose names contain this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Keep the nodes' homes of the tests in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Why a test failed.
struct Failure {
    /// Where, if its script says so: file and line.
    at: Option<(String, u64)>,
    message: String,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into() }
    }

    /// What a script says under `err`.
    fn of(error: &Value) -> Self {
        let at = error["file"].as_str().map(|file| (file.to_owned(), error["line"].as_u64().unwrap_or_default()));
        let message = error["message"].as_str().or(error.as_str()).map_or_else(|| error.to_string(), str::to_owned);
        Self { at, message }
    }
}

pub(crate) async fn run(context: &Context, args: &TestArgs) -> Result<(), CliError> {
    until_interrupted(run_all(context, args)).await
}

async fn run_all(context: &Context, args: &TestArgs) -> Result<(), CliError> {
    let plan = read(&args.folder)?;
    let mut packages = Vec::new();
    for path in &plan.packages {
        packages.push(package(context, &args.folder.join(path))?);
    }
    let wanted = |test: &&Test| args.filter.as_ref().is_none_or(|filter| test.name.contains(filter.as_str()));
    let (mut passed, mut failed) = (0, 0);
    for (number, test) in plan.tests.iter().filter(wanted).enumerate() {
        let begun = Instant::now();
        let (result, said) = one(args, &plan, &packages, number, test).await?;
        report(context, test, &result, &said, begun.elapsed())?;
        if result.is_ok() { passed += 1 } else { failed += 1 }
    }
    let object = json!({"event": "tested", "passed": passed, "failed": failed});
    context.ui.result(&object, &format!("{passed} passed, {failed} failed"))?;
    match (passed, failed) {
        (_, 0) if passed > 0 || args.filter.is_none() => Ok(()),
        (_, 0) => Err(CliError::new(Kind::NotFound, "no test has a name like that").hint("tests.toml names them")),
        _ => Err(CliError { told: true, ..CliError::named(Kind::Other, "tests-failed", format!("{failed} of {} tests failed", passed + failed)) }),
    }
}

/// Runs one test on nodes of its own. What these logged, if it failed.
async fn one(args: &TestArgs, plan: &Plan, packages: &[Package], number: usize, test: &Test) -> Result<(Result<(), Failure>, Vec<String>), CliError> {
    let thrown_away = tempfile::Builder::new().prefix("transship-test-").tempdir().map_err(|error| CliError::io(&std::env::temp_dir(), &error))?;
    let homes = args.keep.as_ref().map_or_else(|| thrown_away.path().to_owned(), |folder| folder.join(format!("{}", number + 1)));
    let mut nodes = start_all(&plan.nodes, &homes, &modules(&args.folder), plan.place).await?;
    let result = prepared(&nodes, packages, test).await;
    let mut said = Vec::new();
    if !matches!(result, Ok(Ok(()))) {
        for node in &mut nodes {
            let lines = node.said();
            said.extend(lines.iter().filter(|line| line.level() <= tracing::Level::INFO).map(|line| format!("{} | {line}", node.name)));
        }
    }
    for node in nodes {
        node.end().await;
    }
    Ok((result.unwrap_or_else(|error| Err(Failure::new(error.message))), said))
}

fn modules(folder: &Path) -> PathBuf {
    folder.join("target/modules")
}

async fn prepared(nodes: &[FakeNode], packages: &[Package], test: &Test) -> Result<Result<(), Failure>, CliError> {
    for package in packages {
        for node in nodes {
            node.install(package).await?;
        }
    }
    introduce(nodes).await?;
    let owner = match &test.package {
        None => packages.last().map(id),
        Some(named) => packages.iter().map(id).find(|id| id == named || id.split(':').next() == Some(named.as_str())),
    };
    let owner: PackageId = match owner.map(|id| id.parse()) {
        Some(Ok(id)) => id,
        _ => return Ok(Err(Failure::new(format!("tests.toml names no package '{}' under packages", test.package.as_deref().unwrap_or_default())))),
    };
    let Some(node) = nodes.iter().find(|node| node.name == test.node) else { return Ok(Err(Failure::new("its node is not there"))) };
    let running = node.client.script(&owner, &test.script, &test.arguments, test.timeout);
    tokio::pin!(running);
    let answered = loop {
        tokio::select! {
            answered = &mut running => break answered,
            // What it tells on the way is for whoever runs it by hand.
            Some(told) = node.client.incoming() => told.respond("null").await,
        }
    };
    Ok(match answered {
        Ok((_, content)) => match serde_json::from_slice::<Value>(&content.body) {
            Ok(Value::Object(object)) if object.len() == 1 && object.contains_key("err") => Err(Failure::of(object.get("err").unwrap_or(&Value::Null))),
            _ => Ok(()),
        },
        Err(ControlError::Refused(Refusal::Send(SendErrorKind::Timeout))) => Err(Failure::new(format!("no result within {}", show_time(test.timeout)))),
        Err(ControlError::Refused(Refusal::Send(SendErrorKind::NoSuchProcess))) => Err(Failure::new("it ended without a result")),
        Err(error) => Err(Failure::new(error.to_string())),
    })
}

fn report(context: &Context, test: &Test, result: &Result<(), Failure>, said: &[String], time: Duration) -> Result<(), CliError> {
    if context.ui.json() {
        let failure = result.as_ref().err().map(|failure| {
            let (file, line) = failure.at.clone().unzip();
            json!({"message": failure.message, "file": file, "line": line, "log": said})
        });
        return context.ui.object(&json!({"event": "test", "name": test.name, "passed": result.is_ok(), "failure": failure}));
    }
    let Err(failure) = result else {
        return context.ui.line(&format!("test {} ... ok ({})", plain(&test.name), show_time(time)));
    };
    context.ui.line(&format!("test {} ... FAILED ({})", plain(&test.name), show_time(time)))?;
    let at = failure.at.as_ref().map_or_else(String::new, |(file, line)| format!("{}:{line}: ", plain(file)));
    context.ui.line(&format!("  {at}{}", plain(&failure.message)))?;
    said.iter().try_for_each(|line| context.ui.line(&format!("  {}", plain(line))))
}
