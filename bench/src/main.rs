//! Benchmarks of transship: how long things take, against other programs and against a bare program that does the same.
//!
//! # Layout
//! - [`benchmarks`]: what is measured, a module each
//! - [`contest`]: runs interleaved, the machine prepared before each, the result checked after each; [`report`]: tables and JSON
//! - [`floor`]: the bare program; [`double`]: a node whose workers are native code; [`rivals`]: the other programs and their servers; [`nodes`]: real nodes; [`wire`]: a link with delay and loss; [`machine`]: memory, programs, processes
//! - beside this program, `benches/small`: the pieces of a node by themselves, in one process and with criterion
//!
//! What always holds: what is compared runs in one interleaved sequence, results are verified outside of the time that is taken, and nothing is left running or lying about.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

mod benchmarks;
mod contest;
mod double;
mod floor;
mod machine;
mod nodes;
mod report;
mod rivals;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};

use crate::benchmarks::BENCHMARKS;
use crate::machine::Size;

/// Those that run inside one process, which are another program (`bench/benches`): `just bench` tells them apart.
const SMALL: &str = "small";
const SMALL_ABOUT: &str = "what a transfer is made of, piece by piece, with criterion and its own arguments: `just bench small --help`";

/// Measures transship against other programs, as far as they are installed, and against a bare program that does the same (the floor).
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Which benchmarks to run, all if none is named
    names: Vec<String>,
    /// Say what there is
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    mode: Option<Mode>,
}

/// What all benchmarks are given.
#[derive(Debug, Clone, clap::Args)]
struct Settings {
    /// How often each is run: the medians count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Of the large file: bytes, or with KiB, MiB or GiB [default: 1GiB; `file`: 1GiB, then 4GiB; `sandbox`: 512MiB]
    #[arg(long)]
    size: Option<Size>,
    /// How many files (`entries`)
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    files: u64,
    /// Bytes of each of them (`entries`)
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(..=65_536))]
    file_size: u64,
    /// All of them in one folder (`entries`)
    #[arg(long)]
    flat: bool,
    /// Only these of the compared, by the beginning of their names, separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Another build of the command, to be compared in the same run (`file`)
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,
    /// Where to work [default: the target folder]; a memory file system shows what the programs cost without the disk
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write the results into this file too, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Settings {
    /// Of the large file.
    fn size(&self) -> Size {
        self.size.unwrap_or(Size::mib(1024))
    }

    /// Whether one of the compared is wanted.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.trim()))
    }

    /// The folder to work in.
    fn folder(&self) -> anyhow::Result<PathBuf> {
        let folder = match &self.dir {
            Some(folder) => folder.clone(),
            None => std::env::current_exe()?.parent().and_then(std::path::Path::parent).context("this program is in no folder")?.join("bench"),
        };
        std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        Ok(folder)
    }
}

/// What runs in processes of its own: the parts of the floor, and nodes.
#[derive(Debug, Subcommand)]
enum Mode {
    #[command(hide = true)]
    FloorServe(floor::Serve),
    #[command(hide = true)]
    FloorGet(floor::Get),
    #[command(hide = true)]
    Node(double::Serve),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.mode {
        Some(Mode::FloorServe(serve)) => floor::serve(serve),
        Some(Mode::FloorGet(get)) => floor::get(get),
        Some(Mode::Node(serve)) => double::serve(serve),
        None if arguments.list => {
            for (name, about) in BENCHMARKS.iter().map(|benchmark| (benchmark.name, benchmark.about)).chain([(SMALL, SMALL_ABOUT)]) {
                println!("{name:<10}{about}");
            }
            Ok(())
        }
        None => run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    for name in &arguments.names {
        if name == SMALL {
            bail!("the small benchmarks are a program of their own: `just bench small` runs them, and nothing else with them");
        }
        if !BENCHMARKS.iter().any(|benchmark| benchmark.name == name) {
            bail!("there is no benchmark '{name}': --list shows which there are");
        }
    }
    let mut results = Vec::new();
    for benchmark in BENCHMARKS {
        if !arguments.names.is_empty() && !arguments.names.iter().any(|name| name == benchmark.name) {
            continue;
        }
        eprintln!("{}: {}", benchmark.name, benchmark.about);
        for table in (benchmark.run)(&arguments.settings).with_context(|| benchmark.name)? {
            print!("\n{table}");
            results.push(table);
        }
    }
    if let Some(path) = &arguments.settings.json {
        let json = report::json(&arguments.settings, &results);
        std::fs::write(path, serde_json::to_vec_pretty(&json)?).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}
