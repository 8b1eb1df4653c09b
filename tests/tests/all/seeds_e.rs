//! One file over several connections at the same time.

use std::fs;
use std::net::TcpStream;

use transship_tests::transfer::{MIDWAY, Wired, hidden_in, names_in};
use transship_tests::{differ, eventually, pair, random_file, sparse_file};

#[test]
fn a_file_arrives_whole_over_1_2_7_and_255_streams() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let file = bob.file("file");
    random_file(&file, 6_000_007);
    for streams in ["1", "2", "7", "255"] {
        let options = ["--streams", streams, "--chunk-size", "100000", "--on-conflict", "overwrite"];
        alice.run([&["get", "bob:file"], &options[..]].concat()).ok();
        assert_eq!(differ(&file, &alice.scratch().join("file")), None, "{streams} streams");
        alice.run([&["put", "file", "bob:back"], &options[..]].concat()).ok();
        assert_eq!(differ(&file, &bob.file("back")), None, "{streams} streams");
    }
    for streams in ["0", "256"] {
        alice.run(["get", "bob:file", "new", "--streams", streams]).code(2);
    }
}

#[test]
fn as_many_connections_are_opened_as_there_are_streams_and_no_more() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    sparse_file(&bob.file("file"), 200 << 20);
    alice.run(["list", "bob"]).ok();
    let link = proxy.opened();
    for streams in [1, 7] {
        // A connection that is quick takes the next chunk as well, so each has to stop in its first. What is said before and besides is far less than this, and a chunk far more.
        proxy.hold_each_after(256 << 10);
        let number = streams.to_string();
        let getting = alice.start(["get", "bob:file", &number, "--streams", &number, "--chunk-size", "16M"]);
        eventually(&format!("{streams} connections are open"), || (proxy.opened() >= link + streams).then_some(()));
        proxy.held();
        proxy.release();
        getting.end().ok();
        assert_eq!(proxy.opened() - link, streams, "there was work for more than {streams}, and none was opened for it");
        assert_eq!(differ(&bob.file("file"), &alice.scratch().join(number)), None);
    }
}

#[test]
fn fewer_bytes_than_streams_and_no_bytes_at_all_arrive() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for content in ["", "1", "123"] {
        fs::write(bob.file("file"), content).unwrap();
        for streams in ["2", "255"] {
            let options = ["--streams", streams, "--chunk-size", "1", "--on-conflict", "overwrite"];
            alice.run([&["get", "bob:file"], &options[..]].concat()).ok();
            assert_eq!(fs::read_to_string(alice.scratch().join("file")).unwrap(), content);
            alice.run([&["put", "file", "bob:back"], &options[..]].concat()).ok();
            assert_eq!(fs::read_to_string(bob.file("back")).unwrap(), content);
        }
    }
}

#[test]
fn a_missing_file_is_refused_before_any_stream_is_opened() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    alice.run(["list", "bob"]).ok();
    let link = proxy.opened();
    alice.run_json(["get", "bob:missing", "--streams", "7"]).fails("not-found", 3);
    alice.run_json(["put", "missing", "bob:", "--streams", "7"]).fails("not-found", 3);
    assert_eq!(proxy.opened(), link);
    assert_eq!((names_in(&alice.scratch()), bob.names()), (vec![], vec![]));
}

#[test]
fn a_stream_that_dies_does_not_lose_the_transfer() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    random_file(&bob.file("file"), 40 << 20);
    for (arguments, to) in [(["get", "bob:file", "back"], alice.scratch().join("back")), (["put", "back", "bob:there"], bob.file("there"))] {
        proxy.hold_after(MIDWAY);
        let running = alice.start([&arguments[..], &["--streams", "4"]].concat());
        for _ in 0..2 {
            proxy.held();
            assert!(proxy.cut_last(), "there is a connection to cut");
            proxy.hold_after(MIDWAY);
        }
        proxy.release();
        let outcome = running.end().ok();
        assert_eq!(differ(&bob.file("file"), &to), None);
        assert_eq!(outcome.event("done")["resumed"], 0, "it was one transfer from start to end");
    }
}

#[test]
fn a_link_that_is_cut_and_comes_back_does_not_lose_the_transfer() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    random_file(&bob.file("file"), 40 << 20);
    proxy.hold_after(MIDWAY);
    let mut running = alice.start(["get", "bob:file"]);
    running.midway();
    proxy.held();
    assert!(proxy.cut_all());
    proxy.release();
    running.end().ok();
    assert_eq!(differ(&bob.file("file"), &alice.scratch().join("file")), None);
    assert_eq!(hidden_in(&alice.scratch()), Vec::<String>::new());
}

#[test]
fn an_interrupted_server_ends_at_once_and_leaves_no_child_and_no_socket() {
    let mut wired = Wired::new("", "list,read");
    let _serving = wired.alice.serve();
    random_file(&wired.bob.file("file"), 20 << 20);
    wired.proxy.hold_after(MIDWAY);
    let mut running = wired.alice.start(["get", "bob:file"]);
    running.midway();
    let bob_serves = wired.bob_serves.take().unwrap();
    let (pid, address) = (bob_serves.pid(), bob_serves.address());
    let children: String =
        fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()).collect();
    assert_eq!(children, "", "a node starts no processes of the system");
    // The wire is held, so the transfer is not over before the node is.
    let (status, said) = bob_serves.stop("INT");
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!wired.bob.path().join("control.sock").exists());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    wired.proxy.release();
    wired.proxy.cut_all();
    running.end().fails("offline", 5).says("run the same command again");
}
