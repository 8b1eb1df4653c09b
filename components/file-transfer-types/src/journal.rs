//! The journal of a partial file: which file of whom it is part of, and which of its ranges are safely on disk.
//!
//! One line an entry, each with a checksum of its own: `CHECKSUM JSON`. The first says what is being received, every other a range that was on stable storage before the line
//! was written (or the digest, once it is known). Reading stops at the first line that is torn or wrong, so a crash loses entries and never invents one. What was
//! received and not yet written here is fetched again.

use serde::{Deserialize, Serialize};

use crate::protocol::SizeRequest;
use crate::ranges::RangeSet;
use crate::types::DigestAlgorithm;

/// The layout of this journal; one of another number is not used.
const VERSION: u32 = 1;
/// A journal that is longer is not used: at an entry for every 2 s or 64 MiB it would be of a file of hundreds of terabytes.
pub const MAX_BYTES: u64 = 8 << 20;

/// What is being received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    version: u32,
    /// The node that sends it.
    pub node: String,
    /// Its name there.
    pub source: String,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified: i64,
    /// Folders that were made for it, to be removed with it.
    pub made: Vec<String>,
}

/// A digest that the sender gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Of this kind.
    pub algorithm: DigestAlgorithm,
    /// In hexadecimal.
    pub digest: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Entry {
    Header(Header),
    Range(u64, u64),
    Digest(Known),
}

/// A journal that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Journal {
    /// What is being received.
    pub header: Header,
    /// What is safely on disk of it.
    pub ranges: RangeSet,
    /// Its digest, if the sender gave it.
    pub digest: Option<Known>,
    /// Up to where the journal is good: the next entry goes there.
    pub length: u64,
}

impl Header {
    /// Of a file that a node offers.
    pub fn new(node: &str, offer: &SizeRequest, made: Vec<String>) -> Self {
        Self { version: VERSION, node: node.into(), source: offer.name.clone(), size: offer.size, modified: offer.modified, made }
    }
}

/// The line of a header.
pub fn header_line(header: &Header) -> Vec<u8> {
    line(&Entry::Header(header.clone()))
}

/// The lines of ranges.
pub fn range_lines(ranges: &RangeSet) -> Vec<u8> {
    ranges.iter().flat_map(|(start, length)| line(&Entry::Range(start, length))).collect()
}

/// The line of a digest.
pub fn digest_line(known: &Known) -> Vec<u8> {
    line(&Entry::Digest(known.clone()))
}

fn line(entry: &Entry) -> Vec<u8> {
    // An entry has no map with other keys than strings and no failing field, so it always has a JSON form.
    let json = serde_json::to_string(entry).unwrap_or_default();
    format!("{:016x} {json}\n", checksum(json.as_bytes())).into_bytes()
}

/// FNV-1a: finds torn lines. It is no protection against a deliberate change, and needs not be: the whole file is verified by its digest at the end.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl Journal {
    /// Reads a journal. None: it has no good header.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut length = 0_u64;
        let mut entries = bytes.split_inclusive(|&byte| byte == b'\n').map_while(|line| {
            let entry = parse_line(line)?;
            length += line.len() as u64;
            Some(entry)
        });
        let Some(Entry::Header(header)) = entries.next() else { return None };
        let (mut ranges, mut digest) = (RangeSet::default(), None);
        for entry in entries {
            match entry {
                // One that passes the end is not of this file; nothing after it is believed either.
                Entry::Range(start, bytes) if start.checked_add(bytes).is_some_and(|end| end <= header.size) => ranges.insert(start, bytes),
                Entry::Digest(known) => digest = Some(known),
                Entry::Range(..) | Entry::Header(_) => return None,
            }
        }
        (header.version == VERSION).then_some(Self { header, ranges, digest, length })
    }

    /// Whether what is here is part of what is offered; if not, what differs.
    pub fn agrees(&self, node: &str, offer: &SizeRequest, algorithm: DigestAlgorithm) -> Result<(), String> {
        let header = &self.header;
        if header.node != node || header.source != offer.name {
            return Err(format!("it was {} of {}", header.source, header.node));
        }
        if header.size != offer.size {
            return Err(format!("its size was {} and is {}", header.size, offer.size));
        }
        if header.modified != offer.modified {
            return Err("it was modified since".into());
        }
        match (&self.digest, &offer.digest) {
            (Some(known), Some(now)) if known.algorithm == algorithm && !known.digest.eq_ignore_ascii_case(now) => Err("its content has another digest".into()),
            _ => Ok(()),
        }
    }
}

