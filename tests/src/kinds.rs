//! The kinds of content, each of which goes its own way between two nodes: one of each, ready to be moved either way through a wire that a test can hold, cut and spoil.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::transfer::{MIDWAY, Wired, hidden_in};
use crate::tree::{files_in, many, plant, same};
use crate::{Direction, Outcome, Running, eventually, random_bytes};

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file in chunks, over lanes.
    Large,
    /// A file in one chunk that is small enough to share the link with everything else.
    Small,
    /// A folder of small files, many of them in one blob.
    SmallTree,
    /// A folder with a file in parts, which resumes in its middle, behind small ones.
    LargeTree,
    /// A stream of unknown length: stored segment by segment in one direction, collected and verified before it is printed in the other.
    Pipe,
}

/// Bytes of a [`Kind::Small`]: less than the 16 KiB that share the link, and more than anything else that passes at a time.
const SMALL: u64 = 12 << 10;
/// What is in one piece if, and only if, it is contents: less than [`SMALL`], more than a greeting or a request.
pub const CONTENTS: usize = 8_000;

/// One way to move it.
pub struct Way {
    kind: Kind,
    /// What alice types.
    command: Vec<&'static str>,
    /// The folder in which it is.
    pub source: PathBuf,
    /// The folder in which it arrives under the same names, and in which it is hidden meanwhile.
    pub target: PathBuf,
    /// The folder in which it may be hidden too: that of the whole drive.
    root: PathBuf,
    /// Which way the contents pass the wire.
    pub contents: Direction,
}

/// A wire between alice and bob, and the two ways: she gets it, she puts it.
pub fn scene(kind: Kind) -> (Wired, [Way; 2]) {
    let wired = Wired::new("", "list,read,write");
    let (get, put): (&[&str], &[&str]) = match kind {
        Kind::Large | Kind::Small => (&["get", "bob:from/file", "to/"], &["put", "from/file", "bob:to/"]),
        Kind::SmallTree | Kind::LargeTree => (&["get", "-r", "bob:from/", "to"], &["put", "-r", "from/", "bob:to"]),
        Kind::Pipe => (&["get", "bob:from/file", "-"], &["put", "-", "bob:to/file"]),
    };
    let (here, there) = (wired.alice.scratch(), wired.bob.files());
    let get = Way { kind, command: get.to_vec(), source: there.join("from"), target: here.join("to"), root: here.clone(), contents: Direction::FromTarget };
    let put = Way { kind, command: put.to_vec(), source: here.join("from"), target: there.join("to"), root: there, contents: Direction::ToTarget };
    fs::create_dir(&get.target).unwrap();
    for way in [&get, &put] {
        match kind {
            Kind::Large => plant(&way.source.join("file"), 20 << 20, 0o644),
            Kind::Small => plant(&way.source.join("file"), SMALL, 0o644),
            Kind::SmallTree => drop(many(&way.source, 600, 5 << 10)),
            Kind::LargeTree => {
                many(&way.source.join("many"), 200, 1024);
                plant(&way.source.join("zlarge"), 20 << 20, 0o644);
            }
            Kind::Pipe => {
                fs::create_dir(&way.source).unwrap();
                // Lines of text, so that what is printed can be taken for what a command says.
                let lines: Vec<String> = random_bytes(6 << 20, 3).chunks(32).map(|line| data_encoding::HEXLOWER.encode(line)).collect();
                fs::write(way.source.join("file"), lines.join("\n")).unwrap();
            }
        }
    }
    (wired, [get, put])
}

impl Way {
    /// Whether alice receives.
    pub fn is_get(&self) -> bool {
        self.contents == Direction::FromTarget
    }

    /// Holds the wire in the middle of the contents that will pass.
    pub fn hold(&self, wired: &Wired) {
        match self.kind {
            Kind::Small => wired.proxy.hold_at(self.contents, CONTENTS),
            Kind::SmallTree => wired.proxy.hold_after(1 << 20),
            Kind::Large | Kind::LargeTree | Kind::Pipe => wired.proxy.hold_after(MIDWAY),
        }
    }

    /// Starts it. `policy` says what is to be done if the name is taken.
    pub fn start(&self, wired: &Wired, policy: &str) -> Running {
        let command = [&self.command[..], &["--on-conflict", policy]].concat();
        if self.kind != Kind::Pipe {
            return wired.alice.start(command);
        }
        let mut running = if self.is_get() { Running::start(&mut wired.alice.command(command)) } else { wired.alice.start(command) };
        let stdin = running.stdin.take();
        if let Some(mut stdin) = stdin.filter(|_| !self.is_get()) {
            let content = fs::read(self.source.join("file")).unwrap();
            // It ends with the command, which may do so before it has read everything.
            std::thread::spawn(move || drop(stdin.write_all(&content)));
        }
        running
    }

    /// Waits for the end of what was started, and puts what was printed where it belongs.
    pub fn end(&self, running: Running) -> Outcome {
        self.ended(running.end())
    }

    /// Puts what was printed where it belongs.
    ///
    /// # Panics
    /// If that is not possible.
    pub fn ended(&self, outcome: Outcome) -> Outcome {
        if self.kind == Kind::Pipe && self.is_get() && outcome.code == Some(0) {
            fs::write(self.target.join("file"), &outcome.bytes).unwrap();
        }
        outcome
    }

    /// Asserts that some of it is at the receiver and is not seen, and that not all of it is there.
    ///
    /// # Panics
    /// If it is not so.
    #[track_caller]
    pub fn midway(&self) {
        assert!(files_in(&self.target).len() < files_in(&self.source).len(), "it was stopped in the middle, and not behind the end");
        // What is printed is collected in another place.
        if self.kind != Kind::Pipe || !self.is_get() {
            eventually("something of it has begun to arrive", || (!self.hidden().is_empty()).then_some(()));
        }
    }

    /// Asserts that it is there, and the same.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn whole(&self) {
        if self.kind == Kind::Pipe {
            assert_eq!(crate::differ(&self.source.join("file"), &self.target.join("file")), None);
        } else {
            same(&self.source, &self.target, false);
        }
    }

    /// What is hidden at the receiver.
    pub fn hidden(&self) -> Vec<String> {
        hidden_in(&self.root)
    }

    /// Takes away what has arrived.
    ///
    /// # Panics
    /// If that is not possible.
    pub fn clear(&self) {
        drop(fs::remove_dir_all(&self.target));
        fs::create_dir(&self.target).unwrap();
    }
}
