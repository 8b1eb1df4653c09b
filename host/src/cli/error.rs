//! Every error that ends the command: what it says, what it advises, and the exit code. No other module decides an exit code.
//!
//! Whoever fails says what happened and to what; here it gets the code of its kind and, where there is one, the next thing to do. Failures of transfers are in [`transfer`], and what was
//! refused by whom in [`denied`].

pub(crate) mod denied;
mod transfer;

use std::fmt;
use std::io;
use std::path::Path;

use transship::control::protocol::FrameError;
use transship::control::{ControlError, EmbedError, Refusal};
use transship::home::{HomeError, SettingsError};
use transship::identity::IdentityError;
use transship::log::LogError;
use transship::node::NodeError;

use super::text::quoted;

/// What kind of failure it is: the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody reads the output any more: the end, and no failure.
    OutputClosed = 0,
    Other = 1,
    Usage = 2,
    NotFound = 3,
    Denied = 4,
    Network = 5,
    Integrity = 6,
    Conflict = 7,
    NoSpace = 8,
    /// Of several things to do, some failed; the others are done. The number is that of rsync for the same.
    Incomplete = 23,
    Interrupted = 130,
}

impl Kind {
    /// The exit code of the process.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// An error as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    pub(crate) kind: Kind,
    /// What happened, to what.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// The name of the error for programs, as `wit/file-transfer/types.wit` or this module names it.
    pub(crate) name: &'static str,
    /// The person has been told.
    pub(crate) told: bool,
}

impl CliError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self::named(kind, kind.name(), message.into())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What the system said about a path of this machine.
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::PermissionDenied => Kind::Denied,
            io::ErrorKind::AlreadyExists | io::ErrorKind::AddrInUse => Kind::Conflict,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::NoSpace,
            _ => Kind::Other,
        };
        Self::new(kind, format!("{}: {error}", path.display()))
    }

    pub(crate) fn named(kind: Kind, name: &'static str, message: String) -> Self {
        Self { kind, message: without_numbers(&message), hint: None, name, told: false }
    }
}

