//! The way to the node: the one that runs in this home, whoever runs it, or one inside this command.
//!
//! A command that runs the node lets the others of its home use it, and stays until they are done: none fails because another one ended.

use std::time::Duration;

use tokio::time::Instant;
use transship::control::{ControlClient, ControlError, Embedded, Lent, NodeInfo, Refusal};
use transship::home::{Home, HomeError, HomeLock};
use transship::message::{Address, Content, PackageId, ProcessId, SendErrorKind};
use transship::node::NodeOptions;

use super::Context;
use super::error::{CliError, Kind};
use super::signals::Interrupts;
use super::text::quoted;
use super::wire::{Request, Response};

/// How long a command waits for a process that has the home and does not let others use its node: it starts, or ends, or changes something.
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
                Err(HomeError::InUse(_)) if begun.elapsed() >= WAIT_FOR_HOME => return Err(in_use(&home)),
                Err(HomeError::InUse(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if !told && begun.elapsed() >= WAIT_SILENTLY {
                told = true;
                self.ui.note("waiting for a node of this home that starts or ends");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The home for this command alone, so that nobody else runs its node. Waits for commands that run it for themselves, however long they do.
    pub(crate) async fn alone(&self) -> Result<(Home, HomeLock), CliError> {
        let mut told = false;
        loop {
            let (home, client) = match self.access().await? {
                Access::Alone(home, lock) => return Ok((home, lock)),
                Access::Running(client) => (self.open_home()?, client),
            };
            match client.info().await {
                // Only a node that is served listens.
                Ok(info) if !info.listening.is_empty() => return Err(HomeError::InUse(home.folder().into()).into()),
                Ok(_) | Err(ControlError::Ended) => {}
                Err(error) => return Err(error.into()),
            }
            if !told {
                told = true;
                self.ui.note("waiting for another transship command, which runs the node of this home as long as it works");
            }
            // It must not wait for us too.
            drop(client);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Does something with a node: the running one, or one inside this command, which then stays until nobody uses it. Ctrl-C ends what does not deal with it itself.
    pub(crate) async fn with_node(&self, work: impl AsyncFnOnce(&Connection) -> Result<(), CliError>) -> Result<(), CliError> {
        let connection = self.connect().await?;
        let interrupts = Interrupts::listen()?;
        let result = work(&connection).await;
        connection.close(self, interrupts, result).await
    }

    async fn connect(&self) -> Result<Connection, CliError> {
        let home = self.open_home()?;
        let (client, embedded) = match self.access().await? {
            Access::Running(client) => {
                self.start_log(None, None)?;
                (client, None)
            }
            Access::Alone(home, lock) => {
                self.start_log(None, Some(&home))?;
                remove_leftovers(&home);
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
    Ok(NodeOptions { limits: home.settings().limits(&home.settings_path())?, limit: home.settings().limit, ..NodeOptions::default() })
}

fn in_use(home: &Home) -> CliError {
    let lock = quoted(&home.folder().join("lock"));
    let message = format!("another process has {}, and its node does not take commands", home.folder().display());
    CliError::new(Kind::Conflict, message).hint(format!("it may be starting or ending, so try again; `fuser {lock}` shows which process it is"))
}

/// What the folders begin with in which `get` collects what goes to standard output.
pub(crate) const COLLECTED: &str = "get-";

/// Removes what commands left in the home that were killed. Only for whoever has just locked it: then no command has a node that it could still fetch with.
pub(crate) fn remove_leftovers(home: &Home) {
    for entry in std::fs::read_dir(home.cache_path()).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(COLLECTED.as_bytes())
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, "{} stays", entry.path().display());
        }
    }
}

/// Lets go of standard output: nothing follows on it.
fn release_stdout() {
    if let Ok(nowhere) = std::fs::File::options().write(true).open("/dev/null") {
        // If it can't be, its reader waits a little longer.
        let _ = rustix::stdio::dup2_stdout(&nowhere);
    }
}

impl Connection {
    /// Sees the last answers off, and ends a node that ran inside this command, when nobody uses it any more. Returns the result, of which the person has been told if that took time.
    async fn close(self, context: &Context, mut interrupts: Interrupts, mut result: Result<(), CliError>) -> Result<(), CliError> {
        // If the node has ended, there is nobody left to tell.
        let _ = self.client.flush().await;
        let Some(mut embedded) = self.embedded else { return result };
        let ending = async {
            let others = embedded.others();
            if others > 0 {
                if let Err(error) = &mut result {
                    context.ui.tell(error);
                }
                let whose = if others == 1 { "another command uses".into() } else { format!("{others} other commands use") };
                context.ui.note(&format!("done, but {whose} the node that this one runs: it stays until they are done (Ctrl-C: it ends now, and they fail)"));
                // Whoever reads our output is not to wait for them.
                release_stdout();
            }
            embedded.unused().await;
            embedded.close().await;
        };
        // Twice in all, or once if it only waits for others.
        let enough = (interrupts.so_far() + 1).min(2);
        tokio::select! {
            biased;
            () = interrupts.in_all(enough) => {}
            () = ending => {}
        }
        result
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
