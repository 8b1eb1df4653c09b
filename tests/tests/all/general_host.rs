//! The host gives processes what any of them could use, and knows nothing of what is moved with it.

use std::path::Path;

/// Words of the file-transfer package that have no place in the host. The command line speaks for people who move files, so it may.
const WORDS: &[&str] = &[
    "chunk_request",
    "chunk-request",
    "ChunkRequest",
    "download",
    "upload",
    "start_download",
    "progress_request",
    "ProgressRequest",
    "transfer-error",
    "TransferError",
    "file-transfer",
    "file_transfer",
    "manager:",
    "resume",
    "transfer",
];

fn check(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("cli") && !path.ends_with("tests") {
                check(&path, found);
            }
            continue;
        }
        if path.file_name().is_some_and(|name| name == "main.rs" || name == "tests.rs") || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // What stands in tests, comments and example names is no knowledge of the code's.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let statement = line.split("//").next().unwrap_or_default();
            for word in WORDS {
                if statement.to_lowercase().contains(&word.to_lowercase()) {
                    found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
}

#[test]
fn the_host_knows_nothing_of_file_transfer() {
    let mut found = Vec::new();
    check(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../host/src")), &mut found);
    assert!(found.is_empty(), "the host speaks of transfers:\n{}", found.join("\n"));
}

#[test]
fn the_hosts_wit_package_knows_nothing_of_file_transfer() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/host");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        for word in WORDS {
            assert!(!code.contains(word), "{} says {word}", path.display());
        }
    }
}
