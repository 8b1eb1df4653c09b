//! Which names are names of files, and names made from names.
//!
//! A name is a path in a drive: `folder/file.txt`. The node checks every path again; checking here first gives a request its typed error before anything is started.

use crate::types::TransferError;

/// What every file that is not to be seen starts with: partial files and their journals. Such a name is never listed, served or taken.
pub const HIDDEN: &str = ".transship-";
/// The most bytes in one part of a name.
pub const MAX_PART: usize = 255;
/// The most bytes in a name.
pub const MAX_NAME: usize = 4096;

/// Checks the name of a file.
///
/// # Errors
/// [`TransferError::InvalidName`] or [`TransferError::NameTooLong`].
pub fn check(name: &str) -> Result<(), TransferError> {
    let invalid = |why: &str| Err(TransferError::InvalidName(format!("'{}' {why}", shown(name))));
    if name.is_empty() {
        return Err(TransferError::InvalidName("the name is empty".into()));
    }
    if name.len() > MAX_NAME {
        return Err(TransferError::NameTooLong(format!("'{}': {} bytes, where {MAX_NAME} are possible", shown(name), name.len())));
    }
    if name.starts_with('/') {
        return invalid("is absolute: names are relative to the drive");
    }
    if name.chars().any(char::is_control) {
        return invalid("has control characters");
    }
    if name.contains('\\') {
        return invalid("has a '\\': parts are separated by '/'");
    }
    for part in name.split('/') {
        match part {
            "" => return invalid("has an empty part"),
            "." | ".." => return invalid("has the part '.' or '..': names stay in the drive"),
            _ if part.len() > MAX_PART => {
                return Err(TransferError::NameTooLong(format!("'{}': a part of {} bytes, where {MAX_PART} are possible", shown(name), part.len())));
            }
            _ if is_hidden(part) => return invalid("is reserved: parts that start with '.transship-' are the node's own"),
            _ => {}
        }
    }
    Ok(())
}

/// The path of a tree's folder as it is kept: without a `/` at its end, empty for the drive's root.
///
/// # Errors
/// As [`check`].
pub fn check_folder(name: &str) -> Result<&str, TransferError> {
    let path = name.strip_suffix('/').unwrap_or(name);
    if !path.is_empty() {
        check(path)?;
    }
    Ok(path)
}

/// Whether a part of a name is the node's own.
#[must_use]
pub fn is_hidden(part: &str) -> bool {
    part.starts_with(HIDDEN)
}

/// A name as an error shows it: without control characters, and not longer than a line or two.
#[must_use]
pub fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    text
}

/// The last part of a name.
#[must_use]
pub fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The folder and the last part of a name; the folder is empty at the drive's root.
#[must_use]
pub fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

/// `a`, `a/b` and `a/b/c` of `a/b/c`.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| at).chain([path.len()]).filter_map(|at| path.get(..at))
}

/// The name of a target: `wanted`, unless it is a folder (see `file-transfer-worker.location`), which the name of the source completes.
#[must_use]
pub fn complete(wanted: &str, source: &str) -> String {
    match wanted {
        "" => source.into(),
        "/" => last_part(source).into(),
        _ if wanted.ends_with('/') => format!("{wanted}{}", last_part(source)),
        _ => wanted.into(),
    }
}

/// The `number`th name to try when a name is taken: `report (1).pdf`. The stem is shortened where the part would become too long.
#[must_use]
pub fn numbered(part: &str, number: u32) -> String {
    // A leading dot makes no extension, and neither does an ending of many letters.
    let (stem, extension) = match part.rfind('.') {
        Some(at) if at > 0 && part.len() - at <= 16 => part.split_at(at),
        _ => (part, ""),
    };
    let suffix = format!(" ({number}){extension}");
    let mut end = stem.len().min(MAX_PART.saturating_sub(suffix.len()));
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", stem.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_and_unusual_names_are_names() {
        for name in ["a", "a b.txt", "a;b", "ünï/cödé", ".hidden", "a/b/c", "...", &"x".repeat(255), "名前"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_leave_the_drive_or_hide_are_refused() {
        for name in ["", "/etc/passwd", "../x", "a/../b", "a/..", "./a", "a//b", "a/", "a\0b", "a\nb", "a\\b", ".transship-00.partial", "a/.transship-x"] {
            assert!(matches!(check(name), Err(TransferError::InvalidName(_))), "{name:?}");
        }
    }

    #[test]
    fn a_folder_may_be_the_root_and_may_end_as_one() {
        for (name, path) in [("", ""), ("/", ""), ("a", "a"), ("a/", "a"), ("a/b/", "a/b")] {
            assert_eq!(check_folder(name), Ok(path));
        }
        for name in ["//", "../", "/a", "a//", "..", ".transship-x/"] {
            assert!(check_folder(name).is_err(), "{name}");
        }
    }

    #[test]
    fn long_names_are_told_apart_from_wrong_ones() {
        assert!(matches!(check(&"x".repeat(256)), Err(TransferError::NameTooLong(_))));
        assert!(matches!(check(&["x"; 2100].join("/")), Err(TransferError::NameTooLong(_))));
    }

    #[test]
    fn the_folders_above_are_named_from_the_outermost() {
        assert_eq!(ancestors("a/bü/c").collect::<Vec<_>>(), ["a", "a/bü", "a/bü/c"]);
        assert_eq!(ancestors("a").collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_folder_is_completed_by_the_name_of_the_source() {
        assert_eq!(complete("", "a/b.txt"), "a/b.txt");
        assert_eq!(complete("/", "a/b.txt"), "b.txt");
        assert_eq!(complete("c/", "a/b.txt"), "c/b.txt");
        assert_eq!(complete("c", "a/b.txt"), "c");
    }

    #[test]
    fn the_number_stands_before_the_extension() {
        assert_eq!(numbered("report.pdf", 1), "report (1).pdf");
        assert_eq!(numbered("report", 2), "report (2)");
        assert_eq!(numbered(".profile", 1), ".profile (1)");
        assert_eq!(numbered("a.tar.gz", 1), "a.tar (1).gz");
    }

    #[test]
    fn a_numbered_name_is_never_longer_than_a_part_may_be() {
        let name = format!("{}.txt", "ü".repeat(125));
        let next = numbered(&name, 10);
        assert!(next.len() <= MAX_PART && next.ends_with(" (10).txt"), "{next}");
        assert_eq!(numbered(&"x".repeat(255), 1).len(), 255);
    }

    #[test]
    fn what_is_shown_of_a_name_is_one_short_line() {
        assert_eq!(shown("a\nb"), "a\u{fffd}b");
        assert!(shown(&"x".repeat(5000)).chars().count() == 201);
    }
}
