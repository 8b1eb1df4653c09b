//! What a process asks for, taken apart: each [`Ask`] is granted or not by itself.
//!
//! An ask is printed as it stands in a list of grants and on the command line: `network`, `spawning`, `drives.files=read`, `messaging=main:chat:ann`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{Capabilities, Right};
use crate::names::{ProcessName, check_name};

/// One thing that a process asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// To exchange messages with other nodes.
    Network,
    /// To start processes.
    Spawning,
    /// To do one thing with a drive of its package, which has this short name.
    Drive(String, Right),
    /// To send requests to this process although it is not public.
    Messaging(ProcessName),
}

/// Why a text is not an ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is nothing that can be granted: write network, spawning, drives.NAME=list (or read, or write), or messaging=process:package:publisher")]
pub struct AskError(String);

impl Right {
    const ALL: [(Self, &'static str); 3] = [(Self::List, "list"), (Self::Read, "read"), (Self::Write, "write")];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(right, _)| *right == self).map_or("", |(_, word)| word)
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("network"),
            Self::Spawning => f.write_str("spawning"),
            Self::Drive(drive, right) => write!(f, "drives.{drive}={}", right.word()),
            Self::Messaging(process) => write!(f, "messaging={process}"),
        }
    }
}

impl FromStr for Ask {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        let wrong = || AskError(text.chars().take(80).collect());
        match text {
            "network" => return Ok(Self::Network),
            "spawning" => return Ok(Self::Spawning),
            _ => {}
        }
        if let Some(process) = text.strip_prefix("messaging=") {
            return process.parse().map(Self::Messaging).map_err(|_| wrong());
        }
        let (drive, right) = text.strip_prefix("drives.").and_then(|rest| rest.rsplit_once('=')).ok_or_else(wrong)?;
        check_name(drive).map_err(|_| wrong())?;
        let (right, _) = Right::ALL.iter().find(|(_, word)| *word == right).ok_or_else(wrong)?;
        Ok(Self::Drive(drive.into(), *right))
    }
}

impl Capabilities {
    /// All of it, one by one.
    pub fn asks(&self) -> BTreeSet<Ask> {
        let drives = self.drives.iter().flat_map(|(drive, rights)| {
            let wanted = [(rights.list, Right::List), (rights.read, Right::Read), (rights.write, Right::Write)];
            wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, right)| Ask::Drive(drive.clone(), right))
        });
        let messaging = self.messaging.iter().cloned().map(Ask::Messaging);
        let simple = [(self.network, Ask::Network), (self.spawning, Ask::Spawning)].into_iter().filter(|(wanted, _)| *wanted).map(|(_, ask)| ask);
        simple.chain(drives).chain(messaging).collect()
    }

    /// As much of it as is among these.
    #[must_use]
    pub fn granted(&self, grants: &BTreeSet<Ask>) -> Self {
        let mut granted = Self::default();
        for ask in self.asks().intersection(grants) {
            match ask {
                Ask::Network => granted.network = true,
                Ask::Spawning => granted.spawning = true,
                Ask::Drive(drive, right) => {
                    let rights = granted.drives.entry(drive.clone()).or_default();
                    match right {
                        Right::List => rights.list = true,
                        Right::Read => rights.read = true,
                        Right::Write => rights.write = true,
                    }
                }
                Ask::Messaging(process) => granted.messaging.push(process.clone()),
            }
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Rights;

    fn wish() -> Capabilities {
        let files = Rights { list: true, write: true, ..Rights::default() };
        Capabilities { network: true, spawning: true, drives: [("files".into(), files)].into(), messaging: vec!["a:b:c".parse().unwrap()] }
    }

    #[test]
    fn an_ask_is_read_as_it_is_printed() {
        let printed: Vec<String> = wish().asks().iter().map(ToString::to_string).collect();
        assert_eq!(printed, ["network", "spawning", "drives.files=list", "drives.files=write", "messaging=a:b:c"]);
        for text in &printed {
            assert_eq!(&text.parse::<Ask>().unwrap().to_string(), text);
        }
        for bad in ["", "net", "drives.files", "drives.files=all", "drives.=read", "drives.../x=read", "messaging=a:b", "all"] {
            assert!(bad.parse::<Ask>().unwrap_err().to_string().contains("nothing that can be granted"), "{bad}");
        }
    }

    #[test]
    fn what_is_granted_is_what_was_asked_for_and_allowed_and_never_more() {
        assert_eq!(wish().granted(&wish().asks()), wish());
        assert_eq!(wish().granted(&BTreeSet::new()), Capabilities::default());
        let some = BTreeSet::from([Ask::Network, Ask::Drive("files".into(), Right::Read), Ask::Drive("files".into(), Right::List)]);
        let granted = wish().granted(&some);
        assert_eq!(granted.asks().iter().map(ToString::to_string).collect::<Vec<_>>(), ["network", "drives.files=list"]);
        assert_eq!(Capabilities::default().granted(&wish().asks()), Capabilities::default());
    }
}
