//! The nodes that this node's owner has introduced, and what each may do.
//!
//! Kept in `peers.toml`, which people may edit:
//!
//! ```toml
//! [peer.bob]
//! key = "…52 letters and digits…"
//! address = "192.0.2.7:7447"          # optional: without it, bob has to call us
//! limit = 1000000                     # optional: bytes a second at most, in either direction
//!
//! [peer.bob.allow]
//! files = ["list", "read"]                     # the drive "files" of whichever package asks
//! "some-package:publisher/files" = ["list"]    # of this package: goes before the short name
//! ```
//!
//! What always holds: a name stands for one key and a key for one name; this node's own name and key are not among them; a right that is not written here is
//! not given. The file is replaced as a whole, so a crash leaves the old one or the new one. What can't be understood is an error with the place, and
//! changes nothing: after a failed [`Peers::reload`] the entries are those from before.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, PublicKey};
use crate::link::LEAST_LIMIT;
use crate::message::{NameError, PackageId, check_name_part};
use crate::rights::Rights;
use crate::ticket::{HostPort, Ticket};

/// Why peers could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The name of an allowed drive is none.
    #[error("'{0}' is not a drive: write its short name, such as files, or package:publisher/drive")]
    Drive(String),
    /// A peer can't be limited to so little.
    #[error("a limit is at least {LEAST_LIMIT} bytes a second")]
    Limit,
    /// The ticket is this node's own.
    #[error("this is the ticket of this node itself: give it to the other node's owner, and add theirs here")]
    OwnTicket,
    /// The name is this node's own.
    #[error("'{0}' is the name of this node itself: choose another name for the peer (`--name NAME`)")]
    OwnName(String),
    /// The name belongs to another peer.
    #[error(
        "'{name}' is already the name of another peer, with the key {key}: choose another name for the new one (`--name NAME`), or, if {name} has a new key, remove the old entry first (`transship peer remove {name}`)"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Its present key.
        key: PublicKey,
    },
    /// The key belongs to a peer of another name.
    #[error("this node is already a peer, as '{0}': leave the name out to update it, or remove it first (`transship peer remove {0}`)")]
    KeyTaken(String),
    /// No peer of that name.
    #[error("no peer is called '{0}': `transship peer list` shows all")]
    Unknown(String),
    /// The file is not what it should be.
    #[error("{path}: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// The system's own words.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name here.
    pub name: String,
    /// Its key: who it is.
    pub key: PublicKey,
    /// Where to reach it. None: it has to call.
    pub address: Option<HostPort>,
    /// What it may do with which drive (by short or full name).
    pub allow: BTreeMap<String, Rights>,
    /// Bytes a second at most in either direction. None: as fast as the line is.
    pub limit: Option<u64>,
}

/// An entry as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: PublicKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    allow: BTreeMap<String, Rights>,
}

/// The file as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    peer: BTreeMap<String, Entry>,
}

/// What came of [`Peers::add`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The peer as it is now.
    pub peer: Peer,
    /// It was one before.
    pub known: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Peers {
    path: PathBuf,
    own_name: String,
    own_key: PublicKey,
    peers: RwLock<BTreeMap<String, Peer>>,
    /// Held over reading, changing and writing the file.
    changing: Mutex<()>,
}

