//! A file of a tree that is written anew in place, after it was listed or while it is being sent: it fails by itself, or comes as it is now, and never as a mixture. Everything else comes.

use std::fs;
use std::path::{Path, PathBuf};

use transship_tests::kinds::CONTENTS;
use transship_tests::transfer::{Wired, hidden_in};
use transship_tests::tree::{files_in, plant, same, set_time};
use transship_tests::{Direction, Serving, differ};

const MIB: u64 = 1 << 20;

/// A tree each way, of these files, what is typed for it, and which way it passes.
fn scene(files: &[(&str, u64)]) -> (Wired, [([&'static str; 4], PathBuf, PathBuf, Direction); 2]) {
    let wired = Wired::new("", "list,read,write");
    let (here, there) = (wired.alice.scratch(), wired.bob.files());
    let get = (["get", "-r", "bob:from/", "to"], there.join("from"), here.join("to"), Direction::FromTarget);
    let put = (["put", "-r", "from/", "bob:to"], here.join("from"), there.join("to"), Direction::ToTarget);
    for (_, source, _, _) in [&get, &put] {
        for (name, size) in files {
            plant(&source.join(name), *size, 0o644);
        }
    }
    (wired, [get, put])
}

/// Writes a file anew in place: what the provider has open is this. It stands still meanwhile, so that it does not see a time in between.
fn write_anew(path: &Path, change: Change, provider: &Serving) {
    let modified = path.metadata().unwrap().modified().unwrap();
    let mut content = fs::read(path).unwrap();
    content.iter_mut().for_each(|byte| *byte ^= 0xff);
    if change == Change::Shorter {
        content.truncate(content.len() / 2);
    }
    provider.signal("STOP");
    fs::write(path, content).unwrap();
    if change == Change::Unseen {
        set_time(path, modified);
    }
    provider.signal("CONT");
}

/// Moves the tree both ways, and writes `name` anew when `begun` says so; then moves it again.
fn rewritten(files: &[(&str, u64)], name: &str, (begun, options): When, change: Change) {
    let (wired, ways) = scene(files);
    let alice_serves = wired.alice.serve();
    for (command, source, target, direction) in &ways {
        begun(&wired, *direction);
        let running = wired.alice.start([&command[..], options].concat());
        wired.proxy.held();
        assert!(!target.join(name).exists(), "it was in the middle");
        let provider = if *direction == Direction::FromTarget { wired.bob_serves.as_ref().unwrap() } else { &alice_serves };
        write_anew(&source.join(name), change, provider);
        wired.proxy.release();
        let outcome = running.end();
        let said = format!("{command:?}: {}\n{}", outcome.stdout, outcome.stderr);
        let done = outcome.json().into_iter().rfind(|event| event["event"] == "done").unwrap_or_else(|| panic!("it ended as a whole: {said}"));
        let failures = done["tree"]["failures"].as_array().unwrap();
        match outcome.code {
            Some(0) => assert_eq!(differ(&source.join(name), &target.join(name)), None),
            Some(23) => {
                assert_eq!((failures.len(), &failures[0]["name"]), (1, &name.into()), "{said}");
                assert!(["changed", "digest-mismatch"].contains(&failures[0]["error"].as_str().unwrap()), "{said}");
                assert!(!target.join(name).exists(), "{said}");
            }
            _ => panic!("{said}"),
        }
        for path in files_in(source).into_keys().filter(|path| path.to_str() != Some(name)) {
            assert_eq!(differ(&source.join(&path), &target.join(&path)), None, "{said}");
        }
        wired.alice.settled();
        wired.bob.settled();
        assert_eq!(hidden_in(target), Vec::<String>::new());
        wired.alice.run([&command[..], &["--on-conflict", "overwrite"]].concat()).ok();
        same(source, target, false);
        assert_eq!(hidden_in(target), Vec::<String>::new());
    }
}

/// What is written instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Other bytes.
    Other,
    /// Other bytes, and half as many.
    Shorter,
    /// Other bytes, and the time is set back: only the digests tell.
    Unseen,
}

/// When to write it, and what else is typed.
type When = (fn(&Wired, Direction), &'static [&'static str]);

/// All is listed, and no more was asked for than a window has at first.
const LISTED: When = (hold_first, &[]);
/// Some of the large file is there, and the sender has answered for parts that it has not read: more than one connection and the wire take.
const IN_THE_MIDDLE: When = (hold_later, &["--streams", "1", "--window", "64"]);

fn hold_first(wired: &Wired, direction: Direction) {
    wired.proxy.hold_at(direction, CONTENTS);
}

fn hold_later(wired: &Wired, _: Direction) {
    wired.proxy.hold_after(24 * MIB);
}

const SMALL: [(&str, u64); 3] = [("a", 5000), ("b/c", 70_000), ("zz", 6000)];

#[test]
fn between_being_listed_and_being_read_in_parts() {
    let files = [("a1", 3 * MIB), ("a2", 3 * MIB), ("a3", 3 * MIB), ("a4", 3 * MIB), ("a5", 3 * MIB), ("last", 3 * MIB)];
    for change in [Change::Other, Change::Shorter] {
        rewritten(&files, "last", LISTED, change);
    }
}

#[test]
fn in_the_middle_of_a_large_file_with_other_bytes() {
    rewritten(&[&SMALL[..], &[("large", 64 * MIB), ("next", 3 * MIB)]].concat(), "large", IN_THE_MIDDLE, Change::Other);
}

#[test]
fn in_the_middle_of_a_large_file_that_becomes_shorter() {
    rewritten(&[&SMALL[..], &[("large", 64 * MIB), ("next", 3 * MIB)]].concat(), "large", IN_THE_MIDDLE, Change::Shorter);
}

#[test]
fn in_the_middle_of_a_large_file_whose_time_does_not_tell() {
    rewritten(&[&SMALL[..], &[("large", 64 * MIB), ("next", 3 * MIB)]].concat(), "large", IN_THE_MIDDLE, Change::Unseen);
}
