//! A command that runs and says in JSON how far it is.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::SOON;
use crate::command::{Outcome, kill, wait};

/// How long a command may go on after the last thing that a test waited for.
const LONGEST: Duration = Duration::from_secs(120);

/// See the module. Dropping it kills it.
pub struct Running {
    child: Child,
    /// Its standard input, open until it is taken and dropped.
    pub stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Vec<String>,
    reader: Option<JoinHandle<()>>,
    errors: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (line, lines) = channel();
        let reader = std::thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                drop(line.send(text));
            }
        });
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            drop(stderr.read_to_string(&mut text));
            text
        });
        Self { child, stdin, lines, said: Vec::new(), reader: Some(reader), errors: Some(errors) }
    }

    /// What it says next; none if it has ended.
    ///
    /// # Panics
    /// If it says nothing for long.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<Value> {
        match self.lines.recv_timeout(SOON) {
            Ok(line) => {
                let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                self.said.push(line);
                Some(value)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more after {:?}", self.said),
        }
    }

    /// Waits until it says something of this kind.
    ///
    /// # Panics
    /// If it ends before.
    #[track_caller]
    pub fn until(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next_line() {
                Some(value) if is(&value) => return value,
                Some(_) => {}
                None => {
                    let errors = self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default();
                    panic!("it ended before {what}: {:?}\n{errors}", self.said);
                }
            }
        }
    }

    /// The transfer's id.
    #[track_caller]
    pub fn started(&mut self) -> String {
        self.until("the transfer started", |event| event["event"] == "started")["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until some bytes have arrived and some have not, and returns how many have.
    #[track_caller]
    pub fn midway(&mut self) -> u64 {
        let within =
            |event: &Value| matches!((event["bytes_done"].as_u64(), event["bytes_total"].as_u64()), (Some(done), Some(total)) if done > 0 && done < total);
        self.until("it was midway", within)["bytes_done"].as_u64().unwrap_or_default()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        kill(self.child.id(), signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end in time.
    #[track_caller]
    pub fn end(mut self) -> Outcome {
        drop(self.stdin.take());
        let status = wait(&mut self.child, LONGEST).unwrap_or_else(|| panic!("it did not end after {:?}", self.said));
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.said.extend(self.lines.try_iter());
        let stdout = self.said.join("\n");
        let stderr = self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default();
        Outcome { code: status.code(), bytes: stdout.clone().into_bytes(), stdout, stderr }
    }

    /// Kills it as a power cut would.
    pub fn kill9(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            kill(self.child.id(), "KILL");
            drop(self.child.wait());
        }
    }
}
