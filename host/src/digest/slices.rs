//! A digest in slices: between two of them others have their turn, and it can be given up.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use super::known::KnownDigests;
use super::{Algorithm, State};
use crate::blob::{Blob, BlobError, Stamp};
use crate::turns::{Abandoned, Turns};

/// How many bytes are digested in one turn: some hundredths of a second, a thousand times what it costs to wait for the next one.
pub(crate) const SLICE: u64 = 16 << 20;

/// A digest under way.
struct Computation {
    algorithm: Algorithm,
    blob: Blob,
    state: State,
    done: u64,
    /// What the file was when the first byte was read, and when that was; none: it is no file that is remembered.
    begun: Option<(Stamp, SystemTime)>,
}

impl Computation {
    /// One turn: the next slice, and after the last one the digest.
    fn slice(mut self, known: &KnownDigests) -> ControlFlow<Result<Vec<u8>, BlobError>, Self> {
        if self.done == 0 {
            let now = SystemTime::now();
            self.begun = known.stamp(&self.blob).map(|stamp| (stamp, now));
            if let Some(digest) = self.begun.and_then(|(stamp, now)| known.find_at(self.algorithm, stamp, now)) {
                return ControlFlow::Break(Ok(digest));
            }
        }
        let length = SLICE.min(self.blob.length() - self.done);
        let updated = self.blob.slice(self.done, length).and_then(|slice| self.state.update_blob(&slice, &|| false));
        if let Err(error) = updated {
            return ControlFlow::Break(Err(error));
        }
        self.done += length;
        if self.done < self.blob.length() {
            return ControlFlow::Continue(self);
        }
        let digest = self.state.digest();
        if let Some((stamp, begun)) = self.begun
            && self.blob.stamp() == Some(stamp)
        {
            known.keep(self.algorithm, stamp, &digest, begun);
        }
        ControlFlow::Break(Ok(digest))
    }
}

/// The digest of a blob, remembered if it is a whole file. Giving this up ends it after the slice at hand.
///
/// # Errors
/// [`BlobError::Changed`], [`BlobError::Io`].
pub(crate) async fn digest(known: Arc<KnownDigests>, turns: Turns, algorithm: Algorithm, blob: Blob) -> Result<Vec<u8>, BlobError> {
    let mut computation = Computation { algorithm, blob, state: State::new(algorithm), done: 0, begun: None };
    loop {
        let known = known.clone();
        match turns.run(move || computation.slice(&known)).await {
            Ok(ControlFlow::Continue(next)) => computation = next,
            Ok(ControlFlow::Break(outcome)) => return outcome,
            Err(Abandoned) => return Err(BlobError::Io("the digest was abandoned".into())),
        }
    }
}

#[cfg(test)]
mod tests;
