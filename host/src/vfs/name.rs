//! From a text that a guest or a peer sent to a place in a drive: the only way there is.
//!
//! A [`RelativePath`] that exists stays inside the directory it is applied to, as far as names can tell: it has at least one part, no part is empty, `.` or
//! `..`, none has a `/`, a `\`, a NUL or another control character, each is at most 255 bytes, and all are in Unicode normal form C. What names can't
//! tell (symbolic links) is refused where the parts are opened, in [`super::folder`].

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::VfsError;

/// The most bytes in one part of a path: what Linux's and macOS's file systems take.
pub const MAX_PART: usize = 255;
/// The most bytes in a path.
pub const MAX_PATH: usize = 4096;
/// The most bytes that are looked at at all. Normalising shortens a text to no less than a third.
const MAX_RAW: usize = 4 * MAX_PATH;

/// A path below a directory, with `/` between its parts. It can't leave the directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(String);

impl RelativePath {
    /// Parses what came from outside.
    ///
    /// # Errors
    /// [`VfsError::InvalidName`] or [`VfsError::NameTooLong`].
    pub fn parse(text: &str) -> Result<Self, VfsError> {
        if text.is_empty() {
            return Err(VfsError::InvalidName("a path can't be empty".into()));
        }
        if text.len() > MAX_RAW {
            return Err(too_long(text));
        }
        if text.starts_with('/') {
            return Err(invalid(text, "it starts with '/': use a path relative to the drive"));
        }
        let path: String = if is_nfc(text) { text.into() } else { text.nfc().collect() };
        if path.len() > MAX_PATH {
            return Err(too_long(text));
        }
        path.split('/').try_for_each(|part| check_part(part, text))?;
        Ok(Self(path))
    }

    /// Its parts, first to last; at least one.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The directories above, and the last part.
    pub fn split_last(&self) -> (Option<&str>, &str) {
        match self.0.rsplit_once('/') {
            Some((above, last)) => (Some(above), last),
            None => (None, &self.0),
        }
    }

    /// Whether `other` is a place below this one.
    pub fn is_above(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form in which the name of a directory's entry is shown, borrowed if that is how it is spelled, or none if no path could name it.
pub(super) fn shown(entry: &str) -> Option<Cow<'_, str>> {
    let name: Cow<'_, str> = if is_nfc(entry) { entry.into() } else { entry.nfc().collect() };
    check_part(&name, entry).is_ok().then_some(name)
}

/// The other spelling under which a system may keep a name (macOS used to decompose them), if it differs.
pub(super) fn decomposed(part: &str) -> Option<String> {
    if part.is_ascii() {
        return None;
    }
    let other: String = part.nfd().collect();
    (other != part && other.len() <= MAX_PART).then_some(other)
}

fn check_part(part: &str, whole: &str) -> Result<(), VfsError> {
    if part.is_empty() {
        return Err(invalid(whole, "it has an empty part"));
    }
    if part == "." || part == ".." {
        return Err(invalid(whole, "'.' and '..' can't be parts of a path"));
    }
    if part.contains('/') || part.contains('\\') {
        return Err(invalid(whole, "it has a '\\': put '/' between the parts"));
    }
    if part.chars().any(char::is_control) {
        return Err(invalid(whole, "it has a control character"));
    }
    if part.len() > MAX_PART {
        return Err(too_long(part));
    }
    Ok(())
}

fn invalid(text: &str, why: &str) -> VfsError {
    VfsError::InvalidName(format!("'{}': {why}", excerpt(text)))
}

fn too_long(text: &str) -> VfsError {
    VfsError::NameTooLong(excerpt(text))
}

/// The beginning of a text, safe to print.
fn excerpt(text: &str) -> String {
    let mut beginning: String = text.chars().take(60).flat_map(|c| c.escape_debug()).collect();
    if text.chars().nth(60).is_some() {
        beginning.push('…');
    }
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_a_directory_or_deceive_a_reader_is_no_path() {
        for text in [
            "",
            "/",
            "/etc/passwd",
            "//x",
            "..",
            "../x",
            "a/..",
            "a/../b",
            "a/../../b",
            ".",
            "./a",
            "a/.",
            "a/./b",
            "a//b",
            "a/",
            "a\\b",
            "..\\a",
            "C:\\x",
            "a\0b",
            "\0",
            "a\nb",
            "a\tb",
            "a\u{1b}[2Jb",
            "a\u{7f}b",
            "a\u{85}b",
        ] {
            assert!(matches!(RelativePath::parse(text), Err(VfsError::InvalidName(_))), "{text:?}: {:?}", RelativePath::parse(text));
        }
    }

    #[test]
    fn a_message_about_a_name_never_carries_its_control_characters() {
        let error = RelativePath::parse("a\u{1b}[2J\nb").unwrap_err().to_string();
        assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
    }

    #[test]
    fn unusual_but_harmless_names_are_paths() {
        for text in
            ["a", "a b;c", " ", "...", "..a", "a..", ".hidden", "a:b", "ünï/κόσμος/世界/🦀", "-rf *", "a'\"$(x)", "con", "~", "file-transfer:transship/files"]
        {
            assert_eq!(RelativePath::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_part_has_at_most_255_bytes_and_a_path_4096() {
        let (exact, longer) = ("é".repeat(127) + "x", "é".repeat(128));
        assert_eq!((exact.len(), longer.len()), (255, 256));
        assert!(RelativePath::parse(&exact).is_ok());
        assert!(RelativePath::parse(&format!("a/{exact}/b")).is_ok());
        assert!(matches!(RelativePath::parse(&longer), Err(VfsError::NameTooLong(_))));
        assert!(matches!(RelativePath::parse(&format!("a/{longer}/b")), Err(VfsError::NameTooLong(_))));

        let path = "abcdefg/".repeat(512);
        assert!(RelativePath::parse(&path[..4095]).is_ok());
        assert!(matches!(RelativePath::parse(&format!("{path}x")), Err(VfsError::NameTooLong(_))));
        assert!(matches!(RelativePath::parse(&"x".repeat(10 << 20)), Err(VfsError::NameTooLong(_))));
    }

    #[test]
    fn two_spellings_of_a_name_are_one_path_and_the_length_is_that_of_normal_form_c() {
        assert_eq!(RelativePath::parse("e\u{301}").unwrap(), RelativePath::parse("é").unwrap());
        let decomposed = "e\u{301}".repeat(127);
        assert!(decomposed.len() > MAX_PART && RelativePath::parse(&decomposed).is_ok());
        // Grows: one character of 2 bytes becomes two of 4 in all.
        assert!(matches!(RelativePath::parse(&"\u{344}".repeat(127)), Err(VfsError::NameTooLong(_))));
    }

    #[test]
    fn only_whole_parts_count_when_a_path_is_above_another() {
        let path = |text| RelativePath::parse(text).unwrap();
        assert!(path("a").is_above(&path("a/b")) && path("a/b").is_above(&path("a/b/c")));
        assert!(!path("a").is_above(&path("ab")) && !path("a").is_above(&path("a")) && !path("a/b").is_above(&path("a")));
        assert_eq!(path("a/b/c").split_last(), (Some("a/b"), "c"));
        assert_eq!(path("a").split_last(), (None, "a"));
        assert_eq!(path("a/b/c").parts().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
