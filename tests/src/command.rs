//! Running the `transship` command and looking at what it says.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No command of a test runs longer.
const LONGEST: Duration = Duration::from_secs(300);

/// The `transship` command that was built with these tests.
pub fn transship() -> PathBuf {
    if let Some(path) = std::env::var_os("TRANSSHIP_BIN") {
        return path.into();
    }
    let mut path = std::env::current_exe().expect("the test has a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join("transship");
    assert!(path.exists(), "{} is missing: run `just build` first", path.display());
    path
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed as an aside.
    pub stderr: String,
    /// Standard output as it was.
    pub bytes: Vec<u8>,
}

impl Outcome {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn of(command: &mut Command, input: &[u8]) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(std::io::Write::write_all(&mut stdin, &input)));
        let pid = child.id();
        let (done, ended) = std::sync::mpsc::channel();
        let watch = std::thread::spawn(move || {
            if ended.recv_timeout(LONGEST).is_err() {
                kill(pid, "KILL");
                return true;
            }
            false
        });
        let output: Output = child.wait_with_output().expect("the command is waited for");
        let _ = done.send(());
        writer.join().expect("the writer ends");
        assert!(!watch.join().expect("the watch ends"), "{command:?} ran longer than {LONGEST:?}");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        }
    }

    /// The same, if it ended with this code.
    ///
    /// # Panics
    /// With all that it said, if not.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The same, if it ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.code(0)
    }

    /// The same, if it said so on standard error.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "nothing about {text:?} in:\n{}", self.stderr);
        self
    }

    /// The last object on standard output that is an event of this kind.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn event(&self, kind: &str) -> Value {
        let found = self.json().into_iter().rfind(|object| object["event"] == kind);
        found.unwrap_or_else(|| panic!("no event {kind:?} in:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }

    /// The same, if it failed with this error and this exit code.
    #[track_caller]
    pub fn fails(self, error: &str, code: i32) -> Self {
        let failed = self.event("failed");
        assert_eq!((failed["error"].as_str(), self.code), (Some(error), Some(code)), "{failed}\nstderr:\n{}", self.stderr);
        self
    }

    /// Standard output as JSON, an object a line.
    ///
    /// # Panics
    /// If a line is none.
    pub fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

/// Sends a signal to one process.
pub(crate) fn kill(pid: u32, signal: &str) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    let signal = match signal {
        "KILL" => rustix::process::Signal::KILL,
        "INT" => rustix::process::Signal::INT,
        "STOP" => rustix::process::Signal::STOP,
        "CONT" => rustix::process::Signal::CONT,
        "HUP" => rustix::process::Signal::HUP,
        _ => rustix::process::Signal::TERM,
    };
    // It may have ended by itself.
    if rustix::process::kill_process(pid, signal).is_ok() && signal == rustix::process::Signal::STOP {
        // Its threads run on until each has seen the signal.
        crate::eventually("it stands still", || standing(pid).then_some(()));
    }
}

/// Whether all threads of a process are stopped, or gone.
fn standing(pid: rustix::process::Pid) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut states = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    // The state stands behind the name, which is in brackets and may have some of its own.
    states.all(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X'])))
}

/// Waits for a process to end.
pub(crate) fn wait(child: &mut std::process::Child, longest: Duration) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + longest;
    loop {
        if let Some(status) = child.try_wait().expect("the process is ours") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
