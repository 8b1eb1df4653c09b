//! A folder whose files vanish, change and come while it is being sent; and bits that flip.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use transship_tests::transfer::{Wired, hidden_in};
use transship_tests::tree::{files_in, many, plant, same};
use transship_tests::{Direction, Running, differ, eventually};

/// More than get their names at once.
const SMALL: u64 = 8000;

/// A tree each way, of many small files and a large one, and what is typed for it.
fn scene() -> (Wired, [(&'static [&'static str], PathBuf, PathBuf); 2]) {
    let wired = Wired::new("", "list,read,write");
    let get: (&[&str], _, _) = (&["get", "-r", "bob:photos"], wired.bob.file("photos"), wired.alice.scratch().join("photos"));
    let put: (&[&str], _, _) = (&["put", "-r", "out", "bob:"], wired.alice.scratch().join("out"), wired.bob.file("out"));
    for (_, source, _) in [&get, &put] {
        many(&source.join("many"), SMALL, 4096);
        plant(&source.join("zlarge"), 30 << 20, 0o644);
    }
    (wired, [get, put])
}

/// Starts it and holds the wire when some of it is there.
fn part(wired: &Wired, command: &[&str], target: &std::path::Path) -> Running {
    wired.proxy.hold_after(20 << 20);
    let running = wired.alice.start(command);
    wired.proxy.held();
    eventually("some files are there", || (!files_in(target).is_empty()).then_some(()));
    running
}

#[test]
fn files_that_vanish_change_or_grow_meanwhile_fail_by_themselves_or_come_as_they_are_now() {
    let (wired, ways) = scene();
    let _serving = wired.alice.serve();
    for (command, source, target) in &ways {
        let running = part(&wired, command, target);
        // What has not come yet, from the end: one vanishes, one gets another content, one grows.
        let lacking: Vec<PathBuf> = files_in(source).into_keys().filter(|path| path.starts_with("many") && !target.join(path).exists()).collect();
        let [.., vanished, changed, grown] = &lacking[..] else { panic!("all of it has come already") };
        fs::remove_file(source.join(vanished)).unwrap();
        fs::write(source.join(changed), "another content").unwrap();
        fs::write(source.join(grown), vec![b'x'; 100_000]).unwrap();
        wired.proxy.release();
        let outcome = running.end();
        // Also when one is longer than it was when it was listed.
        let too_much = |event: &Value| event["bytes_done"].as_u64() > event["bytes_total"].as_u64().or(Some(u64::MAX));
        assert_eq!(outcome.json().into_iter().find(too_much), None);
        let failures = outcome.event("done")["tree"]["failures"].clone();
        let failed: Vec<&str> = failures.as_array().unwrap().iter().map(|failure| failure["name"].as_str().unwrap()).collect();
        assert!(failed.iter().all(|name| [vanished, changed, grown].iter().any(|path| path.to_str() == Some(name))), "{failures}");
        assert_eq!(outcome.code, Some(if failed.is_empty() { 0 } else { 23 }), "{failures}");
        for path in [changed, grown] {
            let failed = failed.contains(&path.to_str().unwrap());
            // Never a mixture: as it is now, or not at all, or as it was when it had been asked for already.
            let there = fs::read(target.join(path)).ok();
            let now = fs::read(source.join(path)).unwrap();
            assert!(if failed { there.is_none() } else { there.as_ref().is_some_and(|there| *there == now || there.len() == 4096) }, "{}", path.display());
        }
        // Once more, and all is as it is now.
        wired.alice.run([&command[..], &["--on-conflict", "overwrite"]].concat()).ok();
        drop(fs::remove_file(target.join(vanished)));
        same(source, target, false);
        assert_eq!(hidden_in(target), Vec::<String>::new());
    }
}

#[test]
fn a_large_file_that_changes_in_the_middle_never_arrives_as_a_mixture() {
    let (wired, ways) = scene();
    let _serving = wired.alice.serve();
    for (command, source, target) in &ways {
        // All else is there already.
        wired.alice.run([&command[..], &["--exclude", "zlarge"]].concat()).ok();
        wired.proxy.hold_after(12 << 20);
        let running = wired.alice.start(*command);
        wired.proxy.held();
        let old = fs::read(source.join("zlarge")).unwrap();
        let new: Vec<u8> = old.iter().map(|byte| byte ^ 0xff).collect();
        fs::write(source.join("zlarge"), &new).unwrap();
        wired.proxy.release();
        let outcome = running.end();
        match outcome.code {
            Some(0) => assert_eq!(differ(&source.join("zlarge"), &target.join("zlarge")), None),
            Some(23) => {
                assert_eq!(outcome.event("done")["tree"]["failures"][0]["error"], "changed", "{}", outcome.stdout);
                assert!(!target.join("zlarge").exists());
            }
            code => panic!("{code:?}: {}", outcome.stderr),
        }
        wired.alice.run([&command[..], &["--on-conflict", "overwrite"]].concat()).ok();
        same(source, target, false);
        assert_eq!(hidden_in(target), Vec::<String>::new());
    }
}

#[test]
fn bits_that_flip_on_the_wire_never_reach_a_file() {
    let (wired, ways) = scene();
    let _serving = wired.alice.serve();
    // What comes from bob is spoiled: a get's contents, a put's requests.
    let (command, source, target) = &ways[0];
    for megabytes in [4, 40] {
        wired.proxy.hold_after(megabytes << 20);
        let running = wired.alice.start(*command);
        wired.proxy.held();
        let before = wired.proxy.closed();
        wired.proxy.spoil(Direction::FromTarget, 10_000);
        wired.proxy.release();
        running.end().ok();
        assert!(wired.proxy.spoiled());
        eventually("the connection with the wrong bit is given up", || (wired.proxy.closed() > before).then_some(()));
        same(source, target, false);
        assert_eq!(hidden_in(target), Vec::<String>::new());
        fs::remove_dir_all(target).unwrap();
    }
}
