//! Every error that ends the command: what it says, what it advises, and the exit code. No other module decides an exit code.
//!
//! Whoever fails says what happened and to what; here it gets the code of its kind and, where there is one, the next thing to do.

use std::fmt;
use std::io;
use std::path::Path;

use transship::control::protocol::FrameError;
use transship::control::{ControlError, EmbedError, Refusal};
use transship::home::{HomeError, SettingsError};
use transship::identity::IdentityError;
use transship::log::LogError;
use transship::message::SendErrorKind;
use transship::node::NodeError;

use super::ui::quoted;
use super::wire::TransferError;

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
    Interrupted = 130,
}

impl Kind {
    fn of(error: &TransferError) -> Self {
        use TransferError as E;
        match error {
            E::NotFound(_) | E::UnknownTransfer(_) | E::UnknownNode(_) => Kind::NotFound,
            E::Denied(_) | E::Unreadable(_) => Kind::Denied,
            E::InvalidName(_) | E::NameTooLong(_) | E::InvalidRequest(_) => Kind::Usage,
            E::Changed(_) | E::DigestMismatch(_) => Kind::Integrity,
            E::NoSpace(_) => Kind::NoSpace,
            E::Offline(_) | E::TimedOut(_) | E::Busy(_) => Kind::Network,
            E::Cancelled(_) | E::Interrupted(_) => Kind::Interrupted,
            E::Conflict(_) => Kind::Conflict,
            E::NotAFile(_) | E::Failed(_) => Kind::Other,
        }
    }

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
        Self { kind, message: message.into(), hint: None, name: kind.name(), told: false }
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
        // The number that the standard library adds says nothing to people.
        let text = error.to_string();
        let words = text.split(" (os error").next().unwrap_or(&text);
        Self::new(kind, format!("{}: {words}", path.display()))
    }

    /// A transfer that failed. `node` is the other node.
    pub(crate) fn transfer(error: &TransferError, node: &str) -> Self {
        use TransferError as E;
        let again = "run the same command again: what has arrived safely is not sent twice";
        let (name, message, hint) = match error {
            E::NotFound(name) => ("not-found", format!("{node} has no file '{name}'"), format!("`transship list {node}` shows what it has")),
            E::Denied(text) => (
                "denied",
                text.clone(),
                format!(
                    "the owner of the node that refused can allow it with `transship peer add`; ask for list, read or write on its drive (the other node is {node})"
                ),
            ),
            E::InvalidName(text) => {
                ("invalid-name", format!("not a name for a file: {text}"), "use a relative path without '..', links or control characters".into())
            }
            E::NameTooLong(name) => {
                ("name-too-long", format!("the name '{name}' is too long for the receiver"), "give it a shorter name after NODE: or as DEST".into())
            }
            E::NotAFile(name) => (
                "not-a-file",
                format!("'{name}' is a directory, a link or a device, not a regular file"),
                "name a file; directories are not moved as a whole".into(),
            ),
            E::Unreadable(text) => {
                ("unreadable", format!("the file can't be read where it is: {text}"), "its owner has to make it readable to the node".into())
            }
            E::Changed(text) => (
                "changed",
                format!("the file changed while it was being sent: {text}"),
                "run the same command again: it starts over with the new content".into(),
            ),
            E::DigestMismatch(mismatch) => (
                "digest-mismatch",
                format!(
                    "what arrived of '{}' is not what was sent: expected {}, found {}; nothing was published",
                    mismatch.name, mismatch.expected, mismatch.found
                ),
                "run the same command again; if it happens twice, check disk and memory of both machines".into(),
            ),
            E::NoSpace(space) => (
                "no-space",
                format!("no space left on {}: {} bytes are needed and {} are free", space.drive, space.needed, space.available),
                "make room there, then run the same command again".into(),
            ),
            E::Offline(text) => {
                ("offline", naming(node, "can't be reached", text), "check that it runs (`transship serve` there), then run the same command again".into())
            }
            E::TimedOut(text) => ("timed-out", naming(node, "did not answer in time", text), again.into()),
            E::Cancelled(text) => ("cancelled", with("the transfer was cancelled, and nothing is kept", text), String::new()),
            E::Interrupted(text) => ("interrupted", with("the transfer was stopped", text), again.into()),
            E::Conflict(name) => (
                "conflict",
                format!("there is something named '{name}' already"),
                "choose with --on-conflict overwrite, rename or skip, or give another name".into(),
            ),
            E::UnknownTransfer(id) => ("unknown-transfer", format!("there is no transfer '{id}'"), "`transship transfers` shows those under way".into()),
            E::UnknownNode(name) => (
                "unknown-node",
                format!("no node named '{name}' is known here"),
                "`transship peer list` shows who is; `transship peer add TICKET` adds a node".into(),
            ),
            E::InvalidRequest(text) => ("invalid-request", text.clone(), "see `transship help` and the help of the command".into()),
            E::Busy(text) => ("busy", with("the node has as many transfers as it takes", text), "try again later".into()),
            E::Failed(text) => ("failed", text.clone(), "`transship log` on either node may say more".into()),
        };
        let hint = Some(hint).filter(|hint| !hint.is_empty());
        Self { kind: Kind::of(error), message, hint, name, told: false }
    }

    /// A message to `target` that failed.
    pub(crate) fn send(error: &SendErrorKind, target: &str) -> Self {
        let node = target.split('@').next().unwrap_or(target);
        match error {
            SendErrorKind::Offline(text) => Self::named(Kind::Network, "offline", naming(node, "can't be reached", text))
                .hint("check that it runs (`transship serve`) and that its address is right (`transship peer list`)"),
            SendErrorKind::Timeout => {
                Self::named(Kind::Network, "timed-out", format!("{target} did not answer in time")).hint("try again, or give it longer with --timeout")
            }
            SendErrorKind::NoSuchProcess => {
                Self::named(Kind::NotFound, "no-such-process", format!("no process {target} runs")).hint("`transship ps` on that node shows what does")
            }
            SendErrorKind::Denied(text) => Self::named(Kind::Denied, "denied", format!("{target}: {text}")),
            SendErrorKind::TooLarge(text) => Self::named(Kind::Usage, "too-large", text.clone()),
            SendErrorKind::UnknownNode => Self::transfer(&TransferError::UnknownNode(node.into()), node),
        }
    }

    pub(crate) fn named(kind: Kind, name: &'static str, message: String) -> Self {
        Self { kind, message, hint: None, name, told: false }
    }
}

