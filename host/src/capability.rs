//! Capabilities: what a process may do, as values that only the node can make.
//!
//! A [`Capability`] is a link in a chain: each was made from the one that its giver held, back to a grant of the node's owner (or, for a
//! [`Kind::Custom`] one, to its issuer). What always holds: a capability never allows more than the one it was made from, and it is valid only as long as no link of its chain has
//! been revoked. When a process ends, drops what it holds or is revoked, only its own links are marked; everything downstream fails from then on, wherever it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::message::{Address, ProcessId};
use crate::rights::Rights;
use crate::vfs::Drive;

/// The most capabilities that one process holds.
pub const MAX_HELD: usize = 1024;
/// The most bytes in a custom capability's text.
pub const MAX_PARAMS: usize = 4 << 10;

/// What a capability allows.
#[derive(Debug, Clone)]
pub enum Kind {
    /// To open a drive with at most these rights.
    Drive {
        /// The drive.
        drive: Drive,
        /// At most these.
        rights: Rights,
    },
    /// To exchange messages with other nodes, both ways, and to ask about peers.
    Network,
    /// To send requests to this process.
    Messaging(ProcessId),
    /// To spawn.
    Spawning,
    /// Whatever its issuer takes it for.
    Custom {
        /// Who issued it.
        issuer: Address,
        /// In the issuer's words.
        params: Arc<str>,
    },
}

impl Kind {
    /// Whether all that `other` allows is allowed by this.
    fn contains(&self, other: &Kind) -> bool {
        match (self, other) {
            (Kind::Drive { drive, rights }, Kind::Drive { drive: other_drive, rights: other_rights }) => {
                drive.same(other_drive) && rights.contains(*other_rights)
            }
            (Kind::Network, Kind::Network) | (Kind::Spawning, Kind::Spawning) => true,
            (Kind::Messaging(process), Kind::Messaging(other)) => process == other,
            (Kind::Custom { issuer, params }, Kind::Custom { issuer: other_issuer, params: other_params }) => issuer == other_issuer && params == other_params,
            _ => false,
        }
    }
}

/// Why a capability could not be made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// It would allow more than the one it is made from.
    #[error("the wanted capability is not contained in this one")]
    NotContained,
    /// It has ended.
    #[error("the capability has been revoked")]
    Revoked,
    /// Only its issuer may do this.
    #[error("only the issuer may revoke a capability")]
    NotIssuer,
    /// A bound of this module.
    #[error("{0}")]
    Limit(String),
}

#[derive(Debug)]
struct Link {
    kind: Kind,
    made_from: Option<Capability>,
    /// Who made this link; none: the node itself.
    giver: Option<ProcessId>,
    revoked: AtomicBool,
}

/// One link of a chain of capabilities. Cloning gives another handle to the same link.
#[derive(Debug, Clone)]
pub struct Capability(Arc<Link>);

impl Capability {
    /// A capability that the node's owner granted: the head of a chain.
    pub(crate) fn granted(kind: Kind) -> Self {
        Self(Arc::new(Link { kind, made_from: None, giver: None, revoked: AtomicBool::new(false) }))
    }

    /// A custom capability of `issuer`'s own.
    pub(crate) fn issued(issuer: &Address, params: &str) -> Result<Self, CapabilityError> {
        if params.len() > MAX_PARAMS {
            return Err(CapabilityError::Limit(format!("the text of a capability has at most {MAX_PARAMS} bytes")));
        }
        let kind = Kind::Custom { issuer: issuer.clone(), params: params.into() };
        Ok(Self(Arc::new(Link { kind, made_from: None, giver: Some(issuer.process().clone()), revoked: AtomicBool::new(false) })))
    }

    /// What it allows.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Whether no link of its chain has been revoked.
    pub fn valid(&self) -> bool {
        let mut link = Some(self);
        while let Some(capability) = link {
            if capability.0.revoked.load(Ordering::Acquire) {
                return false;
            }
            link = capability.0.made_from.as_ref();
        }
        true
    }

    /// The same, for another holder: a new link that ends with this one.
    pub(crate) fn passed_on(&self, giver: &ProcessId) -> Self {
        Self(Arc::new(Link { kind: self.0.kind.clone(), made_from: Some(self.clone()), giver: Some(giver.clone()), revoked: AtomicBool::new(false) }))
    }

    /// A new link that allows `kind` only.
    pub(crate) fn restricted(&self, kind: Kind, giver: &ProcessId) -> Result<Self, CapabilityError> {
        if !self.valid() {
            return Err(CapabilityError::Revoked);
        }
        if !self.0.kind.contains(&kind) {
            return Err(CapabilityError::NotContained);
        }
        Ok(Self(Arc::new(Link { kind, made_from: Some(self.clone()), giver: Some(giver.clone()), revoked: AtomicBool::new(false) })))
    }

    /// Ends it and everything made from it.
    pub(crate) fn end(&self) {
        self.0.revoked.store(true, Ordering::Release);
    }

    /// Ends the link that `process` made in this chain, if it made one.
    pub(crate) fn revoke_by(&self, process: &ProcessId) -> Result<(), CapabilityError> {
        let mut link = Some(self);
        let mut found = None;
        while let Some(capability) = link {
            if capability.0.giver.as_ref() == Some(process) {
                found = Some(capability);
            }
            link = capability.0.made_from.as_ref();
        }
        found.ok_or(CapabilityError::NotIssuer)?.end();
        Ok(())
    }

    /// Whether both are handles to one link.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str) -> ProcessId {
        format!("{name}:p:q").parse().unwrap()
    }

    #[test]
    fn all_that_was_made_from_a_capability_ends_with_it_and_nothing_else_does() {
        let root = Capability::granted(Kind::Network);
        let (first, second) = (root.passed_on(&process("a")), root.passed_on(&process("a")));
        let below = first.passed_on(&process("b"));
        first.end();
        assert!(!below.valid() && !first.valid());
        assert!(root.valid() && second.valid());
    }

    #[test]
    fn a_drive_can_be_passed_on_with_fewer_rights_and_never_with_more() {
        let drive = Drive::memory("p:q/files", 1 << 20);
        let read = Rights { read: true, ..Rights::NONE };
        let held = Capability::granted(Kind::Drive { drive: drive.clone(), rights: read });
        assert!(held.restricted(Kind::Drive { drive: drive.clone(), rights: Rights::NONE }, &process("a")).is_ok());
        let more = held.restricted(Kind::Drive { drive, rights: Rights::ALL }, &process("a"));
        assert_eq!(more.unwrap_err(), CapabilityError::NotContained);
        let other = held.restricted(Kind::Drive { drive: Drive::memory("p:q/other", 1), rights: read }, &process("a"));
        assert_eq!(other.unwrap_err(), CapabilityError::NotContained);
        assert_eq!(held.restricted(Kind::Network, &process("a")).unwrap_err(), CapabilityError::NotContained);
    }

    #[test]
    fn only_who_gave_or_issued_a_capability_revokes_it() {
        let issuer: Address = "alice@a:p:q".parse().unwrap();
        let issued = Capability::issued(&issuer, "{}").unwrap();
        let passed = issued.passed_on(&process("b")).passed_on(&process("c"));
        assert_eq!(passed.revoke_by(&process("d")).unwrap_err(), CapabilityError::NotIssuer);
        passed.revoke_by(&process("b")).unwrap();
        assert!(!passed.valid() && issued.valid());
        issued.revoke_by(&process("a")).unwrap();
        assert!(!issued.valid());
        assert!(Capability::issued(&issuer, &"x".repeat(MAX_PARAMS + 1)).is_err());
    }
}
