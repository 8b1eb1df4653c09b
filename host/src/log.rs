//! The node's log: lines for people on the terminal, JSON lines of bounded size in a file.
//!
//! [`start`] is called once, by whoever owns the process; the rest of the library writes through `tracing`. The file has at most [`MAX_FILE`] bytes, after which
//! it becomes `node.log.1` and a new one begins: so two files at most. A log that can't be written never stops the node. [`read`] gives the file back as
//! [`Line`]s.

mod file;
mod read;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

pub use file::MAX_FILE;
pub use read::{Line, Reader, last_lines};

/// The environment variable that says what is logged, in the form `info`, or `warn,transship::link=debug`.
pub const LOG_VARIABLE: &str = "TRANSSHIP_LOG";

/// Where to log, and what.
#[derive(Debug, Default)]
pub struct LogOptions<'a> {
    /// To standard error, for people: from this level on. None: not at all.
    pub terminal: Option<LevelFilter>,
    /// To this file, as JSON.
    pub file: Option<&'a Path>,
    /// Overrides the levels of both: the text of [`LOG_VARIABLE`].
    pub filter: Option<&'a str>,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter can't be understood.
    #[error("'{filter}' does not say what to log: {message}")]
    Filter {
        /// As given.
        filter: String,
        /// Why not.
        message: String,
    },
    /// The file can't be opened.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Logging was started already.
    #[error("logging was started already")]
    Started,
}

/// Begins to log. Once per process.
///
/// # Errors
/// [`LogError`].
pub fn start(options: &LogOptions<'_>) -> Result<(), LogError> {
    let filter = |level: LevelFilter| match options.filter {
        // Others' modules are quiet unless asked for: their debug lines are about bytes, not about the node.
        None => EnvFilter::try_new(format!("warn,transship={level},process={level}")).map_err(|error| (String::new(), error)),
        Some(text) => EnvFilter::try_new(text).map_err(|error| (text.to_owned(), error)),
    };
    let filter = |level| filter(level).map_err(|(filter, error)| LogError::Filter { filter, message: error.to_string() });

    let terminal = match options.terminal {
        None => None,
        Some(level) => Some(
            tracing_subscriber::fmt::layer()
                .with_writer(io::stderr)
                .with_ansi(io::stderr().is_terminal())
                .with_target(false)
                .compact()
                .with_filter(filter(level)?),
        ),
    };
    let file = match options.file {
        None => None,
        Some(path) => {
            let file = file::RotatingFile::open(path).map_err(|error| LogError::File { path: path.into(), error })?;
            let level = options.terminal.unwrap_or(LevelFilter::INFO).max(LevelFilter::INFO);
            let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
            Some(layer.with_writer(std::sync::Mutex::new(file)).with_filter(filter(level)?))
        }
    };
    tracing_subscriber::registry().with(terminal).with(file).try_init().map_err(|_| LogError::Started)
}
