//! Folders to move, and whether they arrived.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::transfer::HIDDEN;
use crate::{random_file, sha256_hex};

const MIB: u64 = 1 << 20;

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A folder, with its mode and time.
    Folder(u32, SystemTime),
    /// A file, with its mode and time, its length and what it holds.
    File(u32, SystemTime, u64, String),
    /// A link, with what it says.
    Link(PathBuf),
}

/// All that is in a folder, by its path there. What is hidden while it arrives is left out.
///
/// # Panics
/// If the folder can't be read.
pub fn all_in(folder: &Path) -> BTreeMap<PathBuf, Thing> {
    let mut all = BTreeMap::new();
    walk(folder, &mut |path, metadata| {
        let mode = metadata.permissions().mode() & 0o777;
        let thing = if metadata.is_symlink() {
            Thing::Link(fs::read_link(path).unwrap())
        } else if metadata.is_dir() {
            Thing::Folder(mode, metadata.modified().unwrap())
        } else if metadata.is_file() {
            Thing::File(mode, metadata.modified().unwrap(), metadata.len(), sha256_hex(path))
        } else {
            return;
        };
        all.insert(path.strip_prefix(folder).unwrap().to_owned(), thing);
    });
    all
}

/// The files in a folder and below, with their sizes; what is hidden while it arrives is left out, and so is what vanishes while it is looked at.
pub fn files_in(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut files = BTreeMap::new();
    walk(folder, &mut |path, metadata| {
        if metadata.is_file() {
            files.insert(path.strip_prefix(folder).unwrap().to_owned(), metadata.len());
        }
    });
    files
}

fn walk(folder: &Path, each: &mut impl FnMut(&Path, &Metadata)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map_while(Result::ok) {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if entry.file_name().to_string_lossy().starts_with(HIDDEN) {
            continue;
        }
        each(&path, &metadata);
        if metadata.is_dir() {
            walk(&path, each);
        }
    }
}

/// Asserts that a folder has what another has, and nothing else: contents, times and modes of files, folders, links. Times and modes of folders are compared if so wished.
///
/// # Panics
/// If they differ, with the first differences.
#[track_caller]
pub fn same(from: &Path, to: &Path, folders: bool) {
    let plain = |mut all: BTreeMap<PathBuf, Thing>| {
        if !folders {
            all.values_mut().for_each(|thing| {
                if let Thing::Folder(..) = thing {
                    *thing = Thing::Folder(0, UNIX_EPOCH)
                }
            });
        }
        all
    };
    let (from, to) = (plain(all_in(from)), plain(all_in(to)));
    let differing = from.keys().chain(to.keys()).filter(|path| from.get(*path) != to.get(*path));
    let first: Vec<String> = differing.take(5).map(|path| format!("{}: {:?} became {:?}", path.display(), from.get(path), to.get(path))).collect();
    assert!(first.is_empty(), "{}", first.join("\n"));
}

/// Makes a file of so many bytes that look random, with a time and a mode of its own.
pub fn plant(path: &Path, length: u64, mode: u32) {
    random_file(path, length);
    // Each another one, with nanoseconds.
    let modified = UNIX_EPOCH + Duration::new(1_500_000_000 + length, 123_456_789);
    set_time(path, modified);
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Sets the time of a file or a folder.
pub fn set_time(path: &Path, modified: SystemTime) {
    // A folder can be opened to be read only.
    File::open(path).unwrap().set_modified(modified).unwrap();
}

/// Makes another folder in this one, nested, with files and names of all kinds; returns it. One of its files has 40 MiB.
pub fn everything(folder: &Path) -> PathBuf {
    let root = folder.join("photos");
    for (name, length, mode) in [
        ("empty", 0, 0o644),
        ("one", 1, 0o600),
        ("a/under", MIB - 1, 0o644),
        ("a/exact", MIB, 0o444),
        ("a/over", MIB + 1, 0o755),
        ("a/b/c/d/e/f/deep", 5000, 0o640),
        ("large", 40 * MIB, 0o644),
        ("with space/ leading and trailing ", 11, 0o644),
        ("a;b;c", 12, 0o644),
        ("ünïcödé/名前.txt", 13, 0o644),
        ("🚢", 14, 0o644),
        ("-r", 15, 0o644),
        (".hidden/.file", 16, 0o644),
        ("$HOME/*?[x]!#~", 17, 0o700),
        ("..x/x..", 18, 0o644),
    ] {
        plant(&root.join(name), length, mode);
    }
    plant(&root.join("x".repeat(255)), 19, 0o644);
    plant(&root.join("名".repeat(85)).join("y".repeat(255)), 20, 0o644);
    for folder in ["nothing", "a/nothing either", "nothing/in/here"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    // From the leaves up: what is made in a folder changes its time.
    let folders: Vec<PathBuf> = all_in(&root).into_iter().filter(|(_, thing)| matches!(thing, Thing::Folder(..))).map(|(path, _)| root.join(path)).collect();
    for (number, path) in folders.iter().enumerate().rev() {
        fs::set_permissions(path, Permissions::from_mode(if number % 2 == 0 { 0o755 } else { 0o750 })).unwrap();
        set_time(path, UNIX_EPOCH + Duration::new(1_400_000_000 + number as u64, 987_654_321));
    }
    root
}

/// Makes so many files of so many bytes in nested folders of a hundred each; returns how many bytes there are.
pub fn many(root: &Path, count: u64, length: u64) -> u64 {
    let content = crate::random_bytes(length + count, 7);
    let length = usize::try_from(length).unwrap();
    for number in 0..count {
        let folder = root.join(format!("{}/{}", number / 1000, number / 100 % 10));
        if number % 100 == 0 {
            fs::create_dir_all(&folder).unwrap();
        }
        // Each another content.
        let from = usize::try_from(number).unwrap();
        fs::write(folder.join(format!("file {number}")), &content[from..from + length]).unwrap();
    }
    length as u64 * count
}

/// Looks through a folder that something arrives in: all that is seen there under its name is whole. For [`crate::meanwhile`]; each file is read once.
#[derive(Default)]
pub struct Watch {
    seen: BTreeMap<PathBuf, (u64, u64)>,
}

impl Watch {
    /// Looks once more.
    ///
    /// # Panics
    /// If there is a file that is not as it is at the source.
    pub fn look(&mut self, source: &Path, target: &Path) {
        for path in files_in(target).into_keys() {
            let Ok(metadata) = fs::metadata(target.join(&path)) else { continue };
            let version = (metadata.ino(), metadata.len());
            if self.seen.insert(path.clone(), version) != Some(version) {
                assert_eq!(crate::differ(&source.join(&path), &target.join(&path)), None, "{} is seen before it is whole", path.display());
            }
        }
        // The nodes need the machine more.
        std::thread::sleep(Duration::from_millis(20));
    }

    /// How many files were seen.
    pub fn count(&self) -> usize {
        self.seen.len()
    }
}