/// What is the matter with a node, unless the text says so itself.
fn naming(node: &str, what: &str, text: &str) -> String {
    if text.contains(node) { text.into() } else { format!("{node} {what}: {text}") }
}

fn with(words: &str, detail: &str) -> String {
    if detail.is_empty() { words.into() } else { format!("{words}: {detail}") }
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
            HomeError::InUse(_) => Self::new(Kind::Conflict, message).hint("all commands use that one; end it first if this one is to run instead, or use another home with --home DIR"),
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
                Self::new(Kind::Network, "the node of this home, which the command used, has ended").hint("run the same command again; `transship log` may say why it ended")
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
    use super::super::wire::{DigestMismatch, NoSpace};
    use super::*;

    #[test]
    fn every_failure_of_a_transfer_has_its_exit_code() {
        use TransferError as E;
        let text = String::new;
        let mismatch = DigestMismatch { name: text(), expected: "a".into(), found: "b".into() };
        let space = NoSpace { drive: text(), needed: 2, available: 1 };
        let codes = [
            (E::NotFound(text()), 3),
            (E::Denied(text()), 4),
            (E::InvalidName(text()), 2),
            (E::NameTooLong(text()), 2),
            (E::NotAFile(text()), 1),
            (E::Unreadable(text()), 4),
            (E::Changed(text()), 6),
            (E::DigestMismatch(mismatch), 6),
            (E::NoSpace(space), 8),
            (E::Offline(text()), 5),
            (E::TimedOut(text()), 5),
            (E::Cancelled(text()), 130),
            (E::Interrupted(text()), 130),
            (E::Conflict(text()), 7),
            (E::UnknownTransfer(text()), 3),
            (E::UnknownNode(text()), 3),
            (E::InvalidRequest(text()), 2),
            (E::Busy(text()), 5),
            (E::Failed(text()), 1),
        ];
        for (error, code) in codes {
            let shown = CliError::transfer(&error, "bob");
            assert_eq!(shown.kind.code(), code, "{error:?}");
            // The name for programs is the name on the wire.
            let json = serde_json::to_value(&error).unwrap();
            assert_eq!(json.as_object().unwrap().keys().next().unwrap(), shown.name);
        }
    }

    #[test]
    fn an_error_says_what_happened_to_what_and_what_to_do_next() {
        let error = CliError::transfer(&TransferError::NotFound("report.pdf".into()), "bob");
        assert_eq!(error.to_string(), "error: bob has no file 'report.pdf'\nhint: `transship list bob` shows what it has");
        let error = CliError::from(HomeError::NotInitialised("/h".into()));
        assert!(error.to_string().contains("transship init --name NAME"));
        assert_eq!(error.kind, Kind::NotFound);
    }

    #[test]
    fn a_message_that_failed_has_its_exit_code() {
        let codes = [
            (SendErrorKind::Offline("x".into()), 5),
            (SendErrorKind::Timeout, 5),
            (SendErrorKind::NoSuchProcess, 3),
            (SendErrorKind::Denied("x".into()), 4),
            (SendErrorKind::TooLarge("x".into()), 2),
            (SendErrorKind::UnknownNode, 3),
        ];
        for (error, code) in codes {
            assert_eq!(CliError::send(&error, "bob@a:b:c").kind.code(), code, "{error:?}");
        }
        assert!(CliError::send(&SendErrorKind::UnknownNode, "bob@a:b:c").message.contains("'bob'"));
        let message = |text: &str| CliError::transfer(&TransferError::Offline(text.into()), "bob").message;
        assert_eq!(message("link broken"), "bob can't be reached: link broken");
        assert_eq!(message("bob closed the link"), "bob closed the link");
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
