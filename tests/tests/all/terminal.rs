//! What a person sees on a terminal while a file moves.

use std::io::Read;
use std::sync::{Arc, Mutex};

use transship_tests::machine::{can, skipped};
use transship_tests::terminal::{on_terminal, screen};
use transship_tests::transfer::Wired;
use transship_tests::{eventually, sparse_file};

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
    for part in ["large  ", "% [=", " MiB of 1.00 GiB  ", "iB/s  ", " left"] {
        assert!(bar.contains(part), "no {part:?} at {percent} percent in {bar:?}");
    }
    proxy.release();
    assert!(child.wait().unwrap().success(), "{}", text());
    reader.join().unwrap();
    let left = screen(&text());
    assert_eq!(left.len(), 1, "only the summary stays: {left:?}");
    assert!(left[0].starts_with("large: 1.0 GiB in "), "{left:?}");
}