/// The text without the numbers that the standard library adds to the system's words: they say nothing to people.
fn without_numbers(text: &str) -> String {
    let mut rest = text;
    let mut words = String::new();
    while let Some((before, after)) = rest.split_once(" (os error ") {
        let Some((_, behind)) = after.split_once(')').filter(|(number, _)| number.chars().all(|c| c.is_ascii_digit())) else { break };
        words.push_str(before);
        rest = behind;
    }
    words + rest
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::OutputClosed => "output-closed",
            Kind::Other => "failed",
            Kind::Usage => "usage",
            Kind::NotFound => "not-found",
            Kind::Denied => "denied",
            Kind::Network => "network",
            Kind::Integrity => "integrity",
            Kind::Conflict => "conflict",
            Kind::NoSpace => "no-space",
            Kind::Incomplete => "incomplete",
            Kind::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl From<HomeError> for CliError {
    fn from(error: HomeError) -> Self {
        let message = error.to_string();
        match error {
            HomeError::NotInitialised(_) => {
                Self::new(Kind::NotFound, message).hint("make one with `transship init --name NAME`, or name its folder with --home or TRANSSHIP_HOME")
            }
            HomeError::AlreadyInitialised { .. } => Self::new(Kind::Conflict, message).hint("use it as it is, or make another with --home DIR"),
            HomeError::InUse(_) => Self::new(Kind::Conflict, message)
                .hint("all commands use that one; end it first if this one is to run instead, or use another home with --home DIR"),
            HomeError::Exposed { folder, .. } => Self::new(Kind::Denied, message).hint(format!("take that from them: chmod go-w {}", quoted(&folder))),
            HomeError::NoDefault => Self::usage(message).hint("name one with --home DIR or TRANSSHIP_HOME"),
            HomeError::Settings(error) => error.into(),
            HomeError::Identity(error) => error.into(),
            HomeError::Io { path, error } => Self::io(&path, &error),
        }
    }
}

impl From<IdentityError> for CliError {
    fn from(error: IdentityError) -> Self {
        let message = error.to_string();
        match error {
            IdentityError::Name(_) => Self::usage(message),
            IdentityError::Missing(_) => Self::new(Kind::NotFound, message),
            IdentityError::Exists(_) => Self::new(Kind::Conflict, message),
            IdentityError::Exposed { .. } => Self::new(Kind::Denied, message),
            IdentityError::Io { path, error } => Self::io(&path, &error),
            IdentityError::Malformed { .. } | IdentityError::Key(_) => Self::new(Kind::Other, message),
        }
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self::usage(error.to_string()).hint("correct the file, or remove the line")
    }
}

impl From<ControlError> for CliError {
    fn from(error: ControlError) -> Self {
        let message = error.to_string();
        match error {
            ControlError::NotRunning(_) => Self::new(Kind::NotFound, message).hint("start it with `transship serve`"),
            ControlError::Version { .. } => Self::new(Kind::Other, message).hint("restart the node with this version"),
            ControlError::Ended | ControlError::Frame(FrameError::Io(_)) => {
                Self::new(Kind::Network, "the node of this home, which the command used, has ended")
                    .hint("run the same command again; `transship log` may say why it ended")
            }
            ControlError::Silent => Self::new(Kind::Network, message).hint("try again; `transship log` may say what it does"),
            ControlError::Frame(_) => Self::new(Kind::Other, message).hint("`transship log` may say why"),
            ControlError::Refused(refusal) => refusal.into(),
            ControlError::TooLarge(_) => Self::usage(message),
            ControlError::Unexpected => Self::new(Kind::Other, message),
            ControlError::Io { path, error } => Self::io(&path, &error),
        }
    }
}

impl From<Refusal> for CliError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            // Whoever knows the target calls `CliError::send` and does better.
            Refusal::Send(kind) => Self::send(&kind, "the other side"),
            Refusal::NotFound(_) => Self::new(Kind::NotFound, message),
            Refusal::Invalid(_) | Refusal::TooLarge(_) => Self::usage(message),
            Refusal::Conflict(_) => Self::new(Kind::Conflict, message),
            Refusal::Failed(_) => Self::new(Kind::Other, message),
        }
    }
}

impl From<NodeError> for CliError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Identity(error) => error.into(),
            NodeError::Listen { address, why } => {
                Self::io(address.to_string().as_ref(), &why).hint("choose another address with --listen, or port 0 for a free one")
            }
            error => Self::new(Kind::Other, format!("the node could not start: {error}")).hint("`transship log` may say more"),
        }
    }
}

impl From<EmbedError> for CliError {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Node(error) => error.into(),
            EmbedError::Control(error) => error.into(),
        }
    }
}

impl From<LogError> for CliError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::File { path, error } => Self::io(&path, &error),
            LogError::Filter { .. } | LogError::Started => Self::usage(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_to_what_and_what_to_do_next() {
        let error = CliError::from(HomeError::NotInitialised("/h".into()));
        assert!(error.to_string().contains("transship init --name NAME"));
        assert_eq!(error.kind, Kind::NotFound);
    }

    #[test]
    fn numbers_of_the_system_are_not_for_people() {
        let error = CliError::new(Kind::Other, "x: No such file (os error 2), and y: Denied (os error 13)");
        assert_eq!(error.message, "x: No such file, and y: Denied");
        assert_eq!(without_numbers("(os error x) (os error 1"), "(os error x) (os error 1");
    }

    #[test]
    fn what_the_system_says_has_its_exit_code() {
        let code = |kind: io::ErrorKind| CliError::io(Path::new("/x"), &kind.into()).kind.code();
        assert_eq!(
            [code(io::ErrorKind::NotFound), code(io::ErrorKind::PermissionDenied), code(io::ErrorKind::StorageFull), code(io::ErrorKind::BrokenPipe)],
            [3, 4, 8, 1]
        );
    }
}
