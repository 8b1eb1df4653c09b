//! The manifest as somebody wrote it: the shape of `package.toml`, key by key, with nothing filled in and nothing checked but that shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DriveKind, ManifestError, OnExit, Right};

/// `package.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) publisher: String,
    pub(crate) version: semver::Version,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) drives: BTreeMap<String, WrittenDrive>,
    pub(crate) components: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) process: Vec<WrittenProcess>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) compose: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) build: BTreeMap<String, String>,
}

/// `[drives.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WrittenDrive {
    #[serde(default)]
    pub(crate) kind: DriveKind,
    #[serde(default, deserialize_with = "crate::size::deserialize", skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<u64>,
}

/// `[[process]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WrittenProcess {
    pub(crate) name: String,
    pub(crate) component: String,
    #[serde(default)]
    pub(crate) on_exit: OnExit,
    #[serde(default)]
    pub(crate) public: bool,
    #[serde(default)]
    pub(crate) capabilities: WrittenCapabilities,
    #[serde(default)]
    pub(crate) limits: WrittenLimits,
}

/// `[process.capabilities]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WrittenCapabilities {
    #[serde(default)]
    pub(crate) network: bool,
    #[serde(default)]
    pub(crate) spawning: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) drives: BTreeMap<String, Vec<Right>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) messaging: Vec<String>,
}

/// `[process.limits]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WrittenLimits {
    #[serde(default, deserialize_with = "crate::size::deserialize", skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<u64>,
}

impl Written {
    pub(crate) fn parse(text: &str) -> Result<Self, ManifestError> {
        toml::from_str(text).map_err(|error| {
            let hint = hint(error.message()).map(|word| format!("\ndid you mean `{word}`?")).unwrap_or_default();
            ManifestError::Unreadable(format!("{}{hint}", error.to_string().trim_end()))
        })
    }

    /// The same without what was only meant for the one who builds the package.
    pub(crate) fn as_shipped(&self) -> Self {
        Self { compose: BTreeMap::new(), build: BTreeMap::new(), ..self.clone() }
    }

    pub(crate) fn to_text(&self) -> Result<String, ManifestError> {
        toml::to_string(self).map_err(|error| ManifestError::Unreadable(error.to_string()))
    }
}

/// For a message such as "unknown field `nmae`, expected one of `name`, `version`": the expected word that is nearest to the unknown one.
fn hint(message: &str) -> Option<&str> {
    if !message.contains("unknown") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = words.next()?;
    nearest(unknown, words)
}

/// The word that is nearest to `unknown`, unless all are far from it.
pub(crate) fn nearest<'a>(unknown: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, word) = words.map(|word| (strsim::damerau_levenshtein(unknown, word), word)).min()?;
    (distance <= 1 + word.len() / 3).then_some(word)
}
