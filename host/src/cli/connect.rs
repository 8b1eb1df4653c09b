//! The way to the node: the one that runs in this home, or one inside this command.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;
use transship::control::{ControlClient, ControlError, Embedded, Lent, NodeInfo, Refusal};
use transship::home::{Home, HomeError, HomeLock};
use transship::message::{Address, Content, PackageId, ProcessId, SendErrorKind};
use transship::node::NodeOptions;

use super::Context;
use super::error::{CliError, Kind};
use super::wire::{Request, Response};

/// How long a command waits for another one that runs the node inside itself.
const WAIT_FOR_HOME: Duration = Duration::from_secs(60);
/// How often it looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// When it says that it waits.
const WAIT_SILENTLY: Duration = Duration::from_secs(1);
/// How long the manager may take over an answer that it gives at once.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(40);

/// Who may change the home: a running node, or this command.
pub(crate) enum Access {
    Running(ControlClient),
    Alone(Home, HomeLock),
}

/// A node to work with.
pub(crate) struct Connection {
    pub(crate) client: ControlClient,
    pub(crate) info: NodeInfo,
    embedded: Option<Embedded>,
    /// Where it keeps what it has.
    pub(crate) home: Home,
}

impl Context {
    /// The running node, or the home for this command alone. Waits for a command that has it.
    pub(crate) async fn access(&self) -> Result<Access, CliError> {
        let home = self.open_home()?;
        let begun = Instant::now();
        let mut told = false;
        loop {
            match ControlClient::connect(&home).await {
                Ok(client) => return Ok(Access::Running(client)),
                Err(ControlError::NotRunning(_)) => {}
                Err(error) => return Err(error.into()),
            }
            match home.lock() {
                Ok(lock) => return Ok(Access::Alone(home, lock)),
                Err(HomeError::InUse(folder)) if begun.elapsed() >= WAIT_FOR_HOME => return Err(in_use(folder)),
                Err(HomeError::InUse(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if !told && begun.elapsed() >= WAIT_SILENTLY {
                told = true;
                self.ui.note("waiting for another transship command that uses this home (with `transship serve` running, several work at once)");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// A node to work with: the running one, or one inside this command.
    pub(crate) async fn connect(&self) -> Result<Connection, CliError> {
        let home = self.open_home()?;
        let (client, embedded) = match self.access().await? {
            Access::Running(client) => {
                self.start_log(None, None)?;
                (client, None)
            }
            Access::Alone(home, lock) => {
                self.start_log(None, Some(&home))?;
                let (embedded, client) = Embedded::start(&home, lock, node_options(&home)?).await?;
                (client, Some(embedded))
            }
        };
        let info = client.info().await?;
        Ok(Connection { client, info, embedded, home })
    }

    /// The running node, for commands that make no sense without one.
    pub(crate) async fn connect_running(&self) -> Result<Connection, CliError> {
        let home = self.open_home()?;
        let client = ControlClient::connect(&home).await?;
        let info = client.info().await?;
        Ok(Connection { client, info, embedded: None, home })
    }
}

/// What the home's settings say about running its node.
pub(crate) fn node_options(home: &Home) -> Result<NodeOptions, CliError> {
    Ok(NodeOptions { limits: home.settings().limits(&home.settings_path())? })
}

fn in_use(folder: PathBuf) -> CliError {
    CliError::new(Kind::Other, HomeError::InUse(folder).to_string()).hint("start `transship serve`, and several commands can work at once")
}

impl Connection {
    /// Sees the last answers off, and ends a node that ran inside this command.
    pub(crate) async fn close(self) {
        // If the node has ended, there is nobody left to tell.
        let _ = self.client.flush().await;
        if let Some(embedded) = self.embedded {
            embedded.close().await;
        }
    }

    /// The manager of file transfers on a node.
    pub(crate) fn manager_of(node: &str) -> Result<Address, CliError> {
        let address = || Address::new(node, ProcessId::new("manager", &PackageId::new("file-transfer", "transship")?)?);
        address().map_err(|error| CliError::usage(error.to_string()))
    }

    /// Asks this node's own manager. Its errors come back as errors; `about` is the other node, for their wording.
    pub(crate) async fn ask(&self, request: &Request, about: &str, timeout: Duration, lent: &[&Lent]) -> Result<Response, CliError> {
        let manager = Self::manager_of(&self.info.name)?;
        let sent = self.client.request(&manager, body_of(request)?, timeout, lent).await;
        read_response(sent, &manager, about)
    }
}

/// A request as a message.
pub(crate) fn body_of(request: &Request) -> Result<Content, CliError> {
    let body = serde_json::to_vec(request).map_err(|error| CliError::new(Kind::Other, format!("the request can't be written: {error}")))?;
    Ok(Content { body: body.into(), ..Content::default() })
}

/// What a manager answered, its errors as errors.
pub(crate) fn read_response(sent: Result<(Address, Content), ControlError>, target: &Address, about: &str) -> Result<Response, CliError> {
    let (_, content) = sent.map_err(|error| send_error(error, target))?;
    match serde_json::from_slice(&content.body) {
        Ok(Response::Error(error)) => Err(CliError::transfer(&error, about)),
        Ok(response) => Ok(response),
        Err(error) => Err(unexpected(target, &error.to_string())),
    }
}

/// An answer that is none to what was asked.
pub(crate) fn unexpected(target: &Address, what: &str) -> CliError {
    CliError::new(Kind::Other, format!("{target} gave an answer that makes no sense: {what}"))
        .hint("the two nodes may have different versions of the file-transfer package")
}

/// What it means that a message to `target` could not be sent or was not answered.
pub(crate) fn send_error(error: ControlError, target: &Address) -> CliError {
    match error {
        ControlError::Refused(Refusal::Send(kind @ SendErrorKind::UnknownNode)) => CliError::send(&kind, target.node()),
        ControlError::Refused(Refusal::Send(kind)) => CliError::send(&kind, &target.to_string()),
        error => error.into(),
    }
}
