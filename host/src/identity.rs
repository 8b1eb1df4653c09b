//! Who a node is: an Ed25519 key pair, and the name that its owner gave it.
//!
//! A node *is* its key: whoever holds the private half is that node. The name is for people. The private half leaves this module only as a TLS signing key
//! and as the file that [`Identity::save`] writes: readable text with the name, and the key as PKCS#8 in PEM, in mode 0600. An existing identity is never overwritten.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::{BASE32_NOPAD, BASE64};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use crate::message::{NameError, check_name_part};

/// What stands before the name in the file.
const NAME_PREFIX: &str = "transship node: ";
/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The letters of a printed key.
const KEY_LETTERS: usize = 52;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No file.
    #[error("{0} is not there: make an identity with `transship init --name NAME`")]
    Missing(PathBuf),
    /// A file that must stay.
    #[error("{0} exists: it holds this node's identity and is not overwritten; move it away to make a new one")]
    Exists(PathBuf),
    /// Others could read the private key.
    #[error("{path} can be read by others (mode {mode:03o}): run `chmod 600 {path}`; if others had access, make a new identity")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Something else stands in the file.
    #[error("{path} is no identity: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
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
    /// The cryptographic library failed.
    #[error("could not make a key pair: {0}")]
    Key(String),
}

/// A text is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a key: a key has {KEY_LETTERS} characters out of a-z and 2-7{hint}")]
pub struct KeyError {
    text: String,
    hint: &'static str,
}

/// The public half of a node's key, printed as 52 lower-case letters and digits (base32).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As a SubjectPublicKeyInfo in DER, the form in which TLS carries raw keys.
    pub(crate) fn to_spki(self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), &self.0].concat()
    }

    /// The key in a SubjectPublicKeyInfo, if it is an Ed25519 key and nothing else.
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        der.strip_prefix(SPKI_PREFIX.as_slice())?.try_into().ok().map(Self)
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let error = |hint| KeyError { text: text.chars().take(80).collect(), hint };
        if text.len() < KEY_LETTERS {
            return Err(error("; this one is too short: was all of it copied?"));
        }
        if text.len() > KEY_LETTERS {
            return Err(error("; this one is too long"));
        }
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| error(""))?;
        bytes.try_into().map(Self).map_err(|_| error(""))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A node's name and key pair.
