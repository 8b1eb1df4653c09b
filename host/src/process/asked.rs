//! What a process asked for in its package's manifest, and what of it was granted: so that a refusal can say how the capability would be had.

use std::collections::BTreeSet;

use transship_package::manifest::{Ask, Capabilities, Right};

use super::Process;
use crate::message::ProcessId;
use crate::rights::Rights;

/// What the manifest asks for on behalf of a process, and what the node's owner granted.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Where in package.toml it asks, or would.
    place: String,
    asks: BTreeSet<Ask>,
    granted: BTreeSet<Ask>,
}

/// What a call needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Need<'a> {
    Network,
    Spawning,
    /// A drive by its full name; the right that is needed, if it is known.
    Drive(&'a str, Option<Rights>),
    Messaging(&'a ProcessId),
}

impl Asked {
    pub(crate) fn new(place: String, wish: &Capabilities, granted: BTreeSet<Ask>) -> Self {
        Self { place, asks: wish.asks(), granted }
    }

    pub(crate) fn granted(&self) -> &BTreeSet<Ask> {
        &self.granted
    }
}

impl Process {
    /// The refusal of a call: names the capability, and the line of the manifest that asks, or would ask, for it.
    pub(crate) fn lacks(&self, need: Need<'_>) -> String {
        let package = self.id.package().to_string();
        let (capability, ask, line) = match need {
            Need::Network => ("'network'".to_owned(), Some(Ask::Network), "network = true".to_owned()),
            Need::Spawning => ("'spawning'".into(), Some(Ask::Spawning), "spawning = true".into()),
            Need::Messaging(process) => {
                (format!("'messaging' for {process}"), process.to_string().parse().ok().map(Ask::Messaging), format!("messaging = [\"{process}\"]"))
            }
            Need::Drive(full, right) => {
                let right = match right {
                    Some(Rights { write: true, .. }) => Right::Write,
                    Some(Rights { list: true, .. }) => Right::List,
                    _ => Right::Read,
                };
                // A manifest asks for drives of its own package only.
                let Some(short) = full.strip_prefix(&package).and_then(|rest| rest.strip_prefix('/')) else {
                    return format!(
                        "{} holds no capability for the drive {full}, which belongs to another package: one of its processes can pass a capability on",
                        self.id
                    );
                };
                let word = format!("{right:?}").to_lowercase();
                (format!("to {word} the drive {full}"), Some(Ask::Drive(short.into(), right)), format!("drives = {{ {short} = [\"{word}\"] }}"))
            }
        };
        let Some(asked) = &self.asked else {
            let parent = self.parent.as_ref().map_or_else(|| "the process that started it".into(), ToString::to_string);
            return format!("{} lacks the capability {capability}: {parent} did not pass it on (in package.toml: {line})", self.id);
        };
        let why = match &ask {
            Some(ask) if !asked.asks.contains(ask) => format!("package.toml does not ask for it: {line} under {}", asked.place),
            Some(ask) if !asked.granted.contains(ask) => {
                format!("package.toml asks for it ({line} under {}) and the owner of the node did not grant it: transship package grant {package}", asked.place)
            }
            _ => "it had that, and gave it up or has lost it".into(),
        };
        format!("{} lacks the capability {capability}: {why}", self.id)
    }
}
