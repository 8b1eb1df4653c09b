//! Fetches files from other nodes into this package's own drive, and tells how far they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use transship_file_transfer::{ConflictPolicy, Download, Incoming, Progress, describe, manager_of};
use transship_guest::message::ReceivedRequest;
use transship_guest::prelude::*;

transship_guest::process!(init);

/// What this process can be asked by the owner of its node.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    /// Fetch this file of that node.
    Fetch { node: String, name: String },
    /// How far are all that were asked for?
    Transfers,
}

/// A transfer, as it is shown.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Transfer {
    name: String,
    bytes_done: u64,
    bytes_total: Option<u64>,
    /// How it ended; none: it is under way.
    end: Option<String>,
}

struct Fetcher {
    our: Address,
    /// By id.
    transfers: BTreeMap<String, Transfer>,
}

impl Service for Fetcher {
    type Request = Question;
    type Answer = BTreeMap<String, Transfer>;
    type Error = String;

    fn request(&mut self, question: Question, asked: &mut Asked) -> Result<BTreeMap<String, Transfer>, String> {
        if asked.source().node != self.our.node {
            return Err(format!("only {} may ask that", self.our.node));
        }
        match question {
            Question::Fetch { node, name } => {
                // This function is the package file-transfer's. It starts a worker as a child of this process and returns at once.
                let download = Download::of(&manager_of(&node), &name).to("files", &name).conflict(ConflictPolicy::Rename);
                let id = download.start(&self.our).map_err(|error| describe(&error))?;
                let transfer = Transfer { name, ..Transfer::default() };
                self.transfers.insert(id.clone(), transfer.clone());
                Ok([(id, transfer)].into())
            }
            Question::Transfers => Ok(self.transfers.clone()),
        }
    }

    /// Sees every request first: the workers report with requests too.
    fn look(&mut self, received: ReceivedRequest) -> Option<ReceivedRequest> {
        match Incoming::of(&self.our, received) {
            Incoming::Progress(progress) => self.progress(&progress),
            // This process serves no files: dropping the request refuses it.
            Incoming::Wanted(_) | Incoming::Offered(_) | Incoming::Done => {}
            Incoming::Other(received) => return Some(received),
        }
        None
    }
}

impl Fetcher {
    fn progress(&mut self, progress: &Progress) {
        let Some(transfer) = self.transfers.get_mut(&progress.id) else { return };
        // The end is told once by the worker, and again by the node when the worker's process is gone.
        if transfer.end.is_some() {
            return;
        }
        transfer.bytes_done = progress.bytes_done;
        transfer.bytes_total = progress.bytes_total;
        transfer.end = progress.end().map(|end| match end {
            Ok(summary) => format!("done: {}", summary.name),
            Err(error) => format!("failed: {}", describe(error)),
        });
        info!("{}: {} bytes", transfer.name, transfer.bytes_done);
    }
}

fn init(our: Address) -> Result<(), String> {
    serve(Fetcher { our, transfers: BTreeMap::new() })
}
