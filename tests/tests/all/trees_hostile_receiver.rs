//! Nodes that take trees and keep no rules: they get what was listed for them, and nothing else.

use std::path::Path;

use serde_json::{Value, json};
use transship_tests::fake_worker::{ASKER, FAKE, MANAGER, named, process};
use transship_tests::raw_peer::RawPeer;
use transship_tests::siege::Siege;
use transship_tests::tree::plant;
use transship_tests::{Home, Running, eventually};

const SECRET: &str = "this is not for mallory";

/// Requests for what was not listed, in every way that there is to ask for it.
fn demands() -> Vec<Value> {
    let mut demands = Vec::new();
    for file in [1_u32, 2, 5, 999, u32::MAX] {
        demands.push(json!({"files": {"page": 0, "files": [file]}}));
        demands.push(json!({"files": {"page": 0, "files": [0, file]}}));
        demands.push(json!({"part": {"page": 0, "file": file, "offset": 0, "length": 10}}));
        demands.push(json!({"digest-of": {"page": 0, "file": file}}));
    }
    for page in [1_u32, 2, 100, u32::MAX] {
        demands.push(json!({ "page": page }));
        demands.push(json!({"files": {"page": page, "files": [0]}}));
        demands.push(json!({"part": {"page": page, "file": 0, "offset": 0, "length": 10}}));
        demands.push(json!({"digest-of": {"page": page, "file": 0}}));
    }
    for (offset, length) in [(0, 0), (0, u64::MAX), (u64::MAX, 1), (u64::MAX, u64::MAX), (100, 1), (0, 1 << 30), (0, 20_000_000)] {
        demands.push(json!({"part": {"page": 0, "file": 0, "offset": offset, "length": length}}));
    }
    demands.push(json!({"files": {"page": 0, "files": vec![0; 1_000_000 / 2]}}));
    demands.push(json!({"files": {"page": 0, "files": []}}));
    demands
}

/// What is no question about a tree, and need not be answered.
fn nonsense() -> Vec<Value> {
    let chunk = |name: &str| json!({"chunk": {"name": name, "offset": 0, "length": 10}});
    let chunks = ["secret", "out/secret", "../secret", "/etc/hostname", "good"].map(chunk);
    [&chunks[..], &[json!({"files": {"page": "0", "files": "all"}}), json!({"page": -1}), json!("page"), json!({"digest-of": "secret"})]].concat()
}

