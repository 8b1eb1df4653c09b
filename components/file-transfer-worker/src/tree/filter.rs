//! Which names take part in a tree, by globs as in `.gitignore`: the rules of ripgrep's `--glob`, by the same crate.

use std::path::Path;

use file_transfer_types::types::TransferError;
use ignore::overrides::{Override, OverrideBuilder};

/// See the module.
#[derive(Debug)]
pub(crate) struct Filter(Override);

impl Filter {
    /// Of these globs; `!` before one leaves out what it matches.
    ///
    /// # Errors
    /// [`TransferError::InvalidRequest`] names the glob that is none.
    pub(crate) fn new(globs: &[String]) -> Result<Self, TransferError> {
        let mut builder = OverrideBuilder::new("");
        for glob in globs {
            builder.add(glob).map_err(|error| TransferError::InvalidRequest(format!("'{glob}' is no pattern: {error}")))?;
        }
        builder.build().map(Self).map_err(|error| TransferError::InvalidRequest(format!("the patterns can't be used: {error}")))
    }

    /// Whether a path of the tree takes part. Of a folder that does not, nothing does.
    pub(crate) fn takes(&self, path: &str, is_folder: bool) -> bool {
        !self.0.matched(Path::new(path), is_folder).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(globs: &[&str]) -> Vec<&'static str> {
        let filter = Filter::new(&globs.iter().map(|&glob| glob.into()).collect::<Vec<_>>()).unwrap();
        let all = ["a.rs", "b.txt", "src/c.rs", "src/d.txt", "target/e.rs"];
        // As a walk does it: what is in a folder is not even looked at if the folder takes no part.
        let takes = |path: &&str| path.split_once('/').is_none_or(|(folder, _)| filter.takes(folder, true)) && filter.takes(path, false);
        all.into_iter().filter(takes).collect()
    }

    #[test]
    fn without_globs_everything_takes_part() {
        assert_eq!(taken(&[]).len(), 5);
    }

    #[test]
    fn what_is_excluded_is_left_out_and_what_is_included_is_all_that_is_left() {
        assert_eq!(taken(&["!target/"]), ["a.rs", "b.txt", "src/c.rs", "src/d.txt"]);
        assert_eq!(taken(&["!*.txt"]), ["a.rs", "src/c.rs", "target/e.rs"]);
        assert_eq!(taken(&["!/*.rs"]), ["b.txt", "src/c.rs", "src/d.txt", "target/e.rs"]);
        assert_eq!(taken(&["*.rs"]), ["a.rs", "src/c.rs", "target/e.rs"]);
        assert_eq!(taken(&["*.rs", "!target/"]), ["a.rs", "src/c.rs"]);
    }

    #[test]
    fn the_last_that_matches_counts() {
        assert_eq!(taken(&["!*.rs", "a.rs"]), ["a.rs"]);
        assert_eq!(taken(&["*.rs", "!src/*"]), ["a.rs", "target/e.rs"]);
    }

    #[test]
    fn what_is_no_glob_is_named() {
        let Err(TransferError::InvalidRequest(text)) = Filter::new(&["a[".into()]) else { panic!() };
        assert!(text.contains("'a['"), "{text}");
    }
}
