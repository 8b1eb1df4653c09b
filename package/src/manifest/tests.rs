use super::*;

const FULL: &str = r#"
name = "file-transfer"
publisher = "transship"
version = "0.1.0"
description = "Moves files."
[drives.files]
[drives.scratch]
kind = "memory"
[components]
manager = "manager.wasm"
worker = "worker.wasm"
[[process]]
name = "manager"
component = "manager"
on-exit = "restart"
public = true
[process.capabilities]
network = true
spawning = true
drives = { files = ["list", "read", "write"], scratch = ["read"] }
messaging = ["clock:tools:somebody"]
[process.limits]
memory = "16 MiB"
[compose]
manager = ["worker-api.wasm"]
[build]
"manager.wasm" = "file_transfer.wasm"
"#;

fn refused(old: &str, new: &str) -> String {
    assert!(FULL.contains(old), "{old} is not in the manifest of these tests");
    Manifest::parse(&FULL.replacen(old, new, 1)).unwrap_err().to_string()
}

#[test]
fn a_manifest_is_read_and_its_defaults_are_filled_in() {
    let manifest = Manifest::parse(FULL).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.publisher.as_str(), manifest.version.to_string().as_str()), ("file-transfer", "transship", "0.1.0"));
    assert_eq!(manifest.drives["files"], Drive { kind: DriveKind::Folder, quota: None });
    assert_eq!(manifest.drives["scratch"], Drive { kind: DriveKind::Memory, quota: Some(DEFAULT_MEMORY_QUOTA) });
    assert_eq!(manifest.files(), BTreeSet::from(["manager.wasm", "worker.wasm"]));
    let [process] = manifest.processes.as_slice() else { panic!("one process") };
    assert_eq!((process.on_exit, process.public, process.memory_limit), (OnExit::Restart, true, 16 << 20));
    assert_eq!(process.capabilities.drives["files"], Rights { list: true, read: true, write: true });
    assert_eq!(process.capabilities.drives["scratch"], Rights { read: true, ..Rights::default() });
    assert_eq!(process.capabilities.messaging[0].to_string(), "clock:tools:somebody");
}

#[test]
fn a_process_that_asks_for_nothing_gets_nothing() {
    let text = "name = 'a'\npublisher = 'b'\nversion = '1.0.0'\n[components]\nc = 'c.wasm'\n[[process]]\nname = 'p'\ncomponent = 'c'\n";
    let manifest = Manifest::parse(text).unwrap();
    let process = &manifest.processes[0];
    assert_eq!(process.capabilities, Capabilities::default());
    assert_eq!((process.on_exit, process.public, process.memory_limit), (OnExit::None, false, DEFAULT_MEMORY_LIMIT));
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
    let message = refused("on-exit", "on-exti");
    assert!(message.contains("unknown field `on-exti`") && message.contains("did you mean `on-exit`?") && message.contains("line 15"), "{message}");
    assert!(refused("description", "descripton").contains("did you mean `description`?"));
    assert!(refused("network", "netwrok").contains("did you mean `network`?"));
    assert!(refused("\"restart\"", "\"restrat\"").contains("did you mean `restart`?"));
    assert!(refused("\"list\"", "\"lits\"").contains("did you mean `list`?"));
    assert!(refused("kind = \"memory\"", "kind = \"memroy\"").contains("did you mean `memory`?"));
    let message = refused("description", "zzzzzz");
    assert!(message.contains("unknown field `zzzzzz`") && !message.contains("did you mean"), "{message}");
}

#[test]
fn every_name_in_it_is_checked() {
    assert!(refused("name = \"file-transfer\"", "name = \"File Transfer\"").contains("'File Transfer' is not a name"));
    assert!(refused("publisher = \"transship\"", "publisher = \"\"").contains("publisher: '' is not a name"));
    assert!(refused("[drives.scratch]", "[drives.\"../x\"]").contains("'../x' is not a name"));
    assert!(refused("\"worker.wasm\"", "\"../worker.wasm\"").contains("without any folder"));
    assert!(refused("\"worker-api.wasm\"", "\"/worker-api.wasm\"").contains("[compose] manager"));
    assert!(refused("clock:tools:somebody", "clock:tools").contains("write process:package:publisher"));
    assert!(refused("version = \"0.1.0\"", "version = \"1\"").contains("version"));
}

#[test]
fn what_is_named_must_be_declared() {
    assert_eq!(refused("component = \"manager\"", "component = \"manger\""), "[[process]] manager: there is no component 'manger'; did you mean 'manager'?");
    assert_eq!(refused("scratch = [\"read\"]", "zzz = [\"read\"]"), "[[process]] manager, capabilities: there is no drive 'zzz'; there are: files, scratch");
    assert!(refused("manager = [\"worker-api.wasm\"]", "mangaer = [\"worker-api.wasm\"]").contains("[compose]: there is no component 'mangaer'"));
    assert!(refused("\"manager.wasm\" = \"file_", "\"menager.wasm\" = \"file_").contains("did you mean 'manager.wasm'?"));
}

