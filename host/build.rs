//! Puts things inside the library and the program: the built packages, and what `transship package new` writes.
//!
//! The packages are, with the feature `bundled`, every `target/packages/*.transship` of the workspace, or the files that TRANSSHIP_BUNDLE lists (separated as in PATH). Without any, the
//! build goes on and says so: the crate is useful with packages from folders alone, and the components can't be built before this workspace's own tools are.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=TRANSSHIP_BUNDLE");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: build with cargo")?).join("bundled.rs");
    let files = if env::var_os("CARGO_FEATURE_BUNDLED").is_some() { files()? } else { Vec::new() };
    let mut list = String::from("&[\n");
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file.file_stem().and_then(|name| name.to_str()).ok_or_else(|| format!("{}: the name is not text", file.display()))?;
        let path = file.to_str().ok_or_else(|| format!("{}: the path is not text", file.display()))?;
        writeln!(list, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    list.push_str("]\n");
    fs::write(out, list)?;
    if env::var_os("CARGO_FEATURE_CLI").is_some() { templates() } else { Ok(()) }
}

/// The templates of new packages, the interfaces, and the sources of the SDK: as constants that list each file's path and text. Done here and not by a macro, so that Cargo sees a file that
/// was added, and links are followed.
fn templates() -> Result<(), Box<dyn std::error::Error>> {
    let host = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let (wit, components) = (host.join("../wit"), host.join("../components"));
    let mut sdk: Vec<_> = ["Cargo.toml", "Cargo.lock"].map(|name| (name.to_owned(), components.join(name))).into();
    for name in ["guest", "file-transfer-types", "file-transfer-client"] {
        sdk.push((format!("{name}/Cargo.toml"), components.join(name).join("Cargo.toml")));
        texts(&components.join(name).join("src"), &format!("{name}/src/"), &mut sdk)?;
    }
    let (mut templates, mut interfaces) = (Vec::new(), Vec::new());
    texts(&host.join("templates"), "", &mut templates)?;
    texts(&wit, "", &mut interfaces)?;
    let mut text = String::new();
    for (name, what, files) in [
        ("TEMPLATES", "Of `host/templates`.", templates),
        ("WIT", "Of `wit`.", interfaces),
        ("SDK", "Of `components`: the crates that others write components with, and what they inherit.", sdk),
    ] {
        writeln!(text, "/// {what}\npub(super) const {name}: &[(&str, &str)] = &[")?;
        for (path, file) in files {
            println!("cargo:rerun-if-changed={}", file.display());
            let file = fs::canonicalize(file)?;
            writeln!(text, "    ({path:?}, include_str!({:?})),", file.to_str().ok_or("a path is not text")?)?;
        }
        text.push_str("];\n");
    }
    Ok(fs::write(PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: build with cargo")?).join("templates.rs"), text)?)
}

/// All files below a folder, in the order of their names.
fn texts(folder: &Path, prefix: &str, into: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), format!("{prefix}{}", entry.file_name().to_string_lossy()));
        // What a tool left behind there is no template.
        if path.is_dir() && !matches!(path.file_name().and_then(|name| name.to_str()), Some("target" | "node_modules" | "__pycache__")) {
            texts(&path, &format!("{name}/"), into)?;
        } else if path.is_file() {
            into.push((name, path));
        }
    }
    Ok(())
}

fn files() -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    if let Some(list) = env::var_os("TRANSSHIP_BUNDLE") {
        let files: Vec<PathBuf> = env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
        return match files.iter().find(|file| !file.is_file()) {
            Some(missing) => Err(format!("TRANSSHIP_BUNDLE names {}, which is not a file", missing.display()).into()),
            None => Ok(files.iter().map(fs::canonicalize).collect::<Result<_, _>>()?),
        };
    }
    let workspace = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    // Published crates are built without the workspace around them.
    if !workspace.join("package").is_dir() {
        return Ok(Vec::new());
    }
    let folder = workspace.join("target").join("packages");
    // Made here if need be: Cargo would take a folder that it can't find for changed, and build everything again each time.
    fs::create_dir_all(&folder)?;
    let folder = fs::canonicalize(folder)?;
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "transship") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        println!("cargo:warning=no package inside this binary: run `just build` (or `./run build`) to build the components first");
    }
    Ok(files)
}
