//! The `transship` command: what a person types, and what comes back.
//!
//! A verb is a file, `<noun>/<verb>.rs`, in fixed order: the text of its help, its arguments, its function. The verbs ask the node over its control socket
//! ([`connect`]); those about files only send messages to the file-transfer package ([`wire`] is what they say). Nothing outside [`ui`] writes to
//! standard output, and nothing outside [`error`] decides an exit code.

mod connect;
mod develop;
mod error;
mod file;
mod log;
mod message;
mod node;
mod package;
mod peer;
mod place;
mod process;
mod signals;
mod text;
mod transfer;
mod ui;
mod units;
mod wire;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing::level_filters::LevelFilter;
use transship::home::{HOME_VARIABLE, Home};
use transship::log::{LOG_VARIABLE, LogOptions};

use error::CliError;
use ui::Ui;

const AFTER_HELP: &str = "\
First steps, on each of two machines:
  transship init --name alice           make a node (the other one: --name bob)
  transship serve                       run it; then, in another terminal:
  transship ticket                      prints a line: give it to the other person
  transship peer add TICKET --allow files=list,read
  transship list bob                    what is there?
  transship get bob:report.pdf .        fetch it
  transship put photo.jpg bob:          send something (bob must allow files=write)
  transship get -r bob:photos           fetch a folder with all that is in it (put -r sends one)

Exit codes:
  0 done   1 other failure   2 usage   3 not found   4 denied   5 network (worth retrying)
  6 integrity   7 conflict   8 no space   23 some of a folder failed   130 interrupted";

/// Move files between machines, safely, without anybody between them.
///
/// A node keeps all that it has in one folder, its home. The files that it offers to others, and that others send to it, are in
/// HOME/vfs/file-transfer:transship/files/. Without a running node (`transship serve`), commands that need one run it themselves while they work; other commands of
/// the home use that one too.
#[derive(Debug, Parser)]
#[command(name = "transship", version, after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = false)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The folder of the node [default: the platform's folder for a program's data]
    // As a text, because a path may not be empty, and a variable may.
    #[arg(long, global = true, value_name = "DIR", env = HOME_VARIABLE, hide_env_values = true)]
    home: Option<OsString>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// No progress, no summaries: errors only
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say more about what the node does; twice: everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(node::init::InitArgs),
    Id(node::id::IdArgs),
    Serve(node::serve::ServeArgs),
    Ticket(node::ticket::TicketArgs),
    Peer(peer::PeerArgs),
    Package(package::PackageArgs),
    Start(package::start::StartArgs),
    Stop(package::stop::StopArgs),
    Script(package::script::ScriptArgs),
    Dev(develop::dev::DevArgs),
    Test(develop::test::TestArgs),
    List(file::list::ListArgs),
    Get(file::get::GetArgs),
    Put(file::put::PutArgs),
    Transfers(transfer::list::TransfersArgs),
    Cancel(transfer::cancel::CancelArgs),
    Ps(process::ps::PsArgs),
    Top(process::top::TopArgs),
    Kill(process::kill::KillArgs),
    Run(process::run::RunArgs),
    Message(message::MessageArgs),
    Log(log::LogArgs),
}

/// What every command works with.
#[derive(Debug)]
struct Context {
    home: Option<PathBuf>,
    verbose: u8,
    ui: Ui,
}

impl Context {
    /// The folder that the person named, or the usual one.
    fn home_folder(&self) -> Result<PathBuf, CliError> {
        Ok(match &self.home {
            // A variable that is set to nothing names no folder.
            Some(folder) if folder.as_os_str().is_empty() && std::env::var_os(HOME_VARIABLE).is_some_and(|value| value.is_empty()) => Home::default_folder()?,
            Some(folder) if folder.as_os_str().is_empty() => return Err(CliError::usage("--home names no folder")),
            Some(folder) => folder.clone(),
            None => Home::default_folder()?,
        })
    }

    fn open_home(&self) -> Result<Home, CliError> {
        Ok(Home::open(&self.home_folder()?)?)
    }

    /// Begins to log: to the terminal if the person asked for it (or `usually` something goes there), and to the home's file, if this process runs the node.
    fn start_log(&self, usually: Option<LevelFilter>, home: Option<&Home>) -> Result<(), CliError> {
        let filter = std::env::var(LOG_VARIABLE).ok().filter(|filter| !filter.is_empty());
        let terminal = match self.verbose {
            0 if self.ui.quiet() => usually.map(|_| LevelFilter::WARN),
            0 => usually.or(filter.is_some().then_some(LevelFilter::INFO)),
            1 => Some(LevelFilter::DEBUG),
            _ => Some(LevelFilter::TRACE),
        };
        let path = home.map(Home::log_path);
        Ok(transship::log::start(&LogOptions { terminal, file: path.as_deref(), filter: filter.as_deref() })?)
    }
}

/// Runs the command that was typed.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no errors: clap knows, and says where to print them.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let Global { home, json, quiet, verbose } = cli.global;
    let context = Context { home: home.map(PathBuf::from), verbose, ui: Ui::new(json, quiet) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return context.ui.failed(CliError::new(error::Kind::Other, format!("the system gives no threads: {error}"))),
    };
    let result = runtime.block_on(run(&context, cli.command));
    // Not waited for: a read from standard input that nobody will answer any more, for one.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => context.ui.failed(error),
    }
}

async fn run(context: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Init(args) => node::init::run(context, &args),
        Command::Id(args) => node::id::run(context, &args),
        Command::Serve(args) => node::serve::run(context, &args).await,
        Command::Ticket(args) => node::ticket::run(context, &args).await,
        Command::Peer(args) => peer::run(context, args).await,
        Command::Package(args) => package::run(context, args).await,
        Command::Start(args) => package::start::run(context, &args).await,
        Command::Stop(args) => package::stop::run(context, &args).await,
        Command::Script(args) => package::script::run(context, &args).await,
        Command::Dev(args) => develop::dev::run(context, &args).await,
        Command::Test(args) => develop::test::run(context, &args).await,
        Command::List(args) => file::list::run(context, &args).await,
        Command::Get(args) => file::get::run(context, &args).await,
        Command::Put(args) => file::put::run(context, &args).await,
        Command::Transfers(args) => transfer::list::run(context, &args).await,
        Command::Cancel(args) => transfer::cancel::run(context, &args).await,
        Command::Ps(args) => process::ps::run(context, &args).await,
        Command::Top(args) => process::top::run(context, &args).await,
        Command::Kill(args) => process::kill::run(context, &args).await,
        Command::Run(args) => process::run::run(context, &args).await,
        Command::Message(args) => message::run(context, &args).await,
        Command::Log(args) => log::run(context, &args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands() {
                assert!(sub.get_about().is_some(), "{} has no help", sub.get_name());
                let example = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(sub.has_subcommands() || example.contains("transship "), "{} has no example", sub.get_name());
                for argument in sub.get_arguments() {
                    assert!(argument.get_help().is_some(), "{} {} has no help", sub.get_name(), argument.get_id());
                }
                check(sub);
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [["transship", "--json", "id"], ["transship", "id", "--json"]] {
            assert!(Cli::try_parse_from(line).unwrap().global.json);
        }
        assert_eq!(Cli::try_parse_from(["transship", "get"]).unwrap_err().exit_code(), 2);
    }
}
