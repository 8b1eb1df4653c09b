//! Transfers and messages that failed, in words.

use transship::message::SendErrorKind;

use super::denied::{self, Way};
use super::{CliError, Kind};
use crate::cli::wire::TransferError;

/// What to do about a node that can't be reached.
const CHECK: &str =
    "check that it runs (`transship serve` there), that its port is open and its address right (`transship peer list`), then run the same command again";

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
}

impl CliError {
    /// A transfer that failed. `node` is the other node.
    pub(crate) fn transfer(error: &TransferError, node: &str) -> Self {
        use TransferError as E;
        let again = "run the same command again: what has arrived safely is not sent twice";
        let (name, message, hint) = match error {
            E::NotFound(name) => ("not-found", format!("{node} has no file '{name}'"), format!("`transship list {node}` shows what it has")),
            E::Denied(text) => {
                let (message, hint) = denied::explain(text, node, None);
                ("denied", message, hint)
            }
            E::InvalidName(text) => {
                ("invalid-name", format!("not a name for a file: {text}"), "use a relative path without '..', links or control characters".into())
            }
            E::NameTooLong(name) => {
                ("name-too-long", format!("the name '{name}' is too long for the receiver"), "give it a shorter name after NODE: or as DEST".into())
            }
            E::NotAFile(name) => {
                ("not-a-file", format!("'{name}' is a directory, a link or a device, not a regular file"), "-r moves a directory with all that is in it".into())
            }
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
                format!("no space left on {}: {} bytes are needed and {} are free", drive_name(&space.drive), space.needed, space.available),
                "make room there, then run the same command again: what has arrived is kept (of standard input, nothing is)".into(),
            ),
            E::Offline(text) => ("offline", naming(node, "can't be reached", text), CHECK.into()),
            E::TimedOut(text) => ("timed-out", naming(node, "did not answer in time", text), again.into()),
            E::Cancelled(text) => ("cancelled", with("the transfer was cancelled, and nothing that is incomplete is kept", text), String::new()),
            E::Interrupted(text) => ("interrupted", with("the transfer was stopped", text), again.into()),
            E::Conflict(name) => (
                "conflict",
                format!("there is something named '{name}' already"),
                "choose with --on-conflict overwrite, newer, rename or skip, or give another name".into(),
            ),
            E::UnknownTransfer(id) => (
                "unknown-transfer",
                format!("there is no transfer '{id}'"),
                "`transship transfers` shows those under way, with --stopped those that were stopped".into(),
            ),
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
        Self { hint, ..Self::named(Kind::of(error), name, message) }
    }

    /// A transfer that failed on its way.
    pub(crate) fn on_the_way(error: &TransferError, way: &Way<'_>) -> Self {
        let general = Self::transfer(error, way.node);
        let TransferError::Denied(text) = error else { return general };
        let (message, hint) = denied::explain(text, way.node, Some(way));
        Self { message, hint: Some(hint), ..general }
    }

    /// A message to `target` that failed.
    pub(crate) fn send(error: &SendErrorKind, target: &str) -> Self {
        let node = target.split('@').next().unwrap_or(target);
        match error {
            SendErrorKind::Offline(text) => Self::named(Kind::Network, "offline", naming(node, "can't be reached", text)).hint(CHECK),
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
}

/// A drive as people know it: a folder that this command lends to the node has a name that says nothing.
fn drive_name(drive: &str) -> String {
    if drive.starts_with("command:transship/") { "the disk that the file was to go to".into() } else { drive.into() }
}

/// What is the matter with a node, which is named once; and without advice, for which there is the hint.
fn naming(node: &str, what: &str, text: &str) -> String {
    let mut text = text.split("; is the node running").next().unwrap_or(text);
    while let Some(rest) = text.strip_prefix(node).and_then(|rest| rest.strip_prefix(": ")) {
        text = rest;
    }
    let named = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.')).any(|word| word == node);
    match text {
        _ if text == node => format!("{node} {what}"),
        _ if named => text.into(),
        "" => format!("{node} {what}"),
        _ => format!("{node} {what}: {text}"),
    }
}

fn with(words: &str, detail: &str) -> String {
    if detail.is_empty() { words.into() } else { format!("{words}: {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::wire::{DigestMismatch, NoSpace};

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
        // What a worker says of its counterpart names it once more.
        assert_eq!(
            message("bob: bob can't be reached at x:1: Connection refused (os error 111); is the node running there?"),
            "bob can't be reached at x:1: Connection refused"
        );
        assert_eq!(message("bob: the link broke"), "bob can't be reached: the link broke");
        assert_eq!([message("bob"), message("")], ["bob can't be reached", "bob can't be reached"]);
        assert_eq!(message("bobby said so"), "bob can't be reached: bobby said so");
    }
}
