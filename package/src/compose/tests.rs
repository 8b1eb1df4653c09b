use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use super::*;

/// A component of the given world whose functions do nothing: for types it is as good as any other.
pub(crate) fn component(wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::new();
    let package = resolve.push_str("test.wit", wit).unwrap();
    from_resolve(&resolve, package, world)
}

fn from_resolve(resolve: &Resolve, package: wit_parser::PackageId, world: &str) -> Vec<u8> {
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wit_component::dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A node that offers a resource, an API that uses it on both sides, and a program that imports both.
const SHARED: &str = r#"
package test:parts@0.1.0;
interface handles {
    resource handle { text: func() -> string; }
    make: func() -> handle;
    take: func(handle: handle);
}
interface types { record job { name: string, size: u64 } variant trouble { lost(string), full } }
interface api {
    use handles.{handle};
    use types.{job, trouble};
    start: func(job: job, handles: list<handle>) -> result<handle, trouble>;
}
interface other { hello: func(); }
interface logging { log: func(text: string); }
world api-part { import handles; import logging; import types; export api; }
world program { import handles; import api; import types; export run: func() -> result<_, string>; }
world stranger { export other; }
world alone { export other; export run: func(); }
world wants-both { import api; import other; export run: func(); }
"#;

/// An API that was changed after the program was built against [`SHARED`].
fn changed(old: &str, new: &str) -> Vec<u8> {
    assert!(SHARED.contains(old));
    component(&SHARED.replacen(old, new, 1), "api-part")
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("test:parts/{name}@0.1.0")).collect()
}

#[test]
fn an_api_is_plugged_in_and_its_own_imports_are_shared_with_the_program() {
    let composed = plug(&component(SHARED, "program"), &[("api.wasm", &component(SHARED, "api-part"))]).unwrap();
    assert_eq!(imports(&composed).unwrap(), set(&["handles", "types", "logging"]));
    assert_eq!(exports(&composed).unwrap(), BTreeSet::from(["run".into()]));
}

#[test]
fn composing_is_deterministic_and_nothing_to_plug_changes_nothing() {
    let (program, api) = (component(SHARED, "program"), component(SHARED, "api-part"));
    assert_eq!(plug(&program, &[("a", &api)]).unwrap(), plug(&program, &[("a", &api)]).unwrap());
    assert_eq!(plug(&program, &[]).unwrap(), program);
}

#[test]
fn several_plugs_each_fill_their_part() {
    let (api, other) = (component(SHARED, "api-part"), component(SHARED, "stranger"));
    let composed = plug(&component(SHARED, "wants-both"), &[("api.wasm", &api), ("other.wasm", &other)]).unwrap();
    assert_eq!(imports(&composed).unwrap(), set(&["handles", "types", "logging"]));
}

#[test]
fn a_plug_that_fits_nowhere_is_named_with_what_each_side_has() {
    let error = plug(&component(SHARED, "program"), &[("x.wasm", &component(SHARED, "stranger"))]).unwrap_err();
    assert!(matches!(&error, ComposeError::NothingFits { plug, .. } if plug == "x.wasm"));
    let message = error.to_string();
    assert!(message.contains("exports test:parts/other@0.1.0") && message.contains("test:parts/api@0.1.0"), "{message}");
    let error = plug(&component(SHARED, "alone"), &[("x.wasm", &component(SHARED, "stranger"))]).unwrap_err();
    assert!(error.to_string().ends_with("imports nothing"), "{error}");
}

#[test]
fn two_plugs_for_one_import_are_refused() {
    let api = component(SHARED, "api-part");
    let error = plug(&component(SHARED, "program"), &[("one.wasm", &api), ("two.wasm", &api)]).unwrap_err();
    assert_eq!(error.to_string(), "both one.wasm and two.wasm export test:parts/api@0.1.0: plug in one of them");
}

