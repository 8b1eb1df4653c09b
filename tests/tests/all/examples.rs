//! The example packages in other languages, as a node runs them.

use data_encoding::BASE64;
use serde_json::json;
use transship_tests::guests::{COMPILING, javascript, python};
use transship_tests::{Home, eventually, introduce};

/// 16 by 8 pixels: the left half red, the right half blue.
const PICTURE: &[u8] = b"iVBORw0KGgoAAAANSUhEUgAAABAAAAAICAIAAAB/FOjAAAAAFklEQVR42mP4z8CAFeEQ/s8wqoEWGgClN3+BkZs1VQAAAABJRU5ErkJggg==";

#[test]
fn thumbnails_makes_a_small_picture_out_of_a_big_one_and_says_what_is_none() {
    let Some(example) = javascript("examples/thumbnails") else { return };
    let alice = Home::new("alice").compiling_quickly();
    example.install(&alice);
    let serving = alice.serve_within(&[], "127.0.0.1:0", COMPILING);
    let scratch = alice.scratch();
    std::fs::write(scratch.join("picture.png"), BASE64.decode(PICTURE).unwrap()).unwrap();
    std::fs::write(scratch.join("damaged.png"), &BASE64.decode(PICTURE).unwrap()[..50]).unwrap();
    std::fs::write(scratch.join("text.png"), "no picture").unwrap();
    let ask = |body: &str, more: &[&str]| alice.run([&["message", "main:thumbnails:examples", body], more].concat()).ok().stdout.trim().to_owned();
    assert_eq!(ask(r#"{"size":4}"#, &["--blob", "picture.png", "--output", "small.png"]), r#"{"width":4,"height":2}"#);
    // And what it made is a picture again.
    assert_eq!(ask(r#"{"size":2}"#, &["--blob", "small.png", "--output", "tiny.png"]), r#"{"width":2,"height":1}"#);
    let tiny = std::fs::read(scratch.join("tiny.png")).unwrap();
    assert_eq!((&tiny[1..4], &tiny[16..24]), (&b"PNG"[..], &[0, 0, 0, 2, 0, 0, 0, 1][..]));
    for (body, more, error) in [
        (r#"{"size":4}"#, &["--blob", "text.png"][..], "this is no PNG picture"),
        (r#"{"size":4}"#, &["--blob", "damaged.png"], ""),
        (r#"{"size":4}"#, &[], "no blob"),
        (r#"{"size":0}"#, &["--blob", "picture.png"], "1 to 1024"),
        ("[]", &["--blob", "picture.png"], "1 to 1024"),
    ] {
        let answer = ask(body, more);
        assert!(answer.starts_with(r#"{"error":"#) && answer.contains(error), "{body} {more:?}: {answer}");
    }
    assert_eq!(ask(r#"{"size":4}"#, &["--blob", "picture.png", "--output", "again.png"]), r#"{"width":4,"height":2}"#);
    assert_eq!(std::fs::read(scratch.join("again.png")).unwrap(), std::fs::read(scratch.join("small.png")).unwrap());

    // Of another node the same, picture and answer going over the link.
    let bob = Home::new("bob").compiling_quickly();
    introduce((&alice, Some(&serving), ""), (&bob, None, ""));
    std::fs::copy(scratch.join("picture.png"), bob.scratch().join("picture.png")).unwrap();
    let asked = bob.run(["message", "alice@main:thumbnails:examples", r#"{"size":4}"#, "--blob", "picture.png", "--output", "small.png"]).ok();
    assert_eq!(asked.stdout.trim(), r#"{"width":4,"height":2}"#);
    assert_eq!(std::fs::read(bob.scratch().join("small.png")).unwrap(), std::fs::read(scratch.join("small.png")).unwrap());
}

#[test]
fn mirror_keeps_a_folder_equal_to_one_on_another_node_also_after_a_restart() {
    let Some(example) = python("examples/mirror") else { return };
    let (alice, bob) = (Home::new("alice").compiling_quickly(), Home::new("bob").compiling_quickly());
    // The node composes the API in, since the manifest names its package as a dependency.
    example.install(&alice);
    let (alice_serves, bob_serves) = (alice.serve_within(&[], "127.0.0.1:0", COMPILING), bob.serve());
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read"));
    let copy = alice.path().join("vfs/mirror:examples/files");
    let put = |name: &str, content: &str| {
        std::fs::create_dir_all(bob.file(name).parent().unwrap()).unwrap();
        std::fs::write(bob.file(name), content).unwrap();
    };
    let ask = |body: &serde_json::Value| alice.message("alice@main:mirror:examples", body);
    for name in ["photos/one", "photos/two", "photos/2026/three", "other"] {
        put(name, name);
    }
    let mut report = ask(&json!({"mirror": {"node": "bob", "folder": "photos/", "every": 3600}}));
    report["fetched"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(
        (&report["fetched"], &report["removed"], &report["failed"]),
        (&json!(["photos/2026/three", "photos/one", "photos/two"]), &json!([]), &json!({}))
    );
    assert_eq!(std::fs::read_to_string(copy.join("photos/2026/three")).unwrap(), "photos/2026/three");
    assert!(!copy.join("other").exists());

    put("photos/one", "changed, and longer");
    put("photos/four", "new");
    std::fs::remove_file(bob.file("photos/two")).unwrap();
    let report = ask(&json!("now"));
    assert_eq!((&report["removed"], &report["unchanged"]), (&json!(["photos/two"]), &json!(1)));
    assert_eq!(std::fs::read_to_string(copy.join("photos/one")).unwrap(), "changed, and longer");
    assert!(copy.join("photos/four").exists() && !copy.join("photos/two").exists());

    // It knows what it mirrors when the node starts again, and does so at once.
    drop(alice_serves);
    put("photos/five", "new");
    let alice_serves = alice.serve();
    eventually("the new file is here", || copy.join("photos/five").exists().then_some(()));

    // What can't be listed is not taken for empty.
    drop(bob_serves);
    let report = ask(&json!("now"));
    assert!(report["failed"]["photos/"].as_str().unwrap().contains("Offline"), "{report}");
    assert!(copy.join("photos/five").exists());
    drop(alice_serves);
}
