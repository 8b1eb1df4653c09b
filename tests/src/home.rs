//! A node's home, and the node that serves it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Outcome, kill, transship, wait};
use crate::{Running, SOON, eventually};

/// A node's folder.
pub struct Home {
    folder: TempDir,
    name: String,
    binary: PathBuf,
    quick: bool,
}

impl Home {
    /// A new node of this name.
    pub fn new(name: &str) -> Self {
        Self::new_in(&std::env::temp_dir(), name)
    }

    /// A new node of this name, its folder somewhere in this one.
    pub fn new_in(folder: &Path, name: &str) -> Self {
        Self::of(&transship(), folder, name)
    }

    /// A new node of this name, run by another build of the command.
    pub fn of(binary: &Path, folder: &Path, name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("transship-test-").tempdir_in(folder).unwrap();
        let home = Self { folder, name: name.into(), binary: binary.into(), quick: false };
        home.run(["init", "--name", name]).ok();
        home.share_compiled_code();
        home
    }

    /// For packages in languages that bring their interpreter along: what compiles it is to be done soon.
    pub fn compiling_quickly(self) -> Self {
        Self { quick: true, ..self }
    }

    /// The engine's cache of compiled code is one for all homes of a test run: compiling the same components for every node would be most of what the tests do.
    fn share_compiled_code(&self) {
        let own = self.path().join("cache/modules");
        let shared = std::env::current_exe().unwrap().with_file_name("compiled-for-tests");
        std::fs::create_dir_all(&shared).unwrap();
        std::os::unix::fs::symlink(shared, own).unwrap();
    }

    /// Its name for itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the drive that `list` shows.
    pub fn files(&self) -> PathBuf {
        let folder = self.path().join("vfs/file-transfer:transship/files");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A file in that drive.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files().join(name)
    }

    /// A folder for a test's own files, beside the node's.
    pub fn scratch(&self) -> PathBuf {
        let folder = self.path().join("scratch");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The command with these arguments, not yet started. It runs in [`Home::scratch`].
    pub fn command<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, arguments: I) -> Command {
        self.command_through(&[], arguments)
    }

    /// The same through a command that sets the scene and then becomes this one.
    pub fn command_through<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, scene: &[&str], arguments: I) -> Command {
        let mut command = match scene {
            [] => Command::new(&self.binary),
            [program, rest @ ..] => {
                let mut command = Command::new(program);
                command.args(rest).arg(&self.binary);
                command
            }
        };
        command.env("TRANSSHIP_QUICK_COMPILE", self.quick.to_string());
        command.args(arguments).env("TRANSSHIP_HOME", self.path()).env_remove("TRANSSHIP_LOG").env("NO_COLOR", "1").current_dir(self.scratch());
        command
    }

    /// Runs the command to its end.
    pub fn run<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, arguments: I) -> Outcome {
        Outcome::of(&mut self.command(arguments), b"")
    }

    /// The same with something on standard input.
    pub fn run_with_input<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, arguments: I, input: &[u8]) -> Outcome {
        Outcome::of(&mut self.command(arguments), input)
    }

    /// Sends a message to one of its processes and returns the body of the answer.
    #[track_caller]
    pub fn message(&self, target: &str, body: &Value) -> Value {
        let outcome = self.run(["message", target, &body.to_string()]).ok();
        serde_json::from_str(outcome.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {}", outcome.stdout))
    }

    /// The node's processes, clients left out.
    pub fn processes(&self) -> Vec<String> {
        let lines = self.run(["--json", "ps"]).ok().json();
        lines.iter().filter_map(|line| line["id"].as_str()).filter(|id| !id.ends_with(":command:transship")).map(Into::into).collect()
    }

    /// Waits until only the processes of this node's packages are left that are there from the start.
    pub fn settled(&self) {
        eventually("all workers are gone", || self.workers().is_empty().then_some(()));
    }

    /// The workers of transfers and stores that run.
    pub fn workers(&self) -> Vec<String> {
        self.processes().into_iter().filter(|id| id.ends_with(":file-transfer:transship") && !id.starts_with("manager:")).collect()
    }

    /// Adds to the settings, before the node starts.
    pub fn configure(&self, text: &str) {
        let path = self.path().join("node.toml");
        let settings = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{settings}\n{text}\n")).unwrap();
    }

    /// Starts a command that says in JSON how far it is.
    pub fn start<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, arguments: I) -> Running {
        Running::start(self.command(arguments).arg("--json"))
    }

    /// Runs a command to its end that says in JSON what it does.
    pub fn run_json<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, arguments: I) -> Outcome {
        Outcome::of(self.command(arguments).arg("--json"), b"")
    }

    /// Learns of another node at this address, and allows it so much with drive `files`.
    pub fn knows(&self, peer: &Self, at: SocketAddr, allows: &str) {
        let ticket = peer.run(["ticket", "--host", "127.0.0.1"]).ok().stdout.trim().to_owned();
        let ((name, _), (_, key)) = (ticket.split_once('@').unwrap(), ticket.split_once('#').unwrap());
        let mut arguments = vec!["peer".to_owned(), "add".into(), format!("{name}@{at}#{key}")];
        if !allows.is_empty() {
            arguments.extend(["--allow".into(), format!("files={allows}")]);
        }
        self.run(arguments).ok();
    }

    /// Names in the drive's folder, hidden ones included.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.files()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Starts the node on a free port of loopback.
    pub fn serve(&self) -> Serving {
        self.serve_at("127.0.0.1:0")
    }

    /// Starts the node.
    ///
    /// # Panics
    /// If it does not say in time where it listens.
    pub fn serve_at(&self, address: &str) -> Serving {
        self.serve_through(&[], address)
    }

    /// Starts the node through a command that sets the scene and then becomes the node: in a namespace, for instance.
    ///
    /// # Panics
    /// If it does not say in time where it listens.
    pub fn serve_through(&self, scene: &[&str], address: &str) -> Serving {
        self.serve_within(scene, address, SOON)
    }

    /// The same, with so much time until it listens: a node compiles its components first, and an interpreter or two in them is a lot of code.
    ///
    /// # Panics
    /// If it does not say in time where it listens.
    pub fn serve_within(&self, scene: &[&str], address: &str, longest: Duration) -> Serving {
        let mut command = self.command_through(scene, ["serve", "--listen", address]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the node starts");
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            drop(stderr.read_to_string(&mut text));
            text
        });
        let (line, first_line) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                drop(line.send(text));
            }
        });
        let Ok(said) = first_line.recv_timeout(longest) else {
            kill(child.id(), "KILL");
            drop(child.wait());
            panic!("{} did not say where it listens: {}", self.name, errors.join().unwrap());
        };
        let address = said.rsplit(' ').next().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address in {said:?}"));
        Serving { child, address, errors: Some(errors), reader: Some(reader) }
    }
}

