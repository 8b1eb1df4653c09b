//! What a person sees of a transfer while it runs, and how it is stopped.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;
use transship_tests::machine::signal;
use transship_tests::transfer::{Wired, hidden_in, names_in, safe_on_disk};
use transship_tests::{eventually, random_bytes, random_file, sparse_file};

#[test]
fn a_transfer_that_stalls_is_said_to_and_then_goes_on() {
    let wired = Wired::new("", "list,read,write");
    sparse_file(&wired.bob.file("x"), 40 << 20);
    wired.proxy.hold_after(4 << 20);
    let mut getting = wired.alice.command(["get", "bob:x"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(getting.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("stalled for ") {
        assert!(errors.read_line(&mut said).unwrap() > 0, "{said}");
    }
    wired.proxy.release();
    while errors.read_line(&mut said).unwrap() > 0 {}
    assert!(getting.wait().unwrap().success(), "{said}");
}

#[test]
fn what_was_there_already_is_told_with_the_first_bytes_so_that_it_is_not_taken_for_what_moved() {
    let wired = Wired::new("", "list,read,write");
    random_file(&wired.bob.file("x"), 60 << 20);
    random_file(&wired.alice.scratch().join("y"), 60 << 20);
    for (arguments, folder) in [(&["get", "bob:x"][..], wired.alice.scratch()), (&["put", "y", "bob:"], wired.bob.files())] {
        wired.proxy.hold_after(30 << 20);
        let mut first = wired.alice.start(arguments);
        first.started();
        wired.proxy.held();
        safe_on_disk(&folder, 1 << 20);
        first.kill9();
        wired.proxy.release();
        wired.proxy.cut_all();
        let again = wired.alice.start(arguments).end().ok();
        let resumed = again.event("done")["resumed"].as_u64().unwrap();
        let first: Value = again.json().into_iter().find(|event| event["bytes_done"].as_u64() > Some(0)).unwrap();
        assert!(resumed > 0 && first["bytes_done"].as_u64() >= Some(resumed), "{arguments:?}: {resumed}, {first}");
    }
}

#[test]
fn a_store_that_is_interrupted_with_a_segment_under_way_leaves_nothing() {
    let wired = Wired::new("", "list,read,write");
    let mut storing = wired.alice.command(["put", "-", "bob:x"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = storing.stdin.take().unwrap();
    let mut errors = BufReader::new(storing.stderr.take().unwrap());
    let folder = wired.bob.files();
    let stored = || {
        let lengths = hidden_in(&folder).into_iter().filter_map(|name| std::fs::metadata(folder.join(name)).ok());
        lengths.map(|metadata| metadata.len()).sum::<u64>()
    };
    input.write_all(&random_bytes(4 << 20, 1)).unwrap();
    eventually("the first segment is there", || (stored() == 4 << 20).then_some(()));
    wired.proxy.hold_after(1 << 20);
    // The command takes no more of this than it has segments for. The input stays open.
    let writing = std::thread::spawn(move || {
        let _ = input.write_all(&random_bytes(4 << 20, 2));
        input
    });
    wired.proxy.held();
    signal(storing.id(), "INT");
    let mut said = String::new();
    while !said.contains("stopping") {
        assert!(errors.read_line(&mut said).unwrap() > 0, "{said}");
    }
    wired.proxy.release();
    while errors.read_line(&mut said).unwrap() > 0 {}
    assert_eq!(storing.wait().unwrap().code(), Some(130), "{said}");
    drop(writing.join().unwrap());
    assert!(said.contains("stopped; nothing is stored") && !said.contains("could not be told"), "{said}");
    // At once: else it would stay until the store expires.
    assert_eq!(names_in(&folder), Vec::<String>::new());
}

#[test]
fn the_beginning_of_an_id_names_a_transfer() {
    let wired = Wired::new("", "list,read,write");
    sparse_file(&wired.bob.file("x"), 40 << 20);
    wired.proxy.hold_after(1 << 20);
    let mut getting = wired.alice.start(["get", "bob:x"]);
    let id = getting.started();
    let beginning = &id[..id.len() - 1];
    let shown = wired.alice.run(["--json", "transfers", beginning]).ok().json();
    assert_eq!((shown.len(), &shown[0]["id"]), (1, &Value::from(id.as_str())));
    wired.alice.run(["transfers", "no-such"]).code(3).says("no-such");
    // Answered when it has ended, for which the other side need not be reached.
    let cancelled = wired.alice.run(["--json", "cancel", beginning]).ok();
    assert_eq!(cancelled.json()[0]["id"], id.as_str());
    wired.proxy.release();
    getting.end().fails("cancelled", 130);
}
