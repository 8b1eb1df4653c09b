//! What is said of trees: a folder with all that is in it.

use serde::{Deserialize, Serialize};

use super::TransferError;

/// `types.link-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LinkPolicy {
    /// Leave them out
    Skip,
    /// Make them anew, if they lead to nothing outside the folder
    Keep,
    /// Move nothing if there is one
    Refuse,
}

/// `types.tree-options`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TreeOptions {
    pub(crate) filter: Option<Vec<String>>,
    pub(crate) links: Option<LinkPolicy>,
    pub(crate) checksum: Option<bool>,
    pub(crate) dry_run: Option<bool>,
    pub(crate) folders: Option<bool>,
}

/// `types.tree-summary`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TreeSummary {
    pub(crate) new: u64,
    pub(crate) changed: u64,
    pub(crate) unchanged: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    pub(crate) folders: u64,
    pub(crate) links: u64,
    pub(crate) failures: Vec<TreeFailure>,
}

/// `types.tree-failure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TreeFailure {
    pub(crate) name: String,
    pub(crate) error: TransferError,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_str, json, to_value};

    #[test]
    fn options_and_summaries_are_the_json_that_the_wit_describes() {
        let options = TreeOptions { filter: Some(vec!["!*.o".into()]), links: Some(LinkPolicy::Keep), dry_run: Some(true), ..TreeOptions::default() };
        let json = json!({"filter": ["!*.o"], "links": "keep", "checksum": null, "dry-run": true, "folders": null});
        assert_eq!(to_value(options).unwrap(), json);
        let summary = r#"{"new": 1, "changed": 2, "unchanged": 3, "skipped": 4, "failed": 1, "folders": 5, "links": 6,
            "failures": [{"name": "a/b", "error": {"conflict": "a/b"}}]}"#;
        let summary: TreeSummary = from_str(summary).unwrap();
        assert_eq!((summary.unchanged, &summary.failures[0].error), (3, &TransferError::Conflict("a/b".into())));
    }
}
