//! Nodes that send trees and keep no rules: nothing gets out of the folder that it is for, and nothing is seen that was not verified.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use transship_tests::blake3_of;
use transship_tests::fake_sender::{file, page};
use transship_tests::fake_worker::{FAKE, MANAGER, Wish, named, process};
use transship_tests::siege::Siege;
use transship_tests::transfer::{hidden_in, names_in};
use transship_tests::tree::{all_in, files_in};

fn folder(path: &str) -> Value {
    json!({"path": path, "kind": "folder", "size": 0, "modified": 0, "permissions": 0o755, "target": null})
}

fn link(path: &str, target: &str) -> Value {
    json!({"path": path, "kind": "link", "size": 0, "modified": 0, "permissions": 0o777, "target": target})
}

/// What every file has.
const CONTENT: &[u8] = b"hostile?";

/// What a sender says that keeps the rules, apart from what it lists: all files have [`CONTENT`].
fn honest(entries: &[Value], wish: &Wish) -> Option<(Value, Vec<u8>)> {
    let request = &wish.body;
    let name = request.as_str().map_or_else(|| request.as_object().and_then(|object| object.keys().next()).cloned().unwrap_or_default(), str::to_owned);
    match name.as_str() {
        "page" => Some((page(entries, false), Vec::new())),
        "files" => {
            let wanted = request["files"]["files"].as_array().map_or(0, Vec::len);
            let blob = CONTENT.repeat(wanted);
            Some((json!({"files": {"ok": {"files": vec!["same"; wanted], "digest": blake3_of(&blob)}}}), blob))
        }
        "part" => {
            let at = |field: &str| usize::try_from(request["part"][field].as_u64().unwrap_or(0)).unwrap();
            let all = CONTENT.repeat(4);
            let bytes = all.get(at("offset")..(at("offset") + at("length")).min(all.len())).unwrap_or_default().to_vec();
            Some((json!({"part": {"ok": blake3_of(&bytes)}}), bytes))
        }
        "digest-of" => Some((json!({"digest-of": {"ok": blake3_of(CONTENT)}}), Vec::new())),
        "finished" | "failed" | "ping" => Some((json!(name), Vec::new())),
        _ => None,
    }
}

/// Mallory sends bob a tree `in`: `answer` says what. Returns what bob's worker said at the end.
fn send(siege: &Siege, options: &Value, mut answer: impl FnMut(&Wish) -> Option<(Value, Vec<u8>)>) -> Value {
    let mut link = siege.link();
    let target = json!({"node": "mallory", "process": process(FAKE)});
    let tree = json!({"filter": null, "links": options["links"], "checksum": options["checksum"], "dry-run": null, "folders": null});
    let mut options = options.clone();
    options["tree"] = tree;
    for of_tree in ["links", "checksum"] {
        options.as_object_mut().unwrap().remove(of_tree);
    }
    let request = json!({"upload": {"name": "in", "target": target, "is-requestor": false, "local": null, "slot": null, "size": null, "options": options}});
    let begun = link.ask_json(MANAGER, 1, &request);
    link.took_all();
    let worker = named(&begun["upload"]["ok"]);
    loop {
        // One that can't go on says so; a worker that is gone without a word is caught here, and not by a time-out.
        let Some(wish) = link.wish_unless(|| !siege.bob.workers().contains(&worker)) else { panic!("the worker ended without a word") };
        if !wish.source.ends_with(&worker) {
            continue;
        }
        if let Some((body, blob)) = answer(&wish) {
            link.grant(&wish, &body, (!blob.is_empty()).then_some(&blob[..]));
        }
        if wish.body.get("finished").is_some() || wish.body.get("failed").is_some() {
            siege.bob.settled();
            return wish.body;
        }
    }
}

fn paths(siege: &Siege) -> Vec<String> {
    files_in(&siege.bob.file("in")).into_keys().map(|path| path.display().to_string()).collect()
}

#[test]
fn a_sender_by_hand_that_keeps_the_rules_is_believed() {
    let siege = Siege::lay("list,read,write");
    let entries = [folder("a"), file("a/one", 8), file("good", 8), link("good-link", "a/one")];
    let end = send(&siege, &json!({"links": "keep"}), |wish| honest(&entries, wish));
    assert_eq!((&end["finished"]["ok"]["tree"]["new"], &end["finished"]["ok"]["tree"]["links"]), (&2.into(), &1.into()), "{end}");
    assert_eq!(paths(&siege), ["a/one", "good"]);
    assert_eq!(std::fs::read(siege.bob.file("in/a/one")).unwrap(), CONTENT);
}

