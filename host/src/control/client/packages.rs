//! Packages of the running node.

use std::time::Duration;

use bytes::Bytes;

use super::{CALL_TIME, ControlClient, ControlError, GRACE};
use crate::control::protocol::{Call, Reply};
use crate::message::{Address, Content, PackageId};
use crate::node::PackageInfo;

/// How long the node may take to load a package: the largest components take minutes to compile on a small machine, once.
const LOAD_TIME: Duration = Duration::from_secs(900);

impl ControlClient {
    /// What is loaded, and what is not although it should be.
    ///
    /// # Errors
    /// [`ControlError::Ended`], [`ControlError::Silent`].
    pub async fn packages(&self) -> Result<Vec<PackageInfo>, ControlError> {
        match self.call(Call::Packages).await? {
            Reply::Packages(packages) => Ok(packages),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Loads a package as it stands in the home now, in place of what is loaded of it. Everything else runs on.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](super::Refusal::NotFound) if the home does not hold it, [`Refusal::Invalid`](super::Refusal::Invalid) if it does not fit, with the reason.
    pub async fn start_package(&self, package: &PackageId) -> Result<(), ControlError> {
        self.start(Call::StartPackage { package: package.clone() }, Bytes::new(), None, LOAD_TIME).await?.answered().await.map(drop)
    }

    /// Ends the processes of a package.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](super::Refusal::NotFound) if it does not run, [`Refusal::Conflict`](super::Refusal::Conflict) if another that runs depends on it.
    pub async fn stop_package(&self, package: &PackageId) -> Result<(), ControlError> {
        self.start(Call::StopPackage { package: package.clone() }, Bytes::new(), None, CALL_TIME).await?.answered().await.map(drop)
    }

    /// Runs a script of a package and waits for its answer. Requests that it makes meanwhile come through [`ControlClient::incoming`].
    ///
    /// # Errors
    /// [`Refusal::NotFound`](super::Refusal::NotFound) if there is none of that name, [`Refusal::Send`](super::Refusal::Send) if it does not answer in time.
    pub async fn script(&self, package: &PackageId, script: &str, arguments: &[String], timeout: Duration) -> Result<(Address, Content), ControlError> {
        let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let call = Call::Script { package: package.clone(), script: script.into(), arguments: arguments.into(), timeout: milliseconds };
        // Its component may have to be compiled first.
        self.start(call, Bytes::new(), None, timeout.saturating_add(GRACE).saturating_add(LOAD_TIME)).await?.response().await
    }
}
