//! What an owner commands about packages: start, stop, run a script.

use std::time::Duration;

use bytes::Bytes;

use super::{Answered, MAX_TIMEOUT, Session, response};
use crate::control::protocol::{Refusal, Reply};
use crate::message::{Content, PackageId};
use crate::node::NodeError;

/// How long what a script told may take to be passed on to a slow command.
const TOLD_WAIT: Duration = Duration::from_secs(5);

impl Session {
    pub(super) async fn start_package(&self, package: &PackageId) -> Result<Reply, Refusal> {
        self.node.start_package(package).await.map(|()| Reply::Done).map_err(refusal)
    }

    pub(super) async fn stop_package(&self, package: &PackageId) -> Result<Reply, Refusal> {
        match self.node.stop_package(package).await {
            Ok(true) => Ok(Reply::Done),
            Ok(false) => Err(Refusal::NotFound(format!("{package} does not run"))),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Waits until the requests that came before have been passed on, so that the answer does not overtake them.
    async fn told(&self) {
        let deadline = tokio::time::Instant::now() + TOLD_WAIT;
        while self.client.unread() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Runs a script to its answer, and ends it: it is for one run.
    pub(super) async fn script(&self, package: &PackageId, script: &str, arguments: &[String], timeout: u64) -> Answered {
        let body = serde_json::to_vec(arguments).map_err(|error| Refusal::Invalid(error.to_string()))?;
        let started = self.node.start_script(package, script).await.map_err(refusal)?;
        let address = started.ok_or_else(|| Refusal::NotFound(format!("no package that runs here has a script '{script}' as {package}'s")))?;
        let _ended = Ended(self, &address);
        let timeout = Duration::from_millis(timeout.clamp(1, MAX_TIMEOUT));
        let (source, content) = self.client.request(&address, Content { body: body.into(), ..Content::default() }, timeout).await.map_err(Refusal::Send)?;
        self.told().await;
        response(source, content).await
    }
}

/// Ends a script, also when whoever wanted it is gone.
struct Ended<'a>(&'a Session, &'a crate::message::Address);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.node.kill(self.1.process());
    }
}

fn refusal(error: NodeError) -> Refusal {
    let message = error.to_string();
    match error {
        NodeError::UnknownPackage(_) => Refusal::NotFound(message),
        NodeError::Needed { .. } | NodeError::NotLoaded(_) => Refusal::Conflict(message),
        NodeError::Ready(_) | NodeError::Reserved(_) => Refusal::Invalid(message),
        _ => Refusal::Failed(message),
    }
}

/// The bytes of an answer that has none.
pub(super) fn plain(reply: Reply) -> (Reply, Bytes, Option<Bytes>) {
    (reply, Bytes::new(), None)
}
