//! What a peer may do, as it is typed, checked against the drives that there are, and shown.

use std::time::Duration;

use transship::control::PeerInfo;
use transship::link::LEAST_LIMIT;
use transship::rights::Rights;

use super::show::show_allow;
use crate::cli::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::units::{parse_rate, show_rate};

pub(super) fn parse_allow(text: &str) -> Result<(String, Rights), String> {
    let (drive, rights) = text.rsplit_once('=').ok_or_else(|| format!("'{text}' has no '=': write DRIVE=list,read,write"))?;
    Ok((drive.into(), rights.parse().map_err(|error| format!("{error}"))?))
}

/// What a peer is limited to, in bytes a second, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(pub(super) Option<u64>);

pub(super) fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "none" { Ok(Limit(None)) } else { parse_rate(text, LEAST_LIMIT).map(|limit| Limit(Some(limit))) }
}

/// The same, where nothing is a right too.
pub(super) fn parse_change(text: &str) -> Result<(String, Rights), String> {
    match text.strip_suffix('=') {
        Some(drive) => Ok((drive.into(), Rights::NONE)),
        None => parse_allow(text),
    }
}

/// What is allowed of a drive that is named several times, together.
pub(super) fn together(allow: &[(String, Rights)]) -> Vec<(String, Rights)> {
    let mut all: Vec<(String, Rights)> = Vec::new();
    for (drive, rights) in allow {
        match all.iter_mut().find(|(other, _)| other == drive) {
            Some((_, sum)) => *sum = Rights { list: sum.list || rights.list, read: sum.read || rights.read, write: sum.write || rights.write },
            None => all.push((drive.clone(), *rights)),
        }
    }
    all
}

/// Refuses rights to a drive that no package of this node has. The package of a full name may be installed later: then it is said, and no more.
pub(super) fn check_drives(context: &Context, allow: &[(String, Rights)], drives: &[String]) -> Result<(), CliError> {
    for (drive, _) in allow {
        match missing(drive, drives) {
            None => {}
            Some(true) => context.ui.note(&format!("note: this node has no drive '{drive}' yet; its drives: {}", names(drives))),
            Some(false) => {
                let error = CliError::new(Kind::NotFound, format!("this node has no drive '{drive}'"));
                return Err(error.hint(format!("its drives: {}", names(drives))));
            }
        }
    }
    Ok(())
}

/// Whether a drive is missing, and if it is, whether it may still come.
fn missing(drive: &str, drives: &[String]) -> Option<bool> {
    match drive.split_once('/') {
        None => (!drives.iter().any(|full| short(full) == drive)).then_some(false),
        Some((package, _)) => (!drives.iter().any(|full| full == drive)).then(|| !drives.iter().any(|full| full.split('/').next() == Some(package))),
    }
}

fn short(full: &str) -> &str {
    full.split_once('/').map_or(full, |(_, short)| short)
}

/// The short names, or the full ones where two are the same.
fn names(drives: &[String]) -> String {
    let unique = |name: &str| drives.iter().filter(|full| short(full) == name).count() == 1;
    let names: Vec<&str> = drives.iter().map(|full| if unique(short(full)) { short(full) } else { full }).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// What a peer may do here, as the end of a sentence about it.
pub(super) fn may_here(peer: &PeerInfo) -> String {
    if peer.allow.iter().all(|(_, rights)| *rights == Rights::NONE) {
        return format!("may do nothing here (allow something with `transship peer allow {} files=list,read`, for instance)", peer.name);
    }
    let limit = peer.limit.map(|limit| format!(", at most {}", show_rate(limit, Duration::from_secs(1))));
    format!("may here: {}{}", show_allow(&peer.allow), limit.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_a_drive_and_rights() {
        let read = Rights { list: true, read: true, write: false };
        assert_eq!(parse_allow("files=list,read").unwrap(), ("files".into(), read));
        assert_eq!(parse_allow("p:q/files=list,read").unwrap().0, "p:q/files");
        assert!(parse_allow("files").is_err() && parse_allow("files=everything").is_err() && parse_allow("files=").is_err());
        assert_eq!([parse_change("files=").unwrap(), parse_change("files=none").unwrap()], [("files".into(), Rights::NONE), ("files".into(), Rights::NONE)]);
        assert!(parse_change("files").is_err() && parse_change("files=raed").is_err());
        assert_eq!(show_allow(&[("a".into(), read), ("b".into(), Rights::NONE)]), "a=list,read b=none");
    }

    #[test]
    fn a_limit_is_a_rate_that_a_link_can_keep_or_none() {
        assert_eq!([parse_limit("2M").unwrap(), parse_limit("none").unwrap()], [Limit(Some(2 << 20)), Limit(None)]);
        assert!(parse_limit("1K").is_err() && parse_limit("fast").is_err());
    }

    #[test]
    fn a_drive_that_is_named_twice_gets_both() {
        let allow = ["files=list", "other=read", "files=write"].map(|text| parse_allow(text).unwrap());
        assert_eq!(show_allow(&together(&allow)), "files=list,write other=read");
    }

    #[test]
    fn a_drive_that_is_not_there_is_missing_unless_its_package_may_come() {
        let drives = ["a:x/files", "b:x/files", "b:x/drafts"].map(str::to_owned);
        let found = ["files", "drafts", "a:x/files", "fiels", "a:x/drafts", "c:x/files"].map(|drive| missing(drive, &drives));
        assert_eq!(found, [None, None, None, Some(false), Some(false), Some(true)]);
        assert_eq!(names(&drives), "a:x/files, b:x/files, drafts");
        assert_eq!(names(&[]), "none");
    }
}