#[test]
fn a_name_that_leads_out_or_is_none_makes_nothing() {
    let siege = Siege::lay("list,read,write");
    // Everything but the folder that it is for.
    let others = || -> Vec<_> { all_in(&siege.bob.path().join("vfs")).into_keys().collect() };
    let before = others();
    for name in [
        "../x",
        "..",
        "a/../../x",
        "/x",
        "/etc/x",
        "",
        ".",
        "./x",
        "a//x",
        "a/",
        "a\u{0}x",
        "a\nx",
        "a\\x",
        ".transship-x",
        "a/.transship-x",
        "../in2/x",
        "\u{fffe}/../x",
    ] {
        let entries = [folder("a"), file(name, 8), file("good", 8)];
        send(&siege, &json!({}), |wish| honest(&entries, wish));
        let there = paths(&siege);
        assert!(there.iter().all(|path| path == "good"), "{name:?}: {there:?}");
        let entries = [folder(name), file("good", 8), link(name, "good")];
        send(&siege, &json!({"links": "keep"}), |wish| honest(&entries, wish));
        let all: Vec<String> = all_in(&siege.bob.file("in")).into_keys().map(|path| path.display().to_string()).collect();
        assert!(all.iter().all(|path| path == "good" || path == "a"), "{name:?}: {all:?}");
        assert_eq!(hidden_in(&siege.bob.files()), Vec::<String>::new(), "{name:?}");
        drop(std::fs::remove_dir_all(siege.bob.file("in")));
    }
    assert_eq!(others(), before);
    siege.alice_is_served();
}

#[test]
fn nothing_is_put_into_a_file_or_through_a_link() {
    let siege = Siege::lay("list,read,write");
    let outside = siege.bob.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let out = outside.to_str().unwrap();
    for entries in [
        // A file as a folder, and a folder as a file.
        vec![file("x", 8), file("x/y", 8), file("good", 8)],
        vec![folder("x"), file("x", 8), file("good", 8)],
        // Twice the same.
        vec![file("x", 8), file("x", 8), file("good", 8)],
        // Something in a folder that was never told of.
        vec![file("x/y/z", 8), file("good", 8)],
        // A link, and then something through it.
        vec![link("x", out), file("x/y", 8), file("good", 8)],
        vec![link("x", "../../../../outside"), file("x/y", 8), file("good", 8)],
        vec![folder("a"), link("a/x", "../../outside"), file("a/x/y", 8), file("good", 8)],
        vec![link("x", "a/../../y"), file("x", 8), file("good", 8)],
        vec![link("up", ".."), file("up/y", 8), link("x", "up/../../y"), file("good", 8)],
        vec![folder("a"), link("here", "a"), file("here/y", 8), file("good", 8)],
        // A link without a target, with a senseless one.
        vec![
            json!({"path": "x", "kind": "link", "size": 0, "modified": 0, "permissions": 0, "target": null}),
            link("y", ""),
            link("z", "a\u{0}b"),
            file("good", 8),
        ],
    ] {
        send(&siege, &json!({"links": "keep", "conflict": "overwrite"}), |wish| honest(&entries, wish));
        let there = all_in(&siege.bob.file("in"));
        assert_eq!(names_in(&outside), Vec::<String>::new(), "{entries:?}");
        assert_eq!(siege.bob.names().iter().filter(|name| *name != "in" && *name != "for-alice").count(), 0, "{:?}", siege.bob.names());
        for (path, thing) in &there {
            let transship_tests::tree::Thing::Link(says) = thing else { continue };
            let depth = path.components().count() - 1;
            let ups = says.components().take_while(|part| *part == std::path::Component::ParentDir).count();
            assert!(
                says.is_relative() && ups <= depth && !says.to_str().unwrap().trim_start_matches("../").contains(".."),
                "{} -> {}",
                path.display(),
                says.display()
            );
        }
        assert_eq!(hidden_in(&siege.bob.files()), Vec::<String>::new());
        drop(std::fs::remove_dir_all(siege.bob.file("in")));
    }
    siege.alice_is_served();
}