fn parse_line(line: &[u8]) -> Option<Entry> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, json) = text.split_once(' ')?;
    if sum.len() != 16 || u64::from_str_radix(sum, 16).ok()? != checksum(json.as_bytes()) {
        return None;
    }
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> SizeRequest {
        SizeRequest { name: "a b;\n/ü".into(), size: 100, modified: -5, permissions: 0o644, digest: None, max_chunk: 10 }
    }

    fn ranges(list: &[(u64, u64)]) -> RangeSet {
        let mut set = RangeSet::default();
        list.iter().for_each(|&(start, length)| set.insert(start, length));
        set
    }

    fn written() -> Vec<u8> {
        let mut bytes = header_line(&Header::new("bob", &offer(), vec!["a b;\n".into()]));
        bytes.extend(range_lines(&ranges(&[(0, 10), (20, 5)])));
        bytes.extend(digest_line(&Known { algorithm: DigestAlgorithm::Sha256, digest: "00".into() }));
        bytes.extend(range_lines(&ranges(&[(10, 10)])));
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let journal = Journal::parse(&written()).unwrap();
        assert_eq!(journal.header, Header::new("bob", &offer(), vec!["a b;\n".into()]));
        assert_eq!(journal.ranges, ranges(&[(0, 25)]));
        assert_eq!(journal.digest.unwrap().digest, "00");
        assert_eq!(journal.length, written().len() as u64);
    }

    #[test]
    fn a_torn_end_loses_entries_and_never_invents_one() {
        let whole = written();
        for cut in 0..whole.len() {
            match Journal::parse(&whole[..cut]) {
                None => assert!(cut < header_line(&Header::new("bob", &offer(), vec!["a b;\n".into()])).len()),
                Some(journal) => {
                    assert!(journal.length <= cut as u64);
                    assert!(journal.ranges.without(&ranges(&[(0, 25)])).total() == 0);
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_ends_what_is_believed() {
        let whole = written();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            if let Some(journal) = Journal::parse(&bytes) {
                assert!(journal.ranges.without(&ranges(&[(0, 25)])).total() == 0, "byte {at}");
                assert!(journal.length <= at as u64, "byte {at}");
            }
        }
    }

    #[test]
    fn a_range_past_the_end_is_no_journal_of_this_file() {
        for bad in [(99, 2), (u64::MAX, 1), (0, 101)] {
            let mut bytes = header_line(&Header::new("bob", &offer(), Vec::new()));
            bytes.extend(line(&Entry::Range(bad.0, bad.1)));
            assert_eq!(Journal::parse(&bytes), None);
        }
    }

    #[test]
    fn a_source_that_is_not_the_same_any_more_is_told_apart_with_the_reason() {
        let journal = Journal::parse(&written()).unwrap();
        let agrees = |offer: &SizeRequest, node: &str| journal.agrees(node, offer, DigestAlgorithm::Sha256);
        assert_eq!(agrees(&offer(), "bob"), Ok(()));
        assert_eq!(agrees(&SizeRequest { digest: Some("00".into()), ..offer() }, "bob"), Ok(()));
        assert!(agrees(&SizeRequest { size: 101, ..offer() }, "bob").unwrap_err().contains("100"));
        assert!(agrees(&SizeRequest { modified: 0, ..offer() }, "bob").unwrap_err().contains("modified"));
        assert!(agrees(&SizeRequest { digest: Some("01".into()), ..offer() }, "bob").unwrap_err().contains("digest"));
        assert!(agrees(&offer(), "carol").is_err());
        let other = SizeRequest { digest: Some("01".into()), ..offer() };
        assert_eq!(journal.agrees("bob", &other, DigestAlgorithm::Blake3), Ok(()), "digests of two kinds can't be compared");
    }
}