impl Peers {
    /// Reads the file at `path`; none is no peers. `own` is this node, which is not its own peer.
    ///
    /// # Errors
    /// [`PeersError::Malformed`], [`PeersError::Io`].
    pub fn open(path: &Path, own: &Identity) -> Result<Self, PeersError> {
        let peers = Self { path: path.into(), own_name: own.name().into(), own_key: own.key(), peers: RwLock::default(), changing: Mutex::new(()) };
        peers.reload()?;
        Ok(peers)
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// [`PeersError::Malformed`], [`PeersError::Io`]; nothing has changed then.
    pub fn reload(&self) -> Result<(), PeersError> {
        let _changing = self.changing.lock();
        let peers = self.read()?;
        *self.peers.write() = peers;
        Ok(())
    }

    /// Adds the peer of a ticket under its name or `name`, or, if the ticket's key is a peer's already, sets that peer's address. `allow` is all that it may do from now on; none: what it
    /// may do already, which is nothing if it is new.
    ///
    /// # Errors
    /// [`PeersError`], except [`PeersError::Unknown`].
    pub fn add(&self, ticket: &Ticket, name: Option<&str>, allow: Option<BTreeMap<String, Rights>>) -> Result<Added, PeersError> {
        let _changing = self.changing.lock();
        // From the file: another process of this node's owner may have changed it.
        let mut peers = self.read()?;
        let known = peers.values().find(|peer| peer.key == ticket.key()).cloned();
        let name = match (&known, name) {
            (Some(known), Some(wanted)) if known.name != wanted => return Err(PeersError::KeyTaken(known.name.clone())),
            (Some(known), _) => known.name.clone(),
            (None, wanted) => wanted.unwrap_or(ticket.name()).into(),
        };
        if let Some(other) = peers.get(&name).filter(|peer| peer.key != ticket.key()) {
            return Err(PeersError::NameTaken { name, key: other.key });
        }
        let (was_known, limit) = (known.is_some(), known.as_ref().and_then(|peer| peer.limit));
        let before = known.map(|peer| peer.allow).unwrap_or_default();
        let peer = Peer { name: name.clone(), key: ticket.key(), address: Some(ticket.address().clone()), allow: allow.unwrap_or(before), limit };
        self.check(&peer)?;
        peers.insert(name, peer.clone());
        self.write(peers)?;
        Ok(Added { peer, known: was_known })
    }

    /// Changes what a peer may do with some drives, and nothing else of it. Returns the peer as it is then.
    ///
    /// # Errors
    /// [`PeersError::Unknown`], [`PeersError::Drive`], [`PeersError::Malformed`], [`PeersError::Io`].
    pub fn allow(&self, name: &str, changes: &BTreeMap<String, Rights>) -> Result<Peer, PeersError> {
        let _changing = self.changing.lock();
        let mut peers = self.read()?;
        let peer = peers.get_mut(name).ok_or_else(|| PeersError::Unknown(name.into()))?;
        for (drive, rights) in changes {
            // A full name with no rights takes away what the short name gives.
            if *rights == Rights::NONE && !drive.contains('/') {
                peer.allow.remove(drive);
            } else {
                peer.allow.insert(drive.clone(), *rights);
            }
        }
        let peer = peer.clone();
        self.check(&peer)?;
        self.write(peers)?;
        Ok(peer)
    }

    /// Changes how many bytes a second it sends and receives at most; none: as many as the line takes. Returns the peer as it is then.
    ///
    /// # Errors
    /// [`PeersError::Unknown`], [`PeersError::Limit`], [`PeersError::Malformed`], [`PeersError::Io`].
    pub fn limit(&self, name: &str, limit: Option<u64>) -> Result<Peer, PeersError> {
        let _changing = self.changing.lock();
        let mut peers = self.read()?;
        let peer = peers.get_mut(name).ok_or_else(|| PeersError::Unknown(name.into()))?;
        peer.limit = limit;
        let peer = peer.clone();
        self.check(&peer)?;
        self.write(peers)?;
        Ok(peer)
    }

    /// Forgets a peer and returns it.
    ///
    /// # Errors
    /// [`PeersError::Unknown`], [`PeersError::Malformed`], [`PeersError::Io`].
    pub fn remove(&self, name: &str) -> Result<Peer, PeersError> {
        let _changing = self.changing.lock();
        let mut peers = self.read()?;
        let peer = peers.remove(name).ok_or_else(|| PeersError::Unknown(name.into()))?;
        self.write(peers)?;
        Ok(peer)
    }

    /// All peers, by name.
    pub fn list(&self) -> Vec<Peer> {
        self.peers.read().values().cloned().collect()
    }

    /// The peer of that name.
    pub fn by_name(&self, name: &str) -> Option<Peer> {
        self.peers.read().get(name).cloned()
    }

    /// The peer with that key.
    pub fn by_key(&self, key: &PublicKey) -> Option<Peer> {
        self.peers.read().values().find(|peer| peer.key == *key).cloned()
    }

    /// What the peer `name` may do with a drive of `package`: `drive` is its short name, or its full one. Nothing, unless the peer's entry says so.
    pub fn rights(&self, name: &str, package: &PackageId, drive: &str) -> Rights {
        let peers = self.peers.read();
        let Some(peer) = peers.get(name) else { return Rights::NONE };
        let (full, short) = match drive.split_once('/') {
            Some((owner, short)) => (drive.to_owned(), (owner == package.to_string()).then_some(short)),
            None => (format!("{package}/{drive}"), Some(drive)),
        };
        let found = peer.allow.get(&full).or_else(|| peer.allow.get(short?));
        found.copied().unwrap_or(Rights::NONE)
    }

    fn check(&self, peer: &Peer) -> Result<(), PeersError> {
        check_name_part(&peer.name)?;
        if peer.key == self.own_key {
            return Err(PeersError::OwnTicket);
        }
        if peer.name == self.own_name {
            return Err(PeersError::OwnName(peer.name.clone()));
        }
        if peer.limit.is_some_and(|limit| limit < LEAST_LIMIT) {
            return Err(PeersError::Limit);
        }
        for drive in peer.allow.keys() {
            let (package, short) = match drive.split_once('/') {
                Some((package, short)) => (Some(package), short),
                None => (None, drive.as_str()),
            };
            if check_name_part(short).is_err() || package.is_some_and(|package| package.parse::<PackageId>().is_err()) {
                return Err(PeersError::Drive(drive.clone()));
            }
        }
        Ok(())
    }

    fn read(&self) -> Result<BTreeMap<String, Peer>, PeersError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(PeersError::Io { path: self.path.clone(), error }),
        };
        let malformed = |why: String| PeersError::Malformed { path: self.path.clone(), why };
        let file: File = toml::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        let mut peers = BTreeMap::<String, Peer>::new();
        for (name, entry) in file.peer {
            let address = match entry.address {
                Some(address) => Some(address.parse().map_err(|error| malformed(format!("peer '{name}': {error}")))?),
                None => None,
            };
            let peer = Peer { name: name.clone(), key: entry.key, address, allow: entry.allow, limit: entry.limit };
            self.check(&peer).map_err(|error| malformed(format!("peer '{name}': {error}")))?;
            if let Some(other) = peers.values().find(|other| other.key == peer.key) {
                return Err(malformed(format!("peers '{}' and '{name}' have the same key: a node has one name", other.name)));
            }
            peers.insert(name, peer);
        }
        Ok(peers)
    }

    fn write(&self, peers: BTreeMap<String, Peer>) -> Result<(), PeersError> {
        let entry =
            |peer: &Peer| Entry { key: peer.key, address: peer.address.as_ref().map(ToString::to_string), allow: peer.allow.clone(), limit: peer.limit };
        let file = File { peer: peers.iter().map(|(name, peer)| (name.clone(), entry(peer))).collect() };
        let text = toml::to_string(&file).map_err(|error| PeersError::Malformed { path: self.path.clone(), why: error.to_string() })?;
        self.replace(&text).map_err(|error| PeersError::Io { path: self.path.clone(), error })?;
        *self.peers.write() = peers;
        Ok(())
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut draft = tempfile::Builder::new().prefix(".peers").tempfile_in(folder)?;
        draft.write_all(b"# The nodes that this node knows, and what each may do. `transship peer add` writes here; so may you.\n\n")?;
        draft.write_all(text.as_bytes())?;
        draft.as_file().sync_all()?;
        draft.persist(&self.path).map_err(|error| error.error)?;
        std::fs::File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests;
