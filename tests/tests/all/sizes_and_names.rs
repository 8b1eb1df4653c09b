//! Files of every size and name arrive identical, by `get` and by `put`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use transship_tests::machine::memory;
use transship_tests::transfer::names_in;
use transship_tests::{Home, differ, pair, random_bytes, random_file, sparse_file};

const CHUNK: u64 = 1 << 20;

/// Moves a file of bob's to alice and back under another name.
fn there_and_back(alice: &Home, bob: &Home, name: &str) {
    let here = alice.scratch().join("here");
    alice.run(["get", &format!("bob:{name}"), "here", "--on-conflict", "overwrite"]).ok();
    assert_eq!(differ(&bob.file(name), &here), None);
    alice.run(["put", "here", "bob:back", "--on-conflict", "overwrite"]).ok();
    assert_eq!(differ(&bob.file(name), &bob.file("back")), None);
}

#[test]
fn files_from_nothing_to_100_mib_arrive_identical() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 1, 7_654_321, 100 * CHUNK] {
        random_file(&bob.file("file"), size);
        there_and_back(&alice, &bob, "file");
    }
}

/// What a file takes on the disk, in bytes.
fn taken(path: &Path) -> u64 {
    path.metadata().unwrap().blocks() * 512
}

/// Bytes free where tests put their files.
fn free(path: &Path) -> u64 {
    let system = rustix::fs::statvfs(path).unwrap();
    system.f_bavail * system.f_frsize
}

#[test]
fn a_file_of_4_gib_and_a_byte_arrives_identical_and_the_memory_of_both_nodes_stays_bounded() {
    let ((alice, alice_serves), (bob, bob_serves)) = pair("", "list,read,write");
    let size = (4 << 30) + 1;
    assert!(free(alice.path()) > size + (1 << 30), "5 GiB are needed in {}: name another folder with TMPDIR", alice.path().display());
    sparse_file(&bob.file("large"), size);
    let here = alice.scratch().join("here");
    alice.run(["get", "bob:large", "here", "--digest", "blake3"]).ok();
    assert_eq!(differ(&bob.file("large"), &here), None);
    assert!(taken(&here) < size / 16, "a sparse file stays one, and this takes {} bytes of the disk", taken(&here));
    fs::remove_file(&here).unwrap();
    for serving in [alice_serves, bob_serves] {
        let peak = memory(serving.pid(), "VmHWM");
        assert!(peak < 400 << 20, "a node had {peak} bytes at its peak");
    }
}

#[test]
fn a_file_of_4_gib_and_a_byte_can_be_put() {
    let ((alice, _a), (bob, bob_serves)) = pair("", "list,read,write");
    let size = (4 << 30) + 1;
    assert!(free(alice.path()) > size + (1 << 30), "5 GiB are needed in {}: name another folder with TMPDIR", alice.path().display());
    sparse_file(&alice.scratch().join("large"), size);
    // The default digest takes a minute of a processor without instructions for it; `memory` and `files_from_nothing` have it.
    alice.run(["put", "large", "bob:", "--digest", "blake3"]).ok();
    assert_eq!(differ(&alice.scratch().join("large"), &bob.file("large")), None);
    let peak = memory(bob_serves.pid(), "VmHWM");
    assert!(peak < 400 << 20, "the node had {peak} bytes at its peak");
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "plain",
        "with space",
        " leading and trailing ",
        "a;b;c",
        "ünïcödé",
        "名前.txt",
        "🚢",
        "a:b",
        "--help",
        "-",
        "..x",
        "x..",
        ".hidden",
        "%2e%2e",
        "$HOME",
        "*?[x]",
        "'\"`",
        "a=b&c",
        "~",
        "#1",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("x".repeat(255));
    names.push("名".repeat(85));
    names.push(format!("{}.{}", "ü".repeat(100), "y".repeat(54)));
    names
}

#[test]
fn names_of_all_kinds_arrive_as_they_are() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for (number, name) in names().iter().enumerate() {
        let content = random_bytes(1_000 + number as u64, number as u64);
        fs::write(alice.scratch().join("source"), &content).unwrap();
        let place = format!("bob:folder/{name}");
        alice.run(["put", "source", &place]).ok();
        assert_eq!(fs::read(bob.file("folder").join(name)).unwrap(), content, "{name}");
        let folder = alice.scratch().join("got");
        fs::create_dir_all(&folder).unwrap();
        alice.run(["get", &place, folder.to_str().unwrap()]).ok();
        assert_eq!(fs::read(folder.join(name)).unwrap(), content, "{name}");
    }
    let mut expected = names();
    expected.sort();
    assert_eq!(names_in(&bob.file("folder")), expected);
    let listed: Vec<String> = alice.run_json(["list", "bob"]).ok().json().iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, expected.iter().map(|name| format!("folder/{name}")).collect::<Vec<_>>());
}

#[test]
fn both_forms_of_a_letter_with_an_accent_are_the_same_name() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    fs::write(alice.scratch().join(decomposed), "1").unwrap();
    alice.run(["put", decomposed, "bob:"]).ok();
    assert_eq!(bob.names(), [composed]);
    alice.run_json(["put", decomposed, "bob:"]).fails("conflict", 7);
    for name in [composed, decomposed] {
        assert_eq!(alice.run(["get", &format!("bob:{name}"), "-"]).ok().stdout, "1");
    }
    // A file that the system keeps under the other form is listed and can be fetched all the same.
    fs::write(bob.file("the\u{301}"), "2").unwrap();
    let listed: Vec<String> = alice.run_json(["list", "bob"]).ok().json().iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, [composed, "th\u{e9}"]);
    assert_eq!(alice.run(["get", "bob:th\u{e9}", "-"]).ok().stdout, "2");
}

#[test]
fn folders_are_made_as_they_are_needed() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    fs::write(alice.scratch().join("file"), "1").unwrap();
    let deep = (0..20).map(|level| format!("level {level}")).collect::<Vec<_>>().join("/");
    for (typed, expected) in [("a/b", "a/b"), ("a/c/", "a/c/file"), (&format!("{deep}/x"), &*format!("{deep}/x"))] {
        alice.run(["put", "file", &format!("bob:{typed}")]).ok();
        assert_eq!(fs::read_to_string(bob.file(expected)).unwrap(), "1", "{typed}");
    }
    // A get puts it where it is told, without the folders that it has over there.
    alice.run(["get", "bob:a/b", "."]).ok();
    assert_eq!(names_in(&alice.scratch()), ["b", "file"]);
}

#[test]
fn time_and_mode_of_a_file_come_along() {
    use std::os::unix::fs::PermissionsExt;
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let file = bob.file("script");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let modified = std::time::UNIX_EPOCH + std::time::Duration::new(1_500_000_000, 123_456_789);
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    alice.run(["get", "bob:script"]).ok();
    let metadata = fs::metadata(alice.scratch().join("script")).unwrap();
    assert_eq!(metadata.modified().unwrap(), modified);
    assert_eq!(metadata.permissions().mode() & 0o100, 0o100);
}
