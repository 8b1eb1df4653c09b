//! Room for responses that wait on their way to another node: bounded for each node, so that one that takes no answers costs a bounded amount and nobody else anything.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Responses without a blob that wait for room on their way to one node, beside those within the link's windows.
const WAITING_ANSWERS: usize = 1024;
/// Their bytes. More than a response of the largest size.
const WAITING_BYTES: usize = 8 << 20;

/// Responses that wait for room on their way to a node, and their bytes.
pub(super) type Answers = Arc<Mutex<HashMap<String, (usize, usize)>>>;

/// The place of one of them. Dropping it gives the place back.
pub(super) struct Waiting {
    answers: Answers,
    node: String,
    bytes: usize,
}

impl Waiting {
    /// None: as many wait for that node as may.
    pub(super) fn enter(answers: &Answers, node: &str, bytes: usize) -> Option<Self> {
        let mut all = answers.lock();
        let (count, sum) = all.entry(node.into()).or_default();
        if *count >= WAITING_ANSWERS || sum.saturating_add(bytes) > WAITING_BYTES {
            return None;
        }
        (*count, *sum) = (*count + 1, *sum + bytes);
        Some(Self { answers: answers.clone(), node: node.into(), bytes })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut all = self.answers.lock();
        if let Some((count, sum)) = all.get_mut(&self.node) {
            (*count, *sum) = (count.saturating_sub(1), sum.saturating_sub(self.bytes));
            if *count == 0 {
                all.remove(&self.node);
            }
        }
    }
}
