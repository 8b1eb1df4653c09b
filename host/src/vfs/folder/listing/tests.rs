//! Pages of directories with more entries than a page has: what they say, how often a directory is read for them, what is kept meanwhile.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use tempfile::TempDir;

use super::*;
use crate::rights::Rights;
use crate::vfs::folder::Folder;
use crate::vfs::lent::Lent;
use crate::vfs::{Directory, Drive, PERMISSIONS};

/// What a name of [`some`] takes in memory.
const COST: usize = 6 + crate::vfs::folder::names::PLACE;

/// A drive with a folder `d` that keeps so many bytes of names.
struct Fixture {
    folder: TempDir,
    drive: Drive,
    ahead: Arc<ReadAhead>,
}

impl Fixture {
    fn new(bytes: usize, lent: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        let at = if lent.is_some() { folder.path().join("d") } else { folder.path().into() };
        let (root, ahead) = Folder::open_ambient(&at).unwrap().reading_ahead(bytes);
        Self { drive: Drive::new("p:q/folder", root, lent.map(|name| Lent::new(name).unwrap()), None), folder, ahead }
    }

    fn d(&self) -> std::path::PathBuf {
        self.folder.path().join("d")
    }

    /// A page of `d`, with a handle of its own.
    fn page(&self, after: Option<&str>, limit: u32) -> DirectoryPage {
        self.open("d").entries(after, limit).unwrap()
    }

    fn open(&self, name: &str) -> Directory {
        self.drive.root(Rights::ALL).open_directory(name, false).unwrap()
    }

    /// The names of the pages that follow, by a reader who asks until there are no more.
    fn rest(&self, after: Option<&str>, limit: u32) -> Vec<String> {
        let mut reader = Reading { after: after.map(String::from), seen: Vec::new() };
        while reader.step(self, limit) {}
        reader.seen
    }

    fn scans(&self) -> usize {
        self.ahead.scans.swap(0, Ordering::Relaxed)
    }
}

/// One who reads `d` page by page.
struct Reading {
    after: Option<String>,
    seen: Vec<String>,
}

impl Reading {
    /// One page more. False: it was the last.
    fn step(&mut self, fixture: &Fixture, limit: u32) -> bool {
        let page = fixture.page(self.after.as_deref(), limit);
        assert!(page.entries.len() <= limit as usize && (page.entries.len() == limit as usize || !page.more));
        assert!(self.after.is_none() || page.unnamed.is_empty());
        self.seen.extend(page.entries.into_iter().map(|entry| entry.name));
        self.after = self.seen.last().cloned();
        page.more
    }
}

/// So many names, in order.
fn some(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("f{number:05}")).collect()
}

/// Makes files, in another order than that of their names.
fn fill<'a>(folder: &Path, names: impl IntoIterator<Item = &'a String>) {
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort_by_key(|name| name.bytes().rev().collect::<Vec<_>>());
    names.iter().for_each(|name| fs::write(folder.join(name), "x").unwrap());
    settle(folder);
}

