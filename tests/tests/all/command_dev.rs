//! `transship dev`: nodes to try packages on, with what the sources are at the moment.

use std::path::{Path, PathBuf};

use serde_json::json;
use transship_tests::package::puppet;
use transship_tests::{Home, eventually};

const MANIFEST: &str = r#"
name = "tried"
publisher = "test"
version = "1.0.0"
[drives.files]
[components]
puppet = "puppet.wasm"
[[process]]
name = "main"
component = "puppet"
public = true
[process.capabilities]
network = true
drives = { files = ["list", "read", "write"] }
"#;

/// A package's folder, its component built already.
fn folder(home: &Home) -> PathBuf {
    let folder = home.scratch().join("tried");
    std::fs::create_dir(&folder).unwrap();
    let package = transship::package::Package::read(&puppet()).unwrap();
    std::fs::write(folder.join("puppet.wasm"), package.component("puppet").unwrap()).unwrap();
    std::fs::write(folder.join("package.toml"), MANIFEST).unwrap();
    folder
}

#[test]
fn nodes_that_know_each_other_have_the_package_and_get_it_anew_when_it_changes() {
    let here = Home::new("here");
    let folder = folder(&here);
    let mut dev = here.start(["dev", "--names", "north,south", folder.to_str().unwrap()]);
    let mut homes = Vec::new();
    for name in ["north", "south"] {
        let node = dev.until("the node is there", |event| event["event"] == "node");
        assert_eq!(node["name"], name);
        homes.push(node["home"].as_str().unwrap().to_owned());
    }
    let installed = dev.until("it is installed", |event| event["event"] == "installed");
    assert_eq!((&installed["package"], &installed["version"]), (&json!("tried:test"), &json!("1.0.0")));
    let step = json!({"ask": {"target": "south@main:tried:test", "body": {"echo": "over there"}, "timeout": 10000, "metadata": null, "blob": null, "mime_type": null}});
    let on = |place: usize, arguments: &[&str]| here.run([&["--home", homes[place].as_str()], arguments].concat()).ok().stdout;
    let answer = on(0, &["message", "main:tried:test", &step.to_string()]);
    assert!(answer.contains("over there") && answer.contains("north@main:tried:test"), "{answer}");
    // What each may do with the drives of the other: everything.
    assert!(on(0, &["peer", "list"]).contains("tried:test/files=list,read,write"), "{}", on(0, &["peer", "list"]));
    // What they log is shown, with their names.
    on(1, &["message", "main:tried:test", &json!({"log": {"level": "info", "text": "heard in the north", "times": 1}}).to_string()]);
    dev.until("the log is shown", |event| {
        event["event"] == "log" && event["node"] == "south" && event["line"].as_str().unwrap().contains("heard in the north")
    });

    // A mistake is shown, and changes nothing; its correction is installed.
    std::fs::write(folder.join("package.toml"), "name = ").unwrap();
    on(0, &["message", "main:tried:test", r#"{"echo":"still"}"#]);
    // One change, and one only.
    let corrected = folder.join(".corrected");
    std::fs::write(&corrected, MANIFEST.replace("1.0.0", "1.1.0")).unwrap();
    std::fs::rename(corrected, folder.join("package.toml")).unwrap();
    let installed = dev.until("the new one is installed", |event| event["event"] == "installed");
    assert_eq!(installed["version"], "1.1.0");
    for place in [0, 1] {
        assert!(on(place, &["package", "list"]).contains("1.1.0"));
    }
    dev.signal("INT");
    assert_eq!(dev.end().code, Some(0));
    eventually("nothing is left", || homes.iter().all(|home| !Path::new(home).exists()).then_some(()));
}

#[test]
fn homes_that_are_kept_are_used_again() {
    let here = Home::new("here");
    let folder = folder(&here);
    let homes = here.scratch().join("homes");
    for (kept, text) in [(false, "one"), (true, "two")] {
        let mut dev = here.start(["dev", "--nodes", "1", "--once", "--keep", homes.to_str().unwrap(), folder.to_str().unwrap()]);
        dev.until("it is installed", |event| event["event"] == "installed");
        let tell = |step: serde_json::Value| {
            let said = here.run(["--home", homes.join("alice").to_str().unwrap(), "message", "main:tried:test", &step.to_string()]).ok().stdout;
            serde_json::from_str::<serde_json::Value>(&said).unwrap()
        };
        assert_eq!(tell(json!("get"))["ok"], if kept { json!("one") } else { json!(null) });
        tell(json!({ "set": text }));
        dev.signal("TERM");
        assert_eq!(dev.end().code, Some(0));
    }
    assert!(homes.join("alice/identity.key").exists());
    // A folder that is no package is said to be none before anything is started.
    here.run(["dev", homes.to_str().unwrap()]).code(6).says("no package.toml");
}
