//! The `transship` command. What it does is in `cli`; this is the way in and out.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
