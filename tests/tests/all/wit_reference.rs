//! docs/reference is what the WIT files say, for people to read. After a change in wit/: `UPDATE_REFERENCE=1 cargo test --release wit_reference`.

use std::path::Path;

use wit_bindgen_core::{Files, wit_parser::Resolve};

/// The page of one world: its interfaces, types and functions with all that their comments say.
fn page(folders: &[&str], world: &str) -> String {
    let wit = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"));
    let mut resolve = Resolve::default();
    let mut packages = Vec::new();
    for folder in folders {
        packages.push(resolve.push_dir(wit.join(folder)).unwrap().0);
    }
    let world = resolve.select_world(&packages[packages.len() - 1..], Some(world)).unwrap();
    let mut files = Files::default();
    wit_bindgen_markdown::Opts::default().build().generate(&mut resolve, world, &mut files).unwrap();
    let (_, text) = files.iter().find(|(name, _)| name.ends_with(".md")).unwrap();
    let text = std::str::from_utf8(text).unwrap();
    format!("<!-- Made of wit/ by tests/tests/all/wit_reference.rs: change that, not this. -->\n{}\n", text.trim())
}

#[test]
fn the_reference_is_what_the_wit_files_say() {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference"));
    for (file, folders, world) in [("host.md", &["host"][..], "process"), ("file-transfer.md", &["host", "file-transfer"], "file-transfer-client")] {
        let (path, page) = (docs.join(file), page(folders, world));
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::create_dir_all(docs).unwrap();
            std::fs::write(&path, &page).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == page, "docs/reference/{file} is older than wit/: run UPDATE_REFERENCE=1 cargo test --release wit_reference");
    }
}
