//! Which symbolic links may be made in a drive: those that lead nowhere but into it.
//!
//! What a link says is relative to the folder that it is in, and that folder was reached without following a link, so `..` at its beginning leads to real folders above. What follows may lead through other links, of which the same is
//! true. A `..` after that would be taken relative to wherever such a link had led, and could leave the drive (`a/here/../..` where `here` is a link to `.`): it is refused.

use super::name::MAX_PATH;
use super::{RelativePath, VfsError};

/// Checks what a link at `path` is to say.
///
/// # Errors
/// [`VfsError::Denied`] if it could lead out of the directory that `path` is relative to, [`VfsError::InvalidName`], [`VfsError::NameTooLong`].
pub(super) fn check_target(path: &RelativePath, target: &str) -> Result<(), VfsError> {
    let denied = |why: &str| Err(VfsError::Denied(format!("the link '{path}' would {why}")));
    if target.is_empty() || target.chars().any(char::is_control) || target.contains('\\') {
        return Err(VfsError::InvalidName(format!("what the link '{path}' is to say is no path")));
    }
    if target.len() > MAX_PATH {
        return Err(VfsError::NameTooLong(format!("what the link '{path}' is to say")));
    }
    if target.starts_with('/') {
        return denied("lead to an absolute path");
    }
    let mut above = path.parts().count() - 1;
    let mut beginning = true;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if !beginning => return denied("have '..' behind a name, which may lead anywhere"),
            ".." if above == 0 => return denied("lead out of the drive or folder"),
            ".." => above -= 1,
            _ => beginning = false,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_lead_to_anything_inside_and_to_nothing_outside() {
        let path = RelativePath::parse("a/b/link").unwrap();
        for target in ["x", "../x", "../../x", "../..", ".", "./x", "x/y/", "../c/x", "x//y", "..x", "../..x"] {
            assert_eq!(check_target(&path, target), Ok(()), "{target}");
        }
        for target in ["/", "/etc/passwd", "../../..", "../../../x", "x/..", "x/../y", "../x/../..", "./../../../x"] {
            assert!(matches!(check_target(&path, target), Err(VfsError::Denied(_))), "{target}");
        }
        for target in ["", "a\0b", "a\nb", "a\\b"] {
            assert!(matches!(check_target(&path, target), Err(VfsError::InvalidName(_))), "{target:?}");
        }
        assert!(matches!(check_target(&RelativePath::parse("link").unwrap(), "../x"), Err(VfsError::Denied(_))));
    }
}
