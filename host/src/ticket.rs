//! Tickets: all that one node's owner gives another so that their nodes can meet.
//!
//! A ticket is public: it holds the name that the node suggests for itself, where to reach it, and its key. Printed `name@host:port#key`; an IPv6 host stands in brackets.

use std::fmt;
use std::str::FromStr;

use crate::identity::{KeyError, PublicKey};
use crate::message::{NameError, check_name_part};

/// What a ticket looks like, for errors.
const SHAPE: &str = "a ticket looks like name@host:port#key, for example bob@192.0.2.7:7447#<52 letters and digits>";

/// Why a text is no ticket, or no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// A part is missing.
    #[error("the ticket has no {part} ('{separator}' is missing): {SHAPE}")]
    Missing {
        /// Which.
        part: &'static str,
        /// What stands before or after it.
        separator: char,
    },
    /// The name is none.
    #[error("the ticket's name is wrong: {0}; {SHAPE}")]
    Name(NameError),
    /// The host is none.
    #[error("the host '{0}' is wrong: write a name, an IPv4 address, or an IPv6 address in brackets; {SHAPE}")]
    Host(String),
    /// The port is none.
    #[error("the port '{0}' is wrong: it is a number from 1 to 65535; {SHAPE}")]
    Port(String),
    /// The key is none.
    #[error("the ticket's key is wrong: {0}; {SHAPE}")]
    Key(KeyError),
}

/// Where a node listens: a host (a name or an address) and a port, printed `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// # Errors
    /// [`TicketError::Host`] or [`TicketError::Port`]. The host of an IPv6 address is given without brackets.
    pub fn new(host: &str, port: u16) -> Result<Self, TicketError> {
        let is_v6 = host.contains(':') && host.split('%').next().is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
        let is_name = !host.is_empty() && host.len() <= 253 && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
        if !is_v6 && !is_name {
            return Err(TicketError::Host(host.chars().take(80).collect()));
        }
        if port == 0 {
            return Err(TicketError::Port(port.to_string()));
        }
        Ok(Self { host: host.into(), port })
    }

    /// The host; an IPv6 address stands without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

impl FromStr for HostPort {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let (host, port) = text.rsplit_once(':').ok_or(TicketError::Missing { part: "port", separator: ':' })?;
        let inner = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').filter(|inner| inner.contains(':')).ok_or_else(|| TicketError::Host(host.into()))?,
            // Without brackets nobody can tell where an IPv6 address ends and the port begins.
            None if host.contains(':') => return Err(TicketError::Host(text.into())),
            None => host,
        };
        let port = port.parse().map_err(|_| TicketError::Port(port.chars().take(80).collect()))?;
        Self::new(inner, port)
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    name: String,
    address: HostPort,
    key: PublicKey,
}

impl Ticket {
    /// # Errors
    /// [`TicketError`] that names the part that is wrong.
    pub fn new(name: &str, host: &str, port: u16, key: PublicKey) -> Result<Self, TicketError> {
        check_name_part(name).map_err(TicketError::Name)?;
        Ok(Self { name: name.into(), address: HostPort::new(host, port)?, key })
    }

    /// The name that the node suggests.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn address(&self) -> &HostPort {
        &self.address
    }

    /// Its key.
    pub fn key(&self) -> PublicKey {
        self.key
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}#{}", self.name, self.address, self.key)
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let (name, rest) = text.trim().split_once('@').ok_or(TicketError::Missing { part: "name", separator: '@' })?;
        let (address, key) = rest.split_once('#').ok_or(TicketError::Missing { part: "key", separator: '#' })?;
        check_name_part(name).map_err(TicketError::Name)?;
        Ok(Self { name: name.into(), address: address.parse()?, key: key.parse().map_err(TicketError::Key)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_prints_as_it_parses() {
        let key = PublicKey::from([9; 32]);
        for (host, printed) in [
            ("192.0.2.7", "192.0.2.7:7000"),
            ("bob.example", "bob.example:7000"),
            ("2001:db8::1", "[2001:db8::1]:7000"),
            ("fe80::1%eth0", "[fe80::1%eth0]:7000"),
        ] {
            let ticket = Ticket::new("bob", host, 7000, key).unwrap();
            assert_eq!(ticket.to_string(), format!("bob@{printed}#{key}"));
            let parsed: Ticket = format!(" {ticket}\n").parse().unwrap();
            assert_eq!(parsed, ticket);
            assert_eq!((parsed.name(), parsed.address().host(), parsed.address().port(), parsed.key()), ("bob", host, 7000, key));
        }
    }

    #[test]
    fn a_wrong_ticket_is_told_which_part_is_wrong_and_what_a_ticket_looks_like() {
        let key = PublicKey::from([9; 32]).to_string();
        for (text, wrong) in [
            (String::new(), "no name"),
            ("bob".into(), "no name"),
            (format!("192.0.2.7:7000#{key}"), "no name"),
            ("bob@192.0.2.7:7000".into(), "no key"),
            (format!("bob@192.0.2.7#{key}"), "no port"),
            (format!("Bob!@192.0.2.7:7000#{key}"), "name is wrong"),
            (format!("bob@:7000#{key}"), "host '' is wrong"),
            (format!("bob@a b:7000#{key}"), "host 'a b' is wrong"),
            (format!("bob@2001:db8::1:7000#{key}"), "host '2001:db8::1:7000' is wrong"),
            (format!("bob@[2001:db8::1:7000#{key}"), "is wrong"),
            (format!("bob@[192.0.2.7]:7000#{key}"), "is wrong"),
            (format!("bob@192.0.2.7:70000#{key}"), "port '70000' is wrong"),
            (format!("bob@192.0.2.7:0#{key}"), "port '0' is wrong"),
            ("bob@192.0.2.7:7000#abc".into(), "key is wrong"),
        ] {
            let error = text.parse::<Ticket>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("name@host:port#key"), "{text:?}: {error}");
        }
    }
}
