//! What is left of transfers that were cut off so early that they had not noted yet what they were: it is shown and can be thrown away, and never while a transfer uses it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use transship_tests::transfer::{MIDWAY, Wired, hidden_in, names_in, partial_in};
use transship_tests::tree::{files_in, many, plant, same};
use transship_tests::{Home, Running, differ, eventually, random_file};

/// Less than what has a journal from its begin.
const SMALL: u64 = 12 << 20;

/// What the owner is shown.
fn stopped(home: &Home) -> Vec<Value> {
    home.run(["--json", "transfers", "--stopped"]).ok().json()
}

/// Starts to move a small file into this folder, and holds the wire when some of it has arrived.
fn part(wired: &Wired, command: &[&str], folder: &Path) -> Running {
    wired.proxy.hold_after(MIDWAY);
    let running = wired.alice.start(command);
    wired.proxy.held();
    eventually("some of it has arrived", || {
        let partial = names_in(folder).into_iter().find(|name| name.ends_with(".partial"))?;
        (fs::metadata(folder.join(partial)).ok()?.len() > 0).then_some(())
    });
    running
}

/// What a kill left in this folder.
fn left(folder: &Path) -> PathBuf {
    // On a slow machine some was noted by then: as if it had been killed a moment earlier.
    for journal in names_in(folder).into_iter().filter(|name| name.ends_with(".journal")) {
        fs::remove_file(folder.join(journal)).unwrap();
    }
    partial_in(folder)
}