#[test]
fn a_difference_is_found_and_its_place_is_told() {
    let program = component(SHARED, "program");
    let told = |api: Vec<u8>| match plug(&program, &[("api.wasm", &api)]).unwrap_err() {
        ComposeError::Differs { plug, export, reason } => {
            assert_eq!((plug.as_str(), export.as_str()), ("api.wasm", "test:parts/api@0.1.0"));
            reason
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(told(changed("start: func", "begin: func")), "it has no function `start`");
    let reason = told(changed("size: u64", "size: u32"));
    assert!(reason.contains("`size`") && reason.contains("u64") && reason.contains("u32"), "{reason}");
    let reason = told(changed("full }", "empty }"));
    assert!(reason.contains("`full`") && reason.contains("`empty`"), "{reason}");
    let reason = told(changed("start: func(job: job, handles: list<handle>)", "start: func(job: job)"));
    assert!(reason.contains("`start`") && reason.contains("parameter count 2, found parameter count 1"), "{reason}");
}

#[test]
fn parts_that_disagree_about_the_node_are_told_so() {
    let api = changed("log: func(text: string);", "log: func(text: string); take: func();");
    let program = SHARED.replace("world program {", "world program { import logging;").replace("log: func(text: string);", "log: func(number: u8);");
    let error = plug(&component(&program, "program"), &[("api.wasm", &api)]).unwrap_err();
    assert!(matches!(&error, ComposeError::Disagree { import, .. } if import == "test:parts/logging@0.1.0"), "{error:?}");
}

#[test]
fn a_compatible_version_of_an_interface_fits_and_an_incompatible_one_does_not() {
    let program = component(SHARED, "program");
    // Only the API itself is of another version; what it shares with the program is not.
    let of_version = |version: &str| {
        let wit = format!(
            "package test:parts@{version};\ninterface api {{ ping: func() -> u32; }}\nworld a {{ export api; }}\nworld p {{ import api; export run: func(); }}"
        );
        (component(&wit, "p"), component(&wit, "a"))
    };
    let ((socket, _), (_, newer), (_, incompatible)) = (of_version("0.1.0"), of_version("0.1.3"), of_version("0.2.0"));
    assert!(imports(&plug(&socket, &[("a.wasm", &newer)]).unwrap()).unwrap().is_empty());
    assert!(matches!(plug(&socket, &[("a.wasm", &incompatible)]), Err(ComposeError::NothingFits { .. })));
    assert!(plug(&program, &[("a.wasm", &newer)]).is_err());
}

#[test]
fn what_is_no_component_is_refused_by_name() {
    let error = plug(b"hello", &[("api.wasm", &component(SHARED, "api-part"))]).unwrap_err();
    assert!(error.to_string().starts_with("socket is not a valid component"), "{error}");
    let mut cut = component(SHARED, "api-part");
    cut.truncate(cut.len() / 2);
    let error = plug(&component(SHARED, "program"), &[("api.wasm", &cut)]).unwrap_err();
    assert!(matches!(&error, ComposeError::Invalid { part, .. } if part == "api.wasm"), "{error}");
}

#[test]
fn the_published_worker_api_fits_into_a_client_and_leaves_only_the_nodes_interfaces() {
    let mut resolve = Resolve::new();
    let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    resolve.push_dir(wit.join("host")).unwrap();
    let (package, _) = resolve.push_dir(wit.join("file-transfer")).unwrap();
    let (client, api) = (from_resolve(&resolve, package, "file-transfer-client"), from_resolve(&resolve, package, "file-transfer-worker-api"));
    let composed = plug(&client, &[("worker-api.wasm", &api)]).unwrap();
    let left = imports(&composed).unwrap();
    assert!(!left.contains("transship:file-transfer/file-transfer-worker@0.1.0"), "{left:?}");
    // `types` holds types only, and `address` is the type that the world uses: the node need not offer them.
    let expected = |import: &str| import.starts_with("transship:host/") || matches!(import, "transship:file-transfer/types@0.1.0" | "address");
    assert!(left.iter().all(|import| expected(import)), "{left:?}");
    assert_eq!(exports(&composed).unwrap(), BTreeSet::from(["init".into()]));
}
