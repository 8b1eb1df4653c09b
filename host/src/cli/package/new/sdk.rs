//! The crates that a component in Rust is written with, as they are written into a new package: sources and manifests of `components/`, which are not on crates.io.
//!
//! In this repository they inherit versions and lints from the workspace of `components/`. In a package of its own each stands alone: its manifest is given the workspace's values, and
//! the interfaces, which are links here, become files.

use toml::{Table, Value};

use super::contents::{File, SDK, WIT, under};

/// A crate of the SDK: its name, its folder in `components/`, and where it keeps which interfaces.
struct Crate {
    name: &'static str,
    folder: &'static str,
    /// Folder of `wit/`, folder in the crate.
    interfaces: &'static [(&'static str, &'static str)],
}

const CRATES: [Crate; 3] = [
    Crate { name: "transship-guest", folder: "guest", interfaces: &[("host/", "interfaces/")] },
    Crate {
        name: "file-transfer-types",
        folder: "file-transfer-types",
        interfaces: &[("host/", "interfaces/host/"), ("file-transfer/", "interfaces/file-transfer/")],
    },
    Crate { name: "transship-file-transfer", folder: "file-transfer-client", interfaces: &[] },
];

/// The crates for a process.
pub(super) const GUEST: [&str; 1] = ["transship-guest"];
/// The crates for a process that moves files.
pub(super) const ALL: [&str; 3] = ["transship-guest", "file-transfer-types", "transship-file-transfer"];

/// The files of these crates, each below `sdk/`.
pub(super) fn files(names: &[&str]) -> Result<Vec<File>, toml::de::Error> {
    let workspace: Table = toml::from_str(text("Cargo.toml"))?;
    let mut files = Vec::new();
    for one in CRATES.iter().filter(|one| names.contains(&one.name)) {
        let to = format!("sdk/{}", one.name);
        for (path, text) in under(SDK, &format!("{}/", one.folder)) {
            let text = if path == "Cargo.toml" { alone(text, &workspace)? } else { text.to_owned() };
            files.push((format!("{to}/{path}"), text));
        }
        for (from, into) in one.interfaces {
            files.extend(under(WIT, from).map(|(path, text)| (format!("{to}/{into}{path}"), text.to_owned())));
        }
    }
    Ok(files)
}

/// The versions of all dependencies that the SDK was tested with: a new package builds as this one does. Cargo drops what a package does not use.
pub(super) fn lock() -> String {
    text("Cargo.lock").to_owned()
}

fn text(path: &str) -> &'static str {
    SDK.iter().find(|(name, _)| *name == path).map_or("", |(_, text)| text)
}

/// A manifest without its workspace: what it inherits is written out, what it is tested and checked with stays here.
fn alone(manifest: &str, workspace: &Table) -> Result<String, toml::de::Error> {
    let mut manifest: Table = toml::from_str(manifest)?;
    let inherited = |section: &str, key: &str| Some(workspace.get("workspace")?.get(section)?.get(key)?.clone());
    for (section, source) in [("package", "package"), ("dependencies", "dependencies")] {
        let Some(Value::Table(entries)) = manifest.get_mut(section) else { continue };
        for (key, value) in entries.iter_mut() {
            if value.get("workspace").is_some()
                && let Some(plain) = inherited(source, key)
            {
                *value = beside(key, plain);
            }
        }
    }
    manifest.remove("dev-dependencies");
    manifest.remove("lints");
    let mut text = String::from("# Written by `transship package new`.\n");
    // What the crate is stands first, as people write it. Values that were read can always be written.
    let first = manifest.remove_entry("package").into_iter().collect::<Table>();
    for part in [first, manifest] {
        text += &toml::to_string(&part).unwrap_or_default();
    }
    Ok(text)
}

/// A dependency: one of the SDK's own stands beside the crate.
fn beside(name: &str, mut dependency: Value) -> Value {
    if let Value::Table(table) = &mut dependency
        && table.contains_key("path")
    {
        table.insert("path".into(), Value::String(format!("../{name}")));
    }
    dependency
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crate_inherits_is_written_out() {
        let workspace = toml::from_str(
            "[workspace.package]\nversion = \"1.2.3\"\n[workspace.dependencies]\nserde = { version = \"1\", features = [\"derive\"] }\ntransship-guest = { path = \"guest\" }",
        );
        let manifest = "[package]\nname = \"x\"\nversion.workspace = true\n[dependencies]\nserde.workspace = true\ntransship-guest.workspace = true\nother = \"2\"\n[lints]\nworkspace = true";
        let alone: Table = toml::from_str(&alone(manifest, &workspace.unwrap()).unwrap()).unwrap();
        assert_eq!(alone["package"]["version"].as_str(), Some("1.2.3"));
        assert_eq!(alone["dependencies"]["serde"]["features"][0].as_str(), Some("derive"));
        assert_eq!(alone["dependencies"]["transship-guest"]["path"].as_str(), Some("../transship-guest"));
        assert_eq!(alone["dependencies"]["other"].as_str(), Some("2"));
        assert!(!alone.contains_key("lints"));
    }

    #[test]
    fn every_crate_stands_alone_and_has_its_interfaces() {
        let files = files(&ALL).unwrap();
        let text = |path: &str| files.iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("{path}")).1.as_str();
        for name in ALL {
            let manifest = text(&format!("sdk/{name}/Cargo.toml"));
            assert!(!manifest.contains("workspace") && manifest.contains(&format!("name = \"{name}\"")), "{manifest}");
            text(&format!("sdk/{name}/src/lib.rs"));
        }
        assert!(text("sdk/transship-guest/interfaces/world.wit").contains("world process"));
        assert!(text("sdk/file-transfer-types/interfaces/file-transfer/world.wit").contains("world file-transfer-client"));
        text("sdk/file-transfer-types/interfaces/host/world.wit");
    }
}