/// A node that runs. Dropping it kills it.
pub struct Serving {
    child: Child,
    address: SocketAddr,
    errors: Option<std::thread::JoinHandle<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a power cut would, and returns what it had to say.
    pub fn kill9(mut self) -> String {
        kill(self.child.id(), "KILL");
        self.end().1
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        kill(self.child.id(), signal);
    }

    /// Asks it to end, with a signal, and returns how it ended and what it had to say.
    pub fn stop(mut self, signal: &str) -> (ExitStatus, String) {
        kill(self.child.id(), signal);
        self.end()
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child, Duration::from_secs(30)).unwrap_or_else(|| {
            kill(self.child.id(), "KILL");
            self.child.wait().unwrap()
        });
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        (status, self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.errors.is_some() {
            kill(self.child.id(), "KILL");
            let (_, said) = self.end();
            if std::thread::panicking() {
                eprintln!("a node said:\n{said}");
            }
        }
    }
}

/// Makes two nodes know each other. Each is told where the other listens, if it does, and what the other may do with drive `files` here.
pub fn introduce(one: (&Home, Option<&Serving>, &str), other: (&Home, Option<&Serving>, &str)) {
    for ((home, _, allows), (peer, serving, _)) in [(one, other), (other, one)] {
        let mut ticket = peer.run(["ticket", "--host", "127.0.0.1"]).ok().stdout.trim().to_owned();
        if serving.is_none() {
            // It does not listen: an address is a part of every ticket all the same. Not the usual one, where a node of somebody's may be.
            let (address, key) = ticket.split_once('#').unwrap();
            ticket = format!("{}:1#{key}", address.rsplit_once(':').unwrap().0);
        }
        let mut arguments = vec!["peer".to_owned(), "add".into(), ticket];
        if !allows.is_empty() {
            arguments.extend(["--allow".into(), format!("files={allows}")]);
        }
        home.run(arguments).ok();
    }
}

/// Two nodes that serve and know each other: what `alice` lets `bob` do, and the other way round.
pub fn pair(alice_allows: &str, bob_allows: &str) -> ((Home, Serving), (Home, Serving)) {
    pair_in(&std::env::temp_dir(), alice_allows, bob_allows)
}

/// The same, with their folders somewhere in this one.
pub fn pair_in(folder: &Path, alice_allows: &str, bob_allows: &str) -> ((Home, Serving), (Home, Serving)) {
    let (alice, bob) = (Home::new_in(folder, "alice"), Home::new_in(folder, "bob"));
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&alice_serves), alice_allows), (&bob, Some(&bob_serves), bob_allows));
    ((alice, alice_serves), (bob, bob_serves))
}