#[test]
fn what_does_not_fit_its_digest_or_its_length_is_never_seen() {
    let siege = Siege::lay("list,read,write");
    let entries = [file("one", 8), file("two", 8)];
    let lies: [fn(Vec<u8>, usize) -> (Value, Vec<u8>); 7] = [
        // A wrong bit; less; more; of less, and of more, with the digest that fits; no digest; an answer about more files than were asked for.
        |mut blob, count| {
            let digest = blake3_of(&blob);
            blob[3] ^= 1;
            (json!({"files": {"ok": {"files": vec!["same"; count], "digest": digest}}}), blob)
        },
        |blob, count| (json!({"files": {"ok": {"files": vec!["same"; count], "digest": blake3_of(&blob)}}}), blob[..blob.len() - 1].to_vec()),
        |blob, count| (json!({"files": {"ok": {"files": vec!["same"; count], "digest": blake3_of(&blob)}}}), [&blob[..], b"more"].concat()),
        |blob, count| {
            let less = blob[..blob.len() - 1].to_vec();
            (json!({"files": {"ok": {"files": vec!["same"; count], "digest": blake3_of(&less)}}}), less)
        },
        |blob, count| {
            let more = [&blob[..], b"more"].concat();
            (json!({"files": {"ok": {"files": vec!["same"; count], "digest": blake3_of(&more)}}}), more)
        },
        |blob, count| (json!({"files": {"ok": {"files": vec!["same"; count], "digest": ""}}}), blob),
        |blob, count| (json!({"files": {"ok": {"files": vec!["same"; count + 5], "digest": blake3_of(&blob)}}}), blob),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let options = json!({"timeout": 1000, "retries": 1});
        let end = send(&siege, &options, |wish| match wish.body.get("files") {
            Some(asked) => {
                let count = asked["files"].as_array().unwrap().len();
                Some(lie(CONTENT.repeat(count), count))
            }
            None => honest(&entries, wish),
        });
        assert_eq!(paths(&siege), Vec::<String>::new(), "lie {number}: {end}");
        assert_eq!(hidden_in(&siege.bob.files()), Vec::<String>::new(), "lie {number}");
        assert_eq!(end["finished"]["ok"]["tree"]["new"].as_u64().unwrap_or(0), 0, "lie {number}: {end}");
    }
    siege.alice_is_served();
}

/// The same, and nothing behind the first page.
fn honest_once(entries: &[Value], wish: &Wish) -> Option<(Value, Vec<u8>)> {
    let behind = wish.body.get("page").is_some_and(|number| *number != 0);
    honest(if behind { &[] } else { entries }, wish)
}

#[test]
fn small_files_are_compared_many_at_a_time() {
    const MANY: usize = 40;
    let siege = Siege::lay("list,read,write");
    let entries: Vec<Value> = (0..MANY).map(|number| file(&number.to_string(), 8)).collect();
    std::fs::create_dir_all(siege.bob.file("in")).unwrap();
    for number in 0..MANY {
        std::fs::write(siege.bob.file(&format!("in/{number}")), CONTENT).unwrap();
    }
    let mut asked = BTreeSet::new();
    let end = send(&siege, &json!({"checksum": true, "timeout": 2000}), |wish| {
        // Nothing is answered until all are asked for; then they are asked for again.
        if let Some(file) = wish.body.get("digest-of") {
            asked.insert(file["file"].as_u64().unwrap());
            return if asked.len() < MANY { None } else { honest_once(&entries, wish) };
        }
        honest_once(&entries, wish)
    });
    let tree = &end["finished"]["ok"]["tree"];
    assert_eq!((&tree["changed"], &tree["failed"], &end["finished"]["ok"]["size"]), (&MANY.into(), &0.into(), &0.into()), "their times alone: {end}");
}

/// With a wrong bit.
fn spoilt((body, mut blob): (Value, Vec<u8>)) -> (Value, Vec<u8>) {
    blob[0] ^= 1;
    (body, blob)
}

