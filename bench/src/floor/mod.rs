//! The bare program: what a transfer costs without a sandbox, without messages, without a journal.
//!
//! The same as a node does by default: TLS 1.3 with the same library, provider and cipher, over several connections; a digest on each side, compared at the end; from file to file, brought to the disk in the meantime and at the end.
//! Threads and blocking calls, chunks of 1 MiB, large buffers. Nothing is resumed, nobody is asked whether he may, and nothing is hidden until it is verified.

mod receive;
mod send;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) use receive::get;
pub(crate) use send::serve;

/// What is asked for and written at a time.
const CHUNK: u64 = 1 << 20;
/// The offset that says that no more chunks come over a connection.
const END: u64 = u64::MAX;

/// How both sides go about it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct How {
    /// Not encrypted
    #[arg(long)]
    plain: bool,
    /// The digest that both sides compute
    #[arg(long, value_enum, default_value_t = Digest::Sha256)]
    digest: Digest,
}

/// A digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Digest {
    /// None at all
    None,
    Sha256,
    Blake3,
}

/// Offers a file until it is ended, one transfer after another.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    how: How,
    file: PathBuf,
}

/// Fetches the file.
#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    #[command(flatten)]
    how: How,
    /// Connections
    #[arg(long, default_value_t = 4)]
    streams: u32,
    /// Leave syncing to the system
    #[arg(long)]
    no_sync: bool,
    from: SocketAddr,
    to: PathBuf,
}

/// A digest that is being computed.
enum Hasher {
    None,
    Sha256(aws_lc_rs::digest::Context),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    fn new(digest: Digest) -> Self {
        match digest {
            Digest::None => Self::None,
            Digest::Sha256 => Self::Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256)),
            Digest::Blake3 => Self::Blake3(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::Sha256(state) => state.update(bytes),
            Self::Blake3(state) => {
                state.update(bytes);
            }
        }
    }

    fn finish(self) -> [u8; 32] {
        match self {
            Self::None => [0; 32],
            Self::Sha256(state) => {
                let mut bytes = [0; 32];
                bytes.copy_from_slice(state.finish().as_ref());
                bytes
            }
            Self::Blake3(state) => *state.finalize().as_bytes(),
        }
    }
}

/// The command line of one side.
pub(crate) fn arguments(digest: Digest, plain: bool) -> Vec<String> {
    let digest = match digest {
        Digest::None => "none",
        Digest::Sha256 => "sha256",
        Digest::Blake3 => "blake3",
    };
    let mut arguments = vec!["--digest".to_owned(), digest.into()];
    if plain {
        arguments.push("--plain".into());
    }
    arguments
}
