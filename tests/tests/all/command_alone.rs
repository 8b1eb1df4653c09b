//! Commands without a node that is served: one of them runs the node, the others use it, and none fails because another one ends.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use transship_tests::machine::{bound_by_modes, signal, skipped};
use transship_tests::transfer::Wired;
use transship_tests::{Home, Outcome, Running, eventually, random_file, sparse_file};

/// Alice, whose commands run the node themselves, and what she fetches from bob, which is held on its way.
fn fetching(wired: &Wired) -> Running {
    sparse_file(&wired.bob.file("first"), 40 << 20);
    random_file(&wired.bob.file("second"), 8 << 20);
    wired.proxy.hold_after(1 << 20);
    let mut first = wired.alice.start(["get", "bob:first", "first"]);
    first.started();
    wired.proxy.held();
    first
}

fn transfers(home: &Home) -> Vec<serde_json::Value> {
    home.run(["--json", "transfers"]).ok().json()
}

/// A second fetch through the node of the first.
fn second_of(wired: &Wired) -> Running {
    let mut second = wired.alice.start(["get", "bob:second", "second"]);
    second.started();
    assert_eq!(transfers(&wired.alice).len(), 2);
    second
}

#[test]
fn commands_of_one_home_work_at_the_same_time() {
    let wired = Wired::new("", "list,read,write");
    let first = fetching(&wired);
    for arguments in [&["list"][..], &["id"], &["ticket", "--host", "127.0.0.1"], &["peer", "list"], &["ps"], &["transfers"], &["log", "-n", "1"]] {
        let outcome = wired.alice.run(arguments).ok();
        assert_eq!(outcome.stderr, "", "{arguments:?}");
    }
    // What is changed is changed in the node that runs.
    wired.alice.run(["peer", "remove", "bob"]).ok();
    wired.alice.run(["list", "bob"]).code(3);
    wired.alice.knows(&wired.bob, wired.proxy.address(), "");
    wired.proxy.release();
    first.end().ok();
}

#[test]
fn a_command_that_runs_the_node_stays_until_the_others_are_done() {
    let wired = Wired::new("", "list,read,write");
    let mut first = fetching(&wired);
    let second = second_of(&wired);
    first.signal("INT");
    // It has told how it ended, and is there for the other.
    first.until("it was stopped", |event| event["event"] == "failed" && event["code"] == 130);
    eventually("one transfer is left", || (transfers(&wired.alice).len() == 1).then_some(()));
    wired.proxy.release();
    second.end().ok();
    first.end().code(130).says("stays until they are done");
    wired.alice.run(["get", "bob:first", "first"]).ok();
}

#[test]
fn who_reads_the_output_of_a_command_does_not_wait_for_those_that_use_its_node() {
    let wired = Wired::new("", "list,read,write");
    let first = fetching(&wired);
    let held = wired.proxy.address();
    drop(first);
    // One that hosts and is done while another one is held.
    wired.proxy.release();
    wired.proxy.hold_after(1 << 40);
    let mut hosts = wired.alice.command(["--json", "put", "-", "bob:from-stdin"]);
    let mut hosts = hosts.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = hosts.stdin.take().unwrap();
    let mut output = BufReader::new(hosts.stdout.take().unwrap());
    eventually("its node runs", || wired.alice.run(["ps"]).code.filter(|code| *code == 0));
    wired.proxy.hold_after(1 << 20);
    let mut second = wired.alice.start(["get", "bob:first", "second"]);
    second.started();
    wired.proxy.held();
    // It has nothing to send, fails or not, and is done.
    signal(hosts.id(), "INT");
    let mut said = String::new();
    while output.read_line(&mut said).unwrap() > 0 {}
    assert!(hosts.try_wait().unwrap().is_none(), "it stays: {said}");
    wired.proxy.release();
    second.end().ok();
    drop(stdin);
    assert_eq!(hosts.wait().unwrap().code(), Some(130), "{said} {held}");
}

#[test]
fn ctrl_c_twice_ends_the_node_of_a_command_at_once_and_those_that_use_it_say_what_to_do() {
    let wired = Wired::new("", "list,read,write");
    let mut first = fetching(&wired);
    let second = second_of(&wired);
    first.signal("INT");
    first.until("it was stopped", |event| event["event"] == "failed");
    first.signal("INT");
    first.end().code(130);
    second.end().fails("network", 5).says("run the same command again");
    wired.proxy.release();
    wired.alice.run(["get", "bob:second", "second"]).ok();
}

