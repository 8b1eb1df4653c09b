//! What is told while a file moves: a bar on a terminal, a line a second elsewhere, objects for programs.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use transship_tests::machine::{can, skipped};
use transship_tests::terminal::{on_terminal, screen};
use transship_tests::transfer::Wired;
use transship_tests::{eventually, pair, sparse_file};

/// The bar in what a terminal got last, if it is midway: its percent, and all of it.
fn midway(text: &str) -> Option<(u64, String)> {
    let bar = text.split(['\r', '\n']).rfind(|part| part.contains("% ["))?;
    let percent = bar.split('%').next()?.rsplit(' ').next()?.parse().ok()?;
    (10..100).contains(&percent).then(|| (percent, bar.to_owned()))
}

#[test]
fn a_bar_shows_percent_bytes_rate_and_time_left_and_is_gone_at_the_end() {
    if !can(&["script", "-qec", "true", "/dev/null"]) {
        return skipped("the bar on a terminal", "there is no command 'script' that makes one");
    }
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    sparse_file(&bob.file("large"), 1 << 30);
    proxy.hold_after(0);
    let mut child = on_terminal(alice, "get bob:large").spawn().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (mut stdout, saying) = (child.stdout.take().unwrap(), said.clone());
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            saying.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    let text = || String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    // The wire lets through a little at a time, until the bar is midway.
    let (percent, bar) = eventually("the bar is midway", || {
        proxy.held();
        proxy.hold_after(1 << 20);
        midway(&text())
    });
    for part in ["large  ", "% [=", " MiB of 1.00 GiB  ", "iB/s, ", " left"] {
        assert!(bar.contains(part), "no {part:?} at {percent} percent in {bar:?}");
    }
    proxy.release();
    assert!(child.wait().unwrap().success(), "{}", text());
    reader.join().unwrap();
    let left = screen(&text());
    assert_eq!(left.len(), 1, "only the summary stays: {left:?}");
    assert!(left[0].starts_with("large: 1.0 GiB in "), "{left:?}");
}

#[test]
fn the_events_of_a_transfer_are_started_progress_and_an_end() {
    let ((alice, _alice), (bob, _bob)) = pair("", "list,read,write");
    sparse_file(&bob.file("large"), 300 << 20);
    let events = alice.run(["--json", "get", "bob:large"]).ok().json();
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"started"), Some(&"done")), "{kinds:?}");
    let progress = &events[1..events.len() - 1];
    assert!(!progress.is_empty() && progress.iter().all(|event| event["event"] == "progress"), "{kinds:?}");
    let done: Vec<u64> = progress.iter().map(|event| event["bytes_done"].as_u64().unwrap()).collect();
    assert!(done.is_sorted(), "{done:?}");
    for event in progress.iter().filter(|event| event["bytes_total"].is_u64()) {
        assert_eq!(event["bytes_total"], 300 << 20);
        assert!(event["percent"].as_u64() <= Some(100), "{event}");
    }
    assert!(events.iter().all(|event| event["id"] == events[0]["id"]));
    let end = events.last().unwrap();
    assert_eq!((&end["size"], &end["resumed"], &end["skipped"], &end["algorithm"]), (&(300 << 20).into(), &0.into(), &false.into(), &"sha256".into()));
    assert_eq!(end["digest"], transship_tests::sha256_hex(&bob.file("large")));
}

#[test]
fn elsewhere_than_on_a_terminal_progress_is_a_line_a_second() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    sparse_file(&bob.file("large"), 1 << 30);
    proxy.hold_after(0);
    let begun = Instant::now();
    let mut child = alice.command(["get", "bob:large"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (line, lines) = std::sync::mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || stderr.lines().map(Result::unwrap).try_for_each(|text| line.send(text)));
    // The wire lets through a little at a time, until there was something to say.
    let mut said: Vec<String> = eventually("a line is said", || {
        proxy.held();
        proxy.hold_after(1 << 20);
        lines.try_recv().ok().map(|line| vec![line])
    });
    proxy.release();
    let output = child.wait_with_output().unwrap();
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    reader.join().unwrap().unwrap();
    said.extend(lines.try_iter());
    assert!(output.status.success(), "{said:?}");
    assert!(said.len() <= seconds, "{} lines in {seconds} s: {said:?}", said.len());
    for line in &said {
        assert!(line.starts_with("large: ") && !line.contains('\r') && !line.contains('\u{1b}'), "{line:?}");
    }
    let summary = String::from_utf8(output.stdout).unwrap();
    assert_eq!(summary.lines().count(), 1, "{summary}");
    assert!(summary.starts_with("large: 1.0 GiB in "), "{summary}");
}
