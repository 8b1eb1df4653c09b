//! Contents known by their digests: listed, asked for, verified. What is not what was sent is found.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::json;
use transship_tests::transfer::{LONG, MIDWAY, Wired, hidden_in, journal_ranges, names_in, partial_in, safe_on_disk};
use transship_tests::{Direction, differ, eventually, pair, random_file, sha256_hex, sha256_of};

/// Contents of RFC 1321, appendix A.5, with their MD5.
const MD5: [(&str, &str); 3] =
    [("", "d41d8cd98f00b204e9800998ecf8427e"), ("abc", "900150983cd24fb0d6963f7d28e17f72"), ("message digest", "f96b697d7cb7938d525a2f31aaf161d0")];

fn md5(index: usize) -> &'static str {
    MD5[index].1
}

fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn an_empty_list_says_so_in_words() {
    let ((alice, _a), (_bob, _b)) = pair("", "list");
    assert_eq!(alice.run(["list"]).ok().stdout, "no files on alice\n");
    assert_eq!(alice.run(["list", "bob"]).ok().stdout, "no files on bob\n");
    assert_eq!(alice.run(["list", "bob", "--prefix", "x"]).ok().stdout, "no files on bob that begin with 'x'\n");
}

#[test]
fn a_list_gives_id_name_and_size_of_each_content() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read");
    let names = ["a;b;1", "empty", "plain"];
    for (index, (content, _)) in [MD5[1], MD5[0], MD5[2]].iter().enumerate() {
        fs::write(bob.file(names[index]), content).unwrap();
    }
    let list = |algorithm: &str| -> Vec<(String, String, u64)> {
        let lines = alice.run(["list", "bob", "--digest", algorithm, "--json"]).ok().json();
        lines.iter().map(|line| (line["id"].as_str().unwrap().into(), line["name"].as_str().unwrap().into(), line["size"].as_u64().unwrap())).collect()
    };
    let line = |id: &str, name: &str, size| (id.to_owned(), name.to_owned(), size);
    assert_eq!(list("md5"), [line(md5(1), "a;b;1", 3), line(md5(0), "empty", 0), line(md5(2), "plain", 14)]);
    assert_eq!(list("sha256"), [line(&sha256_of(b"abc"), "a;b;1", 3), line(&sha256_of(b""), "empty", 0), line(&sha256_of(b"message digest"), "plain", 14)]);
    let text = alice.run(["list", "bob", "--digest", "md5"]).ok().stdout;
    assert!(text.lines().next().unwrap().starts_with(md5(1)) && text.lines().next().unwrap().ends_with("a;b;1"), "{text}");
}

#[test]
fn a_file_is_fetched_by_the_digest_of_its_content() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read");
    fs::create_dir_all(bob.file("folder")).unwrap();
    fs::write(bob.file("folder/plain; text"), "message digest").unwrap();
    fs::write(bob.file("other"), "abc").unwrap();
    for (number, id) in [sha256_of(b"message digest"), md5(2).to_owned(), sha256_of(b"message digest").to_uppercase()].iter().enumerate() {
        let folder = alice.scratch().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        alice.run(["get", "--id", &format!("bob:{id}"), folder.to_str().unwrap()]).ok();
        assert_eq!(names_in(&folder), ["plain; text"], "{id}");
        assert_eq!(fs::read_to_string(folder.join("plain; text")).unwrap(), "message digest");
        assert_eq!(alice.run(["get", "--id", &format!("bob:{id}"), "-"]).ok().stdout, "message digest");
    }
    for id in [sha256_of(b"nothing of bob's"), "0".repeat(32)] {
        alice.run_json(["get", "--id", &format!("bob:{id}")]).fails("not-found", 3);
        alice.run_json(["get", "--id", &format!("bob:{id}"), "named"]).fails("not-found", 3);
    }
    alice.run(["get", "--id", "bob:no-digest"]).code(2);
}

