//! The package of the tests' own: a process that does what it is told.

use std::path::PathBuf;

use serde_json::Value;
use transship::package::Package;
use transship::package::grants::PackageGrants;
use transship::package::shelf::ShelfLock;

use crate::Home;

/// The packed package, built by `just components`.
pub fn puppet() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    while folder.pop() {
        let path = folder.join("test-packages/puppet.transship");
        if path.exists() {
            return path;
        }
    }
    panic!("test-packages/puppet.transship is missing in the target folder: run `just components` first")
}

/// Puts the puppet into a home, and grants it what it asks for; the node finds it when it starts.
pub fn install_puppet(home: &Home) {
    install(home, &Package::read(&puppet()).unwrap());
}

/// Puts a package into a home, and grants it what it asks for; the node finds it when it starts.
pub fn install(home: &Home, package: &Package) {
    let opened = transship::home::Home::open(home.path()).unwrap();
    ShelfLock::take(&opened).unwrap().install(package, &PackageGrants::all_of(package.manifest())).unwrap();
}

/// A package of the examples in Rust, built by `just components`.
pub fn example(name: &str) -> Package {
    let folder = puppet().parent().and_then(std::path::Path::parent).unwrap().join("example-packages");
    Package::read(&folder.join(format!("{name}.transship"))).unwrap()
}

/// A package that the command carries.
pub fn bundled(name: &str) -> Package {
    let folder = puppet().parent().and_then(std::path::Path::parent).unwrap().join("packages");
    Package::read(&folder.join(format!("{name}.transship"))).unwrap()
}

/// A package of the puppet's component (`puppet.wasm`) under a manifest of the test's own.
pub fn puppet_with(manifest: &str) -> Package {
    let puppet = Package::read(&puppet()).unwrap();
    of_components(manifest, &[("puppet.wasm", puppet.component("puppet").unwrap())])
}

/// A package of these component files under a manifest of the test's own.
pub fn of_components(manifest: &str, files: &[(&str, &[u8])]) -> Package {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("package.toml"), manifest).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    Package::read(folder.path()).unwrap()
}

/// Writes a package into a file that a command can be given.
pub fn written(home: &Home, package: &Package) -> String {
    let path = home.scratch().join(format!("{}-{}.transship", package.manifest().name, package.manifest().version));
    package.write(&path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Tells a home's own puppet `process` something and returns what came of it.
#[track_caller]
pub fn tell(home: &Home, process: &str, step: &Value) -> Value {
    home.message(&format!("{}@{process}:puppet:test", home.name()), step)
}
