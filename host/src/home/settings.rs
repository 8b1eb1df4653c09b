//! `node.toml`: what the owner of a node decides, as written and as used.
//!
//! Unknown keys are refused, so that a typing error is not a decision silently ignored.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::link::LEAST_LIMIT;

/// The port a node listens on unless told otherwise.
const DEFAULT_PORT: u16 = 7447;

/// Why `node.toml` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not TOML, an unknown key or a value of the wrong kind.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
}

/// What the owner decides about one drive. With neither key, it is a folder under the home. A folder has no limit of its own: what its disk holds is what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DriveSettings {
    /// Use this folder and not the one under the home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Hold the drive in memory, so many bytes at most; it is empty after each start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// The content of `node.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Where it listens.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The host name or address that others reach it by, for the ticket; found out if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Bytes a second at most to all peers together, and from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Limits, in the words of the engine.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub limits: toml::Table,
    /// By full name, `package:publisher/drive`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drives: BTreeMap<String, DriveSettings>,
}

fn default_listen() -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into()
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: default_listen(), host: None, limit: None, limits: toml::Table::new(), drives: BTreeMap::new() }
    }
}

impl Settings {
    pub(super) fn from_text(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let malformed = |message| SettingsError::Malformed { path: path.into(), message };
        let settings: Self = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        match settings.limit {
            Some(limit) if limit < LEAST_LIMIT => Err(malformed(format!("limit is {limit}: it must be at least {LEAST_LIMIT} bytes a second"))),
            _ => Ok(settings),
        }
    }

    /// As written to a new home: with what a person may want to add, as comments.
    pub(super) fn to_text(&self) -> String {
        let mut text = toml::to_string(self).unwrap_or_default();
        text.push_str(
            r#"
# The address that others reach this node by, if it is not the one that `transship ticket` finds:
# host = "files.example.org"

# How many bytes a second go to other nodes at most, and come from them (16384 or more):
# limit = 10000000

# A drive may be another folder, or be held in memory, of so many bytes at most:
# [drives."package:publisher/drive"]
# folder = "/srv/files"
# [drives."package:publisher/another"]
# memory = 100000000
"#,
        );
        text
    }

    /// The limits as a type of the module that knows them.
    ///
    /// # Errors
    /// [`SettingsError::Malformed`] if they don't fit; `path` is where they were read from.
    pub fn limits<L: DeserializeOwned>(&self, path: &Path) -> Result<L, SettingsError> {
        let malformed = |error: toml::de::Error| SettingsError::Malformed { path: path.into(), message: format!("[limits]: {}", error.message()) };
        self.limits.clone().try_into().map_err(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::from_text(text, Path::new("node.toml"))
    }

    #[test]
    fn what_is_written_for_a_new_home_reads_the_same() {
        let settings = Settings::default();
        assert_eq!(parse(&settings.to_text()).unwrap(), settings);
        assert_eq!(settings.listen.to_string(), "0.0.0.0:7447");
    }

    #[test]
    fn the_comments_are_settings_that_work_once_uncommented() {
        let text = Settings::default().to_text();
        let uncommented: String =
            text.lines().map(|line| line.strip_prefix("# ").filter(|rest| !rest.ends_with(':')).unwrap_or(line).to_owned() + "\n").collect();
        let settings = parse(&uncommented).unwrap();
        assert_eq!(settings.limit, Some(10_000_000));
        assert_eq!(settings.drives["package:publisher/drive"].folder, Some("/srv/files".into()));
        assert_eq!(settings.drives["package:publisher/another"].memory, Some(100_000_000));
    }

    #[test]
    fn a_typing_error_is_named_with_its_place() {
        let error = parse("host = \"a\"\nlitsen = \"0.0.0.0:1\"\n").unwrap_err().to_string();
        assert!(error.starts_with("node.toml: ") && error.contains("litsen") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_limit_below_what_a_link_needs_is_refused() {
        assert!(parse("limit = 16383").unwrap_err().to_string().contains("at least 16384 bytes a second"));
        assert_eq!(parse("limit = 16384").unwrap().limit, Some(16384));
    }

    #[test]
    fn limits_become_the_type_of_who_knows_them() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Limits {
            processes: u32,
        }
        let settings = parse("[limits]\nprocesses = 7\n").unwrap();
        assert_eq!(settings.limits::<Limits>(Path::new("node.toml")).unwrap(), Limits { processes: 7 });
        let wrong = parse("[limits]\nprocesses = \"many\"\n").unwrap();
        assert!(wrong.limits::<Limits>(Path::new("node.toml")).unwrap_err().to_string().contains("[limits]"));
    }
}
