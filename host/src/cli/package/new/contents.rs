//! What a new package holds: the files of its template, the interfaces, and for Rust the crates to write it with.
//!
//! All of it is inside this program, put there by `build.rs` out of `host/templates`, `wit` and `components`.

use super::super::get_api;
use super::{Language, Template, sdk};
use crate::cli::error::{CliError, Kind};

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// A path, with `/`, and what stands in the file.
pub(super) type File = (String, String);

/// The files of a new package.
pub(super) fn files(language: Language, template: Template, name: &str, publisher: &str) -> Result<Vec<File>, CliError> {
    let filled = |text: &str| text.replace("{{name}}", name).replace("{{publisher}}", publisher);
    let folder = format!("{}/{}/", language.folder(), template.folder());
    let own = TEMPLATES.iter().filter_map(|(path, text)| {
        let path = path.strip_prefix(&folder)?;
        Some((path.strip_suffix(".in").unwrap_or(path).to_owned(), filled(text)))
    });
    let mut files: Vec<File> = own.collect();
    let readme = TEMPLATES.iter().find(|(path, _)| *path == "package-readme.md").map_or("", |(_, text)| text);
    let readme = readme.replace("{{try}}", template.tries()).replace("{{needs}}", language.needs()).replace("{{files}}", language.files());
    files.push(("README.md".into(), filled(&readme)));
    files.extend(get_api::host().into_iter().map(|(path, text)| (format!("wit/deps/{path}"), text)));
    if template == Template::FileTransfer {
        files.extend(under(WIT, "file-transfer/").map(|(path, text)| (format!("wit/deps/file-transfer/{path}"), text.to_owned())));
    }
    if language == Language::Rust {
        let needed: &[&str] = if template == Template::FileTransfer { &sdk::ALL } else { &sdk::GUEST };
        files.push(("Cargo.lock".into(), sdk::lock()));
        files.extend(sdk::files(needed).map_err(|error| CliError::new(Kind::Other, format!("the SDK inside this program can't be read: {error}")))?);
    }
    Ok(files)
}

/// The files of a folder.
pub(super) fn under(files: &'static [(&'static str, &'static str)], folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    files.iter().filter_map(move |(path, text)| Some((path.strip_prefix(folder)?, *text)))
}

impl Template {
    fn folder(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Echo => "echo",
            Self::Chat => "chat",
            Self::FileTransfer => "file-transfer",
        }
    }

    /// Commands to try it with.
    fn tries(self) -> &'static str {
        match self {
            Self::Blank => "transship message main:{{name}}:{{publisher}} '\"good day\"'",
            Self::Echo => "transship message main:{{name}}:{{publisher}} '{\"any\": [\"JSON\", 1]}'",
            Self::Chat => {
                "transship message main:{{name}}:{{publisher}} '{\"send\": {\"to\": \"bob\", \"text\": \"hello\"}}'   # bob: a peer that has this package too\n\
                 transship message main:{{name}}:{{publisher}} '\"read\"'"
            }
            Self::FileTransfer => {
                "transship message main:{{name}}:{{publisher}} '{\"fetch\": {\"node\": \"bob\", \"name\": \"report.pdf\"}}'   # bob: a peer\n\
                 transship message main:{{name}}:{{publisher}} '\"transfers\"'"
            }
        }
    }
}

impl Language {
    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// What must be there to build it.
    fn needs(self) -> &'static str {
        match self {
            Self::Rust => {
                "To build it takes Rust with the target `wasm32-unknown-unknown` (`rustup target add wasm32-unknown-unknown`) and cargo-component \
                 (`cargo install cargo-component --locked`)."
            }
            Self::Python => {
                "To build it takes Python 3.10 or later and componentize-py: `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt`. It brings a Python interpreter into the \
                 component; nothing of that is needed where the package runs."
            }
            Self::JavaScript => {
                "To build it takes Node.js 20 or later and componentize-js: `npm install`. It brings a JavaScript engine into the component; nothing of that is needed where the package \
                 runs."
            }
        }
    }

    /// Which files are the author's.
    fn files(self) -> &'static str {
        match self {
            Self::Rust => {
                "- `main/`: the crate that the component `main` is built from. Another component is another folder like it, named in `Cargo.toml` and under `[build]`.\n\
                 - `sdk/`: what it is written with; `cargo doc --open --package transship-guest` shows its documentation, with examples."
            }
            Self::Python => "- `app.py`: the component `main`.",
            Self::JavaScript => "- `app.js`: the component `main`.",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use transship::package::Manifest;

    use super::*;

    #[test]
    fn every_template_is_there_in_every_language_and_has_a_manifest_that_is_one() {
        for language in Language::value_variants() {
            for template in Template::value_variants() {
                let files = files(*language, *template, "a.b_c-1", "ann").unwrap();
                let text = |path: &str| files.iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("{path}")).1.as_str();
                let manifest = Manifest::parse(text("package.toml")).unwrap();
                assert_eq!((manifest.name.as_str(), manifest.publisher.as_str()), ("a.b_c-1", "ann"));
                assert!(text("README.md").contains("transship message main:a.b_c-1:ann "));
                assert!(text("wit/deps/transship-host/world.wit").contains("world process"));
                text("wit/world.wit");
                for (path, text) in &files {
                    assert!(!text.contains("{{") || path.starts_with("sdk/"), "{path}: {text}");
                    assert!(!path.ends_with(".in"), "{path}");
                }
            }
        }
    }

    #[test]
    fn only_what_moves_files_has_the_interfaces_for_that() {
        let has = |template, path: &str| files(Language::Rust, template, "a", "b").unwrap().iter().any(|(name, _)| name.starts_with(path));
        assert!(has(Template::FileTransfer, "sdk/transship-file-transfer/") && has(Template::FileTransfer, "wit/deps/file-transfer/"));
        assert!(!has(Template::Chat, "sdk/transship-file-transfer/") && !has(Template::Chat, "wit/deps/file-transfer/"));
    }
}