pub struct Identity {
    name: String,
    public: PublicKey,
    /// PKCS#8.
    private: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).field("public", &self.public).finish_non_exhaustive()
    }
}

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// [`IdentityError::Name`] if `name` is not a name, [`IdentityError::Key`] if the system gives no randomness.
    pub fn generate(name: &str) -> Result<Self, IdentityError> {
        let pair = Ed25519KeyPair::generate().map_err(|error| IdentityError::Key(error.to_string()))?;
        let private = pair.to_pkcs8v1().map_err(|error| IdentityError::Key(error.to_string()))?;
        Self::from_parts(name, private.as_ref().to_vec())
    }

    fn from_parts(name: &str, private: Vec<u8>) -> Result<Self, IdentityError> {
        check_name_part(name)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private).map_err(|error| IdentityError::Key(error.to_string()))?;
        let spki = pair.public_key().as_der().map_err(|error| IdentityError::Key(error.to_string()))?;
        let public = PublicKey::from_spki(spki.as_ref()).ok_or_else(|| IdentityError::Key("it is no Ed25519 key".into()))?;
        Ok(Self { name: name.into(), public, private })
    }

    /// The node's own name for itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half: what others know the node by.
    pub fn key(&self) -> PublicKey {
        self.public
    }

    /// Reads what [`Identity::save`] wrote.
    ///
    /// # Errors
    /// [`IdentityError::Missing`], [`IdentityError::Exposed`] if others can read the file, [`IdentityError::Malformed`], [`IdentityError::Io`].
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => IdentityError::Missing(path.into()),
            _ => IdentityError::Io { path: path.into(), error },
        };
        let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::Exposed { path: path.into(), mode });
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        let malformed = |why: String| IdentityError::Malformed { path: path.into(), why };
        let name = text.lines().find_map(|line| line.strip_prefix(NAME_PREFIX)).ok_or_else(|| malformed(format!("no line '{NAME_PREFIX}NAME'")))?;
        let private = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|error| malformed(format!("no private key in it: {error}")))?;
        Self::from_parts(name.trim(), private.secret_pkcs8_der().to_vec()).map_err(|error| malformed(error.to_string()))
    }

    /// Writes it to a new file that only the owner can read, and to stable storage.
    ///
    /// # Errors
    /// [`IdentityError::Exists`] if something is there, [`IdentityError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), IdentityError> {
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => IdentityError::Exists(path.into()),
            _ => IdentityError::Io { path: path.into(), error },
        };
        let key = BASE64.encode(&self.private);
        let text = format!(
            "{NAME_PREFIX}{}\npublic key: {}\nWho has the lines below is this node: keep them secret.\n-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n",
            self.name, self.public
        );
        // Written under another name and linked to the final one, which fails if something is there: a crash leaves no half-written identity.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let draft = tempfile::Builder::new()
            .prefix(".identity")
            .make_in(folder, |draft| std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft));
        let mut draft = draft.map_err(io)?;
        draft.write_all(text.as_bytes()).map_err(io)?;
        draft.as_file().sync_all().map_err(io)?;
        draft.persist_noclobber(path).map_err(|error| io(error.error))?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
    }

    /// The key pair as TLS uses it, as a raw public key (RFC 7250).
    pub(crate) fn certified_key(&self) -> Result<Arc<CertifiedKey>, IdentityError> {
        let key = rustls::crypto::aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(self.private.as_slice()))
            .map_err(|error| IdentityError::Key(error.to_string()))?;
        Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(self.public.to_spki())], key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_prints_as_52_small_letters_and_parses_back() {
        let key = Identity::generate("alice").unwrap().key();
        let text = key.to_string();
        assert_eq!(text.len(), 52);
        assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{text}");
        assert_eq!(text.parse::<PublicKey>().unwrap(), key);
        assert_eq!(text.to_uppercase().parse::<PublicKey>().unwrap(), key);
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Some(key));
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let good = PublicKey::from([7; 32]).to_string();
        assert!(good.get(..51).unwrap().parse::<PublicKey>().unwrap_err().to_string().contains("too short"));
        assert!(format!("{good}a").parse::<PublicKey>().unwrap_err().to_string().contains("too long"));
        assert!(good.replace('a', "1").replacen(|_| true, "1", 1).parse::<PublicKey>().is_err());
        assert!("é".repeat(26).parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_saved_identity_is_the_same_when_loaded_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let identity = Identity::generate("alice").unwrap();
        identity.save(&path).unwrap();
        let loaded = Identity::load(&path).unwrap();
        assert_eq!((loaded.name(), loaded.key()), ("alice", identity.key()));
        assert_eq!(loaded.private, identity.private);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_identity_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let first = Identity::generate("alice").unwrap();
        first.save(&path).unwrap();
        assert!(matches!(Identity::generate("alice").unwrap().save(&path), Err(IdentityError::Exists(_))));
        assert_eq!(Identity::load(&path).unwrap().key(), first.key());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_an_exposed_and_a_broken_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        assert!(matches!(Identity::load(&path), Err(IdentityError::Missing(_))));
        Identity::generate("alice").unwrap().save(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Identity::load(&path), Err(IdentityError::Exposed { mode: 0o644, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "transship node: alice\nnothing else").unwrap();
        assert!(matches!(Identity::load(&path), Err(IdentityError::Malformed { .. })));
        assert!(matches!(Identity::generate("Not A Name"), Err(IdentityError::Name(_))));
    }

    #[test]
    fn the_private_key_is_not_in_the_debug_output() {
        let identity = Identity::generate("alice").unwrap();
        let text = format!("{identity:?}");
        assert!(text.contains("alice") && !text.contains("private"), "{text}");
    }
}