/// Waits until the folder's last change is long enough ago.
fn settle(folder: &Path) {
    let handle = Dir::open_ambient_dir(folder, ambient_authority()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !Stamp::of(&handle).unwrap().settled(SystemTime::now()) {
        assert!(Instant::now() < deadline, "its times are of the future");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pages_have_all_names_once_and_in_order_however_much_is_read_ahead() {
    for bytes in [0, 50 * COST, 300 * COST, 1 << 20] {
        let fixture = Fixture::new(bytes, None);
        let mut names = some(1000);
        names.extend(["\u{e9}", "\u{fc}x", "A"].map(String::from));
        names.sort_unstable();
        fill(&fixture.d(), names.iter().filter(|name| *name != "\u{fc}x"));
        fs::write(fixture.d().join("u\u{308}x"), "other spelling").unwrap();
        fs::write(fixture.d().join("a\nb"), "no name").unwrap();
        settle(&fixture.d());
        assert_eq!(fixture.page(None, 10).unnamed, ["a\\nb"]);
        assert!(fixture.page(Some("A"), 10).unnamed.is_empty());
        for limit in [7, 100, 400, 1002, 1003, 2000] {
            assert_eq!(fixture.rest(None, limit), names, "{bytes} bytes, pages of {limit}");
            assert_eq!(fixture.ahead.kept(), 0, "at the end nothing is kept");
            assert_eq!(fixture.rest(Some("f00499"), limit), names[501..], "{bytes} bytes, pages of {limit}");
        }
    }
}

#[test]
fn a_directory_is_read_once_for_all_that_is_kept_and_no_more_than_that_is_kept() {
    let names = some(1000);
    for (kept, limit, scans) in [(1000, 10, 1), (1001, 10, 1), (250, 10, 5), (500, 100, 3), (0, 100, 10), (100, 100, 10)] {
        let fixture = Fixture::new(kept * COST, None);
        fill(&fixture.d(), &names);
        let mut reader = Reading { after: None, seen: Vec::new() };
        while reader.step(&fixture, limit) {
            assert!(fixture.ahead.kept() <= 2 * kept * COST, "{} bytes", fixture.ahead.kept());
        }
        assert_eq!(reader.seen, names);
        assert_eq!(fixture.scans(), scans, "{kept} names kept, pages of {limit}");
    }
}

#[test]
fn a_directory_of_one_page_leaves_nothing() {
    let fixture = Fixture::new(1 << 20, None);
    fill(&fixture.d(), &some(10));
    assert_eq!(fixture.page(None, 10).entries.len(), 10);
    assert_eq!((fixture.ahead.kept(), fixture.scans()), (0, 1));
    assert!(fixture.page(None, 9).more);
    assert_eq!((fixture.ahead.kept(), fixture.scans()), (10 * COST, 1));
}

#[test]
fn what_changes_between_pages_shows_in_those_that_follow() {
    let fixture = Fixture::new(1 << 20, None);
    let mut names = some(100);
    fill(&fixture.d(), &names);
    let first = fixture.page(None, 10);
    assert!(first.more && fixture.ahead.kept() > 0);

    fs::write(fixture.d().join("f00050x"), "new").unwrap();
    assert_eq!(fixture.rest(Some("f00009"), 10), [&names[10..51], &["f00050x".to_string()], &names[51..]].concat());
    fs::remove_file(fixture.d().join("f00050x")).unwrap();
    settle(&fixture.d());

    fixture.page(None, 10);
    fs::remove_file(fixture.d().join("f00070")).unwrap();
    assert_eq!(fixture.rest(Some("f00009"), 10), [&names[10..70], &names[71..]].concat());
    names.remove(70);
    settle(&fixture.d());

    fixture.page(None, 10);
    fs::rename(fixture.d().join("f00020"), fixture.d().join("f00080x")).unwrap();
    assert_eq!(fixture.rest(Some("f00009"), 10), [&names[10..20], &names[21..80], &["f00080x".to_string()], &names[80..]].concat());
    settle(&fixture.d());

    // Another folder of that name.
    fixture.page(None, 10);
    fs::rename(fixture.d(), fixture.folder.path().join("old")).unwrap();
    fs::create_dir(fixture.d()).unwrap();
    fill(&fixture.d(), &["g1".to_string()]);
    assert_eq!(fixture.rest(Some("f00009"), 10), ["g1"]);
}

#[test]
fn what_is_known_of_an_entry_is_never_old() {
    use std::os::unix::fs::PermissionsExt;

    let fixture = Fixture::new(1 << 20, None);
    fill(&fixture.d(), &some(100));
    fixture.page(None, 10);
    fs::write(fixture.d().join("f00010"), "longer").unwrap();
    fs::set_permissions(fixture.d().join("f00010"), fs::Permissions::from_mode(0o604)).unwrap();
    let next = fixture.page(Some("f00009"), 10);
    assert_eq!((next.entries[0].metadata.size, next.entries[0].metadata.permissions & PERMISSIONS), (6, 0o604));
    assert_eq!(fixture.scans(), 1, "the names are as they were");
}

#[test]
fn readers_at_different_places_do_not_disturb_each_other() {
    let fixture = Fixture::new(200 * COST, None);
    let names = some(1000);
    fill(&fixture.d(), &names);
    let mut readers = [None, Some("f00699"), Some("f00299")].map(|after| Reading { after: after.map(String::from), seen: Vec::new() });
    let mut open = [true; 3];
    while open.contains(&true) {
        for ((reader, open), limit) in readers.iter_mut().zip(&mut open).zip([9, 10, 11]) {
            *open = *open && reader.step(&fixture, limit);
            assert!(fixture.ahead.kept() <= 400 * COST);
        }
    }
    assert_eq!(readers.each_ref().map(|reader| reader.seen.as_slice()), [&names[..], &names[700..], &names[300..]]);
    assert_eq!(fixture.ahead.kept(), 0);

    // Two of them have room.
    fixture.scans();
    let mut readers = [None, Some("f00499")].map(|after| Reading { after: after.map(String::from), seen: Vec::new() });
    for _ in 0..19 {
        readers.iter_mut().for_each(|reader| assert!(reader.step(&fixture, 10)));
    }
    assert_eq!(readers.map(|reader| reader.seen), [names[..190].to_vec(), names[500..690].to_vec()]);
    assert_eq!(fixture.scans(), 2);
}

#[test]
fn of_many_directories_those_read_last_are_known() {
    let fixture = Fixture::new(1000 * COST, None);
    let folders = some(40);
    for name in &folders {
        let folder = fixture.d().join(name);
        fs::create_dir(&folder).unwrap();
        some(100).iter().for_each(|name| fs::write(folder.join(name), "x").unwrap());
    }
    settle(&fixture.d().join(&folders[39]));
    let next = |folder: &str, after: Option<&str>| {
        let page = fixture.open(&format!("d/{folder}")).entries(after, 10).unwrap();
        assert!(page.more && page.entries.len() == 10);
        assert!(fixture.ahead.kept() <= 2000 * COST);
        fixture.scans()
    };
    for name in &folders {
        assert_eq!(next(name, None), 1);
    }
    assert_eq!(next(&folders[39], Some("f00009")), 0);
    assert_eq!(next(&folders[30], Some("f00009")), 0);
    assert_eq!(next(&folders[0], Some("f00009")), 1);
}

#[test]
fn who_is_lent_one_name_sees_that_and_what_belongs_to_it() {
    let fixture = Fixture::new(1 << 20, Some("f00500"));
    let mut names = some(1000);
    names.extend((0..50).map(|number| format!(".transship-{number:02}")));
    fill(&fixture.d(), &names);
    let all = |rights| {
        let (root, mut seen, mut more) = (fixture.drive.root(rights), Vec::<String>::new(), true);
        while more {
            let page = root.entries(seen.last().map(String::as_str), 9).unwrap();
            seen.extend(page.entries.into_iter().map(|entry| entry.name));
            more = page.more;
        }
        seen
    };
    let only_list = Rights { list: true, ..Rights::NONE };
    names.sort_unstable();
    let writer = [&names[..50], &["f00500".to_string()]].concat();
    assert_eq!((all(Rights::ALL), all(only_list)), (writer.clone(), vec!["f00500".to_string()]));

    // Where all is shown to who may write, names are read ahead, and another who asks for what follows sees no more than before.
    some(1000).iter().filter(|name| *name != "f00500").for_each(|name| fs::remove_file(fixture.d().join(name)).unwrap());
    settle(&fixture.d());
    fixture.drive.root(Rights::ALL).entries(None, 9).unwrap();
    assert!(fixture.ahead.kept() > 0);
    fixture.scans();
    let page = fixture.drive.root(only_list).entries(Some(".transship-20"), 9).unwrap();
    assert_eq!((page.entries.len(), page.entries[0].name.as_str(), page.more, fixture.scans()), (1, "f00500", false, 0));
    assert_eq!((all(Rights::ALL), all(only_list)), (writer, vec!["f00500".to_string()]));
}
