//! Packages begun with `transship package new` and built with `transship package build`, as somebody does who begins.
//!
//! Cargo builds them all in one folder, without a network: what they are made from is what the components of this repository are made from. What Python and JavaScript are made into is kept for the
//! next run, as `transship package build` keeps it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{can, skipped};
use crate::{Home, Outcome, transship};

/// What a package is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// With cargo-component.
    Rust,
    /// With componentize-py.
    Python,
    /// With componentize-js.
    JavaScript,
}

impl Language {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Rust, Self::Python, Self::JavaScript];

    /// As the command calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// Whether this machine can build it; if not, that is said.
    pub fn can_be_built(self) -> bool {
        let lacking = match self {
            // Then the target's library comes from the distribution, with a Rust that is older than what the SDK asks for.
            Self::Rust if target().join("tools/guest-toolchain").exists() => Some("the WebAssembly target is not of this machine's own Rust"),
            Self::Rust if find("cargo-component").is_none() => Some("cargo-component is not installed"),
            Self::Python if find("componentize-py").is_none() => Some("componentize-py is not installed"),
            Self::JavaScript if !can(&["node", "--version"]) || !modules().join("@bytecodealliance/componentize-js").is_dir() => {
                Some("componentize-js is not installed")
            }
            _ => None,
        };
        if let Some(why) = lacking {
            skipped(&format!("packages in {}", self.name()), &format!("{why}: scripts/tools does it where it can"));
        }
        lacking.is_none()
    }
}

fn target() -> PathBuf {
    transship().parent().and_then(Path::parent).unwrap().to_owned()
}

fn modules() -> PathBuf {
    target().join("tools/node/node_modules")
}

/// The PATH with the tools that scripts/tools installed.
fn path() -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([target().join("tools/bin")].into_iter().chain(std::env::split_paths(&own))).unwrap()
}

fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&path()).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Where Cargo compiles all of them: its CARGO_TARGET_DIR.
pub fn compiled() -> PathBuf {
    target().join("new-packages/cargo")
}

/// The command in a home, with what building needs around it.
pub fn with_tools<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(home: &Home, arguments: I) -> Command {
    let mut command = home.command(arguments);
    command.env("PATH", path()).env("NODE_PATH", modules()).env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", compiled());
    command
}

/// Builds a package's folder, whose components are of that language.
pub fn build(home: &Home, language: Language, folder: &Path) -> Outcome {
    let _one = one_at_a_time(language);
    Outcome::of(with_tools(home, ["package", "build", "--json"]).arg(folder), b"")
}

/// Keeps everybody else from building, other processes with tests included: Cargo has one folder to itself, in which the components of all packages have the same name, and the other tools take as
/// many cores as there are.
pub fn one_at_a_time(language: Language) -> File {
    std::fs::create_dir_all(compiled()).unwrap();
    let name = if language == Language::Rust { "cargo.lock" } else { "interpreters.lock" };
    let lock = File::create(target().join("new-packages").join(name)).unwrap();
    lock.lock().unwrap();
    lock
}

/// A new package of a template, built and not yet installed: its file. The publisher is `ann`, the name that of template and language.
pub fn begun(home: &Home, language: Language, template: &str) -> (String, PathBuf) {
    let name = format!("{template}-{}", language.name());
    let folder = home.scratch().join(&name);
    let arguments = ["package", "new", &name, "--template", template, "--language", language.name(), "--publisher", "ann"];
    home.run(arguments).ok();
    // What was made the last time, if the same goes in.
    let (made, kept) = (folder.join("target"), target().join("new-packages").join(&name));
    std::fs::create_dir_all(&kept).unwrap();
    std::os::unix::fs::symlink(&kept, &made).unwrap();
    build(home, language, &folder).ok();
    // Two tests may want the same one.
    let file = folder.join(format!("{name}.transship"));
    std::fs::copy(made.join(format!("{name}.transship")), &file).unwrap();
    (format!("main:{name}:ann"), file)
}

/// The same, installed; returns its process.
pub fn installed(home: &Home, language: Language, template: &str) -> String {
    let (process, file) = begun(home, language, template);
    home.run(["package", "install", file.to_str().unwrap(), "--grant"]).ok();
    process
}
