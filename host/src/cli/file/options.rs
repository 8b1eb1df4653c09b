//! How to go about a transfer: the options that `get` and `put` share.

use std::time::Duration;

use clap::Args;

use crate::cli::units::{parse_rate, parse_size, parse_time};
use crate::cli::wire::{ConflictPolicy, DigestAlgorithm, TransferOptions};

/// The largest chunk.
const MAX_CHUNK: u64 = 16 << 20;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Transfer options")]
pub(crate) struct TransferArgs {
    /// Over how many connections at the same time, 1 to 255 [default: 4, up to 16 on a long line where more bring more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    streams: Option<u8>,
    /// How much to ask for at a time, 1 byte to 16 MiB [default: 1M, less on a slow line]
    #[arg(long, value_name = "SIZE", value_parser = parse_chunk_size)]
    chunk_size: Option<u32>,
    /// How many chunks may be under way, 1 to 1024 [default: what the line takes, about 16 MiB]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    window: Option<u32>,
    /// What to do when the receiver has something of that name [default: fail]
    #[arg(long, value_name = "POLICY", value_enum)]
    pub(super) on_conflict: Option<ConflictPolicy>,
    /// How to verify what has arrived [default: sha256; for a folder: blake3]
    #[arg(long, value_name = "ALGORITHM", value_enum)]
    digest: Option<DigestAlgorithm>,
    /// Learn the digest before the first byte, at the price of reading the file twice where it is
    #[arg(long)]
    digest_first: bool,
    /// How long to wait for an answer of the other side before asking again, 100ms to 1h [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// How often to ask again for a chunk before giving up, 0 to 100 [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=100))]
    retries: Option<u32>,
    /// How much a second at most, from 1K [default: as much as the line takes]
    #[arg(long, value_name = "RATE", value_parser = parse_limit)]
    pub(super) limit: Option<u64>,
}

fn parse_limit(text: &str) -> Result<u64, String> {
    parse_rate(text, 1 << 10)
}

fn parse_chunk_size(text: &str) -> Result<u32, String> {
    match parse_size(text)? {
        size @ 1..=MAX_CHUNK => u32::try_from(size).map_err(|error| error.to_string()),
        _ => Err("a chunk has 1 byte to 16 MiB".into()),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let time = parse_time(text)?;
    if (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&time) { Ok(time) } else { Err("write a time from 100ms to 1h".into()) }
}

impl TransferArgs {
    /// In the words of the package.
    pub(super) fn options(&self, by_id: bool) -> TransferOptions {
        TransferOptions {
            chunk_size: self.chunk_size,
            window: self.window,
            streams: self.streams,
            conflict: self.on_conflict,
            digest: self.digest,
            digest_first: self.digest_first.then_some(true),
            by_id: by_id.then_some(true),
            timeout: self.timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            retries: self.retries,
            limit: self.limit,
            tree: None,
        }
    }

    /// Whether anything was chosen that a segmented store does not know.
    pub(super) fn beyond_store(&self) -> bool {
        let other = TransferOptions { conflict: None, limit: None, ..self.options(false) };
        other != TransferOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: TransferArgs,
    }

    fn parse(words: &[&str]) -> Result<TransferArgs, clap::Error> {
        Line::try_parse_from([&["x"], words].concat()).map(|line| line.args)
    }

    #[test]
    fn what_is_not_chosen_is_left_to_the_node() {
        assert_eq!(parse(&[]).unwrap().options(false), TransferOptions::default());
    }

    #[test]
    fn every_option_arrives() {
        let words = "--streams 255 --chunk-size 64k --window 7 --on-conflict rename --digest blake3 --digest-first --timeout 1.5 --retries 0 --limit 1.5M";
        let options = parse(&words.split(' ').collect::<Vec<_>>()).unwrap().options(true);
        let expected = TransferOptions {
            chunk_size: Some(65536),
            window: Some(7),
            streams: Some(255),
            conflict: Some(ConflictPolicy::Rename),
            digest: Some(DigestAlgorithm::Blake3),
            digest_first: Some(true),
            by_id: Some(true),
            timeout: Some(1500),
            retries: Some(0),
            limit: Some(3 << 19),
            tree: None,
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        for (option, value) in [
            ("--streams", "0"),
            ("--streams", "256"),
            ("--chunk-size", "0"),
            ("--chunk-size", "17M"),
            ("--window", "1025"),
            ("--timeout", "99ms"),
            ("--retries", "101"),
            ("--limit", "1000"),
        ] {
            assert_eq!(parse(&[option, value]).unwrap_err().exit_code(), 2, "{option} {value}");
        }
    }

    #[test]
    fn a_store_in_segments_knows_the_conflict_policy_and_the_limit_only() {
        assert!(!parse(&["--on-conflict", "skip", "--limit", "2K"]).unwrap().beyond_store());
        assert!(parse(&["--streams", "2"]).unwrap().beyond_store());
    }
}