#[test]
fn a_part_that_does_not_fit_is_asked_for_once_more_and_then_its_file_fails_alone() {
    let siege = Siege::lay("list,read,write");
    let entries = [file("a-liar", 32), file("doubtful", 32), file("good", 32)];
    let mut asked: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    let end = send(&siege, &json!({"chunk-size": 8}), |wish| {
        let answer = honest_once(&entries, wish)?;
        let Some(part) = wish.body.get("part") else { return Some(answer) };
        let (number, offset) = (part["file"].as_u64().unwrap(), part["offset"].as_u64().unwrap());
        let times = asked.entry((number, offset)).or_default();
        *times += 1;
        // The first always lies at one place, the second everywhere for once.
        Some(if (number == 0 && offset == 16) || (number == 1 && *times == 1) { spoilt(answer) } else { answer })
    });
    let tree = &end["finished"]["ok"]["tree"];
    assert_eq!((&tree["new"], &tree["failed"], &tree["failures"][0]["name"]), (&2.into(), &1.into(), &"a-liar".into()), "{end}");
    assert!(tree["failures"][0]["error"].get("digest-mismatch").is_some(), "{end}");
    assert!(asked[&(0, 16)] == 2 && (0..4).all(|chunk| asked[&(1, chunk * 8)] == 2 && asked[&(2, chunk * 8)] == 1), "{asked:?}");
    assert_eq!(paths(&siege), ["doubtful", "good"]);
    assert_eq!(std::fs::read(siege.bob.file("in/doubtful")).unwrap(), CONTENT.repeat(4));
    assert_eq!(hidden_in(&siege.bob.files()), Vec::<String>::new());
}

#[test]
fn small_files_that_do_not_fit_are_asked_for_one_by_one_and_fail_alone() {
    let siege = Siege::lay("list,read,write");
    let entries = [file("a", 8), file("liar", 8), file("z", 8)];
    let mut asked = Vec::new();
    let end = send(&siege, &json!({}), |wish| {
        let answer = honest_once(&entries, wish)?;
        let Some(files) = wish.body.get("files") else { return Some(answer) };
        asked.push(files["files"].clone());
        Some(if files["files"].as_array().unwrap().contains(&1.into()) { spoilt(answer) } else { answer })
    });
    let tree = &end["finished"]["ok"]["tree"];
    assert_eq!((&tree["new"], &tree["failed"], &tree["failures"][0]["name"]), (&2.into(), &1.into(), &"liar".into()), "{end}");
    assert_eq!(asked, [json!([0, 1, 2]), json!([0]), json!([1]), json!([2])]);
    assert_eq!(paths(&siege), ["a", "z"]);
    assert_eq!(hidden_in(&siege.bob.files()), Vec::<String>::new());
}

#[test]
fn a_listing_that_is_senseless_or_too_large_is_an_error_and_costs_no_memory() {
    let siege = Siege::lay("list,read,write");
    let before = transship_tests::machine::memory(siege.bob_serves.pid(), "VmHWM");
    let endless: Vec<Value> = Vec::new();
    for listing in [
        json!({"page": {"ok": {"entries": 5}}}),
        json!({"page": {"ok": {"entries": [{"path": "x"}], "failures": [], "skipped": 0, "more": false}}}),
        json!({"page": "ok"}),
        json!("page"),
        json!({"page": {"err": {"denied": "by mallory"}}}),
        json!({"page": {"ok": {"entries": [file("huge", u64::MAX)], "failures": [], "skipped": u64::MAX, "more": false}}}),
        json!({"page": {"ok": {"entries": [file("huge", 1 << 60), file("huge2", u64::MAX - 5)], "failures": [], "skipped": 0, "more": false}}}),
        json!({"page": {"ok": {"entries": [json!({"path": "t", "kind": "file", "size": 8, "modified": i64::MIN, "permissions": 65535, "target": null})], "failures": [], "skipped": 0, "more": false}}}),
        page(&endless, true),
    ] {
        let mut pages = 0;
        let end = send(&siege, &json!({"timeout": 1000, "retries": 1}), |wish| {
            if wish.body.get("page").is_none() {
                return honest(&endless, wish);
            }
            pages += 1;
            // An endless row of empty pages is ended by the sender: it may take its time.
            Some((if pages > 50 { page(&endless, false) } else { listing.clone() }, Vec::new()))
        });
        let there = paths(&siege);
        assert!(there.iter().all(|path| path == "t"), "{listing}: {there:?} {end}");
        // What a sender says of the mode gives no more than a mode has.
        if let Ok(metadata) = std::fs::metadata(siege.bob.file("in/t")) {
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7000, 0);
        }
        assert_eq!(hidden_in(&siege.bob.files()), Vec::<String>::new(), "{end}");
        drop(std::fs::remove_dir_all(siege.bob.file("in")));
    }
    let after = transship_tests::machine::memory(siege.bob_serves.pid(), "VmHWM");
    assert!(after < before + (64 << 20), "bob grew from {} to {} MiB", before >> 20, after >> 20);
    siege.alice_is_served();
}
