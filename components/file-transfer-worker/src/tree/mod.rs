//! Trees: a folder with all that is in it, as one transfer with one worker on each side.
//!
//! The receiver drives here too. It asks for the entries page by page ([`walk`] makes them at the sender), compares each with what is there ([`receive`]), and asks for what it lacks: small files many at a time, whole and in one
//! blob, the others in parts. Every blob comes with the digest of its bytes, which is compared before anything of it is written.
//!
//! Memory is bounded at both sides, however many entries there are: the sender remembers the pages that the receiver may still ask about, and the receiver is never more than so many ahead. What is done with leaves numbers only; of
//! folders, those are kept that are not done with.

mod digests;
mod filter;
pub(crate) mod receive;
pub(crate) mod send;
mod walk;

use file_transfer_types::types::DigestAlgorithm;
use transship_guest::bindings::transship::host::digests::Algorithm;

/// How many entries are in a page at most.
const PAGE: usize = 1_000;
/// How many bytes of names are in a page at most: less than a message's body has room for.
const PAGE_BYTES: usize = 300 << 10;
/// How many pages the sender remembers (see `file-transfer-protocol`).
const PAGES_KEPT: u32 = 8;
/// How many pages the receiver works on at a time. The difference is for those that are asked for again.
const PAGES_AHEAD: u32 = 4;
/// How many files are asked for at a time.
const FILES: usize = 512;
/// How many bytes of small files the sender puts into one blob, whatever the receiver asks for.
const PACK: u64 = 4 << 20;

/// The host's name of an algorithm.
fn algorithm(digest: DigestAlgorithm) -> Algorithm {
    match digest {
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
        DigestAlgorithm::Blake3 => Algorithm::Blake3,
    }
}
