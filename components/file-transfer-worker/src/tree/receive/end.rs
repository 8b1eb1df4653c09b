//! How a tree ends: with all names made safe, or early, and then what is complete has its name or nothing of it is left.

use file_transfer_types::errors::{Side, from_vfs, keeps};
use file_transfer_types::types::{NoSpace, TransferError, TransferState, TransferSummary};

use super::Receiving;
use crate::clock::now;
use crate::session::Event;

/// How long the sync of what is complete may take when a transfer ends early, in milliseconds.
const LAST_SYNC: u64 = 10_000;

impl Receiving<'_> {
    /// All have their names, and all folders in it their times: its own folder gets its, and the names are made safe. False: there is nothing to be made safe.
    pub(super) fn finish_up(&mut self) -> bool {
        self.update_progress();
        let Some(root) = self.root.as_ref().filter(|_| !self.tree.dry_run) else { return false };
        self.session.enter(TransferState::Verifying);
        self.session.report_now();
        self.stage.remove(root);
        if let Some(top) = &self.top
            && let Err(error) = root.set_own(top.modified, top.permissions & 0o777)
        {
            self.tally.other_failed(".", from_vfs(error, "the folder itself", Side::Receiver));
        }
        let summary = &self.tally.summary;
        if summary.new + summary.changed + summary.folders + summary.links == 0 && !self.tree.folders {
            return false;
        }
        self.last_sync = Some(root.start_sync_all());
        true
    }

    /// The end: what is complete gets its name, if anything is kept, what is not complete is kept or thrown away, and nothing is left in the stage.
    pub(super) fn end(mut self, outcome: Result<(), TransferError>) -> Result<TransferSummary, TransferError> {
        let keep = outcome.as_ref().is_err_and(keeps);
        self.name_what_is_there(keep);
        if let Some(root) = &self.root {
            let kept = self.larges.drain(..).filter_map(|large| large.give_up(root, &self.stage, keep).then_some(())).count() > 0;
            if outcome.is_err() && !self.tree.dry_run {
                self.stage.leave(root, keep, kept);
            }
        }
        outcome.map_err(|error| self.how_much_room(error))?;
        let (name, algorithm) = (self.path.clone(), self.session.settings.digest);
        let elapsed = self.session.elapsed();
        Ok(TransferSummary {
            name,
            size: self.tally.bytes,
            algorithm,
            digest: String::new(),
            resumed: self.tally.resumed,
            skipped: false,
            elapsed,
            tree: Some(self.tally.summary),
        })
    }

    /// A drive that is full: which one, what was still to come into it, and what it has room for.
    fn how_much_room(&self, error: TransferError) -> TransferError {
        let TransferError::NoSpace(NoSpace { drive, .. }) = &error else { return error };
        if !drive.is_empty() {
            return error;
        }
        let needed = self.tally.planned.saturating_sub(self.session.progress.bytes_done);
        let available = self.root.as_ref().and_then(|root| root.free_space().ok()).unwrap_or(0);
        TransferError::NoSpace(NoSpace { drive: self.drive.clone(), needed, available })
    }

    /// The transfer ends. What has arrived of it is complete and needs not be moved again, if anything is kept; otherwise only those get their names that are just getting them.
    fn name_what_is_there(&mut self, keep: bool) {
        let deadline = now() + LAST_SYNC;
        loop {
            match &self.root {
                Some(root) if keep => self.stage.sync(root, true),
                Some(_) if self.stage.is_naming() => {}
                _ => return,
            }
            if self.stage.is_empty() || now() >= deadline {
                return;
            }
            // Whatever else happens now changes nothing any more.
            if let Ok(Event::Completion(completion)) = self.session.next()
                && self.stage.is(completion.operation)
                && self.completed(&completion).is_err()
            {
                return;
            }
        }
    }
}
