//! A node whose drive is held in memory: files by name for all clients, and nothing on disk.

use std::fs;

use serde_json::json;
use transship_tests::transfer::names_in;
use transship_tests::{Home, Serving, differ, introduce, random_file};

/// A node that keeps files in memory, 12 MB at most, and two clients of it.
struct Shop {
    shop: Home,
    _serving: Serving,
    ann: (Home, Serving),
    ben: (Home, Serving),
}

fn open() -> Shop {
    let shop = Home::new("shop");
    shop.configure("[drives.\"file-transfer:transship/files\"]\nmemory = 12000000");
    let serving = shop.serve();
    let client = |name| {
        let home = Home::new(name);
        let client_serves = home.serve();
        introduce((&home, Some(&client_serves), ""), (&shop, Some(&serving), "list,read,write"));
        (home, client_serves)
    };
    let (ann, ben) = (client("ann"), client("ben"));
    Shop { shop, _serving: serving, ann, ben }
}

fn list(home: &Home) -> Vec<(String, u64)> {
    let lines = home.run(["list", "shop", "--json"]).ok().json();
    lines.iter().map(|line| (line["name"].as_str().unwrap().to_owned(), line["size"].as_u64().unwrap())).collect()
}

#[test]
fn a_file_is_put_by_name_and_fetched_by_name_by_any_client_and_never_touches_a_disk() {
    let Shop { shop, ann, ben, .. } = &open();
    fs::write(ann.0.scratch().join("poem.txt"), "roses are red").unwrap();
    ann.0.run(["put", "poem.txt", "shop:"]).ok();
    assert_eq!(ben.0.run(["get", "shop:poem.txt", "-"]).ok().stdout, "roses are red");
    ben.0.run_with_input(["put", "-", "shop:folder/note"], b"violets are blue").ok();
    let expected = [("folder/note".to_owned(), 16), ("poem.txt".to_owned(), 13)];
    for client in [&ann.0, &ben.0] {
        assert_eq!(list(client), expected);
    }
    assert_eq!(ann.0.run(["get", "shop:folder/note", "-"]).ok().stdout, "violets are blue");
    assert_eq!(names_in(&shop.path().join("vfs/file-transfer:transship/files")), Vec::<String>::new());
}

#[test]
fn an_empty_list_completes_and_says_so() {
    let Shop { ann, .. } = &open();
    assert_eq!(ann.0.run(["list", "shop"]).ok().stdout, "no files on shop\n");
    assert_eq!(ann.0.run(["list", "shop", "--json"]).ok().stdout, "");
}

#[test]
fn a_file_larger_than_a_message_comes_in_chunks_whose_size_either_side_chooses() {
    let Shop { ann, ben, .. } = &open();
    let file = ann.0.scratch().join("large");
    random_file(&file, 5_000_011);
    for chunk in ["7777", "64k", "16M"] {
        ann.0.run(["put", "large", "shop:", "--chunk-size", chunk, "--on-conflict", "overwrite"]).ok();
        ben.0.run(["get", "shop:large", "--chunk-size", chunk, "--on-conflict", "overwrite"]).ok();
        assert_eq!(differ(&file, &ben.0.scratch().join("large")), None, "{chunk}");
    }
}

#[test]
fn an_unknown_name_is_a_typed_error() {
    let Shop { ann, .. } = &open();
    ann.0.run_json(["get", "shop:nothing"]).fails("not-found", 3);
    ann.0.run(["get", "shop:nothing", "-"]).code(3).says("shop has no file 'nothing'");
}

#[test]
fn a_full_memory_says_so_and_keeps_what_it_has() {
    let Shop { ann, .. } = &open();
    fs::write(ann.0.scratch().join("small"), "small").unwrap();
    ann.0.run(["put", "small", "shop:"]).ok();
    random_file(&ann.0.scratch().join("large"), 13_000_000);
    ann.0.run_json(["put", "large", "shop:"]).fails("no-space", 8);
    ann.0.run_with_input(["put", "-", "shop:large"], &vec![b'x'; 13_000_000]).code(8);
    assert_eq!(list(&ann.0), [("small".to_owned(), 5)]);
    // Nothing of what did not fit takes room.
    random_file(&ann.0.scratch().join("fits"), 11_000_000);
    let done = ann.0.run_json(["put", "fits", "shop:"]).ok().event("done");
    assert_eq!(done["size"], json!(11_000_000));
}

#[test]
fn what_is_held_in_memory_is_gone_with_the_node() {
    let home = Home::new("shop");
    home.configure("[drives.\"file-transfer:transship/files\"]\nmemory = 12000000");
    let serving = home.serve();
    let body = r#"{"store":{"number":1,"result":{"store":{"name":"x","size":0,"digest":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}}}"#;
    home.run(["message", "manager:file-transfer:transship", body]).ok();
    assert!(home.run(["list"]).ok().stdout.ends_with("x\n"));
    serving.stop("TERM");
    let _serving = home.serve();
    assert_eq!(home.run(["list"]).ok().stdout, "no files on shop\n");
}
