//! Transfers that are cut off in the middle, one each way.

use std::path::PathBuf;

use crate::transfer::{Wired, hidden_in, safe_on_disk};
use crate::{Outcome, Running, differ, random_file};

/// How large the files are.
pub const SIZE: u64 = 40 << 20;
/// What passes before the wire is held.
pub const PART: u64 = 16 << 20;

/// Nodes with a file on either side, and where each would arrive.
pub struct Scene {
    /// Alice, bob and the wire.
    pub wired: Wired,
    /// Alice gets bob's file.
    pub get: Move,
    /// Alice puts hers.
    pub put: Move,
}

/// One way to move the file.
pub struct Move {
    arguments: [&'static str; 2],
    /// The file.
    pub from: PathBuf,
    /// Where it arrives.
    pub folder: PathBuf,
}

impl Move {
    /// What arrives.
    pub fn to(&self) -> PathBuf {
        self.folder.join(self.from.file_name().unwrap())
    }

    /// Starts it, and waits until the wire is held and some of what got through is safe on the receiver's disk.
    pub fn part(&self, wired: &Wired) -> Running {
        wired.proxy.hold_after(PART);
        let running = wired.alice.start(self.command());
        wired.proxy.held();
        safe_on_disk(&self.folder, 1);
        running
    }

    /// Whether alice receives.
    pub fn is_get(&self) -> bool {
        self.arguments[0] == "get"
    }

    /// What alice has to type.
    pub fn command(&self) -> Vec<&'static str> {
        let place: &[&str] = if self.is_get() { &[] } else { &["bob:"] };
        [&self.arguments[..], place].concat()
    }

    /// It was resumed and is whole.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn check(&self, outcome: Outcome, at_least: u64) {
        let done = outcome.ok().event("done");
        let resumed = done["resumed"].as_u64().unwrap();
        assert!(resumed >= at_least && resumed < SIZE, "{resumed} of {SIZE} bytes were there already, and at least {at_least} were safe");
        self.check_whole();
    }

    /// It is whole, and nothing is left beside it.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn check_whole(&self) {
        assert_eq!(differ(&self.from, &self.to()), None);
        assert_eq!(hidden_in(&self.folder), Vec::<String>::new());
    }
}

/// Alice runs her node in her commands, bob serves.
pub fn scene() -> Scene {
    let wired = Wired::new("", "list,read,write");
    let (get, put) = (wired.bob.file("theirs"), wired.alice.scratch().join("ours"));
    random_file(&get, SIZE);
    random_file(&put, SIZE);
    let get = Move { arguments: ["get", "bob:theirs"], from: get, folder: wired.alice.scratch() };
    let put = Move { arguments: ["put", "ours"], from: put, folder: wired.bob.files() };
    Scene { wired, get, put }
}
