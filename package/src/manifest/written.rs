//! The manifest as somebody wrote it: the shape of `package.toml`, key by key, with nothing filled in and nothing checked but that shape.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{DriveKind, ManifestError, OnExit, Recipe, Right};

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
    pub(crate) scripts: BTreeMap<String, WrittenScript>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<WrittenApi>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) dependencies: BTreeMap<String, WrittenDependency>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) compose: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) build: BTreeMap<String, WrittenBuild>,
}

/// `[scripts.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WrittenScript {
    pub(crate) component: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) capabilities: WrittenCapabilities,
    #[serde(default)]
    pub(crate) limits: WrittenLimits,
}

/// `[api]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WrittenApi {
    pub(crate) component: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) wit: Vec<String>,
}

/// An entry of `[dependencies]`: a version requirement, or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct WrittenDependency {
    pub(crate) version: semver::VersionReq,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
}

impl<'de> Deserialize<'de> for WrittenDependency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct Table {
            version: semver::VersionReq,
            digest: Option<String>,
        }
        text_or_table(
            deserializer,
            "a version requirement such as \"0.1\", or a table with `version` and `digest`",
            |text| Ok(Self { version: text.parse().map_err(|error| format!("'{text}' is not a version requirement: {error}"))?, digest: None }),
            |Table { version, digest }| Self { version, digest },
        )
    }
}

/// An entry of `[build]`: the name of what was built elsewhere, or a table that says how it is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum WrittenBuild {
    Built(String),
    Recipe(Recipe),
}

impl<'de> Deserialize<'de> for WrittenBuild {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_table(
            deserializer,
            "the name of a built file or of a crate, or a table with `tool`",
            |text| Ok(Self::Built(text.into())),
            |recipe: Recipe| Self::Recipe(recipe),
        )
    }
}

/// A value that is short as a text and can be said in full as a table. Unlike an untagged enum it keeps the message of what is wrong within the table.
fn text_or_table<'de, D: Deserializer<'de>, T, R: Deserialize<'de>>(
    deserializer: D,
    expecting: &'static str,
    of_text: impl FnOnce(&str) -> Result<T, String>,
    of_table: impl FnOnce(R) -> T,
) -> Result<T, D::Error> {
    struct Both<A, B, T, R>(&'static str, A, B, PhantomData<(T, R)>);

    impl<'de, A: FnOnce(&str) -> Result<T, String>, B: FnOnce(R) -> T, T, R: Deserialize<'de>> Visitor<'de> for Both<A, B, T, R> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            self.1(text).map_err(E::custom)
        }

        fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
            R::deserialize(MapAccessDeserializer::new(map)).map(self.2)
        }
    }

    deserializer.deserialize_any(Both(expecting, of_text, of_table, PhantomData))
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
        let api = self.api.clone().map(|api| WrittenApi { wit: Vec::new(), ..api });
        Self { compose: BTreeMap::new(), build: BTreeMap::new(), api, ..self.clone() }
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
