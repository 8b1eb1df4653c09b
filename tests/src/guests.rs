//! Packages whose components are made with tools that not every machine has: what is lacking is said, and the test goes without.
//!
//! The command lines are those of `transship package build`. What was made is kept beside the tests, and made anew when a source is newer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::machine::{can, skipped};
use crate::{Home, Outcome, transship};

/// How long a node may take to compile what comes from here.
pub const COMPILING: Duration = Duration::from_secs(240);
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A component that was made here, and the folder of its sources.
pub struct Guest {
    folder: PathBuf,
    component: PathBuf,
}

/// The folder that the build writes to.
fn target() -> PathBuf {
    transship().parent().and_then(Path::parent).unwrap().to_owned()
}

/// The package of the component that is built for `target`. None: this machine's Rust does not have that one.
///
/// # Panics
/// If it was not built, and might have been.
pub fn visitor(target_name: &str) -> Option<PathBuf> {
    let path = target().join(format!("test-packages/visitor-{target_name}.transship"));
    if !path.exists() {
        assert_ne!(target_name, "wasm32-wasip1", "{} is missing: run `just components` first", path.display());
        skipped("a component for wasm32-wasip2", "this Rust does not have that target");
        return None;
    }
    Some(path)
}

/// What `componentize-py` makes of the folder `components/FOLDER`.
pub fn python(folder: &str) -> Option<Guest> {
    let path = std::env::join_paths([target().join("tools/bin")].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH")?))).unwrap();
    let tool = || {
        let mut command = Command::new("componentize-py");
        command.env("PATH", &path);
        command
    };
    if tool().arg("--version").output().is_err() {
        skipped(folder, "componentize-py is not installed: scripts/tools does it");
        return None;
    }
    Some(built(folder, |folder, wit, world, out| {
        let mut command = tool();
        command.arg("--quiet").arg("--wit-path").arg(wit).args(["--world", world, "componentize", "app", "--python-path"]);
        command.arg(folder).arg("--output").arg(out).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }))
}

/// What `componentize-js` makes of the folder `components/FOLDER`.
pub fn javascript(folder: &str) -> Option<Guest> {
    let modules = target().join("tools/node/node_modules");
    if !can(&["node", "--version"]) || !modules.join("@bytecodealliance/componentize-js").is_dir() {
        skipped(folder, "componentize-js is not installed: scripts/tools does it");
        return None;
    }
    Some(built(folder, |folder, wit, world, out| {
        let mut command = Command::new("node");
        command.arg(Path::new(WORKSPACE).join("host/src/cli/package/build/componentize.mjs"));
        command.arg(folder.join("app.js")).arg(wit).arg(world).arg(out).env("NODE_PATH", &modules);
        command
    }))
}

fn built(name: &str, command: impl Fn(&Path, &Path, &str, &Path) -> Command) -> Guest {
    let folder = Path::new(WORKSPACE).join("components").join(name);
    // Without a world of its own it is any process.
    let own = folder.join("wit");
    let (wit, world) = if own.exists() { (own, name.rsplit('/').next().unwrap()) } else { (Path::new(WORKSPACE).join("wit/host"), "process") };
    let out = target().join("test-components");
    std::fs::create_dir_all(&out).unwrap();
    let component = out.join(format!("{}.wasm", name.replace('/', "-")));
    // One test makes it, and those that come meanwhile wait, in other processes too.
    let one = std::fs::File::create(out.join("lock")).unwrap();
    one.lock().unwrap();
    let made = component.metadata().and_then(|metadata| metadata.modified()).ok();
    if made.is_none_or(|made| newest(&folder).max(newest(&wit)) > made) {
        let part = tempfile::Builder::new().suffix(".wasm").tempfile_in(&out).unwrap().into_temp_path();
        Outcome::of(&mut command(&folder, &wit, world, &part), b"").ok();
        part.persist(&component).unwrap();
    }
    Guest { folder, component }
}

fn newest(path: &Path) -> SystemTime {
    let own = path.metadata().and_then(|metadata| metadata.modified()).unwrap();
    let below = path.is_dir().then(|| std::fs::read_dir(path).unwrap().map(|entry| newest(&entry.unwrap().path())));
    below.into_iter().flatten().fold(own, SystemTime::max)
}

impl Guest {
    /// Installs it in a home, granted all that it asks for.
    pub fn install(&self, home: &Home) {
        let folder = home.scratch().join("guest");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(&self.component, folder.join("main.wasm")).unwrap();
        let text = std::fs::read_to_string(self.folder.join("package.toml")).unwrap();
        // How it is built is of no interest any more.
        std::fs::write(folder.join("package.toml"), text.split("[build.").next().unwrap()).unwrap();
        home.run(["package", "install", folder.to_str().unwrap(), "--grant"]).ok();
    }
}

/// A component of this repository's own, as it was built.
pub fn component(file: &str) -> PathBuf {
    Path::new(WORKSPACE).join("components/target/wasm32-unknown-unknown/release").join(file)
}
