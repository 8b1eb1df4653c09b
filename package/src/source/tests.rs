use super::*;
use crate::compose::imports;
use crate::compose::tests::component;

const WIT: &str = r#"
package test:parts@0.1.0;
interface api { start: func() -> u32; }
world api-part { export api; }
world program { import api; export run: func(); }
"#;

const MANIFEST: &str = r#"
name = "demo"
publisher = "me"
version = "1.0.0"
[components]
program = "program.wasm"
[compose]
program = ["api.wasm"]
[build]
"program.wasm" = "the_program.wasm"
"#;

struct Folders {
    _root: tempfile::TempDir,
    package: PathBuf,
    built: PathBuf,
}

fn folders() -> Folders {
    let root = tempfile::tempdir().unwrap();
    let (package, built) = (root.path().join("package"), root.path().join("built"));
    for folder in [&package, &built] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(package.join(FILE_NAME), MANIFEST).unwrap();
    fs::write(built.join("the_program.wasm"), component(WIT, "program")).unwrap();
    fs::write(built.join("api.wasm"), component(WIT, "api-part")).unwrap();
    Folders { _root: root, package, built }
}

#[test]
fn a_folder_and_its_build_results_make_a_composed_package() {
    let folders = folders();
    let package = load(&folders.package, std::slice::from_ref(&folders.built)).unwrap();
    assert!(imports(package.component("program").unwrap()).unwrap().is_empty());
    assert_eq!(package.components().count(), 1);
    assert_eq!(Package::from_bytes(&package.to_bytes().unwrap()).unwrap(), package);
}

#[test]
fn a_build_result_can_be_named_by_its_crate() {
    let folders = folders();
    fs::write(folders.package.join(FILE_NAME), MANIFEST.replace("the_program.wasm", "the-program")).unwrap();
    load(&folders.package, std::slice::from_ref(&folders.built)).unwrap();
}

#[test]
fn a_folder_that_holds_everything_is_read_like_a_package() {
    let folders = folders();
    for file in ["the_program.wasm", "api.wasm"] {
        fs::rename(folders.built.join(file), folders.package.join(file)).unwrap();
    }
    assert!(imports(Package::read(&folders.package).unwrap().component("program").unwrap()).unwrap().is_empty());
}

#[test]
fn a_missing_file_is_named_with_the_places_where_it_was_looked_for() {
    let folders = folders();
    fs::remove_file(folders.built.join("the_program.wasm")).unwrap();
    let message = load(&folders.package, std::slice::from_ref(&folders.built)).unwrap_err().to_string();
    assert!(
        message.contains("there is no file 'program.wasm'") && message.contains("built/the_program.wasm") && message.contains("package/the_program.wasm"),
        "{message}"
    );
}

#[test]
fn components_that_do_not_fit_and_files_that_are_none_are_named() {
    let folders = folders();
    let load = || load(&folders.package, std::slice::from_ref(&folders.built)).unwrap_err().to_string();
    fs::write(folders.built.join("api.wasm"), component(&WIT.replace("u32", "u64"), "api-part")).unwrap();
    let message = load();
    assert!(message.contains("component 'program' can't be composed: api.wasm exports test:parts/api@0.1.0, but not as it is imported: `start`"), "{message}");
    fs::write(folders.built.join("api.wasm"), b"\0asm\x01\0\0\0").unwrap();
    assert!(load().contains("'api.wasm' is a core module"), "{}", load());
    fs::write(folders.built.join("api.wasm"), b"").unwrap();
    assert!(load().contains("'api.wasm' is empty"), "{}", load());
}

#[test]
fn a_folder_without_a_manifest_or_with_a_wrong_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Package::read(folder.path()).unwrap_err().to_string().contains("the folder has no package.toml"));
    fs::write(folder.path().join(FILE_NAME), "name = \"a\"\nnmae = 1").unwrap();
    let message = Package::read(folder.path()).unwrap_err().to_string();
    assert!(message.contains("unknown field `nmae`") && message.contains("did you mean `name`?"), "{message}");
    assert!(matches!(Package::read(&folder.path().join("nothing")), Err(PackageError::Io { .. })));
}

#[test]
fn a_composed_component_does_not_share_its_file() {
    let folders = folders();
    let text = MANIFEST.replace("program = \"program.wasm\"\n", "plain = \"program.wasm\"\nprogram = \"program.wasm\"\n");
    fs::write(folders.package.join(FILE_NAME), text).unwrap();
    let message = load(&folders.package, std::slice::from_ref(&folders.built)).unwrap_err().to_string();
    assert!(message.contains("component 'program' is composed, so it needs a file of its own"), "{message}");
}

const WITH_API: &str = r#"
name = "demo"
publisher = "me"
version = "1.0.0"
[components]
program = "the_program.wasm"
[api]
component = "api.wasm"
wit = ["wit"]
"#;

#[test]
fn an_api_is_shipped_with_the_text_that_describes_it() {
    let folders = folders();
    fs::write(folders.package.join(FILE_NAME), WITH_API).unwrap();
    fs::create_dir_all(folders.package.join("wit/deps/other")).unwrap();
    fs::write(folders.package.join("wit/api.wit"), WIT).unwrap();
    fs::write(folders.package.join("wit/notes.txt"), "not shipped").unwrap();
    let package = load(&folders.package, std::slice::from_ref(&folders.built)).unwrap();
    assert_eq!(package.wit().collect::<Vec<_>>(), [("wit/api.wit", WIT)]);
    assert_eq!(package.api().unwrap(), fs::read(folders.built.join("api.wasm")).unwrap());
    assert_eq!(Package::from_bytes(&package.to_bytes().unwrap()).unwrap(), package);
    assert_eq!(package.components().count(), 1, "nobody runs the API by itself");
    fs::write(folders.package.join("wit/b\u{e4}d.wit"), WIT).unwrap();
    let error = load(&folders.package, std::slice::from_ref(&folders.built)).unwrap_err().to_string();
    assert!(error.contains("is not the name of a WIT file"), "{error}");
}

#[test]
fn a_recipe_is_found_for_each_file_and_what_it_built_is_found_in_its_place() {
    let folders = folders();
    let manifest = MANIFEST.replace("\"program.wasm\" = \"the_program.wasm\"", "\"api.wasm\" = \"api.wasm\"\n[build.\"program.wasm\"]\ntool = \"cargo\"");
    fs::write(folders.package.join(FILE_NAME), manifest).unwrap();
    let recipes = recipes(&folders.package).unwrap();
    assert_eq!(recipes["program.wasm"].as_ref().unwrap().folder, ".");
    assert_eq!(recipes["api.wasm"], None);
    let built = folders.package.join(BUILT);
    fs::create_dir_all(&built).unwrap();
    fs::copy(folders.built.join("the_program.wasm"), built.join("program.wasm")).unwrap();
    load(&folders.package, std::slice::from_ref(&folders.built)).unwrap();
}
