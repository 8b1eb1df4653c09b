//! Processes that are going to be there soon: those of a package that is still being loaded.

use std::sync::Arc;
use std::time::Duration;

use super::Router;
use crate::message::{ProcessId, SendErrorKind};
use crate::process::Process;

impl Router {
    /// A process of this node. If its package is being loaded, it is waited for, so long at most.
    ///
    /// # Errors
    /// [`SendErrorKind::NoSuchProcess`], [`SendErrorKind::Timeout`].
    pub(super) async fn find_soon(&self, process: &ProcessId, longest: Duration) -> Result<Arc<Process>, SendErrorKind> {
        if let Some(found) = self.find(process) {
            return Ok(found);
        }
        tokio::time::timeout(longest, self.loading.over(process.package())).await.map_err(|_| SendErrorKind::Timeout)?;
        self.find(process).ok_or(SendErrorKind::NoSuchProcess)
    }
}