/// Asks a sender's worker for everything, and for what it has listed. Returns the names in the listing.
fn besiege(link: &mut RawPeer, from: &str, worker: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let (answer, _) = link.ask_worker(from, worker, 1000, &json!({"page": 0}), &mut heard).expect("it lists");
    let listing = &answer["page"]["ok"];
    let names = listing["entries"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect();
    assert!(!answer.to_string().contains("secret"), "{answer}");
    for (number, demand) in demands().into_iter().enumerate() {
        let text = demand.to_string();
        let text = &text[..text.len().min(100)];
        let Some((answer, blob)) = link.ask_worker(from, worker, 2000 + number as u128, &demand, &mut heard) else { panic!("the worker has ended at {text}") };
        let said = format!("{answer} {}", String::from_utf8_lossy(&blob));
        for secret in [SECRET.to_owned(), transship_tests::sha256_of(SECRET.as_bytes()), transship_tests::blake3_of(SECRET.as_bytes())] {
            assert!(!said.contains(&secret), "{text}: {said}");
        }
    }
    for (number, nonsense) in nonsense().into_iter().enumerate() {
        link.tell_worker(from, worker, 5000 + number as u128, &nonsense);
    }
    // It goes on for one who asks for what there is.
    let (answer, blob) = link.ask_worker(from, worker, 9000, &json!({"files": {"page": 0, "files": [0]}}), &mut heard).expect("it still runs");
    assert!(!String::from_utf8_lossy(&heard).contains(SECRET));
    assert_eq!(answer["files"]["ok"]["files"], json!(["same"]), "{answer}");
    assert_eq!(blob, b"good");
    names
}

#[test]
fn what_is_left_out_can_not_be_had() {
    // Alice sends mallory a folder, but for one file; and mallory answers by hand.
    let (alice, mallory) = (Home::new("alice"), Home::new("mallory"));
    let alice_serves = alice.serve();
    let ticket = mallory.run(["ticket", "--host", "127.0.0.1"]).ok().stdout;
    alice.run(["peer", "add", ticket.trim()]).ok();
    std::fs::create_dir(alice.scratch().join("out")).unwrap();
    std::fs::write(alice.scratch().join("out/good"), "good").unwrap();
    std::fs::write(alice.scratch().join("out/secret"), SECRET).unwrap();
    std::fs::write(alice.scratch().join("secret"), SECRET).unwrap();
    let (mut link, _) = RawPeer::greet(&mallory, alice_serves.address());
    let putting: Running = alice.start(["put", "-r", "out", "mallory:", "--exclude", "secret"]);
    let wish = loop {
        let wish = link.wish();
        if wish.target == MANAGER && wish.body.get("upload").is_some() {
            break wish;
        }
    };
    assert_eq!(wish.body["upload"]["local"], Value::Null, "where it is here is nobody else's business");
    let worker = named(&wish.body["upload"]["target"]["process"]);
    link.grant(&wish, &json!({"upload": {"ok": process(FAKE)}}), None);
    assert_eq!(besiege(&mut link, FAKE, &worker), ["good"]);
    drop(link);
    putting.kill9();
}

#[test]
fn who_may_read_gets_nothing_that_is_no_part_of_the_folder() {
    let siege = Siege::lay("list,read");
    plant(&siege.bob.file("other/file"), 5, 0o644);
    std::fs::create_dir(siege.bob.file("out")).unwrap();
    std::fs::write(siege.bob.file("out/good"), "good").unwrap();
    std::fs::write(siege.bob.file("secret"), SECRET).unwrap();
    let mut link = siege.link();
    let target = json!({"node": "mallory", "process": process(FAKE)});
    let request = json!({"download": {"name": "out", "target": target, "is-requestor": false, "local": {"drive": "files", "name": ""}, "slot": null,
        "options": {"tree": {"filter": null, "links": null, "checksum": null, "dry-run": null, "folders": null}}}});
    let answer = link.ask_json(MANAGER, 1, &request);
    link.took_all();
    let worker = named(&answer["download"]["ok"]);
    // Whoever asked is the counterpart, whatever it said.
    assert_eq!(besiege(&mut link, ASKER, &worker), ["good"]);
    drop(link);
    siege.bob.settled();
    siege.alice_is_served();
}

/// How many files below `folder` a process holds open.
fn open_below(pid: u32, folder: &Path) -> usize {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there");
    open.flatten().filter(|open| std::fs::read_link(open.path()).is_ok_and(|file| file.starts_with(folder))).count()
}

#[test]
fn any_number_of_digests_may_be_asked_for_and_others_are_served_meanwhile() {
    const FILES: u32 = 600;
    const QUESTIONS: usize = 256;
    let siege = Siege::lay("list,read");
    let folder = siege.bob.file("out");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..FILES {
        // With nothing on the disk, and hours of work all together.
        std::fs::File::create(folder.join(format!("{number:03}"))).unwrap().set_len(1 << 36).unwrap();
    }
    let mut link = siege.link();
    let target = json!({"node": "mallory", "process": process(FAKE)});
    let request = json!({"download": {"name": "out", "target": target, "is-requestor": false, "local": null, "slot": null, "options": {"tree": {}}}});
    let worker = named(&link.ask_json(MANAGER, 1, &request)["download"]["ok"]);
    link.took_all();
    let mut heard = Vec::new();
    link.ask_worker(ASKER, &worker, 2, &json!({"page": 0}), &mut heard).expect("it lists");
    for file in 0..FILES - 1 {
        link.tell_worker(ASKER, &worker, 1000 + u128::from(file), &json!({"digest-of": {"page": 0, "file": file}}));
        // As many as may be on their way.
        if file % 100 == 99 {
            link.ask_worker(ASKER, &worker, 8000 + u128::from(file), &json!({"page": 0}), &mut heard).expect("it still runs");
        }
    }
    let last = json!({"digest-of": {"page": 0, "file": FILES - 1}});
    let (answer, _) = link.ask_worker(ASKER, &worker, 9000, &last, &mut heard).expect("it still runs");
    assert!(answer["digest-of"]["err"]["busy"].is_string(), "{answer}");
    // Answers may overtake each other, so that to the last question needs not be the last.
    let busy = |heard: &[u8]| String::from_utf8_lossy(heard).matches("busy").count();
    let mut others = 9001..9100;
    while busy(&heard) < FILES as usize - 1 - QUESTIONS
        && let Some(number) = others.next()
    {
        link.ask_worker(ASKER, &worker, number, &json!({"page": 0}), &mut heard).expect("it still runs");
    }
    assert_eq!(busy(&heard), FILES as usize - 1 - QUESTIONS, "{}", String::from_utf8_lossy(&heard[heard.len().saturating_sub(2000)..]));
    let pid = siege.bob_serves.pid();
    assert!((1..=32).contains(&open_below(pid, &folder)));
    siege.alice_is_served();
    // With the transfer its digests end, and all that they hold.
    drop(link);
    siege.bob.settled();
    eventually("the files are closed", || (open_below(pid, &folder) == 0).then_some(()));
    siege.alice_is_served();
}

#[test]
fn a_tree_needs_the_rights_to_list_and_to_read() {
    for rights in ["", "list", "read", "write"] {
        let siege = Siege::lay(rights);
        plant(&siege.bob.file("out/good"), 5, 0o644);
        let mut link = siege.link();
        let target = json!({"node": "mallory", "process": process(FAKE)});
        let options = json!({"tree": {}});
        let download = json!({"download": {"name": "out", "target": target, "is-requestor": false, "local": null, "slot": null, "options": options}});
        let answer = link.ask_json(MANAGER, 1, &download);
        assert!(answer["download"]["err"]["denied"].is_string(), "{rights}: {answer}");
        if rights != "write" {
            let upload =
                json!({"upload": {"name": "in", "target": target, "is-requestor": false, "local": null, "slot": null, "size": null, "options": options}});
            let answer = link.ask_json(MANAGER, 2, &upload);
            assert!(answer["upload"]["err"]["denied"].is_string(), "{rights}: {answer}");
        }
        assert_eq!(siege.bob.names(), ["out"]);
    }
}