#[test]
fn a_node_that_is_to_be_served_waits_for_a_command_that_runs_it() {
    let wired = Wired::new("", "list,read,write");
    let first = fetching(&wired);
    let mut serving = wired.alice.command(["serve", "--listen", "127.0.0.1:0"]);
    let mut serving = serving.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut errors = BufReader::new(serving.stderr.take().unwrap());
    errors.read_line(&mut said).unwrap();
    assert!(said.starts_with("waiting for another transship command"), "{said}");
    wired.proxy.release();
    first.end().ok();
    let mut line = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    // Now it is served, and no second one waits.
    wired.alice.run(["serve", "--listen", "127.0.0.1:0"]).code(7);
    signal(serving.id(), "TERM");
    while errors.read_line(&mut said).unwrap() > 0 {}
    assert!(serving.wait().unwrap().success(), "{said}");
}

#[test]
fn what_only_reads_the_home_waits_for_nobody() {
    let alice = Home::new("alice");
    let lock = std::fs::File::options().write(true).create(true).truncate(false).open(alice.path().join("lock")).unwrap();
    lock.lock().unwrap();
    for arguments in [&["id"][..], &["ticket", "--host", "127.0.0.1"], &["peer", "list"]] {
        assert_eq!(alice.run(arguments).ok().stderr, "", "{arguments:?}");
    }
}

#[test]
fn when_the_served_node_is_killed_the_command_that_used_it_is_worth_repeating() {
    let wired = Wired::new("", "list,read,write");
    let serving = wired.alice.serve();
    let first = fetching(&wired);
    serving.kill9();
    let outcome = first.end().fails("network", 5).says("run the same command again");
    assert!(outcome.stderr.contains("has ended"), "{}", outcome.stderr);
    wired.proxy.release();
    wired.alice.run(["get", "bob:first", "first"]).ok();
}

#[test]
fn a_closed_terminal_is_a_request_to_end_in_good_order_unless_it_was_said_to_be_none() {
    let wired = Wired::new("", "list,read,write");
    let serving = wired.alice.serve();
    let first = fetching(&wired);
    first.signal("HUP");
    first.end().fails("interrupted", 130);
    let (status, said) = serving.stop("HUP");
    assert!(status.success() && said.contains("ended"), "{said}");
    wired.proxy.release();

    // nohup.
    wired.proxy.hold_after(1 << 20);
    let through = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let mut kept = Running::start(wired.alice.command_through(&through, ["get", "bob:second", "second"]).arg("--json"));
    kept.started();
    wired.proxy.held();
    kept.signal("HUP");
    wired.proxy.release();
    kept.end().ok();
}

#[test]
fn what_a_killed_command_collected_for_standard_output_is_removed_by_the_next() {
    let wired = Wired::new("", "list,read,write");
    let collected = || {
        let names = std::fs::read_dir(wired.alice.path().join("cache")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("get-")).count()
    };
    sparse_file(&wired.bob.file("first"), 40 << 20);
    wired.proxy.hold_after(1 << 20);
    let mut killed = wired.alice.command(["get", "bob:first", "-"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wired.proxy.held();
    assert_eq!(collected(), 1);
    // Another one that works at the same time leaves it alone.
    wired.alice.run(["list"]).ok();
    assert_eq!(collected(), 1);
    signal(killed.id(), "KILL");
    killed.wait().unwrap();
    assert_eq!(collected(), 1);
    wired.alice.run(["list"]).ok();
    assert_eq!(collected(), 0);
}

#[test]
fn a_home_that_may_not_be_read_is_denied_and_not_missing() {
    let Some(scene) = bound_by_modes() else { return skipped("an unreadable home", "the modes of files don't bind this user, and setpriv can't change that") };
    let alice = Home::new("alice");
    let outer = alice.scratch().join("outer");
    let home = outer.join("home");
    let run = |arguments: &[&str]| Outcome::of(alice.command_through(scene, arguments).env("TRANSSHIP_HOME", &home), b"");
    run(&["init", "--name", "carol"]).ok();
    for closed in [&outer, &home] {
        std::fs::set_permissions(closed, std::fs::Permissions::from_mode(0o000)).unwrap();
        for arguments in [&["id"][..], &["list"], &["init", "--name", "dave"]] {
            run(arguments).code(4).says(outer.to_str().unwrap()).says("ermission denied");
        }
        std::fs::set_permissions(closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    run(&["id"]).ok();
}

#[test]
fn a_variable_that_is_set_to_nothing_names_no_home() {
    let alice = Home::new("alice");
    let data = alice.scratch().join("data");
    let run = |arguments: &[&str]| Outcome::of(alice.command(arguments).env("TRANSSHIP_HOME", "").env("XDG_DATA_HOME", &data), b"");
    run(&["init", "--name", "carol"]).ok();
    assert!(run(&["id"]).ok().stdout.contains("carol"));
    assert!(data.read_dir().unwrap().count() == 1);
    alice.run(["--home", "", "id"]).code(2);
}