#[test]
fn numbers_and_counts_have_bounds() {
    assert!(refused("memory = \"16 MiB\"", "memory = 10").contains("memory is 65536 to 4294967296 bytes"));
    assert!(refused("memory = \"16 MiB\"", "memory = \"10 GiB\"").contains("memory is 65536 to"));
    assert!(refused("memory = \"16 MiB\"", "memory = -1").contains("256 MiB"));
    assert!(refused("kind = \"memory\"", "kind = \"memory\"\nquota = 0").contains("[drives.scratch]: a quota is 1 to"));
    assert!(refused("kind = \"memory\"", "kind = \"folder\"\nquota = 5").contains("[drives.scratch]: only a drive of kind \"memory\" has a quota"));
    let many: String = (0..65).map(|n| format!("[drives.d{n}]\n")).collect();
    assert!(refused("[drives.files]", &format!("{many}[drives.files]")).contains("67 drives; at most 64"));
    assert!(refused("Moves files.", &"x".repeat(MAX_MANIFEST)).contains("at most 262144"));
    let process = "[[process]]\nname = \"manager\"\ncomponent = \"worker\"\n";
    assert_eq!(refused("[compose]", &format!("{process}[compose]")), "two processes or scripts are named 'manager'");
    let empty = "name = 'a'\npublisher = 'b'\nversion = '1.0.0'\n[components]\n";
    assert_eq!(Manifest::parse(empty).unwrap_err().to_string(), "[components]: a package has at least one component");
}

#[test]
fn what_is_shipped_means_the_same_and_leaves_out_how_it_was_built() {
    let written = Manifest::read(FULL).unwrap();
    let text = written.as_shipped().to_text().unwrap();
    assert!(!text.contains("compose") && !text.contains("build"), "{text}");
    assert_eq!(Manifest::parse(&text).unwrap(), Manifest::parse(FULL).unwrap());
}

const THIRD_PARTY: &str = r#"
name = "chat"
publisher = "ann"
version = "1.0.0"
[components]
main = "main.wasm"
tool = "tool.wasm"
[drives.files]
[[process]]
name = "main"
component = "main"
[scripts.history]
component = "tool"
description = "Shows what was said"
[scripts.history.capabilities]
drives = { files = ["read"] }
[scripts.history.limits]
memory = "1 MiB"
[api]
component = "api.wasm"
wit = ["../wit/chat"]
[dependencies]
"file-transfer:transship" = "0.1"
"other:bob" = { version = "^1.2", digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
[build."main.wasm"]
tool = "cargo"
[build."tool.wasm"]
tool = "python"
folder = "tool"
source = "tool"
world = "tool"
[build]
"api.wasm" = "chat-api"
"#;

#[test]
fn dependencies_scripts_an_api_and_recipes_are_read_and_what_is_for_the_builder_is_not_shipped() {
    let written = Manifest::read(THIRD_PARTY).unwrap();
    let manifest = Manifest::resolve(&written).unwrap();
    let dependencies: Vec<_> =
        manifest.dependencies.iter().map(|(name, wanted)| (name.to_string(), wanted.version.to_string(), wanted.digest.is_some())).collect();
    assert_eq!(dependencies, [("file-transfer:transship".to_owned(), "^0.1".to_owned(), false), ("other:bob".into(), "^1.2".into(), true)]);
    let script = &manifest.scripts["history"];
    assert_eq!((script.component.as_str(), script.memory_limit, script.capabilities.drives["files"].read), ("tool", 1 << 20, true));
    assert_eq!(manifest.api.as_deref(), Some("api.wasm"));
    assert_eq!(manifest.files(), BTreeSet::from(["main.wasm", "tool.wasm", "api.wasm"]));
    assert_eq!(manifest.asks()["history"].iter().map(ToString::to_string).collect::<Vec<_>>(), ["drives.files=read"]);
    let text = written.as_shipped().to_text().unwrap();
    assert!(!text.contains("build") && !text.contains("../wit/chat"), "{text}");
    assert_eq!(Manifest::parse(&text).unwrap(), manifest);
}

#[test]
fn what_is_wrong_with_them_is_said_with_the_place() {
    let refused = |old: &str, new: &str| {
        assert!(THIRD_PARTY.contains(old), "{old}");
        Manifest::parse(&THIRD_PARTY.replacen(old, new, 1)).unwrap_err().to_string()
    };
    assert!(refused("= \"0.1\"", "= \"latest\"").contains("'latest' is not a version requirement"));
    assert!(refused("version = \"^1.2\"", "verison = \"^1.2\"").contains("did you mean `version`?"));
    assert!(refused("other:bob", "other").contains("[dependencies] other: 'other' is not a package: write package:publisher"));
    assert!(refused("other:bob", "chat:ann").contains("does not depend on itself"));
    assert!(refused("0123456789abcdef0", "0").contains("64 hexadecimal digits"));
    assert!(refused("tool = \"cargo\"", "tool = \"make\"").contains("unknown variant `make`"));
    assert!(refused("tool = \"cargo\"", "tol = \"cargo\"").contains("did you mean `tool`?"));
    assert!(refused("folder = \"tool\"", "folder = \"../tool\"").contains("below the package's own folder"));
    assert!(refused("component = \"api.wasm\"", "component = \"main.wasm\"").contains("[api]"));
    assert!(refused("../wit/chat", "../wit/..").contains("[api] wit"));
    assert!(refused("name = \"main\"\ncomponent", "name = \"history\"\ncomponent").contains("two processes or scripts are named 'history'"));
    assert!(refused("component = \"tool\"", "component = \"tol\"").contains("did you mean 'tool'?"));
}