/// Asserts that what is shown of it is where it is and how long, and nothing else; returns its id.
#[track_caller]
fn unknown(shown: &[Value], kept: &str, length: u64) -> String {
    let [it] = shown else { panic!("{shown:?}") };
    let fields = ["node", "name", "bytes_total", "bytes_done", "receiving", "state", "kept"].map(|field| &it[field]);
    assert_eq!(fields, [&Value::Null, &Value::Null, &Value::Null, &json!(length), &json!(true), &json!("stopped"), &json!(kept)], "{it}");
    it["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_kill_left_of_a_small_file_is_shown_and_thrown_away_but_not_while_it_is_used() {
    let mut wired = Wired::new("", "list,read,write");
    random_file(&wired.alice.scratch().join("small"), SMALL);
    let (command, folder) = (["put", "small", "bob:new/small"], wired.bob.file("new"));
    let killed = |wired: &mut Wired| {
        let running = part(wired, &command, &folder);
        wired.bob_dies();
        running.end().fails("offline", 5);
        let left = left(&folder);
        wired.bob_is_back();
        let kept = format!("new/{}", left.file_name().unwrap().to_str().unwrap());
        let id = unknown(&stopped(&wired.bob), &kept, fs::metadata(&left).unwrap().len());
        (left, kept, id)
    };
    let (partial, kept, id) = killed(&mut wired);
    let table = wired.bob.run(["transfers", "--stopped"]).ok().stdout;
    assert!(table.contains(&format!("unknown, kept in {kept}")), "{table}");

    // The same again uses it, and until it says so in a journal it is known by its name.
    let running = part(&wired, &command, &folder);
    assert_eq!(partial_in(&folder), partial);
    assert_eq!(stopped(&wired.bob), Vec::<Value>::new());
    wired.bob.run_json(["cancel", &id]).fails("unknown-transfer", 3);
    assert_eq!(partial_in(&folder), partial);
    wired.proxy.release();
    running.end().ok();
    assert_eq!(differ(&wired.alice.scratch().join("small"), &folder.join("small")), None);
    assert_eq!((stopped(&wired.bob), names_in(&folder)), (vec![], vec!["small".to_owned()]));

    fs::remove_file(folder.join("small")).unwrap();
    let (_, _, id) = killed(&mut wired);
    wired.bob.run(["cancel", &id[..6], "--keep"]).ok();
    assert_eq!(stopped(&wired.bob).len(), 1);
    wired.bob.run(["cancel", &id[..6]]).ok();
    assert_eq!((stopped(&wired.bob), hidden_in(&wired.bob.files())), (vec![], vec![]));
    wired.bob.run_json(["cancel", &id]).fails("unknown-transfer", 3);
}

#[test]
fn what_runs_into_a_folder_of_the_nodes_own_drive_that_a_command_lent_is_not_taken_for_stopped() {
    let wired = Wired::new("", "list,read");
    let Wired { alice, bob, proxy, .. } = &wired;
    random_file(&bob.file("small"), SMALL);
    let digest = transship_tests::sha256_hex(&bob.file("small"));
    fs::create_dir(alice.file("mine")).unwrap();
    let folder = alice.file("mine");
    let place = format!("{}/", folder.to_str().unwrap());
    // By its name and by its digest: then nobody knows the name until bob says it.
    for command in [vec!["get", "bob:small", &place], vec!["get", "--id", &format!("bob:{digest}"), &place]] {
        let serving = alice.serve();
        let running = part(&wired, &command, &folder);
        assert_eq!(stopped(alice), Vec::<Value>::new());
        serving.kill9();
        proxy.release();
        assert_ne!(running.end().code, Some(0));
        let left = left(&folder);
        let _serving = alice.serve();
        let id = unknown(&stopped(alice), &format!("mine/{}", left.file_name().unwrap().to_str().unwrap()), fs::metadata(&left).unwrap().len());
        alice.run(["cancel", &id]).ok();
        assert_eq!(names_in(&folder), Vec::<String>::new());
    }
}

#[test]
fn a_journal_that_says_nothing_is_as_good_as_none() {
    let wired = Wired::new("", "");
    fs::write(wired.bob.file(".transship-0123456789abcdef-0123456789abcdef.journal"), "0123456789abcdef {\"header").unwrap();
    fs::write(wired.bob.file(".transship-0123456789abcdef-0123456789abcdef.partial"), "half").unwrap();
    fs::write(wired.bob.file(".transship-fedcba9876543210.partial"), "of another version").unwrap();
    fs::write(wired.bob.file("notes.partial"), "somebody's own").unwrap();
    let shown = stopped(&wired.bob);
    let id = unknown(&shown[..1], ".transship-0123456789abcdef-0123456789abcdef.partial", 4);
    let old = unknown(&shown[1..], ".transship-fedcba9876543210.partial", 18);
    wired.bob.run(["cancel", &id]).ok();
    assert_eq!(wired.bob.names(), [".transship-fedcba9876543210.partial", "notes.partial"]);
    wired.bob.run(["cancel", &old]).ok();
    assert_eq!(wired.bob.names(), ["notes.partial"]);
}

#[test]
fn what_a_kill_left_of_a_tree_is_shown_and_thrown_away_but_not_while_it_is_used() {
    let mut wired = Wired::new("", "list,read,write");
    let (source, target) = (wired.alice.scratch().join("out"), wired.bob.file("out"));
    many(&source.join("many"), 500, 4096);
    plant(&source.join("zlarge"), 30 << 20, 0o644);
    let command = ["put", "-r", "out", "bob:"];
    let part = |wired: &Wired| {
        wired.proxy.hold_after(14 << 20);
        let running = wired.alice.start(command);
        wired.proxy.held();
        eventually("the large file has begun", || {
            let ends = |ending| hidden_in(&target).iter().any(|name| name.ends_with(ending));
            (ends(".tree") && ends(".partial") && ends(".journal")).then_some(())
        });
        running
    };
    let running = part(&wired);
    assert_eq!(stopped(&wired.bob), Vec::<Value>::new());
    wired.bob_dies();
    running.end().fails("offline", 5);
    wired.bob_is_back();
    let shown = stopped(&wired.bob);
    let (large, waiting): (Vec<_>, Vec<_>) = shown.into_iter().partition(|it| it["name"] == "zlarge");
    assert_eq!((large.len(), &large[0]["bytes_total"]), (1, &json!(30 << 20)), "{large:?}");
    let stage = hidden_in(&target).into_iter().find(|name| name.ends_with(".tree")).unwrap();
    let bytes = files_in(&target.join(&stage)).values().sum();
    // If all of them had their names already, there is nothing to be shown.
    let waiting = (!waiting.is_empty() || bytes > 0).then(|| unknown(&waiting, &format!("out/{stage}"), bytes));

    // The same again uses both.
    let running = part(&wired);
    assert_eq!(stopped(&wired.bob), Vec::<Value>::new());
    for id in large[0]["id"].as_str().into_iter().chain(waiting.as_deref()) {
        wired.bob.run_json(["cancel", id]).fails("unknown-transfer", 3);
    }
    wired.bob_dies();
    running.end().fails("offline", 5);
    wired.bob_is_back();
    for it in stopped(&wired.bob) {
        wired.bob.run(["cancel", it["id"].as_str().unwrap()]).ok();
    }
    assert_eq!((stopped(&wired.bob), hidden_in(&target)), (vec![], vec![]));
    wired.alice.run(command).ok();
    same(&source, &target, false);
}