#[test]
fn names_may_have_semicolons_and_content_any_marker() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let markers: [(&str, &[u8]); 5] = [
        ("a;b;c", b"id;name;size\n;;;\n"),
        ("SUCCESS", b"Success"),
        ("END;5", b"\0\0END\0EOF\r\n.\r\n--boundary--\r\n\x04\x1a\xff\xfe"),
        (";", b"{\"failed\":{\"not-found\":\"x\"}}\n\n\"finished\""),
        ("FAIL;", b"Fail\n"),
    ];
    for (name, content) in markers {
        fs::write(alice.scratch().join(name), content).unwrap();
        alice.run(["put", name, "bob:"]).ok();
        assert_eq!(fs::read(bob.file(name)).unwrap(), content, "{name}");
        assert_eq!(alice.run(["get", &format!("bob:{name}"), "-"]).ok().bytes, content, "{name}");
    }
    let mut names = markers.map(|(name, _)| name);
    names.sort_unstable();
    assert_eq!(bob.names(), names);
}

/// Starts a transfer whose content is changed where it is, with size and time as before, after its digest has been told.
fn changed_under_way(get: bool, digest: &str) {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, bob_serves } = &wired;
    let (alice_serves, bob_serves) = (alice.serve(), bob_serves.as_ref().unwrap());
    let (file, folder, provider) = if get { (bob.file("file"), alice.scratch(), bob_serves) } else { (alice.file("file"), bob.files(), &alice_serves) };
    random_file(&file, LONG);
    let modified = file.metadata().unwrap().modified().unwrap();
    let arguments = if get { ["get", "bob:file"] } else { ["put", file.to_str().unwrap()] };
    let command = [&arguments[..], if get { &[] } else { &["bob:"] }].concat();
    proxy.hold_after(MIDWAY);
    let running = alice.start([&command[..], &["--digest-first", "--digest", digest]].concat());
    proxy.held();
    // While the provider stands still, so that it does not see a time in between.
    provider.signal("STOP");
    flip(&file, LONG - 1);
    File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    provider.signal("CONT");
    proxy.release();
    let outcome = running.end().fails("digest-mismatch", 6);
    assert!(outcome.stderr.contains("nothing was published"), "{}", outcome.stderr);
    alice.settled();
    bob.settled();
    assert_eq!(names_in(&folder), Vec::<String>::new());
    // What is there now is a file like any other.
    alice.run(command).ok();
    assert_eq!(differ(&file, &folder.join("file")), None);
}

#[test]
fn a_bit_that_flips_at_the_provider_is_an_integrity_error_and_nothing_is_published() {
    for digest in ["sha256", "blake3"] {
        changed_under_way(true, digest);
        changed_under_way(false, digest);
    }
}

#[test]
fn a_bit_that_flips_on_the_receiver_s_disk_before_a_resume_is_found_and_the_transfer_starts_over() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    random_file(&bob.file("file"), 20 << 20);
    proxy.hold_after(MIDWAY);
    let mut running = alice.start(["get", "bob:file"]);
    running.midway();
    safe_on_disk(&alice.scratch(), 1);
    running.kill9();
    proxy.release();
    let (start, _) = journal_ranges(&alice.scratch())[0];
    flip(&partial_in(&alice.scratch()), start);
    let outcome = alice.run_json(["get", "bob:file"]).ok();
    assert!(outcome.json().iter().any(|event| event["state"] == "restarted" && event["reason"].is_string()), "{}", outcome.stdout);
    let done = outcome.event("done");
    assert_eq!((&done["resumed"], &done["digest"]), (&json!(0), &json!(sha256_hex(&bob.file("file")))));
    assert_eq!(differ(&bob.file("file"), &alice.scratch().join("file")), None);
    assert_eq!(hidden_in(&alice.scratch()), Vec::<String>::new());
}

#[test]
fn a_bit_that_flips_on_the_way_never_reaches_the_file() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    random_file(&bob.file("file"), 20 << 20);
    proxy.hold_after(MIDWAY);
    let mut running = alice.start(["get", "bob:file"]);
    running.midway();
    let before = proxy.closed();
    proxy.spoil(Direction::FromTarget, 10_000);
    proxy.release();
    running.end().ok();
    assert!(proxy.spoiled());
    eventually("the connection with the wrong bit is given up", || (proxy.closed() > before).then_some(()));
    assert_eq!(differ(&bob.file("file"), &alice.scratch().join("file")), None);
}
