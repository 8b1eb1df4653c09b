//! Capabilities: what this process may do, and what it gives to others.
//!
//! ```no_run
//! use transship_guest::capability;
//! use transship_guest::drive::Rights;
//! use transship_guest::process::Spawn;
//!
//! // A child that may read the drive and nothing else.
//! let files = capability::drive("files", Rights::LIST | Rights::READ)?;
//! let child = Spawn::component("indexer").grant(files).spawn()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! What is not held is refused at the call. These functions say so earlier, with the line of `package.toml` that asks for it.

use std::fmt;

use crate::drive::Rights;

pub use crate::bindings::transship::host::capabilities::{
    Capability, CapabilityError, CapabilityKind, CustomGrant, DriveGrant, drop_held, held, issue, keep, revoke,
};

/// Something that this process does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    what: String,
    line: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this process does not hold {}: ask for it in package.toml, under [process.capabilities], with: {}", self.what, self.line)
    }
}

impl std::error::Error for Missing {}

/// The capability to exchange messages with other nodes.
///
/// # Errors
/// [`Missing`] if it is not held.
pub fn network() -> Result<Capability, Missing> {
    find(|kind| matches!(kind, CapabilityKind::Network)).ok_or_else(|| Missing { what: "network".into(), line: "network = true".into() })
}

/// The capability to start processes.
///
/// # Errors
/// [`Missing`] if it is not held.
pub fn spawning() -> Result<Capability, Missing> {
    find(|kind| matches!(kind, CapabilityKind::Spawning)).ok_or_else(|| Missing { what: "spawning".into(), line: "spawning = true".into() })
}

/// A capability to use a drive in these ways and no others, to be given to another process. The drive has its short name if it is of this package, or its full one.
///
/// # Errors
/// [`Missing`] if no capability is held that allows all of it.
pub fn drive(name: &str, rights: Rights) -> Result<Capability, Missing> {
    let grant = |kind: CapabilityKind| match kind {
        CapabilityKind::Drive(grant) if is_named(&grant.drive, name) && grant.rights.contains(rights) => Some(grant.drive),
        _ => None,
    };
    held()
        .into_iter()
        .filter(Capability::valid)
        .find_map(|capability| {
            let drive = grant(capability.kind())?;
            capability.restrict(&CapabilityKind::Drive(DriveGrant { drive, rights })).ok()
        })
        .ok_or_else(|| missing_drive(name, rights))
}

fn find(wanted: impl Fn(&CapabilityKind) -> bool) -> Option<Capability> {
    held().into_iter().find(|capability| wanted(&capability.kind()) && capability.valid())
}

/// Whether a drive of this full name is meant.
fn is_named(full: &str, name: &str) -> bool {
    full == name || (!name.contains('/') && full.rsplit_once('/').is_some_and(|(_, short)| short == name))
}

fn missing_drive(name: &str, rights: Rights) -> Missing {
    let named = [(Rights::LIST, "\"list\""), (Rights::READ, "\"read\""), (Rights::WRITE, "\"write\"")];
    let words: Vec<_> = named.iter().filter(|(right, _)| rights.contains(*right)).map(|(_, word)| *word).collect();
    Missing { what: format!("the drive {name} with {}", words.join(", ").replace('"', "")), line: format!("drives = {{ {name} = [{}] }}", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_is_found_by_its_short_and_by_its_full_name() {
        assert!(is_named("chat:ann/files", "files") && is_named("chat:ann/files", "chat:ann/files"));
        assert!(!is_named("chat:ann/files", "file") && !is_named("chat:ann/files", "other:ann/files"));
    }

    #[test]
    fn what_is_missing_is_told_with_the_line_that_asks_for_it() {
        let text = missing_drive("files", Rights::LIST | Rights::READ).to_string();
        assert!(text.contains("the drive files with list, read") && text.ends_with("drives = { files = [\"list\", \"read\"] }"), "{text}");
    }
}
