//! Which names a drive shows that lends one file of a folder.
//!
//! To read, it is that name and nothing else. To write, it is also what a program needs to replace the file safely: working files beside it, whose
//! names begin with [`WORKING`], and the numbered names (`report (2).pdf`) to which it may give way when the name is taken.

use super::{RelativePath, VfsError};

/// How the names of working files begin.
pub const WORKING: &str = ".transship-";

/// The rule of a drive that lends one name.
#[derive(Debug)]
pub(super) struct Lent {
    name: String,
}

impl Lent {
    /// # Errors
    /// [`VfsError::InvalidName`], [`VfsError::NameTooLong`] if `name` is no single part.
    pub(super) fn new(name: &str) -> Result<Self, VfsError> {
        let path = RelativePath::parse(name)?;
        match path.split_last() {
            (None, name) => Ok(Self { name: name.into() }),
            (Some(_), _) => Err(VfsError::InvalidName(format!("'{path}': one name of a folder is lent, not a path"))),
        }
    }

    /// Whether a path from outside leads to what is shown. Nothing below the folder does, whatever its name begins with.
    pub(super) fn permits(&self, path: &RelativePath, may_write: bool) -> bool {
        matches!(path.split_last(), (None, name) if self.shows(name, may_write))
    }

    /// Whether a name of the folder is shown to who may write here or not.
    pub(super) fn shows(&self, name: &str, may_write: bool) -> bool {
        name == self.name || (may_write && (name.starts_with(WORKING) || self.numbered(name)))
    }

    /// Whether `name` is the lent one with ` (N)` at its end or before one of its dots.
    fn numbered(&self, name: &str) -> bool {
        name.match_indices(" (").any(|(start, opening)| {
            let (stem, rest) = name.split_at(start);
            let Some((number, extension)) = rest.strip_prefix(opening).and_then(|rest| rest.split_once(')')) else { return false };
            let is_number = (1..=9).contains(&number.len()) && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
            let is_place = !stem.is_empty() && (extension.is_empty() || extension.starts_with('.'));
            is_number && is_place && self.name.strip_prefix(stem) == Some(extension)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_read_it_is_one_name_and_to_write_also_working_and_numbered_names_of_it() {
        let lent = Lent::new("my report (2).tar.gz").unwrap();
        assert!(lent.shows("my report (2).tar.gz", false));
        for name in [".transship-x", "my report (2).tar (1).gz", "my report (2) (12).tar.gz", "my report (2).tar.gz (3)"] {
            assert!(lent.shows(name, true) && !lent.shows(name, false), "{name}");
        }
        let others = [
            "my report (3).tar.gz",
            "my report (2).tar (0).gz",
            "my report (2).tar (01).gz",
            "my report (2).tar ().gz",
            "my report (2).tar (1)gz",
            " (1)",
            "",
            "my (1) report (2).tar.gz",
            "my report (2).tar (1).gzip",
            "my report (2).tar (1",
            "other",
            "transship-x",
            "my report (2).tar (1234567890).gz",
        ];
        for name in others {
            assert!(!lent.shows(name, true), "{name}");
        }
        assert!(Lent::new("é").unwrap().shows("é (1)", true));
        assert!(!lent.permits(&RelativePath::parse(".transship-x/y").unwrap(), true));
        assert!(Lent::new("a/b").is_err() && Lent::new("..").is_err());
    }
}
