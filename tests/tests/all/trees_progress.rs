//! What is told while a folder moves: bytes and files, on a bar or in lines.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use transship_tests::machine::{can, skipped};
use transship_tests::terminal::{on_terminal, screen};
use transship_tests::transfer::Wired;
use transship_tests::tree::{many, plant};
use transship_tests::{eventually, sparse_file};

/// A folder of small files and a large one, behind a wire that is held.
fn scene() -> Wired {
    let wired = Wired::new("", "list,read");
    many(&wired.bob.file("photos/many"), 2000, 1024);
    sparse_file(&wired.bob.file("photos/zlarge"), 500 << 20);
    wired.proxy.hold_after(0);
    wired
}

#[test]
fn a_bar_shows_bytes_and_files_and_only_the_summary_stays() {
    if !can(&["script", "-qec", "true", "/dev/null"]) {
        return skipped("the bar of a folder on a terminal", "there is no command 'script' that makes one");
    }
    let wired = scene();
    let _serving = wired.alice.serve();
    let mut child = on_terminal(&wired.alice, "get -r bob:photos").spawn().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (mut stdout, saying) = (child.stdout.take().unwrap(), said.clone());
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            saying.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    let text = || String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    let bar = eventually("the bar counts small files and part of the large one", || {
        wired.proxy.held();
        wired.proxy.hold_after(1 << 20);
        let text = text();
        let bar = text.split(['\r', '\n']).rfind(|part| part.contains("% ["))?.to_owned();
        (bar.contains(" MiB, 1,9") || bar.contains(" MiB, 2,0")).then_some(bar)
    });
    assert!(bar.contains("photos  ") && bar.contains(" files  "), "{bar:?}");
    wired.proxy.release();
    assert!(child.wait().unwrap().success(), "{}", text());
    reader.join().unwrap();
    let left = screen(&text());
    assert_eq!(left.len(), 1, "only the summary stays: {left:?}");
    assert!(left[0].starts_with("photos: 2,001 files in ") && left[0].contains(": 2,001 new, "), "{left:?}");
}

#[test]
fn elsewhere_than_on_a_terminal_lines_have_bytes_and_files() {
    let wired = scene();
    let _serving = wired.alice.serve();
    let mut child = wired.alice.command(["get", "-r", "bob:photos"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (line, lines) = std::sync::mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || stderr.lines().map(Result::unwrap).try_for_each(|text| line.send(text)));
    let said = eventually("a line says how many files", || {
        wired.proxy.held();
        wired.proxy.hold_after(1 << 20);
        lines.try_iter().find(|line: &String| line.contains("% (") && line.contains(" of 2,001 files)"))
    });
    assert!(said.starts_with("photos: ") && said.contains(" of 502.0 MiB, "), "{said:?}");
    wired.proxy.release();
    let output = child.wait_with_output().unwrap();
    reader.join().unwrap().unwrap();
    assert!(output.status.success());
    let summary = String::from_utf8(output.stdout).unwrap();
    assert_eq!(summary.lines().count(), 1, "{summary}");
    assert!(summary.starts_with("photos: 2,001 files in ") && summary.contains(" MiB/s): 2,001 new, 23 folders made"), "{summary}");
}

/// Asserts that the bytes and files that are done come up to all of them, in what is said last.
#[track_caller]
fn complete(progress: &Value) {
    assert_eq!((&progress["bytes_done"], &progress["files_done"]), (&progress["bytes_total"], &progress["files_total"]), "{progress}");
}

#[test]
fn what_failed_is_no_part_of_what_is_to_come_from_then_on() {
    const SIZE: u64 = 48 << 20;
    const LAST: u64 = 10 << 20;
    let wired = Wired::new("", "list,read,write");
    let Wired { alice, bob, proxy, .. } = &wired;
    let _serving = alice.serve();
    let get: (&[&str], _, _, _) = (&["get", "-r", "bob:photos"], bob.file("photos"), alice.scratch().join("photos"), alice);
    let put: (&[&str], _, _, _) = (&["put", "-r", "out", "bob:"], alice.scratch().join("out"), bob.file("out"), bob);
    for (command, source, target, receiver) in [get, put] {
        let small = many(&source.join("many"), 50, 4096);
        for (name, size) in [("a-changes", SIZE), ("b-stays", SIZE), ("c-conflicts", LAST)] {
            plant(&source.join(name), size, 0o644);
        }
        let planned = |bytes: u64| {
            eventually("so many bytes are to come", || {
                let transfers = receiver.run(["--json", "transfers"]).ok().json();
                (transfers.first()?["bytes_total"] == json!(bytes)).then_some(())
            });
        };
        proxy.hold_after(8 << 20);
        // So little is asked for at a time that the rest is certainly asked for later.
        let running = alice.start([command, &["--chunk-size", "1m", "--window", "8"]].concat());
        proxy.held();
        planned(small + 2 * SIZE + LAST);
        fs::write(source.join("a-changes"), "another content").unwrap();
        // Not enough for the next one.
        proxy.hold_after(24 << 20);
        planned(small + SIZE + LAST);
        // The last finds its name taken.
        fs::write(target.join("c-conflicts"), "quicker").unwrap();
        proxy.release();
        let outcome = running.end().code(23);
        let done = outcome.event("done");
        assert_eq!((&done["size"], &done["tree"]["failed"], &done["tree"]["new"]), (&json!(small + SIZE), &json!(2), &json!(51)), "{done}");
        let events = outcome.json();
        let said = |state: &str| events.iter().filter(|event| event["event"] == "progress" && event["state"] == state).collect::<Vec<_>>();
        said("verifying").into_iter().for_each(complete);
        complete(said("done").last().unwrap());
        let too_much = |event: &&Value| event["bytes_done"].as_u64() > event["bytes_total"].as_u64().or(Some(u64::MAX));
        assert_eq!(events.iter().find(too_much), None);
    }
}
